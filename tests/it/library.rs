//! What an application finds that uses the crate as a library, without a Redis and without a feature of the hub's.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use convoke::core::{Kind, ScopeId};
use convoke::engineio::{Engine, Handshake};
use convoke::http::server::serve_engine;
use convoke::socketio::{
    AckError, Arrival, ConnectError, ConnectRequest, EngineHandler, Event, EventError, Identity, MemoryStore, MemoryStoreConfig,
    Namespace, Reply, Rooms, Socket, SocketIo,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::client::{Client, Refusal};
use crate::support::eventually;

/// An application with these namespaces, as its `main` would start it.
struct Application {
    url: String,
    _stop: DropGuard,
}

impl Application {
    async fn start(namespaces: impl IntoIterator<Item = Namespace>) -> Self {
        Self::serve(SocketIo::new(Default::default(), namespaces)).await
    }

    async fn serve(io: Arc<SocketIo>) -> Self {
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

fn lobby() -> ScopeId {
    ScopeId::new(Kind::of("room"), "lobby").expect("a legal id")
}

/// An application with one room that everybody is in, and tells how each of its sockets came.
struct Lobby {
    application: Application,
    rooms: Rooms,
    store: Arc<MemoryStore>,
    arrivals: mpsc::UnboundedReceiver<(Arc<Socket>, Arrival)>,
}

impl Lobby {
    async fn start(config: MemoryStoreConfig) -> Self {
        let rooms = Rooms::default();
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let joined = rooms.clone();
        let namespace = Namespace::new("/")
            .on_connect(|request: ConnectRequest| async move { request.auth::<Auth>().map(|auth| auth.name) })
            .identity(|name: &String| Identity { user: name.clone(), ..Identity::default() })
            .on_connection(move |socket: Arc<Socket>, arrival| {
                if arrival == Arrival::New {
                    joined.join(&lobby(), &socket);
                }
                let _ = arrived.send((socket, arrival));
                async {}
            });
        let store = MemoryStore::new(rooms.clone(), config);
        let io = SocketIo::with_session_store(Default::default(), [namespace], store.clone());
        Self { application: Application::serve(io).await, rooms, store, arrivals }
    }

    /// A client that takes part in recovery, how its socket came, and the socket.
    async fn connect(&mut self, auth: Value) -> (Client, Arrival, Arc<Socket>) {
        let client = Client::builder(&self.application.url).query("recovery=1").auth(auth).connect().await;
        let (socket, arrival) = self.arrivals.recv().await.expect("an arrival");
        (client, arrival, socket)
    }

    /// What a client says that comes back.
    fn back(client: &Client, offset: Option<&Value>) -> Value {
        json!({"name": "ann", "pid": client.connect_reply()["pid"], "offset": offset})
    }

    fn say(&self, numbers: std::ops::Range<u64>) {
        numbers.for_each(|number| self.rooms.emit(&lobby(), "number", &number));
    }
}

/// The numbers that a client has heard, and its last offset.
fn heard(client: &Client) -> (Vec<u64>, Option<Value>) {
    let events = client.events();
    let numbers = events.iter().filter(|event| event.name == "number").map(|event| event.args[0].as_u64().expect("a number"));
    (numbers.collect(), events.last().and_then(|event| event.args.last().cloned()))
}

#[tokio::test]
async fn without_redis_a_client_that_comes_back_gets_what_it_missed_once_and_in_order() {
    let mut lobby = Lobby::start(MemoryStoreConfig::default()).await;
    let (client, arrival, socket) = lobby.connect(json!({"name": "ann"})).await;
    assert_eq!(arrival, Arrival::New);
    lobby.say(0..3);
    client.wait_count("number", 3).await;
    let (_, offset) = heard(&client);
    // These have been sent when the link breaks, and have not arrived as far as the client says.
    lobby.say(3..5);
    let back = Lobby::back(&client, offset.as_ref());
    client.close().await;
    eventually("it is away", || lobby.store.away() == 1).await;
    assert!(lobby.rooms.members(&self::lobby()).is_empty(), "who is away is not there");
    lobby.say(5..8);
    let (client, arrival, again) = lobby.connect(back).await;
    assert_eq!((arrival, client.sid().as_str()), (Arrival::Recovered, socket.id()));
    assert_eq!((lobby.store.away(), lobby.rooms.members(&self::lobby()).len()), (0, 1));
    lobby.say(8..10);
    again.emit("number", &10);
    client.wait_count("number", 8).await;
    assert_eq!(heard(&client).0, (3..=10).collect::<Vec<_>>());
}

#[tokio::test]
async fn without_redis_a_client_that_comes_back_before_its_loss_is_noticed_takes_its_connection_over() {
    let mut lobby = Lobby::start(MemoryStoreConfig::default()).await;
    let (old, _, socket) = lobby.connect(json!({"name": "ann"})).await;
    lobby.say(0..2);
    old.wait_count("number", 2).await;
    let (client, arrival, _) = lobby.connect(Lobby::back(&old, None)).await;
    assert_eq!((arrival, client.sid().as_str()), (Arrival::Recovered, socket.id()));
    old.closed().await;
    lobby.say(2..4);
    client.wait_count("number", 4).await;
    assert_eq!(heard(&client).0, [0, 1, 2, 3], "it names no offset: it has had nothing");
    assert_eq!(heard(&old).0, [0, 1]);
}

#[tokio::test]
async fn without_redis_a_connection_is_not_given_to_others_nor_with_a_gap_nor_after_its_window() {
    let window = Duration::from_secs(2);
    let mut lobby = Lobby::start(MemoryStoreConfig { window, max_away: 1 }).await;
    let (client, ..) = lobby.connect(json!({"name": "ann"})).await;
    let (_one_more, ..) = lobby.connect(json!({"name": "eve"})).await;
    let mut back = Lobby::back(&client, None);
    client.close().await;
    eventually("it is away", || lobby.store.away() == 1).await;
    back["name"] = json!("bob");
    assert_eq!(lobby.connect(back.clone()).await.1, Arrival::New, "another user");
    back["name"] = json!("ann");
    eventually("its window is over", || lobby.store.away() == 0).await;
    assert_eq!(lobby.connect(back).await.1, Arrival::New, "too late");

    let mut lobby = Lobby::start(MemoryStoreConfig::default()).await;
    let (client, ..) = lobby.connect(json!({"name": "ann"})).await;
    let back = Lobby::back(&client, None);
    client.close().await;
    eventually("it is away", || lobby.store.away() == 1).await;
    lobby.say(0..600);
    let (client, arrival, _) = lobby.connect(back).await;
    assert_eq!(arrival, Arrival::New, "more than is kept");
    lobby.say(600..601);
    client.wait_count("number", 1).await;
    assert_eq!(heard(&client).0, [600]);
}

#[tokio::test]
async fn without_redis_so_many_clients_that_are_away_are_kept() {
    let mut lobby = Lobby::start(MemoryStoreConfig { max_away: 1, ..MemoryStoreConfig::default() }).await;
    let (first, ..) = lobby.connect(json!({"name": "ann"})).await;
    let (second, ..) = lobby.connect(json!({"name": "ann"})).await;
    let backs = [Lobby::back(&first, None), Lobby::back(&second, None)];
    first.close().await;
    eventually("it is away", || lobby.store.away() == 1).await;
    second.close().await;
    eventually("nobody is here", || lobby.rooms.members(&self::lobby()).is_empty()).await;
    let [first, second] = backs;
    assert_eq!(lobby.connect(second).await.1, Arrival::New);
    assert_eq!(lobby.connect(first).await.1, Arrival::Recovered);
}
