//! Every surface refuses what is false in the same ways, and a token of one surface opens no other.

use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use convoke::auth::AuthError;
use convoke::features::bookings::holder::HolderVerifier;
use convoke::features::interviews::recruiter::RecruiterVerifier;
use convoke::features::realtime::auth::UserVerifier;
use convoke::features::sos::auth::{SosVerifier, Verified};
use convoke::features::{bookings, interviews, realtime, sos};
use jsonwebtoken::Algorithm;
use serde_json::{Value, json};

use crate::identity::{EC, NOW, RSA, SECRET, forged, hs256, jwks, pass, settings, signed};
use crate::support::keys::TestKey;
use crate::support::stub_http::{Answer, StubHttp};

const USER: &str = "8d3f9c0e-5f6a-4b7e-9a51-3c2b1d0e4f5a";

const ISSUER: &str = "https://issuer.example/";

/// The variables of a surface begin with this.
pub const SURFACES: [&str; 4] = ["SOS", "INTERVIEW", "SESSIONS", "REALTIME"];

pub enum Surface {
    Sos(SosVerifier),
    Interviews(RecruiterVerifier),
    Sessions(HolderVerifier),
    /// `None`: nothing is said of tokens.
    Realtime(Option<UserVerifier>),
}

impl Surface {
    fn new(name: &str, pairs: &[(&str, &str)]) -> Self {
        match name {
            "SOS" => Self::Sos(SosVerifier::new(&settings(pairs, sos::settings::Settings::read).identity).unwrap()),
            "INTERVIEW" => {
                let identity = settings(pairs, interviews::settings::Settings::read).identity;
                Self::Interviews(RecruiterVerifier::new(&identity).unwrap())
            }
            "REALTIME" => {
                // This surface asks for both whenever it has a key.
                let needed = [("REALTIME_ISSUER", ISSUER), ("REALTIME_AUDIENCE", "authenticated")];
                let is_missing = |(name, _): &(&str, &str)| !pairs.iter().any(|(given, _)| given == name);
                let more = needed.into_iter().filter(|needed| !pairs.is_empty() && is_missing(needed));
                let pairs: Vec<_> = pairs.iter().copied().chain(more).collect();
                Self::Realtime(UserVerifier::new(&settings(&pairs, realtime::settings::Settings::read)).unwrap())
            }
            _ => Self::Sessions(HolderVerifier::new(&settings(pairs, bookings::settings::Settings::read).identity).unwrap()),
        }
    }

    /// One surface with some of its variables, named without their prefix.
    pub fn with(name: &str, variables: &[(&str, &str)]) -> Self {
        let named: Vec<_> = variables.iter().map(|(variable, value)| (format!("{name}_{variable}"), *value)).collect();
        let pairs: Vec<_> = named.iter().map(|(variable, value)| (variable.as_str(), *value)).collect();
        Self::new(name, &pairs)
    }

    async fn verify(&self, token: &str) -> Result<(), AuthError> {
        self.verify_at(token, NOW).await
    }

    pub async fn verify_at(&self, token: &str, now: u64) -> Result<(), AuthError> {
        match self {
            Self::Sos(verifier) => verifier.verify(token, now).await.and_then(Verified::unexpired).map(drop),
            Self::Interviews(verifier) => verifier.verify(token, now).await.map(drop),
            Self::Sessions(verifier) => verifier.verify(token, now).await.map(drop),
            Self::Realtime(None) => Err(AuthError::NotConfigured),
            Self::Realtime(Some(verifier)) => verifier.verify(Some(token), now).await.map(drop),
        }
    }
}

