//! From long-polling to WebSocket, and what may go wrong on the way.

use std::time::Duration;

use convoke::engineio::CloseReason;
use convoke::protocol::frame::Frame;
use smallvec::smallvec;

use crate::support::eventually;
use crate::support::raw::{FIN, PING, PONG, Polling, Tcp, Ws, frame, text, upgrade_request};
use crate::support::server::{Options, Server};

const PATH: &str = "/engine.io/";

async fn echo() -> Server {
    Server::echo(Options::default()).await
}

/// The session still works over long-polling, and may be upgraded after all.
async fn goes_on_polling(server: &Server, polling: &Polling) {
    polling.send("4over polling").await;
    assert_eq!(polling.poll().await, "4over polling");
    eventually("the attempt is forgotten", || !server.session().is_upgrading()).await;
    let mut ws = Ws::probed(server, polling, PATH).await;
    ws.send("5").await;
    ws.send("4over WebSocket").await;
    assert_eq!(ws.text().await, "4over WebSocket");
}

#[tokio::test]
async fn an_upgrade_ends_the_poll_that_waits_and_goes_on_over_the_websocket() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let upgrade = async {
        eventually("the poll waits", || server.session().is_poll_waiting()).await;
        Ws::probed(&server, &polling, PATH).await
    };
    let (poll, mut ws) = tokio::join!(polling.poll(), upgrade);
    assert_eq!(poll, "6");
    assert_eq!(polling.poll().await, "6", "until the client has sent its upgrade packet");
    ws.send("5").await;
    ws.send("4hello").await;
    assert_eq!(ws.text().await, "4hello");
    assert!(server.session().is_websocket());
}

#[tokio::test]
async fn after_an_upgrade_the_session_takes_no_requests_and_no_other_websocket() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut ws = Ws::probed(&server, &polling, PATH).await;
    ws.send("5").await;
    ws.send("4a").await;
    assert_eq!(ws.text().await, "4a");
    assert_eq!(polling.get().await.0, 400);
    assert_eq!(polling.post("4x").await.0, 400);
    let mut second = Ws::connect(&server, PATH, &format!("&sid={}", polling.sid)).await;
    assert_eq!(second.closed().await, None);
    ws.send("4b").await;
    assert_eq!(ws.text().await, "4b");
}

#[tokio::test]
async fn a_second_websocket_during_the_probe_is_closed_and_the_first_goes_on() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut first = Ws::probed(&server, &polling, PATH).await;
    let mut second = Ws::connect(&server, PATH, &format!("&sid={}", polling.sid)).await;
    assert_eq!(second.closed().await, None);
    first.send("5").await;
    first.send("4hello").await;
    assert_eq!(first.text().await, "4hello");
}

#[tokio::test]
async fn what_is_no_probe_ends_the_attempt_and_the_session_goes_on_polling() {
    let server = echo().await;
    for wrong in ["5", "4hello", "3probe", "2", "2other", "1", "6", "x", ""] {
        let polling = Polling::open(&server, PATH).await;
        let mut ws = Ws::connect(&server, PATH, &format!("&sid={}", polling.sid)).await;
        ws.send(wrong).await;
        assert_eq!(ws.closed().await, None, "{wrong:?}");
        goes_on_polling(&server, &polling).await;
        server.session().close(CloseReason::ServerClosed);
    }
}

#[tokio::test]
async fn what_is_no_upgrade_packet_after_the_probe_ends_the_attempt() {
    let server = echo().await;
    for wrong in ["4hello", "3", "1", "x"] {
        let polling = Polling::open(&server, PATH).await;
        let mut ws = Ws::probed(&server, &polling, PATH).await;
        ws.send(wrong).await;
        assert_eq!(ws.closed().await, None, "{wrong:?}");
        goes_on_polling(&server, &polling).await;
        server.session().close(CloseReason::ServerClosed);
    }
    let polling = Polling::open(&server, PATH).await;
    let mut ws = Ws::probed(&server, &polling, PATH).await;
    ws.send_binary(&[1]).await;
    assert_eq!(ws.closed().await, None);
    goes_on_polling(&server, &polling).await;
}

#[tokio::test]
async fn a_probe_may_be_repeated() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut ws = Ws::probed(&server, &polling, PATH).await;
    ws.send("2probe").await;
    assert_eq!(ws.text().await, "3probe");
    ws.send("5").await;
    ws.send("4hello").await;
    assert_eq!(ws.text().await, "4hello");
}

#[tokio::test]
async fn messages_glued_to_the_upgrade_packet_are_not_lost() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut tcp = Tcp::connect(&server).await;
    tcp.write(upgrade_request(PATH, &format!("&sid={}", polling.sid)).as_bytes()).await;
    assert_eq!(tcp.response().await.0, 101);
    tcp.write(&text("2probe")).await;
    assert_eq!(tcp.text().await, "3probe");
    tcp.write(&[text("5"), text("4one"), text("4two")].concat()).await;
    assert_eq!(tcp.text().await, "4one");
    assert_eq!(tcp.text().await, "4two");
}

