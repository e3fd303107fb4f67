//! Puts samples, chunks and summaries into intervals, one by one as they come from the database, in any order.

use astranetmon_domain::{MetricField, NULL, Timestamp};

use crate::StorageError;
use crate::chunks::{ChunkHours, PackedColumns, unpack_times};
use crate::measured::{FieldValues, Packed};
use crate::repository::{Aggregate, AggregateColumn, MetricBucket, TimeAxis};
use crate::retention::{FieldSummary, Summary};
use crate::span_rows::{self, SpanRow};

type Result<T> = std::result::Result<T, StorageError>;

/// Values that are held to be put in order for percentiles, of all intervals together: 80 MB.
const MOST_VALUES: usize = 10_000_000;

/// What is to be known of each interval.
#[derive(Clone, Debug)]
pub(crate) struct Wanted {
    fields: Vec<MetricField>,
    /// The oldest and the newest value of each field.
    ends: bool,
    /// All values of each field.
    values: bool,
}

impl Wanted {
    /// Counts, sums, least and greatest values of those fields.
    pub(crate) fn summaries(fields: &[MetricField]) -> Self {
        Self { fields: fields.to_vec(), ends: false, values: false }
    }

    /// Whatever the columns are made of.
    pub(crate) fn of_columns(columns: &[AggregateColumn]) -> Self {
        let mut fields: Vec<MetricField> = Vec::new();
        for column in columns {
            if !fields.contains(&column.field) {
                fields.push(column.field);
            }
        }
        let any = |is: fn(Aggregate) -> bool| columns.iter().any(|column| is(column.aggregate));
        Self { fields, ends: any(Aggregate::is_end), values: any(|aggregate| aggregate.percent().is_some()) }
    }

    /// Whether summaries say too little.
    pub(crate) const fn needs_samples(&self) -> bool {
        self.ends || self.values
    }

    pub(crate) const fn needs_values(&self) -> bool {
        self.values
    }

    pub(crate) fn place_of(&self, field: MetricField) -> usize {
        self.fields.iter().position(|known| *known == field).unwrap_or(0)
    }

    pub(crate) fn fields(&self) -> usize {
        self.fields.len()
    }
}

/// The group to which an agent belongs, and its place there by id.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Member {
    pub(crate) group: usize,
    pub(crate) rank: usize,
}

/// The oldest and the newest known value of a field; of several agents' at one time the first and the last by id.
#[derive(Clone, Copy)]
struct Ends {
    /// Time and agent.
    first_at: (i64, usize),
    first: i64,
    last_at: (i64, usize),
    last: i64,
}

impl Ends {
    const NONE: Self = Self { first_at: (i64::MAX, usize::MAX), first: NULL, last_at: (i64::MIN, 0), last: NULL };

    fn take(&mut self, at: (i64, usize), value: i64) {
        if at <= self.first_at {
            (self.first_at, self.first) = (at, value);
        }
        if at >= self.last_at {
            (self.last_at, self.last) = (at, value);
        }
    }
}

/// The figures of some groups of agents in the intervals of a span of time. A cell is an interval of a group.
pub(crate) struct Figures {
    axis: TimeAxis,
    wanted: Wanted,
    /// By cell.
    sample_counts: Vec<u64>,
    /// By cell: whether summaries are all that is left of some of it.
    summarised: Vec<bool>,
    /// By cell and field, like those below.
    summaries: Vec<FieldSummary>,
    ends: Vec<Ends>,
    values: Vec<Vec<i64>>,
    /// How many values may still be taken.
    values_left: usize,
}

impl Figures {
    pub(crate) fn new(axis: TimeAxis, wanted: Wanted, groups: usize) -> Self {
        let cells = groups * axis.intervals;
        let by_field = cells * wanted.fields.len();
        Self {
            axis,
            sample_counts: vec![0; cells],
            summarised: vec![false; if wanted.needs_samples() { cells } else { 0 }],
            summaries: vec![FieldSummary::NONE; by_field],
            ends: vec![Ends::NONE; if wanted.ends { by_field } else { 0 }],
            values: vec![Vec::new(); if wanted.values { by_field } else { 0 }],
            values_left: MOST_VALUES,
            wanted,
        }
    }

