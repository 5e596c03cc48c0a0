//! (being written)

use crate::settings::Settings;

/// Runs a node until it has drained.
///
/// # Errors
/// What kept it from starting.
pub async fn serve(_settings: Settings) -> anyhow::Result<()> {
    anyhow::bail!("(being written)")
}
