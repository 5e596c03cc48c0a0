//! Real Redis servers on private ports, in temporary folders, none of which survives the process that started them.

use std::collections::HashMap;
use std::fs::File;
use std::os::unix::process::CommandExt as _;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, OnceLock, mpsc};
use std::time::{Duration, Instant};

use ::redis::{Cmd, Connection, FromRedisValue, RedisResult, Value, cmd};
use convoke::redis::keys::{self, SLOTS, slot};
use convoke::redis::{Redis, RedisConfig};
use tempfile::TempDir;

use super::ports::free_port;
use super::process::send_signal;
use super::{DEADLINE, eventually_blocking};

/// One server for all tests of the process that use keys of their own and break nothing.
pub fn single() -> &'static Server {
    static SINGLE: OnceLock<Server> = OnceLock::new();
    SINGLE.get_or_init(|| Server::start(&[]))
}

/// Three masters for all tests of the process that use keys of their own and break nothing.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    // None of them dies, so none that is slow may be taken for dead. The last of two settings counts.
    CLUSTER.get_or_init(|| Cluster::start_with(0, &["--cluster-node-timeout", "30000"]))
}

/// One `redis-server` (or sentinel). Killed when dropped, and when this process dies.
pub struct Server {
    pub port: u16,
    folder: TempDir,
    args: Vec<String>,
    child: Mutex<Option<Child>>,
}

impl Server {
    /// Starts one without persistence; `args` come last and so win.
    pub fn start(args: &[&str]) -> Self {
        let server = Self::spawned(args);
        server.wait();
        server
    }

    /// Keeps its data over [`Server::stop`] and [`Server::restart`].
    pub fn start_persistent() -> Self {
        Self::start(&["--appendonly", "yes", "--appendfsync", "always"])
    }

    /// One that speaks TLS beside plain text, with a certificate of its own for 127.0.0.1; gives also where it lies.
    pub fn start_with_tls() -> (Self, String, PathBuf) {
        let (port, folder) = (free_port(), tempfile::tempdir().expect("a temporary folder").keep());
        let (cert, key) = (folder.join("cert.pem"), folder.join("key.pem"));
        let mut make = Command::new("openssl");
        make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=redis of a test"]);
        make.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
        make.arg("-keyout").arg(&key).arg("-out").arg(&cert).stderr(Stdio::null());
        assert!(make.status().expect("openssl is installed").success());
        let text = |path: &PathBuf| path.to_str().expect("a path of ours").to_owned();
        let (cert_text, key_text, tls_port) = (text(&cert), text(&key), port.to_string());
        let args = ["--tls-port", &tls_port, "--tls-cert-file", &cert_text, "--tls-key-file", &key_text];
        let server = Self::start(&[&args[..], &["--tls-auth-clients", "no", "--requirepass", "over tls"]].concat());
        (server, format!("rediss://:over%20tls@127.0.0.1:{port}"), cert)
    }

    /// A sentinel that watches `master` alone, under the name `service`.
    pub fn start_sentinel(service: &str, master: &Self) -> Self {
        Self::start_sentinel_of(service, master, 1)
    }