    fn cell(&self, group: usize, timestamp: i64) -> Option<usize> {
        Some(group * self.axis.intervals + self.axis.interval_of(timestamp)?)
    }

    fn use_values(&mut self, count: usize) -> Result<()> {
        let left = self.values_left.checked_sub(count);
        self.values_left = left.ok_or(StorageError::TooManyValues { most: MOST_VALUES })?;
        Ok(())
    }

    /// Takes a sample; its time in microseconds.
    fn push(&mut self, member: Member, timestamp: i64, measured: &impl FieldValues) -> Result<()> {
        let Some(cell) = self.cell(member.group, timestamp) else { return Ok(()) };
        self.sample_counts[cell] += 1;
        let first = cell * self.wanted.fields.len();
        for place in 0..self.wanted.fields.len() {
            let value = measured.value(self.wanted.fields[place].index());
            if value == NULL {
                continue;
            }
            self.summaries[first + place].take(value);
            if self.wanted.ends {
                self.ends[first + place].take((timestamp, member.rank), value);
            }
            if self.wanted.values {
                self.use_values(1)?;
                self.values[first + place].push(value);
            }
        }
        Ok(())
    }

    /// Takes a summary of samples that have gone, all of it in the interval of its first moment.
    fn push_summary(&mut self, Member { group, .. }: Member, start: i64, summary: &Summary) {
        let Some(cell) = self.cell(group, start) else { return };
        if let Some(summarised) = self.summarised.get_mut(cell) {
            *summarised = true;
        }
        self.merge(cell, summary);
    }

    fn merge(&mut self, cell: usize, summary: &Summary) {
        self.sample_counts[cell] += summary.sample_count;
        let first = cell * self.wanted.fields.len();
        for (place, field) in self.wanted.fields.iter().enumerate() {
            self.summaries[first + place].merge(&summary.fields[field.index()]);
        }
    }

    /// Takes what was read of the span.
    pub(crate) fn push_part(&mut self, member: Member, row: &SpanRow) -> Result<()> {
        let summary = || Summary::unpack(row.sample_count, &row.content);
        match (row.part, &row.times) {
            (span_rows::SAMPLE, _) => self.push(member, row.at, &Packed::of(&row.content))?,
            (span_rows::GONE, _) => self.push_summary(member, row.at, &summary()?),
            (span_rows::SUMMARY, _) => {
                if let Some(cell) = self.cell(member.group, row.at) {
                    self.merge(cell, &summary()?);
                }
            }
            (span_rows::HOURS, _) => self.push_hours(member.group, &ChunkHours::read(&row.content)?)?,
            (span_rows::COLUMNS, Some(times)) => self.push_columns(member, times, &row.content)?,
            _ => return Err(StorageError::Internal { context: "a part of no known kind", source: None }),
        }
        Ok(())
    }

    /// Takes those of a chunk's samples that lie in the span.
    fn push_columns(&mut self, Member { group, rank }: Member, times: &[u8], packed: &[u8]) -> Result<()> {
        let times = unpack_times(times)?;
        let (start, end) = self.axis.span;
        let within = times.partition_point(|&at| at < start)..times.partition_point(|&at| at < end);
        // Where each interval's samples end.
        let mut parts = Vec::new();
        let mut from = within.start;
        while from < within.end {
            let Some(cell) = self.cell(group, times[from]) else { break };
            let interval_end = self.axis.start_of(cell - group * self.axis.intervals + 1);
            let to = from + times[from..within.end].partition_point(|&at| at < interval_end);
            self.sample_counts[cell] += (to - from) as u64;
            parts.push((cell, from..to));
            from = to;
        }
        let columns = PackedColumns::read(packed)?;
        let (fields, mut column) = (self.wanted.fields.len(), Vec::new());
        for place in 0..fields {
            columns.field(self.wanted.fields[place].index(), &mut column)?;
            for (cell, rows) in &parts {
                let values = column.get(rows.clone()).unwrap_or_default();
                let at = cell * fields + place;
                self.summaries[at].take_all(values);
                let known = || values.iter().enumerate().filter(|(_, value)| **value != NULL);
                if self.wanted.ends {
                    for (row, value) in known().next().into_iter().chain(known().next_back()) {
                        self.ends[at].take((times[rows.start + row], rank), *value);
                    }
                }
                if self.wanted.values {
                    self.use_values(values.len())?;
                    self.values[at].extend(known().map(|(_, value)| *value));
                }
            }
        }
        Ok(())
    }

