//! `convoke check`: tries what a node will need, and says in one line each what it found. The settings were read before.

mod booking;

use std::fmt;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context as _;

use crate::auth::{FetchError, SosVerifier};
use crate::redis::{self, MasterInfo, Redis, RedisConfig, RedisError, keys};
use crate::settings::Settings;
use crate::sos_service::SosService;

/// Sharded pub/sub came with Redis 7.
const LEAST_REDIS: u32 = 7;
/// Someone waits in front of a terminal.
const PATIENCE: Duration = Duration::from_secs(5);

/// One thing that was tried.
#[derive(Debug, PartialEq, Eq)]
enum Finding {
    Good(String),
    /// Off or risky, but nothing is broken.
    Note(String),
    Bad(String),
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(text) => write!(f, "ok    {text}"),
            Self::Note(text) => write!(f, "note  {text}"),
            Self::Bad(text) => write!(f, "BAD   {text}"),
        }
    }
}

pub(super) fn check(settings: &Settings) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no thread to run on")?;
    let findings = runtime.block_on(findings(settings));
    for finding in &findings {
        println!("{finding}");
    }
    let all_good = !findings.iter().any(|finding| matches!(finding, Finding::Bad(_)));
    Ok(if all_good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn findings(settings: &Settings) -> Vec<Finding> {
    let mut findings = vec![Finding::Good("settings".into())];
    findings.extend(settings.notices().into_iter().map(|notice| Finding::Note(notice.into())));
    findings.extend(redis(settings).await);
    findings.extend(published_keys(settings).await);
    findings.extend(sos_service(settings).await);
    findings.extend(booking::findings(settings).await);
    findings
}

async fn redis(settings: &Settings) -> Vec<Finding> {
    let deadline = settings.redis.deadline.min(PATIENCE);
    let config = RedisConfig { lazy: false, deadline, ..RedisConfig::new(settings.redis.url.expose()) };
    let redis = match Redis::connect(config).await {
        Ok(redis) => redis,
        Err(error) => return vec![Finding::Bad(format!("Redis: {error}"))],
    };
    let mut findings = Vec::new();
    for master in redis.masters() {
        findings.push(version(&redis, &master).await.map_or_else(
            |error| Finding::Bad(format!("Redis {}: {error}", master.address)),
            |version| judge_version(&master.address, &version),
        ));
    }
    if !redis.healthy() && findings.iter().all(|finding| matches!(finding, Finding::Good(_))) {
        findings.push(Finding::Bad("Redis: some slots have no master".into()));
    }
    findings
}

/// `INFO server` of one master. The key only says where to ask.
async fn version(redis: &Redis, master: &MasterInfo) -> Result<String, RedisError> {
    let mut info = redis::cmd("INFO");
    info.arg("server");
    let answer = redis.command_idempotent(info, &keys::tag_in_slot(master.slot)).await?;
    let text = match &answer {
        redis::Value::BulkString(bytes) => String::from_utf8_lossy(bytes),
        redis::Value::VerbatimString { text, .. } | redis::Value::SimpleString(text) => text.as_str().into(),
        _ => "".into(),
    };
    let version = text.lines().find_map(|line| line.strip_prefix("redis_version:"));
    Ok(version.unwrap_or("unknown").trim().to_owned())
}

fn judge_version(address: &str, version: &str) -> Finding {
    let major = version.split('.').next().and_then(|major| major.parse::<u32>().ok());
    match major {
        Some(major) if major >= LEAST_REDIS => Finding::Good(format!("Redis {address}, version {version}")),
        _ => Finding::Bad(format!("Redis {address} has version {version}; at least {LEAST_REDIS} is needed")),
    }
}

async fn published_keys(settings: &Settings) -> Option<Finding> {
    let url = settings.sos.identity.jwks_url.as_deref()?;
    let verifier = match SosVerifier::from_settings(settings) {
        Ok(verifier) => verifier,
        Err(error) => return Some(Finding::Bad(error.to_string())),
    };
    Some(judge_keys("SOS_JWKS_URL", url, verifier.fetch_published_keys().await?))
}

fn judge_keys(setting: &str, url: &str, fetched: Result<usize, FetchError>) -> Finding {
    match fetched {
        Ok(0) => Finding::Bad(format!("{setting} {url} holds no RS256 or ES256 key")),
        Ok(keys) => Finding::Good(format!("{setting} {url}, keys: {keys}")),
        Err(error) => Finding::Bad(format!("{setting} {url}: {:#}", anyhow::Error::from(error))),
    }
}

async fn sos_service(settings: &Settings) -> Option<Finding> {
    let url = settings.sos.service_url.as_deref()?;
    let service = match SosService::from_settings(settings) {
        Ok(service) => service?,
        Err(error) => return Some(Finding::Bad(error.to_string())),
    };
    Some(match service.reach().await {
        Ok(()) => Finding::Good(format!("SOS service {url}")),
        Err(error) => Finding::Bad(format!("SOS service {url}: {:#}", anyhow::Error::from(error))),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_redis_without_sharded_pubsub_is_refused() {
        assert_eq!(judge_version("db:6379", "7.0.15"), Finding::Good("Redis db:6379, version 7.0.15".into()));
        for old in ["6.2.14", "unknown", ""] {
            assert!(matches!(judge_version("db:6379", old), Finding::Bad(_)), "{old}");
        }
    }
}
