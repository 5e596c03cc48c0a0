//! How sockets leave: at once by a DISCONNECT packet, after a grace if their connection was lost or their node is dead.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;
use uuid::Uuid;

use super::Gateway;
use super::candidate;
use crate::cluster::scripts::scope::{Member, scope_leave};
use crate::features::interviews::caller::{Candidate, Who, caller};
use crate::features::interviews::scripts::{self, Going, Seat, candidate_lost};
use crate::features::interviews::{kinds, uuid};
use crate::socketio::{Abandoned, DisconnectReason, Socket};

/// How long the end of an observer's membership may take in Redis. Nothing depends on it.
const HINT_DEADLINE: Duration = Duration::from_secs(1);

/// The role of a socket that observes, whatever its token says.
pub const OBSERVER: &str = "observer";

/// A place of the candidate that was lost or left.
struct Place {
    interview: Uuid,
    participant: Box<str>,
    sid: Box<str>,
    node: Box<str>,
    epoch: u64,
}

impl Gateway {
    /// After the last event of a socket.
    pub(super) async fn disconnected(self: Arc<Self>, socket: Arc<Socket>, reason: DisconnectReason) {
        let Ok(caller) = caller(&socket) else { return };
        caller.end();
        self.signalling.disconnected(&socket, reason).await;
        if reason == DisconnectReason::TakenOver {
            return;
        }
        match &*caller.who() {
            Who::Candidate(candidate) if caller.has_joined() => {
                self.live.scopes.leave(&kinds::interview(candidate.interview), &socket);
                match reason {
                    DisconnectReason::Transport(_) => self.lost(&socket, candidate),
                    _ => self.goes(&socket, candidate, Going::Left),
                }
            }
            Who::Staff(recruiter) => {
                for id in caller.observed() {
                    self.stop_observing(&socket, &recruiter.user_id, id).await;
                }
            }
            _ => {}
        }
    }

    /// Ends a membership of an observer, on this node and in Redis.
    pub(super) async fn stop_observing(&self, socket: &Arc<Socket>, user: &str, id: Uuid) {
        if !caller(socket).is_ok_and(|caller| caller.stop_observing(id)) {
            return;
        }
        let (scope, node) = (kinds::interview(id), self.live.scopes.node());
        self.live.scopes.leave(&scope, socket);
        let member = Member { sid: socket.id(), user, role: OBSERVER, node: &node, session_epoch: socket.epoch() };
        let _ = timeout(HINT_DEADLINE, scope_leave(self.live.redis(), &scope, member)).await;
    }

    /// Notes in Redis that a candidate's socket is gone, and tries again until that succeeds.
    pub(super) fn goes(self: &Arc<Self>, socket: &Socket, candidate: &Candidate, going: Going) {
        let place = Place {
            interview: candidate.interview,
            participant: candidate.participant.clone(),
            sid: socket.id().into(),
            node: (&*self.live.scopes.node()).into(),
            epoch: socket.epoch(),
        };
        self.goes_from(place, going);
    }

    fn goes_from(self: &Arc<Self>, place: Place, going: Going) {
        let loss = (self.live.scopes.next_op(), place);
        self.losses.note(self, loss, move |gateway, loss| async move { gateway.note_gone(&loss.0, &loss.1, going).await });
    }

    /// True: it was noted, or there is nothing to note.
    async fn note_gone(self: &Arc<Self>, op: &str, place: &Place, going: Going) -> bool {
        let live = &self.live;
        let Place { interview, participant, sid, node, epoch } = place;
        if let Going::Lost { grace, .. } = going {
            live.timers.expect(&kinds::interview(*interview), grace).await;
        }
        let candidate = scripts::Candidate { user: participant, sid };
        let seat = Seat { node, session_epoch: *epoch };
        match candidate_lost(live.redis(), *interview, live.op(op), candidate, seat, going).await {
            Ok(None) => true,
            Ok(Some(went)) => {
                live.told(*interview, &went.told, went.due_in);
                true
            }
            Err(error) => {
                tracing::debug!(%interview, %error, "a lost connection cannot be noted yet");
                false
            }
        }
    }

    /// Ends the places of a connection that its client did not get back.
    pub(super) async fn abandoned(self: Arc<Self>, gone: Abandoned) {
        self.signalling.abandoned(&gone).await;
        let Abandoned { sid, user, role, node, epoch, rooms } = &gone;
        for scope in rooms.iter().filter(|scope| scope.kind == kinds::INTERVIEW) {
            let Some(interview) = uuid(&scope.id) else { continue };
            if role == candidate::ROLE {
                let place = Place {
                    interview,
                    // As `caller::identity` writes it.
                    participant: user.splitn(3, ' ').nth(2).unwrap_or_default().into(),
                    sid: sid.as_str().into(),
                    node: node.as_str().into(),
                    epoch: *epoch,
                };
                let grace = self.live.config.leave_grace;
                self.goes_from(place, Going::Lost { at: self.live.clock.now_ms(), grace });
            } else {
                let member = Member { sid, user, role: OBSERVER, node, session_epoch: *epoch };
                let _ = timeout(HINT_DEADLINE, scope_leave(self.live.redis(), scope, member)).await;
            }
        }
    }
}
