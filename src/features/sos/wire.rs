//! What clients are sent, as types: what Rust builds is built from them, and what Lua builds is tested against them.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::rooms::history::Kept;

/// `message:broadcast`, and a message in the ack of `message:history`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Message {
    pub sos_id: String,
    pub message_id: String,
    pub client_message_id: Option<String>,
    pub user_id: Option<String>,
    pub role: String,
    pub text: String,
    /// ms since 1970.
    pub timestamp: u64,
}

impl Message {
    pub fn new(sos: &str, kept: &Kept) -> Self {
        Self {
            sos_id: sos.to_owned(),
            message_id: kept.message_id.clone(),
            client_message_id: kept.client_message_id.clone(),
            user_id: kept.user_id.clone(),
            role: kept.role.clone(),
            text: kept.text.clone(),
            timestamp: kept.timestamp,
        }
    }

    pub fn to_json(&self) -> String {
        json(self)
    }
}

/// Who sends a signal, as fields of its payload: `"socketId":…,"userId":…`.
pub fn signal_sender(sid: &str, user: &str) -> String {
    format!(r#""socketId":{},"userId":{}"#, Value::from(sid), Value::from(user))
}

/// Nothing that stands here could fail to be JSON.
fn json(value: &impl Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
