// Writes tests/fixtures/protocol/vectors.json: packets as the official encoders write them, and messages with what the official
// decoders say of them. The tests hold the hub's parsers against that file, so that they need no Node.
//
//   cd scripts && npm install --no-save socket.io-parser@4 socket.io-msgpack-parser@3 && node make-protocol-vectors.mjs

import { writeFileSync } from "node:fs";
import * as text from "socket.io-parser";
import msgpack from "socket.io-msgpack-parser";

const CONNECT = 0, DISCONNECT = 1, EVENT = 2, ACK = 3, CONNECT_ERROR = 4;
const main = "/";
const bytes = (...list) => Buffer.from(list);
const long = (length) => "x".repeat(length);

// As a client or a server hands them to its encoder.
const packets = {
  "connect": { type: CONNECT, nsp: main },
  "connect with auth": { type: CONNECT, data: { token: "a.b.c", n: 1 }, nsp: main },
  "connect to another namespace": { type: CONNECT, data: { token: "é" }, nsp: "/interview" },
  "connect, undefined auth": { type: CONNECT, data: undefined, nsp: main },
  "disconnect": { type: DISCONNECT, nsp: main },
  "disconnect from another namespace": { type: DISCONNECT, nsp: "/interview" },
  "connect error": { type: CONNECT_ERROR, data: { message: "no", data: { code: "INVALID_TOKEN" } }, nsp: main },
  "event": { type: EVENT, data: ["hello"], nsp: main },
  "event as the client sends it": { type: EVENT, data: ["hello", { a: 1 }], options: { compress: true }, id: 3, nsp: main },
  "event with an ack": { type: EVENT, data: ["hello", {}, []], id: 0, nsp: main },
  "event of another namespace": { type: EVENT, data: ["hello", 1], id: 123, nsp: "/interview" },
  "event with a numeric name": { type: EVENT, data: [7, "x"], nsp: main },
  "large ack id": { type: EVENT, data: ["hello"], id: 4294967296, nsp: main },
  "integers": { type: EVENT, data: ["n", 0, 1, 127, 128, 255, 256, 65535, 65536, 4294967295, 4294967296, 9007199254740992,
    -1, -32, -33, -128, -129, -32768, -32769, -2147483648, -2147483649, -9007199254740992], nsp: main },
  "fractions": { type: EVENT, data: ["n", 0.1, -0.5, 14.599512345678901, 1e-6, 1.5e-7, 5e-324, 4503599627370495.5], nsp: main },
  "strings": { type: EVENT, data: ["s", "", "é", "日本", "😀", "\u0000\u0001\n\"\\/\u2028", long(31), long(32), long(255),
    long(256)], nsp: main },
  "containers": { type: EVENT, data: ["c", [], {}, Array(15).fill(0), Array(16).fill(0), Array(300).fill(0),
    Object.fromEntries(Array(20).fill(0).map((_, i) => ["k" + i, [{ i }]]))], nsp: main },
  "constants": { type: EVENT, data: ["b", true, false, null], nsp: main },
  "undefined": { type: EVENT, data: ["u", undefined, { a: undefined, b: 1, c: [undefined] }], nsp: main },
  "date": { type: EVENT, data: ["d", new Date(1732182543210), { at: new Date(-1) }], nsp: main },
  "attachment": { type: EVENT, data: ["bin", bytes(1, 2, 3)], nsp: main },
  "attachments": { type: EVENT, data: ["bin", bytes(), { a: [bytes(255), { b: Buffer.alloc(300, 7) }], num: 0 }], id: 5, nsp: "/x" },
  "ack": { type: ACK, data: [], id: 7, nsp: main },
  "ack with arguments": { type: ACK, data: [{ ok: true }, "x"], id: 8, nsp: "/interview" },
  "ack with an attachment": { type: ACK, data: [bytes(9)], id: 9, nsp: main },
};

