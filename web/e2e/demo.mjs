// The whole story on the real page, in a real browser, against a running hub.
//
//   DEMO_URL=http://localhost:3000/demo/ node e2e/demo.mjs
//
// Everything else that it reads, and what it prints: harness.mjs.

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { fact, nodes, openPage, picture, run, same, screenshots, tell, until, widths } from "./harness.mjs";

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
      const wide = await widths(phone);
      if (wide.page > 390 || wide.limit > 390 || wide.beyond.length > 0) throw new Error(JSON.stringify(wide));
      await picture(phone, `6-phone-${role}`);
    });
  }
  return phone;
}

await tell(theStory);
