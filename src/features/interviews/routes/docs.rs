//! What the routes of interviews are, for those who call them.

use hyper::StatusCode;
use serde_json::{Value, json};

use super::bodies::{InterviewPatch, InvitePost, JoinPost, NewInterviewPost};
use crate::auth::AuthError;
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::overview::Overview;
use crate::features::interviews::store::InterviewStatus;
use crate::features::interviews::{Created, Invited, Joined};
use crate::http::HttpError;
use crate::http::docs::{Credential, Doc, Tag};
use crate::http::guards::INTERNAL;

const TAG: Tag = Tag {
    name: "Interviews",
    about: "Interviews between people: tokens for their calls, invites, and what the company's own services read and write. Refusals are \
            `{error, message}`. The events of an interview are in the namespace `/interview`.",
};

const RECRUITER: Credential = Credential {
    name: "recruiterToken",
    header: None,
    about: "A JWT of a recruiter, interviewer, observer or admin (`INTERVIEW_JWT_…`).",
};

const CANDIDATE: Credential =
    Credential { name: "candidateToken", header: None, about: "The `joinToken` of an interview, or an `inviteToken`." };

/// What every route of this feature may come to.
fn doc(id: &'static str, summary: &'static str) -> Doc {
    Doc::new(id, TAG, summary).needs("DATABASE_URL").refuses([InterviewError::Unavailable, InterviewError::Internal])
}

fn of_recruiter(id: &'static str, summary: &'static str) -> Doc {
    doc(id, summary)
        .accepts([RECRUITER])
        .counted()
        .needs("INTERVIEW_JWT_SECRET")
        .refuses([
            InterviewError::MissingToken,
            InterviewError::InvalidToken,
            InterviewError::TokenTooLong(AuthError::TooLong),
            InterviewError::TokenExpired,
        ])
        .path("id", "The interview's id.", uuid())
        .refuses([InterviewError::NotFound, InterviewError::Forbidden])
}

fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

pub(super) fn join_token() -> Doc {
    doc("createJoinToken", "Get a token for the call of an interview")
        .about(
            "A candidate shows the interview's `joinToken` or an invite, a recruiter a JWT, a service `X-Internal-Token`, which decides \
             where it is there. Without any it is open only with `INTERVIEW_OPEN_SIGNALLING`.",
        )
        .accepts([CANDIDATE, RECRUITER, INTERNAL])
        .open()
        .counted()
        .needs("LIVEKIT_WS_URL")
        .needs("INTERVIEW_JWT_SECRET")
        .needs("INTERNAL_AUTH_TOKEN")
        .body::<JoinPost>()
        .answers::<Joined>(StatusCode::CREATED, "The token, its room, and where LiveKit is.")
        .refuses([HttpError::InvalidToken])
        .refuses([
            InterviewError::MissingToken,
            InterviewError::InvalidToken,
            InterviewError::TokenTooLong(AuthError::TooLong),
            InterviewError::TokenExpired,
            InterviewError::NotFound,
            InterviewError::Ended,
            InterviewError::Forbidden,
            InterviewError::InviteExpired,
            InterviewError::InviteRevoked,
            InterviewError::InviteUsed,
        ])
}

pub(super) fn invite() -> Doc {
    of_recruiter("createInvite", "Invite someone to an interview")
        .about("The token is told this once; only its hash is kept.")
        .body::<InvitePost>()
        .answers::<Invited>(StatusCode::CREATED, "The invite and its token.")
        .refuses([InterviewError::Ended])
}

pub(super) fn revoke() -> Doc {
    of_recruiter("revokeInvite", "Revoke an invite")
        .about(
            "The candidate who came by it is disconnected on every node, with `error` `INVITE_REVOKED`, and at LiveKit; the place in the call \
             is free. With the interview's own token the same candidate may come back. Once more changes nothing.",
        )
        .path("invite", "The invite's id.", uuid())
        .answers_nothing(StatusCode::NO_CONTENT, "It is revoked.")
        .refuses([InterviewError::InviteNotFound])
}

pub(super) fn create() -> Doc {
    doc("createInterview", "Make an interview")
        .about(
            "Makes it from a template, which is copied, and gives the token with which the candidate joins. Nobody is told of it, and no room is \
             made yet.",
        )
        .body::<NewInterviewPost>()
        .answers::<Created>(StatusCode::CREATED, "The interview. Its token is told this once.")
}

pub(super) fn read() -> Doc {
    doc("getInterview", "Read an interview, its session and its answers")
        .about("`session` is null until the candidate has joined. `responses` has an entry for each answer, scored or not.")
        .path("id", "The interview's id.", uuid())
        .answers::<Overview>(StatusCode::OK, "All that is known of it, but its token.")
        .refuses([InterviewError::NotFound])
}

pub(super) fn change() -> Doc {
    doc("changeInterview", "Change an interview")
        .about("The status goes forward only. Null removes `scheduledAt` and leaves every other field as it is.")
        .path("id", "The interview's id.", uuid())
        .body::<InterviewPatch>()
        .answers::<Overview>(StatusCode::OK, "The interview as it is now.")
        .refuses([
            InterviewError::NotFound,
            InterviewError::InvalidTransition { from: InterviewStatus::Completed, to: InterviewStatus::Ongoing },
        ])
}
