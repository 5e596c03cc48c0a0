// What the stories share: a browser, facts with deadlines, pictures, and what was seen to be wrong.
//
// DEMO_URL     the page (default http://localhost:3000/demo/)
// NODES        a pattern of files, each with the process id of a node: with it nodes are killed (default: none)
// CHROMIUM     the browser (default /usr/bin/chromium)
// SCREENSHOTS  a folder for pictures of each scene (default: none)
//
// Prints one line per fact and `N passed, N failed`; exits with 1 when a fact failed.

import { mkdirSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { chromium } from "playwright-core";

export const base = process.env.DEMO_URL ?? "http://localhost:3000/demo/";
export const screenshots = process.env.SCREENSHOTS ?? "";
export const run = Math.random().toString(36).slice(2, 8);
const DEADLINE_MS = 15_000;
/** What a browser, or LiveKit's client, says by itself when a network or a room goes away on purpose. */
const EXPECTED_NOISE = /WebSocket|ERR_|Failed to load resource|data ?channel/i;

let passed = 0;
let failed = 0;
const complaints = [];

/** One fact. A failure is told and counted; the story goes on. */
export async function fact(name, check) {
  try {
    await check();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error?.message ?? error).split("\n").slice(0, 6).join("\n        ")}`);
  }
}

/** Waits until `probe` answers with something true, and returns it. `seen` tells, if it never does, what there was instead. */
export async function until(what, probe, { deadline = DEADLINE_MS, seen = () => undefined } = {}) {
  const end = Date.now() + deadline;
  let last;
  for (;;) {
    last = await probe();
    if (last) return last;
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}; seen: ${JSON.stringify(await seen())}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const browsers = [];
const launch = () => chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage",
    // A camera with a moving picture and a microphone that beeps, for whoever asks.
    "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream",
    // Two browsers on one machine find each other, also if it has no other address.
    "--allow-loopback-in-peer-connection", "--disable-features=WebRtcHideLocalIpsWithMdns"],
});

function address(query, at) {
  const url = new URL(at);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

/** A page in a browser of its own, as each visitor has one: two in one browser share a camera, and one of them may get no picture. */
export async function openPage(query, { width, height, at = base, prepare, ...more }) {
  const browser = await launch();
  browsers.push(browser);
  const context = await browser.newContext({ viewport: { width, height }, ...more });
  context.setDefaultTimeout(DEADLINE_MS);
  await prepare?.(context);
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !EXPECTED_NOISE.test(message.text())) complaints.push(`console: ${message.text()}`);
  });
  await page.goto(address(query, at));
  return page;
}

export async function picture(page, name) {
  if (screenshots === "") return;
  mkdirSync(screenshots, { recursive: true });
  // Colours on their way from one scheme to the other are nobody's design.
  await page.evaluate(() => Promise.allSettled(document.getAnimations()
    .filter((animation) => animation.effect?.getComputedTiming().iterations !== Infinity).map((animation) => animation.finished)));
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

/** How wide the page is, and which elements stick out of it. */
export const widths = (page) => page.evaluate(() => {
  const limit = window.innerWidth;
  const clipped = (element) => {
    for (let parent = element.parentElement; parent; parent = parent.parentElement) {
      if (getComputedStyle(parent).overflowX !== "visible") return true;
    }
    return false;
  };
  const beyond = [...document.body.querySelectorAll("*")]
    .filter((element) => element.getBoundingClientRect().right > limit + 0.5 && !clipped(element)).map((element) => element.className);
  return { page: document.documentElement.scrollWidth, limit, beyond };
});

export const same = (actual, expected) => {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
};

/** The files that `NODES` names: a folder and a name with one `*`. */
export function nodes() {
  const pattern = process.env.NODES ?? "";
  if (pattern === "") return [];
  const [start, end] = basename(pattern).split("*");
  return readdirSync(dirname(pattern)).filter((name) => name.startsWith(start) && name.endsWith(end)).sort().map((name) => join(dirname(pattern), name));
}

/** Tells a story, then what the browser complained about, and ends with the outcome. */
export async function tell(story) {
  try {
    await story();
    await fact("the browser had nothing to complain about", () => same(complaints, []));
  } catch (error) {
    failed += 1;
    console.log(`FAILED  the story broke off\n        ${error?.stack ?? error}`);
  } finally {
    await Promise.all(browsers.map((browser) => browser.close()));
  }
  console.log(`${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}
