//! Both parsers on one port: each client speaks its own, and what one says reaches the other unchanged.

use base64::prelude::{BASE64_STANDARD, Engine};
use convoke::engineio::CloseReason;
use convoke::protocol::packet::Parser;
use convoke::socketio::DisconnectReason;
use serde_json::{Value, json};

use crate::support::msgpack::{pack, unpack};
use crate::support::raw::{Polling, Tcp, Ws, frame};
use crate::support::server::Server;
use crate::support::sockets::{Hub, PATH, connected};
use crate::support::{eventually, within};

async fn send(ws: &mut Ws, packet: Value) {
    ws.send_binary(&pack(&packet)).await;
}

async fn next(ws: &mut Ws) -> Value {
    unpack(&ws.binary().await)
}

/// A msgpack client in the main namespace.
async fn connected_msgpack(server: &Server) -> Ws {
    let mut ws = Ws::open(server, PATH).await;
    send(&mut ws, json!({"type": 0, "nsp": "/", "data": {}})).await;
    let reply = next(&mut ws).await;
    assert_eq!((&reply["type"], &reply["nsp"]), (&json!(0), &json!("/")));
    assert!(reply["data"]["sid"].is_string());
    ws
}

fn event(data: Value) -> Value {
    json!({"type": 2, "nsp": "/", "data": data})
}

#[tokio::test]
async fn a_msgpack_client_connects_talks_and_leaves() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected_msgpack(&hub.server).await;
    assert_eq!(hub.socket().await.parser(), Parser::Msgpack);
    let data = json!(["echo", 1, -7, 1.5, "€", null, true, {"deep": [{"$bin": [1, 2, 3]}]}]);
    send(&mut ws, event(data.clone())).await;
    assert_eq!(next(&mut ws).await, event(data));
    send(&mut ws, json!({"type": 2, "nsp": "/", "id": 7, "data": ["return", {"$bin": [4]}]})).await;
    assert_eq!(next(&mut ws).await, json!({"type": 3, "nsp": "/", "id": 7, "data": [{"$bin": [4]}]}));
    send(&mut ws, json!({"type": 0, "nsp": "/random"})).await;
    assert_eq!(next(&mut ws).await, json!({"type": 4, "nsp": "/random", "data": {"message": "Invalid namespace"}}));
    send(&mut ws, json!({"type": 0, "nsp": "/custom", "data": {"token": "x"}})).await;
    assert_eq!(next(&mut ws).await["nsp"], "/custom");
    hub.socket().await.disconnect();
    assert_eq!(next(&mut ws).await, json!({"type": 1, "nsp": "/custom"}));
    send(&mut ws, json!({"type": 1, "nsp": "/"})).await;
    assert_eq!(hub.gone().await, ("/custom", DisconnectReason::Server));
    assert_eq!(hub.gone().await, ("/", DisconnectReason::Client));
}

#[tokio::test]
async fn a_msgpack_client_may_poll_and_upgrade() {
    let hub = Hub::by_default().await;
    let polling = Polling::open(&hub.server, PATH).await;
    let packet = |value: Value| format!("b{}", base64(&pack(&value)));
    polling.send(packet(json!({"type": 0, "nsp": "/"}))).await;
    assert!(polling.poll().await.starts_with('b'));
    polling.send(packet(event(json!(["echo", {"$bin": [9]}])))).await;
    let echoed = polling.poll().await;
    assert_eq!(unpack(&unbase64(&echoed[1..])), event(json!(["echo", {"$bin": [9]}])));
    let mut ws = Ws::probed(&hub.server, &polling, PATH).await;
    ws.send("5").await;
    send(&mut ws, event(json!(["echo", "upgraded"]))).await;
    assert_eq!(next(&mut ws).await, event(json!(["echo", "upgraded"])));
}

fn base64(bytes: &[u8]) -> String {
    BASE64_STANDARD.encode(bytes)
}

fn unbase64(text: &str) -> Vec<u8> {
    BASE64_STANDARD.decode(text).unwrap()
}

