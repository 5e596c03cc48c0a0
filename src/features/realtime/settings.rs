//! What an operator sets for realtime sessions (contract §§ 6 and 7).

use std::time::Duration;

use crate::settings::table::Variable;
use crate::settings::{Reader, VerifierSettings, duration};

crate::settings_table! {
    "Realtime sessions" {
        AUTH_ENABLED = "true", "Requests to /v1 carry a token; false: everybody is the user `anonymous`";
        JWKS_URL = unset, "Where the public keys of these tokens (RS256, ES256) are published (Keycloak: …/protocol/openid-connect/certs)";
        REALTIME_JWKS_URL = unset, "Another name of JWKS_URL";
        ISSUER = unset, "The `iss` that these tokens must carry";
        REALTIME_ISSUER = unset, "Another name of ISSUER";
        AUDIENCE = unset, "The `aud` that these tokens must carry";
        REALTIME_AUDIENCE = unset, "Another name of AUDIENCE";
        REALTIME_JWT_SECRET = unset, "HS256 secret of these tokens, in the place of JWKS_URL or beside it";
        REALTIME_JWT_PUBLIC_KEY = unset, "RS256 or ES256 public key of these tokens, as PEM; \\n stands for a line break";
        SESSION_STALE_TTL = "10m", "How long a session stays that nobody joins";
        SESSION_CLEANUP_INTERVAL = "15s", "How often one node of all asks LiveKit which rooms somebody is in";
        REALTIME_SESSIONS_PER_USER = "100", "Most sessions of one user";
        RATE_LIMIT_REALTIME_CREATE_PER_MINUTE = "30", "Sessions a minute that one user may create";
        RATE_LIMIT_REALTIME_PER_MINUTE = "120", "Requests a minute of one user to each other route of sessions";
    }
}

/// What was set.
#[derive(Clone, Debug)]
pub struct Settings {
    pub auth: Auth,
    /// Between two rounds of polling.
    pub interval: Duration,
    /// A session that nobody has joined for so long is removed.
    pub stale: Duration,
    /// Sessions of one user.
    pub per_user: u32,
    /// Of one user.
    pub creates_per_minute: u32,
    /// Requests of one user to each other route.
    pub requests_per_minute: u32,
}

/// Who may use the routes.
#[derive(Clone, Debug)]
pub enum Auth {
    /// Nothing is said of it: the feature is off.
    Unset,
    /// Everybody, as the user `anonymous`.
    Off,
    Tokens(VerifierSettings),
}

impl Settings {
    pub fn read(read: &mut Reader<'_>) -> Self {
        Self {
            auth: auth(read),
            interval: span(read, SESSION_CLEANUP_INTERVAL, Duration::from_millis(200)),
            stale: span(read, SESSION_STALE_TTL, Duration::from_secs(1)),
            per_user: read.integer(REALTIME_SESSIONS_PER_USER, 1..=1000),
            creates_per_minute: read.integer(RATE_LIMIT_REALTIME_CREATE_PER_MINUTE, 1..=1_000_000),
            requests_per_minute: read.integer(RATE_LIMIT_REALTIME_PER_MINUTE, 1..=1_000_000),
        }
    }

    /// How the tokens are verified, if they are.
    pub fn identity(&self) -> Option<&VerifierSettings> {
        match &self.auth {
            Auth::Tokens(identity) => Some(identity),
            Auth::Unset | Auth::Off => None,
        }
    }
}

