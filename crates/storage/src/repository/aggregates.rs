//! Metrics put together: figures of some fields in equal intervals, by agent, by label, or of all agents.

use std::cmp::Ordering;
use std::num::NonZeroU32;
use std::sync::Arc;

use astranetmon_domain::{AgentFilter, MetricField, RecordFilter, TimeRange, Timestamp};

use crate::chunks::HOUR_MICROS;

/// A figure of the known values of one field in one interval.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Aggregate {
    /// Arithmetic mean.
    Avg,
    /// Least.
    Min,
    /// Greatest.
    Max,
    /// Sum.
    Sum,
    /// How many are known.
    Count,
    /// The least value that at least half of the values do not exceed (nearest rank).
    P50,
    /// The same for 95 of 100.
    P95,
    /// The same for 99 of 100.
    P99,
    /// The oldest; of several agents' at one time the first by id.
    First,
    /// The newest; of several agents' at one time the last by id.
    Last,
}

impl Aggregate {
    /// Every one.
    pub const ALL: [Self; 10] = [
        Self::Avg,
        Self::Min,
        Self::Max,
        Self::Sum,
        Self::Count,
        Self::P50,
        Self::P95,
        Self::P99,
        Self::First,
        Self::Last,
    ];

    /// The name used in queries and behind the name of a field.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Avg => "avg",
            Self::Min => "min",
            Self::Max => "max",
            Self::Sum => "sum",
            Self::Count => "count",
            Self::P50 => "p50",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::First => "first",
            Self::Last => "last",
        }
    }

    /// The one of that name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|aggregate| aggregate.as_str() == name)
    }

    /// Of how many values in a hundred it is no less; `None` if it is no percentile.
    pub(crate) const fn percent(self) -> Option<usize> {
        match self {
            Self::P50 => Some(50),
            Self::P95 => Some(95),
            Self::P99 => Some(99),
            _ => None,
        }
    }

    /// Whether it is the value of one moment.
    pub(crate) const fn is_end(self) -> bool {
        matches!(self, Self::First | Self::Last)
    }
}

/// One figure of one field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AggregateColumn {
    /// Of which field.
    pub field: MetricField,
    /// Which figure.
    pub aggregate: Aggregate,
}

impl AggregateColumn {
    /// Decimals of its numbers: those of the field; 2 for the mean of whole numbers, and none for a count.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        match (self.aggregate, self.field.decimals()) {
            (Aggregate::Count, _) => 0,
            (Aggregate::Avg, 0) => 2,
            (_, decimals) => decimals,
        }
    }
}

/// Whose samples are put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Grouping {
    /// Those of each agent.
    Agent,
    /// Those of all agents with the same value of that label, and of all that have none.
    Label(String),
    /// Those of all agents.
    Nothing,
}

/// Which figures, of which samples, in which intervals: equal ones that are aligned to the epoch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateQuery {
    agents: AgentFilter,
    start: Timestamp,
    end: Timestamp,
    interval_seconds: NonZeroU32,
    columns: Vec<AggregateColumn>,
    grouping: Grouping,
    empty_intervals: bool,
}

/// The query would have no end, or no bound on its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidAggregateQuery {
    /// An end of the range is open.
    #[error("intervals need a range with a start and an end")]
    OpenRange,
    /// The range touches more than [`AggregateQuery::MOST_INTERVALS`].
    #[error("at most {} intervals: take longer ones, or a shorter range", AggregateQuery::MOST_INTERVALS)]
    TooManyIntervals,
}

impl AggregateQuery {
    /// Intervals that one range may touch.
    pub const MOST_INTERVALS: u32 = 10_000;

