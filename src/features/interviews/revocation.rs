//! What a revoked invite has opened is ended: the sockets that came by it, on every node, and the candidate's place at LiveKit.
//!
//! ```text
//! DELETE …/invites/:id ─► PostgreSQL ─┬─► the sockets of this node: `error` INVITE_REVOKED, then a DISCONNECT packet
//!                                     ├─► the other nodes, at their peer ports: the same there
//!                                     └─► LiveKit: the participant is removed
//! each node, every few seconds ─► PostgreSQL: which invites of my sockets are revoked? ─► the same
//! ```
//!
//! The last line is for a node that could not be told, and for a socket that was on its way to another node. A socket that is ended
//! leaves its places as any other socket does. When its client connects again, CONNECT is refused.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use hyper::StatusCode;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::caller::{Candidate, Who, caller};
use super::error::InterviewError;
use super::live::Live;
use super::recruiter::Recruiter;
use super::signalling::Signalling;
use super::store::Revoked;
use super::uuid;
use crate::cluster::registry::Registry;
use crate::core::error::chain;
use crate::core::sync::lock;
use crate::peer::{Answer, Peers};
use crate::rooms::rounds;
use crate::socketio::Socket;
use crate::telemetry::once_a_minute;

/// The path at which a node is told. The body is the id of the invite.
const REVOKED: &str = "/interviews/revoked";
/// A node that does not answer within this finds it out by itself.
const DEADLINE: Duration = Duration::from_secs(1);

/// One in a process.
pub struct Revocations {
    live: Arc<Live>,
    signalling: Arc<Signalling>,
    registry: Arc<Registry>,
    /// The sockets of this node that came by an invite, by its id.
    sockets: Mutex<HashMap<Uuid, Vec<Weak<Socket>>>>,
}

impl Revocations {
    pub fn new(live: Arc<Live>, signalling: Arc<Signalling>, registry: Arc<Registry>) -> Arc<Self> {
        Arc::new(Self { live, signalling, registry, sockets: Mutex::default() })
    }

    /// Answers the calls of other nodes. To be called before the node starts.
    pub fn answer(self: &Arc<Self>, peers: &Peers) {
        let weak = Arc::downgrade(self);
        peers.on(REVOKED, move |body| {
            let told = weak.upgrade().zip(std::str::from_utf8(&body).ok().and_then(uuid));
            let status = told.map_or(StatusCode::BAD_REQUEST, |(revocations, invite)| {
                revocations.end_sockets(&[invite]);
                StatusCode::NO_CONTENT
            });
            async move { Answer::status(status) }
        });
    }

    /// A socket is connected to this node, or has shown another token.
    pub fn arrived(&self, socket: &Arc<Socket>) {
        if let Some((invite, _)) = invite_of(socket) {
            let (mut sockets, socket) = (lock(&self.sockets), Arc::downgrade(socket));
            let known = sockets.entry(invite).or_default();
            if !known.iter().any(|other| other.ptr_eq(&socket)) {
                known.push(socket);
            }
        }
    }

    /// Revokes an invite, and ends what it has opened. Once more changes nothing.
    ///
    /// # Errors
    /// [`InterviewError`]; after `Unavailable` the invite may be revoked: repeat it.
    pub async fn revoke(&self, by: &Recruiter, interview: &str, invite: &str) -> Result<(), InterviewError> {
        let Revoked { interview, invite, participant } = self.live.interviews.revoke(by, interview, invite).await?;
        self.end_sockets(&[invite]);
        let remove = async {
            if let Some(participant) = participant {
                self.signalling.remove_candidate(interview, &participant).await;
            }
        };
        tokio::join!(self.tell_others(invite), remove);
        Ok(())
    }

    async fn tell_others(&self, invite: Uuid) {
        let (peers, body) = (self.registry.peers(), Bytes::from(invite.to_string()));
        let others = self.registry.others_now().await;
        let calls = others.iter().map(|peer| peers.call(peer, REVOKED, body.clone(), DEADLINE));
        for (peer, answer) in others.iter().zip(join_all(calls).await) {
            if !matches!(&answer, Ok(answer) if answer.status.is_success()) {
                tracing::debug!(node = %peer.node, ?answer, "a node was not told that an invite is revoked");
            }
        }
    }

    /// Ends the sockets of this node that came by one of these.
    fn end_sockets(&self, invites: &[Uuid]) {
        for invite in invites {
            let sockets = lock(&self.sockets).remove(invite).unwrap_or_default();
            for socket in sockets.iter().filter_map(Weak::upgrade) {
                // It may have shown another token since.
                if let Some((_, interview)) = invite_of(&socket).filter(|(came_by, _)| came_by == invite) {
                    socket.refuse("auth", None, &InterviewError::InviteRevoked.about(Some(interview)));
                    socket.disconnect();
                }
            }
        }
    }

    /// Starts to look for what this node was not told. It ends when this is cancelled.
    pub fn start_jobs(self: &Arc<Self>, stopping: CancellationToken) {
        rounds::start(self, self.live.config.invites_every, stopping, |revocations| async move { revocations.look().await });
    }

    async fn look(&self) {
        let invites = self.invites();
        if invites.is_empty() {
            return;
        }
        match self.live.interviews.store.revoked_of(&invites).await {
            Ok(revoked) => self.end_sockets(&revoked),
            Err(error) => {
                once_a_minute!(warn, "interviews: no revoked invite is found without PostgreSQL", error = chain(&error));
            }
        }
    }

    /// The invites by which sockets of this node came. Sockets that are gone are forgotten.
    fn invites(&self) -> Vec<Uuid> {
        let mut sockets = lock(&self.sockets);
        sockets.retain(|invite, sockets| {
            sockets.retain(|socket| socket.upgrade().and_then(|socket| invite_of(&socket)).is_some_and(|(id, _)| id == *invite));
            !sockets.is_empty()
        });
        sockets.keys().copied().collect()
    }
}

/// The invite by which a socket came, and its interview, while the socket lives.
fn invite_of(socket: &Socket) -> Option<(Uuid, Uuid)> {
    let caller = caller(socket).ok().filter(|caller| !caller.is_gone())?;
    match &*caller.who() {
        Who::Candidate(Candidate { interview, invite, .. }) => invite.map(|invite| (invite, *interview)),
        _ => None,
    }
}
