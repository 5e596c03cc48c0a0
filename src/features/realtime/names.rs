//! What sessions and their rooms are called: a word and 24 of `[0-9a-z]`.
//!
//! ```text
//!  room_ k3v9x0q2m7c1z8 f0aw p4n6te          sess_ f(room)
//!        random         │    └ its user: f(random, user)
//!                       └ this hub: f(random)
//! ```
//!
//! `f` is keyed, so that nobody else can make such names. From a room and the user in it a session follows, which Redis may have
//! lost; a room of another hub on the same LiveKit, or somebody else in the room, makes none.

use aws_lc_rs::hmac;
use rand::Rng as _;

use crate::settings::Settings as Base;

use super::settings::Settings;

const SESSION: &str = "sess_";
const ROOM: &str = "room_";
const LENGTH: usize = 24;
/// Letters of a room's name that are random: 72 bits.
const RANDOM: usize = 14;
/// Letters that say whose hub it is: 20 bits, which only save a look at other hubs' rooms.
const HUB: usize = 4;
/// Letters that say whose room it is: 31 bits, for who has got a token of an identity provider and one of LiveKit already.
const USER: usize = LENGTH - RANDOM - HUB;
const CHARSET: &[u8; 36] = b"0123456789abcdefghijklmnopqrstuvwxyz";

/// Makes and knows names.
pub(super) struct Names {
    key: hmac::Key,
}

impl Names {
    /// All nodes of a hub have the same settings, and so the same names.
    pub fn new(base: &Base, settings: &Settings) -> Self {
        let secret = base.livekit.as_ref().map_or("", |livekit| livekit.secret.expose());
        let root = hmac::Key::new(hmac::HMAC_SHA256, secret.as_bytes());
        let identity = settings.identity();
        let text = |text: Option<&Box<str>>| text.map_or("", |text| &**text).to_owned();
        // Two hubs on one LiveKit have one of these of their own, as a rule.
        let hub = [
            "convoke realtime rooms, version 1".to_owned(),
            text(identity.and_then(|identity| identity.issuer.as_ref())),
            text(identity.and_then(|identity| identity.audience.as_ref())),
            base.cluster.secret.as_ref().map_or("", |secret| secret.expose()).to_owned(),
        ];
        let derived = hmac::sign(&root, hub.join("\n").as_bytes());
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()) }
    }

    /// A new room of this user.
    pub fn new_room(&self, user: &str) -> String {
        let mut rng = rand::rng();
        let random: String = (0..RANDOM).map(|_| char::from(CHARSET[rng.random_range(0..CHARSET.len())])).collect();
        let (hub, user) = (self.hub(&random), self.user(&random, user));
        format!("{ROOM}{random}{hub}{user}")
    }

    /// The session of a room.
    pub fn session_of(&self, room: &str) -> String {
        format!("{SESSION}{}", self.letters("session", room, LENGTH))
    }

    /// Whether this hub has made the room.
    pub fn is_ours(&self, room: &str) -> bool {
        parts(room).is_some_and(|(random, hub, _)| hub == self.hub(random))
    }

    /// Whether this hub has made the room for this user.
    pub fn is_of(&self, room: &str, user: &str) -> bool {
        parts(room).is_some_and(|(random, hub, of)| hub == self.hub(random) && of == self.user(random, user))
    }

    fn hub(&self, random: &str) -> String {
        self.letters("hub", random, HUB)
    }

    fn user(&self, random: &str, user: &str) -> String {
        self.letters("user", &format!("{random}{user}"), USER)
    }

    fn letters(&self, what: &str, text: &str, number: usize) -> String {
        let tag = hmac::sign(&self.key, format!("{what}\n{text}").as_bytes());
        tag.as_ref().iter().take(number).map(|byte| char::from(CHARSET[usize::from(*byte) % CHARSET.len()])).collect()
    }
}

/// Whether a session may have this id. Any other is looked for nowhere.
pub(super) fn is_session(id: &str) -> bool {
    is_made(id, SESSION)
}

/// Whether a room of LiveKit's has a name of this form.
pub(super) fn is_room(name: &str) -> bool {
    is_made(name, ROOM)
}

fn parts(room: &str) -> Option<(&str, &str, &str)> {
    let letters = room.strip_prefix(ROOM).filter(|_| is_room(room))?;
    let (random, rest) = letters.split_at(RANDOM);
    let (hub, user) = rest.split_at(HUB);
    Some((random, hub, user))
}

fn is_made(name: &str, word: &str) -> bool {
    name.strip_prefix(word).is_some_and(|rest| rest.len() == LENGTH && rest.bytes().all(|byte| CHARSET.contains(&byte)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Reader;

    fn names(more: &[(&str, &str)]) -> Names {
        let livekit = [
            ("LIVEKIT_WS_URL", "ws://127.0.0.1:7880"),
            ("LIVEKIT_API_KEY", "key"),
            ("LIVEKIT_API_SECRET", "a secret of the tests, long enough"),
            ("AUTH_ENABLED", "false"),
        ];
        let source = livekit.iter().chain(more).copied().collect();
        let mut read = Reader::new(&source);
        let settings = Settings::read(&mut read);
        Names::new(&Base::from_source(&source).unwrap(), &settings)
    }

    #[test]
    fn what_is_made_is_known_again_and_nothing_else() {
        let names = names(&[]);
        for n in 0..100 {
            let room = names.new_room(&format!("user-{n}"));
            let session = names.session_of(&room);
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

    #[test]
    fn a_room_tells_whose_it_is_to_the_hub_that_has_made_it() {
        let (ours, same, other) = (names(&[]), names(&[]), names(&[("CLUSTER_SECRET", "of another hub on this LiveKit")]));
        let room = ours.new_room("ana");
        assert!(ours.is_ours(&room) && ours.is_of(&room, "ana") && !ours.is_of(&room, "bob"));
        assert!(same.is_of(&room, "ana"), "another node, or the same after a start");
        assert_eq!(ours.session_of(&room), same.session_of(&room));
        assert_ne!(ours.session_of(&room), other.session_of(&room));
        assert!(!other.is_of(&room, "ana"));
        for made_up in ["room_000000000000000000000000", "room_", "", "live-1", &room[..room.len() - 1]] {
            assert!(!ours.is_of(made_up, "ana"), "{made_up}");
        }
    }
}
