//! The data of each socket of the namespace.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arc_swap::ArcSwap;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::time::Instant;
use uuid::Uuid;

use super::rights::{self, Side};
use crate::auth;
use crate::core::StreamId;
use crate::core::sync::lock;
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::recruiter::Recruiter;
use crate::features::interviews::uuid;
use crate::protocol::fields::Fields;
use crate::rooms::expiry::{Bearer, ExpiryTimer};
use crate::socketio::{Code, Event, EventError, Identity, Socket};

/// Who is behind a socket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Who {
    Candidate(Candidate),
    Staff(Recruiter),
    /// A client without a token, where signalling is open. Its `joinRoom` gives its role and identity.
    Open {
        /// The address from which the client connected first. The socket keeps it as a name when its client comes back.
        address: Box<str>,
    },
}

/// A candidate, by a join token or an invite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidate {
    /// The only interview that it may use.
    pub interview: Uuid,
    pub participant: Box<str>,
    /// The name of the interview's candidate.
    pub name: Box<str>,
    /// The invite by which it came. `None`: by the join token.
    pub invite: Option<Uuid>,
}

/// The role and the identity of a socket in a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seat {
    pub role: Box<str>,
    pub identity: Box<str>,
}

/// A connected client: who it is, and what it takes part in.
pub struct Caller {
    who: ArcSwap<Who>,
    gone: AtomicBool,
    /// This socket has become the candidate's.
    joined: AtomicBool,
    /// Another socket has become the candidate's since.
    superseded: AtomicBool,
    /// The session is paused, as far as this node has heard.
    paused: AtomicBool,
    /// The interviews that it observes, each with the position up to which the history was sent to it.
    observed: Mutex<BTreeMap<Uuid, StreamId>>,
    /// How many proctoring events it may still send.
    pub proctoring: Allowance,
    /// The calls that it is in, with its role and identity.
    calls: Mutex<BTreeMap<Uuid, Seat>>,
    /// The timer of its token's end.
    pub expiry: ExpiryTimer,
}

impl Who {
    pub fn side(&self) -> Side {
        match self {
            Self::Candidate(_) => Side::Candidate,
            Self::Staff(recruiter) => Side::Staff(recruiter.role),
            Self::Open { .. } => Side::Open,
        }
    }

    /// The participant or the user; empty without a token.
    pub fn user_id(&self) -> &str {
        match self {
            Self::Candidate(candidate) => &candidate.participant,
            Self::Staff(recruiter) => &recruiter.user_id,
            Self::Open { .. } => "",
        }
    }

    /// The only interview that is open to a candidate.
    pub fn own_interview(&self) -> Option<Uuid> {
        match self {
            Self::Candidate(candidate) => Some(candidate.interview),
            _ => None,
        }
    }
}

impl Bearer for Who {
    /// The user whose token this is. A candidate's token is for one interview, so that a token for another interview is another
    /// user's.
    fn user(&self) -> &str {
        self.user_id()
    }

    fn expires_at(&self) -> Option<u64> {
        match self {
            Self::Staff(recruiter) => recruiter.expires_at,
            _ => None,
        }
    }

    fn ends_at(&self) -> Option<u64> {
        self.expires_at().map(auth::ends_at)
    }
}

impl Caller {
    pub fn new(who: Who) -> Self {
        Self {
            who: ArcSwap::from_pointee(who),
            gone: AtomicBool::new(false),
            joined: AtomicBool::new(false),
            superseded: AtomicBool::new(false),
            paused: AtomicBool::new(false),
            observed: Mutex::default(),
            proctoring: Allowance::default(),
            calls: Mutex::default(),
            expiry: ExpiryTimer::default(),
        }
    }

    pub fn who(&self) -> Arc<Who> {
        self.who.load_full()
    }

    /// Replaces the rights by those of a new token.
    pub fn renew(&self, who: Who) {
        self.who.store(Arc::new(who));
    }

    /// The socket has ended. Its timer ends too.
    pub fn end(&self) {
        self.gone.store(true, Ordering::Release);
        self.expiry.end();
    }

    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// It has become the candidate's socket.
    pub fn join(&self) {
        self.joined.store(true, Ordering::Release);
    }

    pub fn has_joined(&self) -> bool {
        self.joined.load(Ordering::Acquire)
    }

    /// Notes that another socket of the candidate has taken the place of this one. True the first time.
    pub fn supersede(&self) -> bool {
        !self.superseded.swap(true, Ordering::AcqRel)
    }