fn auth(read: &mut Reader<'_>) -> Auth {
    let is_on = read.flag(AUTH_ENABLED);
    let jwks = read.either(JWKS_URL, REALTIME_JWKS_URL).map_or(JWKS_URL, |(variable, _)| variable);
    let mut text = |short: &'static Variable, long| read.either(short, long).map(|(_, text)| text.trim().into());
    let (issuer, audience) = (text(ISSUER, REALTIME_ISSUER), text(AUDIENCE, REALTIME_AUDIENCE));
    let of_keys =
        VerifierSettings::read(read, [REALTIME_JWT_SECRET, REALTIME_JWT_PUBLIC_KEY, jwks, REALTIME_ISSUER, REALTIME_AUDIENCE]);
    let identity = VerifierSettings { issuer, audience, ..of_keys };
    if !is_on {
        return Auth::Off;
    }
    let has_key = identity.is_configured();
    let is_asked_for = read.given(AUTH_ENABLED).is_some() || has_key || identity.issuer.is_some() || identity.audience.is_some();
    if !is_asked_for {
        return Auth::Unset;
    }
    let needed = [(JWKS_URL, has_key), (ISSUER, identity.issuer.is_some()), (AUDIENCE, identity.audience.is_some())];
    for (variable, _) in needed.into_iter().filter(|(_, is_there)| !is_there) {
        read.fault(variable, "must be set while AUTH_ENABLED is true");
    }
    Auth::Tokens(identity)
}

fn span(read: &mut Reader<'_>, variable: &'static Variable, least: Duration) -> Duration {
    let expected = format!("a duration such as 10m or 15s, from {} ms to 24h", least.as_millis());
    let most = Duration::from_secs(86_400);
    let fits = |span: &Duration| (least..=most).contains(span);
    read.parsed(variable, &expected, |text| duration(text).filter(fits)).unwrap_or(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Source;

    const KEYS: (&str, &str) = ("JWKS_URL", "http://keycloak:8085/realms/jan/protocol/openid-connect/certs");
    const ISS: (&str, &str) = ("ISSUER", "http://localhost:8085/realms/jan");
    const AUD: (&str, &str) = ("AUDIENCE", "account");

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let source: Source = pairs.iter().copied().collect();
        let mut read = Reader::new(&source);
        let settings = Settings::read(&mut read);
        read.finish().map(|()| settings).map_err(|faults| faults.to_string())
    }

    #[test]
    fn while_tokens_are_asked_for_all_that_verifies_them_is_needed() {
        let set = read(&[("AUTH_ENABLED", "true"), KEYS, ISS, AUD]).unwrap();
        let identity = set.identity().unwrap();
        assert_eq!((identity.jwks_url.as_deref(), identity.issuer.as_deref()), (Some(KEYS.1), Some(ISS.1)));
        assert_eq!(identity.audience.as_deref(), Some("account"));
        for (pairs, missing) in [
            (&[("AUTH_ENABLED", "true")][..], &["JWKS_URL", "ISSUER", "AUDIENCE"][..]),
            (&[KEYS, ISS], &["AUDIENCE"]),
            (&[KEYS], &["ISSUER", "AUDIENCE"]),
            (&[ISS, AUD], &["JWKS_URL"]),
        ] {
            let faults = read(pairs).unwrap_err();
            assert_eq!(faults.matches("while AUTH_ENABLED is true").count(), missing.len(), "{faults}");
            assert!(missing.iter().all(|name| faults.contains(name)), "{faults}");
        }
        assert!(read(&[("REALTIME_JWT_SECRET", "a secret of sixteen and more"), ISS, AUD]).is_ok(), "a key of its own");
    }

    #[test]
    fn the_names_with_the_prefix_are_the_same_settings() {
        let set = read(&[("REALTIME_JWKS_URL", KEYS.1), ("REALTIME_ISSUER", ISS.1), ("REALTIME_AUDIENCE", "account")]).unwrap();
        let identity = set.identity().unwrap();
        assert_eq!((identity.jwks_url.as_deref(), identity.issuer.as_deref()), (Some(KEYS.1), Some(ISS.1)));
        assert!(read(&[KEYS, ISS, AUD, ("REALTIME_ISSUER", "http://other")]).unwrap_err().contains("two names"));
    }

    #[test]
    fn without_a_word_of_tokens_it_is_off_and_with_false_it_is_open() {
        assert!(matches!(read(&[]).unwrap().auth, Auth::Unset));
        assert!(matches!(read(&[("AUTH_ENABLED", "false")]).unwrap().auth, Auth::Off));
        assert!(matches!(read(&[("AUTH_ENABLED", "false"), KEYS]).unwrap().auth, Auth::Off));
    }
}
