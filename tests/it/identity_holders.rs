//! Tokens of those who hold interview sessions: what Supabase writes, and what makes no holder.

use convoke::auth::AuthError;
use convoke::features::bookings::holder::{self, Holder, HolderVerifier};
use convoke::settings::VerifierSettings;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::identity::{EC, NOW, RSA, SECRET, hs256, jwks, settings};
use crate::support::stub_http::StubHttp;

const USER: &str = "8d3f9c0e-5f6a-4b7e-9a51-3c2b1d0e4f5a";

fn identity(pairs: &[(&str, &str)]) -> VerifierSettings {
    settings(pairs, convoke::features::bookings::settings::Settings::read).identity
}

fn verifier(pairs: &[(&str, &str)]) -> HolderVerifier {
    HolderVerifier::new(&identity(pairs)).unwrap()
}

/// What Supabase writes into the token of a user, with some claims replaced or, by null, left out.
fn supabase(changes: Value) -> Value {
    let mut claims = json!({
        "iss": "https://abc.supabase.co/auth/v1",
        "sub": USER,
        "aud": "authenticated",
        "exp": NOW + 3600,
        "iat": NOW,
        "email": "ada@example.com",
        "phone": "",
        "app_metadata": { "provider": "email", "providers": ["email"] },
        "user_metadata": { "email": "evil@example.com", "sub": "11111111-1111-1111-1111-111111111111" },
        "role": "authenticated",
        "aal": "aal1",
        "amr": [{ "method": "password", "timestamp": NOW }],
        "session_id": "2f0e8f9b-6d6a-4a57-8f5b-2b3c4d5e6f70",
        "is_anonymous": false,
    });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

fn ada() -> Holder {
    Holder { user_id: USER.parse().unwrap(), email: Some("ada@example.com".into()), expires_at: Some(NOW + 3600) }
}

#[tokio::test]
async fn a_token_of_supabase_names_its_user_whatever_signs_it() {
    // An old project signs with its secret, a newer one with a key of its JWKS, one that moves with both.
    let server = StubHttp::start(jwks(&[RSA.jwk("r"), EC.jwk("e")])).await;
    let verifier = verifier(&[
        ("SESSIONS_JWT_SECRET", SECRET),
        ("SESSIONS_JWKS_URL", &server.url()),
        ("SESSIONS_ISSUER", "https://abc.supabase.co/auth/v1"),
    ]);
    let claims = supabase(json!({}));
    for token in [hs256(&claims, SECRET), EC.sign(&claims, Some("e")), RSA.sign(&claims, Some("r"))] {
        assert_eq!(verifier.verify(&token, NOW).await, Ok(ada()), "{token}");
    }
    for wrong in [json!({ "iss": "https://other.supabase.co/auth/v1" }), json!({ "iss": null }), json!({ "aud": "anon" })] {
        assert_eq!(verifier.verify(&hs256(&supabase(wrong.clone()), SECRET), NOW).await, Err(AuthError::Invalid), "{wrong}");
    }
}

#[tokio::test]
async fn the_audience_is_authenticated_unless_it_is_said_otherwise() {
    let plain = verifier(&[("SESSIONS_JWT_SECRET", SECRET)]);
    let other = verifier(&[("SESSIONS_JWT_SECRET", SECRET), ("SESSIONS_AUDIENCE", "hub")]);
    for (aud, plain_takes, other_takes) in [
        (json!("authenticated"), true, false),
        (json!(["x", "authenticated"]), true, false),
        (json!("hub"), false, true),
        (json!(["hub", "authenticated"]), true, true),
        (json!("anon"), false, false),
        (json!(""), false, false),
        (json!([]), false, false),
        (Value::Null, false, false),
    ] {
        let token = hs256(&supabase(json!({ "aud": aud })), SECRET);
        assert_eq!(plain.verify(&token, NOW).await.is_ok(), plain_takes, "{aud}");
        assert_eq!(other.verify(&token, NOW).await.is_ok(), other_takes, "{aud}");
    }
}

#[tokio::test]
async fn who_is_no_uuid_is_nobody() {
    let verifier = verifier(&[("SESSIONS_JWT_SECRET", SECRET)]);
    let upper = USER.to_uppercase();
    let same = verifier.verify(&hs256(&supabase(json!({ "sub": upper })), SECRET), NOW).await;
    assert_eq!(same, Ok(ada()), "letters have no case");
    for sub in [
        Value::Null,
        json!(""),
        json!("u1"),
        json!(7),
        json!([USER]),
        json!(USER.replace('-', "")),
        json!(format!("{{{USER}}}")),
        json!(format!("urn:uuid:{USER}")),
        json!(format!(" {USER}")),
        json!(&USER[1..]),
        json!(USER.replace('8', "g")),
    ] {
        let token = hs256(&supabase(json!({ "sub": sub })), SECRET);
        assert_eq!(verifier.verify(&token, NOW).await, Err(AuthError::Invalid), "{sub}");
    }
    // The keys of a Supabase project are tokens too, of nobody.
    for role in ["anon", "service_role"] {
        let key = json!({ "iss": "supabase", "ref": "abc", "role": role, "iat": NOW, "exp": NOW + 3600 });
        assert_eq!(verifier.verify(&hs256(&key, SECRET), NOW).await, Err(AuthError::Invalid), "{role}");
    }
}

#[tokio::test]
async fn an_address_that_makes_no_sense_is_none() {
    let verifier = verifier(&[("SESSIONS_JWT_SECRET", SECRET)]);
    for email in [Value::Null, json!(""), json!(5), json!("a\u{0}b"), json!("a\nb"), json!("x".repeat(321))] {
        let holder = verifier.verify(&hs256(&supabase(json!({ "email": email })), SECRET), NOW).await.unwrap();
        assert_eq!(holder, Holder { email: None, ..ada() }, "{email}");
    }
}

#[tokio::test]
async fn a_minted_token_says_what_it_was_asked_to_say() {
    let full = [("SESSIONS_JWT_SECRET", SECRET), ("SESSIONS_ISSUER", "me"), ("SESSIONS_AUDIENCE", "hub")];
    for pairs in [&full[..], &full[..1]] {
        let identity = identity(pairs);
        for email in [Some("ada@example.com"), None] {
            let user = Uuid::parse_str(USER).unwrap();
            let token = holder::mint(&identity, user, email, NOW + 3600, NOW).unwrap();
            let expected = Holder { email: email.map(Into::into), ..ada() };
            assert_eq!(verifier(pairs).verify(&token, NOW).await, Ok(expected));
        }
    }
    let minted = holder::mint(&VerifierSettings::default(), Uuid::nil(), None, NOW, NOW);
    assert_eq!(minted, Err(AuthError::NotConfigured));
}