#[tokio::test]
async fn a_whole_upgrade_may_come_in_one_segment_with_its_request() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut tcp = Tcp::connect(&server).await;
    let request = upgrade_request(PATH, &format!("&sid={}", polling.sid)).into_bytes();
    tcp.write(&[request, text("2probe"), text("5"), text("4one")].concat()).await;
    assert_eq!(tcp.response().await.0, 101);
    assert_eq!(tcp.text().await, "3probe");
    assert_eq!(tcp.text().await, "4one");
}

#[tokio::test]
async fn a_websocket_ping_during_the_probe_is_answered_there_and_nowhere_else() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut tcp = Tcp::connect(&server).await;
    tcp.write(upgrade_request(PATH, &format!("&sid={}", polling.sid)).as_bytes()).await;
    assert_eq!(tcp.response().await.0, 101);
    tcp.write(&frame(FIN | PING, b"x")).await;
    assert_eq!(tcp.frame().await, (PONG, b"x".to_vec()));
    polling.send("4hello").await;
    assert_eq!(polling.poll().await, "4hello");
}

#[tokio::test]
async fn what_is_sent_during_the_probe_arrives_in_order_and_once() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let session = server.session();
    let send = |n: usize| session.send(smallvec![Frame::text(format!("4{n}").as_bytes())]);
    (0..3).for_each(send);
    let mut ws = Ws::probed(&server, &polling, PATH).await;
    (3..6).for_each(send);
    let mut polled = polling.poll().await;
    (6..9).for_each(send);
    ws.send("5").await;
    eventually("the upgrade is done", || session.is_websocket()).await;
    (9..12).for_each(send);
    for _ in 6..12 {
        polled = format!("{polled}\x1e{}", ws.text().await);
    }
    let expected: Vec<String> = (0..12).map(|n| format!("4{n}")).collect();
    assert_eq!(polled, expected.join("\x1e"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_of_messages_survives_an_upgrade_in_order_and_once() {
    let server = Server::echo(Options::engine(|config| config.outbox_bytes = 64 << 20)).await;
    let polling = Polling::open(&server, PATH).await;
    let session = server.session();
    let upgraded = session.clone();
    let sender = tokio::spawn(async move {
        let mut sent = 0;
        let mut left = 100;
        while left > 0 {
            session.send(smallvec![Frame::text(format!("4{sent}").as_bytes())]);
            sent += 1;
            left -= usize::from(session.is_websocket());
            tokio::task::yield_now().await;
        }
        session.send(smallvec![Frame::text(b"4end")]);
        sent
    });
    let mut received = Vec::new();
    let mut take = |payload: String| received.extend(payload.split('\x1e').filter(|packet| *packet != "6").map(str::to_owned));
    for _ in 0..3 {
        take(polling.poll().await);
    }
    let mut ws = Ws::probed(&server, &polling, PATH).await;
    take(polling.poll().await);
    assert!(!upgraded.is_websocket());
    ws.send("5").await;
    loop {
        match ws.text().await {
            text if text == "4end" => break,
            text => take(text),
        }
    }
    let sent = sender.await.unwrap();
    assert_eq!(received, (0..sent).map(|n| format!("4{n}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_upgrade_that_takes_too_long_is_ended_and_the_session_goes_on_polling() {
    let server = Server::echo(Options::engine(|config| config.upgrade_timeout = Duration::from_secs(1))).await;
    let polling = Polling::open(&server, PATH).await;
    let mut silent = Ws::connect(&server, PATH, &format!("&sid={}", polling.sid)).await;
    assert_eq!(silent.closed().await, None);
    let mut slow = Ws::probed(&server, &polling, PATH).await;
    assert_eq!(slow.closed().await, None);
    polling.send("4hello").await;
    assert_eq!(polling.poll().await, "4hello");
}

#[tokio::test]
async fn an_upgrade_that_its_client_gives_up_leaves_the_session_polling() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    drop(Ws::connect(&server, PATH, &format!("&sid={}", polling.sid)).await);
    goes_on_polling(&server, &polling).await;
    server.session().close(CloseReason::ServerClosed);

    let polling = Polling::open(&server, PATH).await;
    drop(Ws::probed(&server, &polling, PATH).await);
    goes_on_polling(&server, &polling).await;
}

#[tokio::test]
async fn a_session_that_ends_during_the_probe_takes_the_websocket_with_it() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut begun = Ws::connect(&server, PATH, &format!("&sid={}", polling.sid)).await;
    eventually("the upgrade has begun", || server.session().is_upgrading()).await;
    polling.send("1").await;
    assert_eq!(begun.closed().await, None);

    let polling = Polling::open(&server, PATH).await;
    let mut probed = Ws::probed(&server, &polling, PATH).await;
    server.session().close(CloseReason::TryAgain);
    assert_eq!(probed.closed().await, None);
    assert_eq!(server.echo.sessions(), 0);
}

#[tokio::test]
async fn pings_go_on_across_an_upgrade() {
    let server = Server::echo(Options::short_pings()).await;
    let polling = Polling::open(&server, PATH).await;
    assert_eq!(polling.poll().await, "2");
    let mut ws = Ws::probed(&server, &polling, PATH).await;
    ws.send("5").await;
    ws.send("3").await;
    for _ in 0..3 {
        assert_eq!(ws.text().await, "2");
        ws.send("3").await;
    }
    ws.closed_with(1008, "ping timeout").await;
}
