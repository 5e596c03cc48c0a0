//! What is said to a socket on the node that has given it away, brought to the node where it goes on.

use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::core::wire::{self, Blob, Form};
use crate::protocol::event::Args;
use crate::protocol::packet::Outgoing;

#[derive(Debug, Serialize, Deserialize)]
pub struct Word {
    pub namespace: String,
    /// The socket's, since its client may have connected anew meanwhile.
    pub sid: String,
    pub what: What,
}

#[derive(Debug, Serialize, Deserialize)]
pub enum What {
    Emit(Sent),
    /// Has no offset.
    EmitVolatile(Sent),
    /// Is answered with the number of the acknowledgement.
    Ask(Sent),
    /// Is answered with the acknowledgement of that number.
    Await {
        id: u64,
        ms: u64,
    },
    Ack {
        id: u64,
        args: Sent,
    },
    Disconnect,
}

/// The arguments of an event or an acknowledgement.
#[derive(Debug, Serialize, Deserialize)]
pub struct Sent {
    json: String,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    attachments: Vec<Blob>,
}

impl Sent {
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

impl What {
    /// `None`: it cannot follow a socket, nor need it.
    pub fn of(packet: &Outgoing<'_>) -> Option<Self> {
        match packet {
            Outgoing::Event { id: None, args, offset: None } => Some(Self::EmitVolatile(Sent::new(args))),
            Outgoing::Ack { id, args } => Some(Self::Ack { id: *id, args: Sent::new(args) }),
            _ => None,
        }
    }

    pub fn wait(id: u64, within: Duration) -> Self {
        Self::Await { id, ms: u64::try_from(within.as_millis()).unwrap_or(u64::MAX) }
    }
}
