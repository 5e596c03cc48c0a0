//! The hub's own client runs the scripts.

use bytes::Bytes;

use super::{BadReply, Eval, Script};
use crate::redis::{Redis, RedisError, Value};

impl Eval for Redis {
    type Error = RedisError;

    async fn eval(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Redis::eval(self, script, &keys, args).await
    }

    async fn eval_write(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        Redis::eval_write(self, script, &keys, args).await
    }
}

/// Runs scripts that only read over the reader connection, so that a long log does not hold up the writes.
#[derive(Clone, Copy)]
pub struct OnReader<'a>(pub &'a Redis);

impl Eval for OnReader<'_> {
    type Error = RedisError;

    async fn eval(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        self.0.eval_on_reader(script, &keys, args).await
    }

    /// A write belongs on the other connection; it is sent there.
    async fn eval_write(&self, script: &'static Script, keys: Vec<String>, args: Vec<Bytes>) -> Result<Value, RedisError> {
        Eval::eval_write(self.0, script, keys, args).await
    }
}

impl From<BadReply> for RedisError {
    fn from(bad: BadReply) -> Self {
        Self::Script { code: "BADREPLY".into(), message: bad.to_string() }
    }
}
