//! Socket.IO: who connects to which namespace, and how a socket ends.

use std::time::Duration;

use convoke::engineio::CloseReason;
use convoke::socketio::DisconnectReason;
use serde_json::{Value, json};

use crate::support::eventually;
use crate::support::raw::{Polling, Ws};
use crate::support::server::Options;
use crate::support::sockets::{Hub, PATH, connected};

#[tokio::test]
async fn a_client_connects_to_each_namespace_with_and_without_auth() {
    let hub = Hub::by_default().await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    let mut sids = Vec::new();
    for (connect, reply) in [("40", "40"), (r#"40/custom,{"token":"123"}"#, "40/custom,")] {
        ws.send(connect).await;
        let answer = ws.text().await;
        let json: Value = serde_json::from_str(answer.strip_prefix(reply).unwrap()).unwrap();
        assert_eq!(json.as_object().unwrap().len(), 1);
        sids.push(json["sid"].as_str().unwrap().to_owned());
    }
    assert_ne!(sids[0], sids[1]);
    assert_eq!(hub.server.io.sockets(), 2);
    for connect in [r#"40{"token":"123"}"#, "40/,", "40{}"] {
        let mut ws = Ws::open(&hub.server, PATH).await;
        ws.send(connect).await;
        assert!(ws.text().await.starts_with(r#"40{"sid":""#), "{connect}");
    }
    for connect in ["40/custom", "40/custom,"] {
        let mut ws = Ws::open(&hub.server, PATH).await;
        ws.send(connect).await;
        assert!(ws.text().await.starts_with(r#"40/custom,{"sid":""#), "{connect}");
    }
}

#[tokio::test]
async fn the_socket_id_is_not_the_secret_session_id() {
    let mut hub = Hub::by_default().await;
    let _ws = connected(&hub.server).await;
    let socket = hub.socket().await;
    assert_ne!(socket.id(), socket.session().sid());
}

#[tokio::test]
async fn an_unknown_namespace_is_refused_and_the_session_goes_on() {
    let hub = Hub::by_default().await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    ws.send("40/random").await;
    assert_eq!(ws.text().await, r#"44/random,{"message":"Invalid namespace"}"#);
    ws.send(r#"40/Custom,{"a":1}"#).await;
    assert_eq!(ws.text().await, r#"44/Custom,{"message":"Invalid namespace"}"#);
    ws.send("40").await;
    assert!(ws.text().await.starts_with("40{"));
}

#[tokio::test]
async fn a_refused_client_is_told_the_code_and_may_try_again() {
    let hub = Hub::by_default().await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    ws.send(r#"40{"be":"refused"}"#).await;
    let refusal: Value = serde_json::from_str(ws.text().await.strip_prefix("44").unwrap()).unwrap();
    assert_eq!(refusal, json!({"message": "bad token", "data": {"code": "INVALID_TOKEN"}}));
    ws.send("40").await;
    assert!(ws.text().await.starts_with("40{"));
}

#[tokio::test]
async fn when_connecting_is_not_possible_for_a_moment_the_transport_is_closed() {
    let hub = Hub::by_default().await;
    for be in ["away", "panic"] {
        let mut ws = Ws::open(&hub.server, PATH).await;
        ws.send(&format!(r#"40{{"be":"{be}"}}"#)).await;
        ws.closed_with(1013, "try again").await;

        let polling = Polling::open(&hub.server, PATH).await;
        polling.send(format!(r#"40{{"be":"{be}"}}"#)).await;
        eventually("the session ends", || hub.server.engine.sessions() == 0).await;
        polling.is_unknown().await;
    }
}

#[tokio::test]
async fn a_client_that_does_not_connect_in_time_is_closed() {
    let hub = Hub::start(Options::socketio(|config| config.connect_timeout = Duration::from_millis(700))).await;
    let mut silent = Ws::open(&hub.server, PATH).await;
    silent.closed_with(1008, "connect timeout").await;
    let mut refused = Ws::open(&hub.server, PATH).await;
    refused.send("40/random").await;
    refused.closed_with(1008, "connect timeout").await;
    let polling = Polling::open(&hub.server, PATH).await;
    assert_eq!(polling.get().await.0, 400);
    let mut connected = connected(&hub.server).await;
    let mut stuck = Ws::open(&hub.server, PATH).await;
    stuck.send(r#"40{"be":"never"}"#).await;
    assert!(stuck.closed().await.is_some());
    connected.send(r#"421["object"]"#).await;
    assert_eq!(connected.text().await, "431[{}]");
    connected.send(r#"40/custom,{"be":"never"}"#).await;
    connected.closed_with(1013, "try again").await;
}

#[tokio::test]
async fn a_client_that_is_not_connected_has_no_business_to_send() {
    let hub = Hub::by_default().await;
    for early in [r#"42["see"]"#, r#"421["see"]"#, "431[]", r#"42/custom,["see"]"#, r#"42/random,["see"]"#] {
        let mut ws = Ws::open(&hub.server, PATH).await;
        ws.send(early).await;
        ws.closed_with(1002, "protocol error").await;
    }
    let mut other = connected(&hub.server).await;
    other.send(r#"42/custom,["see"]"#).await;
    other.closed_with(1002, "protocol error").await;
    let mut connecting = Ws::open(&hub.server, PATH).await;
    connecting.send(r#"40{"be":"never"}"#).await;
    connecting.send(r#"42["see"]"#).await;
    connecting.closed_with(1002, "protocol error").await;
}

#[tokio::test]
async fn connecting_twice_closes_the_transport() {
    let hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    ws.send("40").await;
    ws.closed_with(1002, "protocol error").await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    ws.send(r#"40{"be":"never"}"#).await;
    ws.send("40").await;
    ws.closed_with(1002, "protocol error").await;
}

#[tokio::test]
async fn leaving_one_namespace_leaves_the_other_and_one_may_come_back() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    ws.send("40/custom,").await;
    let first = ws.text().await;
    ws.send("41/custom,").await;
    ws.send(r#"42/custom,["echo","late"]"#).await;
    ws.send(r#"42["echo","main"]"#).await;
    assert_eq!(ws.text().await, r#"42["echo","main"]"#);
    assert_eq!(hub.gone().await, ("/custom", DisconnectReason::Client));
    assert_eq!(hub.server.io.sockets(), 1);
    ws.send("40/custom,").await;
    assert_ne!(ws.text().await, first, "a new socket");
    ws.send(r#"42/custom,["echo","again"]"#).await;
    assert_eq!(ws.text().await, r#"42/custom,["echo","again"]"#);
    ws.send("41").await;
    assert_eq!(hub.gone().await, ("/", DisconnectReason::Client));
    ws.send(r#"42/custom,["echo","still"]"#).await;
    assert_eq!(ws.text().await, r#"42/custom,["echo","still"]"#);
}

#[tokio::test]
async fn a_client_that_gives_up_connecting_and_tries_again_gets_one_answer() {
    let mut hub = Hub::by_default().await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    ws.send(r#"40{"be":"never"}"#).await;
    ws.send("41").await;
    ws.send("40").await;
    assert!(ws.text().await.starts_with("40{"));
    ws.send(r#"421["object"]"#).await;
    assert_eq!(ws.text().await, "431[{}]");
    hub.socket().await;
    assert_eq!(hub.server.io.sockets(), 1);
}

#[tokio::test]
async fn a_client_that_gives_up_connecting_again_and_again_is_closed() {
    let hub = Hub::by_default().await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    for _ in 0..9 {
        ws.send(r#"40{"be":"never"}"#).await;
        ws.send("41").await;
    }
    ws.closed_with(1002, "protocol error").await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    for _ in 0..30 {
        ws.send("40").await;
        assert!(ws.text().await.starts_with("40{"));
        ws.send("41").await;
    }
}

#[tokio::test]
async fn a_socket_that_the_server_ends_is_told_and_its_session_ends_with_the_last_one() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    let main = hub.socket().await;
    ws.send("40/custom,").await;
    ws.text().await;
    let custom = hub.socket().await;
    custom.disconnect();
    assert_eq!(ws.text().await, "41/custom,");
    assert_eq!(hub.gone().await, ("/custom", DisconnectReason::Server));
    assert!(!custom.is_connected() && main.is_connected());
    custom.emit("late", "1");
    ws.send(r#"42/custom,["see"]"#).await;
    ws.send(r#"421["object"]"#).await;
    assert_eq!(ws.text().await, "431[{}]");
    main.disconnect();
    main.disconnect();
    assert_eq!(ws.text().await, "41");
    ws.closed_with(1000, "server closed").await;
    assert_eq!(hub.gone().await, ("/", DisconnectReason::Server));
    assert_eq!(hub.server.io.sockets(), 0);
}

#[tokio::test]
async fn a_polling_client_is_told_too_whether_it_waits_or_not() {
    let mut hub = Hub::by_default().await;
    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    assert!(polling.poll().await.starts_with("40{"));
    hub.socket().await.disconnect();
    assert_eq!(polling.poll().await, "41");
    polling.send("1").await;

    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    assert!(polling.poll().await.starts_with("40{"));
    let socket = hub.socket().await;
    let end = async {
        eventually("the poll waits", || socket.session().is_poll_waiting()).await;
        socket.disconnect();
    };
    assert_eq!(tokio::join!(polling.poll(), end).0, "41");
    assert_eq!(polling.poll().await, "1", "a client that stays is closed");
    polling.is_unknown().await;
    assert_eq!(hub.server.engine.sessions(), 0);
}

#[tokio::test]
async fn a_handler_may_end_its_own_socket() {
    let mut hub = Hub::by_default().await;
    let mut ws = connected(&hub.server).await;
    ws.send(r#"42["leave"]"#).await;
    ws.send(r#"42["see"]"#).await;
    assert_eq!(ws.text().await, "41");
    assert_eq!(hub.gone().await, ("/", DisconnectReason::Server));
}

#[tokio::test]
async fn why_a_socket_is_gone_is_known_to_its_namespace() {
    let mut hub = Hub::by_default().await;
    drop(connected(&hub.server).await);
    assert_eq!(hub.gone().await, ("/", DisconnectReason::Transport(CloseReason::ConnectionLost)));
    let mut ws = connected(&hub.server).await;
    ws.send("41").await;
    assert_eq!(hub.gone().await, ("/", DisconnectReason::Client));
    drop(ws);
    let _ws = connected(&hub.server).await;
    hub.server.engine.all().into_iter().for_each(|session| session.close(CloseReason::GoingAway));
    assert_eq!(hub.gone().await, ("/", DisconnectReason::Transport(CloseReason::GoingAway)));
    assert!(hub.gone.try_recv().is_err(), "once for each socket");
}

#[tokio::test]
async fn pings_reach_a_connected_client_on_both_transports() {
    let hub = Hub::start(Options::short_pings()).await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    ws.send("40").await;
    let mut pings = 0;
    while pings < 3 {
        match ws.text().await {
            ping if ping == "2" => {
                pings += 1;
                ws.send("3").await;
            }
            other => assert!(other.starts_with("40{"), "{other}"),
        }
    }
    ws.closed_with(1008, "ping timeout").await;
    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    let mut pings = 0;
    while pings < 3 {
        for packet in polling.poll().await.split('\u{1e}') {
            if packet == "2" {
                pings += 1;
                polling.send("3").await;
            } else {
                assert!(packet.starts_with("40{"), "{packet}");
            }
        }
    }
    assert_eq!(polling.poll().await, "2");
    assert_eq!(polling.get().await.0, 400);
}
