/** Who takes part, who is online, and how far each rescuer is. */

import type { Session } from "../hub/session";
import { ago, count, roleLabel } from "../format";
import { formatDistance, distance } from "../geo/geo";
import { membersInOrder, pairOf, staleSince, type Incident } from "../state/incident";
import { statusLabel } from "../state/status";
import type { Member } from "../hub/words";
import { h, keyed, setText } from "./dom";

export class PeopleView {
  readonly element: HTMLElement;
  readonly #list = h("ul", { class: "people", "data-testid": "people" });
  readonly #empty = h("p", { class: "empty", text: "Nobody is here yet." });

  constructor(private readonly session: Session) {
    this.element = h("div", { class: "scroll", tabindex: 0, role: "group", "aria-label": "People" }, this.#empty, this.#list);
  }

  show(incident: Incident | null): void {
    const members = incident === null ? [] : membersInOrder(incident);
    this.#empty.hidden = members.length > 0;
    keyed(this.#list, members, (member) => member.userId, (member) => h("li", { class: "person", "data-role": member.role },
      h("span", { class: "avatar", "aria-hidden": "true", text: member.userId.slice(0, 2).toUpperCase() }),
      h("span", { class: "person-name" }), h("span", { class: "person-role" }), h("span", { class: "person-state" }),
    ), (element, member) => this.#update(element, member, incident));
  }

  #update(element: HTMLElement, member: Member, incident: Incident | null): void {
    element.dataset["online"] = String(member.online);
    const [name, role, state] = [".person-name", ".person-role", ".person-state"].map((selector) => element.querySelector(selector));
    if (name) setText(name, member.userId === this.session.userId ? `${member.userId} (you)` : member.userId);
    if (role) setText(role, [roleLabel(member.role), this.#doing(member, incident)].filter(Boolean).join(" · "));
    if (state) {
      setText(state, member.online
        ? `online${member.sockets > 1 ? ` · ${count(member.sockets, "device")}` : ""}`
        : member.lastSeen === null ? "offline" : `last seen ${ago(member.lastSeen, this.session.now())}`);
    }
  }

  #doing(member: Member, incident: Incident | null): string {
    const entry = incident?.sos?.responders.find((responder) => responder.userId === member.userId);
    const fix = incident?.fixes[member.userId];
    const citizen = incident === null ? null : pairOf(incident, this.session.userId).citizen;
    const away = fix && citizen && member.role === "rescuer" ? `${formatDistance(distance(fix, citizen))} away` : "";
    const since = fix === undefined ? null : staleSince(fix, this.session.now());
    const stale = since === null ? "" : `position of ${ago(since, this.session.now())}`;
    return [entry ? statusLabel(entry.status) : "", away, stale].filter(Boolean).join(" · ");
  }
}
