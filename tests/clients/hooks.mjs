// Calls the functions of `interview-api.mjs` as a page does.
//   node hooks.mjs <hub url> <token>
// Takes lines of JSON `[function, …arguments]`, and says for each `{"returned": …}`, `{"thrown": …}` for what was thrown as
// data, or `{"error": message}` for a real error.
import { createInterface } from "node:readline";
import { signIn } from "./supabase-client.mjs";

const [url, token] = process.argv.slice(2);
// Read once, when the module is loaded.
process.env.NEXT_PUBLIC_API_URL = url;
const { interviewApi } = await import("./interview-api.mjs");
signIn(token);

for await (const line of createInterface({ input: process.stdin })) {
  const [name, ...args] = JSON.parse(line);
  let outcome;
  try {
    outcome = { returned: await interviewApi[name](...args) };
  } catch (thrown) {
    outcome = thrown instanceof Error ? { error: thrown.message } : { thrown };
  }
  console.log(JSON.stringify(outcome));
}
