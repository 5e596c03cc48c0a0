//! A crowd: incidents with one citizen and some rescuers each, on real WebSockets, and a judge of what they receive.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde::Deserialize;
use tokio::sync::Barrier;
use tokio_tungstenite::tungstenite::Message;

/// What the crowd does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Hub nodes, `host:port`; members are spread over them in turn.
    pub nodes: Vec<String>,
    pub secret: String,
    pub incidents: usize,
    /// Rescuers an incident, beside its citizen.
    pub rescuers: usize,
    /// Updates a second and citizen.
    pub rate: f64,
    pub time: Duration,
    /// Put before each id, so that several crowds can share a hub.
    pub prefix: String,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    pub sent: u64,
    /// `location:broadcast` events received, by all members.
    pub received: u64,
    /// Broadcasts of one citizen less than a second apart, by the hub's own time stamps, of those that waited for their second.
    pub too_often: u64,
    /// The same of those that did not wait: most are what a hub sends once more where something was missed.
    pub again: u64,
    /// Broadcasts that belong to another incident.
    pub foreign: u64,
    /// Members that did not get a citizen's last position.
    pub without_last: u64,
    /// From the citizen's send to a member's receipt, of updates that were not coalesced: median and 99th percentile.
    pub latency_ms: [f64; 2],
}

#[derive(Deserialize)]
struct Broadcast {
    #[serde(rename = "sosId")]
    sos: String,
    #[serde(rename = "userId")]
    user: String,
    /// Carries the number of the update.
    accuracy: Option<f64>,
    /// When the hub took it in, as no update names a time.
    #[serde(rename = "fixTime")]
    fix_time: u64,
    timestamp: u64,
}

struct Member {
    incident: usize,
    citizen: bool,
    last_number: u64,
    last_timestamp: u64,
    /// Of those that waited for their second.
    last_waited: u64,
    received: u64,
    too_often: u64,
    again: u64,
    foreign: u64,
    latencies: Vec<u32>,
}

struct Shared {
    plan: Plan,
    started: Instant,
    /// Each incident's newest update: its number << 32 | when it was sent, ms since the start.
    sent: Vec<AtomicU64>,
    go: Barrier,
    stop: AtomicBool,
    total_sent: AtomicU64,
}

impl Report {
    /// Whether every promise was kept.
    pub fn is_clean(&self) -> bool {
        let few_again = self.again * 2 <= self.received;
        self.received > 0 && few_again && self.too_often + self.foreign + self.without_last == 0
    }
}

/// Runs a plan; see [`run_measured`].
#[allow(dead_code, reason = "the example measures, the test judges")]
pub async fn run(plan: Plan) -> anyhow::Result<Report> {
    run_measured(plan, &[]).await.map(|(report, _)| report)
}

/// Runs a plan, and tells the CPU seconds that these processes have used from the first update on. The SOSs need not exist: a token that names one lets its members in.
pub async fn run_measured(plan: Plan, pids: &[u32]) -> anyhow::Result<(Report, Vec<f64>)> {
    let members = plan.incidents * (plan.rescuers + 1);
    let shared = Arc::new(Shared {
        sent: (0..plan.incidents).map(|_| AtomicU64::new(0)).collect(),
        started: Instant::now(),
        go: Barrier::new(members + 1),
        stop: AtomicBool::new(false),
        total_sent: AtomicU64::new(0),
        plan,
    });
    let mut tasks = tokio::task::JoinSet::new();
    let admitted = Arc::new(tokio::sync::Semaphore::new(64));
    for number in 0..members {
        tasks.spawn(member(shared.clone(), number, admitted.clone()));
    }
    shared.go.wait().await;
    let before: Vec<f64> = pids.iter().map(|pid| cpu_seconds(*pid)).collect();
    tokio::time::sleep(shared.plan.time).await;
    shared.stop.store(true, Relaxed);
    let mut report = Report::default();
    let cpu = pids.iter().zip(before).map(|(pid, before)| cpu_seconds(*pid) - before).collect();
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let member = done??;
        report.received += member.received;
        report.too_often += member.too_often;
        report.again += member.again;
        report.foreign += member.foreign;
        report.without_last += u64::from(member.last_number != shared.sent[member.incident].load(Relaxed) >> 32);
        latencies.extend(member.latencies);
    }
    latencies.sort_unstable();
    let at = |share: f64| latencies.get((latencies.len() as f64 * share) as usize).map_or(0.0, |ms| f64::from(*ms));
    report.latency_ms = [at(0.5), at(0.99)];
    report.sent = shared.total_sent.load(Relaxed);
    Ok((report, cpu))
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks: f64 = fields.iter().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum();
    ticks / 100.0
}

/// A development token for the hub under test.
pub fn token(secret: &str, role: &str, user: &str, sos: &str) -> anyhow::Result<String> {
    let claims = BTreeMap::from([("role", role), ("userId", user), ("sosId", sos)]);
    let key = jsonwebtoken::EncodingKey::from_secret(secret.as_bytes());
    Ok(jsonwebtoken::encode(&jsonwebtoken::Header::default(), &claims, &key)?)
}

