//! One event to the local members of a scope: order, audience, encoding, outboxes, and the system calls. The time is the
//! CPU time of the delivering thread; the members are WebSockets of another process.

use std::net::SocketAddr;
use std::process::{Child, Command};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use convoke::cluster::message::{Audience, Envelope, Except, Message};
use convoke::cluster::scope::LocalScope;
use convoke::cluster::scripts::scope::Log;
use convoke::cluster::{LocalMember, Outcome};
use convoke::core::{Kind, Position, ScopeId, StreamId};
use convoke::engineio::{self, Body, Engine};
use convoke::http::server;
use convoke::protocol::event::Args;
use convoke::socketio::{self, EngineHandler, Namespace, Socket, SocketIo};
use criterion::{BenchmarkId, Criterion, Throughput};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio_tungstenite::tungstenite;
use tokio_util::sync::CancellationToken;

#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

const MEMBERS_AT: &str = "CONVOKE_BENCH_MEMBERS_AT";
const MEMBERS: &str = "CONVOKE_BENCH_MEMBERS";

struct App(Arc<Engine>);

impl server::Service for App {
    type Body = Body;

    async fn call(&self, request: Request<Incoming>, peer: SocketAddr) -> Response<Body> {
        self.0.serve(request, peer.ip()).await
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if let (Ok(address), Ok(count)) = (std::env::var(MEMBERS_AT), std::env::var(MEMBERS)) {
        return runtime.block_on(be_members(address, count.parse().expect("a number")));
    }
    let mut criterion = Criterion::default().configure_from_args().measurement_time(Duration::from_secs(5));
    let mut group = criterion.benchmark_group("fanout");
    for count in [1, 100, 10_000] {
        let mut crowd = Crowd::new(&runtime, count);
        group.throughput(Throughput::Elements(count as u64));
        group.bench_with_input(BenchmarkId::new("members", count), &count, |bencher, _| {
            bencher.iter_custom(|rounds| {
                let _context = runtime.enter();
                let before = thread_cpu();
                for _ in 0..rounds {
                    crowd.deliver();
                }
                thread_cpu() - before
            });
        });
    }
    group.finish();
    criterion.final_summary();
}

/// A scope with members in a process of their own.
struct Crowd {
    scope: Arc<LocalScope>,
    last: StreamId,
    body: bytes::Bytes,
    members: Child,
}

impl Crowd {
    fn new(runtime: &tokio::runtime::Runtime, count: usize) -> Self {
        let sockets = Arc::new(Mutex::new(Vec::<Arc<Socket>>::new()));
        let joined = sockets.clone();
        let namespace = Namespace::new("/").on_connected(move |socket| {
            let joined = joined.clone();
            async move { joined.lock().expect("no panic").push(socket) }
        });
        let io = SocketIo::new(socketio::Config::default(), [namespace]);
        let config = engineio::Config {
            handshakes_per_second: 1_000_000,
            handshakes_per_second_per_address: 1_000_000,
            ..engineio::Config::default()
        };
        let address = runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port");
            let address = listener.local_addr().expect("an address");
            let app = Arc::new(App(Engine::new(config, EngineHandler(io))));
            tokio::spawn(server::serve(listener, app, server::Limits::default(), CancellationToken::new()));
            address
        });
        let members = Command::new(std::env::current_exe().expect("this program"))
            .env(MEMBERS_AT, address.to_string())
            .env(MEMBERS, count.to_string())
            .spawn()
            .expect("members");
        let scope = LocalScope::new(ScopeId { kind: Kind::of("room"), id: "r".into() });
        while sockets.lock().expect("no panic").len() < count {
            std::thread::sleep(Duration::from_millis(5));
        }
        for socket in sockets.lock().expect("no panic").drain(..) {
            scope.register(LocalMember { socket: socket.clone(), user: "u".into(), role: "rescuer".into() });
            scope.release(&socket, &Position::new("e", StreamId::default()));
        }
        scope.begin_attach();
        let log = Log {
            epoch: "e".into(),
            last: StreamId::default(),
            trimmed: StreamId::default(),
            reset: true,
            entries: Vec::new(),
            more: false,
        };
        assert!(scope.fill(1, log, true, &mut Outcome::default()));
        let payload = r#"{"sosId":"sos-1","userId":"citizen-1","role":"citizen","latitude":14.5995,"longitude":120.9842,"accuracy":5,"heading":90,"speed":1.5,"altitude":null,"deviceId":null,"fixTime":1700000000000,"timestamp":1700000000000}"#;
        let args = Args::event("location:broadcast", payload);
        let body = Message { audience: Audience::All, except: Except::Nobody, key: None, args }.body();
        Self { scope, last: StreamId::default(), body, members }
    }

    fn deliver(&mut self) {
        let id = StreamId { ms: self.last.ms + 1, seq: 0 };
        let envelope = Envelope { epoch: "e".into(), prev: self.last, id: Some(id), body: self.body.clone() };
        self.last = id;
        let mut outcome = Outcome::default();
        self.scope.receive(envelope, &mut outcome);
        for session in outcome.dirty {
            session.flush();
        }
    }
}

impl Drop for Crowd {
    fn drop(&mut self) {
        let _ = self.members.kill();
        let _ = self.members.wait();
    }
}

/// Connects and reads for ever.
async fn be_members(address: String, count: usize) {
    for _ in 0..count {
        let config = tungstenite::protocol::WebSocketConfig::default().read_buffer_size(1024).write_buffer_size(0);
        let url = format!("ws://{address}/socket.io/?EIO=4&transport=websocket");
        let (mut socket, _) = tokio_tungstenite::connect_async_with_config(url, Some(config), false).await.expect("connected");
        socket.send(tungstenite::Message::text("40")).await.expect("sent");
        tokio::spawn(async move {
            while let Some(Ok(message)) = socket.next().await {
                if message.to_text().is_ok_and(|text| text == "2") && socket.send(tungstenite::Message::text("3")).await.is_err()
                {
                    return;
                }
            }
        });
    }
    std::future::pending().await
}

fn thread_cpu() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of ours that lives until the call returns.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
