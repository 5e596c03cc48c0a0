//! Real PostgreSQL servers on private ports, in temporary folders, none of which survives the process that started them.

use std::fs::{File, Permissions};
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, OnceLock};
use std::time::{Duration, Instant};

use convoke::features::bookings::store::{BookingStore, Limits, PrepareError, Written, write_limits};
use convoke::settings::{Settings, Source};
use convoke::store::Store;
use tempfile::TempDir;
use tokio_postgres::{NoTls, SimpleQueryMessage};

use super::ports::free_port;
use super::process::{Process, send_signal};

const PATIENCE: Duration = Duration::from_secs(60);
/// Of the superuser, where a server asks for one.
pub const PASSWORD: &str = "a:password/of the tests";
/// What the settings say if nothing is set.
pub const LIMITS: Limits = Limits { max_concurrent: 5, max_per_user: 1 };

/// The URL of a fresh, empty database on the one server that all tests of the process share. They break nothing there.
pub async fn database() -> String {
    server().database().await
}

/// That server.
pub fn server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(Server::start)
}

/// The hub's own store on this database; it has not looked at the schema yet.
pub fn store(url: &str) -> BookingStore {
    store_with(url, &[])
}

/// [`store`] with other settings.
pub fn store_with(url: &str, env: &[(&str, &str)]) -> BookingStore {
    BookingStore::new(Store::new(&settings(url, env)).expect("a store"))
}

/// [`store`] with the schema, and the limits that the settings have by default.
pub async fn prepared(url: &str) -> BookingStore {
    let store = store(url);
    store.prepare(LIMITS).await.expect("the schema");
    store
}

/// What `convoke migrate` does: gives the names of the migrations that ran, and what became of the limits.
pub async fn migrate(store: &BookingStore, limits: Limits) -> Result<(Vec<String>, Written), PrepareError> {
    let mut schema = store.postgres().schema().await?;
    let applied = schema.apply().await?;
    Ok((applied, write_limits(&schema, limits).await?))
}

pub fn settings(url: &str, env: &[(&str, &str)]) -> convoke::settings::Store {
    // A busy machine may be slow to open a connection; tests of the deadline set their own.
    let all = [("DATABASE_URL", url), ("NODE_ID", "of-a-test"), ("DATABASE_DEADLINE_MS", "30000")]
        .into_iter()
        .chain(env.iter().copied());
    let settings = Settings::from_source(&all.collect::<Source>()).unwrap_or_else(|faults| panic!("{faults}"));
    settings.store.expect("DATABASE_URL is set")
}

/// Runs statements over a connection of their own; gives the rows of all of them, as text.
pub async fn sql(url: &str, statements: &str) -> Vec<Vec<Option<String>>> {
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.unwrap_or_else(|error| panic!("{error:?}"));
    let driver = tokio::spawn(connection);
    let answer = client.simple_query(statements).await.unwrap_or_else(|error| panic!("{statements}: {error:?}"));
    driver.abort();
    let rows = answer.iter().filter_map(|message| match message {
        SimpleQueryMessage::Row(row) => Some((0..row.len()).map(|at| row.get(at).map(str::to_owned)).collect()),
        _ => None,
    });
    rows.collect()
}

/// The first column of the first row; empty for NULL.
pub async fn value(url: &str, query: &str) -> String {
    let rows = sql(url, query).await;
    rows.first().unwrap_or_else(|| panic!("{query}: no row"))[0].clone().unwrap_or_default()
}

/// One `postgres` with data of its own. Stopped when dropped, and when this process dies.
pub struct Server {
    pub port: u16,
    folder: TempDir,
    /// Between the user and the host of a URL.
    password: &'static str,
    more: Vec<String>,
    process: Mutex<Option<Process>>,
}

impl Server {
    /// Anybody may be anybody there.
    pub fn start() -> Self {
        let server = Self::made(&["--auth=trust"], "", vec![]);
        server.spawn();
        server
    }

