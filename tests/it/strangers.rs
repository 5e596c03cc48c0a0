//! What strangers may keep open, and for how long: connections that say nothing, that never read, or that are too many.

use std::io::ErrorKind::WouldBlock;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use convoke::engineio::CloseReason;
use convoke::protocol::frame::Frame;
use smallvec::smallvec;
use tokio::net::{TcpSocket, TcpStream};

use crate::support::hub::Hub;
use crate::support::linked::linked;
use crate::support::raw::{Polling, Tcp, Ws, request, sid_of, upgrade_request};
use crate::support::redis::single;
use crate::support::server::{Options, Server};
use crate::support::{eventually, within};

const PATH: &str = "/engine.io/";
const OPEN: &str = "EIO=4&transport=polling";

/// Connects from an address of this machine, with little room for what is not read.
async fn connect_from(host: u8, to: SocketAddr) -> Tcp {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    socket.bind((IpAddr::V4(Ipv4Addr::new(127, 0, 0, host)), 0).into()).unwrap();
    Tcp(within(socket.connect(to)).await.unwrap())
}

fn impatient() -> Options {
    Options::engine(|config| {
        config.patience.write = Duration::from_secs(1);
        config.outbox_bytes = 20_000_000;
    })
}

#[tokio::test]
async fn a_websocket_whose_client_only_answers_pings_and_never_reads_is_closed() {
    let server = Server::echo(impatient()).await;
    let mut tcp = connect_from(1, server.address).await;
    tcp.write(upgrade_request(PATH, "").as_bytes()).await;
    eventually("the session is open", || server.echo.sessions() == 1).await;
    let session = server.session();
    while session.waiting_bytes() == 0 {
        session.send(smallvec![Frame::text(&[b'4'; 16_000])]);
        tokio::task::yield_now().await;
    }
    assert_eq!(server.close_reason().await, CloseReason::SlowClient);
}

#[tokio::test]
async fn an_answer_that_nobody_reads_ends_its_connection() {
    let mut options = impatient();
    options.engine.max_payload = 10_000_000;
    let server = Server::echo(options).await;
    let polling = Polling::open(&server, PATH).await;
    let session = server.session();
    // More than the kernel takes for a client that does not read.
    session.send(smallvec![Frame::text(&vec![b'4'; 9_000_000])]);
    let mut tcp = connect_from(1, server.address).await;
    tcp.write(request("GET", PATH, &format!("{OPEN}&sid={}", polling.sid), "").as_bytes()).await;
    eventually("the answer is on its way", || session.waiting_bytes() == 0).await;
    drop(polling);
    let budget = &server.echo.config().budget;
    eventually("it counts", || budget.used() > 1_000_000).await;
    eventually("its connection has ended", || budget.used() <= 4_096).await;
    assert!(tcp.rest().await.len() < 9_000_000, "the rest of it is gone");
}

#[tokio::test]
async fn connections_of_one_subscriber_are_bounded_and_others_get_in() {
    let mut options = Options::default();
    options.limits.per_address = 2;
    let server = Server::echo(options).await;
    let _silent = [connect_from(1, server.address).await, connect_from(1, server.address).await];
    eventually("they are counted", || server.echo.config().budget.used() >= 2 * 8_192).await;
    let mut third = connect_from(1, server.address).await;
    let refused = String::from_utf8(third.rest().await).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("\r\nRetry-After: "), "{refused}");
    let mut other = connect_from(2, server.address).await;
    other.write(request("GET", PATH, OPEN, "").as_bytes()).await;
    sid_of(&other.response().await.1);
    // A WebSocket is no longer one of them: the engine counts it.
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut ws = connect_from(3, server.address).await;
        ws.write(upgrade_request(PATH, "").as_bytes()).await;
        assert_eq!(ws.response().await.0, 101);
        open.push(ws);
    }
}

