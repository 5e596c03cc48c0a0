//! What a server bounds: handshakes, sessions, and what waits for a client that does not read.

use std::sync::Arc;
use std::time::Duration;

use convoke::engineio::{CloseReason, Session};
use convoke::protocol::frame::Frame;
use convoke::socketio::Namespace;
use smallvec::smallvec;

use crate::support::raw::{Polling, Tcp, Ws, http, text, upgrade_request};
use crate::support::server::{Options, Server};
use crate::support::{eventually, within};

const PATH: &str = "/engine.io/";

/// A handshake by each transport is answered with 503 and a time to come back.
async fn is_refused(server: &Server, message: &str) {
    let response = http().get(server.url(PATH, "EIO=4&transport=polling")).send().await.unwrap();
    assert_eq!(response.status(), 503);
    let after: u64 = response.headers()["retry-after"].to_str().unwrap().parse().unwrap();
    assert!((1..=5).contains(&after));
    let body = response.text().await.unwrap();
    assert!(body.contains(message), "{body}");
    let mut tcp = Tcp::connect(server).await;
    tcp.write(upgrade_request(PATH, "").as_bytes()).await;
    assert_eq!(tcp.response().await.0, 503);
}

#[tokio::test]
async fn beyond_the_limit_in_all_a_handshake_is_refused_until_a_place_is_free() {
    let server = Server::echo(Options::engine(|config| config.max_connections = 2)).await;
    let polling = Polling::open(&server, PATH).await;
    let mut ws = Ws::open(&server, PATH).await;
    is_refused(&server, "too many connections").await;
    polling.send("1").await;
    drop(Ws::open(&server, PATH).await);
    ws.send("4still here").await;
    assert_eq!(ws.text().await, "4still here");
}

#[tokio::test]
async fn beyond_the_limit_of_an_address_a_handshake_is_refused() {
    let server = Server::echo(Options::engine(|config| config.max_connections_per_address = 1)).await;
    let ws = Ws::open(&server, PATH).await;
    is_refused(&server, "from this address").await;
    drop(ws);
    eventually("the place is free", || server.echo.sessions() == 0).await;
    Ws::open(&server, PATH).await;
}

