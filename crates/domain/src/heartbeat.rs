use crate::{AgentFacts, AgentId, Timestamp, round_to};

/// What an agent says of itself now and then.
#[derive(Clone, Debug, PartialEq)]
pub struct Heartbeat {
    /// Who says it.
    pub agent_id: AgentId,
    /// Of its host, with the seconds between metric samples.
    pub facts: AgentFacts,
    /// The address it reports from, as the server saw it.
    pub public_ip: Option<String>,
    /// Rows that wait on its disk.
    pub spool_row_count: Option<u64>,
    /// Time of the oldest row that waits.
    pub spool_oldest_at: Option<Timestamp>,
    /// Rows that it gave up since its spool was made, since there was no room.
    pub dropped_row_count: Option<u64>,
    /// What it takes of one processor core; 100 is all of it.
    pub cost_cpu_percent: Option<f64>,
    /// What it takes of memory.
    pub cost_memory_bytes: Option<u64>,
    /// When it said so, by its own clock.
    pub sent_at: Option<Timestamp>,
}

/// An agent's last [`Heartbeat`], apart from the facts of its host.
#[derive(Clone, Debug, PartialEq)]
pub struct HealthReport {
    /// When it came, by the server's clock.
    pub heartbeat_at: Timestamp,
    /// Rows that wait on the agent's disk.
    pub spool_row_count: Option<u64>,
    /// Time of the oldest row that waits.
    pub spool_oldest_at: Option<Timestamp>,
    /// Rows that the agent gave up since its spool was made, since there was no room.
    pub dropped_row_count: Option<u64>,
    /// What the agent takes of one processor core; 100 is all of it.
    pub cost_cpu_percent: Option<f64>,
    /// What the agent takes of memory.
    pub cost_memory_bytes: Option<u64>,
    /// How far the agent's clock is ahead of the server's; the way of the message is in it. Negative: behind.
    pub clock_offset_ms: Option<i64>,
}

impl Heartbeat {
    /// What is kept of it if it came at `now`.
    #[must_use]
    pub fn report(&self, now: Timestamp) -> HealthReport {
        HealthReport {
            heartbeat_at: now,
            spool_row_count: self.spool_row_count,
            spool_oldest_at: self.spool_oldest_at,
            dropped_row_count: self.dropped_row_count,
            cost_cpu_percent: self.cost_cpu_percent.and_then(|percent| round_to(percent, 2)),
            cost_memory_bytes: self.cost_memory_bytes,
            clock_offset_ms: self.sent_at.map(|sent_at| (sent_at.as_micros() - now.as_micros()) / 1_000),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_ahead_has_a_positive_offset() {
        let now = Timestamp::from_seconds(1_000);
        for (sent_at, offset) in [(None, None), (Some(1_002), Some(2_000)), (Some(990), Some(-10_000))] {
            let heartbeat = Heartbeat {
                agent_id: AgentId::parse("a").expect("an id"),
                facts: AgentFacts::default(),
                public_ip: None,
                spool_row_count: Some(3),
                spool_oldest_at: None,
                dropped_row_count: None,
                cost_cpu_percent: Some(0.123),
                cost_memory_bytes: Some(1 << 24),
                sent_at: sent_at.map(Timestamp::from_seconds),
            };
            let report = heartbeat.report(now);
            assert_eq!((report.clock_offset_ms, report.cost_cpu_percent), (offset, Some(0.12)));
        }
    }
}
