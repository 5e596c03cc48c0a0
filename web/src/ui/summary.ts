/** What matters most, at the top of a panel: status, acknowledgement, age; and the way of the incident as steps. */

import type { Session } from "../hub/session";
import { ago, span } from "../format";
import type { SosState, Status } from "../hub/words";
import type { Incident } from "../state/incident";
import { isFinal, JOURNEY, legalStatuses, ownStatus, statusLabel } from "../state/status";
import { announce, h, setText } from "./dom";

const SHORT: Partial<Record<Status, string>> = { active: "Waiting", completed: "Done" };

export class SummaryView {
  readonly element: HTMLElement;
  readonly #status = h("strong", { class: "status", "data-testid": "status" });
  readonly #ack = h("span", { class: "ack", "data-testid": "ack-state" });
  readonly #meta = h("span", { class: "meta" });
  readonly #steps = new Map<Status, HTMLElement>();
  readonly #list: HTMLOListElement;
  readonly #session: Session;
  #announced: string | null = null;

  constructor(session: Session) {
    this.#session = session;
    const interactive = session.role !== "citizen";
    const label = session.role === "rescuer" ? "Your steps" : "Steps of the incident";
    this.#list = h("ol", { class: "steps", "aria-label": label }, ...JOURNEY.map((status) => {
      const words = SHORT[status] ?? statusLabel(status);
      const step = interactive
        ? h("button", { type: "button", class: "step", "data-testid": `status-${status}`, on: { click: () => void this.#set(status) } },
          h("span", { class: "step-dot" }), h("span", { class: "step-name", text: words }))
        : h("span", { class: "step" }, h("span", { class: "step-dot" }), h("span", { class: "step-name", text: words }));
      this.#steps.set(status, step);
      return h("li", {}, step);
    }));
    this.element = h("div", { class: "summary" },
      h("div", { class: "summary-line" }, this.#status, this.#meta),
      h("div", { class: "summary-line" }, this.#ack),
      this.#list);
  }

  show(incident: Incident | null): void {
    const { role, userId } = this.#session;
    const sos = incident?.sos ?? null;
    const now = this.#session.now();
    this.element.dataset["status"] = sos?.status ?? "none";
    const incidentStatus = sos === null ? (incident === null ? "No incident" : "Looking for the incident…") : statusLabel(sos.status);
    setText(this.#status, incidentStatus);
    setText(this.#meta, incident === null ? "" : sos?.createdAt ? `${incident.sosId} · ${span(now - sos.createdAt)}` : incident.sosId);
    this.#meta.title = incident?.sosId ?? "";
    setText(this.#ack, this.#acknowledgement(incident, now));
    this.#ack.dataset["state"] = sos === null ? "none" : isFinal(sos.status) ? "ended" : sos.acknowledgedBy ? "seen" : incident?.overdue ? "overdue" : "open";

    const own = sos === null ? null : ownStatus(role, userId, sos);
    const reached = own === null ? -1 : JOURNEY.indexOf(own);
    const legal = sos === null ? [] : legalStatuses(role, userId, sos);
    JOURNEY.forEach((status, index) => {
      const step = this.#steps.get(status);
      if (step === undefined) return;
      step.dataset["state"] = index < reached ? "past" : index === reached ? "now" : "ahead";
      if (index === reached) step.setAttribute("aria-current", "step");
      else step.removeAttribute("aria-current");
      if (step instanceof HTMLButtonElement) step.disabled = !legal.includes(status);
    });
    if (sos !== null && this.#announced !== sos.status) {
      if (this.#announced !== null) announce(`Incident ${sos.sosId}: ${incidentStatus}`);
      this.#announced = sos.status;
    }
  }

  /** A rescuer's own step, where it is not the incident's. */
  #own(sos: SosState): string {
    const { role, userId } = this.#session;
    const own = ownStatus(role, userId, sos);
    if (own === sos.status) return "";
    return own === "active" ? " · not taken by you" : ` · you: ${statusLabel(own).toLowerCase()}`;
  }

  /** Shows that a step is on its way, however long the network takes. */
  async #set(status: Status): Promise<void> {
    const step = this.#steps.get(status);
    if (step === undefined || step.getAttribute("aria-busy") === "true") return;
    step.setAttribute("aria-busy", "true");
    await this.#session.setStatus(status);
    step.removeAttribute("aria-busy");
  }

  #acknowledgement(incident: Incident | null, now: number): string {
    const sos = incident?.sos;
    const { role, userId } = this.#session;
    if (!sos) {
      if (incident !== null) return "";
      return role === "citizen" ? "Press the button below to call for help." : role === "rescuer" ? "Waiting for a call." : "Choose an incident from the list.";
    }
    if (isFinal(sos.status)) {
      const by = sos.closedBy === userId ? "you" : sos.closedBy;
      return ["Ended", by ? `by ${by}` : "", sos.reason ? `— ${sos.reason}` : ""].filter(Boolean).join(" ");
    }
    if (sos.acknowledgedBy !== null) {
      const who = sos.acknowledgedBy === userId ? "you" : sos.acknowledgedBy;
      return `Seen by ${who}${this.#own(sos) || (sos.acknowledgedAt ? ` · ${ago(sos.acknowledgedAt, now)}` : "")}`;
    }
    if (incident?.overdue) return "Nobody has acknowledged this call in time";
    return role === "citizen" ? "Your call is out. Nobody has acknowledged it yet." : "Not acknowledged yet";
  }
}
