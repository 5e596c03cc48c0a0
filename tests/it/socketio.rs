//! Socket.IO: namespaces, events and their answers, and what does not belong.

use std::sync::Arc;
use std::time::Duration;

use convoke::engineio::CloseReason;
use convoke::protocol::event::Args;
use convoke::socketio::{Code, ConnectError, ConnectRequest, DisconnectReason, Event, EventError, Namespace, Reply, Socket};
use serde_json::{Value, json};
use tokio::sync::{Notify, mpsc};

use crate::support::raw::{Polling, Ws};
use crate::support::server::{Options, Server, eventually, within};

pub const PATH: &str = "/socket.io/";

/// A server, and what its namespaces saw.
pub struct Hub {
    pub server: Server,
    pub sockets: mpsc::UnboundedReceiver<Arc<Socket>>,
    pub gone: mpsc::UnboundedReceiver<(&'static str, DisconnectReason)>,
    pub seen: mpsc::UnboundedReceiver<Args>,
    /// Lets one `wait` event go on.
    pub gate: Arc<Notify>,
}

impl Hub {
    pub async fn start(options: Options) -> Self {
        let (connected, sockets) = mpsc::unbounded_channel();
        let (disconnected, gone) = mpsc::unbounded_channel();
        let (see, seen) = mpsc::unbounded_channel();
        let gate = Arc::new(Notify::new());
        let namespaces = ["/", "/custom"].map(|name| {
            let (connected, disconnected, see, gate) = (connected.clone(), disconnected.clone(), see.clone(), gate.clone());
            Namespace::new(name)
                .on_connect(connect)
                .on_connected(move |socket| {
                    let _ = connected.send(socket);
                    async {}
                })
                .on_disconnected(move |socket, reason| {
                    let _ = disconnected.send((socket.namespace().name(), reason));
                    async {}
                })
                .on("echo", |socket: Arc<Socket>, event: Event| async move {
                    socket.emit_args(&event.args);
                    Ok(Reply::Ok)
                })
                .on("see", move |_, event: Event| {
                    let _ = see.send(event.args);
                    async { Ok(Reply::Ok) }
                })
                .on("return", |socket, event: Event| async move {
                    let arguments: Vec<&str> = event.args.iter().map(|argument| argument.get()).collect();
                    let json = format!("[{}]", arguments.join(",")).into();
                    event.acknowledge(&socket, &Args { json, attachments: event.args.attachments.clone() });
                    Ok(Reply::None)
                })
                .on("object", |_, event: Event| async move { event.object().map(|object| Reply::Object(object.into())) })
                .on("refuse", |_, _| async { Err(EventError::new(Code::FORBIDDEN, "not yours").with("sosId", "s1")) })
                .on("panic", |_, event: Event| async move { panic!("as asked: {}", event.name) })
                .on("panic-at-once", |_, _| -> std::future::Ready<Result<Reply, EventError>> { panic!("as asked") })
                .on("wait", move |_, _| {
                    let gate = gate.clone();
                    async move {
                        gate.notified().await;
                        Ok(Reply::Ok)
                    }
                })
                .on("leave", |socket: Arc<Socket>, _| async move {
                    socket.disconnect();
                    Ok(Reply::Ok)
                })
        });
        Self { server: Server::start(options, namespaces).await, sockets, gone, seen, gate }
    }

    /// The socket that connected next.
    pub async fn socket(&mut self) -> Arc<Socket> {
        within(self.sockets.recv()).await.unwrap()
    }

