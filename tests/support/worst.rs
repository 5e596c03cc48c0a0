//! Every script at its worst legal input and state, and what Redis does for it: how many commands a script calls, how many
//! bytes it answers, and how long nobody else is served.

mod call;
mod realtime;
mod session;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use convoke::cluster::scripts::node::*;
use convoke::cluster::scripts::scope::*;
use convoke::cluster::scripts::session::*;
use convoke::cluster::scripts::{Op, Retention};
use convoke::core::wire::Form;
use convoke::core::{Position, StreamId};
use convoke::features::bookings::keys::slots_of_user;
use convoke::features::bookings::scripts::*;
use convoke::features::sos::keys as sos_keys;
use convoke::features::sos::kinds;
use convoke::features::sos::scripts::lookup::{LookupTurn, lookup_claim, sos_unknown};
use convoke::features::sos::scripts::outbox::*;
use convoke::features::sos::scripts::presence::*;
use convoke::features::sos::scripts::*;
use convoke::http::guards::limit::limit_take;
use convoke::protocol::event::Args;
use convoke::redis::keys::user_tag;
use convoke::redis::script::Eval;
use convoke::redis::script::Script;
use convoke::redis::{Redis, RedisConfig, RedisError, Value, cmd, keys};
use convoke::rooms::audit::{Line, room_audit, room_events};
use convoke::rooms::coalesce::{Newest, volatile_flush, volatile_send};
use convoke::rooms::history::{HistoryQuery, Message, room_history, room_message};
use convoke::rooms::lease::{lease_release, lease_take};
use convoke::rooms::presence::{Announcing, Connection, room_announce, room_join, room_leave, room_members, room_presence};
use convoke::rooms::relay::{Recipient, Relayed, SignalBody, room_relay};
use convoke::rooms::scripts::Sender;

use convoke::rooms::timers::scripts::*;

use super::redis::Server;

const HOUR_MS: u64 = 3_600_000;
const WINDOW_MS: u64 = 250;
/// What has gathered in one incident.
const MEMBERS: usize = 1_000;
const POINTS: usize = 18_500; // and those of two batches
const MESSAGES: usize = 5_000;
const REMEMBERED: usize = 20_000;
/// Rooms of one socket: `ROOMS_PER_SOCKET` allows no more.
const ROOMS: usize = 1_000;
/// Sockets of one user in one room: `SOCKETS_PER_USER` allows no more.
const SOCKETS: usize = 1_000;
const NODES: usize = 1_000;
const SLOTS: usize = 5_000;
/// Ids of what was said long ago.
const START: u64 = 1_000_000;
/// A character that JSON writes with six.
const LONG: &str = "\u{1}";

/// The most that one call of a script has cost.
#[derive(Clone, Copy, Debug, Default)]
pub struct Cost {
    /// Commands that the script called.
    pub calls: u64,
    /// Bytes of its answer.
    pub bytes: usize,
    /// Redis' own time, as its slow log has it.
    pub micros: u64,
    /// Time of a processor, which other programs do not make longer.
    pub cpu_micros: u64,
}

/// A Redis of its own that measures each call.
pub struct Meter {
    redis: Redis,
    worst: Mutex<BTreeMap<&'static str, Cost>>,
}

impl Meter {
    async fn new(server: &Server) -> Self {
        let hour = Duration::from_millis(HOUR_MS);
        let config = RedisConfig { lazy: false, ping: hour, refresh: hour, ..RedisConfig::new(server.url()) };
        Self { redis: Redis::connect(config).await.expect("a working Redis"), worst: Mutex::default() }
    }

    async fn ask(&self, words: &[&str]) -> Value {
        let mut command = cmd(words[0]);
        command.arg(&words[1..]);
        self.redis.command(command, "x").await.expect("an answer")
    }

    /// Commands since the last reset, but those of the measuring.
    async fn calls(&self) -> u64 {
        let stats = self.info("commandstats").await;
        let calls = stats.lines().filter_map(|line| {
            let (name, rest) = line.strip_prefix("cmdstat_")?.split_once(":calls=")?;
            let ours = ["evalsha", "eval", "info", "config", "slowlog", "script", "wait", "ping", "client"];
            let counts = !ours.contains(&name.split('|').next()?);
            counts.then(|| rest.split(',').next()?.parse::<u64>().ok())?
        });
        calls.sum()
    }

    /// What the thread that runs commands has used of a processor since the start.
    async fn cpu_micros(&self) -> u64 {
        let used = self.info("cpu").await;
        let of = |name: &str| used.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        let seconds = of("used_cpu_user_main_thread:").zip(of("used_cpu_sys_main_thread:")).map(|(user, sys)| user + sys);
        (seconds.expect("Redis 6.2 or later") * 1e6) as u64
    }

