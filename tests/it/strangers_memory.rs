//! What strangers may hold of a node's memory, each in its own way, and all together.

use std::io::ErrorKind::WouldBlock;
use std::sync::Arc;
use std::time::Duration;

use convoke::engineio::CloseReason;
use convoke::net::Budget;
use convoke::socketio::Namespace;
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;

use crate::support::hub::Hub;
use crate::support::msgpack;
use crate::support::raw::{BINARY, FIN, PING, Polling, TEXT, Tcp, Ws, frame, http, request, text, upgrade_request};
use crate::support::server::{Options, Server};
use crate::support::{eventually, within};

const PATH: &str = "/engine.io/";
const OPEN: &str = "EIO=4&transport=polling";
const MIB: usize = 1 << 20;

async fn echo(budget: usize) -> (Server, Arc<Budget>) {
    let budget = Budget::new(budget);
    let server = Server::echo(Options::engine(|config| config.budget = budget.clone())).await;
    (server, budget)
}

#[tokio::test]
async fn a_session_keeps_little_of_what_its_handshake_brought() {
    let (server, budget) = echo(100 * MIB).await;
    for _ in 0..20 {
        let mut tcp = Tcp::connect(&server).await;
        let agent = format!("User-Agent: {}\r\nHost", "x".repeat(30_000));
        tcp.write(request("GET", PATH, OPEN, "").replace("Host", &agent).as_bytes()).await;
        assert_eq!(tcp.response().await.0, 200);
    }
    eventually("only the sessions are left", || budget.used() == 20 * 4_096).await;
}

#[tokio::test]
async fn heads_that_are_not_whole_count_and_are_given_up_when_memory_runs_out() {
    let (server, budget) = echo(MIB).await;
    let mut strangers = Vec::new();
    for _ in 0..40 {
        let mut tcp = Tcp::connect(&server).await;
        tcp.write(format!("GET {PATH} HTTP/1.1\r\nX-Long: {}", "x".repeat(30_000)).as_bytes()).await;
        strangers.push(tcp);
    }
    let closed = || strangers.iter().filter(|tcp| !tcp.0.try_read(&mut [0; 1]).is_err_and(|e| e.kind() == WouldBlock)).count();
    eventually("some are given up", || closed() > 0).await;
    eventually("there is room again", || budget.used() < MIB).await;
    assert!(closed() < 20, "no more are closed than it takes: {}", closed());
    within(Ws::open(&server, PATH)).await.send("4hello").await;
}

#[tokio::test]
async fn bodies_that_are_not_whole_count_and_the_largest_are_given_up() {
    let (server, budget) = echo(2 * MIB).await;
    let mut honest = Ws::open(&server, PATH).await;
    let mut strangers = Vec::new();
    for _ in 0..6 {
        let polling = Polling::open(&server, PATH).await;
        let mut tcp = Tcp::connect(&server).await;
        let head = request("POST", PATH, &format!("{OPEN}&sid={}", polling.sid), "").replace("Length: 0", "Length: 900000");
        tcp.write(head.as_bytes()).await;
        // It may be given up meanwhile.
        let _ = tokio::time::timeout(Duration::from_secs(1), tcp.0.write_all(&[b'4'; 600_000])).await;
        strangers.push((polling, tcp));
    }
    assert_eq!(server.close_reason().await, CloseReason::Overload);
    eventually("there is room again", || budget.used() < 2 * MIB).await;
    honest.send("4still here").await;
    assert_eq!(honest.text().await, "4still here");
}

#[tokio::test]
async fn a_client_that_only_pings_and_never_reads_holds_no_more_than_its_budget() {
    let budget = Budget::new(100 * MIB);
    let server = Server::echo(Options::engine(|config| {
        config.budget = budget.clone();
        config.outbox_bytes = 100_000;
    }))
    .await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    let pings = frame(FIN | PING, b"").repeat(10_000);
    let mut most = 0;
    // The kernel takes as many pongs as its buffers hold first; who sends nothing but these is read ever more slowly.
    for _ in 0..10 {
        let _ = tokio::time::timeout(Duration::from_millis(300), tcp.0.write_all(&pings)).await;
        most = most.max(budget.used());
    }
    assert!(most <= 100_000 + 50_000, "{most}");
}

