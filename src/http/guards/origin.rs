//! Which pages may use the hub from a browser (contract § 7, "Origins").

use std::net::IpAddr;

use hyper::header::HeaderValue;

use super::Page;
use crate::settings::Origins;
use crate::telemetry::due;

/// The most bytes of a header that are logged.
const SHOWN: usize = 128;

/// The names under which the client asked for the hub.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnHosts<'a> {
    /// `Host`, as the last proxy or the client has written it.
    pub host: Option<&'a str>,
    /// `X-Forwarded-Host`, which anybody can send.
    pub forwarded: Option<&'a str>,
    /// The request comes from a trusted proxy, so that `X-Forwarded-Host` counts.
    pub from_proxy: bool,
}

impl<'a> OwnHosts<'a> {
    /// Several proxies may have added to the list. A page cannot set this header without a preflight, and the preflight is judged
    /// without it.
    fn all(self) -> impl Iterator<Item = &'a str> {
        let forwarded = self.forwarded.filter(|_| self.from_proxy).into_iter();
        self.host.into_iter().chain(forwarded.flat_map(|list| list.split(',')).map(str::trim))
    }
}

/// Judges an `Origin`. It is known if the list names it, or if it is the host to which the request was sent. Any other is allowed
/// only if the list has `*`.
pub fn page(origin: &HeaderValue, asked: &OwnHosts<'_>, origins: &Origins) -> Page {
    let is_known = |origin: &str| origins.names(origin) || asked.all().any(|host| is_own(origin, host));
    match origin.to_str().is_ok_and(is_known) {
        true => Page::Known(own(origin)),
        false if origins.any => Page::Any,
        false => Page::Foreign,
    }
}

/// A copy. A clone would keep the whole head of the request in memory while a poll waits.
fn own(value: &HeaderValue) -> HeaderValue {
    HeaderValue::from_bytes(value.as_bytes()).unwrap_or_else(|_| value.clone())
}

/// Tells the operator what was refused, and which setting allows it. The page itself sees only that it cannot connect.
pub fn tell(origin: &HeaderValue, own: &OwnHosts<'_>, peer: IpAddr) {
    let Some(times) = due("an origin is not allowed") else { return };
    let OwnHosts { host, forwarded, from_proxy } = *own;
    let origin = String::from_utf8_lossy(cut(origin.as_bytes()));
    let (host, forwarded) = (host.map(cut_text), forwarded.map(cut_text));
    if forwarded.is_some() && !from_proxy {
        tracing::warn!(
            %origin, host, forwarded_host = forwarded, %peer, times,
            "an origin is not allowed: set CORS_ORIGIN, or TRUSTED_PROXIES if it is the X-Forwarded-Host of a proxy of yours"
        );
    } else {
        tracing::warn!(
            %origin, host, forwarded_host = forwarded, %peer, times,
            "an origin is not allowed: it is neither in CORS_ORIGIN nor the host that was asked"
        );
    }
}

/// The beginning of a header, enough to recognise it.
fn cut(text: &[u8]) -> &[u8] {
    &text[..text.len().min(SHOWN)]
}

fn cut_text(text: &str) -> &str {
    // A header value that is text is ASCII, so that any byte is a boundary.
    text.get(..SHOWN).unwrap_or(text)
}

/// React Native and Swift send the address of the hub itself, with the scheme `ws` or `wss`. The scheme is not compared:
/// TLS may have ended at the balancer.
fn is_own(origin: &str, own_host: &str) -> bool {
    let Some((scheme, host)) = origin.split_once("://") else { return false };
    let default_port = match scheme.to_ascii_lowercase().as_str() {
        "http" | "ws" => ":80",
        "https" | "wss" => ":443",
        _ => return false,
    };
    let bare = |host: &str| host.strip_suffix(default_port).unwrap_or(host).to_ascii_lowercase();
    !host.is_empty() && bare(host) == bare(own_host)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_own_host_passes_in_all_its_spellings() {
        for (origin, host, own) in [
            ("http://hub.example", "hub.example", true),
            ("https://hub.example", "hub.example", true),
            ("ws://hub.example:3000", "hub.example:3000", true),
            ("wss://hub.example", "HUB.example:443", true),
            ("https://hub.example:443", "hub.example", true),
            ("http://hub.example:80", "hub.example", true),
            ("http://[::1]:3000", "[::1]:3000", true),
            ("https://hub.example:80", "hub.example", false),
            ("http://hub.example:3000", "hub.example", false),
            ("http://hub.example", "hub.example:3000", false),
            ("http://evil.example", "hub.example", false),
            ("http://hub.example.evil.test", "hub.example", false),
            ("http://hub.example@evil.test", "hub.example", false),
            ("ftp://hub.example", "hub.example", false),
            ("hub.example", "hub.example", false),
            ("null", "null", false),
            ("http://", "", false),
        ] {
            assert_eq!(is_own(origin, host), own, "{origin} at {host}");
        }
    }
}
