//! The document of the Socket.IO events: the official parser reads it, and it names what the code handles and emits.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::support::hub::Hub;
use crate::support::node::{files_with, root};

/// A folder that is removed with its files.
pub struct Folder(pub PathBuf);

impl Folder {
    pub fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("convoke-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&path).expect("a folder");
        Self(path)
    }

    pub fn write(&self, name: &str, document: &Value) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, document.to_string()).expect("a file");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Runs a script of `tests/clients/`; whether it has succeeded, and what it said.
pub fn node(script: &str, files: &[&Path]) -> (bool, String) {
    let mut command = Command::new("node");
    command.arg(script).args(files).current_dir(root().join("tests/clients"));
    let Output { status, stdout, stderr } = command.output().expect("node runs");
    (status.success(), format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
}

#[tokio::test]
async fn the_document_is_served_and_the_official_parser_accepts_it_without_a_warning() {
    let hub = Hub::on_shared_redis(&[]).await;
    let response = hub.get("/asyncapi.json").await;
    assert_eq!(response.headers()["content-type"], "application/json");
    let served: Value = response.json().await.expect("JSON");
    assert_eq!(served, convoke::app::asyncapi());
    let folder = Folder::new("asyncapi-parse");
    let (accepted, told) = node("asyncapi_parse.mjs", &[&folder.write("asyncapi.json", &served)]);
    assert!(accepted && told.contains("channels / /interview"), "{told}");
}

/// The events of a channel in one direction, by name.
fn events<'a>(document: &'a Value, channel: &str, way: &str) -> BTreeSet<&'a str> {
    let messages = document["channels"][channel]["messages"].as_object().expect("messages");
    let of_way = messages.iter().filter(|(key, message)| key.starts_with(way) && message["x-packet"] == "EVENT");
    of_way.map(|(_, message)| message["name"].as_str().expect("a name")).collect()
}

/// The first text in quotes behind each occurrence of `call`, if it is the name of an event.
fn quoted_after<'a>(text: &'a str, call: &'a str) -> impl Iterator<Item = &'a str> {
    text.match_indices(call).filter_map(move |(at, _)| {
        let rest = text[at + call.len()..].trim_start();
        let rest = rest.strip_prefix(['"', '\''])?;
        let name = &rest[..rest.find(['"', '\''])?];
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_alphabetic() || c == ':' || c == '-');
        is_name.then_some(name)
    })
}

/// Names of events that the sources of a feature send to clients.
fn emitted(feature: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in files_with(&format!("src/features/{feature}"), &[".rs"]) {
        if file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        for call in [".emit(", ".emit_json(", ".emit_volatile(", ".emit_volatile_json(", "Args::event("] {
            names.extend(quoted_after(code, call).map(str::to_owned));
        }
        // Signals go on under the names that they came by.
        if code.contains("signal.body(&event.name") {
            names.extend(["offer", "answer", "iceCandidate", "signal"].map(str::to_owned));
        }
    }
    for file in files_with(&format!("lua/{feature}"), &[".lua"]) {
        let text = std::fs::read_to_string(&file).expect("a script");
        for line in text.lines().filter(|line| !line.trim_start().starts_with("--")) {
            // `!` is for nodes, and no socket hears it.
            if line.contains("'! -") || line.contains("tell('!'") {
                continue;
            }
            for call in ["broadcast(", "observed(", "show(", "tell(CANDIDATE,", "tell(OBSERVER,", "tell(BOTH,", "[", "watchers("]
            {
                names.extend(quoted_after(line, call).map(str::to_owned));
            }
            if line.contains("'-unavailable'") {
                names.extend(["stt-unavailable", "storage-unavailable"].map(str::to_owned));
            }
        }
    }
    // What every namespace has.
    names.extend(["error", "auth:expiring"].map(str::to_owned));
    names
}

#[test]
fn the_document_names_every_event_that_is_emitted_and_no_other() {
    let document = convoke::app::asyncapi();
    for (channel, feature) in [("sos", "sos"), ("interview", "interviews")] {
        let named: BTreeSet<_> = events(&document, channel, "send.").into_iter().map(str::to_owned).collect();
        let emitted = emitted(feature);
        let missing: Vec<_> = emitted.difference(&named).collect();
        let surplus: Vec<_> = named.difference(&emitted).collect();
        assert!(missing.is_empty() && surplus.is_empty(), "{feature}: not named {missing:?}, never emitted {surplus:?}");
    }
}

/// The tables of entries are what is dispatched, so that the document has each event that is handled. Nobody may go round them.
#[test]
fn every_event_is_handled_by_an_entry_of_a_table_and_somebody_may_send_it() {
    // The namespace of the admin UI has a protocol that is not ours.
    let is_ours = |file: &PathBuf| !file.starts_with(root().join("src/features/admin"));
    for file in files_with("src/features", &[".rs"]).into_iter().filter(is_ours) {
        let text = std::fs::read_to_string(&file).expect("a source");
        for call in [".on(\"", ".on_fallback(", ".ignore_unknown_events("] {
            assert!(!text.contains(call), "{} has a handler that is no entry", file.display());
        }
    }
    let document = convoke::app::asyncapi();
    let operations = document["operations"].as_object().expect("operations");
    let mut handled = BTreeMap::new();
    for (id, operation) in operations.iter().filter(|(_, operation)| operation.get("x-senders").is_some()) {
        assert!(!operation["x-senders"].as_array().expect("senders").is_empty(), "nobody may send {id}");
        *handled.entry(id.split('.').next().unwrap_or_default()).or_insert(0) += 1;
    }
    for (channel, count) in handled {
        assert_eq!(count, events(&document, channel, "receive.").len(), "{channel}");
    }
    let rules: BTreeSet<_> = convoke::features::sos::rules::RULES.iter().map(|rule| rule.event).collect();
    assert_eq!(events(&document, "sos", "receive."), rules);
}

#[test]
fn names_of_schemas_are_their_own() {
    let document = convoke::app::asyncapi();
    let schemas = document["components"]["schemas"].as_object().expect("schemas");
    let numbered: Vec<_> = schemas.keys().filter(|name| name.ends_with(|c: char| c.is_ascii_digit())).collect();
    assert!(numbered.is_empty(), "two types have one name: {numbered:?}");
    let text = document.to_string();
    let unused: Vec<_> = schemas.keys().filter(|name| !text.contains(&format!("#/components/schemas/{name}\""))).collect();
    assert!(unused.is_empty(), "{unused:?}");
}