    /// One that wants TLS and a password, with a certificate of its own for 127.0.0.1 (not for `localhost`); gives also where
    /// that lies.
    pub fn start_with_tls() -> (Self, PathBuf) {
        let secret = tempfile::NamedTempFile::new().expect("a temporary file");
        std::fs::write(secret.path(), PASSWORD).expect("a file");
        std::fs::set_permissions(secret.path(), Permissions::from_mode(0o644)).expect("a file of ours");
        let file = format!("--pwfile={}", secret.path().display());
        let server = Self::made(&["--auth=scram-sha-256", &file], ":a%3Apassword%2Fof%20the%20tests", vec!["ssl=on".into()]);
        let (data, certificate) = (server.data(), certificate());
        for name in ["server.crt", "server.key"] {
            std::fs::copy(certificate.join(name), data.join(name)).expect("a copy");
            std::fs::set_permissions(data.join(name), Permissions::from_mode(0o600)).expect("a file of ours");
            own(&data.join(name));
        }
        let rules = "hostssl all all 127.0.0.1/32 scram-sha-256\n";
        std::fs::write(data.join("pg_hba.conf"), rules).expect("a file");
        server.spawn();
        (server, certificate.join("server.crt"))
    }

    fn made(initdb: &[&str], password: &'static str, more: Vec<String>) -> Self {
        clear_up();
        let prefix = format!("{PREFIX}{}-", std::process::id());
        let folder = tempfile::Builder::new().prefix(&prefix).tempdir().expect("a temporary folder");
        own(folder.path());
        let server = Self { port: free_port(), folder, password, more, process: Mutex::default() };
        let mut command = program("initdb");
        command.arg("--pgdata").arg(server.data()).args(["--username=postgres", "--encoding=UTF8", "--locale=C", "--no-sync"]);
        // A small journal: 16 MiB a file are the rule.
        let output = command.arg("--wal-segsize=1").args(initdb).stdin(Stdio::null()).output().expect("initdb runs");
        assert!(output.status.success(), "initdb: {}", String::from_utf8_lossy(&output.stderr));
        server
    }

    fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// Starts it and waits until it answers.
    fn spawn(&self) {
        let mut command = program("postgres");
        command.arg("-D").arg(self.data()).args(["-p", &self.port.to_string()]);
        // TCP alone: the path of a socket may be too long. A time zone that shows whoever forgets about them.
        let settings = [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "max_connections=400",
            "shared_buffers=32MB",
            "dynamic_shared_memory_type=mmap",
            "fsync=off",
            "full_page_writes=off",
            "timezone=Asia/Kolkata",
        ];
        for setting in settings.into_iter().chain(self.more.iter().map(String::as_str)) {
            command.args(["-c", setting]);
        }
        let log = File::options().create(true).append(true).open(self.folder.path().join("log")).expect("a log file");
        command.stdin(Stdio::null()).stdout(log.try_clone().expect("a log file")).stderr(log);
        // On this signal it ends at once, but gives its shared memory back.
        *self.process.lock().unwrap() = Some(Process::start_ended_by(libc::SIGQUIT, command));
        let start = Instant::now();
        while !self.is_ready() {
            assert!(start.elapsed() < PATIENCE, "postgres on port {} does not answer: {}", self.port, self.log());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Its own file says so, and says that it is this one.
    fn is_ready(&self) -> bool {
        let text = std::fs::read_to_string(self.data().join("postmaster.pid")).unwrap_or_default();
        let mut lines = text.lines();
        lines.next().and_then(|pid| pid.trim().parse().ok()) == self.pid() && lines.last().map(str::trim) == Some("ready")
    }

    pub fn pid(&self) -> Option<u32> {
        self.process.lock().unwrap().as_mut().map(|process| process.child().id())
    }

    /// `127.0.0.1:port`
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Of one of its databases, as superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres{}@127.0.0.1:{}/{database}", self.password, self.port)
    }

    /// Makes an empty database and gives its URL.
    pub async fn database(&self) -> String {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        sql(&self.url("postgres"), &format!("CREATE DATABASE {name}")).await;
        self.url(&name)
    }

    /// Ends it as a crash would: no connection hears of it, nothing is finished.
    pub fn stop(&self) {
        if let Some(mut process) = self.process.lock().unwrap().take() {
            process.signal(libc::SIGQUIT);
            let _ = process.child().wait();
        }
    }

    /// Starts it again on the same port with the same data.
    pub fn restart(&self) {
        self.stop();
        self.spawn();
    }

    /// It hangs: connections stand and can be made, nothing answers.
    pub fn freeze(&self) {
        self.signal_all(libc::SIGSTOP);
    }

    pub fn thaw(&self) {
        self.signal_all(libc::SIGCONT);
    }

    /// To the server itself first, so that it makes no more processes, then to those of its connections.
    fn signal_all(&self, signal: i32) {
        let Some(pid) = self.pid() else { return };
        self.process.lock().unwrap().as_ref().expect("it runs").signal(signal);
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        for child in children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()) {
            send_signal(child, signal);
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // One that was frozen would not hear.
        self.thaw();
        self.stop();
    }
}

const PREFIX: &str = "convoke-postgres-";

/// Removes what processes have left behind that are gone: the server of a whole process is never dropped.
fn clear_up() {
    let Ok(entries) = std::fs::read_dir(std::env::temp_dir()) else { return };
    for entry in entries.filter_map(Result::ok) {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next());
        if pid.is_some_and(|pid| !Path::new("/proc").join(pid).exists()) {
            let _ = std::fs::remove_dir_all(entry.path());
        }
    }
}