/// Claims that every surface takes, with some replaced or, by null, left out.
fn claims(changes: Value) -> Value {
    let mut claims = json!({ "sub": USER, "role": "admin", "iss": ISSUER, "aud": "authenticated", "exp": NOW + 60 });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[tokio::test]
async fn a_token_of_one_surface_opens_no_other() {
    let secrets = [
        ("SOS", "the secret of sos, thirty-two bytes!"),
        ("INTERVIEW", SECRET),
        ("SESSIONS", "a third one, also of thirty-two byte"),
        ("REALTIME", "a fourth one, also of thirty-two byt"),
    ];
    let names: Vec<_> = secrets.iter().map(|(name, _)| format!("{name}_JWT_SECRET")).collect();
    let pairs: Vec<_> = names.iter().zip(secrets).map(|(name, (_, secret))| (name.as_str(), secret)).collect();
    // What its claims say makes no difference: they would do for all.
    for (of, secret) in secrets {
        let token = hs256(&claims(json!({})), secret);
        for at in SURFACES {
            let expected = if at == of { Ok(()) } else { Err(AuthError::Invalid) };
            assert_eq!(Surface::new(at, &pairs).verify(&token).await, expected, "of {of} at {at}");
        }
    }
}

#[tokio::test]
async fn a_token_of_another_making_is_refused() {
    let good = claims(json!({}));
    let genuine = hs256(&good, SECRET);
    let parts: Vec<&str> = genuine.split('.').collect();
    let (head, body, signature) = (parts[0], parts[1], parts[2]);
    let more = BASE64_URL_SAFE_NO_PAD.encode(claims(json!({ "exp": null })).to_string());
    let attacks = [
        ("another secret", hs256(&good, "another secret")),
        ("an empty secret", hs256(&good, "")),
        ("alg none", forged(&json!({ "alg": "none" }), &good, "")),
        ("alg nOnE", forged(&json!({ "alg": "nOnE" }), &good, "")),
        ("alg none with a signature", forged(&json!({ "alg": "none" }), &good, signature)),
        ("no alg", forged(&json!({ "typ": "JWT" }), &good, signature)),
        ("other claims under a genuine signature", format!("{head}.{more}.{signature}")),
        ("no signature", format!("{head}.{body}.")),
        ("two parts", format!("{head}.{body}")),
        ("HS512 with the right secret", signed(Algorithm::HS512, &good, SECRET.as_bytes())),
        ("an extension we do not know", forged(&json!({ "alg": "HS256", "crit": ["x"] }), &good, signature)),
        ("an algorithm without a key", RSA.sign(&good, None)),
        ("a join token, which is no JWT", "Zm9vYmFyYmF6".to_owned()),
    ];
    for name in SURFACES {
        let surface = Surface::with(name, &[("JWT_SECRET", SECRET)]);
        assert_eq!(surface.verify(&genuine).await, Ok(()), "{name}");
        for (attack, token) in &attacks {
            assert_eq!(surface.verify(token).await, Err(AuthError::Invalid), "{name}: {attack}");
        }
        assert_eq!(surface.verify("").await, Err(AuthError::Missing), "{name}");
        assert_eq!(Surface::with(name, &[]).verify(&genuine).await, Err(AuthError::NotConfigured), "{name}");
    }
}

#[tokio::test]
async fn keys_are_found_by_kid_and_bound_to_their_algorithm() {
    let oct = json!({ "kty": "oct", "kid": "o", "k": BASE64_URL_SAFE_NO_PAD.encode(SECRET), "alg": "HS256", "use": "sig" });
    let server = StubHttp::start(jwks(&[oct, RSA.jwk("r"), EC.jwk("e")])).await;
    let good = claims(json!({}));
    let foreign = TestKey::rs256();
    let attacker = StubHttp::start(jwks(&[foreign.jwk("f")])).await;
    // With a header of one's own making around a signature of one's own: where the key is to be had must not be read there.
    let with_header = |header: Value| {
        let unsigned = forged(&header, &good, "");
        let theirs = foreign.sign(&good, Some("r"));
        format!("{unsigned}{}", theirs.rsplit('.').next().unwrap())
    };
    let attacks = [
        ("the kid of a key of another kind", EC.sign(&good, Some("r"))),
        ("and the other way round", RSA.sign(&good, Some("e"))),
        ("a foreign key under a known kid", foreign.sign(&good, Some("r"))),
        ("a foreign key without a kid", foreign.sign(&good, None)),
        ("a published secret", hs256(&good, SECRET)),
        ("the public key as a secret", hs256(&good, &RSA.public_pem)),
        ("the public key as a secret, trimmed", hs256(&good, RSA.public_pem.trim())),
        ("the other public key as a secret", hs256(&good, &EC.public_pem)),
        ("a JWK as a secret", hs256(&good, &RSA.jwk("r").to_string())),
        ("a key in its header", with_header(json!({ "alg": "RS256", "kid": "r", "jwk": foreign.jwk("r") }))),
        ("an address in its header", with_header(json!({ "alg": "RS256", "kid": "f", "jku": attacker.url() }))),
        ("a certificate's address in its header", with_header(json!({ "alg": "RS256", "kid": "g", "x5u": attacker.url() }))),
        ("a path as kid", foreign.sign(&good, Some("../../dev/null"))),
        ("an empty kid", foreign.sign(&good, Some(""))),
        ("a curve that we do not take", TestKey::es384().sign(&good, None)),
    ];
    for name in SURFACES {
        let surface = Surface::with(name, &[("JWKS_URL", &server.url()), ("JWT_PUBLIC_KEY", &RSA.public_pem)]);
        for (key, kid) in [(&*RSA, Some("r")), (&*EC, Some("e")), (&*EC, None)] {
            assert_eq!(surface.verify(&key.sign(&good, kid)).await, Ok(()), "{name} {kid:?}");
        }
        for (attack, token) in &attacks {
            let own = *attack == "and the other way round";
            // The RSA key stands in the settings too, and needs no kid there.
            let expected = if own { Ok(()) } else { Err(AuthError::Invalid) };
            assert_eq!(surface.verify(token).await, expected, "{name}: {attack}");
        }
    }
    assert!(attacker.asked().is_empty(), "nobody goes where a token sends him");
    assert_eq!(server.asked().len(), 5 * SURFACES.len(), "at the first token, and for each of four unknown kids");
}

#[tokio::test]
async fn an_unknown_kid_fetches_the_keys_once_in_a_while() {
    for name in SURFACES {
        let server = StubHttp::start(jwks(&[RSA.jwk("old")])).await;
        let surface = Surface::with(name, &[("JWKS_URL", &server.url())]);
        let good = claims(json!({}));
        assert_eq!(surface.verify(&RSA.sign(&good, Some("old"))).await, Ok(()));
        for made_up in 0..20 {
            let token = EC.sign(&good, Some(&format!("k{made_up}")));
            let expected = if made_up < 4 { AuthError::Invalid } else { AuthError::Unavailable };
            assert_eq!(surface.verify(&token).await, Err(expected), "{name} {made_up}");
        }
        assert_eq!(server.asked().len(), 5, "{name}: not for every kid that somebody makes up");
        server.answer_with(jwks(&[EC.jwk("new")]));
        pass(Duration::from_secs(11)).await;
        let new = EC.sign(&good, Some("new"));
        assert!(futures_util::future::join_all((0..20).map(|_| surface.verify(&new))).await.iter().all(Result::is_ok));
        assert_eq!(server.asked().len(), 6, "{name}: once for all who asked");
        pass(Duration::from_secs(11)).await;
        assert_eq!(surface.verify(&RSA.sign(&good, Some("old"))).await, Err(AuthError::Invalid), "{name}: it was withdrawn");
    }
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_make_a_token_unverifiable_not_false() {
    for name in SURFACES {
        let server = StubHttp::start(Answer::Cut).await;
        let surface = Surface::with(name, &[("JWKS_URL", &server.url()), ("JWT_SECRET", SECRET)]);
        let token = EC.sign(&claims(json!({})), Some("e"));
        assert_eq!(surface.verify(&token).await, Err(AuthError::Unavailable), "{name}");
        assert_eq!(surface.verify(&hs256(&claims(json!({})), SECRET)).await, Ok(()), "{name}: its own key needs nobody");
        server.answer_with(jwks(&[EC.jwk("e")]));
        pass(Duration::from_secs(11)).await;
        assert_eq!(surface.verify(&token).await, Ok(()), "{name}");
    }
}

#[tokio::test]
async fn clocks_may_differ_by_thirty_seconds_and_no_more() {
    for name in SURFACES {
        let surface = Surface::with(name, &[("JWT_SECRET", SECRET)]);
        for (changes, expected) in [
            (json!({ "exp": NOW }), Ok(())),
            (json!({ "exp": NOW - 29 }), Ok(())),
            (json!({ "exp": NOW - 30 }), Err(AuthError::Expired)),
            (json!({ "exp": 0 }), Err(AuthError::Expired)),
            (json!({ "exp": NOW as f64 - 29.5 }), Err(AuthError::Expired)),
            (json!({ "exp": "soon" }), Err(AuthError::Invalid)),
            (json!({ "exp": -1 }), Err(AuthError::Invalid)),
            (json!({ "exp": 1e300 }), Ok(())),
            (json!({ "exp": null }), Ok(())),
            (json!({ "nbf": NOW + 30 }), Ok(())),
            (json!({ "nbf": NOW + 31 }), Err(AuthError::Invalid)),
            (json!({ "nbf": NOW - 1, "iat": NOW + 3600 }), Ok(())),
        ] {
            assert_eq!(surface.verify(&hs256(&claims(changes.clone()), SECRET)).await, expected, "{name} {changes}");
        }
        // What is false is not told that it has expired.
        let false_and_old = hs256(&claims(json!({ "exp": 0 })), "another secret");
        assert_eq!(surface.verify(&false_and_old).await, Err(AuthError::Invalid), "{name}");
        let nobody_and_old = hs256(&claims(json!({ "exp": 0, "sub": "" })), SECRET);
        assert_eq!(surface.verify(&nobody_and_old).await, Err(AuthError::Invalid), "{name}");
    }
}

#[tokio::test]
async fn issuer_and_audience_are_who_was_asked_for() {
    for name in SURFACES {
        let surface = Surface::with(name, &[("JWT_SECRET", SECRET), ("ISSUER", "https://me/"), ("AUDIENCE", "hub")]);
        for (changes, expected) in [
            (json!({ "iss": "https://me/", "aud": "hub" }), Ok(())),
            (json!({ "iss": "https://me/", "aud": ["x", "hub"] }), Ok(())),
            (json!({ "iss": "https://me", "aud": "hub" }), Err(AuthError::Invalid)),
            (json!({ "iss": ["https://me/"], "aud": "hub" }), Err(AuthError::Invalid)),
            (json!({ "aud": "hub" }), Err(AuthError::Invalid)),
            (json!({ "iss": "https://me/", "aud": "Hub" }), Err(AuthError::Invalid)),
            (json!({ "iss": "https://me/", "aud": { "hub": true } }), Err(AuthError::Invalid)),
            (json!({ "iss": "https://me/", "aud": null }), Err(AuthError::Invalid)),
        ] {
            assert_eq!(surface.verify(&hs256(&claims(changes.clone()), SECRET)).await, expected, "{name} {changes}");
        }
    }
}

#[tokio::test]
async fn a_token_may_have_sixteen_kib_and_a_longer_one_is_called_so() {
    let padded = |padding: usize| hs256(&claims(json!({ "x": "x".repeat(padding) })), SECRET);
    let longest = (11_000..).take_while(|&padding| padded(padding).len() <= 16 * 1024).last().unwrap();
    for name in SURFACES {
        let surface = Surface::with(name, &[("JWT_SECRET", SECRET)]);
        assert_eq!(surface.verify(&padded(longest)).await, Ok(()), "{name}");
        for more in [1, 100, 1_000_000] {
            assert_eq!(surface.verify(&padded(longest + more)).await, Err(AuthError::TooLong), "{name} {more}");
        }
    }
}
