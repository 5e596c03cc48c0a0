use crate::settings::Settings;
use std::process::ExitCode;
pub(super) fn check(_settings: &Settings) -> anyhow::Result<ExitCode> {
    todo!()
}
