//! What Telegraf measured, as line protocol, turned into records.
//!
//! [`MAPPINGS`] says which field of which input becomes what; `docs/ingest/telegraf.md` shows the same table. One metric
//! is one time: lines of one body with the same timestamp become one row, and rows of later bodies fill what is unknown.
//!
//! Rates need the counters before, and a sum over interfaces is right only if all of them are there, which a body that
//! was cut between two lines cannot tell. [`AgentMemory`] keeps both from body to body; where it is lost, as when the
//! server starts, rates are unknown once.

mod answer;
mod conversion;
mod device;
mod group;
mod line;
mod mapping;
mod ping;
#[cfg(test)]
mod tests;

pub use self::answer::{LinesAnswer, RefusedLine};
pub use self::conversion::{Conversion, PendingLines, RefusedBody, convert};
pub use self::mapping::{MAPPINGS, Mapping};

use self::group::GroupMemory;
use self::ping::LatencyTarget;

/// What is remembered of an agent from one body to the next. To be kept once what was converted with it is durable, and
/// not before: a body that is sent again must find the memory as it was.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AgentMemory {
    network: GroupMemory,
    disks: GroupMemory,
    sensors: GroupMemory,
    latency_target: Option<LatencyTarget>,
}

impl AgentMemory {
    /// About how many bytes it takes, for whoever bounds what many agents take.
    #[must_use]
    pub fn byte_count(&self) -> usize {
        let target = self.latency_target.as_ref().map_or(0, LatencyTarget::byte_count);
        [&self.network, &self.disks, &self.sensors].into_iter().map(GroupMemory::byte_count).sum::<usize>() + target
    }
}
