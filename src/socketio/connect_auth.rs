//! What a client says when it connects: whether it supports recovery, and which connection it had before.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::{Config, ConnectRequest, PreviousSession};

/// The fields of `auth` that this layer reads, beside the application's own.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Auth {
    pid: Value,
    offset: Value,
    recovery: Value,
}

/// The fields of `auth` about recovery, for a document of what clients send.
#[derive(JsonSchema)]
pub struct Recovering {
    /// `1`: the client takes part in recovery; `0`: it does not. Without it the `User-Agent` decides.
    #[schemars(range(max = 1))]
    pub recovery: Option<u8>,
    /// Of the CONNECT reply before: the client wants that connection back.
    pub pid: Option<String>,
    /// The last offset that the client has got.
    pub offset: Option<String>,
}

/// What CONNECT says beside the application's own fields.
#[derive(Debug, PartialEq, Eq)]
pub struct ConnectAuth {
    /// The client gets a pid and offsets.
    pub recovery_enabled: bool,
    pub previous: Option<PreviousSession>,
}

impl ConnectAuth {
    /// A client says `recovery=0` or `1` in `auth` or in the query of its handshake; of one that says nothing the `User-Agent`
    /// decides. Without one it counts as a client that knows nothing of recovery: python's and Node's send none over
    /// WebSocket alone, and a trailing argument breaks the handlers of the former.
    pub fn read(request: &ConnectRequest, config: &Config) -> Self {
        let auth: Auth = serde_json::from_slice(&request.auth).unwrap_or_default();
        let mut pairs = request.handshake.query.split('&').filter_map(|pair| pair.strip_prefix("recovery="));
        let query = pairs.find(|said| !said.is_empty());
        let recovery_enabled = said(&auth.recovery).or_else(|| query.and_then(|said| self::said(&said.into())));
        let recovery_enabled = recovery_enabled.unwrap_or_else(|| {
            let agent = request.handshake.user_agent.as_deref().map(str::to_ascii_lowercase);
            agent.is_some_and(|agent| {
                let mut without = config.agents_without_recovery.iter();
                !without.any(|pattern| agent.contains(&pattern.to_ascii_lowercase()))
            })
        });
        let text = |value: Value| value.as_str().map(Box::from);
        let previous = text(auth.pid).filter(|_| recovery_enabled).map(|pid| PreviousSession { pid, offset: text(auth.offset) });
        Self { recovery_enabled, previous }
    }
}

fn said(value: &Value) -> Option<bool> {
    match value {
        Value::Bool(said) => Some(*said),
        Value::Number(number) => number.as_u64().map(|number| number != 0),
        Value::String(text) if matches!(&**text, "1" | "true") => Some(true),
        Value::String(text) if matches!(&**text, "0" | "false") => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engineio::Handshake;

    fn read(auth: &str, query: &str, agent: Option<&str>) -> ConnectAuth {
        let handshake = Handshake {
            address: [127, 0, 0, 1].into(),
            path: "/socket.io/".into(),
            query: query.into(),
            user_agent: agent.map(Into::into),
            headers: Default::default(),
            time: std::time::SystemTime::UNIX_EPOCH,
        };
        let request = ConnectRequest { auth: auth.to_owned().into(), handshake: handshake.into() };
        ConnectAuth::read(&request, &Config::default())
    }

    #[test]
    fn whether_recovery_is_enabled_is_said_or_known_by_the_agent() {
        for (auth, query, agent, recovery_enabled) in [
            ("{}", "EIO=4", Some("Mozilla/5.0"), true),
            ("{}", "EIO=4", None, false),
            ("{}", "EIO=4", Some("Python/3.13 aiohttp/3.9"), false),
            ("{}", "EIO=4", Some("python-requests"), false),
            ("{}", "EIO=4", Some("dart:io"), false),
            ("{}", "EIO=4&recovery=1", None, true),
            ("{}", "recovery=0&EIO=4", Some("Mozilla/5.0"), false),
            (r#"{"recovery":"1"}"#, "EIO=4", Some("Dart/3"), true),
            (r#"{"recovery":0}"#, "EIO=4&recovery=1", Some("Mozilla/5.0"), false),
            (r#"{"recovery":"perhaps"}"#, "EIO=4", Some("Mozilla/5.0"), true),
        ] {
            assert_eq!(read(auth, query, agent).recovery_enabled, recovery_enabled, "{auth} {query} {agent:?}");
        }
    }

    #[test]
    fn an_earlier_connection_is_named_by_those_who_know_of_recovery() {
        let said = r#"{"token":"t","pid":"p","offset":"o"}"#;
        let previous = PreviousSession { pid: "p".into(), offset: Some("o".into()) };
        assert_eq!(read(said, "recovery=1", None).previous, Some(previous));
        assert_eq!(read(said, "", None).previous, None);
        assert_eq!(read(r#"{"pid":7,"offset":[]}"#, "recovery=1", None).previous, None);
    }
}
