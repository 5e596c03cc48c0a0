import { readFileSync } from "node:fs";
import { join } from "node:path";
import ts from "typescript";
import { expect, it } from "vitest";

const root = join(import.meta.dirname, "..");
/** What the examples take for granted. */
const GIVEN = `
  declare const url: string, secret: string, sosId: string, interviewId: string, joinToken: string;
  declare const getToken: () => Promise<string>;
  ${["show", "list", "add", "undo", "ask", "showAll", "resume"].map((name) => `declare function ${name}(...things: unknown[]): void;`).join("\n")}
`;

it("every example of the README fits the types", { timeout: 60_000 }, () => {
  const readme = readFileSync(join(root, "README.md"), "utf8");
  // Blocks of one section are one program.
  const programs = readme.split(/^## /m).map((section) => [...section.matchAll(/```[jt]s\n([\s\S]*?)```/g)].map(([, code]) => code).join("\n")).filter((code) => code !== "");
  expect(programs).toHaveLength(4);
  const files = new Map(programs.map((code, index) => [join(root, "test", `readme-${index}.ts`), `${code}\nexport {};${GIVEN}`]));
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022, module: ts.ModuleKind.NodeNext, lib: ["lib.es2023.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"], types: [], strict: true, noEmit: true, skipLibCheck: true,
    paths: Object.fromEntries(["", "/incidents", "/interviews", "/rest"].map((entry) => [`@convoke/client${entry}`, [join(root, `src${entry}/index.ts`)]])),
  };
  const host = ts.createCompilerHost(options);
  const { getSourceFile, fileExists, readFile } = host;
  host.fileExists = (name) => files.has(name) || fileExists(name);
  host.readFile = (name) => files.get(name) ?? readFile(name);
  host.getSourceFile = (name, ...more) => {
    const code = files.get(name);
    return code === undefined ? getSourceFile(name, ...more) : ts.createSourceFile(name, code, ts.ScriptTarget.ES2022);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  const complaints = ts.getPreEmitDiagnostics(program).map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, "\n"));
  expect(complaints).toEqual([]);
});
