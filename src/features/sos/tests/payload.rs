use super::*;

fn code<T: std::fmt::Debug>(json: &str, read: impl Fn(&Fields<'_>) -> Result<T, EventError>) -> &'static str {
    match fields(json).and_then(|fields| read(&fields)) {
        Ok(value) => panic!("{json} was taken as {value:?}"),
        Err(error) => error.code.0,
    }
}

fn fields_of<T>(json: &str, read: impl Fn(&Fields<'_>) -> Result<T, EventError>) -> Result<T, EventError> {
    fields(json).and_then(|fields| read(&fields))
}

fn taken<T>(json: &str, read: impl Fn(&Fields<'_>) -> Result<T, EventError>) -> T {
    fields(json).and_then(|fields| read(&fields)).unwrap_or_else(|error| panic!("{json}: {error:?}"))
}

fn fix(fields: &Fields<'_>) -> Result<Fix, EventError> {
    location(fields).map(|update| Fix::from(&update))
}

fn backlog(fields: &Fields<'_>) -> Result<Points, EventError> {
    batch(fields).map(|batch| points(&batch))
}

#[test]
fn the_tokens_only_sos_stands_in_for_a_missing_id() {
    let read = |json, default| taken(json, |fields| about(fields, default)).sos_id;
    assert_eq!(read("{}", Some("s1")), "s1");
    assert_eq!(read(r#"{"sosId":"s2"}"#, Some("s1")), "s2");
    assert_eq!(read(r#"{"sosId":null}"#, Some("s1")), "s1");
    for json in [
        r#"{"sosId":5}"#,
        r#"{"sosId":{}}"#,
        r#"{"sosId":["s"]}"#,
        r#"{"sosId":"a b"}"#,
        r#"{"sosId":"}{"}"#,
        r#"{"sosId":""}"#,
        r#"{"sosId":"."}"#,
        r#"{"sosId":".."}"#,
    ] {
        assert_eq!(code(json, |fields| about(fields, Some("s1"))), "INVALID_SOS_ID", "{json}");
    }
    assert_eq!(code("{}", |fields| about(fields, None)), "INVALID_SOS_ID");
    assert_eq!(code(&format!(r#"{{"sosId":"{}"}}"#, "x".repeat(129)), |fields| about(fields, None)), "INVALID_SOS_ID");
}

#[test]
fn a_client_message_id_has_64_characters_at_most() {
    let read = |length: usize| format!(r#"{{"sosId":"s","clientMessageId":"{}"}}"#, "ä".repeat(length));
    assert_eq!(taken(&read(64), |fields| about(fields, None)).client_message_id.unwrap().chars().count(), 64);
    assert_eq!(code(&read(65), |fields| about(fields, None)), "INVALID_PAYLOAD");
    assert_eq!(code(r#"{"sosId":"s","clientMessageId":7}"#, |fields| about(fields, None)), "INVALID_PAYLOAD");
}

#[test]
fn a_status_must_be_a_known_one() {
    let read = taken(r#"{"status":"Arrived","note":"at the door"}"#, status_update);
    assert_eq!((read.status, read.note.as_deref()), ("arrived", Some("at the door")));
    for json in ["{}", r#"{"status":null}"#, r#"{"status":1}"#, r#"{"status":"gone"}"#, r#"{"status":{"status":"active"}}"#] {
        assert_eq!(code(json, status_update), "INVALID_STATUS", "{json}");
    }
    assert_eq!(code(r#"{"status":"active","note":[]}"#, status_update), "INVALID_PAYLOAD");
    let noted = |length: usize| fields_of(&format!(r#"{{"status":"active","note":"{}"}}"#, "ä".repeat(length)), status_update);
    assert!(noted(1000).is_ok());
    let refused = noted(1001).unwrap_err();
    assert_eq!((refused.code.0, &*refused.message), ("INVALID_PAYLOAD", "note must have at most 1000 characters"));
}

#[test]
fn a_message_has_1_to_4000_characters_that_are_not_all_white() {
    let of = |text: &str| serde_json::json!({ "text": text }).to_string();
    assert_eq!(taken(&of(&"ä".repeat(4000)), message).text.chars().count(), 4000);
    assert_eq!(taken(&of(" hi "), message).text, " hi ");
    let long = of(&"x".repeat(4001));
    for json in ["{}", r#"{"text":7}"#, r#"{"text":["a"]}"#, r#"{"text":""}"#, r#"{"text":" \n "}"#, &long] {
        assert_eq!(code(json, message), "INVALID_MESSAGE", "{json:.60}");
    }
}

#[test]
fn a_fix_keeps_the_numbers_as_they_were_written() {
    let fix = taken(
        r#"{"latitude":0,"longitude":-0.10000000000000001,"accuracy":5,"deviceId":"a\"b","timestamp":1700000000000,"address":{"city":"x"}}"#,
        fix,
    );
    assert_eq!(
        fix.fields,
        r#""latitude":0,"longitude":-0.10000000000000001,"accuracy":5,"heading":null,"speed":null,"altitude":null,"deviceId":"a\"b""#
    );
    assert_eq!((fix.latitude.as_str(), fix.longitude.as_str()), ("0", "-0.10000000000000001"));
    assert_eq!(
        (fix.device.as_str(), fix.time, fix.address.as_deref()),
        ("a\"b", Some(1_700_000_000_000), Some(r#"{"city":"x"}"#))
    );
}

#[test]
fn what_a_phone_does_not_know_is_null() {
    let fix = taken(r#"{"latitude":1,"longitude":2,"heading":-1,"speed":-1.0,"deviceId":""}"#, fix);
    assert!(fix.fields.ends_with(r#""heading":null,"speed":null,"altitude":null,"deviceId":null"#), "{}", fix.fields);
}

#[test]
fn a_bad_location_is_an_invalid_location() {
    let with = |field: &str, value: &str| {
        let mut fields = vec![("latitude", "1"), ("longitude", "2")];
        fields.retain(|(name, _)| *name != field);
        fields.push((field, value));
        let fields: Vec<_> = fields.iter().map(|(name, value)| format!(r#""{name}":{value}"#)).collect();
        format!("{{{}}}", fields.join(","))
    };
    let bad = [
        ("latitude", "null"),
        ("latitude", r#""1""#),
        ("latitude", r#""NaN""#),
        ("latitude", "90.01"),
        ("latitude", "-91"),
        ("latitude", "1e400"),
        ("latitude", "[1]"),
        ("latitude", r#"{"a":1}"#),
        ("latitude", "true"),
        ("longitude", "180.1"),
        ("longitude", "-181"),
        ("longitude", "null"),
        ("accuracy", "-1"),
        ("accuracy", r#""5""#),
        ("heading", "361"),
        ("heading", "-0.5"),
        ("speed", "-3"),
        ("altitude", r#"{}"#),
        ("deviceId", "5"),
        ("timestamp", r#""now""#),
        ("timestamp", "-1"),
        ("address", "[]"),
        ("address", "true"),
        ("address", "5"),
        ("address", r#"{"city":5}"#),
        ("address", r#"{"city":{}}"#),
    ];
    for (field, value) in bad {
        assert_eq!(code(&with(field, value), fix), "INVALID_LOCATION", "{field}={value}");
    }
    for longest in ["\"{}\"", r#"{"city":"{}","barangay":null}"#] {
        let of = |length| with("address", &longest.replacen("{}", &"ä".repeat(length), 1));
        assert!(taken(&of(200), fix).address.is_some());
        let refused = fields_of(&of(201), fix).unwrap_err();
        assert_eq!((refused.code.0, refused.message.contains("200")), ("INVALID_LOCATION", true), "{refused:?}");
    }
    let many = (0..300).map(|at| format!(r#""field {at}":"x""#)).collect::<Vec<_>>().join(",");
    assert_eq!(code(&with("address", &format!("{{{many}}}")), fix), "INVALID_LOCATION");
    assert_eq!(code("{}", fix), "INVALID_LOCATION");
}

#[test]
fn good_points_of_a_batch_are_kept_though_others_fail() {
    let read = taken(
        r#"{"points":[{"latitude":1,"longitude":2,"timestamp":3},{"latitude":1,"longitude":2},7,{"latitude":"x","longitude":2,"timestamp":3},{"latitude":4,"longitude":5,"timestamp":6}]}"#,
        backlog,
    );
    assert_eq!(read.fixes.iter().map(|fix| fix.time).collect::<Vec<_>>(), [Some(3_000), Some(6_000)]);
    assert_eq!(read.rejected, [1, 2, 3]);
}

#[test]
fn a_batch_has_500_points_at_most() {
    let of = |count: usize| format!(r#"{{"points":[{}]}}"#, vec!["1"; count].join(","));
    assert_eq!(taken(&of(500), backlog).rejected.len(), 500);
    for json in [&of(501), "{}", r#"{"points":{}}"#, r#"{"points":"x"}"#, r#"{"points":null}"#] {
        assert_eq!(code(json, backlog), "INVALID_PAYLOAD", "{json:.40}");
    }
}

#[test]
fn each_payload_is_declared_as_it_is_read() {
    fn same<'a, T: serde::Serialize>(json: &'a str, read: impl Fn(&Fields<'a>) -> Result<T, EventError>) {
        let value = fields(json).and_then(|fields| read(&fields)).unwrap_or_else(|error| panic!("{json}: {error:?}"));
        assert_eq!(serde_json::to_value(value).unwrap(), serde_json::from_str::<Value>(json).unwrap());
    }
    same(r#"{"sosId":"s","clientMessageId":"m"}"#, |fields| about(fields, None));
    same(r#"{"reason":"r"}"#, close);
    same(r#"{"status":"closed","note":"n"}"#, status_update);
    same(r#"{"text":"t"}"#, message);
    let at = r#"{"latitude":1.50,"longitude":2,"accuracy":3,"heading":4,"speed":5,"altitude":6,"deviceId":"d","address":{"city":"c"},"timestamp":1700000000000}"#;
    same(at, location);
    same(&format!(r#"{{"points":[{at},7]}}"#), batch);
}
