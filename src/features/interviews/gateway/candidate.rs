//! The candidate's socket: how it becomes the one of its interview, and what its events have in common.

use std::sync::Arc;

use super::Gateway;
use crate::cluster::PendingJoin;
use crate::features::interviews::caller::{Caller, Candidate, Who, caller};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::kinds;
use crate::features::interviews::scripts::{
    self, Going, Joined, Joining, Outcome, Refused, Seat, Seed, Session, SessionJoin, SessionState, session_join, session_read,
};
use crate::redis::RedisError;
use crate::socketio::{Code, EventError, Socket};

/// The role of a candidate's socket in its scope.
pub const ROLE: &str = "candidate";

/// A socket that becomes the candidate's when the hold is released. Release it after the answer has been queued.
pub struct Entered {
    pub joined: Box<Joined>,
    pub hold: PendingJoin,
}

/// Why a socket is not the candidate's.
pub enum NotEntered {
    Ended,
    /// The socket was recovered, but another one is the candidate's.
    Superseded,
    /// There is no live state, and no seed was given.
    Missing,
    Failed(InterviewError),
}

impl From<RedisError> for NotEntered {
    fn from(error: RedisError) -> Self {
        Self::Failed(error.into())
    }
}

impl From<NotEntered> for InterviewError {
    fn from(not: NotEntered) -> Self {
        match not {
            NotEntered::Ended => Self::Ended,
            NotEntered::Superseded => Self::Superseded,
            NotEntered::Missing => Self::NoActiveSession,
            NotEntered::Failed(error) => error,
        }
    }
}

/// The candidate behind a socket.
///
/// # Errors
/// Only by a bug: [`permitted`](crate::features::interviews::caller::permitted) refuses everybody else.
pub fn candidate(socket: &Socket) -> Result<(&Caller, Candidate), EventError> {
    let caller = caller(socket)?;
    match &*caller.who() {
        Who::Candidate(candidate) => Ok((caller, candidate.clone())),
        _ => Err(EventError::new(Code::INTERNAL, "no candidate")),
    }
}

/// A candidate's socket as the scripts know it.
pub fn sender<'a>(candidate: &'a Candidate, socket: &'a Socket) -> scripts::Candidate<'a> {
    scripts::Candidate { user: &candidate.participant, sid: socket.id() }
}

impl Gateway {
    /// Makes a socket the candidate's. A `recovered` one is not announced again.
    pub(super) async fn enter(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        candidate: &Candidate,
        recovered: bool,
        seed: Option<&Seed>,
    ) -> Result<Entered, NotEntered> {
        let (live, id) = (&self.live, candidate.interview);
        let scope = kinds::interview(id);
        let hold = live.scopes.hold(&scope, socket, &candidate.participant, ROLE).await?;
        let (op, node) = (live.scopes.next_op(), live.scopes.node());
        let joining = Joining {
            candidate: sender(candidate, socket),
            name: &candidate.name,
            seat: Seat { node: &node, session_epoch: socket.epoch() },
            recovered,
        };
        live.timers.expect(&scope, live.config.heartbeat).await;
        match session_join(live.redis(), id, live.op(&op), joining, seed).await? {
            SessionJoin::Joined(joined) => {
                live.written(&scope, &joined.told);
                live.timers.set(&scope, joined.due_in);
                if let Ok(caller) = caller(socket) {
                    caller.join();
                    caller.set_paused(joined.session.state == SessionState::Paused);
                }
                // Its client has come back on another node meanwhile, which does not know of this join.
                if socket.is_frozen() && !hold.was_member() {
                    drop(hold);
                    self.lost(socket, candidate);
                    return Err(NotEntered::Failed(InterviewError::Unavailable));
                }
                Ok(Entered { joined, hold })
            }
            SessionJoin::Ended(_) => Err(NotEntered::Ended),
            SessionJoin::Superseded => Err(NotEntered::Superseded),
            SessionJoin::Missing => Err(NotEntered::Missing),
        }
    }

    /// The connection of a candidate's socket was lost.
    pub(super) fn lost(self: &Arc<Self>, socket: &Socket, candidate: &Candidate) {
        let grace = self.live.config.leave_grace;
        self.goes(socket, candidate, Going::Lost { at: self.live.clock.now_ms(), grace });
    }

    /// Runs a script of the candidate. If the socket must become the candidate's first, the script runs again after that: a state
    /// that Redis has lost is restored, and a socket that has not sent `join-interview` takes the place of one that is gone.
    pub(super) async fn attempt<T, F, R>(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        candidate: &Candidate,
        script: F,
    ) -> Result<T, InterviewError>
    where
        F: Fn() -> R,
        R: Future<Output = Outcome<T, RedisError>>,
    {
        let mut outcome = script().await?;
        if let Err(refused @ (Refused::Missing | Refused::Superseded)) = outcome
            && self.takes_its_place(socket, candidate, refused).await?
        {
            outcome = script().await?;
        }
        let has_joined = caller(socket).is_ok_and(Caller::has_joined);
        outcome.map_err(|refused| match refused {
            Refused::Superseded if has_joined => InterviewError::Superseded,
            _ => InterviewError::NoActiveSession,
        })
    }

    /// Whether the socket is the candidate's now, though it was not just before.
    async fn takes_its_place(
        self: &Arc<Self>,
        socket: &Arc<Socket>,
        candidate: &Candidate,
        refused: Refused,
    ) -> Result<bool, InterviewError> {
        let has_joined = caller(socket).is_ok_and(Caller::has_joined);
        let entered = match refused {
            Refused::Missing if has_joined => {
                let Some(seed) = self.seed(candidate.interview).await? else { return Ok(false) };
                self.enter(socket, candidate, true, Some(&seed)).await
            }
            Refused::Superseded if !has_joined => {
                let session = session_read(self.live.redis(), candidate.interview).await?;
                if !session.as_ref().is_some_and(is_free) {
                    return Ok(false);
                }
                self.enter(socket, candidate, false, None).await
            }
            _ => return Ok(false),
        };
        match entered {
            Ok(Entered { joined, hold }) => {
                hold.joined(&joined.position).await;
                hold.release(&joined.position);
                Ok(true)
            }
            Err(NotEntered::Failed(error)) => Err(error),
            Err(_) => Ok(false),
        }
    }
}

/// Whether the candidate's present socket is gone, or lost.
fn is_free(session: &Session) -> bool {
    !session.state.has_ended() && (session.state == SessionState::Paused || session.lost_at.is_some())
}
