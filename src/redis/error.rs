//! The errors of a call, by what the caller may conclude from them.

use ::redis::Value;

/// Why a call has no answer. The variants differ in what they say about the effect:
///
/// | variant | was it executed? | what to do |
/// |---|---|---|
/// | `Unavailable`, `Deadline` | no, and it will not be | repeat at will |
/// | `Unknown` | perhaps | repeat with the **same** operation id |
/// | `Unconfirmed` | yes, on the master; its replica has not confirmed it | repeat with the same operation id |
/// | `Script` | the script ran until it raised this | a bug of the hub |
/// | `Config` | – | stop |
#[derive(Debug, Clone, thiserror::Error)]
pub enum RedisError {
    /// The slot's master could not be reached before the deadline, or its queue is full. Not executed.
    #[error("Redis is unavailable")]
    Unavailable,
    /// The deadline passed in the queue of a master that is connected but slow. Not executed.
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
    /// The URL or a setting is not valid.
    #[error("{0}")]
    Config(String),
}

impl RedisError {
    /// Whether the call may have had, or may still have, an effect.
    pub fn may_have_happened(&self) -> bool {
        matches!(self, Self::Unknown | Self::Unconfirmed { .. } | Self::Script { .. })
    }
}
