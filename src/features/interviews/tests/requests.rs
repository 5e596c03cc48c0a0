use serde_json::{Value, json};

use super::*;

fn whole() -> Value {
    json!({
        "organizationId": "org-1",
        "candidate": {"id": "c-1", "name": "Ada", "email": "ada@example.com"},
        "template": {"title": "T", "totalDuration": 39, "assessments": [
            {"title": "A", "questions": [{"id": "q1", "text": "Why?", "type": "BEHAVIORAL"}, {"text": "How?", "type": "TECHNICAL"}]},
            {"title": "B", "questions": [{"text": "When?", "type": "CODING"}]},
        ]},
    })
}

fn faults(body: &Value) -> String {
    match new_interview(&body.to_string()) {
        Err(InterviewError::Invalid(faults)) => faults,
        other => panic!("{body} was read as {other:?}"),
    }
}

#[test]
fn questions_stand_in_one_row_over_all_assessments() {
    let new = new_interview(&whole().to_string()).unwrap();
    assert_eq!(new.template.assessments, ["A", "B"]);
    let asked: Vec<_> = new.template.questions.iter().map(|q| (q.assessment, &*q.text)).collect();
    assert_eq!(asked, [(1, "Why?"), (1, "How?"), (2, "When?")]);
    assert_eq!(new.template.questions[0].id, "q1");
    assert_ne!(new.template.questions[1].id, new.template.questions[2].id);
    assert!(new.recruiter_ids.is_empty() && new.scheduled_at.is_none());
}

#[test]
fn a_fault_names_its_field_with_the_way_to_it() {
    for (path, value, expected) in [
        ("/organizationId", json!(null), "organizationId is required"),
        ("/organizationId", json!(" "), "organizationId is required"),
        ("/organizationId", json!("x".repeat(129)), "organizationId must have at most 128 characters"),
        (
            "/candidate",
            json!("Ada"),
            "candidate must be an object; candidate.id is required; candidate.name is required; candidate.email is required",
        ),
        ("/candidate/id", json!(7), "candidate.id must be a string"),
        ("/candidate/name", json!("a\0b"), "candidate.name must not contain U+0000"),
        ("/candidate/email", json!("ada@"), "candidate.email must be an e-mail address"),
        ("/template/totalDuration", json!(0), "template.totalDuration must be a whole number of minutes from 1 to 1440"),
        ("/template/totalDuration", json!(1.5), "template.totalDuration must be a whole number of minutes from 1 to 1440"),
        ("/template/assessments", json!([]), "template.assessments must not be empty"),
        ("/template/assessments", json!({}), "template.assessments must be a list"),
        ("/template/assessments/1/questions", json!([]), "template.assessments[1].questions must not be empty"),
        (
            "/template/assessments/1/questions/0",
            json!("?"),
            "template.assessments[1].questions[0] must be an object; \
            template.assessments[1].questions[0].text is required; template.assessments[1].questions[0].type is required",
        ),
        (
            "/template/assessments/0/questions/1/text",
            json!("x".repeat(4001)),
            "template.assessments[0].questions[1].text must have at most 4000 characters",
        ),
    ] {
        let mut body = whole();
        *body.pointer_mut(path).unwrap() = value;
        assert_eq!(faults(&body), expected);
    }
    let mut twice = whole();
    twice["template"]["assessments"][1]["questions"][0]["id"] = "q1".into();
    assert_eq!(faults(&twice), "template.assessments[1].questions[0].id occurs twice");
}

#[test]
fn sizes_are_bounded() {
    let mut body = whole();
    let question = json!({"text": "?", "type": "T"});
    body["template"]["assessments"][0]["questions"] = vec![question.clone(); 499].into();
    assert_eq!(new_interview(&body.to_string()).unwrap().template.questions.len(), 500);
    body["template"]["assessments"][0]["questions"] = vec![question.clone(); 500].into();
    assert_eq!(faults(&body), "template.assessments must have at most 500 questions in all");
    body["template"]["assessments"][0]["questions"] = vec![json!({}); 500].into();
    assert!(faults(&body).ends_with("; and 981 more"), "{}", faults(&body));
    let mut body = whole();
    body["recruiterIds"] = (0..101).map(|id| id.to_string()).collect();
    assert_eq!(faults(&body), "recruiterIds must have at most 100 entries");
    body["recruiterIds"] = json!(["a", "b", "a"]);
    assert_eq!(new_interview(&body.to_string()).unwrap().recruiter_ids, ["a", "b"]);
    body["template"]["assessments"] = vec![json!({"title": "A", "questions": [question]}); 51].into();
    assert_eq!(faults(&body), "template.assessments must have at most 50 entries");
}

#[test]
fn a_change_tells_what_is_left_out_from_what_is_taken_away() {
    let change = |body: Value| interview_change(&body.to_string());
    assert_eq!(change(json!({"unknown": 1, "status": null})), Ok(InterviewChange::default()));
    assert_eq!(change(json!({"scheduledAt": null})).unwrap().scheduled_at, Some(None));
    let time = change(json!({"scheduledAt": "2026-01-31T10:30:00.1239+01:00"})).unwrap().scheduled_at.flatten().unwrap();
    assert_eq!(time.to_string(), "2026-01-31T09:30:00.123Z");
    for bad in [json!("tomorrow"), json!(1_700_000_000_000_u64), json!("2026-01-31"), json!("2026-13-01T00:00:00Z")] {
        let expected = "scheduledAt must be a time such as 2026-01-31T09:30:00Z";
        assert_eq!(change(json!({"scheduledAt": bad})), Err(InterviewError::Invalid(expected.into())), "{bad}");
    }
    let expected = "status must be SCHEDULED, ONGOING, COMPLETED, EXPIRED or CANCELLED";
    assert_eq!(change(json!({"status": "DONE"})), Err(InterviewError::Invalid(expected.into())));
}

#[test]
fn an_invite_lasts_a_week_unless_it_says_otherwise() {
    let lasts = |body: Value| InviteRequest::parse(&body.to_string()).map(|request| request.lasts.as_secs());
    assert_eq!(lasts(json!({})), Ok(604_800));
    assert_eq!(lasts(json!({"expiresIn": 1})), Ok(1));
    assert_eq!(lasts(json!({"expiresIn": 2_592_000})), Ok(2_592_000));
    for above in [json!(2_592_001), json!(1e18), json!(1e300)] {
        assert_eq!(lasts(json!({ "expiresIn": above })), Ok(2_592_000));
    }
    for bad in [json!(0), json!(-1), json!("60"), json!(1.5)] {
        let expected = "expiresIn must be an integer from 1, in seconds (above 2592000 it counts as 2592000)";
        assert_eq!(lasts(json!({"expiresIn": bad})), Err(InterviewError::Invalid(expected.into())), "{bad}");
    }
}