/// A program of PostgreSQL, run as the user `postgres` if we are root, whom it refuses. Debian keeps them off the path.
fn program(name: &str) -> Command {
    let on_path = std::env::var_os("PATH").into_iter().flat_map(|path| std::env::split_paths(&path).collect::<Vec<_>>());
    let mut versions: Vec<PathBuf> = std::fs::read_dir("/usr/lib/postgresql")
        .map(|entries| entries.filter_map(|entry| Some(entry.ok()?.path().join("bin"))).collect())
        .unwrap_or_default();
    versions.sort();
    let found = on_path.chain(versions.into_iter().rev()).map(|folder| folder.join(name)).find(|path| path.is_file());
    let mut command = Command::new(found.unwrap_or_else(|| panic!("{name} is installed (scripts/setup.sh)")));
    command.env_clear().env("LC_ALL", "C").current_dir("/");
    if let Some((user, group)) = other_user() {
        command.uid(user).gid(group);
    }
    command
}

/// Gives a path to the user whom the server runs as.
fn own(path: &Path) {
    if let Some((user, group)) = other_user() {
        chown(path, Some(user), Some(group)).expect("root may give away");
    }
}

/// User and group `postgres`, if we are root.
fn other_user() -> Option<(u32, u32)> {
    static USER: OnceLock<Option<(u32, u32)>> = OnceLock::new();
    *USER.get_or_init(|| {
        let id = |flag: &str, user: &[&str]| -> u32 {
            let output = Command::new("id").arg(flag).args(user).output().expect("id runs");
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            text.trim().parse().unwrap_or_else(|_| panic!("there is a user {user:?}"))
        };
        (id("-u", &[]) == 0).then(|| (id("-u", &["postgres"]), id("-g", &["postgres"])))
    })
}

/// Makes a certificate for 127.0.0.1 that signs itself; gives its folder.
pub fn certificate() -> PathBuf {
    let folder = tempfile::tempdir().expect("a temporary folder").keep();
    let mut make = Command::new("openssl");
    make.args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=postgres of a test"]);
    make.args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"]);
    make.arg("-keyout").arg(folder.join("server.key")).arg("-out").arg(folder.join("server.crt")).stderr(Stdio::null());
    assert!(make.status().expect("openssl is installed").success());
    folder
}
