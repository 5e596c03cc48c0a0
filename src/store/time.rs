//! A moment as PostgreSQL keeps it and as JSON shows it.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Serialize, Serializer};
use tokio_postgres::types::{FromSql, Type};

use crate::protocol::schema;

/// A moment, to the microsecond. In JSON: RFC 3339, UTC, milliseconds, `Z` (`2026-01-31T09:30:00.250Z`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub jiff::Timestamp);

impl Time {
    /// ms since 1970; 0 before.
    pub fn as_ms(self) -> u64 {
        u64::try_from(self.0.as_millisecond()).unwrap_or_default()
    }

    /// Seconds since 1970, as tokens count; 0 before.
    pub fn as_seconds(self) -> u64 {
        u64::try_from(self.0.as_second()).unwrap_or_default()
    }
}

impl std::fmt::Display for Time {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.3}", self.0)
    }
}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        schema::time(generator)
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'a> FromSql<'a> for Time {
    fn from_sql(kind: &Type, raw: &'a [u8]) -> Result<Self, Box<dyn std::error::Error + Sync + Send>> {
        jiff::Timestamp::from_sql(kind, raw).map(Self)
    }

    fn accepts(kind: &Type) -> bool {
        <jiff::Timestamp as FromSql>::accepts(kind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_has_milliseconds_and_utc() {
        for (text, json) in
            [("2026-01-31T09:30:00Z", "2026-01-31T09:30:00.000Z"), ("2026-01-31T09:30:00.2509+02:00", "2026-01-31T07:30:00.250Z")]
        {
            let time = Time(text.parse().unwrap());
            assert_eq!(serde_json::to_value(time).unwrap(), json);
        }
        let time = Time("1970-01-01T00:00:01.999999Z".parse().unwrap());
        assert_eq!((time.as_ms(), time.as_seconds()), (1999, 1));
    }
}
