//! CONNECT: from a token to a caller (contract § 4 "Connect").

use std::borrow::Cow;
use std::sync::Arc;

use super::Gateway;
use crate::core::clock::now_seconds;
use crate::core::ids;
use crate::features::interviews::caller::{Caller, Candidate, Who, caller};
use crate::features::interviews::error::InterviewError;
use crate::features::interviews::rules::{self, InviteUse};
use crate::features::interviews::wire::{Connected, Moment, UserType};
use crate::features::interviews::{kinds, token};
use crate::protocol::fields::Fields;
use crate::redis::keys;
use crate::socketio::{Code, ConnectError, ConnectRequest, Socket};

/// What a client sends with its CONNECT.
struct Asked<'a> {
    token: Option<Cow<'a, str>>,
    participant: Option<Cow<'a, str>>,
    user_type: Option<Cow<'a, str>>,
    /// It says that it has been connected before.
    returns: bool,
}

impl<'a> Asked<'a> {
    /// The token in `auth` wins over that of the request's header.
    fn read(request: &'a ConnectRequest) -> Result<Self, InterviewError> {
        let auth = std::str::from_utf8(&request.auth).ok().and_then(Fields::parse).unwrap_or_default();
        let invalid = |_| InterviewError::InvalidToken;
        let handshake = &request.handshake;
        let token = auth.text("token", usize::MAX).map_err(invalid)?;
        let token = match token {
            Some(token) => Some(token),
            None => bearer(handshake.header("authorization"))?.map(Cow::Borrowed),
        };
        let participant = auth.text("participantId", usize::MAX).map_err(invalid)?;
        if participant.as_ref().is_some_and(|id| !ids::is_user_id(id) || id.contains('\0')) {
            return Err(InterviewError::InvalidToken);
        }
        let user_type = handshake.parameter("userType").filter(|kind| !kind.is_empty());
        Ok(Self { token, participant, user_type, returns: auth.raw("pid").is_some() })
    }

    /// Whether `userType` says the same as the token, or nothing.
    fn is(&self, user_type: UserType) -> bool {
        self.user_type.as_deref().is_none_or(|told| told == user_type.as_str())
    }
}

/// The token of an `Authorization` header. A header without such a token is an error, and not the same as no header.
fn bearer(header: Option<&str>) -> Result<Option<&str>, InterviewError> {
    let Some(header) = header else { return Ok(None) };
    match header.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") && !token.trim().is_empty() => Ok(Some(token.trim())),
        _ => Err(InterviewError::InvalidToken),
    }
}

/// The refusal of a CONNECT. A client tries again by itself only after a failure that does not last.
fn refused(error: InterviewError) -> ConnectError {
    let message: Cow<'static, str> = match &error {
        InterviewError::Unavailable | InterviewError::Unconfirmed | InterviewError::Internal => return ConnectError::TryAgain,
        InterviewError::NotConfigured { .. } => error.to_string().into(),
        _ => "Authentication failed".into(),
    };
    ConnectError::refused(Code(error.code()), message)
}

impl Gateway {
    /// Decides who may connect. While Redis or PostgreSQL is away, the client is told to try again.
    pub(super) async fn admit_socket(self: Arc<Self>, request: ConnectRequest) -> Result<Caller, ConnectError> {
        let who = self.who(&request).await.map_err(refused)?;
        let redis = self.live.redis();
        let is_up = match &who {
            Who::Candidate(candidate) => redis.is_up(&keys::scope_meta(&kinds::interview(candidate.interview))),
            _ => redis.masters_up().0 > 0,
        };
        if is_up { Ok(Caller::new(who)) } else { Err(ConnectError::TryAgain) }
    }

    async fn who(&self, request: &ConnectRequest) -> Result<Who, InterviewError> {
        let asked = Asked::read(request)?;
        match asked.token.as_deref() {
            None if self.live.interviews.open_signalling => {
                Ok(Who::Open { address: request.handshake.address.to_string().into() })
            }
            None => Err(InterviewError::MissingToken),
            Some(jwt) if token::is_jwt(jwt) => {
                let recruiter = self.live.interviews.recruiter(Some(jwt), now_seconds()).await?;
                asked.is(UserType::Recruiter).then_some(Who::Staff(recruiter)).ok_or(InterviewError::InvalidToken)
            }
            Some(_) if !asked.is(UserType::Candidate) => Err(InterviewError::InvalidToken),
            Some(opaque) => self.candidate(opaque, asked.participant.as_deref(), asked.returns).await.map(Who::Candidate),
        }
    }

    /// The candidate of a join token or an invite. The first use of an invite binds it. An invite to an interview that has ended
    /// is valid only for a client that `returns`, which may have missed the end.
    pub(super) async fn candidate(
        &self,
        opaque: &str,
        participant: Option<&str>,
        returns: bool,
    ) -> Result<Candidate, InterviewError> {
        let interviews = &self.live.interviews;
        let hash = token::hash(opaque);
        let pass = interviews.store.pass(&hash).await?.ok_or(InterviewError::InvalidToken)?;
        let interview = interviews.store.get(pass.interview).await?.ok_or(InterviewError::InvalidToken)?;
        let participant = participant.unwrap_or(&interview.candidate.id);
        match &pass.invite {
            None if *participant != *interview.candidate.id => return Err(InterviewError::InvalidToken),
            None => {}
            Some(invite) => {
                let is_back = rules::judge_invite(invite, participant)? == InviteUse::Reopen && returns;
                if rules::has_ended(interview.status) && !is_back {
                    return Err(InterviewError::InviteExpired);
                }
                interviews.open_invite(invite, &hash, participant).await.map_err(|error| match error {
                    InterviewError::Ended => InterviewError::InviteExpired,
                    error => error,
                })?;
            }
        }
        let (name, invite) = (interview.candidate.name.into(), pass.invite.map(|invite| invite.id));
        Ok(Candidate { interview: interview.id, participant: participant.into(), name, invite })
    }

    /// Sends `connected`. A recovered socket does not get it again.
    pub(super) fn welcome(&self, socket: &Arc<Socket>) {
        let Ok(caller) = caller(socket) else { return };
        let who = caller.who();
        let user_type = match *who {
            Who::Candidate(_) => Some(UserType::Candidate),
            Who::Staff(_) => Some(UserType::Recruiter),
            Who::Open { .. } => None,
        };
        let user_id = user_type.map(|_| who.user_id());
        let timestamp = Moment(self.live.clock.now_ms());
        socket.emit("connected", &Connected { message: "Connected successfully", user_id, user_type, timestamp });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_without_a_token_of_ours_is_an_invalid_token() {
        assert_eq!(bearer(None), Ok(None));
        assert_eq!(bearer(Some("bearer  abc ")), Ok(Some("abc")));
        for bad in ["", "Bearer", "Bearer ", "Basic abc", "abc"] {
            assert_eq!(bearer(Some(bad)), Err(InterviewError::InvalidToken), "{bad}");
        }
    }
}
