// A live interview on the real page: a candidate at a desk, a recruiter on a phone, a program that asks, nodes that are killed, and a
// call between the two browsers.
//
//   DEMO_URL=http://localhost:3000/demo/ node e2e/live.mjs
//
// The hub must have vendors (examples/vendors.rs stands in for them) or none: without them the facts about them are left out, and
// the story says so. The rest: harness.mjs.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fact, nodes, openPage, picture, run, same, tell, until, widths } from "./harness.mjs";

const DESK = { width: 1280, height: 900 };
const PHONE = { width: 390, height: 844, deviceScaleFactor: 2, hasTouch: true, isMobile: true };
const vendors = process.env.VENDORS === "true";

const at = (page, id) => page.getByTestId("live").getByTestId(id);
const text = async (page, id) => (await at(page, id).textContent()) ?? "";
const says = (page, id, pattern) => until(`${id} says ${pattern}`, async () => pattern.test(await text(page, id)), { seen: () => text(page, id) });
const stage = (page, name) => until(`stage ${name}`, async () => (await at(page, "candidate").getAttribute("data-stage")) === name, { seen: () => at(page, "candidate").getAttribute("data-stage") });
const asked = (page) => at(page, "question").getAttribute("data-question");
const taken = async (page) => Number((await at(page, "chunks").getAttribute("data-taken")) ?? 0);
const exchanges = (page) => at(page, "exchanges").locator("li");

async function moving(page, id) {
  const video = at(page, id).locator("video");
  await until(`a moving picture at ${id}`, () => video.evaluate((video) => video.videoWidth > 0 && video.currentTime > 0));
}

async function answerInWriting(page, words) {
  const before = await asked(page);
  await at(page, "typed").fill(words);
  await at(page, "done").click();
  await until("the next question, or the end", async () => (await at(page, "candidate").getAttribute("data-stage")) === "complete" || ((await asked(page)) !== before && (await at(page, "candidate").getAttribute("data-stage")) === "question"), { deadline: 60_000 });
}

