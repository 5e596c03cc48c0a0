// A member of an incident: an official client in a form that a test can talk to.
//   node member.mjs <url> <token> text|msgpack
// Says `connected`, `gone <reason>` and, for each event, `event <JSON of name and arguments>`.
// Takes lines `<event> <JSON payload>`, and says `ack <JSON>` for each.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import msgpack from "socket.io-msgpack-parser";

const [url, token, parser] = process.argv.slice(2);
const options = { auth: { token }, transports: ["websocket"], reconnectionDelay: 50, reconnectionDelayMax: 100 };
const socket = io(url, parser === "msgpack" ? { ...options, parser: msgpack } : options);
socket.on("connect", () => console.log("connected"));
socket.on("connect_error", (error) => console.log("refused", error.message));
socket.on("disconnect", (reason) => console.log("gone", reason));
socket.onAny((...args) => console.log("event", JSON.stringify(args)));

createInterface({ input: process.stdin })
  .on("line", async (line) => {
    const at = line.indexOf(" ");
    const reply = await socket.timeout(40_000).emitWithAck(line.slice(0, at), JSON.parse(line.slice(at + 1)));
    console.log("ack", JSON.stringify(reply));
  })
  .on("close", () => process.exit());
