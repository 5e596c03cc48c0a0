//! Engine.IO v4 and Socket.IO v5 on the wire: bytes in, packets out. Pure: no socket, no clock, no Redis.

pub mod engineio;
pub mod event;
pub mod fields;
pub mod form;
pub mod frame;
pub mod intake;
mod json;
pub mod msgpack;
pub mod packet;
pub mod schema;
#[cfg(test)]
mod tests;
pub mod text;

use bytes::Bytes;

/// A part of a message: a slice of it, or a copy if the part is less than half of the message. So a part that is kept never keeps
/// more than twice its own size in memory.
fn part_of(message: &Bytes, part: &[u8]) -> Bytes {
    if 2 * part.len() < message.len() { Bytes::copy_from_slice(part) } else { message.slice_ref(part) }
}
