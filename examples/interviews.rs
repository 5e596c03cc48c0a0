//! Candidates for a hub that runs already, all talking at once: four chunks of audio a second each.
//!
//! ```sh
//! cargo run --release --example interviews -- --node 127.0.0.1:3001 --interviews 200 --seconds 30 --internal-token … --pid … --folder …
//! ```
//!
//! With the folder in which the hub stores audio (`AUDIO_STORAGE_URL=file:///…`), it looks whether every chunk is there.

use std::path::{Path, PathBuf};

use clap::Parser;

#[path = "../tests/support/interviewees.rs"]
mod interviewees;

#[derive(Parser)]
struct Options {
    /// A hub node, `host:port`; several are used in turn.
    #[arg(long, required = true)]
    node: Vec<String>,
    #[arg(long, default_value_t = 200)]
    interviews: usize,
    /// How long each candidate talks.
    #[arg(long, default_value_t = 30)]
    seconds: usize,
    /// The hub's INTERNAL_AUTH_TOKEN.
    #[arg(long)]
    internal_token: String,
    /// Processes whose CPU time and memory are told.
    #[arg(long)]
    pid: Vec<u32>,
    /// Where the hub stores audio.
    #[arg(long)]
    folder: Option<PathBuf>,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let chunks = options.seconds * 4;
    let plan = interviewees::Plan {
        nodes: options.node,
        internal_token: options.internal_token,
        interviews: options.interviews,
        chunks,
    };
    let report = interviewees::run(plan, &options.pid).await?;
    let count = options.interviews as f64;
    println!("{} chunks acknowledged, {} refused, {} final texts", report.acknowledged(), report.refused, report.finals);
    println!("all was acknowledged after {:.1} s", report.seconds);
    println!("acknowledged within {:.1} ms (median), {:.1} ms (99 %)", report.latency_ms[0], report.latency_ms[1]);
    for (at, pid) in options.pid.iter().enumerate() {
        let [before, after] = report.rss[at];
        println!(
            "process {pid}: {:.2} ms of CPU for each second of audio; {} KiB before, {} KiB after, {:.0} KiB an interview",
            report.cpu_seconds[at] * 1e3 / options.seconds as f64 / count,
            before / 1024,
            after / 1024,
            after.saturating_sub(before) as f64 / 1024.0 / count,
        );
    }
    if let Some(folder) = &options.folder {
        let lost: usize = report.interviews.iter().map(|(id, _)| lost(folder, id, chunks)).sum();
        println!("{lost} chunks are not in the stored audio");
        anyhow::ensure!(lost == 0, "the hub broke its promise");
    }
    anyhow::ensure!(report.refused == 0, "chunks were refused");
    Ok(())
}

/// Chunks of an interview's first answer that are not stored.
fn lost(folder: &Path, id: &str, chunks: usize) -> usize {
    let file = std::fs::read(folder.join(format!("interviews/{id}/answer-1.wav"))).unwrap_or_default();
    interviewees::missing(&file, chunks)
}
