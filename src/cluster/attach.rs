//! How a node subscribes a scope, reads the log after a gap, and unsubscribes.
//!
//! The order of a join matters. The socket is registered as *holding*. The subscription is confirmed. One script writes the
//! join and returns its position. Messages that were held and come after that position are delivered. Any other order loses or
//! repeats events.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use crate::cluster::scripts::scope::{Log, Member, scope_attach, scope_detach, scope_read};
use crate::core::{Position, ScopeId};
use crate::redis::RedisError;
use crate::redis::script::OnReader;
use crate::socketio::Socket;

use super::outcome::Outcome;
use super::scope::{LocalScope, Reading, Registered};
use super::{LocalMember, Scopes, reap};
use crate::core::sync::lock;

/// Logs that are read at the same time, so that a Redis that comes back is not overloaded.
pub const PARALLEL_FILLS: usize = 64;
/// Entries read together with the registration, which goes over the connection for writes.
const FIRST_LIMIT: u32 = 100;
/// Entries read in each later call.
const FILL_LIMIT: u32 = 1_000;
const FIRST_RETRY: Duration = Duration::from_millis(50);
const LAST_RETRY: Duration = Duration::from_secs(1);

/// A join that has begun.
pub struct PendingJoin {
    scopes: Arc<Scopes>,
    local: Arc<LocalScope>,
    socket: Arc<Socket>,
    was_member: bool,
    released: bool,
}

impl PendingJoin {
    /// The socket was a member before; nothing is held then.
    pub fn was_member(&self) -> bool {
        self.was_member
    }

    /// The join is written, at `position`: the membership is noted with the socket and in its record.
    pub async fn joined(&self, position: &Position) {
        self.note(position);
        self.scopes.keep(&self.socket).await;
    }

    /// The socket is in this room, and its client has received everything up to `place`.
    pub fn note(&self, place: &Position) {
        self.socket.enter(&self.local.id, self.local.place_of(place));
    }

    /// The socket as the audiences of the scope see it.
    pub fn member(&self) -> Option<LocalMember> {
        self.local.member(&self.socket)
    }

    /// Delivers the held messages that come after `position`; the socket is then a member.
    pub fn release(mut self, position: &Position) {
        self.released = true;
        self.note(position);
        self.local.release(&self.socket, position);
    }
}

impl Drop for PendingJoin {
    fn drop(&mut self) {
        if !self.released && self.local.cancel(&self.socket) {
            detach_soon(&self.scopes, self.local.clone());
        }
    }
}

pub async fn hold(scopes: &Arc<Scopes>, scope: &ScopeId, member: LocalMember) -> Result<PendingJoin, RedisError> {
    loop {
        let local = scopes.find_or_make(scope);
        let socket = member.socket.clone();
        let was_member = match local.register(member.clone()) {
            Registered::Holding => false,
            Registered::MemberAlready => true,
            Registered::Gone => {
                tokio::task::yield_now().await;
                continue;
            }
        };
        let join = PendingJoin { scopes: scopes.clone(), local, socket, was_member, released: false };
        attach(scopes, &join.local).await?;
        return Ok(join);
    }
}

/// Returns when this node is subscribed to the scope.
async fn attach(scopes: &Arc<Scopes>, local: &Arc<LocalScope>) -> Result<(), RedisError> {
    if local.is_attached() {
        return Ok(());
    }
    let _lifecycle = local.lifecycle.lock().await;
    if local.is_attached() {
        return Ok(());
    }
    // The note is written meanwhile, so that a node that cleans up after this one finds the scope.
    let channel = scopes.channel(&local.id);
    let (subscribed, ()) = tokio::join!(scopes.redis.subscriber().subscribe(&channel), reap::note(scopes, &local.id));
    subscribed?;
    local.begin_attach();
    let attached = read(scopes, local).await.map(|missed| deliver(scopes, local, missed));
    if !matches!(attached, Ok(true)) {
        // Messages wait until the log is read.
        fill_in_background(scopes, local.clone());
    }
    attached.map(|_| ())
}

struct Missed {
    generation: u64,
    log: Log,
    /// A failover has lost a part of what was delivered here.
    forked: bool,
    /// Read where the log is written, which is not sure of the reader connection right after a failover.
    at_writer: bool,
}

/// Registers this node as a listener, and reads the first part of what it missed.
async fn read(scopes: &Scopes, local: &LocalScope) -> Result<Missed, RedisError> {
    let Reading { generation, cursor, base } = local.begin_read();
    let node = scopes.node();
    let members = local.members();
    let members: Vec<Member<'_>> = members
        .iter()
        .map(|member| Member {
            sid: member.socket.id(),
            user: &member.user,
            role: &member.role,
            node: &node,
            session_epoch: member.socket.epoch(),
        })
        .collect();
    // The presence of those is announced who are announced when they are lost.
    let announced = scopes.listener(local.id.kind).is_some_and(|listener| listener.lost_timer(&local.id).is_some());
    let log = scope_attach(&scopes.redis, &local.id, &node, cursor.as_ref(), FIRST_LIMIT, &members, announced).await?;
    if let (true, Some(cursor), Some(base)) = (log.reset, cursor, base)
        && cursor.epoch == log.epoch
    {
        // After a failover the log may have continued from before this cursor: read again from a position that is in both.
        let log = scope_read(&OnReader(&scopes.redis), &local.id, &Position { id: base, ..cursor }, FILL_LIMIT).await?;
        if !log.reset {
            scopes.counters.forks.fetch_add(1, Relaxed);
            local.rewind(generation, base);
            return Ok(Missed { generation, log, forked: true, at_writer: false });
        }
    }
    Ok(Missed { generation, log, forked: false, at_writer: true })
}

