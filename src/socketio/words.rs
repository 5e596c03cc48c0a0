//! What is said to a socket on the node that has given it away, brought to the node where it goes on.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use bytes::Bytes;
use serde::{Deserialize, Serialize};

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
    attachments: Vec<String>,
}

impl Sent {
    pub fn new(args: &Args) -> Self {
        let attachments = args.attachments.iter().map(|data| BASE64_STANDARD.encode(data)).collect();
        Self { json: String::from_utf8_lossy(&args.json).into_owned(), attachments }
    }

    pub fn args(&self) -> Option<Args> {
        let attachments = self.attachments.iter().map(|text| Some(BASE64_STANDARD.decode(text).ok()?.into()));
        Some(Args { json: Bytes::copy_from_slice(self.json.as_bytes()), attachments: attachments.collect::<Option<_>>()? })
    }

    pub fn write(args: &Args) -> Bytes {
        serde_json::to_vec(&Self::new(args)).unwrap_or_default().into()
    }

    pub fn read(bytes: &Bytes) -> Option<Args> {
        serde_json::from_slice::<Self>(bytes).ok()?.args()
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
