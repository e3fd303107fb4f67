use std::io::{self, IsTerminal};

use tracing_subscriber::filter::LevelFilter;

use crate::Failure;
use crate::configuration::{LogFormat, Settings};

/// Sends log lines to standard error.
pub(crate) fn start(settings: &Settings) -> Result<(), Failure> {
    let level = LevelFilter::from_level(settings.log_level);
    let lines = tracing_subscriber::fmt().with_max_level(level).with_writer(io::stderr);
    let started = match settings.log_format {
        LogFormat::Text => lines.with_ansi(io::stderr().is_terminal()).with_target(false).try_init(),
        LogFormat::Json => lines.json().flatten_event(true).try_init(),
    };
    started.map_err(|error| Failure::caused("the log cannot be started", error.as_ref()))
}
