//! `GET /media/{key}?exp&sig`: audio of a folder, for those who have a signed address of it (contract § 4 "The gateway"). A part of
//! it can be asked for by `Range`: Safari plays nothing else.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use bytes::Bytes;
use hyper::header::{
    ACCEPT_RANGES, CONTENT_RANGE, CONTENT_TYPE, HeaderMap, HeaderValue, IF_RANGE, RANGE, X_CONTENT_TYPE_OPTIONS,
};
use hyper::{Method, StatusCode};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _};
use schemars::{JsonSchema, json_schema};
use serde_json::json;
use tokio::time::timeout;

use super::is_key;
use super::piecewise::Files;
use crate::core::clock::now_seconds;
use crate::core::error::chain;
use crate::core::ids;
use crate::http::docs::{Doc, Tag};
use crate::http::error::Problem;
use crate::http::router::{Answer, Call, Router};
use crate::http::{Body, HttpError, Shape, respond};
use crate::settings::Secret;
use crate::telemetry::once_a_minute;

const TAG: Tag = Tag { name: "Audio", about: "What was said in interviews, where it is kept in a folder." };

/// How long an address opens what it leads to.
pub const ADDRESS_LASTS: Duration = Duration::from_secs(24 * 60 * 60);
/// To find a file.
const DEADLINE: Duration = Duration::from_secs(10);

/// Makes signed addresses, and serves what they lead to.
pub struct Links {
    files: Files,
    /// What stands before `/media`.
    public_url: Box<str>,
    key: hmac::Key,
}

/// What a client asks for of a file.
#[derive(Debug, PartialEq, Eq)]
enum Part {
    Whole,
    These(Range<u64>),
    /// None of it is there.
    Outside,
}

impl Part {
    /// Reads `Range: bytes=…`. What is no range of bytes, or several, counts as none (RFC 9110 § 14.2). So does one that is for a
    /// certain version of the file: we name none.
    fn of(headers: &HeaderMap, size: u64) -> Self {
        let range = headers.get(RANGE).filter(|_| !headers.contains_key(IF_RANGE));
        let range = range.and_then(|range| range.to_str().ok()?.strip_prefix("bytes=")?.trim().split_once('-'));
        let Some((first, last)) = range else { return Self::Whole };
        let number = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().unwrap_or(u64::MAX));
        match (number(first), number(last)) {
            _ if first.is_empty() && last.is_empty() => Self::Whole,
            (Some(_), Some(0)) if first.is_empty() => Self::Outside,
            (Some(_), Some(most)) if first.is_empty() => Self::within(size.saturating_sub(most), size, size),
            (Some(from), Some(_)) if last.is_empty() => Self::within(from, size, size),
            (Some(from), Some(to)) if from <= to => Self::within(from, to.saturating_add(1), size),
            _ => Self::Whole,
        }
    }

    fn within(from: u64, end: u64, size: u64) -> Self {
        if from < size { Self::These(from..end.min(size)) } else { Self::Outside }
    }
}

