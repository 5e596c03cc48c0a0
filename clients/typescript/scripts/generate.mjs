// Writes the types of src/generated from the documents of a hub.
//
//   node scripts/generate.mjs <hub>            http://localhost:3000: asks for /openapi.json and /asyncapi.json
//   node scripts/generate.mjs <hub> --check    writes nothing; exits with 1 when the types are not what the hub says now (words in comments may differ)

import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import openapiTS, { astToString, stringToAST } from "openapi-typescript";

/** What the channels are called here, by the name of their namespace. Others (an operator's) have no types. */
const CHANNELS = { "/": "Incidents", "/interview": "Interviews" };
const BYTES = stringToAST("type Bytes = ArrayBuffer | ArrayBufferView | Blob;")[0].type;
const HEAD = (document) => `/**
 * Made from ${document} of a hub by scripts/generate.mjs. Not to be edited.
 */

`;
const folder = fileURLToPath(new URL("../src/generated/", import.meta.url));

/** The types of a document. Schemas with default values are not taken for required ones: clients may leave them out. */
async function types(document) {
  // Bytes go beside the JSON, as they are.
  const transform = (schema) => (schema["x-binary"] === true ? BYTES : undefined);
  return astToString(await openapiTS(document, { defaultNonNullable: false, alphabetize: true, transform }));
}

/** Follows references within the document. */
function resolve(document, node) {
  let at = node;
  while (at && typeof at.$ref === "string") {
    at = at.$ref.slice(2).split("/").reduce((value, key) => value?.[key.replaceAll("~1", "/").replaceAll("~0", "~")], document);
  }
  return at;
}

const object = (properties) => ({ type: "object", additionalProperties: false, required: Object.keys(properties), properties });

/** The acknowledgement of success: those of the alternatives that do not say `ok: false`. */
function success(document, payload) {
  const alternatives = resolve(document, payload)?.oneOf ?? [payload];
  const good = alternatives.filter((one) => resolve(document, one)?.properties?.ok?.const !== false);
  return good.length === 1 ? good[0] : { oneOf: good };
}

/** An interface for what is heard and one for what is said in each channel, as schemas of a document that the other generator reads. */
function asSchemas(asyncapi) {
  const schemas = { ...asyncapi.components.schemas };
  const names = [];
  for (const [id, channel] of Object.entries(asyncapi.channels)) {
    const name = CHANNELS[channel.address];
    if (name === undefined) continue;
    const [hears, says] = [{}, {}];
    const codes = new Set();
    for (const operation of Object.values(asyncapi.operations)) {
      if (resolve(asyncapi, operation.channel) !== channel) continue;
      for (const code of operation["x-codes"] ?? []) codes.add(code);
      for (const message of operation.messages.map((one) => resolve(asyncapi, one))) {
        if (message["x-packet"] !== "EVENT") continue;
        const described = { description: message.description };
        if (operation.action === "send") {
          hears[message.name] = { allOf: [message.payload], ...described };
        } else {
          const ack = operation.reply?.messages.map((one) => resolve(asyncapi, one)) ?? [];
          says[message.name] = {
            ...object({ payload: message.payload, ack: ack.length === 0 ? {} : success(asyncapi, ack[0].payload) }), ...described,
          };
        }
      }
    }
    // The official client has words of its own for this one; here it comes by `onFailure`.
    delete hears.error;
    schemas[`${name}Hears`] = object(hears);
    schemas[`${name}Says`] = object(says);
    schemas[`${name}Code`] = { type: "string", enum: [...codes].sort(), description: `A code of ${asyncapi.channels[id].title ?? name}.` };
    names.push(`${name}Hears`, `${name}Says`, `${name}Code`);
  }
  return { schemas: used(schemas, names), names };
}

/** The schemas that these need, and no other. */
function used(schemas, names) {
  const found = new Set();
  const look = (node) => {
    if (node === null || typeof node !== "object") return;
    if (typeof node.$ref === "string") need(node.$ref.split("/").at(-1));
    Object.values(node).forEach(look);
  };
  const need = (name) => {
    if (found.has(name)) return;
    found.add(name);
    look(schemas[name]);
  };
  names.forEach(need);
  return Object.fromEntries([...found].map((name) => [name, schemas[name]]));
}

async function events(asyncapi) {
  const { schemas, names } = asSchemas(asyncapi);
  const text = await types({ openapi: "3.1.0", info: { title: "events", version: "1" }, paths: {}, components: { schemas } });
  const own = names.map((name) => `export ${name.endsWith("Code") ? `type ${name} = components["schemas"]["${name}"];` : `interface ${name} extends Schema<"${name}"> {}`}`);
  return `${text}\ntype Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];\n${own.join("\n")}\n`;
}

async function read(hub, path) {
  const response = await fetch(new URL(path, hub), { signal: AbortSignal.timeout(10_000) });
  if (!response.ok) throw new Error(`${path}: ${response.status}`);
  return response.json();
}

const [hub, mode] = process.argv.slice(2);
if (hub === undefined) throw new Error("usage: node scripts/generate.mjs <hub> [--check]");
const files = {
  "openapi.ts": HEAD("/openapi.json") + await types(await read(hub, "/openapi.json")),
  "events.ts": HEAD("/asyncapi.json") + await events(await read(hub, "/asyncapi.json")),
};
const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\/\s*/g, "");
let different = 0;
for (const [name, text] of Object.entries(files)) {
  const old = await readFile(folder + name, "utf8").catch(() => "");
  if (old === text || (mode === "--check" && withoutComments(old) === withoutComments(text))) continue;
  different += 1;
  if (mode === "--check") console.error(`src/generated/${name} is not what the hub says: npm run generate -- <hub>`);
  else await writeFile(folder + name, text);
}
console.log(different === 0 ? "nothing has changed" : `${different} changed`);
process.exitCode = mode === "--check" && different > 0 ? 1 : 0;
