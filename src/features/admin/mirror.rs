//! The sockets of the whole cluster as an operator sees them, and what the page is told when a node says that something has
//! changed. Pure: it knows neither nodes' addresses nor operators.
//!
//! The page believes what it is told and forgets nothing by itself, so what it is told must fit together: a socket is connected
//! once, also when its session moves to another node; a room is joined once; whoever is disconnected has left all rooms; and the
//! sockets of a node that is gone are disconnected.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::show::time;
use super::wire::{Note, NotedEvent, ShownSocket};
use crate::core::clock;
use crate::protocol::event::{Args, Values};

/// A socket whose session moves is expected at its new node for so long.
const MOVES_FOR: Duration = Duration::from_secs(5);

/// All sockets that are shown.
pub struct Mirror {
    most: usize,
    sockets: HashMap<String, Entry>,
    /// The number of the last list that has begun.
    lists: u64,
    not_shown: bool,
}

struct Entry {
    /// The tag of the node's process.
    node: Arc<str>,
    socket: ShownSocket,
    /// The list in which it was, or that began last before it was noted.
    list: u64,
    /// It has left its node, and goes on at another.
    moves_since: Option<Instant>,
}

/// What the page is told, in this order.
pub type Said = Vec<Args>;

fn event(said: &mut Said, name: &str, arguments: impl Values) {
    said.extend(Args::of_event(name, arguments));
}

impl Mirror {
    /// Holds so many sockets; of others nothing is told but their events.
    pub fn new(most: usize) -> Self {
        Self { most, sockets: HashMap::new(), lists: 0, not_shown: false }
    }

    /// The ids of all sockets.
    pub fn ids(&self) -> Vec<String> {
        self.sockets.keys().cloned().collect()
    }

    pub fn get(&self, id: &str) -> Option<&ShownSocket> {
        self.sockets.get(id).map(|entry| &entry.socket)
    }

    /// Whether there were more sockets than it holds.
    pub fn is_incomplete(&self) -> bool {
        self.not_shown
    }

    /// A node begins to list its sockets. Returns the number of the list.
    pub fn begin_list(&mut self) -> u64 {
        self.lists += 1;
        self.lists
    }

    /// A socket in a list of its node.
    pub fn listed(&mut self, node: &Arc<str>, socket: ShownSocket) -> Said {
        let at = socket.handshake.issued;
        self.connected(node, socket, at)
    }

    /// A list of a node has ended: what was not in it is gone.
    pub fn end_list(&mut self, node: &Arc<str>, list: u64) -> Said {
        self.remove_where(|entry| entry.node == *node && entry.list < list, "transport close")
    }

    /// A node is gone, with all its sockets.
    pub fn forget_node(&mut self, node: &Arc<str>) -> Said {
        self.remove_where(|entry| entry.node == *node, "node gone")
    }

    /// Sockets that have not arrived where their sessions moved to are gone.
    pub fn expire(&mut self, now: Instant) -> Said {
        self.remove_where(|entry| entry.moves_since.is_some_and(|since| now >= since + MOVES_FOR), "transport close")
    }

