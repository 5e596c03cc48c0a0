//! The hub's own client runs the scripts.

use bytes::Bytes;

use super::{BadReply, Eval};
use crate::redis::script::Script;
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

impl From<BadReply> for RedisError {
    fn from(bad: BadReply) -> Self {
        Self::Script { code: "BADREPLY".into(), message: bad.to_string() }
    }
}
