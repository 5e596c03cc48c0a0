//! Engine.IO over WebSocket, down to single frames.

use convoke::engineio::CloseReason;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::support::raw::{BINARY, CONTINUATION, FIN, PING, PONG, TEXT, Tcp, Ws, frame, request, sid_of, text, upgrade_request};
use crate::support::server::{Options, Server};
use crate::support::{DEADLINE, eventually};

const PATH: &str = "/engine.io/";

async fn echo() -> Server {
    Server::echo(Options::default()).await
}

#[tokio::test]
async fn the_handshake_is_the_first_message() {
    let server = echo().await;
    let mut ws = Ws::connect(&server, PATH, "").await;
    let open = ws.text().await;
    let mut open: Value = serde_json::from_str(open.strip_prefix('0').unwrap()).unwrap();
    assert!(open["sid"].take().as_str().unwrap().len() >= 20);
    let rest = json!({"sid": null, "upgrades": [], "pingInterval": 25_000, "pingTimeout": 20_000, "maxPayload": 1_000_000});
    assert_eq!(open, rest);
}

#[tokio::test]
async fn a_faulty_handshake_is_refused_before_there_is_a_websocket() {
    let server = echo().await;
    let proper = upgrade_request(PATH, "");
    for (faulty, status) in [
        (proper.replace("EIO=4", "EIO=abc"), 400),
        (proper.replace("EIO=4&", ""), 400),
        (proper.replace("transport=websocket", "transport=abc"), 400),
        (proper.replace("transport=websocket", "transport=polling"), 400),
        (proper.replace("&transport=websocket", ""), 400),
        (proper.replace("GET", "POST"), 400),
        (proper.replace("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", ""), 400),
        (proper.replace("Version: 13", "Version: 8"), 400),
        (upgrade_request(PATH, "&sid=unknown"), 400),
        (request("GET", PATH, "EIO=4&transport=websocket", ""), 400),
    ] {
        let mut tcp = Tcp::connect(&server).await;
        tcp.write(faulty.as_bytes()).await;
        assert_eq!(tcp.response().await.0, status, "{faulty}");
    }
    assert_eq!(server.echo.sessions(), 0);
}

#[tokio::test]
async fn the_subprotocol_that_was_offered_first_is_answered() {
    let server = echo().await;
    for (offered, answered) in [(" chat, superchat", Some("chat")), ("a", Some("a")), (" , b", None), ("", None)] {
        let mut tcp = Tcp::connect(&server).await;
        let header = format!("Sec-WebSocket-Protocol:{offered}\r\n\r\n");
        tcp.write(upgrade_request(PATH, "").replace("\r\n\r\n", &format!("\r\n{header}")).as_bytes()).await;
        let head = tcp.head().await;
        assert!(head.starts_with("http/1.1 101"), "{head}");
        let found = head.lines().find_map(|line| line.strip_prefix("sec-websocket-protocol: "));
        assert_eq!(found, answered, "{offered:?}");
    }
}

#[tokio::test]
async fn text_and_binary_messages_come_back() {
    let server = echo().await;
    let mut ws = Ws::open(&server, PATH).await;
    for message in ["4hello", "4", "4€ and 😀"] {
        ws.send(message).await;
        assert_eq!(ws.text().await, message);
    }
    for len in [0, 1, 125, 126, 65_535, 65_536, 999_999] {
        let data: Vec<u8> = (0..len).map(|at| at as u8).collect();
        ws.send_binary(&data).await;
        assert_eq!(ws.binary().await, data);
    }
    ws.send("bAQID").await;
    assert_eq!(ws.binary().await, [1, 2, 3], "base64 in a text frame is binary data");
    ws.send("6").await;
    ws.send("4after a noop").await;
    assert_eq!(ws.text().await, "4after a noop");
}

#[tokio::test]
async fn a_message_that_is_no_packet_closes_the_socket_with_1002() {
    let server = echo().await;
    for malformed in ["", "abc", "0", "2", "2probe", "5", "7", "bAQ", "b*", " 4"] {
        let mut ws = Ws::open(&server, PATH).await;
        ws.send(malformed).await;
        ws.closed_with(1002, "protocol error").await;
        assert_eq!(server.close_reason().await, CloseReason::ProtocolError, "{malformed:?}");
    }
    assert_eq!(server.echo.sessions(), 0);
}

#[tokio::test]
async fn a_message_of_exactly_the_limit_is_taken_and_one_byte_more_closes_with_1009() {
    let server = Server::echo(Options::engine(|config| config.max_payload = 1_000)).await;
    let mut ws = Ws::open(&server, PATH).await;
    let message = format!("4{}", "x".repeat(999));
    ws.send(&message).await;
    assert_eq!(ws.text().await, message);
    ws.send(&format!("{message}x")).await;
    ws.closed_with(1009, "message too large").await;
    assert_eq!(server.close_reason().await, CloseReason::TooLarge);
}

