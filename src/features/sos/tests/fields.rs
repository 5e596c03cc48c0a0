use super::*;

fn fields(json: &str) -> Fields<'_> {
    Fields::parse(json).unwrap_or_else(|| panic!("not an object: {json}"))
}

#[test]
fn only_an_object_has_fields() {
    for json in ["", "[]", "1", "\"a\"", "null", "true", "{\"a\":1", "{} {}", "{\"a\":NaN}"] {
        assert!(Fields::parse(json).is_none(), "{json}");
    }
    assert!(fields("{}").raw("a").is_none());
}

#[test]
fn null_counts_as_missing_and_the_last_of_a_name_counts() {
    assert_eq!(fields(r#"{"a":null}"#).raw("a"), None);
    assert_eq!(fields(r#"{"a":1,"a":2}"#).raw("a"), Some("2"));
    assert_eq!(fields(r#"{"\u0061":1}"#).raw("a"), Some("1"));
}

#[test]
fn a_text_is_a_string_of_bounded_length() {
    let text = |json, max| fields(json).text("a", max).map(|text| text.map(|text| text.into_owned()));
    assert_eq!(text(r#"{"a":"ä\n"}"#, 2), Ok(Some("ä\n".into())));
    assert_eq!(text(r#"{"a":""}"#, 2), Ok(None));
    assert_eq!(text(r#"{"a":"abc"}"#, 2), Err(Bad { field: "a", why: "is too long" }));
    for json in [r#"{"a":1}"#, r#"{"a":{"a":"b"}}"#, r#"{"a":["b"]}"#, r#"{"a":true}"#] {
        assert_eq!(text(json, 9), Err(Bad { field: "a", why: "must be a string" }), "{json}");
    }
}

#[test]
fn a_number_keeps_its_text() {
    let number = |json| fields(json).number("a", -10.0, 10.0);
    assert_eq!(number(r#"{"a":1.50000000000000001}"#), Ok(Some("1.50000000000000001")));
    assert_eq!(number(r#"{"a":-0}"#), Ok(Some("-0")));
    assert_eq!(number(r#"{"a":1e1}"#), Ok(Some("1e1")));
    for json in [r#"{"a":"1"}"#, r#"{"a":[1]}"#, r#"{"a":{}}"#, r#"{"a":true}"#, r#"{"a":"NaN"}"#, r#"{"a":1e999}"#] {
        assert_eq!(number(json), Err(Bad { field: "a", why: "must be a number" }), "{json}");
    }
    let endless = format!(r#"{{"a":1.{}}}"#, "0".repeat(64));
    assert!(fields(&endless).number("a", -10.0, 10.0).is_err());
    assert_eq!(number(r#"{"a":10.1}"#), Err(Bad { field: "a", why: "is out of range" }));
}

#[test]
fn a_time_loses_its_fraction_and_a_negative_one_is_none() {
    let whole = |json| fields(json).whole("a");
    assert_eq!(whole(r#"{"a":1700000000000.75}"#), Ok(Some(1_700_000_000_000)));
    assert_eq!(whole(r#"{"a":0}"#), Ok(Some(0)));
    for json in [r#"{"a":-1}"#, r#"{"a":1e300}"#, r#"{"a":"5"}"#, r#"{"a":{}}"#] {
        assert!(whole(json).is_err(), "{json}");
    }
}

#[test]
fn flags_objects_and_values_have_their_types() {
    let read = fields(r#"{"t":true,"n":1,"o":{"x":1},"l":[1],"s":"x","e":"","huge":1e999}"#);
    assert_eq!(read.flag("t"), Ok(Some(true)));
    assert!(read.flag("n").is_err());
    assert_eq!(read.object("o", 99), Ok(Some(r#"{"x":1}"#)));
    assert!(read.object("l", 99).is_err() && read.object("o", 3).is_err());
    assert_eq!(read.value("s", 99), Ok(Some("\"x\"")));
    assert_eq!(read.value("n", 99), Ok(Some("1")));
    assert_eq!(read.value("e", 99), Ok(None));
    assert!(read.value("l", 99).is_err() && read.value("t", 99).is_err() && read.value("huge", 99).is_err());
}
