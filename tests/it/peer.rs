//! The peer port: who is believed, what a stranger may hold, what happens to calls that are given up, and to peers that do not
//! answer.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use convoke::core::wire::Form;
use convoke::peer::{Answer, MAX_BODY, Peer, PeerError, Peers};
use convoke::settings::Secret;
use futures_util::StreamExt as _;
use http_body_util::Full;
use http_body_util::combinators::BoxBody;
use hyper::body::Frame;
use hyper::client::conn::http2::SendRequest;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::support::eventually;
use super::support::ports::free_port;
use super::support::proxy::{Mode, Proxy};

const SECRET: &str = "the secret of the tests";
const PATIENCE: Duration = Duration::from_secs(40);

/// A node's peer port with a few handlers.
struct Port {
    peer: Peer,
    /// Calls of `/wait` that are being answered now.
    waiting: Arc<AtomicUsize>,
    task: AbortOnDropHandle<()>,
}

struct Present(Arc<AtomicUsize>);

impl Drop for Present {
    fn drop(&mut self) {
        self.0.fetch_sub(1, SeqCst);
    }
}

fn peers(secret: &str, tag: &str) -> Arc<Peers> {
    Peers::new(&Secret::new(secret), tag)
}

async fn port(tag: &str) -> Port {
    let peers = peers(SECRET, tag);
    let waiting = Arc::new(AtomicUsize::new(0));
    peers.on("/echo", |body| async move { Answer::ok(body) });
    peers.on("/gone", |_| async { Answer::status(StatusCode::GONE) });
    let counted = waiting.clone();
    peers.on("/wait", move |_| {
        counted.fetch_add(1, SeqCst);
        let present = Present(counted.clone());
        async move {
            let _present = present;
            std::future::pending().await
        }
    });
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let task = AbortOnDropHandle::new(tokio::spawn(peers.serve(listener, CancellationToken::new())));
    let peer = Peer { node: format!("{tag}.1").into(), tag: tag.into(), address, form: Form::NEWEST };
    Port { peer, waiting, task }
}

async fn call(from: &Peers, to: &Peer, path: &'static str, body: &'static str) -> Result<Answer, PeerError> {
    from.call(to, path, Bytes::from_static(body.as_bytes()), PATIENCE).await
}

#[tokio::test]
async fn a_call_is_answered_by_the_handler_of_its_path() {
    let (port, us) = (port("b").await, peers(SECRET, "a"));
    assert_eq!(call(&us, &port.peer, "/echo", "hello").await, Ok(Answer::ok("hello")));
    assert_eq!(call(&us, &port.peer, "/gone", "").await, Ok(Answer::status(StatusCode::GONE)), "a status is an answer");
    assert_eq!(call(&us, &port.peer, "/nothing", "").await, Err(PeerError::Refused(StatusCode::NOT_FOUND)));
    let large = Bytes::from(vec![7; 3 << 20]);
    assert_eq!(us.call(&port.peer, "/echo", large.clone(), PATIENCE).await, Ok(Answer::ok(large)));
}

#[tokio::test]
async fn many_calls_share_one_connection() {
    let port = port("b").await;
    let proxy = Proxy::start(port.peer.address.to_string()).await;
    let (us, peer) = (peers(SECRET, "a"), Peer { address: proxy.address, ..port.peer.clone() });
    let calls = (0..100).map(|_| us.call(&peer, "/echo", Bytes::from_static(b"x"), PATIENCE));
    assert!(futures_util::future::join_all(calls).await.iter().all(Result::is_ok));
    // A connection of which all calls are cut.
    let waiting = (0..50).map(|_| us.call(&peer, "/wait", Bytes::new(), PATIENCE));
    let cut = async {
        eventually("all wait", || port.waiting.load(SeqCst) == 50).await;
        proxy.cut();
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(waiting), cut);
    assert!(answers.iter().all(|answer| *answer == Err(PeerError::Unreachable)), "{answers:?}");
    eventually("the handlers are dropped", || port.waiting.load(SeqCst) == 0).await;
}

#[tokio::test]
async fn a_call_that_is_given_up_ends_the_handler() {
    let (port, us) = (port("b").await, peers(SECRET, "a"));
    let given_up = us.call(&port.peer, "/wait", Bytes::new(), Duration::from_millis(300)).await;
    assert_eq!(given_up, Err(PeerError::TimedOut));
    eventually("the handler is dropped", || port.waiting.load(SeqCst) == 0).await;
    // By dropping, with the connection in good order.
    let (client, peer) = (us.clone(), port.peer.clone());
    let task = tokio::spawn(async move { client.call(&peer, "/wait", Bytes::new(), PATIENCE).await });
    eventually("the call is there", || port.waiting.load(SeqCst) == 1).await;
    task.abort();
    eventually("the handler is dropped", || port.waiting.load(SeqCst) == 0).await;
    assert!(call(&us, &port.peer, "/echo", "").await.is_ok());
}

