//! `docs/errors.md` has every code that the sources know and no other, with the status that it has over HTTP.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use convoke::features::bookings::error::{BookingError, StartRefusal};
use convoke::features::interviews::error::InterviewError;
use convoke::features::sos::error::SosError;
use convoke::http::HttpError;
use convoke::http::error::Problem;
use convoke::http::guards::TooManyRequests;
use serde_json::Value;

use crate::support::node::{files_with, root};

/// The codes of the document with the statuses beside them, in the order of its tables.
fn documented() -> Vec<(String, String)> {
    let text = std::fs::read_to_string(root().join("docs/errors.md")).expect("the document");
    let rows = text.lines().filter(|line| line.starts_with("| `") && line.split('|').count() == 6);
    let cell = |row: &str, at: usize| row.split('|').nth(at).unwrap_or_default().trim().trim_matches('`').to_owned();
    rows.map(|row| (cell(row, 1), cell(row, 2))).collect()
}

fn is_code(text: &str) -> bool {
    text.len() > 3
        && text.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        && text.starts_with(|c: char| c.is_ascii_uppercase())
}

/// Texts in quotes that look like a code.
fn quoted(code: &str) -> impl Iterator<Item = &str> {
    code.split('"').skip(1).step_by(2).filter(|text| is_code(text))
}

/// Codes in the sources: the literals of the files that map errors to codes, and what is made a code elsewhere.
fn in_the_sources() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for file in files_with("src", &[".rs"]) {
        if file.components().any(|part| part.as_os_str() == "tests") {
            continue;
        }
        let text = std::fs::read_to_string(&file).expect("a source");
        let code = text.split("#[cfg(test)]").next().unwrap_or_default();
        let name = file.strip_prefix(root().join("src")).expect("a source").to_string_lossy().replace('\\', "/");
        let maps_errors = name.starts_with("features/") && name.ends_with("/error.rs");
        if maps_errors || ["http/error.rs", "socketio/error.rs", "auth/mod.rs"].contains(&&*name) {
            // Lines that name a setting are about that.
            let lines = code.lines().filter(|line| !line.contains("setting:") && !line.trim_start().starts_with("//"));
            found.extend(lines.flat_map(|line| quoted(line).map(str::to_owned).collect::<Vec<_>>()));
        }
        for call in ["Code(\"", "problem(StatusCode::", "Problem::new(StatusCode::"] {
            for (at, _) in code.match_indices(call) {
                let rest = code[at..].lines().next().unwrap_or_default();
                found.extend(quoted(rest).take(1).map(str::to_owned));
            }
        }
    }
    found
}

#[test]
fn the_document_of_errors_has_every_code_and_no_other() {
    let codes: Vec<_> = documented().into_iter().map(|(code, _)| code).collect();
    let named: BTreeSet<_> = codes.iter().cloned().collect();
    assert_eq!(named.len(), codes.len(), "each code stands there once");
    let known = in_the_sources();
    let missing: Vec<_> = known.difference(&named).collect();
    // Codes in small letters are made of the status.
    let surplus: Vec<_> = named.iter().filter(|code| is_code(code) && !known.contains(*code)).collect();
    assert!(missing.is_empty() && surplus.is_empty(), "not documented {missing:?}, not in the sources {surplus:?}");
    let of_events = convoke::app::asyncapi();
    for operation in of_events["operations"].as_object().expect("operations").values() {
        for code in operation["x-codes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            assert!(named.contains(code), "{code}");
        }
    }
}

/// Below `/v1` the code is made of the status.
#[test]
fn the_document_of_errors_has_the_codes_below_v1() {
    let source = std::fs::read_to_string(root().join("src/http/error.rs")).expect("a source");
    let kinds =
        source.split("fn kind(").nth(1).and_then(|rest| rest.split("\n    }\n").next()).expect("the codes of the typed shape");
    let kinds: BTreeSet<_> = kinds.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    let named: BTreeSet<_> = documented().into_iter().map(|(code, _)| code).filter(|code| !is_code(code)).collect();
    assert_eq!(named, kinds);
}

