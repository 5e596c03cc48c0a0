//! The check of `X-Internal-Token`, for the routes below `/internal`.

use hyper::header::{HeaderName, HeaderValue};

use super::FailedAuth;
use crate::auth::{AuthError, InternalToken};
use crate::http::HttpError;
use crate::http::docs::Credential;
use crate::http::router::Call;
use crate::settings::Secret;
use crate::telemetry::due;

/// The header by which the company's own services authenticate.
pub const X_INTERNAL_TOKEN: HeaderName = HeaderName::from_static("x-internal-token");

/// The same header in the document of the routes.
pub const INTERNAL: Credential = Credential {
    name: "internalToken",
    header: Some("X-Internal-Token"),
    about: "For the company's own services: the value of `INTERNAL_AUTH_TOKEN`.",
};

/// Admits requests with the token.
pub struct InternalDoor {
    token: InternalToken,
    failures: FailedAuth,
}

impl InternalDoor {
    /// `None`: all requests are refused.
    pub fn new(token: Option<&Secret>) -> Self {
        Self { token: InternalToken::new(token), failures: FailedAuth::default() }
    }

    /// # Errors
    /// [`HttpError::NotConfigured`], [`HttpError::InvalidToken`], or the refusal of an address that has failed too often.
    pub fn admit(&self, call: &Call) -> Result<(), HttpError> {
        match self.token.check(call.headers.get(X_INTERNAL_TOKEN).map(HeaderValue::as_bytes)) {
            Ok(()) => Ok(()),
            Err(AuthError::NotConfigured) => Err(HttpError::NotConfigured { setting: "INTERNAL_AUTH_TOKEN" }),
            Err(error) => {
                tell(error, call);
                Err(self.failures.refuse(call.context.address, HttpError::InvalidToken))
            }
        }
    }
}

/// Warns the operator: a service with a wrong token gets no other explanation than the refusal.
fn tell(error: AuthError, call: &Call) {
    if let Some(times) = due("X-Internal-Token is missing or wrong") {
        let (address, request_id) = (call.context.address, call.context.request_id.as_str());
        tracing::warn!(%error, %address, request_id, times, "X-Internal-Token is missing, or is not INTERNAL_AUTH_TOKEN");
    }
}
