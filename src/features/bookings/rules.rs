//! Who may start a session: the one order of refusals. It is asked twice: early, of what is read without a lock, and again inside the
//! transaction of a start, which decides. Pure.

use super::error::StartRefusal;
use super::store::Limits;

/// What is known of a user who wants to start, at one moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Facts<'a> {
    /// `None`: there is no such user.
    pub user: Option<Applicant<'a>>,
    /// The user's active session that began first.
    pub oldest_active: Option<&'a str>,
    /// How many the user has.
    pub active: usize,
    /// How many all users have together.
    pub active_total: u32,
}

#[derive(Clone, Copy, Debug)]
pub(super) struct Applicant<'a> {
    pub resume: Option<&'a str>,
    /// Sessions that have ended.
    pub completed: u32,
}

/// Whether a start is allowed.
///
/// # Errors
/// In the contract's order: `UserNotFound`, `NoResume`, `BetaLimit`, `ActiveExists`, `CapacityFull`.
pub(super) fn judge(facts: Facts<'_>, limits: Limits, beta_limit: u32) -> Result<(), StartRefusal> {
    let Facts { user, oldest_active, active, active_total } = facts;
    let Applicant { resume, completed } = user.ok_or(StartRefusal::UserNotFound)?;
    if resume.is_none_or(str::is_empty) {
        return Err(StartRefusal::NoResume);
    }
    if completed >= beta_limit {
        return Err(StartRefusal::BetaLimit { completed, limit: beta_limit });
    }
    if active >= limits.max_per_user as usize {
        return Err(StartRefusal::ActiveExists { session: oldest_active.map(Into::into), limit: limits.max_per_user });
    }
    if active_total >= limits.max_concurrent {
        return Err(StartRefusal::CapacityFull { limit: limits.max_concurrent });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_come_in_the_order_of_the_contract() {
        let limits = Limits { max_concurrent: 2, max_per_user: 1 };
        let user = |resume, completed| Some(Applicant { resume: Some(resume), completed });
        let no_resume = Some(Applicant { resume: None, completed: 9 });
        let exists = StartRefusal::ActiveExists { session: Some("old".into()), limit: 1 };
        let cases = [
            (None, 2, 2, Err(StartRefusal::UserNotFound)),
            (no_resume, 2, 2, Err(StartRefusal::NoResume)),
            (user("", 9), 2, 2, Err(StartRefusal::NoResume)),
            (user("r", 1), 2, 2, Err(StartRefusal::BetaLimit { completed: 1, limit: 1 })),
            (user("r", 0), 2, 2, Err(exists)),
            (user("r", 0), 0, 2, Err(StartRefusal::CapacityFull { limit: 2 })),
            (user("r", 0), 0, 1, Ok(())),
        ];
        for (user, active, active_total, expected) in cases {
            let facts = Facts { user, oldest_active: (active > 0).then_some("old"), active, active_total };
            assert_eq!(judge(facts, limits, 1), expected, "{facts:?}");
        }
        let two = Limits { max_per_user: 2, ..limits };
        assert_eq!(judge(Facts { user: user("r", 0), oldest_active: Some("one"), active: 1, active_total: 1 }, two, 1), Ok(()));
    }
}
