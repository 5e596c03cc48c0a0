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
    assert_eq!(text(r#"{"a":"abc"}"#, 2), Err(Bad::new("a", "must have at most 2 characters")));
    for json in [r#"{"a":1}"#, r#"{"a":{"a":"b"}}"#, r#"{"a":["b"]}"#, r#"{"a":true}"#] {
        assert_eq!(text(json, 9), Err(Bad::new("a", "must be a string")), "{json}");
    }
}

#[test]
fn a_number_keeps_its_text() {
    let number = |json| fields(json).number("a", -10.0, 10.0);
    assert_eq!(number(r#"{"a":1.50000000000000001}"#), Ok(Some("1.50000000000000001")));
    assert_eq!(number(r#"{"a":-0}"#), Ok(Some("-0")));
    assert_eq!(number(r#"{"a":1e1}"#), Ok(Some("1e1")));
    for json in [r#"{"a":"1"}"#, r#"{"a":[1]}"#, r#"{"a":{}}"#, r#"{"a":true}"#, r#"{"a":"NaN"}"#, r#"{"a":1e999}"#] {
        assert_eq!(number(json), Err(Bad::new("a", "must be a number")), "{json}");
    }
    let endless = format!(r#"{{"a":1.{}}}"#, "0".repeat(64));
    assert!(fields(&endless).number("a", -10.0, 10.0).is_err());
    assert_eq!(number(r#"{"a":10.1}"#), Err(Bad::new("a", "must be from -10 to 10")));
}

#[test]
fn flags_and_objects_have_their_types() {
    let read = fields(r#"{"t":true,"n":1,"o":{"x":1},"l":[1]}"#);
    assert_eq!(read.flag("t"), Ok(Some(true)));
    assert!(read.flag("n").is_err());
    assert_eq!(read.object("o", 99), Ok(Some(r#"{"x":1}"#)));
    assert!(read.object("l", 99).is_err() && read.object("o", 3).is_err());
}

#[test]
fn a_name_may_be_left_out_but_not_be_empty() {
    let name = |json| fields(json).name("a", 3).map(|name| name.map(|name| name.into_owned()));
    assert_eq!((name("{}"), name(r#"{"a":null}"#), name(r#"{"a":"abc"}"#)), (Ok(None), Ok(None), Ok(Some("abc".into()))));
    assert_eq!(name(r#"{"a":""}"#), Err(Bad::new("a", "must not be empty")));
    assert_eq!(name(r#"{"a":"abcd"}"#), Err(Bad::new("a", "must have at most 3 characters")));
}

#[test]
fn a_count_above_the_most_is_the_most_and_what_is_no_integer_from_1_is_refused() {
    let count = |json: &str| fields(&format!(r#"{{"a":{json}}}"#)).count("a", 100);
    assert_eq!(count("null"), Ok(None));
    for (json, expected) in
        [("1", 1), ("100", 100), ("101", 100), ("1e3", 100), ("99999999999999999999", 100), ("1e300", 100), ("2.0", 2)]
    {
        assert_eq!(count(json), Ok(Some(expected)), "{json}");
    }
    for json in ["0", "-1", "0.5", "1.5", r#""5""#, "[]", "true", "1e999"] {
        let refused = count(json).unwrap_err();
        assert!(refused.why.contains("100"), "a refusal names the limit: {refused:?}");
    }
}
