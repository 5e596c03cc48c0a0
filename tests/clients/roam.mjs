// Official clients that always come back, many in one process: the counterpart of tests/support/roamer.rs.
//
//   node roam.mjs <url> <ms between two messages> <default|websocket>
//
//   ["client", user, sos, token]   starts one
//   ["joined"]                     answers `joined` once all are members
//   ["speak"]                      from now on they say numbered messages, each until it is acknowledged
//   ["quiet"]                      answers `quiet` once nothing is left to acknowledge
//   ["received"]                   answers `received` and how many messages each has
//   ["report"]                     answers `report` and what they have lived through
//   ["leave"]                      disconnects and ends
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import { io } from "socket.io-client";

const [url, every, transports] = process.argv.slice(2);
const clients = [];
let speaking = false;

class Roamer {
  constructor(user, sos, token) {
    this.record = {
      user, sos, sessions: [], acked: [], sent: 0, repeats: 0, reconnects: 0, recovered: 0,
      wrongs: [], fresh: [], refusals: [], members: null,
    };
    this.joined = false;
    this.settled = true;
    const options = { auth: { token }, forceNew: true, reconnectionDelay: 200, reconnectionDelayMax: 1500, timeout: 5000 };
    if (transports === "websocket") {
      options.transports = ["websocket"];
      // Node sends no User-Agent over WebSocket alone.
      options.query = { recovery: "1" };
    }
    this.socket = io(url, options);
    const { record, socket } = this;
    socket.on("connect", () => {
      if (socket.recovered) record.recovered++;
      else {
        if (this.pid) record.fresh.push(`after ${this.left} at ${socket._lastOffset}`);
        record.sessions.push([]);
      }
      this.pid = socket._pid;
    });
    socket.on("disconnect", (reason) => {
      this.left = reason;
      record.reconnects++;
      if (reason === "io server disconnect") record.wrongs.push("sent away for good");
    });
    socket.on("connect_error", (error) => {
      const { message, data } = error;
      // Only what the hub itself refuses ends a client; the rest is retried.
      if (data !== undefined || !socket.active) record.wrongs.push(`refused: ${message} ${JSON.stringify(data)}`);
      else record.refusals.push(`${message} ${error.description?.status ?? error.description?.message ?? error.context?.status ?? ""}`);
    });
    socket.on("message:broadcast", ({ messageId, clientMessageId, userId, text }) =>
      record.sessions.at(-1).push({ messageId, clientMessageId, userId, text }),
    );
    socket.on("presence:update", ({ members }) => (record.members = members));
    socket.on("sos:state", ({ members }) => {
      record.members = members;
      this.joined = true;
    });
    socket.on("error", (error) => record.wrongs.push(`error ${JSON.stringify(error)}`));
    this.talk();
  }

  async talk() {
    const { record, socket } = this;
    for (let number = 0; ; number++) {
      await sleep(every * (0.7 + 0.6 * Math.random()));
      while (!speaking || !this.joined) {
        this.settled = !speaking || !this.joined;
        await sleep(50);
      }
      this.settled = false;
      const id = `${record.user}-${number}`;
      const message = { sosId: record.sos, text: `${record.user} says ${number}`, clientMessageId: id };
      record.sent++;
      for (;;) {
        const reply = await socket.timeout(7000).emitWithAck("message:send", message).catch(() => null);
        if (reply?.ok) {
          record.acked.push([id, reply.messageId]);
          break;
        }
        if (reply && !["UNAVAILABLE", "UNCONFIRMED", "RATE_LIMITED"].includes(reply.code))
          record.wrongs.push(`${id} was answered ${JSON.stringify(reply)}`);
        record.repeats++;
        await sleep(300);
      }
    }
  }
}

const all = async (fact) => {
  while (!clients.every(fact)) await sleep(20);
};
for await (const line of createInterface({ input: process.stdin })) {
  const [order, ...args] = JSON.parse(line);
  if (order === "client") clients.push(new Roamer(...args));
  else if (order === "joined") {
    await all((client) => client.joined);
    console.log("joined");
  } else if (order === "speak") speaking = true;
  else if (order === "quiet") {
    speaking = false;
    await all((client) => client.settled && client.socket.connected);
    console.log("quiet");
  } else if (order === "received") {
    console.log("received", JSON.stringify(clients.map(({ record }) => record.sessions.flat().length)));
  } else if (order === "report") console.log("report", JSON.stringify(clients.map(({ record }) => record)));
  else if (order === "leave") break;
}
for (const { socket } of clients) socket.disconnect();
await sleep(200);
process.exit(0);
