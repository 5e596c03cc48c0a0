//! What is under way while a session moves: acknowledgements find whoever waits for them, handlers finish where they began,
//! and what is said afterwards on the old node follows.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use convoke::core::wire::Form;
use convoke::peer::{Peer, Peers};
use convoke::protocol::event::Args;
use convoke::settings::Secret;
use convoke::socketio::{AckError, Namespace, Reply, Socket};
use serde_json::Value;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::support::haproxy::HaProxy;
use crate::support::linked::{Linked, SECRET, linked};
use crate::support::node::Script;
use crate::support::raw::{Polling, Ws};
use crate::support::server::Options;
use crate::support::{DEADLINE, eventually, within};

const PATH: &str = "/socket.io/";

type Answer = Result<Args, AckError>;

/// Two nodes, what holds handlers up, and the answers that background tasks got.
struct Nodes {
    a: Linked,
    b: Linked,
    gate: Arc<Semaphore>,
    answers: Mutex<mpsc::UnboundedReceiver<Answer>>,
}

#[derive(Clone)]
struct Handlers {
    gate: Arc<Semaphore>,
    answers: mpsc::UnboundedSender<Answer>,
}

async fn ask(socket: &Socket, name: &str) -> Answer {
    socket.emit_with_ack_within(DEADLINE, name, &0).await
}

fn text(args: &Args) -> String {
    String::from_utf8(args.json.to_vec()).unwrap()
}

impl Handlers {
    fn namespace(self) -> Namespace {
        let (hold, late, spawn) = (self.gate.clone(), self.clone(), self);
        Namespace::new("/")
            .on("question", |socket: Arc<Socket>, _| async move { Ok(replied(&ask(&socket, "ask").await)) })
            .on("late", move |socket: Arc<Socket>, _| late.clone().late(socket))
            .on("spawn", move |socket: Arc<Socket>, _| {
                tokio::spawn(spawn.clone().outlive(socket));
                async { Ok(Reply::None) }
            })
            .on("here", |_, _| async { Ok(Reply::Ok) })
            .on("hold", move |_, _| {
                let gate = hold.clone();
                async move {
                    gate.acquire().await.unwrap().forget();
                    Ok(Reply::Ok)
                }
            })
    }

    async fn late(self, socket: Arc<Socket>) -> Result<Reply, convoke::socketio::EventError> {
        self.gate.acquire().await.unwrap().forget();
        socket.emit("first", &1);
        let answer = ask(&socket, "ask").await;
        socket.emit("then", &2);
        Ok(replied(&answer))
    }

    async fn outlive(self, socket: Arc<Socket>) {
        let _ = self.answers.send(ask(&socket, "ask").await);
        self.gate.acquire().await.unwrap().forget();
        socket.emit("first", &1);
        socket.emit_volatile("then", &2);
        let _ = self.answers.send(ask(&socket, "again").await);
        self.gate.acquire().await.unwrap().forget();
        socket.disconnect();
    }
}

fn replied(answer: &Answer) -> Reply {
    Reply::Object(format!("{:?}", answer.as_ref().map(text).unwrap_or_else(|error| error.to_string())))
}

impl Nodes {
    async fn start(options: Options) -> Self {
        let (sender, answers) = mpsc::unbounded_channel();
        let handlers = Handlers { gate: Arc::new(Semaphore::new(0)), answers: sender };
        let gate = handlers.gate.clone();
        let [a, b] = linked(options, move || vec![handlers.clone().namespace()]).await;
        Self { a, b, gate, answers: answers.into() }
    }

    /// A client that polls at the one node.
    async fn polling(&self) -> Polling {
        let polling = Polling::open(&self.a.server, PATH).await;
        polling.send("40").await;
        assert!(polling.poll().await.starts_with("40"));
        polling
    }

    /// It goes to the other, which takes the session over as soon as nothing is under way.
    async fn upgrade(&self, polling: &Polling) -> Ws {
        let mut ws = Ws::probed(&self.b.server, polling, PATH).await;
        ws.send("5").await;
        eventually("the owner takes no events any more", || {
            self.a.server.engine.all().first().is_none_or(|session| !session.is_upgrading())
        })
        .await;
        ws
    }

