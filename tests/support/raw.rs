//! Clients that know nothing: they send what a test says, byte by byte if need be, and hand back what comes.

use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use super::server::Server;
use super::within;

/// A long-polling session.
pub struct Polling {
    pub sid: String,
    http: reqwest::Client,
    url: String,
}

impl Polling {
    pub async fn open(server: &Server, path: &str) -> Self {
        let http = http();
        let url = server.url(path, "EIO=4&transport=polling");
        let body = within(http.get(&url).send()).await.unwrap().text().await.unwrap();
        let sid = sid_of(&body);
        Self { url: format!("{url}&sid={sid}"), sid, http }
    }

    /// The same session, through another server.
    pub fn by_way_of(&self, server: &Server, path: &str) -> Self {
        self.with_sid(server, path, &self.sid)
    }

    /// Polls for a session that somebody else names.
    pub fn with_sid(&self, server: &Server, path: &str, sid: &str) -> Self {
        let url = format!("{}&sid={sid}", server.url(path, "EIO=4&transport=polling"));
        Self { sid: sid.into(), http: http(), url }
    }

    pub async fn get(&self) -> (u16, String) {
        let response = within(self.http.get(&self.url).send()).await.unwrap();
        (response.status().as_u16(), within(response.text()).await.unwrap())
    }

    pub async fn post(&self, body: impl Into<reqwest::Body>) -> (u16, String) {
        let response = within(self.http.post(&self.url).body(body).send()).await.unwrap();
        (response.status().as_u16(), within(response.text()).await.unwrap())
    }

    /// Sends packets that must be taken.
    pub async fn send(&self, body: impl Into<reqwest::Body>) {
        assert_eq!(self.post(body).await, (200, "ok".into()));
    }

    /// What a poll that must succeed brings.
    pub async fn poll(&self) -> String {
        let (status, body) = self.get().await;
        assert_eq!(status, 200, "{body}");
        body
    }

