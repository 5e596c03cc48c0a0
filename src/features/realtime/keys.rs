//! The Redis keys of realtime sessions. Each has a hash tag of its own, so that no script sees two of them: what belongs together
//! is written one after the other. The table in the wire contract (§ 2) is this module's twin.

use crate::redis::keys::user_tag;

/// Sorted set: all sessions, by when they were created (ms).
pub const ALL: &str = "realtime:all";

/// String: the node that polls LiveKit. A lease.
pub const POLLER: &str = "realtime:poller";

/// Hash: a session.
pub fn session(id: &str) -> String {
    format!("realtime:session:{{{id}}}")
}

/// Sorted set: a user's sessions, by when they were created (ms).
pub fn of_user(user: &str) -> String {
    format!("realtime:user:{{{}}}", user_tag(user))
}

/// String: the session of a room.
pub fn room(room: &str) -> String {
    format!("realtime:room:{{{room}}}")
}

/// String: a room whose session was removed. Lives a little longer than any token that opens it.
pub fn gone(room: &str) -> String {
    format!("realtime:gone:{{{room}}}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_users_name_stays_out_of_the_key_syntax() {
        assert_eq!(of_user("a}b:{c"), "realtime:user:{YX1iOntj}");
        assert_eq!(session("sess_0"), "realtime:session:{sess_0}");
    }
}