#[tokio::test]
async fn a_text_client_and_a_msgpack_client_hear_each_other_unchanged() {
    let mut hub = Hub::by_default().await;
    let mut text = connected(&hub.server).await;
    let text_socket = hub.socket().await;
    let mut msgpack = connected_msgpack(&hub.server).await;
    let msgpack_socket = hub.socket().await;

    let placeholder = |num| format!(r#"{{"_placeholder":true,"num":{num}}}"#);
    let array = format!(r#"["see",{{"a":[{},1.5,-3,null,"€"]}},{}]"#, placeholder(0), placeholder(1));
    let value = json!(["see", {"a": [{"$bin": [1, 2]}, 1.5, -3, null, "€"]}, {"$bin": []}]);

    text.send(&format!("452-{array}")).await;
    text.send_binary(&[1, 2]).await;
    text.send_binary(&[]).await;
    let from_text = within(hub.seen.recv()).await.unwrap();
    send(&mut msgpack, event(value.clone())).await;
    let from_msgpack = within(hub.seen.recv()).await.unwrap();
    assert_eq!(from_text, from_msgpack, "one canonical form");

    msgpack_socket.emit_args(&from_text);
    assert_eq!(next(&mut msgpack).await, event(value));
    text_socket.emit_args(&from_msgpack);
    assert_eq!(text.text().await, format!("452-{array}"));
    assert_eq!(text.binary().await, [1, 2]);
    assert_eq!(text.binary().await, [] as [u8; 0]);
}

#[tokio::test]
async fn the_hub_s_questions_reach_a_msgpack_client_and_its_answers_come_back() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected_msgpack(&hub.server).await;
    let socket = hub.socket().await;
    let asked = tokio::spawn(async move {
        let args = convoke::protocol::event::Args::event("question", "1");
        socket.emit_args_with_ack(&args, crate::support::DEADLINE).await
    });
    assert_eq!(next(&mut ws).await, json!({"type": 2, "nsp": "/", "id": 1, "data": ["question", 1]}));
    send(&mut ws, json!({"type": 3, "nsp": "/", "id": 1, "data": ["yes", {"$bin": [5]}]})).await;
    let answer = within(asked).await.unwrap().unwrap();
    assert_eq!(answer.json, r#"["yes",{"_placeholder":true,"num":0}]"#);
    assert_eq!(answer.attachments, [[5].as_slice()]);
}

#[tokio::test]
async fn a_msgpack_event_that_breaks_the_rules_is_refused_and_the_socket_goes_on() {
    let hub = Hub::by_default().await;
    let mut ws = connected_msgpack(&hub.server).await;
    let deep = (0..70).fold(json!(1), |inner, _| json!([inner]));
    for argument in [json!({"_placeholder": true, "num": 0}), deep, json!({"__proto__": 1}), json!(1_i64 << 60)] {
        send(&mut ws, json!({"type": 2, "nsp": "/", "id": 3, "data": ["see", argument]})).await;
        let ack = next(&mut ws).await;
        assert_eq!((&ack["type"], &ack["id"], &ack["data"][0]["code"]), (&json!(3), &json!(3), &json!("INVALID_PAYLOAD")));
        send(&mut ws, event(json!(["see", argument]))).await;
        let error = next(&mut ws).await;
        assert_eq!((&error["data"][0], &error["data"][1]["code"]), (&json!("error"), &json!("INVALID_PAYLOAD")));
    }
    send(&mut ws, json!({"type": 2, "nsp": "/", "id": 4, "data": ["nobody-knows"]})).await;
    assert_eq!(next(&mut ws).await["data"][0]["code"], "UNKNOWN_EVENT");
}

#[tokio::test]
async fn a_msgpack_packet_that_does_not_decode_closes_the_transport() {
    let mut hub = Hub::by_default().await;
    let mut malformed = vec![vec![], vec![0xc1], vec![0x83, 0xa4], b"42[\"see\"]".to_vec()];
    malformed.extend(
        [
            json!(1),
            json!([]),
            json!({}),
            json!({"type": 2, "nsp": "/"}),
            json!({"type": 2, "nsp": "/", "data": {}}),
            json!({"type": 2, "nsp": "/", "data": []}),
            json!({"type": 2, "nsp": "/", "data": [null]}),
            json!({"type": 2, "nsp": "/", "data": ["disconnect"]}),
            json!({"type": 2, "nsp": 1, "data": ["see"]}),
            json!({"type": 2, "nsp": "/", "id": -1, "data": ["see"]}),
            json!({"type": 2, "nsp": "/", "id": "1", "data": ["see"]}),
            json!({"type": 3, "nsp": "/", "data": []}),
            json!({"type": 4, "nsp": "/", "data": {"message": "x"}}),
            json!({"type": 5, "nsp": "/", "data": ["see"]}),
            json!({"type": 9, "nsp": "/"}),
            json!({"type": 1, "nsp": "/", "data": ["x"]}),
            json!({"type": 2, "data": ["see"]}),
        ]
        .iter()
        .map(pack),
    );
    let two = pack(&event(json!(["see"]))).repeat(2);
    malformed.push(two);
    for packet in malformed {
        let mut ws = connected_msgpack(&hub.server).await;
        ws.send_binary(&packet).await;
        ws.closed_with(1002, "protocol error").await;
        assert_eq!(hub.gone().await, ("/", DisconnectReason::Transport(CloseReason::ProtocolError)), "{packet:?}");

        let polling = Polling::open(&hub.server, PATH).await;
        polling.send(format!("b{}", base64(&pack(&json!({"type": 0, "nsp": "/"}))))).await;
        polling.poll().await;
        assert_eq!(polling.post(format!("b{}", base64(&packet))).await.0, 400, "{packet:?}");
        hub.gone().await;
    }
    assert!(hub.seen.try_recv().is_err());
    eventually("no session is left", || hub.server.engine.sessions() == 0).await;
}

#[tokio::test]
async fn nobody_changes_the_parser_on_the_way() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected_msgpack(&hub.server).await;
    ws.send(r#"42["see"]"#).await;
    ws.closed_with(1002, "protocol error").await;
    let mut ws = connected(&hub.server).await;
    send(&mut ws, event(json!(["see"]))).await;
    ws.closed_with(1002, "protocol error").await;
    assert!(hub.seen.try_recv().is_err());
}

#[tokio::test]
async fn a_fragmented_msgpack_packet_is_put_together() {
    let mut hub = Hub::by_default().await;
    let mut tcp = Tcp::websocket(&hub.server, PATH).await;
    let connect = pack(&json!({"type": 0, "nsp": "/"}));
    tcp.write(&[frame(2, &connect[..3]), frame(0, &connect[3..5]), frame(0x80, &connect[5..])].concat()).await;
    let (opcode, reply) = tcp.frame().await;
    assert_eq!((opcode, &unpack(&reply)["type"]), (2, &json!(0)));
    assert_eq!(hub.socket().await.parser(), Parser::Msgpack);
}

#[tokio::test]
async fn a_first_message_that_no_parser_reads_closes_the_transport() {
    let hub = Hub::by_default().await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    ws.send("4abc").await;
    ws.closed_with(1002, "protocol error").await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    ws.send_binary(&[0xff, 0xff]).await;
    ws.closed_with(1002, "protocol error").await;
}
