//! Times of fixes and in a record of the SOS service: numbers, or ISO 8601 text. Pure.

use serde_json::Value;

/// ms since 1970.
pub fn millis(value: &Value) -> Option<u64> {
    match value {
        Value::Number(number) => number.as_u64().or_else(|| number.as_f64().filter(|ms| *ms >= 0.0).map(|ms| ms as u64)),
        Value::String(text) => iso(text),
        _ => None,
    }
}

/// `YYYY-MM-DDThh:mm[:ss[.fff]](Z|±hh:mm)`; without a zone it counts as UTC.
pub fn iso(text: &str) -> Option<u64> {
    let digits = |from: usize, to: usize| -> Option<i64> {
        let part = text.get(from..to)?;
        part.bytes().all(|b| b.is_ascii_digit()).then(|| part.parse().ok()).flatten()
    };
    let (year, month, day) = (digits(0, 4)?, digits(5, 7)?, digits(8, 10)?);
    let (hour, minute) = (digits(11, 13)?, digits(14, 16)?);
    let separators = [4, 7, 13].map(|at| text.as_bytes().get(at).copied());
    let fits = separators == [Some(b'-'), Some(b'-'), Some(b':')]
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && hour < 24
        && minute < 60;
    if !fits {
        return None;
    }
    let mut rest = text.get(16..)?;
    let mut ms = 0;
    if let Some(seconds) = rest.strip_prefix(':') {
        let end = seconds.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(seconds.len());
        let value: f64 = seconds[..end].parse().ok().filter(|value| (0.0..61.0).contains(value))?;
        ms = (value * 1000.0).round() as i64;
        rest = &seconds[end..];
    }
    let offset = match rest.as_bytes() {
        [] | [b'Z' | b'z'] => 0,
        [sign @ (b'+' | b'-'), zone @ ..] => {
            let zone: String = zone.iter().filter(|b| **b != b':').map(|b| *b as char).collect();
            let zone: i64 = (zone.len() == 4).then(|| zone.parse().ok()).flatten()?;
            (zone / 100 * 60 + zone % 100) * if *sign == b'-' { -1 } else { 1 }
        }
        _ => return None,
    };
    let minutes = (days(year, month, day) * 24 + hour) * 60 + minute - offset;
    u64::try_from(minutes * 60_000 + ms).ok()
}

/// Days since 1970 in the Gregorian calendar (<https://howardhinnant.github.io/date_algorithms.html#days_from_civil>).
fn days(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let of_era = year.rem_euclid(400);
    let of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
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
