//! The fleets go on reporting while the demonstration runs, and this machine with them.

use std::sync::Arc;
use std::time::Duration;

use astranetmon_auth::{Ingest, Scope};
use astranetmon_collect::HostCollector;
use astranetmon_domain::{AccountId, AgentId, Clock, Timestamp};
use astranetmon_storage::{NewAgent, Storage, StorageError};
use tokio::sync::watch;

use super::accounts::REASON;
use super::fleet::SyntheticAgent;
use super::schedule::Cadence;
use crate::Failure;

/// Seconds between samples of this machine.
pub(super) const HOST_SECONDS: u32 = 5;

/// The agents of one account.
#[derive(Clone, Debug)]
pub(super) struct Fleet {
    pub(super) account: AccountId,
    pub(super) agents: Vec<SyntheticAgent>,
}

impl Fleet {
    pub(super) const fn scope(&self) -> Scope<Ingest> {
        Scope::system(self.account, REASON)
    }
}

/// One synthetic agent at work.
struct Reporter {
    scope: Scope<Ingest>,
    agent: SyntheticAgent,
    next_metric: Timestamp,
    next_speedtest: Timestamp,
    next_traceroute: Timestamp,
    /// Nothing was reported before, so nothing is known of rates.
    starting: bool,
    boot_time: Timestamp,
}

impl Reporter {
    /// Goes on from `from`; `starting` if the agent did not report right before.
    fn new(scope: Scope<Ingest>, agent: SyntheticAgent, from: Timestamp, starting: bool) -> Self {
        Self {
            scope,
            next_metric: agent.metric_cadence().at_or_after(from),
            next_speedtest: agent.speedtest_cadence().at_or_after(from),
            next_traceroute: agent.traceroute_cadence().at_or_after(from),
            starting,
            boot_time: agent.boot_time(from),
            agent,
        }
    }

    fn next(&self) -> Timestamp {
        self.next_metric.min(self.next_speedtest).min(self.next_traceroute)
    }

    /// Reports everything that is due at `now`.
    async fn report(&mut self, storage: &dyn Storage, now: Timestamp) -> Result<(), StorageError> {
        let longest_gap = 3 * self.agent.metric_cadence().period_micros();
        if now.as_micros() - self.next_metric.as_micros() > longest_gap {
            // The machine slept: an agent on it would not have measured either.
            *self = Self::new(self.scope.clone(), self.agent.clone(), now, true);
        }
        while self.next_metric <= now {
            let at = advance(&mut self.next_metric, self.agent.metric_cadence());
            self.report_metric(storage, at, now).await?;
        }
        while self.next_speedtest <= now {
            let at = advance(&mut self.next_speedtest, self.agent.speedtest_cadence());
            if let Some(speedtest) = self.agent.speedtest_at(at) {
                storage.speedtest_append(&self.scope, vec![speedtest], now).await?;
            }
        }
        while self.next_traceroute <= now {
            let at = advance(&mut self.next_traceroute, self.agent.traceroute_cadence());
            let traceroutes = self.agent.traceroutes_at(at);
            if !traceroutes.is_empty() {
                storage.traceroute_append(&self.scope, traceroutes, now).await?;
            }
        }
        Ok(())
    }

    async fn report_metric(
        &mut self,
        storage: &dyn Storage,
        at: Timestamp,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let sample = if self.starting { self.agent.first_metric_at(at) } else { self.agent.metric_at(at) };
        let Some(sample) = sample else { return Ok(()) };
        self.starting = false;
        let boot_time = self.agent.boot_time(at);
        if boot_time != self.boot_time {
            storage.agent_upsert(&self.scope, &self.agent.new_agent(at), now).await?;
            self.boot_time = boot_time;
        }
        storage.metric_append(&self.scope, vec![sample], now).await?;
        storage.agent_seen(&self.scope, &self.agent.id, at).await
    }
}

const fn advance(next: &mut Timestamp, cadence: Cadence) -> Timestamp {
    let at = *next;
    *next = cadence.after(at);
    at
}

/// Reports for the fleets from `from` on until `stop` turns true. `starting` if they did not report right before it.
pub(super) async fn report_fleets(
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    fleets: Vec<Fleet>,
    from: Timestamp,
    starting: bool,
    mut stop: watch::Receiver<bool>,
) {
    let mut reporters: Vec<_> = fleets
        .into_iter()
        .flat_map(|fleet| {
            let scope = fleet.scope();
            fleet.agents.into_iter().map(move |agent| Reporter::new(scope.clone(), agent, from, starting))
        })
        .collect();
    loop {
        let Some(next) = reporters.iter().map(Reporter::next).min() else { return };
        // At least a moment, so that a failing storage is not asked without pause; at most a minute, since the clock
        // may be set.
        let wait = (next.as_micros() - clock.now().as_micros()).clamp(50_000, 60_000_000);
        if stopped_within(&mut stop, Duration::from_micros(wait.unsigned_abs())).await {
            return;
        }
        let now = clock.now();
        for reporter in reporters.iter_mut().filter(|reporter| reporter.next() <= now) {
            if let Err(error) = reporter.report(storage.as_ref(), now).await {
                tracing::warn!(agent = %reporter.agent.id, error = %error, "a synthetic agent could not report");
            }
        }
    }
}

/// The agent that is this machine.
pub(super) struct HostReporter {
    scope: Scope<Ingest>,
    id: AgentId,
    collector: HostCollector,
}

impl HostReporter {
    /// Adds this machine to the account.
    pub(super) async fn new(storage: &dyn Storage, account: AccountId, now: Timestamp) -> Result<Self, Failure> {
        let id = AgentId::parse("this-machine").map_err(|error| Failure::caused("this machine's id", &error))?;
        let (scope, mut collector) = (Scope::system(account, REASON), HostCollector::new(HOST_SECONDS));
        let labels = [("role", "demo"), ("site", "here")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let agent =
            NewAgent { id: id.clone(), facts: collector.facts(), name: None, public_ip: None, labels: labels.into() };
        storage.agent_upsert(&scope, &agent, now).await?;
        Ok(Self { scope, id, collector })
    }

    /// Reports every [`HOST_SECONDS`] until `stop` turns true.
    pub(super) async fn run(self, storage: Arc<dyn Storage>, clock: Arc<dyn Clock>, mut stop: watch::Receiver<bool>) {
        let Self { scope, id, mut collector } = self;
        loop {
            let (now, agent_id) = (clock.now(), id.clone());
            // Its reads block.
            let sampled = tokio::task::spawn_blocking(move || {
                let sample = collector.sample(&agent_id, now);
                (collector, sample)
            });
            let Ok((returned, sample)) = sampled.await else { return };
            collector = returned;
            let stored = async {
                storage.metric_append(&scope, vec![sample], clock.now()).await?;
                storage.agent_seen(&scope, &id, now).await
            };
            if let Err(error) = stored.await {
                tracing::warn!(agent = %id, error = %error, "this machine could not report");
            }
            if stopped_within(&mut stop, Duration::from_secs(HOST_SECONDS.into())).await {
                return;
            }
        }
    }
}

/// Waits for `span`; whether it was told to stop, or nobody is left who could tell.
async fn stopped_within(stop: &mut watch::Receiver<bool>, span: Duration) -> bool {
    tokio::time::timeout(span, stop.wait_for(|&stopped| stopped)).await.is_ok()
}
