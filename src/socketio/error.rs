//! How a feature refuses an event or a connection.

use std::borrow::Cow;
use std::fmt;

use serde_json::{Map, Value, json};

/// The machine-readable part of a refusal, as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Code(pub &'static str);

impl Code {
    pub const UNKNOWN_EVENT: Self = Self("UNKNOWN_EVENT");
    pub const INVALID_PAYLOAD: Self = Self("INVALID_PAYLOAD");
    pub const INVALID_TOKEN: Self = Self("INVALID_TOKEN");
    pub const FORBIDDEN: Self = Self("FORBIDDEN");
    pub const RATE_LIMITED: Self = Self("RATE_LIMITED");
    /// Repeat it: Redis or another dependency is down.
    pub const UNAVAILABLE: Self = Self("UNAVAILABLE");
    /// Repeat it: written, not yet replicated.
    pub const UNCONFIRMED: Self = Self("UNCONFIRMED");
    pub const INTERNAL: Self = Self("INTERNAL");
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Why an event was refused. It becomes the ack, or an `error` event if none was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct EventError {
    pub code: Code,
    pub message: Cow<'static, str>,
    /// Further fields of the `error` event, such as the id of the room.
    pub fields: Map<String, Value>,
}

impl EventError {
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self { code, message: message.into(), fields: Map::new() }
    }

    /// `INVALID_PAYLOAD`
    pub fn invalid(message: impl Into<Cow<'static, str>>) -> Self {
        Self::new(Code::INVALID_PAYLOAD, message)
    }

    /// Adds a field to the `error` event.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.fields.insert(name.into(), value.into());
        self
    }

    /// `{ok:false, code, message}`
    pub(super) fn ack(&self) -> String {
        json!([{"ok": false, "code": self.code.0, "message": self.message}]).to_string()
    }

    /// `{code, message, event, …}`
    pub(super) fn event(&self, event: &str) -> String {
        let mut fields = self.fields.clone();
        fields.insert("code".into(), self.code.0.into());
        fields.insert("message".into(), self.message.clone().into());
        fields.insert("event".into(), event.into());
        Value::Object(fields).to_string()
    }
}

/// Why a CONNECT was not accepted.
///
/// ```
/// use convoke::socketio::{Code, ConnectError};
///
/// ConnectError::refused(Code::INVALID_TOKEN, "no such user"); // {message, data: {code}}
/// ConnectError::message("closed until nine"); // {message}
/// ConnectError::message("too old").with_data(serde_json::json!({"atLeast": 7})); // {message, data: {atLeast}}
/// ```
#[derive(Clone, Debug, PartialEq)]
pub enum ConnectError {
    /// CONNECT_ERROR `{message, data}`, without `data` if there is none. The official client does not reconnect after it.
    Refused { message: Cow<'static, str>, data: Option<Value> },
    /// The transport is closed, and the client reconnects: a dependency is away for a moment.
    TryAgain,
}

impl ConnectError {
    /// With `data:{code}`.
    pub fn refused(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Self::message(message).with_data(json!({"code": code.0}))
    }

    /// Without `data`.
    pub fn message(message: impl Into<Cow<'static, str>>) -> Self {
        Self::Refused { message: message.into(), data: None }
    }

    /// With `data` of the caller's own.
    pub fn with_data(self, data: impl Into<Value>) -> Self {
        match self {
            Self::Refused { message, .. } => Self::Refused { message, data: Some(data.into()) },
            Self::TryAgain => Self::TryAgain,
        }
    }
}
