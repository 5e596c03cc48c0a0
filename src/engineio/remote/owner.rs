//! Answers other nodes about the sessions that this node owns.

use std::sync::Arc;

use bytes::Bytes;
use http_body_util::BodyExt as _;

use crate::core::wire::Form;

use super::super::answer::BadRequest;
use super::super::{CloseReason, Engine, polling};
use super::{CallOutcome, HandedOver, NoTicket, PollAnswer, PollRequest, Ticket, Violation};

impl Engine {
    /// A long-polling request that another node has received. It is never forwarded again.
    pub async fn relayed_poll(self: &Arc<Self>, sid: &str, request: PollRequest) -> PollAnswer {
        let response = match (self.find(sid), request) {
            (None, _) => BadRequest::SessionIdUnknown.response(),
            (Some(session), PollRequest::Get) => polling::get(session).await,
            (Some(session), PollRequest::Post(body)) => polling::post_relayed(&session, &body, &self.config).await,
            (Some(session), PollRequest::Broken(violation)) => {
                if session.is_polling() {
                    session.close(match violation {
                        Violation::Malformed => CloseReason::ProtocolError,
                        Violation::TooLarge => CloseReason::TooLarge,
                        Violation::Aborted => CloseReason::PollAborted,
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

    /// Another node is receiving a large request of the client of this session; false if there is no such session.
    pub fn keep_alive(&self, sid: &str) -> bool {
        let session = self.find(sid);
        if let Some(session) = &session {
            session.extend_pong_deadline();
        }
        session.is_some()
    }

    /// Gives another node the right to upgrade a session of this node.
    pub fn issue_ticket(self: &Arc<Self>, sid: &str) -> Result<Ticket, NoTicket> {
        let Some(session) = self.find(sid) else {
            return Err(if self.recently_moved.contains(sid) { NoTicket::HandedOver } else { NoTicket::Unknown });
        };
        let ticket = session.issue_ticket().ok_or(NoTicket::HandedOver)?;
        tokio::spawn(session.end_polls_for_ticket(ticket));
        Ok(ticket)
    }

    /// The upgrade of this ticket has failed.
    pub fn return_ticket(&self, sid: &str, ticket: Ticket) {
        if let Some(session) = self.find(sid) {
            session.return_ticket(ticket);
        }
    }

    /// The client of this ticket waits for its poll to end.
    pub fn probed(&self, sid: &str, ticket: Ticket) {
        if let Some(session) = self.find(sid) {
            tokio::spawn(session.end_polls_soon(ticket));
        }
    }

    /// Hands a session over to another node: it ends here, and its client does not notice. The work for it is finished first; if
    /// that takes too long, or the caller goes away, the session is closed. `to` is the tag of the caller's process. A caller
    /// without a tag, of an earlier release, knows neither [`HandedOver::Part`] nor later calls. The result is written in `form`.
    pub async fn hand_over(self: &Arc<Self>, sid: &str, ticket: Ticket, to: Option<&str>, form: Form) -> Option<HandedOver> {
        let session = self.find(sid)?;
        let handed_over = session.hand_over(ticket, to, form).await?;
        if matches!(handed_over, HandedOver::Whole(_)) {
            self.recently_moved.insert(sid);
        }
        Some(handed_over)
    }

    /// Packets of the client of a session that is being handed over. Returns how many of them were accepted.
    pub fn forwarded_packets(&self, sid: &str, ticket: Ticket, packets: &Bytes) -> usize {
        self.find(sid).map_or(0, |session| session.take_forwarded_packets(ticket, packets))
    }

    /// A call from the former owner of a session.
    pub async fn forwarded_call(&self, sid: &str, call: Bytes) -> CallOutcome {
        match self.find(sid) {
            Some(session) => session.forwarded_call(call).await,
            None => CallOutcome::NotThere,
        }
    }
}
