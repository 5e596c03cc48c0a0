//! More than a node can do: clients that do not read, and everybody at once.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::support::client::{Client, Refusal};
use super::support::hub::Hub;
use super::support::metrics::metric;
use super::support::ports::free_port;
use super::support::raw::{FIN, TEXT, frame, upgrade_request};
use super::support::redis::Server;
use super::support::speaker::{Speaker, judge, texts};
use super::support::{eventually, within};

/// A member of an incident that reads what it is told to, and nothing else.
struct Reader {
    stream: TcpStream,
    read: Vec<u8>,
}

impl Reader {
    async fn join(address: SocketAddr, token: &str) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        // So that little vanishes between the hub and a client that does not read.
        socket.set_recv_buffer_size(4_096).unwrap();
        let mut stream = within(socket.connect(address)).await.unwrap();
        stream.write_all(upgrade_request("/socket.io/", "").as_bytes()).await.unwrap();
        stream.write_all(&frame(FIN | TEXT, format!("40{}", json!({"token": token})).as_bytes())).await.unwrap();
        let mut reader = Self { stream, read: Vec::new() };
        within(async {
            while !reader.has_read("sos:state") {
                reader.read_some().await;
            }
        })
        .await;
        reader
    }

    fn has_read(&self, text: &str) -> bool {
        self.read.windows(text.len()).any(|part| part == text.as_bytes())
    }

    /// False at the end of the stream.
    async fn read_some(&mut self) -> bool {
        self.stream.read_buf(&mut self.read).await.is_ok_and(|count| count > 0)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_stops_reading_is_dropped_by_its_budget_and_told_why_and_its_room_does_not_notice() {
    for budget in ["200000", "600000", "1048576"] {
        let port = free_port();
        let hub = Hub::on_shared_redis(&[
            ("OUTBOX_BYTES", budget),
            ("MAX_PAYLOAD", "20000"),
            ("MAX_STATE_BYTES", "100000"),
            ("EVENTS_PER_SECOND", "100000"),
            ("EVENTS_BURST", "100000"),
            ("METRICS_PORT", &port.to_string()),
            ("LOG_LEVEL", "info"),
            // It is the budget that ends it, however long that takes.
            ("PING_INTERVAL_MS", "600000"),
        ])
        .await;
        let sos = format!("slow-{budget}");
        hub.create_sos(&sos, "c1").await;
        let connect = async |role, user| Client::connect(&hub.url(), json!({"token": hub.token(role, user, &[&sos])})).await;
        let (citizen, rescuer) = (connect("citizen", "c1").await, connect("rescuer", "r1").await);
        rescuer.wait_count("sos:state", 1).await;
        let mut slow = Reader::join(hub.address, &hub.token("rescuer", "r2", &[&sos])).await;
        let slow_closes = || metric(port, r#"convoke_transport_closes_total{reason="slow client"}"#);
        let text = "\u{1f198}".repeat(1_000);
        let speak = async {
            let mut sent = 0;
            while slow_closes().await == 0.0 {
                join_all((0..20).map(|_| citizen.ask_ok("message:send", json!({"text": text})))).await;
                sent += 20;
                // Who reads is never far behind, however busy this machine is.
                rescuer.wait_count("message:broadcast", sent).await;
                assert!(sent < 5_000, "it is never dropped");
            }
            sent
        };
        // The node waits two seconds for it to read why.
        let read_again = async {
            while slow_closes().await == 0.0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            within(async { while slow.read_some().await {} }).await;
        };
        let (sent, ()) = tokio::join!(speak, read_again);
        println!("budget {budget}: dropped after {sent} messages of 4 KB");
        // Everybody else has everything, and stays.
        let heard = rescuer.wait_count("message:broadcast", sent).await;
        assert_eq!(heard.len(), sent);
        assert!(!citizen.is_closed() && !rescuer.is_closed());
        // Once it reads again, it finds whole messages and the reason.
        assert!(slow.has_read("slow client"), "the close frame names it");
        assert_eq!(slow_closes().await, 1.0, "nobody else was dropped");
    }
}

/// Comes back as the official client does: after a second or so, and then ever more seldom.
async fn connect_in_the_end(hub: &Hub, token: String, refused: &AtomicUsize) -> Client {
    let mut pause = 1.0;
    loop {
        match Client::builder(&hub.url()).auth(json!({"token": token})).try_connect_patiently(Duration::from_secs(60)).await {
            Ok(client) => return client,
            Err(Refusal::Http { status: 503, .. }) => {
                refused.fetch_add(1, Relaxed);
            }
            Err(Refusal::Closed(_)) => {}
            Err(other) => panic!("{other:?}"),
        }
        let spread = rand::random_range(0.5..1.5);
        tokio::time::sleep(Duration::from_secs_f64(pause * spread)).await;
        pause = f64::min(pause * 2.0, 5.0);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_of_reconnects_is_admitted_at_a_bounded_rate_and_those_who_are_here_go_on() {
    const CLIENTS: usize = 2_000;
    const RATE: f64 = 200.0;
    let (redis, port) = (Server::start(&[]), free_port());
    let hub = Hub::start(&[
        ("REDIS_URL", &redis.url()),
        ("HANDSHAKES_PER_SECOND", &RATE.to_string()),
        ("EVENTS_PER_SECOND", "1000"),
        ("METRICS_PORT", &port.to_string()),
        ("LOG_LEVEL", "info"),
        // On a busy machine a test build may do nothing else for seconds.
        ("NODE_LEASE_MS", "60000"),
        ("REDIS_DEADLINE_MS", "30000"),
    ])
    .await;
    let hub = Arc::new(hub);
    hub.create_sos("live", "c1").await;
    let connect = async |role, user| Client::connect(&hub.url(), json!({"token": hub.token(role, user, &["live"])})).await;
    let (citizen, mut rescuer) = (connect("citizen", "c1").await, connect("rescuer", "r1").await);
    rescuer.wait_count("sos:state", 1).await;
    let speaker = Speaker::start_patient(citizen, "m");
    rescuer.wait_count("message:broadcast", 20).await;

    let over = Arc::new(AtomicBool::new(false));
    let refused = Arc::new(AtomicUsize::new(0));
    let start = Instant::now();
    let watcher = tokio::spawn({
        let (hub, over) = (hub.clone(), over.clone());
        let before = metric(port, r#"convoke_handshakes_total{outcome="ok"}"#).await;
        async move {
            while !over.load(Relaxed) {
                assert_eq!(hub.get("/readyz").await.status(), 200, "the node stays ready");
                let admitted = metric(port, r#"convoke_handshakes_total{outcome="ok"}"#).await - before;
                let most = RATE * (start.elapsed().as_secs_f64() + 0.25) + 1.0;
                assert!(admitted <= most, "{admitted} were admitted, at most {most:.0} should have been");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    });
    let mut clients = tokio::task::JoinSet::new();
    for number in 0..CLIENTS {
        let (hub, refused) = (hub.clone(), refused.clone());
        clients.spawn(async move {
            let token = hub.token("rescuer", &format!("u{number}"), &[&format!("storm-{}", number % 500)]);
            tokio::time::sleep(Duration::from_secs(1).mul_f64(number as f64 / CLIENTS as f64)).await;
            connect_in_the_end(&hub, token, &refused).await
        });
    }
    let clients = tokio::time::timeout(Duration::from_secs(150), clients.join_all()).await.expect("all get in");
    println!("{CLIENTS} clients are in after {:?}; {} handshakes were refused", start.elapsed(), refused.load(Relaxed));
    assert!(refused.load(Relaxed) > 0, "a part of them had to come again");
    over.store(true, Relaxed);
    watcher.await.expect("ready all the time");
    eventually("all are connected at once", || clients.iter().all(|client| !client.is_closed())).await;

    let (citizen, said) = speaker.stop().await;
    println!("meanwhile {} messages, the slowest took {:?}", said.ok.len(), said.slowest);
    let last = said.ok.last().expect("one").clone();
    rescuer.wait_for("message:broadcast", |message| message["text"] == last).await;
    judge("a member", &texts(&rescuer.received("message:broadcast")), &said);
    assert!(said.never.is_empty() && said.perhaps.is_empty(), "{said:?}");
    assert!(!citizen.is_closed() && !rescuer.is_closed());
}
