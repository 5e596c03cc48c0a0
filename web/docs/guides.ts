/** The guides of the repository as pages, made when the site is built: they need no script to be read. */

import { existsSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { Marked, type Tokens } from "marked";

const root = fileURLToPath(new URL("../../", import.meta.url));

export interface Guide {
  /** As in its address. */
  name: string;
  /** Its file, from the root of the repository. */
  file: string;
  title: string;
}

/** Those that are read first come first; others follow by their names. */
const FIRST = ["readme", "incidents", "interviews", "interviews-call", "realtime", "typescript", "errors", "settings", "admin", "postgresql", "guarantees", "limits", "clients"];
const LAST = ["how-it-works", "architecture", "decisions"];
const TYPESCRIPT = "clients/typescript/README.md";
const nameOf = (file: string): string => (file === TYPESCRIPT ? "typescript" : basename(file, ".md").toLowerCase());

/** Every guide, in the order of the menu. */
export function guides(): Guide[] {
  const files = readdirSync(join(root, "docs")).filter((name) => name.endsWith(".md")).map((name) => `docs/${name}`);
  const all = ["README.md", "ARCHITECTURE.md", TYPESCRIPT, ...files].filter((file) => existsSync(join(root, file)));
  const rank = (file: string) => {
    const name = nameOf(file);
    const first = FIRST.indexOf(name);
    return first >= 0 ? first : LAST.includes(name) ? 200 + LAST.indexOf(name) : 100;
  };
  all.sort((a, b) => rank(a) - rank(b) || a.localeCompare(b));
  return all.map((file) => {
    const title = /^# (.+)$/m.exec(readFileSync(join(root, file), "utf8"))?.[1] ?? file;
    return { name: nameOf(file), file, title: title.replaceAll("`", "") };
  });
}

/** A guide as a whole page. */
export function page(guide: Guide): string {
  const source = readFileSync(join(root, guide.file), "utf8");
  const { html, parts } = render(source, guide.file);
  return frame(guide.title, `guides/${guide.name}`, `<article class="guide">${html}</article>`, "", parts);
}

/** One part of a guide, as the search finds it. */
export interface Found {
  /** Its address. */
  to: string;
  guide: string;
  title: string;
  text: string;
}

/** Every part of every guide, for the search. */
export function index(): Found[] {
  return guides().flatMap((guide) => {
    const { html } = render(readFileSync(join(root, guide.file), "utf8"), guide.file);
    return html.split(/(?=<h[1-4] id=")/).flatMap((part) => {
      const [, id, heading] = /^<h[1-4] id="([^"]*)">([\s\S]*?)<a class="anchor"/.exec(part) ?? [];
      if (id === undefined || heading === undefined) return [];
      const body = part.slice(part.indexOf("</h") + 5);
      return [{ to: `/docs/guides/${guide.name}#${id}`, guide: guide.title, title: plain(heading), text: plain(body) }];
    });
  });
}