#[tokio::test]
async fn who_opens_and_breaks_sessions_locks_nobody_else_out() {
    let server = Server::echo(Options::engine(|config| {
        config.handshakes_per_second = 100;
        config.handshakes_per_second_per_address = 10;
    }))
    .await;
    let over = AtomicBool::new(false);
    let attack = async {
        let mut refused = 0;
        while !over.load(Relaxed) {
            let mut tcp = connect_from(1, server.address).await;
            tcp.write(upgrade_request(PATH, "").as_bytes()).await;
            refused += u32::from(tcp.response().await.0 == 503);
        }
        refused
    };
    let others = async {
        for host in 2..42 {
            let mut tcp = connect_from(host, server.address).await;
            tcp.write(upgrade_request(PATH, "").as_bytes()).await;
            assert_eq!(tcp.response().await.0, 101, "the attack is on");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        over.store(true, Relaxed);
    };
    let (refused, ()) = tokio::join!(attack, others);
    assert!(refused > 10, "{refused}");
}

#[tokio::test]
async fn a_post_for_nobody_is_refused_before_it_is_read() {
    let [one, other] = linked::<2>(Options::default(), Vec::new).await;
    let far = Polling::open(&other.server, PATH).await;
    let stranger = format!("{}{}", &far.sid[..8], "x".repeat(far.sid.len() - 8));
    for sid in ["nobody", &stranger, &"y".repeat(28)] {
        let mut tcp = Tcp::connect(&one.server).await;
        let head = request("POST", PATH, &format!("{OPEN}&sid={sid}"), "").replace("Length: 0", "Length: 900000");
        tcp.write(head.as_bytes()).await;
        let (status, body) = tcp.response().await;
        assert_eq!((status, body.contains("Session ID unknown")), (400, true), "{sid}: {body}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_is_short_of_files_refuses_at_once_and_serves_those_it_has() {
    let hub = Hub::start_with_files(200, &[("REDIS_URL", &single().url()), ("LOG_LEVEL", "info")]).await;
    let mut here = TcpStream::connect(hub.address).await.map(Tcp).unwrap();
    let mut open = Vec::new();
    for _ in 0..160 {
        open.push(TcpStream::connect(hub.address).await.map(Tcp).unwrap());
    }
    let refused = String::from_utf8(open.pop().expect("the last one").rest().await).unwrap();
    assert!(refused.starts_with("HTTP/1.1 503") && refused.contains("\r\nRetry-After: "), "{refused}");
    let silent = || {
        let waits = |tcp: &&Tcp| tcp.0.try_read(&mut [0; 1]).is_err_and(|error| error.kind() == WouldBlock);
        open.iter().filter(waits).count()
    };
    // Those that are refused hear of it one after the other.
    eventually("some are refused", || silent() < 150).await;
    assert!(silent() >= 50, "{} were taken", silent());
    here.write(b"GET /readyz HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    assert_eq!(here.response().await.0, 200);
    hub.logs("MAX_CONNECTIONS is 100000, but this process may open no more than 200 files").await;
    drop(open);
    hub.wait_for_status("/health", 200).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_paths_and_refusals_do_not_fill_the_log() {
    let hub = Hub::on_shared_redis(&[("LOG_LEVEL", "info"), ("MAX_CONNECTIONS", "1")]).await;
    let long = format!("/internal/{}", "x".repeat(30_000));
    let mut websocket = TcpStream::connect(hub.address).await.map(Tcp).unwrap();
    websocket.write(upgrade_request("/socket.io/", "").as_bytes()).await;
    assert_eq!(websocket.response().await.0, 101);
    for _ in 0..100 {
        let mut tcp = TcpStream::connect(hub.address).await.map(Tcp).unwrap();
        for (path, status) in [(&*long, 404), ("/internal/realtime/sos/a/state", 401), ("/socket.io/", 503)] {
            tcp.write(request("GET", path, OPEN, "").as_bytes()).await;
            // After twenty failures an address is told to wait.
            assert!([status, 429].contains(&tcp.response().await.0), "{path:.40}");
        }
    }
    let log = hub.log();
    assert!(log.len() < 20_000 && log.lines().count() < 60, "{} bytes:\n{:.2000}", log.len(), log);
    assert!(log.lines().all(|line| line.len() < 1_000), "{log}");
}

#[tokio::test]
async fn a_head_that_is_too_long_is_refused() {
    let server = Server::echo(Options::default()).await;
    for (len, status) in [(16_000, 200), (33_000, 431)] {
        let mut tcp = Tcp::connect(&server).await;
        let head = request("GET", PATH, OPEN, "").replace("Host", &format!("Authorization: Bearer {}\r\nHost", "x".repeat(len)));
        tcp.write(head.as_bytes()).await;
        assert_eq!(tcp.response().await.0, status, "{len}");
    }
    drop(Ws::open(&server, PATH).await);
}
