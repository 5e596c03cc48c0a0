//! What an operator is shown of a socket and of an event, and what nobody is: tokens, what a client authenticates with, headers
//! beside the `User-Agent`, the ids of sessions, the values of query parameters that the protocol does not know.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

use jiff::Timestamp;
use serde_json::{Value, json};

use super::door::Door;
use super::wire::{ShownHandshake, ShownSocket, SocketData};
use crate::engineio::{CloseReason, Handshake};
use crate::protocol::event::Args;
use crate::socketio::{DisconnectReason, Socket};

/// What stands in the place of what is not shown.
pub const HIDDEN: &str = "[hidden]";
/// The query parameters of the protocol, whose values are no secrets.
const PROTOCOL: &[&str] = &["EIO", "transport", "t", "b64", "recovery"];
/// Parameters of a query that are shown.
const PARAMETERS: usize = 16;
/// Bytes of the arguments of an event that are shown; of longer ones only the size.
const SHOWN_BYTES: usize = 4_096;
/// Characters of an event's name and of a user's id that are shown.
const NAME: usize = 128;
/// In lower case: a field whose name holds one of these is not shown.
const SECRET_NAMES: &[&str] =
    &["token", "secret", "password", "passwd", "auth", "credential", "cookie", "jwt", "key", "pid", "signature"];

/// Knows how to show what belongs to this node.
pub struct Show {
    pub node: Box<str>,
    pub door: Arc<Door>,
    /// What events carry is shown.
    pub payloads: bool,
}

impl Show {
    /// Must not be called while a room is joined or left.
    pub fn socket(&self, socket: &Socket) -> ShownSocket {
        let identity = socket.identity();
        let (user, role) = identity.map(|identity| (cut(&identity.user).to_owned(), identity.role)).unzip();
        let rooms = std::iter::once(socket.id().to_owned()).chain(socket.rooms().into_iter().map(|room| room.to_string()));
        ShownSocket {
            id: socket.id().into(),
            client_id: self.door.mask(socket.session().sid()),
            transport: transport(socket).into(),
            nsp: socket.namespace().name().into(),
            data: SocketData { node: self.node.to_string(), user, role },
            handshake: handshake(socket.handshake()),
            epoch: socket.epoch(),
            rooms: rooms.collect(),
        }
    }

    /// An event as JSON: its name, and its arguments or their size.
    pub fn event(&self, args: &Args) -> String {
        let name = args.item::<String>(0).unwrap_or_default();
        let shown = (self.payloads && args.json.len() <= SHOWN_BYTES).then(|| serde_json::from_slice::<Vec<Value>>(&args.json));
        let mut items = match shown {
            Some(Ok(mut items)) => {
                items.iter_mut().for_each(hide);
                items
            }
            _ => {
                let mut size = json!({"bytes": args.size()});
                if !args.attachments.is_empty() {
                    size["attachments"] = args.attachments.len().into();
                }
                vec![Value::Null, size]
            }
        };
        if let Some(first) = items.first_mut() {
            *first = cut(&name).into();
        }
        Value::Array(items).to_string()
    }
}

fn transport(socket: &Socket) -> &'static str {
    if socket.session().is_websocket() { "websocket" } else { "polling" }
}

fn cut(text: &str) -> &str {
    text.char_indices().nth(NAME).map_or(text, |(end, _)| &text[..end])
}

fn handshake(handshake: &Handshake) -> ShownHandshake {
    let issued = handshake.time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64);
    let agent = handshake.user_agent.as_deref().map(|agent| ("user-agent".to_owned(), agent.to_owned()));
    let query = query(&handshake.query);
    let pairs: Vec<_> = query.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let path = if handshake.path.is_empty() { "/socket.io/" } else { &handshake.path };
    ShownHandshake {
        address: plain(handshake.address),
        headers: agent.into_iter().collect(),
        url: format!("{path}?{}", pairs.join("&")),
        query,
        issued,
        time: time(issued),
    }
}

fn plain(address: IpAddr) -> String {
    address.to_canonical().to_string()
}

fn query(query: &str) -> BTreeMap<String, String> {
    let shown = |(name, value): (std::borrow::Cow<'_, str>, std::borrow::Cow<'_, str>)| {
        let value = if PROTOCOL.contains(&&*name) { cut(&value).to_owned() } else { HIDDEN.to_owned() };
        (cut(&name).to_owned(), value)
    };
    form_urlencoded::parse(query.as_bytes()).take(PARAMETERS).map(shown).collect()
}

