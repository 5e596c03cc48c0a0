//! (being written)
/// A number that is none (NaN or an infinity), which only msgpack can carry.
pub const NOT_A_NUMBER: &str = "not a number";
