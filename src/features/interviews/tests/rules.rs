use jiff::Timestamp;
use uuid::Uuid;

use super::super::store::Candidate;
use super::*;
use crate::store::Time;

fn interview() -> Interview {
    let candidate = Candidate { id: "c".into(), name: "Ada".into(), email: "ada@example.com".into() };
    let now = Time(Timestamp::UNIX_EPOCH);
    Interview {
        id: Uuid::nil(),
        organization_id: "org-1".into(),
        recruiter_ids: vec!["named".into()],
        candidate,
        status: InterviewStatus::Scheduled,
        scheduled_at: None,
        created_at: now,
        updated_at: now,
    }
}

#[test]
fn an_interview_is_seen_by_its_organization_by_those_it_names_and_by_admins() {
    let cases = [
        ("stranger", RecruiterRole::Recruiter, Some("org-1"), true),
        ("stranger", RecruiterRole::Observer, Some("org-1"), true),
        ("named", RecruiterRole::Interviewer, None, true),
        ("named", RecruiterRole::Observer, Some("org-2"), true),
        ("stranger", RecruiterRole::Admin, Some("org-2"), true),
        ("stranger", RecruiterRole::Admin, None, true),
        ("stranger", RecruiterRole::Recruiter, Some("org-2"), false),
        ("stranger", RecruiterRole::Interviewer, Some("ORG-1"), false),
        ("stranger", RecruiterRole::Recruiter, None, false),
        // The candidate's id is not one of the recruiters'.
        ("c", RecruiterRole::Recruiter, None, false),
    ];
    for (user, role, org, expected) in cases {
        let recruiter = Recruiter { user_id: user.into(), role, org_id: org.map(Into::into), expires_at: None };
        assert_eq!(sees(&recruiter, &interview()), expected, "{user} {role} {org:?}");
    }
}

#[test]
fn nobody_takes_a_role_above_their_own() {
    use CallRole::{Admin, Candidate, Interviewer, Observer, Recruiter};
    for (own, allowed) in [
        (RecruiterRole::Observer, &[Observer][..]),
        (RecruiterRole::Interviewer, &[Interviewer, Observer]),
        (RecruiterRole::Recruiter, &[Recruiter, Interviewer, Observer]),
        (RecruiterRole::Admin, &[Recruiter, Interviewer, Observer, Admin]),
    ] {
        for role in CallRole::ALL {
            assert_eq!(may_take(own, role), allowed.contains(&role), "{own} as {}", role.as_str());
        }
        assert!(!may_take(own, Candidate));
    }
}

#[test]
fn an_invite_is_judged_by_what_became_of_it() {
    let invite =
        |bound: Option<&str>, expired, revoked| Invite { id: Uuid::nil(), bound_to: bound.map(Into::into), expired, revoked };
    for (invite, expected) in [
        (invite(None, false, false), Ok(InviteUse::Bind)),
        (invite(None, true, false), Err(InterviewError::InviteExpired)),
        (invite(None, true, true), Err(InterviewError::InviteRevoked)),
        (invite(Some("me"), false, false), Ok(InviteUse::Reopen)),
        // The expiry was for the first use.
        (invite(Some("me"), true, false), Ok(InviteUse::Reopen)),
        (invite(Some("me"), false, true), Err(InterviewError::InviteRevoked)),
        (invite(Some("other"), false, false), Err(InterviewError::InviteUsed)),
        (invite(Some("other"), true, false), Err(InterviewError::InviteUsed)),
        (invite(Some("other"), false, true), Err(InterviewError::InviteRevoked)),
    ] {
        assert_eq!(judge_invite(&invite, "me"), expected, "{invite:?}");
    }
}

#[test]
fn an_interview_goes_forward_only_and_keeps_its_end() {
    use InterviewStatus::{Cancelled, Completed, Expired, Ongoing, Scheduled};
    for from in InterviewStatus::ALL {
        for to in InterviewStatus::ALL {
            let forward = match from {
                Scheduled => true,
                Ongoing => to != Scheduled,
                Completed | Expired | Cancelled => from == to,
            };
            assert_eq!(ways_to(to).contains(&from), forward, "{from:?} → {to:?}");
        }
    }
}
