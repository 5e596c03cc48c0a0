// An official client whose link is cut again and again: it says what it hears, and whether it got its connection back.
//   node returning.mjs <url> <token> text|msgpack [<url> …]
// Each time it comes back it goes to the next url. Takes lines: `cut` ends the link as a broken network does.
// Says `connected <recovered> <id>` and `event <JSON of name and arguments>`.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";
import msgpack from "socket.io-msgpack-parser";

const [first, token, parser, ...others] = process.argv.slice(2);
const urls = [first, ...others];
const options = { auth: { token }, query: { recovery: "1" }, transports: ["websocket"], reconnectionDelay: 10, reconnectionDelayMax: 50 };
const socket = io(first, parser === "msgpack" ? { ...options, parser: msgpack } : options);
let turn = 0;
socket.io.on("reconnect_attempt", () => (socket.io.uri = urls[++turn % urls.length]));
socket.on("connect", () => console.log("connected", socket.recovered, socket.id));
socket.on("connect_error", (error) => console.log("refused", error.message));
socket.onAny((...args) => console.log("event", JSON.stringify(args)));

// The socket under the WebSocket: its end is no close frame.
createInterface({ input: process.stdin })
  .on("line", () => socket.io.engine?.transport?.ws?.terminate?.() ?? socket.io.engine?.transport?.ws?._socket?.destroy())
  .on("close", () => process.exit());
