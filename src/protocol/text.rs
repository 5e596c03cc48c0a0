//! (being written)
use super::{frame::Frames, packet::Outgoing};
pub fn encode(nsp: &str, packet: &Outgoing<'_>) -> Frames {
    let _ = (nsp, packet);
    todo!()
}
