// Writes every packet of a client, in both directions, as JSON lines into a file.
import { appendFileSync } from "node:fs";

const TYPES = ["CONNECT", "DISCONNECT", "EVENT", "ACK", "CONNECT_ERROR", "EVENT", "ACK"];

export const record = (manager, file) => {
  const note = (way, { type, nsp, id, data }) =>
    appendFileSync(file, JSON.stringify({ way, namespace: nsp, type: TYPES[type], id, data }) + "\n");
  manager.on("packet", (packet) => note("received", packet));
  const send = manager._packet.bind(manager);
  manager._packet = (packet) => {
    note("sent", packet);
    send(packet);
  };
};
