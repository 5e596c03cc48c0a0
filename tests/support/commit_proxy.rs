//! In front of PostgreSQL: a proxy that loses COMMITs, or their answers, as a test says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Mutex;
use tokio::task::{JoinHandle, JoinSet};

/// The whole message by which a transaction of ours is committed: a simple query.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

/// What becomes of a COMMIT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The connection closes before PostgreSQL has heard of it.
    Commit,
    /// PostgreSQL commits, and the connection closes before anybody hears of it.
    Answer,
}

/// A running proxy; it ends when this is dropped.
pub struct CommitProxy {
    pub address: SocketAddr,
    state: Arc<State>,
    task: JoinHandle<()>,
}

struct State {
    target: String,
    next: Mutex<Option<Loss>>,
    lost: AtomicUsize,
}

impl CommitProxy {
    /// Starts one in front of the server of this URL.
    pub async fn start(url: &str) -> Self {
        let target = url.rsplit_once('@').and_then(|(_, rest)| rest.split('/').next()).expect("postgres://user@host:port/name");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        let state = Arc::new(State { target: target.into(), next: Mutex::default(), lost: AtomicUsize::default() });
        let task = tokio::spawn(accept(listener, state.clone()));
        Self { address, state, task }
    }

    /// The same database, by way of the proxy.
    pub fn url(&self, url: &str) -> String {
        url.replace(&self.state.target, &self.address.to_string())
    }

    /// What becomes of the next COMMIT.
    pub async fn lose_next(&self, loss: Loss) {
        *self.state.next.lock().await = Some(loss);
    }

    /// COMMITs and answers that were lost.
    pub fn lost(&self) -> usize {
        self.state.lost.load(Ordering::Relaxed)
    }
}

impl Drop for CommitProxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, state: Arc<State>) {
    let mut connections = JoinSet::new();
    while let Ok((client, _)) = listener.accept().await {
        let state = state.clone();
        connections.spawn(async move { pass(client, &state).await });
    }
}

/// Until either side closes, or something is lost.
async fn pass(client: TcpStream, state: &State) -> Option<()> {
    let server = TcpStream::connect(&state.target).await.ok()?;
    let ((mut from_client, mut to_client), (mut from_server, mut to_server)) = (client.into_split(), server.into_split());
    let asked = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_client.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
            let message = &buffer[..read];
            let loss = if message.ends_with(COMMIT) { state.next.lock().await.take() } else { None };
            if loss.is_some() {
                state.lost.fetch_add(1, Ordering::Relaxed);
            }
            if loss == Some(Loss::Commit) {
                return Some(Loss::Commit);
            }
            to_server.write_all(message).await.ok()?;
            if loss == Some(Loss::Answer) {
                return Some(Loss::Answer);
            }
        }
    };
    let answered = async {
        let mut buffer = vec![0; 64 * 1024];
        loop {
            let read = from_server.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
            to_client.write_all(&buffer[..read]).await.ok()?;
        }
    };
    let lost: Option<Loss> = tokio::select! {
        biased;
        lost = asked => lost,
        closed = answered => closed,
    };
    if lost == Some(Loss::Answer) {
        // PostgreSQL has answered: it has committed.
        let _ = from_server.read(&mut [0; 64]).await;
    }
    Some(())
}
