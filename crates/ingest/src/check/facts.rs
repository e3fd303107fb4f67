use astranetmon_domain::AgentFacts;

use super::{LARGEST, cleaned, count, required, whole};
use crate::batch::Refusal;
use crate::wire::{Facts, Heartbeat};

impl Facts {
    /// The facts as they are stored, with the interval that is sent beside them.
    ///
    /// # Errors
    /// [`Refusal`] with the first field that is wrong.
    pub fn check(self, interval_seconds: Option<u32>) -> Result<AgentFacts, Refusal> {
        if interval_seconds.is_some_and(|interval| !(1..=86_400).contains(&interval)) {
            return Err(Refusal::of("interval_seconds", "must be from 1 to 86400"));
        }
        let inside = |refusal: Refusal| refusal.inside("facts");
        let hostname = cleaned(self.hostname, 253);
        Ok(AgentFacts {
            hostname: required(hostname, "hostname", "send the host's name, such as \"web-1\"").map_err(inside)?,
            agent_version: self.agent_version,
            os: self.os,
            os_version: self.os_version,
            kernel_version: self.kernel_version,
            arch: self.arch,
            cpu_model: self.cpu_model,
            cpu_core_count: count(self.cpu_core_count, "cpu_core_count").map_err(inside)?,
            memory_total_bytes: whole(self.memory_total_bytes, "memory_total_bytes", &(0..=LARGEST)).map_err(inside)?,
            boot_time: self.boot_time,
            ip_addresses: self.ip_addresses.unwrap_or_default(),
            interval_seconds,
        }
        .normalized())
    }
}

impl Heartbeat {
    /// The numbers beside the facts, in range.
    ///
    /// # Errors
    /// [`Refusal`] with the first field that is wrong.
    pub fn check_numbers(&self) -> Result<(), Refusal> {
        if let Some(cost) = &self.cost {
            let inside = |refusal: Refusal| refusal.inside("cost");
            super::float(cost.cpu_percent, 2, "cpu_percent", &(0.0..=1_000_000.0)).map_err(inside)?;
            whole(cost.memory_bytes, "memory_bytes", &(0..=LARGEST)).map_err(inside)?;
        }
        if let Some(spool) = &self.spool {
            let inside = |refusal: Refusal| refusal.inside("spool");
            for (value, field) in [(spool.row_count, "row_count"), (spool.dropped_row_count, "dropped_row_count")] {
                whole(value.map(|count| i64::try_from(count).unwrap_or(i64::MAX)), field, &(0..=LARGEST))
                    .map_err(inside)?;
            }
        }
        Ok(())
    }
}
