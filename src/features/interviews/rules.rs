//! Who may do what with an interview, and what an invite is worth. Pure.

use schemars::JsonSchema;
use uuid::Uuid;

use super::recruiter::{Recruiter, RecruiterRole};

use super::error::InterviewError;
use super::store::{Interview, InterviewStatus, Invite};

/// What someone is in the call of an interview. It is the first part of the identity at LiveKit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema)]
#[schemars(rename_all = "lowercase", description = "What someone is in the call of an interview.")]
pub enum CallRole {
    Candidate,
    Recruiter,
    Interviewer,
    Observer,
    Admin,
}

impl CallRole {
    pub const ALL: [Self; 5] = [Self::Candidate, Self::Recruiter, Self::Interviewer, Self::Observer, Self::Admin];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Candidate => "candidate",
            Self::Recruiter => "recruiter",
            Self::Interviewer => "interviewer",
            Self::Observer => "observer",
            Self::Admin => "admin",
        }
    }

    /// In any case of letters; `None` if it is none.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(text))
    }

    /// Whether it sends sound, pictures or data into the call.
    pub const fn speaks(self) -> bool {
        !matches!(self, Self::Observer)
    }
}

impl From<RecruiterRole> for CallRole {
    fn from(role: RecruiterRole) -> Self {
        match role {
            RecruiterRole::Recruiter => Self::Recruiter,
            RecruiterRole::Interviewer => Self::Interviewer,
            RecruiterRole::Observer => Self::Observer,
            RecruiterRole::Admin => Self::Admin,
        }
    }
}

/// Whether the interview is in this person's sight: it is of their organization, or names them, or they see all.
pub fn sees(recruiter: &Recruiter, interview: &Interview) -> bool {
    recruiter.role == RecruiterRole::Admin
        || recruiter.org_id.as_deref() == Some(&*interview.organization_id)
        || interview.recruiter_ids.iter().any(|id| **id == *recruiter.user_id)
}

/// Whether a person of the role that a token gives may take this one in the call: their own, or a lesser one, but never the
/// candidate's.
pub fn may_take(own: RecruiterRole, role: CallRole) -> bool {
    match (own, role) {
        (_, CallRole::Candidate) => false,
        (RecruiterRole::Admin, _) | (_, CallRole::Observer) => true,
        (RecruiterRole::Observer, _) => false,
        (_, CallRole::Interviewer) => true,
        (own, role) => CallRole::from(own) == role,
    }
}

/// Whether a person of this role may give out invites and take them back.
pub fn may_invite(role: RecruiterRole) -> bool {
    role != RecruiterRole::Observer
}

/// Whether nothing will happen in it any more.
pub fn has_ended(status: InterviewStatus) -> bool {
    !matches!(status, InterviewStatus::Scheduled | InterviewStatus::Ongoing)
}

/// The statuses from which an interview may come to this one. It only goes forward, may leave out `ONGOING` (no candidate came,
/// or it was held in a call alone), and has one end, which it keeps.
pub fn ways_to(status: InterviewStatus) -> &'static [InterviewStatus] {
    use InterviewStatus::{Cancelled, Completed, Expired, Ongoing, Scheduled};
    match status {
        Scheduled => &[Scheduled],
        Ongoing => &[Scheduled, Ongoing],
        Completed => &[Scheduled, Ongoing, Completed],
        Expired => &[Scheduled, Ongoing, Expired],
        Cancelled => &[Scheduled, Ongoing, Cancelled],
    }
}

/// The LiveKit room of an interview's call, for both sides.
pub fn room_of(interview: Uuid) -> String {
    format!("live-{interview}")
}

/// The identity of a participant at LiveKit.
pub fn identity_of(role: CallRole, participant: &str) -> String {
    format!("{}-{participant}", role.as_str())
}

/// The attribute by which a participant at LiveKit is known to have come by an invite: its id.
pub const INVITE_ATTRIBUTE: &str = "convoke.invite";

/// The interview whose room this is.
pub fn interview_of_room(room: &str) -> Option<Uuid> {
    room.strip_prefix("live-").and_then(super::uuid).filter(|id| room_of(*id) == room)
}

/// What a participant gets with an invite.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InviteUse {
    /// It is theirs already.
    Reopen,
    /// It is not used yet: it must be bound to the participant before it opens anything.
    Bind,
}

/// "Single use" means: it opens for one participant only, as often as they like. Its expiry is for the first use.
pub fn judge_invite(invite: &Invite, participant: &str) -> Result<InviteUse, InterviewError> {
    match &invite.bound_to {
        _ if invite.revoked => Err(InterviewError::InviteRevoked),
        Some(bound) if bound == participant => Ok(InviteUse::Reopen),
        Some(_) => Err(InterviewError::InviteUsed),
        None if invite.expired => Err(InterviewError::InviteExpired),
        None => Ok(InviteUse::Bind),
    }
}

#[cfg(test)]
#[path = "tests/rules.rs"]
mod tests;
