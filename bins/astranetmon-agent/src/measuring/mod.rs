//! Measuring, and putting what was measured into the spool.

mod figures;
mod latency;
mod metrics;
mod row;
mod speedtest;
mod traceroute;

use std::cell::RefCell;
use std::path::Path;

use astranetmon_collect::HostCollector;
use astranetmon_domain::{AgentId, Clock, Timestamp};
use rand::Rng;
use rand::rngs::StdRng;
use tokio::sync::{Notify, RwLock};
use uuid::Uuid;

use self::metrics::MetricMeasurer;
use self::speedtest::SpeedtestMeasurer;
use self::traceroute::TracerouteMeasurer;
use crate::Failure;
use crate::configuration::Settings;
use crate::enrolment::Enrolment;
use crate::pace::Pace;
use crate::schedule::Schedule;
use crate::spool::{Row, Spool};

/// What measurers share.
pub(crate) struct Workplace<'a> {
    pub(crate) agent_id: AgentId,
    pub(crate) clock: &'a dyn Clock,
    pub(crate) spool: &'a RefCell<Spool>,
    /// Told when rows were added.
    pub(crate) more: &'a Notify,
    /// The network line: a speed test has it alone, since what is measured beside it would be measured under load.
    pub(crate) line: RwLock<()>,
    pub(crate) rng: RefCell<StdRng>,
}

impl Workplace<'_> {
    /// Puts rows into the spool, makes them durable, and wakes the sender. What the disk refuses is said and counted.
    async fn keep(&self, rows: &[Row]) {
        let flush = {
            let mut spool = self.spool.borrow_mut();
            for row in rows {
                let (kind, measured_at) = (row.kind.plural(), row.timestamp);
                match spool.append(row) {
                    Ok(()) => tracing::debug!(kind, %measured_at, "kept"),
                    Err(error) => tracing::error!(kind, "a row is lost, the spool does not take it: {error}"),
                }
            }
            spool.flush()
        };
        self.more.notify_one();
        let flushed = match flush {
            Ok(Some(flush)) => match tokio::task::spawn_blocking(|| flush.run()).await {
                Ok(flushed) => flushed,
                Err(error) => Err(std::io::Error::other(error)),
            },
            Ok(None) => Ok(()),
            Err(error) => Err(error),
        };
        if let Err(error) = flushed {
            tracing::warn!("the last rows may not survive a loss of power: {error}");
        }
    }

    /// A UUID of version 7.
    fn new_id(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.rng.borrow_mut().fill_bytes(&mut random);
        let millis = u64::try_from(now.as_micros() / 1_000).unwrap_or(0);
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }
}

/// Everything that is measured.
pub(crate) struct Measurers<'a> {
    metrics: MetricMeasurer<'a>,
    traceroutes: TracerouteMeasurer<'a>,
    speedtests: SpeedtestMeasurer<'a>,
}

impl<'a> Measurers<'a> {
    /// As the settings say. `interval_seconds` is that of the samples of `collector`.
    ///
    /// # Errors
    /// An AS table or certificates that cannot be read.
    pub(crate) fn new(
        settings: &Settings,
        enrolment: &Enrolment,
        pace: &Pace,
        state_dir: &Path,
        place: &'a Workplace<'a>,
        collector: &'a RefCell<HostCollector>,
        interval_seconds: u32,
    ) -> Result<Self, Failure> {
        Ok(Self {
            metrics: MetricMeasurer::new(place, collector, interval_seconds, &settings.latency, pace.interval),
            traceroutes: TracerouteMeasurer::new(place, &settings.traceroute)?,
            speedtests: SpeedtestMeasurer::new(place, settings, enrolment, state_dir)?,
        })
    }

    /// Measures for ever, each thing at its own cadence.
    pub(crate) async fn run(&mut self, settings: &Settings, pace: &Pace, id: &AgentId) {
        let metrics = Schedule::new(pace.interval, pace.jitter, id, "metrics");
        let every = settings.traceroute.interval;
        let traceroutes = Schedule::new(every, every, id, "traceroutes");
        // Spread over the whole of the interval, so that many agents do not test against one server at once.
        let every = settings.speedtest.interval;
        let speedtests = Schedule::new(every, every, id, "speedtests");
        tokio::join!(self.metrics.run(&metrics), self.traceroutes.run(&traceroutes), self.speedtests.run(&speedtests),);
    }

    /// Measures everything now, one after the other.
    pub(crate) async fn once(&mut self) {
        self.metrics.measure().await;
        self.traceroutes.measure().await;
        self.speedtests.measure().await;
    }
}
