//! Processes, databases, records and callers.

mod caller;
mod command;
mod database;
mod records;
mod server;

use std::sync::LazyLock;

use astranetmon_domain::{Clock, SystemClock, Timestamp};
use tokio::sync::{Mutex, MutexGuard};

pub(crate) use caller::{Answer, Caller, Wire};
pub(crate) use command::{astranetmon, succeeds};
pub(crate) use database::{Cluster, Database, Kind};
pub(crate) use records::{Key, Office, fleet, record_id};
pub(crate) use server::Server;

/// `reduced`, or `full` when all counts are asked for.
pub(crate) fn count(reduced: usize, full: usize) -> usize {
    let asked = std::env::var("ASTRANETMON_TEST_FULL").is_ok_and(|value| value == "1");
    if asked { full } else { reduced }
}

/// Held by a test that loads the machine or measures time.
pub(crate) async fn alone() -> MutexGuard<'static, ()> {
    static MACHINE: LazyLock<Mutex<()>> = LazyLock::new(|| Mutex::new(()));
    MACHINE.lock().await
}

/// The wall clock, as the service reads it.
pub(crate) fn now() -> Timestamp {
    SystemClock.now()
}
