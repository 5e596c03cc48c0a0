//! What recovery needs of one connection: `session:{<pid>}`. The node with the highest epoch owns it.

use bytes::Bytes;

use crate::core::{Position, ScopeId};
use crate::redis::keys;
use crate::redis::script::{Args, Eval, Reply, script};

/// The owner of a connection. A write with a lower epoch does nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Owner<'a> {
    /// Node and incarnation, no spaces.
    pub node: &'a str,
    pub epoch: u64,
}

/// The record of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SessionRecord {
    /// The Socket.IO id, which the connection keeps.
    pub sid: String,
    pub namespace: String,
    pub user: String,
    pub role: String,
    /// When the token expires, seconds since 1970.
    pub expires: Option<u64>,
    /// The client supports recovery.
    pub told: bool,
    /// Its transport is gone, and the record is complete: its owner need not be asked.
    pub parked: bool,
    /// Each scope, and a position up to which the client has certainly received everything.
    pub rooms: Vec<(ScopeId, Position)>,
    /// What its last node had queued since then, in a format of the nodes; empty: nothing, or unknown.
    pub sent: Bytes,
}

/// What a claim has found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SessionClaim {
    /// No such record: it has expired, or never was.
    Missing,
    /// It belongs to another user, or to the user in another role.
    Other,
    Claimed(Box<Claimed>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claimed {
    /// The epoch from now on.
    pub epoch: u64,
    /// The former owner, and its epoch.
    pub old_node: String,
    pub old_epoch: u64,
    /// The client has closed twice within 10 s when it was sent the events after its offset.
    pub poisoned: bool,
    /// A room of it cannot be read: another release wrote it.
    pub unreadable: bool,
    pub session: SessionRecord,
}

/// Writes the record. With `poison` the client has closed by itself after a replay from that offset. False: another node has
/// taken the connection over.
pub async fn session_write<E: Eval>(
    redis: &E,
    pid: &str,
    owner: Owner<'_>,
    ttl_ms: u64,
    session: &SessionRecord,
    poison: Option<&str>,
) -> Result<bool, E::Error> {
    let mut args = Args::new().text(owner.node).int(owner.epoch).int(ttl_ms).text(poison.unwrap_or_default());
    args = args.text("sid").text(&session.sid).text("nsp").text(&session.namespace);
    args = args.text("user").text(&session.user).text("role").text(&session.role).text("told").flag(session.told);
    if let Some(expires) = session.expires {
        args = args.text("expires").int(expires);
    }
    if session.parked {
        args = args.text("parked").flag(true);
    }
    if !session.sent.is_empty() {
        args = args.text("sent").bytes(session.sent.clone());
    }
    for (scope, at) in &session.rooms {
        args = args.owned(format!("r:{scope}")).owned(at.to_string());
    }
    let value = redis.eval(&WRITE, vec![keys::session(pid)], args.done()).await?;
    Ok(Reply::new(WRITE.name, value)?.flag()?)
}

/// Takes the connection over, for a node. `op` is unique to this attempt.
pub async fn session_claim<E: Eval>(
    redis: &E,
    pid: &str,
    op: &str,
    (user, role): (&str, &str),
    node: &str,
    ttl_ms: u64,
    offset: Option<&str>,
) -> Result<SessionClaim, E::Error> {
    let args = Args::new().text(op).text(user).text(role).text(node).int(ttl_ms).text(offset.unwrap_or_default()).done();
    let mut reply = Reply::new(CLAIM.name, redis.eval(&CLAIM, vec![keys::session(pid)], args).await?)?;
    match reply.text()?.as_str() {
        "missing" => return Ok(SessionClaim::Missing),
        "other" => return Ok(SessionClaim::Other),
        _ => {}
    }
    let mut claimed = Claimed {
        epoch: reply.uint()?,
        old_node: reply.text()?,
        old_epoch: reply.uint()?,
        poisoned: reply.flag()?,
        unreadable: false,
        session: SessionRecord { parked: reply.flag()?, ..SessionRecord::default() },
    };
    for (field, value) in reply.pairs()? {
        claimed.unreadable |= !claimed.session.set(&field, value);
    }
    Ok(SessionClaim::Claimed(Box::new(claimed)))
}

/// Deletes the record of a connection that has ended. False: it belongs to another owner, or does not exist.
pub async fn session_end<E: Eval>(redis: &E, pid: &str, owner: Owner<'_>) -> Result<bool, E::Error> {
    let args = Args::new().text(owner.node).int(owner.epoch).done();
    Ok(Reply::new(END.name, redis.eval(&END, vec![keys::session(pid)], args).await?)?.flag()?)
}

impl SessionRecord {
    /// False: it cannot be read.
    fn set(&mut self, field: &str, value: Bytes) -> bool {
        let text = || String::from_utf8_lossy(&value).into_owned();
        match field {
            "sid" => self.sid = text(),
            "nsp" => self.namespace = text(),
            "user" => self.user = text(),
            "role" => self.role = text(),
            "expires" => self.expires = text().parse().ok(),
            "told" => self.told = &value[..] == b"1",
            "sent" => self.sent = value,
            _ => {
                let Some(scope) = field.strip_prefix("r:") else { return true };
                let (Ok(scope), Ok(at)) = (scope.parse(), text().parse()) else { return false };
                self.rooms.push((scope, at));
            }
        }
        true
    }
}

script!(WRITE = "cluster" / "session_write");
script!(CLAIM = "cluster" / "session_claim");
script!(END = "cluster" / "session_end");
