// Socket.IO's admin UI, as its package ships it, in a headless browser: an operator that a test can talk to.
//   node admin-ui.mjs <port of the page> <folder for the browser's files> [<folder for pictures>]
// Says `ready`. Takes lines, and answers each with `ok` or `FAILED` and what is seen:
//   login <url> <name> <password …> fills in the form and sends it
//   reload                          loads the page anew
//   see <page> <regular expression> goes to a page (`servers`, `sockets`, …; `-` stays) until its text fits
//   click <text>                    clicks what has this text, or this icon
//   picture <name>                  takes one, if there is a folder for them
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { chromium } from "playwright-core";

const [port, folder, pictures] = process.argv.slice(2);
process.env.TMPDIR = folder;
const root = fileURLToPath(new URL("node_modules/@socket.io/admin-ui/ui/dist/", import.meta.url));
const types = { ".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png" };
const site = createServer((request, response) => {
  const path = normalize(new URL(request.url, "http://x").pathname);
  try {
    const file = join(root, path === "/" ? "index.html" : path);
    const body = readFileSync(file);
    response.setHeader("content-type", types[extname(file)] ?? "application/octet-stream");
    response.end(body);
  } catch {
    response.statusCode = 404;
    response.end();
  }
});
await new Promise((listening) => site.listen(Number(port), "127.0.0.1", listening));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
  handleSIGTERM: false,
});
process.on("SIGTERM", async () => {
  await browser.close();
  process.exit();
});
const page = await (await browser.newContext({ viewport: { width: 1440, height: 900 }, locale: "en-US" })).newPage();
// Fonts of other sites: they are not there, and nothing waits for them.
await page.route((url) => url.hostname !== "127.0.0.1", (route) => route.abort());
page.on("pageerror", (error) => console.log("page error", error.message));
const site_url = `http://127.0.0.1:${port}/`;
await page.goto(site_url);

const text = async () => (await page.locator("body").innerText()).replace(/\s+/g, " ");
const orders = {
  async login(url, name, ...password) {
    const fields = page.locator("form input[type=text], form input[type=password]");
    for (const [at, value] of [url, name, password.join(" ")].entries()) await fields.nth(at).fill(value);
    await page.locator("form button[type=submit]").click();
  },
  reload: () => page.reload(),
  async see(where, ...pattern) {
    const fits = new RegExp(pattern.join(" "));
    if (where !== "-") await page.evaluate((hash) => (location.hash = hash), `#/${where}${where ? "/" : ""}`);
    for (const end = Date.now() + 45_000; ; ) {
      const seen = await text();
      if (fits.test(seen)) return seen;
      if (Date.now() > end) throw new Error(`${fits} is not in: ${seen}`);
      await new Promise((later) => setTimeout(later, 100));
    }
  },
  click: (...words) => page.locator(`text="${words.join(" ")}"`).or(page.locator(`button:has(.mdi-${words.join("-")})`)).first().click(),
  async picture(name) {
    if (!pictures) return;
    // The page moves when another part of it is shown.
    await new Promise((later) => setTimeout(later, 600));
    await page.screenshot({ path: join(pictures, `${name}.png`) });
  },
};
console.log("ready");
for await (const line of createInterface({ input: process.stdin })) {
  const [order, ...words] = line.split(" ");
  try {
    console.log("ok", (await orders[order](...words)) ?? "");
  } catch (error) {
    console.log("FAILED", String(error.message).replace(/\s+/g, " "));
  }
}
await browser.close();
process.exit();
