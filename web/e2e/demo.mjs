// The whole story on the real page, in a real browser, against a running hub.
//
//   DEMO_URL=http://localhost:3000/demo/ node e2e/demo.mjs
//
// NODES        a pattern of files, each with the process id of a node: with it nodes are killed (default: none)
// CHROMIUM     the browser (default /usr/bin/chromium)
// SCREENSHOTS  a folder for pictures of each scene (default: none)
//
// Prints one line per fact and `N passed, N failed`; exits with 1 when a fact failed.

import { mkdirSync, readFileSync, readdirSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { chromium } from "playwright-core";

const base = process.env.DEMO_URL ?? "http://localhost:3000/demo/";
const screenshots = process.env.SCREENSHOTS ?? "";
const run = Math.random().toString(36).slice(2, 8);
const DEADLINE_MS = 15_000;
/** What a browser says by itself when a network goes away on purpose. */
const EXPECTED_NOISE = /WebSocket|ERR_|Failed to load resource/;

let passed = 0;
let failed = 0;
const complaints = [];

/** One fact. A failure is told and counted; the story goes on. */
async function fact(name, check) {
  try {
    await check();
    passed += 1;
    console.log(`ok      ${name}`);
  } catch (error) {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${String(error?.message ?? error).split("\n").slice(0, 6).join("\n        ")}`);
  }
}

/** Waits until `probe` answers with something true, and returns it. */
async function until(what, probe, deadline = DEADLINE_MS) {
  const end = Date.now() + deadline;
  let last;
  for (;;) {
    last = await probe();
    if (last) return last;
    if (Date.now() > end) throw new Error(`not within ${deadline} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-dev-shm-usage"],
});

function address(query) {
  const url = new URL(base);
  for (const [name, value] of Object.entries(query)) url.searchParams.set(name, value);
  return url.href;
}

async function openPage(query, { width, height, ...more }) {
  const context = await browser.newContext({ viewport: { width, height }, ...more });
  context.setDefaultTimeout(DEADLINE_MS);
  const page = await context.newPage();
  page.on("pageerror", (error) => complaints.push(`page error: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error" && !EXPECTED_NOISE.test(message.text())) complaints.push(`console: ${message.text()}`);
  });
  await page.goto(address(query));
  return page;
}

async function picture(page, name) {
  if (screenshots === "") return;
  mkdirSync(screenshots, { recursive: true });
  // Colours on their way from one scheme to the other are nobody's design.
  await page.evaluate(() => Promise.allSettled(document.getAnimations()
    .filter((animation) => animation.effect?.getComputedTiming().iterations !== Infinity).map((animation) => animation.finished)));
  await page.screenshot({ path: join(screenshots, `${name}.png`) });
}

const part = (page, role, id) => page.getByTestId(`panel-${role}`).getByTestId(id);
const says = (page, role, id, pattern) =>
  until(`${role} ${id} says ${pattern}`, async () => pattern.test((await part(page, role, id).textContent()) ?? ""));
const at = async (page, role, userId) => {
  const marker = part(page, role, `marker-${userId}`);
  if ((await marker.count()) === 0) return null;
  return { latitude: Number(await marker.getAttribute("data-latitude")), longitude: Number(await marker.getAttribute("data-longitude")) };
};
const enabled = async (page, role) => {
  const buttons = await page.getByTestId(`panel-${role}`).locator("button.step:enabled").all();
  return (await Promise.all(buttons.map((button) => button.getAttribute("data-testid")))).map((id) => id.replace("status-", ""));
};
const same = (actual, expected) => {
  if (JSON.stringify(actual) !== JSON.stringify(expected)) throw new Error(`expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
};
/** The files that `NODES` names: a folder and a name with one `*`. */
function nodes() {
  const pattern = process.env.NODES ?? "";
  if (pattern === "") return [];
  const [start, end] = basename(pattern).split("*");
  return readdirSync(dirname(pattern)).filter((name) => name.startsWith(start) && name.endsWith(end)).sort().map((name) => join(dirname(pattern), name));
}
async function say(page, role, text) {
  await part(page, role, "chat-input").fill(text);
  await part(page, role, "chat-send").click();
}

async function theStory() {
  const page = await openPage({ citizen: `u-${run}`, rescuer: `r-${run}`, dispatcher: `d-${run}` }, { width: 1440, height: 900 });
  const [citizen, rescuer] = [`u-${run}`, `r-${run}`];

  await fact("a dispatcher is connected before anything happens", () => says(page, "dispatcher", "link", /^Connected/));
  await fact("a citizen sends an SOS and all three panels follow it", async () => {
    await part(page, "citizen", "sos").click();
    for (const role of ["citizen", "rescuer", "dispatcher"]) {
      await says(page, role, "link", /^Connected/);
      await says(page, role, "status", /Waiting for help/);
    }
  });
  const sosId = await page.getByTestId("sos-id").textContent();

  await fact("the incident is on the dispatcher's list, not acknowledged", () => says(page, "dispatcher", `incident-${sosId}`, /not acknowledged/));
  await fact("the citizen shares its location by itself after the call", () =>
    until("sharing", async () => (await part(page, "citizen", "share").getAttribute("aria-pressed")) === "true"));
  await fact("the rescuer's map shows the citizen moving", async () => {
    const first = await until("a marker", () => at(page, "rescuer", citizen));
    await until("a second place", async () => JSON.stringify(await at(page, "rescuer", citizen)) !== JSON.stringify(first));
  });
  await fact("the dispatcher's map shows the citizen as well", () => until("a marker", () => at(page, "dispatcher", citizen)));
  await picture(page, "1-call");

  await fact("only the legal steps can be pressed: a rescuer can take the call, no more", async () => same(await enabled(page, "rescuer"), ["assigned"]));
  await fact("the rescuer acknowledges and the citizen sees who it was", async () => {
    await part(page, "rescuer", "ack").click();
    await says(page, "citizen", "ack-state", new RegExp(`Seen by ${rescuer}`));
    await says(page, "dispatcher", "ack-state", new RegExp(`Seen by ${rescuer}`));
  });

  for (const [status, words, next] of [
    ["assigned", /Assigned/, ["active", "en_route", "responding"]],
    ["en_route", /On the way/, ["assigned", "arrived", "responding"]],
  ]) {
    await fact(`the rescuer sets ${status}, all see it, and the next legal steps are ${next.join(", ")}`, async () => {
      await part(page, "rescuer", `status-${status}`).click();
      for (const role of ["citizen", "rescuer", "dispatcher"]) await says(page, role, "status", words);
      await until("the legal steps", async () => JSON.stringify(await enabled(page, "rescuer")) === JSON.stringify(next));
    });
  }

  await fact("the rescuer sets out and the citizen's map shows it coming closer", async () => {
    await part(page, "rescuer", "share").click();
    const apart = async () => {
      const [from, to] = [await at(page, "citizen", rescuer), await at(page, "citizen", citizen)];
      if (!from || !to) return null;
      const north = (to.latitude - from.latitude) * 111_320;
      const east = (to.longitude - from.longitude) * 111_320 * Math.cos((to.latitude * Math.PI) / 180);
      return Math.hypot(north, east);
    };
    const before = await until("both markers", apart);
    await until("30 m closer", async () => (await apart()) < before - 30);
  });
  await fact("distance and bearing are in words above the map", () => says(page, "citizen", "readout", new RegExp(`^${rescuer} → you: .*m, \\d+° [NESW]+`)));

  await fact("they write to each other and each message appears once for both", async () => {
    await say(page, "citizen", `I am at the gate <b>${run}</b>`);
    await says(page, "rescuer", "messages", new RegExp(`I am at the gate <b>${run}</b>`));
    await say(page, "rescuer", `I see you ${run}`);
    await says(page, "citizen", "messages", new RegExp(`I see you ${run}`));
    for (const role of ["citizen", "rescuer"]) same(await part(page, role, "messages").locator("li").count(), 2);
    same(await part(page, "rescuer", "messages").locator("b").count(), 0);
  });
  await fact("everyone is shown as online", async () => {
    await part(page, "citizen", "tab-people").click();
    await until("three people online", async () => (await part(page, "citizen", "people").locator('[data-online="true"]').count()) === 3);
    await part(page, "citizen", "tab-chat").click();
  });
  await picture(page, "2-under-way");
  if (screenshots !== "") {
    await page.emulateMedia({ colorScheme: "dark" });
    await picture(page, "3-under-way-dark");
    await page.emulateMedia({ colorScheme: "light" });
  }

  await fact("offline, the citizen's positions and messages wait", async () => {
    await part(page, "citizen", "offline").click();
    await says(page, "citizen", "link", /^Offline/);
    await say(page, "citizen", `from the tunnel ${run}`);
    await says(page, "citizen", "messages", /waits for the connection/);
    await until("five waiting positions", async () => Number(await part(page, "citizen", "tally").getAttribute("data-waiting")) >= 5);
  });
  await picture(page, "4-offline");
  await fact("back online, all of it arrives, the message once", async () => {
    await part(page, "citizen", "offline").click();
    await says(page, "citizen", "link", /^Connected/);
    await until("nothing waits", async () => (await part(page, "citizen", "tally").getAttribute("data-waiting")) === "0");
    await says(page, "rescuer", "messages", new RegExp(`from the tunnel ${run}`));
    for (const role of ["citizen", "rescuer"]) same(await part(page, role, "messages").locator("li", { hasText: "from the tunnel" }).count(), 1);
  });

  await fact("whoever comes back has missed nothing", () => says(page, "citizen", "panel-link", /recovered/));

  await fact("each node is killed in turn; all panels come back by themselves, recovered", async () => {
    for (const node of nodes()) {
      const panels = ["citizen", "rescuer", "dispatcher"];
      const killed = readFileSync(node, "utf8");
      process.kill(Number(killed), "SIGKILL");
      await say(page, "rescuer", `said while ${basename(node, ".pid")} was away ${run}`);
      await until("the node is started again", () => readFileSync(node, "utf8") !== killed);
      for (const role of panels) await says(page, role, "panel-link", /^Connected.*websocket/);
    }
    if (nodes().length > 0) for (const role of ["citizen", "rescuer"]) await says(page, role, "panel-link", /recovered/);
  });
  await fact("what was said meanwhile is there, once", async () => {
    for (const node of nodes()) {
      for (const role of ["citizen", "rescuer", "dispatcher"]) {
        const words = `said while ${basename(node, ".pid")} was away ${run}`;
        await says(page, role, "messages", new RegExp(words));
        same(await part(page, role, "messages").locator("li", { hasText: words }).count(), 1);
      }
    }
  });

  await fact("the rescuer arrives", async () => {
    await part(page, "rescuer", "next").click();
    for (const role of ["citizen", "dispatcher"]) await says(page, role, "status", /Arrived/);
  });
  await fact("the dispatcher's list follows", () => says(page, "dispatcher", `incident-${sosId}`, /Arrived/));
  await fact("the audit trail tells the story", async () => {
    await part(page, "dispatcher", "tab-trail").click();
    for (const words of [/has seen the call/, /→ Assigned/, /→ On the way/, /→ Arrived/, /wrote a message/]) await says(page, "dispatcher", "trail", words);
  });

  const phone = await theTelephone(sosId);

  await fact("the dispatcher closes it with a reason and both panels say so", async () => {
    await part(page, "dispatcher", "end").click();
    await part(page, "dispatcher", "reason").fill("handed over");
    await part(page, "dispatcher", "close").click();
    for (const role of ["citizen", "rescuer", "dispatcher"]) {
      await says(page, role, "status", /^Closed$/);
      await says(page, role, "ack-state", /Ended by .* — handed over/);
    }
  });
  await fact("after the end no step can be pressed", async () => {
    for (const role of ["rescuer", "dispatcher"]) same(await enabled(page, role), []);
  });
  await fact("sharing stops with the end", () =>
    until("not sharing", async () => (await part(page, "citizen", "share").getAttribute("aria-pressed")) === "false"));
  await fact("the second rescuer on a phone sees the end too", () => says(phone, "rescuer", "status", /^Closed$/));
  await picture(page, "7-closed");
  await phone.context().close();

  await fact("who comes later still sees how it ended and what was said", async () => {
    const late = await openPage({ view: "dispatcher", sos: sosId, dispatcher: `d2-${run}` }, { width: 1280, height: 860 });
    await says(late, "dispatcher", "status", /^Closed$/);
    await says(late, "dispatcher", "messages", new RegExp(`I see you ${run}`));
    await picture(late, "8-late");
    await late.context().close();
  });
  await page.context().close();
}

/** A second rescuer with a phone. */
async function theTelephone(sosId) {
  const phone = await openPage({ view: "rescuer", sos: sosId, rescuer: `r2-${run}`, citizen: `u-${run}`, dispatcher: `d3-${run}` },
    { width: 390, height: 844, deviceScaleFactor: 2, hasTouch: true, isMobile: true });
  await fact("on a phone a second rescuer joins the same incident", async () => {
    await says(phone, "rescuer", "link", /^Connected/);
    await says(phone, "rescuer", "status", /Arrived/);
    await until("the citizen's marker", () => at(phone, "rescuer", `u-${run}`));
  });
  await picture(phone, "5-phone-rescuer");
  for (const role of ["dispatcher", "rescuer"]) {
    await fact(`nothing is wider than the phone (${role})`, async () => {
      await phone.getByTestId(`show-${role}`).click();
      await says(phone, role, "status", /Arrived/);
      const wide = await phone.evaluate(() => {
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
      if (wide.page > 390 || wide.limit > 390 || wide.beyond.length > 0) throw new Error(JSON.stringify(wide));
      await picture(phone, `6-phone-${role}`);
    });
  }
  return phone;
}

try {
  await theStory();
  await fact("the browser had nothing to complain about", () => same(complaints, []));
} catch (error) {
  failed += 1;
  console.log(`FAILED  the story broke off\n        ${error?.stack ?? error}`);
} finally {
  await browser.close();
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
