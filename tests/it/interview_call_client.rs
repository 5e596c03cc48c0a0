//! The call of an interview with the official client in its default configuration, behind a balancer that is not sticky: code as it
//! is written for the service of old, which knows no acknowledgements.

use serde_json::{Value, json};

use crate::interviews_world::{CANDIDATE, MANY_ADDRESSES, ORG, create, recruiter};
use crate::support::booking::World;
use crate::support::haproxy::HaProxy;
use crate::support::hub::Hub;
use crate::support::node::{Script, root};

const CLIENT: &str = r#"
import { io } from "socket.io-client";
const [heard, waiting] = [[], []];
const note = (who, event) => (payload) => {
  heard.push({ who, event, payload });
  for (const look of waiting.splice(0)) look();
};
const until = async (what, fits) => {
  const deadline = Date.now() + 40000;
  for (;;) {
    const found = heard.find(({ who, event, payload }) => fits(who, event, payload));
    if (found) return found.payload;
    if (Date.now() > deadline) throw new Error(`never: ${what}; ${JSON.stringify(heard)}`);
    await Promise.race([new Promise((look) => waiting.push(look)), new Promise((later) => setTimeout(later, 200))]);
  }
};
const peer = (who, role, identity, auth) => {
  const socket = io(`${url}/interview`, { ...(auth ? { auth } : {}), forceNew: true, reconnectionDelay: 50 });
  for (const event of ["presence:update", "call:ready", "offer", "answer", "iceCandidate", "chat:message", "error", "connect_error"]) {
    socket.on(event, note(who, event));
  }
  socket.on("connect", () => socket.emit("joinRoom", { interviewId, role, identity }));
  socket.on("offer", ({ payload }) => socket.emit("answer", { interviewId, payload: { type: "answer", of: payload.sdp } }));
  return socket;
};
const identities = (sockets) => sockets.map(({ identity, role }) => `${role}:${identity}`).sort().join(" ");
const both = ["candidate:cand-1", "interviewer:rita"].join(" ");

const candidate = peer("candidate", "candidate", "cand-1", tokens.candidate && { token: tokens.candidate });
await until("alone", (who, event, payload) => who === "candidate" && event === "presence:update" && payload.length === 1);
const interviewer = peer("interviewer", "interviewer", "rita", tokens.interviewer && { token: tokens.interviewer });
for (const side of ["candidate", "interviewer"]) {
  await until("both", (who, event, payload) => who === side && event === "presence:update" && identities(payload) === both);
  const ready = await until("ready", (who, event) => who === side && event === "call:ready");
  if (ready.interviewId !== interviewId) throw new Error(JSON.stringify(ready));
}
console.log("ready");
interviewer.emit("offer", { interviewId, payload: { type: "offer", sdp: "v=0" } });
console.log("offer", JSON.stringify(await until("offer", (who, event) => who === "candidate" && event === "offer")).replace(interviewer.id, "<interviewer>"));
console.log("answer", JSON.stringify(await until("answer", (who, event) => who === "interviewer" && event === "answer")).replace(candidate.id, "<candidate>"));
candidate.emit("iceCandidate", { interviewId, payload: new Uint8Array([0, 1, 255]) });
console.log("iceCandidate", [...(await until("ice", (who, event) => who === "interviewer" && event === "iceCandidate")).payload].join());
candidate.emit("chat:message", { interviewId, text: "hello ☂" });
console.log("chat", (await until("chat", (who, event) => who === "interviewer" && event === "chat:message")).text);
interviewer.emit("leaveRoom", { interviewId });
await until("gone", (who, event, payload) => who === "candidate" && event === "presence:update" && payload.length === 1 && heard.findIndex((one) => one.payload === payload) > 1);
candidate.disconnect();
console.log("errors", heard.filter(({ event }) => event === "error" || event === "connect_error").length);
process.exit();
"#;

async fn run(url: &str, interview: &str, tokens: Value) -> Vec<String> {
    let (url, interview) = (Value::from(url), Value::from(interview));
    let code = format!("const url = {url}, interviewId = {interview}, tokens = {tokens};\n{CLIENT}");
    let (mut script, mut said) = (Script::node_code(&code), Vec::new());
    while let Some(line) = script.line().await {
        said.push(line);
    }
    said
}