    async fn info(&self, section: &str) -> String {
        match self.ask(&["INFO", section]).await {
            Value::BulkString(text) => String::from_utf8(text).expect("text"),
            Value::VerbatimString { text, .. } => text,
            other => panic!("{other:?}"),
        }
    }

    /// The time of the script that ran last: the first time a connection sends its text, then its hash.
    async fn micros(&self) -> u64 {
        let Value::Array(entries) = self.ask(&["SLOWLOG", "GET", "16"]).await else { panic!("no slow log") };
        let scripts = entries.into_iter().filter_map(|entry| {
            let Value::Array(entry) = entry else { return None };
            let (Value::Int(micros), Value::Array(words)) = (&entry[2], &entry[3]) else { return None };
            let Value::BulkString(word) = &words[0] else { return None };
            [&b"eval"[..], b"evalsha"].iter().any(|script| word.eq_ignore_ascii_case(script)).then_some(*micros as u64)
        });
        scripts.max().expect("the slow log has every command")
    }
}

fn bytes(value: &Value) -> usize {
    match value {
        Value::BulkString(text) => text.len() + 6,
        Value::SimpleString(text) => text.len() + 3,
        Value::Array(items) => 4 + items.iter().map(bytes).sum::<usize>(),
        _ => 8,
    }
}

impl Eval for &Meter {
    type Error = RedisError;

    async fn eval(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        self.ask(&["SCRIPT", "LOAD", script.source()]).await;
        self.ask(&["CONFIG", "RESETSTAT"]).await;
        let (idle, before) = (self.cpu_micros().await, self.cpu_micros().await);
        self.ask(&["SLOWLOG", "RESET"]).await;
        let value = Eval::eval(&self.redis, script, keys, args).await?;
        // To ask for the time takes as much as it took before.
        let cpu_micros = (self.cpu_micros().await + idle).saturating_sub(2 * before);
        let cost = Cost { calls: self.calls().await, bytes: bytes(&value), micros: self.micros().await, cpu_micros };
        let mut worst = self.worst.lock().expect("no panic");
        let known = worst.entry(script.name).or_default();
        *known = Cost {
            calls: known.calls.max(cost.calls),
            bytes: known.bytes.max(cost.bytes),
            micros: known.micros.max(cost.micros),
            cpu_micros: known.cpu_micros.max(cost.cpu_micros),
        };
        Ok(value)
    }

    async fn eval_write(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        self.eval(script, keys, args).await
    }
}

/// The most that each script has cost, by its name.
pub async fn measure() -> BTreeMap<&'static str, Cost> {
    let server = Server::start(&["--slowlog-log-slower-than", "0"]);
    let meter = Meter::new(&server).await;
    let worst = Worst { meter: &meter };
    worst.gather().await;
    worst.positions().await;
    worst.talk().await;
    worst.rooms().await;
    worst.calls().await;
    worst.sessions().await;
    worst.answers().await;
    worst.scope().await;
    worst.life().await;
    worst.members().await;
    worst.index().await;
    worst.timers().await;
    worst.others().await;
    worst.realtime().await;
    meter.worst.into_inner().expect("no panic")
}

fn op<'a>(id: &'a str, client_message_id: &'a str) -> Op<'a> {
    Op { id, client_message_id, retention: Retention { window_ms: 120_000, log_ms: 215_000 }, extra: "", database: 0 }
}

/// An operation that was not there before.
fn once(client_message_id: &str) -> Op<'_> {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let next = NEXT.fetch_add(1, Ordering::Relaxed);
    let client_message_id = if client_message_id.is_empty() { "" } else { &*format!("{client_message_id}-{next}").leak() };
    op(format!("{}-{next}", CONNECTION.node).leak(), client_message_id)
}

fn plain() -> Op<'static> {
    op("", "")
}

fn user(n: usize) -> String {
    format!("{n:04}-0f6a-4a7e-9c4b-7d2f1e5a3b9c-x")
}

fn person(n: usize) -> (String, String) {
    (user(n), format!("s{n:020}"))
}

fn fix(device: String, time: u64) -> Fix {
    Fix {
        fields: format!(
            r#""latitude":14.5995124,"longitude":120.9842195,"accuracy":5.25,"heading":271.5,"speed":1.4,"altitude":16.25,"deviceId":"{device}""#
        ),
        latitude: "14.5995124".into(),
        longitude: "120.9842195".into(),
        device,
        time: Some(time),
        address: None,
    }
}

