// Realtime sessions as a stranger's README for them says: its lines, as they are written there, against the hub.
//
//   REALTIME_URL=http://localhost:8186 REALTIME_TOKEN=… node e2e/realtime.mjs
//
// Only the address, where the port was taken, the token and the id of a session are put in. The rest: harness.mjs.

import { execFile } from "node:child_process";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { promisify } from "node:util";
import { fact, openPage, same, tell, until } from "./harness.mjs";

const { REALTIME_URL = "http://localhost:8186", REALTIME_TOKEN } = process.env;

const CREATE = `curl -X POST http://localhost:8186/v1/realtime/sessions \\
  -H "Authorization: Bearer <your-jwt-token>"`;
const GET = `curl http://localhost:8186/v1/realtime/sessions/sess_abc123def456 \\
  -H "Authorization: Bearer <your-jwt-token>"`;
const CONNECT = `import { Room } from 'livekit-client';

const room = new Room();
await room.connect(response.ws_url, response.client_secret.value);
`;

/** Runs a line of the shell as it is written. */
async function sh(line, id = "") {
  const own = line.replaceAll("http://localhost:8186", REALTIME_URL).replace("<your-jwt-token>", REALTIME_TOKEN).replace("sess_abc123def456", id);
  const { stdout } = await promisify(execFile)("sh", ["-c", own]);
  return JSON.parse(stdout);
}
const keys = (object) => Object.keys(object).sort();

const library = readFileSync(new URL("../node_modules/livekit-client/dist/livekit-client.esm.mjs", import.meta.url));

/** A page that runs the code as a module; its imports come from the packages of this folder. */
async function run(code, response) {
  const html = `<!doctype html><title>a client</title><link rel="icon" href="data:,">
    <script type="importmap">{"imports": {"livekit-client": "/livekit-client.mjs"}}</script>
    <script>window.response = ${JSON.stringify(response)};</script>
    <script type="module">${code}\nwindow.room = room;</script>`;
  const server = createServer((request, answer) => {
    const script = request.url === "/livekit-client.mjs";
    answer.setHeader("content-type", script ? "text/javascript" : "text/html");
    answer.end(script ? library : html);
  });
  await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
  return openPage({}, { width: 800, height: 600, at: `http://localhost:${server.address().port}/` });
}

async function theStory() {
  let created;
  await fact("a session is created by the line of the README", async () => {
    created = await sh(CREATE);
    same(keys(created), ["client_secret", "id", "object", "room_id", "user_id", "ws_url"]);
    same([created.object, keys(created.client_secret)], ["realtime.session", ["expires_at", "value"]]);
  });
  await fact("it is shown with its status and without its secret", async () => {
    const shown = await sh(GET, created.id);
    same(shown, { id: created.id, object: "realtime.session", ws_url: created.ws_url, room_id: created.room_id, user_id: created.user_id, status: "created" });
  });
  let page;
  await fact("livekit-client joins by the lines of the README", async () => {
    page = await run(CONNECT, created);
    await until("connected", () => page.evaluate(() => window.room?.state === "connected"));
    same(await page.evaluate(() => [window.room.name, window.room.localParticipant.identity]), [created.room_id, created.user_id]);
  });
  await fact("the session is connected", () => until("connected", async () => (await sh(GET, created.id)).status === "connected"));
  await fact("it is listed", async () => {
    const list = await sh(GET.replace("/sess_abc123def456", ""));
    same([list.object, list.data[0].id, list.data[0].status], ["list", created.id, "connected"]);
  });
  await fact("deleting it puts its user out", async () => {
    same(await sh(GET.replace("curl", "curl -X DELETE"), created.id), { id: created.id, object: "realtime.session.deleted", deleted: true });
    await until("disconnected", () => page.evaluate(() => window.room.state === "disconnected"));
    same((await sh(GET, created.id)).error.code, "not_found");
  });
  await fact("a session whose user has left is gone once LiveKit has closed the room", async () => {
    const second = await sh(CREATE);
    const other = await run(CONNECT, second);
    await until("connected", async () => (await sh(GET, second.id)).status === "connected");
    await other.evaluate(() => window.room.disconnect());
    await until("gone", async () => (await sh(GET, second.id)).error?.code === "not_found", { deadline: 90_000 });
  });
  await fact("the hub is healthy by the paths of the README", async () => {
    for (const path of ["/", "/healthz", "/readyz"]) same((await fetch(new URL(path, REALTIME_URL))).status, 200, path);
  });
}

await tell(theStory);
