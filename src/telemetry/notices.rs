//! What an operator can mend is told to them once a minute for each cause, and not as often as it happens: a log that fills
//! the disk tells nothing. Contract § 7 "HTTP".

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

const EVERY: Duration = Duration::from_secs(60);

/// When each cause was told last, and how often it has happened since. Causes are words of the source, so they are few.
static TOLD: LazyLock<Mutex<HashMap<&'static str, (Instant, u64)>>> = LazyLock::new(Mutex::default);

/// Counts one occurrence of `cause`. `Some` at most once a minute: the caller then writes the line, with how often it has
/// happened since the last one.
///
/// ```
/// # let origin = "https://elsewhere.example";
/// if let Some(times) = convoke::telemetry::due("origin not allowed") {
///     tracing::warn!(times, origin, "an origin is not allowed: see CORS_ORIGIN");
/// }
/// ```
pub fn due(cause: &'static str) -> Option<u64> {
    due_at(&mut TOLD.lock().unwrap_or_else(PoisonError::into_inner), cause, Instant::now())
}

/// Writes a line at most once a minute: its text is its cause, and `times` is how often that has happened since the last line. For what
/// a client or a broken system beside us can bring about as often as it likes.
///
/// ```ignore
/// once_a_minute!(warn, "a room cannot be deleted", room, error = chain(&error));
/// ```
macro_rules! once_a_minute {
    ($level:ident, $text:literal $(, $($field:tt)+)?) => {
        if let Some(times) = $crate::telemetry::due($text) {
            tracing::$level!($($($field)+,)? times, $text);
        }
    };
}

pub(crate) use once_a_minute;

fn due_at(told: &mut HashMap<&'static str, (Instant, u64)>, cause: &'static str, now: Instant) -> Option<u64> {
    match told.get_mut(cause) {
        Some((last, since)) if now.duration_since(*last) < EVERY => {
            *since += 1;
            None
        }
        Some(entry) => {
            let times = entry.1 + 1;
            *entry = (now, 0);
            Some(times)
        }
        None => {
            told.insert(cause, (now, 0));
            Some(1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_cause_is_told_once_a_minute_with_how_often_it_happened() {
        let (mut told, start) = (HashMap::new(), Instant::now());
        let mut due = |cause, seconds| due_at(&mut told, cause, start + Duration::from_secs(seconds));
        assert_eq!(due("a", 0), Some(1));
        assert_eq!(due("a", 1), None);
        assert_eq!(due("b", 1), Some(1));
        assert_eq!(due("a", 59), None);
        assert_eq!(due("a", 60), Some(3));
        assert_eq!(due("a", 61), None);
    }
}
