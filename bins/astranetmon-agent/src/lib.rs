//! What the `astranetmon-agent` binary does: measures the machine it runs on, keeps what it cannot send, sends it in
//! order.
//!
//! It is a library so that tests start the very same agent: see [`agent::Agent`].

pub mod agent;
mod backoff;
pub mod commands;
pub mod configuration;
mod cost;
pub mod enrolment;
mod failure;
mod log;
mod measuring;
mod pace;
mod private_file;
mod schedule;
mod sending;
mod server;
mod shutdown;
pub mod spool;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

pub use failure::Failure;
pub use pace::Pace;

/// Runs one command line in the given environment: exit code 0, or 1 for a failure, or 2 for wrong usage, with one
/// sentence on standard error.
pub fn run(arguments: impl IntoIterator<Item = OsString>, environment: &commands::Environment) -> ExitCode {
    let command_line = match commands::CommandLine::try_parse_from(arguments) {
        Ok(command_line) => command_line,
        Err(error) => {
            // Help and version are "errors" of clap that end with 0; a closed pipe is nobody's fault.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(2));
        }
    };
    let done = runtime().and_then(|runtime| runtime.block_on(command_line.execute(environment)));
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            eprintln!("astranetmon-agent: {failure}");
            failure.exit_code()
        }
    }
}

/// One thread, and few more for what blocks: the disk, and names of hosts.
///
/// # Errors
/// A system that gives no more file descriptors.
pub fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(8)
        .thread_keep_alive(std::time::Duration::from_secs(2))
        .build()
        .map_err(|error| Failure::caused("the runtime cannot be started", &error))
}