    fn push_hours(&mut self, group: usize, hours: &ChunkHours<'_>) -> Result<()> {
        let cells: Vec<Option<usize>> = hours.starts.iter().map(|&start| self.cell(group, start)).collect();
        for (cell, count) in cells.iter().zip(&hours.sample_counts) {
            if let Some(cell) = cell {
                self.sample_counts[*cell] += count.unsigned_abs();
            }
        }
        let (mut parts, mut summaries) = (Default::default(), Vec::new());
        for (place, field) in self.wanted.fields.iter().enumerate() {
            hours.field(field.index(), &mut parts, &mut summaries)?;
            for (cell, summary) in cells.iter().zip(&summaries) {
                if let Some(cell) = cell {
                    self.summaries[cell * self.wanted.fields.len() + place].merge(summary);
                }
            }
        }
        Ok(())
    }

    /// How many samples lie in that interval of that group.
    pub(crate) fn sample_count(&self, group: usize, interval: usize) -> u64 {
        self.sample_counts[group * self.axis.intervals + interval]
    }

    /// A figure of the field at that place, a whole number of the last decimal of the column.
    pub(crate) fn figure(
        &mut self,
        group: usize,
        interval: usize,
        place: usize,
        column: AggregateColumn,
    ) -> Option<i128> {
        let cell = group * self.axis.intervals + interval;
        let at = cell * self.wanted.fields.len() + place;
        let summary = &self.summaries[at];
        if column.aggregate == Aggregate::Count {
            return Some(i128::from(summary.count()));
        }
        if summary.count() == 0 {
            return None;
        }
        let whole = |value: i64| Some(i128::from(value));
        match column.aggregate {
            Aggregate::Count => None,
            Aggregate::Avg => Some(summary.mean(column.decimals() - column.field.decimals())),
            Aggregate::Min => whole(summary.min()),
            Aggregate::Max => whole(summary.max()),
            Aggregate::Sum => Some(summary.sum()),
            _ if self.summarised[cell] => None,
            Aggregate::First => whole(self.ends[at].first),
            Aggregate::Last => whole(self.ends[at].last),
            Aggregate::P50 | Aggregate::P95 | Aggregate::P99 => {
                let values = &mut self.values[at];
                let rank = (column.aggregate.percent()? * values.len()).div_ceil(100).max(1);
                whole(*values.select_nth_unstable(rank - 1).1)
            }
        }
    }

    /// The intervals of the only group that have samples, oldest first.
    pub(crate) fn into_buckets(self) -> Vec<MetricBucket> {
        let fields = self.wanted.fields.len();
        let filled = (0..self.axis.intervals).filter(|&interval| self.sample_counts[interval] > 0);
        let bucket = |interval: usize| MetricBucket {
            start: Timestamp::from_micros(self.axis.start_of(interval)),
            sample_count: u32::try_from(self.sample_counts[interval]).unwrap_or(u32::MAX),
            values: self.summaries[interval * fields..][..fields]
                .iter()
                .zip(&self.wanted.fields)
                .map(|(known, field)| known.value(*field))
                .collect(),
        };
        filled.map(bucket).collect()
    }
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::METRIC_FIELDS;

    use super::*;
    use crate::chunks::{ChunkSamples, HOUR_MICROS, PackedChunk};
    use crate::measured::Measured;
    use crate::repository::BucketValue;

    const ONE: Member = Member { group: 0, rank: 0 };
    const OTHER: Member = Member { group: 1, rank: 0 };

    fn field(name: &str) -> MetricField {
        name.parse().expect(name)
    }

