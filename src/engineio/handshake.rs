//! What a session keeps of its first request.

use std::borrow::Cow;
use std::net::IpAddr;
use std::time::SystemTime;

use hyper::Request;
use hyper::header::{AsHeaderName, HeaderMap, HeaderName, HeaderValue, USER_AGENT};

/// Bytes that a session keeps of its `User-Agent`, of its path and of its query. Those of real clients are shorter.
const TEXT: usize = 1_024;
/// The cost of a header beside its bytes.
const HEADER: usize = 64;

/// The first request of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Handshake {
    /// The client, as seen by the trusted proxies in front.
    pub address: IpAddr,
    /// The path of the URL; empty if the session came from a node of an earlier release.
    pub path: Box<str>,
    pub query: Box<str>,
    pub user_agent: Option<Box<str>>,
    /// The headers for which there is room: [`Config::handshake_headers`](super::Config).
    pub headers: HeaderMap,
    /// When it came; 1970 if the session came from a node of an earlier release.
    pub time: SystemTime,
}

impl Handshake {
    /// Of the headers only those of these names (empty: all), as far as they fit into so many bytes.
    pub(super) fn read<B>(request: &Request<B>, address: IpAddr, headers: usize, names: &[&str]) -> Self {
        Self {
            address,
            path: start_of(request.uri().path()),
            query: start_of(request.uri().query().unwrap_or_default()),
            user_agent: request.headers().get(USER_AGENT).and_then(|agent| agent.to_str().ok()).map(start_of),
            headers: copied(request.headers(), headers, names),
            time: SystemTime::now(),
        }
    }

    /// Path and query.
    pub fn url(&self) -> String {
        format!("{}?{}", self.path, self.query)
    }

    /// A header, if it is text.
    pub fn header(&self, name: impl AsHeaderName) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The bytes that its headers take.
    pub fn header_bytes(&self) -> usize {
        self.headers.iter().map(|(name, value)| cost(name, value)).sum()
    }

    /// The first value of a parameter of the query, decoded.
    pub fn parameter(&self, name: &str) -> Option<Cow<'_, str>> {
        form_urlencoded::parse(self.query.as_bytes()).find(|(key, _)| key == name).map(|(_, value)| value)
    }
}

fn start_of(text: &str) -> Box<str> {
    text.get(..TEXT.min(text.len())).unwrap_or_default().into()
}

/// The headers of these names, as many as fit into so many bytes. Copied, since the originals keep the whole head of the request
/// in memory.
fn copied(headers: &HeaderMap, most: usize, names: &[&str]) -> HeaderMap {
    let mut left = most;
    let mut kept = HeaderMap::new();
    for (name, value) in headers.iter().filter(|(name, _)| names.is_empty() || names.contains(&name.as_str())) {
        let copies = HeaderName::from_bytes(name.as_str().as_bytes()).ok().zip(HeaderValue::from_bytes(value.as_bytes()).ok());
        let rest = left.checked_sub(cost(name, value));
        if let (Some((name, value)), Some(rest)) = (copies, rest) {
            kept.append(name, value);
            left = rest;
        }
    }
    kept
}

fn cost(name: &HeaderName, value: &HeaderValue) -> usize {
    HEADER + name.as_str().len() + value.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_handshake_has_the_url_and_the_headers_that_find_room() {
        let request = Request::builder()
            .uri("/socket.io/?EIO=4&name=a%20b+c")
            .header("cookie", "a=1")
            .header("x-large", "x".repeat(500))
            .header("cookie", "b=2")
            .body(())
            .unwrap();
        let handshake = Handshake::read(&request, [127, 0, 0, 1].into(), 300, &[]);
        assert_eq!(handshake.url(), "/socket.io/?EIO=4&name=a%20b+c");
        assert_eq!(handshake.parameter("name").as_deref(), Some("a b c"));
        assert_eq!(handshake.parameter("sid"), None);
        assert_eq!(handshake.headers.get_all("cookie").iter().count(), 2);
        assert_eq!((handshake.header("cookie"), handshake.header("x-large")), (Some("a=1"), None));
        assert_eq!(handshake.header_bytes(), 2 * (HEADER + "cookie".len() + "a=1".len()));
        assert!(Handshake::read(&request, [127, 0, 0, 1].into(), 0, &[]).headers.is_empty());
        let named = Handshake::read(&request, [127, 0, 0, 1].into(), 1_000, &["x-large"]);
        assert_eq!((named.headers.len(), named.header("x-large").map(str::len)), (1, Some(500)));
    }
}
