//! A crowd for a hub that runs already: incidents with one citizen and some rescuers each.
//!
//! ```sh
//! cargo run --release --example load -- --node 127.0.0.1:3001 --node 127.0.0.1:3002 --incidents 1000 --rescuers 4 --rate 5 --seconds 30 --secret …
//! ```

use std::time::Duration;

use clap::Parser;

#[path = "../tests/support/load.rs"]
mod load;

#[derive(Parser)]
struct Options {
    /// A hub node, `host:port`; several are used in turn.
    #[arg(long, required = true)]
    node: Vec<String>,
    #[arg(long, default_value_t = 1_000)]
    incidents: usize,
    /// Rescuers an incident.
    #[arg(long, default_value_t = 4)]
    rescuers: usize,
    /// Updates a second and citizen.
    #[arg(long, default_value_t = 5.0)]
    rate: f64,
    #[arg(long, default_value_t = 30)]
    seconds: u64,
    /// The hub's JWT_SECRET.
    #[arg(long)]
    secret: String,
    /// Processes of the hub and its Redis: their CPU time is told by delivery.
    #[arg(long)]
    pid: Vec<u32>,
    #[arg(long, default_value = "load-")]
    prefix: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let plan = load::Plan {
        nodes: options.node,
        secret: options.secret,
        incidents: options.incidents,
        rescuers: options.rescuers,
        rate: options.rate,
        time: Duration::from_secs(options.seconds),
        prefix: options.prefix,
    };
    let (report, cpu) = load::run_measured(plan, &options.pid).await?;
    println!("{report:#?}");
    for (pid, seconds) in options.pid.iter().zip(&cpu) {
        println!("process {pid}: {seconds:.2} s of CPU, {:.2} us a delivery", seconds * 1e6 / report.received as f64);
    }
    println!("together: {:.2} us of CPU a delivery", cpu.iter().sum::<f64>() * 1e6 / report.received as f64);
    anyhow::ensure!(report.is_clean(), "the hub broke its promise");
    Ok(())
}
