//! CONNECT: from a token to a caller, into the room of the token's SOS, and out again. Contract § 3 "Connect".

use std::sync::Arc;

use crate::auth::AuthError;
use crate::engineio::CloseReason;
use crate::features::sos::auth::Claims;
use crate::features::sos::keys as sos_keys;
use crate::rooms::expiry;
use crate::socketio::{ConnectError, ConnectRequest, DisconnectReason, Socket};

use super::Sos;
use super::caller::{Caller, caller};
use super::error::SosError;
use super::join::Entered;
use crate::protocol::fields::Fields;

fn refused(error: AuthError) -> ConnectError {
    match error {
        AuthError::Unavailable => ConnectError::TryAgain,
        error => ConnectError::refused(expiry::code(error), error.to_string()),
    }
}

impl Sos {
    /// Decides who connects. While Redis is away the client is told to try again, since nothing would work for it.
    pub(super) async fn admit_socket(self: Arc<Self>, request: ConnectRequest) -> Result<Caller, ConnectError> {
        let verified = {
            let auth = std::str::from_utf8(&request.auth).ok().and_then(Fields::parse);
            let token = auth.map_or(Err(AuthError::Missing), |fields| expiry::token(&fields)).map_err(refused)?;
            self.ports.verifier.verify(&token).await.map_err(refused)?
        };
        let claims = verified.claims;
        let reachable = match &claims.sos_id {
            Some(sos) => self.redis().is_up(&sos_keys::state(sos)),
            None => self.redis().masters_up().0 > 0,
        };
        if !reachable {
            return Err(ConnectError::TryAgain);
        }
        if verified.expired {
            match self.has_grace(&claims).await {
                Ok(true) => {}
                Ok(false) => return Err(refused(AuthError::Expired)),
                Err(_) => return Err(ConnectError::TryAgain),
            }
        }
        Ok(Caller::new(claims, verified.expired))
    }

    /// After the CONNECT reply and before the first event.
    pub(super) async fn connected(self: Arc<Self>, socket: Arc<Socket>) {
        let Some(caller) = caller(&socket) else { return };
        self.register(&socket);
        self.schedule_expiry(&socket);
        let claims = caller.claims();
        self.seen(&socket, &claims).await;
        if let Some(sos) = claims.sos_id.as_deref() {
            self.enter_named(&socket, &claims, sos).await;
        }
    }

    /// Makes the socket a member of the SOS that its token names as `sosId`.
    pub(super) async fn enter_named(self: &Arc<Self>, socket: &Arc<Socket>, claims: &Claims, sos: &str) {
        match self.enter(socket, claims, sos, true, true).await {
            Ok(Entered::Joined { state, hold, position }) => {
                if let Some(state) = &state {
                    socket.emit_args(&state.event);
                }
                self.settle_in(socket, sos, state.as_deref(), hold, &position);
                if state.is_none() {
                    // All members, this one included, get the state as soon as there is one.
                    let _ = self.ensure(sos, claims).await;
                }
            }
            Ok(Entered::Ended(state)) => socket.emit_args(&state.event),
            Err(SosError::Unavailable | SosError::Unconfirmed) => socket.session().close(CloseReason::TryAgain),
            Err(error) => socket.refuse("connect", None, &error.about(sos)),
        }
    }

    /// After the last event of a socket.
    pub(super) async fn disconnected(self: Arc<Self>, socket: Arc<Socket>, reason: DisconnectReason) {
        let Some(caller) = caller(&socket) else { return };
        caller.end();
        self.unregister(&socket);
        tracing::debug!(sid = socket.id(), ?reason, "disconnected");
        if reason == DisconnectReason::TakenOver {
            return;
        }
        if caller.watch(false) {
            self.unwatch(&socket, &caller.claims()).await;
        }
        for sos in caller.rooms() {
            caller.left(&sos);
            self.lose(&socket, &caller.claims(), &sos);
        }
        self.unseen(&socket, &caller.claims()).await;
    }
}
