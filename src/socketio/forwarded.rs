//! Calls for a socket whose session has moved to another node, as they are forwarded there.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::core::wire::{self, Blob, Form};
use crate::protocol::event::Args;
use crate::protocol::packet::Outgoing;

/// A call and the socket that it is for.
#[derive(Debug, Serialize, Deserialize)]
pub struct ForwardedCall {
    pub namespace: String,
    /// The socket's id, since its client may have a new socket by now.
    pub sid: String,
    pub what: SocketCall,
}

/// What the socket has to do.
#[derive(Debug, Serialize, Deserialize)]
pub enum SocketCall {
    Emit(CallArgs),
    /// An event without an offset.
    EmitVolatile(CallArgs),
    /// An event with an acknowledgement; answered with the number of that.
    Ask(CallArgs),
    /// Waits for the acknowledgement of that number; answered with it.
    Await {
        id: u64,
        ms: u64,
    },
    Ack {
        id: u64,
        args: CallArgs,
    },
    Disconnect,
}

/// The arguments of an event or an acknowledgement.
#[derive(Debug, Serialize, Deserialize)]
pub struct CallArgs {
    json: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Blob>,
}

impl CallArgs {
    pub fn new(args: &Args) -> Self {
        let attachments = args.attachments.iter().cloned().map(Blob).collect();
        Self { json: String::from_utf8_lossy(&args.json).into_owned(), attachments }
    }

    pub fn args(self) -> Args {
        Args { json: self.json.into(), attachments: self.attachments.into_iter().map(|Blob(data)| data).collect() }
    }

    pub fn write(form: Form, args: &Args) -> Bytes {
        wire::write(form, &Self::new(args))
    }

    pub fn read(bytes: &Bytes) -> Option<Args> {
        wire::read::<Self>(bytes).map(Self::args)
    }
}

impl SocketCall {
    /// `None` for a packet that is not forwarded.
    pub fn of(packet: &Outgoing<'_>) -> Option<Self> {
        match packet {
            Outgoing::Event { id: None, args, offset: None } => Some(Self::EmitVolatile(CallArgs::new(args))),
            Outgoing::Ack { id, args } => Some(Self::Ack { id: *id, args: CallArgs::new(args) }),
            _ => None,
        }
    }

    pub fn wait(id: u64, within: Duration) -> Self {
        Self::Await { id, ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX) }
    }
}
