//! Tokens of recruiters and those beside them: where their roles stand, in what Supabase and Keycloak write.

use convoke::auth::AuthError;
use convoke::features::interviews::recruiter::{self, Recruiter, RecruiterRole, RecruiterVerifier};
use convoke::settings::VerifierSettings;
use serde_json::{Value, json};

use crate::identity::{EC, NOW, RSA, SECRET, hs256, jwks, settings};
use crate::support::stub_http::StubHttp;

use RecruiterRole::{Admin, Interviewer, Observer, Recruiter as Leads};

fn identity(pairs: &[(&str, &str)]) -> VerifierSettings {
    settings(pairs, convoke::features::interviews::settings::Settings::read).identity
}

fn verifier(pairs: &[(&str, &str)]) -> RecruiterVerifier {
    RecruiterVerifier::new(&identity(pairs)).unwrap()
}

fn with_secret() -> RecruiterVerifier {
    verifier(&[("INTERVIEW_JWT_SECRET", SECRET)])
}

/// A token's claims with some replaced or, by null, left out.
fn claims(changes: Value) -> Value {
    let mut claims = json!({ "sub": "r1", "exp": NOW + 60 });
    for (name, value) in changes.as_object().unwrap() {
        claims[name] = value.clone();
    }
    claims.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    claims
}

#[tokio::test]
async fn the_first_place_with_a_role_of_ours_counts() {
    let verifier = with_secret();
    let keycloak = |roles: Value| json!({ "realm_access": { "roles": roles } });
    for (changes, expected) in [
        (json!({ "role": "recruiter" }), Some(Leads)),
        (json!({ "role": "interviewer" }), Some(Interviewer)),
        (json!({ "role": "observer" }), Some(Observer)),
        (json!({ "role": "ADMIN" }), Some(Admin)),
        // Supabase: the first place says that somebody has signed in, and nothing more.
        (json!({ "role": "authenticated", "app_metadata": { "role": "recruiter" } }), Some(Leads)),
        (json!({ "role": "authenticated", "app_metadata": { "provider": "email" } }), None),
        (json!({ "role": "authenticated", "user_metadata": { "role": "admin" } }), None),
        (json!({ "role": "authenticated" }), None),
        (json!({ "role": "observer", "app_metadata": { "role": "admin" } }), Some(Observer)),
        (json!({ "role": null, "app_metadata": { "role": "interviewer" } }), Some(Interviewer)),
        (json!({ "app_metadata": { "role": "boss" }, "realm_access": { "roles": ["observer"] } }), Some(Observer)),
        // Keycloak: among roles of its own; of several the one that may most.
        (keycloak(json!(["default-roles-x", "offline_access", "uma_authorization", "recruiter"])), Some(Leads)),
        (keycloak(json!(["observer", "interviewer", "admin"])), Some(Admin)),
        (keycloak(json!(["observer", "interviewer"])), Some(Interviewer)),
        (keycloak(json!(["offline_access"])), None),
        (keycloak(json!([])), None),
        (keycloak(json!("admin")), None),
        (keycloak(json!([["admin"], 7, null])), None),
        // Of a client of the realm, not of the realm.
        (json!({ "resource_access": { "hub": { "roles": ["admin"] } } }), None),
        (json!({ "role": ["admin"] }), None),
        (json!({ "role": { "name": "admin" } }), None),
        (json!({ "roles": ["admin"], "userRole": "admin" }), None),
        (json!({ "app_metadata": "admin", "realm_access": ["admin"] }), None),
        // A role of another surface.
        (json!({ "role": "dispatcher" }), None),
        (json!({}), None),
    ] {
        let verified = verifier.verify(&hs256(&claims(changes.clone()), SECRET), NOW).await;
        assert_eq!(verified.as_ref().ok().map(|recruiter| recruiter.role), expected, "{changes}");
        assert!(expected.is_some() || verified == Err(AuthError::Invalid), "{changes}");
    }
}

