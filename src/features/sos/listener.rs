//! What a node does when it reads control messages in the log (admissions, removals, the end of an SOS), and after a gap.

use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::{StreamExt, stream};
use serde::Deserialize;

use crate::cluster::scripts::scope::LostTimer;
use crate::cluster::{LocalMember, NotRejoined, Rejoined, ScopeListener};
use crate::core::ScopeId;
use crate::features::sos::scripts::location::sos_locations;
use crate::socketio::{BoxFuture, Socket};

use super::Sos;
use super::caller::caller;
use super::due::OFFLINE;
use super::error::SosError;
use super::join::Entered;
use super::kinds;
use crate::rooms::pending::longer;
use crate::telemetry::once_a_minute;

/// How long the copy of an event for watchers may take.
const WATCHERS_COPY: Duration = Duration::from_secs(10);

/// Members of a room that join again at once after Redis has lost it: those of a large one share a few snapshots.
const PARALLEL_REJOINS: usize = 256;

/// What the scopes call. It holds the feature weakly, so that it does not keep it alive.
pub struct Listener(pub Weak<Sos>);

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Control {
    user_id: String,
    role: String,
}

impl ScopeListener for Listener {
    fn control(&self, scope: &ScopeId, args: &Bytes) {
        let Some(feature) = self.0.upgrade() else { return };
        let Ok((name, control)) = serde_json::from_slice::<(String, Control)>(args) else {
            return once_a_minute!(warn, "a control message that nobody understands", %scope);
        };
        match name.as_str() {
            "ended" => feature.ended(scope),
            "removed" => feature.removed(scope, &control.user_id),
            "admitted" => feature.admitted(scope, &control),
            _ => tracing::debug!(%scope, name, "an unknown control message"),
        }
    }

    fn rejoin(&self, scope: ScopeId, socket: Arc<Socket>) -> BoxFuture<Result<Rejoined, NotRejoined>> {
        let feature = self.0.upgrade();
        Box::pin(async move {
            match feature {
                Some(feature) => feature.rejoin_recovered(scope, socket).await,
                None => Err(NotRejoined::Unavailable),
            }
        })
    }

    fn refilled(&self, scope: &ScopeId, members: Vec<LocalMember>, reset: bool) {
        let Some(feature) = self.0.upgrade() else { return };
        if scope.kind != kinds::SOS || members.is_empty() {
            return;
        }
        let sos = scope.id.clone();
        tokio::spawn(async move {
            let _permit = feature.upkeep.refills.acquire().await;
            if reset {
                feature.rebuild(&sos, members).await;
            } else {
                feature.send_locations(&sos, &members).await;
            }
        });
    }

    fn reaped(&self, scope: &ScopeId, due_in: Option<Duration>) -> BoxFuture<()> {
        let feature = self.0.upgrade().filter(|_| scope.kind == kinds::SOS);
        let scope = scope.clone();
        Box::pin(async move {
            let Some(feature) = feature else { return };
            if let Some(wait) = due_in {
                feature.timers.expect(&scope, wait).await;
                feature.timers.set(&scope, Some(wait));
            }
            tokio::spawn(async move { feature.take_over(&scope.id).await });
        })
    }

    fn lost_timer(&self, scope: &ScopeId) -> Option<LostTimer> {
        let feature = self.0.upgrade().filter(|_| scope.kind == kinds::SOS)?;
        Some(LostTimer { name: OFFLINE, after: feature.config.offline_after })
    }

    fn node_died(&self) {
        if let Some(feature) = self.0.upgrade() {
            feature.upkeep.sweep_now.notify_one();
        }
    }
}

impl Sos {
    /// Sends what the dead node would have sent in a moment. The first node does it; the others find nothing to do. For the members
    /// that were lost there is a timer.
    async fn take_over(self: &Arc<Self>, sos: &str) {
        let _permit = self.upkeep.takeovers.acquire().await;
        if let Err(error) = self.sweep_one(sos).await {
            tracing::debug!(sos, %error, "what a dead node has left is the sweep's");
        }
    }

