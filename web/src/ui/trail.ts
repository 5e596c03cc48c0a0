/** The audit trail: what this panel saw happen, newest first. */

import { clock, count } from "../format";
import type { Incident } from "../state/incident";
import { h, keyed, setText } from "./dom";

export class TrailView {
  readonly element: HTMLElement;
  readonly #list = h("ol", { class: "trail", "data-testid": "trail" });
  readonly #positions = h("p", { class: "trail-positions" });

  constructor() {
    this.element = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "Audit trail" }, this.#positions, this.#list);
  }

  show(incident: Incident | null): void {
    const entries = [...(incident?.audit ?? [])].reverse().sort((a, b) => b.at - a.at);
    keyed(this.#list, entries, (entry) => entry.key, (entry) => h("li", { class: "trail-entry", "data-kind": entry.kind },
      h("time", { text: clock(entry.at) }),
      h("span", { class: "trail-text" }, entry.actor === "" ? null : h("b", { text: `${entry.actor} ` }), entry.text,
        entry.note ? h("q", { text: entry.note }) : null),
    ), () => undefined);
    const counts = Object.entries(incident?.fixCount ?? {}).map(([userId, n]) => `${userId}: ${count(n, "position")}`);
    setText(this.#positions, counts.length === 0 ? "No positions received yet" : `Received from ${counts.join(", ")}`);
  }
}