impl Links {
    /// All nodes with the same secret know each other's addresses. Without one, an address is good at this process only.
    pub fn new(store: Arc<dyn ObjectStore>, public_url: &str, secret: Option<&Secret>) -> Self {
        let own = Secret::new(ids::random(32));
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.unwrap_or(&own).expose().as_bytes());
        // Derived, so that the secret serves for nothing else by accident.
        let derived = hmac::sign(&root, b"convoke media addresses, version 1");
        let key = hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref());
        Self { files: Files::new(store), public_url: public_url.into(), key }
    }

    /// An address of this key, good for a day.
    pub(super) fn address(&self, key: &str) -> String {
        let expires = now_seconds() + ADDRESS_LASTS.as_secs();
        let signature = BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, said(key, expires).as_bytes()));
        format!("{}/media/{key}?exp={expires}&sig={signature}", self.public_url)
    }

    /// Whether we have signed this, and it is still good.
    fn admits(&self, key: &str, expires: &str, signature: &str, now_seconds: u64) -> bool {
        let Ok(expires) = expires.parse::<u64>() else { return false };
        let Ok(signature) = BASE64_URL_SAFE_NO_PAD.decode(signature) else { return false };
        // Compares in constant time.
        let is_ours = hmac::verify(&self.key, said(key, expires).as_bytes(), &signature).is_ok();
        is_ours && now_seconds < expires
    }

    async fn serve(&self, call: &Call) -> Answer {
        let (key, query) = (call.param("key"), call.query());
        let part = |name: &str| query.get(name).map_or("", String::as_str);
        if !self.admits(key, part("exp"), part("sig"), now_seconds()) {
            return Err(not_ours());
        }
        if !is_key(key) {
            return Err(not_found());
        }
        let path = Path::from(key);
        let found = timeout(DEADLINE, self.files.store.head(&path)).await.map_err(|_| HttpError::Unavailable)?;
        let size = found.map_err(missing)?.size;
        let (status, part, range) = match Part::of(&call.headers, size) {
            Part::Whole => (StatusCode::OK, 0..size, None),
            Part::These(part) => {
                let range = format!("bytes {}-{}/{size}", part.start, part.end - 1);
                (StatusCode::PARTIAL_CONTENT, part, Some(range))
            }
            Part::Outside => (StatusCode::RANGE_NOT_SATISFIABLE, 0..0, Some(format!("bytes */{size}"))),
        };
        let body = self.files.part(path, part);
        let mut response = respond(status, content_type(key), Bytes::new()).map(|_| Body::new(body));
        let headers = response.headers_mut();
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        headers.insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if status == StatusCode::RANGE_NOT_SATISFIABLE {
            headers.remove(CONTENT_TYPE);
        }
        if let Some(range) = range.and_then(|range| HeaderValue::try_from(range).ok()) {
            headers.insert(CONTENT_RANGE, range);
        }
        Ok(response)
    }
}

/// Adds the route. `None`: audio is not kept in a folder, and it answers 501.
pub fn route(router: &mut Router, links: Option<Arc<Links>>) {
    let handler = move |call: Call| {
        let links = links.clone();
        async move { links.ok_or(HttpError::NotConfigured { setting: "AUDIO_STORAGE_URL" })?.serve(&call).await }
    };
    router.route(Method::GET, "/media/{*key}", Shape::Coded, handler).described(doc());
}

fn doc() -> Doc {
    let bytes = || json_schema!({"type": "string", "format": "binary"});
    let (about, part) = ("The audio.", "The part of it that `Range` asks for. `Content-Range` says which.");
    Doc::new("getMedia", TAG, "Read the audio of an answer or a question")
        .about(
            "`audioUrl` of an answer leads here if audio is kept in a folder (`AUDIO_STORAGE_URL` is `file:…`); an object store has addresses of \
             its own. The address is good for a day. `key` holds slashes, which are not encoded.",
        )
        .open()
        .needs("AUDIO_STORAGE_URL")
        .path("key", "Where the audio is.", json!({"type": "string"}))
        .header("Range", "One range of bytes; several count as none.", json!({"type": "string"}))
        .loose_query::<Signed>()
        .answers_as(StatusCode::OK, about, "audio/wav", bytes())
        .answers_as(StatusCode::OK, about, "audio/mpeg", bytes())
        .answers_as(StatusCode::OK, about, "audio/webm", bytes())
        .answers_as(StatusCode::OK, about, "application/octet-stream", bytes())
        .answers_as(StatusCode::PARTIAL_CONTENT, part, "audio/wav", bytes())
        .answers_as(StatusCode::PARTIAL_CONTENT, part, "audio/mpeg", bytes())
        .answers_as(StatusCode::PARTIAL_CONTENT, part, "audio/webm", bytes())
        .answers_as(StatusCode::PARTIAL_CONTENT, part, "application/octet-stream", bytes())
        .answers_nothing(StatusCode::RANGE_NOT_SATISFIABLE, "It is shorter: `Content-Range` says how long it is.")
        .refuses([not_ours(), not_found()])
        .unavailable()
}

/// What makes an address one of ours.
#[derive(JsonSchema)]
struct Signed {
    /// Seconds since 1970.
    #[allow(dead_code)]
    exp: String,
    /// The hub's signature.
    #[allow(dead_code)]
    sig: String,
}

