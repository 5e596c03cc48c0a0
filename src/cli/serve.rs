//! `convoke serve`: telemetry first, then the hub, until it has drained. All that it says goes through the log.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::app::{self, Config, FEATURES};
use crate::net::descriptors;
use crate::settings::{Faults, Settings, Source};
use crate::telemetry::{self, metrics::Metrics};

pub(super) fn serve(config: Config) -> anyhow::Result<ExitCode> {
    let settings = &config.settings;
    telemetry::init(&settings.telemetry.log_filter, settings.telemetry.json)?;
    let files = descriptors::raise();
    let connections = settings.limits.connections;
    if descriptors::for_clients(files) < connections {
        tracing::warn!(
            "MAX_CONNECTIONS is {connections}, but this process may open no more than {files} files: beyond that, connections are \
             refused; raise its hard limit (ulimit -Hn, LimitNOFILE)"
        );
    }
    for notice in config.notices() {
        tracing::warn!("{notice}");
    }
    Ok(run(config).map_or_else(
        |error| {
            tracing::error!(error = format!("{error:#}"), "the node ends");
            ExitCode::FAILURE
        },
        |()| ExitCode::SUCCESS,
    ))
}

/// Says what is wrong with the settings, a line for each, in the form that the log would have had.
pub(super) fn refuse(faults: &Faults, source: &Source) {
    if let Err(error) = telemetry::init("error", !source.is_development()) {
        return eprintln!("convoke: {error}\n{faults}");
    }
    for fault in &faults.0 {
        tracing::error!("{fault}");
    }
    tracing::error!(faults = faults.0.len(), "the node does not start with these settings");
}

fn run(config: Config) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no threads to run on")?;
    runtime.block_on(async {
        serve_metrics(&config.settings).await?;
        Ok(app::serve(config).await?)
    })
}

/// Metrics are there before the hub starts and until the process ends, so that start and drain can be watched too.
async fn serve_metrics(settings: &Settings) -> anyhow::Result<()> {
    let Some(port) = settings.telemetry.metrics_port else { return Ok(()) };
    let address = (settings.server.host, port);
    let listener =
        tokio::net::TcpListener::bind(address).await.with_context(|| format!("METRICS_PORT {port} cannot be opened"))?;
    tokio::spawn(Metrics::install(FEATURES.iter().flat_map(|feature| feature.metrics()))?.serve(listener));
    Ok(())
}
