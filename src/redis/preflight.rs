//! For `convoke check`: tries on each master, step by step, the commands that the hub needs, and reports what is refused and why.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Value, cmd};

use super::dial::{Address, Dial};
use super::discovery::Text as _;
use super::keys;
use super::refusals::without_arguments;
use super::script::Script;
use super::topology::Table;

/// When the key that is written here expires by itself.
const KEY_LIVES_MS: u64 = 10_000;
/// How long one step may take.
const STEP_TIMEOUT: Duration = Duration::from_secs(2);

/// Writes and reads the types that the hub's scripts use. KEYS 1 a key to write. Returns OK.
static SCRIPT: Script = Script::new(
    "trial",
    "local key, call = KEYS[1], redis.call
     call('TIME')
     call('SET', key, 1, 'PX', 10000) call('GET', key) call('DEL', key)
     call('HSET', key, 'a', 1) call('HMGET', key, 'a') call('PEXPIRE', key, 10000) call('DEL', key)
     call('SADD', key, 'a') call('SMEMBERS', key) call('DEL', key)
     call('ZADD', key, 1, 'a') call('ZRANGE', key, 0, -1) call('DEL', key)
     call('XADD', key, '*', 'a', 1) call('XRANGE', key, '-', '+') call('DEL', key)
     return redis.status_reply('OK')",
);

/// The result for one master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MasterReport {
    /// `host:port`.
    pub master: String,
    /// `None` if it does not say.
    pub version: Option<String>,
    /// What was refused, with the error's text from Redis.
    pub refused: Vec<(&'static str, String)>,
    /// What works but the operator should know.
    pub notes: Vec<String>,
}

pub(super) async fn run(dial: &Dial, table: &Table) -> Vec<MasterReport> {
    let mut reports = Vec::new();
    for (master, slot) in table.first_slots() {
        reports.push(at(dial, &master.address, slot).await);
    }
    reports
}

async fn at(dial: &Dial, address: &Address, slot: u16) -> MasterReport {
    let mut report = MasterReport { master: address.to_string(), version: None, refused: Vec::new(), notes: Vec::new() };
    let link = match dial.link(address, None, |_| {}).await {
        Ok(link) => link,
        Err(error) => {
            let words = error.code().map(|code| format!("{code} {}", without_arguments(error.detail().unwrap_or_default())));
            report.refused.push(("a connection", words.unwrap_or_else(|| error.to_string())));
            return report;
        }
    };
    if link.name.is_none() {
        report.notes.push("CLIENT INFO is refused: a connection that hangs cannot be ended when it is replaced".into());
    }
    let place = keys::tag_in_slot(slot);
    let (key, channel) = (keys::trial(&place), keys::trial_channel(&place));
    let mut con = link.con;
    let mut evalsha = cmd("EVALSHA");
    evalsha.arg(SCRIPT.sha()).arg(1).arg(&key);
    let steps = [
        ("INFO", cmd("INFO").arg("server").to_owned()),
        ("writes", cmd("SET").arg(&key).arg(1).arg("PX").arg(KEY_LIVES_MS).to_owned()),
        ("scripts (EVAL)", cmd("EVAL").arg(SCRIPT.source()).arg(1).arg(&key).to_owned()),
        ("scripts (EVALSHA)", evalsha),
        ("publishing (SPUBLISH)", cmd("SPUBLISH").arg(&channel).arg("").to_owned()),
        ("WAIT", cmd("WAIT").arg(0).arg(1).to_owned()),
        ("subscribing (SSUBSCRIBE)", cmd("SSUBSCRIBE").arg(&channel).to_owned()),
        ("unsubscribing (SUNSUBSCRIBE)", cmd("SUNSUBSCRIBE").arg(&channel).to_owned()),
    ];
    for (what, step) in steps {
        match ask(&mut con, &step).await {
            Ok(answer) if what == "INFO" => report.version = field(&answer, "redis_version"),
            Ok(_) => {}
            Err(words) => report.refused.push((what, words)),
        }
    }
    report.notes.extend(evicts(&mut con).await);
    report
}

/// A memory limit at which Redis throws out keys makes rooms vanish without an error.
async fn evicts(con: &mut MultiplexedConnection) -> Option<String> {
    let memory = ask(con, cmd("INFO").arg("memory")).await.ok()?;
    let limited = field(&memory, "maxmemory").is_some_and(|bytes| bytes != "0");
    let policy = field(&memory, "maxmemory_policy").filter(|policy| policy != "noeviction")?;
    limited
        .then(|| format!("maxmemory-policy is {policy}: at its limit it loses data silently; noeviction refuses writes instead"))
}

/// The answer, or the error in Redis' words.
async fn ask(con: &mut MultiplexedConnection, step: &Cmd) -> Result<Value, String> {
    match tokio::time::timeout(STEP_TIMEOUT, con.send_packed_command(step)).await {
        Ok(Ok(Value::ServerError(error))) => {
            Err(format!("{} {}", error.code(), without_arguments(error.details().unwrap_or_default())))
        }
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".into()),
    }
}

/// A line `name:value` of an answer of INFO.
fn field(info: &Value, name: &str) -> Option<String> {
    let text = info.text()?;
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'))?;
    Some(value.trim().to_owned())
}