#[tokio::test]
async fn code_for_the_service_of_old_runs_with_a_token_and_where_signalling_is_open_without_one() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES, ("INTERVIEW_OPEN_SIGNALLING", "true")]).await else { return };
    let ports: Vec<u16> = world.hubs.iter().map(|hub| hub.address.port()).collect();
    let balancer = HaProxy::start(&ports);
    let url = format!("http://127.0.0.1:{}", balancer.port);
    let expected = [
        "ready",
        r#"offer {"socketId":"<interviewer>","payload":{"type":"offer","sdp":"v=0"}}"#,
        r#"answer {"socketId":"<candidate>","payload":{"type":"answer","of":"v=0"}}"#,
        "iceCandidate 0,1,255",
        "chat hello ☂",
        "errors 0",
    ];
    assert_eq!(CANDIDATE, "cand-1");
    for has_tokens in [true, false] {
        let interview = create(&world, json!({})).await;
        let interviewer = recruiter("interviewer", "rita", Some(ORG));
        let tokens = if has_tokens { json!({"candidate": interview.token, "interviewer": interviewer}) } else { json!({}) };
        assert_eq!(run(&url, &interview.id, tokens).await, expected, "with tokens: {has_tokens}");
    }
}

/// The first code in JavaScript of a document.
fn code_of(document: &str) -> String {
    let text = std::fs::read_to_string(root().join("docs").join(document)).expect("the document");
    let (_, code) = text.split_once("```js\n").expect("code");
    code.split_once("```").expect("its end").0.to_owned()
}

const PAGE: &str = r#"
const once = (peer, event, fits = () => true) => new Promise((resolve) => peer.on(event, (value) => fits(value) && resolve(value)));
const ada = call(urls[0], tokens[0], interviewId, "candidate");
await once(ada, "presence:update");
const rita = call(urls[1], tokens[1], interviewId.toUpperCase(), "interviewer");
const offered = once(ada, "offer");
const [, sockets] = await Promise.all([once(rita, "call:ready"), once(rita, "presence:update", (sockets) => sockets.length === 2)]);
await rita.signal("offer", { sdp: "v=0" }, sockets.find(({ role }) => role === "candidate").socketId);
console.log("offer", JSON.stringify((await offered).payload));
const said = once(rita, "chat:message");
await ada.say("hello");
console.log("said", (await said).text, (await rita.history()).messages.length);
const written = once(rita, "editor:update");
console.log("version", (await ada.edit("let x = 1;", 1)).version, (await written).update);
console.log("conflict", await rita.edit("let x = 2;", 1).catch(({ code, update, version }) => `${code} ${version} ${update}`));
const shown = once(ada, "screen:share");
await rita.share(true);
console.log("shown", (await shown).active);
const alone = once(ada, "presence:update", (sockets) => sockets.length === 1);
await rita.leave();
console.log("alone", (await alone)[0].identity, await rita.say("x").catch(({ code }) => code));
ada.close();
process.exit();
"#;

#[tokio::test]
async fn the_client_of_the_document_runs() {
    let Some(world) = World::start(2, &[MANY_ADDRESSES]).await else { return };
    let interview = create(&world, json!({})).await;
    let tokens = json!([interview.token, recruiter("interviewer", "rita", Some(ORG))]);
    let urls: Vec<_> = world.hubs.iter().map(Hub::url).collect();
    let code = code_of("interviews-call.md").replace("export function", "function");
    let head = format!("const urls = {}, interviewId = {}, tokens = {tokens};", json!(urls), json!(interview.id));
    let (mut script, mut said) = (Script::node_code(&format!("{code}\n{head}\n{PAGE}")), Vec::new());
    while let Some(line) = script.line().await {
        said.push(line);
    }
    let expected = [
        r#"offer {"sdp":"v=0"}"#,
        "said hello 1",
        "version 1 let x = 1;",
        "conflict VERSION_CONFLICT 1 let x = 1;",
        "shown true",
        "alone cand-1 NOT_IN_ROOM",
    ];
    assert_eq!(said, expected);
}
