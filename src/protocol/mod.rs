//! Engine.IO v4 and Socket.IO v5 on the wire: bytes in, packets out. Pure: no socket, no clock, no Redis.

pub mod engineio;
pub mod event;
pub mod frame;
pub mod intake;
mod json;
pub mod msgpack;
pub mod packet;
#[cfg(test)]
mod tests;
pub mod text;