// Messages that an official client would not send.
const strange = {
  text: [
    "", "x", "7", "9[]", "2", "21", "2[]", "2{}", "2{\"a\":1}", "2abc", "2[1", "2[\"a\"", "2[null]", "2[{}]", "2[true]", "2[[\"a\"]]",
    "2[\"connect\"]", "2[\"connect_error\"]", "2[\"disconnect\"]", "2[\"disconnecting\"]", "2[\"newListener\"]",
    "2[\"removeListener\"]", "2[\"error\"]", "2[\"a\"]x", "2[\"a\"] ", "2[\"a\",]", "2[\"a\",NaN]", "2[\"a\",01]", "2[\"a\",'b']",
    "2-1[\"a\"]", "2 [\"a\"]", "21.5[\"a\"]", "2/x[\"a\"]", "2/x,[\"a\"]", "2/x,1[\"a\"]", "0", "0{}", "0[]", "0\"a\"", "0null", "01", "0{",
    "0/x", "0/x,", "0/x,{\"a\":1}", "0/x?y=1,{}", "1", "1{}", "1[]", "1null", "1/x,", "1/x,{}", "3", "3[]", "31[]", "31{}", "31", "3a[]",
    "5[\"a\"]", "5-[\"a\"]", "5a-[\"a\"]", "51.5-[\"a\"]", "5-1-[\"a\"]", "511-[\"a\"]", "51-{}", "51-[]", "6", "61-1{}", "2[\"\\ud800\"]",
    "2[\"a\",\"\\x\"]", "2[\"a\",\"\u0001\"]",
  ],
  msgpack: [
    "", "c0", "80", "01", "93010203", "c1", "81a4747970650", "ff",
    ...[
      { type: 5, nsp: main, data: [] }, { type: -1, nsp: main }, { type: "2", nsp: main, data: ["a"] }, { type: 2.5, nsp: main, data: ["a"] },
      { type: 2, data: ["a"] }, { type: 2, nsp: 1, data: ["a"] }, { type: 2, nsp: null, data: ["a"] }, { type: 2, nsp: main },
      { type: 2, nsp: main, data: null }, { type: 2, nsp: main, data: {} }, { type: 2, nsp: main, data: "a" },
      { type: 2, nsp: main, data: ["a"], id: "1" }, { type: 2, nsp: main, data: ["a"], id: 1.5 }, { type: 2, nsp: main, data: ["a"], id: null },
      { type: 2, nsp: main, data: ["a"], id: undefined }, { type: 0, nsp: main, data: [] }, { type: 0, nsp: main, data: "a" },
      { type: 0, nsp: main, data: 1 }, { type: 1, nsp: main, data: {} }, { type: 1, nsp: main, data: [] }, { type: 3, nsp: main, id: 1 },
      { type: 3, nsp: main, id: 1, data: {} }, { type: 3, nsp: main, id: 1, data: [] }, { nsp: main, data: ["a"] },
    ].map((packet) => new msgpack.Encoder().encode(packet)[0].toString("hex")),
  ],
};

/** JSON as the hub has it: binary data as placeholders, numbered as they come. */
function canonical(data) {
  const attachments = [];
  const visit = (value) => {
    if (Buffer.isBuffer(value)) {
      return { _placeholder: true, num: attachments.push(value.toString("hex")) - 1 };
    }
    if (Array.isArray(value)) return value.map(visit);
    if (value instanceof Date || value === null || typeof value !== "object") return value;
    return Object.fromEntries(Object.entries(value).map(([key, value]) => [key, visit(value)]));
  };
  return { json: data === undefined ? null : JSON.stringify(visit(data)), attachments };
}

/** Attachments are replaced in place by the text encoder, hence the copy. */
const encoded = (parser, packet) =>
  new parser.Encoder().encode({ ...packet }).map((part) => (typeof part === "string" ? { text: part } : { hex: part.toString("hex") }));

function decodes(parser, message) {
  try {
    let decoded = false;
    const decoder = new parser.Decoder();
    decoder.on("decoded", () => (decoded = true));
    decoder.add(message);
    return decoded;
  } catch {
    return false;
  }
}

const vectors = {
  packets: Object.entries(packets).map(([name, packet]) => ({
    name,
    type: packet.type,
    nsp: packet.nsp,
    id: packet.id ?? null,
    ...canonical(packet.data),
    text: encoded(text, packet),
    msgpack: encoded(msgpack, packet),
  })),
  strange: {
    text: strange.text.map((message) => ({ message, decodes: decodes(text, message) })),
    msgpack: strange.msgpack.map((message) => ({ message, decodes: decodes(msgpack, Buffer.from(message, "hex")) })),
  },
};
writeFileSync(new URL("../tests/fixtures/protocol/vectors.json", import.meta.url), JSON.stringify(vectors, null, 1) + "\n");
