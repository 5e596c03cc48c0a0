//! The types of settings that the standard library lacks: secrets, address blocks, durations, origins.

use std::borrow::Cow;
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use std::time::Duration;

use ipnet::IpNet;

/// Text that neither a log line nor an error message can show by accident.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Box<str>);

impl Secret {
    pub fn new(text: impl Into<Box<str>>) -> Self {
        Self(text.into())
    }

    /// The secret itself. The name is meant to stand out in a review.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// A block of addresses such as `10.0.0.0/8`, or a single address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(IpNet);

impl Cidr {
    /// Whether `address` lies in the block. An IPv4 address that came in over an IPv6 socket (`::ffff:10.0.0.1`) counts as IPv4.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.0.contains(&address.to_canonical())
    }
}

impl FromStr for Cidr {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let single = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_| single()).map(Self).map_err(|_| ())
    }
}

/// Which web pages may connect (contract § 7, "Origins").
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Origins {
    /// `*` was given: every origin passes.
    pub any: bool,
    list: Vec<Box<str>>,
}

impl Origins {
    /// Adds one entry of the list: `*`, or `scheme://host[:port]`.
    ///
    /// # Errors
    /// `()` if `entry` is neither.
    pub(super) fn add(&mut self, entry: &str) -> Result<(), ()> {
        if entry == "*" {
            self.any = true;
            return Ok(());
        }
        let entry = entry.strip_suffix('/').unwrap_or(entry).to_ascii_lowercase();
        let (scheme, host) = entry.split_once("://").ok_or(())?;
        let plain = |text: &str, also: &str| {
            !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || also.as_bytes().contains(&b))
        };
        if !plain(scheme, "+-.") || !plain(host, "-._:[]") {
            return Err(());
        }
        let entry = as_http(&entry).into();
        if !self.list.contains(&entry) {
            self.list.push(entry);
        }
        Ok(())
    }

    /// Whether the value of an `Origin` header is in the lists by name. The request's own host is not this type's business.
    pub fn names(&self, origin: &str) -> bool {
        let origin = origin.to_ascii_lowercase();
        self.list.iter().any(|entry| **entry == *as_http(&origin))
    }
}

/// An origin in lower case as a browser would write it: React Native and Swift send `ws` and `wss`; browsers leave the default
/// port out, and people write it into settings.
fn as_http(origin: &str) -> Cow<'_, str> {
    let http = match origin.strip_prefix("ws") {
        Some(rest) if rest.starts_with(':') || rest.starts_with("s:") => format!("http{rest}").into(),
        _ => Cow::Borrowed(origin),
    };
    let port = if http.starts_with("https:") {
        ":443"
    } else if http.starts_with("http:") {
        ":80"
    } else {
        return http;
    };
    match http.strip_suffix(port) {
        Some(bare) => bare.to_owned().into(),
        None => http,
    }
}

/// Reads a Go duration (`24h`, `1h30m`, `500ms`, `1.5s`); a bare number is seconds. `None` if it is neither, negative, or
/// too long for the clock.
pub fn duration(text: &str) -> Option<Duration> {
    if let Ok(seconds) = text.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let mut rest = text;
    let mut total = Duration::ZERO;
    while !rest.is_empty() {
        let number = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (value, tail) = rest.split_at(number);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let seconds = match unit {
            "ns" => 1e-9,
            "us" | "µs" => 1e-6,
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            _ => return None,
        };
        let part = Duration::try_from_secs_f64(value.parse::<f64>().ok()? * seconds).ok()?;
        total = total.checked_add(part)?;
        rest = tail;
    }
    (!text.is_empty()).then_some(total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_itself_only_when_asked() {
        let secret = Secret::new("hunter2");
        assert_eq!(format!("{secret} {secret:?}"), "[secret] [secret]");
        assert_eq!(secret.expose(), "hunter2");
    }

    #[test]
    fn an_address_block_contains_its_addresses_only() {
        let cases = [
            ("10.0.0.0/8", "10.255.0.1", true),
            ("10.0.0.0/8", "11.0.0.1", false),
            ("10.0.0.0/8", "::ffff:10.1.2.3", true),
            ("192.168.1.7", "192.168.1.7", true),
            ("192.168.1.7", "192.168.1.8", false),
            ("0.0.0.0/0", "8.8.8.8", true),
            ("0.0.0.0/0", "::1", false),
            ("fd00::/8", "fdab::1", true),
            ("fd00::/8", "fe80::1", false),
            ("::/0", "fe80::1", true),
        ];
        for (block, address, inside) in cases {
            assert_eq!(block.parse::<Cidr>().unwrap().contains(address.parse().unwrap()), inside, "{address} in {block}");
        }
        for bad in ["", "10.0.0.0/33", "fd00::/129", "10.0.0/8", "a/8", "10.0.0.0/", "10.0.0.0/-1"] {
            assert!(bad.parse::<Cidr>().is_err(), "{bad}");
        }
    }

    #[test]
    fn origins_match_whatever_their_case_and_default_port() {
        let mut origins = Origins::default();
        for entry in ["https://App.example.com/", "http://localhost:5173", "https://a.example:443", "capacitor://localhost"] {
            origins.add(entry).unwrap();
        }
        origins.add("wss://b.example").unwrap();
        for good in [
            "https://app.example.com",
            "http://localhost:5173",
            "https://A.example",
            "capacitor://localhost",
            "wss://app.example.com",
            "WSS://App.example.com:443",
            "ws://localhost:5173",
            "https://b.example",
        ] {
            assert!(origins.names(good), "{good}");
        }
        for bad in [
            "http://app.example.com",
            "ws://app.example.com",
            "wsx://app.example.com",
            "https://app.example.com.evil.test",
            "http://localhost",
            "null",
            "",
            "*",
        ] {
            assert!(!origins.names(bad), "{bad}");
        }
        for bad in ["localhost", "https://", "https://a/b", "https://a b", "http://user@host", "://x"] {
            assert!(origins.add(bad).is_err(), "{bad}");
        }
        origins.add("*").unwrap();
        assert!(origins.any && !origins.names("https://anything.test"));
    }

    #[test]
    fn durations_are_those_of_go_and_bare_numbers_are_seconds() {
        let ms = |text| duration(text).map(|duration| duration.as_millis());
        for (text, expected) in [
            ("24h", 86_400_000),
            ("500ms", 500),
            ("90", 90_000),
            ("1h30m", 5_400_000),
            ("1.5s", 1_500),
            ("0", 0),
            ("2m0.5s", 120_500),
        ] {
            assert_eq!(ms(text), Some(expected), "{text}");
        }
        for bad in ["", "1d", "h", "-1", "-1s", "1.5", "1 h", "1e3s", "1..5s", "99999999999999999999h"] {
            assert_eq!(ms(bad), None, "{bad}");
        }
    }
}
