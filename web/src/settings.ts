/** What the address and this browser say about how to show the page. */

import { PANEL_ROLES, SOS_ID, type PanelRole } from "./hub/words";

/** What the hub does, each with a page of its own. */
export type Page = "incident" | "interview" | "live";
export const PAGES: readonly Page[] = ["incident", "interview", "live"];

export interface Settings {
  page: Page;
  /** One role, or all side by side. */
  view: PanelRole | null;
  sosId: string | null;
  users: Record<PanelRole, string>;
  /** Who holds interview sessions. */
  holder: string | null;
  transports: string[];
  /** Starts sharing by itself: for a screen on a wall. */
  play: boolean;
}

const USERS: Record<PanelRole, string> = { citizen: "u1", rescuer: "r1", dispatcher: "d1" };
const TRANSPORTS = ["polling", "websocket"];

/** A name of the demo's users of interview sessions: it becomes the local part of an e-mail address. */
export const HOLDER_NAME = /^[A-Za-z0-9][A-Za-z0-9._\-]{0,62}$/;

/** `?page=interview&user=ana`; `?view=rescuer&sos=s1&transports=websocket&rescuer=r2&play=1` */
export function readSettings(search: string): Settings {
  const query = new URLSearchParams(search);
  const view = query.get("view");
  const holder = query.get("user") ?? "";
  const sosId = query.get("sos");
  const transports = (query.get("transports") ?? "").split(",").filter((name) => TRANSPORTS.includes(name));
  const user = (role: PanelRole): string => query.get(role)?.slice(0, 128) || USERS[role];
  return {
    page: PAGES.find((page) => page === query.get("page")) ?? "incident",
    holder: HOLDER_NAME.test(holder) ? holder : null,
    view: PANEL_ROLES.find((role) => role === view) ?? null,
    sosId: sosId !== null && SOS_ID.test(sosId) ? sosId : null,
    users: { citizen: user("citizen"), rescuer: user("rescuer"), dispatcher: user("dispatcher") },
    transports: transports.length > 0 ? transports : ["polling", "websocket"],
    play: query.get("play") === "1",
  };
}

/** The address of a page with the given incident and view, keeping everything else. */
export function addressOf(search: string, sosId: string | null, view: PanelRole | null): string {
  const query = new URLSearchParams(search);
  if (view === null) query.delete("view");
  else query.set("view", view);
  if (sosId === null) query.delete("sos");
  else query.set("sos", sosId);
  const text = query.toString();
  return text === "" ? "./" : `?${text}`;
}

/** The address with one parameter changed, or without it. */
export function addressWith(search: string, name: string, value: string | null): string {
  const query = new URLSearchParams(search);
  if (value === null) query.delete(name);
  else query.set(name, value);
  const text = query.toString();
  return text === "" ? "./" : `?${text}`;
}

export type Theme = "system" | "light" | "dark";
export interface Preferences {
  theme: Theme;
  tileUrl: string | null;
}

const KEY = "convoke-demo";

export function readPreferences(storage: Pick<Storage, "getItem">): Preferences {
  try {
    const stored = JSON.parse(storage.getItem(KEY) ?? "{}") as { theme?: unknown; tileUrl?: unknown };
    return {
      theme: stored.theme === "light" || stored.theme === "dark" ? stored.theme : "system",
      tileUrl: typeof stored.tileUrl === "string" && isTileUrl(stored.tileUrl) ? stored.tileUrl : null,
    };
  } catch {
    return { theme: "system", tileUrl: null };
  }
}

export function writePreferences(storage: Pick<Storage, "setItem">, preferences: Preferences): void {
  try {
    storage.setItem(KEY, JSON.stringify(preferences));
  } catch {
    // A browser that stores nothing still shows the page.
  }
}

export function isTileUrl(url: string): boolean {
  return /^https?:\/\/\S+$/.test(url) && url.includes("{z}") && url.includes("{x}") && url.includes("{y}");
}
