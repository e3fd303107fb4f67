use std::time::Duration;

use astranetmon_collect::latency::{LatencyOptions, LatencyTarget, measure_latency};
use astranetmon_domain::{MetricSample, Traceroute, TracerouteId};
use futures_util::future::join_all;

use super::Workplace;
use crate::configuration::LatencySettings;

/// Measures round trips to all targets at once.
pub(super) struct LatencyMeasurer {
    targets: Vec<LatencyTarget>,
    options: LatencyOptions,
    /// Then the metric is kept without.
    longest: Duration,
}

impl LatencyMeasurer {
    pub(super) fn new(settings: &LatencySettings, interval: Duration) -> Self {
        let target = |host: &String| LatencyTarget { tcp_port: settings.tcp_port, ..LatencyTarget::new(host) };
        Self {
            targets: settings.targets.iter().map(target).collect(),
            options: LatencyOptions {
                probe_count: settings.probes.into(),
                wait: settings.timeout,
                ..LatencyOptions::default()
            },
            longest: interval.mul_f64(0.9),
        }
    }

    /// Puts the first target's into the sample and gives those of the others. While a speed test has the line nothing
    /// is measured.
    pub(super) async fn measure(&self, place: &Workplace<'_>, sample: &mut MetricSample) -> Vec<Traceroute> {
        if self.targets.is_empty() {
            return Vec::new();
        }
        let Ok(_line) = place.line.try_read() else { return Vec::new() };
        let all = join_all(self.targets.iter().map(|target| measure_latency(target, &self.options)));
        let Ok(results) = tokio::time::timeout(self.longest, all).await else {
            tracing::debug!("latency took longer than the interval and was left out");
            return Vec::new();
        };
        let mut results = results.into_iter();
        if let Some(first) = results.next() {
            if let Some(error) = &first.error {
                tracing::debug!(target = first.target, "latency: {error}");
            }
            first.fill(sample);
            *sample = sample.clone().normalized();
        }
        let now = sample.timestamp;
        let trace = |result: astranetmon_collect::latency::LatencyResult| {
            result.into_traceroute(TracerouteId(place.new_id(now)), place.agent_id.clone(), now)
        };
        results.map(trace).collect()
    }
}