    async fn has_moved(&self) {
        eventually("the session is elsewhere", || self.a.server.engine.sessions() == 0 && self.b.server.io.sockets() == 1).await;
    }

    async fn answer(&self) -> Answer {
        within(async { self.answers.lock().await.recv().await }).await.expect("the handlers live")
    }
}

#[tokio::test]
async fn a_handler_that_awaits_an_acknowledgement_over_the_move_finishes() {
    let nodes = Nodes::start(Options::default()).await;
    let polling = nodes.polling().await;
    polling.send(r#"421["question"]"#).await;
    assert_eq!(polling.poll().await, r#"421["ask",0]"#);
    let mut ws = nodes.upgrade(&polling).await;
    ws.send(r#"422["here"]"#).await;
    ws.send(r#"431["yes"]"#).await;
    assert_eq!(ws.text().await, r#"431["[\"yes\"]"]"#);
    assert_eq!(ws.text().await, r#"432[{"ok":true}]"#, "what came before it is handled after it");
}

#[tokio::test]
async fn what_a_handler_sends_during_the_move_reaches_the_client_in_order() {
    let nodes = Nodes::start(Options::default()).await;
    let polling = nodes.polling().await;
    polling.send(r#"421["late"]"#).await;
    let mut ws = nodes.upgrade(&polling).await;
    ws.send(r#"422["here"]"#).await;
    nodes.gate.add_permits(1);
    assert_eq!((ws.text().await, ws.text().await), (r#"42["first",1]"#.into(), r#"421["ask",0]"#.into()));
    // A binary answer, in its parts.
    ws.send(r#"461-1[{"_placeholder":true,"num":0}]"#).await;
    ws.send_binary(&[1, 2]).await;
    assert_eq!(ws.text().await, r#"42["then",2]"#);
    assert_eq!(ws.text().await, r#"431["[{\"_placeholder\":true,\"num\":0}]"]"#);
    assert_eq!(ws.text().await, r#"432[{"ok":true}]"#);
    nodes.has_moved().await;
}

#[tokio::test]
async fn what_a_task_awaits_that_outlives_the_move_comes_and_what_it_says_follows() {
    let nodes = Nodes::start(Options::default()).await;
    let polling = nodes.polling().await;
    polling.send(r#"42["spawn"]"#).await;
    assert_eq!(polling.poll().await, r#"421["ask",0]"#);
    let mut ws = nodes.upgrade(&polling).await;
    nodes.has_moved().await;
    ws.send(r#"431["yes"]"#).await;
    assert_eq!(nodes.answer().await, Ok(Args::from_json(r#"["yes"]"#)));
    nodes.gate.add_permits(1);
    assert_eq!((ws.text().await, ws.text().await), (r#"42["first",1]"#.into(), r#"42["then",2]"#.into()));
    assert_eq!(ws.text().await, r#"422["again",0]"#, "a number of its own");
    ws.send(r#"432["yes, again"]"#).await;
    assert_eq!(nodes.answer().await, Ok(Args::from_json(r#"["yes, again"]"#)));
    nodes.gate.add_permits(1);
    assert_eq!(ws.text().await, "41");
}

#[tokio::test]
async fn who_awaits_an_acknowledgement_hears_that_the_client_is_gone_after_the_move() {
    let nodes = Nodes::start(Options::default()).await;
    let polling = nodes.polling().await;
    polling.send(r#"42["spawn"]"#).await;
    assert_eq!(polling.poll().await, r#"421["ask",0]"#);
    let ws = nodes.upgrade(&polling).await;
    nodes.has_moved().await;
    drop(ws);
    assert_eq!(nodes.answer().await, Err(AckError::SocketGone));
}

#[tokio::test]
async fn pings_are_sent_and_answered_while_a_handler_holds_up_the_move() {
    let options = Options::engine(|config| config.ping_interval = Duration::from_millis(200));
    let nodes = Nodes::start(options).await;
    let polling = nodes.polling().await;
    polling.send(r#"421["late"]"#).await;
    let mut ws = nodes.upgrade(&polling).await;
    for _ in 0..2 {
        assert_eq!(ws.text().await, "2");
        ws.send("3").await;
    }
    nodes.gate.add_permits(1);
    while ws.text().await != r#"421["ask",0]"# {}
}

#[tokio::test]
async fn a_client_that_says_more_than_a_payload_while_it_moves_is_read_later() {
    let options = Options::engine(|config| config.max_payload = 1_000);
    let nodes = Nodes::start(options).await;
    let polling = nodes.polling().await;
    polling.send(r#"421["late"]"#).await;
    let mut ws = nodes.upgrade(&polling).await;
    for n in 2..52 {
        ws.send(&format!(r#"42{n}["here"]"#)).await;
    }
    nodes.gate.add_permits(1);
    assert_eq!((ws.text().await, ws.text().await), (r#"42["first",1]"#.into(), r#"421["ask",0]"#.into()));
    // What would answer that stands behind more than is read now; the owner gives up, and the client comes back.
    ws.send(r#"431["yes"]"#).await;
    ws.closed_with(1013, "try again").await;
}

/// Stands before a node, and knows of the peer port what the release before knew.
async fn release_before(node: &Linked) -> Peer {
    let secret = Secret::new(SECRET);
    let peers = Peers::new(&secret, &node.peer.tag);
    for path in ["/ticket", "/take"] {
        let (out, real) = (Peers::new(&secret, "release-before"), node.peer.clone());
        peers.on(path, move |body| {
            let (out, real) = (out.clone(), real.clone());
            async move { out.call(&real, path, without_new_fields(&body), DEADLINE).await.expect("an answer") }
        });
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    tokio::spawn(peers.serve(listener, CancellationToken::new()));
    Peer { address, form: Form::Json, ..node.peer.clone() }
}

fn without_new_fields(body: &Bytes) -> Bytes {
    let mut head: Value = serde_json::from_slice(&body[4..]).expect("a head alone");
    head.as_object_mut().unwrap().remove("to");
    let head = serde_json::to_vec(&head).unwrap();
    [&u32::try_from(head.len()).unwrap().to_be_bytes()[..], &head].concat().into()
}

#[tokio::test]
async fn a_session_moves_between_nodes_of_which_one_is_of_the_release_before() {
    let nodes = Nodes::start(Options::default()).await;
    nodes.a.table.set(&nodes.a.peer.tag, release_before(&nodes.a).await);
    let polling = nodes.polling().await;
    polling.send("42[\"spawn\"]\u{1e}421[\"hold\"]").await;
    assert_eq!(polling.poll().await, r#"421["ask",0]"#);
    let mut ws = nodes.upgrade(&polling).await;
    ws.send(r#"422["here"]"#).await;
    nodes.gate.add_permits(1);
    assert_eq!((ws.text().await, ws.text().await), (r#"431[{"ok":true}]"#.into(), r#"432[{"ok":true}]"#.into()));
    assert_eq!(nodes.answer().await, Err(AckError::SocketGone), "as before");
}

/// Stands before a node whose lease says that it reads this form, and sees that everything said to it, and all of its answers,
/// is in that form.
async fn listens_in(node: &Linked, form: Form) -> Peer {
    let secret = Secret::new(SECRET);
    let peers = Peers::new(&secret, &node.peer.tag);
    for path in ["/poll", "/ticket", "/ticket/probed", "/take", "/take/packets", "/follow"] {
        let (out, real) = (Peers::new(&secret, "between"), node.peer.clone());
        peers.on(path, move |body| {
            let (out, real) = (out.clone(), real.clone());
            async move {
                let (head, rest) = body[4..].split_at(u32::from_be_bytes(body[..4].try_into().unwrap()) as usize);
                assert_eq!(Form::of(head), form, "{path}");
                if matches!(path, "/take/packets" | "/follow") {
                    assert_eq!(Form::of(rest), form, "{path}: {rest:?}");
                }
                let answer = out.call(&real, path, body.clone(), DEADLINE).await.expect("an answer");
                if matches!(path, "/ticket" | "/take") {
                    assert_eq!(Form::of(&answer.body), form, "the answer to {path}");
                }
                answer
            }
        });
    }
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("a bound listener");
    tokio::spawn(peers.serve(listener, CancellationToken::new()));
    Peer { address, form, ..node.peer.clone() }
}

#[tokio::test]
async fn nodes_speak_the_form_that_the_other_reads_and_answer_in_the_one_in_which_they_are_asked() {
    for form in [Form::Json, Form::Packed] {
        let nodes = Nodes::start(Options::default()).await;
        for node in [&nodes.a, &nodes.b] {
            node.table.set(&node.peer.tag, listens_in(node, form).await);
        }
        let polling = nodes.polling().await;
        polling.send("42[\"spawn\"]\u{1e}421[\"late\"]").await;
        assert_eq!(polling.poll().await, r#"421["ask",0]"#);
        let mut ws = nodes.upgrade(&polling).await;
        // Bytes that are no text, to the owner while the session moves, and after it to the new node.
        ws.send(r#"461-1[{"_placeholder":true,"num":0}]"#).await;
        ws.send_binary(&[0, 255]).await;
        let answer = nodes.answer().await.expect("an answer");
        assert_eq!(answer.attachments, [Bytes::from_static(&[0, 255])], "{form:?}");
        nodes.gate.add_permits(1);
        assert_eq!((ws.text().await, ws.text().await), (r#"42["first",1]"#.into(), r#"422["ask",0]"#.into()));
        ws.send(r#"432["yes"]"#).await;
        assert_eq!((ws.text().await, ws.text().await), (r#"42["then",2]"#.into(), r#"431["[\"yes\"]"]"#.into()));
        nodes.has_moved().await;
        // From here on it follows.
        nodes.gate.add_permits(1);
        assert_eq!((ws.text().await, ws.text().await), (r#"42["first",1]"#.into(), r#"42["then",2]"#.into()));
        assert_eq!(ws.text().await, r#"423["again",0]"#);
        ws.send(r#"461-3[{"_placeholder":true,"num":0}]"#).await;
        ws.send_binary(&[0, 254]).await;
        assert_eq!(nodes.answer().await.expect("an answer").attachments, [Bytes::from_static(&[0, 254])], "{form:?}");
    }
}

const OFFICIAL: &str = r#"
import { io } from "socket.io-client";
const url = process.argv[1];
for (let n = 0; n < 40; n++) {
  const socket = io(url, { forceNew: true, reconnection: false });
  let upgraded = false, waiting = [];
  socket.io.engine.on("upgrade", () => { upgraded = true; waiting.forEach((answer) => answer()); });
  // The first answers go out when the transport has just changed, the later ones at any time.
  socket.on("ask", (_, answer) => {
    const now = () => answer(n);
    n % 2 == 0 && !upgraded ? waiting.push(now) : now();
  });
  socket.on("connect", () => {
    socket.emit("spawn");
    socket.emit("question", (answer) => console.log("answered", n, answer));
  });
  socket.on("disconnect", (reason) => console.log("lost", n, reason));
}
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_acknowledgement_of_forty_official_clients_is_lost_when_they_upgrade_on_another_node() {
    let nodes = Nodes::start(Options::default()).await;
    let balancer = HaProxy::start(&[nodes.a.server.address.port(), nodes.b.server.address.port()]);
    let code = OFFICIAL.replace("process.argv[1]", &format!("\"http://127.0.0.1:{}\"", balancer.port));
    let mut clients = Script::node_code(&code);
    for _ in 0..40 {
        let line = clients.line().await.expect("they live");
        assert!(line.starts_with("answered "), "{line}");
        let words: Vec<&str> = line.split(' ').collect();
        assert_eq!(words[2], format!("[{}]", words[1]), "{line}");
    }
    for n in 0..40 {
        let answer = nodes.answer().await;
        assert!(answer.is_ok(), "{n}: {answer:?}");
    }
}
