// The TypeScript client as a stranger gets it: packed, installed into an empty project, and run in Node and in Chromium by the ten lines of its
// README, while the nodes behind the balancer are killed one after another.
//
// Needs a hub with DEMO=true, started with the JWT_SECRET and REALTIME_JWT_SECRET of the environment: it signs tokens of its own. Everything else
// that it reads: harness.mjs.

import { execFileSync } from "node:child_process";
import { createHmac } from "node:crypto";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build } from "vite";
import { base, fact, nodes, openPage, run, same, tell, until } from "./harness.mjs";

const hub = new URL(base).origin;
const folder = fileURLToPath(new URL("../../clients/typescript", import.meta.url));
const project = mkdtempSync(join(tmpdir(), "convoke-client."));
const sosId = `client-${run}`;
const npm = (...args) => execFileSync("npm", [...args, "--no-audit", "--no-fund", "--prefer-offline", "--loglevel=error"], { encoding: "utf8" });

/** A token that ends in so many seconds. */
function signed(secret, claims, seconds) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const text = `${part({ alg: "HS256", typ: "JWT" })}.${part({ ...claims, exp: Math.floor(Date.now() / 1000) + seconds })}`;
  return `${text}.${createHmac("sha256", secret).update(text).digest("base64url")}`;
}
/** A dispatcher's. */
const ending = (seconds) => signed(process.env.JWT_SECRET, { userId: `d-${run}`, role: "dispatcher" }, seconds);

/** The README's first program as it stands there, about an incident of this run. */
function readme(user) {
  const program = /```js\n([\s\S]*?)```/.exec(readFileSync(join(folder, "README.md"), "utf8"))[1];
  return `const url = ${JSON.stringify(hub)}, console = { log: () => undefined };
    const getToken = async () => (await (await fetch(url + "/demo/token?role=rescuer&user=${user}&sos=${sosId}")).json()).token;
    ${program.replaceAll("demo-1", sosId)}
    const heard = [], connects = [];
    hub.on("message:broadcast", ({ messageId, text }) => heard.push([messageId, text]));
    hub.onConnect(({ recovered }) => connects.push(recovered));`;
}

async function inChromium(modules) {
  const files = new Map([["/client/socket.io.js", join(modules, "socket.io-client/dist/socket.io.esm.min.js")]]);
  const map = { imports: { "@convoke/client": "/client/pkg/index.js", "socket.io-client": "/client/socket.io.js" } };
  const html = `<!doctype html><meta charset="utf-8"><script type="importmap">${JSON.stringify(map)}</script>
    <script type="module">${readme(`chromium-${run}`)}
    Object.assign(window, { hub, positions, heard, connects, state });</script>`;
  // From the hub's own origin, which is what it lets in.
  const page = await openPage({}, {
    width: 400, height: 300, at: `${hub}/client/page`, prepare: (context) => context.route(`${hub}/client/**`, (route) => {
      const { pathname } = new URL(route.request().url());
      if (pathname === "/client/page") return route.fulfill({ contentType: "text/html", body: html });
      const path = files.get(pathname) ?? join(modules, "@convoke/client/dist", pathname.replace("/client/pkg/", ""));
      return route.fulfill({ contentType: "text/javascript", body: readFileSync(path) });
    }),
  });
  const member = (name) => page.evaluate((path) => path.split(".").reduce((at, key) => at[key], window), name);
  return {
    page, heard: () => member("heard"), connects: () => member("connects"), connected: () => member("hub.connected"), state: () => member("state"),
    tally: () => member("positions.tally"),
    say: (text) => page.evaluate(([id, words]) => window.hub.write("message:send", { sosId: id, text: words }), [sosId, text]),
  };
}

async function inNode() {
  const file = join(project, "readme.mjs");
  writeFileSync(file, `${readme(`node-${run}`)}\nexport { hub, positions, heard, connects, state };`);
  const { hub: client, positions, heard, connects, state } = await import(pathToFileURL(file).href);
  return {
    client, positions, heard: () => heard, connects: () => connects, connected: () => client.connected, state: () => state, tally: () => positions.tally,
    say: (text) => client.write("message:send", { sosId, text }),
  };
}

await tell(async () => {
  for (const secret of ["JWT_SECRET", "REALTIME_JWT_SECRET"]) if (!process.env[secret]) throw new Error(`${secret} is not set: it must be the hub's`);
  try {
    await theStory();
  } finally {
    rmSync(project, { recursive: true, force: true });
  }
});

