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
const FIRST = ["readme", "typescript", "clients", "incidents", "interviews", "interviews-call", "realtime", "errors", "settings", "guarantees", "limits"];
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
  const body = `<article class="guide">${render(source, guide.file)}</article>`;
  return frame(guide.title, `guides/${guide.name}`, body, "");
}

/** Puts the frame around a page that has its own head. */
export function shell(html: string, filename: string): string {
  const name = basename(filename, ".html");
  const part = (tag: string) => new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`).exec(html)?.[1] ?? "";
  const body = part("body").replace("<!-- guides -->", () => cards());
  return frame(part("title"), name === "index" ? "" : name, body, part("head").replace(/<title>.*<\/title>/, ""));
}

const escaped = (text: string) => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll('"', "&quot;");

function frame(title: string, current: string, body: string, head: string): string {
  const link = (to: string, text: string) =>
    `<a href="/docs/${to}"${to === current ? ' aria-current="page"' : ""}>${escaped(text)}</a>`;
  const menu = guides().map((guide) => link(`guides/${guide.name}`, guide.title));
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
    <header><a class="name" href="/docs/">Convoke</a>${link("openapi", "HTTP")}${link("asyncapi", "Events")}</header>
    <div class="page">
      <nav aria-label="Guides"><input type="checkbox" id="guides" aria-label="Show the guides" /><label for="guides">Guides</label><div>${menu.join("")}</div></nav>
      <main>${body}</main>
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

function render(source: string, file: string): string {
  const known = new Map(guides().map((guide) => [guide.file, guide.name]));
  const used = new Map<string, number>();
  const marked = new Marked({
    renderer: {
      heading({ tokens, depth, text }: Tokens.Heading) {
        const base = slug(text.replaceAll("`", ""));
        const count = used.get(base) ?? 0;
        used.set(base, count + 1);
        const id = count ? `${base}-${count}` : base;
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
        const cells = (row: Tokens.TableCell[], tag: string) =>
          `<tr>${row.map((cell) => `<${tag}>${this.parser.parseInline(cell.tokens)}</${tag}>`).join("")}</tr>`;
        const rows = token.rows.map((row) => cells(row, "td")).join("\n");
        return `<div class="table"><table><thead>${cells(token.header, "th")}</thead><tbody>${rows}</tbody></table></div>\n`;
      },
    },
  });
  return marked.parse(source, { async: false });
}
