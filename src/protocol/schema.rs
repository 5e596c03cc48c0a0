//! Schemas of values that have no type of their own, for `#[schemars(schema_with = …)]`.

use schemars::{Schema, SchemaGenerator, json_schema};

/// A UUID.
pub fn uuid(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "uuid"})
}

/// A moment of RFC 3339.
pub fn time(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "string", "format": "date-time"})
}

/// A moment in whole milliseconds since 1970, UTC.
pub fn ms(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"type": "integer", "minimum": 0})
}

/// Always true: the mark of a success.
pub fn yes(_: &mut SchemaGenerator) -> Schema {
    json_schema!({"const": true})
}

/// A text without U+0000, which PostgreSQL does not store.
pub const NO_NUL: &str = r"^[^\u0000]*$";
/// [`NO_NUL`], and not blank.
pub const FILLED: &str = r"^[^\u0000]*[^\s\u0000][^\u0000]*$";
/// A text with an @ between two other characters, and without white space.
pub const EMAIL: &str = r"^[^\s\u0000]+@[^\s@\u0000]+$";
/// The id of a scope.
pub const SCOPE_ID: &str = r"^(?!\.{1,2}$)[A-Za-z0-9_.-]{1,128}$";
/// Not blank.
pub const NOT_BLANK: &str = r"\S";
