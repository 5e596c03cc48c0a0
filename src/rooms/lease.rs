//! Who alone works for a scope: a lease in `scope:meta`, so that it dies with the scope. It ends by itself; a node that is
//! known to be dead loses it at once.

use crate::core::ScopeId;
use crate::redis::keys;
use crate::redis::script::{Args, Eval, Reply, script};

/// Whose a lease is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lease {
    /// The caller's, for the time that it asked for.
    Held,
    /// Another owner's, which ends in so many ms.
    Busy { for_ms: u64, owner: String },
}

/// Takes or renews the lease `field` of a scope. `dead`: an owner whose lease counts no longer.
pub async fn lease_take<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    field: &str,
    owner: &str,
    lease_ms: u64,
    dead: Option<&str>,
) -> Result<Lease, E::Error> {
    let args = Args::new().text(field).text(owner).int(lease_ms).text(dead.unwrap_or_default()).done();
    let mut reply = Reply::new(TAKE.name, redis.eval(&TAKE, vec![keys::scope_meta(scope)], args).await?)?;
    if reply.flag()? {
        return Ok(Lease::Held);
    }
    Ok(Lease::Busy { for_ms: reply.uint()?, owner: reply.text()? })
}

/// [`lease_take`]; a lease whose owner is not live is taken over at once.
pub async fn lease_take_over<E: Eval>(
    redis: &E,
    scope: &ScopeId,
    field: &str,
    owner: &str,
    lease_ms: u64,
    is_live: impl Fn(&str) -> bool,
) -> Result<Lease, E::Error> {
    match lease_take(redis, scope, field, owner, lease_ms, None).await? {
        Lease::Busy { owner: other, .. } if !is_live(&other) => {
            lease_take(redis, scope, field, owner, lease_ms, Some(&other)).await
        }
        lease => Ok(lease),
    }
}

/// Gives a lease back. False: it was another's.
pub async fn lease_release<E: Eval>(redis: &E, scope: &ScopeId, field: &str, owner: &str) -> Result<bool, E::Error> {
    let args = Args::new().text(field).text(owner).done();
    Ok(Reply::new(RELEASE.name, redis.eval(&RELEASE, vec![keys::scope_meta(scope)], args).await?)?.flag()?)
}

script!(TAKE = "rooms" / "lease_take", "rooms/lib/lease");
script!(RELEASE = "rooms" / "lease_release", "rooms/lib/lease");