/// Hides what looks like a secret, at any depth.
fn hide(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                let name = name.to_ascii_lowercase();
                if SECRET_NAMES.iter().any(|secret| name.contains(secret)) {
                    *value = HIDDEN.into();
                } else {
                    hide(value);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(hide),
        Value::String(text) if has_secret(text) => *value = HIDDEN.into(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// A JWT stands in the text (`eyJ…` with dots), or a secret in a query or after `Bearer`.
fn has_secret(text: &str) -> bool {
    let lower = text.to_ascii_lowercase();
    let marks = ["token=", "secret=", "password=", "key=", "signature=", "bearer "];
    marks.iter().any(|mark| lower.contains(mark)) || has_jwt(text)
}

fn has_jwt(text: &str) -> bool {
    text.split(|c: char| !(c.is_ascii_alphanumeric() || "._-".contains(c)))
        .any(|word| word.starts_with("eyJ") && word.matches('.').count() >= 2)
}

/// A time as the page shows it.
pub fn time(ms: u64) -> String {
    let time = i64::try_from(ms).ok().and_then(|ms| Timestamp::from_millisecond(ms).ok());
    format!("{:.3}", time.unwrap_or_default())
}

/// Why a socket is gone, in the words of the reference implementation where it has them.
pub fn reason(reason: DisconnectReason) -> &'static str {
    match reason {
        DisconnectReason::Client => "client namespace disconnect",
        DisconnectReason::Server => "server namespace disconnect",
        DisconnectReason::TakenOver => "taken over",
        DisconnectReason::Transport(CloseReason::ConnectionLost | CloseReason::ClientClosed) => "transport close",
        DisconnectReason::Transport(reason) => reason.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::features::admin::settings::Credentials;
    use crate::settings::Secret;

    fn show(payloads: bool) -> Show {
        let credentials = Credentials { username: "ops".into(), password: Secret::new("a long enough password") };
        Show { node: "n".into(), door: Arc::new(Door::new(credentials, Duration::from_secs(60))), payloads }
    }

    #[test]
    fn without_payloads_an_event_is_its_name_and_its_size() {
        let json = r#"["message",{"text":"hello"}]"#;
        assert_eq!(show(false).event(&Args::from_json(json)), r#"["message",{"bytes":28}]"#);
        let args = Args { json: json.into(), attachments: vec![vec![0; 10].into()] };
        assert_eq!(show(false).event(&args), r#"["message",{"attachments":1,"bytes":38}]"#);
        assert_eq!(show(false).event(&Args::from_json(r#"["ping"]"#)), r#"["ping",{"bytes":8}]"#);
        let long = format!(r#"["{}"]"#, "x".repeat(5_000));
        assert!(show(false).event(&Args::from_json(long)).len() < 200, "a client names its events");
    }

    #[test]
    fn with_payloads_what_looks_like_a_secret_is_hidden() {
        let jwt = "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VySWQiOiJ1In0.c2lnbmF0dXJl";
        let args = json!(["auth:refresh", {"text": "hello", "n": [1, null, true], "accessToken": "t", "deep": [{"client_secret": [1]}],
            "said": jwt, "header": format!("Bearer {jwt}"), "API_KEY": 5, "sdp": "v=0", "link": "https://x/?Token=abc"}, jwt]);
        let shown: Value = serde_json::from_str(&show(true).event(&Args::from_json(args.to_string()))).unwrap();
        let expected = json!(["auth:refresh", {"text": "hello", "n": [1, null, true], "accessToken": HIDDEN,
            "deep": [{"client_secret": HIDDEN}], "said": HIDDEN, "header": HIDDEN, "API_KEY": HIDDEN, "sdp": "v=0", "link": HIDDEN}, HIDDEN]);
        assert_eq!(shown, expected);
        let long = format!(r#"["x","{}"]"#, "y".repeat(SHOWN_BYTES));
        assert_eq!(show(true).event(&Args::from_json(long)), r#"["x",{"bytes":4104}]"#);
    }

    #[test]
    fn of_a_handshake_nothing_secret_is_shown() {
        let mut headers = hyper::HeaderMap::new();
        headers.insert("authorization", "Bearer top-secret".parse().unwrap());
        let shown = handshake(&Handshake {
            address: "::ffff:10.1.2.3".parse().unwrap(),
            path: "/socket.io/".into(),
            query: "EIO=4&transport=polling&token=top-secret&x=top-secret".into(),
            user_agent: Some("Mozilla".into()),
            headers,
            time: UNIX_EPOCH + Duration::from_millis(1_700_000_000_123),
        });
        let json = serde_json::to_value(&shown).unwrap();
        assert!(!json.to_string().contains("top-secret"), "{json}");
        assert_eq!(
            json,
            json!({"address": "10.1.2.3", "headers": {"user-agent": "Mozilla"}, "issued": 1_700_000_000_123_u64,
                "time": "2023-11-14T22:13:20.123Z", "url": "/socket.io/?EIO=4&token=[hidden]&transport=polling&x=[hidden]",
                "query": {"EIO": "4", "transport": "polling", "token": HIDDEN, "x": HIDDEN}})
        );
    }
}
