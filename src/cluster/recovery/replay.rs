//! Reads what a client missed, and queues it in order.

use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::Recovery;
use crate::cluster::delivery::Delivery;
use crate::cluster::message::{Audience, Message};
use crate::cluster::scripts::scope::scope_read;
use crate::cluster::{NotRejoined, Rejoined};
use crate::core::{Offset, Position, ScopeId};
use crate::redis::script::OnReader;
use crate::socketio::{Replay, SentDirect, Socket};
use crate::telemetry::once_a_minute;

/// Entries read in one call.
const PAGE: u32 = 500;
/// Events and bytes of one scope that are replayed. If there are more, the client gets a fresh session with a snapshot.
const MAX_EVENTS: usize = 20_000;
const MAX_BYTES: usize = 4 << 20;

/// One room of a recovered socket: joined again, with what the client missed of it.
pub struct Room {
    scope: ScopeId,
    rejoined: Rejoined,
    missed: Vec<Arc<Delivery>>,
}

impl Recovery {
    /// Joins a room again, and reads the log between the client's position and the join.
    pub(super) async fn catch_up(&self, socket: &Arc<Socket>, scope: ScopeId, had: Position) -> Result<Room, NotRejoined> {
        let listener = self.scopes.listener(scope.kind).ok_or(NotRejoined::Refused)?;
        let rejoined = listener.rejoin(scope.clone(), socket.clone()).await?;
        let end = &rejoined.position;
        if end.epoch != had.epoch || end.id < had.id {
            tracing::debug!(%scope, ?had, ?end, "the client's position is not in this log");
            return Err(NotRejoined::Refused);
        }
        rejoined.hold.note(&had);
        let epoch = had.epoch.clone();
        let (mut at, mut missed, mut bytes) = (had, Vec::new(), 0);
        while at.id < end.id {
            let _permit = self.reads.acquire().await.map_err(|_| NotRejoined::Unavailable)?;
            let log = scope_read(&OnReader(self.scopes.redis()), &scope, &at, PAGE).await;
            let log = log.map_err(|_| NotRejoined::Unavailable)?;
            if log.reset {
                tracing::debug!(%scope, ?at, "the log no longer reaches back so far");
                return Err(NotRejoined::Refused);
            }
            for entry in log.entries.iter().filter(|entry| entry.id <= end.id) {
                bytes += entry.body.len();
                match Message::parse(&entry.body) {
                    Some(message) if message.audience == Audience::Nodes => {}
                    Some(message) => missed.push(Delivery::new(message, &epoch, entry.id, true)),
                    None => once_a_minute!(error, "a message in a scope's log cannot be read", %scope),
                }
            }
            if missed.len() > MAX_EVENTS || bytes > MAX_BYTES {
                return Err(NotRejoined::Refused);
            }
            match log.entries.last() {
                Some(last) if log.more => at.id = last.id,
                _ => break,
            }
        }
        Ok(Room { scope, rejoined, missed })
    }

    /// Queues everything: the logged events whose audience includes the socket now, between them the direct emits, then what was
    /// held. `after`: the offset of a client that has come back.
    pub(super) fn replay(
        &self,
        socket: Arc<Socket>,
        rooms: Vec<Room>,
        directs: Vec<SentDirect>,
        after: Option<Offset>,
    ) -> Replay {
        let me = self.me.clone();
        Replay::noting(move || {
            let (mut directs, mut count) = (directs, 0);
            let queued_before = socket.session().queued();
            let again = |directs: &mut Vec<SentDirect>, goes: &dyn Fn(&Offset) -> bool| {
                let mut one_waits = false;
                directs.retain(|direct| {
                    // An emit without an offset was queued without a scope, after those before it.
                    let goes = direct.offset.as_ref().map_or(!one_waits, goes);
                    one_waits |= !goes;
                    if goes {
                        socket.queue_direct_again(direct);
                    }
                    !goes
                });
            };
            // Emits in a scope that was left, or in another log of a scope.
            again(&mut directs, &|offset| !rooms.iter().any(|room| offset.is_in(&room.scope, &room.rejoined.position.epoch)));
            for room in &rooms {
                let Some(member) = room.rejoined.hold.member() else { continue };
                for delivery in room.missed.iter().filter(|delivery| delivery.is_for(&room.scope, &member)) {
                    again(&mut directs, &|offset| offset.scope == room.scope && offset.position.id < delivery.id());
                    delivery.queue(&room.scope, &socket, true);
                    count += 1;
                }
                again(&mut directs, &|offset| offset.scope == room.scope);
            }
            if let Some(after) = after.filter(|_| socket.session().queued() > queued_before) {
                socket.replayed(&after, queued_before);
            }
            socket.session().flush();
            for Room { rejoined, .. } in rooms {
                rejoined.hold.release(&rejoined.position);
            }
            if let Some(recovery) = me.upgrade() {
                recovery.counters.replayed.fetch_add(count, Relaxed);
            }
        })
    }
}
