/** One role on the screen: its session and all its views. */

import type { Session } from "../hub/session";
import { roleLabel } from "../format";
import { MapView } from "../map/view";
import type { Incident } from "../state/incident";
import { isFinal } from "../state/status";
import { actionsFor, ownTab, type Actions } from "./actions";
import { ChatView } from "./chat";
import { h, icon } from "./dom";
import { IncidentsView } from "./incidents";
import { LinkView } from "./link";
import { PeopleView } from "./people";
import { ShareView } from "./share";
import { SummaryView } from "./summary";
import { Tabs } from "./tabs";
import { Toasts } from "./toasts";
import { TrailView } from "./trail";

export interface PanelOptions {
  tileUrl: string | null;
  /** Opens a new incident for the citizen of this panel. */
  call: () => Promise<void>;
  follow: (sosId: string) => void;
  /** The address of this role in a tab of its own. */
  href: (sosId: string | null) => string;
}

const ICONS = { citizen: "person", rescuer: "cross", dispatcher: "radar" } as const;

export class Panel {
  readonly element: HTMLElement;
  readonly map: MapView;
  readonly share: ShareView | null;
  readonly session: Session;
  readonly #link: LinkView;
  readonly #summary: SummaryView;
  readonly #actions: Actions;
  readonly #incidents: IncidentsView | null;
  readonly #chat: ChatView;
  readonly #people: PeopleView;
  readonly #trail = new TrailView();
  readonly #tabs: Tabs;
  readonly #toasts = new Toasts();
  readonly #ownTab: HTMLAnchorElement;
  readonly #options: PanelOptions;
  #read = 0;

  constructor(session: Session, options: PanelOptions) {
    this.session = session;
    this.#options = options;
    const { role, userId } = session;
    this.#link = new LinkView(session.connection, roleLabel(role));
    this.#summary = new SummaryView(session);
    this.#actions = actionsFor(session, { call: options.call, follow: options.follow });
    this.#incidents = role === "dispatcher" ? new IncidentsView(session, options.follow) : null;
    this.share = role === "dispatcher" ? null : new ShareView(session, () => session.sosId ?? "");
    this.map = new MapView({ viewerId: userId, tileUrl: options.tileUrl, now: () => session.now(), onPick: options.follow });
    this.#chat = new ChatView(session);
    this.#people = new PeopleView(session);
    this.#tabs = new Tabs("Details", [
      { id: "chat", label: "Chat", content: this.#chat.element },
      { id: "people", label: "People", content: this.#people.element },
      { id: "trail", label: "Trail", content: this.#trail.element },
    ], () => this.#showTab(session.incident?.value ?? null));
    this.#ownTab = ownTab(options.href(null), `Open ${role} in a tab of its own`);
    this.element = h("section", { class: "panel", "data-role": role, "data-testid": `panel-${role}`, "aria-label": `${roleLabel(role)} ${userId}` },
      h("header", { class: "panel-head" },
        h("span", { class: "badge-role" }, icon(ICONS[role])),
        h("div", { class: "panel-title" }, h("h2", { text: roleLabel(role) }), h("span", { class: "panel-user", text: userId })),
        this.#link.element, this.#ownTab),
      this.#incidents?.element ?? null,
      this.#summary.element, this.#actions.element,
      h("div", { class: "map-box" }, this.map.element),
      this.share?.element ?? null,
      this.#tabs.element, this.#toasts.element);

    session.incident.subscribe((incident) => this.#show(incident));
    session.watchlist.subscribe(() => this.#showList());
    session.connection.link.subscribe(() => this.#chat.show(session.incident.value));
    session.failure.subscribe((last) => { if (last) this.#toasts.show(last.failure); });
  }

  /** Refreshes what depends on the time. Once a second. */
  tick(): void {
    this.#link.tick();
    this.#summary.show(this.session.incident.value);
    this.#showList();
    if (this.#tabs.open === "people") this.#people.show(this.session.incident.value);
    this.map.tick();
  }

  #show(incident: Incident | null): void {
    this.element.classList.toggle("ended", incident?.sos != null && isFinal(incident.sos.status));
    this.#summary.show(incident);
    this.#actions.show(incident);
    this.share?.show(incident);
    this.map.show(incident);
    this.#chat.show(incident);
    this.#showTab(incident);
    this.#showList();
    this.#ownTab.href = this.#options.href(incident?.sosId ?? null);
  }

  #showTab(incident: Incident | null): void {
    const received = (incident?.messages ?? []).filter((message) => message.userId !== this.session.userId).length;
    // Called once while the tabs are being made.
    const open = this.#tabs?.open ?? "chat";
    if (open === "chat") this.#read = received;
    this.#tabs?.badge("chat", Math.max(0, received - this.#read));
    if (open === "people") this.#people.show(incident);
    if (open === "trail") this.#trail.show(incident);
  }

  #showList(): void {
    this.#incidents?.show();
    if (this.#incidents) {
      this.map.showOthers(Object.values(this.session.watchlist.value).filter((entry) => entry.endedAt === null).map((entry) => entry.sos));
    }
  }
}
