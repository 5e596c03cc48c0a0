//! What one client may send: its events are counted for its session and its user, and whatever else it sends slows it down.

use std::sync::Arc;
use std::time::{Duration, Instant};

use convoke::engineio::CloseReason;
use convoke::socketio::{Code, ConnectError, ConnectRequest, DisconnectReason, Event, Identity, Namespace, Reply, Socket};
use futures_util::future::join_all;
use serde_json::Value;

use crate::support::linked::{Linked, linked};
use crate::support::raw::{CONTINUATION, FIN, PING, PONG, Polling, TEXT, Tcp, Ws, frame, text};
use crate::support::server::{Options, Server};
use crate::support::sockets::{Hub, PATH, connected};

const ECHO: &str = "/engine.io/";

/// So many events and no more, however long one waits.
fn only(events: u32) -> Options {
    Options::socketio(|config| {
        (config.events_per_second, config.event_burst, config.events_per_second_per_user) = (0, events, 0);
    })
}

/// Sends an event; whether it was taken.
async fn is_taken(ws: &mut Ws) -> bool {
    ws.send(r#"421["object"]"#).await;
    match ws.text().await {
        answer if answer == "431[{}]" => true,
        answer if answer.contains("RATE_LIMITED") => false,
        answer => panic!("{answer}"),
    }
}

#[tokio::test]
async fn leaving_and_entering_a_namespace_refills_nothing() {
    let hub = Hub::start(only(5)).await;
    let mut ws = connected(&hub.server).await;
    for _ in 0..5 {
        assert!(is_taken(&mut ws).await);
    }
    for _ in 0..10 {
        ws.send("41").await;
        ws.send("40").await;
        assert!(ws.text().await.starts_with("40{"));
        assert!(!is_taken(&mut ws).await);
    }
    // Nor does another namespace.
    ws.send("40/custom").await;
    assert!(ws.text().await.starts_with("40/custom,{"));
    ws.send(r#"42/custom,1["object"]"#).await;
    assert!(ws.text().await.contains("RATE_LIMITED"));
    // Another session has a limit of its own.
    assert!(is_taken(&mut connected(&hub.server).await).await);
}

#[tokio::test]
async fn an_event_that_was_refused_for_its_form_counts_as_well_and_a_large_one_as_several() {
    let hub = Hub::start(only(5)).await;
    let mut ws = connected(&hub.server).await;
    ws.send(r#"421["object",{"__proto__":1}]"#).await;
    assert!(ws.text().await.contains("INVALID_PAYLOAD"));
    ws.send(&format!(r#"421["object",{{"x":"{}"}}]"#, "x".repeat(3 * 16_384))).await;
    assert!(ws.text().await.starts_with(r#"431[{"x""#));
    assert!(!is_taken(&mut ws).await);
    ws.send(r#"421["object",{"__proto__":1}]"#).await;
    assert!(ws.text().await.contains("RATE_LIMITED"));
}

#[tokio::test]
async fn who_connects_again_and_again_loses_the_transport() {
    let options = Options::socketio(|config| config.connects_per_minute = 3);
    let mut hub = Hub::start(options).await;
    let mut ws = connected(&hub.server).await;
    for packet in ["40/nobody", "40/custom"] {
        ws.send(packet).await;
        ws.text().await;
    }
    // Not a CONNECT, however often.
    for _ in 0..20 {
        ws.send("41/custom,").await;
    }
    ws.send("40/custom").await;
    ws.closed_with(1008, "too many connects").await;
    for _ in 0..2 {
        let (_, reason) = hub.gone().await;
        assert!(matches!(reason, DisconnectReason::Client | DisconnectReason::Transport(CloseReason::TooManyConnects)));
    }

    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40\x1e41\x1e40\x1e41\x1e40").await;
    assert_eq!(polling.post("41\x1e40").await.0, 400);
    polling.is_unknown().await;
}

/// A namespace whose user is what `auth` says.
fn of_users() -> Namespace {
    let connect = |request: ConnectRequest| async move {
        let auth: Value = serde_json::from_slice(&request.auth).unwrap_or_default();
        let user = auth["user"].as_str().map(str::to_owned);
        user.ok_or_else(|| ConnectError::refused(Code::INVALID_TOKEN, "no user"))
    };
    Namespace::new("/")
        .on_connect(connect)
        .identity(|user: &String| Identity { user: user.clone(), ..Identity::default() })
        .on("object", |_, event: Event| async move { event.object().map(|object| Reply::Object(object.into())) })
}

async fn connected_as(server: &Server, user: &str) -> Ws {
    let mut ws = Ws::open(server, PATH).await;
    ws.send(&format!(r#"40{{"user":"{user}"}}"#)).await;
    assert!(ws.text().await.starts_with("40{"));
    ws
}

#[tokio::test]
async fn a_user_has_one_limit_over_all_of_its_sockets() {
    let server = Server::start(only(5), [of_users()]).await;
    let (mut one, mut two) = (connected_as(&server, "ann").await, connected_as(&server, "ann").await);
    for _ in 0..2 {
        assert!(is_taken(&mut one).await && is_taken(&mut two).await);
    }
    assert!(is_taken(&mut one).await && !is_taken(&mut two).await && !is_taken(&mut one).await);
    drop((one, two));
    assert!(!is_taken(&mut connected_as(&server, "ann").await).await, "a new session is the same user");
    assert!(is_taken(&mut connected_as(&server, "bob").await).await);
}

#[tokio::test]
async fn acknowledgements_that_were_asked_for_are_never_refused() {
    let mut hub = Hub::start(only(1)).await;
    let mut ws = connected(&hub.server).await;
    let socket = hub.socket().await;
    assert!(is_taken(&mut ws).await && !is_taken(&mut ws).await);
    let asked = (0..50).map(|n| {
        let socket = socket.clone();
        async move { socket.emit_with_ack_within(crate::support::DEADLINE, "asked", &n).await }
    });
    let answer = async {
        for _ in 0..50 {
            let event = ws.text().await;
            let id: String = event[2..].chars().take_while(char::is_ascii_digit).collect();
            ws.send(&format!("43{id}[{id}]")).await;
        }
    };
    let (answers, ()) = tokio::join!(join_all(asked), answer);
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

/// Reads 50,000 bytes a second and as many at once.
fn slow_reader() -> Options {
    Options::engine(|config| (config.max_payload, config.read_bytes_per_second) = (10_000, 50_000))
}

/// Waits for the end of what takes so many bytes, which cannot be before the reader may have read them.
async fn takes_its_time(bytes: usize, what: &str, work: impl Future<Output = ()>) {
    let started = Instant::now();
    work.await;
    let least = Duration::from_secs_f64((bytes - 50_000) as f64 / 50_000.0);
    assert!(started.elapsed() >= least, "{what}: {bytes} bytes were read in {:?}", started.elapsed());
}

#[tokio::test]
async fn what_carries_nothing_slows_its_sender_down() {
    // Each packet and each fragment counts 256 bytes beside its own.
    let of_nothing = [
        ("fragments of one byte", [vec![frame(TEXT, b"4")], vec![frame(CONTINUATION, b"x"); 299]].concat(), 300 * 256),
        ("empty fragments", [vec![frame(TEXT, b"4")], vec![frame(CONTINUATION, b""); 299]].concat(), 300 * 256),
        ("noops", vec![text("6"); 300], 300 * 256),
        ("pongs that nobody asked for", vec![text("3"); 300], 300 * 256),
        ("noops with a load", vec![text(&"6".repeat(9_900)); 10], 99_000),
        ("pings of the WebSocket", vec![frame(FIN | PING, b""); 300], 300 * 256),
        ("pongs of the WebSocket", vec![frame(FIN | PONG, b""); 300], 300 * 256),
    ];
    let server = Server::echo(slow_reader()).await;
    join_all(of_nothing.into_iter().map(|(what, frames, bytes)| {
        let server = &server;
        takes_its_time(bytes, what, async move {
            let mut tcp = Tcp::websocket(server, ECHO).await;
            tcp.write(&frames.concat()).await;
            let open = frames[0][0] & FIN == 0;
            let last = if open { frame(FIN | CONTINUATION, b"end") } else { text("4end") };
            tcp.write(&last).await;
            loop {
                let (opcode, payload) = tcp.frame().await;
                if opcode == TEXT {
                    assert!(payload.ends_with(b"end"), "{what}");
                    break;
                }
            }
        })
    }))
    .await;
}

#[tokio::test]
async fn the_answer_to_a_post_waits_and_so_does_the_next_one() {
    let server = Server::echo(slow_reader()).await;
    let polling = Polling::open(&server, ECHO).await;
    takes_its_time(300 * 256, "noops", polling.send(["6"; 300].join("\x1e"))).await;

    let polling = Polling::open(&server, ECHO).await;
    let noops = ["6"; 300].join("\x1e");
    takes_its_time(2 * 300 * 256 - 50_000, "who does not wait for the answer", async {
        let impatient = tokio::time::timeout(Duration::from_millis(20), polling.post(noops.clone()));
        let _ = impatient.await;
        // The request that was given up may still be at work: then the session ends, as for any two at once.
        while server.echo.all().iter().any(|session| session.is_posting()) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        polling.send(noops).await;
    })
    .await;
}

#[tokio::test]
async fn refusals_have_a_bound_too() {
    let mut options = only(1);
    options.engine = slow_reader().engine;
    let hub = Hub::start(options).await;
    let mut ws = connected(&hub.server).await;
    assert!(is_taken(&mut ws).await);
    takes_its_time(80 * (1_024 + 256), "refusals", async {
        for _ in 0..80 {
            ws.send(r#"421["object"]"#).await;
        }
        for _ in 0..80 {
            assert!(ws.text().await.contains("RATE_LIMITED"));
        }
        assert!(!is_taken(&mut ws).await);
    })
    .await;
}

#[tokio::test]
async fn a_session_that_moves_to_another_node_takes_its_limit_along() {
    let namespaces = || {
        vec![Namespace::new("/").on("object", |_: Arc<Socket>, event: Event| async move {
            event.object().map(|object| Reply::Object(object.into()))
        })]
    };
    let [a, b]: [Linked; 2] = linked(only(5), namespaces).await;
    let polling = Polling::open(&a.server, PATH).await;
    polling.send("40").await;
    polling.poll().await;
    polling.send([r#"421["object"]"#; 4].join("\x1e")).await;
    let mut answers = 0;
    while answers < 4 {
        answers += polling.poll().await.matches("431[{}]").count();
    }
    let mut ws = Ws::probed(&b.server, &polling, PATH).await;
    ws.send("5").await;
    assert!(is_taken(&mut ws).await && !is_taken(&mut ws).await);
}
