//! `docs/postgresql.md`: its commands do what it says.

use std::path::Path;
use std::process::Command;

use super::store_bookings::started;
use super::support::node::root;
use super::support::postgres::{LIMITS, Server, sql, store, value};

/// The code blocks of this language.
fn blocks(text: &str, language: &str) -> Vec<String> {
    let opening = format!("```{language}\n");
    text.split(&opening).skip(1).filter_map(|rest| Some(rest.split("```").next()?.to_owned())).collect()
}

#[tokio::test]
async fn the_commands_of_the_manual_work() {
    let text = std::fs::read_to_string(root().join("docs/postgresql.md")).unwrap();
    let (statements, commands) = (blocks(&text, "sql"), blocks(&text, "sh"));
    assert_eq!((statements.len(), commands.len()), (2, 2));
    let server = Server::start();
    let here = |text: &str| text.replace("localhost:5432", &server.address());
    let run = |command: &str| {
        let folder = Path::new(env!("CARGO_BIN_EXE_convoke")).parent().unwrap();
        let output = Command::new("/bin/sh").arg("-c").arg(here(command)).env_clear().env("PATH", folder).output().unwrap();
        assert!(output.status.success(), "{command}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };

    for statement in statements[0].lines() {
        sql(&server.url("postgres"), statement).await;
    }
    assert!(run(&commands[0]).contains("applied V1__"));
    let admin = server.url("convoke");
    assert_eq!(value(&admin, "SELECT tableowner FROM pg_tables WHERE tablename = 'interview_sessions'").await, "convoke");
    sql(&admin, &statements[1]).await;
    let node = store(&admin.replacen("//postgres@", "//convoke_node@", 1));
    assert_eq!(node.prepare(LIMITS).await.unwrap(), LIMITS);
    let (user, _) = started(&node, "A").await;
    assert!(node.end("A", user).await.unwrap().is_some());
    assert!(run(&commands[1]).contains("MAX_CONCURRENT_INTERVIEWS=50"));
}
