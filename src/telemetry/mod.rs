//! What the hub tells its operators: log lines, request ids that tie them together, and metrics.

pub mod metrics;
mod notices;
mod request_id;

pub use notices::due;
pub(crate) use notices::once_a_minute;
pub use request_id::RequestId;

use std::backtrace::BacktraceStatus;

use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::FmtSpan;

/// Why log lines cannot be written as asked.
#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the log filter cannot be read: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("another logger is installed already")]
    Installed,
}

/// Installs the logger of the process: JSON lines for machines, or text for people, on standard error; panics are lines of
/// it too. Standard output is left to what a command prints as its result.
///
/// # Errors
/// [`LogError`].
pub fn init(filter: &str, json: bool) -> Result<(), LogError> {
    let builder = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::try_new(filter)?)
        .with_span_events(FmtSpan::NONE)
        .with_writer(std::io::stderr);
    let outcome = if json { builder.json().flatten_event(true).try_init() } else { builder.compact().try_init() };
    outcome.map_err(|_| LogError::Installed)?;
    std::panic::set_hook(Box::new(|panic| {
        let message = panic.payload().downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.payload().downcast_ref::<&str>().copied()).unwrap_or("no message");
        let place = panic.location().map(ToString::to_string);
        let backtrace = std::backtrace::Backtrace::capture();
        let backtrace = (backtrace.status() == BacktraceStatus::Captured).then(|| backtrace.to_string());
        tracing::error!(place, backtrace, "panic: {message}");
    }));
    Ok(())
}
