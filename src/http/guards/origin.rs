//! Which pages may use the hub from a browser (contract § 7, "Origins").

use hyper::header::HeaderValue;

use crate::settings::Origins;

/// Whether a page with this `Origin` passes: it is in the list, or it is the host to which the request was sent.
pub fn passes(origin: &HeaderValue, own_host: Option<&str>, origins: &Origins) -> bool {
    let Ok(origin) = origin.to_str() else { return false };
    origins.allows(origin) || own_host.is_some_and(|host| is_own(origin, host))
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
