/** The page: reads its address, makes a panel for each role, and tells them which incident they are about. */

import "leaflet/dist/leaflet.css";
import "./styles/base.css";
import "./styles/panel.css";
import "./styles/map.css";
import { toFailure } from "./errors";
import { randomId, roleLabel } from "./format";
import { openIncident } from "./hub/demo-api";
import { Session } from "./hub/session";
import { PANEL_ROLES, type PanelRole } from "./protocol";
import { addressOf, readPreferences, readSettings, writePreferences, type Preferences } from "./settings";
import { isFinal } from "./state/status";
import { h, icon, setText } from "./ui/dom";
import { Panel } from "./ui/panel";
import { settingsDialog } from "./ui/settings-dialog";

const settings = readSettings(location.search);
let preferences = readPreferences(localStorage);
let sosId = settings.sosId;
const panels = new Map<PanelRole, Panel>();

const number = h("span", { class: "top-sos", "data-testid": "sos-id" });
const stage = h("main", { class: "stage", "data-view": settings.view ?? "all" });
const bar = h("nav", { class: "role-bar", "aria-label": "Role" });

function applyPreferences(next: Preferences): void {
  preferences = next;
  document.documentElement.dataset["theme"] = next.theme;
  for (const panel of panels.values()) panel.map.tiles(next.tileUrl);
}

/** Makes the panel of a role the first time it is needed. */
function mount(role: PanelRole): Panel {
  const known = panels.get(role);
  if (known) return known;
  const session = new Session(role, settings.users[role], settings.transports);
  const panel = new Panel(session, {
    tileUrl: preferences.tileUrl,
    call,
    follow: (id) => (role === "dispatcher" ? void session.follow(id) : turnTo(id)),
    href: (id) => addressOf(location.search, id ?? sosId, role),
  });
  panels.set(role, panel);
  stage.append(...PANEL_ROLES.flatMap((each) => panels.get(each)?.element ?? []));
  if (sosId !== null) void session.follow(sosId);
  else if (role === "dispatcher") void session.open();
  return panel;
}

/** The citizen calls for help: a new incident, and all roles of this page turn to it. */
async function call(): Promise<void> {
  const citizen = mount("citizen");
  try {
    const id = `sos-${randomId(6)}`;
    await openIncident(id, settings.users.citizen);
    turnTo(id);
    citizen.share?.sharing.start();
  } catch (thrown) {
    citizen.session.fail(toFailure(thrown));
  }
}

/** Turns the page to an incident. */
function turnTo(id: string): void {
  sosId = id;
  setText(number, id);
  history.replaceState(null, "", addressOf(location.search, id, settings.view));
  for (const panel of panels.values()) void panel.session.follow(id);
}

function showRole(role: PanelRole): void {
  mount(role);
  stage.dataset["shown"] = role;
  for (const button of bar.querySelectorAll("button")) button.setAttribute("aria-current", String(button.dataset["role"] === role));
  window.scrollTo({ top: 0 });
}

async function start(): Promise<void> {
  applyPreferences(preferences);
  const dialog = settingsDialog(preferences, (next) => {
    writePreferences(localStorage, next);
    applyPreferences(next);
  });
  const icons = { citizen: "person", rescuer: "cross", dispatcher: "radar" } as const;
  bar.append(...PANEL_ROLES.map((role) => h("button", { type: "button", "data-role": role, "data-testid": `show-${role}`, on: { click: () => showRole(role) } },
    icon(icons[role]), h("span", { text: roleLabel(role) }))));
  document.body.append(
    h("header", { class: "top" },
      h("h1", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }), "Convoke"),
      h("span", { class: "top-words", text: "Incident demo" }), number,
      h("button", { class: "icon-button", type: "button", "aria-label": "Settings", title: "Settings", on: { click: () => dialog.showModal() } }, icon("settings"))),
    stage, bar, dialog);
  setText(number, sosId ?? "");

  // An address that names an incident opens it; repeating that changes nothing.
  const playsCitizen = settings.view === null || settings.view === "citizen";
  let failure: ReturnType<typeof toFailure> | null = null;
  if (sosId !== null && playsCitizen) {
    try {
      await openIncident(sosId, settings.users.citizen);
    } catch (thrown) {
      failure = toFailure(thrown);
    }
  }
  for (const role of settings.view === null ? PANEL_ROLES : [settings.view]) mount(role);
  showRole(settings.view ?? "citizen");
  if (failure) panels.get("citizen")?.session.fail(failure);
  if (settings.play) play();
  setInterval(() => { for (const panel of panels.values()) panel.tick(); }, 1000);
}

/** Lets the simulators of this page run as soon as there is something to run for. */
function play(): void {
  for (const panel of panels.values()) {
    const stop = panel.session.incident.subscribe((incident) => {
      if (incident?.sos == null || isFinal(incident.sos.status)) return;
      panel.share?.sharing.start();
      queueMicrotask(() => stop());
    });
  }
}

void start();
