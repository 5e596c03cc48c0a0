//! What the live parts of an interview stand on: the gateway, the signalling of its call, and the worker that conducts it.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use super::caller::{Caller, Candidate, Who};
use super::error::InterviewError;
use super::proctoring::Proctoring;
use super::providers::audio::AudioStorage;
use super::recruiter::Recruiter;
use super::scripts::{self, session_touch};
use super::store::Interview;
use super::{Interviews, kinds, rules};
use crate::cluster::Scopes;
use crate::cluster::scripts::{Op, Retention};
use crate::core::ScopeId;
use crate::redis::Redis;
use crate::rooms::clock::Clock;
use crate::rooms::scripts::Told;
use crate::rooms::timers::Timers;
use crate::socketio::Socket;

/// What an operator may set of them, and what is fixed by the contract.
#[derive(Clone, Debug)]
pub struct Config {
    pub retention: Retention,
    /// A lost connection counts as gone after this time.
    pub leave_grace: Duration,
    /// A candidate that has once sent a heartbeat counts as gone after this time without one.
    pub heartbeat: Duration,
    /// The longest audio of one answer.
    pub answer: Duration,
    pub proctoring: Proctoring,
    /// How long before `exp` the event `auth:expiring` comes.
    pub expiring_before: Duration,
    /// How many interviews one socket may observe, and in how many calls it may be.
    pub rooms: usize,
    /// The most bytes of the payload of a signal, attachments included.
    pub relay_bytes: usize,
    /// The most connections in one call.
    pub call_sockets: u32,
    /// The members of a call are announced at most once in this time.
    pub presence_window: Duration,
    /// A session ends this long after it was made, in any state.
    pub expires_after: Duration,
    /// How often each node looks for sessions that have expired.
    pub expire_every: Duration,
    /// How often each node asks whether the invites of its sockets are revoked.
    pub invites_every: Duration,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            retention: Retention { window_ms: 120_000, log_ms: 215_000 },
            leave_grace: Duration::from_secs(5),
            heartbeat: Duration::from_secs(90),
            answer: Duration::from_secs(900),
            proctoring: Proctoring::default(),
            expiring_before: Duration::from_secs(60),
            rooms: 200,
            relay_bytes: 65_536,
            call_sockets: 200,
            presence_window: Duration::from_millis(250),
            expires_after: Duration::from_secs(24 * 3600),
            expire_every: Duration::from_secs(60),
            invites_every: Duration::from_secs(10),
        }
    }
}

/// One in a process.
pub struct Live {
    pub interviews: Arc<Interviews>,
    pub scopes: Arc<Scopes>,
    pub timers: Arc<Timers>,
    /// Where the audio of answers is kept.
    pub audio: Option<Arc<dyn AudioStorage>>,
    /// Redis' clock, as far as this node knows it.
    pub clock: Clock,
    pub config: Config,
}

impl Live {
    pub fn new(
        interviews: Arc<Interviews>,
        (scopes, timers): (Arc<Scopes>, Arc<Timers>),
        audio: Option<Arc<dyn AudioStorage>>,
        config: Config,
    ) -> Arc<Self> {
        Arc::new(Self { interviews, scopes, timers, audio, clock: Clock::default(), config })
    }

    pub fn redis(&self) -> &Redis {
        self.scopes.redis()
    }

    /// A write with this operation id ([`Scopes::next_op`]).
    pub fn op<'a>(&self, id: &'a str) -> Op<'a> {
        self.op_of_client(id, "")
    }

    /// [`Live::op`] of an event whose client gave it an id.
    pub fn op_of_client<'a>(&self, id: &'a str, client_message_id: &'a str) -> Op<'a> {
        let (retention, database) = (self.config.retention, self.redis().database());
        Op { id, client_message_id, retention, extra: "", database }
    }

    /// What follows on every write: nodes that did not hear it are noticed.
    pub fn written(&self, scope: &ScopeId, told: &Told) {
        self.clock.learn(told.at);
        self.scopes.written(scope, told.heard, told.listeners);
    }

    /// What follows on every write to a live interview.
    pub fn told(&self, interview: Uuid, told: &Told, due_in: Option<Duration>) {
        let scope = kinds::interview(interview);
        self.written(&scope, told);
        self.timers.set(&scope, due_in);
    }

    /// Makes a paused session active again, because the candidate's socket has sent an event. A failure is only logged: the
    /// client has done nothing wrong.
    pub async fn resume(&self, socket: &Socket, caller: &Caller) {
        let Who::Candidate(Candidate { interview, participant, .. }) = &*caller.who() else { return };
        let (op, sender) = (self.scopes.next_op(), scripts::Candidate { user: participant, sid: socket.id() });
        match session_touch(self.redis(), *interview, self.op(&op), sender, None).await {
            Ok(Ok(touched)) => self.told(*interview, &touched.told, touched.due_in),
            Ok(Err(refused)) => tracing::debug!(%interview, ?refused, "a session is not resumed"),
            Err(error) => {
                tracing::debug!(%interview, %error, "a session is resumed by the next event");
                caller.set_paused(true);
            }
        }
    }

    /// Whether this recruiter may see an interview.
    pub async fn sees(&self, recruiter: &Recruiter, id: Uuid) -> Result<bool, InterviewError> {
        match self.seen_by(recruiter, id).await {
            Ok(_) => Ok(true),
            Err(InterviewError::NotFound) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// An interview that this recruiter may see. Any other is not found.
    pub async fn seen_by(&self, recruiter: &Recruiter, id: Uuid) -> Result<Interview, InterviewError> {
        let interview = self.interviews.store.get(id).await?.filter(|interview| rules::sees(recruiter, interview));
        interview.ok_or(InterviewError::NotFound)
    }
}
