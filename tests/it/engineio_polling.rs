//! Engine.IO over HTTP long-polling.

use std::time::Duration;

use convoke::engineio::CloseReason;
use convoke::protocol::frame::Frame;
use serde_json::{Value, json};
use smallvec::smallvec;

use crate::support::raw::{Polling, Tcp, Ws, http, request, sid_of};
use crate::support::server::{Options, Server};
use crate::support::{eventually, within};

const PATH: &str = "/engine.io/";
const OPEN: &str = "EIO=4&transport=polling";

async fn echo() -> Server {
    Server::echo(Options::default()).await
}

#[tokio::test]
async fn the_handshake_tells_the_session_and_what_the_client_must_know() {
    let server = echo().await;
    let body = http().get(server.url(PATH, OPEN)).send().await.unwrap().text().await.unwrap();
    let mut open: Value = serde_json::from_str(body.strip_prefix('0').unwrap()).unwrap();
    assert!(open["sid"].take().as_str().unwrap().len() >= 20);
    let rest =
        json!({"sid": null, "upgrades": ["websocket"], "pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 1_000_000});
    assert_eq!(open, rest);
    assert_eq!(server.echo.sessions(), 1);
}

#[tokio::test]
async fn a_faulty_handshake_is_refused_with_the_code_of_its_fault() {
    let server = echo().await;
    for (method, query, code) in [
        ("GET", "transport=polling", 5),
        ("GET", "EIO=abc&transport=polling", 5),
        ("GET", "EIO=3&transport=polling", 5),
        ("GET", "EIO=4", 0),
        ("GET", "EIO=4&transport=abc", 0),
        ("GET", "EIO=4&transport=websocket", 3),
        ("POST", OPEN, 2),
        ("PUT", OPEN, 2),
        ("GET", "EIO=4&transport=polling&sid=unknown", 1),
        ("POST", "EIO=4&transport=polling&sid=unknown", 1),
    ] {
        let mut tcp = Tcp::connect(&server).await;
        tcp.write(request(method, PATH, query, "").as_bytes()).await;
        let (status, body) = tcp.response().await;
        let body: Value = serde_json::from_str(&body).unwrap();
        assert_eq!((status, &body["code"]), (400, &json!(code)), "{method} {query}");
    }
    assert_eq!(server.echo.sessions(), 0);
}

#[tokio::test]
async fn a_method_that_no_transport_has_is_refused_and_the_session_goes_on() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut tcp = Tcp::connect(&server).await;
    tcp.write(request("PUT", PATH, &format!("{OPEN}&sid={}", polling.sid), "4x").as_bytes()).await;
    assert_eq!(tcp.response().await.0, 400);
    polling.send("4hello").await;
    assert_eq!(polling.poll().await, "4hello");
}

#[tokio::test]
async fn packets_of_all_kinds_come_back_in_order() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    for payload in ["4hello", "4a\x1e4b\x1e4c", "4hello\x1ebAQIDBA==", "4", "b", "4€ and 😀", "4quotes \" and \\ stay"] {
        polling.send(payload).await;
        assert_eq!(polling.poll().await, payload);
    }
}

#[tokio::test]
async fn a_poll_that_waits_is_answered_as_soon_as_there_is_something() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let poll = async { polling.poll().await };
    let send = async {
        eventually("the poll waits", || server.session().is_poll_waiting()).await;
        polling.send("4hello").await;
    };
    assert_eq!(tokio::join!(poll, send).0, "4hello");
}

#[tokio::test]
async fn a_payload_that_cannot_be_decoded_ends_the_session() {
    let server = echo().await;
    let malformed: [&[u8]; 17] = [
        b"",
        b"abc",
        b"\x1e",
        b"4a\x1e",
        b"\x1e4a",
        b"4a\x1e\x1e4b",
        b"b!!!",
        b"bAQI",
        b"4a\x1exyz",
        b"7",
        b"0",
        b"2",
        b"2probe",
        b"5",
        b"4\xff",
        b"4half a character: \xe2\x82",
        b"44\x1e4\xed\xa0\x80",
    ];
    for payload in malformed {
        let polling = Polling::open(&server, PATH).await;
        assert_eq!(polling.post(payload).await.0, 400, "{payload:?}");
        polling.is_unknown().await;
        assert_eq!(server.close_reason().await, CloseReason::ProtocolError, "{payload:?}");
    }
    assert_eq!(server.echo.sessions(), 0);
}

#[tokio::test]
async fn the_number_of_packets_in_a_payload_is_bounded() {
    let server = Server::echo(Options::engine(|config| config.max_polling_packets = 3)).await;
    let polling = Polling::open(&server, PATH).await;
    polling.send("4a\x1e4b\x1e4c").await;
    assert_eq!(polling.post("4a\x1e4b\x1e4c\x1e4d").await.0, 400);
    polling.is_unknown().await;
}

