// An example of a manual, as it stands, in a page of a headless browser.
//   node page.mjs <constants as JSON> <code> <folder for the browser's files>
// Imports of "livekit-client" are given to it. Says `done`, or `failed <why>`; stays until it is ended.
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const [constants, code, folder] = process.argv.slice(2);
if (folder) process.env.TMPDIR = folder;
const library = readFileSync(new URL("node_modules/livekit-client/dist/livekit-client.umd.js", import.meta.url));
const page = createServer((request, response) => {
  const script = request.url === "/livekit-client.js";
  response.setHeader("content-type", script ? "text/javascript" : "text/html");
  response.end(script ? library : '<!doctype html><title>example</title><script src="/livekit-client.js"></script>');
});
await new Promise((listening) => page.listen(0, "127.0.0.1", listening));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
  handleSIGTERM: false,
});
async function end() {
  await browser.close();
  process.exit();
}
process.on("SIGTERM", end);
process.stdin.on("end", end).resume();

const tab = await browser.newPage();
await tab.goto(`http://localhost:${page.address().port}/`);
const given = Object.entries(JSON.parse(constants)).map(([name, value]) => `const ${name} = ${JSON.stringify(value)};\n`);
const body = code.replace(/^import (\{.*\}) from "livekit-client";$/gm, "const $1 = window.LivekitClient;");
try {
  await tab.evaluate(`(async () => {\n${given.join("")}${body}\n})()`);
  console.log("done");
} catch (error) {
  console.log(`failed ${error.message}`);
}
