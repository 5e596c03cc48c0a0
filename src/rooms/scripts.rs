//! What the scripts in `lua/rooms` have in common: who acts, and what a write did beside its own result.

use crate::cluster::scripts::Op;
use crate::core::ScopeId;
use crate::redis::keys;
use crate::redis::keys::user_tag;
use crate::redis::script::{Args, BadReply, Reply, script_set};

/// What a script has in front of it that writes to a room.
pub(super) const ROOM: &str =
    script_set!("scope/lib/scope", "scope/lib/log", "scope/lib/members", "rooms/lib/audit", "rooms/lib/room");

/// What the scripts of rooms share, for [`Script::with`](crate::redis::script::Script::with), behind those of
/// [`scope`](crate::cluster::scripts::libraries). The head of each text says what it needs, what it gives, and which names a
/// script must set.
pub mod libraries {
    pub const ANNOUNCED: &str = include_str!("../../lua/rooms/lib/announced.lua");
    pub const AUDIT: &str = include_str!("../../lua/rooms/lib/audit.lua");
    pub const AUDIT_PAGE: &str = include_str!("../../lua/rooms/lib/audit_page.lua");
    pub const HISTORY: &str = include_str!("../../lua/rooms/lib/history.lua");
    pub const LEASE: &str = include_str!("../../lua/rooms/lib/lease.lua");
    pub const PRESENCE: &str = include_str!("../../lua/rooms/lib/presence.lua");
    pub const RELAY: &str = include_str!("../../lua/rooms/lib/relay.lua");
    pub const ROOM: &str = include_str!("../../lua/rooms/lib/room.lua");
}

/// Who acts in a room.
#[derive(Debug, Clone, Copy, Default)]
pub struct Sender<'a> {
    /// Empty: the hub.
    pub user: &'a str,
    pub role: &'a str,
    /// Its socket; empty: none.
    pub sid: &'a str,
    /// By which way it came, in the feature's words: for the audit trail.
    pub source: &'a str,
}

/// What a write did beside its own result.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Told {
    /// How many subscribers heard the message; `None` if nothing was published.
    pub heard: Option<u32>,
    /// How many nodes listen. More than `heard`: see [`Scopes::written`](crate::cluster::Scopes::written).
    pub listeners: u32,
    /// Redis' clock (ms since 1970): the `timestamp` of what was published.
    pub at: u64,
    /// The answer is that of an earlier call with the same `client_message_id`.
    pub duplicate: bool,
}

/// The arguments with which every write begins.
pub fn head(op: Op<'_>, scope: &ScopeId, sender: Sender<'_>) -> Args {
    crate::cluster::scripts::scope::head(op, scope)
        .text(sender.user)
        .owned(user_tag(sender.user))
        .text(sender.role)
        .text(sender.sid)
        .text(sender.source)
}

/// The keys with which every write begins.
pub fn scope_keys(scope: &ScopeId) -> Vec<String> {
    vec![keys::scope_meta(scope), keys::scope_log(scope), keys::scope_members(scope)]
}

/// The head of every write's answer: its outcome, and what it did.
pub fn told(reply: &mut Reply) -> Result<(String, Told), BadReply> {
    let outcome = reply.text()?;
    let told = Told {
        heard: u32::try_from(reply.int()?).ok(),
        listeners: u32::try_from(reply.uint()?).unwrap_or(u32::MAX),
        at: reply.uint()?,
        duplicate: reply.flag()?,
    };
    Ok((outcome, told))
}
