//! What can go wrong between us and Redis, told by what the caller may conclude from it.

use ::redis::Value;

/// Why a call has no answer. The variants differ in what they say about the effect:
///
/// | variant | was it executed? | what to do |
/// |---|---|---|
/// | `Unavailable`, `Deadline` | surely not, nor will it be later | repeat at will |
/// | `Unknown` | perhaps | repeat with the **same** operation id |
/// | `Unconfirmed` | yes, on the master; its replica has not confirmed it | repeat with the same operation id |
/// | `Script` | the script ran until it raised this | a fault of ours |
/// | `Config` | – | stop |
#[derive(Debug, Clone, thiserror::Error)]
pub enum RedisError {
    /// The slot's master could not be reached until the deadline, or its queue is full. Never sent, or refused unexecuted.
    #[error("Redis is unavailable")]
    Unavailable,
    /// The deadline passed in the queue of a master that answers, only too slowly. Never sent, or refused unexecuted.
    #[error("Redis did not get to it before the deadline")]
    Deadline,
    /// It was sent, and the connection broke or the deadline passed before the answer came.
    #[error("the outcome is unknown")]
    Unknown,
    /// Written, but not confirmed by as many replicas as wanted. `value` is the answer nevertheless.
    #[error("written, not yet replicated")]
    Unconfirmed {
        /// What the script returned.
        value: Value,
    },
    /// The error reply of a script or command, such as `WRONGTYPE`.
    #[error("{code}: {message}")]
    Script {
        /// The first word of the error, such as `WRONGTYPE` or `ERR`.
        code: String,
        /// The rest of it.
        message: String,
    },
    /// The URL or a setting makes no sense.
    #[error("{0}")]
    Config(String),
}

impl RedisError {
    /// Whether the call may have had, or may still have, an effect.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unknown | Self::Unconfirmed { .. } | Self::Script { .. })
    }
}
