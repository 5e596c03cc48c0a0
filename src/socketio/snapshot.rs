//! How far a socket has come, and all of it: as it travels to the node that goes on with it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SentLog;

/// A scope of a socket that is to go on elsewhere.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotRoom {
    /// `<kind>:<id>`
    pub scope: String,
    pub epoch: String,
    /// The client has surely had everything up to this id.
    pub confirmed: String,
    /// `<epoch> <id>`: everything up to there was queued to the client; set when the queue goes along.
    #[serde(default)]
    pub queued: Option<String>,
}

/// How far a socket has come.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionSnapshot {
    pub rooms: Vec<SnapshotRoom>,
    pub sent: SentLog,
}

/// A whole socket, as it moves to another node.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SocketExport {
    pub sid: String,
    pub namespace: String,
    pub pid: String,
    pub epoch: u64,
    #[serde(rename = "told")]
    pub recovery_enabled: bool,
    /// What the namespace keeps with it, by [`Namespace::on_move`](super::Namespace::on_move).
    pub data: Value,
    #[serde(rename = "kept")]
    pub snapshot: SessionSnapshot,
    /// The number of the last emit that asked for an acknowledgement.
    pub last_ack: u64,
    /// The numbers of those that the node which gives the socket away still waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaited: Vec<u64>,
}
