//! Every example of the README is run as it stands; only addresses and secrets are put in.

use std::path::Path;
use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

use super::support::booking::{SESSIONS_SECRET, World};
use super::support::client::Client;
use super::support::hub::{Hub, SECRET, listening};
use super::support::node::{Script, root};
use super::support::process::Process;
use super::support::redis::Server;

fn readme() -> String {
    std::fs::read_to_string(root().join("README.md")).expect("a README")
}

/// The fenced blocks of a language.
fn fenced(language: &str) -> Vec<String> {
    let (readme, start) = (readme(), format!("```{language}\n"));
    let blocks = readme.split(&start).skip(1);
    blocks.map(|block| block.split("```").next().expect("an end").to_owned()).collect()
}

/// The indented command lines that begin like this or with variables before it.
fn commands(program: &str) -> Vec<String> {
    let is_it = |line: &&str| line.starts_with("    ") && line.split(' ').any(|word| word == program);
    readme().lines().filter(is_it).map(|line| line.trim().to_owned()).collect()
}

/// A command of the README: `…` stands for secrets.
fn shell(line: &str, secret: &str) -> Command {
    let bin = Path::new(env!("CARGO_BIN_EXE_convoke")).parent().expect("a folder");
    let path = format!("{}:{}", bin.display(), std::env::var("PATH").unwrap_or_default());
    let mut command = Command::new("sh");
    command.args(["-c", &format!("exec env {}", line.replace('…', &format!("'{secret}'")))]);
    command.env_clear().env("PATH", path).stdin(Stdio::null());
    command
}

/// An incident `demo-1` on a hub, with a citizen in it, and a rescuer's token.
async fn demo() -> (Hub, Client, String) {
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("demo-1", "c1").await;
    let citizen = Client::connect(&hub.url(), json!({"token": hub.token("citizen", "c1", &["demo-1"])})).await;
    let token = hub.token("rescuer", "readme", &["demo-1"]);
    (hub, citizen, token)
}