    fn all(value: i64) -> Packed {
        Packed::of(&Measured([value; METRIC_FIELDS.len()]).pack())
    }

    fn part_of(chunk: &PackedChunk, part: i32) -> SpanRow {
        let content = match part {
            span_rows::SUMMARY => &chunk.summary,
            span_rows::HOURS => &chunk.hours,
            _ => &chunk.packed,
        };
        SpanRow {
            agent_id: "agent".to_owned(),
            at: chunk.first_at,
            part,
            sample_count: chunk.sample_count,
            content: content.clone(),
            times: (part == span_rows::COLUMNS).then(|| chunk.times.clone()),
        }
    }

    #[test]
    fn samples_fall_into_intervals_that_are_aligned_to_the_epoch() {
        let fields = [field("network_receive_bytes_total"), field("latency_ms")];
        let width = 100_000_000;
        let axis = TimeAxis::new((-2 * width + 1, width), width);
        let mut figures = Figures::new(axis, Wanted::summaries(&fields), 1);
        for (timestamp, bytes, latency) in [
            (-width - 1, 1, 1),
            (-width, i64::MAX, 2_000),
            (-1, i64::MAX, 5),
            (0, NULL, -1),
            (width - 1, NULL, NULL),
            (width, 7, 7),
            (-2 * width - 1, 7, 7),
        ] {
            let mut values = [NULL; METRIC_FIELDS.len()];
            (values[fields[0].index()], values[fields[1].index()]) = (bytes, latency);
            figures.push(ONE, timestamp, &Measured(values)).expect("few");
        }
        let value = |avg, min, max| Some(BucketValue { avg, min, max });
        let most = i64::MAX as f64;
        let buckets = figures.into_buckets();
        let seen: Vec<_> =
            buckets.iter().map(|bucket| (bucket.start.as_micros(), bucket.sample_count, &bucket.values[..])).collect();
        assert_eq!(
            seen,
            [
                (-2 * width, 1, &[value(1.0, 1.0, 1.0), value(0.001, 0.001, 0.001)][..]),
                (-width, 2, &[value(most, most, most), value(1.0025, 0.005, 2.0)][..]),
                (0, 2, &[None, value(-0.001, -0.001, -0.001)][..]),
            ]
        );
    }

    #[test]
    fn no_range_makes_no_buckets() {
        let figures = Figures::new(TimeAxis::new((5, 5), 10), Wanted::summaries(&METRIC_FIELDS), 1);
        assert_eq!(figures.into_buckets(), []);
    }

    /// The same samples as rows or as a chunk, and beside them a summary.
    #[test]
    fn rows_and_chunks_give_the_same_figures_and_summaries_what_they_can() {
        let load = field("load_1");
        let columns = Aggregate::ALL.map(|aggregate| AggregateColumn { field: load, aggregate });
        let samples = [(1, 300), (2, NULL), (3, 100), (5, 200), (12, 700), (15, NULL)];
        let axis = TimeAxis::new((0, 30), 10);
        let mut by_rows = Figures::new(axis, Wanted::of_columns(&columns), 2);
        let mut by_chunk = Figures::new(axis, Wanted::of_columns(&columns), 2);
        let mut chunk = ChunkSamples::default();
        for (timestamp, value) in samples.into_iter().chain([(30, 9)]) {
            by_rows.push(OTHER, timestamp, &all(value)).expect("few");
            chunk.push(timestamp, 0, 0, &Measured([value; METRIC_FIELDS.len()]));
        }
        let chunk = chunk.pack().expect("samples");
        by_chunk.push_part(OTHER, &part_of(&chunk, span_rows::COLUMNS)).expect("read");
        let mut summary = Summary::EMPTY;
        [400, 500].iter().for_each(|&value| summary.push(&all(value)));
        for figures in [&mut by_rows, &mut by_chunk] {
            figures.push_summary(ONE, 0, &summary);
            figures.push_summary(OTHER, 20, &summary);
            let mut seen = |group, interval| columns.map(|column| figures.figure(group, interval, 0, column));
            // avg, min, max, sum, count, p50, p95, p99, first, last
            assert_eq!(seen(1, 0), [200, 100, 300, 600, 3, 200, 300, 300, 300, 200].map(Some));
            assert_eq!(seen(1, 1), [700, 700, 700, 700, 1, 700, 700, 700, 700, 700].map(Some));
            let of_summary = [Some(450), Some(400), Some(500), Some(900), Some(2), None, None, None, None, None];
            assert_eq!(seen(1, 2), of_summary);
            assert_eq!(seen(0, 0), of_summary);
            assert_eq!(seen(0, 1), std::array::from_fn(|place| (place == 4).then_some(0)));
            assert_eq!([0, 1, 2].map(|interval| figures.sample_count(1, interval)), [4, 2, 2]);
        }
    }

