use std::collections::BTreeMap;

use astranetmon_domain::{AgentId, MetricSample, Speedtest, Timestamp, Traceroute};

use super::AgentMemory;
use super::answer::LinesAnswer;
use super::group::{GroupMemory, Reading, Settled, Values};
use super::line::{Part, read};
use super::mapping::{is_field, is_measurement};
use super::ping::{LatencyTarget, Ping};
use crate::line_protocol::{Point, Points};
use crate::{IgnoredFields, MAX_ROWS, MetricRow, Refusal, RowContext, TimeBounds, WireRow};

/// What a body became.
#[derive(Clone, Debug)]
pub struct Conversion {
    /// One a time, oldest first.
    pub metrics: Vec<MetricSample>,
    /// Of `internet_speed`.
    pub speedtests: Vec<Speedtest>,
    /// Of `ping`, for every target but the first.
    pub traceroutes: Vec<Traceroute>,
    /// What there is to answer once they are durable.
    pub pending: PendingLines,
    /// What is to be remembered once they are durable.
    pub memory: AgentMemory,
}

/// A body of which nothing can be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RefusedBody {
    /// Lines of two machines.
    #[error(
        "lines of several hosts ({first}, {other}): an agent token writes for one machine, so give each its own token"
    )]
    SeveralHosts {
        /// The first line's.
        first: String,
        /// The first other.
        other: String,
    },
    /// More records than a body may hold.
    #[error("lines that make more than 10000 records: send smaller batches")]
    TooManyRows,
}

/// An answer that waits for storage to say how many of the records it knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingLines {
    answer: LinesAnswer,
    records: u32,
    /// The first line of each metric.
    metric_lines: Vec<u32>,
}

impl PendingLines {
    /// Refuses metrics whose time has gone into summaries meanwhile, given by their places among the metrics.
    #[must_use]
    pub fn too_old(mut self, metrics: &[u32]) -> Self {
        for line in metrics.iter().filter_map(|&metric| self.metric_lines.get(metric as usize).copied()) {
            self.records = self.records.saturating_sub(1);
            self.answer.refuse(line, TimeBounds::summarized());
        }
        self.answer.refused_lines.sort_by_key(|refused| refused.line);
        self
    }

    /// The answer, given how many of the records were known.
    #[must_use]
    pub fn answer(self, known: u32) -> LinesAnswer {
        LinesAnswer { taken: self.records.saturating_sub(known), known, ..self.answer }
    }
}

/// Turns the lines of a body into records of `agent`. Lines without a timestamp are of the time `now`. `metrics` are the
/// times of metrics that are taken, `results` those of speed tests and traceroutes.
///
/// # Errors
/// [`RefusedBody`] if the body cannot be of one machine, or holds too much. What is wrong with single lines is in the
/// answer.
pub fn convert(
    points: Points<'_>,
    agent: &AgentId,
    metrics: &TimeBounds,
    results: &TimeBounds,
    memory: &AgentMemory,
    now: Timestamp,
) -> Result<Conversion, RefusedBody> {
    let mut lines = Lines::default();
    for point in points {
        lines.answer.lines = lines.answer.lines.saturating_add(1);
        match point {
            Ok(point) => lines.take(&point, agent, now)?,
            Err(error) => lines.refuse(error.line, Refusal::of_row(error.kind.to_string())),
        }
    }
    let mut memory = memory.clone();
    lines.settle(&mut memory);
    let (metrics, results) = (RowContext { agent, bounds: metrics }, RowContext { agent, bounds: results });
    lines.finish(&metrics, &results, memory)
}

#[derive(Default)]
struct Lines {
    answer: LinesAnswer,
    ignored: IgnoredFields,
    host: Option<String>,
    rows: BTreeMap<Timestamp, Row>,
    network: BTreeMap<Timestamp, Reading>,
    disks: BTreeMap<Timestamp, Reading>,
    sensors: BTreeMap<Timestamp, Reading>,
    pings: Vec<Ping>,
    speedtests: Vec<(u32, crate::SpeedtestRow)>,
    one_hops: Vec<(u32, Ping)>,
}

/// A metric to be, and the first line that belongs to it.
#[derive(Default)]
struct Row {
    line: u32,
    row: MetricRow,
}

impl Lines {
    fn refuse(&mut self, line: u32, refusal: Refusal) {
        self.answer.refuse(line, refusal);
    }

    fn take(&mut self, point: &Point<'_>, agent: &AgentId, now: Timestamp) -> Result<(), RefusedBody> {
        let measurement = point.measurement.as_ref();
        if !is_measurement(measurement) {
            self.ignored.note(None, measurement);
            self.answer.unused_lines = self.answer.unused_lines.saturating_add(1);
            return Ok(());
        }
        if let Some(host) = point.tag("host") {
            let first = self.host.get_or_insert_with(|| host.to_owned());
            if first != host {
                return Err(RefusedBody::SeveralHosts { first: first.clone(), other: host.to_owned() });
            }
        }
        let at = point.timestamp.unwrap_or(now).to_millis_precision();
        match read(point, agent, at) {
            Ok(part) => {
                if matches!(part, Part::Nothing) {
                    self.answer.unused_lines = self.answer.unused_lines.saturating_add(1);
                } else {
                    for (field, _) in point.fields.iter().filter(|(field, _)| !is_field(measurement, field)) {
                        self.ignored.note(Some(measurement), field);
                    }
                }
                self.put(part, point.line, at);
            }
            Err(refusal) => self.refuse(point.line, refusal),
        }
        let records = self.rows.len() + self.pings.len() + self.speedtests.len();
        if records > MAX_ROWS { Err(RefusedBody::TooManyRows) } else { Ok(()) }
    }

