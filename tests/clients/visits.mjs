// Visits: the official client connects, says one message, hears it, disconnects; many times, in its default configuration.
//
//   node visits.mjs <url> <default|websocket> <at once>
//
// Takes a line `sosId token` for each visit, then `end`. Prints a line of JSON for each visit
// {ok, transport, wrongs: [...]}, where transport is the one at the end, and ends.
import { createInterface } from "node:readline";
import { io } from "socket.io-client";

const [url, transports, atOnce] = process.argv.slice(2);

const visit = async (sosId, token) => {
  const wrongs = [];
  const options = { auth: { token }, forceNew: true };
  if (transports === "websocket") options.transports = ["websocket"];
  const socket = io(url, options);
  const happens = (emitter, event) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error(`no ${event} within 15 s`)), 15_000);
      emitter.once(event, (value) => (clearTimeout(timer), resolve(value)));
    });
  socket.on("connect_error", (error) => wrongs.push(`connect_error ${error.message} ${error.context?.status ?? ""}`));
  socket.on("disconnect", (reason) => reason === "io client disconnect" || wrongs.push(`disconnect ${reason}`));
  socket.on("error", (error) => wrongs.push(`error ${JSON.stringify(error)}`));
  socket.io.on("reconnect_attempt", () => wrongs.push("reconnect_attempt"));
  let ok = false;
  try {
    await happens(socket, "sos:state");
    const text = `from ${socket.id}`;
    const heard = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("not heard within 15 s")), 15_000).unref();
      socket.on("message:broadcast", (message) => message.text === text && resolve());
    });
    const reply = await socket.timeout(15_000).emitWithAck("message:send", { sosId, text });
    if (!reply.ok) wrongs.push(`message:send ${JSON.stringify(reply)}`);
    await heard;
    const { engine } = socket.io;
    if (engine.transport.name !== "websocket") await happens(engine, "upgrade");
    ok = true;
  } catch (error) {
    wrongs.push(error.message);
  }
  const transport = socket.io.engine?.transport?.name;
  socket.disconnect();
  console.log(JSON.stringify({ ok, transport, wrongs }));
};

const visits = [];
for await (const line of createInterface({ input: process.stdin })) {
  if (line === "end") break;
  visits.push(line.split(" "));
}
await Promise.all(
  Array.from({ length: Number(atOnce) }, async () => {
    for (let next; (next = visits.shift()); ) await visit(...next);
  }),
);
process.exit(0);