#[tokio::test]
async fn beyond_the_handshakes_of_a_second_the_next_one_is_refused() {
    let server = Server::echo(Options::engine(|config| config.handshakes_per_second = 1)).await;
    Polling::open(&server, PATH).await;
    // On a busy machine a second is over now and then.
    within(async {
        loop {
            let response = http().get(server.url(PATH, "EIO=4&transport=polling")).send().await.unwrap();
            if response.status() == 503 {
                assert!(response.headers().contains_key("retry-after"));
                return assert!(response.text().await.unwrap().contains("too many handshakes"));
            }
        }
    })
    .await;
    within(async {
        loop {
            let mut tcp = Tcp::connect(&server).await;
            tcp.write(upgrade_request(PATH, "").as_bytes()).await;
            if tcp.response().await.0 == 503 {
                return;
            }
        }
    })
    .await;
    within(async {
        while http().get(server.url(PATH, "EIO=4&transport=polling")).send().await.unwrap().status() != 200 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
}

#[tokio::test]
async fn a_refused_handshake_or_a_failed_one_takes_no_place() {
    let server = Server::echo(Options::engine(|config| config.max_connections = 1)).await;
    for _ in 0..3 {
        let mut tcp = Tcp::connect(&server).await;
        tcp.write(upgrade_request(PATH, "").replace("Version: 13", "Version: 8").as_bytes()).await;
        assert_eq!(tcp.response().await.0, 400);
    }
    let _ws = Ws::open(&server, PATH).await;
    for _ in 0..3 {
        is_refused(&server, "too many connections").await;
    }
}

#[tokio::test]
async fn a_server_that_refuses_new_sessions_keeps_those_it_has() {
    let server = Server::echo(Options::default()).await;
    let polling = Polling::open(&server, PATH).await;
    server.echo.refuse_new_sessions();
    is_refused(&server, "going away").await;
    polling.send("4hello").await;
    assert_eq!(polling.poll().await, "4hello");
    let mut ws = Ws::probed(&server, &polling, PATH).await;
    ws.send("5").await;
    ws.send("4upgraded").await;
    assert_eq!(ws.text().await, "4upgraded");
}

/// Sends until the socket takes no more and something waits.
async fn fill(session: &Arc<Session>) {
    let frame = Frame::text(&[b'4'; 16_000]);
    while session.waiting_bytes() == 0 {
        session.send(smallvec![frame.clone()]);
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_by_the_byte_and_told_why() {
    let server = Server::echo(Options::engine(|config| config.outbox_bytes = 100_000)).await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    let session = server.session();
    fill(&session).await;
    let frame = Frame::text(&[b'4'; 1_000]);
    let mut most = 0;
    while !session.is_closed() {
        session.send(smallvec![frame.clone()]);
        most = most.max(session.waiting_bytes());
        tokio::task::yield_now().await;
    }
    assert!(most <= 102_000, "{most} bytes were waiting");
    assert_eq!(server.close_reason().await, CloseReason::SlowClient);
    assert_eq!(server.echo.sessions(), 0);
    let (code, reason) = loop {
        let (opcode, payload) = tcp.frame().await;
        if opcode == 8 {
            break (u16::from_be_bytes([payload[0], payload[1]]), payload[2..].to_vec());
        }
        assert!(payload.iter().all(|byte| *byte == b'4'), "no frame is torn");
    };
    assert_eq!((code, &*reason), (1008, &b"slow client"[..]));
}

#[tokio::test]
async fn a_client_that_does_not_poll_is_dropped_too() {
    let server = Server::echo(Options::engine(|config| config.outbox_bytes = 10_000)).await;
    let polling = Polling::open(&server, PATH).await;
    for _ in 0..11 {
        server.session().send(smallvec![Frame::text(&[b'4'; 1_000])]);
    }
    assert_eq!(server.close_reason().await, CloseReason::SlowClient);
    polling.is_unknown().await;
}

#[tokio::test]
async fn of_volatile_messages_a_slow_client_keeps_the_newest_of_each_key() {
    let server = Server::echo(Options::engine(|config| config.outbox_bytes = 60_000)).await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    let session = server.session();
    fill(&session).await;
    session.send(smallvec![Frame::text(b"4must stay")]);
    for n in 0..1_000 {
        for key in 0..3 {
            let text = format!("4volatile {key} {n:0>200}");
            if session.queue(smallvec![Frame::text(text.as_bytes())], Some(key)) {
                session.flush();
            }
        }
    }
    assert!(!session.is_closed());
    assert!(session.waiting_bytes() <= 60_000);
    session.send(smallvec![Frame::text(b"4end")]);
    let mut received = Vec::new();
    loop {
        match tcp.text().await {
            text if text == "4end" => break,
            text if text.starts_with("44") => {}
            text => received.push(text),
        }
    }
    assert_eq!(received[0], "4must stay");
    let newest = |key| format!("4volatile {key} {:0>200}", 999);
    assert_eq!(received[received.len() - 3..], [newest(0), newest(1), newest(2)]);
    assert!(received.len() < 1_000, "{} of 3,000 were kept", received.len());
    assert!(received[1..].is_sorted_by_key(|text| text[text.len() - 4..].to_owned()), "what is kept is in order");
}

#[tokio::test]
async fn one_packet_may_be_larger_than_what_may_wait() {
    let server = Server::echo(Options::engine(|config| config.outbox_bytes = 1_000)).await;
    let mut ws = Ws::open(&server, PATH).await;
    let large = format!("4{}", "x".repeat(500_000));
    ws.send(&large).await;
    assert_eq!(ws.text().await, large);
}

#[tokio::test]
async fn a_client_that_goes_before_its_handshake_is_answered_takes_no_place() {
    let server = Server::echo(Options::engine(|config| config.max_connections = 1)).await;
    for _ in 0..20 {
        let mut tcp = Tcp::connect(&server).await;
        tcp.write(upgrade_request(PATH, "").as_bytes()).await;
        drop(tcp);
        within(async {
            let mut tcp = Tcp::connect(&server).await;
            tcp.write(upgrade_request(PATH, "").as_bytes()).await;
            while tcp.response().await.0 == 503 {
                tcp.write(upgrade_request(PATH, "").as_bytes()).await;
            }
        })
        .await;
        eventually("its place is free", || server.echo.sessions() == 0).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_both_sides_end_at_once_leave_nothing() {
    let server = Server::start(Options::default(), [Namespace::new("/")]).await;
    for _ in 0..20 {
        let mut clients = Vec::new();
        for _ in 0..10 {
            let mut tcp = Tcp::websocket(&server, "/socket.io/").await;
            tcp.write(&text("40")).await;
            assert!(tcp.text().await.starts_with("40{"));
            clients.push(tcp);
        }
        let sessions = server.engine.all();
        let closing = tokio::spawn(async move { sessions.iter().for_each(|session| session.close(CloseReason::GoingAway)) });
        for (n, mut tcp) in clients.into_iter().enumerate() {
            let last = text(if n % 2 == 0 { "41" } else { "1" });
            let _ = tokio::io::AsyncWriteExt::write_all(&mut tcp.0, &last).await;
        }
        closing.await.unwrap();
    }
    eventually("no session is left", || server.engine.sessions() == 0).await;
    eventually("no socket is left", || server.io.sockets() == 0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_clients_come_and_go_and_nothing_is_left() {
    let data = Arc::new(());
    let held = data.clone();
    let namespace = Namespace::new("/").on_connect(move |_| {
        let held = held.clone();
        async move { Ok(held) }
    });
    let server = Server::start(Options::default(), [namespace]).await;
    futures_util::future::join_all((0..10).map(|lane| come_and_go(&server, (0..25).map(move |round| lane + round)))).await;
    eventually("no session is left", || server.engine.sessions() == 0).await;
    eventually("no socket is left", || server.io.sockets() == 0).await;
    eventually("nothing of them is held", || Arc::strong_count(&data) == 2).await;
}

/// Four clients a round, each ends in its own way.
async fn come_and_go(server: &Server, rounds: impl Iterator<Item = usize>) {
    for round in rounds {
        let mut ws = Ws::open(server, "/socket.io/").await;
        ws.send("40").await;
        assert!(ws.text().await.starts_with("40{"));
        let polling = Polling::open(server, "/socket.io/").await;
        polling.send("40").await;
        assert!(polling.poll().await.starts_with("40{"));
        let upgrading = Polling::open(server, "/socket.io/").await;
        upgrading.send("40").await;
        let mut upgraded = Ws::probed(server, &upgrading, "/socket.io/").await;
        upgraded.send("5").await;
        assert!(upgraded.text().await.starts_with("40{"));
        let mut failing = Ws::open(server, "/socket.io/").await;
        failing.send(if round % 2 == 0 { "40/unknown" } else { "4garbage" }).await;
        assert!(server.engine.sessions() >= 3);
        polling.send(if round % 2 == 0 { "1" } else { "41\x1e1" }).await;
        upgraded.send("41").await;
    }
}
