//! What the `astranetmon` binary does: parse configuration, wire the crates, serve; and the operator's commands.
//!
//! It is a library so that tests and benchmarks start the very same server: see [`server::start`].

mod alerting;
pub mod commands;
pub mod configuration;
pub mod demo;
mod failure;
mod log;
mod metrics_endpoint;
mod output;
mod private_file;
mod randomness;
pub mod retention;
pub mod server;
mod setup_link;
pub mod shutdown;
pub mod storage_choice;
mod timed_io;
pub mod tls;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use failure::Failure;
pub use output::OutputFormat;

/// Asks the system for pages of 4 KiB, as the binary does first of all. With pages of 2 MiB a process at rest holds 24 MB
/// instead of 8; 10,000 rows are read a tenth faster.
pub fn keep_small_pages() {
    // A system that does not know the wish does as it likes.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}

/// Runs one command line in the given environment: exit code 0, or 1 for a failure, or 2 for wrong usage, with one
/// sentence on standard error.
pub fn run(
    arguments: impl IntoIterator<Item = OsString>,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> ExitCode {
    let command_line = match commands::CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line,
        Err(error) => {
            // Help and version are "errors" of clap that end with 0; a closed pipe is nobody's fault.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    // Names and values that are not UTF-8 cannot be settings.
    let environment = environment
        .into_iter()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    // Not tokio's own: the server's workers need the system that actix keeps beside a runtime.
    match actix_web::rt::System::new().block_on(command_line.execute(environment)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("astranetmon: {failure}");
            failure.exit_code()
        }
    }
}
