//! Those who watch every SOS. Scripts leave the watchers' copy of an event with its SOS; the node that ran the script
//! publishes it under an operation id of its own, so that it comes once, though other nodes may try as well.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream;
use tokio::sync::Semaphore;

use crate::cluster::scripts::scope::{Durability, Member, scope_join, scope_leave, scope_publish};
use crate::cluster::{Audience, Except, Message};
use crate::features::sos::auth::Claims;
use crate::features::sos::scripts::{PendingCopy, WatchEvent, sos_snapshot, watch_forwarded, watch_pending, watch_pending_all};
use crate::protocol::event::Args;
use crate::rooms::expiry::TOKEN_EXPIRED;
use crate::rooms::pending::Pending;
use crate::rooms::share::Shared;
use crate::socketio::{Code, Event, EventError, Reply, Socket};

use super::Sos;
use super::caller::caller;
use super::error::SosError;
use super::{kinds, rules};

/// States that are read at once.
const PARALLEL: usize = 16;
/// Bytes of states in the answer to `sos:watch`: more would fill the budget of one connection.
const MAX_ACTIVE_BYTES: usize = 768 * 1024;

/// SOSs whose copies are forwarded at once.
const PARALLEL_FORWARDS: usize = 32;

/// What this node does for those who watch every SOS.
pub struct Watchers {
    /// SOSs whose pending copies are about to be forwarded.
    pending: Pending<String>,
    places: Semaphore,
    /// The answer to all who begin to watch together.
    lists: Arc<Shared<(), Args, SosError>>,
}

impl Default for Watchers {
    fn default() -> Self {
        Self { pending: Pending::default(), places: Semaphore::new(PARALLEL_FORWARDS), lists: Arc::default() }
    }
}

pub(super) fn member<'a>(socket: &'a Socket, claims: &'a Claims, node: &'a str) -> Member<'a> {
    Member { sid: socket.id(), user: &claims.user_id, role: claims.role.as_str(), node, session_epoch: socket.epoch() }
}

impl Sos {
    pub(super) async fn on_watch(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
        event.object()?;
        let claims = self.watcher(&socket, "sos:watch")?;
        let scope = kinds::watch();
        let fail = |error| EventError::from(SosError::from(error));
        let hold = self.scopes.hold(&scope, &socket, &claims.user_id, claims.role.as_str()).await.map_err(fail)?;
        let (op, node) = (self.scopes.next_op(), self.scopes.node());
        let member = member(&socket, &claims, &node);
        let joined = scope_join(self.redis(), &scope, self.op(&op, ""), member).await.map_err(fail)?;
        let position = joined.position;
        hold.joined(&position).await;
        if let Some(caller) = caller(&socket) {
            caller.watch(true);
        }
        let feature = self.clone();
        let read = move || {
            let feature = feature.clone();
            async move { feature.active().await }
        };
        let list = match self.watchers.lists.get((), Duration::ZERO, read).await {
            Ok(list) => list,
            Err(error) => {
                // A member all the same if it was one before.
                if !hold.was_member() {
                    drop(hold);
                    self.end_watch(&socket, &claims).await;
                }
                return Err(error.into());
            }
        };
        event.acknowledge(&socket, &list);
        // What has happened while the states were read comes after them.
        hold.release(&position);
        Ok(Reply::None)
    }

    pub(super) async fn on_unwatch(self: Arc<Self>, socket: Arc<Socket>, event: Event) -> Result<Reply, EventError> {
        event.object()?;
        let claims = self.watcher(&socket, "sos:unwatch")?;
        self.end_watch(&socket, &claims).await;
        Ok(Reply::Ok)
    }

    async fn end_watch(self: &Arc<Self>, socket: &Arc<Socket>, claims: &Arc<Claims>) {
        if caller(socket).is_some_and(|caller| caller.watch(false)) {
            self.unwatch(socket, claims).await;
            self.scopes.keep(socket).await;
        }
    }

