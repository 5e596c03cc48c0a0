//! The `convoke` binary: settings, telemetry, the hub, a signal, drain. `cli` tells the story, `app` holds the parts.

use std::process::ExitCode;

use convoke::{auth, cli};

#[global_allocator]
static ALLOC: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    auth::install_crypto_provider();
    cli::run(std::env::args_os())
}
