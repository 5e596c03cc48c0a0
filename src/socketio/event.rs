//! An event from a client, and the answer to it.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::protocol::event::{Args, Values};
use crate::telemetry::once_a_minute;

use super::{Code, EventError, Socket};

/// One event, with all that the client sent.
#[derive(Debug)]
pub struct Event {
    pub name: Box<str>,
    /// The whole array, the name included.
    pub args: Args,
    /// Set if the client asked for an acknowledgement.
    pub ack_id: Option<u64>,
}

impl Event {
    /// The first argument as JSON text; `{}` where it is missing or null. Anything else but an object is `INVALID_PAYLOAD`,
    /// and so is an event with attachments, which no feature of today takes.
    pub fn object(&self) -> Result<&str, EventError> {
        let invalid = |message| EventError::new(Code::INVALID_PAYLOAD, message);
        if !self.args.attachments.is_empty() {
            return Err(invalid("this event takes no binary data"));
        }
        let payload = self.args.payload();
        if payload.starts_with('{') { Ok(payload) } else { Err(invalid("the payload must be an object")) }
    }

    /// The first argument, as a type of the feature's own. Fields that are not known are ignored.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, EventError> {
        serde_json::from_str(self.object()?)
            .map_err(|error| EventError::new(Code::INVALID_PAYLOAD, format!("invalid payload: {error}")))
    }

    /// The argument at `index`, counted without the event's name, as a type of the feature's own. A missing one is read as null.
    ///
    /// # Errors
    /// `INVALID_PAYLOAD` if it is not a `T`.
    pub fn arg<T: DeserializeOwned>(&self, index: usize) -> Result<T, EventError> {
        let invalid = |error| EventError::new(Code::INVALID_PAYLOAD, format!("invalid argument {index}: {error}"));
        self.args.item(index + 1).map_err(invalid)
    }

    /// Acknowledges with `{ok:true, …}` and these fields. For handlers that return [`Reply::None`].
    pub fn acknowledge_with(&self, socket: &Arc<Socket>, fields: impl Serialize) {
        if self.ack_id.is_some()
            && let Reply::Object(object) = Reply::accepted(fields)
        {
            self.acknowledge(socket, &Args::ack(&object));
        }
    }

    /// Acknowledges with `args`, a whole array; nothing happens if no acknowledgement was asked for. For handlers that
    /// return [`Reply::None`].
    pub fn acknowledge(&self, socket: &Arc<Socket>, args: &Args) {
        if let Some(id) = self.ack_id {
            socket.send_ack(id, args);
        }
    }
}

/// A handler's answer, beside the events that it emits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    /// No answer, or the handler has answered by itself.
    None,
    /// `{ok:true}`
    Ok,
    /// `{ok:true, …}`: the JSON text of the whole object.
    Object(String),
    /// Any values, attachments included.
    Args(Args),
}

/// An acknowledgement `{ok:true, …}` with the fields of a type of the feature's own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(rename = "{T}Ack", description = "")]
pub struct Accepted<T> {
    #[schemars(extend("const" = true))]
    ok: bool,
    #[serde(flatten)]
    fields: T,
}

impl<T> Accepted<T> {
    pub fn new(fields: T) -> Self {
        Self { ok: true, fields }
    }
}

impl Reply {
    /// `{ok:true, …}` with these fields.
    pub fn accepted(fields: impl Serialize) -> Self {
        serde_json::to_string(&Accepted::new(fields)).map_or_else(
            |error| {
                once_a_minute!(error, "an answer has no form as JSON", %error);
                Self::Ok
            },
            Self::Object,
        )
    }

    /// Any values: a reference gives one, a tuple several.
    ///
    /// # Errors
    /// `INTERNAL` if one of them has no form as JSON.
    pub fn of(values: impl Values) -> Result<Self, EventError> {
        Args::of(values).map(Self::Args).map_err(|error| {
            once_a_minute!(error, "an answer has no form as JSON", %error);
            EventError::new(Code::INTERNAL, "internal error")
        })
    }
}