#[test]
fn the_document_of_errors_has_the_status_of_each_code() {
    let statuses: BTreeMap<_, _> = documented().into_iter().collect();
    let mut problems: Vec<(String, u16)> = Vec::new();
    let mut add = |problem: Problem| problems.push((problem.code.to_owned(), problem.status.as_u16()));
    for error in [
        SosError::NotFound,
        SosError::Forbidden,
        SosError::Closed,
        SosError::InvalidStatus,
        SosError::InvalidTransition,
        SosError::StatusConflict,
        SosError::Unavailable,
        SosError::Unconfirmed,
        SosError::Internal,
    ] {
        add(error.into());
    }
    for error in [
        InterviewError::NotFound,
        InterviewError::Ended,
        InterviewError::Forbidden,
        InterviewError::MissingToken,
        InterviewError::InvalidToken,
        InterviewError::TokenExpired,
        InterviewError::InviteExpired,
        InterviewError::InviteRevoked,
        InterviewError::InviteUsed,
        InterviewError::InviteNotFound,
        InterviewError::Invalid(String::new()),
        InterviewError::NoActiveSession,
        InterviewError::SessionNotFound,
        InterviewError::NotInRoom,
        InterviewError::VersionConflict,
        InterviewError::InvalidAudio(""),
        InterviewError::Superseded,
        InterviewError::RateLimited(String::new()),
        InterviewError::NotConfigured { setting: "" },
        InterviewError::Unavailable,
        InterviewError::Unconfirmed,
        InterviewError::Internal,
    ] {
        add(error.into());
    }
    for refusal in [
        StartRefusal::UserNotFound,
        StartRefusal::NoResume,
        StartRefusal::BetaLimit { completed: 0, limit: 0 },
        StartRefusal::ActiveExists { session: None, limit: 0 },
        StartRefusal::CapacityFull { limit: 0 },
        StartRefusal::TokenFailed,
        StartRefusal::RoomFailed,
        StartRefusal::IdGenerationFailed,
        StartRefusal::CreateFailed,
        StartRefusal::Unavailable,
    ] {
        add(BookingError::from(refusal).into());
    }
    add(BookingError::Ended { status: convoke::features::bookings::store::Status::Completed }.into());
    let wait = Duration::from_secs(1);
    let errors = [
        ("METHOD_NOT_ALLOWED", HttpError::MethodNotAllowed { allow: String::new() }),
        ("PAYLOAD_TOO_LARGE", HttpError::TooLarge { limit: 1 }),
        ("REQUEST_TIMEOUT", HttpError::BodyTimeout),
        ("UNSUPPORTED_MEDIA_TYPE", HttpError::UnsupportedMediaType),
        ("INVALID_JSON", HttpError::NotJson),
        ("INVALID_PAYLOAD", HttpError::Invalid(Vec::new())),
        ("INVALID_PATH", HttpError::InvalidPath),
        ("INVALID_TOKEN", HttpError::InvalidToken),
        ("INVALID_SIGNATURE", HttpError::InvalidSignature),
        ("UNAUTHORIZED", HttpError::Unauthorized),
        ("RATE_LIMIT", HttpError::RateLimited(TooManyRequests { limit: 1, retry_after: wait, reset: wait })),
        ("RATE_LIMITED", HttpError::RateLimited(TooManyRequests { limit: 1, retry_after: wait, reset: wait })),
        ("UNAVAILABLE", HttpError::Unavailable),
        ("NOT_CONFIGURED", HttpError::NotConfigured { setting: "" }),
    ];
    problems.extend(errors.map(|(code, error)| (code.to_owned(), error.status().as_u16())));
    for (code, status) in problems {
        let told = &statuses[&code];
        assert!(told.split(", ").any(|told| *told == status.to_string()), "{code} is {status}, and the document says {told}");
    }
}
