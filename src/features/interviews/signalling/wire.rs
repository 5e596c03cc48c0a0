//! What the hub itself writes in a call as JSON text; the rest is written by the scripts. The types are in `wire/call.rs`.

use serde_json::Value;
use uuid::Uuid;

use crate::features::interviews::scripts::call::Document;
use crate::features::interviews::wire::Moment;
use crate::rooms::history::Kept;

/// What a signal says of its sender: fields of a JSON object.
pub fn signal_sender(sid: &str) -> String {
    format!(r#""socketId":{}"#, Value::from(sid))
}

/// `editor:update {socketId, update, version}` of the document that is kept. `None`: nothing was written yet.
pub fn editor_update(document: &Document) -> Option<String> {
    let json = std::str::from_utf8(document.json.as_ref()?).ok()?;
    let writer = Value::from(document.writer.as_str());
    Some(format!(r#"{{"socketId":{writer},"update":{json},"version":{}}}"#, document.version))
}

/// A kept message as it was broadcast.
pub fn chat_message(interview: Uuid, kept: &Kept) -> String {
    format!(
        r#"{{"interviewId":"{interview}","messageId":"{}","clientMessageId":{},{},"text":{},"timestamp":"{}"}}"#,
        kept.message_id,
        Value::from(kept.client_message_id.as_deref()),
        kept.sender.as_deref().unwrap_or(r#""socketId":null"#),
        Value::from(kept.text.as_str()),
        Moment(kept.timestamp)
    )
}
