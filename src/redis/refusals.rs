//! What Redis refuses although it answers: told to those who can mend it, in the log, in `/readyz` and in the metrics
//! (contract § 7 "HTTP"). Callers learn only that they should try again.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use ::redis::{ErrorKind, RedisError, ServerError};

use super::dial::Node;
use crate::core::sync::lock;
use crate::telemetry::due;
use crate::telemetry::metrics::REDIS_REFUSALS;

/// A refusal counts as present for so long after it was last met. A node writes its lease every three seconds, and tries to
/// connect twice a second, so what lasts is met again before.
const PRESENT: Duration = Duration::from_secs(10);
/// Bytes of an error that are shown.
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
/// Any other error, such as that of a full list of clients, or of a command that this server does not know.
const OTHER: &str = "other";
/// No connection at all. It is logged and counted, but Redis has refused nothing.
const UNREACHABLE: &str = "unreachable";

/// These are part of how a cluster and its scripts work; the client deals with them.
const ORDINARY: [&str; 4] = ["MOVED", "ASK", "TRYAGAIN", "NOSCRIPT"];

/// What was refused lately, by cause.
#[derive(Debug, Default)]
pub struct Refusals(Mutex<HashMap<&'static str, Refusal>>);

#[derive(Debug)]
struct Refusal {
    met: Instant,
    words: String,
}

impl Refusals {
    /// An error that a command was answered with.
    pub(super) fn note(&self, node: &Node, error: &ServerError) {
        self.note_words(node, error.code(), error.details().unwrap_or_default());
    }

    /// An error of a connection that was being made, or of a question that was asked over it.
    pub(super) fn note_error(&self, node: &Node, error: &RedisError) {
        match error.code() {
            Some(code) => self.note_words(node, code, error.detail().unwrap_or_default()),
            None if error.kind() == ErrorKind::AuthenticationFailed => self.note_words(node, "WRONGPASS", &error.to_string()),
            None => self.remember(node, UNREACHABLE, error.to_string()),
        }
    }

    /// A fault that Redis has no word for.
    pub(super) fn note_fault(&self, node: &Node, words: String) {
        self.remember(node, OTHER, words);
    }

    fn note_words(&self, node: &Node, code: &str, details: &str) {
        if ORDINARY.contains(&code) {
            return;
        }
        // Inside a script a missing right is an error like any other.
        let code = if details.contains("user executing the script") { "NOPERM" } else { code };
        let cause = KNOWN.into_iter().find(|known| *known == code).unwrap_or(OTHER);
        self.remember(node, cause, format!("{code} {}", harmless(details)));
    }

    fn remember(&self, node: &Node, cause: &'static str, words: String) {
        metrics::counter!(REDIS_REFUSALS, "cause" => cause).increment(1);
        if let Some(times) = due(cause) {
            match cause {
                UNREACHABLE => tracing::warn!(%node, error = words, times, "Redis cannot be reached"),
                _ => tracing::warn!(%node, cause, says = words, times, "Redis refuses what the hub needs"),
            }
        }
        lock(&self.0).insert(cause, Refusal { met: Instant::now(), words });
    }

    /// The causes of the last seconds, in Redis' own words, sorted.
    pub fn present(&self) -> Vec<&'static str> {
        let mut present: Vec<_> = self.recent().filter(|(cause, _)| *cause != UNREACHABLE).map(|(cause, _)| cause).collect();
        present.sort_unstable();
        present
    }

    /// The whole text of each refusal of the last seconds, failed connections included.
    pub fn words(&self) -> Vec<String> {
        let mut words: Vec<_> = self.recent().map(|(_, words)| words).collect();
        words.sort_unstable();
        words
    }

    fn recent(&self) -> impl Iterator<Item = (&'static str, String)> {
        let mut all = lock(&self.0);
        all.retain(|_, refusal| refusal.met.elapsed() < PRESENT);
        let recent: Vec<_> = all.iter().map(|(cause, refusal)| (*cause, refusal.words.clone())).collect();
        recent.into_iter()
    }
}

/// Redis quotes the arguments of a command that it does not know: a password or a client's message may be among them.
pub(super) fn harmless(details: &str) -> Cow<'_, str> {
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
    fn causes_are_redis_own_words_and_few() {
        let (refusals, node) = (Refusals::default(), Node::new("h", 1));
        for code in ["OOM", "NOPERM", "WRONGTYPE", "ERR", "MOVED", "NOSCRIPT"] {
            refusals.note_words(&node, code, "x");
        }
        assert_eq!(refusals.present(), ["NOPERM", "OOM", "other"]);
    }

    #[test]
    fn a_right_that_a_script_lacks_is_a_right_that_is_missing() {
        let (refusals, node) = (Refusals::default(), Node::new("h", 1));
        refusals.note_words(&node, "ERR", "The user executing the script can't run this command or subcommand script: 3245d7c8");
        assert_eq!(refusals.present(), ["NOPERM"]);
    }

    #[test]
    fn a_server_that_cannot_be_reached_has_refused_nothing() {
        let (refusals, node) = (Refusals::default(), Node::new("h", 1));
        refusals.note_error(&node, &std::io::Error::from(std::io::ErrorKind::ConnectionRefused).into());
        assert_eq!((refusals.present().len(), refusals.words().len()), (0, 1));
    }

    #[test]
    fn arguments_are_not_shown() {
        let error = "unknown command 'HELLO', with args beginning with: '3' 'AUTH' 'default' 'hush'";
        assert_eq!(harmless(error), "unknown command 'HELLO'");
        assert_eq!(harmless(&"é".repeat(200)), format!("{}…", "é".repeat(120)));
    }
}
