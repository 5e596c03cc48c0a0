//! A small Socket.IO client over WebSocket with the text parser. It remembers everything that it receives, so that a test
//! can wait for a fact without having watched from the start.
//!
//! ```ignore
//! let mut rescuer = Client::connect(&hub.url(), json!({"token": token})).await;
//! let reply = rescuer.ask("sos:init", json!({"sosId": "s1"})).await;      // emit with ack
//! let event = rescuer.wait("location:broadcast").await;                   // its first argument
//! ```
//!
//! Every wait panics after [`DEADLINE`], and says what came instead.

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::AbortHandle;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::{HeaderName, HeaderValue};
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{DEADLINE, codes, within};

/// An event from the server.
#[derive(Clone, Debug, PartialEq)]
pub struct Received {
    pub name: String,
    /// What followed the name. Placeholders of attachments stand as they came.
    pub args: Vec<Value>,
    pub attachments: Vec<Bytes>,
    /// The server waits for an acknowledgement under this number.
    pub ack_id: Option<u64>,
}

/// How a connection ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    /// WebSocket close code; `None` if the stream just ended.
    pub code: Option<u16>,
    pub reason: String,
}

/// Why a connection did not come about.
#[derive(Clone, Debug, PartialEq)]
pub enum Refusal {
    /// The WebSocket handshake was answered with another status, and this body.
    Http { status: u16, body: String },
    /// The payload of CONNECT_ERROR.
    ConnectError(Value),
    /// The transport closed before an answer to CONNECT.
    Closed(Closed),
    /// Nothing of the above, such as a connection that was refused.
    Other(String),
}

/// What a client sends along when it connects.
pub struct Builder {
    base: String,
    namespace: String,
    auth: Value,
    query: String,
    headers: Vec<(HeaderName, HeaderValue)>,
}

impl Builder {
    pub fn namespace(mut self, namespace: &str) -> Self {
        self.namespace = namespace.into();
        self
    }

    pub fn auth(mut self, auth: Value) -> Self {
        self.auth = auth;
        self
    }

    /// Adds to the handshake's query: `recovery=0`.
    pub fn query(mut self, pair: &str) -> Self {
        self.query = format!("{}&{pair}", self.query);
        self
    }

    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.parse().unwrap(), value.parse().unwrap()));
        self
    }

    /// Connects, or panics.
    pub async fn connect(self) -> Client {
        self.try_connect().await.unwrap_or_else(|refusal| panic!("the client was refused: {refusal:?}"))
    }

    /// Opens the transport and the namespace.
    pub async fn try_connect(self) -> Result<Client, Refusal> {
        let (namespace, auth) = (self.namespace.clone(), self.auth.clone());
        let mut client = self.open().await?;
        client.join(&namespace, &auth).await?;
        Ok(client)
    }

    /// [`Builder::try_connect`] for a time in which answers take long; panics after `patience`.
    pub async fn try_connect_patiently(self, patience: Duration) -> Result<Client, Refusal> {
        let deadline = tokio::time::Instant::now() + patience;
        let (namespace, auth) = (self.namespace.clone(), self.auth.clone());
        let mut client = tokio::time::timeout_at(deadline, self.upgrade()).await.expect("an answer to the handshake")?;
        client.patience = patience;
        client.join(&namespace, &auth).await?;
        client.patience = DEADLINE;
        Ok(client)
    }

    /// Opens the transport only: the first packet is the test's.
    pub async fn open(self) -> Result<Client, Refusal> {
        within(self.upgrade()).await
    }

    async fn upgrade(self) -> Result<Client, Refusal> {
        let base = self.base.trim_end_matches('/').replacen("http", "ws", 1);
        let url = format!("{base}/socket.io/?EIO=4&transport=websocket{}", self.query);
        let mut request = url.into_client_request().unwrap();
        for (name, value) in self.headers {
            request.headers_mut().append(name, value);
        }
        let connected = tokio_tungstenite::connect_async(request).await;
        let (stream, _) = connected.map_err(|error| match error {
            Error::Http(response) => Refusal::Http {
                status: response.status().as_u16(),
                body: String::from_utf8_lossy(response.body().as_deref().unwrap_or_default()).into_owned(),
            },
            other => Refusal::Other(other.to_string()),
        })?;
        Ok(Client::start(stream, self.namespace))
    }
}

