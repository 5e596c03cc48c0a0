//! What strangers and members try. Each attack is one round, repeated by the rig; it does not care about answers.

use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use http_body_util::Full;
use hyper_util::rt::{TokioExecutor, TokioIo};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

/// One kind of attack.
pub struct Attack {
    pub name: &'static str,
    /// How many do it at the same time.
    pub places: usize,
    pub run: fn(Intruder) -> Round,
}

type Round = Pin<Box<dyn Future<Output = anyhow::Result<()>> + Send>>;

/// Where an intruder goes, and with what.
#[derive(Clone)]
pub struct Target {
    pub node: SocketAddr,
    pub peer: SocketAddr,
    pub from: Ipv4Addr,
    /// An incident of well-behaved members.
    pub sos: String,
    /// A token of a rescuer of that incident.
    pub member: String,
    pub dispatcher: String,
}

/// Somebody with an address of their own.
#[derive(Clone)]
pub struct Intruder(Target);

type Ws = WebSocketStream<TcpStream>;

macro_rules! attacks {
    ($($name:ident $places:literal)+) => {
        /// All attacks.
        pub const ATTACKS: &[Attack] =
            &[$(Attack { name: stringify!($name), places: $places, run: |intruder| Box::pin(intruder.$name()) }),+];
    };
}

attacks! {
    one_moment_many_devices 2
    refilled_limits 2
    incidents_of_nobody 2
    large_signals 2
    history_pages 1
    large_headers 2
    unfinished_headers 2
    bodies_for_nobody 2
    half_packets 2
    never_reads_pongs 2
    one_byte_fragments 2
    broken_handshakes 3
    never_reads_answers 2
    long_paths 1
    peer_port 2
    churn 4
    watchers 2
}

impl Intruder {
    pub fn new(target: Target) -> Self {
        Self(target)
    }

