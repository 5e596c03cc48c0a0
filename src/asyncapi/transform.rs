//! What is changed in every schema of the document. Pure.

use schemars::Schema;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::Value;

/// Takes away names of Rust's numbers, such as `uint64`: no validator knows them.
#[derive(Clone)]
pub struct WithoutFormats;

impl Transform for WithoutFormats {
    fn transform(&mut self, schema: &mut Schema) {
        let is_number =
            |format: &str| format.starts_with("uint") || format.starts_with("int") || matches!(format, "float" | "double");
        if schema.get("format").and_then(Value::as_str).is_some_and(is_number) {
            schema.remove("format");
        }
        transform_subschemas(self, schema);
    }
}

/// What the hub sends has the fields that the document names and no other. One that may be missing is never null.
#[derive(Clone)]
pub struct Closed;

impl Transform for Closed {
    fn transform(&mut self, schema: &mut Schema) {
        let is_object = schema.get("type").is_some_and(|kind| match kind {
            Value::Array(kinds) => kinds.iter().any(|kind| kind == "object"),
            kind => kind == "object",
        });
        if is_object && schema.get("additionalProperties").is_none() {
            schema.insert("additionalProperties".into(), false.into());
        }
        let required = schema.get("required").cloned().unwrap_or_default();
        let is_required = |name: &str| required.as_array().is_some_and(|names| names.iter().any(|required| required == name));
        if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
            properties.iter_mut().filter(|(name, _)| !is_required(name)).for_each(|(_, property)| never_null(property));
        }
        transform_subschemas(self, schema);
    }
}

/// Takes null out of what a property may be.
fn never_null(property: &mut Value) {
    if let Some(Value::Array(kinds)) = property.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [only] = &mut kinds[..] {
            property["type"] = only.take();
        }
    }
    if let Some(Value::Array(choices)) = property.get_mut("anyOf") {
        choices.retain(|choice| choice["type"] != "null");
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_sent_is_closed_and_what_may_be_missing_is_never_null() {
        let mut schema = Schema::try_from(json!({
            "type": "object", "required": ["a"], "properties": {
                "a": {"type": ["string", "null"]},
                "b": {"type": ["integer", "null"], "format": "uint64"},
                "c": {"anyOf": [{"type": "object"}, {"type": "null"}]},
                "d": {"type": "object", "additionalProperties": true},
            },
        }))
        .expect("a schema");
        WithoutFormats.transform(&mut schema);
        Closed.transform(&mut schema);
        let expected = json!({
            "type": "object", "required": ["a"], "additionalProperties": false, "properties": {
                "a": {"type": ["string", "null"]},
                "b": {"type": "integer"},
                "c": {"anyOf": [{"type": "object", "additionalProperties": false}]},
                "d": {"type": "object", "additionalProperties": true},
            },
        });
        assert_eq!(schema.to_value(), expected);
    }
}
