//! Rate limits: how many requests a caller may still send to a route. They are counted in Redis for all nodes.

use crate::core::ids;
use crate::redis::keys;
use crate::redis::script::{Args, Eval, Reply, script};

script!(TAKE = "http" / "limit_take");

/// Whether a request passes, and how many are left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub allowed: bool,
    /// The most requests within a period, and at once.
    pub limit: u32,
    /// How many requests would pass now.
    pub remaining: u32,
    /// How long until one more would pass; 0: now.
    pub retry_after_ms: u64,
    /// How long until all of them would pass at once again.
    pub reset_ms: u64,
}

/// Counts one request. `limit` requests may come in `period_ms`, also all at once; a refused one is not counted. A limit is 1 to
/// 1,000,000, a period is at most a day. `caller` may be any text.
pub async fn limit_take<E: Eval>(redis: &E, route: &str, caller: &str, limit: u32, period_ms: u64) -> Result<Taken, E::Error> {
    let args = Args::new().int(limit.into()).int(period_ms).owned(ids::random(6)).done();
    let mut reply = Reply::new(TAKE.name, redis.eval(&TAKE, vec![keys::limit(route, caller)], args).await?)?;
    Ok(Taken {
        allowed: reply.flag()?,
        limit,
        remaining: u32::try_from(reply.uint()?).unwrap_or(limit),
        retry_after_ms: reply.uint()?,
        reset_ms: reply.uint()?,
    })
}
