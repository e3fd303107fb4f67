//! Processes, databases, records and callers.

mod caller;
mod command;
mod database;
mod records;
mod server;
mod small_disk;

use std::sync::LazyLock;

use astranetmon_domain::{Clock, SystemClock, Timestamp};
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};
use tokio::sync::{Mutex, MutexGuard};

pub(crate) use caller::{Answer, Caller, Wire};
pub(crate) use command::{astranetmon, succeeds};
pub(crate) use database::{Cluster, Database, Kind};
pub(crate) use records::{Key, Office, PASSWORD, fleet, record_id};
pub(crate) use server::Server;
pub(crate) use small_disk::SmallDisk;

/// What the one who runs the tests has set.
#[expect(clippy::disallowed_methods, reason = "the harness leaves no other way to tell a test something")]
pub(crate) fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// `reduced`, or `full` when all counts are asked for.
pub(crate) fn count(reduced: usize, full: usize) -> usize {
    if setting("ASTRANETMON_TEST_FULL").as_deref() == Some("1") { full } else { reduced }
}

/// A source of random numbers that no test repeats.
pub(crate) fn unforeseen() -> StdRng {
    StdRng::try_from_rng(&mut SysRng).expect("the operating system has random numbers")
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
