//! What becomes of a session, judged by what a round of polling has seen. Pure.
//!
//! LiveKit's counts of participants lag the truth by some seconds: somebody who has just joined is not counted yet. So an empty
//! room is believed only if the round began long enough after the last join that is known of, and in two rounds, one right after
//! the other. A LiveKit that has just come back has lost its rooms, and its participants need a moment to return: the first round
//! that succeeds after a failed one, or after this node took over, removes nothing.

use std::time::Duration;

use super::scripts::{Session, Status};

/// How far LiveKit's counts may lag behind, with a second to spare.
const LAG_MS: u64 = 6_000;
/// Rounds, one right after the other, that must show a room empty.
const ROUNDS: u8 = 2;

/// What may be set.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rules {
    /// A session that nobody has joined for so long is stale.
    pub stale_ms: u64,
    /// A session that somebody is in, and that has not changed for so long, is written anew, so that it does not expire.
    pub renew_ms: u64,
}

/// What a round has seen of a session's room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sight {
    NoRoom,
    Nobody,
    Somebody,
}

/// A round that has succeeded. All times are Redis' (ms since 1970).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Round {
    pub began_ms: u64,
    /// When the first round began that succeeded after the last failure; `None`: it is this one.
    pub steady_since_ms: Option<u64>,
}

/// Why a session is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Its user has asked for it.
    Asked,
    /// LiveKit tells that its room is closed.
    Finished,
    /// Everybody has left.
    Empty,
    /// Nobody has come.
    Stale,
}

impl Reason {
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Finished => "finished",
            Self::Empty => "empty",
            Self::Stale => "stale",
        }
    }
}

/// What to do with a session.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Keep,
    /// Its room counts as empty for so many rounds now.
    Count(u8),
    /// Somebody is there: it is connected, or it must be kept for longer.
    Seen,
    Remove(Reason),
}

impl Rules {
    pub fn new(stale: Duration, token_ttl: Duration) -> Self {
        let ms = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX / 4);
        Self { stale_ms: ms(stale), renew_ms: ms(token_ttl) }
    }

    /// `counted`: the rounds right before this one in which the session, unchanged, counted as empty.
    pub fn judge(&self, session: &Session, sight: Sight, round: Round, counted: u8) -> Verdict {
        let Some(steady_since_ms) = round.steady_since_ms else {
            // It may only learn that somebody is there.
            return if sight == Sight::Somebody { self.somebody(session, round) } else { Verdict::Keep };
        };
        match (sight, session.status) {
            (Sight::Somebody, _) => self.somebody(session, round),
            (_, Status::Created) if round.began_ms < session.created_ms + self.stale_ms => Verdict::Keep,
            (Sight::NoRoom, Status::Created) => Verdict::Remove(Reason::Stale),
            // A room without anybody in it was made by a join: it may be a second old.
            (Sight::Nobody, Status::Created) => empty(Reason::Stale, counted),
            (_, Status::Connected) => {
                let last_join_ms = session.joined_ms.max(steady_since_ms);
                if round.began_ms > last_join_ms + LAG_MS { empty(Reason::Empty, counted) } else { Verdict::Keep }
            }
        }
    }

    fn somebody(&self, session: &Session, round: Round) -> Verdict {
        let is_old = round.began_ms > session.changed_ms + self.renew_ms;
        if session.status == Status::Created || is_old { Verdict::Seen } else { Verdict::Keep }
    }
}

fn empty(reason: Reason, counted: u8) -> Verdict {
    if counted + 1 >= ROUNDS { Verdict::Remove(reason) } else { Verdict::Count(counted + 1) }
}

#[cfg(test)]
#[path = "tests/rules.rs"]
mod tests;
