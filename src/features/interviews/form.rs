//! How the faults of a body of this feature are told: as one text. Pure.

use super::error::InterviewError;
use crate::protocol::fields::{Bad, Fields};
use crate::protocol::form::{self, Form};

/// Further faults are not told: there could be one in each of hundreds of questions.
const MAX_FAULTS: usize = 20;

/// Reads a body whole.
///
/// # Errors
/// [`InterviewError::Invalid`] names every field that is wrong.
pub fn read<T>(json: &str, parse: impl FnOnce(&Form<'_>) -> T) -> Result<T, InterviewError> {
    let fields = Fields::parse_readable(json);
    let fields = fields.ok_or_else(|| InterviewError::Invalid("the body must be a JSON object".into()))?;
    form::read(fields, parse).map_err(|faults| InterviewError::Invalid(told(&faults)))
}

fn told(faults: &[Bad]) -> String {
    let first: Vec<_> = faults.iter().take(MAX_FAULTS).map(|bad| format!("{} {}", bad.field, bad.why)).collect();
    match faults.len().saturating_sub(MAX_FAULTS) {
        0 => first.join("; "),
        more => format!("{}; and {more} more", first.join("; ")),
    }
}
