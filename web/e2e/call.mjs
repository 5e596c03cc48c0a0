// The call of an interview between two browsers: they find each other by the hub's signalling alone, each on a node of its own, and
// then talk directly (WebRTC: host candidates, no STUN and no TURN server).
//
//   NODE_URLS="http://localhost:3101 http://localhost:3102" node e2e/call.mjs
//
// The nodes must run with DEMO=true and PostgreSQL. The rest: harness.mjs.

import { readFileSync } from "node:fs";
import { fact, nodes, openPage, same, tell, until } from "./harness.mjs";

const [first, second] = (process.env.NODE_URLS ?? "http://localhost:3101 http://localhost:3102").split(" ");
const library = new URL("../node_modules/socket.io-client/dist/socket.io.min.js", import.meta.url).pathname;

/** What runs in each browser: a client as it is written for seed 0's events. */
function peer({ interviewId, token, role }) {
  const seen = { presence: [], ready: 0, said: [], recovered: 0 };
  const socket = io("/interview", { auth: { token }, transports: ["websocket"], reconnectionDelay: 100, reconnectionDelayMax: 300 });
  const ask = (event, payload) => socket.timeout(8000).emitWithAck(event, { interviewId, ...payload });
  let connection, channel, media, waiting = [];

  async function connect(other) {
    connection?.close();
    waiting = [];
    connection = new RTCPeerConnection();
    for (const track of media.getTracks()) connection.addTrack(track, media);
    const use = (opened) => {
      channel = opened;
      channel.onmessage = ({ data }) => seen.said.push(data);
    };
    connection.ondatachannel = ({ channel }) => use(channel);
    connection.ontrack = ({ streams }) => (document.querySelector("video").srcObject = streams[0]);
    connection.onicecandidate = ({ candidate }) => candidate && ask("iceCandidate", { payload: candidate.toJSON(), to: other });
    return use;
  }
  async function offer(other, options) {
    await connection.setLocalDescription(await connection.createOffer(options));
    await ask("offer", { payload: connection.localDescription.toJSON(), to: other });
  }
  const described = async (description) => {
    await connection.setRemoteDescription(description);
    for (const candidate of waiting.splice(0)) await connection.addIceCandidate(candidate);
  };

  socket.on("connect", () => (seen.recovered += socket.recovered ? 1 : 0));
  socket.on("presence:update", (sockets) => seen.presence.push(sockets));
  // The interviewer calls.
  socket.on("call:ready", async () => {
    seen.ready += 1;
    if (role !== "interviewer") return;
    const other = seen.presence.at(-1).find((socket) => socket.role === "candidate").socketId;
    (await connect(other))(connection.createDataChannel("words"));
    await offer(other);
  });
  socket.on("offer", async ({ socketId, payload }) => {
    if (!connection || connection.signalingState === "closed") await connect(socketId);
    await described(payload);
    await connection.setLocalDescription(await connection.createAnswer());
    await ask("answer", { payload: connection.localDescription.toJSON(), to: socketId });
  });
  socket.on("answer", ({ payload }) => described(payload));
  socket.on("iceCandidate", async ({ payload }) => {
    if (connection?.remoteDescription) await connection.addIceCandidate(payload);
    else waiting.push(payload);
  });

  window.peer = {
    seen,
    id: () => socket.id,
    node: () => socket.io.uri,
    join: async () => {
      media = await navigator.mediaDevices.getUserMedia({ audio: true, video: { width: 320, height: 240 } });
      document.body.innerHTML = "<video autoplay playsinline muted></video>";
      if (!socket.connected) await new Promise((connected) => socket.once("connect", connected));
      return ask("joinRoom", { role });
    },
    leave: () => ask("leaveRoom", {}),
    state: () => ({ connection: connection?.connectionState, channel: channel?.readyState }),
    say: (text) => channel.send(text),
    restart: async () => offer(seen.presence.at(-1).find((socket) => socket.role === "candidate").socketId, { iceRestart: true }),
    path: async () => {
      const stats = new Map(await connection.getStats());
      const transport = [...stats.values()].find(({ type }) => type === "transport");
      const pair = stats.get(transport?.selectedCandidatePairId);
      return pair && { local: stats.get(pair.localCandidateId).candidateType, ufrag: transport.iceLocalUsernameFragment };
    },
    frames: () => document.querySelector("video").getVideoPlaybackQuality().totalVideoFrames,
  };
}

