//! Where a user's sockets are: `user:presence:{<userId>}`. A hint; readers count only sockets on live nodes.

use crate::features::sos::keys as sos_keys;
use crate::redis::script::{Args, Eval, Reply, script};

/// Lives for 1 h from the last packet.
pub const PRESENCE_TTL_MS: u64 = 3_600_000;

/// Sockets of one user that are noted; a further one takes the place of one that was seen long ago.
pub const PRESENCE_SOCKETS: u64 = 256;

/// One socket of a user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserSocket {
    pub sid: String,
    /// Node and incarnation, no spaces.
    pub node: String,
    pub session_epoch: u64,
    pub role: String,
    /// The scope it is in (`sos:42`); empty: none.
    pub scope: String,
    pub last_seen: u64,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserPresence {
    /// When a packet of any of its sockets was last noted, also of one that is gone; `None`: unknown user.
    pub last_seen: Option<u64>,
    pub sockets: Vec<UserSocket>,
}

/// Notes that a socket is there, now. An entry with a higher session epoch is left alone.
pub async fn presence_set<E: Eval>(
    redis: &E,
    user: &str,
    sid: &str,
    node: &str,
    session_epoch: u64,
    role: &str,
    scope: &str,
) -> Result<(), E::Error> {
    let args = Args::new().text(sid).text(node).int(session_epoch).text(role).text(scope).int(PRESENCE_TTL_MS);
    let args = args.int(PRESENCE_SOCKETS).done();
    redis.eval(&SET, vec![sos_keys::user_presence(user)], args).await?;
    Ok(())
}

/// The socket is gone, if node and session epoch still match.
pub async fn presence_remove<E: Eval>(redis: &E, user: &str, sid: &str, node: &str, session_epoch: u64) -> Result<(), E::Error> {
    let args = Args::new().text(sid).text(node).int(session_epoch).int(PRESENCE_TTL_MS).done();
    redis.eval(&REMOVE, vec![sos_keys::user_presence(user)], args).await?;
    Ok(())
}

pub async fn presence_read<E: Eval>(redis: &E, user: &str) -> Result<UserPresence, E::Error> {
    let args = Args::new().int(PRESENCE_TTL_MS).int(PRESENCE_SOCKETS).done();
    let mut reply = Reply::new(READ.name, redis.eval(&READ, vec![sos_keys::user_presence(user)], args).await?)?;
    let last_seen = reply.uint()?;
    let mut presence = UserPresence { last_seen: (last_seen > 0).then_some(last_seen), sockets: Vec::new() };
    while reply.left() > 0 {
        let mut list = reply.list()?;
        presence.sockets.push(UserSocket {
            sid: list.text()?,
            node: list.text()?,
            session_epoch: list.uint()?,
            role: list.text()?,
            last_seen: list.uint()?,
            scope: list.text()?,
        });
    }
    Ok(presence)
}

script!(SET = "sos" / "presence_set");
script!(REMOVE = "sos" / "presence_remove");
script!(READ = "sos" / "presence_read");
