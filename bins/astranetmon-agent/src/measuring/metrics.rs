use std::cell::RefCell;
use std::time::Duration;

use astranetmon_collect::HostCollector;

use super::latency::LatencyMeasurer;
use super::{Workplace, row};
use crate::configuration::LatencySettings;
use crate::schedule::Schedule;

/// Measures the host, and latency, at every interval.
pub(super) struct MetricMeasurer<'a> {
    place: &'a Workplace<'a>,
    collector: &'a RefCell<HostCollector>,
    interval_seconds: u32,
    latency: LatencyMeasurer,
}

impl<'a> MetricMeasurer<'a> {
    pub(super) fn new(
        place: &'a Workplace<'a>,
        collector: &'a RefCell<HostCollector>,
        interval_seconds: u32,
        latency: &LatencySettings,
        interval: Duration,
    ) -> Self {
        Self { place, collector, interval_seconds, latency: LatencyMeasurer::new(latency, interval) }
    }

    pub(super) async fn run(&self, schedule: &Schedule) {
        loop {
            if schedule.next(self.place.clock).await.clock_stepped {
                tracing::info!("the clock was set or the machine slept: rates start anew");
                *self.collector.borrow_mut() = HostCollector::new(self.interval_seconds);
            }
            self.measure().await;
        }
    }

    pub(super) async fn measure(&self) {
        let now = self.place.clock.now();
        let mut sample = self.collector.borrow_mut().sample(&self.place.agent_id, now);
        let traces = self.latency.measure(self.place, &mut sample).await;
        let mut rows = vec![row::of_metric(&sample)];
        rows.extend(traces.iter().map(row::of_traceroute));
        self.place.keep(&rows).await;
    }
}
