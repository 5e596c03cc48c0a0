//! Many candidates that talk at once on one node.

use crate::interviews_world::MANY_ADDRESSES;
use crate::support::booking::World;
use crate::support::hub::INTERNAL;
use crate::support::interviewees::{Plan, Report, missing, run};
use crate::support::vendors::Server;

/// Runs a crowd against one node, and says how many chunks are not in the stored audio, and how many scripts Redis ran.
async fn crowd(interviews: usize, chunks: usize) -> Option<(Report, usize, u64)> {
    let vendors = Server::start().await;
    let settings = vendors.settings();
    let mut env: Vec<_> = settings.iter().map(|(name, value)| (*name, value.as_str())).collect();
    env.extend([MANY_ADDRESSES, ("STT_SESSIONS_PER_MINUTE", "100000"), ("LOG_LEVEL", "info")]);
    let world = World::start(1, &env).await?;
    let plan = Plan { nodes: vec![world.hubs[0].address.to_string()], internal_token: INTERNAL.into(), interviews, chunks };
    let scripts = || {
        let info: String = world.redis.ask(redis::cmd("INFO").arg("commandstats"));
        let count = |line: &str| line.strip_prefix("cmdstat_evalsha:calls=")?.split(',').next()?.parse::<u64>().ok();
        info.lines().find_map(count).unwrap_or_default()
    };
    let before = scripts();
    let report = run(plan, &[world.hubs[0].pid()]).await.unwrap_or_else(|error| panic!("{error:#}"));
    let files = vendors.vendors.state().files.keys();
    let lost = |id: &str| {
        let key = files.iter().find(|key| key.contains(id) && key.ends_with("answer-1.wav"));
        let file = key.and_then(|key| vendors.vendors.state().files.get(key)).unwrap_or_default();
        missing(&file, chunks)
    };
    let lost = report.interviews.iter().map(|(id, _)| lost(id)).sum();
    Some((report, lost, scripts() - before))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_chunk_of_candidates_that_talk_at_once_is_lost() {
    let Some((report, lost, _)) = crowd(12, 12).await else { return };
    assert_eq!((report.acknowledged(), report.refused, lost), (12 * 12, 0, 0), "{report:?}");
    assert!(report.finals >= 12, "{report:?}");
}

/// Not a part of every run: it takes both cores for half a minute. `CONVOKE_CROWD` says how many candidates there are.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "a measurement"]
async fn two_hundred_candidates_talk_at_once() {
    const SECONDS: usize = 20;
    let count: usize = std::env::var("CONVOKE_CROWD").ok().and_then(|count| count.parse().ok()).unwrap_or(200);
    let Some((report, lost, scripts)) = crowd(count, SECONDS * 4).await else { return };
    let [before, after] = report.rss[0];
    println!("{} chunks, {} refused, {lost} lost, {} finals", report.acknowledged(), report.refused, report.finals);
    println!("latency {:?} ms", report.latency_ms);
    println!("all was acknowledged after {:.1} s, {scripts} scripts in all", report.seconds);
    println!("CPU: {:.2} ms for each second of audio", report.cpu_seconds[0] * 1e3 / SECONDS as f64 / count as f64);
    println!("memory: {} KiB before, {} KiB after", before / 1024, after / 1024);
    assert_eq!((report.acknowledged(), report.refused, lost), (count * SECONDS * 4, 0, 0));
}