#[tokio::test]
async fn thousands_may_be_given_up_at_once() {
    let (port, us) = (port("b").await, peers(SECRET, "a"));
    for _ in 0..3 {
        let calls: Vec<_> = (0..1_500)
            .map(|_| {
                let (us, peer) = (us.clone(), port.peer.clone());
                tokio::spawn(async move { us.call(&peer, "/wait", Bytes::new(), PATIENCE).await })
            })
            .collect();
        eventually("all wait", || port.waiting.load(SeqCst) == 1_500).await;
        calls.iter().for_each(tokio::task::JoinHandle::abort);
        eventually("none waits", || port.waiting.load(SeqCst) == 0).await;
        assert!(call(&us, &port.peer, "/echo", "").await.is_ok());
    }
}

#[tokio::test]
async fn strangers_are_refused() {
    let port = port("b").await;
    let stranger = peers("another secret of the tests", "a");
    assert_eq!(call(&stranger, &port.peer, "/echo", "").await, Err(PeerError::Refused(StatusCode::UNAUTHORIZED)));
    let moved = Peer { tag: "c".into(), ..port.peer.clone() };
    let us = peers(SECRET, "a");
    assert_eq!(call(&us, &moved, "/echo", "").await, Err(PeerError::Refused(StatusCode::MISDIRECTED_REQUEST)));
}

/// A sealed call as a node sends it: the headers that it carries beside its body.
#[derive(Clone, Default)]
struct Call {
    seal: String,
    head: Option<String>,
    body: Bytes,
}

/// One sealed call, taken off the wire.
async fn overheard() -> Call {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer { node: "b.1".into(), tag: "b".into(), address: listener.local_addr().unwrap(), form: Form::NEWEST };
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let us = peers(SECRET, "a");
    let _call = AbortOnDropHandle::new(tokio::spawn(async move { call(&us, &peer, "/echo", "body").await }));
    let (stream, _) = listener.accept().await.unwrap();
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let heard = heard.clone();
        async move {
            let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
            let (seal, head) = (header("x-convoke-seal"), Some(header("x-convoke-head")));
            let body = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
            heard.send(Call { seal, head, body }).unwrap();
            std::future::pending::<Result<hyper::Response<Full<Bytes>>, std::convert::Infallible>>().await
        }
    });
    let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
    let connection = server.serve_connection(TokioIo::new(stream), service);
    tokio::select! {
        _ = connection => panic!("the call ended"),
        heard = hears.recv() => heard.unwrap(),
    }
}

/// A connection that somebody made who is no node of ours; the second is done when the port has closed it.
async fn stranger<B>(address: SocketAddr) -> (SendRequest<B>, AbortOnDropHandle<()>)
where
    B: hyper::body::Body<Data = Bytes, Error = Infallible> + Send + Unpin + 'static,
{
    let stream = TcpStream::connect(address).await.unwrap();
    let (sender, connection) = hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let connection = tokio::spawn(async move {
        let _ = connection.await;
    });
    (sender, AbortOnDropHandle::new(connection))
}

fn request<B>(address: SocketAddr, path: &str, call: &Call, body: B) -> Request<B> {
    let request = Request::post(format!("http://{address}{path}"));
    let request = request.header("x-convoke-seal", &call.seal).header("x-convoke-target", "b");
    let request = call.head.iter().fold(request, |request, head| request.header("x-convoke-head", head));
    request.body(body).unwrap()
}