    pub fn is_superseded(&self) -> bool {
        self.superseded.load(Ordering::Acquire)
    }

    /// Notes whether the session is paused.
    pub fn set_paused(&self, paused: bool) {
        self.paused.store(paused, Ordering::Release);
    }

    /// Whether the session is paused. The next call gives false.
    pub fn take_paused(&self) -> bool {
        self.paused.load(Ordering::Acquire) && self.paused.swap(false, Ordering::AcqRel)
    }

    /// Notes that it observes an interview, whose events up to `from` are history. If it observes the interview already, the
    /// earlier position stays. Returns the position that counts.
    pub fn observe(&self, interview: Uuid, from: StreamId) -> StreamId {
        *lock(&self.observed).entry(interview).or_insert(from)
    }

    pub fn observes(&self, interview: Uuid) -> bool {
        lock(&self.observed).contains_key(&interview)
    }

    pub fn observed(&self) -> Vec<Uuid> {
        lock(&self.observed).keys().copied().collect()
    }

    pub fn stop_observing(&self, interview: Uuid) -> bool {
        lock(&self.observed).remove(&interview).is_some()
    }

    /// Notes that it is in the call of an interview.
    pub fn enter_call(&self, interview: Uuid, seat: Seat) {
        lock(&self.calls).insert(interview, seat);
    }

    /// Its role and identity in the call of an interview.
    pub fn seat(&self, interview: Uuid) -> Option<Seat> {
        lock(&self.calls).get(&interview).cloned()
    }

    /// Notes that it has left the call. Returns its role and identity there.
    pub fn leave_call(&self, interview: Uuid) -> Option<Seat> {
        lock(&self.calls).remove(&interview)
    }

    pub fn calls(&self) -> Vec<(Uuid, Seat)> {
        lock(&self.calls).iter().map(|(id, seat)| (*id, seat.clone())).collect()
    }
}

/// Limits events to some a second, and as many at once.
#[derive(Default)]
pub struct Allowance(Mutex<Option<Instant>>);

impl Allowance {
    const PER_SECOND: u32 = 5;

    /// Takes one event. False: there are too many.
    pub fn take(&self) -> bool {
        let (mut used_until, now) = (lock(&self.0), Instant::now());
        let until = used_until.unwrap_or(now).max(now) + Duration::from_secs(1) / Self::PER_SECOND;
        let has_room = until <= now + Duration::from_secs(1);
        if has_room {
            *used_until = Some(until);
        }
        has_room
    }
}

/// The caller behind a socket of the namespace.
pub fn caller(socket: &Socket) -> Result<&Caller, EventError> {
    socket.data().ok_or_else(|| EventError::new(Code::INTERNAL, "no caller"))
}

/// The caller, if it may send this event. A socket whose place another one has taken may send nothing any more.
///
/// # Errors
/// `FORBIDDEN` or `SUPERSEDED`, with the interview that the event names, or else the candidate's own.
pub fn permitted<'a>(socket: &'a Socket, event: &Event) -> Result<&'a Caller, EventError> {
    let caller = caller(socket)?;
    let who = caller.who();
    let error = match rights::may(who.side(), &event.name) {
        true if caller.is_superseded() => InterviewError::Superseded,
        true => return Ok(caller),
        false => InterviewError::Forbidden,
    };
    Err(error.about(named(event).or(who.own_interview())))
}

/// The interview that an event names.
pub fn named(event: &Event) -> Option<Uuid> {
    Fields::parse(event.args.payload()).and_then(|fields| uuid(&fields.text("interviewId", 36).ok()??))
}

/// The identity of a socket's user. A candidate has another identity in each interview, which no other user can have.
pub fn identity(caller: &Caller) -> Identity {
    match &*caller.who() {
        Who::Candidate(Candidate { interview, participant, .. }) => {
            Identity { user: format!("candidate {interview} {participant}"), role: "candidate".into(), expires: None }
        }
        Who::Staff(recruiter) => {
            Identity { user: recruiter.user_id.to_string(), role: recruiter.role.as_str().into(), expires: recruiter.expires_at }
        }
        Who::Open { address } => Identity { user: format!("open {address}"), role: "open".into(), expires: None },
    }
}

