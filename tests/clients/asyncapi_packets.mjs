// Compares packets that clients have recorded (record.mjs) with an AsyncAPI document. Prints `fault …` for each that does not fit,
// `unseen …` for each message of the document that did not occur, and fails if there is a fault.
//   node asyncapi_packets.mjs <document> <record>…
import { readFileSync } from "node:fs";
import Ajv from "ajv";

const [file, ...records] = process.argv.slice(2);
const document = JSON.parse(readFileSync(file, "utf8"));

// The hub ignores fields that it does not know. Here they are faults: a client of this run sends what the document names.
const close = (schema) => {
  if (schema === null || typeof schema !== "object") return;
  if (schema.properties && schema.additionalProperties === undefined && schema.type === "object") {
    schema.additionalProperties = false;
  }
  Object.values(schema).forEach(close);
};
close(document.components.schemas);
close(document.channels);

const ajv = new Ajv({ strict: false, allErrors: true, validateFormats: false });
ajv.addSchema(document, "document");
const seen = new Set();
let faults = 0;

const fault = (...words) => {
  faults += 1;
  console.log("fault", ...words);
};

const channels = new Map(Object.entries(document.channels).map(([id, channel]) => [channel.address, { id, ...channel }]));

const check = (packet, key, value) => {
  const channel = channels.get(packet.namespace);
  const message = channel?.messages[key];
  if (!message) return fault("unknown", packet.namespace, key, JSON.stringify(value));
  seen.add(`${channel.id} ${key}`);
  const validate = ajv.getSchema(`document#/channels/${channel.id}/messages/${key}/payload`);
  if (!validate(value)) {
    const why = validate.errors.map((error) => `${error.instancePath} ${error.message} ${JSON.stringify(error.params)}`);
    fault(packet.namespace, key, JSON.stringify(value), why.join("; "));
  }
};

const keyOf = (way, event) => `${way}.${event.replaceAll(":", ".")}`;
const OFFSET = /^[a-z]+:[A-Za-z0-9_.-]+\.[A-Za-z0-9_-]+\.\d+-\d+(\+\d+)?$/;

// What the hub sends: the payload, and an offset behind it where the document says so.
const told = (packet) => {
  const [event, payload, ...more] = packet.data;
  const channel = channels.get(packet.namespace);
  const delivery = document.operations[`${channel?.id}.${keyOf("send", event)}`]?.["x-delivery"];
  const most = delivery === "volatile" ? 0 : 1;
  if (more.length > most && event !== "live-transcript") fault(packet.namespace, event, "has too many arguments", JSON.stringify(more));
  if (delivery === "logged" && packet.recovers && more.length === 0 && !packet.mayBeVolatile) {
    fault(packet.namespace, event, "has no offset");
  }
  if (more.length > 0 && !OFFSET.test(more[0])) fault(packet.namespace, event, "has a strange offset", more[0]);
  check(packet, keyOf("send", event), payload);
};

// What a client sends is compared unless the hub has refused it.
const say = (packet) => {
  const [event, payload, ...more] = packet.data;
  if (more.length > 0) fault(packet.namespace, event, "was sent with more than one argument");
  check(packet, keyOf("receive", event), payload ?? {});
};

for (const record of records) {
  const asked = new Map();
  const unasked = [];
  let recovers = false;
  for (const line of readFileSync(record, "utf8").split("\n").filter(Boolean)) {
    const packet = JSON.parse(line);
    const sent = packet.way === "sent";
    if (packet.type === "CONNECT" && sent) check(packet, "receive.CONNECT", packet.data ?? {});
    else if (packet.type === "CONNECT") {
      recovers = packet.data.pid !== undefined;
      check(packet, "send.CONNECT", packet.data);
    } else if (packet.type === "CONNECT_ERROR") check(packet, "send.CONNECT_ERROR", packet.data);
    else if (packet.type === "EVENT" && sent && packet.id === undefined) unasked.push(packet);
    else if (packet.type === "EVENT" && sent) asked.set(packet.id, packet);
    else if (packet.type === "EVENT") {
      const [event, payload] = packet.data;
      // Before they are final these are volatile.
      const mayBeVolatile = event === "transcription" && payload.isFinal === false;
      told({ ...packet, recovers, mayBeVolatile });
      const refused = event === "error" ? unasked.findIndex(({ data }) => data[0] === payload.event) : -1;
      if (refused >= 0) unasked.splice(refused, 1);
    } else if (packet.type === "ACK" && !sent) {
      const question = asked.get(packet.id);
      asked.delete(packet.id);
      if (!question) fault("an acknowledgement of nothing", line);
      else {
        if (packet.data.length !== 1) fault("an acknowledgement with more than one argument", line);
        check(packet, keyOf("ack", question.data[0]), packet.data[0]);
        if (packet.data[0]?.ok) say(question);
      }
    }
  }
  [...asked.values(), ...unasked].forEach(say);
}

for (const { id, messages } of channels.values()) {
  for (const key of Object.keys(messages)) {
    if (!seen.has(`${id} ${key}`)) console.log("unseen", id, key);
  }
}
console.log("seen", seen.size);
process.exit(faults > 0 ? 1 : 0);
