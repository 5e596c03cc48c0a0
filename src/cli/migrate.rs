//! `convoke migrate`: brings what the features keep in PostgreSQL up to date.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::app::Config;
use crate::store::Store;

pub(super) fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let store = Store::new(config.settings.store.as_ref().context("DATABASE_URL is not set")?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no thread to run on")?;
    for feature in &config.features {
        for line in runtime.block_on(feature.migrate(&store))? {
            println!("{line}");
        }
    }
    Ok(ExitCode::SUCCESS)
}
