//! Tries at each master what the hub does there, step by step: for `convoke check`, which tells what is refused and why.

use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{Cmd, Value, cmd};

use super::dial::{Dial, Node};
use super::keys;
use super::refusals::harmless;
use super::script::Script;
use super::survey::Text as _;
use super::topology::Table;

/// How long a key of the trial lives, should it not be deleted.
const LIVES_MS: u64 = 10_000;
/// For one step.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes and reads the types that the scripts of the hub use. KEYS 1 a key of the trial. Returns OK.
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

/// What became of it at one master.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// `host:port`.
    pub master: String,
    /// `None` if it does not say.
    pub version: Option<String>,
    /// What was tried in vain, with Redis' own words.
    pub refused: Vec<(&'static str, String)>,
    /// What works and is still worth a word.
    pub notes: Vec<String>,
}

pub(super) async fn try_out(dial: &Dial, table: &Table) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (master, slot) in table.first_slots() {
        trials.push(at(dial, &master.node, slot).await);
    }
    trials
}

async fn at(dial: &Dial, node: &Node, slot: u16) -> Trial {
    let mut trial = Trial { master: node.to_string(), version: None, refused: Vec::new(), notes: Vec::new() };
    let link = match dial.link(node, None, |_| {}).await {
        Ok(link) => link,
        Err(error) => {
            let words = error.code().map(|code| format!("{code} {}", harmless(error.detail().unwrap_or_default())));
            trial.refused.push(("a connection", words.unwrap_or_else(|| error.to_string())));
            return trial;
        }
    };
    if link.name.is_none() {
        trial.notes.push("CLIENT INFO is refused: a connection that hangs cannot be ended when it is replaced".into());
    }
    let place = keys::tag_in_slot(slot);
    let (key, channel) = (keys::trial(&place), keys::trial_channel(&place));
    let mut con = link.con;
    let mut evalsha = cmd("EVALSHA");
    evalsha.arg(SCRIPT.sha()).arg(1).arg(&key);
    let steps = [
        ("INFO", cmd("INFO").arg("server").to_owned()),
        ("writes", cmd("SET").arg(&key).arg(1).arg("PX").arg(LIVES_MS).to_owned()),
        ("scripts (EVAL)", cmd("EVAL").arg(SCRIPT.source()).arg(1).arg(&key).to_owned()),
        ("scripts (EVALSHA)", evalsha),
        ("publishing (SPUBLISH)", cmd("SPUBLISH").arg(&channel).arg("").to_owned()),
        ("WAIT", cmd("WAIT").arg(0).arg(1).to_owned()),
        ("subscribing (SSUBSCRIBE)", cmd("SSUBSCRIBE").arg(&channel).to_owned()),
        ("unsubscribing (SUNSUBSCRIBE)", cmd("SUNSUBSCRIBE").arg(&channel).to_owned()),
    ];
    for (what, step) in steps {
        match ask(&mut con, &step).await {
            Ok(answer) if what == "INFO" => trial.version = field(&answer, "redis_version"),
            Ok(_) => {}
            Err(words) => trial.refused.push((what, words)),
        }
    }
    trial.notes.extend(evicts(&mut con).await);
    trial
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
    match tokio::time::timeout(PATIENCE, con.send_packed_command(step)).await {
        Ok(Ok(Value::ServerError(error))) => Err(format!("{} {}", error.code(), harmless(error.details().unwrap_or_default()))),
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
