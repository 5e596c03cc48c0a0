//! A real OpenID provider with tokens of Keycloak's shape: the hub takes them by the keys that it publishes, while these keys change
//! and while it is away.

use std::time::Duration;

use convoke::auth::AuthError;
use serde_json::{Value, json};

use crate::identity::pass;
use crate::identity_surfaces::{SURFACES, Surface};
use crate::support::hub::now_seconds;
use crate::support::issuer::Issuer;

/// The surfaces, each with the variables that make it take the issuer's tokens.
fn surfaces(issuer: &Issuer) -> Vec<(&'static str, Surface)> {
    let variables = [("JWKS_URL", &*issuer.jwks_url), ("ISSUER", &*issuer.url), ("AUDIENCE", "account")];
    SURFACES.map(|name| (name, Surface::with(name, &variables))).into()
}

/// A token that every surface would take, with some claims replaced.
async fn token(issuer: &mut Issuer, changes: Value) -> String {
    let mut claims = json!({"role": "admin"});
    claims.as_object_mut().unwrap().extend(changes.as_object().unwrap().clone());
    issuer.token(claims).await
}

async fn judged(surface: &Surface, token: &str) -> Result<(), AuthError> {
    surface.verify_at(token, now_seconds()).await
}

#[tokio::test]
async fn a_token_of_a_real_issuer_counts_if_it_is_meant_for_us() {
    let mut issuer = Issuer::start().await;
    let surfaces = surfaces(&issuer);
    let changes = [
        ("for us alone", json!({}), true),
        ("for us among others", json!({"aud": ["broker", "account"]}), true),
        ("of a minute ago, for four more", json!({"iat": now_seconds() - 60, "nbf": 0, "typ": null, "azp": null}), true),
        ("for others", json!({"aud": ["broker", "realm-management"]}), false),
        ("for another", json!({"aud": "accounts"}), false),
        ("of another realm", json!({"iss": issuer.url.replace("jan", "feb")}), false),
        ("of our realm, written otherwise", json!({"iss": format!("{}/", issuer.url)}), false),
        ("of nobody", json!({"iss": null}), false),
        ("expired", json!({"exp": now_seconds() - 40}), false),
    ];
    for (kind, changes, good) in changes {
        let token = token(&mut issuer, changes).await;
        for (name, surface) in &surfaces {
            let told = judged(surface, &token).await;
            let is_right = if good { told.is_ok() } else { matches!(told, Err(AuthError::Invalid | AuthError::Expired)) };
            assert!(is_right, "{name}: a token {kind} is {told:?}");
        }
    }
    // Genuine, with published keys, by algorithms that are not ours.
    for algorithm in ["PS256", "RS512", "ES384"] {
        let token = issuer.token_by(algorithm, json!({"role": "admin"})).await;
        for (name, surface) in &surfaces {
            assert_eq!(judged(surface, &token).await, Err(AuthError::Invalid), "{name}: {algorithm}");
        }
    }
}

#[tokio::test]
async fn a_new_key_of_the_issuer_counts_at_once_and_one_that_it_withdrew_no_more() {
    let mut issuer = Issuer::start().await;
    let surfaces = surfaces(&issuer);
    let mut tokens = vec![token(&mut issuer, json!({})).await];
    for (name, surface) in &surfaces {
        assert_eq!(judged(surface, &tokens[0]).await, Ok(()), "{name}");
    }
    for keep in [true, false] {
        // So long a key is not looked for again.
        pass(Duration::from_secs(11)).await;
        issuer.rotate(keep).await;
        tokens.push(token(&mut issuer, json!({})).await);
        let (newest, older) = tokens.split_last().unwrap();
        for (name, surface) in &surfaces {
            assert_eq!(judged(surface, newest).await, Ok(()), "{name}: kept {keep}");
            let expected = if keep { Ok(()) } else { Err(AuthError::Invalid) };
            for older in older {
                assert_eq!(judged(surface, older).await, expected, "{name}: kept {keep}");
            }
        }
    }
}

#[tokio::test]
async fn while_the_issuer_is_away_known_keys_go_on_and_an_unknown_one_is_not_known_now() {
    let mut issuer = Issuer::start().await;
    let surfaces = surfaces(&issuer);
    let old = token(&mut issuer, json!({})).await;
    for (_, surface) in &surfaces {
        judged(surface, &old).await.unwrap();
    }
    issuer.rotate(true).await;
    let new = token(&mut issuer, json!({})).await;
    issuer.stop().await;
    for (name, surface) in &surfaces {
        assert_eq!(judged(surface, &new).await, Err(AuthError::Unavailable), "{name}: it may be genuine");
        assert_eq!(judged(surface, &old).await, Ok(()), "{name}: its key is known");
    }
    // Beyond the age at which keys are fetched again.
    pass(Duration::from_secs(3600)).await;
    for (name, surface) in &surfaces {
        assert_eq!(judged(surface, &old).await, Ok(()), "{name}: nobody says that it was withdrawn");
        assert_eq!(judged(surface, &new).await, Err(AuthError::Unavailable), "{name}");
    }
    issuer.restart().await;
    for (name, surface) in &surfaces {
        assert_eq!(judged(surface, &new).await, Err(AuthError::Unavailable), "{name}: who failed is not asked again at once");
    }
    pass(Duration::from_secs(11)).await;
    for (name, surface) in &surfaces {
        assert_eq!(judged(surface, &new).await, Ok(()), "{name}");
    }
}
