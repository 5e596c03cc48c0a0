//! What the hub says of its Socket.IO events: each feature gives a [`Channel`] for its namespace, and [`document`] makes the AsyncAPI
//! document of all of them. Schemas are made from the types that go over the wire. Nothing here knows a feature or a socket.

mod document;
mod transform;

use schemars::{JsonSchema, Schema, SchemaGenerator};

use crate::socketio::{Code, Handler};

pub use document::{Info, document};

/// The schema of a type, as a value in a table.
pub type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

/// The schema of `T`: a reference to a named one, unless `T` has no name.
pub fn schema<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// A namespace and its events.
pub struct Channel {
    /// The key of the channel: one lower-case word.
    pub id: &'static str,
    pub namespace: &'static str,
    pub title: &'static str,
    pub about: &'static str,
    pub connect: Connect,
    /// Fields of the `error` event beside `code`, `message` and `event`.
    pub error: SchemaOf,
    /// Codes that only come in an `error` event that answers no event.
    pub unasked: &'static [Code],
    pub received: Vec<Received>,
    pub sent: Vec<Sent>,
}

/// The CONNECT of a namespace.
pub struct Connect {
    pub about: &'static str,
    /// Of `auth`.
    pub auth: SchemaOf,
    /// Of a CONNECT_ERROR: `data.code`.
    pub codes: &'static [Code],
}

/// An event that clients send.
pub struct Received {
    pub name: &'static str,
    pub about: &'static str,
    pub payload: SchemaOf,
    /// Of the acknowledgement when the event is accepted, `ok` included.
    pub ack: SchemaOf,
    /// Of a refusal that says more than `code` and `message`.
    pub refusal: Option<SchemaOf>,
    /// Codes beside those that every event may be refused with ([`COMMON`]).
    pub codes: Vec<Code>,
    /// Roles that may send it.
    pub senders: Vec<&'static str>,
    /// Only for sockets in the room.
    pub members: bool,
}

/// An event that clients send as an entry of a feature's table: what it is, and who handles it.
pub struct Entry<T: 'static> {
    pub name: &'static str,
    pub about: &'static str,
    pub payload: SchemaOf,
    pub ack: SchemaOf,
    pub refusal: Option<SchemaOf>,
    /// Beside those that many events of the feature have in common.
    pub codes: &'static [Code],
    pub handler: Handler<T>,
}

impl<T> Entry<T> {
    /// What the document says of it.
    pub fn received(&self, shared: &[Code], senders: Vec<&'static str>, members: bool) -> Received {
        let codes = self.codes.iter().chain(shared).copied().collect();
        let Self { name, about, payload, ack, refusal, .. } = *self;
        Received { name, about, payload, ack, refusal, codes, senders, members }
    }
}

/// An event that clients get.
#[derive(Clone, Copy)]
pub struct Sent {
    pub name: &'static str,
    pub about: &'static str,
    pub payload: SchemaOf,
    /// Who gets it.
    pub to: &'static str,
    pub delivery: Delivery,
}

/// How an event reaches its clients.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Written to the log of its scope: it carries an offset, and a client that comes back in time gets it if it missed it.
    Logged,
    /// Sent to one socket. It carries an offset if the socket is in a scope.
    Direct,
    /// It carries no offset; a newer one replaces it.
    Volatile,
}

/// What any event may be refused with.
pub const COMMON: [Code; 4] = [Code::INVALID_PAYLOAD, Code::RATE_LIMITED, Code::UNAVAILABLE, Code::INTERNAL];

impl Delivery {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Logged => "logged",
            Self::Direct => "direct",
            Self::Volatile => "volatile",
        }
    }
}