async fn member(shared: Arc<Shared>, number: usize, admitted: Arc<tokio::sync::Semaphore>) -> anyhow::Result<Member> {
    let plan = &shared.plan;
    let (incident, seat) = (number / (plan.rescuers + 1), number % (plan.rescuers + 1));
    let sos = format!("{}{incident}", plan.prefix);
    let (role, user) = if seat == 0 { ("citizen", format!("c{incident}")) } else { ("rescuer", format!("r{incident}-{seat}")) };
    let node = &plan.nodes[number % plan.nodes.len()];
    let url = format!("ws://{node}/socket.io/?EIO=4&transport=websocket");

    let permit = admitted.acquire().await?;
    let (mut socket, _) = tokio_tungstenite::connect_async(&url).await.context("connect")?;
    let connect = serde_json::json!({"token": token(&plan.secret, role, &user, &sos)?});
    socket.send(Message::text(format!("40{connect}"))).await?;
    // The state is sent once the socket is a member.
    loop {
        let message = tokio::time::timeout(Duration::from_secs(60), socket.next())
            .await
            .context("join")?
            .context("closed while joining")??;
        let text = message.to_text()?;
        if text == "2" {
            socket.send(Message::text("3")).await?;
        } else if text.starts_with("44") {
            bail!("refused: {text}");
        } else if text.starts_with("42[\"sos:state\"") {
            break;
        }
    }
    drop(permit);

    let mut state = Member {
        incident,
        citizen: seat == 0,
        last_number: 0,
        last_timestamp: 0,
        last_waited: 0,
        received: 0,
        too_often: 0,
        again: 0,
        foreign: 0,
        latencies: Vec::new(),
    };
    shared.go.wait().await;
    let period = Duration::from_secs_f64(1.0 / plan.rate);
    // Citizens do not all speak at the same moment.
    let first = tokio::time::Instant::now() + period.mul_f64((incident % 997) as f64 / 997.0);
    let mut timer = tokio::time::interval_at(first, period);
    // Who was held up does not make up for it: the hub would refuse so many updates at once, and perhaps the last one.
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut quiet_since = None;
    let mut counter = 0_u64;
    loop {
        let stopped = shared.stop.load(Relaxed);
        tokio::select! {
            message = socket.next() => {
                let message = message.context("closed by the hub")??;
                match message {
                    Message::Text(text) if text.as_str() == "2" => socket.send(Message::text("3")).await?,
                    Message::Text(text) if text.starts_with("42[\"location:broadcast\"") => {
                        let (_, event): (String, Broadcast) = serde_json::from_str(&text[2..])?;
                        state.judge(&shared, &sos, &event);
                    }
                    Message::Close(frame) => bail!("closed by the hub: {frame:?}"),
                    _ => {}
                }
            }
            _ = timer.tick() => {
                if state.citizen && !stopped {
                    counter += 1;
                    let now = shared.started.elapsed().as_millis() as u64;
                    shared.sent[incident].store(counter << 32 | now, Relaxed);
                    shared.total_sent.fetch_add(1, Relaxed);
                    let update = serde_json::json!(["location:update", {"sosId": sos, "latitude": 14.5 + counter as f64 * 1e-5, "longitude": 121.0, "accuracy": counter}]);
                    socket.send(Message::text(format!("42{update}"))).await?;
                } else if stopped {
                    // The last update may be waiting for its window to end.
                    let since = *quiet_since.get_or_insert_with(Instant::now);
                    let complete = state.last_number == shared.sent[incident].load(Relaxed) >> 32;
                    if (complete && since.elapsed() > Duration::from_millis(1_500)) || since.elapsed() > Duration::from_secs(40) {
                        break;
                    }
                }
            }
        }
    }
    let _ = socket.close(None).await;
    Ok(state)
}

impl Member {
    fn judge(&mut self, shared: &Shared, sos: &str, event: &Broadcast) {
        if event.sos != sos {
            self.foreign += 1;
            return;
        }
        // Others than those of the crowd may be in the room.
        if event.user != format!("c{}", self.incident) {
            return;
        }
        self.received += 1;
        // What is sent once more has the time at which it was taken in, also while it waits.
        let waited = event.timestamp > event.fix_time;
        let last = if waited { self.last_waited } else { self.last_timestamp };
        let soon = last != 0 && event.timestamp < last + 1_000;
        self.too_often += u64::from(waited && soon);
        self.again += u64::from(!waited && soon);
        if waited {
            self.last_waited = event.timestamp;
        }
        self.last_timestamp = self.last_timestamp.max(event.timestamp);
        self.last_number = event.accuracy.unwrap_or_default() as u64;
        let sent = shared.sent[self.incident].load(Relaxed);
        if sent >> 32 == self.last_number {
            self.latencies.push((shared.started.elapsed().as_millis() as u64).saturating_sub(sent & 0xffff_ffff) as u32);
        }
    }
}
