//! Rate limits: what a caller has left of the requests that it may send to a route, counted for all nodes in one place.

use crate::core::ids;
use crate::redis::keys;
use crate::redis::script::{Args, Eval, Reply, script};

script!(TAKE = "http" / "limit_take");

/// What became of a request, and what is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Taken {
    pub allowed: bool,
    /// Requests in one period, and at once.
    pub limit: u32,
    /// Requests that would pass now.
    pub remaining: u32,
    /// Until one more would pass; 0: now.
    pub retry_after_ms: u64,
    /// Until all of them would pass at once again.
    pub reset_ms: u64,
}

/// Takes one request of `limit` in `period_ms`, all of which may come at once; a refused one costs nothing. Limits are 1 to
/// 1,000,000, periods up to a day. `caller` may be any text.
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
