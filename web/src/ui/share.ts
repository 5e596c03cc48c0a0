/** Sharing one's own position: start and stop, the source, the pace of a simulated walk, and how it goes. */

import { Sharing, type SharingState, type Source } from "../geo/sharing";
import type { Session } from "../hub/session";
import type { Incident } from "../state/incident";
import { pairOf } from "../state/incident";
import { isFinal } from "../state/status";
import { h, icon, setText } from "./dom";

const PACES: [label: string, metresPerSecond: number][] = [["Walk", 1.4], ["Run", 3.5], ["Bicycle", 6], ["Car", 14], ["Fast", 30]];

export class ShareView {
  readonly element: HTMLElement;
  readonly sharing: Sharing;
  readonly #toggle: HTMLButtonElement;
  readonly #label = h("span");
  readonly #tally = h("span", { class: "tally", "data-testid": "tally" });
  readonly #pace: HTMLSelectElement;

  constructor(session: Session, seed: () => string) {
    const own = (): Incident["fixes"][string] | null => session.incident.value?.fixes[session.userId] ?? null;
    this.sharing = new Sharing({
      get seed() { return seed(); },
      own,
      goal: () => (session.incident.value === null ? null : pairOf(session.incident.value, session.userId).citizen),
      rescuer: session.role === "rescuer",
    }, { fix: (fix) => session.share(fix), change: (state) => this.#show(state), failure: (failure) => session.fail(failure) });

    this.#toggle = h("button", { class: "button share-toggle", type: "button", "data-testid": "share", on: { click: () => this.toggle() } });
    this.#pace = h("select", { class: "input", "aria-label": "Pace of the simulated walk", on: { change: () => this.sharing.pace(Number(this.#pace.value)) } },
      ...PACES.map(([label, speed]) => h("option", { value: speed, text: label, selected: speed === this.sharing.state.speed })));
    const source: HTMLSelectElement = h("select", {
      class: "input", "aria-label": "Source of the position", on: { change: () => this.sharing.use(source.value as Source) },
    }, h("option", { value: "simulator", text: "Simulated" }), h("option", { value: "device", text: "This device" }));
    this.element = h("div", { class: "share" }, this.#toggle, source, this.#pace, this.#tally);
    this.#show(this.sharing.state);
    session.tally.subscribe((tally) => {
      // One short fact, the most pressing one: the row must not grow.
      setText(this.#tally, tally.waiting > 0 ? `${tally.waiting.toLocaleString()} waiting` : `${tally.stored.toLocaleString()} stored`);
      this.#tally.title = `${tally.stored} stored, ${tally.coalesced} of them folded into a later broadcast, ${tally.waiting} waiting, ${tally.refused} refused`;
      this.#tally.dataset["waiting"] = String(tally.waiting);
    });
  }

  toggle(): void {
    if (this.sharing.state.running) this.sharing.stop();
    else this.sharing.start();
  }

  show(incident: Incident | null): void {
    const ended = incident?.sos != null && isFinal(incident.sos.status);
    this.#toggle.disabled = incident === null || ended;
    if ((ended || incident === null) && this.sharing.state.running) this.sharing.stop();
  }

  #show(state: SharingState): void {
    this.#toggle.setAttribute("aria-pressed", String(state.running));
    this.#toggle.replaceChildren(icon(state.running ? "pause" : "play"), this.#label);
    setText(this.#label, state.running ? "Stop sharing" : "Share location");
    if (this.#pace) this.#pace.disabled = state.source !== "simulator";
  }
}
