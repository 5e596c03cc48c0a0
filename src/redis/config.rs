//! Where Redis is, and the client's time limits and queue sizes.

use std::time::Duration;

use ::redis::{ConnectionAddr, ConnectionInfo, ProtocolVersion, RedisConnectionInfo};

use super::RedisError;
use super::dial::Address;

/// The settings of the client. [`RedisConfig::new`] gives all but the URL their defaults.
#[derive(Clone, Debug)]
pub struct RedisConfig {
    /// `redis://[user:password@]host:port[/db]`, `rediss://…`, `redis-cluster://[user:password@]host:port,host:port`,
    /// `rediss-cluster://…`, `redis-sentinel://[user:password@]host:port,host:port/service[/db]`.
    pub url: String,
    /// Do not fail at start when Redis is down.
    pub lazy: bool,
    /// How long a call may take in all, repeats included.
    pub deadline: Duration,
    /// How long making a connection may take.
    pub connect_timeout: Duration,
    /// How long a pipeline may stay unanswered before its connection is replaced.
    pub response_timeout: Duration,
    /// Calls that may wait for one master; one more fails at once with `Unavailable`.
    pub queue: usize,
    /// Bytes of calls that may wait for one master; more fail likewise.
    pub queue_bytes: usize,
    /// Replicas that must confirm an acknowledged write, if its master has any; 0: none.
    pub ack_replicas: usize,
    /// How long a pipeline waits for these confirmations.
    pub ack_timeout: Duration,
    /// Published messages of one master that may wait for [`Sink::message`](super::Sink::message); beyond it they are dropped
    /// and the master's channels get a [`Sink::gap`](super::Sink::gap).
    pub push_queue: usize,
    /// How often the slot table is read even if nothing seems wrong.
    pub refresh: Duration,
    /// How often a subscriber connection, and an idle one for commands, is pinged; how long a subscriber's answer may take.
    pub ping: Duration,
}

impl RedisConfig {
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            lazy: true,
            deadline: Duration::from_secs(5),
            connect_timeout: Duration::from_secs(1),
            response_timeout: Duration::from_secs(2),
            queue: 16_384,
            queue_bytes: 64 << 20,
            ack_replicas: 1,
            ack_timeout: Duration::from_millis(500),
            push_queue: 16_384,
            refresh: Duration::from_secs(1),
            ping: Duration::from_secs(2),
        }
    }
}

/// The parts of a URL.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub kind: Kind,
    /// The Redis itself, some nodes of the cluster, or the sentinels.
    pub seeds: Vec<Address>,
    pub tls: bool,
    /// User, password, database, and always RESP3, which is needed for pushes.
    pub login: RedisConnectionInfo,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Single,
    Cluster,
    Sentinel { service: String },
}

impl Target {
    pub fn parse(url: &str) -> Result<Self, RedisError> {
        // The password must not appear in an error, so the URL is never quoted.
        let bad = |why: &str| RedisError::Config(format!("the Redis URL {why}"));
        let (scheme, rest) = url.split_once("://").ok_or_else(|| bad("has no scheme"))?;
        let (tls, form) = match scheme {
            "redis" => (false, ""),
            "rediss" => (true, ""),
            _ => match scheme.split_once('-') {
                Some(("redis", form)) => (false, form),
                Some(("rediss", form)) => (true, form),
                _ => return Err(bad("has an unknown scheme")),
            },
        };
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (user, hosts) = authority.rsplit_once('@').map_or(("", authority), |(user, hosts)| (user, hosts));
        let (kind, db, default_port) = match form {
            "" => (Kind::Single, path, 6379),
            "cluster" => match path {
                "" | "0" => (Kind::Cluster, "", 6379),
                _ => return Err(bad("names a database, which a cluster has not")),
            },
            "sentinel" => {
                let (service, db) = path.split_once('/').unwrap_or((path, ""));
                if service.is_empty() {
                    return Err(bad("names no service: redis-sentinel://host:port,host:port/service"));
                }
                (Kind::Sentinel { service: service.to_owned() }, db, 26379)
            }
            _ => return Err(bad("has an unknown scheme")),
        };
        if kind == Kind::Single && hosts.contains(',') {
            return Err(bad("names several hosts; that needs redis-cluster:// or redis-sentinel://"));
        }
        let at = if user.is_empty() { "" } else { "@" };
        let mut seeds = Vec::new();
        let mut login = RedisConnectionInfo::default();
        for host in hosts.split(',') {
            // redis-rs knows the details: escapes, IPv6 in brackets, the database. It gets one plain URL for each host.
            let has_port =
                host.rsplit_once(':').is_some_and(|(_, port)| !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit()));
            let port = if has_port { String::new() } else { format!(":{default_port}") };
            let info: ConnectionInfo =
                format!("redis://{user}{at}{host}{port}/{db}").parse().map_err(|_| bad("does not parse"))?;
            let ConnectionAddr::Tcp(host, port) = info.addr() else { return Err(bad("does not parse")) };
            seeds.push(Address::new(host, *port));
            login = info.redis_settings().clone();
        }
        if u16::try_from(login.db()).is_err() {
            return Err(bad("names a database that none is"));
        }
        Ok(Self { kind, seeds, tls, login: login.set_protocol(ProtocolVersion::RESP3) })
    }

    pub fn database(&self) -> u16 {
        u16::try_from(self.login.db()).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(url: &str) -> Result<(Kind, String, bool, i64, Option<String>), String> {
        let target = Target::parse(url).map_err(|error| error.to_string())?;
        let seeds = target.seeds.iter().map(Address::to_string).collect::<Vec<_>>().join(" ");
        Ok((target.kind, seeds, target.tls, target.login.db(), target.login.password().map(str::to_owned)))
    }

    #[test]
    fn every_form_of_the_url_is_understood() {
        let seeds = |text: &str| text.to_owned();
        assert_eq!(parsed("redis://localhost"), Ok((Kind::Single, seeds("localhost:6379"), false, 0, None)));
        assert_eq!(parsed("rediss://:p%40w@h:1/3"), Ok((Kind::Single, seeds("h:1"), true, 3, Some("p@w".into()))));
        assert_eq!(parsed("redis-cluster://u:p@a:1,b:2"), Ok((Kind::Cluster, seeds("a:1 b:2"), false, 0, Some("p".into()))));
        assert_eq!(parsed("rediss-cluster://[::1]:7000"), Ok((Kind::Cluster, seeds("::1:7000"), true, 0, None)));
        let service = Kind::Sentinel { service: "main".into() };
        assert_eq!(parsed("redis-sentinel://a,b:2/main/4"), Ok((service, seeds("a:26379 b:2"), false, 4, None)));
    }

    #[test]
    fn a_url_that_makes_no_sense_is_refused_without_telling_its_password() {
        for bad in [
            "",
            "localhost:6379",
            "http://h",
            "redis://",
            "redis://:secret@a:1,b:2",
            "redis://h:99999",
            "redis://h/x",
            "redis://h/-1",
            "redis://h/70000",
            "redis-cluster://:secret@a:1/2",
            "redis-sentinel://:secret@a:1",
            "redis-ring://a",
        ] {
            let error = parsed(bad).expect_err(bad);
            assert!(!error.contains("secret"), "{error}");
        }
    }
}
