/** Finds words in the guides, the routes and the events. All that it reads is part of this hub. */

import { element, type Child } from "./element.ts";

/** What can be found: a part of a guide, a route, an event. */
interface Entry {
  to: string;
  guide: string;
  title: string;
  text: string;
}

interface Operation {
  operationId: string;
  tags: string[];
  summary: string;
  description?: string;
}

interface OpenApi {
  paths: Record<string, Record<string, Operation>>;
}

interface AsyncApi {
  channels: Record<string, { address: string; messages: Record<string, { name: string }> }>;
  operations: Record<string, { action: string; channel: { $ref: string }; messages: { $ref: string }[]; summary: string; description?: string; "x-codes"?: string[] }>;
}

const MOST = 60;
/** Characters of text around what was found. */
const AROUND = 120;

async function read<T>(path: string): Promise<T> {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return (await answer.json()) as T;
}

function routes({ paths }: OpenApi): Entry[] {
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId, tags, summary, description }]) => ({
      to: `/docs/openapi#/${encodeURIComponent(tags[0] ?? "")}/${operationId}`,
      guide: "HTTP",
      title: `${method.toUpperCase()} ${path}`,
      text: `${summary}. ${description ?? ""}`,
    })),
  );
}

function events({ channels, operations }: AsyncApi): Entry[] {
  return Object.entries(operations).map(([key, { action, channel, messages, summary, description, "x-codes": codes }]) => {
    const of = channels[channel.$ref.split("/").pop() ?? ""];
    const name = of?.messages[messages[0]?.$ref.split("/").pop() ?? ""]?.name ?? key;
    const text = `${description ?? ""} ${summary}. ${(codes ?? []).join(" ")}`;
    return { to: `/docs/asyncapi#${key}`, guide: `Events of ${of?.address ?? ""}, ${action === "receive" ? "sent by clients" : "sent by the hub"}`, title: name, text };
  });
}

/** How well an entry fits; 0: it does not. Every word must occur. */
function fits({ title, text }: Entry, words: string[]): number {
  const [head, body] = [title.toLowerCase(), text.toLowerCase()];
  const each = words.map((word) => (head === word ? 9 : head.includes(word) ? 4 : body.includes(word) ? 1 : 0));
  return each.every(Boolean) ? each.reduce<number>((sum, one) => sum + one, 0) : 0;
}

/** The text around the first word that occurs, with all words marked. */
function excerpt(text: string, words: string[]): Child[] {
  const lower = text.toLowerCase();
  const at = Math.min(...words.map((word) => lower.indexOf(word)).filter((found) => found >= 0), text.length);
  const from = at > AROUND && at < text.length ? text.indexOf(" ", at - AROUND) + 1 : 0;
  const shown = `${from ? "… " : ""}${text.slice(from, from + 2 * AROUND)}${text.length > from + 2 * AROUND ? " …" : ""}`;
  const escaped = words.map((word) => word.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return shown.split(new RegExp(`(${escaped.join("|")})`, "i")).map((part, odd) => (odd % 2 ? element("mark", {}, part) : part));
}

function show(found: Entry[], words: string[]): Child[] {
  const row = (entry: Entry) =>
    element(
      "li", {},
      element("a", { href: entry.to }, entry.title),
      element("span", { class: "soft" }, ` ${entry.guide}`),
      element("p", {}, ...excerpt(entry.text, words)),
    );
  return [element("ol", { class: "found" }, ...found.slice(0, MOST).map(row))];
}

const place = document.querySelector("#search");
const query = new URLSearchParams(location.search).get("q")?.trim() ?? "";
const box = document.querySelector<HTMLInputElement>('input[name="q"]');
if (box) box.value = query;
const words = [...new Set(query.toLowerCase().split(/\s+/).filter(Boolean))];
const title = element("h1", {}, query ? `Search: ${query}` : "Search");
if (!words.length) {
  place?.replaceChildren(title, element("p", {}, "Write some words into the box at the top of the page."));
} else {
  try {
    const [guides, openapi, asyncapi] = await Promise.all([
      read<Entry[]>("/docs/search.json"), read<OpenApi>("/openapi.json"), read<AsyncApi>("/asyncapi.json"),
    ]);
    const all = [...guides, ...routes(openapi), ...events(asyncapi)];
    const found = all.map((entry) => ({ entry, rank: fits(entry, words) })).filter(({ rank }) => rank > 0);
    found.sort((a, b) => b.rank - a.rank);
    const number = found.length === 0 ? "Nothing was found." : found.length === 1 ? "One place." : `${found.length} places${found.length > MOST ? `, of which ${MOST} are shown` : ""}.`;
    place?.replaceChildren(title, element("p", { class: "soft" }, number), ...show(found.map(({ entry }) => entry), words));
  } catch (error) {
    place?.replaceChildren(title, element("p", {}, `The documents cannot be read: ${error instanceof Error ? error.message : String(error)}.`));
  }
}
place?.setAttribute("aria-busy", "false");
