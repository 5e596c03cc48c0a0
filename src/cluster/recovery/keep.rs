//! The records over time: renewed while a socket is connected, and written for the client's return when it is gone.

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

/// How often each record is renewed.
const RENEW: Duration = Duration::from_secs(30);
/// Records that are written at once.
const PARALLEL: usize = 64;
/// How long this node remembers how far a gone connection had come, beside the record: another node may have claimed the record
/// just before it was written.
pub(super) const REMEMBER: Duration = Duration::from_secs(10);
/// A recovery that takes longer has failed: CONNECT has its own deadline.
const LONGEST_RETURN: Duration = Duration::from_secs(600);
/// A record that cannot be written is tried again after this time, so many times.
const PARK_RETRY: Duration = Duration::from_secs(1);
const PARK_TRIES: u32 = 60;

/// The other nodes as owners of connections.
pub trait Owners: Send + Sync + 'static {
    /// Asks a node to give up a connection that now has this epoch: [`Recovery::give_up`]. `None`: the node is dead, does not
    /// know the connection, or does not answer in time; then the record is used.
    fn give_up(&self, node: &str, pid: &str, epoch: u64) -> BoxFuture<Option<SessionSnapshot>>;
}

/// For a node without others.
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
            recovery.remove_gone();
            // `keep` has a deadline, so that a Redis that is away does not block this loop.
            let write = stream::iter(due).for_each_concurrent(PARALLEL, |socket| {
                let recovery = &recovery;
                async move { recovery.keep(&socket).await }
            });
            write.await;
        }
    });
}

impl Recovery {
    fn remove_gone(&self) {
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
            // If it cannot be deleted now, it expires.
            let _ = session_end(scopes.redis(), socket.pid(), Owner { node: &node, epoch: socket.epoch() }).await;
        });
    }

    /// The record for the client's return, with the direct emits.
    pub(super) fn parked(&self, socket: &Socket, snapshot: &SessionSnapshot) -> SessionRecord {
        // Nodes of earlier releases must be able to read it.
        let sent = if snapshot.sent.is_empty() { Bytes::new() } else { wire::write(Form::Json, &snapshot.sent) };
        let rooms = snapshot.rooms.iter().map(|room| (room.scope.clone(), room.confirmed.clone())).collect();
        SessionRecord { rooms, parked: true, sent, ..self.session(socket) }
    }

    pub(super) fn park_soon(&self, socket: &Arc<Socket>, snapshot: Arc<SessionSnapshot>, reason: CloseReason) {
        let session = self.parked(socket, &snapshot);
        // The client has closed by itself after it was sent what it had missed: perhaps it cannot read that. If it had missed
        // nothing, or has fetched nothing of it, it has closed for another reason, such as a node that cannot be reached.
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
