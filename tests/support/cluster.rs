//! Several real nodes on one Redis, behind a balancer that sends each request to the next of them.
//!
//! Each node keeps its name and ports over a crash, a restart and a pause, as a pod of a StatefulSet does.

use std::fmt;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::haproxy::HaProxy;
use super::hub::{Hub, INTERNAL, SECRET, mint, now_seconds};
use super::ports::free_port;
use super::sever;

/// What the nodes share and nobody else knows.
const CLUSTER_SECRET: &str = "the secret between the nodes of the tests";
/// An internal call is repeated for so long while nodes come and go.
const PATIENCE: Duration = Duration::from_secs(40);

/// Nodes and their balancer.
pub struct Nodes {
    pub nodes: Vec<Arc<Node>>,
    balancer: HaProxy,
    http: reqwest::Client,
}

/// One node, whichever process it is at present.
pub struct Node {
    pub name: String,
    pub port: u16,
    metrics: u16,
    env: Vec<(String, String)>,
    hub: Mutex<Option<Arc<Hub>>>,
}

/// The URL of a Redis for node `index`; tests that cut give each node another.
pub type RedisUrl<'a> = &'a dyn Fn(usize) -> String;

impl Nodes {
    /// Starts as many nodes; `env` wins over what the rig sets.
    pub async fn start(count: usize, redis: RedisUrl<'_>, env: &[(&str, &str)]) -> Self {
        let nodes: Vec<Arc<Node>> = (0..count).map(|index| Arc::new(Node::new(index, redis(index), env))).collect();
        // The first alone, so that a fault in the settings is told once.
        for node in &nodes {
            node.start().await;
        }
        let ports: Vec<u16> = nodes.iter().map(|node| node.port).collect();
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        Self { nodes, balancer: HaProxy::start_impatient(&ports), http }
    }

    /// Of the balancer.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.balancer.port)
    }

    /// `host:port` of the balancer.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.balancer.port)
    }

    /// A token for an hour; the first incident is its `sosId`.
    pub fn token(&self, role: &str, user: &str, sos: &[&str]) -> String {
        mint(SECRET, role, user, sos, Some(now_seconds() + 3600))
    }

    pub async fn create_sos(&self, sos: &str, citizen: &str) {
        let body = json!({"sosId": sos, "citizenId": citizen});
        let call = || self.http.post(self.internal("/sos/init")).json(&body);
        let answer = self.answered(call).await;
        assert_eq!(answer["data"]["sosId"], sos, "{answer}");
    }

    /// The state of an incident, as the internal API tells it.
    pub async fn state(&self, sos: &str) -> Value {
        let call = || self.http.get(self.internal(&format!("/sos/{sos}/state")));
        self.answered(call).await["data"].take()
    }

    /// Whether the hub says that this user is there.
    pub async fn is_online(&self, user: &str) -> bool {
        let call = || self.http.get(self.internal(&format!("/users/{user}/presence")));
        self.answered(call).await["data"]["online"] == true
    }

    fn internal(&self, path: &str) -> String {
        format!("{}/internal/realtime{path}", self.url())
    }

    /// Repeats a call until some node answers it well.
    async fn answered(&self, call: impl Fn() -> reqwest::RequestBuilder) -> Value {
        let started = Instant::now();
        loop {
            let answer = call().header("x-internal-token", INTERNAL).timeout(Duration::from_secs(5)).send().await;
            let last = match answer {
                Ok(response) if response.status().is_success() => return response.json().await.expect("JSON"),
                Ok(response) => format!("{} {}", response.status(), response.text().await.unwrap_or_default()),
                Err(error) => error.to_string(),
            };
            assert!(started.elapsed() < PATIENCE, "the internal API answers {last}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The sum of a metric over all nodes; its labels are part of the name.
    pub async fn sum(&self, metric: &str) -> f64 {
        let mut sum = 0.0;
        for node in &self.nodes {
            sum += node.metric(metric).await;
        }
        sum
    }

    /// Waits until the sum of a metric over all nodes is this.
    pub async fn wait_for_sum(&self, metric: &str, wanted: f64, patience: Duration) {
        let started = Instant::now();
        loop {
            let sum = self.sum(metric).await;
            if sum == wanted {
                return;
            }
            assert!(started.elapsed() < patience, "{metric} is {sum}, and never was {wanted}");
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

impl Node {
    fn new(index: usize, redis: String, env: &[(&str, &str)]) -> Self {
        let (name, port, metrics) = (format!("node-{index}"), free_port(), free_port());
        let mut all: Vec<(String, String)> = [
            ("NODE_ID", name.clone()),
            ("PORT", port.to_string()),
            ("METRICS_PORT", metrics.to_string()),
            ("PEER_PORT", "0".into()),
            ("CLUSTER_SECRET", CLUSTER_SECRET.into()),
            ("REDIS_URL", redis),
            // A balancer that asks five times a second would fill it.
            ("LOG_LEVEL", "info,convoke::http=error".into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        all.extend(env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        Self { name, port, metrics, env: all, hub: Mutex::default() }
    }

    /// Starts it, also again, and waits until it is ready.
    pub async fn start(&self) {
        let env: Vec<(&str, &str)> = self.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let hub = Hub::start(&env).await;
        *self.hub.lock().unwrap() = Some(Arc::new(hub));
    }

    /// The process that runs, if one does.
    pub fn hub(&self) -> Option<Arc<Hub>> {
        self.hub.lock().unwrap().clone()
    }

    /// `kill -9`.
    pub fn kill(&self) {
        if let Some(hub) = self.hub.lock().unwrap().take() {
            hub.kill();
        }
    }

    /// SIGTERM, and waits until it has ended by itself; says whether it did so well.
    pub async fn terminate(&self) -> bool {
        let hub = self.hub.lock().unwrap().take();
        let Some(hub) = hub else { return true };
        hub.signal(libc::SIGTERM);
        hub.exited().await.success()
    }

    /// SIGSTOP.
    pub fn pause(&self) {
        self.signal(libc::SIGSTOP);
    }

    /// SIGCONT.
    pub fn resume(&self) {
        self.signal(libc::SIGCONT);
    }

    fn signal(&self, signal: i32) {
        if let Some(hub) = self.hub() {
            hub.signal(signal);
        }
    }

    /// Ends all its connections to this server's port, and says how many there were. It may open new ones at once.
    pub fn cut_from(&self, redis: &super::redis::Server) -> usize {
        self.hub().map_or(0, |hub| sever::sever(hub.pid(), redis))
    }

    /// A metric of this node, 0 as long as it is not there; its labels are part of the name.
    pub async fn metric(&self, name: &str) -> f64 {
        let url = format!("http://127.0.0.1:{}/metrics", self.metrics);
        let http = reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client");
        let Ok(response) = http.get(url).timeout(Duration::from_secs(5)).send().await else { return 0.0 };
        let text = response.text().await.unwrap_or_default();
        let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok());
        value.unwrap_or(0.0)
    }

    /// Bytes of memory that its process holds.
    pub fn memory(&self) -> u64 {
        let Some(hub) = self.hub() else { return 0 };
        let status = std::fs::read_to_string(format!("/proc/{}/status", hub.pid())).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.unwrap_or(0) * 1024
    }

    /// The newest lines of its log.
    pub fn log(&self) -> String {
        self.hub().map_or_else(|| "it does not run".into(), |hub| hub.log())
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}
