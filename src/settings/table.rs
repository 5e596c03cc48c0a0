//! The variables of the environment that belong to no feature, each with its default and its meaning. Each feature has a
//! table of its own. `convoke serve --help` prints them all; nothing else in the code spells the name of a variable.

/// One variable of the environment.
#[derive(Debug)]
pub struct Variable {
    pub name: &'static str,
    /// What stands for an unset or empty value; `None` means that the variable has no value then.
    pub default: Option<&'static str>,
    /// One sentence for the operator.
    pub meaning: &'static str,
}

/// Variables that belong together, under one heading of the help text.
#[derive(Debug)]
pub struct Group {
    pub title: &'static str,
    pub variables: &'static [&'static Variable],
}

/// Declares variables with their defaults and meanings, by groups: a constant for each, and `GROUPS`.
///
/// ```
/// convoke::settings_table! {
///     "Counter" {
///         COUNTER_STEP = "1", "What one click adds";
///         COUNTER_LABEL = unset, "What stands above it";
///     }
/// }
/// assert_eq!(COUNTER_STEP.default, Some("1"));
/// assert_eq!(GROUPS[0].variables.len(), 2);
/// ```
#[macro_export]
macro_rules! settings_table {
    (@default unset) => {
        None
    };
    (@default $text:literal) => {
        Some($text)
    };
    ($($title:literal { $($name:ident = $default:tt, $meaning:literal;)+ })+) => {
        $($(pub const $name: &$crate::settings::table::Variable = &$crate::settings::table::Variable {
            name: stringify!($name),
            default: $crate::settings_table!(@default $default),
            meaning: $meaning,
        };)+)+
        /// All variables, in the order in which the help text shows them.
        pub const GROUPS: &[$crate::settings::table::Group] =
            &[$($crate::settings::table::Group { title: $title, variables: &[$($name),+] }),+];
    };
}