    /// One of several, of which `quorum` must agree.
    fn start_sentinel_of(service: &str, master: &Self, quorum: usize) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let server = Self { port: free_port(), folder, args: vec!["--sentinel".into()], child: Mutex::new(None) };
        let mut config = format!(
            "port {}\nbind 127.0.0.1\nsentinel monitor {service} 127.0.0.1 {} {quorum}\n\
             sentinel down-after-milliseconds {service} 2000\nsentinel failover-timeout {service} 3000\n",
            server.port, master.port
        );
        if let Some(password) = master.login().strip_prefix(':').and_then(|login| login.strip_suffix('@')) {
            config += &format!("sentinel auth-pass {service} {password}\n");
        }
        std::fs::write(server.folder.path().join("sentinel.conf"), config).expect("a file");
        server.spawn();
        server.wait();
        server
    }

    fn spawned(args: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let args = args.iter().map(|arg| (*arg).to_owned()).collect();
        let server = Self { port: free_port(), folder, args, child: Mutex::new(None) };
        server.spawn();
        server
    }

    fn spawn(&self) {
        self.spawn_with(&[]);
    }

    fn spawn_with(&self, more: &[&str]) {
        let mut command = Command::new("redis-server");
        if self.args == ["--sentinel"] {
            command.arg(self.folder.path().join("sentinel.conf")).arg("--sentinel");
        } else {
            command.args(["--port", &self.port.to_string(), "--bind", "127.0.0.1", "--daemonize", "no"]);
            command.args(["--save", "", "--appendonly", "no", "--repl-diskless-sync-delay", "0"]);
            command.arg("--dir").arg(self.folder.path()).args(&self.args).args(more);
        }
        let log = File::create(self.folder.path().join("log")).expect("a log file");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log file")).stderr(log);
        *self.child.lock().unwrap() = Some(spawn_for_life(command));
    }

    /// Until it answers, and it is ours that does.
    fn wait(&self) {
        let start = Instant::now();
        while self.pid().is_none_or(|pid| {
            self.try_ask::<String>(cmd("INFO").arg("server"))
                .ok()
                .is_none_or(|info| !info.contains(&format!("process_id:{pid}\r\n")))
        }) {
            let log = || std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(start.elapsed() < DEADLINE, "redis-server on port {} does not answer: {}", self.port, log());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    pub fn url(&self) -> String {
        format!("redis://{}127.0.0.1:{}", self.login(), self.port)
    }

    /// `:password@`, or nothing.
    fn login(&self) -> String {
        let at = self.args.iter().position(|arg| arg == "--requirepass");
        at.map_or(String::new(), |at| format!(":{}@", self.args[at + 1].replace(' ', "%20")))
    }

    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The hub's own client of this server.
    pub async fn client(&self) -> Redis {
        client(self.url()).await
    }

    /// Until so many replicas are in working order, and confirm what is written.
    pub fn wait_for_replicas(&self, count: usize) {
        eventually_blocking("replicas are online", || self.has_replicas(count));
    }

    fn has_replicas(&self, count: usize) -> bool {
        let online = self.try_ask::<String>(cmd("INFO").arg("replication"));
        if online.is_ok_and(|info| info.matches("state=online").count() < count) {
            return false;
        }
        // One that is online may still be loading; something must be written for it to confirm anything.
        let Ok(mut con) = self.connection() else { return false };
        let _: RedisResult<()> = cmd("PUBLISH").arg("of the tests").arg("").query(&mut con);
        cmd("WAIT").arg(count).arg(1000).query::<usize>(&mut con).is_ok_and(|confirmed| confirmed >= count)
    }

    pub fn pid(&self) -> Option<u32> {
        self.child.lock().unwrap().as_ref().map(Child::id)
    }

    /// Kills it, as a crash would.
    pub fn stop(&self) {
        if let Some(mut child) = self.child.lock().unwrap().take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Starts it again on the same port, with the data that it kept on disk.
    pub fn restart(&self) {
        self.stop();
        self.spawn();
        self.wait();
    }

    fn restart_with(&self, more: &[&str]) {
        self.stop();
        self.spawn_with(more);
        self.wait();
    }

    /// It hangs: connections stand, nothing answers.
    pub fn freeze(&self) {
        self.signal(libc::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        if let Some(pid) = self.pid() {
            send_signal(pid, signal);
        }
    }

    pub fn connection(&self) -> RedisResult<Connection> {
        let con = ::redis::Client::open(self.url())?.get_connection_with_timeout(Duration::from_secs(5))?;
        con.set_read_timeout(Some(Duration::from_secs(10)))?;
        Ok(con)
    }

    /// Asks over a connection of its own.
    pub fn ask<T: FromRedisValue>(&self, command: &Cmd) -> T {
        self.try_ask(command)
            .unwrap_or_else(|error| panic!("{:?}: {error}", String::from_utf8_lossy(&command.get_packed_command())))
    }

    pub fn try_ask<T: FromRedisValue>(&self, command: &Cmd) -> RedisResult<T> {
        command.query(&mut self.connection()?)
    }

    /// Asks with words: `server.tell("CONFIG SET maxmemory 1")`.
    pub fn tell(&self, words: &str) -> Value {
        let mut command = Cmd::new();
        words.split(' ').for_each(|word| {
            command.arg(word);
        });
        self.ask(&command)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A master with replicas, and three sentinels that watch over them.
pub struct Sentinels {
    /// The first is the master at the start.
    pub nodes: Vec<Server>,
    pub sentinels: Vec<Server>,
}

impl Sentinels {
    const SERVICE: &str = "main";

    /// With a password if `password` is not empty.
    pub fn start(replicas: usize, password: &str) -> Self {
        let login = if password.is_empty() { vec![] } else { vec!["--requirepass", password, "--masterauth", password] };
        let master = Server::start(&login);
        let port = master.port.to_string();
        let replicas =
            (0..replicas).map(|_| Server::start(&[&login[..], &["--replicaof", "127.0.0.1", &port]].concat())).collect();
        Self::watch(master, replicas)
    }

    /// Starts sentinels over a master and its replicas.
    pub fn watch(master: Server, replicas: Vec<Server>) -> Self {
        let replica_count = replicas.len();
        let nodes = std::iter::once(master).chain(replicas).collect();
        let set = Self { sentinels: Vec::new(), nodes };
        set.wait_for_replicas(replica_count);
        let sentinels = (0..3).map(|_| Server::start_sentinel_of(Self::SERVICE, &set.nodes[0], 2)).collect();
        let set = Self { sentinels, ..set };
        let start = Instant::now();
        while !set.sentinels.iter().all(|sentinel| set.is_known_to(sentinel, replica_count)) {
            assert!(start.elapsed() < DEADLINE, "the sentinels never find each other and all replicas");
            std::thread::sleep(Duration::from_millis(20));
        }
        set
    }

    fn is_known_to(&self, sentinel: &Server, replicas: usize) -> bool {
        let mut ask = cmd("SENTINEL");
        let told: HashMap<String, String> = sentinel.ask(ask.arg("MASTER").arg(Self::SERVICE));
        let is = |field: &str, number: usize| told.get(field).is_some_and(|told| *told == number.to_string());
        is("num-slaves", replicas) && is("num-other-sentinels", 2) && told.get("flags").is_some_and(|flags| flags == "master")
    }

    /// Until the master has so many replicas in working order, whichever it is by then.
    pub fn wait_for_replicas(&self, count: usize) {
        eventually_blocking("the master has its replicas", || self.master().is_some_and(|master| master.has_replicas(count)));
    }

    /// The node that calls itself master, the newest if there are several.
    pub fn master(&self) -> Option<&Server> {
        let named = self.sentinels.iter().filter_map(|sentinel| {
            let mut ask = cmd("SENTINEL");
            let (_, port): (String, u16) = sentinel.try_ask(ask.arg("GET-MASTER-ADDR-BY-NAME").arg(Self::SERVICE)).ok()?;
            Some(port)
        });
        let named: Vec<u16> = named.collect();
        let is_master = |node: &&Server| {
            node.try_ask::<String>(cmd("INFO").arg("replication")).is_ok_and(|info| info.contains("role:master"))
        };
        let votes = |node: &&Server| named.iter().filter(|port| **port == node.port).count();
        self.nodes.iter().filter(is_master).max_by_key(votes)
    }

    /// Starts a node that was killed as a replica of the present master, as its operator would.
    pub fn restart_as_replica(&self, node: &Server) {
        let master = self.master().expect("a master");
        node.restart_with(&["--replicaof", "127.0.0.1", &master.port.to_string()]);
    }

    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(Server::address).collect();
        format!("redis-sentinel://{}{}/{}", self.nodes[0].login(), hosts.join(","), Self::SERVICE)
    }

    /// The hub's own client.
    pub async fn client(&self) -> Redis {
        client(self.url()).await
    }
}

/// Three masters that share the slots out evenly, with as many replicas each as wanted.
pub struct Cluster {
    pub masters: Vec<Server>,
    /// `replicas[i]` are those of `masters[i]`.
    pub replicas: Vec<Vec<Server>>,
}

impl Cluster {
    pub fn start(replicas_each: usize) -> Self {
        Self::start_with(replicas_each, &[])
    }

    /// Masters that keep their data over [`Server::stop`] and [`Server::restart`].
    pub fn start_persistent() -> Self {
        Self::start_with(0, &["--appendonly", "yes", "--appendfsync", "always"])
    }

    fn start_with(replicas_each: usize, extra: &[&str]) -> Self {
        let node = || {
            let bus = free_port().to_string();
            let args = ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "1000"];
            let more = ["--cluster-require-full-coverage", "no", "--cluster-replica-validity-factor", "0"];
            Server::spawned(&[&args[..], &more, extra].concat())
        };
        let masters: Vec<Server> = (0..3).map(|_| node()).collect();
        let replicas: Vec<Vec<Server>> = (0..3).map(|_| (0..replicas_each).map(|_| node()).collect()).collect();
        let cluster = Self { masters, replicas };
        cluster.nodes().for_each(Server::wait);
        for (index, master) in cluster.masters.iter().enumerate() {
            let (first, last) = (index as u32 * u32::from(SLOTS) / 3, (index as u32 + 1) * u32::from(SLOTS) / 3 - 1);
            master.ask::<()>(cmd("CLUSTER").arg("ADDSLOTSRANGE").arg(first).arg(last));
            master.ask::<()>(cmd("CLUSTER").arg("SET-CONFIG-EPOCH").arg(index + 1));
        }
        for node in cluster.nodes() {
            for other in cluster.nodes().filter(|other| other.port != node.port) {
                node.ask::<()>(cmd("CLUSTER").arg("MEET").arg("127.0.0.1").arg(other.port).arg(other.bus_port()));
            }
        }
        let size = cluster.nodes().count();
        cluster.until("all know each other", |node| {
            let nodes: String = node.ask(cmd("CLUSTER").arg("NODES"));
            nodes.lines().filter(|line| line.contains("connected") && !line.contains("handshake")).count() == size
        });
        for (master, replicas) in cluster.masters.iter().zip(&cluster.replicas) {
            for replica in replicas {
                replica.ask::<()>(cmd("CLUSTER").arg("REPLICATE").arg(master.id()));
            }
        }
        cluster.until("all are content", |node| {
            let info: String = node.ask(cmd("CLUSTER").arg("INFO"));
            info.contains("cluster_state:ok") && info.contains("cluster_slots_ok:16384")
        });
        for (master, replicas) in cluster.masters.iter().zip(&cluster.replicas) {
            master.wait_for_replicas(replicas.len());
        }
        cluster
    }

    fn nodes(&self) -> impl Iterator<Item = &Server> {
        self.masters.iter().chain(self.replicas.iter().flatten())
    }

    fn until(&self, fact: &str, holds: impl Fn(&Server) -> bool) {
        for node in self.nodes() {
            eventually_blocking(fact, || holds(node));
        }
    }

    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.masters.iter().map(Server::address).collect();
        format!("redis-cluster://{}", hosts.join(","))
    }

    /// The hub's own client of this cluster.
    pub async fn client(&self) -> Redis {
        client(self.url()).await
    }

    /// The index of the master that this key belonged to at the start.
    pub fn home_of(&self, key: &str) -> usize {
        let slot = u32::from(slot(key.as_bytes()));
        (0..3).find(|index| slot < (index + 1) * u32::from(SLOTS) / 3).unwrap_or(2) as usize
    }

    /// Moves a slot from one master to another, key by key; `between` is called after each key. A slot that is there already stays.
    pub fn migrate(&self, slot: u16, from: usize, to: usize, mut between: impl FnMut()) {
        let (source, target) = (&self.masters[from], &self.masters[to]);
        if target.try_ask::<u64>(cmd("SPUBLISH").arg(keys::tag_in_slot(slot)).arg("")).is_ok() {
            return;
        }
        target.ask::<()>(cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("IMPORTING").arg(source.id()));
        source.ask::<()>(cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("MIGRATING").arg(target.id()));
        between();
        loop {
            let keys: Vec<String> = source.ask(cmd("CLUSTER").arg("GETKEYSINSLOT").arg(slot).arg(10));
            if keys.is_empty() {
                break;
            }
            for key in keys {
                let _: Value = source.ask(cmd("MIGRATE").arg("127.0.0.1").arg(target.port).arg(key).arg(0).arg(5000));
                between();
            }
        }
        for node in [target, source] {
            node.ask::<()>(cmd("CLUSTER").arg("SETSLOT").arg(slot).arg("NODE").arg(target.id()));
        }
    }
}

impl Server {
    /// Its name in the cluster.
    pub fn id(&self) -> String {
        self.ask(cmd("CLUSTER").arg("MYID"))
    }

    fn bus_port(&self) -> String {
        let at = self.args.iter().position(|arg| arg == "--cluster-port").expect("a cluster node");
        self.args[at + 1].clone()
    }
}

/// More patient than the hub's is, and connected.
async fn client(url: String) -> Redis {
    let config = RedisConfig { lazy: false, deadline: DEADLINE, ..RedisConfig::new(url) };
    Redis::connect(config).await.expect("a working Redis")
}

/// A key whose hash tag makes it belong to master `index` of a cluster as [`Cluster::start`] made it.
pub fn key_at(index: usize, name: &str) -> String {
    let at = |key: &String| u32::from(slot(key.as_bytes())) * 3 / u32::from(SLOTS) == index as u32;
    (0..).map(|n| format!("{name}:{{{name}{n}}}")).find(at).expect("one of infinitely many")
}

/// Starts a child that the kernel kills when this process ends, however it ends.
///
/// The kernel looks at the *thread* that started the child, and tests run in short-lived threads; so one thread that never ends
/// starts them all.
fn spawn_for_life(command: Command) -> Child {
    type Order = (Command, mpsc::Sender<std::io::Result<Child>>);
    static NURSERY: OnceLock<Mutex<mpsc::Sender<Order>>> = OnceLock::new();
    let nursery = NURSERY.get_or_init(|| {
        let (sender, orders) = mpsc::channel::<Order>();
        std::thread::spawn(move || {
            for (mut command, done) in orders {
                // SAFETY: prctl is async-signal-safe and touches nothing of ours.
                unsafe {
                    command.pre_exec(|| match libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) {
                        0 => Ok(()),
                        _ => Err(std::io::Error::last_os_error()),
                    });
                }
                let _ = done.send(command.spawn());
            }
        });
        Mutex::new(sender)
    });
    let (done, child) = mpsc::channel();
    nursery.lock().unwrap().send((command, done)).expect("the nursery lives as long as the process");
    child.recv().expect("an answer").expect("redis-server is installed")
}