#[derive(Default)]
struct State {
    events: Vec<Received>,
    acks: HashMap<u64, Vec<Value>>,
    /// The Engine.IO handshake.
    handshake: Option<Value>,
    /// The payload of CONNECT, or of CONNECT_ERROR.
    connected: Option<Result<Value, Value>>,
    /// Socket.IO DISCONNECT came.
    disconnected: bool,
    pings: usize,
    closed: Option<Closed>,
}

struct Shared {
    state: Mutex<State>,
    changes: watch::Sender<u64>,
    answers_pings: AtomicBool,
}

/// A connected client. Dropping it cuts the connection without a word, as a crash would.
pub struct Client {
    shared: Arc<Shared>,
    outgoing: mpsc::UnboundedSender<Message>,
    task: AbortHandle,
    namespace: String,
    next_ack: AtomicU64,
    /// The events whose acknowledgements were asked for.
    asked: Mutex<HashMap<u64, String>>,
    /// Which of the events [`Client::wait`] and its like have returned.
    taken: Vec<usize>,
    patience: Duration,
}

impl Client {
    pub fn builder(base: &str) -> Builder {
        Builder { base: base.into(), namespace: "/".into(), auth: json!({}), query: String::new(), headers: Vec::new() }
    }

    /// Connects to the namespace `/` of `http://host:port`, or panics.
    pub async fn connect(base: &str, auth: Value) -> Self {
        Self::builder(base).auth(auth).connect().await
    }

    pub async fn try_connect(base: &str, auth: Value) -> Result<Self, Refusal> {
        Self::builder(base).auth(auth).try_connect().await
    }

    fn start(stream: WebSocketStream<MaybeTlsStream<TcpStream>>, namespace: String) -> Self {
        let shared =
            Arc::new(Shared { state: Mutex::default(), changes: watch::channel(0).0, answers_pings: AtomicBool::new(true) });
        let (outgoing, queue) = mpsc::unbounded_channel();
        let task = tokio::spawn(run(stream, shared.clone(), outgoing.downgrade(), queue)).abort_handle();
        Self {
            shared,
            outgoing,
            task,
            namespace,
            next_ack: AtomicU64::new(0),
            asked: Mutex::default(),
            taken: Vec::new(),
            patience: DEADLINE,
        }
    }

    async fn join(&mut self, namespace: &str, auth: &Value) -> Result<Value, Refusal> {
        self.send_raw(&format!("40{}{auth}", prefix(namespace)));
        let answer = |state: &State| match (&state.connected, &state.closed) {
            (Some(answer), _) => Some(answer.clone().map_err(Refusal::ConnectError)),
            (None, Some(closed)) => Some(Err(Refusal::Closed(closed.clone()))),
            (None, None) => None,
        };
        self.until("an answer to CONNECT", answer).await
    }

    /// The Socket.IO id.
    pub fn sid(&self) -> String {
        self.connect_reply()["sid"].as_str().expect("a sid").into()
    }

    /// The payload of CONNECT: `sid`, and `pid` where there is recovery.
    pub fn connect_reply(&self) -> Value {
        self.state().connected.clone().expect("not connected").expect("refused")
    }

    /// The Engine.IO handshake: `sid`, `pingInterval`, ….
    pub async fn handshake(&self) -> Value {
        self.until("the handshake", |state| state.handshake.clone()).await
    }

    /// Sends an event with one argument.
    pub fn emit(&self, event: &str, payload: Value) {
        self.emit_args(event, &[payload]);
    }