    #[test]
    fn a_chunk_in_one_interval_is_taken_by_its_summary() {
        let mut samples = ChunkSamples::default();
        [(1, 100), (2, 300)].iter().for_each(|&(at, value)| samples.push(at, 0, 0, &Measured([value; 26])));
        let chunk = samples.pack().expect("samples");
        let mut figures = Figures::new(TimeAxis::new((0, 10), 10), Wanted::summaries(&[field("load_1")]), 1);
        figures.push_part(ONE, &part_of(&chunk, span_rows::SUMMARY)).expect("read");
        assert_eq!(figures.into_buckets()[0].values, [Some(BucketValue { avg: 2.0, min: 1.0, max: 3.0 })]);
    }

    #[test]
    fn a_chunk_in_intervals_of_whole_hours_is_taken_by_its_hours() {
        let fields = [field("load_1"), field("process_count")];
        let mut samples = ChunkSamples::default();
        for minute in 0..24 * 60 {
            let values =
                std::array::from_fn(|place| if (minute + place) % 5 == 0 { NULL } else { (minute * place) as i64 });
            samples.push(HOUR_MICROS + minute as i64 * 60_000_000, 0, 0, &Measured(values));
        }
        let packed = samples.pack().expect("samples");
        for (width, intervals) in [(1, 24), (3, 9), (24, 2)] {
            let axis = TimeAxis::new((HOUR_MICROS, 26 * HOUR_MICROS), width * HOUR_MICROS);
            let by = |part| {
                let mut figures = Figures::new(axis, Wanted::summaries(&fields), 1);
                figures.push_part(ONE, &part_of(&packed, part)).expect("read");
                figures.into_buckets()
            };
            let (by_hours, by_columns) = (by(span_rows::HOURS), by(span_rows::COLUMNS));
            assert_eq!(by_hours.len(), intervals, "{width} hours");
            assert_eq!(by_hours, by_columns, "{width} hours");
        }
    }

    #[test]
    fn means_are_rounded_half_away_from_nothing() {
        let bytes = AggregateColumn { field: field("process_count"), aggregate: Aggregate::Avg };
        for (values, expected) in [(&[1, 2][..], 150), (&[1, 1, 2], 133), (&[-1, -2, -2], -167), (&[0, 0, -1], -33)] {
            let mut figures = Figures::new(TimeAxis::new((0, 10), 10), Wanted::of_columns(&[bytes]), 1);
            values.iter().for_each(|&value| figures.push(ONE, 1, &all(value)).expect("few"));
            assert_eq!(figures.figure(0, 0, 0, bytes), Some(expected), "{values:?}");
        }
    }

    #[test]
    fn of_values_at_one_time_the_first_and_the_last_by_agent_are_the_ends() {
        let load = field("load_1");
        let [first, last] =
            [Aggregate::First, Aggregate::Last].map(|aggregate| AggregateColumn { field: load, aggregate });
        for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0]] {
            let mut figures = Figures::new(TimeAxis::new((0, 10), 10), Wanted::of_columns(&[first, last]), 1);
            for rank in order {
                figures.push(Member { group: 0, rank }, 5, &all(100 + rank as i64)).expect("few");
            }
            let seen = [first, last].map(|column| figures.figure(0, 0, 0, column));
            assert_eq!(seen, [Some(100), Some(102)], "{order:?}");
        }
    }
}