async fn replayed(address: SocketAddr, path: &str, call: &Call) -> u16 {
    let (mut sender, _connection) = stranger(address).await;
    sender.send_request(request(address, path, call, Full::new(call.body.clone()))).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn what_was_overheard_is_good_for_nothing() {
    let port = port("b").await;
    let address = port.peer.address;
    let whole = Call { head: None, ..overheard().await };
    let other = Call { body: Bytes::from_static(b"ydob"), ..whole.clone() };
    assert_eq!(replayed(address, "/echo", &other).await, 401, "altered");
    assert_eq!(replayed(address, "/gone", &whole).await, 401, "another path");
    let (time, rest) = whole.seal.split_once('.').unwrap();
    let later = Call { seal: format!("{}.{rest}", time.parse::<u64>().unwrap() + 1), ..whole.clone() };
    assert_eq!(replayed(address, "/echo", &later).await, 401, "another time");
    // The original did not arrive yet, so its first copy passes for it; no other does.
    assert_eq!(replayed(address, "/echo", &whole).await, 200);
    assert_eq!(replayed(address, "/echo", &whole).await, 401, "again");
    assert_eq!(replayed(address, "/echo", &Call { seal: "nonsense".into(), ..Call::default() }).await, 401);

    let call = overheard().await;
    assert_eq!(replayed(address, "/gone", &call).await, 401, "another path");
    let long = Call { head: call.head.as_ref().map(|head| head.replacen('4', "9999", 1)), ..call.clone() };
    assert_eq!(replayed(address, "/echo", &long).await, 401, "another length");
    let mixed = Call { head: overheard().await.head, ..call.clone() };
    assert_eq!(replayed(address, "/echo", &mixed).await, 401, "the head of another call");
    let altered = Call { body: Bytes::from_static(b"ydob"), ..call.clone() };
    assert_eq!(replayed(address, "/echo", &altered).await, 401, "altered under a true head");
    assert_eq!(replayed(address, "/echo", &call).await, 401, "its head was here before");
    assert_eq!(replayed(address, "/echo", &Call { head: None, ..call }).await, 401, "nor without its head");
    let call = overheard().await;
    assert_eq!(replayed(address, "/echo", &call).await, 200);
    assert_eq!(replayed(address, "/echo", &call).await, 401, "again");
}

/// The seals of the release before this one, as it computed them: one over the whole call, one over the answer.
mod before {
    use aws_lc_rs::{digest, hmac};
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};

    fn sign(mut text: Vec<u8>, body: &[u8]) -> String {
        let root = hmac::Key::new(hmac::HMAC_SHA256, super::SECRET.as_bytes());
        let derived = hmac::sign(&root, b"convoke peer port, version 1");
        text.extend_from_slice(digest::digest(&digest::SHA256, body).as_ref());
        let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&key, &text))
    }

    pub fn seal(time_ms: u64, nonce: &str, path: &str, body: &[u8], target: &str) -> String {
        let mac = sign(format!("call\nPOST\n{path}\n{target}\n{time_ms}\n{nonce}\n").into_bytes(), body);
        format!("{time_ms}.{nonce}.{mac}")
    }

    pub fn answer(nonce: &str, status: u16, body: &[u8]) -> String {
        sign(format!("answer\n{nonce}\n{status}\n").into_bytes(), body)
    }
}

fn now_ms() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as u64
}

#[tokio::test]
async fn a_node_of_the_release_before_is_answered() {
    let port = port("b").await;
    let address = port.peer.address;
    let (mut sender, _connection) = stranger(address).await;
    // Once it is believed it may send as much as any other.
    for (nonce, size) in [("n1", 1 << 20), ("n2", 5 << 20)] {
        let body = Bytes::from(vec![7; size]);
        let call = Call { seal: before::seal(now_ms(), nonce, "/echo", &body, "b"), head: None, body };
        let answer = sender.send_request(request(address, "/echo", &call, Full::new(call.body.clone()))).await.unwrap();
        let (head, body) = answer.into_parts();
        let body = http_body_util::BodyExt::collect(body).await.unwrap().to_bytes();
        assert_eq!((head.status.as_u16(), body.len()), (200, size));
        assert_eq!(head.headers["x-convoke-seal"].to_str().unwrap(), before::answer(nonce, 200, &body));
    }
}

#[tokio::test]
async fn a_node_of_the_release_before_understands_a_call_and_is_understood() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer { node: "b.1".into(), tag: "b".into(), address: listener.local_addr().unwrap(), form: Form::NEWEST };
    let _node = AbortOnDropHandle::new(tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(|request: Request<hyper::body::Incoming>| async move {
            let header = |name: &str| request.headers()[name].to_str().unwrap().to_owned();
            let (seal, target) = (header("x-convoke-seal"), header("x-convoke-target"));
            let path = request.uri().path().to_owned();
            let body = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
            let (time, nonce) = (seal.split('.').next().unwrap().parse().unwrap(), seal.split('.').nth(1).unwrap());
            assert_eq!(seal, before::seal(time, nonce, &path, &body, &target));
            let answer = hyper::Response::builder().header("x-convoke-seal", before::answer(nonce, 200, &body));
            Ok::<_, Infallible>(answer.body(Full::new(body)).unwrap())
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }));
    assert_eq!(call(&peers(SECRET, "a"), &peer, "/echo", "hello").await, Ok(Answer::ok("hello")));
}

