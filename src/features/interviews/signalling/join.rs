//! Into a call, and back into it.

use std::sync::Arc;

use uuid::Uuid;

use super::requests::{self, Wish};
use super::{Handled, Signalling, kinds, wire};
use crate::cluster::PendingJoin;
use crate::features::interviews::caller::{Caller, Seat, Who, caller};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::rules;
use crate::features::interviews::scripts::call::{As, CallJoin, CallJoined, Joining, call_document, call_join};
use crate::features::interviews::store::Interview;
use crate::features::interviews::wire::call;
use crate::redis::RedisError;
use crate::redis::script::OnReader;
use crate::rooms::presence::Connection;
use crate::rooms::scripts::Sender;
use crate::socketio::{Event, Socket};

/// A socket that is in a call, as soon as the hold is released: that is to happen after what it gets itself has been queued.
pub struct Entered {
    pub joined: Box<CallJoined>,
    pub hold: PendingJoin,
}

/// How a socket comes into a call.
#[derive(Clone, Copy)]
pub enum Way<'a> {
    /// By `joinRoom`.
    Asked(&'a Seat),
    /// As before: its client has got it back.
    Back,
    /// Redis has forgotten what it was.
    Again(&'a Seat),
}

impl Signalling {
    /// `joinRoom {interviewId, role?, identity?}`
    pub(super) async fn on_join(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Handled {
        let (caller, fields) = (caller(&socket)?, requests::fields(event.object()?)?);
        let id = self.meant(caller, &fields)?;
        let about = |error: InterviewError| error.about(Some(id));
        let wish = Wish::read(&fields).map_err(about)?;
        let interview = self.open_to(&caller.who(), id).await.map_err(about)?;
        let seat = wish.seat(&caller.who(), &interview).map_err(about)?;
        let most = self.live.config.rooms;
        if caller.seat(id).is_none() && caller.calls().len() >= most {
            return Err(about(InterviewError::RateLimited(format!("one connection is in at most {most} calls"))));
        }
        let Entered { joined, hold } = self.enter(&socket, caller, id, Way::Asked(&seat)).await.map_err(about)?;
        hold.joined(&joined.position).await;
        let shown = self.show_what_is(&socket, id, &joined).await;
        if let Err(error) = shown {
            hold.release(&joined.position);
            return Err(about(error.into()));
        }
        let (socket_id, role, identity) = (socket.id(), &*joined.role, &*joined.identity);
        event.acknowledge_with(&socket, call::Joined { interview_id: id.to_string(), socket_id, role, identity });
        hold.release(&joined.position);
        Ok(crate::socketio::Reply::None)
    }

    /// What a socket that has joined gets by itself: the document and the screens, and who is there if nobody else is told. If the
    /// document cannot be read, its client is to join again.
    async fn show_what_is(&self, socket: &Socket, id: Uuid, joined: &CallJoined) -> Result<(), RedisError> {
        if let Some(present) = &joined.present {
            socket.emit_json("presence:update", present);
        }
        if joined.document_version > 0
            && let Some(update) = wire::editor_update(&call_document(&OnReader(self.live.redis()), id).await?)
        {
            socket.emit_volatile_json("editor:update", &update);
        }
        for (socket_id, identity) in &joined.screens {
            socket.emit("screen:share", &call::ScreenShare { socket_id, identity, active: true });
        }
        Ok(())
    }

    /// The interview, if its call is open to this caller.
    async fn open_to(&self, who: &Who, id: Uuid) -> Result<Interview, InterviewError> {
        let interview = match who {
            Who::Staff(recruiter) => self.live.seen_by(recruiter, id).await?,
            Who::Candidate(candidate) if candidate.interview != id => return Err(InterviewError::NotFound),
            Who::Candidate(_) | Who::Open { .. } => self.live.interviews.store.get(id).await?.ok_or(InterviewError::NotFound)?,
        };
        if rules::has_ended(interview.status) { Err(InterviewError::Ended) } else { Ok(interview) }
    }

    /// Makes a socket a member.
    pub(super) async fn enter(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        caller: &Caller,
        id: Uuid,
        way: Way<'_>,
    ) -> Result<Entered, InterviewError> {
        let (live, scope, who) = (&self.live, kinds::call(id), caller.who());
        let (named, recovered) = match way {
            Way::Asked(seat) => (Some(seat), false),
            Way::Again(seat) => (Some(seat), true),
            Way::Back => (None, true),
        };
        let role = named.map_or("", |seat| &*seat.role);
        let hold = live.scopes.hold(&scope, socket, socket.id(), role).await?;
        let (op, node) = (live.scopes.next_op(), live.scopes.node());
        let has_token = !matches!(*who, Who::Open { .. });
        let user = if has_token { who.user_id() } else { named.map_or("", |seat| &*seat.identity) };
        let sender = Sender { user, role, sid: socket.id(), source: "" };
        let named = named.map_or(As::Before, |seat| As::Named { role: &seat.role, identity: &seat.identity, has_token });
        let joining = Joining { named, recovered, most: live.config.call_sockets };
        let connection = Connection { node: &node, session_epoch: socket.epoch() };
        let joined = match call_join(live.redis(), id, live.op(&op), sender, connection, joining, self.presence()).await? {
            CallJoin::Joined(joined) => joined,
            CallJoin::Missing => return Err(InterviewError::NotInRoom),
            CallJoin::Taken => return Err(InterviewError::Forbidden),
            CallJoin::Full => {
                let most = live.config.call_sockets;
                return Err(InterviewError::RateLimited(format!("this call has {most} connections, the most")));
            }
        };
        live.scopes.set_role(&scope, socket.id(), &joined.role);
        caller.enter_call(id, Seat { role: joined.role.as_str().into(), identity: joined.identity.as_str().into() });
        live.written(&scope, &joined.told);
        self.announce_in(id, joined.announce_in);
        // Its client has come back elsewhere meanwhile, where nothing is known of this join.
        if socket.is_frozen() && !hold.was_member() {
            drop(hold);
            caller.leave_call(id);
            self.goes(self.place(socket, id), true);
            return Err(InterviewError::Unavailable);
        }
        Ok(Entered { joined, hold })
    }

    /// A socket whose node knows that it is in the call, and Redis does not.
    pub(super) async fn enter_again(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        caller: &Caller,
        id: Uuid,
        seat: &Seat,
    ) -> Result<(), InterviewError> {
        let Entered { joined, hold } = self.enter(socket, caller, id, Way::Again(seat)).await?;
        hold.release(&joined.position);
        Ok(())
    }

    /// A socket that its client has got back, or that has moved here: it gets the document as it is now. What else it missed has been
    /// queued.
    pub async fn resumed(self: &Arc<Self>, socket: &Arc<Socket>) {
        let Ok(caller) = caller(socket) else { return };
        for (id, _) in caller.calls() {
            self.send_document(id, std::iter::once(socket)).await;
        }
    }

    /// Documents go out volatile: these sockets may have missed one.
    pub(super) async fn send_document<'a>(&self, id: Uuid, sockets: impl Iterator<Item = &'a Arc<Socket>>) {
        match call_document(&OnReader(self.live.redis()), id).await {
            Ok(document) => {
                let Some(update) = wire::editor_update(&document) else { return };
                sockets.for_each(|socket| socket.emit_volatile_json("editor:update", &update));
            }
            Err(error) => tracing::debug!(interview = %id, %error, "members did not get the document"),
        }
    }
}