#[tokio::test]
async fn a_far_larger_message_is_closed_with_1009_though_its_client_is_still_sending() {
    let server = echo().await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    tcp.write(&frame(FIN | BINARY, &vec![7; 8_000_000])).await;
    assert_eq!(tcp.close_frame().await, (1009, "message too large".into()));
}

#[tokio::test]
async fn a_frame_that_only_claims_to_be_huge_is_closed_with_1009() {
    let server = echo().await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    tcp.write(&[FIN | BINARY, 0x80 | 127, 0, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1, 2, 3, 4]).await;
    assert_eq!(tcp.close_frame().await, (1009, "message too large".into()));
}

#[tokio::test]
async fn fragments_become_one_message_and_control_frames_may_come_between() {
    let server = echo().await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    tcp.write(&frame(TEXT, b"4hel")).await;
    tcp.write(&frame(FIN | PING, b"are you there")).await;
    assert_eq!(tcp.frame().await, (PONG, b"are you there".to_vec()));
    tcp.write(&frame(FIN | PONG, b"unasked")).await;
    tcp.write(&frame(CONTINUATION, b"")).await;
    tcp.write(&frame(CONTINUATION, b"lo, ")).await;
    tcp.write(&frame(FIN | CONTINUATION, b"hub")).await;
    assert_eq!(tcp.text().await, "4hello, hub");
    tcp.write(&[frame(BINARY, &[1, 2]), frame(FIN | PING, b""), frame(FIN | CONTINUATION, &[3])].concat()).await;
    assert_eq!(tcp.frame().await, (PONG, vec![]));
    assert_eq!(tcp.frame().await, (BINARY, vec![1, 2, 3]));
}

#[tokio::test]
async fn a_character_may_be_split_across_fragments() {
    let server = echo().await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    let message = "4€😀".as_bytes();
    for split in 1..message.len() {
        tcp.write(&frame(TEXT, &message[..split])).await;
        tcp.write(&frame(FIN | CONTINUATION, &message[split..])).await;
        assert_eq!(tcp.text().await, "4€😀", "split at {split}");
    }
}

#[tokio::test]
async fn text_that_is_not_utf_8_closes_with_1002_in_one_piece_or_in_several() {
    let server = echo().await;
    for frames in [
        frame(FIN | TEXT, b"4\xff"),
        frame(FIN | TEXT, b"4\xed\xa0\x80"),
        [frame(TEXT, b"4\xe2\x82"), frame(FIN | CONTINUATION, b"x")].concat(),
        [frame(TEXT, b"4\xe2"), frame(FIN | CONTINUATION, b"\x82")].concat(),
    ] {
        let mut tcp = Tcp::websocket(&server, PATH).await;
        tcp.write(&frames).await;
        assert_eq!(tcp.close_frame().await, (1002, "protocol error".into()));
    }
}

#[tokio::test]
async fn fragments_that_are_too_large_together_close_with_1009() {
    let server = Server::echo(Options::engine(|config| config.max_payload = 1_000)).await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    tcp.write(&frame(BINARY, &[7; 500])).await;
    tcp.write(&frame(FIN | CONTINUATION, &[7; 500])).await;
    assert_eq!(tcp.frame().await, (BINARY, vec![7; 1_000]));
    tcp.write(&frame(BINARY, &[7; 600])).await;
    tcp.write(&frame(CONTINUATION, &[7; 401])).await;
    assert_eq!(tcp.close_frame().await, (1009, "message too large".into()));
}

#[tokio::test]
async fn frames_that_break_the_websocket_protocol_close_with_1002() {
    let server = echo().await;
    let unmasked = [&[FIN | TEXT, 6][..], b"4hello"].concat();
    for (what, frames) in [
        ("a continuation of nothing", frame(FIN | CONTINUATION, b"4x")),
        ("a message within a message", [frame(TEXT, b"4a"), frame(FIN | TEXT, b"4b")].concat()),
        ("a reserved bit", frame(FIN | 0x40 | TEXT, b"4x")),
        ("an unknown opcode", frame(FIN | 3, b"4x")),
        ("a ping in fragments", frame(PING, b"x")),
        ("a ping of 126 bytes", frame(FIN | PING, &[b'x'; 126])),
        ("no mask", unmasked),
    ] {
        let mut tcp = Tcp::websocket(&server, PATH).await;
        tcp.write(&frames).await;
        let mut next = tcp.frame().await;
        if next.0 == TEXT {
            next = tcp.frame().await;
        }
        assert_eq!((next.0, &next.1[..2]), (8, &1002_u16.to_be_bytes()[..]), "{what}");
        assert_eq!(server.close_reason().await, CloseReason::ProtocolError, "{what}");
    }
}