/// So many bytes, and then nothing more, without an end.
fn endless(bytes: usize, sent: &Arc<AtomicUsize>) -> BoxBody<Bytes, Infallible> {
    const CHUNK: usize = 16 << 10;
    let sent = sent.clone();
    let chunks = (0..bytes / CHUNK).map(move |_| {
        sent.fetch_add(CHUNK, SeqCst);
        Ok(Frame::data(Bytes::from_static(&[7; CHUNK])))
    });
    let chunks = futures_util::stream::iter(chunks).chain(futures_util::stream::pending());
    BoxBody::new(http_body_util::StreamBody::new(chunks))
}

#[tokio::test]
async fn a_stranger_is_refused_before_its_body_comes_and_sent_away() {
    let port = port("b").await;
    let address = port.peer.address;
    let call = overheard().await;
    let sent = Arc::default();
    for head in ["4.AAAA".to_owned(), "nonsense".into(), format!("5.{}", "A".repeat(43))] {
        let (mut sender, connection) = stranger(address).await;
        let call = Call { head: Some(head), ..call.clone() };
        let answer = sender.send_request(request(address, "/echo", &call, endless(0, &sent))).await.unwrap();
        assert_eq!(answer.status(), 401, "its body has not come");
        connection.await.unwrap();
    }
    // Who is known stays, whatever it says next.
    let (mut sender, _connection) = stranger(address).await;
    for (head, status) in [(call.head.clone(), 200), (Some("4.AAAA".into()), 401), (overheard().await.head, 401)] {
        let call = Call { head, ..call.clone() };
        let answer = sender.send_request(request(address, "/echo", &call, Full::new(call.body.clone()))).await.unwrap();
        assert_eq!(answer.status(), status);
    }
    let next = overheard().await;
    let answer = sender.send_request(request(address, "/echo", &next, Full::new(next.body.clone()))).await.unwrap();
    assert_eq!(answer.status(), 200);
}

#[tokio::test]
async fn what_strangers_send_is_not_held_for_them() {
    let port = port("b").await;
    let address = port.peer.address;
    let sent: Arc<AtomicUsize> = Arc::default();
    // The tag is no secret, and so it looks like a call of the release before.
    let call = Call { seal: format!("{}.n.{}", now_ms(), "A".repeat(43)), ..Call::default() };
    let strangers: Vec<_> = (0..60)
        .map(|_| {
            let (call, sent) = (call.clone(), sent.clone());
            tokio::spawn(async move {
                let (mut sender, connection) = stranger(address).await;
                let _ = sender.send_request(request(address, "/echo", &call, endless(1900 << 10, &sent))).await;
                connection.await.unwrap();
            })
        })
        .collect();
    eventually("they send", || sent.load(SeqCst) > 1 << 20).await;
    let us = peers(SECRET, "a");
    assert_eq!(call_of(&us, &port.peer).await, Ok(Answer::ok("hello")), "peers are answered meanwhile");
    for stranger in strangers {
        stranger.await.unwrap();
    }
    assert_eq!(call_of(&us, &port.peer).await, Ok(Answer::ok("hello")));
    let sent = sent.load(SeqCst) >> 20;
    assert!(sent < 64, "{sent} MiB were taken of strangers, who offered 111");
}

async fn call_of(us: &Peers, peer: &Peer) -> Result<Answer, PeerError> {
    call(us, peer, "/echo", "hello").await
}

#[tokio::test]
async fn however_many_strangers_come_peers_find_the_port_open() {
    const PLACES: usize = 64;
    let port = port("b").await;
    let proxy = Proxy::start(port.peer.address.to_string()).await;
    let (known, peer) = (peers(SECRET, "a"), Peer { address: proxy.address, ..port.peer.clone() });
    assert!(call_of(&known, &peer).await.is_ok());
    let waiting = tokio::spawn({
        let (known, peer) = (known.clone(), peer.clone());
        async move { known.call(&peer, "/wait", Bytes::new(), Duration::from_secs(60)).await }
    });
    eventually("it waits", || port.waiting.load(SeqCst) == 1).await;
    let mut strangers = Vec::new();
    for _ in 0..PLACES + 40 {
        strangers.push(TcpStream::connect(port.peer.address).await.unwrap());
    }
    eventually("the oldest strangers are sent away", || strangers.iter().filter(|stranger| is_open(stranger)).count() <= PLACES)
        .await;
    assert!(call_of(&peers(SECRET, "c"), &port.peer).await.is_ok(), "a peer that has just come");
    assert!(call_of(&known, &peer).await.is_ok() && port.waiting.load(SeqCst) == 1, "and one that was here");
    eventually("all strangers are sent away in time", || !strangers.iter().any(is_open)).await;
    assert_eq!(port.waiting.load(SeqCst), 1);
    waiting.abort();
}

