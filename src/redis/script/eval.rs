//! What a typed function asks of Redis to run its script.

use std::future::Future;

use bytes::Bytes;
use redis::Value;

use super::Script;

/// What the scripts ask of Redis. All keys of one call lie in one slot.
pub trait Eval: Sync {
    type Error: From<BadReply> + Send;

    /// Runs a script.
    fn eval(
        &self,
        script: &'static Script,
        keys: Vec<String>,
        args: Vec<Bytes>,
    ) -> impl Future<Output = Result<Value, Self::Error>> + Send;

    /// Runs a script whose effect must be on a replica, if there is one, before the call succeeds.
    fn eval_write(
        &self,
        script: &'static Script,
        keys: Vec<String>,
        args: Vec<Bytes>,
    ) -> impl Future<Output = Result<Value, Self::Error>> + Send;
}

/// A script answered in a form that its function does not know: a fault of ours.
#[derive(Debug, Clone, thiserror::Error)]
#[error("script {script} answered unexpectedly: {detail}")]
pub struct BadReply {
    pub script: &'static str,
    pub detail: String,
}
