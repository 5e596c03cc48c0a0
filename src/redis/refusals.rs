//! Errors that an operator can mend, such as `OOM` and `NOPERM`: shown in the log, in `/readyz` and in the metrics (contract
//! § 7 "HTTP"). Callers learn only that they should try again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use ::redis::{ErrorKind, RedisError, ServerError};
use tokio::time::Instant;

use super::dial::Address;
use crate::core::sync::lock;
use crate::telemetry::due;
use crate::telemetry::metrics::REDIS_REFUSALS;

/// A refusal counts as present for so long after it last happened. A hub node writes its lease every three seconds, and tries to
/// connect twice a second, so a refusal that lasts happens again before.
const PRESENT: Duration = Duration::from_secs(10);
/// Bytes of an error text that are shown.
const SHOWN: usize = 240;

/// The first words of errors that an operator can mend, as Redis writes them. They are labels of a metric.
const KNOWN: [&str; 12] = [
    "OOM",
    "MISCONF",
    "NOPERM",
    "NOAUTH",
    "WRONGPASS",
    "READONLY",
    "LOADING",
    "MASTERDOWN",
    "CLUSTERDOWN",
    "NOREPLICAS",
    "NOPROTO",
    "BUSY",
];
/// Any other error, such as `max number of clients reached`, or a command that this server does not know.
const OTHER: &str = "other";
/// No connection at all. It is logged and counted, but Redis has refused nothing.
const UNREACHABLE: &str = "unreachable";

/// Part of how a cluster and its scripts work; the client handles them.
const ORDINARY: [&str; 4] = ["MOVED", "ASK", "TRYAGAIN", "NOSCRIPT"];

/// The refusals of the last seconds, by cause.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<&'static str, Refusal>>);

#[derive(Debug)]
struct Refusal {
    at: Instant,
    words: String,
}

impl Refusals {
    /// Redis answered a command with an error.
    pub(super) fn note(&self, address: &Address, error: &ServerError) {
        self.note_words(address, error.code(), error.details().unwrap_or_default());
    }

    /// Making a connection failed, or a command over it.
    pub(super) fn note_error(&self, address: &Address, error: &RedisError) {
        match error.code() {
            Some(code) => self.note_words(address, code, error.detail().unwrap_or_default()),
            None if error.kind() == ErrorKind::AuthenticationFailed => self.note_words(address, "WRONGPASS", &error.to_string()),
            None => self.remember(address, UNREACHABLE, error.to_string()),
        }
    }

    /// A fault for which Redis has no error code.
    pub(super) fn note_fault(&self, address: &Address, words: String) {
        self.remember(address, OTHER, words);
    }

    fn note_words(&self, address: &Address, code: &str, details: &str) {
        if ORDINARY.contains(&code) {
            return;
        }
        // Inside a script, a missing permission has the code ERR.
        let code = if details.contains("user executing the script") { "NOPERM" } else { code };
        let cause = KNOWN.into_iter().find(|known| *known == code).unwrap_or(OTHER);
        self.remember(address, cause, format!("{code} {}", without_arguments(details)));
    }

    fn remember(&self, address: &Address, cause: &'static str, words: String) {
        metrics::counter!(REDIS_REFUSALS, "cause" => cause).increment(1);
        if let Some(times) = due(cause) {
            match cause {
                UNREACHABLE => tracing::warn!(%address, error = words, times, "Redis cannot be reached"),
                _ => tracing::warn!(%address, cause, says = words, times, "Redis refuses what the hub needs"),
            }
        }
        lock(&self.0).insert(cause, Refusal { at: Instant::now(), words });
    }

    /// The causes of the last seconds, as Redis' error codes, sorted.
    pub fn present(&self) -> Vec<&'static str> {
        let mut present: Vec<_> = self.recent().filter(|(cause, _)| *cause != UNREACHABLE).map(|(cause, _)| cause).collect();
        present.sort_unstable();
        present
    }

    /// The full text of each refusal of the last seconds, with failed connections.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<_> = self.recent().map(|(_, words)| words).collect();
        words.sort_unstable();
        words
    }

    fn recent(&self) -> impl Iterator<Item = (&'static str, String)> {
        let mut all = lock(&self.0);
        all.retain(|_, refusal| refusal.at.elapsed() < PRESENT);
        let recent: Vec<_> = all.iter().map(|(cause, refusal)| (*cause, refusal.words.clone())).collect();
        recent.into_iter()
    }
}

/// An error text without the arguments of the command, which Redis quotes when it does not know the command: a password or a
/// client's message may be among them.
pub(super) fn without_arguments(details: &str) -> Cow<'_, str> {
    let told = details.split_once(", with args").map_or(details, |(told, _)| told);
    match told.char_indices().find(|(at, _)| *at >= SHOWN) {
        Some((end, _)) => format!("{}…", &told[..end]).into(),
        None => told.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn causes_are_the_error_codes_of_redis_and_few() {
        let (refusals, address) = (Refusals::default(), Address::new("h", 1));
        for code in ["OOM", "NOPERM", "WRONGTYPE", "ERR", "MOVED", "NOSCRIPT"] {
            refusals.note_words(&address, code, "x");
        }
        assert_eq!(refusals.present(), ["NOPERM", "OOM", "other"]);
    }

    #[test]
    fn a_permission_that_a_script_lacks_is_reported_as_noperm() {
        let (refusals, address) = (Refusals::default(), Address::new("h", 1));
        refusals.note_words(
            &address,
            "ERR",
            "The user executing the script can't run this command or subcommand script: 3245d7c8",
        );
        assert_eq!(refusals.present(), ["NOPERM"]);
    }

    #[test]
    fn a_server_that_cannot_be_reached_has_refused_nothing() {
        let (refusals, address) = (Refusals::default(), Address::new("h", 1));
        refusals.note_error(&address, &std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into());
        assert_eq!((refusals.present().len(), refusals.words().len()), (0, 1));
    }

    #[test]
    fn arguments_are_not_shown() {
        let error = "unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'hush'";
        assert_eq!(without_arguments(error), "unknown command 'HELLO'");
        assert_eq!(without_arguments(&"é".repeat(200)), format!("{}…", "é".repeat(120)));
    }
}
