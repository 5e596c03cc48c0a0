//! What this feature needs from outside: who a token stands for, and what the SOS service knows.
//!
//! Both are traits, so that the feature can be tested without keys and without a service.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::future::BoxFuture;

use crate::auth::AuthError;
use crate::core::clock::now_seconds;
use crate::core::ids;
use crate::features::sos::auth::{SosVerifier, Verified};
use crate::features::sos::service_client::SosService;
pub use crate::features::sos::service_client::{Delivery, LookupError, Record};

/// Both of them.
pub struct Ports {
    pub verifier: Arc<dyn Verifier>,
    pub service: Arc<dyn IncidentService>,
}

/// Says who a token stands for.
pub trait Verifier: Send + Sync + 'static {
    /// A token that is valid but for its `exp` is no error: see [`Verified::expired`].
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Verified, AuthError>>;
}

/// The SOS service. Calls take about two seconds at most.
pub trait IncidentService: Send + Sync + 'static {
    /// False: there is no service, and no event is kept for it.
    fn is_configured(&self) -> bool;

    /// `GET {SOS_MS_URL}/internal/sos/:id`
    fn lookup<'a>(&'a self, sos: &'a str) -> BoxFuture<'a, Result<Record, LookupError>>;

    /// `POST {SOS_MS_URL}/internal/realtime/event`; `id` is the `Idempotency-Key`.
    fn deliver<'a>(&'a self, id: &'a str, event: Bytes) -> BoxFuture<'a, Delivery>;
}

impl Verifier for SosVerifier {
    fn verify<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Verified, AuthError>> {
        Box::pin(self.verify(token, now_seconds()))
    }
}

/// `None`: no service is configured.
impl IncidentService for Option<SosService> {
    fn is_configured(&self) -> bool {
        self.is_some()
    }

    fn lookup<'a>(&'a self, sos: &'a str) -> BoxFuture<'a, Result<Record, LookupError>> {
        Box::pin(async move {
            match self {
                Some(service) => service.lookup(sos, &ids::random(12)).await,
                None => Err(LookupError::Unavailable),
            }
        })
    }

    fn deliver<'a>(&'a self, id: &'a str, event: Bytes) -> BoxFuture<'a, Delivery> {
        Box::pin(async move {
            match self {
                Some(service) => service.deliver(event, id, &ids::random(12)).await,
                None => Delivery::Accepted,
            }
        })
    }
}
