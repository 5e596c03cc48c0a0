//! An OpenID provider that looks like a realm of Keycloak (`tests/clients/issuer.mjs`): it serves discovery and its keys, gives out
//! tokens, and changes its keys when a test says so.

use serde_json::{Value, json};

use super::node::Script;

/// A running provider.
pub struct Issuer {
    script: Script,
    /// What its tokens name.
    pub url: String,
    /// Where its keys are, as it says itself.
    pub jwks_url: String,
}

impl Issuer {
    pub async fn start() -> Self {
        let mut script = Script::node("issuer.mjs", &[]);
        let discovered = next(&mut script).await;
        let text = |name: &str| discovered[name].as_str().expect("it says where it is").to_owned();
        let (url, jwks_url) = (text("issuer"), text("jwks_uri"));
        Self { script, url, jwks_url }
    }

    /// A token as Keycloak gives it, for user [`USER`] and audience `account`. These claims replace its own; null leaves one out.
    pub async fn token(&mut self, claims: Value) -> String {
        self.token_by("RS256", claims).await
    }

    /// [`Issuer::token`], signed by this algorithm.
    pub async fn token_by(&mut self, algorithm: &str, claims: Value) -> String {
        let answer = self.order(json!({"token": {"claims": claims, "alg": algorithm}})).await;
        answer["access_token"].as_str().unwrap_or_else(|| panic!("no token: {answer}")).to_owned()
    }

    /// From now on another key signs. The old one stays published, or goes.
    pub async fn rotate(&mut self, keep: bool) {
        self.order(json!({"rotate": {"keep": keep}})).await;
    }

    /// Nobody answers at its address any more.
    pub async fn stop(&mut self) {
        self.order(json!({"stop": {}})).await;
    }

    /// It answers again, at the same address.
    pub async fn restart(&mut self) {
        self.order(json!({"start": {}})).await;
    }

    async fn order(&mut self, order: Value) -> Value {
        self.script.order(&order.to_string());
        next(&mut self.script).await
    }
}

/// Whom its tokens are about unless a test says otherwise.
pub const USER: &str = "8d3f9c0e-5f6a-4b7e-9a51-3c2b1d0e4f5a";

async fn next(script: &mut Script) -> Value {
    let line = script.line().await.expect("the issuer lives");
    serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
}