    fn put(&mut self, part: Part, line: u32, at: Timestamp) {
        let row = |rows: &mut BTreeMap<Timestamp, Row>| {
            rows.entry(at).or_insert_with(|| Row { line, row: MetricRow::default() });
        };
        let device = |readings: &mut BTreeMap<Timestamp, Reading>, device: &str, values: Values| {
            readings.entry(at).or_insert_with(|| Reading::new(at)).put(device, values);
        };
        match part {
            Part::Metric(part) => {
                row(&mut self.rows);
                self.fill(at, &part);
            }
            Part::Network(name, values) => {
                row(&mut self.rows);
                device(&mut self.network, &name, values);
            }
            Part::Disk(name, values) => {
                row(&mut self.rows);
                device(&mut self.disks, &name, values);
            }
            Part::Sensor(name, values) => {
                row(&mut self.rows);
                device(&mut self.sensors, &name, values);
            }
            Part::Ping(ping) => self.pings.push(*ping),
            Part::Speedtest(test) => self.speedtests.push((line, *test)),
            Part::Nothing => {}
        }
    }

    /// Fills what is unknown of the row of that time; as everywhere, nothing is overwritten.
    fn fill(&mut self, at: Timestamp, from: &MetricRow) {
        macro_rules! fill {
            ($($(#[$doc:meta])* $name:ident: $type:ident $(/ $decimals:literal)?,)*) => {
                if let Some(Row { row, .. }) = self.rows.get_mut(&at) {
                    $(row.$name = row.$name.or(from.$name);)*
                }
            };
        }
        astranetmon_domain::with_metric_fields!(fill);
    }

    /// Adds what needs more than one line: sums, rates, the highest, the first target.
    fn settle(&mut self, memory: &mut AgentMemory) {
        let settled = |memory: &mut GroupMemory, readings: &mut BTreeMap<Timestamp, Reading>| {
            memory.take(std::mem::take(readings).into_values().collect())
        };
        for network in settled(&mut memory.network, &mut self.network) {
            self.fill(network.reading.at, &of_network(&network));
        }
        for disks in settled(&mut memory.disks, &mut self.disks) {
            let row = MetricRow {
                disk_read_bytes_per_second: disks.growth_per_second(0),
                disk_write_bytes_per_second: disks.growth_per_second(1),
                ..MetricRow::default()
            };
            self.fill(disks.reading.at, &row);
        }
        for sensors in settled(&mut memory.sensors, &mut self.sensors) {
            #[expect(clippy::cast_precision_loss, reason = "less than a thousand million")]
            let temperature_celsius = sensors.highest(0).map(|thousandths| thousandths as f64 / 1_000.0);
            self.fill(sensors.reading.at, &MetricRow { temperature_celsius, ..MetricRow::default() });
        }
        memory.latency_target = LatencyTarget::choose(memory.latency_target.as_ref(), &self.pings);
        for ping in std::mem::take(&mut self.pings) {
            if memory.latency_target.as_ref().is_some_and(|target| target.is(&ping)) {
                let row = MetricRow {
                    latency_ms: ping.average_ms,
                    jitter_ms: ping.deviation_ms,
                    packet_loss_percent: ping.loss_percent,
                    ..MetricRow::default()
                };
                self.rows.entry(ping.at).or_insert_with(|| Row { line: ping.line, row: MetricRow::default() });
                self.fill(ping.at, &row);
            } else {
                self.one_hops.push((ping.line, ping));
            }
        }
    }

    fn finish(
        mut self,
        metrics: &RowContext<'_>,
        results: &RowContext<'_>,
        memory: AgentMemory,
    ) -> Result<Conversion, RefusedBody> {
        let rows = std::mem::take(&mut self.rows);
        let known = rows.into_iter().filter(|(_, row)| row.row != MetricRow::default());
        let (metric_lines, metrics): (Vec<_>, Vec<_>) = known
            .filter_map(|(at, Row { line, row })| {
                let checked = MetricRow { timestamp: Some(at), ..row }.check(metrics);
                checked.map(|metric| (line, metric)).map_err(|refusal| self.refuse(line, refusal)).ok()
            })
            .unzip();
        let tests = std::mem::take(&mut self.speedtests);
        let mut speedtests = Vec::with_capacity(tests.len());
        for (line, test) in tests {
            match test.check(results) {
                Ok(test) => speedtests.push(test),
                Err(refusal) => self.refuse(line, refusal),
            }
        }
        let pings = std::mem::take(&mut self.one_hops);
        let mut traceroutes = Vec::with_capacity(pings.len());
        for (line, ping) in pings {
            match ping.one_hop(results.agent).check(results) {
                Ok(trace) => traceroutes.push(trace),
                Err(refusal) => self.refuse(line, refusal),
            }
        }
        let records = metrics.len() + speedtests.len() + traceroutes.len();
        if records > MAX_ROWS {
            return Err(RefusedBody::TooManyRows);
        }
        let records = u32::try_from(records).unwrap_or(u32::MAX);
        let mut answer = self.answer;
        answer.refused_lines.sort_by_key(|refused| refused.line);
        answer.ignored_fields = self.ignored.names().to_vec();
        let pending = PendingLines { answer, records, metric_lines };
        Ok(Conversion { metrics, speedtests, traceroutes, pending, memory })
    }
}

fn of_network(network: &Settled) -> MetricRow {
    // What no reader of JSON would keep exactly is unknown rather than refused.
    let total = |index| network.total(index).filter(|&total| total < 1 << 53);
    MetricRow {
        network_receive_bytes_total: total(0),
        network_transmit_bytes_total: total(1),
        network_receive_bytes_per_second: network.growth_per_second(0),
        network_transmit_bytes_per_second: network.growth_per_second(1),
        network_errors_count: network.growth(2),
        ..MetricRow::default()
    }
}
