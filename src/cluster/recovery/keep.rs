//! Records over time: renewed while their sockets live, left behind for clients that come back when they are gone.

use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream;
use tokio::time::Instant;

use super::{Held, Recovery, SHARDS};
use crate::cluster::scripts::session::{Owner, SessionRecord, session_end};
use crate::core::sync::lock;
use crate::core::wire::{self, Form};
use crate::engineio::CloseReason;
use crate::socketio::{BoxFuture, DisconnectReason, SessionSnapshot, Socket};

/// Each record is renewed so often.
const RENEW: Duration = Duration::from_secs(30);
/// Records that are written at once.
const PARALLEL: usize = 64;
/// How long this node can tell how far a connection had come that is gone, beside what it wrote: somebody may have claimed the
/// record just before.
pub(super) const REMEMBER: Duration = Duration::from_secs(10);
/// A return that takes longer was given up: CONNECT has its own deadline.
const LONGEST_RETURN: Duration = Duration::from_secs(600);
/// A record that cannot be written is tried again so often, so many times.
const PARK_RETRY: Duration = Duration::from_secs(1);
const PARK_TRIES: u32 = 60;

/// The other nodes, as far as connections move between them.
pub trait Owners: Send + Sync + 'static {
    /// Asks a node to give up a connection that is now held under this epoch: [`Recovery::give_up`]. `None`: it is dead, does
    /// not know it, or does not answer in time; then the record has to do.
    fn give_up(&self, node: &str, pid: &str, epoch: u64) -> BoxFuture<Option<SessionSnapshot>>;
}

/// For a node that is alone.
impl Owners for () {
    fn give_up(&self, _node: &str, _pid: &str, _epoch: u64) -> BoxFuture<Option<SessionSnapshot>> {
        Box::pin(async { None })
    }
}

/// Renews records, a shard at a time, until the node's recovery is gone.
pub fn spawn(recovery: Weak<Recovery>) {
    tokio::spawn(async move {
        let mut timer = tokio::time::interval(RENEW / SHARDS as u32);
        timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for turn in 0.. {
            timer.tick().await;
            let Some(recovery) = recovery.upgrade() else { return };
            let mut due: Vec<Arc<Socket>> =
                std::mem::take(&mut *lock(&recovery.changed)).iter().filter_map(Weak::upgrade).collect();
            due.sort_unstable_by_key(Arc::as_ptr);
            due.dedup_by(|a, b| Arc::ptr_eq(a, b));
            due.extend(lock(&recovery.held[turn % SHARDS]).values().filter_map(|held| held.socket.clone()));
            recovery.forget_the_gone();
            // A Redis that is away must not hold up the clock, nor make the next turn come upon this one.
            let write = stream::iter(due).for_each_concurrent(PARALLEL, |socket| {
                let recovery = &recovery;
                async move { recovery.keep(&socket).await }
            });
            write.await;
        }
    });
}

impl Recovery {
    fn forget_the_gone(&self) {
        let now = Instant::now();
        let is_over = |held: &Held| {
            let longest = if held.parked.is_some() { REMEMBER } else { LONGEST_RETURN };
            held.socket.is_none() && now.duration_since(held.since) > longest
        };
        for shard in &self.held {
            lock(shard).retain(|_, held| !is_over(held));
        }
    }

    pub(super) fn note_gone(&self, socket: &Arc<Socket>, reason: DisconnectReason) {
        let snapshot = Arc::new(socket.snapshot());
        let is_mine = {
            let mut shard = lock(self.shard(socket.pid()));
            let held = shard.get_mut(socket.pid()).filter(|held| held.epoch == socket.epoch());
            let is_mine = held.is_some() || !shard.contains_key(socket.pid());
            if is_mine {
                match reason {
                    DisconnectReason::Transport(_) => {
                        shard.insert(socket.pid().into(), Held::new(socket.epoch(), None, Some(snapshot.clone())));
                    }
                    _ => drop(shard.remove(socket.pid())),
                }
            }
            is_mine
        };
        match reason {
            DisconnectReason::TakenOver => {}
            _ if !is_mine => {}
            DisconnectReason::Client | DisconnectReason::Server => self.end_soon(socket),
            DisconnectReason::Transport(reason) => self.park_soon(socket, snapshot, reason),
        }
    }

    fn end_soon(&self, socket: &Arc<Socket>) {
        let (scopes, socket) = (self.scopes.clone(), socket.clone());
        tokio::spawn(async move {
            let node = scopes.node();
            // A record that cannot be ended now expires.
            let _ = session_end(scopes.redis(), socket.pid(), Owner { node: &node, epoch: socket.epoch() }).await;
        });
    }

    /// The record as a client that comes back will need it, with what was sent to it alone.
    pub(super) fn parked(&self, socket: &Socket, snapshot: &SessionSnapshot) -> SessionRecord {
        // Any node may read it, also one of an earlier release.
        let sent = if snapshot.sent.is_empty() { Bytes::new() } else { wire::write(Form::Json, &snapshot.sent) };
        let rooms = snapshot.rooms.iter().map(|room| (room.scope.clone(), room.confirmed.clone())).collect();
        SessionRecord { rooms, parked: true, sent, ..self.session(socket) }
    }

    fn park_soon(&self, socket: &Arc<Socket>, snapshot: Arc<SessionSnapshot>, reason: CloseReason) {
        let session = self.parked(socket, &snapshot);
        // Closed by the client itself, right after a replay: perhaps it cannot read what it was sent.
        let poison = socket.unproven_offset().filter(|_| reason == CloseReason::ClientClosed);
        let (me, socket) = (self.me.clone(), socket.clone());
        self.counters.parking.fetch_add(1, Relaxed);
        tokio::spawn(async move {
            for _ in 0..PARK_TRIES {
                let Some(recovery) = me.upgrade() else { return };
                if recovery.write(&socket, &session, poison.as_deref()).await.is_ok() {
                    break;
                }
                drop(recovery);
                tokio::time::sleep(PARK_RETRY).await;
            }
            if let Some(recovery) = me.upgrade() {
                recovery.counters.parking.fetch_sub(1, Relaxed);
            }
        });
    }
}
