//! The Redis keys of a live interview. All carry its id as hash tag, as those of its two scopes do. The table in the wire contract
//! (§ 2) is this module's twin.

use uuid::Uuid;

/// Hash: the live state.
pub fn session(interview: Uuid) -> String {
    format!("interview:session:{{{interview}}}")
}

/// Stream: what those who observe were told, from the start.
pub fn log(interview: Uuid) -> String {
    format!("interview:log:{{{interview}}}")
}

/// Stream: the audio of the answer in progress.
pub fn audio(interview: Uuid) -> String {
    format!("interview:audio:{{{interview}}}")
}

/// Hash: the sockets of the call, which of them show their screens, and the version of its document.
pub fn call(interview: Uuid) -> String {
    format!("interview:call:{{{interview}}}")
}

/// String: the shared document of the call, as JSON.
pub fn document(interview: Uuid) -> String {
    format!("interview:document:{{{interview}}}")
}

/// Stream: what was written in the call.
pub fn chat(interview: Uuid) -> String {
    format!("interview:chat:{{{interview}}}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::interviews::kinds;
    use crate::redis::keys::{scope_meta, slot};

    #[test]
    fn the_keys_of_an_interview_lie_in_the_slot_of_its_scopes() {
        let id = Uuid::from_u128(7);
        let scopes = [kinds::interview(id), kinds::call(id)].map(|scope| scope_meta(&scope));
        let keys = [session, log, audio, call, document, chat].map(|key| key(id));
        assert_eq!(keys[0], format!("interview:session:{{{id}}}"));
        assert!(keys.iter().chain(&scopes).all(|key| slot(key.as_bytes()) == slot(id.to_string().as_bytes())), "{keys:?}");
    }
}
