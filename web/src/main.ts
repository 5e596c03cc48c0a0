/** The shell: reads the address, and shows one of the pages. A page is made when it is first shown, and goes on while another is. */

import "./styles/base.css";
import "./styles/interview.css";
import "./styles/live.css";
import { IncidentPage } from "./incident-page";
import { addressOf, addressWith, PAGES, readPreferences, readSettings, writePreferences, type Page, type Preferences } from "./settings";
import { h, icon, setText } from "./ui/dom";
import { InterviewPage } from "./ui/interview/page";
import { LivePage } from "./ui/live/page";
import { settingsDialog } from "./ui/settings-dialog";

const LABELS: Record<Page, string> = { incident: "Incident", interview: "Interview", live: "Live" };

interface Shown {
  elements: HTMLElement[];
  tick(): void;
}

const settings = readSettings(location.search);
let preferences = readPreferences(localStorage);
const pages = new Map<Page, Shown>();
let incident: IncidentPage | null = null;

const number = h("span", { class: "top-sos", "data-testid": "sos-id" });
const links = h("nav", { class: "pages", "aria-label": "Pages" }, ...PAGES.map((page) => h("a", {
  class: "page-link", href: addressWith(location.search, "page", page), "data-page": page, "data-testid": `page-${page}`, text: LABELS[page],
  on: {
    click: (event) => {
      if (event.ctrlKey || event.metaKey || event.shiftKey) return;
      event.preventDefault();
      changeAddress((search) => addressWith(search, "page", page));
      show(page);
    },
  },
})));

function changeAddress(change: (search: string) => string): void {
  history.replaceState(null, "", change(location.search));
  for (const link of links.querySelectorAll<HTMLAnchorElement>("a")) link.href = addressWith(location.search, "page", link.dataset["page"] ?? null);
}

function applyPreferences(next: Preferences): void {
  preferences = next;
  document.documentElement.dataset["theme"] = next.theme;
  incident?.tiles(next.tileUrl);
}

function make(page: Page): Shown {
  if (page === "incident") {
    incident = new IncidentPage({
      settings, preferences,
      onIncident: (id) => {
        setText(number, id);
        changeAddress((search) => addressOf(search, id, settings.view));
      },
    });
    return incident;
  }
  if (page === "live") {
    const live = new LivePage({ transports: settings.transports, hash: location.hash });
    return { elements: [live.element], tick: () => live.tick() };
  }
  const interview = new InterviewPage({ user: settings.holder, onUser: (name) => changeAddress((search) => addressWith(search, "user", name)) });
  return { elements: [interview.element], tick: () => interview.tick() };
}

function show(page: Page): void {
  if (!pages.has(page)) {
    const made = make(page);
    pages.set(page, made);
    document.body.append(...made.elements);
  }
  for (const [name, { elements }] of pages) for (const element of elements) element.hidden = name !== page;
  for (const link of links.querySelectorAll("a")) {
    if (link.dataset["page"] === page) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  number.hidden = page !== "incident";
}

applyPreferences(preferences);
const dialog = settingsDialog(preferences, (next) => {
  writePreferences(localStorage, next);
  applyPreferences(next);
});
document.body.append(
  h("header", { class: "top" },
    h("h1", { class: "brand" }, h("span", { class: "brand-mark", "aria-hidden": "true" }), h("span", { class: "brand-name", text: "Convoke" })),
    links, number,
    h("button", { class: "icon-button top-settings", type: "button", "aria-label": "Settings", title: "Settings", on: { click: () => dialog.showModal() } }, icon("settings"))),
  dialog);
setText(number, settings.sosId ?? "");
show(settings.page);
setInterval(() => { for (const page of pages.values()) page.tick(); }, 1000);
