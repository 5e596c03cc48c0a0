//! The Redis keys of an incident. All carry its id as hash tag, as those of its scope do. The table in the wire contract (§ 2) is
//! this module's twin.

use crate::redis::keys::user_tag;

/// Set: the ids of active SOSs: a hint, written before the fact and removed after it.
pub const ROOMS: &str = "sos:rooms";

/// Hash: the state.
pub fn state(sos: &str) -> String {
    format!("sos:state:{{{sos}}}")
}

/// Hash: per user the last fix, the pending fix and the end of its window.
pub fn location(sos: &str) -> String {
    format!("sos:location:{{{sos}}}")
}

/// Sorted set: the newest fixes by fix time.
pub fn track(sos: &str) -> String {
    format!("sos:track:{{{sos}}}")
}

/// Stream: the newest messages.
pub fn messages(sos: &str) -> String {
    format!("sos:messages:{{{sos}}}")
}

/// Stream: the audit trail.
pub fn events(sos: &str) -> String {
    format!("sos:events:{{{sos}}}")
}

/// Stream: events to be delivered to the SOS service.
pub fn outbox(sos: &str) -> String {
    format!("sos:outbox:{{{sos}}}")
}

/// Stream: events that the SOS service refused for good.
pub fn outbox_dead(sos: &str) -> String {
    format!("sos:outbox:dead:{{{sos}}}")
}

/// Hash: a user's sockets.
pub fn user_presence(user: &str) -> String {
    format!("user:presence:{{{}}}", user_tag(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::sos::kinds;
    use crate::redis::keys::{scope_meta, slot};

    #[test]
    fn the_keys_of_an_incident_lie_in_the_slot_of_its_scope() {
        let keys = [state, location, track, messages, events, outbox, outbox_dead].map(|key| key("42"));
        let wanted = slot(scope_meta(&kinds::scope("42")).as_bytes());
        assert!(keys.iter().all(|key| slot(key.as_bytes()) == wanted), "{keys:?}");
        assert_eq!((&*keys[0], &*keys[6]), ("sos:state:{42}", "sos:outbox:dead:{42}"));
    }

    #[test]
    fn a_user_id_cannot_leave_its_braces() {
        assert_eq!(user_presence("}{ä"), "user:presence:{fXvDpA}");
    }
}
