//! The one script of the counter, as a typed function.

use std::time::Duration;

use convoke::cluster::scripts::scope::head;
use convoke::cluster::scripts::{Op, libraries};
use convoke::core::ScopeId;
use convoke::redis::keys;
use convoke::redis::script::{Eval, Reply, Script};

static CHANGE: Script = Script::with(
    "counter_change",
    &[libraries::SCOPE, libraries::LOG, libraries::DUE, libraries::MEMBERS],
    include_str!("counter_change.lua"),
);

pub enum Change<'a> {
    Add {
        step: u64,
        by: &'a str,
    },
    /// If it is time.
    Reset,
    /// None: the counter is only looked at.
    Look,
}

pub struct Changed {
    pub value: u64,
    /// The reset is not due yet.
    pub reset_in: Option<Duration>,
    pub heard: Option<u32>,
    pub listeners: u32,
    /// Users who are here, when it was looked at.
    pub here: Vec<String>,
}

pub async fn counter_change<E: Eval>(redis: &E, scope: &ScopeId, op: Op<'_>, change: Change<'_>) -> Result<Changed, E::Error> {
    let value = format!("counter:value:{{{}}}", scope.id);
    let at = vec![keys::scope_meta(scope), keys::scope_log(scope), keys::scope_due(scope), keys::scope_members(scope), value];
    let args = match change {
        Change::Add { step, by } => head(op, scope).int(step).owned(serde_json::Value::from(by).to_string()),
        Change::Reset => head(op, scope).text("reset").text("null"),
        Change::Look => head(op, scope).text("").text("null"),
    };
    let mut reply = Reply::new(CHANGE.name, redis.eval(&CHANGE, at, args.done()).await?)?;
    let mut changed = Changed {
        value: reply.uint()?,
        reset_in: reply.wait()?,
        heard: u32::try_from(reply.int()?).ok(),
        listeners: reply.uint()? as u32,
        here: Vec::new(),
    };
    while reply.left() > 0 {
        changed.here.push(reply.text()?);
    }
    Ok(changed)
}