/// A caller on its way to another node. Its rooms go with the socket.
#[derive(Serialize, Deserialize)]
struct Travelling {
    who: TravellingWho,
    #[serde(default)]
    joined: bool,
    /// The observed interviews, each with the position up to which the history was sent.
    #[serde(default)]
    observed: BTreeMap<String, StreamId>,
    #[serde(default)]
    calls: BTreeMap<String, Seat>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum TravellingWho {
    Candidate {
        interview: String,
        participant: Box<str>,
        name: Box<str>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        invite: Option<String>,
    },
    Staff {
        user: Box<str>,
        role: Box<str>,
        org: Option<Box<str>>,
        expires: Option<u64>,
    },
    Open {
        address: Box<str>,
    },
}

/// Writes a caller for another node.
pub fn export(caller: &Caller) -> Value {
    let who = match Who::clone(&caller.who()) {
        Who::Candidate(Candidate { interview, participant, name, invite }) => TravellingWho::Candidate {
            interview: interview.to_string(),
            participant,
            name,
            invite: invite.map(|id| id.to_string()),
        },
        Who::Staff(Recruiter { user_id, role, org_id, expires_at }) => {
            TravellingWho::Staff { user: user_id, role: role.as_str().into(), org: org_id, expires: expires_at }
        }
        Who::Open { address } => TravellingWho::Open { address },
    };
    let observed = lock(&caller.observed).iter().map(|(id, from)| (id.to_string(), *from)).collect();
    let calls = caller.calls().into_iter().map(|(id, seat)| (id.to_string(), seat)).collect();
    serde_json::to_value(Travelling { who, joined: caller.has_joined(), observed, calls }).unwrap_or_default()
}

/// Reads what [`export`] wrote.
pub fn import(value: Value) -> Option<Caller> {
    let Travelling { who, joined, observed, calls } = serde_json::from_value(value).ok()?;
    let caller = Caller::new(match who {
        TravellingWho::Candidate { interview, participant, name, invite } => {
            let invite = invite.as_deref().and_then(uuid);
            Who::Candidate(Candidate { interview: uuid(&interview)?, participant, name, invite })
        }
        TravellingWho::Staff { user, role, org, expires } => {
            Who::Staff(Recruiter { user_id: user, role: role.parse().ok()?, org_id: org, expires_at: expires })
        }
        TravellingWho::Open { address } => Who::Open { address },
    });
    caller.joined.store(joined, Ordering::Release);
    *lock(&caller.observed) = observed.into_iter().filter_map(|(id, from)| Some((uuid(&id)?, from))).collect();
    *lock(&caller.calls) = calls.into_iter().filter_map(|(id, seat)| Some((uuid(&id)?, seat))).collect();
    Some(caller)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::features::interviews::recruiter::RecruiterRole;

    #[test]
    fn a_caller_arrives_as_it_left() {
        let interview = Uuid::from_u128(7);
        let (participant, name) = ("ü".into(), "Ada".into());
        let candidate = Who::Candidate(Candidate { interview, participant, name, invite: Some(Uuid::from_u128(8)) });
        let recruiter = Recruiter { user_id: "r".into(), role: RecruiterRole::Observer, org_id: None, expires_at: Some(9) };
        for who in [candidate, Who::Staff(recruiter), Who::Open { address: "127.0.0.1".into() }] {
            let caller = Caller::new(who.clone());
            caller.join();
            caller.observe(interview, StreamId { ms: 7, seq: 1 });
            caller.enter_call(interview, Seat { role: "interviewer".into(), identity: "r".into() });
            let arrived = import(export(&caller)).expect("it can be read");
            assert_eq!((&*arrived.who(), arrived.has_joined(), arrived.calls()), (&who, true, caller.calls()));
            assert_eq!(arrived.observe(interview, StreamId::default()), StreamId { ms: 7, seq: 1 });
            assert_eq!(identity(&arrived), identity(&caller));
        }
        let of_earlier_release =
            json!({"who": {"candidate": {"interview": interview.to_string(), "participant": "a", "name": "Ada"}}});
        let arrived = import(of_earlier_release).expect("it can be read");
        assert!(matches!(&*arrived.who(), Who::Candidate(Candidate { invite: None, .. })));
        assert!(import(Value::Null).is_none());
    }

    #[tokio::test(start_paused = true)]
    async fn an_allowance_is_used_up_at_once_and_fills_up_in_time() {
        let allowance = Allowance::default();
        let taken = |count: u32| (0..count).filter(|_| allowance.take()).count();
        assert_eq!(taken(20), 5);
        tokio::time::advance(Duration::from_millis(400)).await;
        assert_eq!(taken(20), 2);
        tokio::time::advance(Duration::from_secs(10)).await;
        assert_eq!(taken(20), 5);
    }
}
