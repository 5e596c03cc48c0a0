// Interview sessions on the real page: two users, one place, a real LiveKit server, a fake camera and microphone.
//
//   DEMO_URL=http://localhost:3000/demo/ node e2e/interview.mjs
//
// The hub must run with MAX_CONCURRENT_INTERVIEWS=1 and BETA_INTERVIEWS_PER_USER=2. The rest: harness.mjs.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { base, fact, nodes, openPage, picture, run, same, tell, until, widths } from "./harness.mjs";

const DESK = { width: 1280, height: 860 };
const PHONE = { width: 390, height: 844, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const ana = `ana-${run}`;
const ben = `ben-${run}`;

const at = (page, id) => page.getByTestId("interview").getByTestId(id);
const text = async (page, id) => (await at(page, id).textContent()) ?? "";
const says = (page, id, pattern) => until(`${id} says ${pattern}`, async () => pattern.test(await text(page, id)), { seen: () => text(page, id) });
const room = (page) => at(page, "room");
const isIn = (page) => until("in the room", async () => (await room(page).getAttribute("data-phase")) === "in");
const userOf = (page) => at(page, "holder").getAttribute("data-user");
/** Seconds that are left. */
const left = async (page) => (await text(page, "countdown")).split(":").reduce((sum, part) => sum * 60 + Number(part), 0);
const pressed = (page, id) => at(page, id).getAttribute("aria-pressed");
/** The tile of a user shows a moving picture. */
async function picturesOf(page, user) {
  const video = at(page, `tile-${user}`).locator("video");
  const state = () => video.evaluate((video) => ({
    hidden: video.hidden, videoWidth: video.videoWidth, currentTime: video.currentTime, paused: video.paused,
    tracks: video.srcObject?.getTracks().map(({ kind, readyState, muted, enabled }) => `${kind} ${readyState} muted=${muted} enabled=${enabled}`),
  }));
  await until("a moving picture", async () => {
    const { hidden, videoWidth, currentTime } = await state();
    return !hidden && videoWidth > 0 && currentTime > 0;
  }, { seen: state });
}

async function signIn(page, name, resume = true) {
  await at(page, "holder-name").fill(name);
  await at(page, "holder-resume").setChecked(resume);
  await at(page, "sign-in").click();
}

/** Asks the hub as a user would without the page. */
async function ask(page, name, method, path, data) {
  const { token } = await (await page.request.post(new URL("/demo/holder", base).href, { data: { name } })).json();
  const answer = await page.request.fetch(new URL(path, base).href, { method, headers: { authorization: `Bearer ${token}` }, data });
  return [answer.status(), await answer.json()];
}

async function end(page) {
  await at(page, "end").click();
  await says(page, "end", /Yes, end it/);
  await at(page, "end").click();
}

async function theStory() {
  const page = await openPage({}, DESK);
  const scripts = [];
  page.on("request", (request) => scripts.push(request.url()));

  await fact("the second tab asks who it is", async () => {
    await page.getByTestId("page-interview").click();
    await says(page, "phase", /^Sign in$/);
  });
  await picture(page, "interview-1-sign-in");
  await fact("a user without a résumé is told why it cannot start, with the code", async () => {
    await signIn(page, ana, false);
    await says(page, "reason", /^NO_RESUME$/);
    await says(page, "eligibility", /resume/i);
    same(await at(page, "start").isDisabled(), true);
  });
  await fact("with one it may start", async () => {
    await at(page, "sign-out").click();
    await signIn(page, ana);
    await says(page, "phase", /^You can start$/);
    await says(page, "reason", /^ELIGIBLE$/);
  });
  await fact("LiveKit's client is not loaded before somebody joins", () => same(scripts.filter((url) => /\/assets\/room-/.test(url)), []));

  await fact("it starts, and is in the room under its own identity", async () => {
    await at(page, "start").click();
    await says(page, "phase", /^Session is running$/);
    await isIn(page);
    await until("its tile", async () => (await at(page, `tile-${await userOf(page)}`).count()) === 1);
    same(await at(page, "tiles").locator("li").count(), 1);
  });
  const [user, session, roomName] = [await userOf(page), await text(page, "session-id"), await text(page, "room-name")];
  await fact("camera and microphone are on, and its own picture moves", async () => {
    await until("both on", async () => (await pressed(page, "camera")) === "true" && (await pressed(page, "microphone")) === "true");
    await picturesOf(page, user);
  });
  await fact("the time that is left counts down", async () => {
    const before = await left(page);
    same(before > 60 && before <= 300, true);
    await until("two seconds less", async () => (await left(page)) <= before - 2);
  });
  await picture(page, "interview-2-running");
  if (process.env.SCREENSHOTS) {
    await page.emulateMedia({ colorScheme: "dark" });
    await picture(page, "interview-3-running-dark");
    await page.emulateMedia({ colorScheme: "light" });
  }
  await fact("camera and microphone can be switched off and on", async () => {
    for (const device of ["camera", "microphone"]) await at(page, device).click();
    await until("no picture", async () => (await at(page, `tile-${user}`).getAttribute("data-picture")) === "false");
    await until("muted", () => at(page, `tile-${user}`).locator(".tile-mute").isVisible());
    for (const device of ["camera", "microphone"]) await at(page, device).click();
    await picturesOf(page, user);
  });
  await fact("the other tab does not take it out of the room", async () => {
    await page.getByTestId("page-incident").click();
    await until("the incident's panels", () => page.getByTestId("panel-citizen").isVisible());
    await page.getByTestId("page-interview").click();
    same(await room(page).getAttribute("data-phase"), "in");
  });

  const other = await openPage({ page: "interview" }, PHONE);
  await fact("a second user, on a phone, is told that all places are taken", async () => {
    await signIn(other, ben);
    await says(other, "reason", /^CAPACITY_FULL$/);
    await says(other, "eligibility", /1 max/);
    same(await at(other, "start").isDisabled(), true);
  });
  await fact("who tries all the same gets the same code, and no token for the other's room", async () => {
    const [status, refused] = await ask(other, ben, "POST", "/api/interviews/start");
    same([status, refused.error], [409, "CAPACITY_FULL"]);
    same((await ask(other, ben, "POST", "/api/livekit/token", { roomName, sessionId: session }))[0], 404);
  });
  await fact("nothing is wider than the phone", async () => {
    const wide = await widths(other);
    if (wide.page > 390 || wide.limit > 390 || wide.beyond.length > 0) throw new Error(JSON.stringify(wide));
  });
  await picture(other, "interview-4-phone-full");

  await fact("each node is killed in turn: the session goes on, and nobody leaves the room", async () => {
    for (const node of nodes()) {
      const killed = readFileSync(node, "utf8");
      process.kill(Number(killed), "SIGKILL");
      const before = await left(page);
      await until(`${basename(node, ".pid")} is started again`, () => readFileSync(node, "utf8") !== killed);
      await until("it counts down", async () => (await left(page)) < before);
      same([await room(page).getAttribute("data-phase"), await text(page, "phase")], ["in", "Session is running"]);
    }
    const [status, row] = await ask(other, ana, "GET", `/api/interviews/${session}/status`);
    same([status, row.status], [200, "active"]);
  });

  await fact("after a reload it is in the same session's room again, with a new token", async () => {
    await page.reload();
    await isIn(page);
    same([await text(page, "session-id"), await text(page, "room-name")], [session, roomName]);
    await says(page, "pass", /^renewed/);
    await picturesOf(page, user);
  });
  await fact("who leaves the room can join again", async () => {
    await at(page, "leave").click();
    await until("out of the room", async () => (await room(page).getAttribute("data-phase")) === "out");
    await at(page, "rejoin").click();
    await isIn(page);
  });

  await fact("it ends: the page says so, and LiveKit puts the participant out", async () => {
    await end(page);
    await says(page, "phase", /^Session has ended$/);
    await says(page, "reason", /^ended_early$/);
    await until("put out", async () => (await room(page).getAttribute("data-reason")) === "ROOM_DELETED");
    same(await at(page, "tiles").locator("li").count(), 0);
  });
  await picture(page, "interview-5-ended");
  await fact("after the end there is no new token", async () => {
    const [status, refused] = await ask(page, ana, "POST", "/api/livekit/token", { roomName, sessionId: session });
    same([status, refused.status], [403, "ended_early"]);
  });

  await fact("the place is free for the second user, by itself", () => says(other, "phase", /^You can start$/));
  await fact("it starts on its phone and is in a room of its own", async () => {
    await at(other, "start").click();
    await isIn(other);
    same((await text(other, "room-name")) !== roomName, true);
    await picturesOf(other, await userOf(other));
    const wide = await widths(other);
    if (wide.page > 390 || wide.beyond.length > 0) throw new Error(JSON.stringify(wide));
  });
  await picture(other, "interview-6-phone-running");
  await fact("now the first one waits", async () => {
    await at(page, "again").click();
    await says(page, "reason", /^CAPACITY_FULL$/);
  });
  await fact("when the second one has ended it starts again, for the last time", async () => {
    await end(other);
    await says(other, "phase", /^Session has ended$/);
    await until("a free place", async () => {
      if (/^You can start$/.test(await text(page, "phase"))) return true;
      await at(page, "look").click({ timeout: 500 }).catch(() => undefined);
      await new Promise((resolve) => setTimeout(resolve, 500));
      return false;
    });
    await at(page, "start").click();
    await isIn(page);
    await end(page);
    await says(page, "phase", /^Session has ended$/);
    await at(page, "again").click();
    await says(page, "reason", /^BETA_LIMIT$/);
  });
  await picture(page, "interview-7-limit");
  await fact("everything can be reached by keyboard", async () => {
    await at(page, "sign-out").click();
    await says(page, "phase", /^Sign in$/);
    await at(page, "holder-name").focus();
    await page.keyboard.press("Control+A");
    await page.keyboard.type(`cleo-${run}`);
    await page.keyboard.press("Enter");
    await says(page, "phase", /^You can start$/);
  });
  for (const each of [page, other]) await each.context().close();
}

await tell(theStory);