/// Reads on, over the reader connection. After a reset the registration may be gone too: `None`.
async fn read_on(scopes: &Scopes, local: &LocalScope) -> Result<Option<Missed>, RedisError> {
    let Reading { generation, cursor: Some(place), .. } = local.begin_read() else { return Ok(None) };
    let log = scope_read(&OnReader(&scopes.redis), &local.id, &place, FILL_LIMIT).await?;
    Ok((!log.reset).then_some(Missed { generation, log, forked: false, at_writer: false }))
}

/// Delivers what was read; true when nothing is missing any more.
fn deliver(scopes: &Arc<Scopes>, local: &Arc<LocalScope>, missed: Missed) -> bool {
    let Missed { generation, log, at_writer, .. } = missed;
    let mut outcome = Outcome::default();
    let is_settled = at_writer && !log.more;
    let filled = local.fill(generation, log, is_settled, &mut outcome);
    outcome.notify_listener(scopes, &local.id);
    outcome.flush(&scopes.counters);
    filled
}

/// Messages of this scope may have been missed.
pub fn fill_soon(scopes: &Arc<Scopes>, scope: &ScopeId) {
    if let Some(local) = scopes.find(scope)
        && local.begin_fill()
    {
        fill_in_background(scopes, local);
    }
}

/// A publisher has found that fewer nodes received a message of this scope than are registered: this node may have lost its
/// subscription without noticing. Subscribes again and reads what was missed. A node without members unregisters.
pub fn resubscribe(scopes: &Arc<Scopes>, scope: &ScopeId) {
    let channel = scopes.channel(scope);
    if scopes.find(scope).is_some() {
        scopes.redis.subscriber().resubscribe(&channel);
        return fill_soon(scopes, scope);
    }
    let (scopes, scope) = (scopes.clone(), scope.clone());
    tokio::spawn(async move {
        // It has no members but is registered: a detach was lost. A socket that joins meanwhile registers the node again;
        // should this call undo that, the next nudge repairs it.
        let _ = scope_detach(&scopes.redis, &scope, &scopes.node()).await;
        fill_soon(&scopes, &scope);
    });
}

/// This node has a new name: registers it as a listener under that.
pub fn attach_again(scopes: &Arc<Scopes>, local: Arc<LocalScope>) {
    let noting = scopes.clone();
    tokio::spawn(async move {
        reap::note(&noting, &local.id).await;
        fill_soon(&noting, &local.id);
    });
}

/// Reads the log until nothing is missing. The scope is in its filling phase: what arrives meanwhile waits.
pub fn fill_in_background(scopes: &Arc<Scopes>, local: Arc<LocalScope>) {
    let scopes = Arc::downgrade(scopes);
    tokio::spawn(async move {
        let mut pause = FIRST_RETRY;
        let (mut reset, mut onward) = (false, false);
        loop {
            let Some(scopes) = scopes.upgrade() else { return };
            if local.is_empty() {
                // The next member attaches the scope again, from the cursor.
                return detach_soon(&scopes, local);
            }
            let Ok(permit) = scopes.fills.acquire().await else { return };
            let result = match onward {
                true => read_on(&scopes, &local).await,
                false => read(&scopes, &local).await.map(Some),
            };
            match result {
                Ok(None) => onward = false,
                Ok(Some(missed)) => {
                    if missed.log.reset || missed.forked {
                        reset = true;
                        // A Redis that came back empty, or without its newest writes, may have lost the note too.
                        reap::note(&scopes, &local.id).await;
                    }
                    onward = missed.log.more;
                    pause = FIRST_RETRY;
                    scopes.counters.fills.fetch_add(1, Relaxed);
                    if deliver(&scopes, &local, missed) {
                        if let Some(listener) = scopes.listener(local.id.kind) {
                            listener.refilled(&local.id, local.members(), reset);
                        }
                        return;
                    }
                }
                Err(error) => {
                    tracing::debug!(scope = %local.id, %error, "cannot read the log");
                    drop(permit);
                    drop(scopes);
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LAST_RETRY);
                }
            }
        }
    });
}

/// The last member has left.
pub fn detach_soon(scopes: &Arc<Scopes>, local: Arc<LocalScope>) {
    let scopes = scopes.clone();
    tokio::spawn(async move {
        let _lifecycle = local.lifecycle.lock().await;
        let Some(attached) = local.begin_detach() else { return };
        if attached {
            scopes.redis.subscriber().unsubscribe(&scopes.channel(&local.id)).await;
            // If this fails, one listener too many stays registered until the scope ends; it only causes needless nudges.
            let _ = scope_detach(&scopes.redis, &local.id, &scopes.node()).await;
            reap::unnote(&scopes, &local.id).await;
        }
        let mut shard = lock(scopes.shard(&local.id));
        if local.end_if_empty() && shard.get(&local.id).is_some_and(|known| Arc::ptr_eq(known, &local)) {
            shard.remove(&local.id);
        }
    });
}
