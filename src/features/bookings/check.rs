//! What interview sessions need of PostgreSQL, and the keys of those who hold tokens.

use tokio::time::timeout;

use super::holder::HolderVerifier;
use super::settings::{SessionRules, Settings};
use super::store::{BookingStore, Limits, Migrated};
use crate::feature::Finding;
use crate::feature::check::{PATIENCE, judge_keys};
use crate::settings::Settings as Base;
use crate::store::{Preflight, Store, StoreError};

/// The oldest that the tests run against.
const LEAST_POSTGRES: u32 = 15;

pub(super) async fn findings(settings: &Settings, base: &Base) -> Vec<Finding> {
    let Some(store) = &base.store else { return Vec::new() };
    let store = match Store::new(store) {
        Ok(store) => store,
        Err(error) => return vec![Finding::Bad(error.to_string())],
    };
    let store = BookingStore::new(store);
    let asked = async { Ok::<_, StoreError>((store.postgres().preflight().await?, store.limits_if_prepared().await?)) };
    let mut findings = match timeout(PATIENCE, asked).await {
        Ok(Ok((preflight, limits))) => judge(&preflight, limits, &settings.rules),
        Ok(Err(error)) => vec![Finding::Bad(error.to_string())],
        Err(_) => vec![Finding::Bad("PostgreSQL does not answer".into())],
    };
    if let Some(url) = settings.identity.jwks_url.as_deref() {
        match HolderVerifier::new(&settings.identity) {
            Ok(verifier) => {
                let fetched = verifier.fetch_published_keys().await;
                findings.extend(fetched.map(|fetched| judge_keys("SESSIONS_JWKS_URL", url, fetched)));
            }
            Err(error) => findings.push(Finding::Bad(error.to_string())),
        }
    }
    findings
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

/// What was done, for an operator in front of a terminal.
pub(super) fn migrated(migrated: &Migrated, limits: Limits) -> Vec<String> {
    let mut lines: Vec<String> = migrated.applied.iter().map(|name| format!("applied {name}")).collect();
    if lines.is_empty() {
        lines.push("the schema is up to date".into());
    }
    if migrated.completed > 0 {
        lines.push(format!("completed expired sessions: {}", migrated.completed));
    }
    let shown = |limits: Limits| {
        format!("MAX_CONCURRENT_INTERVIEWS={} MAX_ACTIVE_SESSIONS_PER_USER={}", limits.max_concurrent, limits.max_per_user)
    };
    lines.push(match migrated.limits_before {
        Some(before) if before == limits => format!("limits as before: {}", shown(limits)),
        Some(before) => format!("limits: {} (before: {})", shown(limits), shown(before)),
        None => format!("limits: {}", shown(limits)),
    });
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_postgres_and_limits_that_differ_are_refused() {
        let rules = &super::super::settings::tests::rules(&[("MAX_CONCURRENT_INTERVIEWS", "7")]);
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

    #[test]
    fn what_was_done_is_told() {
        let limits = Limits { max_concurrent: 5, max_per_user: 1 };
        let first = Migrated { applied: vec!["V1__a".into()], limits_before: None, completed: 0 };
        let told = ["applied V1__a", "limits: MAX_CONCURRENT_INTERVIEWS=5 MAX_ACTIVE_SESSIONS_PER_USER=1"];
        assert_eq!(migrated(&first, limits), told);
        let before = Limits { max_per_user: 2, ..limits };
        let changed = Migrated { applied: vec![], limits_before: Some(before), completed: 3 };
        let told = migrated(&changed, limits);
        assert_eq!(told[..2], ["the schema is up to date", "completed expired sessions: 3"]);
        assert!(told[2].contains("USER=1 (before:") && told[2].ends_with("USER=2)"), "{}", told[2]);
        assert!(migrated(&changed, before)[2].starts_with("limits as before"));
    }
}