crate::settings_table! {
    "Server" {
        HOST = "0.0.0.0", "Address to listen on";
        PORT = "3000", "Port of HTTP and Socket.IO; 0 takes a free one";
        REALTIME_API_PORT = unset, "Stands in for PORT";
        NODE_ID = unset, "Name of this node, unique in the cluster; without it POD_NAME, else the host's name";
        POD_NAME = unset, "Stands in for NODE_ID (Kubernetes)";
        HOSTNAME = unset, "Stands in for NODE_ID and POD_NAME";
        PEER_PORT = "7946", "Port on which the nodes reach each other, not for clients; 0 takes a free one";
        POD_IP = unset, "Address at which the other nodes reach this one; without it the one from which it reaches Redis";
        CLUSTER_SECRET = unset, "Shared by all nodes; a second node without it does not start";
        NODE_LEASE_MS = "10000", "A node that has neither renewed its lease in Redis nor answered its peers for so long is dead; the same on all nodes";
        NODE_ENV = "production", "development reads .env.development and .env, logs for people, and takes short secrets; anything else counts as production";
        DEMO = "false", "Serves the page /demo and hands out development tokens: never in production";
        HTTP_BODY_LIMIT = "102400", "Largest body of an HTTP request, in bytes";
        HTTP_HEADER_SECONDS = "30", "How long a new connection may take to send its first whole request head";
        HTTP_BODY_PAUSE_SECONDS = "10", "How long the body of a request may stand still before it is given up with 408";
        HTTP_BODY_SECONDS = "120", "How long it may take in all";
        HTTP_KEEP_ALIVE_SECONDS = "75", "How long an idle connection is kept; longer than the load balancer's own time";
        WRITE_STALL_SECONDS = "30", "A client that takes not a byte of what waits for it is closed after so long";
        TRUSTED_PROXIES = unset, "Addresses or CIDR blocks, comma-separated, whose X-Forwarded-For counts";
        DRAIN_DELAY_SECONDS = "5", "After SIGTERM: how long connections are still accepted while the load balancer takes notice";
        DRAIN_SECONDS = "20", "After that: over how long open connections are closed, evenly spread";
    }
    "Origins" {
        CORS_ORIGIN = unset, "Origins that may connect, comma-separated; * allows all; unset: this server's own host only";
        CLIENT_ORIGINS = unset, "More of them; the two lists are united";
    }
    "Transport" {
        PING_INTERVAL_MS = "25000", "Engine.IO: time between two pings";
        PING_TIMEOUT_MS = "20000", "Engine.IO: how long a pong may take";
        MAX_PAYLOAD = "1000000", "Largest message of a client, in bytes";
        MAX_ATTACHMENTS = "10", "Most binary attachments of one event";
        MAX_PACKETS_PER_PAYLOAD = "16", "Most packets in one answer to a poll (python-engineio takes no more); more than MAX_ATTACHMENTS";
        UPGRADE_TIMEOUT_MS = "10000", "How long an upgrade from polling to WebSocket may take";
        CONNECT_TIMEOUT_MS = "45000", "How long a client may take to connect to a namespace";
        RECOVERY_WINDOW_SECONDS = "120", "How long a client may be away and still get what it missed; 0 turns recovery off";
        RECOVERY_AGENTS_WITHOUT = "python,aiohttp,Dart", "Clients whose User-Agent holds one of these get no recovery unless they ask for it (recovery=1)";
    }
    "Limits" {
        MAX_CONNECTIONS = "100000", "Most open connections of this node";
        MAX_CONNECTIONS_PER_ADDRESS = "10000", "Most open connections from one address, of IPv6 from one /64 (many phones may share one)";
        HANDSHAKES_PER_SECOND = "2000", "Most new connections a second on this node";
        HANDSHAKES_PER_SECOND_PER_ADDRESS = "500", "Most of them from one address (of IPv6: from one /64), half of these at once";
        CONNECTS_AT_ONCE = "64", "Newcomers that are authenticated and joined to their rooms at the same moment; the others wait their turn";
        EVENTS_PER_SECOND = "50", "Events a second that one connection may send for long; each 16 KiB of an event count as one more";
        EVENTS_BURST = "100", "Events that one connection may send at once";
        EVENTS_PER_SECOND_PER_USER = "200", "Events a second of one user over all connections to this node; never less than EVENTS_PER_SECOND";
        CONNECTS_PER_MINUTE = "30", "Times a minute that one connection may connect to namespaces before it is closed";
        READ_BYTES_PER_SECOND = "2000000", "Bytes a second that one connection is read with for long; never less than MAX_PAYLOAD, nor than 16 KiB for each of EVENTS_PER_SECOND";
        OUTBOX_BYTES = "2097152", "Bytes that may wait for one slow client before its connection is closed; at least twice MAX_PAYLOAD";
        ROOMS_PER_SOCKET = "200", "Rooms that one socket may be in at the same time";
        SOCKETS_PER_USER = "200", "Sockets of one user that may be in one room at the same time, on all nodes together";
        MAX_RELAY_BYTES = "65536", "Largest payload of a signal between members, attachments included, in bytes";
        MAX_STATE_BYTES = "393216", "Largest state of a room that a client is sent, in bytes; a larger one is cut and says so (truncated)";
        MEMORY_BUDGET_BYTES = "1073741824", "Memory that all clients together may hold with what is unfinished or unsent; over it newcomers get 503 and the largest holders are closed";
    }
    "Redis" {
        REDIS_URL = unset, "redis://, rediss://, redis-cluster:// or redis-sentinel://; wins over the four below";
        REDIS_HOST = "localhost", "Host of a single Redis";
        REDIS_PORT = "6379", "Its port";
        REDIS_DB = "0", "Its database";
        REDIS_PASSWORD = unset, "Its password";
        REDIS_DEADLINE_MS = "5000", "How long a call to Redis may take in all, repeats included";
        ACK_REPLICAS = "1", "Replicas that must have a write before it is confirmed, where the master has any; 0 asks for none";
    }
    "PostgreSQL" {
        DATABASE_URL = unset, "postgres://…; interviews and interview sessions are off without it";
        DATABASE_CA_FILE = unset, "PEM file of the authority that signed the server's certificate; without it the system's are trusted";
        DATABASE_POOL_SIZE = "10", "Most connections of this node to PostgreSQL";
        DATABASE_DEADLINE_MS = "5000", "How long the calls of one request to PostgreSQL may take in all, the wait for a connection included";
    }
    "LiveKit" {
        LIVEKIT_WS_URL = unset, "ws:// or wss:// address of the LiveKit server, as clients reach it";
        LIVEKIT_API_URL = unset, "http:// or https:// address of its API; without it the one above";
        LIVEKIT_API_KEY = unset, "Key of the LiveKit server";
        LIVEKIT_API_SECRET = unset, "Its secret";
        LIVEKIT_TOKEN_TTL = "24h", "How long a token for a room lasts where no session ends earlier";
        LIVEKIT_DEADLINE_MS = "5000", "How long one call to LiveKit may take";
    }
    "Keys" {
        INTERNAL_AUTH_TOKEN = unset, "Shared secret with the company's own services, both ways; without it /internal is off";
        JWT_SHARED = "false", "Two surfaces may have the same key: a token of the one then opens the other";
    }
    "Telemetry" {
        LOG_LEVEL = "info", "error, warn, info, debug, trace, or a filter such as info,convoke::redis=debug";
        METRICS_PORT = "9090", "Port of /metrics for Prometheus; 0 turns it off";
    }
}

/// Tables as text, for `--help`.
pub fn help<'a>(groups: impl Iterator<Item = &'a Group> + Clone) -> String {
    let names = groups.clone().flat_map(|group| group.variables).map(|variable| variable.name.len());
    let column = names.max().unwrap_or_default() + 2;
    let mut text =
        String::from("Settings, from the environment (an empty value is an unset one; secrets have 16 characters or more):\n");
    for group in groups {
        text.push_str(&format!("\n{}:\n", group.title));
        for Variable { name, default, meaning } in group.variables {
            let default = default.map_or_else(String::new, |value| format!(" [{value}]"));
            text.push_str(&format!("  {name:<column$}{meaning}{default}\n"));
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_help_text_names_defaults_and_meanings() {
        let help = help(GROUPS.iter());
        assert!(help.contains("  Port of HTTP and Socket.IO; 0 takes a free one [3000]\n"), "{help}");
        assert!(help.contains("\nRedis:\n"));
    }

    #[test]
    fn in_the_help_text_every_name_stands_apart_from_its_meaning() {
        let help = help(GROUPS.iter());
        let mut columns = std::collections::BTreeSet::new();
        for Variable { name, meaning, .. } in GROUPS.iter().flat_map(|group| group.variables).copied() {
            let line = help.lines().find(|line| line.split_whitespace().next() == Some(name));
            let line = line.unwrap_or_else(|| panic!("{name} has no line of its own"));
            let column = line.find(meaning).unwrap_or_else(|| panic!("{line}"));
            assert!(line[..column].ends_with("  "), "{line}");
            columns.insert(column);
        }
        assert_eq!(columns.len(), 1, "all meanings begin in one column");
    }
}
