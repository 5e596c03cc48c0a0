//! `convoke migrate`: brings the schema in PostgreSQL up to date, and what the features keep there beside it.

use std::process::ExitCode;

use anyhow::Context as _;

use crate::app::Config;
use crate::store::Store;

pub(super) fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let store = Store::new(config.settings.store.as_ref().context("DATABASE_URL is not set")?)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("no thread to run on")?;
    runtime.block_on(async {
        let mut schema = store.schema().await?;
        let applied = schema.apply().await?;
        for name in &applied {
            println!("applied {name}");
        }
        if applied.is_empty() {
            println!("the schema is up to date");
        }
        for feature in &config.features {
            for line in feature.migrate(&schema).await? {
                println!("{line}");
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