async function theStory() {
  const modules = join(project, "node_modules");
  await fact("the packed package installs into an empty project", () => {
    const packed = npm("pack", folder, "--pack-destination", project, "--silent").trim().split("\n").at(-1);
    writeFileSync(join(project, "package.json"), `{"name":"empty","private":true,"type":"module"}`);
    npm("install", "--prefix", project, join(project, packed));
  });
  const { connectIncidents, connectInterview, interviewApi, realtimeSessions, ANSWER_MS } = await import(pathToFileURL(join(modules, "@convoke/client/dist/index.js")).href);

  let sides = {};
  await fact("the ten lines of its README run in Node and in Chromium", async () => {
    sides = { node: await inNode(), chromium: await inChromium(modules) };
    await until("the page's state", async () => (await sides.chromium.state())?.sosId === sosId);
    same(sides.node.state().sosId, sosId);
    for (const side of Object.values(sides)) await until("a stored position", async () => (await side.tally()).stored === 1);
  });
  await sayWhileNodesDie(sides);
  await offline(sides);
  await tokens(connectIncidents);
  await anInterview(connectInterview, ANSWER_MS);
  await overHttp(interviewApi, realtimeSessions);
  await fact("who uses HTTP alone does not load Socket.IO", async () => {
    writeFileSync(join(project, "small.js"), `import { interviewApi } from "@convoke/client"; console.log(interviewApi);`);
    const { output } = await build({
      root: project, configFile: false, logLevel: "silent", build: { write: false, lib: { entry: join(project, "small.js"), formats: ["es"] } },
    }).then((built) => (Array.isArray(built) ? built[0] : built));
    const { code } = output[0];
    if (code.length > 20_000 || /engine\.io|socket\.io|CONNECT_ERROR/.test(code)) throw new Error(`${code.length} characters`);
  });
  sides.node?.client.close();
}