    /// Both ends of the range of `records` must be set; an empty range has no intervals.
    ///
    /// # Errors
    /// [`InvalidAggregateQuery::OpenRange`]; [`InvalidAggregateQuery::TooManyIntervals`] if the range touches more than
    /// [`AggregateQuery::MOST_INTERVALS`].
    pub fn new(
        records: RecordFilter,
        interval_seconds: NonZeroU32,
        columns: Vec<AggregateColumn>,
        grouping: Grouping,
    ) -> Result<Self, InvalidAggregateQuery> {
        let (Some(start), Some(end)) = (records.range.start, records.range.end) else {
            return Err(InvalidAggregateQuery::OpenRange);
        };
        let agents = records.agent;
        let query = Self { agents, start, end, interval_seconds, columns, grouping, empty_intervals: false };
        match query.intervals() {
            Some(intervals) if intervals <= Self::MOST_INTERVALS as usize => Ok(query),
            _ => Err(InvalidAggregateQuery::TooManyIntervals),
        }
    }

    /// The same with a row for each interval of each group, whether there are samples in it or not.
    #[must_use]
    pub fn with_empty_intervals(self) -> Self {
        Self { empty_intervals: true, ..self }
    }

    /// Which samples: start included, end excluded, both set. The first and the last interval hold what lies inside.
    #[must_use]
    pub fn records(&self) -> RecordFilter {
        RecordFilter { agent: self.agents.clone(), range: self.range() }
    }

    /// The span of time.
    #[must_use]
    pub const fn range(&self) -> TimeRange {
        TimeRange { start: Some(self.start), end: Some(self.end) }
    }

    /// Length of an interval.
    #[must_use]
    pub const fn interval_seconds(&self) -> NonZeroU32 {
        self.interval_seconds
    }

    /// The figures, in the order of [`AggregateRow::values`].
    #[must_use]
    pub fn columns(&self) -> &[AggregateColumn] {
        &self.columns
    }

    /// Whose samples are put together.
    #[must_use]
    pub const fn grouping(&self) -> &Grouping {
        &self.grouping
    }

    /// Whether empty intervals have rows too.
    #[must_use]
    pub const fn has_empty_intervals(&self) -> bool {
        self.empty_intervals
    }

    /// Length of an interval in microseconds.
    fn width(&self) -> i64 {
        i64::from(self.interval_seconds.get()) * 1_000_000
    }

    /// How many intervals the range touches.
    fn intervals(&self) -> Option<usize> {
        if self.start >= self.end {
            return Some(0);
        }
        let width = self.width();
        let touched = (self.end.as_micros() - 1).div_euclid(width) - self.start.as_micros().div_euclid(width) + 1;
        usize::try_from(touched).ok()
    }

    /// The intervals.
    pub(crate) fn axis(&self) -> TimeAxis {
        TimeAxis::new((self.start.as_micros(), self.end.as_micros()), self.width())
    }
}

/// Equal intervals of a span of time, aligned to the epoch; all in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeAxis {
    /// The span: start included, end excluded.
    pub(crate) span: (i64, i64),
    /// Where the first interval starts.
    pub(crate) origin: i64,
    pub(crate) width: i64,
    pub(crate) intervals: usize,
}

impl TimeAxis {
    pub(crate) fn new(span: (i64, i64), width: i64) -> Self {
        let (start, end) = span;
        let origin = start - start.rem_euclid(width);
        let intervals = if start < end { (end - 1 - origin) / width + 1 } else { 0 };
        Self { span, origin, width, intervals: usize::try_from(intervals).unwrap_or(0) }
    }

    /// The interval in which that time lies, if it lies in one.
    pub(crate) fn interval_of(&self, timestamp: i64) -> Option<usize> {
        let interval = usize::try_from((timestamp - self.origin).div_euclid(self.width)).ok()?;
        (interval < self.intervals).then_some(interval)
    }

    /// Whether each interval is made of whole hours.
    pub(crate) const fn is_of_hours(&self) -> bool {
        self.width % HOUR_MICROS == 0
    }

    pub(crate) const fn start_of(&self, interval: usize) -> i64 {
        self.origin + interval as i64 * self.width
    }
}

/// What a group is called: an agent's id or a label's value; `None` for all agents together, or for those without the
/// label.
pub type GroupName = Option<Arc<str>>;

