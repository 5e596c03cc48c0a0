//! Tokens for the call of an interview: one LiveKit room for both sides.

use schemars::JsonSchema;
use serde::Serialize;

use super::recruiter::Recruiter;
use crate::livekit::Grant;

use super::error::InterviewError;
use super::requests::JoinRequest;
use super::rules::{self, CallRole};
use super::store::{Interview, Pass, TokenHash};
use super::{Interviews, interview_id, token};

/// The caller that asks for a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principal {
    /// One of the company's own services: it may ask for any participant.
    Internal,
    Recruiter(Recruiter),
    /// A caller with the interview's token, or with an invite to it.
    Candidate {
        token: TokenHash,
        pass: Pass,
    },
    /// No token at all, where that is allowed.
    Anyone,
}

/// A way into a call.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(rename = "JoinToken")]
pub struct Joined {
    /// For LiveKit.
    pub token: String,
    #[serde(rename = "roomName")]
    pub room: String,
    /// Where LiveKit is.
    pub ws_url: String,
}

impl Interviews {
    /// The caller of a request with this token.
    ///
    /// # Errors
    /// [`InterviewError::MissingToken`], `InvalidToken`, `TokenExpired`, `NotConfigured`, `Unavailable`. What has become of
    /// an invite is told by [`Interviews::join_token`].
    pub async fn principal(&self, token: Option<&str>, now_seconds: u64) -> Result<Principal, InterviewError> {
        match token {
            None if self.open_signalling => Ok(Principal::Anyone),
            Some(jwt) if token::is_jwt(jwt) => Ok(Principal::Recruiter(self.recruiter(Some(jwt), now_seconds).await?)),
            Some(opaque) => {
                let token = token::hash(opaque);
                let pass = self.store.pass(&token).await?.ok_or(InterviewError::InvalidToken)?;
                Ok(Principal::Candidate { token, pass })
            }
            None => Err(InterviewError::MissingToken),
        }
    }

    /// Lets someone into the call of an interview. The first use of an invite binds it to them.
    ///
    /// # Errors
    /// [`InterviewError`]; an interview out of sight is not found.
    pub async fn join_token(
        &self,
        principal: &Principal,
        request: &JoinRequest,
        now_seconds: u64,
    ) -> Result<Joined, InterviewError> {
        let livekit = self.livekit.as_ref().ok_or(InterviewError::NotConfigured { setting: "LIVEKIT_WS_URL" })?;
        let id = interview_id(&request.interview_id)?;
        if matches!(principal, Principal::Candidate { pass, .. } if pass.interview != id) {
            return Err(InterviewError::NotFound);
        }
        let interview = self.store.get(id).await?.ok_or(InterviewError::NotFound)?;
        let participant = participant(principal, &interview, request)?;
        let invite = match principal {
            Principal::Candidate { token, pass: Pass { invite: Some(invite), .. } } => Some((invite, token)),
            _ => None,
        };
        if let Some((invite, _)) = invite {
            rules::judge_invite(invite, participant)?;
        }
        if rules::has_ended(interview.status) {
            return Err(InterviewError::Ended);
        }
        if let Some((invite, token)) = invite {
            self.open_invite(invite, token, participant).await?;
        }
        let invite = invite.map(|(invite, _)| invite.id.to_string());
        let attributes = invite.as_deref().map(|id| (rules::INVITE_ATTRIBUTE, id));
        let name = (participant == interview.candidate.id).then_some(&*interview.candidate.name);
        let room = rules::room_of(id);
        let speaks = request.role.speaks();
        let token = livekit.token(&Grant {
            room: &room,
            identity: &rules::identity_of(request.role, participant),
            name: request.display_name.as_deref().or(name),
            attributes: attributes.as_slice(),
            can_publish: speaks,
            can_subscribe: true,
            can_publish_data: Some(speaks),
            expires_at: now_seconds.saturating_add(livekit.token_ttl().as_secs()),
            agents: &[],
        })?;
        Ok(Joined { token, room, ws_url: livekit.ws_url().to_owned() })
    }
}

/// The participant as whom a caller may join, if the caller may take the role. A candidate joins as the participant of the
/// token, and a recruiter as the user of the token: LiveKit disconnects a participant when another joins with the same
/// identity, so a recruiter with another's id would throw a colleague out of the call. A trusted service names any
/// participant, and must name one. So does every caller where signalling is open.
fn participant<'a>(
    principal: &'a Principal,
    interview: &'a Interview,
    request: &'a JoinRequest,
) -> Result<&'a str, InterviewError> {
    let given = request.participant_id.as_deref();
    match principal {
        Principal::Internal | Principal::Anyone => {
            given.ok_or_else(|| InterviewError::Invalid("participantId is required".into()))
        }
        Principal::Recruiter(recruiter) => {
            if !rules::sees(recruiter, interview) {
                return Err(InterviewError::NotFound);
            }
            let is_own = given.is_none_or(|given| *given == *recruiter.user_id);
            match is_own && rules::may_take(recruiter.role, request.role) {
                true => Ok(&recruiter.user_id),
                false => Err(InterviewError::Forbidden),
            }
        }
        Principal::Candidate { pass, .. } => {
            let participant = given.unwrap_or(&interview.candidate.id);
            // With an invite, the participant that it is bound to is checked later.
            let is_own = pass.invite.is_some() || participant == interview.candidate.id;
            match is_own && request.role == CallRole::Candidate {
                true => Ok(participant),
                false => Err(InterviewError::Forbidden),
            }
        }
    }
}