#[tokio::test]
async fn a_payload_of_exactly_the_limit_is_taken_and_one_byte_more_is_413() {
    let server = Server::echo(Options::engine(|config| config.max_payload = 10_000)).await;
    let polling = Polling::open(&server, PATH).await;
    let payload = format!("4{}", "x".repeat(9_999));
    polling.send(payload.clone()).await;
    assert_eq!(polling.poll().await, payload);
    assert_eq!(polling.post(format!("{payload}x")).await.0, 413);
    assert_eq!(server.close_reason().await, CloseReason::TooLarge);
    polling.is_unknown().await;
}

#[tokio::test]
async fn a_far_larger_payload_is_413_with_and_without_a_length() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    assert_eq!(polling.post("4".repeat(5_000_000)).await.0, 413);
    assert_eq!(server.close_reason().await, CloseReason::TooLarge);

    let polling = Polling::open(&server, PATH).await;
    let mut tcp = Tcp::connect(&server).await;
    let query = format!("{OPEN}&sid={}", polling.sid);
    tcp.write(format!("POST {PATH}?{query} HTTP/1.1\r\nHost: hub\r\nTransfer-Encoding: chunked\r\n\r\n").as_bytes()).await;
    let chunk = format!("{:x}\r\n{}\r\n", 600_000, "4".repeat(600_000));
    tcp.write(chunk.repeat(2).as_bytes()).await;
    assert_eq!(tcp.response().await.0, 413);
    assert_eq!(server.close_reason().await, CloseReason::TooLarge);
}

#[tokio::test]
async fn an_answer_to_a_poll_holds_sixteen_packets_and_the_rest_comes_with_the_next() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let packets: Vec<String> = (0..40).map(|n| format!("4{n}")).collect();
    polling.send(packets.join("\x1e")).await;
    let mut come = Vec::new();
    for expected in [16, 16, 8] {
        let answer = polling.poll().await;
        assert_eq!(answer.split('\x1e').count(), expected);
        come.extend(answer.split('\x1e').map(str::to_owned));
    }
    assert_eq!(come, packets);
}

#[tokio::test]
async fn an_empty_parameter_of_the_query_is_none() {
    let server = echo().await;
    for (query, status) in [
        ("EIO=4&transport=polling&sid=", 200),
        ("EIO=&EIO=4&transport=&transport=polling&sid=&t=", 200),
        ("EIO=&transport=polling", 400),
        ("EIO=4&transport=", 400),
    ] {
        let response = http().get(server.url(PATH, query)).send().await.unwrap();
        assert_eq!(response.status(), status, "{query}");
    }
    let mut ws = Ws::connect(&server, PATH, "&sid=").await;
    assert!(ws.text().await.starts_with("0{"));
}

#[tokio::test]
async fn what_is_more_than_a_payload_may_hold_comes_with_the_next_poll() {
    let server = Server::echo(Options::engine(|config| config.max_payload = 10)).await;
    let polling = Polling::open(&server, PATH).await;
    polling.send("4aaa\x1e4bbb").await;
    polling.send("4cccc").await;
    assert_eq!(polling.poll().await, "4aaa\x1e4bbb");
    assert_eq!(polling.poll().await, "4cccc");
}

#[tokio::test]
async fn two_polls_at_once_end_the_session() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let second = async {
        eventually("the poll waits", || server.session().is_poll_waiting()).await;
        polling.get().await
    };
    let (first, second) = tokio::join!(polling.get(), second);
    assert_eq!(first, (200, "1".into()));
    assert_eq!(second.0, 400);
    assert_eq!(server.close_reason().await, CloseReason::ProtocolError);
    polling.is_unknown().await;
}

#[tokio::test]
async fn two_posts_at_once_end_the_session() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let query = format!("EIO=4&transport=polling&sid={}", polling.sid);
    let mut slow = Tcp::connect(&server).await;
    let whole = request("POST", PATH, &query, "4half of it");
    slow.write(&whole.as_bytes()[..whole.len() - 4]).await;
    eventually("the first is being read", || server.session().is_posting()).await;
    assert_eq!(polling.post("4overtakes").await.0, 400);
    assert_eq!(server.close_reason().await, CloseReason::ProtocolError);
    polling.is_unknown().await;
}

#[tokio::test]
async fn a_poll_that_its_client_gives_up_ends_the_session() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut tcp = Tcp::connect(&server).await;
    tcp.write(request("GET", PATH, &format!("{OPEN}&sid={}", polling.sid), "").as_bytes()).await;
    eventually("the poll waits", || server.session().is_poll_waiting()).await;
    drop(tcp);
    assert_eq!(server.close_reason().await, CloseReason::PollAborted);
    polling.is_unknown().await;
}

