// The official client, led line by line: orders are JSON arrays on standard input, facts are lines on standard output.
//
//   node talk.mjs <url> <token> <default|websocket|polling> <text|msgpack> [further options as JSON]
//
//   ["ask", event, payload]    sends with an acknowledgement, which is printed as `ack <json>`
//   ["emit", event, payload]   sends without
//   ["leave"]                  disconnects and ends
//
// Bytes are written {"$bytes": base64} in both directions. The further option `record` names a file for all packets (record.mjs).
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import * as msgpack from "socket.io-msgpack-parser";
import { record } from "./record.mjs";

const [url, token, transports, parser, further] = process.argv.slice(2);
const { record: recorded, ...more } = JSON.parse(further ?? "{}");
const options = { auth: { token }, ...more };
if (recorded) options.autoConnect = false;
if (transports !== "default") options.transports = [transports];
if (parser === "msgpack") options.parser = msgpack.default ?? msgpack;

const write = (value) =>
  JSON.stringify(value, function (key, given) {
    const raw = this[key];
    const bytes = raw instanceof Uint8Array || raw instanceof ArrayBuffer;
    return bytes ? { $bytes: Buffer.from(raw).toString("base64") } : given;
  });
const read = (line) =>
  JSON.parse(line, (_, value) => (value?.$bytes === undefined ? value : Buffer.from(value.$bytes, "base64")));
const say = (fact, value) => console.log(fact, write(value));

const socket = io(url, options);
if (recorded) {
  record(socket.io, recorded);
  socket.connect();
}
socket.io.on("open", () => {
  const { engine } = socket.io;
  say("opened", engine.transport.name);
  engine.once("upgrade", (transport) => say("upgraded", transport.name));
});
socket.on("connect", () => say("connected", socket.id));
socket.on("connect_error", (error) => say("refused", { message: error.message, data: error.data ?? null }));
socket.on("disconnect", (reason) => say("disconnected", reason));
socket.onAny((...event) => say("event", event));

for await (const line of createInterface({ input: process.stdin })) {
  const [order, event, payload] = read(line);
  if (order === "leave") break;
  if (order === "emit") socket.emit(event, payload);
  else say("ack", await socket.timeout(40_000).emitWithAck(event, payload));
}
socket.disconnect();
process.exit(0);
