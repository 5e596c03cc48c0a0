//! A Socket.IO client moves with all that it is connected to, and nothing that is under way is lost or done twice.

use std::sync::Arc;

use convoke::socketio::{Arrival, ConnectRequest, Event, EventError, Namespace, Reply, Socket};
use serde_json::{Value, json};
use tokio::sync::{Semaphore, mpsc};

use crate::support::eventually;
use crate::support::linked::{Linked, linked};
use crate::support::raw::{Polling, Ws};
use crate::support::server::Options;

const PATH: &str = "/socket.io/";

/// Two nodes. A `wait` event is answered when the gate lets it.
async fn nodes() -> ([Linked; 2], Arc<Semaphore>) {
    let gate = Arc::new(Semaphore::new(0));
    let given = gate.clone();
    let namespaces = move || ["/", "/custom"].map(|name| namespace(name, given.clone())).into_iter().collect();
    (linked(Options::default(), namespaces).await, gate)
}

fn namespace(name: &'static str, gate: Arc<Semaphore>) -> Namespace {
    Namespace::new(name)
        .on("echo", |socket: Arc<Socket>, event: Event| async move {
            socket.emit_args(&event.args);
            Ok(Reply::Ok)
        })
        .on("id", |socket: Arc<Socket>, _| async move { Ok(Reply::Object(format!(r#"{{"id":"{}"}}"#, socket.id()))) })
        .on("wait", move |_, _| {
            let gate = gate.clone();
            async move {
                gate.acquire().await.unwrap().forget();
                Ok(Reply::Ok)
            }
        })
}

/// Connects over long-polling; the socket's id.
async fn connect(polling: &Polling, packet: &str) -> String {
    polling.send(packet.to_owned()).await;
    let answer = polling.poll().await;
    let json = answer.trim_start_matches(|c| c != '{');
    serde_json::from_str::<Value>(json).unwrap()["sid"].as_str().unwrap().to_owned()
}

async fn upgraded(to: &Linked, polling: &Polling) -> Ws {
    let mut ws = Ws::probed(&to.server, polling, PATH).await;
    ws.send("5").await;
    ws
}

#[tokio::test]
async fn a_socket_keeps_its_id_in_every_namespace() {
    let ([a, b], _) = nodes().await;
    let polling = Polling::open(&a.server, PATH).await;
    let (main, custom) = (connect(&polling, "40").await, connect(&polling, "40/custom").await);
    let mut ws = upgraded(&b, &polling).await;
    ws.send(r#"421["id"]"#).await;
    assert_eq!(ws.text().await, format!(r#"431[{{"id":"{main}"}}]"#));
    ws.send(r#"42/custom,2["id"]"#).await;
    assert_eq!(ws.text().await, format!(r#"43/custom,2[{{"id":"{custom}"}}]"#));
    eventually("nothing is left where it was", || {
        (a.server.io.sockets(), a.server.engine.sessions(), b.server.io.sockets()) == (0, 0, 2)
    })
    .await;
}

#[tokio::test]
async fn a_session_without_a_socket_moves_and_connects_where_it_is() {
    let ([a, b], _) = nodes().await;
    let polling = Polling::open(&a.server, PATH).await;
    let mut ws = upgraded(&b, &polling).await;
    ws.send("40").await;
    assert!(ws.text().await.starts_with(r#"40{"sid""#));
    assert_eq!((a.server.io.sockets(), b.server.io.sockets()), (0, 1));
}

#[tokio::test]
async fn half_a_binary_packet_moves() {
    let ([a, b], _) = nodes().await;
    let polling = Polling::open(&a.server, PATH).await;
    connect(&polling, "40").await;
    let text = r#"452-["echo",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;
    polling.send(format!("{text}\u{1e}bAQI=")).await;
    let mut ws = upgraded(&b, &polling).await;
    ws.send_binary(&[3]).await;
    assert_eq!(ws.text().await, text);
    assert_eq!((ws.binary().await, ws.binary().await), (vec![1, 2], vec![3]));
}

#[tokio::test]
async fn what_is_under_way_is_finished_first_and_answered_once() {
    let ([a, b], gate) = nodes().await;
    let polling = Polling::open(&a.server, PATH).await;
    connect(&polling, "40").await;
    polling.send("421[\"wait\"]\u{1e}422[\"id\"]").await;
    let mut ws = upgraded(&b, &polling).await;
    ws.send(r#"423["echo",3]"#).await;
    eventually("the owner takes nothing in any more", || !a.server.engine.all()[0].is_upgrading()).await;
    gate.add_permits(1);
    assert_eq!(ws.text().await, r#"431[{"ok":true}]"#);
    assert!(ws.text().await.starts_with(r#"432[{"id""#));
    assert_eq!((ws.text().await, ws.text().await), (r#"42["echo",3]"#.into(), r#"433[{"ok":true}]"#.into()));
}

#[tokio::test]
async fn a_client_whose_handler_does_not_end_is_closed_instead() {
    let ([a, b], _gate) = nodes().await;
    let polling = Polling::open(&a.server, PATH).await;
    connect(&polling, "40").await;
    polling.send(r#"421["wait"]"#).await;
    let mut ws = upgraded(&b, &polling).await;
    ws.closed_with(1013, "try again").await;
    eventually("nothing is left", || (a.server.engine.sessions(), b.server.engine.sessions()) == (0, 0)).await;
}

#[tokio::test]
async fn the_parser_moves() {
    let ([a, b], _) = nodes().await;
    let polling = Polling::open(&a.server, PATH).await;
    // {type: 0, nsp: "/"} in msgpack.
    let connect = [&b"\x82\xa4type\x00\xa3nsp\xa1/"[..]].concat();
    polling.send(format!("b{}", base64(&connect))).await;
    assert!(polling.poll().await.starts_with('b'));
    let mut ws = upgraded(&b, &polling).await;
    // {type: 2, nsp: "/", data: ["echo", 7]}
    ws.send_binary(b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data\x92\xa4echo\x07").await;
    let back = ws.binary().await;
    assert!(back.windows(6).any(|part| part == b"\xa4echo\x07"), "{back:?}");
}

fn base64(data: &[u8]) -> String {
    use base64::prelude::{BASE64_STANDARD, Engine as _};
    BASE64_STANDARD.encode(data)
}

/// What an application keeps with a socket.
struct Guest {
    name: String,
    /// It stays on the node where it was made.
    is_import: bool,
}

/// Tells how sockets came, and with what.
fn reception(arrivals: mpsc::UnboundedSender<(String, bool, Arrival)>) -> Namespace {
    let guest = |socket: &Socket| socket.data::<Guest>().map(|guest| (guest.name.clone(), guest.is_import)).expect("a guest");
    Namespace::new("/")
        .on_connect(|request: ConnectRequest| async move {
            let auth: Value = request.auth()?;
            Ok(Guest { name: auth["name"].as_str().unwrap_or_default().into(), is_import: false })
        })
        .on_move(
            |guest: &Guest| json!({"name": guest.name}),
            |kept| Some(Guest { name: kept["name"].as_str()?.into(), is_import: true }),
        )
        .on_connection(move |socket, arrival| {
            let (name, is_import) = guest(&socket);
            let _ = arrivals.send((name, is_import, arrival));
            async {}
        })
        .on(
            "name",
            move |socket: Arc<Socket>, _| async move { Ok::<_, EventError>(Reply::Object(format!("{:?}", guest(&socket).0))) },
        )
}

#[tokio::test]
async fn an_application_hears_that_a_socket_has_moved_before_its_next_event_and_has_what_it_kept_with_it() {
    let (sender, mut arrivals) = mpsc::unbounded_channel();
    let [a, b] = linked(Options::default(), move || vec![reception(sender.clone())]).await;
    let polling = Polling::open(&a.server, PATH).await;
    connect(&polling, r#"40{"name":"ann"}"#).await;
    assert_eq!(arrivals.recv().await, Some(("ann".into(), false, Arrival::New)));
    let mut ws = upgraded(&b, &polling).await;
    ws.send(r#"421["name"]"#).await;
    assert_eq!(ws.text().await, r#"431["ann"]"#);
    assert_eq!(arrivals.try_recv().ok(), Some(("ann".into(), true, Arrival::Moved)));
    assert!(arrivals.try_recv().is_err(), "once");
}
