use super::*;
use crate::features::interviews::caller::Candidate;
use crate::features::interviews::recruiter::{Recruiter, RecruiterRole};
use crate::features::interviews::store::{self, InterviewStatus};
use crate::store::Time;

fn parsed(json: &str) -> Fields<'_> {
    fields(json).expect("an object")
}

fn interview_of(candidate: &str) -> Interview {
    let now = Time(jiff::Timestamp::UNIX_EPOCH);
    Interview {
        id: Uuid::from_u128(7),
        organization_id: "org".into(),
        recruiter_ids: vec![],
        candidate: store::Candidate { id: candidate.into(), name: "Ada".into(), email: "ada@example.org".into() },
        status: InterviewStatus::Ongoing,
        scheduled_at: None,
        created_at: now,
        updated_at: now,
    }
}

fn staff(role: RecruiterRole) -> Who {
    Who::Staff(Recruiter { user_id: "rita".into(), role, org_id: None, expires_at: None })
}

/// `role as identity`, or the code of the refusal.
fn seat(who: &Who, json: &str) -> String {
    match Wish::read(&parsed(json)).and_then(|wish| wish.seat(who, &interview_of("ada"))) {
        Ok(Seat { role, identity }) => format!("{role} as {identity}"),
        Err(error) => error.code().into(),
    }
}

#[test]
fn a_candidate_is_the_candidate_under_its_own_id() {
    let ada =
        Who::Candidate(Candidate { interview: Uuid::from_u128(7), participant: "ada".into(), name: "Ada".into(), invite: None });
    let cases = [
        ("{}", "candidate as ada"),
        (r#"{"role":"Candidate","identity":"ada"}"#, "candidate as ada"),
        (r#"{"identity":"candidate-ada"}"#, "candidate as candidate-ada"),
        (r#"{"identity":"bob"}"#, "FORBIDDEN"),
        (r#"{"identity":"candidate-bob"}"#, "FORBIDDEN"),
        (r#"{"role":"interviewer"}"#, "FORBIDDEN"),
        (r#"{"role":"observer"}"#, "FORBIDDEN"),
        (r#"{"role":"boss"}"#, "INVALID_PAYLOAD"),
        (r#"{"role":7}"#, "INVALID_PAYLOAD"),
        (r#"{"identity":""}"#, "INVALID_PAYLOAD"),
        (r#"{"identity":"a\nb"}"#, "INVALID_PAYLOAD"),
    ];
    for (json, expected) in cases {
        assert_eq!(seat(&ada, json), expected, "{json}");
    }
}

#[test]
fn an_interviewer_has_a_recruiters_token_and_not_the_candidates_name() {
    use RecruiterRole::{Admin, Interviewer, Observer, Recruiter};
    for role in [Recruiter, Interviewer, Admin] {
        assert_eq!(seat(&staff(role), "{}"), "interviewer as rita");
        assert_eq!(seat(&staff(role), r#"{"role":"interviewer","identity":"Rita L."}"#), "interviewer as Rita L.");
        assert_eq!(seat(&staff(role), r#"{"role":"observer"}"#), "observer as rita");
        for forbidden in [r#"{"role":"candidate"}"#, r#"{"identity":"ada"}"#, r#"{"identity":"candidate-ada"}"#] {
            assert_eq!(seat(&staff(role), forbidden), "FORBIDDEN", "{forbidden}");
        }
    }
    assert_eq!(seat(&staff(Observer), "{}"), "observer as rita");
    assert_eq!(seat(&staff(Observer), r#"{"role":"interviewer"}"#), "FORBIDDEN");
}

#[test]
fn without_a_token_role_and_identity_must_be_said() {
    let open = Who::Open { address: "127.0.0.1".into() };
    assert_eq!(seat(&open, r#"{"role":"candidate","identity":"ada"}"#), "candidate as ada");
    for json in ["{}", r#"{"role":"candidate"}"#, r#"{"identity":"ada"}"#] {
        assert_eq!(seat(&open, json), "INVALID_PAYLOAD", "{json}");
    }
}

#[test]
fn an_interview_is_named_in_any_case_of_letters() {
    fn read(json: &str) -> Result<Option<Uuid>, InterviewError> {
        interview(&parsed(json))
    }
    let id = Uuid::from_u128(0xabcd);
    for text in [id.to_string(), id.to_string().to_uppercase()] {
        assert_eq!(read(&format!(r#"{{"interviewId":"{text}"}}"#)), Ok(Some(id)));
    }
    assert_eq!(read("{}"), Ok(None));
    assert_eq!(read(r#"{"interviewId":"x"}"#), Err(InterviewError::NotFound));
    assert!(matches!(read(r#"{"interviewId":5}"#), Err(InterviewError::Invalid(_))));
}

#[test]
fn a_document_is_a_string_of_so_many_bytes_and_is_kept_as_short_as_can_be() {
    let read = |update: &str, version: &str| document(&parsed(&format!(r#"{{"update":{update},"version":{version}}}"#)));
    assert_eq!(read(r#""\u00e4\n""#, "1"), Ok(("\"ä\\n\"".into(), 1)));
    assert_eq!(read("\"\"", "7.0"), Ok(("\"\"".into(), 7)));
    let text = |bytes: usize| format!("\"{}\"", "x".repeat(bytes));
    assert!(read(&text(MAX_DOCUMENT), "1").is_ok());
    let escaped = format!("\"{}\"", r"\u0001".repeat(MAX_DOCUMENT / 2));
    for (update, version) in [
        (&*text(MAX_DOCUMENT + 1), "1"),
        (&*escaped, "1"),
        ("5", "1"),
        ("null", "1"),
        (r#""\ud800""#, "1"),
        ("\"\"", "null"),
        ("\"\"", "-1"),
        ("\"\"", "1.5"),
        ("\"\"", "\"1\""),
        ("\"\"", "1e300"),
    ] {
        assert!(matches!(read(update, version), Err(InterviewError::Invalid(_))), "{version}");
    }
}