#[tokio::test]
async fn unfinished_frames_and_fragments_count() {
    let (server, budget) = echo(100 * MIB).await;
    let mut tcp = Tcp::websocket(&server, PATH).await;
    let before = budget.used();
    let large = frame(FIN | TEXT, &[b'4'; 500_000]);
    tcp.write(&large[..400_000]).await;
    eventually("what is there of a frame counts", || budget.used() >= before + 400_000 - 100).await;
    tcp.write(&large[400_000..]).await;
    tcp.write(&frame(BINARY, &[0; 300_000])).await;
    assert_eq!(tcp.frame().await.1.len(), 500_000);
    eventually("what is there of a message counts", || (300_000..700_000).contains(&(budget.used() - before))).await;
    tcp.write(&frame(FIN, &[])).await;
    assert_eq!(tcp.frame().await.1.len(), 300_000);
    eventually("it is nothing any more", || budget.used() == before).await;
}

#[tokio::test]
async fn half_a_packet_counts_until_the_rest_of_it_is_there() {
    let budget = Budget::new(100 * MIB);
    let options = Options::engine(|config| config.budget = budget.clone());
    let server = Server::start(options, [Namespace::new("/")]).await;
    let mut ws = Ws::open(&server, "/socket.io/").await;
    ws.send("40").await;
    ws.text().await;
    let before = budget.used();
    ws.send(r#"452-["x",{"_placeholder":true,"num":0},{"_placeholder":true,"num":1}]"#).await;
    ws.send_binary(&vec![0; 200_000]).await;
    eventually("one attachment is there", || budget.used() >= before + 200_000).await;
    ws.send_binary(&[0]).await;
    eventually("the packet is whole", || budget.used() == before).await;
}

#[tokio::test]
async fn events_that_wait_count_and_are_forgotten_when_their_client_is_closed_for_it() {
    let budget = Budget::new(100 * MIB);
    let options = Options::engine(|config| config.budget = budget.clone());
    let server = Server::start(options, [Namespace::new("/").on("x", |_, _| std::future::pending())]).await;
    let pack = |packet: Value| Message::binary(msgpack::pack(&packet));
    for is_text in [true, false] {
        let mut ws = Ws::open(&server, "/socket.io/").await;
        let payload = "x".repeat(10_000);
        let (connect, event) = match is_text {
            true => (Message::text("40"), Message::text(format!(r#"42["x","{payload}"]"#))),
            false => (pack(json!({"type": 0, "nsp": "/"})), pack(json!({"type": 2, "nsp": "/", "data": ["x", payload]}))),
        };
        ws.message(connect).await;
        ws.next().await;
        let before = budget.used();
        for _ in 0..20 {
            ws.message(event.clone()).await;
        }
        // The first is the handler's, which has thrown it away.
        eventually("all of them count", || budget.used() >= before + 190_000).await;
        server.engine.all().pop().expect("a session").close(CloseReason::Overload);
        eventually("the rest is forgotten", || budget.used() <= before + 30_000).await;
    }
}

#[tokio::test]
async fn over_the_budget_newcomers_are_refused_and_who_is_here_goes_on() {
    let (server, budget) = echo(MIB).await;
    let mut here = Ws::open(&server, PATH).await;
    budget.take(MIB);
    let response = http().get(server.url(PATH, OPEN)).send().await.unwrap();
    assert_eq!(response.status(), 503);
    assert!(response.headers().contains_key("retry-after"));
    assert!(response.text().await.unwrap().contains("no memory left"));
    here.send("4hello").await;
    assert_eq!(here.text().await, "4hello");
    budget.give_back(MIB);
    Ws::open(&server, PATH).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn small_attachments_keep_no_large_packets_alive() {
    let hub = Hub::on_shared_redis(&[("LOG_LEVEL", "info"), ("READ_BYTES_PER_SECOND", "100000000000")]).await;
    let before = hub.rss();
    let large = text(&format!("6{}", "x".repeat(990_000)));
    let placeholders: Vec<_> = (0..10).map(|num| format!(r#"{{"_placeholder":true,"num":{num}}}"#)).collect();
    let event = text(&format!(r#"4510-["x",{}]"#, placeholders.join(",")));
    let mut strangers = Vec::new();
    for _ in 0..10 {
        let mut tcp = TcpStream::connect(hub.address).await.map(Tcp).unwrap();
        tcp.write(upgrade_request("/socket.io/", "").as_bytes()).await;
        assert_eq!(tcp.response().await.0, 101);
        tcp.text().await;
        tcp.write(&event).await;
        for _ in 0..9 {
            tcp.write(&[&large[..], &frame(FIN | BINARY, b"x")].concat()).await;
        }
        tcp.write(&frame(FIN | PING, b"over")).await;
        assert_eq!(tcp.frame().await.1, b"over");
        strangers.push(tcp);
    }
    let held = hub.rss().saturating_sub(before);
    assert!(held < 40 * MIB, "{} MiB for 90 bytes", held / MIB);
}
