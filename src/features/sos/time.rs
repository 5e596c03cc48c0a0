//! Times of fixes and in a record of the SOS service: numbers, or ISO 8601 text. Pure.

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Unit};
use serde_json::Value;

/// ms since 1970.
pub fn millis(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().filter(|ms| *ms >= 0.0).map(|ms| ms as u64)),
        Value::String(text) => iso(text),
        _ => None,
    }
}

/// `YYYY-MM-DDThh:mm[:ss[.fff]](Z|±hh:mm)`, to the nearest millisecond; without a zone it counts as UTC.
pub fn iso(text: &str) -> Option<u64> {
    // The day alone is no moment.
    text.get(..16).filter(|start| start.as_bytes()[13] == b':')?;
    let zoned = text.parse::<Timestamp>();
    let moment = zoned.or_else(|_| Ok::<_, jiff::Error>(text.parse::<DateTime>()?.to_zoned(TimeZone::UTC)?.timestamp())).ok()?;
    u64::try_from(moment.round(Unit::Millisecond).ok()?.as_millisecond()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn times_of_records_are_read_as_numbers_and_as_text() {
        let cases = [
            (json!(1_700_000_000_000_u64), Some(1_700_000_000_000)),
            (json!(1_700_000_000_000.7), Some(1_700_000_000_000)),
            (json!("1970-01-01T00:00:00Z"), Some(0)),
            (json!("2024-02-29T12:30:15.250Z"), Some(1_709_209_815_250)),
            (json!("2024-02-29T12:30:15+02:00"), Some(1_709_202_615_000)),
            (json!("2024-02-29T12:30"), Some(1_709_209_800_000)),
            (json!("2024-02-29T12:30:15.2504999+0200"), Some(1_709_202_615_250)),
            (json!("2024-02-29 12:30:15.9996"), Some(1_709_209_816_000)),
            (json!("2016-12-31T23:59:60Z"), Some(1_483_228_799_000)),
            (json!("2024-02-29"), None),
            (json!("2023-02-29T12:30:15Z"), None),
            (json!("1969-12-31T23:59:59Z"), None),
            (json!("yesterday"), None),
            (json!("2024-13-01T00:00:00Z"), None),
            (json!("2024-02-29T12:30:15 CET"), None),
            (json!("2024-02-2äT12:30:15Z"), None),
            (json!(-5), None),
            (json!({}), None),
        ];
        for (value, expected) in cases {
            assert_eq!(millis(&value), expected, "{value}");
        }
    }
}
