//! The demonstration: a data directory, synthetic fleets and a server in one command.

mod accounts;
mod fleet;
mod folder;
mod history;
mod live;
mod metrics;
mod noise;
mod owners;
mod run;
mod schedule;
mod speedtests;
#[cfg(test)]
mod tests;
mod traceroutes;

pub use run::run;

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::OutputFormat;

/// What the demonstration may be told.
#[derive(Clone, Debug)]
pub struct DemoOptions {
    /// Where it serves.
    pub listen: SocketAddr,
    /// Its data directory.
    pub data: PathBuf,
    /// How it says what it serves.
    pub format: OutputFormat,
    /// Decides the synthetic history.
    pub seed: u64,
}