async function theStory() {
  const desk = await openPage({ page: "live" }, DESK);
  await fact("an interview is planned, and both sides are connected", async () => {
    await at(desk, "live-candidate").fill(`Ada ${run}`);
    await picture(desk, "live-1-plan");
    await at(desk, "plan").click();
    await stage(desk, "lobby");
    await says(desk, "candidate-name", new RegExp(run));
    await until("two links", async () => (await at(desk, "live-link").allTextContents()).every((words) => /^Connected/.test(words)));
  });
  const recruiterLink = await at(desk, "link-recruiter").getAttribute("href");
  const phone = await openPage({}, PHONE);
  await fact("the recruiter's side opens on a phone by its link", async () => {
    await phone.goto(new URL(recruiterLink, desk.url()).href);
    await phone.reload();
    await says(phone, "candidate-name", new RegExp(run));
    await says(phone, "status", /^Not started yet$/);
    same(await phone.getByTestId("side-candidate").count(), 0);
  });
  await fact("it starts: the candidate is asked, and the recruiter sees what", async () => {
    await at(desk, "start").click();
    await stage(desk, "question");
    await says(desk, "order", /^Question 1$/);
    const question = await text(desk, "question");
    await until("the question on the phone", async () => (await exchanges(phone).first().textContent())?.includes(question));
    await says(phone, "status", /^Live$/);
  });

  await fact("speech is taken in chunks", async () => {
    await at(desk, "talk").click();
    await until("five chunks", async () => (await taken(desk)) >= 5, { seen: () => text(desk, "chunks") });
  });
  if (vendors) {
    await fact("the question is spoken, and what the candidate says is written along on both sides", async () => {
      same((await at(desk, "sound").getAttribute("src"))?.length > 0, true);
      await until("words at the candidate", async () => (await text(desk, "transcript")).trim() !== "");
      await until("words at the recruiter", async () => ((await exchanges(phone).first().locator(".live-heard").textContent()) ?? "").trim() !== "");
    });
  } else {
    console.log("SKIPPED the facts about speech, scores and the summary: VENDORS is not true, so the hub has no vendors");
    await fact("without vendors the page says that nobody writes along", () => says(desk, "speech-off", /not written along/));
  }
  await picture(desk, "live-2-question");
  await picture(phone, "live-3-phone");
  await fact("another tab is an alert, and costs trust", async () => {
    await desk.evaluate(() => {
      Object.defineProperty(document, "hidden", { value: true, configurable: true });
      document.dispatchEvent(new Event("visibilitychange"));
      Object.defineProperty(document, "hidden", { value: false, configurable: true });
    });
    await until("the alert", async () => (await at(phone, "alerts").locator("li").count()) === 1);
    await says(phone, "trust", /^97$/);
  });
  await fact("the answer is complete: the next question comes", async () => {
    const first = await asked(desk);
    await at(desk, "done").click();
    await until("question 2", async () => (await asked(desk)) !== first && /^Question 2$/.test(await text(desk, "order")), { deadline: 60_000 });
    await says(phone, "progress", /^Question 2 of 3/);
    if (vendors) await says(phone, "score", /^\d+$/);
  });

  await fact("each node is killed in turn: the question stays, and nothing is asked again", async () => {
    const question = await asked(desk);
    for (const node of nodes()) {
      const killed = readFileSync(node, "utf8");
      process.kill(Number(killed), "SIGKILL");
      await until(`${basename(node, ".pid")} is started again`, () => readFileSync(node, "utf8") !== killed);
      await until("both are connected", async () => [...await at(desk, "live-link").allTextContents(), await text(phone, "live-link")].every((words) => /^Connected/.test(words)), { deadline: 30_000 });
    }
    same([await asked(desk), await exchanges(phone).count()], [question, 2]);
    const before = await taken(desk);
    await until("chunks are taken", async () => (await taken(desk)) > before, { deadline: 30_000 });
  });
  await fact("after a reload the candidate is at the same question", async () => {
    const question = await asked(desk);
    await desk.reload();
    await stage(desk, "question");
    same([await asked(desk), await text(desk, "order")], [question, "Question 2"]);
    same(await exchanges(phone).count(), 2);
  });

  await fact("candidate and recruiter see each other: the call goes from browser to browser", async () => {
    await at(phone, "call").click();
    await desk.getByTestId("side-candidate").getByTestId("call").click();
    await moving(phone, "call-other");
    await until("a moving picture at the desk", () => desk.getByTestId("side-candidate").getByTestId("call-other").locator("video").evaluate((video) => video.videoWidth > 0 && video.currentTime > 0));
  });
  await picture(desk, "live-4-call");
  await fact("who leaves the call is gone at the other", async () => {
    await desk.getByTestId("side-candidate").getByTestId("call").click();
    await until("nobody else", async () => (await at(phone, "call-other").count()) === 0);
  });

  await fact("the last questions are answered in writing: the interview is completed", async () => {
    await answerInWriting(desk, "The load was too high. We shed it and measured.");
    await says(desk, "order", /^Question 3$/);
    await answerInWriting(desk, "Nothing: it comes back on another node.");
    await stage(desk, "complete");
    await says(phone, "status", /^Completed$/);
    await says(phone, "verdict", vendors ? /^\d+ of 100 · / : /^Not scored$/);
    same(await exchanges(phone).count(), 3);
  });
  await picture(desk, "live-5-complete");
  await picture(phone, "live-6-phone-complete");
  await fact("who opens it again sees the whole interview", async () => {
    await phone.reload();
    await says(phone, "status", /^Completed$/);
    same(await exchanges(phone).count(), 3);
  });
  await fact("nothing is wider than the phone", async () => {
    const wide = await widths(phone);
    if (wide.page > 390 || wide.limit > 390 || wide.beyond.length > 0) throw new Error(JSON.stringify(wide));
  });
}

await tell(theStory);
