//! A TCP proxy that misbehaves on demand.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
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
    _tasks: JoinSet<()>,
}

impl Proxy {
    pub async fn start(target: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (mode, cuts) = (watch::Sender::new(Mode::Pass), watch::Sender::new(0));
        let mut tasks = JoinSet::new();
        tasks.spawn(accept(listener, Arc::from(target), mode.clone(), cuts.clone()));
        Self { address, mode, cuts, _tasks: tasks }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Ends all present connections.
    pub fn cut(&self) {
        self.cuts.send_modify(|cuts| *cuts += 1);
    }
}

async fn accept(listener: TcpListener, target: Arc<str>, mode: watch::Sender<Mode>, cuts: watch::Sender<u64>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let (target, mode, mut cut) = (target.clone(), mode.clone(), cuts.subscribe());
        connections.spawn(async move {
            let Ok(server) = TcpStream::connect(&*target).await else { return };
            let ((client_in, client_out), (server_in, server_out)) = (client.into_split(), server.into_split());
            tokio::select! {
                () = pass(client_in, server_out, mode.subscribe(), false) => {}
                () = pass(server_in, client_out, mode.subscribe(), true) => {}
                _ = cut.changed() => {}
            }
        });
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut mode: watch::Receiver<Mode>, answers: bool) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        let Ok(n @ 1..) = from.read(&mut buffer).await else { return };
        let Ok(now) = mode.wait_for(|mode| *mode != Mode::Pause).await.map(|mode| *mode) else { return };
        if answers && now == Mode::SwallowAnswers {
            continue;
        }
        if to.write_all(&buffer[..n]).await.is_err() {
            return;
        }
    }
}
