//! The peer port: who is believed, what happens to calls that are given up, and to peers that do not answer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use bytes::Bytes;
use convoke::peer::{Answer, MAX_BODY, Peer, PeerError, Peers};
use convoke::settings::Secret;
use http_body_util::Full;
use hyper::{Request, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::support::eventually;
use super::support::proxy::{Mode, Proxy};

const SECRET: &str = "the secret of the tests";
const PATIENCE: Duration = Duration::from_secs(10);

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
    Port { peer: Peer { node: format!("{tag}.1").into(), tag: tag.into(), address }, waiting, task }
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

/// One sealed call as a node sends it, taken off the wire.
async fn overheard() -> (String, Bytes) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer { node: "b.1".into(), tag: "b".into(), address: listener.local_addr().unwrap() };
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    let us = peers(SECRET, "a");
    let _call = AbortOnDropHandle::new(tokio::spawn(async move { call(&us, &peer, "/echo", "body").await }));
    let (stream, _) = listener.accept().await.unwrap();
    let service = hyper::service::service_fn(move |request: Request<hyper::body::Incoming>| {
        let heard = heard.clone();
        async move {
            let seal = request.headers()["x-convoke-seal"].to_str().unwrap().to_owned();
            let body = http_body_util::BodyExt::collect(request.into_body()).await.unwrap().to_bytes();
            heard.send((seal, body)).unwrap();
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

async fn replayed(address: SocketAddr, path: &str, seal: &str, body: Bytes) -> u16 {
    let stream = TcpStream::connect(address).await.unwrap();
    let (mut sender, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let _connection = AbortOnDropHandle::new(tokio::spawn(async move {
        let _ = connection.await;
    }));
    let request = Request::post(format!("http://{address}{path}")).header("x-convoke-seal", seal).header("x-convoke-target", "b");
    sender.send_request(request.body(Full::new(body)).unwrap()).await.unwrap().status().as_u16()
}

#[tokio::test]
async fn what_was_overheard_is_good_for_nothing() {
    let port = port("b").await;
    let (seal, body) = overheard().await;
    let address = port.peer.address;
    assert_eq!(replayed(address, "/echo", &seal, Bytes::from_static(b"other")).await, 401, "altered");
    assert_eq!(replayed(address, "/gone", &seal, body.clone()).await, 401, "another path");
    let (time, rest) = seal.split_once('.').unwrap();
    let later = format!("{}.{rest}", time.parse::<u64>().unwrap() + 1);
    assert_eq!(replayed(address, "/echo", &later, body.clone()).await, 401, "another time");
    // The original did not arrive yet, so its first copy passes for it; no other does.
    assert_eq!(replayed(address, "/echo", &seal, body.clone()).await, 200);
    assert_eq!(replayed(address, "/echo", &seal, body).await, 401, "again");
    assert_eq!(replayed(address, "/echo", "nonsense", Bytes::new()).await, 401);
}

#[tokio::test]
async fn an_answer_that_is_not_sealed_is_not_believed() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = Peer { node: "b.1".into(), tag: "b".into(), address: listener.local_addr().unwrap() };
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
    let seal = format!("{}.n.m", 1);
    assert_eq!(replayed(port.peer.address, "/echo", &seal, large).await, 413);
}

#[tokio::test]
async fn a_peer_that_failed_is_skipped_for_two_seconds() {
    let port = port("b").await;
    let us = peers(SECRET, "a");
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
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