    /// Sends an event with any arguments.
    pub fn emit_args(&self, event: &str, args: &[Value]) {
        self.send_raw(&format!("42{}{}", prefix(&self.namespace), array(event, args)));
    }

    /// Sends an event with attachments; `args` hold their placeholders `{"_placeholder":true,"num":0}`.
    pub fn emit_binary(&self, event: &str, args: &[Value], attachments: &[Bytes]) {
        self.send_raw(&format!("45{}-{}{}", attachments.len(), prefix(&self.namespace), array(event, args)));
        for attachment in attachments {
            let _ = self.outgoing.send(Message::Binary(attachment.clone()));
        }
    }

    /// Sends an event and waits for the first argument of its acknowledgement.
    pub async fn ask(&self, event: &str, payload: Value) -> Value {
        self.ask_args(event, &[payload]).await.into_iter().next().unwrap_or(Value::Null)
    }

    /// [`Client::ask`] for an event that must succeed: `{ok:true, …}`.
    pub async fn ask_ok(&self, event: &str, payload: Value) -> Value {
        let reply = self.ask(event, payload.clone()).await;
        assert_eq!(reply["ok"], true, "{event} {payload} was answered {reply}");
        reply
    }

    /// Sends an event with any arguments and waits for those of its acknowledgement.
    pub async fn ask_args(&self, event: &str, args: &[Value]) -> Vec<Value> {
        let id = self.send_with_ack(event, args);
        self.acknowledged(id).await
    }

    /// Sends an event that asks for an acknowledgement, whose number it returns.
    pub fn send_with_ack(&self, event: &str, args: &[Value]) -> u64 {
        let id = self.next_ack.fetch_add(1, Ordering::Relaxed);
        self.asked.lock().unwrap().insert(id, event.to_owned());
        self.send_raw(&format!("42{}{id}{}", prefix(&self.namespace), array(event, args)));
        id
    }

    /// Waits for an acknowledgement. A refusal must have a code that the document of events names.
    pub async fn acknowledged(&self, id: u64) -> Vec<Value> {
        let answer = self.until(&format!("acknowledgement {id}"), |state| state.acks.get(&id).cloned()).await;
        if let (Some(event), Some(first)) = (self.asked.lock().unwrap().get(&id), answer.first()) {
            codes::hold(&self.namespace, event, first);
        }
        answer
    }

    /// Answers an event that asked for an acknowledgement.
    pub fn acknowledge(&self, event: &Received, args: &[Value]) {
        let id = event.ack_id.expect("no acknowledgement is awaited");
        self.send_raw(&format!("43{}{id}{}", prefix(&self.namespace), Value::from(args)));
    }

    /// The next event of this name that [`Client::wait`] has not returned yet; its first argument.
    pub async fn wait(&mut self, event: &str) -> Value {
        self.wait_for(event, |_| true).await
    }