/** The text of some HTML of ours. */
const plain = (html: string) =>
  html.replace(/<wbr>|<\/?(?:a|code|em|strong)\b[^>]*>/g, "").replace(/<[^>]*>/g, " ").replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&quot;/g, '"').replace(/&#39;/g, "'").replace(/&amp;/g, "&").replace(/\s+/g, " ").trim();

/** Puts the frame around a page that has its own head. */
export function shell(html: string, filename: string): string {
  const name = basename(filename, ".html");
  const part = (tag: string) => new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html)?.[1] ?? "";
  const body = part("body").replace("<!-- guides -->", () => cards());
  return frame(part("title"), name === "index" ? "" : name, body, part("head").replace(/<title>.*<\/title>/, ""));
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

/** A second heading of a guide. */
interface Part {
  id: string;
  text: string;
}

function frame(title: string, current: string, body: string, head: string, parts: Part[] = []): string {
  const link = (to: string, text: string) =>
    `<a href="/docs/${to}"${to === current ? ' aria-current="page"' : ""}>${escaped(text)}</a>`;
  const contents = parts.map(({ id, text }) => `<a href="#${id}">${escaped(text)}</a>`).join("");
  const menu = guides().map((guide) => {
    const to = `guides/${guide.name}`;
    return link(to, guide.title) + (to === current && contents ? `<div class="parts" role="group" aria-label="On this page">${contents}</div>` : "");
  });
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8" />
    <meta name="viewport" content="width=device-width, initial-scale=1" />
    <meta name="color-scheme" content="light dark" />
    <title>${escaped(title)} · Convoke</title>
    <link rel="icon" href="/docs/icon.svg" type="image/svg+xml" />
    <link rel="stylesheet" href="/docs/docs.css" />
    ${head.trim()}
  </head>
  <body>
    <a class="skip" href="#main">To the text</a>
    <header>
      <a class="name" href="/docs/">Convoke</a>${link("openapi", "HTTP")}${link("asyncapi", "Events")}
      <form role="search" action="/docs/search"><input type="search" name="q" placeholder="Search" aria-label="Search the documents" required /></form>
    </header>
    <div class="page">
      <nav aria-label="Guides"><input type="checkbox" id="guides" aria-label="Show the guides" /><label for="guides">Guides</label><div>${menu.join("")}</div></nav>
      <main id="main" tabindex="-1">${body}</main>
    </div>
  </body>
</html>
`;
}

/** The guides, each with its first sentence, for the first page. */
function cards(): string {
  const first = (file: string) => {
    const paragraphs = readFileSync(join(root, file), "utf8").split(/\n\n+/).filter((text) => /^[A-Z`*]/.test(text));
    const text = (paragraphs[0] ?? "").replaceAll("\n", " ").replace(/\[([^\]]*)\]\([^)]*\)/g, "$1").replace(/[`*]/g, "");
    return /^.*?[.](?= |$)/.exec(text)?.[0] ?? text;
  };
  const card = ({ name, title, file }: Guide) =>
    `<a class="card" href="/docs/guides/${name}"><strong>${escaped(title)}</strong><span>${escaped(first(file))}</span></a>`;
  return guides().map(card).join("");
}

/** As on the usual hosts of repositories, so that links into a page lead to the same place. */
function slug(text: string): string {
  return text.toLowerCase().replace(/<[^>]*>/g, "").replace(/[^\p{L}\p{N}\s_-]/gu, "").trim().replace(/\s/g, "-");
}

function render(source: string, file: string): { html: string; parts: Part[] } {
  const known = new Map(guides().map((guide) => [guide.file, guide.name]));
  const used = new Map<string, number>();
  const parts: Part[] = [];
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading) {
        const base = slug(text.replaceAll("`", ""));
        const count = used.get(base) ?? 0;
        used.set(base, count + 1);
        const id = count ? `${base}-${count}` : base;
        if (depth === 2 || (depth === 1 && parts.length)) parts.push({ id, text: plain(this.parser.parseInline(tokens)) });
        return `<h${depth} id="${id}">${this.parser.parseInline(tokens)}<a class="anchor" href="#${id}" aria-label="Link to this part">#</a></h${depth}>\n`;
      },
      // A long name breaks where its words do.
      codespan: ({ text }: Tokens.Codespan) => `<code>${escaped(text).replaceAll("_", "_<wbr>")}</code>`,
      link({ href, tokens }: Tokens.Link) {
        const text = this.parser.parseInline(tokens);
        if (/^(https?:|mailto:|#|\/)/.test(href)) return `<a href="${escaped(href)}">${text}</a>`;
        const [path = "", hash] = href.split("#");
        const name = known.get(normalize(join(dirname(file), path)));
        // A file of the repository that is no guide is not part of the site.
        return name ? `<a href="/docs/guides/${name}${hash ? `#${hash}` : ""}">${text}</a>` : text;
      },
      table(token: Tokens.Table) {
        const inline = (cell: Tokens.TableCell) => this.parser.parseInline(cell.tokens);
        const names = token.header.map((cell) => plain(inline(cell)));
        const head = names.some(Boolean) ? `<thead><tr>${token.header.map((cell) => `<th>${inline(cell)}</th>`).join("")}</tr></thead>` : "";
        // On a narrow screen each row is a block, and its cells have their names beside them.
        const cell = (one: Tokens.TableCell, at: number) => `<td${names[at] ? ` data-name="${escaped(names[at])}"` : ""}>${inline(one)}</td>`;
        const rows = token.rows.map((row) => `<tr>${row.map(cell).join("")}</tr>`).join("\n");
        return `<div class="table"><table${names.length > 2 ? ' class="wide"' : ""}>${head}<tbody>${rows}</tbody></table></div>\n`;
      },
    },
  });
  return { html: marked.parse(source, { async: false }), parts };
}
