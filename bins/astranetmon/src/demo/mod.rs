//! The demonstration: a data directory, synthetic fleets and a server in one command.

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::{Failure, OutputFormat};

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

/// Runs the demonstration until it is told to stop.
///
/// # Errors
/// A folder that cannot be used, an address that is taken.
pub async fn run(options: DemoOptions) -> Result<(), Failure> {
    Err(Failure::failed(format!("the demonstration in {} is not part of this build", options.data.display())))
}
