use std::convert::Infallible;

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use super::*;
use crate::cluster::scripts::scope::Entry;
use crate::core::Kind;
use crate::engineio::Engine;
use crate::socketio::{EngineHandler, MemoryStore, Namespace, Rooms, SocketIo};

const ROOM: Kind = Kind::of("room");

fn at(ms: u64) -> StreamId {
    StreamId { ms, seq: 0 }
}

/// A message from node to node, which needs no member to be seen.
fn envelope(epoch: &str, prev: u64, id: u64) -> Envelope {
    Envelope::parse(&Bytes::from(format!("{epoch} {prev}-0 {id}-0\n! - - -\n[\"{epoch}{id}\"]"))).expect("an envelope")
}

/// The same message in the log.
fn entry(epoch: &str, id: u64) -> Entry {
    Entry { id: at(id), body: format!("! - - -\n[\"{epoch}{id}\"]").into() }
}

fn log(epoch: &str, last: u64, reset: bool) -> Log {
    Log { epoch: epoch.into(), last: at(last), trimmed: at(0), reset, entries: Vec::new(), more: false }
}

/// What the feature of the scope is told.
fn passed(outcome: &Outcome) -> Vec<String> {
    let text = |args: &Bytes| String::from_utf8_lossy(args).into_owned();
    let passed = outcome.passed.iter().map(|passed| match passed {
        Passed::Control(args) => format!("control {}", text(args)),
        Passed::Event(args) => format!("event {}", text(args)),
    });
    passed.collect()
}

fn scope() -> Arc<LocalScope> {
    let scope = LocalScope::new(ScopeId { kind: ROOM, id: "s".into() });
    scope.begin_attach();
    assert!(scope.fill(scope.begin_read().generation, log("A", 10, false), true, &mut Outcome::default()));
    scope
}

