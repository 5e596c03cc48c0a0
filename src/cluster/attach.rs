//! How a node begins to hear a scope, finds its way back after a gap, and lets go.
//!
//! The order of a join matters: register the socket as *holding*; subscription confirmed; one script joins and returns its
//! position; what was held beyond that position is released. Any other order loses or repeats events.

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

/// Logs that are read at once, so that the return of a Redis is not met with a storm.
pub const PARALLEL_FILLS: usize = 64;
/// Entries read together with the registration, which goes the way of the writes.
const FIRST_LIMIT: u32 = 100;
/// Entries read in one call from then on.
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
    /// The socket had joined before; nothing is held then.
    pub fn was_member(&self) -> bool {
        self.was_member
    }

    /// The join is written, at `position`: the membership is noted with the socket, and with who keeps it.
    pub async fn joined(&self, position: &Position) {
        self.note(position);
        self.scopes.keep(&self.socket).await;
    }

    /// The socket has this room, and its client has had everything up to `place`.
    pub fn note(&self, place: &Position) {
        self.socket.enter(&self.local.id, self.local.place_of(place));
    }

    /// The socket as the audiences of the scope see it.
    pub fn member(&self) -> Option<LocalMember> {
        self.local.member(&self.socket)
    }

    /// Delivers what was held and came after `position`, and the socket is a member.
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
        let hold = PendingJoin { scopes: scopes.clone(), local, socket, was_member, released: false };
        attach(scopes, &hold.local).await?;
        return Ok(hold);
    }
}

/// Returns when this node hears the scope.
async fn attach(scopes: &Arc<Scopes>, local: &Arc<LocalScope>) -> Result<(), RedisError> {
    if local.is_attached() {
        return Ok(());
    }
    let _lifecycle = local.lifecycle.lock().await;
    if local.is_attached() {
        return Ok(());
    }
    // The note is written meanwhile, so that a node that reaps this one finds what it was about to join.
    let channel = scopes.channel(&local.id);
    let (subscribed, ()) = tokio::join!(scopes.redis.subscriber().subscribe(&channel), reap::note(scopes, &local.id));
    subscribed?;
    local.begin_attach();
    let attached = read(scopes, local).await.map(|missed| take(scopes, local, missed));
    if !matches!(attached, Ok(true)) {
        // What arrives waits until the log was read.
        fill_in_background(scopes, local.clone());
    }
    attached.map(|_| ())
}

struct Missed {
    generation: u64,
    log: Log,
    /// A failover has taken back a part of what was delivered here.
    forked: bool,
}

/// Registers this node as a listener, and reads what it missed, or the beginning of that.
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
        // What others have confirmed may stand before our cursor: read again from where the two ways were surely one.
        let log = scope_read(&OnReader(&scopes.redis), &local.id, &Position { id: base, ..cursor }, FILL_LIMIT).await?;
        if !log.reset {
            scopes.counters.forks.fetch_add(1, Relaxed);
            local.rewind(generation, base);
            return Ok(Missed { generation, log, forked: true });
        }
    }
    Ok(Missed { generation, log, forked: false })
}

/// Reads on, over the connection on which no write waits. A reset says that the registration may be gone as well.
async fn read_on(scopes: &Scopes, local: &LocalScope) -> Result<Option<Missed>, RedisError> {
    let Reading { generation, cursor: Some(place), .. } = local.begin_read() else { return Ok(None) };
    let log = scope_read(&OnReader(&scopes.redis), &local.id, &place, FILL_LIMIT).await?;
    Ok((!log.reset).then_some(Missed { generation, log, forked: false }))
}

/// Delivers what was read; true when nothing is missing any more.
fn take(scopes: &Arc<Scopes>, local: &Arc<LocalScope>, Missed { generation, log, .. }: Missed) -> bool {
    let mut outcome = Outcome::default();
    let filled = local.fill(generation, log, &mut outcome);
    outcome.tell_listener(scopes, &local.id);
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

/// A publisher found that fewer nodes hear this scope than listen: perhaps it is this one that has gone deaf without having
/// noticed. Subscribes again and reads what was missed; or, where nobody is here any more, says so.
pub fn resubscribe(scopes: &Arc<Scopes>, scope: &ScopeId) {
    let channel = scopes.channel(scope);
    if scopes.find(scope).is_some() {
        scopes.redis.subscriber().resubscribe(&channel);
        return fill_soon(scopes, scope);
    }
    let (scopes, scope) = (scopes.clone(), scope.clone());
    tokio::spawn(async move {
        // Not found and registered all the same: the last word of a detach was lost. A socket that joins meanwhile registers anew,
        // and is told by the next nudge should this have come in between.
        let _ = scope_detach(&scopes.redis, &scope, &scopes.node()).await;
        fill_soon(&scopes, &scope);
    });
}

/// This node has another name than the one under which it listens.
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
                // The next that comes attaches; the cursor still says from where.
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
                        // A Redis that came back empty, or without its newest writes, has lost the note as well.
                        reap::note(&scopes, &local.id).await;
                    }
                    onward = missed.log.more;
                    pause = FIRST_RETRY;
                    scopes.counters.fills.fetch_add(1, Relaxed);
                    if take(&scopes, &local, missed) {
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
            // If this fails the scope believes in one listener too many until its state ends: a nudge too many, no harm.
            let _ = scope_detach(&scopes.redis, &local.id, &scopes.node()).await;
            reap::unnote(&scopes, &local.id).await;
        }
        let mut shard = lock(scopes.shard(&local.id));
        if local.end_if_empty() && shard.get(&local.id).is_some_and(|known| Arc::ptr_eq(known, &local)) {
            shard.remove(&local.id);
        }
    });
}
