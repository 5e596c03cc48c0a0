//! What this feature asks of its surroundings: who a token stands for, and what the SOS service knows.
//!
//! Both are traits, so that everything here can be tried without keys and without a service.

use std::pin::Pin;

use bytes::Bytes;

use crate::auth::{AuthError, SosVerifier, Verified};
use crate::core::ids;
use crate::features::sos::service_client::SosService;
pub use crate::features::sos::service_client::{Delivery, LookupError, Record};
use crate::rooms::expiry::now_seconds;

/// A boxed future, so that the traits can stand behind `dyn`.
pub type Answer<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Says who a token stands for.
pub trait Verifier: Send + Sync + 'static {
    /// A token that is valid but for its `exp` is no error: see [`Verified::expired`].
    fn verify<'a>(&'a self, token: &'a str) -> Answer<'a, Result<Verified, AuthError>>;
}

/// The SOS service. Calls take about two seconds at most.
pub trait Directory: Send + Sync + 'static {
    /// False: there is no service; nobody is owed any event.
    fn is_configured(&self) -> bool;

    /// `GET {SOS_MS_URL}/internal/sos/:id`
    fn lookup<'a>(&'a self, sos: &'a str) -> Answer<'a, Result<Record, LookupError>>;

    /// `POST {SOS_MS_URL}/internal/realtime/event`; `id` is the `Idempotency-Key`.
    fn deliver<'a>(&'a self, id: &'a str, event: Bytes) -> Answer<'a, Delivery>;
}

impl Verifier for SosVerifier {
    fn verify<'a>(&'a self, token: &'a str) -> Answer<'a, Result<Verified, AuthError>> {
        Box::pin(self.verify(token, now_seconds()))
    }
}

/// `None`: no service is configured.
impl Directory for Option<SosService> {
    fn is_configured(&self) -> bool {
        self.is_some()
    }

    fn lookup<'a>(&'a self, sos: &'a str) -> Answer<'a, Result<Record, LookupError>> {
        Box::pin(async move {
            match self {
                Some(service) => service.lookup(sos, &ids::random(12)).await,
                None => Err(LookupError::Unavailable),
            }
        })
    }

    fn deliver<'a>(&'a self, id: &'a str, event: Bytes) -> Answer<'a, Delivery> {
        Box::pin(async move {
            match self {
                Some(service) => service.deliver(event, id, &ids::random(12)).await,
                None => Delivery::Accepted,
            }
        })
    }
}