    /// Asserts that the session is over, in the words of the reference implementation.
    pub async fn is_unknown(&self) {
        assert_eq!(self.get().await, (400, r#"{"code":1,"message":"Session ID unknown"}"#.into()));
    }
}

/// A client without what only other hosts need, since that takes longer than a whole test.
pub fn http() -> reqwest::Client {
    reqwest::Client::builder().no_proxy().tls_built_in_root_certs(false).build().unwrap()
}

/// The session id in an `open` packet.
pub fn sid_of(open: &str) -> String {
    let open: Value = serde_json::from_str(open.strip_prefix('0').expect("an open packet")).unwrap();
    open["sid"].as_str().unwrap().into()
}

/// A WebSocket, spoken by a library of its own.
pub struct Ws {
    stream: WebSocketStream<TcpStream>,
}

impl Ws {
    /// Only the WebSocket; the `open` packet is still to be read.
    pub async fn connect(server: &Server, path: &str, query: &str) -> Self {
        let stream = within(TcpStream::connect(server.address)).await.unwrap();
        let url = format!("ws://{}{path}?EIO=4&transport=websocket{query}", server.address);
        let (stream, _) = within(tokio_tungstenite::client_async(url, stream)).await.unwrap();
        Self { stream }
    }

    /// A session.
    pub async fn open(server: &Server, path: &str) -> Self {
        let mut ws = Self::connect(server, path, "").await;
        sid_of(&ws.text().await);
        ws
    }

    /// A WebSocket for a polling session, the probe answered.
    pub async fn probed(server: &Server, polling: &Polling, path: &str) -> Self {
        let mut ws = Self::connect(server, path, &format!("&sid={}", polling.sid)).await;
        ws.send("2probe").await;
        assert_eq!(ws.text().await, "3probe");
        ws
    }

    pub async fn message(&mut self, message: Message) {
        within(self.stream.send(message)).await.unwrap();
    }

    pub async fn send(&mut self, text: &str) {
        self.message(Message::text(text)).await;
    }

    pub async fn send_binary(&mut self, data: &[u8]) {
        self.message(Message::binary(data.to_vec())).await;
    }

    pub async fn next(&mut self) -> Message {
        within(self.stream.next()).await.expect("the stream goes on").unwrap()
    }

    pub async fn text(&mut self) -> String {
        match self.next().await {
            Message::Text(text) => text.to_string(),
            other => panic!("not a text: {other:?}"),
        }
    }

    /// The next text that is no ping of Engine.IO. Pings are answered.
    pub async fn text_but_pings(&mut self) -> String {
        loop {
            match self.text().await {
                ping if ping == "2" => self.send("3").await,
                text => return text,
            }
        }
    }

    pub async fn binary(&mut self) -> Vec<u8> {
        match self.next().await {
            Message::Binary(data) => data.to_vec(),
            other => panic!("not binary: {other:?}"),
        }
    }

    /// Reads to the end; the code and the reason of the close frame, or nothing without one.
    pub async fn closed(&mut self) -> Option<(u16, String)> {
        within(async {
            loop {
                match self.stream.next().await {
                    Some(Ok(Message::Close(frame))) => return frame.map(|frame| (frame.code.into(), frame.reason.to_string())),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return None,
                }
            }
        })
        .await
    }

    /// Asserts how the server ended it.
    pub async fn closed_with(&mut self, code: u16, reason: &str) {
        assert_eq!(self.closed().await, Some((code, reason.into())));
    }
}

/// A bare connection.
pub struct Tcp(pub TcpStream);

impl Tcp {
    pub async fn connect(server: &Server) -> Self {
        let stream = within(TcpStream::connect(server.address)).await.unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub async fn write(&mut self, bytes: &[u8]) {
        within(self.0.write_all(bytes)).await.unwrap();
    }

    /// The head of one HTTP response, in lower case.
    pub async fn head(&mut self) -> String {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(within(self.0.read_u8()).await.expect("a response"));
        }
        String::from_utf8(head).unwrap().to_ascii_lowercase()
    }

    /// One HTTP response with a `Content-Length`, or `101`.
    pub async fn response(&mut self) -> (u16, String) {
        let head = self.head().await;
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).map_or(0, |n| n.parse().unwrap());
        let mut body = vec![0; length];
        within(self.0.read_exact(&mut body)).await.unwrap();
        (status, String::from_utf8(body).unwrap())
    }

    /// Everything up to the end of the stream.
    pub async fn rest(&mut self) -> Vec<u8> {
        let mut rest = Vec::new();
        let _ = within(self.0.read_to_end(&mut rest)).await;
        rest
    }

    /// One frame of the server: its opcode and its payload.
    pub async fn frame(&mut self) -> (u8, Vec<u8>) {
        let mut head = [0; 2];
        within(self.0.read_exact(&mut head)).await.expect("a frame");
        let len = match head[1] {
            126 => usize::from(within(self.0.read_u16()).await.unwrap()),
            127 => within(self.0.read_u64()).await.unwrap() as usize,
            len => usize::from(len),
        };
        let mut payload = vec![0; len];
        within(self.0.read_exact(&mut payload)).await.unwrap();
        (head[0] & 0x0f, payload)
    }

    pub async fn text(&mut self) -> String {
        let (opcode, payload) = self.frame().await;
        assert_eq!(opcode, TEXT, "{payload:?}");
        String::from_utf8(payload).unwrap()
    }

    /// The code and the reason of the close frame, which must come next.
    pub async fn close_frame(&mut self) -> (u16, String) {
        let (opcode, payload) = self.frame().await;
        assert_eq!(opcode, CLOSE, "{payload:?}");
        (u16::from_be_bytes([payload[0], payload[1]]), String::from_utf8(payload[2..].to_vec()).unwrap())
    }

    /// A session over WebSocket, its `open` packet read.
    pub async fn websocket(server: &Server, path: &str) -> Self {
        let mut tcp = Self::connect(server).await;
        tcp.write(upgrade_request(path, "").as_bytes()).await;
        assert_eq!(tcp.response().await.0, 101);
        sid_of(&tcp.text().await);
        tcp
    }
}

pub const CONTINUATION: u8 = 0;
pub const TEXT: u8 = 1;
pub const BINARY: u8 = 2;
pub const CLOSE: u8 = 8;
pub const PING: u8 = 9;
pub const PONG: u8 = 10;
/// The bit of the last frame of a message.
pub const FIN: u8 = 0x80;

/// A masked frame, as a client must send it.
pub fn frame(first_byte: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x12, 0x34, 0x56, 0x78];
    let mut frame = vec![first_byte];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | len as u8),
        len @ 126..0x1_0000 => {
            frame.push(0x80 | 126);
            frame.extend_from_slice(&(len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend_from_slice(&(len as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(&MASK);
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ MASK[at % 4]));
    frame
}

/// A whole text message.
pub fn text(payload: &str) -> Vec<u8> {
    frame(FIN | TEXT, payload.as_bytes())
}

pub fn request(method: &str, path: &str, query: &str, body: &str) -> String {
    format!("{method} {path}?{query} HTTP/1.1\r\nHost: hub\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

pub fn upgrade_request(path: &str, query: &str) -> String {
    format!(
        "GET {path}?EIO=4&transport=websocket{query} HTTP/1.1\r\nHost: hub\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}
