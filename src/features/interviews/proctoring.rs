//! What was noticed about a candidate, as its client reports it: what it deducts for, and whether it is grave enough for an alert. Pure.

use crate::features::interviews::error::InterviewError;
use crate::features::interviews::scripts::{Deduction, TrustWeights};
use crate::features::interviews::wire::{ProctorEvent, Severity};

/// Characters of a type.
pub const MAX_KIND: usize = 64;
/// Characters of a message.
pub const MAX_MESSAGE: usize = 1000;
/// Bytes of `data`, as JSON.
const MAX_DATA: usize = 4096;

/// What an operator sets for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Proctoring {
    pub weights: TrustWeights,
    /// Observers are alerted from this severity on.
    pub alert_from: Severity,
    /// So many of a type within 5 s must come before one acts.
    pub min_repeats: u32,
}

impl Default for Proctoring {
    fn default() -> Self {
        Self { weights: TrustWeights::default(), alert_from: Severity::High, min_repeats: 1 }
    }
}

/// Reads `TRUST_WEIGHTS`: `faces=5,tabs=3,fullscreen=10,suspicious=15`. What is left out keeps its default.
pub fn weights(text: &str) -> Option<TrustWeights> {
    let mut weights = TrustWeights::default();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=')?;
        let value = value.trim().parse().ok().filter(|value| *value <= 100)?;
        match name.trim() {
            "faces" => weights.faces = value,
            "tabs" => weights.tabs = value,
            "fullscreen" => weights.fullscreen = value,
            "suspicious" => weights.suspicious = value,
            _ => return None,
        }
    }
    Some(weights)
}

/// An event that is fit to be taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub kind: String,
    pub severity: Severity,
    pub message: String,
    /// JSON.
    pub data: String,
    /// `None`: it is kept and deducts nothing.
    pub deduction: Option<Deduction>,
}

impl Report {
    /// # Errors
    /// [`InterviewError::Invalid`] names the first field that is wrong.
    pub fn read(event: ProctorEvent) -> Result<Self, InterviewError> {
        let ProctorEvent { kind, severity, data, message, .. } = event;
        let invalid = |text: String| Err(InterviewError::Invalid(text));
        if !(1..=MAX_KIND).contains(&kind.chars().count()) || kind.chars().any(|c| c.is_control() || c.is_whitespace()) {
            return invalid(format!("type must have 1–{MAX_KIND} characters, without spaces"));
        }
        let message = message.unwrap_or_default();
        if message.chars().count() > MAX_MESSAGE {
            return invalid(format!("message must have at most {MAX_MESSAGE} characters"));
        }
        let deduction = deduction(&kind, data.as_ref());
        let data = data.map_or_else(|| "null".to_owned(), |data| data.to_string());
        if data.len() > MAX_DATA {
            return invalid(format!("data must have at most {MAX_DATA} bytes"));
        }
        for (field, is_bad) in [("message", message.contains('\0')), ("data", data.contains("\\u0000"))] {
            if is_bad {
                return invalid(format!("{field} must not contain U+0000"));
            }
        }
        Ok(Self { kind, severity, message, data, deduction })
    }
}

/// One face is the candidate's own.
fn deduction(kind: &str, data: Option<&serde_json::Value>) -> Option<Deduction> {
    let faces = || data?.get("facesDetected")?.as_f64();
    match kind {
        "face-detection" => faces().filter(|faces| *faces > 1.0).map(|_| Deduction::Faces),
        "tab-switch" => Some(Deduction::Tabs),
        "fullscreen-exit" => Some(Deduction::Fullscreen),
        "suspicious-activity" => Some(Deduction::Suspicious),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn report(event: serde_json::Value) -> Result<Report, InterviewError> {
        Report::read(serde_json::from_value(event).expect("an event"))
    }

    #[test]
    fn only_known_types_deduct_and_faces_only_when_there_are_several() {
        let deducts = |kind: &str, data: serde_json::Value| {
            report(json!({"type": kind, "severity": "low", "data": data})).expect("a report").deduction
        };
        assert_eq!(deducts("face-detection", json!({"facesDetected": 2})), Some(Deduction::Faces));
        for data in [json!({"facesDetected": 1}), json!({"facesDetected": "2"}), json!({}), json!(null), json!(7)] {
            assert_eq!(deducts("face-detection", data), None);
        }
        assert_eq!(deducts("tab-switch", json!(null)), Some(Deduction::Tabs));
        assert_eq!(deducts("fullscreen-exit", json!(null)), Some(Deduction::Fullscreen));
        assert_eq!(deducts("suspicious-activity", json!(null)), Some(Deduction::Suspicious));
        assert_eq!(deducts("phone-call", json!(null)), None);
    }

    #[test]
    fn a_report_that_does_not_fit_is_refused() {
        let (long, large) = ("x".repeat(MAX_MESSAGE + 1), json!({"x": "x".repeat(MAX_DATA)}));
        for bad in [
            json!({"type": "", "severity": "low"}),
            json!({"type": "a b", "severity": "low"}),
            json!({"type": "x".repeat(65), "severity": "low"}),
            json!({"type": "x", "severity": "low", "message": long}),
            json!({"type": "x", "severity": "low", "message": "\0"}),
            json!({"type": "x", "severity": "low", "data": large}),
            json!({"type": "x", "severity": "low", "data": {"x": "\0"}}),
        ] {
            let Err(InterviewError::Invalid(why)) = report(bad.clone()) else { panic!("{bad}") };
            assert_eq!(why.contains("U+0000"), bad.to_string().contains("\\u0000"), "a refusal names what is wrong: {why}");
        }
        assert!(serde_json::from_value::<ProctorEvent>(json!({"type": "x", "severity": "grave"})).is_err());
    }

    #[test]
    fn weights_are_read_by_name_and_may_be_left_out() {
        assert_eq!(weights(""), Some(TrustWeights::default()));
        let set = TrustWeights { faces: 0, suspicious: 100, ..TrustWeights::default() };
        assert_eq!(weights(" faces=0, suspicious = 100"), Some(set));
        for bad in ["faces", "faces=x", "faces=101", "faces=-1", "eyes=1"] {
            assert_eq!(weights(bad), None, "{bad}");
        }
    }
}
