//! Who may look: the name and the password of the operator, or a session that they have opened before.
//!
//! The password is not hashed in the settings. The official server takes a bcrypt hash; here that would protect little, since
//! the keys of all tokens stand in the same environment, and each guess of a stranger would cost this node a tenth of a second
//! of work. Instead the password must be long, and guesses are few.
//!
//! A session is a signed time, not a record: every node with the same settings knows it, and a new password ends all of them.

use std::net::IpAddr;
use std::time::Duration;

use aws_lc_rs::hmac;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use serde::Deserialize;
use tokio::time::Instant;

use super::settings::Credentials;
use crate::core::{clock, ids};
use crate::http::guards::FailedAuth;

/// What the page sends when it connects. It sends null for a session that it does not have.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Auth {
    pub username: Option<String>,
    pub password: Option<String>,
    pub session_id: Option<String>,
}

/// How the operator came in.
#[derive(Debug, PartialEq, Eq)]
pub enum Opened {
    /// By name and password: a new session is open.
    Login(String),
    /// By a session.
    Session,
}

/// Why the door stays shut.
#[derive(Debug, PartialEq, Eq)]
pub enum Refused {
    Credentials,
    /// The address has guessed too often. Its next guess is looked at after so long.
    TooMany(Duration),
}

/// Judges what operators send.
pub struct Door {
    credentials: Credentials,
    key: hmac::Key,
    session: Duration,
    failures: FailedAuth,
}

impl Door {
    /// `session`: how long a session lasts.
    pub fn new(credentials: Credentials, session: Duration) -> Self {
        let root = hmac::Key::new(hmac::HMAC_SHA256, credentials.password.expose().as_bytes());
        let derived = hmac::sign(&root, format!("convoke operator's view, version 1\0{}", credentials.username).as_bytes());
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, derived.as_ref()), credentials, session, failures: FailedAuth::default() }
    }

    pub fn username(&self) -> &str {
        &self.credentials.username
    }

    /// Twelve characters that stand for a secret, the same on every node.
    pub fn mask(&self, secret: &str) -> String {
        let mut mask = self.sign(&["mask", secret]);
        mask.truncate(12);
        mask
    }

    /// A session passes from every address. A password is not even compared after too many wrong ones of its address.
    ///
    /// # Errors
    /// [`Refused`].
    pub fn open(&self, auth: &Auth, address: IpAddr) -> Result<Opened, Refused> {
        if auth.session_id.as_deref().is_some_and(|session| self.is_open(session, clock::now_seconds())) {
            return Ok(Opened::Session);
        }
        let now = Instant::now();
        self.failures.may_guess(address, now).map_err(|limited| Refused::TooMany(limited.retry_after))?;
        // Both are compared, whatever the first says.
        let given = |text: &Option<String>| self.sign(&["given", text.as_deref().unwrap_or_default()]);
        let expected = |text: &str| self.sign(&["given", text]);
        let name = is_same(&given(&auth.username), &expected(&self.credentials.username));
        let password = is_same(&given(&auth.password), &expected(self.credentials.password.expose()));
        if name & password {
            return Ok(Opened::Login(self.session(clock::now_seconds())));
        }
        // A page that only asks whether its old session still holds has guessed nothing.
        if auth.username.is_some() || auth.password.is_some() {
            let _ = self.failures.count(address, now);
        }
        Err(Refused::Credentials)
    }

    /// A new session: `<end>.<random>.<seal>`.
    fn session(&self, now: u64) -> String {
        let body = format!("{}.{}", now + self.session.as_secs(), ids::random(9));
        format!("{body}.{}", self.sign(&["session", &body]))
    }

    fn is_open(&self, session: &str, now: u64) -> bool {
        let Some((body, seal)) = session.rsplit_once('.') else { return false };
        let end = body.split('.').next().and_then(|end| end.parse::<u64>().ok());
        is_same(seal, &self.sign(&["session", body])) && end.is_some_and(|end| now < end)
    }

    fn sign(&self, said: &[&str]) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(hmac::sign(&self.key, said.join("\0").as_bytes()))
    }
}

/// Compares in a time that does not tell where they differ.
fn is_same(a: &str, b: &str) -> bool {
    use subtle::ConstantTimeEq;
    a.as_bytes().ct_eq(b.as_bytes()).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Secret;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn door(password: &str) -> Door {
        Door::new(Credentials { username: "ops".into(), password: Secret::new(password) }, Duration::from_secs(3600))
    }

    fn login(username: &str, password: &str) -> Auth {
        Auth { username: Some(username.into()), password: Some(password.into()), session_id: None }
    }

    fn session(id: &str) -> Auth {
        Auth { session_id: Some(id.into()), ..Auth::default() }
    }

    #[test]
    fn a_login_opens_a_session_that_every_node_knows_until_it_ends_or_the_password_changes() {
        let (one, other) = (door("a long enough password"), door("a long enough password"));
        let Ok(Opened::Login(id)) = one.open(&login("ops", "a long enough password"), ADDRESS) else { panic!("refused") };
        assert_eq!(other.open(&session(&id), ADDRESS), Ok(Opened::Session));
        assert_eq!(door("another long password").open(&session(&id), ADDRESS), Err(Refused::Credentials));
        let now = clock::now_seconds();
        let id = one.session(now);
        assert!(other.is_open(&id, now + 3599) && !other.is_open(&id, now + 3600));
        let later = format!("9{id}");
        assert!(!other.is_open(&later, now), "{later}");
        for bad in ["", ".", "9999999999.x", "9999999999.x.", "a.b.c"] {
            assert!(!one.is_open(bad, now), "{bad}");
        }
    }

    #[test]
    fn who_has_guessed_too_often_is_not_even_compared_but_a_session_passes() {
        let door = door("a long enough password");
        let id = door.session(clock::now_seconds());
        let wrong = [login("ops", "a wrong password"), login("root", "a long enough password"), login("", "")];
        let answers: Vec<_> = wrong.iter().cycle().take(100).map(|auth| door.open(auth, ADDRESS)).collect();
        let refused = answers.iter().filter(|answer| **answer == Err(Refused::Credentials)).count();
        assert!((1..100).contains(&refused), "{refused}");
        assert!(matches!(answers.last(), Some(Err(Refused::TooMany(_)))));
        assert!(matches!(door.open(&login("ops", "a long enough password"), ADDRESS), Err(Refused::TooMany(_))));
        assert_eq!(door.open(&session(&id), ADDRESS), Ok(Opened::Session));
        assert!(door.open(&login("ops", "a long enough password"), [10, 0, 0, 1].into()).is_ok(), "another address");
    }

    #[test]
    fn a_page_that_asks_with_an_old_session_has_guessed_nothing() {
        let door = door("a long enough password");
        for _ in 0..100 {
            assert_eq!(door.open(&session("old"), ADDRESS), Err(Refused::Credentials));
        }
        assert!(door.open(&login("ops", "a long enough password"), ADDRESS).is_ok());
    }
}
