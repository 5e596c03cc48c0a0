//! The codes with which each Socket.IO event may be refused, as `/asyncapi.json` has them. Every refusal that a test's client gets is held
//! to it, in whichever test it comes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use serde_json::Value;

/// The codes of an event, by namespace and name.
static DOCUMENTED: LazyLock<BTreeMap<(String, String), BTreeSet<String>>> = LazyLock::new(|| {
    let document = convoke::app::asyncapi();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let last = |reference: &Value| text(reference).rsplit('/').next().unwrap_or_default().to_owned();
    let operations = document["operations"].as_object().expect("operations").values();
    let received = operations.filter(|operation| operation.get("x-senders").is_some());
    received
        .map(|operation| {
            let channel = &document["channels"][last(&operation["channel"]["$ref"])];
            let message = &channel["messages"][last(&operation["messages"][0]["$ref"])];
            let codes = operation["x-codes"].as_array().expect("codes").iter().map(text).collect();
            ((text(&channel["address"]), text(&message["name"])), codes)
        })
        .collect()
});

/// What an event may be refused with; `None`: the document does not know it.
pub fn documented(namespace: &str, event: &str) -> Option<&'static BTreeSet<String>> {
    DOCUMENTED.get(&(namespace.to_owned(), event.to_owned()))
}

/// The names of the events that clients send in a namespace.
pub fn events(namespace: &str) -> impl Iterator<Item = &'static str> {
    DOCUMENTED.keys().filter(move |(of, _)| of == namespace).map(|(_, event)| &**event)
}

/// Fails if a refusal of an event has a code that the document does not name. What it does not know, or what is no refusal, is not judged.
#[track_caller]
pub fn hold(namespace: &str, event: &str, answer: &Value) {
    if let (Some(codes), Some(code)) = (documented(namespace, event), answer["code"].as_str()) {
        assert!(
            codes.contains(code),
            "{namespace} {event} was refused with {code}, which /asyncapi.json does not name: {answer}"
        );
    }
}
