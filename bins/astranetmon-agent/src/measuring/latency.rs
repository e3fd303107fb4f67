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

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use astranetmon_domain::{AgentId, Clock, SystemClock};
    use rand::SeedableRng;
    use rand::rngs::StdRng;
    use tokio::sync::{Notify, RwLock};

    use super::*;
    use crate::spool::{Spool, SpoolBounds};

    #[tokio::test]
    async fn latency_is_measured_unless_a_speed_test_has_the_line() {
        let folder = tempfile::tempdir().expect("folder");
        let spool = RefCell::new(Spool::open(folder.path(), SpoolBounds::of(1 << 20)).expect("opened"));
        let more = Notify::new();
        let agent_id = AgentId::parse("web-1").expect("good");
        let place = Workplace {
            agent_id: agent_id.clone(),
            clock: &SystemClock,
            spool: &spool,
            more: &more,
            line: RwLock::new(()),
            rng: RefCell::new(StdRng::seed_from_u64(1)),
        };
        let settings = LatencySettings {
            targets: vec!["127.0.0.1".to_owned(), "127.0.0.2".to_owned()],
            probes: 2,
            timeout: Duration::from_secs(1),
            tcp_port: 1,
        };
        let measurer = LatencyMeasurer::new(&settings, Duration::from_secs(10));
        let sample = || MetricSample::new(agent_id.clone(), SystemClock.now());
        let (mut with, mut without) = (sample(), sample());
        assert_eq!(measurer.measure(&place, &mut with).await.len(), 1);
        assert_eq!((with.latency_ms.is_some(), with.packet_loss_percent), (true, Some(0.0)));
        let speed_test = place.line.write().await;
        assert_eq!(measurer.measure(&place, &mut without).await.len(), 0);
        assert_eq!((without.latency_ms, without.packet_loss_percent), (None, None));
        drop(speed_test);
    }
}