#[tokio::test]
async fn a_post_that_is_given_up_half_way_ends_the_session() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let mut tcp = Tcp::connect(&server).await;
    let head = request("POST", PATH, &format!("{OPEN}&sid={}", polling.sid), "").replace("Length: 0", "Length: 100");
    tcp.write(format!("{head}4half").as_bytes()).await;
    drop(tcp);
    assert_eq!(server.close_reason().await, CloseReason::ProtocolError);
}

#[tokio::test]
async fn a_close_packet_ends_the_session_and_the_poll_that_waits() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let close = async {
        eventually("the poll waits", || server.session().is_poll_waiting()).await;
        polling.send("1").await;
    };
    assert_eq!(tokio::join!(polling.get(), close).0, (200, "6".into()));
    assert_eq!(server.close_reason().await, CloseReason::ClientClosed);
    polling.is_unknown().await;
}

#[tokio::test]
async fn a_poll_that_a_close_packet_overtook_is_answered_all_the_same() {
    let server = echo().await;
    for _ in 0..20 {
        let polling = Polling::open(&server, PATH).await;
        let (_, poll) = tokio::join!(polling.send("1"), polling.get());
        assert_eq!(poll, (200, "6".into()));
        polling.is_unknown().await;
    }
}

#[tokio::test]
async fn what_follows_a_close_packet_is_not_read() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    polling.send("1\x1e4late\x1e2").await;
    assert_eq!(server.close_reason().await, CloseReason::ClientClosed);
    polling.is_unknown().await;
}

#[tokio::test]
async fn a_session_that_the_server_ends_for_a_moment_is_unknown_to_every_poll() {
    for reason in [CloseReason::TryAgain, CloseReason::GoingAway, CloseReason::SlowClient] {
        let server = echo().await;
        let polling = Polling::open(&server, PATH).await;
        let close = async {
            eventually("the poll waits", || server.session().is_poll_waiting()).await;
            server.session().close(reason);
        };
        let (status, body) = tokio::join!(polling.get(), close).0;
        assert_eq!(status, 400, "{body}");
        assert!(body.contains("Session ID unknown"), "{body}");
        polling.is_unknown().await;
    }
}

#[tokio::test]
async fn a_session_that_ends_right_after_a_message_leaves_no_poll_empty() {
    let server = echo().await;
    let polling = Polling::open(&server, PATH).await;
    let close = async {
        eventually("the poll waits", || server.session().is_poll_waiting()).await;
        let session = server.session();
        session.send(smallvec![Frame::text(b"4last")]);
        session.close(CloseReason::TryAgain);
    };
    let (status, body) = tokio::join!(polling.get(), close).0;
    assert!((status, &*body) == (200, "4last") || status == 400, "{status} {body:?}");
}

#[tokio::test]
async fn a_client_that_answers_its_pings_stays() {
    let server = Server::echo(Options::short_pings()).await;
    let polling = Polling::open(&server, PATH).await;
    for _ in 0..3 {
        assert_eq!(polling.poll().await, "2");
        polling.send("3").await;
    }
    assert_eq!(server.echo.sessions(), 1);
}

#[tokio::test]
async fn a_client_that_does_not_poll_or_does_not_answer_times_out() {
    let server = Server::echo(Options::short_pings()).await;
    let silent = Polling::open(&server, PATH).await;
    assert_eq!(server.close_reason().await, CloseReason::PingTimeout);
    silent.is_unknown().await;

    let deaf = Polling::open(&server, PATH).await;
    assert_eq!(deaf.poll().await, "2");
    let (status, body) = deaf.get().await;
    assert_eq!(status, 400, "{body}");
    assert_eq!(server.close_reason().await, CloseReason::PingTimeout);
}

#[tokio::test]
async fn requests_on_one_connection_are_answered_in_order_though_sent_at_once() {
    let server = echo().await;
    let mut tcp = Tcp::connect(&server).await;
    let handshake = request("GET", PATH, OPEN, "");
    tcp.write(handshake.repeat(2).as_bytes()).await;
    let (first, second) = (sid_of(&tcp.response().await.1), sid_of(&tcp.response().await.1));
    assert_ne!(first, second);
    let requests = [
        request("POST", PATH, &format!("{OPEN}&sid={first}"), "4one"),
        request("POST", PATH, &format!("{OPEN}&sid={first}"), "4two"),
        request("GET", PATH, &format!("{OPEN}&sid={first}"), ""),
        request("GET", "/elsewhere", "", ""),
    ];
    tcp.write(requests.concat().as_bytes()).await;
    assert_eq!(tcp.response().await, (200, "ok".into()));
    assert_eq!(tcp.response().await, (200, "ok".into()));
    assert_eq!(tcp.response().await, (200, "4one\x1e4two".into()));
    assert_eq!(tcp.response().await.0, 404);
}