#[test]
fn what_came_of_a_log_that_is_gone_is_delivered_before_the_new_one() {
    let (scope, mut outcome) = (scope(), Outcome::default());
    assert!(scope.begin_fill());
    scope.receive(envelope("A", 10, 11), &mut outcome);
    scope.receive(envelope("B", 0, 1), &mut outcome);
    assert!(scope.fill(scope.begin_read().generation, log("B", 0, true), true, &mut outcome));
    assert_eq!(passed(&outcome), [r#"control ["A11"]"#, r#"control ["B1"]"#]);
}

#[test]
fn what_is_said_in_a_scope_that_begins_while_one_joins_is_delivered() {
    let (scope, mut outcome) = (LocalScope::new(ScopeId { kind: ROOM, id: "s".into() }), Outcome::default());
    scope.begin_attach();
    assert!(scope.fill(scope.begin_read().generation, log("", 0, false), true, &mut outcome));
    assert_eq!(scope.place(), None, "there is no log to stand in");
    scope.receive(envelope("A", 0, 1), &mut outcome);
    scope.receive(envelope("A", 1, 2), &mut outcome);
    assert_eq!(passed(&outcome), [r#"control ["A1"]"#, r#"control ["A2"]"#]);
}

#[test]
fn a_straggler_of_a_log_that_is_gone_does_not_keep_the_scope_reading() {
    let (scope, mut outcome) = (scope(), Outcome::default());
    scope.begin_fill();
    assert!(scope.fill(scope.begin_read().generation, log("B", 5, true), true, &mut outcome));
    scope.receive(envelope("A", 10, 11), &mut outcome);
    assert!(outcome.must_fill);
    assert!(scope.fill(scope.begin_read().generation, log("B", 5, false), true, &mut outcome));
    scope.receive(envelope("B", 5, 6), &mut outcome);
    assert_eq!(passed(&outcome), [r#"control ["B6"]"#]);
}

#[test]
fn a_message_of_a_newer_log_than_the_one_read_waits_for_its_own() {
    let (scope, mut outcome) = (scope(), Outcome::default());
    scope.begin_fill();
    let place = scope.begin_read();
    scope.receive(envelope("C", 0, 1), &mut outcome);
    assert!(!scope.fill(place.generation, log("B", 5, true), true, &mut outcome));
    assert!(scope.fill(scope.begin_read().generation, log("C", 0, true), true, &mut outcome));
    assert_eq!(passed(&outcome), [r#"control ["C1"]"#]);
}

#[test]
fn the_feature_of_a_scope_is_told_of_logged_events_in_order_and_of_no_volatile_ones() {
    let (scope, mut outcome) = (scope(), Outcome::default());
    for (id, body) in [("11-0", "* - - -\n[\"one\"]"), ("~", "* - k -\n[\"volatile\"]")] {
        let envelope = format!("A {} {id}\n{body}", if id == "~" { "11-0" } else { "10-0" });
        scope.receive(Envelope::parse(&Bytes::from(envelope)).expect("an envelope"), &mut outcome);
    }
    scope.receive(envelope("A", 11, 12), &mut outcome);
    assert_eq!(passed(&outcome), [r#"event ["one"]"#, r#"control ["A12"]"#]);
}

#[test]
fn what_a_failover_has_taken_back_comes_late_and_moves_nothing() {
    let (scope, mut outcome) = (scope(), Outcome::default());
    // The old master's last message waits in a queue, while the log of the new one is read, which does not have it.
    scope.begin_fill();
    let mut log = log("A", 31, false);
    log.entries = [30, 31].map(|id| entry("A", id)).into();
    assert!(scope.fill(scope.begin_read().generation, log.clone(), true, &mut outcome));
    scope.receive(envelope("A", 10, 20), &mut outcome);
    assert!(std::mem::take(&mut outcome.must_fill), "the log decides");
    log.entries.clear();
    let reading = scope.begin_read();
    assert_eq!(reading.cursor.map(|cursor| cursor.id), Some(at(31)));
    assert!(scope.fill(reading.generation, log.clone(), true, &mut outcome));
    scope.receive(envelope("A", 31, 32), &mut outcome);
    assert_eq!(passed(&outcome), [r#"control ["A30"]"#, r#"control ["A31"]"#, r#"control ["A32"]"#]);
    assert!(!outcome.must_fill);
}

#[test]
fn what_came_while_the_log_was_read_or_was_read_elsewhere_is_not_dropped_for_it() {
    let (scope, mut outcome) = (scope(), Outcome::default());
    scope.receive(envelope("A", 15, 20), &mut outcome);
    let reading = scope.begin_read();
    assert!(!scope.fill(reading.generation, log("A", 10, false), false, &mut outcome), "it may stand where the log is written");
    let reading = scope.begin_read();
    scope.receive(envelope("A", 20, 25), &mut outcome);
    let mut whole = log("A", 20, false);
    whole.entries = [15, 20].map(|id| entry("A", id)).into();
    assert!(scope.fill(reading.generation, whole, true, &mut outcome));
    assert_eq!(passed(&outcome), [r#"control ["A15"]"#, r#"control ["A20"]"#, r#"control ["A25"]"#]);
}

#[tokio::test]
async fn what_comes_while_a_socket_moves_is_in_its_queue_up_to_the_position_with_which_it_leaves() {
    let scope = scope();
    let socket = socket().await;
    let member = LocalMember { socket: socket.clone(), user: "u".into(), role: "r".into() };
    assert!(matches!(scope.register(member), Registered::Holding));
    let event = |prev: u64, id: u64| {
        let payload = format!("A {prev}-0 {id}-0\n* - - -\n[\"said\",{id}]");
        scope.receive(Envelope::parse(&payload.into()).expect("an envelope"), &mut Outcome::default());
    };
    let queued_before = socket.session().queued();
    socket.enter(&scope.id, Position::new("A", at(10)));
    scope.release(&socket, &Position::new("A", at(10)));
    event(10, 11);
    assert!(socket.freeze());
    event(11, 12);
    let (place, is_empty) = scope.take(&socket).expect("a member");
    event(12, 13);
    assert_eq!((place.id, is_empty), (at(12), true));
    assert_eq!(socket.session().queued() - queued_before, 2, "11 and 12");
    let last = socket.sent().last.map(|offset| offset.position.id);
    assert_eq!(last, Some(at(12)), "the next direct emit is counted from there");
}

/// A socket with recovery whose client has a session by polling.
async fn socket() -> Arc<Socket> {
    let (sender, connected) = oneshot::channel();
    let sender = Mutex::new(Some(sender));
    let namespace = Namespace::new("/").on_connect(|_| async { Ok(()) }).on_connection(move |socket: Arc<Socket>, _| {
        let sent = lock(&sender).take().is_some_and(|sender| sender.send(socket).is_ok());
        async move { assert!(sent, "one client") }
    });
    let store = MemoryStore::new(Rooms::default(), Default::default());
    let io = SocketIo::with_session_store(Default::default(), [namespace], store);
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let hub = listener.local_addr().expect("an address");
    tokio::spawn(serve(listener, Engine::new(Default::default(), EngineHandler(io))));
    let ask = async |method: &str, query: &str, body: &str| {
        let mut stream = TcpStream::connect(hub).await.expect("a connection");
        let length = body.len();
        let request = format!(
            "{method} /socket.io/?EIO=4&transport=polling&recovery=1{query} HTTP/1.1\r\nHost: {hub}\r\nConnection: close\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer
    };
    let opened = ask("GET", "", "").await;
    let sid = opened.split("\"sid\":\"").nth(1).and_then(|rest| rest.split('"').next()).expect("a session");
    ask("POST", &format!("&sid={sid}"), "40").await;
    connected.await.expect("a socket")
}

/// The HTTP server of the crate stands above this module.
async fn serve(listener: TcpListener, engine: Arc<Engine>) {
    while let Ok((stream, peer)) = listener.accept().await {
        let engine = engine.clone();
        let service = service_fn(move |request| {
            let engine = engine.clone();
            async move { Ok::<_, Infallible>(engine.serve(request, peer.ip()).await) }
        });
        tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
    }
}
