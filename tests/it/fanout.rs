//! One message to the members of a scope: who gets it, and in which frames.

use std::sync::Arc;

use bytes::Bytes;
use convoke::cluster::message::{Audience, Envelope, Except, Message};
use convoke::cluster::scope::LocalScope;
use convoke::cluster::scripts::scope::Log;
use convoke::cluster::{LocalMember, Outcome};
use convoke::core::{Position, ScopeId, StreamId};
use convoke::protocol::event::Args;
use convoke::socketio::Socket;

use crate::support::raw::Ws;
use crate::support::server::Options;
use crate::support::sockets::{Hub, connected};

/// A scope on this node that has just been attached.
struct Room {
    scope: Arc<LocalScope>,
    last: StreamId,
}

impl Room {
    fn new(id: &str) -> Self {
        let scope = LocalScope::new(id.parse().expect("a scope"));
        scope.begin_attach();
        let none = StreamId::default();
        let log = Log { epoch: "e".into(), last: none, trimmed: none, reset: true, entries: Vec::new(), more: false };
        assert!(scope.fill(1, log, true, &mut Outcome::default()));
        Self { scope, last: none }
    }

    fn join(&self, socket: &Arc<Socket>) {
        self.scope.register(LocalMember { socket: socket.clone(), user: "u".into(), role: "r".into() });
        let at = Position::new("e", self.last);
        socket.enter(&self.scope.id, at.clone());
        self.scope.release(socket, &at);
    }

    /// A logged message, as any node would have published it.
    fn hear(&mut self, body: Bytes) {
        let id = StreamId { ms: self.last.ms + 1, seq: 0 };
        let mut outcome = Outcome::default();
        self.scope.receive(Envelope { epoch: "e".into(), prev: self.last, id: Some(id), body }, &mut outcome);
        self.last = id;
        outcome.dirty.iter().for_each(|session| session.flush());
    }
}

/// A client, connected to `/`, and its socket there.
async fn client(hub: &mut Hub) -> (Ws, Arc<Socket>) {
    let ws = connected(&hub.server).await;
    (ws, hub.socket().await)
}

#[tokio::test]
async fn two_namespaces_of_one_client_in_one_scope_each_get_their_own_frames() {
    let mut hub = Hub::start(Options::default()).await;
    let (mut ws, main) = client(&mut hub).await;
    ws.send("40/custom,").await;
    assert!(ws.text().await.starts_with("40/custom,{"));
    let custom = hub.socket().await;
    for order in [[&main, &custom], [&custom, &main]] {
        let mut room = Room::new("room:two");
        order.iter().for_each(|socket| room.join(socket));
        room.hear(Bytes::from_static(b"* - - -\n[\"x\",{}]"));
        for socket in order {
            let expected = if socket.namespace().name() == "/" { r#"42["x",{}]"# } else { r#"42/custom,["x",{}]"# };
            assert_eq!(ws.text().await, expected);
        }
    }
}

/// Members who have a copy from another scope.
#[tokio::test]
async fn a_copy_is_not_for_members_of_the_scope_that_it_names() {
    let mut hub = Hub::start(Options::default()).await;
    let (mut ws, socket) = client(&mut hub).await;
    let (mut all, incident, other) = (Room::new("watch:all"), Room::new("sos:a"), Room::new("room:all"));
    all.join(&socket);
    let body =
        |except: Except, name: &str| Message { audience: Audience::All, except, key: None, args: Args::event(name, "{}") }.body();
    let of = |scope: &str| Except::MembersOf(scope.parse::<ScopeId>().expect("a scope"));
    let any = |id: &str| Except::MembersOfAny(id.into());
    // Each of them is for a socket that is in `watch:all` alone. The last one has the id of the scope that it is in itself.
    for (name, except) in [("1", of("sos:a")), ("2", any("a")), ("3", any("all"))] {
        all.hear(body(except, name));
        assert_eq!(ws.text().await, format!(r#"42["{name}",{{}}]"#));
    }
    incident.join(&socket);
    all.hear(body(of("sos:a"), "not"));
    all.hear(body(any("a"), "not"));
    // Another kind with that id is another scope.
    all.hear(body(of("room:a"), "4"));
    assert_eq!(ws.text().await, r#"42["4",{}]"#);
    other.join(&socket);
    all.hear(body(any("all"), "not"));
    all.hear(body(Except::Nobody, "5"));
    assert_eq!(ws.text().await, r#"42["5",{}]"#);
}