/// The clock of this test jumps to the next deadline whenever nothing else happens.
#[tokio::test(start_paused = true)]
async fn a_connection_that_never_finishes_its_headers_ends() {
    let server = echo().await;
    for begun in ["", "GET /engine.io/?EIO=4", "GET /engine.io/ HTTP/1.1\r\nHost: hub\r\nX-Slow: "] {
        let mut tcp = Tcp::connect(&server).await;
        tcp.write(begun.as_bytes()).await;
        let started = tokio::time::Instant::now();
        let mut rest = Vec::new();
        let read = tokio::io::AsyncReadExt::read_to_end(&mut tcp.0, &mut rest);
        let _ = tokio::time::timeout(Duration::from_secs(120), read).await.expect("it ends");
        assert!(started.elapsed() >= Duration::from_secs(30), "patience with slow clients");
    }
}

/// As above.
#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_ends_the_session() {
    let server = echo().await;
    let mut tcp = Tcp::connect(&server).await;
    tcp.write(request("GET", PATH, OPEN, "").as_bytes()).await;
    let sid = sid_of(&tcp.response().await.1);
    let head = request("POST", PATH, &format!("{OPEN}&sid={sid}"), "").replace("Length: 0", "Length: 100");
    tcp.write(format!("{head}4half").as_bytes()).await;
    assert_eq!(tcp.response().await.0, 408);
    assert_eq!(server.close_reason().await, CloseReason::ProtocolError);
}

/// As above: 90 KB at 8 KB a second.
#[tokio::test(start_paused = true)]
async fn a_slow_payload_is_taken_as_long_as_it_gets_on() {
    let server = echo().await;
    let mut tcp = Tcp::connect(&server).await;
    tcp.write(request("GET", PATH, OPEN, "").as_bytes()).await;
    let query = format!("{OPEN}&sid={}", sid_of(&tcp.response().await.1));
    let payload = format!("4{}", "x".repeat(90_000));
    for part in request("POST", PATH, &query, &payload).as_bytes().chunks(8_000) {
        tcp.write(part).await;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
    assert_eq!(tcp.response().await, (200, "ok".into()));
    tcp.write(request("GET", PATH, &query, "").as_bytes()).await;
    assert_eq!(tcp.response().await, (200, payload));
}

#[tokio::test]
async fn a_session_lives_while_the_answer_to_its_ping_waits_behind_a_slow_payload() {
    let server = Server::echo(Options::engine(|config| {
        config.ping_interval = Duration::from_millis(200);
        config.ping_timeout = Duration::from_millis(1_800);
    }))
    .await;
    let polling = Polling::open(&server, PATH).await;
    let mut tcp = Tcp::connect(&server).await;
    let post = request("POST", PATH, &format!("{OPEN}&sid={}", polling.sid), &format!("4{}", "x".repeat(1_000)));
    for part in post.as_bytes().chunks(post.len() / 11) {
        tcp.write(part).await;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(tcp.response().await, (200, "ok".into()));
    assert!(polling.poll().await.starts_with("2\x1e4x"));
}

/// As above.
#[tokio::test(start_paused = true)]
async fn an_idle_connection_lives_longer_than_a_balancer_keeps_it() {
    let server = echo().await;
    let mut tcp = Tcp::connect(&server).await;
    tcp.write(request("GET", "/elsewhere", "", "").as_bytes()).await;
    assert_eq!(tcp.response().await.0, 404);
    let idle = tokio::time::Instant::now();
    let mut rest = Vec::new();
    let read = tokio::io::AsyncReadExt::read_to_end(&mut tcp.0, &mut rest);
    let _ = tokio::time::timeout(Duration::from_secs(200), read).await.expect("it ends");
    assert!((74..=76).contains(&idle.elapsed().as_secs()), "{:?}", idle.elapsed());
}

#[tokio::test]
async fn garbage_instead_of_http_ends_only_its_connection() {
    let server = echo().await;
    for garbage in [&b"\x16\x03\x01\x02\x00\x01\x00\x01"[..], b"HELO hub\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"] {
        let mut tcp = Tcp::connect(&server).await;
        tcp.write(garbage).await;
        let answer = within(tcp.rest()).await;
        assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
    }
    let polling = Polling::open(&server, PATH).await;
    polling.send("4hello").await;
    assert_eq!(polling.poll().await, "4hello");
}
