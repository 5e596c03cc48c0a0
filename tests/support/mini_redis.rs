//! The least that a script test needs: one Redis, or three masters of a cluster, and an [`Eval`] over plain connections
//! that follows MOVED and ASK and waits out TRYAGAIN. No group commit, no replicas, no subscriber.

use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use bytes::Bytes;
use convoke::redis::keys;
use convoke::redis::script::Script;
use convoke::redis::scripts::{BadReply, Eval};
use redis::aio::MultiplexedConnection;
use redis::{Cmd, Value, cmd};

const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Debug, thiserror::Error)]
pub enum Error {
    #[error(transparent)]
    Redis(#[from] redis::RedisError),
    #[error(transparent)]
    Bad(#[from] BadReply),
}

/// Running servers; killed with this value, and with the thread that started them.
pub struct Servers {
    children: Vec<Child>,
    pub ports: Vec<u16>,
    _folder: tempfile::TempDir,
}

impl Drop for Servers {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Servers {
    /// `masters` = 1: a single Redis; more: a cluster, the slots divided evenly.
    pub fn start(masters: usize) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut servers = Self { children: Vec::new(), ports: Vec::new(), _folder: folder };
        for _ in 0..masters {
            // A cluster bus port is the port + 10000.
            let port = loop {
                let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
                if port < 55_000 && std::net::TcpListener::bind(("127.0.0.1", port + 10_000)).is_ok() {
                    break port;
                }
            };
            let dir = servers._folder.path().join(port.to_string());
            std::fs::create_dir(&dir).unwrap();
            let mut command = Command::new("redis-server");
            command.args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir"]);
            command.arg(&dir).stdout(Stdio::null()).stderr(Stdio::null());
            if masters > 1 {
                command.args(["--cluster-enabled", "yes", "--cluster-node-timeout", "2000"]);
            }
            // SAFETY: prctl is async-signal-safe.
            unsafe {
                use std::os::unix::process::CommandExt;
                command.pre_exec(|| {
                    libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL);
                    Ok(())
                });
            }
            servers.children.push(command.spawn().expect("redis-server is installed"));
            servers.ports.push(port);
        }
        let deadline = Instant::now() + PATIENCE;
        let mut connections: Vec<_> = servers.ports.iter().map(|port| connect_blocking(*port, deadline)).collect();
        if masters > 1 {
            let (ports, share) = (servers.ports.clone(), 16384 / masters);
            for (i, connection) in connections.iter_mut().enumerate() {
                let end = if i + 1 == masters { 16383 } else { (i + 1) * share - 1 };
                cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(i * share).arg(end).exec(connection).unwrap();
                cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(i + 1).exec(connection).unwrap();
                for port in &ports[..i] {
                    cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(*port).exec(connection).unwrap();
                }
            }
            for connection in &mut connections {
                while !cmd("CLUSTER").arg("INFO").query::<String>(connection).unwrap().contains("cluster_state:ok") {
                    assert!(Instant::now() < deadline, "the cluster did not come up");
                    std::thread::sleep(Duration::from_millis(20));
                }
            }
        }
        servers
    }
}

fn connect_blocking(port: u16, deadline: Instant) -> redis::Connection {
    let client = redis::Client::open(format!("redis://127.0.0.1:{port}/")).unwrap();
    loop {
        match client.get_connection() {
            Ok(connection) => return connection,
            Err(error) => assert!(Instant::now() < deadline, "{error}"),
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Connections to running servers.
#[derive(Clone)]
pub struct Mini {
    nodes: Vec<(u16, MultiplexedConnection)>,
    /// Where slots were moved to; the others lie where they were dealt.
    moved: Arc<Mutex<Vec<(u16, usize)>>>,
    _servers: Arc<Servers>,
}

/// Started once per process, by a thread that lives as long as it: the servers die with the thread that started them.
fn shared(masters: usize, cell: &'static OnceLock<Arc<Servers>>) -> Arc<Servers> {
    cell.get_or_init(|| {
        let (send, receive) = mpsc::channel();
        std::thread::spawn(move || {
            send.send(Arc::new(Servers::start(masters))).unwrap();
            loop {
                std::thread::park();
            }
        });
        receive.recv().unwrap()
    })
    .clone()
}

impl Mini {
    pub async fn single() -> Self {
        static SINGLE: OnceLock<Arc<Servers>> = OnceLock::new();
        Self::connect(shared(1, &SINGLE)).await
    }

    pub async fn cluster() -> Self {
        static CLUSTER: OnceLock<Arc<Servers>> = OnceLock::new();
        Self::connect(shared(3, &CLUSTER)).await
    }

    async fn connect(servers: Arc<Servers>) -> Self {
        let mut nodes = Vec::new();
        for port in &servers.ports {
            let client = redis::Client::open(format!("redis://127.0.0.1:{port}/?protocol=resp3")).unwrap();
            let config = redis::AsyncConnectionConfig::new().set_response_timeout(Some(PATIENCE));
            nodes.push((*port, client.get_multiplexed_async_connection_with_config(&config).await.unwrap()));
        }
        Self { nodes, moved: Arc::default(), _servers: servers }
    }

    /// A subscription to one channel, confirmed: the payloads as they come.
    pub async fn listen(&self, channel: &str) -> Channel {
        let (send, pushes) = tokio::sync::mpsc::unbounded_channel();
        let (port, _) = self.nodes[self.home(keys::slot(channel.as_bytes()))];
        let client = redis::Client::open(format!("redis://127.0.0.1:{port}/?protocol=resp3")).unwrap();
        let config = redis::AsyncConnectionConfig::new().set_push_sender(send);
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await.unwrap();
        cmd("SSUBSCRIBE").arg(channel).exec_async(&mut connection).await.unwrap();
        Channel { pushes, _connection: connection }
    }

    pub fn home(&self, slot: u16) -> usize {
        let moved = self.moved.lock().unwrap().iter().rev().find(|(moved, _)| *moved == slot).map(|(_, to)| *to);
        moved.unwrap_or_else(|| (usize::from(slot) / (16384 / self.nodes.len())).min(self.nodes.len() - 1))
    }

    pub fn node(&self, index: usize) -> (u16, MultiplexedConnection) {
        self.nodes[index].clone()
    }

    pub fn nodes(&self) -> usize {
        self.nodes.len()
    }

    fn by_port(&self, detail: &str) -> Option<usize> {
        let port: u16 = detail.rsplit(':').next()?.trim().parse().ok()?;
        self.nodes.iter().position(|(of, _)| *of == port)
    }

    /// One command on one key.
    pub async fn command(&self, command: Cmd, key: &str) -> Value {
        self.route(&command, key).await.unwrap()
    }

    async fn route(&self, command: &Cmd, key: &str) -> Result<Value, redis::RedisError> {
        let slot = keys::slot(key.as_bytes());
        let deadline = Instant::now() + PATIENCE;
        let mut asking = None;
        loop {
            let answer = match asking.take() {
                Some(node) => {
                    let mut connection: MultiplexedConnection = self.nodes[node as usize].1.clone();
                    let mut pipe = redis::pipe();
                    pipe.cmd("ASKING").ignore().add_command(command.clone());
                    pipe.query_async::<Vec<Value>>(&mut connection).await.map(|mut values| values.remove(0))
                }
                None => {
                    let mut connection = self.nodes[self.home(slot)].1.clone();
                    command.query_async::<Value>(&mut connection).await
                }
            };
            let error = match answer {
                Ok(value) => return Ok(value),
                Err(error) if Instant::now() > deadline => return Err(error),
                Err(error) => error,
            };
            let text = format!("{} {}", error.code().unwrap_or(""), error.detail().unwrap_or(""));
            match error.code() {
                Some("MOVED") => {
                    let to = self.by_port(&text).unwrap();
                    self.moved.lock().unwrap().push((slot, to));
                }
                Some("ASK") => asking = Some(self.by_port(&text).unwrap() as u16),
                Some("TRYAGAIN" | "CLUSTERDOWN") => tokio::time::sleep(Duration::from_millis(2)).await,
                _ => return Err(error),
            }
        }
    }
}

/// What a subscriber gets.
pub struct Channel {
    pushes: tokio::sync::mpsc::UnboundedReceiver<redis::PushInfo>,
    _connection: MultiplexedConnection,
}

impl Channel {
    pub async fn next(&mut self) -> String {
        loop {
            let push = tokio::time::timeout(PATIENCE, self.pushes.recv()).await.unwrap().unwrap();
            if push.kind == redis::PushKind::SMessage {
                let Some(Value::BulkString(payload)) = push.data.into_iter().nth(1) else { panic!("no payload") };
                return String::from_utf8(payload).unwrap();
            }
        }
    }
}

impl Eval for Mini {
    type Error = Error;

    async fn eval(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, Error> {
        let build = |name: &str, what: &str| {
            let mut command = cmd(name);
            command.arg(what).arg(keys.len()).arg(&keys);
            for arg in &args {
                command.arg(arg.as_ref());
            }
            command
        };
        match self.route(&build("EVALSHA", script.sha()), &keys[0]).await {
            Err(error) if error.code() == Some("NOSCRIPT") => Ok(self.route(&build("EVAL", script.source), &keys[0]).await?),
            other => Ok(other?),
        }
    }

    async fn eval_write(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, Error> {
        self.eval(script, keys, args).await
    }
}
