//! The checks that every request passes first: its address, the page that sent it, and its id.

mod address;
mod bearer;
mod failures;
mod internal;
pub mod limit;
mod origin;
pub(super) mod rate;

use std::net::IpAddr;

use bytes::Bytes;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_CREDENTIALS, ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_HEADERS, ACCESS_CONTROL_REQUEST_METHOD,
    CONTENT_LENGTH, HeaderMap, HeaderName, HeaderValue, ORIGIN, VARY, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Request, Response};

use super::error::Unnamed;
use crate::settings::{Cidr, Origins, Settings};
use crate::telemetry::RequestId;

pub use bearer::bearer;
pub use failures::{FailedAuth, TooManyRequests};
pub use internal::{INTERNAL, InternalDoor, X_INTERNAL_TOKEN};
pub use rate::{Quota, RateLimits};

pub const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const X_FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const EXPOSED: HeaderValue =
    HeaderValue::from_static("X-Request-ID, Retry-After, RateLimit-Limit, RateLimit-Remaining, RateLimit-Reset");
/// How long a browser may remember the answer to a preflight, in seconds.
const PREFLIGHT_AGE: HeaderValue = HeaderValue::from_static("600");

/// What the guards found out about a request.
#[derive(Clone, Debug)]
pub struct Context {
    /// The request's id: its own or a new one. It is in the answer, in the log, and in calls to other services.
    pub request_id: RequestId,
    /// The client's address, as the trusted proxies saw it.
    pub address: IpAddr,
    /// The page that sent it.
    pub origin: Page,
}

/// The `Origin` of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Page {
    /// There is none: the client is no browser, or a browser that does not tell it.
    None,
    /// The hub's own host, or an origin of the list.
    Known(HeaderValue),
    /// Any other origin, if all are allowed. It may connect and read answers, but the browser sends none of the credentials that
    /// it keeps for the hub (cookies, passwords).
    Any,
    /// Any other origin. It may neither connect nor read answers.
    Foreign,
}

/// Judges requests by the settings of origins and proxies.
pub struct Guards {
    origins: Origins,
    trusted_proxies: Vec<Cidr>,
}

impl Guards {
    pub fn new(settings: &Settings) -> Self {
        Self { origins: settings.origins.clone(), trusted_proxies: settings.server.trusted_proxies.clone() }
    }

    /// Checks a request that came over a connection from `peer`.
    pub fn inspect<B>(&self, request: &Request<B>, peer: IpAddr) -> Context {
        let headers = request.headers();
        let asked = origin::OwnHosts {
            host: text(headers, hyper::header::HOST).or_else(|| request.uri().authority().map(|authority| authority.as_str())),
            forwarded: text(headers, X_FORWARDED_HOST),
            from_proxy: address::is_trusted(peer, &self.trusted_proxies),
        };
        Context {
            request_id: RequestId::take_or_make(headers.get(X_REQUEST_ID).map(HeaderValue::as_bytes)),
            address: address::client(headers, peer, &self.trusted_proxies),
            origin: match headers.get(ORIGIN) {
                None => Page::None,
                Some(origin) => {
                    let page = origin::page(origin, &asked, &self.origins);
                    if page == Page::Foreign {
                        origin::tell(origin, &asked, peer);
                    }
                    page
                }
            },
        }
    }