async function sayWhileNodesDie(sides) {
  const said = [];
  let going = true;
  const talk = async ([name, side]) => {
    for (let n = 0; going; n += 1) {
      await side.say(`${name} ${n}`);
      said.push(`${name} ${n}`);
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  };
  await fact("each node is killed in turn, and what both say meanwhile takes effect", async () => {
    const talking = Object.entries(sides).map(talk);
    for (const node of nodes()) {
      const killed = readFileSync(node, "utf8");
      process.kill(Number(killed), "SIGKILL");
      await until(`${basename(node)} is started again`, () => readFileSync(node, "utf8") !== killed);
      const before = said.length;
      for (const side of Object.values(sides)) await until("a connection", () => side.connected(), { deadline: 30_000 });
      await until("more is said", () => said.length > before + 10, { deadline: 30_000 });
    }
    going = false;
    await Promise.all(talking);
  });
  await fact("both have heard every word once, in one order", async () => {
    for (const side of Object.values(sides)) {
      const words = async () => (await side.heard()).map(([, text]) => text).filter((text) => said.includes(text));
      await until("all words", async () => (await words()).length >= said.length);
      same((await words()).toSorted(), said.toSorted());
    }
    const [one, other] = await Promise.all(Object.values(sides).map((side) => side.heard()));
    const last = one.findIndex(([id]) => id === other.at(0)[0]);
    same(last >= 0 ? one.slice(last) : one, last >= 0 ? other : other.slice(other.findIndex(([id]) => id === one[0][0])));
  });
  await fact("the connections that were lost were recovered", async () => {
    for (const side of Object.values(sides)) same((await side.connects()).filter((recovered) => !recovered), []);
    const all = (await Promise.all(Object.values(sides).map((side) => side.connects()))).flat().length;
    if (nodes().length > 0 && all === 0) throw new Error("no connection was lost");
  });
}

async function offline({ chromium, node }) {
  await fact("positions and words of a tunnel follow when it is over", async () => {
    await chromium.page.evaluate(() => {
      window.hub.suspend();
      const start = Date.now();
      for (let n = 1; n <= 700; n += 1) window.positions.push({ latitude: 10 + n / 1000, longitude: 20, timestamp: start + n * 1000 - 700_000 });
    });
    const said = chromium.say(`from the tunnel ${run}`);
    same((await chromium.tally()).waiting, 700);
    const newest = node.client.next("location:broadcast");
    await chromium.page.evaluate(() => void window.hub.connect());
    await until("700 more positions", async () => (await chromium.tally()).stored === 701);
    same((await newest).latitude, 10.7);
    await said;
    await until("the words", () => node.heard().some(([, text]) => text === `from the tunnel ${run}`));
  });
}

async function tokens(connectIncidents) {
  await fact("a token that ends soon is renewed in place", async () => {
    const given = [];
    // Good enough to connect with; the hub says a minute before its end that it ends.
    const client = connectIncidents({ url: hub, getToken: () => given[given.push(ending(given.length === 0 ? 64 : 3600)) - 1] });
    const connects = [];
    client.onConnect((connection) => connects.push(connection));
    await client.watch();
    await until("a second token", () => given.length === 2);
    await client.emitWithAck("sos:watch");
    same([connects.length, given.length], [1, 2]);
    client.close();
  });
  await fact("a token that the hub does not accept any more is renewed, once", async () => {
    const given = [];
    const client = connectIncidents({ url: hub, getToken: (reason) => given[given.push(reason) - 1] && ending(reason === "refused" ? 3600 : -3600) });
    await client.watch();
    same(given, ["needed", "refused"]);
    client.close();
    const never = connectIncidents({ url: hub, getToken: () => ending(-3600) });
    await until("it is refused", () => never.state.name === "refused");
    same(never.state.failure.code, "TOKEN_EXPIRED");
    never.close();
  });
}

async function anInterview(connectInterview, ANSWER_MS) {
  await fact("a candidate is asked, answers, and a recruiter sees it", async () => {
    const plan = await fetch(`${hub}/demo/interview`, { method: "POST", headers: { "content-type": "application/json" }, body: `{"candidate":"ana"}` });
    const { interviewId, joinToken, recruiterToken } = await plan.json();
    const candidate = connectInterview({ url: hub, token: joinToken, userType: "candidate" });
    const recruiter = connectInterview({ url: hub, token: recruiterToken, userType: "recruiter" });
    const observed = await recruiter.observe(interviewId);
    same([observed.interview.id, observed.events], [interviewId, []]);
    const progress = recruiter.next("progress-update");
    const question = candidate.next("question");
    const { sessionId } = await candidate.join(interviewId);
    await candidate.start(sessionId);
    const { questionId } = await question;
    await candidate.write("response-complete", { questionId, transcription: "Five years", audioUrl: "" }, { timeoutMs: ANSWER_MS });
    same((await progress).progress.currentAssessment, 1);
    candidate.close();
    recruiter.close();
  });
}

async function overHttp(interviewApi, realtimeSessions) {
  await fact("realtime sessions are made, read page by page, and ended; another user's are not there", async () => {
    const of = (user) => {
      const claims = { sub: user, iss: process.env.ISSUER ?? "http://localhost:8085/realms/jan", aud: process.env.AUDIENCE ?? "account" };
      return realtimeSessions({ url: hub, getToken: () => signed(process.env.REALTIME_JWT_SECRET, claims, 3600) });
    };
    const [own, other] = [of(`ana-${run}`), of(`ben-${run}`)];
    const made = [await own.create(), await own.create(), await own.create()];
    if (!made.every(({ client_secret }) => client_secret.value.length > 0)) throw new Error("no secret");
    const read = [];
    for await (const { id } of own.all(2)) read.push(id);
    same(read.toSorted(), made.map(({ id }) => id).toSorted());
    same((await own.get(made[0].id)).status, "created");
    const missing = await other.get(made[0].id).catch((error) => error);
    same([missing.status, missing.code, typeof missing.requestId], [404, "not_found", "string"]);
    for (const { id } of made) same((await own.delete(id)).deleted, true);
    same((await own.list()).data, []);
  });
  await fact("interview sessions answer with their types, and refuse with their codes", async () => {
    const holder = await fetch(`${hub}/demo/holder`, { method: "POST", headers: { "content-type": "application/json" }, body: `{"name":"client-${run}","resume":false}` });
    const { token: bearer } = await holder.json();
    const api = interviewApi({ url: hub, token: bearer });
    const { canStart, reason } = await api.checkEligibility();
    same([canStart, reason], [false, "NO_RESUME"]);
    const refused = await api.startSession().catch((error) => error);
    same([refused.name, refused.status, refused.code], ["HubError", 400, "NO_RESUME"]);
    const missing = await api.getSessionStatus("AAA-000-AAA").catch((error) => error);
    same([missing.status, missing.code], [404, "HTTP_404"]);
  });
}
