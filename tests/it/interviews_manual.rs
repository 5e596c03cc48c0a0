//! Every example of `docs/interviews.md` is run as it stands, one after the other.

use std::process::Command;

use serde_json::{Value, json};

use crate::interviews_world::{create, recruiter};
use crate::support::booking::World;
use crate::support::hub::INTERNAL;
use crate::support::node::{Script, root};

/// The fenced blocks of a language.
fn examples(language: &str) -> Vec<String> {
    let manual = std::fs::read_to_string(root().join("docs/interviews.md")).expect("the manual");
    manual.split(&format!("```{language}\n")).skip(1).map(|block| block.split("```").next().expect("an end").to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_examples_run() {
    let Some(world) = World::start(1, &[]).await else { return };
    let mut env = vec![
        ("HUB", world.hubs[0].url()),
        ("INTERNAL", INTERNAL.to_owned()),
        ("RECRUITER", recruiter("recruiter", "r-1", Some("org-1"))),
    ];
    let examples = examples("sh");
    assert_eq!(examples.len(), 6, "each example has its fact here");
    let facts = [
        // What the answer is checked for, and what the next ones take from it.
        ("/status", "\"SCHEDULED\"", &[("INTERVIEW", "id"), ("JOIN_TOKEN", "joinToken")][..]),
        ("/wsUrl", "\"ws://", &[]),
        ("/expiresAt", "\"20", &[("INVITE", "inviteId")]),
        ("", "null", &[]),
        ("/responses", "[]", &[]),
        ("/status", "\"COMPLETED\"", &[]),
    ];
    for (example, (pointer, begin, taken)) in examples.iter().zip(facts) {
        let output = Command::new("sh").args(["-c", example]).envs(env.iter().map(|(name, value)| (*name, value))).output();
        let output = output.expect("sh and curl are installed");
        let answer: Value = serde_json::from_slice(&output.stdout).unwrap_or(Value::Null);
        let found = answer.pointer(pointer).unwrap_or(&Value::Null).to_string();
        assert!(output.status.success() && found.starts_with(begin), "{example}\nwas answered {answer}\n{output:?}");
        for (name, field) in taken {
            env.push((name, answer[field].as_str().expect("a text").to_owned()));
        }
    }
    let revoked = world.value("SELECT count(*) FROM convoke.invites WHERE revoked_at IS NOT NULL").await;
    assert_eq!(revoked, "1");
}

/// The clients of the manual, at the same time: a candidate that answers all questions, and a recruiter who looks on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_clients_of_the_manual_run() {
    let Some(world) = World::start(1, &[]).await else { return };
    let interview = create(&world, json!({})).await;
    let examples = examples("js");
    assert_eq!(examples.len(), 2, "each example has its fact here");
    let values = [
        ("HUB", world.hubs[0].url()),
        ("JOIN_TOKEN", interview.token.clone()),
        ("INTERVIEW", interview.id.clone()),
        ("RECRUITER", recruiter("recruiter", "r-1", Some("org-1"))),
    ];
    let constants: String = values.iter().map(|(name, value)| format!("const {name} = {};\n", json!(value))).collect();
    let run = |example: &str| Script::node_code(&format!("import {{ io }} from \"socket.io-client\";\n{constants}{example}"));
    let mut watching = run(&examples[1]);
    watching.expect("Ada Lovelace null false 0").await;
    let mut candidate = run(&examples[0]);
    candidate.expect("1 Tell me about yourself").await;
    candidate.expect("3 Reverse a list").await;
    assert!(candidate.finish().await.success());
    watching.expect("interview-completed").await;
    assert!(watching.finish().await.success());
}
