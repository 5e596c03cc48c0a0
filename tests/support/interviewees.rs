//! A crowd of candidates that talk all at once, on real WebSockets, and what each of them was acknowledged.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use futures_util::stream::{SplitSink, SplitStream};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, Semaphore};
use tokio::time::{Instant, sleep_until, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

/// What the crowd does.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Hub nodes, `host:port`; candidates are spread over them in turn.
    pub nodes: Vec<String>,
    /// The hub's INTERNAL_AUTH_TOKEN, to make interviews.
    pub internal_token: String,
    pub interviews: usize,
    /// Chunks of 250 ms that each candidate sends, four a second.
    pub chunks: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub struct Report {
    /// Ids of the interviews, each with how many chunks were acknowledged.
    pub interviews: Vec<(String, usize)>,
    pub refused: usize,
    /// Final texts that reached their candidates.
    pub finals: usize,
    /// From a chunk to its acknowledgement: median and 99th percentile.
    pub latency_ms: [f64; 2],
    /// For how long the crowd has talked, until all was acknowledged; and of the processes that were named their CPU seconds in that
    /// time, and bytes of memory before and behind it.
    pub seconds: f64,
    pub cpu_seconds: Vec<f64>,
    pub rss: Vec<[usize; 2]>,
}

impl Report {
    pub fn acknowledged(&self) -> usize {
        self.interviews.iter().map(|(_, chunks)| chunks).sum()
    }
}

/// What a chunk holds: five numbers of 50 ms each, so that what is stored shows whether any of it is missing.
pub const NUMBERS: usize = 5;

/// The audio of a chunk, from 0 on.
pub fn pcm(chunk: usize) -> Vec<u8> {
    let numbers = chunk * NUMBERS + 1..=(chunk + 1) * NUMBERS;
    numbers
        .flat_map(|number| std::iter::repeat_n(u16::try_from(number % 30_000).unwrap_or(1).to_le_bytes(), 800))
        .flatten()
        .collect()
}

/// How many of these chunks are missing in a stored answer, or are at another place.
pub fn missing(file: &[u8], chunks: usize) -> usize {
    let stored: Vec<_> = file.get(44..).unwrap_or_default().chunks(8_000).collect();
    let wrong = (0..chunks).filter(|chunk| stored.get(*chunk).is_none_or(|stored| **stored != pcm(*chunk))).count();
    wrong.max(stored.len().saturating_sub(chunks))
}

struct Shared {
    plan: Plan,
    http: reqwest::Client,
    admitted: Semaphore,
    go: Barrier,
    said: Barrier,
}

/// Runs a plan, and measures these processes while the crowd talks.
pub async fn run(plan: Plan, pids: &[u32]) -> anyhow::Result<Report> {
    let count = plan.interviews;
    let shared = Arc::new(Shared {
        http: reqwest::Client::new(),
        admitted: Semaphore::new(16),
        go: Barrier::new(count + 1),
        said: Barrier::new(count + 1),
        plan,
    });
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..count {
        tasks.spawn(candidate(shared.clone(), number));
    }
    // One that fails would leave all others waiting.
    let together = async {
        shared.go.wait().await;
        let before: Vec<_> = pids.iter().map(|pid| (cpu_seconds(*pid), rss(*pid))).collect();
        let begin = Instant::now();
        shared.said.wait().await;
        let measured = before.into_iter().zip(pids).map(|((cpu, bytes), pid)| (cpu_seconds(*pid) - cpu, [bytes, rss(*pid)]));
        (begin.elapsed().as_secs_f64(), measured.unzip())
    };
    let patience = Duration::from_secs(120) + Duration::from_millis(250) * u32::try_from(shared.plan.chunks)?;
    let (seconds, (cpu_seconds, rss)) = tokio::select! {
        biased;
        measured = together => measured,
        Some(failed) = tasks.join_next() => bail!("a candidate ended early: {:?}", failed?.err()),
        () = tokio::time::sleep(patience) => bail!("the crowd does not come to an end"),
    };
    let mut report = Report { seconds, cpu_seconds, rss, ..Report::default() };
    let mut latencies = Vec::new();
    while let Some(done) = tasks.join_next().await {
        let one = done??;
        report.interviews.push((one.id, one.latencies.len()));
        report.refused += one.refused;
        report.finals += one.finals;
        latencies.extend(one.latencies);
    }
    latencies.sort_by(f64::total_cmp);
    report.latency_ms =
        [0.5, 0.99].map(|share| latencies.get((latencies.len() as f64 * share) as usize).copied().unwrap_or_default());
    Ok(report)
}

struct Talked {
    id: String,
    refused: usize,
    finals: usize,
    latencies: Vec<f64>,
}

/// A candidate's connection to the namespace.
struct Connection {
    out: SplitSink<WebSocketStream<MaybeTlsStream<TcpStream>>, Message>,
    from: SplitStream<WebSocketStream<MaybeTlsStream<TcpStream>>>,
    finals: usize,
}

/// What a client is told.
enum Told {
    Ack(usize, Value),
    Event(String),
    Connected,
    Opened,
}

impl Connection {
    async fn next(&mut self) -> anyhow::Result<Told> {
        loop {
            let message = timeout(Duration::from_secs(60), self.from.next()).await?.context("the connection has ended")??;
            let Message::Text(text) = message else { continue };
            if text.as_str() == "2" {
                self.out.send(Message::text("3")).await?;
            } else if text.starts_with('0') {
                return Ok(Told::Opened);
            } else if text.starts_with("40/interview,") {
                return Ok(Told::Connected);
            } else if let Some(rest) = text.strip_prefix("43/interview,") {
                let (id, args) = rest.split_at(rest.find('[').context("an acknowledgement")?);
                let args: Value = serde_json::from_str(args)?;
                return Ok(Told::Ack(id.parse()?, args[0].clone()));
            } else if let Some(rest) = text.strip_prefix("42/interview,") {
                let args: Value = serde_json::from_str(rest)?;
                let name = args[0].as_str().unwrap_or_default().to_owned();
                self.finals += usize::from(name == "transcription" && args[1]["isFinal"] == true);
                return Ok(Told::Event(name));
            } else if text.starts_with("44/interview,") {
                bail!("refused: {text}");
            }
        }
    }

    async fn ask(&mut self, id: usize, event: &str, payload: &Value) -> anyhow::Result<Value> {
        self.out.send(Message::text(format!("42/interview,{id}{}", json!([event, payload])))).await?;
        loop {
            if let Told::Ack(answered, value) = self.next().await?
                && answered == id
            {
                ensure!(value["ok"] == true, "{event}: {value}");
                return Ok(value);
            }
        }
    }
}

async fn candidate(shared: Arc<Shared>, number: usize) -> anyhow::Result<Talked> {
    let permit = shared.admitted.acquire().await?;
    let node = &shared.plan.nodes[number % shared.plan.nodes.len()];
    let (id, token) = interview(&shared, node).await?;
    let url = format!("ws://{node}/socket.io/?EIO=4&transport=websocket");
    let (socket, _) = tokio_tungstenite::connect_async(url).await?;
    let (out, from) = socket.split();
    let mut connection = Connection { out, from, finals: 0 };
    while !matches!(connection.next().await?, Told::Opened) {}
    connection.out.send(Message::text(format!("40/interview,{}", json!({"token": token})))).await?;
    while !matches!(connection.next().await?, Told::Connected) {}
    let ready = connection.ask(0, "join-interview", &json!({"interviewId": id})).await?;
    connection.ask(1, "start-interview", &json!({"sessionId": ready["sessionId"]})).await?;
    drop(permit);
    shared.go.wait().await;
    // Not all at the same moment.
    let (latencies, refused) =
        talk(&mut connection, shared.plan.chunks, Duration::from_micros(number as u64 * 7_919 % 250_000)).await?;
    shared.said.wait().await;
    connection.out.send(Message::text(format!(r#"42/interview,["response-complete",{}]"#, json!({"transcription": ""})))).await?;
    loop {
        if let Told::Event(name) = connection.next().await?
            && matches!(&*name, "question" | "interview-complete")
        {
            return Ok(Talked { id, refused, finals: connection.finals, latencies });
        }
    }
}

/// Sends so many chunks, four a second, and waits until each is acknowledged.
async fn talk(connection: &mut Connection, chunks: usize, after: Duration) -> anyhow::Result<(Vec<f64>, usize)> {
    const FIRST: usize = 2;
    let (mut sent, mut latencies, mut refused) = (Vec::with_capacity(chunks), Vec::with_capacity(chunks), 0);
    let begin = Instant::now() + after;
    while latencies.len() + refused < chunks {
        let due = begin + Duration::from_millis(250) * u32::try_from(sent.len())?;
        tokio::select! {
            () = sleep_until(due), if sent.len() < chunks => {
                let id = FIRST + sent.len();
                let event = format!(r#"451-/interview,{id}["audio-chunk",{{"audioData":{{"_placeholder":true,"num":0}}}}]"#);
                connection.out.feed(Message::text(event)).await?;
                connection.out.feed(Message::binary(pcm(sent.len()))).await?;
                connection.out.flush().await?;
                sent.push(Instant::now());
            }
            told = connection.next() => if let Told::Ack(id, value) = told? {
                let at = sent.get(id - FIRST).context("an unknown acknowledgement")?;
                if value["ok"] == true { latencies.push(at.elapsed().as_secs_f64() * 1e3) } else { refused += 1 }
            },
        }
    }
    Ok((latencies, refused))
}

/// A new interview with one question: its id and its join token.
async fn interview(shared: &Shared, node: &str) -> anyhow::Result<(String, String)> {
    let question = json!({"text": "Tell me about yourself", "type": "BEHAVIORAL"});
    let assessment = json!({"title": "All", "questions": [question, question]});
    let body = json!({
        "organizationId": "load",
        "candidate": {"id": "c", "name": "C", "email": "c@example.com"},
        "template": {"title": "Load", "totalDuration": 10, "assessments": [assessment]},
    });
    let request = shared.http.post(format!("http://{node}/internal/interviews")).json(&body);
    let answer = request.header("x-internal-token", &shared.plan.internal_token).send().await?.error_for_status()?;
    let answer: Value = answer.json().await?;
    let field = |name: &str| answer[name].as_str().map(str::to_owned).with_context(|| format!("no {name}"));
    Ok((field("id")?, field("joinToken")?))
}

/// User and system time of a process.
fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|ticks| ticks.parse::<f64>().ok()).unwrap_or_default();
    (ticks(11) + ticks(12)) / 100.0
}

/// Bytes of memory that a process holds.
fn rss(pid: u32) -> usize {
    let statm = std::fs::read_to_string(format!("/proc/{pid}/statm")).unwrap_or_default();
    statm.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4_096
}