    async fn tcp_to(&self, address: SocketAddr) -> anyhow::Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind((self.0.from, 0).into())?;
        Ok(socket.connect(address).await?)
    }

    async fn tcp(&self) -> anyhow::Result<TcpStream> {
        self.tcp_to(self.0.node).await
    }

    /// A socket of the namespace `/`.
    async fn socket(&self, token: &str) -> anyhow::Result<Ws> {
        let url = format!("ws://{}/socket.io/?EIO=4&transport=websocket", self.0.node);
        let (mut ws, _) = tokio_tungstenite::client_async(url, self.tcp().await?).await?;
        ws.send(Message::text(connect(token))).await?;
        read_until(&mut ws, "40").await?;
        Ok(ws)
    }

    /// Backfills of one moment, each point of another device.
    async fn one_moment_many_devices(self) -> anyhow::Result<()> {
        let mut ws = self.socket(&self.0.member).await?;
        for round in 0..10 {
            let point = |n| json!({"latitude": 1.0, "longitude": 2.0, "timestamp": 1_700_000_000_000_u64, "deviceId": format!("{round}-{n}")});
            let points: Vec<Value> = (0..500).map(point).collect();
            emit(&mut ws, Some(round), "location:batch", &json!({"sosId": self.0.sos, "points": points})).await?;
            read_until(&mut ws, "43").await?;
        }
        Ok(())
    }

    /// A hundred events, DISCONNECT, CONNECT, and again.
    async fn refilled_limits(self) -> anyhow::Result<()> {
        let mut ws = self.socket(&self.0.member).await?;
        for _ in 0..20 {
            for _ in 0..100 {
                emit(&mut ws, None, "heartbeat", &json!({})).await?;
            }
            ws.send(Message::text("41")).await?;
            ws.send(Message::text(connect(&self.0.member))).await?;
            read_until(&mut ws, "40").await?;
        }
        Ok(())
    }

    /// Incidents that are somebody else's, or nobody's.
    async fn incidents_of_nobody(self) -> anyhow::Result<()> {
        for token in [&self.0.member, &self.0.dispatcher] {
            let mut ws = self.socket(token).await?;
            for number in 0..100 {
                let sos = format!("nobody-{}", rand::random::<u64>());
                let event = ["sos:init", "message:send", "location:update", "sos:close", "sos:ack"][number % 5];
                let payload = json!({"sosId": sos, "text": "x", "latitude": 1, "longitude": 2});
                emit(&mut ws, Some(number), event, &payload).await?;
                read_until(&mut ws, "43").await?;
            }
        }
        Ok(())
    }

    /// Signals as large as a packet may be, and as large as a signal may be.
    async fn large_signals(self) -> anyhow::Result<()> {
        let mut ws = self.socket(&self.0.member).await?;
        for (number, size) in [600_000, 600_000, 60_000, 60_000, 60_000].into_iter().enumerate() {
            let payload = json!({"sosId": self.0.sos, "payload": "x".repeat(size)});
            emit(&mut ws, Some(number), "signal", &payload).await?;
            read_until(&mut ws, "43").await?;
        }
        Ok(())
    }

    /// Messages as large as they may be, and pages of them.
    async fn history_pages(self) -> anyhow::Result<()> {
        let mut ws = self.socket(&self.0.member).await?;
        for number in 0..20 {
            let text = json!({"sosId": self.0.sos, "text": "ä".repeat(4000)});
            emit(&mut ws, Some(2 * number), "message:send", &text).await?;
            read_until(&mut ws, "43").await?;
            emit(&mut ws, Some(2 * number + 1), "message:history", &json!({"sosId": self.0.sos, "limit": 100})).await?;
            read_until(&mut ws, "43").await?;
        }
        Ok(())
    }

    async fn large_headers(self) -> anyhow::Result<()> {
        for _ in 0..20 {
            let mut tcp = self.tcp().await?;
            let agent = "x".repeat(390_000);
            let request = format!("GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: hub\r\nuser-agent: {agent}\r\n\r\n");
            let _ = tcp.write_all(request.as_bytes()).await;
            let _ = tcp.read(&mut [0; 512]).await;
        }
        Ok(())
    }

    async fn unfinished_headers(self) -> anyhow::Result<()> {
        let mut held = Vec::new();
        for _ in 0..150 {
            let mut tcp = self.tcp().await?;
            let _ = tcp.write_all(format!("GET / HTTP/1.1\r\nhost: hub\r\nx: {}", "x".repeat(100_000)).as_bytes()).await;
            held.push(tcp);
        }
        tokio::time::sleep(Duration::from_secs(3)).await;
        Ok(())
    }

    async fn bodies_for_nobody(self) -> anyhow::Result<()> {
        let mut held = Vec::new();
        for _ in 0..100 {
            let mut tcp = self.tcp().await?;
            let head =
                "POST /socket.io/?EIO=4&transport=polling&sid=nobody HTTP/1.1\r\nhost: hub\r\ncontent-length: 1000000\r\n\r\n";
            let _ = tcp.write_all(head.as_bytes()).await;
            let _ = tokio::time::timeout(Duration::from_millis(20), tcp.write_all(&[b'x'; 900_000])).await;
            held.push(tcp);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    }

    /// Nine attachments of one byte, cut from a large packet, and never the tenth.
    async fn half_packets(self) -> anyhow::Result<()> {
        let mut held = Vec::new();
        for _ in 0..20 {
            let http = reqwest::Client::builder().no_proxy().local_address(std::net::IpAddr::V4(self.0.from)).build()?;
            let base = format!("http://{}/socket.io/?EIO=4&transport=polling", self.0.node);
            let open = http.get(&base).send().await?.text().await?;
            let open: Value = serde_json::from_str(open.trim_start_matches('0'))?;
            let url = format!("{base}&sid={}", open["sid"].as_str().unwrap_or_default());
            http.post(&url).body(connect(&self.0.member)).send().await?;
            let holders: Vec<Value> = (0..10).map(|num| json!({"_placeholder": true, "num": num})).collect();
            let packet =
                format!("4510-{}", json!(["signal", {"sosId": self.0.sos, "payload": holders, "pad": "x".repeat(980_000)}]));
            let attachments = "\u{1e}bAA==".repeat(9);
            http.post(&url).body(format!("{packet}{attachments}")).send().await?;
            held.push(http);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    }

    /// Pings of both layers by somebody who never reads.
    async fn never_reads_pongs(self) -> anyhow::Result<()> {
        let mut ws = self.socket(&self.0.member).await?;
        for _ in 0..50_000 {
            ws.feed(Message::Ping(Bytes::from_static(&[7; 125]))).await?;
            ws.feed(Message::text(r#"42["ping",{}]"#)).await?;
        }
        ws.flush().await?;
        Ok(())
    }

    /// A message in fragments of one byte, and then another one of nothing but room.
    async fn one_byte_fragments(self) -> anyhow::Result<()> {
        let mut ws = self.socket(&self.0.member).await?;
        let tcp = ws.get_mut();
        let mut frames = vec![0x01, 0x81, 0, 0, 0, 0, b'4'];
        for _ in 0..20_000 {
            frames.extend([0x00, 0x81, 0, 0, 0, 0, b'2']);
        }
        tcp.write_all(&frames).await?;
        tcp.flush().await?;
        let mut ws = self.socket(&self.0.member).await?;
        for _ in 0..20 {
            ws.send(Message::text(format!("6{}", " ".repeat(990_000)))).await?;
        }
        Ok(())
    }

    /// Sessions that are opened and given up at once.
    async fn broken_handshakes(self) -> anyhow::Result<()> {
        for _ in 0..200 {
            let mut tcp = self.tcp().await?;
            tcp.write_all(b"GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nhost: hub\r\n\r\n").await?;
            let _ = tcp.read(&mut [0; 16]).await;
        }
        Ok(())
    }

    /// A thousand requests on one connection, and none of their answers is read.
    async fn never_reads_answers(self) -> anyhow::Result<()> {
        let mut held = Vec::new();
        for _ in 0..20 {
            let mut tcp = self.tcp().await?;
            let requests = b"GET / HTTP/1.1\r\nhost: hub\r\n\r\n".repeat(1_000);
            let _ = tokio::time::timeout(Duration::from_millis(100), tcp.write_all(&requests)).await;
            held.push(tcp);
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
        Ok(())
    }

    async fn long_paths(self) -> anyhow::Result<()> {
        for _ in 0..50 {
            let mut tcp = self.tcp().await?;
            let request = format!("GET /internal/{} HTTP/1.1\r\nhost: hub\r\n\r\n", "x".repeat(25_000));
            tcp.write_all(request.as_bytes()).await?;
            let _ = tcp.read(&mut [0; 512]).await;
        }
        Ok(())
    }

    /// Large calls at the port that is not for clients, without its secret.
    async fn peer_port(self) -> anyhow::Result<()> {
        let mut calls = tokio::task::JoinSet::new();
        for _ in 0..30 {
            let tcp = self.tcp_to(self.0.peer).await?;
            calls.spawn(async move {
                let (mut sender, connection) =
                    hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(tcp)).await?;
                let connection = tokio::spawn(connection);
                let body = Full::new(Bytes::from(vec![b'x'; 4_000_000]));
                let request = hyper::Request::post("http://peer/sessions/poll").body(body)?;
                let _ = tokio::time::timeout(Duration::from_secs(3), sender.send_request(request)).await;
                connection.abort();
                anyhow::Ok(())
            });
        }
        while calls.join_next().await.is_some() {}
        Ok(())
    }

    /// Into a room and out of it.
    async fn churn(self) -> anyhow::Result<()> {
        let mut ws = self.socket(&self.0.dispatcher).await?;
        for number in 0..40 {
            for (at, event) in ["sos:init", "sos:leave"].into_iter().enumerate() {
                emit(&mut ws, Some(2 * number + at), event, &json!({"sosId": self.0.sos})).await?;
                read_until(&mut ws, "43").await?;
            }
        }
        Ok(())
    }

    async fn watchers(self) -> anyhow::Result<()> {
        let mut ws = self.socket(&self.0.dispatcher).await?;
        for number in 0..40 {
            for (at, event) in ["sos:watch", "sos:unwatch"].into_iter().enumerate() {
                emit(&mut ws, Some(2 * number + at), event, &json!({})).await?;
                read_until(&mut ws, "43").await?;
            }
        }
        Ok(())
    }
}

fn connect(token: &str) -> String {
    format!("40{}", json!({"token": token}))
}

async fn emit(ws: &mut Ws, ack: Option<usize>, event: &str, payload: &Value) -> anyhow::Result<()> {
    let id = ack.map_or_else(String::new, |id| id.to_string());
    ws.send(Message::text(format!("42{id}{}", json!([event, payload])))).await?;
    Ok(())
}

/// Reads on until a message begins like this.
async fn read_until(ws: &mut Ws, start: &str) -> anyhow::Result<()> {
    loop {
        let next = tokio::time::timeout(Duration::from_secs(10), ws.next()).await?;
        let message = next.ok_or_else(|| anyhow::anyhow!("closed"))??;
        match message {
            Message::Text(text) if text.starts_with(start) => return Ok(()),
            Message::Text(text) if text.as_str() == "2" => ws.send(Message::text("3")).await?,
            _ => {}
        }
    }
}
