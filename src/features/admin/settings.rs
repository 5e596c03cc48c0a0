//! What is set for the operator's view.

use std::time::Duration;

use crate::settings::{Reader, Secret, duration};

crate::settings_table! {
    "Operator's view (Socket.IO admin UI)" {
        ADMIN_USERNAME = unset, "Name of the operator in the namespace /admin; without it and ADMIN_PASSWORD there is no such namespace";
        ADMIN_PASSWORD = unset, "Password of the operator, not hashed; the same on all nodes";
        ADMIN_MODE = "production", "production: figures of each node only; development: also sockets, rooms and events";
        ADMIN_PAYLOADS = "false", "In development mode: what events carry is shown, all but what looks like a secret; otherwise its size only";
        ADMIN_READONLY = "true", "false: the operator may disconnect a socket";
        ADMIN_SESSION_TTL = "24h", "How long the page stays logged in without the password";
        ADMIN_CONNECTIONS = "16", "Most connections of operators to this node";
        ADMIN_SOCKETS = "10000", "Most sockets of the whole cluster that a view holds; the figures count all";
        ADMIN_EVENTS_PER_SECOND = "100", "Most events of this node that are shown in a second; of the others their number is shown";
    }
}

/// What is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Figures of each node.
    Production,
    /// Also sockets, rooms and events.
    Development,
}

/// What was set.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `None`: there is no such namespace.
    pub credentials: Option<Credentials>,
    pub session: Duration,
    pub view: View,
    /// Connections of operators to this node.
    pub connections: usize,
}

/// Who the operator is.
#[derive(Clone, Debug)]
pub struct Credentials {
    pub username: Box<str>,
    pub password: Secret,
}

/// What an operator sees and may do.
#[derive(Clone, Copy, Debug)]
pub struct View {
    pub mode: Mode,
    pub payloads: bool,
    pub readonly: bool,
    /// Sockets of the whole cluster.
    pub sockets: usize,
    /// Of one node.
    pub events_per_second: u32,
}

impl View {
    /// Whether sockets, rooms and events are shown.
    pub fn has_sockets(&self) -> bool {
        self.mode == Mode::Development
    }
}

impl Settings {
    pub fn read(read: &mut Reader<'_>) -> Self {
        let (username, password) = (read.optional(ADMIN_USERNAME), read.own_secret(ADMIN_PASSWORD));
        let credentials = match (username, password) {
            (Some(username), Some(password)) => Some(Credentials { username, password }),
            (None, None) => None,
            (Some(_), None) => {
                read.fault(ADMIN_PASSWORD, "must be set, as ADMIN_USERNAME is");
                None
            }
            (None, Some(_)) => {
                read.fault(ADMIN_USERNAME, "must be set, as ADMIN_PASSWORD is");
                None
            }
        };
        let mode = read.parsed(ADMIN_MODE, "production or development", |text| match text {
            "production" => Some(Mode::Production),
            "development" => Some(Mode::Development),
            _ => None,
        });
        let session = read.parsed(ADMIN_SESSION_TTL, "a duration such as 24h or 30m, from 1m to 720h", |text| {
            duration(text).filter(|ttl| (60..=720 * 3600).contains(&ttl.as_secs()))
        });
        Self {
            credentials,
            session: session.unwrap_or_default(),
            view: View {
                mode: mode.unwrap_or(Mode::Production),
                payloads: read.flag(ADMIN_PAYLOADS),
                readonly: read.flag(ADMIN_READONLY),
                sockets: read.integer(ADMIN_SOCKETS, 1..=100_000),
                events_per_second: read.integer(ADMIN_EVENTS_PER_SECOND, 1..=10_000),
            },
            connections: read.integer(ADMIN_CONNECTIONS, 1..=1_000),
        }
    }
}