/// Where a row stands in the order newest first, then by the name of its group, of which none is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregatePosition {
    /// Start of the interval.
    pub start: Timestamp,
    /// The group.
    pub group: GroupName,
}

impl Ord for AggregatePosition {
    fn cmp(&self, other: &Self) -> Ordering {
        let by_name = || match (&self.group, &other.group) {
            (Some(name), Some(other)) => name.cmp(other),
            (None, None) => Ordering::Equal,
            (None, Some(_)) => Ordering::Greater,
            (Some(_), None) => Ordering::Less,
        };
        other.start.cmp(&self.start).then_with(by_name)
    }
}

impl PartialOrd for AggregatePosition {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// The figures of one group in one interval.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AggregateRow {
    /// Its place in the list.
    pub position: AggregatePosition,
    /// Samples in it; 0 only if empty intervals were asked for.
    pub sample_count: u64,
    /// One a column of the query, in its order: whole numbers of the last decimal of [`AggregateColumn::decimals`].
    /// `None` where no sample knew the field, and for percentiles and ends of an interval of which only summaries are
    /// left.
    pub values: Box<[Option<i128>]>,
}

/// Some rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AggregatePage {
    /// Newest first, then by group.
    pub rows: Vec<AggregateRow>,
    /// Rows of the whole list.
    pub total: u64,
    /// Whether rows remain behind these.
    pub more: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn query(start: Option<i64>, end: Option<i64>, seconds: u32) -> Result<AggregateQuery, InvalidAggregateQuery> {
        let range = TimeRange { start: start.map(Timestamp::from_seconds), end: end.map(Timestamp::from_seconds) };
        let interval = NonZeroU32::new(seconds).expect("not zero");
        AggregateQuery::new(RecordFilter { agent: AgentFilter::All, range }, interval, Vec::new(), Grouping::Agent)
    }

    #[test]
    fn a_query_touches_a_bounded_number_of_intervals() {
        const OPEN: Option<InvalidAggregateQuery> = Some(InvalidAggregateQuery::OpenRange);
        const TOO_MANY: Option<InvalidAggregateQuery> = Some(InvalidAggregateQuery::TooManyIntervals);
        for (start, end, seconds, refused) in [
            (Some(0), Some(600_000), 60, None),
            (Some(0), Some(600_001), 60, TOO_MANY),
            (Some(59), Some(600_000), 60, None),
            (Some(-60), Some(599_940), 60, None),
            (Some(-61), Some(599_940), 60, TOO_MANY),
            (Some(5), Some(5), 1, None),
            (Some(5_000), Some(0), 1, None),
            (Some(i64::MIN), Some(i64::MAX), u32::MAX, None),
            (Some(i64::MIN), Some(i64::MAX), 86_400, TOO_MANY),
            (None, Some(1), 60, OPEN),
            (Some(1), None, 60, OPEN),
        ] {
            let made = query(start, end, seconds);
            assert_eq!(made.as_ref().err(), refused.as_ref(), "{start:?} to {end:?} by {seconds}");
            if let Ok(made) = made {
                assert_eq!(made.intervals(), Some(made.axis().intervals));
            }
        }
    }

    #[test]
    fn rows_stand_newest_first_then_by_name_and_those_without_one_last() {
        let position = |seconds, group: Option<&str>| AggregatePosition {
            start: Timestamp::from_seconds(seconds),
            group: group.map(Into::into),
        };
        let ordered = [position(60, Some("a")), position(60, Some("b")), position(60, None), position(0, Some("a"))];
        assert!(ordered.is_sorted());
        assert!(!ordered.iter().rev().is_sorted());
    }

    #[test]
    fn every_aggregate_is_found_by_its_name() {
        for aggregate in Aggregate::ALL {
            assert_eq!(Aggregate::from_name(aggregate.as_str()), Some(aggregate));
        }
        assert_eq!(Aggregate::from_name("mean"), None);
    }
}
