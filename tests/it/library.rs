//! What an application finds that uses the crate as a library, without a Redis and without a feature of the hub's.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use convoke::engineio::{Engine, Handshake};
use convoke::http::server::serve_engine;
use convoke::socketio::{
    AckError, Arrival, ConnectError, ConnectRequest, EngineHandler, Event, EventError, Namespace, Reply, Socket, SocketIo,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::client::{Client, Refusal};

/// An application with these namespaces, as its `main` would start it.
struct Application {
    url: String,
    _stop: DropGuard,
}

impl Application {
    async fn start(namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        let io = SocketIo::new(Default::default(), namespaces);
        let engine = Engine::new(Default::default(), EngineHandler(io));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let url = format!("http://{}", listener.local_addr().expect("a bound listener"));
        let stop = CancellationToken::new();
        tokio::spawn(serve_engine(listener, engine, stop.clone()));
        Self { url, _stop: stop.drop_guard() }
    }
}

#[tokio::test]
async fn an_event_without_a_handler_goes_to_the_fallback_or_is_ignored_or_refused() {
    let fallback = |_: Arc<Socket>, event: Event| async move { Reply::of((&*event.name, event.arg::<Value>(0)?)) };
    let application = Application::start([
        Namespace::new("/"),
        Namespace::new("/any").on_fallback(fallback).on("known", |_, _| async { Ok(Reply::Ok) }),
        Namespace::new("/none").ignore_unknown_events().on("known", |_, _| async { Ok(Reply::Ok) }),
    ])
    .await;
    let connect = async |namespace| Client::builder(&application.url).namespace(namespace).connect().await;
    let (main, any, none) = tokio::join!(connect("/"), connect("/any"), connect("/none"));
    assert_eq!(main.ask("what", json!(1)).await["code"], "UNKNOWN_EVENT");
    assert_eq!(any.ask_args("what", &[json!(1)]).await, [json!("what"), json!(1)]);
    assert_eq!(any.ask("known", json!(1)).await, json!({"ok": true}));
    none.emit("what", json!(1));
    assert_eq!(none.ask("known", json!(1)).await, json!({"ok": true}));
    assert!(none.received("error").is_empty());
}

#[derive(Deserialize)]
struct Auth {
    name: String,
}

#[tokio::test]
async fn a_connect_is_refused_with_data_of_the_application_s_own_or_without() {
    let namespace = Namespace::new("/").on_connect(|request: ConnectRequest| async move {
        let Auth { name } = request.auth()?;
        match &*name {
            "old" => Err(ConnectError::message("too old").with_data(json!({"atLeast": 7}))),
            "late" => Err(ConnectError::message("closed until nine")),
            _ => Ok(name),
        }
    });
    let application = Application::start([namespace]).await;
    let refused = async |auth: Value| match Client::builder(&application.url).auth(auth).try_connect().await {
        Err(Refusal::ConnectError(error)) => error,
        other => panic!("{:?}", other.err()),
    };
    assert_eq!(refused(json!({"name": "old"})).await, json!({"message": "too old", "data": {"atLeast": 7}}));
    assert_eq!(refused(json!({"name": "late"})).await, json!({"message": "closed until nine"}));
    assert_eq!(refused(json!({})).await, json!({"message": "invalid auth: missing field `name` at line 1 column 2"}));
    Client::builder(&application.url).auth(json!({"name": "ann"})).connect().await;
}

#[tokio::test]
async fn a_handler_knows_the_handshake() {
    let (seen, mut handshakes) = mpsc::unbounded_channel();
    let began = SystemTime::now();
    let namespace = Namespace::new("/").on_connection(move |socket: Arc<Socket>, arrival| {
        assert_eq!(arrival, Arrival::New);
        let _ = seen.send(Handshake::clone(socket.handshake()));
        async {}
    });
    let application = Application::start([namespace]).await;
    let client = Client::builder(&application.url).query("room=blue%20room").header("cookie", "a=1; b=2");
    let _client = client.connect().await;
    let handshake = handshakes.recv().await.expect("a handshake");
    assert_eq!(handshake.parameter("room").as_deref(), Some("blue room"));
    assert!(handshake.url().starts_with("/socket.io/?") && handshake.url().contains("room=blue%20room"), "{}", handshake.url());
    assert_eq!(handshake.header("cookie"), Some("a=1; b=2"));
    assert!(handshake.address.is_loopback() && (began..=SystemTime::now()).contains(&handshake.time));
}

#[tokio::test]
async fn any_values_are_emitted_and_answered() {
    let namespace = Namespace::new("/")
        .on_connection(|socket: Arc<Socket>, _| async move {
            socket.emit("none", ());
            socket.emit("three", ("text", 7, Some([1.5, 2.5])));
            socket.emit("list", &[1, 2]);
            socket.emit_volatile("object", json!({"a": null}));
        })
        .on("add", |_, event: Event| async move {
            let (a, b): (i64, i64) = (event.arg(0)?, event.arg(1)?);
            Reply::of(&(a + b))
        })
        .on("several", |_, _| async { Reply::of((1, "two", [3])) })
        .on("nothing", |_, _| async { Reply::of(()) })
        .on("impossible", |_, _| async { Reply::of(&std::collections::HashMap::from([([1], 1)])) });
    let application = Application::start([namespace]).await;
    let mut client = Client::builder(&application.url).connect().await;
    for (name, args) in [
        ("none", json!([])),
        ("three", json!(["text", 7, [1.5, 2.5]])),
        ("list", json!([[1, 2]])),
        ("object", json!([{"a": null}])),
    ] {
        assert_eq!(Value::from(client.wait_event(name, |_| true).await.args), args, "{name}");
    }
    assert_eq!(client.ask_args("add", &[json!(3), json!(4)]).await, [json!(7)]);
    assert_eq!(client.ask("add", json!("three")).await["code"], "INVALID_PAYLOAD");
    assert_eq!(client.ask_args("several", &[]).await, [json!(1), json!("two"), json!([3])]);
    assert_eq!(client.ask_args("nothing", &[]).await, [] as [Value; 0]);
    assert_eq!(client.ask("impossible", json!(0)).await["code"], "INTERNAL");
}

#[tokio::test]
async fn an_answer_of_the_client_is_waited_for_as_long_as_it_is_connected() {
    let (say, mut said) = mpsc::unbounded_channel();
    let namespace = Namespace::new("/").on("begin", move |socket: Arc<Socket>, _| {
        let say = say.clone();
        tokio::spawn(async move {
            let first = socket.emit_with_ack("question", ("name", 1)).await;
            let _ = say.send(first.map(|args| args.item::<String>(0).expect("a text")));
            let within = socket.emit_with_ack_within(Duration::from_millis(1), "question", ()).await;
            let _ = say.send(within.map(|_| String::new()));
            let _ = say.send(socket.emit_with_ack("question", ()).await.map(|_| String::new()));
        });
        async { Ok::<_, EventError>(Reply::None) }
    });
    let application = Application::start([namespace]).await;
    let mut client = Client::builder(&application.url).connect().await;
    client.emit("begin", json!(null));
    let question = client.wait_event("question", |_| true).await;
    assert_eq!(question.args, [json!("name"), json!(1)]);
    client.acknowledge(&question, &[json!("ann")]);
    assert_eq!(said.recv().await, Some(Ok("ann".into())));
    assert_eq!(said.recv().await, Some(Err(AckError::Timeout)));
    client.close().await;
    assert_eq!(said.recv().await, Some(Err(AckError::SocketGone)));
}
