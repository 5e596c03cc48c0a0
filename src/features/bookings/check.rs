//! The limits of interview sessions in PostgreSQL, and the keys of those who hold tokens, as an operator is told of them.

use tokio::time::timeout;

use super::settings::Settings;
use super::store::{BookingStore, Limits, Written};
use crate::feature::Finding;
use crate::feature::check::{PATIENCE, published_keys};
use crate::settings::Settings as Base;
use crate::store::Store;

pub(super) async fn findings(settings: &Settings, base: &Base) -> Vec<Finding> {
    let Some(store) = &base.store else { return Vec::new() };
    let mut findings = Vec::new();
    if let Ok(store) = Store::new(store) {
        // If PostgreSQL does not answer, the hub's own check of PostgreSQL says why.
        if let Ok(Ok(limits)) = timeout(PATIENCE, BookingStore::new(store).limits_if_prepared()).await {
            findings.push(judge(limits, settings.rules.limits()));
        }
    }
    findings.extend(published_keys("SESSIONS_JWKS_URL", &settings.identity).await);
    findings
}

fn judge(limits: Option<Limits>, ours: Limits) -> Finding {
    match limits {
        None => Finding::Note(format!("the first start will write these limits for all nodes: {}", shown(ours, ", "))),
        Some(limits) if limits == ours => Finding::Good(format!("limits of sessions: {}", shown(limits, ", "))),
        Some(limits) => Finding::Bad(format!(
            "no session would start: here {}, in PostgreSQL {}; `convoke migrate` writes those from here",
            shown(ours, ", "),
            shown(limits, ", ")
        )),
    }
}

/// What was written, for an operator in front of a terminal.
pub(super) fn written(Written { before, completed }: Written, limits: Limits) -> Vec<String> {
    let mut lines = Vec::new();
    if completed > 0 {
        lines.push(format!("completed expired sessions: {completed}"));
    }
    let now = shown(limits, " ");
    lines.push(match before {
        Some(before) if before == limits => format!("limits as before: {now}"),
        Some(before) => format!("limits: {now} (before: {})", shown(before, " ")),
        None => format!("limits: {now}"),
    });
    lines
}

fn shown(limits: Limits, between: &str) -> String {
    let Limits { max_concurrent, max_per_user } = limits;
    format!("MAX_CONCURRENT_INTERVIEWS={max_concurrent}{between}MAX_ACTIVE_SESSIONS_PER_USER={max_per_user}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits { max_concurrent: 7, max_per_user: 1 };

    #[test]
    fn limits_that_differ_are_refused() {
        assert!(matches!(judge(None, LIMITS), Finding::Note(_)));
        assert!(matches!(judge(Some(LIMITS), LIMITS), Finding::Good(_)));
        let other = Limits { max_concurrent: 8, ..LIMITS };
        assert!(matches!(judge(Some(other), LIMITS), Finding::Bad(text) if text.contains("=7,") && text.contains("=8,")));
    }

    #[test]
    fn what_was_written_is_told() {
        let first = Written { before: None, completed: 0 };
        assert_eq!(written(first, LIMITS), ["limits: MAX_CONCURRENT_INTERVIEWS=7 MAX_ACTIVE_SESSIONS_PER_USER=1"]);
        let before = Limits { max_per_user: 2, ..LIMITS };
        let changed = Written { before: Some(before), completed: 3 };
        let told = written(changed, LIMITS);
        assert_eq!(told[0], "completed expired sessions: 3");
        assert!(told[1].contains("USER=1 (before:") && told[1].ends_with("USER=2)"), "{}", told[1]);
        assert!(written(changed, before)[1].starts_with("limits as before"));
    }
}
