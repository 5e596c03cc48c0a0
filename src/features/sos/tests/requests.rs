use std::borrow::Cow;

use super::*;

fn faults<T: std::fmt::Debug>(result: Result<T, Faults>) -> Vec<Cow<'static, str>> {
    result.expect_err("it was taken").into_iter().map(|bad| bad.field).collect()
}

#[test]
fn an_init_needs_an_sos_and_its_citizen() {
    let new = NewSos::parse(
        r#"{"sosId":"s","citizenId":"c","location":{"latitude":1,"longitude":2},"address":{"city":"x","barangay":"y"},"type":"FIRE","soNo":"SO-17","more":[]}"#,
    )
    .expect("it is good");
    assert_eq!((new.sos_id.as_str(), new.citizen_id.as_str()), ("s", "c"));
    assert_eq!((new.kind.as_deref(), new.so_no.as_deref()), (Some("FIRE"), Some("SO-17")));
    assert_eq!(new.location.map(|at| at.latitude.0), Some("1"));
    assert_eq!(faults(NewSos::parse("{}")), ["sosId", "citizenId"]);
    assert_eq!(faults(NewSos::parse("[]")), ["body"]);
    assert_eq!(faults(NewSos::parse(r#"{"sosId":"a b","citizenId":5}"#)), ["sosId", "citizenId"]);
    let bad = r#"{"sosId":"s","citizenId":"c","location":{"latitude":"x","longitude":2},"address":[],"type":true}"#;
    assert_eq!(faults(NewSos::parse(bad)), ["latitude", "address", "type"]);
    assert_eq!(faults(NewSos::parse(r#"{"sosId":"s","citizenId":"c","location":"here"}"#)), ["location"]);
    for id in ["", ".", "..", "a/b"] {
        assert_eq!(faults(NewSos::parse(&format!(r#"{{"sosId":"{id}","citizenId":"c"}}"#))), ["sosId"], "{id}");
    }
}

#[test]
fn an_inits_type_and_number_are_strings_and_its_address_has_short_fields() {
    let of =
        |field: &str, value: &str| NewSos::parse(&format!(r#"{{"sosId":"s","citizenId":"c","{field}":{value}}}"#)).map(|_| ());
    let (long, most) = (format!("\"{}\"", "x".repeat(129)), format!("\"{}\"", "ä".repeat(128)));
    for field in ["type", "soNo"] {
        for bad in ["5", "{}", "[]", "true", &long] {
            assert_eq!(faults(of(field, bad)), [field], "{bad}");
        }
        assert!(of(field, &most).is_ok() && of(field, "null").is_ok());
        assert_eq!(of(field, &long).unwrap_err()[0].why, "must have at most 128 characters");
    }
    for bad in ["5", "[]", r#"{"city":5}"#, &format!(r#"{{"city":"{}"}}"#, "x".repeat(201))] {
        assert_eq!(faults(of("address", bad)), ["address"], "{bad}");
    }
    assert!(of("address", &format!(r#"{{"city":"{}","barangay":null}}"#, "x".repeat(200))).is_ok());
}

#[test]
fn a_status_change_is_authoritative_unless_it_says_otherwise() {
    let read = |json| StatusChange::parse(json).expect("it is good");
    assert!(read(r#"{"status":"ARRIVED","updatedBy":"u"}"#).force);
    let checked = read(r#"{"status":"arrived","updatedBy":"u","oldStatus":"En_route","force":false}"#);
    assert_eq!((checked.force, checked.old_status), (false, Some("en_route")));
    assert_eq!(faults(StatusChange::parse(r#"{"status":"gone"}"#)), ["updatedBy", "status"]);
    assert_eq!(
        faults(StatusChange::parse(r#"{"status":"active","updatedBy":"u","force":1,"oldStatus":"x"}"#)),
        ["force", "oldStatus"]
    );
}

#[test]
fn a_closing_names_who_closes() {
    assert_eq!(Closing::parse(r#"{"closedBy":"u","reason":""}"#).expect("it is good").reason, None);
    assert_eq!(faults(Closing::parse(r#"{"reason":5}"#)), ["closedBy", "reason"]);
    let reason = |length: usize| Closing::parse(&format!(r#"{{"closedBy":"u","reason":"{}"}}"#, "x".repeat(length)));
    assert!(reason(1000).is_ok());
    assert_eq!(reason(1001).unwrap_err(), [Bad::new("reason", "must have at most 1000 characters")]);
}

#[test]
fn a_message_is_the_systems_unless_it_names_another_role() {
    assert_eq!(NewMessage::parse(r#"{"text":"x"}"#).expect("it is good").role, "system");
    assert_eq!(NewMessage::parse(r#"{"text":"x","role":"Rescuer"}"#).expect("it is good").role, "rescuer");
    assert_eq!(faults(NewMessage::parse(r#"{"text":" ","role":"king"}"#)), ["text", "role"]);
}

#[test]
fn an_admission_has_a_user_and_a_known_role() {
    assert_eq!(Admission::parse(r#"{"userId":"u","role":"RESCUER"}"#).expect("it is good").role, Role::Rescuer);
    assert_eq!(faults(Admission::parse(r#"{"role":"system"}"#)), ["userId", "role"]);
}

#[test]
fn queries_have_defaults_and_bounds() {
    let none = |_: &str| None;
    let with = |name: &'static str, value: &'static str| move |asked: &str| (asked == name).then(|| value.to_owned());
    assert_eq!(TrackQuery::parse(&none), Ok(TrackQuery { user_id: None, from: 0, to: None, limit: 1000 }));
    assert_eq!(TrackQuery::parse(&with("limit", "99999")).expect("it is good").limit, 10_000);
    assert_eq!(TrackQuery::parse(&with("limit", "99999999999999999999999")).expect("it is good").limit, 10_000);
    let bad = [
        ("limit", "0"),
        ("limit", "x"),
        ("limit", ""),
        ("limit", "+1"),
        ("limit", "1.5"),
        ("from", "-1"),
        ("to", "1.5"),
        ("userId", ""),
    ];
    for (name, value) in bad {
        assert_eq!(faults(TrackQuery::parse(&with(name, value))), [name], "{name}={value}");
    }
    assert!(TrackQuery::parse(&with("limit", "0")).unwrap_err()[0].why.contains("10000"));
    assert_eq!(faults(ListQuery::parse(&with("after", ".."))), ["after"]);
    assert_eq!(faults(EventsQuery::parse(&with("after", "x"))), ["after"]);
    assert_eq!(faults(ListQuery::parse(&with("status", "gone"))), ["status"]);
    assert_eq!(ListQuery::parse(&with("status", "CLOSED")).expect("it is good").status, Some("closed"));
}

#[test]
fn each_body_and_query_is_declared_as_it_is_read() {
    fn same<'a, T: serde::Serialize>(json: &'a str, parse: impl Fn(&'a str) -> Result<T, Faults>) {
        let value = serde_json::to_value(parse(json).expect("it is good")).unwrap();
        assert_eq!(value, serde_json::from_str::<serde_json::Value>(json).unwrap());
    }
    let at = r#"{"latitude":1.50,"longitude":2,"accuracy":3,"heading":4,"speed":5,"altitude":6,"deviceId":"d","address":"a","timestamp":1700000000000}"#;
    let new = format!(
        r#"{{"sosId":"s","citizenId":"c","location":{at},"address":{{"city":"x","barangay":null}},"type":"FIRE","soNo":"17"}}"#
    );
    same(&new, NewSos::parse);
    same(r#"{"closedBy":"u","reason":"r"}"#, Closing::parse);
    same(r#"{"status":"arrived","updatedBy":"u","oldStatus":"en_route","force":false}"#, StatusChange::parse);
    same(r#"{"text":"t","userId":"u","role":"rescuer","clientMessageId":"m"}"#, NewMessage::parse);
    same(r#"{"userId":"u","role":"rescuer"}"#, Admission::parse);
    let asked = |json: &str| {
        let fields: serde_json::Value = serde_json::from_str(json).unwrap();
        move |name: &str| fields.get(name).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
    };
    same(r#"{"userId":"u","from":1,"to":2,"limit":3}"#, |json| TrackQuery::parse(&asked(json)));
    same(r#"{"after":"1-2","limit":3}"#, |json| EventsQuery::parse(&asked(json)));
    same(r#"{"status":"closed","after":"s","limit":3}"#, |json| ListQuery::parse(&asked(json)));
}