async function open(node, call) {
  const page = await openPage({}, { width: 640, height: 480, at: `${node}/health`, bypassCSP: true });
  await page.addScriptTag({ path: library });
  await page.evaluate(peer, call);
  return page;
}

const asked = (page, what, ...args) => page.evaluate(([what, args]) => window.peer[what](...args), [what, args]);
const seen = (page) => page.evaluate(() => window.peer.seen);
const talks = (page) => until("connected", async () => {
  const { connection, channel } = await asked(page, "state");
  return connection === "connected" && channel === "open";
}, { seen: () => asked(page, "state") });
const hears = (page, text) => until(`hears ${text}`, async () => (await seen(page)).said.includes(text), { seen: () => seen(page) });
const moves = async (page) => {
  const before = await asked(page, "frames");
  await until("a moving picture", async () => (await asked(page, "frames")) > before, { seen: () => asked(page, "frames") });
};

async function theStory() {
  const answer = await fetch(`${first}/demo/interview`, {
    method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify({ candidate: "Ada" }),
  });
  const { interviewId, joinToken, recruiterToken } = await answer.json();
  const candidate = await open(first, { interviewId, token: joinToken, role: "candidate" });
  const interviewer = await open(second, { interviewId: interviewId.toUpperCase(), token: recruiterToken, role: "interviewer" });

  await fact("the candidate joins, and waits alone", async () => {
    same((await asked(candidate, "join")).ok, true);
    await until("it is told who is there", async () => (await seen(candidate)).presence.length === 1);
    same((await seen(candidate)).ready, 0);
  });
  await fact("an interviewer joins on another node: both are told that the call is ready", async () => {
    same((await asked(interviewer, "join")).ok, true);
    for (const page of [candidate, interviewer]) await until("ready", async () => (await seen(page)).ready === 1, { seen: () => seen(page) });
    const ids = (await seen(candidate)).presence.at(-1).map(({ socketId }) => socketId);
    same(ids, [await asked(candidate, "id"), await asked(interviewer, "id")]);
  });
  await fact("they connect directly, over the addresses of their hosts", async () => {
    for (const page of [candidate, interviewer]) {
      await talks(page);
      same((await asked(page, "path")).local, "host");
    }
  });
  await fact("words go both ways", async () => {
    await asked(interviewer, "say", "Tell me about yourself.");
    await hears(candidate, "Tell me about yourself.");
    await asked(candidate, "say", "I build hubs.");
    await hears(interviewer, "I build hubs.");
  });
  await fact("each sees the other's picture move", async () => {
    for (const page of [candidate, interviewer]) await moves(page);
  });

  await fact("a node is killed: they go on talking, and find the signalling again", async () => {
    if (nodes().length === 0) return;
    const file = nodes()[0];
    const killed = readFileSync(file, "utf8");
    process.kill(Number(killed), "SIGKILL");
    await asked(interviewer, "say", "Can you hear me?");
    await hears(candidate, "Can you hear me?");
    await until("it is started again", () => readFileSync(file, "utf8") !== killed);
    await until("the candidate has its socket back", async () => (await seen(candidate)).recovered === 1, { seen: () => seen(candidate) });
    const before = (await asked(candidate, "path")).ufrag;
    await asked(interviewer, "restart");
    await until("a new way was agreed on", async () => (await asked(candidate, "path"))?.ufrag !== before);
    await asked(candidate, "say", "Still here.");
    await hears(interviewer, "Still here.");
    same((await seen(interviewer)).presence.length, 1);
  });

  await fact("who leaves and comes again is called again", async () => {
    await asked(interviewer, "leave");
    await until("alone", async () => (await seen(candidate)).presence.at(-1).length === 1);
    await asked(interviewer, "join");
    await until("ready again", async () => (await seen(interviewer)).ready === 2, { seen: () => seen(interviewer) });
    await talks(interviewer);
    await asked(interviewer, "say", "Welcome back.");
    await hears(candidate, "Welcome back.");
  });
}

await tell(theStory);
