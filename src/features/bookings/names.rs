//! What sessions and their rooms are called (contract § 5, `SESSION_ID` and `ROOM_NAME`): `ABC-123-XYZ` and
//! `INTERVIEW-ABC-123-XYZ`.

use rand::Rng;

use super::settings::Rules;
use crate::core::ids;

/// These mean something else behind `/api/interviews/`, so that a session of this name could not be asked for.
const RESERVED: [&str; 5] = ["start", "eligibility", "join-token", ".", ".."];
/// How often an id is drawn again because it is a reserved word. Some rules make nothing but reserved words; then one is
/// used.
const DRAWS: usize = 64;

/// How names are made and recognised.
#[derive(Clone, Debug)]
pub struct Names {
    segments: usize,
    segment_chars: usize,
    charset: Box<[u8]>,
    separator: Box<str>,
    room_prefix: Box<str>,
}

impl Names {
    pub fn new(rules: &Rules) -> Self {
        Self {
            segments: rules.id_segments,
            segment_chars: rules.id_segment_chars,
            charset: rules.id_charset.as_bytes().into(),
            separator: rules.id_separator.clone(),
            room_prefix: format!("{}{}", rules.room_prefix, rules.room_separator).into(),
        }
    }

    /// A new id, drawn by a cryptographic generator, every character with the same chance. The id of one session must not
    /// tell that of another.
    pub fn draw(&self) -> String {
        let mut rng = rand::rng();
        let mut draw = || {
            let mut segment = || -> String {
                (0..self.segment_chars).map(|_| char::from(self.charset[rng.random_range(0..self.charset.len())])).collect()
            };
            (0..self.segments).map(|_| segment()).collect::<Vec<_>>().join(&self.separator)
        };
        let mut id = draw();
        for _ in 0..DRAWS {
            if !RESERVED.contains(&&*id) {
                break;
            }
            id = draw();
        }
        id
    }

    pub fn room(&self, id: &str) -> String {
        format!("{}{id}", self.room_prefix)
    }

    /// Whether a room's name begins as those of sessions do: all that is asked of a client before its session is looked at.
    pub fn begins_as_room(&self, room: &str) -> bool {
        room.starts_with(&*self.room_prefix)
    }

    /// The session that a room belongs to. `None` if its name is not exactly of the form that [`Names::room`] gives: such
    /// rooms belong to others, and are not touched.
    pub fn session_of<'a>(&self, room: &'a str) -> Option<&'a str> {
        room.strip_prefix(&*self.room_prefix).filter(|id| self.is_drawn(id))
    }

    /// Whether [`Names::draw`] could have made it. Segments have a fixed length, so a separator may hold characters of
    /// theirs.
    fn is_drawn(&self, id: &str) -> bool {
        let (mut rest, separator) = (id.as_bytes(), self.separator.as_bytes());
        for segment in 0..self.segments {
            if segment > 0 {
                let Some(after) = rest.strip_prefix(separator) else { return false };
                rest = after;
            }
            let Some((own, after)) = rest.split_at_checked(self.segment_chars) else { return false };
            if !own.iter().all(|byte| self.charset.contains(byte)) {
                return false;
            }
            rest = after;
        }
        rest.is_empty()
    }
}

/// Whether a text can be the id of a session under any rules. A text that cannot is not looked for. The rules may have
/// changed since a session was made, so today's rules do not decide.
pub fn may_be_id(text: &str) -> bool {
    ids::is_scope_id(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(settings: &[(&str, &str)]) -> Names {
        Names::new(&crate::features::bookings::settings::tests::rules(settings))
    }

    #[test]
    fn ids_and_rooms_have_the_form_of_the_seed() {
        let names = names(&[]);
        for _ in 0..1000 {
            let id = names.draw();
            assert!(id.len() == 11 && id.as_bytes()[3] == b'-' && id.as_bytes()[7] == b'-', "{id}");
            assert!(id.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'-') && may_be_id(&id), "{id}");
            let room = names.room(&id);
            assert_eq!(room, format!("INTERVIEW-{id}"));
            assert_eq!(names.session_of(&room), Some(&*id));
        }
    }

    #[test]
    fn every_character_is_drawn() {
        let names = names(&[("SESSION_ID_SEGMENTS", "1"), ("SESSION_ID_CHARS_PER_SEGMENT", "2"), ("SESSION_ID_CHARSET", "ab")]);
        let drawn: std::collections::BTreeSet<_> = (0..1000).map(|_| names.draw()).collect();
        assert_eq!(drawn.into_iter().collect::<Vec<_>>(), ["aa", "ab", "ba", "bb"]);
    }

    #[test]
    fn no_session_is_called_as_a_path_goes() {
        let names = names(&[("SESSION_ID_SEGMENTS", "1"), ("SESSION_ID_CHARS_PER_SEGMENT", "1"), ("SESSION_ID_CHARSET", ".a")]);
        assert!((0..100).all(|_| names.draw() == "a"));
    }

    #[test]
    fn only_the_exact_form_is_a_sessions_room() {
        let names = names(&[]);
        for foreign in [
            "",
            "INTERVIEW-",
            "INTERVIEW-ABC-123-XY",
            "INTERVIEW-ABC-123-XYZZ",
            "INTERVIEW-ABC-123-XYZ-",
            "INTERVIEW-ABC-123-xyz",
            "INTERVIEW-ABC_123-XYZ",
            "INTERVIEW-ABC-123-XYÄ",
            "interview-ABC-123-XYZ",
            " INTERVIEW-ABC-123-XYZ",
            "live-ABC-123-XYZ",
            "INTERVIEWABC-123-XYZ",
        ] {
            assert_eq!(names.session_of(foreign), None, "{foreign}");
        }
        assert!(names.begins_as_room("INTERVIEW-anything") && !names.begins_as_room("INTERVIEW"));
    }

    #[test]
    fn a_separator_may_look_like_a_segment() {
        let names = names(&[("SESSION_ID_SEPARATOR", "A"), ("ROOM_NAME_PREFIX", "A"), ("ROOM_NAME_SEPARATOR", "A")]);
        let room = names.room("AAAAAAAAAAA");
        assert_eq!(names.session_of(&room), Some("AAAAAAAAAAA"));
        assert_eq!(names.session_of(&format!("{room}A")), None);
    }

    #[test]
    fn what_no_rules_can_make_is_no_id() {
        for bad in ["", ".", "..", "a b", "' OR 1=1 --", "a\0", "ä", "a/b", &"x".repeat(129)] {
            assert!(!may_be_id(bad), "{bad:?}");
        }
        assert!(may_be_id("ABC-123-XYZ") && may_be_id(&"x".repeat(128)));
    }
}
