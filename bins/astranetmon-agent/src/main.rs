//! The AstraNetmon agent: everything it does is in the library beside it.

use std::process::ExitCode;

use astranetmon_agent::commands::Environment;

#[expect(clippy::disallowed_methods, reason = "the one place that reads the process environment")]
fn main() -> ExitCode {
    let environment = Environment {
        state_directory: std::env::var_os("STATE_DIRECTORY").map(Into::into),
        enrolment_token: std::env::var_os("ASTRANETMON_ENROLMENT_TOKEN"),
    };
    astranetmon_agent::run(std::env::args_os(), &environment)
}
