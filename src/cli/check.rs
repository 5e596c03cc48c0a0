//! `convoke check`: tries what a node will need, and says in one line each what it found. The settings were read before.

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::time::timeout;

use crate::app::Config;
use crate::feature::Finding;
use crate::feature::check::PATIENCE;
use crate::livekit::LiveKit;
use crate::redis::{MasterReport, Redis, RedisConfig};
use crate::settings::Settings;
use crate::store::{Preflight, Store};

/// Sharded pub/sub came with Redis 7.
const LEAST_REDIS: u32 = 7;
/// The oldest that the tests run against.
const LEAST_POSTGRES: u32 = 15;

pub(super) fn check(config: &Config) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no thread to run on")?;
    let findings = runtime.block_on(findings(config));
    for finding in &findings {
        println!("{finding}");
    }
    let all_good = !findings.iter().any(|finding| matches!(finding, Finding::Bad(_)));
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn findings(config: &Config) -> Vec<Finding> {
    let Config { settings, features, .. } = config;
    let mut findings = vec![Finding::Good("settings".into())];
    findings.extend(config.notices().into_iter().map(Finding::Note));
    findings.extend(redis(settings).await);
    findings.extend(postgres(settings).await);
    findings.extend(livekit(settings).await);
    for feature in features {
        findings.extend(feature.check(settings).await);
    }
    findings
}

async fn redis(settings: &Settings) -> Vec<Finding> {
    let deadline = settings.redis.deadline.min(PATIENCE);
    let redis = match Redis::connect(RedisConfig { deadline, ..RedisConfig::new(settings.redis.url.expose()) }).await {
        Ok(redis) => redis,
        Err(error) => return vec![Finding::Bad(format!("Redis: {error}"))],
    };
    // An operator who waits in vain is told what stood in the way.
    let mut changes = redis.watch();
    let _ = timeout(deadline, async { while !redis.healthy() && changes.changed().await.is_ok() {} }).await;
    let mut findings: Vec<_> = redis.preflight().await.into_iter().flat_map(judge_redis).collect();
    if findings.is_empty() {
        let words = redis.refusals().words();
        let why = if words.is_empty() { "nobody says where the masters are".into() } else { words.join("; ") };
        findings.push(Finding::Bad(format!("Redis: {why}")));
    } else if !redis.healthy() && findings.iter().all(|finding| !matches!(finding, Finding::Bad(_))) {
        findings.push(Finding::Bad("Redis: some slots have no master".into()));
    }
    findings
}

/// One line if all is well, else one for each thing that is refused.
fn judge_redis(MasterReport { master, version, refused, notes }: MasterReport) -> Vec<Finding> {
    let mut findings: Vec<_> =
        refused.iter().map(|(what, words)| Finding::Bad(format!("Redis {master} refuses {what}: {words}"))).collect();
    if let Some(version) = &version {
        match judge_version(&master, version) {
            Finding::Good(_) if !findings.is_empty() => {}
            finding => findings.push(finding),
        }
    } else if findings.is_empty() {
        findings.push(judge_version(&master, "unknown"));
    }
    findings.extend(notes.into_iter().map(|note| Finding::Note(format!("Redis {master}: {note}"))));
    findings
}

fn judge_version(address: &str, version: &str) -> Finding {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= LEAST_REDIS => Finding::Good(format!("Redis {address}, version {version}")),
        _ => Finding::Bad(format!("Redis {address} has version {version}; at least {LEAST_REDIS} is needed")),
    }
}

async fn postgres(settings: &Settings) -> Vec<Finding> {
    let Some(settings) = &settings.store else { return Vec::new() };
    let store = match Store::new(settings) {
        Ok(store) => store,
        Err(error) => return vec![Finding::Bad(error.to_string())],
    };
    match timeout(PATIENCE, store.preflight()).await {
        Ok(Ok(preflight)) => judge_postgres(&preflight),
        Ok(Err(error)) => vec![Finding::Bad(error.to_string())],
        Err(_) => vec![Finding::Bad("PostgreSQL does not answer".into())],
    }
}

fn judge_postgres(Preflight { version, major, pending }: &Preflight) -> Vec<Finding> {
    if *major < LEAST_POSTGRES {
        return vec![Finding::Bad(format!("PostgreSQL has version {version}; at least {LEAST_POSTGRES} is needed"))];
    }
    let schema = match pending.as_slice() {
        [] => Finding::Good("the schema in PostgreSQL is up to date".into()),
        pending => Finding::Note(format!("migrations that a start or `convoke migrate` will run: {}", pending.join(", "))),
    };
    vec![Finding::Good(format!("PostgreSQL, version {version}")), schema]
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_redis_refuses_is_told_one_line_each_and_nothing_good_beside_it() {
        let refused = vec![("writes", "OOM command not allowed".to_owned()), ("WAIT", "NOPERM no".to_owned())];
        let (master, notes) = ("db:6379".to_owned(), vec!["x".to_owned()]);
        let report = MasterReport { master, version: Some("7.0.15".into()), refused, notes };
        let bad = |text: &str| Finding::Bad(format!("Redis db:6379 refuses {text}"));
        let note = Finding::Note("Redis db:6379: x".into());
        assert_eq!(judge_redis(report), [bad("writes: OOM command not allowed"), bad("WAIT: NOPERM no"), note]);
    }

    #[test]
    fn a_redis_without_sharded_pubsub_is_refused() {
        assert_eq!(judge_version("db:6379", "7.0.15"), Finding::Good("Redis db:6379, version 7.0.15".into()));
        for old in ["6.2.14", "unknown", ""] {
            assert!(matches!(judge_version("db:6379", old), Finding::Bad(_)), "{old}");
        }
    }
    #[test]
    fn an_old_postgres_is_refused() {
        let preflight = Preflight { version: "15.1".into(), major: 15, pending: vec!["V2__b".into()] };
        assert!(
            matches!(judge_postgres(&preflight).as_slice(), [Finding::Good(_), Finding::Note(text)] if text.ends_with("V2__b"))
        );
        let old = Preflight { version: "14.9".into(), major: 14, ..preflight };
        assert!(matches!(judge_postgres(&old).as_slice(), [Finding::Bad(_)]));
    }
}
