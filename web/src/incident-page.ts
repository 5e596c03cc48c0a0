/** Incidents on the screen: makes a panel for each role, and tells them which incident they are about. */

import "leaflet/dist/leaflet.css";
import "./styles/panel.css";
import "./styles/map.css";
import { toFailure } from "./errors";
import { randomId, roleLabel } from "./format";
import { openIncident } from "./hub/demo-api";
import { Session } from "./hub/session";
import { PANEL_ROLES, type PanelRole } from "./hub/words";
import { addressOf, type Preferences, type Settings } from "./settings";
import { isFinal } from "./state/status";
import { h, icon } from "./ui/dom";
import { Panel } from "./ui/panel";

const ICONS = { citizen: "person", rescuer: "cross", dispatcher: "radar" } as const;

export interface IncidentPageOptions {
  settings: Settings;
  preferences: Preferences;
  /** Another incident is shown. */
  onIncident: (sosId: string) => void;
}

export class IncidentPage {
  readonly elements: HTMLElement[];
  readonly #panels = new Map<PanelRole, Panel>();
  readonly #stage: HTMLElement;
  readonly #bar: HTMLElement;
  readonly #options: IncidentPageOptions;
  #sosId: string | null;

  constructor(options: IncidentPageOptions) {
    const { view, sosId } = options.settings;
    this.#options = options;
    this.#sosId = sosId;
    this.#stage = h("main", { class: "stage", "data-view": view ?? "all" });
    this.#bar = h("nav", { class: "role-bar", "aria-label": "Role" }, ...PANEL_ROLES.map((role) =>
      h("button", { type: "button", "data-role": role, "data-testid": `show-${role}`, on: { click: () => this.#showRole(role) } },
        icon(ICONS[role]), h("span", { text: roleLabel(role) }))));
    this.elements = [this.#stage, this.#bar];
    void this.#start();
  }

  tiles(url: string | null): void {
    this.#options.preferences = { ...this.#options.preferences, tileUrl: url };
    for (const panel of this.#panels.values()) panel.map.tiles(url);
  }

  /** Once a second. */
  tick(): void {
    for (const panel of this.#panels.values()) panel.tick();
  }

  async #start(): Promise<void> {
    const { view, users, play } = this.#options.settings;
    // An address that names an incident opens it; repeating that changes nothing.
    const playsCitizen = view === null || view === "citizen";
    let failure: ReturnType<typeof toFailure> | null = null;
    if (this.#sosId !== null && playsCitizen) {
      try {
        await openIncident(this.#sosId, users.citizen);
      } catch (thrown) {
        failure = toFailure(thrown);
      }
    }
    for (const role of view === null ? PANEL_ROLES : [view]) this.#mount(role);
    this.#showRole(view ?? "citizen");
    if (failure) this.#panels.get("citizen")?.session.fail(failure);
    if (play) this.#play();
  }

  /** Makes the panel of a role the first time it is needed. */
  #mount(role: PanelRole): Panel {
    const known = this.#panels.get(role);
    if (known) return known;
    const { settings, preferences } = this.#options;
    const session = new Session(role, settings.users[role], settings.transports);
    const panel = new Panel(session, {
      tileUrl: preferences.tileUrl,
      call: () => this.#call(),
      follow: (id) => (role === "dispatcher" ? void session.follow(id) : this.#turnTo(id)),
      href: (id) => addressOf(location.search, id ?? this.#sosId, role),
    });
    this.#panels.set(role, panel);
    this.#stage.append(...PANEL_ROLES.flatMap((each) => this.#panels.get(each)?.element ?? []));
    if (this.#sosId !== null) void session.follow(this.#sosId);
    else if (role === "dispatcher") session.open();
    return panel;
  }

  /** The citizen calls for help: a new incident, and all roles of this page turn to it. */
  async #call(): Promise<void> {
    const citizen = this.#mount("citizen");
    try {
      const id = `sos-${randomId(6)}`;
      await openIncident(id, this.#options.settings.users.citizen);
      this.#turnTo(id);
      citizen.share?.sharing.start();
    } catch (thrown) {
      citizen.session.fail(toFailure(thrown));
    }
  }

  /** Turns the page to an incident. */
  #turnTo(id: string): void {
    this.#sosId = id;
    this.#options.onIncident(id);
    for (const panel of this.#panels.values()) void panel.session.follow(id);
  }

  #showRole(role: PanelRole): void {
    this.#mount(role);
    this.#stage.dataset["shown"] = role;
    for (const button of this.#bar.querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset["role"] === role));
    window.scrollTo({ top: 0 });
  }

  /** Lets the simulators of this page run as soon as there is something to run for. */
  #play(): void {
    for (const panel of this.#panels.values()) {
      const stop = panel.session.incident.subscribe((incident) => {
        if (incident?.sos == null || isFinal(incident.sos.status)) return;
        panel.share?.sharing.start();
        queueMicrotask(() => stop());
      });
    }
  }
}
