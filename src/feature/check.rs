//! What `convoke check` finds, in one line each.

use std::fmt;
use std::time::Duration;

use crate::auth::FetchError;

/// An operator waits in front of a terminal.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// One thing that was tried.
#[derive(Debug, PartialEq, Eq)]
pub enum Finding {
    Good(String),
    /// Off or risky, but nothing is broken.
    Note(String),
    Bad(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(text) => write!(f, "ok    {text}"),
            Self::Note(text) => write!(f, "note  {text}"),
            Self::Bad(text) => write!(f, "BAD   {text}"),
        }
    }
}

/// Judges the keys that were fetched from where a setting says.
pub fn judge_keys(setting: &str, url: &str, fetched: Result<usize, FetchError>) -> Finding {
    match fetched {
        Ok(0) => Finding::Bad(format!("{setting} {url} holds no RS256 or ES256 key")),
        Ok(keys) => Finding::Good(format!("{setting} {url}, keys: {keys}")),
        Err(error) => Finding::Bad(format!("{setting} {url}: {:#}", anyhow::Error::from(error))),
    }
}
