//! What interviews and interview sessions stand on: PostgreSQL, LiveKit, and the keys of those who hold tokens.

use tokio::time::timeout;

use super::{Finding, PATIENCE, judge_keys};
use crate::auth::{RecruiterVerifier, SessionsVerifier};
use crate::features::bookings::store::{BookingStore, Limits};
use crate::livekit::LiveKit;
use crate::settings::{SessionRules, Settings};
use crate::store::{Preflight, Store, StoreError};

/// The oldest that the tests run against.
const LEAST_POSTGRES: u32 = 15;

pub(super) async fn findings(settings: &Settings) -> Vec<Finding> {
    let mut findings = postgres(settings).await;
    findings.extend(livekit(settings).await);
    if settings.store.is_some() {
        findings.extend(published_keys(settings).await);
    }
    findings
}

async fn postgres(settings: &Settings) -> Vec<Finding> {
    let Some(settings_of_store) = &settings.store else { return Vec::new() };
    let store = match Store::new(settings_of_store) {
        Ok(store) => store,
        Err(error) => return vec![Finding::Bad(error.to_string())],
    };
    let store = BookingStore::new(store);
    let asked = async { Ok::<_, StoreError>((store.postgres().preflight().await?, store.limits_if_prepared().await?)) };
    match timeout(PATIENCE, asked).await {
        Ok(Ok((preflight, limits))) => judge(&preflight, limits, &settings.sessions.rules),
        Ok(Err(error)) => vec![Finding::Bad(error.to_string())],
        Err(_) => vec![Finding::Bad("PostgreSQL does not answer".into())],
    }
}

fn judge(preflight: &Preflight, limits: Option<Limits>, rules: &SessionRules) -> Vec<Finding> {
    let Preflight { version, major, pending } = preflight;
    if *major < LEAST_POSTGRES {
        return vec![Finding::Bad(format!("PostgreSQL has version {version}; at least {LEAST_POSTGRES} is needed"))];
    }
    let mut findings = vec![Finding::Good(format!("PostgreSQL, version {version}"))];
    findings.push(match pending.as_slice() {
        [] => Finding::Good("the schema in PostgreSQL is up to date".into()),
        pending => Finding::Note(format!("migrations that a start or `convoke migrate` will run: {}", pending.join(", "))),
    });
    let ours = Limits { max_concurrent: rules.max_concurrent, max_per_user: rules.max_per_user };
    let named = |limits: Limits| {
        format!("MAX_CONCURRENT_INTERVIEWS={}, MAX_ACTIVE_SESSIONS_PER_USER={}", limits.max_concurrent, limits.max_per_user)
    };
    findings.push(match limits {
        None => Finding::Note(format!("the first start will write these limits for all nodes: {}", named(ours))),
        Some(limits) if limits == ours => Finding::Good(format!("limits of sessions: {}", named(limits))),
        Some(limits) => Finding::Bad(format!(
            "no session would start: here {}, in PostgreSQL {}; `convoke migrate` writes those from here",
            named(ours),
            named(limits)
        )),
    });
    findings
}

async fn livekit(settings: &Settings) -> Option<Finding> {
    let settings = settings.livekit.as_ref()?;
    let livekit = match LiveKit::new(settings) {
        Ok(livekit) => livekit,
        Err(error) => return Some(Finding::Bad(error.to_string())),
    };
    Some(match timeout(PATIENCE, livekit.ping()).await {
        Ok(Ok(())) => Finding::Good(format!("LiveKit {}", settings.api_url)),
        Ok(Err(error)) => Finding::Bad(format!("LiveKit {}: {error}", settings.api_url)),
        Err(_) => Finding::Bad(format!("LiveKit {} does not answer", settings.api_url)),
    })
}

async fn published_keys(settings: &Settings) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some(url) = settings.sessions.identity.jwks_url.as_deref() {
        match SessionsVerifier::from_settings(settings) {
            Ok(verifier) => {
                let fetched = verifier.fetch_published_keys().await;
                findings.extend(fetched.map(|fetched| judge_keys("SESSIONS_JWKS_URL", url, fetched)));
            }
            Err(error) => findings.push(Finding::Bad(error.to_string())),
        }
    }
    if let Some(url) = settings.interviews.identity.jwks_url.as_deref() {
        match RecruiterVerifier::from_settings(settings) {
            Ok(verifier) => {
                let fetched = verifier.fetch_published_keys().await;
                findings.extend(fetched.map(|fetched| judge_keys("INTERVIEW_JWKS_URL", url, fetched)));
            }
            Err(error) => findings.push(Finding::Bad(error.to_string())),
        }
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_postgres_and_limits_that_differ_are_refused() {
        let settings = Settings::from_source(&[("MAX_CONCURRENT_INTERVIEWS", "7")].into_iter().collect()).unwrap();
        let rules = &settings.sessions.rules;
        let limits = Limits { max_concurrent: 7, max_per_user: 1 };
        let preflight = Preflight { version: "15.1".into(), major: 15, pending: Vec::new() };
        assert!(judge(&preflight, Some(limits), rules).iter().all(|finding| matches!(finding, Finding::Good(_))));
        let old = Preflight { version: "14.9".into(), major: 14, ..preflight.clone() };
        assert!(matches!(judge(&old, Some(limits), rules).as_slice(), [Finding::Bad(_)]));
        let other = Limits { max_concurrent: 8, max_per_user: 1 };
        assert!(
            matches!(judge(&preflight, Some(other), rules).last(), Some(Finding::Bad(text)) if text.contains("=7,") && text.contains("=8,"))
        );
    }
}
