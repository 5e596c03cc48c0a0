// A participant in a LiveKit room: the official client in a headless browser, with a camera and a microphone of its own making.
//   node join.mjs <ws url> <token> <folder for the browser's files>
// Says, a line of JSON each: `{"fact":"joined", room, identity}` or `{"fact":"refused", message, reason}`, and later
// `{"fact":"gone", reason}` or `{"fact":"heard", text}`. Takes lines: `leave`, and `say <text>`, which the others hear.
import { createInterface } from "node:readline";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { chromium } from "playwright-core";

const [url, token, folder] = process.argv.slice(2);
if (folder) process.env.TMPDIR = folder;
const library = readFileSync(new URL("node_modules/livekit-client/dist/livekit-client.umd.js", import.meta.url));
// A page of localhost: only there a browser gives its camera away without TLS.
const page = createServer((request, response) => {
  const script = request.url === "/livekit-client.js";
  response.setHeader("content-type", script ? "text/javascript" : "text/html");
  response.end(script ? library : '<!doctype html><title>participant</title><script src="/livekit-client.js"></script>');
});
await new Promise((listening) => page.listen(0, "127.0.0.1", listening));

const browser = await chromium.launch({
  executablePath: process.env.CHROMIUM || "/usr/bin/chromium",
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-dev-shm-usage",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
  ],
  handleSIGTERM: false,
});

let ending = false;
async function end() {
  ending = true;
  await browser.close();
  process.exit();
}
process.on("SIGTERM", end);

const tab = await browser.newPage();
await tab.exposeFunction("tell", (fact) => console.log(JSON.stringify(fact)));
await tab.goto(`http://localhost:${page.address().port}/`);

createInterface({ input: process.stdin })
  .on("line", (line) => (line === "leave" ? tab.evaluate("room.disconnect()") : tab.evaluate((text) => window.say(text), line.slice(4))))
  .on("close", end);

const joining = tab.evaluate(
  async ([url, token]) => {
    const { Room, RoomEvent, DisconnectReason, ConnectionErrorReason } = window.LivekitClient;
    const room = (window.room = new Room());
    const encoder = new TextEncoder();
    const decoder = new TextDecoder();
    window.say = (text) => room.localParticipant.publishData(encoder.encode(text), { reliable: true });
    room.on(RoomEvent.DataReceived, (bytes) => window.tell({ fact: "heard", text: decoder.decode(bytes) }));
    try {
      // One try: what is refused is told at once.
      await room.connect(url, token, { maxRetries: 0 });
    } catch (error) {
      return window.tell({ fact: "refused", message: error.message, reason: ConnectionErrorReason[error.reason] ?? null });
    }
    room.on(RoomEvent.Disconnected, (reason) => window.tell({ fact: "gone", reason: DisconnectReason[reason] ?? null }));
    await window.tell({ fact: "joined", room: room.name, identity: room.localParticipant.identity });
  },
  [url, token],
);
await joining.catch((error) => {
  if (!ending) throw error;
});