#[tokio::test]
async fn a_token_says_who_and_of_which_organization() {
    let verifier = with_secret();
    let long = "x".repeat(129);
    for (changes, expected) in [
        (json!({}), Some(("r1", None))),
        (json!({ "orgId": "acme" }), Some(("r1", Some("acme")))),
        (json!({ "orgId": "" }), Some(("r1", None))),
        (json!({ "sub": "ü ✓ {x}", "orgId": "Ä" }), Some(("ü ✓ {x}", Some("Ä")))),
        (json!({ "sub": null }), None),
        (json!({ "sub": null, "userId": "r1" }), None),
        (json!({ "sub": "" }), None),
        (json!({ "sub": 7, "orgId": 12 }), Some(("7", Some("12")))),
        (json!({ "sub": 7.5 }), None),
        (json!({ "sub": ["r1"] }), None),
        (json!({ "sub": long }), None),
        (json!({ "orgId": 7.5 }), None),
        (json!({ "orgId": ["acme"] }), None),
        (json!({ "orgId": long }), None),
    ] {
        let mut claims = claims(changes.clone());
        claims["role"] = "recruiter".into();
        let verified = verifier.verify(&hs256(&claims, SECRET), NOW).await.ok();
        let said = verified.as_ref().map(|recruiter| (&*recruiter.user_id, recruiter.org_id.as_deref()));
        assert_eq!(said, expected, "{changes}");
    }
}

#[tokio::test]
async fn a_token_of_keycloak_counts_where_its_audience_is_mapped_or_not_asked_for() {
    let server = StubHttp::start(jwks(&[RSA.jwk("r"), EC.jwk("e")])).await;
    let url = server.url();
    let issuer = "https://id.example.com/realms/hire";
    let mut keycloak = json!({
        "exp": NOW + 300, "iat": NOW, "jti": "0c1d", "iss": issuer, "sub": "f:1:ada", "typ": "Bearer", "azp": "web",
        "realm_access": { "roles": ["default-roles-hire", "recruiter"] }, "scope": "openid email", "orgId": "acme",
        "preferred_username": "ada",
    });
    let plain = verifier(&[("INTERVIEW_JWKS_URL", &url), ("INTERVIEW_ISSUER", issuer)]);
    let strict = verifier(&[("INTERVIEW_JWKS_URL", &url), ("INTERVIEW_ISSUER", issuer), ("INTERVIEW_AUDIENCE", "hub")]);
    let expected = Recruiter { user_id: "f:1:ada".into(), role: Leads, org_id: Some("acme".into()), expires_at: Some(NOW + 300) };
    for (key, kid) in [(&*RSA, "r"), (&*EC, "e")] {
        let token = key.sign(&keycloak, Some(kid));
        assert_eq!(plain.verify(&token, NOW).await, Ok(expected.clone()));
        assert_eq!(strict.verify(&token, NOW).await, Err(AuthError::Invalid), "no mapper has added an audience");
    }
    keycloak["aud"] = json!(["account", "hub"]);
    assert_eq!(strict.verify(&RSA.sign(&keycloak, Some("r")), NOW).await, Ok(expected));
    keycloak["iss"] = json!("https://id.example.com/realms/other");
    assert_eq!(plain.verify(&RSA.sign(&keycloak, Some("r")), NOW).await, Err(AuthError::Invalid));
}

#[tokio::test]
async fn a_minted_token_says_what_it_was_asked_to_say() {
    let full = [("INTERVIEW_JWT_SECRET", SECRET), ("INTERVIEW_ISSUER", "me"), ("INTERVIEW_AUDIENCE", "hub")];
    let verifier = verifier(&full);
    for role in [Leads, Interviewer, Observer, Admin] {
        for (org_id, expires_at) in [(Some("acme".into()), Some(NOW + 60)), (None, None)] {
            let recruiter = Recruiter { user_id: "r1".into(), role, org_id, expires_at };
            let token = recruiter::mint(&identity(&full), &recruiter, NOW).unwrap();
            assert_eq!(verifier.verify(&token, NOW).await, Ok(recruiter.clone()));
            assert_eq!(recruiter::mint(&VerifierSettings::default(), &recruiter, NOW), Err(AuthError::NotConfigured));
        }
    }
}
