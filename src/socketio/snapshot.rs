//! How far a socket has come, and its whole state, as it is sent to the node that continues it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::SentLog;
use crate::core::{Position, ScopeId, StreamId};

/// A scope of a socket that moves to another node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "RoomWire", into = "RoomWire")]
pub struct SnapshotRoom {
    pub scope: ScopeId,
    /// The client has certainly received everything up to here.
    pub confirmed: Position,
    /// Everything up to here was queued to the client; set when the queue moves too.
    pub queued: Option<Position>,
}

impl SnapshotRoom {
    /// Up to where everything is on its way to the client, or has reached it.
    pub fn queued_place(&self) -> (ScopeId, Position) {
        (self.scope.clone(), self.queued.as_ref().unwrap_or(&self.confirmed).clone())
    }
}

#[derive(Serialize, Deserialize)]
struct RoomWire {
    scope: ScopeId,
    epoch: String,
    confirmed: StreamId,
    #[serde(default)]
    queued: Option<Position>,
}

impl From<SnapshotRoom> for RoomWire {
    fn from(SnapshotRoom { scope, confirmed: Position { epoch, id }, queued }: SnapshotRoom) -> Self {
        Self { scope, epoch: epoch.to_string(), confirmed: id, queued }
    }
}

impl From<RoomWire> for SnapshotRoom {
    fn from(wire: RoomWire) -> Self {
        Self { scope: wire.scope, confirmed: Position::new(wire.epoch, wire.confirmed), queued: wire.queued }
    }
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
    /// The numbers of the acknowledgements that the former node still waits for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub awaited: Vec<u64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_of_earlier_releases_find_each_field_of_a_socket_under_its_name() {
        let written = r#"{"sid":"s","namespace":"/","pid":"p","epoch":3,"told":true,"data":null,
            "kept":{"rooms":[{"scope":"room:a","epoch":"e","confirmed":"1-2","queued":"e 3-4"}],"sent":{"last":null,"entries":[]}},
            "last_ack":7}"#;
        let export: SocketExport = serde_json::from_str(written).unwrap();
        assert!(export.recovery_enabled && export.snapshot.rooms.len() == 1);
        let again = serde_json::to_value(&export).unwrap();
        assert_eq!(again, serde_json::from_str::<Value>(written).unwrap());
    }
}