fn said(key: &str, expires: u64) -> String {
    format!("GET\n{key}\n{expires}")
}

fn content_type(key: &str) -> &'static str {
    match key.rsplit_once('.').map(|(_, ending)| ending) {
        Some("wav") => "audio/wav",
        Some("mp3") => "audio/mpeg",
        Some("webm") => "audio/webm",
        _ => "application/octet-stream",
    }
}

fn missing(error: object_store::Error) -> HttpError {
    match error {
        object_store::Error::NotFound { .. } => not_found(),
        error => {
            once_a_minute!(warn, "audio cannot be read", error = chain(&error));
            HttpError::Unavailable
        }
    }
}

fn not_ours() -> HttpError {
    problem(StatusCode::FORBIDDEN, "FORBIDDEN", "The address is not valid, or no longer")
}

fn not_found() -> HttpError {
    problem(StatusCode::NOT_FOUND, "NOT_FOUND", "There is no such audio")
}

fn problem(status: StatusCode, code: &'static str, message: &'static str) -> HttpError {
    HttpError::Problem(Problem::new(status, code, message))
}

#[cfg(test)]
mod tests {
    use super::*;
    use object_store::memory::InMemory;

    fn links(secret: Option<&str>) -> Links {
        Links::new(Arc::new(InMemory::new()), "", secret.map(Secret::new).as_ref())
    }

    /// Expiry and signature of an address.
    fn parts(address: &str) -> (&str, &str) {
        let (_, query) = address.split_once("?exp=").unwrap();
        query.split_once("&sig=").unwrap()
    }

    #[test]
    fn a_part_is_one_range_of_bytes_and_what_is_none_asks_for_all() {
        let part = |range: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RANGE, range.parse().unwrap());
            Part::of(&headers, 1_000)
        };
        for (range, these) in [
            ("bytes=0-1", 0..2),
            ("bytes=0-", 0..1_000),
            ("bytes=999-5000", 999..1_000),
            ("bytes=-1", 999..1_000),
            ("bytes=-2000", 0..1_000),
            ("bytes=5-99999999999999999999999", 5..1_000),
        ] {
            assert_eq!(part(range), Part::These(these), "{range}");
        }
        for outside in ["bytes=1000-", "bytes=1000-1001", "bytes=-0", "bytes=99999999999999999999999-"] {
            assert_eq!(part(outside), Part::Outside, "{outside}");
        }
        for whole in ["bytes=-", "bytes=2-1", "bytes=0-1,5-6", "bytes=a-b", "bytes=+1-2", "items=0-1", "bytes"] {
            assert_eq!(part(whole), Part::Whole, "{whole}");
        }
        assert_eq!(Part::of(&HeaderMap::new(), 0), Part::Whole);
    }

    #[test]
    fn an_address_opens_its_own_key_for_a_day_at_every_node_with_the_secret() {
        let (one, other) = (links(Some("a secret")), links(Some("a secret")));
        let address = one.address("i-1/a.wav");
        let (expires, signature) = parts(&address);
        let until: u64 = expires.parse().unwrap();
        assert!(other.admits("i-1/a.wav", expires, signature, until - 1));
        assert!(until.abs_diff(now_seconds() + 86_400) <= 2, "{until}");
        for (key, expires, signature, now, why) in [
            ("i-1/a.wav", expires, signature, until, "expired"),
            ("i-2/a.wav", expires, signature, 0, "another key"),
            ("i-1/a.wav", "99999999999", signature, 0, "another time"),
            ("i-1/a.wav", expires, "", 0, "no signature"),
            ("i-1/a.wav", expires, "AAAA", 0, "another signature"),
            ("i-1/a.wav", "", signature, 0, "no time"),
            ("i-1/a.wav", "-1", signature, 0, "a strange time"),
        ] {
            assert!(!other.admits(key, expires, signature, now), "{why}");
        }
        assert!(!links(Some("another secret")).admits("i-1/a.wav", expires, signature, 0));
        assert!(!links(None).admits("i-1/a.wav", expires, signature, 0), "no secret is not an empty one");
    }
}
