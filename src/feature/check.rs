//! What `convoke check` finds, in one line each.

use std::fmt;
use std::time::Duration;

use crate::auth::KeyRing;
use crate::core::error::chain;
use crate::settings::VerifierSettings;

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

/// Fetches the keys that the identity provider of a surface publishes at the address that `setting` gives. `None` if there is
/// none.
pub async fn published_keys(setting: &str, identity: &VerifierSettings) -> Option<Finding> {
    let url = identity.jwks_url.as_deref()?;
    let keys = match KeyRing::new(identity) {
        Ok(keys) => keys,
        Err(error) => return Some(Finding::Bad(format!("tokens cannot be verified: {}", chain(&error)))),
    };
    Some(match keys.fetch_published().await? {
        Ok(0) => Finding::Bad(format!("{setting} {url} holds no RS256 or ES256 key")),
        Ok(keys) => Finding::Good(format!("{setting} {url}, keys: {keys}")),
        Err(error) => Finding::Bad(format!("{setting} {url}: {}", chain(&error))),
    })
}