fn is_open(stream: &TcpStream) -> bool {
    let mut settings = [0; 1024];
    loop {
        match stream.try_read(&mut settings) {
            Ok(0) => return false,
            Ok(_) => {}
            Err(error) => return error.kind() == std::io::ErrorKind::WouldBlock,
        }
    }
}

#[tokio::test]
async fn an_answer_that_is_not_sealed_is_not_believed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer { node: "b.1".into(), tag: "b".into(), address: listener.local_addr().unwrap(), form: Form::NEWEST };
    let _impostor = AbortOnDropHandle::new(tokio::spawn(async move {
        let (stream, _) = listener.accept().await.unwrap();
        let service = hyper::service::service_fn(|_: Request<hyper::body::Incoming>| async {
            Ok::<_, std::convert::Infallible>(hyper::Response::new(Full::new(Bytes::from_static(b"b.1"))))
        });
        let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
        let _ = server.serve_connection(TokioIo::new(stream), service).await;
    }));
    assert_eq!(call(&peers(SECRET, "a"), &peer, "/who", "").await, Err(PeerError::Refused(StatusCode::OK)));
}

#[tokio::test]
async fn too_large_a_body_is_refused_on_both_sides() {
    let (port, us) = (port("b").await, peers(SECRET, "a"));
    let large = Bytes::from(vec![0; MAX_BODY + 1]);
    let refused = Err(PeerError::Refused(StatusCode::PAYLOAD_TOO_LARGE));
    assert_eq!(us.call(&port.peer, "/echo", large.clone(), PATIENCE).await, refused);
    let call = Call { seal: "1.n.m".into(), head: None, body: large };
    assert_eq!(replayed(port.peer.address, "/echo", &call).await, 413);
}

#[tokio::test]
async fn a_peer_that_failed_is_skipped_for_two_seconds() {
    let port = port("b").await;
    let us = peers(SECRET, "a");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let peer = Peer { address, ..port.peer.clone() };
    assert_eq!(call(&us, &peer, "/echo", "").await, Err(PeerError::Unreachable));
    // It is back at once, and not believed to be.
    let forwarder = TcpListener::bind(address).await.unwrap();
    assert_eq!(call(&us, &peer, "/echo", "").await, Err(PeerError::Unreachable));
    let target = port.peer.address;
    let _forward = AbortOnDropHandle::new(tokio::spawn(async move {
        let (mut from, _) = forwarder.accept().await.unwrap();
        let mut to = TcpStream::connect(target).await.unwrap();
        let _ = tokio::io::copy_bidirectional(&mut from, &mut to).await;
    }));
    let start = Instant::now();
    while call(&us, &peer, "/echo", "").await != Ok(Answer::ok("")) {
        assert!(start.elapsed() < PATIENCE, "never tried again");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// A restarted process gets its address again when it is in the host's network: its clients must not wait for it.
#[tokio::test]
async fn a_process_that_is_new_at_the_address_of_a_failed_one_is_called_at_once() {
    let us = peers(SECRET, "a");
    let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
    let old = Peer { node: "b.old".into(), tag: "old".into(), address, form: Form::NEWEST };
    assert_eq!(call(&us, &old, "/echo", "").await, Err(PeerError::Unreachable));
    let peers = peers(SECRET, "new");
    peers.on("/echo", |body| async move { Answer::ok(body) });
    let listener = TcpListener::bind(address).await.unwrap();
    let _port = AbortOnDropHandle::new(tokio::spawn(peers.serve(listener, CancellationToken::new())));
    let new = Peer { node: "b.new".into(), tag: "new".into(), address, form: Form::NEWEST };
    assert_eq!(call(&us, &new, "/echo", "hello").await, Ok(Answer::ok("hello")));
}

#[tokio::test]
async fn a_frozen_peer_fails_all_its_calls() {
    let port = port("b").await;
    let proxy = Proxy::start(port.peer.address.to_string()).await;
    let (us, peer) = (peers(SECRET, "a"), Peer { address: proxy.address, ..port.peer.clone() });
    assert!(call(&us, &peer, "/echo", "").await.is_ok());
    let calls = (0..10).map(|_| us.call(&peer, "/wait", Bytes::new(), Duration::from_secs(60)));
    let freeze = async {
        eventually("all wait", || port.waiting.load(SeqCst) == 10).await;
        proxy.set(Mode::Pause);
    };
    let (answers, ()) = tokio::join!(futures_util::future::join_all(calls), freeze);
    assert!(answers.iter().all(|answer| *answer == Err(PeerError::Unreachable)), "{answers:?}");
    drop(port.task);
}
