//! What sessions and their rooms are called: a word and 24 of `[0-9a-z]`, which is 124 random bits.

use rand::Rng as _;

const SESSION: &str = "sess_";
const ROOM: &str = "room_";
const LENGTH: usize = 24;
const CHARSET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

pub(super) fn new_session() -> String {
    made(SESSION)
}

pub(super) fn new_room() -> String {
    made(ROOM)
}

/// Whether a session may have this id. Any other is looked for nowhere.
pub(super) fn is_session(id: &str) -> bool {
    is_made(id, SESSION)
}

/// Whether a room of LiveKit's may be one of ours.
pub(super) fn is_room(name: &str) -> bool {
    is_made(name, ROOM)
}

fn made(word: &str) -> String {
    let mut rng = rand::rng();
    let letters = (0..LENGTH).map(|_| char::from(CHARSET[rng.random_range(0..CHARSET.len())]));
    word.chars().chain(letters).collect()
}

fn is_made(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|rest| rest.len() == LENGTH && rest.bytes().all(|byte| CHARSET.contains(&byte)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_made_is_known_again_and_nothing_else() {
        for _ in 0..100 {
            let (session, room) = (new_session(), new_room());
            assert!(is_session(&session) && is_room(&room), "{session} {room}");
            assert!(!is_session(&room) && !is_room(&session));
        }
        for other in
            ["", "sess_", "sess_ABCDEFGHIJKLMNOPQRSTUVWX", "sess_0123456789abcdefghijklm", "sess_{123456789abcdefghijklmn"]
        {
            assert!(!is_session(other), "{other}");
        }
        assert!(is_session("sess_0123456789abcdefghijklmn") && !is_session("sess_0123456789abcdefghijklmno"));
    }
}