    fn watcher(&self, socket: &Socket, event: &str) -> Result<Arc<Claims>, EventError> {
        let caller = caller(socket).ok_or_else(|| EventError::new(Code::INTERNAL, "no caller"))?;
        if caller.in_grace() {
            return Err(EventError::new(TOKEN_EXPIRED, "the token has expired"));
        }
        let claims = caller.claims();
        if rules::may(claims.role, event) { Ok(claims) } else { Err(EventError::new(Code::FORBIDDEN, "for dispatchers")) }
    }

    /// Ends a watcher's membership. An entry in Redis that cannot be ended now does no harm: that list is never read.
    pub(super) async fn unwatch(self: &Arc<Self>, socket: &Arc<Socket>, claims: &Claims) {
        let scope = kinds::watch();
        self.scopes.leave(&scope, socket);
        let _ = scope_leave(self.redis(), &scope, member(socket, claims, &self.scopes.node())).await;
    }

    /// The answer to `sos:watch`: the states of all SOSs that are not over, newest first while there is room for them.
    async fn active(&self) -> Result<Args, SosError> {
        let ids = self.rooms().await?;
        let mut read = stream::iter(ids.into_iter().map(|id| async move { sos_snapshot(self.redis(), &id).await }))
            .buffer_unordered(PARALLEL);
        let mut found = Vec::new();
        while let Some(snapshot) = read.next().await {
            if let Some(snapshot) = snapshot?
                && !snapshot.ended
            {
                found.push((snapshot.created_at, self.state_json(&snapshot)));
            }
        }
        found.sort_unstable_by(|a, b| b.cmp(a));
        let (mut bytes, all) = (0, found.len());
        let fits = found.into_iter().map(|(_, state)| state).take_while(|state| {
            bytes += state.len() + 1;
            bytes <= MAX_ACTIVE_BYTES
        });
        let states: Vec<_> = fits.collect();
        let more = if states.len() < all { r#","truncated":true"# } else { "" };
        Ok(Args::ack(&format!(r#"{{"ok":true,"active":[{}]{more}}}"#, states.join(","))))
    }

    /// Forwards the pending copies of an SOS to the watchers; one attempt at a time. What fails is left to the sweep.
    pub(super) fn forward_soon(self: &Arc<Self>, sos: &str) {
        if !self.watchers.pending.add(sos.to_owned()) {
            return;
        }
        let (feature, sos) = (self.clone(), sos.to_owned());
        tokio::spawn(async move {
            let _permit = feature.watchers.places.acquire().await;
            feature.watchers.pending.take(&sos);
            if let Err(error) = feature.forward(&sos).await {
                tracing::debug!(sos, %error, "copies for the watchers are still pending");
            }
        });
    }

    /// Publishes and forgets the pending copies of an SOS.
    pub(super) async fn forward(&self, sos: &str) -> Result<(), SosError> {
        loop {
            let copies = watch_pending(self.redis(), sos).await?;
            if copies.is_empty() {
                return Ok(());
            }
            self.forward_copies(sos, copies).await?;
        }
    }

    /// The same for all of them, whichever release wrote them: for the sweep.
    pub(super) async fn forward_all(&self, sos: &str) -> Result<(), SosError> {
        let copies = watch_pending_all(self.redis(), sos).await?;
        self.forward_copies(sos, copies).await
    }

    async fn forward_copies(&self, sos: &str, copies: Vec<PendingCopy>) -> Result<(), SosError> {
        let scope = kinds::watch();
        for pending in copies {
            let body = match pending.copy {
                WatchEvent::Encoded(body) => Some(body),
                WatchEvent::Created => sos_snapshot(self.redis(), sos).await?.map(|snapshot| {
                    let args = Args::event("sos:created", &self.state_json(&snapshot));
                    Message { audience: Audience::All, except: Except::Nobody, key: None, args }.body()
                }),
            };
            if let Some(body) = body {
                let op = format!("{sos}/{}", pending.id);
                let published = scope_publish(self.redis(), &scope, self.op(&op, ""), "", Durability::Logged, body).await?;
                self.scopes.written(&scope, Some(published.heard), published.listeners);
            }
            watch_forwarded(self.redis(), sos, &[&pending.id]).await?;
        }
        Ok(())
    }
}
