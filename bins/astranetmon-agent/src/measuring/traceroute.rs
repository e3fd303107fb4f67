use std::sync::Arc;
use std::time::Duration;

use astranetmon_collect::as_table::AsTable;
use astranetmon_collect::traceroute::{Tracer, TracerouteOptions, TracerouteTarget, may_trace};
use astranetmon_domain::{TracerouteId, TracerouteStatus};

use super::{Workplace, row};
use crate::Failure;
use crate::configuration::TracerouteSettings;
use crate::schedule::Schedule;

/// Traces the paths to all targets, one after the other.
pub(super) struct TracerouteMeasurer<'a> {
    place: &'a Workplace<'a>,
    targets: Vec<TracerouteTarget>,
    tracer: Tracer,
}

impl<'a> TracerouteMeasurer<'a> {
    pub(super) fn new(place: &'a Workplace<'a>, settings: &TracerouteSettings) -> Result<Self, Failure> {
        let defaults = TracerouteOptions::default();
        let options = TracerouteOptions {
            probe_count: settings.probes,
            max_hops: settings.max_hops,
            names_wait: if settings.reverse_names { defaults.names_wait } else { Duration::ZERO },
            flow: crate::schedule::stable_number(&place.agent_id, "flow"),
            ..defaults
        };
        // Without targets the table would only take memory.
        let table = settings.as_table.as_ref().filter(|_| !settings.targets.is_empty());
        let as_table = table.map(|path| AsTable::open(path).map(Arc::new)).transpose().map_err(|error| {
            Failure::usage(format!(
                "traceroute.as_table {}: {error}",
                settings.as_table.as_deref().unwrap_or("".as_ref()).display()
            ))
        })?;
        let target = |host: &String| TracerouteTarget::new(host, settings.protocol);
        Ok(Self {
            place,
            targets: settings.targets.iter().map(target).collect(),
            tracer: Tracer::new(options, as_table),
        })
    }

    pub(super) async fn run(&mut self, schedule: &Schedule) {
        if self.targets.is_empty() {
            return std::future::pending().await;
        }
        if let Err(sentence) = may_trace() {
            tracing::warn!("{sentence}");
        }
        loop {
            schedule.next(self.place.clock).await;
            self.measure().await;
        }
    }

    pub(super) async fn measure(&mut self) {
        for target in &self.targets {
            let trace = {
                let _line = self.place.line.read().await;
                let now = self.place.clock.now();
                let id = TracerouteId(self.place.new_id(now));
                self.tracer.trace(target, id, &self.place.agent_id, now).await
            };
            if trace.status == TracerouteStatus::Failed {
                let error = trace.error.as_deref().unwrap_or("it does not say why");
                tracing::debug!(target = trace.target, "a traceroute failed: {error}");
            }
            self.place.keep(&[row::of_traceroute(&trace)]).await;
        }
    }
}
