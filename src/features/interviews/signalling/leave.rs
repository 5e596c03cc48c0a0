//! How sockets leave a call: at once, or when a lost connection has been away for the grace; and when that is announced.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::requests;
use super::{Handled, Signalling, kinds};
use crate::features::interviews::caller::{Caller, caller};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::kinds::interview_of;
use crate::features::interviews::recruiter::Recruiter;
use crate::features::interviews::rules::{self, CallRole};
use crate::features::interviews::scripts::call::{CallChanged, call_leave, call_presence};
use crate::features::interviews::wire::call::Left;
use crate::redis::RedisError;
use crate::rooms::presence::Connection;
use crate::rooms::scripts::Sender;
use crate::socketio::{Abandoned, DisconnectReason, Event, EventError, Reply, Socket};

/// The place of a socket in a call.
pub struct Place {
    interview: Uuid,
    sid: Box<str>,
    node: Box<str>,
    epoch: u64,
}

impl Signalling {
    /// `leaveRoom {interviewId?}`: leaves that call, or all.
    pub(super) async fn on_leave(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let (caller, fields) = (caller(&socket)?, requests::fields(event.object()?)?);
        let left = match requests::interview(&fields)? {
            Some(id) => vec![id],
            None => caller.calls().into_iter().map(|(id, _)| id).collect(),
        };
        let mut unchanged = true;
        for id in left {
            if caller.seat(id).is_some() {
                self.leave(&socket, caller, id).await.map_err(|error| InterviewError::from(error).about(Some(id)))?;
                unchanged = false;
            }
        }
        // The answer is the same for every socket that is in no call, so that it does not tell whether there is such an
        // interview.
        Ok(Reply::accepted(Left { unchanged }))
    }

    /// The script first, so that a failure changes nothing.
    async fn leave(self: &Arc<Self>, socket: &Arc<Socket>, caller: &Caller, id: Uuid) -> Result<(), RedisError> {
        self.write(&self.live.scopes.next_op(), &self.place(socket, id), None).await?;
        self.live.scopes.leave(&kinds::call(id), socket);
        caller.leave_call(id);
        self.live.scopes.keep(socket).await;
        Ok(())
    }

    pub(super) fn place(&self, socket: &Socket, interview: Uuid) -> Place {
        let node = (&*self.live.scopes.node()).into();
        Place { interview, sid: socket.id().into(), node, epoch: socket.epoch() }
    }

    async fn write(self: &Arc<Self>, op: &str, place: &Place, lost_at: Option<u64>) -> Result<(), RedisError> {
        let Place { interview, sid, node, epoch } = place;
        let (live, sender) = (&self.live, Sender { sid, ..Sender::default() });
        let connection = Connection { node, session_epoch: *epoch };
        if lost_at.is_some() {
            live.timers.expect(&kinds::call(*interview), live.config.leave_grace).await;
        }
        let left = call_leave(live.redis(), *interview, live.op(op), sender, connection, lost_at, self.presence()).await?;
        if let Some(changed) = left {
            self.after(*interview, changed);
        }
        Ok(())
    }

    /// What follows on every change of who is there.
    fn after(self: &Arc<Self>, id: Uuid, changed: CallChanged) {
        let scope = kinds::call(id);
        if let Some(told) = changed.told {
            self.live.written(&scope, &told);
        }
        self.live.timers.set(&scope, changed.timer_in);
        self.announce_in(id, changed.announce_in);
    }

    /// After the last event of a socket.
    pub async fn disconnected(self: &Arc<Self>, socket: &Arc<Socket>, reason: DisconnectReason) {
        let Ok(caller) = caller(socket) else { return };
        if reason == DisconnectReason::TakenOver {
            return;
        }
        for (id, _) in caller.calls() {
            self.end_place(socket, caller, id, matches!(reason, DisconnectReason::Transport(_)));
        }
    }

    /// Ends a place: on this node at once, in Redis as soon as that is possible.
    pub fn end_place(self: &Arc<Self>, socket: &Arc<Socket>, caller: &Caller, id: Uuid, is_lost: bool) {
        caller.leave_call(id);
        self.live.scopes.leave(&kinds::call(id), socket);
        self.goes(self.place(socket, id), is_lost);
    }

    /// The calls in which a new token does not allow the socket's place.
    pub async fn places_lost(&self, caller: &Caller, new: &Recruiter) -> Result<Vec<Uuid>, EventError> {
        let mut lost = Vec::new();
        for (id, seat) in caller.calls() {
            let may_take = CallRole::parse(&seat.role).is_some_and(|role| rules::may_take(new.role, role));
            if !may_take || !self.live.sees(new, id).await.map_err(|error| error.about(Some(id)))? {
                lost.push(id);
            }
        }
        Ok(lost)
    }

    /// Ends the places of a connection that its client did not get back.
    pub async fn abandoned(self: &Arc<Self>, gone: &Abandoned) {
        let Abandoned { sid, node, epoch, rooms, .. } = gone;
        for interview in rooms.iter().filter(|scope| scope.kind == kinds::CALL).filter_map(interview_of) {
            let place = Place { interview, sid: sid.as_str().into(), node: node.as_str().into(), epoch: *epoch };
            self.goes(place, true);
        }
    }

    /// Notes in Redis that a socket has left a call or that its connection was lost, and tries again until that succeeds.
    pub(super) fn goes(self: &Arc<Self>, place: Place, is_lost: bool) {
        let loss = (self.live.scopes.next_op(), is_lost.then(|| self.live.clock.now_ms()), place);
        self.losses.note(self, loss, |signalling, loss| async move {
            let (op, lost_at, place) = &*loss;
            let noted = signalling.write(op, place, *lost_at).await;
            noted
                .inspect_err(|error| tracing::debug!(interview = %place.interview, %error, "a going cannot be noted yet"))
                .is_ok()
        });
    }

    /// Announces what has changed when the presence window ends: one timer for each call on this node.
    pub(super) fn announce_in(self: &Arc<Self>, id: Uuid, wait: Option<Duration>) {
        let Some(wait) = wait else { return };
        let weak = Arc::downgrade(self);
        self.windows.end_in(id, wait, move |id| {
            let signalling = weak.upgrade();
            async move {
                match signalling {
                    Some(signalling) => signalling.live.scopes.may_act().await && signalling.look(id).await.is_ok(),
                    None => true,
                }
            }
        });
    }

    /// Announces who is there, if that has changed; those who have been away for the grace are not. Returns when the next of them
    /// is due.
    pub(super) async fn look(self: &Arc<Self>, id: Uuid) -> Result<Option<Duration>, RedisError> {
        let (live, op) = (&self.live, self.live.scopes.next_op());
        let changed = call_presence(live.redis(), id, live.op(&op), self.presence()).await.inspect_err(|error| {
            tracing::debug!(interview = %id, %error, "presence cannot be announced yet");
        })?;
        self.after(id, changed);
        Ok(changed.timer_in)
    }
}