    /// What a node has noted.
    pub fn noted(&mut self, node: &Arc<str>, note: &Note) -> Said {
        let mut said = Said::new();
        match note {
            Note::Stats(stats) => event(&mut said, "server_stats", stats),
            Note::Connected { socket, at } => return self.connected(node, ShownSocket::clone(socket), *at),
            Note::Upgraded { id, nsp } => {
                if let Some(entry) = self.sockets.get_mut(id).filter(|entry| entry.node == *node) {
                    "websocket".clone_into(&mut entry.socket.transport);
                    event(&mut said, "socket_updated", json!({"id": id, "nsp": nsp, "transport": "websocket"}));
                }
            }
            Note::Disconnected { id, epoch, moved, reason, at, .. } => {
                // It may be known already that the socket goes on elsewhere.
                if self.sockets.get(id).is_some_and(|entry| *epoch >= entry.socket.epoch) {
                    self.disconnected(&mut said, id, *moved, reason, *at);
                }
            }
            Note::Joined { id, nsp, room, at } => {
                if let Some(entry) = self.sockets.get_mut(id).filter(|entry| !entry.socket.rooms.contains(room)) {
                    entry.socket.rooms.push(room.clone());
                    event(&mut said, "room_joined", (nsp, room, id, time(*at)));
                }
            }
            Note::Left { id, nsp, room, at } => {
                let entry = self.sockets.get_mut(id).filter(|entry| entry.node == *node);
                if let Some(entry) = entry.filter(|entry| entry.socket.rooms.contains(room)) {
                    entry.socket.rooms.retain(|known| known != room);
                    event(&mut said, "room_left", (nsp, room, id, time(*at)));
                }
            }
            Note::Received(noted) => said.extend(of_socket("event_received", noted)),
            Note::Sent(noted) => said.extend(of_socket("event_sent", noted)),
            Note::NotShown { node, events, per_second, at } => {
                let args = json!(["(not shown)", {"events": events, "node": node, "shownPerSecond": per_second}]);
                event(&mut said, "event_sent", ("/", node, args, time(*at)));
            }
            Note::Unknown => {}
        }
        said
    }

    fn connected(&mut self, node: &Arc<str>, socket: ShownSocket, at: u64) -> Said {
        let (mut said, list, is_full) = (Said::new(), self.lists, self.sockets.len() >= self.most);
        match self.sockets.get_mut(&socket.id) {
            // Another node was asked before, and had it already.
            Some(entry) if socket.epoch < entry.socket.epoch => {}
            Some(entry) => {
                let changed = entry.socket.transport != socket.transport || entry.socket.data != socket.data;
                let new_rooms = socket.rooms.iter().filter(|room| !entry.socket.rooms.contains(room));
                for room in new_rooms {
                    event(&mut said, "room_joined", (&socket.nsp, room, &socket.id, time(at)));
                }
                for room in entry.socket.rooms.iter().filter(|room| !socket.rooms.contains(room)) {
                    event(&mut said, "room_left", (&socket.nsp, room, &socket.id, time(at)));
                }
                if changed {
                    let ShownSocket { id, nsp, transport, data, .. } = &socket;
                    event(&mut said, "socket_updated", json!({"id": id, "nsp": nsp, "transport": transport, "data": data}));
                }
                // The page has it under its first session.
                let client_id = std::mem::take(&mut entry.socket.client_id);
                *entry = Entry { node: node.clone(), socket: ShownSocket { client_id, ..socket }, list, moves_since: None };
            }
            None if is_full => self.not_shown = true,
            None => {
                event(&mut said, "socket_connected", (&socket, time(at)));
                let entry = Entry { node: node.clone(), socket, list, moves_since: None };
                self.sockets.insert(entry.socket.id.clone(), entry);
            }
        }
        said
    }

    fn disconnected(&mut self, said: &mut Said, id: &str, moved: bool, reason: &str, at: u64) {
        if !moved {
            said.extend(self.sockets.remove(id).into_iter().flat_map(|entry| gone(&entry.socket, reason, at)));
        } else if let Some(entry) = self.sockets.get_mut(id) {
            entry.moves_since = Some(Instant::now());
        }
    }

    fn remove_where(&mut self, is_gone: impl Fn(&Entry) -> bool, reason: &str) -> Said {
        let (mut said, now) = (Said::new(), clock::now_ms());
        self.sockets.retain(|_, entry| {
            let is_gone = is_gone(entry);
            if is_gone {
                said.extend(gone(&entry.socket, reason, now));
            }
            !is_gone
        });
        said
    }
}

fn gone(socket: &ShownSocket, reason: &str, at: u64) -> Said {
    let mut said = Said::new();
    for room in &socket.rooms {
        event(&mut said, "room_left", (&socket.nsp, room, &socket.id, time(at)));
    }
    event(&mut said, "socket_disconnected", (&socket.nsp, &socket.id, reason, time(at)));
    said
}

