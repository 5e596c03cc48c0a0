//! `convoke migrate`: brings the schema in PostgreSQL up to date, and makes the limits of the settings those of all nodes.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::features::bookings::store::{BookingStore, Limits, Migrated};
use crate::settings::Settings;
use crate::store::Store;

pub(super) fn migrate(settings: &Settings) -> anyhow::Result<ExitCode> {
    let given = settings.store.as_ref().context("DATABASE_URL is not set")?;
    let rules = &settings.sessions.rules;
    let limits = Limits { max_concurrent: rules.max_concurrent, max_per_user: rules.max_per_user };
    let store = BookingStore::new(Store::new(given)?);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no thread to run on")?;
    let migrated = runtime.block_on(store.migrate(limits))?;
    for line in lines(&migrated, limits) {
        println!("{line}");
    }
    Ok(ExitCode::SUCCESS)
}

/// What was done, for whoever waits in front of a terminal.
fn lines(migrated: &Migrated, limits: Limits) -> Vec<String> {
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
    fn what_was_done_is_told() {
        let limits = Limits { max_concurrent: 5, max_per_user: 1 };
        let first = Migrated { applied: vec!["V1__a".into()], limits_before: None, completed: 0 };
        let told = ["applied V1__a", "limits: MAX_CONCURRENT_INTERVIEWS=5 MAX_ACTIVE_SESSIONS_PER_USER=1"];
        assert_eq!(lines(&first, limits), told);
        let before = Limits { max_per_user: 2, ..limits };
        let changed = Migrated { applied: vec![], limits_before: Some(before), completed: 3 };
        let told = lines(&changed, limits);
        assert_eq!(told[..2], ["the schema is up to date", "completed expired sessions: 3"]);
        assert!(told[2].contains("USER=1 (before:") && told[2].ends_with("USER=2)"), "{}", told[2]);
        assert!(lines(&changed, before)[2].starts_with("limits as before"));
    }
}
