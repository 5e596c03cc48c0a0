//! Who may send which event (contract § 4). Pure. Whether the interview that an event names is theirs is judged elsewhere.

use crate::features::interviews::recruiter::RecruiterRole;

/// What the sender of an event is to the namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// With a join token or an invite.
    Candidate,
    /// With a recruiter's JWT.
    Staff(RecruiterRole),
    /// Without a token, where signalling is open.
    Open,
}

/// Events that belong to the call.
const CALL: &[&str] = &[
    "joinRoom",
    "leaveRoom",
    "offer",
    "answer",
    "iceCandidate",
    "signal",
    "chat:message",
    "chat:history",
    "editor:update",
    "screen:share",
];

const CANDIDATE: &[&str] =
    &["join-interview", "start-interview", "audio-chunk", "response-complete", "proctor-event", "heartbeat", "auth:refresh"];

const STAFF: &[&str] = &["observe-interview", "heartbeat", "auth:refresh"];

/// All that an observer may send: it watches.
const OBSERVER: &[&str] = &["observe-interview", "joinRoom", "leaveRoom", "heartbeat", "auth:refresh"];

/// Whether such a sender may send this event at all.
pub fn may(side: Side, event: &str) -> bool {
    match side {
        Side::Candidate => CANDIDATE.contains(&event) || CALL.contains(&event),
        Side::Staff(RecruiterRole::Observer) => OBSERVER.contains(&event),
        Side::Staff(_) => STAFF.contains(&event) || CALL.contains(&event),
        Side::Open => CALL.contains(&event),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_side_has_its_own_events_and_observers_only_watch() {
        let sides = [
            (
                Side::Candidate,
                "join-interview observe-interview joinRoom chat:message audio-chunk",
                [true, false, true, true, true],
            ),
            (Side::Open, "join-interview observe-interview joinRoom chat:message audio-chunk", [false, false, true, true, false]),
            (
                Side::Staff(RecruiterRole::Interviewer),
                "join-interview observe-interview joinRoom chat:message audio-chunk",
                [false, true, true, true, false],
            ),
            (
                Side::Staff(RecruiterRole::Observer),
                "join-interview observe-interview joinRoom chat:message chat:history",
                [false, true, true, false, false],
            ),
        ];
        for (side, events, expected) in sides {
            let told: Vec<_> = events.split(' ').map(|event| may(side, event)).collect();
            assert_eq!(told, expected, "{side:?}");
        }
        for side in [Side::Candidate, Side::Staff(RecruiterRole::Admin), Side::Staff(RecruiterRole::Observer)] {
            assert!(may(side, "heartbeat") && may(side, "auth:refresh"), "{side:?}");
        }
        assert!(!may(Side::Open, "heartbeat") && !may(Side::Open, "auth:refresh"));
    }
}
