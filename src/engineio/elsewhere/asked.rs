//! What other nodes ask of the sessions of this one.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;

use crate::core::wire::Form;

use super::super::entry::BadRequest;
use super::super::{CloseReason, Engine, polling};
use super::{Breach, Followed, NoTicket, PollAnswer, Polled, Taken, Ticket};

impl Engine {
    /// Long-polling for a session of this node by way of another. It is never passed on.
    pub async fn relayed(self: &Arc<Self>, sid: &str, polled: Polled) -> PollAnswer {
        let response = match (self.find(sid), polled) {
            (None, _) => BadRequest::SessionIdUnknown.response(),
            (Some(session), Polled::Get) => polling::get(session).await,
            (Some(session), Polled::Post(body)) => polling::post_relayed(&session, &body, &self.config).await,
            (Some(session), Polled::Broken(breach)) => {
                if session.is_polling() {
                    session.close(match breach {
                        Breach::Malformed => CloseReason::ProtocolError,
                        Breach::TooLarge => CloseReason::TooLarge,
                        Breach::Aborted => CloseReason::PollAborted,
                    });
                }
                BadRequest::Malformed.response()
            }
        };
        let (head, body) = response.into_parts();
        // The bodies of this layer are in memory.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        PollAnswer { status: head.status, body }
    }

    /// Something of a session of this node is on its way by another; false if there is no such session.
    pub fn heard(&self, sid: &str) -> bool {
        let session = self.find(sid);
        if let Some(session) = &session {
            session.heard();
        }
        session.is_some()
    }

    /// Gives out the right to upgrade a session of this node.
    pub fn issue_ticket(self: &Arc<Self>, sid: &str) -> Result<Ticket, NoTicket> {
        let Some(session) = self.find(sid) else {
            return Err(if self.moved.contains(sid) { NoTicket::Taken } else { NoTicket::Unknown });
        };
        let ticket = session.issue_ticket().ok_or(NoTicket::Taken)?;
        tokio::spawn(session.attend_ticket(ticket));
        Ok(ticket)
    }

    /// The upgrade for which this ticket was given out came to nothing.
    pub fn return_ticket(&self, sid: &str, ticket: Ticket) {
        if let Some(session) = self.find(sid) {
            session.return_ticket(ticket);
        }
    }

    /// The client of this ticket waits for its poll to end.
    pub fn probed(&self, sid: &str, ticket: Ticket) {
        if let Some(session) = self.find(sid) {
            tokio::spawn(session.hurry_polls(ticket));
        }
    }

    /// Gives a session away: it ends here without its client noticing. What is being done for it is finished first; if that
    /// takes too long, or the caller gives up, the session is closed. `to` is the tag of the caller's process; without one the
    /// caller knows nothing of [`Taken::Part`], nor of what may follow the session. It reads what comes out in this form.
    pub async fn hand_over(self: &Arc<Self>, sid: &str, ticket: Ticket, to: Option<&str>, form: Form) -> Option<Taken> {
        let session = self.find(sid)?;
        let taken = session.hand_over(ticket, to, form).await?;
        if matches!(taken, Taken::Whole(_)) {
            self.moved.note(sid);
        }
        Some(taken)
    }

    /// What the client of a session says that is being given away: some of its packets. How many of them were taken.
    pub fn pass_on(&self, sid: &str, ticket: Ticket, packets: &Bytes) -> usize {
        self.find(sid).map_or(0, |session| session.pass_on(ticket, packets))
    }

    /// A word from the node from which a session came.
    pub async fn followed(&self, sid: &str, word: Bytes) -> Followed {
        match self.find(sid) {
            Some(session) => session.followed(word).await,
            None => Followed::NotThere,
        }
    }
}
