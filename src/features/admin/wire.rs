//! What the admin UI is sent, in its own names, and what nodes tell each other of it.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What the page may show and offer.
#[derive(Clone, Debug, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Config {
    pub supported_features: Vec<&'static str>,
}

/// The figures of one node, every two seconds.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ServerStats {
    /// The name of the node.
    pub server_id: String,
    pub hostname: String,
    pub pid: u32,
    /// Seconds.
    pub uptime: f64,
    /// Open sessions.
    pub clients_count: usize,
    /// Those on long-polling.
    pub polling_clients_count: usize,
    pub namespaces: Vec<NamespaceStats>,
    /// What has happened since the figures before.
    pub aggregated_events: Vec<AggregatedEvent>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct NamespaceStats {
    pub name: String,
    pub sockets_count: usize,
}

/// How often something has happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct AggregatedEvent {
    /// Milliseconds since 1970, a whole second.
    pub timestamp: u64,
    /// `rawConnection`, `rawDisconnection`, `packetsIn`, `packetsOut`, `bytesIn` or `bytesOut`.
    #[serde(rename = "type")]
    pub kind: String,
    /// Of a `rawDisconnection`: why.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sub_type: Option<String>,
    pub count: u64,
}

/// A connected socket. Nothing in here is secret.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, rename_all = "camelCase")]
pub struct ShownSocket {
    pub id: String,
    /// The same for all sockets of one session; made from its id, which is a secret.
    pub client_id: String,
    /// `polling` or `websocket`.
    pub transport: String,
    pub nsp: String,
    pub data: SocketData,
    pub handshake: ShownHandshake,
    /// Raised each time that the socket goes on elsewhere.
    pub epoch: u64,
    pub rooms: Vec<String>,
}

/// What the hub knows of a socket.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct SocketData {
    /// The node that it is connected to.
    pub node: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role: Option<String>,
}

/// The first request of a session.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default)]
pub struct ShownHandshake {
    pub address: String,
    /// The `User-Agent` only.
    pub headers: BTreeMap<String, String>,
    /// The values of parameters that the protocol does not know are hidden.
    pub query: BTreeMap<String, String>,
    /// Milliseconds since 1970.
    pub issued: u64,
    pub time: String,
    pub url: String,
}

/// One thing that a node has noted. Times are milliseconds since 1970.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Note {
    Stats(ServerStats),
    Connected {
        socket: Box<ShownSocket>,
        at: u64,
    },
    Upgraded {
        id: String,
        nsp: String,
    },
    Disconnected {
        id: String,
        nsp: String,
        /// The socket may already go on elsewhere, under a higher one.
        #[serde(default)]
        epoch: u64,
        reason: String,
        /// It goes on at another node.
        #[serde(default)]
        moved: bool,
        at: u64,
    },
    Joined {
        id: String,
        nsp: String,
        room: String,
        at: u64,
    },
    Left {
        id: String,
        nsp: String,
        room: String,
        at: u64,
    },
    /// An event of a client.
    Received(NotedEvent),
    /// An event for a client.
    Sent(NotedEvent),
    /// So many events more than are shown in a second.
    NotShown {
        node: String,
        events: u64,
        per_second: u32,
        at: u64,
    },
    /// What a newer release notes.
    #[serde(other)]
    Unknown,
}

/// An event of a socket.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct NotedEvent {
    pub id: String,
    pub nsp: String,
    /// JSON: an array with the event's name and what is shown of its arguments.
    pub args: String,
    pub at: u64,
}

/// A node asks another what is new.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Ask {
    pub after: Option<Place>,
}

/// How far a view has read the notes of a node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Notes begin anew when nobody has looked for a while; then this is another one.
    pub book: String,
    pub next: u64,
}

/// What is new.
#[derive(Debug, Serialize, Deserialize)]
pub struct News<N> {
    pub place: Place,
    /// There are no notes from the place on that was named: the sockets have to be listed anew.
    pub lost: bool,
    pub notes: Vec<N>,
}

/// A node asks another for its sockets.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct AskSockets {
    /// 0, then the `next` of the answer before.
    pub part: usize,
}

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct SocketPart {
    pub sockets: Vec<ShownSocket>,
    /// `None`: these were the last.
    pub next: Option<usize>,
}

/// A node asks another to end a socket.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct End {
    pub nsp: String,
    pub id: String,
    /// The other sockets of its session too.
    pub close: bool,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::wire::{Form, read, write};

    #[test]
    fn a_note_of_a_newer_release_does_not_spoil_the_others() {
        let news = serde_json::json!({"place": {"book": "b", "next": 7}, "lost": false, "notes": [
            {"what": "joined", "id": "s", "nsp": "/", "room": "a:1", "at": 5, "more": true},
            {"what": "teleported", "id": "s", "to": [1, 2]},
        ]});
        for form in [Form::Json, Form::Packed] {
            let news: News<Note> = read(&write(form, &news)).expect("it can be read");
            let joined = Note::Joined { id: "s".into(), nsp: "/".into(), room: "a:1".into(), at: 5 };
            assert_eq!(news.notes, [joined, Note::Unknown]);
        }
    }

    #[test]
    fn notes_read_as_they_were_written() {
        let event = NotedEvent { id: "s".into(), nsp: "/".into(), args: r#"["x",{"bytes":2}]"#.into(), at: 1 };
        let stats = ServerStats {
            server_id: "n".into(),
            uptime: 1.5,
            aggregated_events: vec![AggregatedEvent { kind: "bytesIn".into(), count: 3, ..Default::default() }],
            ..Default::default()
        };
        let notes = vec![
            Note::Stats(stats),
            Note::Connected { socket: Box::default(), at: 1 },
            Note::Received(event.clone()),
            Note::Sent(event),
            Note::NotShown { node: "n".into(), events: 1, per_second: 2, at: 3 },
        ];
        for form in [Form::Json, Form::Packed] {
            assert_eq!(read::<Vec<Note>>(&write(form, &notes)).as_ref(), Some(&notes));
        }
    }
}
