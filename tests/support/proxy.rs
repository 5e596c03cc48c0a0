//! A TCP proxy that misbehaves on demand.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{broadcast, watch};
use tokio::task::JoinSet;

/// What happens to bytes and connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// All pass.
    Pass,
    /// Nothing passes; connections stand.
    Pause,
    /// Requests pass, answers vanish.
    SwallowAnswers,
}

pub struct Proxy {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    /// Counts the cuts; connections of an older count end.
    cuts: watch::Sender<u64>,
    /// What to put in between the requests of every connection.
    injected: broadcast::Sender<Arc<[u8]>>,
    swallowed: Arc<AtomicUsize>,
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (mode, cuts) = (watch::Sender::new(Mode::Pass), watch::Sender::new(0));
        let (injected, swallowed) = (broadcast::Sender::new(16), Arc::default());
        let mut tasks = JoinSet::new();
        let switches = Switches { mode: mode.clone(), cuts: cuts.clone(), injected: injected.clone(), swallowed };
        let swallowed = switches.swallowed.clone();
        tasks.spawn(accept(listener, Arc::from(target), switches));
        Self { address, mode, cuts, injected, swallowed, _tasks: tasks }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Puts bytes in between the requests of every present connection. Their answers pass unless the mode swallows them.
    pub fn inject(&self, bytes: &[u8]) {
        let _ = self.injected.send(bytes.into());
    }

    /// Bytes of answers that vanished so far.
    pub fn swallowed(&self) -> usize {
        self.swallowed.load(Relaxed)
    }

    /// Ends all present connections.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

struct Switches {
    mode: watch::Sender<Mode>,
    cuts: watch::Sender<u64>,
    injected: broadcast::Sender<Arc<[u8]>>,
    swallowed: Arc<AtomicUsize>,
}

async fn accept(listener: TcpListener, target: Arc<str>, switches: Switches) {
    let Switches { mode, cuts, injected, swallowed } = switches;
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (target, mode, mut cut) = (target.clone(), mode.clone(), cuts.subscribe());
        let (injected, swallowed) = (injected.subscribe(), swallowed.clone());
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(&*target).await else { return };
            let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
            tokio::select! {
                () = pass(client_in, server_out, mode.subscribe(), Direction::Requests(injected)) => {}
                () = pass(server_in, client_out, mode.subscribe(), Direction::Answers(swallowed)) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

enum Direction {
    /// Something may be put in between.
    Requests(broadcast::Receiver<Arc<[u8]>>),
    /// Bytes that vanish are counted.
    Answers(Arc<AtomicUsize>),
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>, mut direction: Direction) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let injection = async {
            match &mut direction {
                Direction::Requests(injected) => injected.recv().await,
                Direction::Answers(_) => std::future::pending().await,
            }
        };
        let n = tokio::select! {
            read = from.read(&mut buffer) => match read {
                Ok(n @ 1..) => n,
                _ => return,
            },
            Ok(bytes) = injection => {
                if to.write_all(&bytes).await.is_err() {
                    return;
                }
                continue;
            }
        };
        let Ok(now) = mode.wait_for(|mode| *mode != Mode::Pause).await.map(|mode| *mode) else { return };
        if let (Direction::Answers(swallowed), Mode::SwallowAnswers) = (&direction, now) {
            swallowed.fetch_add(n, Relaxed);
            continue;
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