    /// The socket that disconnected next.
    pub async fn gone(&mut self) -> (&'static str, DisconnectReason) {
        within(self.gone.recv()).await.unwrap()
    }
}

async fn connect(request: ConnectRequest) -> Result<(), ConnectError> {
    let auth: Value = serde_json::from_slice(&request.auth).unwrap();
    match auth["be"].as_str() {
        Some("refused") => Err(ConnectError::refused(Code::INVALID_TOKEN, "bad token")),
        Some("away") => Err(ConnectError::TryAgain),
        Some("panic") => panic!("as asked"),
        Some("never") => std::future::pending().await,
        _ => Ok(()),
    }
}

async fn hub() -> Hub {
    Hub::start(Options::default()).await
}

/// A WebSocket that is connected to the main namespace.
pub async fn connected(server: &Server) -> Ws {
    let mut ws = Ws::open(server, PATH).await;
    ws.send("40").await;
    assert!(ws.text().await.starts_with(r#"40{"sid":""#));
    ws
}

#[tokio::test]
async fn a_client_connects_to_each_namespace_with_and_without_auth() {
    let hub = hub().await;
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
    let mut hub = hub().await;
    let _ws = connected(&hub.server).await;
    let socket = hub.socket().await;
    assert_ne!(socket.id(), socket.session().sid());
}

#[tokio::test]
async fn an_unknown_namespace_is_refused_and_the_session_goes_on() {
    let hub = hub().await;
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
    let hub = hub().await;
    let mut ws = Ws::open(&hub.server, PATH).await;
    ws.send(r#"40{"be":"refused"}"#).await;
    let refusal: Value = serde_json::from_str(ws.text().await.strip_prefix("44").unwrap()).unwrap();
    assert_eq!(refusal, json!({"message": "bad token", "data": {"code": "INVALID_TOKEN"}}));
    ws.send("40").await;
    assert!(ws.text().await.starts_with("40{"));
}

#[tokio::test]
async fn when_connecting_is_not_possible_for_a_moment_the_transport_is_closed() {
    let hub = hub().await;
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
    let hub = Hub::start(Options::socketio(|config| config.connect_timeout = Duration::from_millis(100))).await;
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
async fn events_come_back_with_all_their_arguments() {
    let hub = hub().await;
    let mut ws = connected(&hub.server).await;
    for event in [r#"42["echo"]"#, r#"42["echo",1,"2",{"3":[true,null,1.5e3]}]"#, r#"42["echo","€ \"😀\" \u20ac"]"#] {
        ws.send(event).await;
        assert_eq!(ws.text().await, event);
    }
    let binary = r#"452-["echo",{"_placeholder":true,"num":0},[{"_placeholder":true,"num":1}]]"#;
    ws.send(binary).await;
    ws.send_binary(&[1, 2, 3]).await;
    ws.send_binary(&[]).await;
    assert_eq!(ws.text().await, binary);
    assert_eq!(ws.binary().await, [1, 2, 3]);
    assert_eq!(ws.binary().await, [] as [u8; 0]);
}

#[tokio::test]
async fn polling_carries_the_same_events() {
    let hub = hub().await;
    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    assert!(polling.poll().await.starts_with("40{"));
    let binary = "451-[\"echo\",{\"_placeholder\":true,\"num\":0}]\x1ebAQID";
    polling.send(format!("42[\"echo\",1]\x1e{binary}\x1e4277[\"return\",2]")).await;
    let mut all = polling.poll().await;
    while !all.ends_with("4377[2]") {
        all = format!("{all}\x1e{}", polling.poll().await);
    }
    assert_eq!(all, format!("42[\"echo\",1]\x1e{binary}\x1e4377[2]"));
}

#[tokio::test]
async fn an_acknowledgement_carries_what_the_handler_answers() {
    let hub = hub().await;
    let mut ws = connected(&hub.server).await;
    for (event, ack) in [
        (r#"42456["return",1,"2",{"3":[false]}]"#, r#"43456[1,"2",{"3":[false]}]"#),
        (r#"420["return"]"#, "430[]"),
        (r#"421["see",{}]"#, r#"431[{"ok":true}]"#),
        (r#"429007199254740992["object",{"a":1}]"#, r#"439007199254740992[{"a":1}]"#),
        (r#"422["object"]"#, "432[{}]"),
        (r#"422["object",null]"#, "432[{}]"),
    ] {
        ws.send(event).await;
        assert_eq!(ws.text().await, ack);
    }
    ws.send(r#"451-789["return",{"_placeholder":true,"num":0}]"#).await;
    ws.send_binary(&[4, 5, 6]).await;
    assert_eq!(ws.text().await, r#"461-789[{"_placeholder":true,"num":0}]"#);
    assert_eq!(ws.binary().await, [4, 5, 6]);
}

/// Sends an event with and without an ack; both answers must carry the code.
async fn is_refused(ws: &mut Ws, event: &str, arguments: &str, code: &str) {
    ws.send(&format!(r#"427["{event}"{arguments}]"#)).await;
    let ack: Value = serde_json::from_str(ws.text().await.strip_prefix("437").unwrap()).unwrap();
    assert_eq!((&ack[0]["ok"], &ack[0]["code"]), (&json!(false), &json!(code)), "{event}");
    assert!(ack[0]["message"].is_string());
    ws.send(&format!(r#"42["{event}"{arguments}]"#)).await;
    let error: Value = serde_json::from_str(ws.text().await.strip_prefix("42").unwrap()).unwrap();
    assert_eq!((&error[0], &error[1]["code"], &error[1]["event"]), (&json!("error"), &json!(code), &json!(event)));
    assert!(error[1]["message"].is_string());
}

#[tokio::test]
async fn whatever_is_refused_says_why_with_and_without_an_ack_and_the_socket_goes_on() {
    let hub = hub().await;
    let mut ws = connected(&hub.server).await;
    is_refused(&mut ws, "nobody-knows", "", "UNKNOWN_EVENT").await;
    is_refused(&mut ws, "object", r#","text""#, "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "object", ",[1]", "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "refuse", "", "FORBIDDEN").await;
    is_refused(&mut ws, "panic", "", "INTERNAL").await;
    is_refused(&mut ws, "panic-at-once", "", "INTERNAL").await;
    is_refused(&mut ws, "echo", r#",{"_placeholder":true,"num":0}"#, "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "echo", r#",{"a":1,"a":2}"#, "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "echo", ",90071992547409930", "INVALID_PAYLOAD").await;
    is_refused(&mut ws, "echo", &format!(",{}{}", "[".repeat(64), "]".repeat(64)), "INVALID_PAYLOAD").await;
    ws.send(r#"42["refuse"]"#).await;
    let error: Value = serde_json::from_str(ws.text().await.strip_prefix("42").unwrap()).unwrap();
    assert_eq!(error[1]["sosId"], "s1", "a feature's own fields");
    ws.send(r#"421["object"]"#).await;
    assert_eq!(ws.text().await, "431[{}]");
}

#[tokio::test]
async fn a_packet_that_does_not_decode_closes_the_transport() {
    let mut hub = hub().await;
    for malformed in [
        "4",
        "4abc",
        "47",
        "44",
        r#"44{"message":"x"}"#,
        "42",
        "42{}",
        "42[]",
        "42[1",
        r#"42["echo",]"#,
        r#"42"echo""#,
        "42[null]",
        r#"42abc["echo",1]"#,
        r#"42-1["echo"]"#,
        r#"4299999999999999999999["echo"]"#,
        r#"42["connect"]"#,
        r#"42["disconnect",1]"#,
        r#"42["echo"]trailing"#,
        r#"42["echo"]["echo"]"#,
        "43[1]",
        "431",
        "431{}",
        "41{}",
        "45",
        r#"45["echo"]"#,
        r#"45x-["echo"]"#,
        r#"451["echo"]"#,
        r#"4511-["echo"]"#,
        r#"45-["echo"]"#,
        r#"45-1-["echo"]"#,
        "461-[1]",
        r#"4{"type":2}"#,
        "b",
    ] {
        let mut ws = connected(&hub.server).await;
        ws.send(malformed).await;
        assert_eq!(ws.closed().await.map(|(code, _)| code), Some(1002), "{malformed}");
        assert_eq!(hub.gone().await, ("/", DisconnectReason::Transport(CloseReason::ProtocolError)));

        if malformed == "b" {
            continue;
        }
        let polling = Polling::open(&hub.server, PATH).await;
        polling.send("40").await;
        let (status, _) = polling.post(format!("{malformed}\x1e42[\"see\"]")).await;
        polling.is_unknown().await;
        assert_eq!(hub.gone().await.1, DisconnectReason::Transport(CloseReason::ProtocolError), "{malformed} {status}");
    }
    assert!(hub.seen.try_recv().is_err(), "nothing behind it was handled");
    eventually("no session is left", || hub.server.engine.sessions() == 0).await;
}

#[tokio::test]
async fn attachments_must_be_as_many_as_announced() {
    let mut hub = hub().await;
    let announced = r#"452-["see",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#;

    let mut text_instead = connected(&hub.server).await;
    text_instead.send(announced).await;
    text_instead.send_binary(&[1]).await;
    text_instead.send(r#"42["see"]"#).await;
    text_instead.closed_with(1002, "protocol error").await;

    let mut one_more = connected(&hub.server).await;
    one_more.send(announced).await;
    for _ in 0..3 {
        one_more.send_binary(&[1]).await;
    }
    one_more.closed_with(1002, "protocol error").await;
    assert_eq!(within(hub.seen.recv()).await.unwrap().attachments.len(), 2, "the packet before it was whole");

    let mut unannounced = connected(&hub.server).await;
    unannounced.send_binary(&[1]).await;
    unannounced.closed_with(1002, "protocol error").await;

    let mut wrong_numbers = connected(&hub.server).await;
    wrong_numbers.send(&announced.replace("\"num\":1", "\"num\":0")).await;
    wrong_numbers.send_binary(&[1]).await;
    wrong_numbers.send_binary(&[2]).await;
    let error = wrong_numbers.text().await;
    assert!(error.starts_with(r#"42["error""#) && error.contains("INVALID_PAYLOAD"), "{error}");

    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    polling.send(announced).await;
    polling.send("bAQ==").await;
    assert!(hub.seen.try_recv().is_err(), "fewer than announced: it waits");
    assert_eq!(polling.post("42[\"see\"]").await.0, 400);
}

#[tokio::test]
async fn a_client_that_is_not_connected_has_no_business_to_send() {
    let hub = hub().await;
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
    let hub = hub().await;
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
    let mut hub = hub().await;
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
    let mut hub = hub().await;
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
    let hub = hub().await;
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
    let mut hub = hub().await;
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
    let mut hub = hub().await;
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
    let mut hub = hub().await;
    let mut ws = connected(&hub.server).await;
    ws.send(r#"42["leave"]"#).await;
    ws.send(r#"42["see"]"#).await;
    assert_eq!(ws.text().await, "41");
    assert_eq!(hub.gone().await, ("/", DisconnectReason::Server));
}

#[tokio::test]
async fn why_a_socket_is_gone_is_known_to_its_namespace() {
    let mut hub = hub().await;
    drop(connected(&hub.server).await);
    assert_eq!(hub.gone().await, ("/", DisconnectReason::Transport(CloseReason::ClientClosed)));
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
async fn events_are_handled_in_order_and_the_end_comes_after_them() {
    let mut hub = hub().await;
    let mut ws = connected(&hub.server).await;
    ws.send(r#"42["wait"]"#).await;
    for n in 0..50 {
        ws.send(&format!(r#"42["see",{n}]"#)).await;
    }
    drop(ws);
    eventually("the session is gone", || hub.server.engine.sessions() == 0).await;
    assert!(hub.seen.try_recv().is_err() && hub.gone.try_recv().is_err(), "all wait for the first");
    hub.gate.notify_one();
    hub.gone().await;
    for n in 0..50 {
        assert_eq!(hub.seen.try_recv().unwrap().json, format!(r#"["see",{n}]"#));
    }
}

#[tokio::test]
async fn beyond_its_events_a_second_a_socket_is_told_and_later_served_again() {
    let hub = Hub::start(Options::socketio(|config| (config.events_per_second, config.event_burst) = (20, 5))).await;
    let mut ws = connected(&hub.server).await;
    for _ in 0..10 {
        ws.send(r#"421["object"]"#).await;
    }
    let mut answers = Vec::new();
    for _ in 0..10 {
        answers.push(ws.text().await);
    }
    answers.sort();
    assert_eq!(answers.iter().filter(|answer| *answer == "431[{}]").count(), 5, "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.contains("RATE_LIMITED")).count(), 5, "{answers:?}");
    ws.send(r#"42["object"]"#).await;
    let error = ws.text().await;
    assert!(error.contains(r#""code":"RATE_LIMITED""#) && error.contains(r#""event":"object""#), "{error}");
    within(async {
        loop {
            ws.send(r#"422["object"]"#).await;
            if ws.text().await == "432[{}]" {
                break;
            }
        }
    })
    .await;
}

#[tokio::test]
async fn a_full_queue_refuses_what_comes_next() {
    let hub = Hub::start(Options::socketio(|config| config.max_queued_events = 3)).await;
    let mut ws = connected(&hub.server).await;
    ws.send(r#"420["wait"]"#).await;
    for id in 1..=6 {
        ws.send(&format!(r#"42{id}["object"]"#)).await;
    }
    let mut refused = 0;
    let last = loop {
        let answer = ws.text().await;
        if !answer.contains("RATE_LIMITED") {
            break answer;
        }
        refused += 1;
        if refused == 3 {
            hub.gate.notify_one();
        }
    };
    assert_eq!(last, r#"430[{"ok":true}]"#);
    for id in 1..=3 {
        assert_eq!(ws.text().await, format!("43{id}[{{}}]"));
    }
    ws.send(r#"427["object"]"#).await;
    assert_eq!(ws.text().await, "437[{}]");
}

#[tokio::test]
async fn pings_reach_a_connected_client_on_both_transports() {
    let hub = Hub::start(Options::short_pings()).await;
    let mut ws = connected(&hub.server).await;
    for _ in 0..3 {
        assert_eq!(ws.text().await, "2");
        ws.send("3").await;
    }
    ws.closed_with(1008, "ping timeout").await;
    let polling = Polling::open(&hub.server, PATH).await;
    polling.send("40").await;
    assert!(polling.poll().await.starts_with("40{"));
    for _ in 0..3 {
        assert_eq!(polling.poll().await, "2");
        polling.send("3").await;
    }
    assert_eq!(polling.poll().await, "2");
    assert_eq!(polling.get().await.0, 400);
}