#[tokio::test]
async fn frames_sent_right_behind_the_request_are_not_lost() {
    let server = echo().await;
    let mut tcp = Tcp::connect(&server).await;
    let early = [upgrade_request(PATH, "").into_bytes(), text("4one"), frame(TEXT, b"4t"), frame(FIN | CONTINUATION, b"wo")];
    tcp.write(&early.concat()).await;
    assert_eq!(tcp.response().await.0, 101);
    sid_of(&tcp.text().await);
    assert_eq!(tcp.text().await, "4one");
    assert_eq!(tcp.text().await, "4two");
}

#[tokio::test]
async fn half_a_frame_behind_the_request_waits_for_its_other_half() {
    let server = echo().await;
    let mut tcp = Tcp::connect(&server).await;
    let whole = text("4hello");
    tcp.write(&[upgrade_request(PATH, "").as_bytes(), &whole[..3]].concat()).await;
    assert_eq!(tcp.response().await.0, 101);
    sid_of(&tcp.text().await);
    tcp.write(&whole[3..]).await;
    assert_eq!(tcp.text().await, "4hello");
}

#[tokio::test]
async fn a_message_may_come_byte_by_byte_and_a_thousand_in_one_segment() {
    let server = echo().await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    for byte in text("4slowly") {
        tcp.write(&[byte]).await;
        tokio::task::yield_now().await;
    }
    assert_eq!(tcp.text().await, "4slowly");
    let many: Vec<u8> = (0..1_000).flat_map(|n| text(&format!("4{n}"))).collect();
    tcp.write(&many).await;
    for n in 0..1_000 {
        assert_eq!(tcp.text().await, format!("4{n}"));
    }
}

#[tokio::test]
async fn a_client_that_answers_its_pings_stays() {
    let server = Server::echo(Options::short_pings()).await;
    let mut ws = Ws::open(&server, PATH).await;
    for _ in 0..3 {
        assert_eq!(ws.text().await, "2");
        ws.send("3").await;
    }
    ws.send("4still here").await;
    assert_eq!(ws.text_but_pings().await, "4still here");
}

#[tokio::test]
async fn a_client_that_does_not_answer_its_ping_is_closed_with_the_reason() {
    let server = Server::echo(Options::short_pings()).await;
    let mut ws = Ws::open(&server, PATH).await;
    assert_eq!(ws.text().await, "2");
    ws.send("4a message is no pong").await;
    ws.closed_with(1008, "ping timeout").await;
    assert_eq!(server.close_reason().await, CloseReason::PingTimeout);
}

#[tokio::test]
async fn a_client_leaves_by_packet_by_close_frame_or_by_going() {
    let server = echo().await;
    let mut ws = Ws::open(&server, PATH).await;
    ws.send("1").await;
    ws.closed_with(1000, "client closed").await;
    assert_eq!(server.close_reason().await, CloseReason::ClientClosed);

    let mut ws = Ws::open(&server, PATH).await;
    ws.message(Message::Close(None)).await;
    ws.closed_with(1000, "client closed").await;
    assert_eq!(server.close_reason().await, CloseReason::ClientClosed);

    drop(Ws::open(&server, PATH).await);
    assert_eq!(server.close_reason().await, CloseReason::ConnectionLost);
    eventually("no session is left", || server.echo.sessions() == 0).await;
}

#[tokio::test]
async fn each_reason_of_the_server_has_its_code_and_what_waits_comes_before_it() {
    let server = echo().await;
    for (reason, code, text) in [
        (CloseReason::ServerClosed, 1000, "server closed"),
        (CloseReason::GoingAway, 1001, "going away"),
        (CloseReason::ProtocolError, 1002, "protocol error"),
        (CloseReason::ConnectTimeout, 1008, "connect timeout"),
        (CloseReason::SlowClient, 1008, "slow client"),
        (CloseReason::TooLarge, 1009, "message too large"),
        (CloseReason::TryAgain, 1013, "try again"),
    ] {
        let mut ws = Ws::open(&server, PATH).await;
        let session = server.session();
        session.queue(smallvec::smallvec![convoke::protocol::frame::Frame::text(b"4last")], None);
        session.close(reason);
        session.close(CloseReason::PingTimeout);
        assert_eq!(ws.text().await, "4last");
        ws.closed_with(code, text).await;
        assert_eq!(server.close_reason().await, reason, "the first reason counts");
        assert_eq!(server.echo.sessions(), 0);
    }
}

#[tokio::test]
async fn a_closed_socket_ends_soon_though_its_client_goes_on_sending() {
    let server = echo().await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    server.session().close(CloseReason::TryAgain);
    assert_eq!(tcp.close_frame().await, (1013, "try again".into()));
    let ended = async { while tokio::io::AsyncWriteExt::write_all(&mut tcp.0, &text("4more")).await.is_ok() {} };
    tokio::time::timeout(DEADLINE, ended).await.expect("the connection ends");
}
