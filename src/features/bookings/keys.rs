//! The Redis keys of slots. All of them share one hash tag, so that a script may touch any of them. The table in the wire contract
//! (§ 2) is this module's twin.

/// Sorted set: the slots of interview sessions, by when they end.
pub const SLOTS_ACTIVE: &str = "{interviews}:active";

/// String: the slots are rebuilt; absent: they are cold.
pub const SLOTS_READY: &str = "{interviews}:ready";

/// Sorted set: a user's slots. The user is a UUID.
pub fn slots_of_user(user: &str) -> String {
    format!("{{interviews}}:user:{user}")
}

/// String: a reservation that was made, so that its repeat is told so. Lives a minute.
pub fn slots_operation(id: &str) -> String {
    format!("{{interviews}}:op:{id}")
}