    /// The next event of this name whose first argument fits. Others stay where they are.
    pub async fn wait_for(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Value {
        self.wait_event(event, fits).await.args.into_iter().next().unwrap_or(Value::Null)
    }

    /// [`Client::wait_for`], with all that came along.
    pub async fn wait_event(&mut self, event: &str, fits: impl Fn(&Value) -> bool) -> Received {
        let taken = &self.taken;
        let find = |state: &State| {
            state.events.iter().enumerate().find_map(|(index, received)| {
                let first = received.args.first().unwrap_or(&Value::Null);
                (received.name == event && !taken.contains(&index) && fits(first)).then(|| (index, received.clone()))
            })
        };
        let (index, received) = self.until(event, find).await;
        self.taken.push(index);
        self.hold(&received);
        received
    }

    /// The first arguments of all events of this name so far, in the order of their arrival.
    pub fn received(&self, event: &str) -> Vec<Value> {
        let state = self.state();
        let events = state.events.iter().filter(|received| received.name == event);
        events
            .inspect(|received| self.hold(received))
            .map(|received| received.args.first().cloned().unwrap_or(Value::Null))
            .collect()
    }

    /// An `error` that answers an event must have a code that the document of events names for it.
    fn hold(&self, received: &Received) {
        if let ("error", Some(error)) = (&*received.name, received.args.first()) {
            codes::hold(&self.namespace, error["event"].as_str().unwrap_or_default(), error);
        }
    }

    /// All events so far, in the order of their arrival.
    pub fn events(&self) -> Vec<Received> {
        self.state().events.clone()
    }

    /// The first arguments of all events of this name, once there are as many.
    pub async fn wait_count(&self, event: &str, count: usize) -> Vec<Value> {
        let enough =
            |state: &State| (state.events.iter().filter(|received| received.name == event).count() >= count).then_some(());
        self.until(&format!("{count} × {event}"), enough).await;
        self.received(event)
    }

    /// A round trip by `heartbeat`: what the node had queued for this client before is here now. Says nothing of what is
    /// still on its way through Redis.
    pub async fn settle(&self) {
        self.ask("heartbeat", json!({})).await;
    }

    /// Waits for the end of the transport.
    pub async fn closed(&self) -> Closed {
        self.until("the end of the connection", |state| state.closed.clone()).await
    }

    pub fn is_closed(&self) -> bool {
        self.state().closed.is_some()
    }

    /// Waits for a Socket.IO DISCONNECT.
    pub async fn disconnected(&self) {
        self.until("DISCONNECT", |state| state.disconnected.then_some(())).await;
    }

    /// Heartbeats of the server so far.
    pub fn pings(&self) -> usize {
        self.state().pings
    }

    /// From now on the server's pings stay unanswered.
    pub fn stop_answering_pings(&self) {
        self.shared.answers_pings.store(false, Ordering::Relaxed);
    }

    /// Leaves as a well-behaved client does: DISCONNECT, then a close frame.
    pub async fn leave(self) {
        self.send_raw(&format!("41{}", prefix(&self.namespace).trim_end_matches(',')));
        let _ = self.outgoing.send(Message::Close(None));
        self.closed().await;
    }

    /// Ends the transport in good order, without a word to the namespace.
    pub async fn close(self) {
        let _ = self.outgoing.send(Message::Close(None));
        self.closed().await;
    }

    /// Sends a text message as it is, Engine.IO's type included.
    pub fn send_raw(&self, text: &str) {
        let _ = self.outgoing.send(Message::text(text));
    }

    /// Sends a binary message as it is.
    pub fn send_raw_binary(&self, data: impl Into<Bytes>) {
        let _ = self.outgoing.send(Message::Binary(data.into()));
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.shared.state.lock().unwrap()
    }

    /// Waits until `look` finds something.
    async fn until<T>(&self, what: &str, look: impl Fn(&State) -> Option<T>) -> T {
        let mut changes = self.shared.changes.subscribe();
        let wait = async {
            loop {
                if let Some(found) = look(&self.state()) {
                    return found;
                }
                // An error means that the task is gone, and with it all change: then only the deadline is left.
                if changes.changed().await.is_err() {
                    std::future::pending::<()>().await;
                }
            }
        };
        match tokio::time::timeout(self.patience, wait).await {
            Ok(found) => found,
            Err(_) => {
                let state = self.state();
                let names: Vec<_> = state.events.iter().map(|received| &received.name).collect();
                let last = state.events.iter().rev().take(5).collect::<Vec<_>>();
                panic!("{what} did not come; closed: {:?}; came: {names:?}; last: {last:#?}", state.closed)
            }
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client").field("namespace", &self.namespace).field("closed", &self.state().closed).finish()
    }
}

fn prefix(namespace: &str) -> String {
    if namespace == "/" { String::new() } else { format!("{namespace},") }
}

fn array(event: &str, args: &[Value]) -> Value {
    std::iter::once(Value::from(event)).chain(args.iter().cloned()).collect()
}

async fn run(
    stream: WebSocketStream<MaybeTlsStream<TcpStream>>,
    shared: Arc<Shared>,
    outgoing: mpsc::WeakUnboundedSender<Message>,
    mut queue: mpsc::UnboundedReceiver<Message>,
) {
    let (mut sink, mut stream) = stream.split();
    let write = async {
        while let Some(message) = queue.recv().await {
            if sink.send(message).await.is_err() {
                break;
            }
        }
        // The end is the reader's to see.
        std::future::pending::<()>().await;
    };
    let read = async {
        let mut half: Option<(Received, usize)> = None;
        let mut ended = Closed { code: None, reason: String::new() };
        while let Some(Ok(message)) = stream.next().await {
            match message {
                Message::Text(text) if text.as_str() == "2" => {
                    shared.state.lock().unwrap().pings += 1;
                    if shared.answers_pings.load(Ordering::Relaxed) {
                        let Some(outgoing) = outgoing.upgrade() else { break };
                        let _ = outgoing.send(Message::text("3"));
                    }
                }
                Message::Text(text) => half = take_text(&mut shared.state.lock().unwrap(), &text),
                Message::Binary(data) => {
                    let (event, missing) = half.as_mut().expect("an attachment that nothing announced");
                    event.attachments.push(data);
                    *missing -= 1;
                    if *missing == 0 {
                        let (event, _) = half.take().unwrap();
                        keep(&mut shared.state.lock().unwrap(), event);
                    }
                }
                Message::Close(Some(frame)) => {
                    ended = Closed { code: Some(frame.code.into()), reason: frame.reason.to_string() };
                }
                _ => {}
            }
            shared.changes.send_modify(|version| *version += 1);
        }
        ended
    };
    tokio::pin!(write, read);
    let ended = tokio::select! {
        ended = read => ended,
        () = write => unreachable!("the writer never ends by itself"),
    };
    shared.state.lock().unwrap().closed = Some(ended);
    shared.changes.send_modify(|version| *version += 1);
}

/// Takes a text packet in; returns an event whose attachments are still to come.
fn take_text(state: &mut State, text: &str) -> Option<(Received, usize)> {
    let (kind, rest) = text.split_at_checked(1)?;
    match kind {
        "0" => state.handshake = serde_json::from_str(rest).ok(),
        "4" => return take_packet(state, rest),
        _ => {}
    }
    None
}

fn take_packet(state: &mut State, text: &str) -> Option<(Received, usize)> {
    let (kind, rest) = text.split_at(1);
    let (attachments, rest) = match kind {
        "5" | "6" => rest.split_once('-').map(|(count, rest)| (count.parse().unwrap(), rest)).expect("a number of attachments"),
        _ => (0, rest),
    };
    let rest = match rest.starts_with('/') {
        true => rest.split_once(',').map_or("", |(_, rest)| rest),
        false => rest,
    };
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    let (id, json) = rest.split_at(digits);
    let id = id.parse::<u64>().ok();
    let value: Value = if json.is_empty() { Value::Null } else { serde_json::from_str(json).expect("JSON from the hub") };
    match kind {
        "0" => state.connected = Some(Ok(value)),
        "1" => state.disconnected = true,
        "4" => state.connected = Some(Err(value)),
        _ => {
            let Value::Array(mut args) = value else { panic!("the hub sent {text}") };
            let is_event = matches!(kind, "2" | "5");
            let name = if is_event { args.remove(0).as_str().expect("an event name").to_owned() } else { String::new() };
            let received = Received { name, args, attachments: Vec::new(), ack_id: id };
            if attachments > 0 {
                return Some((received, attachments));
            }
            keep(state, received);
        }
    }
    None
}

/// Acknowledgements have no name.
fn keep(state: &mut State, received: Received) {
    match received.ack_id {
        Some(id) if received.name.is_empty() => {
            state.acks.insert(id, received.args);
        }
        _ => state.events.push(received),
    }
}