    /// Empties the room. Sockets that were here only by their grace are checked again.
    fn ended(self: &Arc<Self>, scope: &ScopeId) {
        for member in self.scopes.members(scope) {
            let Some(caller) = caller(&member.socket) else { continue };
            caller.left(&scope.id);
            if caller.in_grace() {
                let (feature, socket) = (self.clone(), member.socket.clone());
                tokio::spawn(async move { feature.check_grace(&socket).await });
            }
            if caller.is_watching() {
                // The copy of the end for watchers is on its way. It is not for those who have had the event in this room.
                let (feature, scope) = (self.clone(), scope.clone());
                tokio::spawn(async move {
                    tokio::time::sleep(WATCHERS_COPY).await;
                    feature.scopes.leave(&scope, &member.socket);
                });
            } else {
                self.scopes.leave(scope, &member.socket);
            }
        }
    }

    fn removed(self: &Arc<Self>, scope: &ScopeId, user: &str) {
        for member in self.of_user(scope, user) {
            self.scopes.leave(scope, &member);
            if let Some(caller) = caller(&member) {
                caller.left(&scope.id);
            }
            member.refuse("sos:leave", None, &SosError::Forbidden.about(&scope.id));
        }
    }

    fn admitted(&self, scope: &ScopeId, control: &Control) {
        for member in self.of_user(scope, &control.user_id) {
            // Dispatchers and admins need no admission.
            if let Some(caller) = caller(&member).filter(|caller| !caller.claims().role.sees_all()) {
                self.scopes.set_role(scope, member.id(), &control.role);
                caller.entered(&scope.id, &control.role);
            }
        }
    }

    fn of_user(&self, scope: &ScopeId, user: &str) -> Vec<Arc<Socket>> {
        let members = self.scopes.members(scope).into_iter();
        members.filter(|member| *member.user == *user).map(|member| member.socket).collect()
    }

    /// Sends the current value of what is volatile: it may have been missed.
    pub(super) async fn send_locations(&self, sos: &str, members: &[LocalMember]) {
        match sos_locations(self.redis(), sos).await {
            Ok(locations) => {
                for (_, location) in &locations {
                    let Ok(location) = std::str::from_utf8(location) else { continue };
                    members.iter().for_each(|member| member.socket.emit_volatile_json("location:broadcast", location));
                }
            }
            Err(error) => tracing::debug!(sos, %error, "members did not get the last locations"),
        }
    }

    /// Redis has lost a part of the log, or everything: these members join again and get the state.
    async fn rebuild(self: &Arc<Self>, sos: &str, members: Vec<LocalMember>) {
        let rejoins = stream::iter(members).map(|member| self.rebuild_one(sos, member.socket)).buffer_unordered(PARALLEL_REJOINS);
        if rejoins.fold(false, |any, one| async move { any | one }).await {
            self.remember(sos).await;
        }
    }

    /// True if there is a state.
    async fn rebuild_one(self: &Arc<Self>, sos: &str, socket: Arc<Socket>) -> bool {
        let Some(caller) = caller(&socket) else { return false };
        let mut found = false;
        let mut pause = Duration::from_millis(200);
        while !caller.is_gone() && caller.role_in(sos).is_some() {
            let claims = caller.claims();
            match self.enter(&socket, &claims, sos, claims.names(sos), true).await {
                Ok(Entered::Joined { state: Some(state), hold, position }) => {
                    socket.emit_args(&state.event);
                    self.settle_in(&socket, sos, Some(&state), hold, &position);
                    found = true;
                    break;
                }
                Ok(Entered::Joined { state: None, hold, position }) => {
                    hold.release(&position);
                    // It is a member because its token names the SOS, and there is no state yet.
                    if let Err(SosError::NotFound | SosError::Forbidden) | Ok(()) = self.ensure(sos, &claims).await {
                        break;
                    }
                }
                Ok(Entered::Ended(state)) => {
                    socket.emit_args(&state.event);
                    self.evict(&socket, &claims, sos).await;
                    break;
                }
                Err(SosError::Forbidden | SosError::NotFound) => {
                    self.evict(&socket, &claims, sos).await;
                    socket.refuse("sos:init", None, &SosError::NotFound.about(sos));
                    break;
                }
                Err(_) => {}
            }
            tokio::time::sleep(pause).await;
            pause = longer(pause, Duration::from_secs(5));
        }
        self.seen(&socket, &caller.claims()).await;
        found
    }
}