/// Sends positions until the script has printed one.
async fn walk(citizen: &Client, script: &mut Script, expected: &str) {
    let mut step = 0;
    let walking = async {
        loop {
            step += 1;
            citizen.ask_ok("location:update", json!({"latitude": 14.5, "longitude": 121, "accuracy": step})).await;
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    };
    tokio::select! {
        _ = script.expect(expected) => {}
        () = walking => {}
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_javascript_example_runs() {
    let blocks = fenced("js");
    assert_eq!(blocks.len(), 2, "each example has a test");
    let (hub, citizen, token) = demo().await;
    let code = blocks[0].replace("http://localhost:3000", &hub.url());
    assert!(code.contains(&hub.url()));
    let code = format!("const token = {};\n{code}\nconsole.log('answered', JSON.stringify(answer));\n", Value::from(token));
    let mut script = Script::node_code(&code);
    script.expect("active").await;
    let answer: Value = serde_json::from_str(&script.expect("answered ").await).expect("JSON");
    assert_eq!((&answer["ok"], &answer["data"]["citizenId"]), (&json!(true), &json!("c1")));
    walk(&citizen, &mut script, "c1 14.5 121").await;
}

#[path = "../../examples/chat.rs"]
#[allow(dead_code, reason = "its main is not run here")]
mod chat;

/// Two clients in a room. One of them loses its link, and comes back after the other has said something.
const CHAT: &str = r#"
import { io } from "socket.io-client";
const connect = (name) => {
  const socket = io(url, { auth: { name }, query: { recovery: 1 }, transports: ["websocket"], reconnection: false });
  socket.on("connect", () => console.log(name, "connected", socket.recovered));
  socket.onAny((event, ...args) => console.log(name, event, JSON.stringify(args.slice(0, { said: 3, error: 1 }[event] ?? 2))));
  return socket;
};
const heard = (socket, event) => new Promise((resolve) => socket.once(event, resolve));
const nameless = io(url, { auth: { name: "" }, forceNew: true, reconnection: false });
nameless.on("connect_error", (error) => console.log("nameless", error.message));
const [ann, bob] = [connect("ann"), connect("bob")];
console.log("ann found", JSON.stringify(await ann.emitWithAck("join", "lobby")));
console.log("bob found", JSON.stringify((await bob.emitWithAck("join", "lobby")).sort()));
const hello = heard(bob, "said");
console.log("heard by", await ann.emitWithAck("say", "lobby", "hello"));
await hello;
bob.io.engine.transport.ws.terminate();
await heard(ann, "away");
console.log("heard by", await ann.emitWithAck("say", "lobby", "are you there?"));
bob.connect();
await heard(bob, "said");
const welcome = heard(bob, "said");
console.log("heard by", await ann.emitWithAck("say", "lobby", "welcome back"));
await welcome;
bob.disconnect();
await heard(ann, "away");
ann.emit("say", "no room", "x");
ann.on("error", () => process.exit());
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_chat_of_the_examples_runs_alone_and_its_clients_miss_nothing() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}", listener.local_addr().expect("a bound listener"));
    tokio::spawn(chat::serve(listener));
    let mut script = Script::node_code(&format!("const url = {};\n{CHAT}", Value::from(url)));
    let mut said = Vec::new();
    while let Some(line) = script.line().await {
        said.push(line);
    }
    let of = |who: &str| said.iter().filter_map(|line| line.strip_prefix(who)).map(str::trim).collect::<Vec<_>>();
    assert_eq!(of("nameless"), ["a name, please"]);
    assert_eq!(
        of("ann "),
        [
            "connected false",
            r#"found ["ann"]"#,
            r#"joined ["lobby","bob"]"#,
            r#"away ["lobby","bob"]"#,
            r#"away ["lobby","bob"]"#,
            r#"error [{"code":"INVALID_PAYLOAD","event":"say","message":"no such room"}]"#,
        ]
    );
    assert_eq!(
        of("bob "),
        [
            "connected false",
            r#"found ["ann","bob"]"#,
            r#"said ["lobby","ann","hello"]"#,
            "connected true",
            r#"said ["lobby","ann","are you there?"]"#,
            r#"said ["lobby","ann","welcome back"]"#,
        ]
    );
    assert_eq!(of("heard by"), ["1", "0", "1"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_example_of_interview_sessions_runs() {
    let Some(world) = World::start(1, &[]).await else { return };
    let user = world.user().await;
    let code = fenced("js")[1].replace("http://localhost:3000", &world.hubs[0].url());
    assert!(code.contains(&world.hubs[0].url()));
    let told = "console.log('told', JSON.stringify({ error, id: session?.id, wsUrl: livekit?.wsUrl }));";
    let code = format!("const token = {};\n{code}\n{told}", Value::from(world.token(user)));
    let run = async || serde_json::from_str::<Value>(&Script::node_code(&code).expect("told ").await).expect("JSON");
    let started = run().await;
    assert_eq!(world.status(started["id"].as_str().expect("an id")).await, "active", "{started}");
    assert!(started["wsUrl"].as_str().is_some_and(|url| url.starts_with("ws://")), "{started}");
    assert_eq!(run().await, json!({"error": "ACTIVE_SESSION_EXISTS"}));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_python_example_runs() {
    let blocks = fenced("python");
    assert_eq!(blocks.len(), 1, "each example has a test");
    let (hub, citizen, token) = demo().await;
    let code = blocks[0].replace("http://localhost:3000", &hub.url());
    assert!(code.contains(&hub.url()));
    // Its threads print at the same time; a line is written in one piece, so that they do not mix.
    let print = r#"print = lambda *words: __import__("sys").stdout.write(" ".join(map(str, words)) + "\n")"#;
    let mut script = Script::python_code(&format!("{print}\ntoken = {}\n{code}", Value::from(token)));
    let answer = script.expect("{'ok': True").await;
    assert!(answer.contains("'citizenId': 'c1'"), "{answer}");
    walk(&citizen, &mut script, "c1 14.5 121").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_the_example_opens_the_hub() {
    let token = minted(0, SECRET);
    let hub = Hub::on_shared_redis(&[]).await;
    hub.create_sos("s1", "c1").await;
    let mut rescuer = Client::connect(&hub.url(), json!({"token": token})).await;
    assert_eq!(rescuer.wait("sos:state").await["sosId"], "s1");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_of_the_example_opens_the_interview_sessions() {
    let Some(world) = World::start(1, &[]).await else { return };
    let request = world.hubs[0].request(reqwest::Method::GET, "/api/interviews/eligibility");
    let answer = request.bearer_auth(minted(1, SESSIONS_SECRET)).send().await.expect("an answer");
    assert_eq!(answer.status(), 200);
    // Its user is nobody here yet.
    assert_eq!(answer.json::<Value>().await.expect("JSON")["reason"], "USER_NOT_FOUND");
}

/// What the README's command for a token prints, the first or the second.
fn minted(which: usize, secret: &str) -> String {
    let lines: Vec<String> = commands("token").into_iter().filter(|line| line.contains("convoke")).collect();
    assert_eq!(lines.len(), 2, "each example has a test");
    let Output { status, stdout, stderr } = shell(&lines[which], secret).output().expect("a shell");
    assert!(status.success(), "{}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).expect("text").trim().to_owned()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_starts_as_shown() {
    let lines: Vec<String> = commands("serve").into_iter().filter(|line| line.contains("REDIS_URL")).collect();
    assert_eq!(lines.len(), 1);
    // Without CLUSTER_SECRET it must be the only node.
    let redis = Server::start(&[]);
    let line = lines[0].replace("redis://localhost:6379", &redis.url());
    assert!(line.contains(&redis.url()));
    let mut command = shell(&line.replacen("JWT_SECRET", "HOST=127.0.0.1 PORT=0 METRICS_PORT=0 JWT_SECRET", 1), SECRET);
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut node = Process::start(command);
    let log = std::io::BufReader::new(node.child().stderr.take().expect("a pipe"));
    let said = tokio::task::spawn_blocking(|| {
        let mut lines = std::io::BufRead::lines(log).map_while(Result::ok);
        let address = lines.find_map(|line| listening(&line));
        // Read on, or the node would block at a full pipe.
        std::thread::spawn(|| lines.for_each(drop));
        address
    });
    let address = format!("http://{}", said.await.expect("no panic").expect("an address"));
    super::support::eventually("it is ready", || {
        let url = format!("{address}/readyz");
        tokio::task::block_in_place(|| {
            tokio::runtime::Handle::current()
                .block_on(async { reqwest::get(url).await.is_ok_and(|answer| answer.status() == 200) })
        })
    })
    .await;
}

#[test]
fn each_make_target_that_is_named_exists() {
    let makefile = std::fs::read_to_string(root().join("Makefile")).expect("a Makefile");
    let targets: Vec<String> = readme().lines().filter_map(|line| line.strip_prefix("    make ")).map(str::to_owned).collect();
    assert!(!targets.is_empty());
    for line in targets {
        let target = line.split(' ').next().expect("a word");
        assert!(makefile.lines().any(|rule| rule.starts_with(&format!("{target}:"))), "make {target}");
    }
}