fn of_socket(name: &str, noted: &NotedEvent) -> Option<Args> {
    let args: &serde_json::value::RawValue = serde_json::from_str(&noted.args).ok()?;
    Args::of_event(name, (&noted.nsp, &noted.id, args, time(noted.at))).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct World {
        mirror: Mirror,
        a: Arc<str>,
        b: Arc<str>,
    }

    fn world(most: usize) -> World {
        World { mirror: Mirror::new(most), a: "a".into(), b: "b".into() }
    }

    fn socket(id: &str, node: &str, rooms: &[&str]) -> ShownSocket {
        let mut socket = ShownSocket { id: id.into(), nsp: "/".into(), transport: "polling".into(), ..ShownSocket::default() };
        socket.epoch = 1;
        socket.data.node = node.into();
        socket.rooms = std::iter::once(&id).chain(rooms).map(|room| (*room).to_owned()).collect();
        socket
    }

    fn connected(id: &str, node: &str, rooms: &[&str]) -> Note {
        Note::Connected { socket: Box::new(socket(id, node, rooms)), at: 1 }
    }

    fn disconnected(id: &str, moved: bool) -> Note {
        Note::Disconnected { id: id.into(), nsp: "/".into(), epoch: 1, reason: "transport close".into(), moved, at: 2 }
    }

    fn joined(id: &str, room: &str) -> Note {
        Note::Joined { id: id.into(), nsp: "/".into(), room: room.into(), at: 2 }
    }

    /// The names of the events, and of rooms which.
    fn names(said: &Said) -> Vec<String> {
        let name = |args: &Args| {
            let name: String = args.item(0).unwrap();
            if name.starts_with("room") { format!("{name} {}", args.item::<String>(2).unwrap()) } else { name }
        };
        said.iter().map(name).collect()
    }

    #[test]
    fn a_socket_comes_joins_leaves_and_is_gone_with_all_its_rooms() {
        let World { mut mirror, a, .. } = world(9);
        assert_eq!(names(&mirror.noted(&a, &connected("s", "a", &[]))), ["socket_connected"]);
        assert_eq!(names(&mirror.noted(&a, &joined("s", "x:1"))), ["room_joined x:1"]);
        assert_eq!(names(&mirror.noted(&a, &joined("s", "x:1"))), [""; 0], "once is enough");
        assert_eq!(names(&mirror.noted(&a, &joined("unknown", "x:1"))), [""; 0]);
        let left = Note::Left { id: "s".into(), nsp: "/".into(), room: "x:1".into(), at: 2 };
        assert_eq!(names(&mirror.noted(&a, &left)), ["room_left x:1"]);
        mirror.noted(&a, &joined("s", "x:2"));
        let gone = mirror.noted(&a, &disconnected("s", false));
        assert_eq!(names(&gone), ["room_left s", "room_left x:2", "socket_disconnected"]);
        assert_eq!(names(&mirror.noted(&a, &disconnected("s", false))), [""; 0]);
        assert_eq!(mirror.ids(), [""; 0]);
    }

    #[test]
    fn a_socket_that_moves_is_neither_disconnected_nor_connected_again() {
        let mut arrived = socket("s", "b", &["x:1"]);
        (arrived.transport, arrived.epoch) = ("websocket".into(), 2);
        let connected = connected("s", "a", &["x:1"]);
        let (left, arrived) = (disconnected("s", true), Note::Connected { socket: Box::new(arrived), at: 3 });
        let [at_a, left_a, at_b] = [("a", &connected), ("a", &left), ("b", &arrived)];
        for (order, expected) in [
            ([at_a, left_a, at_b], &["socket_connected", "socket_updated"][..]),
            ([at_a, at_b, left_a], &["socket_connected", "socket_updated"]),
            // The node where it arrives is asked first.
            ([at_b, at_a, left_a], &["socket_connected"]),
        ] {
            let World { mut mirror, a, b } = world(9);
            let said = order.map(|(node, note)| mirror.noted(if node == "a" { &a } else { &b }, note)).concat();
            assert_eq!(names(&said), expected);
            assert_eq!(mirror.get("s").map(|socket| &*socket.data.node), Some("b"));
            assert_eq!(names(&mirror.expire(Instant::now() + 2 * MOVES_FOR)), [""; 0]);
            assert_eq!(names(&mirror.forget_node(&a)), [""; 0]);
        }
    }

    #[test]
    fn the_end_of_a_session_takes_no_socket_away_that_another_session_has() {
        for moved in [true, false] {
            let World { mut mirror, a, .. } = world(9);
            mirror.noted(&a, &connected("s", "a", &[]));
            let back = ShownSocket { epoch: 2, ..socket("s", "a", &[]) };
            mirror.noted(&a, &Note::Connected { socket: Box::new(back), at: 3 });
            assert_eq!(names(&mirror.noted(&a, &disconnected("s", moved))), [""; 0]);
            assert_eq!(names(&mirror.expire(Instant::now() + 2 * MOVES_FOR)), [""; 0]);
        }
    }

    #[test]
    fn a_socket_that_moves_and_never_arrives_is_gone() {
        let World { mut mirror, a, .. } = world(9);
        mirror.noted(&a, &connected("s", "a", &[]));
        mirror.noted(&a, &disconnected("s", true));
        assert_eq!(names(&mirror.expire(Instant::now())), [""; 0]);
        assert_eq!(names(&mirror.expire(Instant::now() + MOVES_FOR)), ["room_left s", "socket_disconnected"]);
    }

    #[test]
    fn a_list_brings_what_was_missed_and_takes_away_what_is_gone() {
        let World { mut mirror, a, b } = world(9);
        mirror.noted(&a, &connected("gone", "a", &[]));
        mirror.noted(&a, &connected("stays", "a", &["x:1"]));
        mirror.noted(&b, &connected("other", "b", &[]));
        let list = mirror.begin_list();
        assert_eq!(names(&mirror.listed(&a, socket("new", "a", &[]))), ["socket_connected"]);
        let changed = mirror.listed(&a, socket("stays", "a", &["x:2"]));
        assert_eq!(names(&changed), ["room_joined x:2", "room_left x:1"]);
        assert_eq!(names(&mirror.end_list(&a, list)), ["room_left gone", "socket_disconnected"]);
        let mut ids = mirror.ids();
        ids.sort_unstable();
        assert_eq!(ids, ["new", "other", "stays"]);
    }

    #[test]
    fn the_sockets_of_a_node_that_is_gone_are_gone() {
        let World { mut mirror, a, b } = world(9);
        mirror.noted(&a, &connected("one", "a", &[]));
        mirror.noted(&b, &connected("two", "b", &[]));
        assert_eq!(names(&mirror.forget_node(&a)), ["room_left one", "socket_disconnected"]);
        assert_eq!(mirror.ids(), ["two"]);
    }

    #[test]
    fn it_holds_no_more_sockets_than_it_may() {
        let World { mut mirror, a, .. } = world(1);
        mirror.noted(&a, &connected("one", "a", &[]));
        assert!(!mirror.is_incomplete());
        assert_eq!(names(&mirror.noted(&a, &connected("two", "a", &[]))), [""; 0]);
        assert!(mirror.is_incomplete());
        assert_eq!(names(&mirror.noted(&a, &joined("two", "x:1"))), [""; 0]);
    }

    #[test]
    fn events_are_told_with_their_socket_and_those_that_are_not_shown_with_their_number() {
        let World { mut mirror, a, .. } = world(1);
        let event = NotedEvent { id: "s".into(), nsp: "/".into(), args: r#"["x",{"bytes":2}]"#.into(), at: 0 };
        let json = |said: Said| String::from_utf8(said[0].json.to_vec()).unwrap();
        assert_eq!(
            json(mirror.noted(&a, &Note::Received(event.clone()))),
            r#"["event_received","/","s",["x",{"bytes":2}],"1970-01-01T00:00:00.000Z"]"#
        );
        assert_eq!(names(&mirror.noted(&a, &Note::Sent(NotedEvent { args: "broken".into(), ..event }))), [""; 0]);
        let not_shown = Note::NotShown { node: "a".into(), events: 7, per_second: 2, at: 0 };
        assert!(json(mirror.noted(&a, &not_shown)).contains(r#""events":7"#));
    }
}
