//! Records as rows of the wire.

use astranetmon_domain::{MetricSample, Speedtest, Timestamp, Traceroute};
use astranetmon_ingest::{MetricRow, SpeedtestRow, TracerouteRow};
use serde::Serialize;

use crate::spool::{Row, RowKind};

fn row(kind: RowKind, timestamp: Timestamp, wire: &impl Serialize) -> Row {
    // Numbers and text always become JSON.
    let json = serde_json::to_vec(wire).unwrap_or_default();
    Row { kind, timestamp, json }
}

pub(super) fn of_metric(sample: &MetricSample) -> Row {
    row(RowKind::Metric, sample.timestamp, &MetricRow::from(sample))
}

pub(super) fn of_traceroute(trace: &Traceroute) -> Row {
    row(RowKind::Traceroute, trace.timestamp, &TracerouteRow::from(trace))
}

pub(super) fn of_speedtest(test: &Speedtest) -> Row {
    row(RowKind::Speedtest, test.timestamp, &SpeedtestRow::from(test))
}
