use std::cell::RefCell;
use std::time::Duration;

use astranetmon_collect::HostCollector;
use astranetmon_domain::{AgentFacts, AgentId, Clock, Timestamp};
use astranetmon_ingest::{Facts, Heartbeat, HeartbeatAnswer, Secret, Spool as SpoolReport};
use tokio::time::Instant;

use super::Trouble;
use crate::cost::CostMeter;
use crate::server::Server;
use crate::spool::Spool;

/// Says that the agent is there: what its host is, what waits, and what the agent takes.
pub(crate) struct Heart<'a> {
    agent_id: AgentId,
    collector: &'a RefCell<HostCollector>,
    interval_seconds: u32,
    every: Duration,
    due: Instant,
    cost: CostMeter,
    facts: Option<(Instant, AgentFacts)>,
    /// Whether the operator was told that the clocks differ.
    clock_said: bool,
}

/// Facts change seldom, addresses foremost.
const FACTS_LIVE: Duration = Duration::from_secs(600);
/// The server refuses rows that are more than ten minutes ahead of its clock.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(300);

impl<'a> Heart<'a> {
    pub(crate) fn new(
        agent_id: AgentId,
        collector: &'a RefCell<HostCollector>,
        interval_seconds: u32,
        every: Duration,
    ) -> Self {
        Self {
            agent_id,
            collector,
            interval_seconds,
            every,
            due: Instant::now(),
            cost: CostMeter::new(),
            facts: None,
            clock_said: false,
        }
    }

    /// When the next heartbeat is to be sent.
    pub(crate) const fn due(&self) -> Instant {
        self.due
    }

    /// Sends one.
    pub(crate) async fn beat(
        &mut self,
        server: &Server,
        token: &Secret,
        spool: &RefCell<Spool>,
        clock: &dyn Clock,
    ) -> Result<(), Trouble> {
        let now = clock.now();
        let heartbeat = Heartbeat {
            facts: Some(Facts::from(&self.facts())),
            interval_seconds: Some(self.interval_seconds),
            spool: Some(report(&mut spool.borrow_mut())?),
            cost: Some(self.cost.look()),
            sent_at: Some(now),
        };
        let body = serde_json::to_vec(&heartbeat).map_err(std::io::Error::other)?;
        let reply = server.post("/ingest/v1/heartbeat", Some(token), body, true, now).await;
        let reply = reply.map_err(Trouble::NoAnswer)?;
        match reply.status {
            200 => {}
            401 => return Err(Trouble::Unauthorized(reply.complaint())),
            _ => return Err(Trouble::Busy { complaint: reply.complaint(), retry_after: reply.retry_after }),
        }
        let answer: HeartbeatAnswer = serde_json::from_slice(&reply.body).map_err(|_| {
            Trouble::NoAnswer(format!("{} answered 200 with something else than an answer", server.url()))
        })?;
        self.due = Instant::now() + self.every;
        self.compare_clocks(&answer, clock.now());
        if answer.agent_id != self.agent_id.as_str() {
            tracing::warn!(agent_id = %self.agent_id, "the server knows this token's agent by another id");
        }
        Ok(())
    }

    fn facts(&mut self) -> AgentFacts {
        match &self.facts {
            Some((at, facts)) if at.elapsed() < FACTS_LIVE => facts.clone(),
            _ => {
                let facts = self.collector.borrow_mut().facts();
                self.facts = Some((Instant::now(), facts.clone()));
                facts
            }
        }
    }

    fn compare_clocks(&mut self, answer: &HeartbeatAnswer, now: Timestamp) {
        let Ok(server) = astranetmon_domain::parse_moment(&answer.server_time, now) else { return };
        let ahead = now.as_micros() - server.as_micros();
        let differ = ahead.unsigned_abs() > u64::try_from(CLOCK_TOLERANCE.as_micros()).unwrap_or(u64::MAX);
        if differ && !self.clock_said {
            let seconds = ahead / 1_000_000;
            tracing::warn!(
                seconds,
                "this machine's clock is ahead of the server's (behind, if negative): set it, or rows will be refused or stand at a wrong time"
            );
        }
        self.clock_said = differ;
    }
}

fn report(spool: &mut Spool) -> std::io::Result<SpoolReport> {
    let counts = spool.counts();
    Ok(SpoolReport {
        row_count: Some(counts.waiting),
        oldest_timestamp: spool.oldest_timestamp()?,
        dropped_row_count: Some(counts.dropped),
    })
}
