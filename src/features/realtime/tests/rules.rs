//! Histories of a session, and what becomes of it.

use super::*;

const CREATED_MS: u64 = 1_000_000;
const RULES: Rules = Rules { stale_ms: 600_000, renew_ms: 86_400_000 };
const S: u64 = 1_000;

/// What happens to one session, in the order of time; seconds since it was created.
enum Event {
    /// A webhook tells of a join.
    Joined(u64),
    /// A round of polling sees this.
    Round(u64, Sight),
    /// A round fails, or another node takes over.
    Failed,
}

use Event::{Failed, Joined};

fn round(at: u64, sight: Sight) -> Event {
    Event::Round(at, sight)
}

/// What each round did: `-` nothing, `.` counted, `+` seen, or the reason of the removal, with which the history ends.
fn told(history: &[Event]) -> String {
    let mut session = Session {
        id: "sess_0".into(),
        rev: 1,
        user: "u".into(),
        room: "room_0".into(),
        status: Status::Created,
        created_ms: CREATED_MS,
        changed_ms: CREATED_MS,
        joined_ms: 0,
        expires_at: 0,
    };
    let (mut steady_since_ms, mut counted, mut told) = (None, 0, String::new());
    for event in history {
        match event {
            Joined(at) => {
                let at = CREATED_MS + at * S;
                (session.status, session.joined_ms, session.changed_ms) = (Status::Connected, at, at);
                counted = 0;
            }
            Failed => (steady_since_ms, counted) = (None, 0),
            Event::Round(at, sight) => {
                let began_ms = CREATED_MS + at * S;
                let verdict = RULES.judge(&session, *sight, Round { began_ms, steady_since_ms }, counted);
                steady_since_ms = steady_since_ms.or(Some(began_ms));
                counted = if let Verdict::Count(counted) = verdict { counted } else { 0 };
                match verdict {
                    Verdict::Keep => told.push('-'),
                    Verdict::Count(_) => told.push('.'),
                    Verdict::Seen => {
                        told.push('+');
                        (session.status, session.joined_ms, session.changed_ms) = (Status::Connected, began_ms, began_ms);
                    }
                    Verdict::Remove(reason) => {
                        told.push_str(reason.as_str());
                        return told;
                    }
                }
            }
        }
    }
    told
}

/// Rounds each 15 seconds that see the same.
fn rounds(from: u64, number: u64, sight: Sight) -> Vec<Event> {
    (0..number).map(|n| round(from + 15 * n, sight)).collect()
}

fn all(parts: Vec<Vec<Event>>) -> String {
    told(&parts.into_iter().flatten().collect::<Vec<_>>())
}

const NO_ROOM: Sight = Sight::NoRoom;
const NOBODY: Sight = Sight::Nobody;
const SOMEBODY: Sight = Sight::Somebody;

#[test]
fn a_session_that_nobody_joins_goes_when_it_is_stale_and_not_before() {
    assert_eq!(told(&rounds(0, 41, NO_ROOM)), format!("{}stale", "-".repeat(40)));
    assert_eq!(told(&[round(0, NO_ROOM), round(599, NO_ROOM), round(600, NO_ROOM)]), "--stale");
}

#[test]
fn a_stale_session_stays_while_livekit_fails_and_for_the_first_round_after_it() {
    assert_eq!(told(&[round(0, NO_ROOM), Failed, Failed]), "-");
    assert_eq!(told(&[round(0, NO_ROOM), Failed, round(700, NO_ROOM), round(715, NO_ROOM)]), "--stale");
    assert_eq!(told(&[round(700, NO_ROOM), Failed, round(715, NO_ROOM), Failed, round(730, NO_ROOM)]), "---");
}

#[test]
fn a_stale_session_whose_room_is_there_is_looked_at_twice() {
    let (before, join) = (round(0, NO_ROOM), 595);
    // Somebody has joined right before; LiveKit does not count them yet.
    assert_eq!(told(&[before, round(join + 6, NOBODY), round(join + 21, SOMEBODY)]), "-.+");
    assert_eq!(told(&[round(0, NO_ROOM), round(600, NOBODY), round(615, NOBODY)]), "-.stale");
    assert_eq!(told(&[round(0, NO_ROOM), round(600, NOBODY), round(615, NO_ROOM)]), "-.stale");
}

#[test]
fn without_webhooks_a_round_that_sees_somebody_connects() {
    assert_eq!(told(&[round(0, NO_ROOM), round(15, NOBODY), round(30, SOMEBODY), round(45, SOMEBODY)]), "--+-");
    assert_eq!(told(&[round(15, SOMEBODY)]), "+", "the first round may learn that, too");
}

#[test]
fn a_connected_session_goes_after_two_empty_rounds_one_right_after_the_other() {
    for empty in [NO_ROOM, NOBODY] {
        assert_eq!(all(vec![rounds(0, 1, NO_ROOM), vec![Joined(1)], rounds(15, 2, SOMEBODY), rounds(45, 2, empty)]), "---.empty");
        let interrupted = vec![rounds(0, 2, SOMEBODY), rounds(30, 1, empty), rounds(45, 1, SOMEBODY), rounds(60, 2, empty)];
        assert_eq!(all(interrupted), "+-.-.empty");
    }
}

#[test]
fn a_room_that_was_joined_a_moment_ago_does_not_count_as_empty() {
    let seen = |at| [round(0, NO_ROOM), Joined(100), round(at, NOBODY), round(at + 1, NOBODY)];
    assert_eq!(told(&seen(101)), "---");
    assert_eq!(told(&seen(105)), "---");
    assert_eq!(told(&seen(106)), "--.", "more than six seconds after");
    assert_eq!(told(&seen(107)), "-.empty");
    // Between two rounds somebody comes back.
    assert_eq!(
        told(&[round(0, NO_ROOM), Joined(1), round(15, NOBODY), Joined(16), round(30, NOBODY), round(45, NOBODY)]),
        "-..empty"
    );
}

#[test]
fn a_failure_between_two_empty_rounds_begins_anew() {
    let history = vec![rounds(0, 2, SOMEBODY), rounds(30, 1, NO_ROOM), vec![Failed], rounds(60, 3, NO_ROOM)];
    assert_eq!(all(history), "+-.-.empty");
    let restarted = vec![rounds(0, 2, SOMEBODY), vec![Failed, Failed], rounds(60, 1, NO_ROOM), rounds(75, 2, SOMEBODY)];
    assert_eq!(all(restarted), "+----", "its participants come back after a restart");
    // However short the interval is, they have some seconds for it.
    let short =
        vec![rounds(0, 1, SOMEBODY), vec![Failed], (60..67).map(|at| round(at, NO_ROOM)).collect(), rounds(67, 1, SOMEBODY)];
    assert_eq!(all(short), format!("+{}-", "-".repeat(7)));
}

#[test]
fn a_session_that_somebody_is_in_for_days_is_written_anew() {
    let day = 86_400;
    assert_eq!(told(&[round(0, SOMEBODY), round(day, SOMEBODY), round(day + 1, SOMEBODY), round(day + 2, SOMEBODY)]), "+-+-");
}
