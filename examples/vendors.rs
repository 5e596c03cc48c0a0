//! A stand-in for the outside vendors of live interviews: speech to text, AI, question audio and storage. `make run` starts it.
//!
//! ```sh
//! cargo run --example vendors -- --port 3190
//! curl -X POST localhost:3190/control -d '{"ai": "refusal"}'    # see tests/support/vendors/faults.rs
//! curl localhost:3190/seen
//! ```

#[path = "../tests/support/vendors/mod.rs"]
mod vendors;

use std::net::{IpAddr, Ipv4Addr};

use clap::Parser;

#[derive(Parser)]
struct Options {
    #[arg(long, default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    host: IpAddr,
    /// 0 takes a free one.
    #[arg(long, default_value_t = 3190)]
    port: u16,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let Options { host, port } = Options::parse();
    let server = vendors::Server::bind((host, port).into()).await?;
    for (name, value) in server.settings() {
        println!("{name}={value}");
    }
    tokio::signal::ctrl_c().await
}
