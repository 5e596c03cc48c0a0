// Reads an AsyncAPI document with the official parser, and prints each diagnostic on a line. Fails if there is one.
//   node asyncapi_parse.mjs <file>
import { readFile } from "node:fs/promises";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(await readFile(process.argv[2], "utf8"));
for (const { code, severity, path, message } of diagnostics) {
  console.log("diagnostic", severity, code, path.join("/"), message);
}
if (!document || diagnostics.length > 0) process.exit(1);
console.log("channels", document.channels().all().map((channel) => channel.address()).sort().join(" "));
console.log("operations", document.operations().all().length);
