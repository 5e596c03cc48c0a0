//! Realtime sessions for users of a real OpenID provider: seed 4's settings, as they are for a realm of Keycloak.

use serde_json::json;

use crate::support::booking::Answer;
use crate::support::issuer::{Issuer, USER};
use crate::support::realtime::{FakeLiveKit, NEVER, SESSIONS, World};

/// A world of one node that trusts this issuer, and nothing else.
async fn trusting(issuer: &Issuer, livekit: &FakeLiveKit) -> World {
    let seed = [("JWKS_URL", &*issuer.jwks_url), ("ISSUER", &issuer.url), ("AUDIENCE", "account"), ("REALTIME_JWT_SECRET", "")];
    World::start(&livekit.env(), 1, &[&seed[..], &[NEVER]].concat()).await
}

async fn create(world: &World, token: &str) -> Answer {
    Answer::of(world.hubs[0].request(reqwest::Method::POST, SESSIONS).bearer_auth(token)).await
}

#[tokio::test]
async fn a_token_of_a_real_issuer_makes_a_session_of_its_sub_and_a_rotated_key_counts_at_once() {
    let (mut issuer, livekit) = (Issuer::start().await, FakeLiveKit::start().await);
    let world = trusting(&issuer, &livekit).await;
    for claims in [json!({}), json!({"aud": ["realm-management", "account"]})] {
        let made = create(&world, &issuer.token(claims).await).await;
        assert_eq!((made.status, &made.body["user_id"]), (201, &json!(USER)));
    }
    issuer.rotate(true).await;
    let made = create(&world, &issuer.token(json!({"sub": "f:1:ada"})).await).await;
    assert_eq!((made.status, &made.body["user_id"]), (201, &json!("f:1:ada")));

    let bad = [
        json!({"aud": "broker"}),
        json!({"aud": ["broker"]}),
        json!({"iss": issuer.url.replace("jan", "feb")}),
        json!({"exp": crate::support::hub::now_seconds() - 40}),
        json!({"sub": null}),
        json!({"sub": ""}),
    ];
    let mut refused = vec![issuer.token_by("PS256", json!({})).await, issuer.token_by("ES384", json!({})).await];
    for claims in &bad {
        refused.push(issuer.token(claims.clone()).await);
    }
    for (n, token) in refused.iter().enumerate() {
        let answer = create(&world, token).await;
        let told = (answer.status, &answer.body["error"]["code"], &answer.body["error"]["type"]);
        assert_eq!(told, (401, &json!("unauthorized"), &json!("unauthorized_error")), "{n}");
    }
}

#[tokio::test]
async fn while_the_issuer_is_away_an_unknown_key_is_answered_503_and_a_known_one_goes_on() {
    let (mut issuer, livekit) = (Issuer::start().await, FakeLiveKit::start().await);
    let world = trusting(&issuer, &livekit).await;
    let old = issuer.token(json!({})).await;
    assert_eq!(create(&world, &old).await.status, 201);
    issuer.rotate(false).await;
    let new = issuer.token(json!({})).await;
    issuer.stop().await;
    let answer = create(&world, &new).await;
    assert_eq!((answer.status, &answer.body["error"]["code"]), (503, &json!("external")), "it may be genuine");
    assert!(answer.header("retry-after").is_some());
    assert_eq!(create(&world, &old).await.status, 201, "its key is known");
    issuer.restart().await;
    // Who failed is asked again within ten seconds.
    world.eventually("the new key counts", async || create(&world, &new).await.status == 201).await;
    let answer = create(&world, &old).await;
    assert!([401, 503].contains(&answer.status), "its key was withdrawn: {answer:?}");
    world.eventually("which is known once it was looked for", async || create(&world, &old).await.status == 401).await;
}
