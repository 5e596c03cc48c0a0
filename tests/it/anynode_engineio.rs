//! A session is reached through any node, and moves to the one that has its WebSocket.

use std::time::Duration;

use convoke::engineio::CloseReason;
use convoke::protocol::frame::Frame;
use smallvec::smallvec;

use crate::support::eventually;
use crate::support::linked::{Linked, linked};
use crate::support::raw::{Polling, Tcp, Ws, request};
use crate::support::server::Options;

const PATH: &str = "/engine.io/";

async fn echoes<const N: usize>() -> [Linked; N] {
    linked(Options::default(), Vec::new).await
}

#[tokio::test]
async fn a_session_polls_at_any_node() {
    let [a, b, c] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await;
    for other in [&b, &c, &a] {
        let here = polling.by_way_of(&other.server, PATH);
        here.send("4text\u{1e}bAQID").await;
        let there = polling.by_way_of(&c.server, PATH);
        assert_eq!(there.poll().await, "4text\u{1e}bAQID");
    }
    assert_eq!((a.server.echo.sessions(), b.server.echo.sessions(), c.server.echo.sessions()), (1, 0, 0));
}

/// So slow that the answer to a `ping` has to wait for longer than it may.
#[tokio::test]
async fn a_slow_payload_is_taken_by_way_of_another_node() {
    let options = Options::engine(|config| {
        config.ping_interval = Duration::from_millis(200);
        config.ping_timeout = Duration::from_millis(1_800);
    });
    let [a, b] = linked(options, Vec::new).await;
    let polling = Polling::open(&a.server, PATH).await;
    let mut tcp = Tcp::connect(&b.server).await;
    let payload = format!("4{}", "x".repeat(60_000));
    let post = request("POST", PATH, &format!("EIO=4&transport=polling&sid={}", polling.sid), &payload);
    for part in post.as_bytes().chunks(5_000) {
        tcp.write(part).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(tcp.response().await, (200, "ok".into()));
    assert_eq!(polling.poll().await, format!("2\x1e{payload}"));
}

#[tokio::test]
async fn a_poll_waits_at_the_owner_for_what_comes() {
    let [a, b] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await.by_way_of(&b.server, PATH);
    let send = async {
        eventually("the poll waits", || a.server.session().is_poll_waiting()).await;
        a.server.session().send(smallvec![Frame::text(b"4hello")]);
    };
    assert_eq!(tokio::join!(polling.poll(), send).0, "4hello");
}

#[tokio::test]
async fn a_poll_that_its_client_gives_up_ends_the_session_at_its_owner() {
    let [a, b] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await.by_way_of(&b.server, PATH);
    let poll = tokio::spawn(async move { polling.poll().await });
    eventually("the poll waits", || a.server.session().is_poll_waiting()).await;
    poll.abort();
    assert_eq!(a.server.close_reason().await, CloseReason::PollAborted);
}

#[tokio::test]
async fn what_breaks_the_protocol_is_refused_at_the_edge_and_ends_the_session_at_its_owner() {
    let options = Options::engine(|config| config.max_payload = 1_000);
    let [a, b] = linked(options, Vec::new).await;
    let polling = Polling::open(&a.server, PATH).await.by_way_of(&b.server, PATH);
    assert_eq!(polling.post("4".repeat(1_001)).await.0, 413);
    assert_eq!(a.server.close_reason().await, CloseReason::TooLarge);
    let polling = Polling::open(&a.server, PATH).await.by_way_of(&b.server, PATH);
    assert_eq!(polling.post("x").await.0, 400);
    assert_eq!(a.server.close_reason().await, CloseReason::ProtocolError);
}

#[tokio::test]
async fn a_session_of_nobody_is_unknown_at_once() {
    let [a, b] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await;
    polling.by_way_of(&b.server, PATH).send("4x").await;
    drop(a);
    polling.by_way_of(&b.server, PATH).is_unknown().await;
    for sid in ["short", "nobody..", "nobodyXX-and-more-characters", "%00%ff%00%ff%00%ff%00%ff"] {
        let (status, body) = polling.with_sid(&b.server, PATH, sid).get().await;
        assert_eq!((status, &*body), (400, r#"{"code":1,"message":"Session ID unknown"}"#), "{sid}");
    }
}

#[tokio::test]
async fn an_upgrade_moves_the_session_to_the_node_of_its_websocket() {
    let [a, b, c] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await;
    let mut ws = Ws::probed(&b.server, &polling, PATH).await;
    ws.send("5").await;
    ws.send("4first").await;
    assert_eq!(ws.text().await, "4first");
    let counts = || [&a, &b, &c].map(|node| node.server.echo.sessions());
    eventually("it is there alone", || counts() == [0, 1, 0]).await;
    for node in [&a, &b, &c] {
        let polling = polling.by_way_of(&node.server, PATH);
        assert_eq!((polling.get().await.0, polling.post("4x").await.0), (400, 400));
    }
    // A second WebSocket is taken and closed, as the reference does.
    for node in [&a, &b, &c] {
        let mut second = Ws::connect(&node.server, PATH, &format!("&sid={}", polling.sid)).await;
        assert_eq!(second.closed().await, None);
    }
    ws.send_binary(&[1, 2]).await;
    assert_eq!(ws.binary().await, [1, 2]);
    drop(ws);
    assert_eq!(b.server.close_reason().await, CloseReason::ConnectionLost);
    eventually("nothing is left", || counts() == [0, 0, 0]).await;
}

#[tokio::test]
async fn what_waited_during_the_probe_arrives_in_its_order_and_once() {
    let [a, b] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await;
    let mut ws = Ws::probed(&b.server, &polling, PATH).await;
    let session = a.server.session();
    session.send(smallvec![Frame::text(b"451-[{}]"), Frame::binary(&[7, 8])]);
    session.send(smallvec![Frame::text(b"4two")]);
    ws.send("5").await;
    ws.send("4three").await;
    assert_eq!(ws.text().await, "451-[{}]");
    assert_eq!(ws.binary().await, [7, 8]);
    assert_eq!((ws.text().await, ws.text().await), ("4two".into(), "4three".into()));
}

#[tokio::test]
async fn polls_are_ended_while_another_node_upgrades() {
    let [a, b] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await.by_way_of(&b.server, PATH);
    let upgrade = async {
        eventually("the poll waits", || a.server.session().is_poll_waiting()).await;
        Ws::probed(&b.server, &polling, PATH).await
    };
    let (poll, mut ws) = tokio::join!(polling.poll(), upgrade);
    assert_eq!((poll, polling.poll().await), ("6".into(), "6".into()));
    ws.send("5").await;
    ws.send("4x").await;
    assert_eq!(ws.text().await, "4x");
}

#[tokio::test]
async fn of_several_upgrades_one_gets_the_ticket() {
    let [a, b, c] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await;
    let mut first = Ws::probed(&b.server, &polling, PATH).await;
    for node in [&a, &b, &c] {
        let mut late = Ws::connect(&node.server, PATH, &format!("&sid={}", polling.sid)).await;
        assert_eq!(late.closed().await, None);
    }
    first.send("5").await;
    first.send("4mine").await;
    assert_eq!(first.text().await, "4mine");
}

#[tokio::test]
async fn an_upgrade_that_came_to_nothing_leaves_the_session_polling() {
    let [a, b] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await;
    for broken in ["4not a probe", "5"] {
        let mut ws = Ws::connect(&b.server, PATH, &format!("&sid={}", polling.sid)).await;
        ws.send(broken).await;
        assert_eq!(ws.closed().await, None);
        eventually("the ticket is back", || !a.server.session().is_upgrading()).await;
    }
    polling.by_way_of(&b.server, PATH).send("4x").await;
    assert_eq!(polling.poll().await, "4x");
    let mut ws = Ws::probed(&b.server, &polling, PATH).await;
    ws.send("5").await;
    ws.send("4y").await;
    assert_eq!(ws.text().await, "4y");
}

#[tokio::test]
async fn a_ticket_ends_by_itself() {
    let options = Options::engine(|config| config.upgrade_timeout = Duration::from_secs(1));
    let [a, b] = linked(options, Vec::new).await;
    let polling = Polling::open(&a.server, PATH).await;
    let mut ws = Ws::probed(&b.server, &polling, PATH).await;
    assert_eq!(ws.closed().await, None);
    eventually("the ticket is over", || !a.server.session().is_upgrading()).await;
}

#[tokio::test]
async fn an_unanswered_ping_is_still_owed_after_the_move() {
    let [a, b] = linked(Options::short_pings(), Vec::new).await;
    let polling = Polling::open(&a.server, PATH).await;
    assert_eq!(polling.poll().await, "2");
    let mut ws = Ws::probed(&b.server, &polling, PATH).await;
    ws.send("5").await;
    ws.closed_with(1008, "ping timeout").await;
    assert_eq!(b.server.close_reason().await, CloseReason::PingTimeout);
}

#[tokio::test]
async fn the_next_ping_comes_after_the_move_as_it_would_have_before() {
    let [a, b] = linked(Options::short_pings(), Vec::new).await;
    let polling = Polling::open(&a.server, PATH).await;
    let mut ws = Ws::probed(&b.server, &polling, PATH).await;
    ws.send("5").await;
    for _ in 0..3 {
        assert_eq!(ws.text().await, "2");
        ws.send("3").await;
    }
    ws.send("4alive").await;
    assert_eq!(ws.text_but_pings().await, "4alive");
}

#[tokio::test]
async fn a_node_that_is_full_takes_over_no_session() {
    let [a, b] = linked(Options::engine(|config| config.max_connections = 1), Vec::new).await;
    let (polling, _other) = (Polling::open(&a.server, PATH).await, Polling::open(&b.server, PATH).await);
    let mut tcp = crate::support::raw::Tcp::connect(&b.server).await;
    let request = crate::support::raw::upgrade_request(PATH, &format!("&sid={}", polling.sid));
    tcp.write(request.as_bytes()).await;
    assert_eq!(tcp.response().await.0, 503);
    eventually("the ticket is back", || !a.server.session().is_upgrading()).await;
}

#[tokio::test]
async fn what_fails_after_the_upgrade_packet_closes_the_websocket() {
    let [a, b] = echoes().await;
    let polling = Polling::open(&a.server, PATH).await;
    let mut ws = Ws::probed(&b.server, &polling, PATH).await;
    a.server.session().close(CloseReason::ServerClosed);
    ws.send("5").await;
    ws.closed_with(1013, "try again").await;
    eventually("nothing is left", || b.server.echo.sessions() == 0).await;
}