    /// Adds the headers of every answer.
    pub fn finish<B: From<Bytes>>(&self, context: &Context, response: &mut Response<B>) {
        if let Some(unnamed) = response.extensions_mut().remove::<Unnamed>() {
            let body = Bytes::from(unnamed.named(&context.request_id));
            if let Some(length) = response.headers_mut().get_mut(CONTENT_LENGTH) {
                *length = body.len().into();
            }
            *response.body_mut() = body.into();
        }
        let headers = response.headers_mut();
        // The id was checked, or the hub has made it.
        if let Ok(id) = HeaderValue::from_str(context.request_id.as_str()) {
            headers.insert(X_REQUEST_ID, id);
        }
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.append(VARY, HeaderValue::from_static("Origin"));
        let origin = match &context.origin {
            Page::Known(origin) => {
                // Clients may be set to send credentials. The hub uses no cookies, so that none can be abused.
                headers.insert(ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
                origin.clone()
            }
            Page::Any => HeaderValue::from_static("*"),
            Page::None | Page::Foreign => return,
        };
        headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
    }

    /// Adds the answer to a browser's preflight. `methods` are those of the path.
    pub fn preflight<B>(&self, context: &Context, request: &HeaderMap, methods: &str, response: &mut Response<B>) {
        let asked = request.contains_key(ACCESS_CONTROL_REQUEST_METHOD);
        let (true, Page::Known(_) | Page::Any, Ok(methods)) = (asked, &context.origin, HeaderValue::from_str(methods)) else {
            return;
        };
        let headers = response.headers_mut();
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, methods);
        headers.insert(ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE);
        if let Some(asked) = request.get(ACCESS_CONTROL_REQUEST_HEADERS) {
            headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, asked.clone());
        }
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name).and_then(|value| value.to_str().ok())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Body;

    fn guards(pairs: &[(&str, &str)]) -> Guards {
        Guards::new(&Settings::from_source(&pairs.iter().copied().collect()).unwrap())
    }

    fn request(headers: &[(&str, &str)]) -> Request<()> {
        let request = Request::builder().uri("/health");
        headers.iter().fold(request, |request, (name, value)| request.header(*name, *value)).body(()).unwrap()
    }

    #[test]
    fn only_known_pages_may_read_the_answer() {
        let guards = guards(&[("CORS_ORIGIN", "https://app.example.com")]);
        let answer = |origin: &str| {
            let request = request(&[("origin", origin), ("host", "hub.example.com"), ("access-control-request-method", "POST")]);
            let context = guards.inspect(&request, IpAddr::from([1, 1, 1, 1]));
            let mut response = Response::new(Body::default());
            guards.finish(&context, &mut response);
            guards.preflight(&context, request.headers(), "GET, POST", &mut response);
            response
        };
        for origin in ["https://app.example.com", "https://hub.example.com"] {
            let answer = answer(origin);
            assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], origin);
            assert_eq!(answer.headers()[ACCESS_CONTROL_ALLOW_METHODS], "GET, POST");
        }
        let foreign = answer("https://evil.example");
        assert!(foreign.headers().keys().all(|name| !name.as_str().starts_with("access-control")));
        assert_eq!(foreign.headers()[VARY], "Origin");
    }

    #[test]
    fn the_host_that_a_trusted_proxy_was_asked_for_is_the_own_one_and_no_other_claim_of_it() {
        let guards = guards(&[("TRUSTED_PROXIES", "10.0.0.0/8")]);
        for (peer, forwarded, origin, known) in [
            ("10.0.0.1", "hub.example.com", "https://hub.example.com", true),
            ("10.0.0.1", "hub.example.com:443, inside", "wss://hub.example.com", true),
            ("10.0.0.1", "inside, Hub.example.com", "https://hub.example.com", true),
            ("10.0.0.1", "other.example", "https://hub.example.com", false),
            ("10.0.0.1", "", "https://hub.example.com", false),
            ("8.8.8.8", "hub.example.com", "https://hub.example.com", false),
            ("8.8.8.8", "hub.example.com", "http://inside:3000", true),
        ] {
            let request = request(&[("origin", origin), ("host", "inside:3000"), ("x-forwarded-host", forwarded)]);
            let page = guards.inspect(&request, peer.parse().unwrap()).origin;
            assert_eq!(matches!(page, Page::Known(_)), known, "{peer} {forwarded} {origin}");
        }
    }

    #[test]
    fn a_star_lets_every_page_in_without_credentials_and_those_named_beside_it_with() {
        let guards = guards(&[("CORS_ORIGIN", "*"), ("CLIENT_ORIGINS", "https://app.example.com")]);
        for (origin, allowed, credentials) in [
            ("https://any.example", "*", None),
            ("null", "*", None),
            ("https://app.example.com", "https://app.example.com", Some("true")),
            ("https://hub.example.com", "https://hub.example.com", Some("true")),
        ] {
            let request = request(&[("origin", origin), ("host", "hub.example.com"), ("access-control-request-method", "POST")]);
            let context = guards.inspect(&request, IpAddr::from([1, 1, 1, 1]));
            let mut response = Response::new(Body::default());
            guards.finish(&context, &mut response);
            guards.preflight(&context, request.headers(), "POST", &mut response);
            let headers = response.headers();
            assert_eq!(headers[ACCESS_CONTROL_ALLOW_ORIGIN], allowed, "{origin}");
            assert_eq!(
                headers.get(ACCESS_CONTROL_ALLOW_CREDENTIALS).map(|value| value.to_str().unwrap()),
                credentials,
                "{origin}"
            );
            assert_eq!(
                (&headers[ACCESS_CONTROL_ALLOW_METHODS], &headers[VARY]),
                (&"POST".parse().unwrap(), &"Origin".parse().unwrap())
            );
        }
    }
}
