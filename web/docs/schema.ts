/** A JSON schema as a list of fields. */

import { element, text, type Child } from "./element.ts";

export type Schema = boolean | { [keyword: string]: unknown };

type Definitions = Record<string, Schema>;

/** Deeper than this a named type is only named. */
const DEEPEST = 6;

const list = (value: unknown): Schema[] => (Array.isArray(value) ? (value as Schema[]) : []);

export function schema(of: Schema, definitions: Definitions, depth = 0, within: string[] = []): HTMLElement {
  if (typeof of === "boolean") return element("p", {}, of ? "anything" : "nothing");
  const name = named(of);
  if (name) {
    const found = definitions[name];
    if (!found || within.includes(name) || depth > DEEPEST) return element("p", {}, element("code", {}, name));
    return schema(found, definitions, depth, [...within, name]);
  }
  const choices = list(of["oneOf"] ?? of["anyOf"]).filter((choice) => typeof choice === "boolean" || choice["type"] !== "null");
  if (choices.length > 1) {
    const each = choices.map((choice) => element("li", {}, schema(choice, definitions, depth, within)));
    return element("div", {}, element("p", { class: "soft" }, "One of these:"), element("ul", { class: "choices" }, ...each));
  }
  const [only] = choices;
  if (only !== undefined) return schema(only, definitions, depth, within);
  const inner = of["items"] as Schema | undefined;
  if (inner !== undefined && typeof inner === "object" && !leaf(inner, definitions)) {
    return element("div", {}, element("p", { class: "soft" }, "A list of:"), schema(inner, definitions, depth + 1, within));
  }
  const fields = properties(of);
  if (!fields.length) return element("p", {}, ...said(of, definitions));
  const required = new Set(of["required"] as string[] | undefined);
  const rows = fields.map(([key, value]) => row(key, value, required.has(key), definitions, depth, within));
  const about = typeof of["description"] === "string" && depth ? [element("p", { class: "soft" }, ...text(of["description"]))] : [];
  return element("div", {}, ...about, element("dl", { class: "fields" }, ...rows.flat()));
}

function row(key: string, value: Schema, required: boolean, definitions: Definitions, depth: number, within: string[]): Child[] {
  const term = element("dt", {}, element("code", {}, key), element("span", { class: "soft" }, required ? "" : " may be missing"));
  const about = typeof value === "object" && typeof value["description"] === "string" ? [element("p", {}, ...text(value["description"]))] : [];
  if (leaf(value, definitions)) return [term, element("dd", {}, element("span", {}, ...said(value, definitions)), ...about)];
  const inside = element("details", {}, element("summary", {}, ...said(value, definitions)), schema(value, definitions, depth + 1, within));
  return [term, element("dd", {}, ...about, inside)];
}

/** The fields of an object, those of its parts too. */
function properties(of: Schema): [string, Schema][] {
  if (typeof of === "boolean") return [];
  const own = Object.entries((of["properties"] ?? {}) as Record<string, Schema>);
  return [...own, ...list(of["allOf"]).flatMap(properties)];
}

function named(of: Schema): string | undefined {
  if (typeof of === "boolean" || typeof of["$ref"] !== "string") return undefined;
  return of["$ref"].split("/").pop();
}

/** Whether one line says all of it. */
function leaf(of: Schema, definitions: Definitions): boolean {
  if (typeof of === "boolean") return true;
  const name = named(of);
  if (name) return leaf(definitions[name] ?? true, definitions);
  const choices = list(of["oneOf"] ?? of["anyOf"] ?? of["allOf"]);
  const inner = of["items"] as Schema | undefined;
  return !properties(of).length && choices.every((choice) => leaf(choice, definitions)) && (inner === undefined || leaf(inner, definitions));
}

/** What one line says. */
function said(of: Schema, definitions: Definitions): Child[] {
  if (typeof of === "boolean") return ["anything"];
  const name = named(of);
  if (name) {
    const found = definitions[name];
    return found && leaf(found, definitions) ? said(found, definitions) : [name];
  }
  const choices = list(of["oneOf"] ?? of["anyOf"]);
  if (choices.length) return choices.flatMap((choice, at) => [...(at ? [" or "] : []), ...said(choice, definitions)]);
  if ("const" in of) return [element("code", {}, JSON.stringify(of["const"]))];
  const words = of["enum"];
  if (Array.isArray(words)) return words.flatMap((word, at) => [...(at ? [" "] : []), element("code", {}, String(word))]);
  const inner = of["items"] as Schema | undefined;
  if (inner !== undefined) return ["list of ", ...said(inner, definitions)];
  const type = of["type"];
  const kind = Array.isArray(type) ? type.join(" or ") : typeof type === "string" ? type : properties(of).length ? "object" : "anything";
  const bounds = [
    ["minLength", "at least", " characters"],
    ["maxLength", "at most", " characters"],
    ["minimum", "from", ""],
    ["maximum", "to", ""],
    ["maxItems", "at most", " entries"],
    ["pattern", "pattern", ""],
    ["default", "default", ""],
  ].flatMap(([keyword, before, after]) => (keyword !== undefined && of[keyword] !== undefined ? [`${before} ${String(of[keyword])}${after}`] : []));
  return [[kind, ...bounds].join(", ")];
}
