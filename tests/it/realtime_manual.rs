//! Every example of `docs/realtime.md` is run as it stands.

use std::process::Command;

use serde_json::{Value, json};

use crate::support::hub::Hub;
use crate::support::livekit;
use crate::support::node::{Script, root};
use crate::support::realtime::{AUDIENCE, FakeLiveKit, ISSUER, NEVER, SECRET, World, token};

/// The fenced blocks of a language.
fn examples(language: &str) -> Vec<String> {
    let manual = std::fs::read_to_string(root().join("docs/realtime.md")).expect("the manual");
    manual.split(&format!("```{language}\n")).skip(1).map(|block| block.split("```").next().expect("an end").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_commands_of_the_manual_run() {
    let livekit = FakeLiveKit::start().await;
    let world = World::start(&livekit.env(), 1, &[NEVER]).await;
    let mut env = vec![("HUB", world.hubs[0].url()), ("TOKEN", token("ana"))];
    let examples = examples("sh");
    assert_eq!(examples.len(), 6, "each example has its fact here");
    for (example, pointer, expected) in [
        (&examples[0], "/object", "realtime.session"),
        (&examples[1], "/status", "created"),
        (&examples[2], "/object", "list"),
        (&examples[3], "/object", "realtime.session.deleted"),
    ] {
        let output = Command::new("sh").args(["-c", example]).envs(env.iter().map(|(name, value)| (*name, value))).output();
        let output = output.expect("sh and curl are installed");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        assert_eq!(answer.pointer(pointer), Some(&expected.into()), "{example}\nwas answered {answer}\n{output:?}");
        if let Some(id) = answer["id"].as_str() {
            env.push(("SESSION", id.to_owned()));
        }
    }
    // The settings, read and found whole.
    let exports: String =
        examples[4].lines().filter(|line| line.starts_with("export ")).map(|line| format!("{line}\n")).collect();
    let script = format!("{exports}exec {} check", env!("CARGO_BIN_EXE_convoke"));
    let output = Command::new("sh").args(["-c", &script]).env_clear().output().expect("it runs");
    let told = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(told.contains("JWKS_URL http://localhost:8085/realms/jan") && !told.contains("must be"), "{told}");

    let line = examples[5].trim().replacen("convoke ", "", 1);
    let words: Vec<&str> = line.split(' ').collect();
    let env = [("REALTIME_JWT_SECRET", SECRET), ("ISSUER", ISSUER), ("AUDIENCE", AUDIENCE)];
    let made = Hub::command(words[0], &env).args(&words[1..]).output().expect("it runs");
    let made = String::from_utf8(made.stdout).expect("text");
    let request = world.hubs[0].request(reqwest::Method::GET, "/v1/realtime/sessions").bearer_auth(made.trim());
    assert_eq!(request.send().await.expect("an answer").status(), 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_client_of_the_manual_joins_its_room() {
    let Some(server) = livekit::shared() else { return };
    let world = World::start(&server.env(), 1, &[("SESSION_CLEANUP_INTERVAL", "1s"), ("CORS_ORIGIN", "*")]).await;
    let examples = examples("js");
    assert_eq!(examples.len(), 1, "each example has its fact here");
    let constants = json!({"HUB": world.hubs[0].url(), "TOKEN": token("ana")}).to_string();
    let folder = tempfile::tempdir().expect("a temporary folder");
    let folder_name = folder.path().to_str().expect("a path of ours");
    let mut script = Script::node("page.mjs", &[&constants, &examples[0], folder_name]);
    script.expect("done").await;
    let list = world.get("/v1/realtime/sessions", "ana").await;
    let id = list.body["first_id"].as_str().expect("a session").to_owned();
    world
        .eventually("it is connected", async || {
            world.get(&format!("/v1/realtime/sessions/{id}"), "ana").await.body["status"] == "connected"
        })
        .await;
    script.terminate();
}