const INTAKE: Intake<'static> = Intake { throttle_ms: 0, connection: "a-connection-of-20-c", devices: 64 };
const CONNECTION: Connection<'static> = Connection { node: "node-1.abcdefgh", session_epoch: 1 };
const JOINING: Joining<'static> = Joining { connection: CONNECTION, from_connect: false, recovered: false, most: SOCKETS as u32 };
const TIMERS: FirstTimers = FirstTimers { ack: Duration::from_secs(60), lookup: Some(Duration::from_secs(30)) };
const LOST: LostTimer = LostTimer { name: "offline", after: Duration::from_secs(5) };
const DISPATCHER: Actor<'static> =
    Actor { user: "dispatcher", role: "dispatcher", named: false, sid: "s-dispatcher", source: Source::Socket };

struct Worst<'a> {
    meter: &'a Meter,
}

impl Worst<'_> {
    async fn put(&self, word: &'static str, key: &str, lead: &[&str], parts: Vec<[String; 2]>) {
        for part in parts.chunks(500) {
            let mut command = cmd(word);
            command.arg(key);
            command.arg(lead);
            command.arg(part.iter().flatten().collect::<Vec<_>>());
            self.meter.redis.command(command, key).await.expect("an answer");
        }
    }

    async fn append(&self, key: &str, start: u64, count: usize, fields: impl Fn(usize) -> Vec<(&'static str, String)>) {
        // Not all at once: each has a deadline.
        for from in (0..count).step_by(2_000) {
            let adds = (from..count.min(from + 2_000)).map(|n| {
                let mut command = cmd("XADD");
                command.arg(key).arg(format!("{}-0", start + n as u64));
                for (field, value) in fields(n) {
                    command.arg(field).arg(value);
                }
                self.meter.redis.command(command, key)
            });
            futures_util::future::try_join_all(adds).await.expect("answers");
        }
    }

    /// An incident in which everything has gathered: `worst`. It is copied for what has its effect only once.
    async fn gather(&self) {
        let now = self.now().await;
        let record = Record { citizen: Some("0000"), ..Record::default() };
        sos_create(&self.meter.redis, "worst", plain(), record, None, TIMERS).await.expect("an answer");
        let mut state = Vec::new();
        let (mut members, mut location) = (Vec::new(), Vec::new());
        for n in 0..MEMBERS {
            let ((user, sid), key) = (person(n), user_tag(&user(n)));
            state.push([format!("r:{key}"), format!("en_route {now} {now} 0 {user}")]);
            state.push([format!("ra:{key}"), now.to_string()]);
            state.push([format!("adm:{key}"), "rescuer".into()]);
            members.push([sid, format!("{key} rescuer {} 1 {now} {now}", CONNECTION.node)]);
            members.push([format!("@{key}"), format!("rescuer {now} 1 1 {user}")]);
            let fields = format!(r#""userId":"{user}","role":"rescuer",{}"#, fix(user.clone(), 1).fields);
            location.push([format!("f:{key}"), format!("{now} {now} rescuer {key}\n{fields}")]);
            location.push([format!("w:{key}"), format!("{} 1 {now} 1 1 1", now - 5000)]);
            location.push([format!("s:{key}"), format!("{key}:{now}:{now} .{key}:{now}:{now}")]);
        }
        self.put("HSET", &sos_keys::state("worst"), &[], state).await;
        self.put("HSET", &keys::scope_members(&kinds::scope("worst")), &[], members).await;
        self.put("HSET", &sos_keys::location("worst"), &[], location).await;
        // All at one moment.
        let fields = fix(user(0), 1).fields;
        let point = |n: usize| {
            format!("{} {} {} {now}\n\"userId\":\"{}\",{fields}", user_tag(&user(0)), user_tag(&n.to_string()), now - 9, user(0))
        };
        let track = (0..POINTS).map(|n| [(now - 9).to_string(), point(n)]).collect();
        self.put("ZADD", &sos_keys::track("worst"), &[], track).await;
        self.append(&sos_keys::messages("worst"), START, MESSAGES, |_| {
            vec![("u", user(0)), ("r", "citizen".into()), ("t", LONG.repeat(4000)), ("c", "c".repeat(64)), ("s", now.to_string())]
        })
        .await;
        self.append(&sos_keys::events("worst"), now + HOUR_MS, 4_000, |_| {
            let blank = [("e", "status"), ("u", "u"), ("r", "r"), ("s", "s"), ("c", "socket"), ("t", "1")];
            let mut fields: Vec<_> = blank.into_iter().map(|(field, value)| (field, value.to_owned())).collect();
            fields.extend([("n", "ä".repeat(1000)), ("st", "active".into()), ("o", "active".into())]);
            fields
        })
        .await;
        self.append(&sos_keys::outbox("worst"), now + HOUR_MS, 64, |_| {
            vec![("e", "presence".into()), ("u", String::new()), ("d", "x".repeat(130_000)), ("t", "1".into())]
        })
        .await;
        let remembered = (0..REMEMBERED).map(|n| [format!("op:node-{n}"), "x".repeat(60)]);
        let owed = (0..64).map(|n| [format!("w:{n}-0"), "y".repeat(6_000)]);
        let listed = (0..64).map(|n| format!("{n}-0")).collect::<Vec<_>>().join(" ");
        let meta = remembered.chain(owed).chain([["wo".to_owned(), listed]]).collect();
        self.put("HSET", &keys::scope_meta(&kinds::scope("worst")), &[], meta).await;
        self.log("worst", now - 100_000, 2_000).await;
    }

    /// What is logged next makes the log too long.
    async fn fill_log(&self, sos: &str) {
        let marks = (1..=128).map(|n| [format!("lm:{n}"), format!("{n}-0")]);
        let meta = marks.chain([["lb".to_owned(), (129 * 1_048_576 - 10).to_string()]]).collect();
        self.put("HSET", &keys::scope_meta(&kinds::scope(sos)), &[], meta).await;
    }

    /// A log of signals of their full size.
    async fn log(&self, sos: &str, start: u64, count: usize) {
        self.append(&keys::scope_log(&kinds::scope(sos)), start, count, |n| {
            vec![("b", format!("* - - -\n{}", "x".repeat(if n % 8 == 0 { 65_536 } else { 400 })))]
        })
        .await;
        let meta = vec![["last".to_owned(), format!("{}-0", start + count as u64 - 1)]];
        self.put("HSET", &keys::scope_meta(&kinds::scope(sos)), &[], meta).await;
    }

    async fn now(&self) -> u64 {
        let Value::Array(time) = self.meter.ask(&["TIME"]).await else { panic!("no time") };
        let Value::BulkString(seconds) = &time[0] else { panic!("no seconds") };
        std::str::from_utf8(seconds).expect("digits").parse::<u64>().expect("digits") * 1000
    }

    /// Copies the incident but for its logs of text, which these scripts do not read.
    async fn copy(&self, to: &str) {
        let key = |sos: &str| {
            let scope = kinds::scope(sos);
            let of_scope = [keys::scope_meta(&scope), keys::scope_members(&scope)];
            let of_sos = [sos_keys::state(sos), sos_keys::location(sos)];
            of_scope.into_iter().chain(of_sos).collect::<Vec<_>>()
        };
        for (from, to) in key("worst").iter().zip(key(to)) {
            self.meter.ask(&["COPY", from, &to]).await;
        }
    }

    async fn positions(&self) {
        let (meter, now) = (self.meter, self.now().await);
        let (name, sid) = person(0);
        let actor = Actor { user: &name, role: "rescuer", named: true, sid: &sid, source: Source::Socket };
        let moment = |batch: u32| (0..500).map(move |n| fix(format!("{batch}-{n}"), now - 9)).collect::<Vec<_>>();
        for batch in [1, 2, 1] {
            let batched = sos_batch(&meter, "worst", once("b"), actor, INTAKE, &moment(batch)).await;
            assert!(batched.expect("an answer").is_ok());
            let again = sos_batch(&meter, "worst", plain(), actor, INTAKE, &moment(batch)).await;
            assert_eq!(again.expect("an answer").map(|batched| batched.duplicates), Ok(500));
        }
        for n in 0..70 {
            let located = sos_location(&meter, "worst", once("l"), actor, INTAKE, &fix(format!("new-{n}"), now - 9)).await;
            assert!(located.expect("an answer").is_ok());
        }
        for user in [None, Some(&*name), Some("nobody")] {
            assert!(sos_track(&meter, "worst", user, 0, None, 10_000).await.expect("an answer").is_some());
        }
        assert_eq!(sos_locations(&meter, "worst").await.expect("an answer").len(), MEMBERS);
        assert!(sos_snapshot(&meter, "worst").await.expect("an answer").is_some());
        self.copy("flush").await;
        assert!(sos_flush(&meter, "flush", once(""), 1000, Some(&user(1))).await.expect("an answer").sent == 1);
        // As many as one call sends, until the last call has looked at all.
        while sos_flush(&meter, "flush", once(""), HOUR_MS, None).await.expect("an answer").sent > 0 {}
    }

    async fn talk(&self) {
        let meter = self.meter;
        let (name, sid) = person(0);
        let actor = Actor { user: &name, role: "rescuer", named: true, sid: &sid, source: Source::Socket };
        let sent = sos_message(&meter, "worst", once("m"), actor, &LONG.repeat(4000)).await;
        assert!(sent.expect("an answer").is_ok());
        assert!(sos_history(&meter, "worst", actor, HistoryQuery { before: None, limit: 100 }).await.expect("an answer").is_ok());
        let signal = format!(r#"["signal",{{"payload":"{}"}}]"#, "x".repeat(65_536));
        let body = SignalBody { lengths: "-".into(), bytes: signal.into() };
        self.fill_log("worst").await;
        let relayed = sos_relay(&meter, "worst", once("r"), actor, Recipient::Named(&user(999)), &body).await;
        assert!(relayed.expect("an answer").is_ok());
        assert!(sos_events(&meter, "worst", None, 1000).await.expect("an answer").is_some());
        sos_audit(&meter, "worst", actor, "location:update", "RATE_LIMITED").await.expect("an answer");
        let OutboxHead::Held { entries, .. } = outbox_claim(&meter, "worst", "me", HOUR_MS, 16).await.expect("an answer") else {
            panic!("somebody else delivers")
        };
        outbox_done(&meter, "worst", "me", entries[0].id).await.expect("an answer");
        outbox_dead(&meter, "worst", "me", entries[1].id, "422").await.expect("an answer");
        outbox_release(&meter, "worst", "me").await.expect("an answer");
        let copies = watch_pending(&meter, "worst").await.expect("an answer");
        assert!(watch_pending_all(&meter, "worst").await.expect("an answer").len() >= 64);
        watch_forwarded(&meter, "worst", &copies.iter().map(|copy| &*copy.id).collect::<Vec<_>>()).await.expect("an answer");
    }

    /// The scripts of rooms without rules of their own, in the same scope.
    async fn rooms(&self) {
        let (meter, scope) = (self.meter, kinds::scope("worst"));
        let ((name, sid), other) = (person(0), user(999));
        let sender = Sender { user: &name, role: "rescuer", sid: &sid, source: "socket" };
        let body = SignalBody { lengths: "-".into(), bytes: "x".repeat(65_600).into() };
        self.fill_log("worst").await;
        let relayed = room_relay(&meter, &scope, once("r"), sender, Recipient::Named(&other), body).await;
        assert!(matches!(relayed, Ok(Relayed::Sent(_))));
        let text = LONG.repeat(4000);
        let message = Message { event: "message", head: r#""room":"worst""#, sender: r#""userId":"x""#, text: &text };
        let stream = sos_keys::messages("worst");
        let sent = room_message(&meter, &scope, &stream, once("m"), sender, message, true).await.expect("an answer");
        assert!(sent.is_some());
        let query = HistoryQuery { before: None, limit: 100 };
        assert!(room_history(&meter, &scope, &stream, Some(&sid), query).await.expect("an answer").is_some());
        let trail = sos_keys::events("worst");
        let line = Line { event: "status", note: "note", ..Line::default() };
        for refused in [false, true] {
            room_audit(&meter, &scope, &trail, sender, line, refused).await.expect("an answer");
        }
        assert!(room_events(&meter, &trail, None, 1000).await.expect("an answer").more);
        let announcing = Announcing { window: Duration::ZERO, grace: Duration::ZERO, timer: "gone", head: r#""room":"worst""# };
        let connection = CONNECTION;
        self.copy("room").await;
        let scope_of_room = kinds::scope("room");
        for n in 0..MEMBERS {
            let (name, sid) = self::person(n);
            let sender = Sender { user: &name, role: "rescuer", sid: &sid, source: "socket" };
            if n < 5 {
                room_join(&meter, &scope_of_room, once(""), sender, connection, false, announcing).await.expect("an answer");
                assert!(room_members(&meter, &scope_of_room).await.expect("an answer").1.len() >= MEMBERS);
            }
            let redis = &self.meter.redis;
            let left = if n < 3 {
                room_leave(&meter, &scope_of_room, once(""), sender, connection, Some(1), announcing).await
            } else {
                room_leave(redis, &scope_of_room, once(""), sender, connection, Some(1), announcing).await
            };
            assert!(left.expect("an answer").is_some());
        }
        for _ in 0..3 {
            room_presence(&meter, &scope_of_room, once(""), announcing).await.expect("an answer");
        }
        room_announce(&meter, &scope_of_room, once(""), announcing).await.expect("an answer");
        let args = Args::event("moved", &format!("\"{}\"", "x".repeat(60_000)));
        let newest = Newest { key: "k", window: Duration::from_millis(HOUR_MS), except: None, args: &args };
        let hash = sos_keys::location("room");
        for _ in 0..2 {
            volatile_send(&meter, &scope_of_room, &hash, once(""), newest).await.expect("an answer");
        }
        volatile_flush(&meter, &scope_of_room, &hash, once(""), "k", Duration::ZERO).await.expect("an answer");
        lease_take(&meter, &scope, "lease:x", "me", HOUR_MS, None).await.expect("an answer");
        assert!(lease_release(&meter, &scope, "lease:x", "me").await.expect("an answer"));
    }

    async fn scope(&self) {
        let (meter, scope) = (self.meter, kinds::scope("worst"));
        let none = Position::new("", StreamId::default());
        let log = scope_read(&meter, &scope, &none, 1).await.expect("an answer");
        let start = Position::new(log.epoch, log.trimmed);
        assert!(!scope_read(&meter, &scope, &start, 1000).await.expect("an answer").entries.is_empty());
        let people: Vec<_> = (0..MEMBERS).map(person).collect();
        let member = |(user, sid): &'_ (String, String)| -> Member<'static> {
            let (user, sid) = (user.clone().leak(), sid.clone().leak());
            Member { sid, user, role: "rescuer", node: CONNECTION.node, session_epoch: 1 }
        };
        let members: Vec<_> = people.iter().map(member).collect();
        assert!(scope_touch(&meter, &scope, &members).await.expect("an answer").is_empty());
        assert!(!scope_attach(&meter, &scope, CONNECTION.node, Some(&start), 100, &members, true).await.expect("a log").reset);
        // In a Redis that came back empty.
        let lost = kinds::scope("lost");
        assert_eq!(
            scope_attach(&meter, &lost, CONNECTION.node, Some(&start), 100, &members, true).await.expect("a log").entries,
            []
        );
        let watch = kinds::watch();
        scope_join(&meter, &watch, once(""), members[0]).await.expect("an answer");
        let body = Bytes::from(format!("* - - -\n[\"sos:created\",\"{}\"]", "x".repeat(393_216)));
        scope_publish(&meter, &watch, once("p"), "", Durability::Logged, body).await.expect("an answer");
        scope_leave(&meter, &watch, members[0]).await.expect("an answer");
        scope_detach(&meter, &watch, CONNECTION.node).await.expect("an answer");
        self.copy("reap").await;
        scope_reap(&meter, &kinds::scope("reap"), CONNECTION.node, 0, Some(LOST)).await.expect("an answer");
    }

    async fn life(&self) {
        let meter = self.meter;
        let (name, sid) = person(1);
        let actor = Actor { user: &name, role: "rescuer", named: true, sid: &sid, source: Source::Socket };
        for (sos, actor, status) in
            [("worst", actor, "responding"), ("worst", DISPATCHER, "arrived"), ("ended", DISPATCHER, "fake")]
        {
            self.copy("ended").await;
            let set = sos_status(&meter, sos, once("s"), actor, Judged::Client, status, Some(&"ä".repeat(1000))).await;
            assert!(set.expect("an answer").is_ok_and(|set| !set.unchanged), "{status}");
        }
        assert!(sos_acknowledge(&meter, "worst", once("a"), actor).await.expect("an answer").is_ok());
        self.copy("closed").await;
        let closed = sos_close(&meter, "closed", once("c"), DISPATCHER, Some(&"ä".repeat(1000))).await;
        assert!(closed.expect("an answer").is_ok_and(|set| set.ended));
        self.copy("expired").await;
        assert!(matches!(sos_expire(&meter, "expired", once(""), 0).await.expect("an answer"), Swept::Expired(_)));
        self.copy("silent").await;
        self.meter.ask(&["HDEL", &sos_keys::state("silent"), "ackBy", "ackAt"]).await;
        let told = sos_unacknowledged(&meter, "silent", once(""), 0).await.expect("an answer");
        assert!(matches!(told, Unacknowledged::Announced(_)));
        self.copy("unknown").await;
        self.meter.ask(&["HSET", &sos_keys::state("unknown"), "prov", "1"]).await;
        assert_eq!(lookup_claim(&meter, "unknown", 1000).await.expect("an answer"), LookupTurn::Taken);
        for _ in 0..2 {
            sos_unknown(&meter, "unknown", once(""), true).await.expect("an answer");
        }
        // The state comes when a thousand members wait for it.
        self.copy("made").await;
        self.meter.ask(&["DEL", &sos_keys::state("made")]).await;
        let address = format!(r#"{{"city":"{}"}}"#, "ä".repeat(200));
        let record = Record { citizen: Some("0000"), address: Some(&address), ..Record::default() };
        let made = sos_create(&meter, "made", once(""), record, Some(&fix(String::new(), 1)), TIMERS).await.expect("an answer");
        assert!(made.created);
        self.copy("over").await;
        self.meter.ask(&["HSET", &sos_keys::state("over"), "prov", "1"]).await;
        let record = Record { status: Some("closed"), ..record };
        assert!(sos_complete(&meter, "over", once(""), record, TIMERS).await.expect("an answer").completed);
    }

    async fn members(&self) {
        let meter = self.meter;
        let (name, sid) = person(MEMBERS);
        let actor = Actor { user: &name, role: "rescuer", named: true, sid: &sid, source: Source::Socket };
        self.copy("joined").await;
        assert!(matches!(
            sos_join(&meter, "joined", once(""), actor, JOINING, WINDOW_MS, true).await.expect("an answer"),
            SosJoin::Joined(_)
        ));
        assert!(sos_standing(&meter, "joined", actor).await.expect("an answer").is_some());
        assert!(sos_leave(&meter, "joined", once(""), actor, CONNECTION, WINDOW_MS).await.expect("an answer").is_some());
        // One user has all the sockets that one may have.
        let (members, key) = (keys::scope_members(&kinds::scope("joined")), user_tag(&user(2)));
        let now = self.now().await;
        let sockets = (0..SOCKETS).map(|n| [format!("t{n:020}"), format!("{key} rescuer {} 1 {now} {now}", CONNECTION.node)]);
        let sockets = sockets.chain([[format!("@{key}"), format!("rescuer {now} {SOCKETS} 1 {}", user(2))]]);
        self.put("HSET", &members, &[], sockets.collect()).await;
        let (two, sid) = (user(2), "another");
        let crowd = Actor { user: &two, sid, ..actor };
        let crowded = sos_join(&meter, "joined", once(""), crowd, JOINING, WINDOW_MS, true).await.expect("an answer");
        assert!(matches!(crowded, SosJoin::Crowded), "{crowded:?}");
        assert!(sos_admit(&meter, "joined", once(""), &user(2), "citizen", WINDOW_MS).await.expect("an answer").is_ok());
        assert!(sos_remove(&meter, "joined", once(""), &user(2), WINDOW_MS).await.expect("an answer").is_ok());
        // All are lost at once.
        self.copy("left").await;
        scope_reap(&self.meter.redis, &kinds::scope("left"), CONNECTION.node, 1, Some(LOST)).await.expect("an answer");
        for _ in 0..6 {
            sos_presence(&meter, "left", once(""), 0, 0).await.expect("an answer");
        }
        assert!(sos_share(&meter, "left").await.expect("an answer").is_some());
    }

    async fn index(&self) {
        let meter = self.meter;
        let now = self.now().await;
        let sockets = (0..10_000).map(|n| [format!("s{n}"), format!("node-1.abcdefgh 1 rescuer {now} sos:{}", "i".repeat(128))]);
        let sockets = sockets.chain([["@".to_owned(), now.to_string()]]).collect();
        self.put("HSET", &sos_keys::user_presence("many"), &[], sockets).await;
        presence_set(&meter, "many", "new", CONNECTION.node, 1, "rescuer", "").await.expect("an answer");
        assert!(presence_read(&meter, "many").await.expect("an answer").sockets.len() >= 255);
        presence_remove(&meter, "many", "new", CONNECTION.node, 1).await.expect("an answer");

        let at = |n: usize| (kinds::scope(&format!("{n:0128}")), Position::new("abcdefgh", StreamId { ms: now, seq: 0 }));
        let session = SessionRecord {
            sid: "s".repeat(20),
            namespace: "/".into(),
            user: "u".repeat(128),
            role: "rescuer".into(),
            told: true,
            rooms: (0..ROOMS).map(at).collect(),
            sent: vec![b'x'; 100_000].into(),
            ..SessionRecord::default()
        };
        let owner = Owner { node: CONNECTION.node, epoch: 1 };
        assert!(session_write(&meter, "p", owner, HOUR_MS, &session, Some("sos:x.e.1-0")).await.expect("an answer"));
        let who = (&*session.user, &*session.role);
        let claimed = session_claim(&meter, "p", "op", who, "node-2.abcdefgh", HOUR_MS, Some("sos:x.e.1-0")).await;
        assert!(matches!(claimed.expect("an answer"), SessionClaim::Claimed(claimed) if claimed.session.rooms.len() == ROOMS));
        let owner = Owner { node: "node-2.abcdefgh", epoch: 2 };
        assert!(session_end(&meter, "p", owner).await.expect("an answer"));
        for _ in 0..12 {
            limit_take(&meter, "route", &"c".repeat(128), 1_000_000, 86_400_000).await.expect("an answer");
        }
    }

    async fn timers(&self) {
        let (meter, now) = (self.meter, self.now().await);
        let name = |n: usize| format!("sos:{n:0128}");
        self.put("ZADD", &keys::timers(1), &[], (0..10_000).map(|n| [(now - 9_000).to_string(), name(n)]).collect()).await;
        let taken = timers_take(&meter, 1, 64, Duration::from_millis(500)).await.expect("an answer");
        assert_eq!(taken.len(), 64);
        let settled: Vec<_> = taken.into_iter().map(|taken| Settled { taken, next: None }).collect();
        assert_eq!(timers_settle(&meter, 1, &settled).await.expect("an answer"), 64);
        let scope = kinds::scope("timers");
        timers_hint(&meter, 1, &scope, Duration::ZERO).await.expect("an answer");
        let row = |n: usize| format!("timer {}", user(n));
        self.put("ZADD", &keys::scope_due(&scope), &[], (0..10_000).map(|n| [now.to_string(), row(n)]).collect()).await;
        assert_eq!(due_read(&meter, &scope, 32).await.expect("an answer").rows.len(), 32);
        due_set(&meter, &scope, &row(1), Some(Duration::ZERO)).await.expect("an answer");
        due_set(&meter, &scope, &row(1), None).await.expect("an answer");
    }

    async fn others(&self) {
        let (meter, now) = (self.meter, self.now().await);
        let lease = |n: usize| format!("{now} tag12345 1 0 127.0.0.1:{n}");
        let nodes = (0..NODES).flat_map(|n| {
            [[format!("node-{n}.abcdefgh"), lease(n)], [format!("x:node-{n}.abcdefgh"), format!("{} {now}", now - 2 * HOUR_MS)]]
        });
        self.put("HSET", &keys::cluster_nodes("p"), &[], nodes.collect()).await;
        let labels: Vec<_> = (0..NODES).map(|n| format!("node-{n}")).collect();
        let labels: Vec<_> = labels.iter().map(|label| &**label).collect();
        let (node, label) = ("node-x.abcdefgh", "node-x");
        let address = Some("127.0.0.1:7946".parse().expect("an address"));
        let lease = Lease {
            node,
            label,
            tag: "tag12345",
            address,
            secret: true,
            started: 5,
            connections: 7,
            draining: false,
            form: Form::NEWEST,
            lease_ms: 10_000,
        };
        assert_eq!(node_renew(&meter, "p", lease).await.expect("an answer"), Renewed::Ok);
        assert_eq!(node_list(&meter, "p", &labels).await.expect("an answer").nodes.len(), NODES + 1);
        assert!(node_certify(&meter, "p", node, label, true).await.expect("an answer"));
        node_forget(&meter, "p", node).await.expect("an answer");

        let ids: Vec<_> = (0..SLOTS).map(|n| (format!("ABC-{n:04}-XYZ"), user(n % 700))).collect();
        let session = |(id, user): &'_ (String, String)| -> ActiveBooking<'static> {
            ActiveBooking { id: id.clone().leak(), user: user.clone().leak(), ends_ms: now + HOUR_MS }
        };
        let active: Vec<_> = ids.iter().map(session).collect();
        assert!(slots_rebuild(&meter, &active).await.expect("an answer"));
        assert_eq!(slots_list(&meter).await.expect("an answer").slots.len(), SLOTS);
        // Removed by somebody who did not know whose they were.
        let unknown: Vec<_> = (0..400).map(|n| [(now + HOUR_MS).to_string(), format!("gone-{n}")]).collect();
        self.put("ZADD", &slots_of_user("u"), &[], unknown).await;
        let limits = SlotLimits { all: 1_000_000, per_user: 1_000 };
        let reserved = slot_reserve(&meter, "new", "u", limits, HOUR_MS).await.expect("an answer");
        assert!(matches!(reserved, Reserved::Ok { .. }), "{reserved:?}");
        slot_confirm(&meter, ActiveBooking { id: "new", user: "u", ends_ms: now + HOUR_MS }).await.expect("an answer");
        assert!(slot_release(&meter, "new", "u", None).await.expect("an answer"));
        let orphans: Vec<_> = active.iter().map(|of| Orphan { id: of.id, user: Some(of.user), ends_ms: of.ends_ms }).collect();
        slots_repair(&meter, &active[..500], &orphans[500..1500]).await.expect("an answer");
    }
}
