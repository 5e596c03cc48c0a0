//! Tokens of the SOS surface: what is let in, and every way in which one may be false.

use std::sync::LazyLock;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine as _};
use convoke::app::Config;
use convoke::auth::{AuthError, KeyRing};
use convoke::features::sos;
use convoke::features::sos::auth::{self, Claims, Role, SosVerifier, Verified};
use convoke::settings::{Reader, VerifierSettings};
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use serde_json::{Value, json};

use crate::support::keys::TestKey;
use crate::support::stub_http::{Answer, StubHttp};

pub const NOW: u64 = 1_800_000_000;
pub const SECRET: &str = "a secret of at least thirty-two bytes";

pub static RSA: LazyLock<TestKey> = LazyLock::new(TestKey::rs256);
pub static EC: LazyLock<TestKey> = LazyLock::new(TestKey::es256);

/// The settings of a feature.
pub fn settings<T>(pairs: &[(&str, &str)], read: impl Fn(&mut Reader<'_>) -> T) -> T {
    let source = pairs.iter().copied().collect();
    let mut reader = Reader::new(&source);
    let settings = read(&mut reader);
    reader.finish().unwrap();
    settings
}

fn identity(pairs: &[(&str, &str)]) -> VerifierSettings {
    settings(pairs, sos::settings::Settings::read).identity
}

fn verifier(pairs: &[(&str, &str)]) -> SosVerifier {
    SosVerifier::new(&identity(pairs)).unwrap()
}

fn with_secret() -> SosVerifier {
    verifier(&[("JWT_SECRET", SECRET)])
}

/// A citizen's token with some claims replaced or, by null, left out.
fn claims(changes: Value) -> Value {
    let mut claims = json!({ "userId": "u1", "role": "citizen", "sosId": "s1", "exp": NOW + 60 });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

pub fn hs256(claims: &Value, secret: &str) -> String {
    signed(Algorithm::HS256, claims, secret.as_bytes())
}

pub fn signed(algorithm: Algorithm, claims: &Value, secret: &[u8]) -> String {
    jsonwebtoken::encode(&Header::new(algorithm), claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// A token with any header and no right signature.
pub fn forged(header: &Value, claims: &Value, signature: &str) -> String {
    let part = |value: &Value| BASE64_URL_SAFE_NO_PAD.encode(value.to_string());
    format!("{}.{}.{signature}", part(header), part(claims))
}

async fn verify(verifier: &SosVerifier, token: &str) -> Result<Claims, AuthError> {
    verifier.verify(token, NOW).await.and_then(Verified::unexpired)
}

#[tokio::test]
async fn a_token_says_who_in_which_role_and_for_which_incidents() {
    let cases = [
        (claims(json!({})), "u1", Role::Citizen, Some("s1"), vec!["s1"]),
        (claims(json!({ "userId": null, "sub": "u2" })), "u2", Role::Citizen, Some("s1"), vec!["s1"]),
        (claims(json!({ "userId": "", "sub": "u2" })), "u2", Role::Citizen, Some("s1"), vec!["s1"]),
        (claims(json!({ "sub": "u2" })), "u1", Role::Citizen, Some("s1"), vec!["s1"]),
        (claims(json!({ "role": "RESCUER", "sosIds": ["s2", "s1", "s2"] })), "u1", Role::Rescuer, Some("s1"), vec!["s1", "s2"]),
        (claims(json!({ "role": "Dispatcher", "sosId": "" })), "u1", Role::Dispatcher, None, vec![]),
        (claims(json!({ "sosId": null, "sosIds": ["s3"] })), "u1", Role::Citizen, None, vec!["s3"]),
        (claims(json!({ "userId": "ü ✓ {x}" })), "ü ✓ {x}", Role::Citizen, Some("s1"), vec!["s1"]),
        // Numbers count as their decimal text.
        (
            claims(json!({ "userId": 7, "sosId": 0, "sosIds": [5, "5", "s6"] })),
            "7",
            Role::Citizen,
            Some("0"),
            vec!["0", "5", "s6"],
        ),
        (claims(json!({ "userId": null, "sub": u64::MAX })), "18446744073709551615", Role::Citizen, Some("s1"), vec!["s1"]),
        (claims(json!({ "userId": i64::MIN, "sub": "u2" })), "-9223372036854775808", Role::Citizen, Some("s1"), vec!["s1"]),
    ];
    let verifier = with_secret();
    for (claims, user_id, role, sos_id, sos_ids) in cases {
        let verified = verify(&verifier, &hs256(&claims, SECRET)).await.unwrap();
        assert_eq!((&*verified.user_id, verified.role, verified.sos_id.as_deref()), (user_id, role, sos_id), "{claims}");
        assert_eq!(verified.sos_ids.iter().map(|id| &**id).collect::<Vec<_>>(), sos_ids, "{claims}");
        assert_eq!(verified.expires_at, Some(NOW + 60));
    }
}

#[tokio::test]
async fn claims_that_are_missing_or_make_no_sense_are_refused() {
    let bad = [
        json!({ "userId": null }),
        json!({ "userId": "" }),
        json!({ "userId": 7.5 }),
        json!({ "userId": 1e30 }),
        json!({ "userId": true }),
        json!({ "userId": { "id": 7 } }),
        json!({ "userId": "x".repeat(129) }),
        json!({ "role": null }),
        json!({ "role": "root" }),
        json!({ "role": ["admin"] }),
        json!({ "sosId": 5.5 }),
        json!({ "sosId": [5] }),
        json!({ "sosId": "a b" }),
        json!({ "sosId": "{s1}" }),
        json!({ "sosIds": "s1" }),
        json!({ "sosIds": 5 }),
        json!({ "sosIds": ["s1", 2.5] }),
        json!({ "sosIds": ["s1", null] }),
        json!({ "sosIds": ["s1", "a/b"] }),
        json!({ "exp": "soon" }),
        json!({ "exp": -1 }),
        json!({ "nbf": NOW + 31 }),
        json!({ "nbf": "x" }),
    ];
    let verifier = with_secret();
    for changes in bad {
        assert_eq!(verify(&verifier, &hs256(&claims(changes.clone()), SECRET)).await, Err(AuthError::Invalid), "{changes}");
    }
}

#[tokio::test]
async fn a_token_of_another_making_is_refused() {
    let good = claims(json!({}));
    let admin = claims(json!({ "role": "admin" }));
    let genuine = hs256(&good, SECRET);
    let parts: Vec<&str> = genuine.split('.').collect();
    let signature = parts[2];
    let encoded_admin = BASE64_URL_SAFE_NO_PAD.encode(admin.to_string());
    let attacks = [
        ("another secret", hs256(&good, "another secret")),
        ("an empty secret", hs256(&good, "")),
        ("alg none", forged(&json!({ "alg": "none" }), &admin, "")),
        ("alg None", forged(&json!({ "alg": "None" }), &admin, "")),
        ("alg none with a signature", forged(&json!({ "alg": "none" }), &good, signature)),
        ("no alg", forged(&json!({ "typ": "JWT" }), &admin, signature)),
        ("alg as a list", forged(&json!({ "alg": ["HS256"] }), &admin, signature)),
        ("other claims under a genuine signature", format!("{}.{encoded_admin}.{signature}", parts[0])),
        ("no signature", format!("{}.{}.", parts[0], parts[1])),
        ("half a signature", format!("{}.{}.{}", parts[0], parts[1], &signature[..20])),
        ("two parts", format!("{}.{}", parts[0], parts[1])),
        ("four parts", format!("{genuine}.x")),
        ("HS512 with the right secret", signed(Algorithm::HS512, &good, SECRET.as_bytes())),
        ("a key in its own header", forged(&json!({ "alg": "RS256", "jwk": RSA.jwk("k") }), &admin, signature)),
        ("an extension we do not know", forged(&json!({ "alg": "HS256", "crit": ["x"], "x": 1 }), &good, signature)),
        ("RS256 without such a key", RSA.sign(&good, None)),
        ("not a token", "token".to_owned()),
        ("dots", "..".to_owned()),
        ("a prefix", format!("Bearer {genuine}")),
        ("a space", format!("{genuine} ")),
    ];
    let verifier = with_secret();
    assert!(verify(&verifier, &genuine).await.is_ok());
    for (attack, token) in attacks {
        assert_eq!(verify(&verifier, &token).await, Err(AuthError::Invalid), "{attack}");
    }
    assert_eq!(verify(&verifier, "").await, Err(AuthError::Missing));
}

#[tokio::test]
async fn a_public_key_verifies_its_own_algorithm_only() {
    let good = claims(json!({}));
    for key in [&*RSA, &*EC] {
        let escaped = key.public_pem.replace('\n', "\\n");
        for pem in [key.public_pem.as_str(), &escaped] {
            assert!(verify(&verifier(&[("JWT_PUBLIC_KEY", pem)]), &key.sign(&good, None)).await.is_ok());
        }
        let verifier = verifier(&[("JWT_PUBLIC_KEY", &key.public_pem)]);
        // The classic: the public key, which everybody has, used as an HMAC secret.
        for secret in [key.public_pem.as_str(), key.public_pem.trim()] {
            assert_eq!(verify(&verifier, &hs256(&good, secret)).await, Err(AuthError::Invalid));
        }
        for other in [TestKey::rs256(), TestKey::es256(), TestKey::es384()] {
            assert_eq!(verify(&verifier, &other.sign(&good, None)).await, Err(AuthError::Invalid), "{:?}", other.algorithm);
        }
    }
}

#[test]
fn a_curve_that_es256_does_not_use_is_a_fault_of_the_settings() {
    let key = TestKey::es384();
    let source = [("JWT_PUBLIC_KEY", key.public_pem.as_str())].into_iter().collect();
    assert!(Config::read(&source).is_err());
}

#[tokio::test]
async fn expiry_allows_for_thirty_seconds_and_keeps_the_claims() {
    let verifier = with_secret();
    for (exp, expired) in [(NOW, false), (NOW - 29, false), (NOW - 30, true), (0, true), (NOW + 1, false), (u64::MAX, false)] {
        let verified = verifier.verify(&hs256(&claims(json!({ "exp": exp })), SECRET), NOW).await.unwrap();
        assert_eq!((verified.expired, verified.claims.expires_at), (expired, Some(exp)), "{exp}");
        assert_eq!(verified.unexpired().err(), expired.then_some(AuthError::Expired));
    }
    let eternal = verifier.verify(&hs256(&claims(json!({ "exp": null })), SECRET), NOW).await.unwrap();
    assert_eq!((eternal.expired, eternal.claims.expires_at), (false, None));
    let fraction = verifier.verify(&hs256(&claims(json!({ "exp": NOW as f64 + 0.5 })), SECRET), NOW).await.unwrap();
    assert_eq!(fraction.claims.expires_at, Some(NOW));
    let expired_and_false = hs256(&claims(json!({ "exp": 0 })), "another secret");
    assert_eq!(verifier.verify(&expired_and_false, NOW).await, Err(AuthError::Invalid));
}

#[tokio::test]
async fn issuer_and_audience_count_when_they_are_set() {
    let verifier = verifier(&[("JWT_SECRET", SECRET), ("SOS_ISSUER", "me"), ("SOS_AUDIENCE", "hub")]);
    let good = [json!({ "iss": "me", "aud": "hub" }), json!({ "iss": "me", "aud": ["x", "hub"] })];
    for changes in good {
        assert!(verify(&verifier, &hs256(&claims(changes.clone()), SECRET)).await.is_ok(), "{changes}");
    }
    let bad = [
        json!({}),
        json!({ "iss": "me" }),
        json!({ "aud": "hub" }),
        json!({ "iss": "you", "aud": "hub" }),
        json!({ "iss": "me", "aud": "hubs" }),
        json!({ "iss": "me", "aud": [] }),
        json!({ "iss": ["me"], "aud": "hub" }),
    ];
    for changes in bad {
        assert_eq!(verify(&verifier, &hs256(&claims(changes.clone()), SECRET)).await, Err(AuthError::Invalid), "{changes}");
    }
}

#[tokio::test]
async fn without_any_key_the_surface_is_not_configured() {
    assert_eq!(verify(&verifier(&[]), "x").await, Err(AuthError::NotConfigured));
    assert_eq!(verify(&verifier(&[]), "").await, Err(AuthError::NotConfigured));
}

#[tokio::test]
async fn a_minted_token_says_what_it_was_asked_to_say() {
    let full = [("JWT_SECRET", SECRET), ("SOS_ISSUER", "me"), ("SOS_AUDIENCE", "hub")];
    for sos_ids in [vec![], vec!["s1"], vec!["s1", "s2"]] {
        let sos_ids: Vec<Box<str>> = sos_ids.into_iter().map(Into::into).collect();
        let sos_id = sos_ids.first().cloned();
        let claims = Claims { user_id: "r1".into(), role: Role::Rescuer, sos_id, sos_ids, expires_at: Some(NOW + 60) };
        let token = auth::mint(&identity(&full), &claims, NOW).unwrap();
        assert_eq!(verify(&verifier(&full), &token).await, Ok(claims.clone()));
        assert_eq!(auth::mint(&VerifierSettings::default(), &claims, NOW), Err(AuthError::NotConfigured));
    }
}

pub fn jwks(keys: &[Value]) -> Answer {
    Answer::json(200, &json!({ "keys": keys }))
}

#[tokio::test]
async fn published_keys_are_found_by_kid_or_tried_in_turn() {
    let oct = json!({ "kty": "oct", "kid": "shared", "k": BASE64_URL_SAFE_NO_PAD.encode(SECRET), "alg": "HS256" });
    let strange = json!({ "kty": "XYZ", "kid": "strange" });
    let server = StubHttp::start(jwks(&[strange, oct, RSA.jwk("r"), EC.jwk("e")])).await;
    let verifier = verifier(&[("SOS_JWKS_URL", &server.url())]);
    let good = claims(json!({}));
    for (key, kid) in [(&*RSA, Some("r")), (&*EC, Some("e")), (&*RSA, None), (&*EC, None)] {
        assert!(verify(&verifier, &key.sign(&good, kid)).await.is_ok(), "{kid:?}");
    }
    assert_eq!(verify(&verifier, &hs256(&good, SECRET)).await, Err(AuthError::Invalid), "a published secret is no secret");
    assert_eq!(verify(&verifier, &TestKey::rs256().sign(&good, Some("r"))).await, Err(AuthError::Invalid));
    assert_eq!(verify(&verifier, &EC.sign(&good, Some("r"))).await, Err(AuthError::Invalid), "the kid of another kind of key");
    assert_eq!(server.asked().len(), 1, "fetched once for all of them");
    let jwks_url = Some(server.url().into());
    let keys = KeyRing::new(&VerifierSettings { jwks_url, ..VerifierSettings::default() }).unwrap();
    assert_eq!(keys.fetch_published().await.unwrap().unwrap(), 2);
}

#[tokio::test]
async fn a_key_that_was_rotated_a_moment_after_the_last_fetch_counts_at_once() {
    let server = StubHttp::start(jwks(&[RSA.jwk("old")])).await;
    let verifier = verifier(&[("SOS_JWKS_URL", &server.url())]);
    let good = claims(json!({}));
    assert!(verify(&verifier, &RSA.sign(&good, Some("old"))).await.is_ok());
    let made_up = EC.sign(&good, Some("made up"));
    assert_eq!(verify(&verifier, &made_up).await, Err(AuthError::Invalid), "it was looked for and is not there");
    for _ in 0..20 {
        assert_eq!(verify(&verifier, &made_up).await, Err(AuthError::Unavailable), "not looked for again so soon");
    }
    server.answer_with(jwks(&[RSA.jwk("old"), EC.jwk("new")]));
    let new = EC.sign(&good, Some("new"));
    let many = (0..20).map(|_| verify(&verifier, &new));
    assert!(futures_util::future::join_all(many).await.iter().all(Result::is_ok));
    assert_eq!(server.asked().len(), 3, "one fetch for all who asked at once");
}

#[tokio::test]
async fn an_unknown_kid_fetches_the_keys_again_but_not_at_will() {
    let server = StubHttp::start(jwks(&[RSA.jwk("old")])).await;
    let verifier = verifier(&[("SOS_JWKS_URL", &server.url())]);
    let good = claims(json!({}));
    for n in 0..30 {
        let made_up = verify(&verifier, &EC.sign(&good, Some(&format!("made up {n}")))).await;
        let expected = if n < 5 { AuthError::Invalid } else { AuthError::Unavailable };
        assert_eq!(made_up, Err(expected), "{n}");
    }
    assert_eq!(server.asked().len(), 5);
    server.answer_with(jwks(&[RSA.jwk("old"), EC.jwk("new")]));
    let new = EC.sign(&good, Some("new"));
    assert_eq!(verify(&verifier, &new).await, Err(AuthError::Unavailable), "nobody knows yet, so it is no false one");
    assert!(verify(&verifier, &RSA.sign(&good, Some("old"))).await.is_ok(), "known keys need nobody");
    pass(Duration::from_secs(11)).await;
    assert!(verify(&verifier, &new).await.is_ok());
    assert_eq!(server.asked().len(), 6);
}

#[tokio::test]
async fn keys_that_cannot_be_fetched_make_a_token_unverifiable_not_false() {
    let server = StubHttp::start(Answer::Body(500, "".into())).await;
    let verifier = verifier(&[("SOS_JWKS_URL", &server.url())]);
    let token = RSA.sign(&claims(json!({})), Some("r"));
    let faults = [
        Answer::Body(500, "".into()),
        Answer::Body(200, "<html>".into()),
        Answer::Body(200, vec![b' '; 300 * 1024].into()),
        Answer::Redirect(server.url()),
        Answer::Cut,
    ];
    for fault in faults {
        server.answer_with(fault.clone());
        assert_eq!(verify(&verifier, &token).await, Err(AuthError::Unavailable), "{fault:?}");
        pass(Duration::from_secs(11)).await;
    }
    server.answer_with(jwks(&[RSA.jwk("r")]));
    assert!(verify(&verifier, &token).await.is_ok());

    // Old keys outlive the server that published them.
    server.answer_with(Answer::Cut);
    pass(Duration::from_secs(3600)).await;
    assert!(verify(&verifier, &token).await.is_ok());
}

/// Moves the clock without waiting. Real sockets need it to run again afterwards.
pub async fn pass(time: Duration) {
    tokio::time::pause();
    tokio::time::advance(time).await;
    tokio::time::resume();
}
