/** The dispatcher's list of active incidents. */

import type { Session } from "../hub/session";
import { distance, formatDistance } from "../geo/geo";
import { span } from "../format";
import { statusLabel } from "../state/status";
import { inOrder, type Watched } from "../state/watchlist";
import { count } from "../format";
import { announce, h, keyed, setText } from "./dom";

export class IncidentsView {
  readonly element: HTMLElement;
  readonly #count = h("span", { class: "count" });
  readonly #list = h("ul", { class: "incidents", "data-testid": "incidents" });
  readonly #empty = h("p", { class: "empty", text: "No active incidents. A new call appears here at once." });
  readonly #session: Session;
  #known = new Set<string>();

  constructor(session: Session, private readonly pick: (sosId: string) => void) {
    this.#session = session;
    this.element = h("section", { class: "incidents-box", "aria-label": "Active incidents" },
      h("div", { class: "incidents-head" }, h("h3", { text: "Active incidents" }), this.#count),
      h("div", { class: "scroll", tabindex: -1 }, this.#empty, this.#list));
  }

  show(): void {
    const entries = inOrder(this.#session.watchlist.value);
    const now = this.#session.now();
    const active = entries.filter((entry) => entry.endedAt === null);
    const unseen = active.filter((entry) => entry.sos.acknowledgedBy === null).length;
    setText(this.#count, active.length === 0 ? "" : `${active.length}${unseen > 0 ? ` · ${unseen} not acknowledged` : ""}`);
    this.#empty.hidden = entries.length > 0;
    const fresh = active.filter((entry) => !this.#known.has(entry.sos.sosId));
    if (this.#known.size > 0 && fresh[0]) announce(`New incident ${fresh[0].sos.sosId}`);
    this.#known = new Set(active.map((entry) => entry.sos.sosId));
    keyed(this.#list, entries, (entry) => entry.sos.sosId, (entry) => h("li", {},
      h("button", { class: "incident", type: "button", "data-testid": `incident-${entry.sos.sosId}`, on: { click: () => this.pick(entry.sos.sosId) } },
        h("span", { class: "incident-dot", "aria-hidden": "true" }), h("span", { class: "incident-id", text: entry.sos.sosId }),
        h("span", { class: "incident-status" }), h("span", { class: "incident-more" }), h("span", { class: "incident-age" })),
    ), (element, entry) => this.#update(element, entry, now));
  }

  #update(element: HTMLElement, entry: Watched, now: number): void {
    const { sos } = entry;
    const row = element.firstElementChild;
    if (!(row instanceof HTMLElement)) return;
    row.dataset["state"] = entry.endedAt !== null ? "ended" : entry.overdue ? "overdue" : sos.acknowledgedBy === null ? "open" : "seen";
    if (sos.sosId === this.#session.sosId) {
      if (!row.hasAttribute("aria-current")) requestAnimationFrame(() => this.#reveal(row));
      row.setAttribute("aria-current", "true");
    } else row.removeAttribute("aria-current");
    const [status, more, age] = [".incident-status", ".incident-more", ".incident-age"].map((selector) => row.querySelector(selector));
    if (status) setText(status, statusLabel(sos.status));
    const seen = sos.acknowledgedBy === null ? (entry.overdue ? "overdue: not acknowledged" : "not acknowledged") : `seen by ${sos.acknowledgedBy}`;
    const helpers = sos.responders.length > 0 ? ` · ${count(sos.responders.length, "rescuer")}${this.#nearest(entry)}` : "";
    if (more) setText(more, entry.endedAt !== null ? `ended${sos.reason ? `: ${sos.reason}` : ""}` : seen + helpers);
    if (age) setText(age, sos.createdAt === null ? "" : span((sos.closedAt ?? now) - sos.createdAt));
  }

  /** Scrolls the list alone: the page stays where it is. */
  #reveal(row: HTMLElement): void {
    const box = this.#list.parentElement;
    if (box === null) return;
    const [inner, outer] = [row.getBoundingClientRect(), box.getBoundingClientRect()];
    if (inner.top < outer.top) box.scrollTop -= outer.top - inner.top + 4;
    else if (inner.bottom > outer.bottom) box.scrollTop += inner.bottom - outer.bottom + 4;
  }

  #nearest({ sos }: Watched): string {
    const citizen = sos.locations.find((fix) => fix.userId === sos.citizenId);
    const away = citizen === undefined ? [] : sos.locations.filter((fix) => fix.role === "rescuer").map((fix) => distance(fix, citizen));
    return away.length === 0 ? "" : `, ${formatDistance(Math.min(...away))} away`;
  }
}
