// Judges an OpenAPI document and answers that a hub gave. Reads {document, answers: [{operation, status, media, body}]} from the file that
// its argument names, and prints one line for each thing that is wrong.
//
// The document is judged by the official schema of OpenAPI 3.1 and by openapi-typescript, each answer by the schema that the document
// has for it.

import { readFileSync } from "node:fs";
import { Validator } from "@seriousme/openapi-schema-validator";
import Ajv2020 from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import openapiTS, { astToString } from "openapi-typescript";

const text = readFileSync(process.argv[2], "utf8");
const { document, answers } = JSON.parse(text);
const wrong = [];

const { valid, errors } = await new Validator().validate(structuredClone(document));
if (!valid) wrong.push(...[errors].flat().map((error) => `the document: ${JSON.stringify(error)}`));

for (const stream of ["warn", "error"]) {
  console[stream] = (...words) => wrong.push(`openapi-typescript: ${words.join(" ")}`);
}
if (!astToString(await openapiTS(structuredClone(document))).includes("export interface paths")) {
  wrong.push("openapi-typescript made no paths");
}

const ajv = new Ajv2020({ strict: false, allErrors: true, validateFormats: true });
addFormats(ajv);
ajv.addFormat("binary", true);
for (const width of ["uint", "uint8", "uint32", "uint64", "int64", "double"]) ajv.addFormat(width, true);
ajv.addSchema(document, "document");

const checks = new Map();
const escape = (part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1"));
const operations = new Map();
for (const [path, methods] of Object.entries(document.paths)) {
  for (const [method, operation] of Object.entries(methods)) operations.set(operation.operationId, [path, method, operation]);
}
for (const { operation: id, status, media, body } of answers) {
  const [path, method, operation] = operations.get(id) ?? [];
  const response = operation?.responses[status];
  if (!response) {
    wrong.push(`${id} answered ${status}, of which the document knows nothing: ${JSON.stringify(body)}`);
    continue;
  }
  const contents = Object.keys(response.content ?? {});
  if (!contents.length && media === null) continue;
  if (!contents.includes(media)) {
    wrong.push(`${id} ${status} came as ${media}, the document knows ${contents.join(", ") || "no body"}`);
    continue;
  }
  if (body === null && media !== "application/json") continue;
  const at = ["paths", path, method, "responses", String(status), "content", media, "schema"].map(escape).join("/");
  if (!checks.has(at)) checks.set(at, ajv.compile({ $ref: `document#/${at}` }));
  const check = checks.get(at);
  if (!check(body)) wrong.push(`${id} ${status}: ${ajv.errorsText(check.errors)}: ${JSON.stringify(body).slice(0, 500)}`);
}
process.stdout.write(wrong.map((line) => `${line}\n`).join(""));
