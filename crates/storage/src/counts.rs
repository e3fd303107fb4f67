//! Counts of measured records by agent and period, kept so that `total` is exact and costs the same however many
//! records match.
//!
//! `record_count` holds one row for each (account, kind, agent, period, bucket): by hour, by day, and over all time; and
//! the same again for the whole account, under the empty agent id. A range of time is then whole days, whole hours at
//! its edges, and at its two ends parts of an hour that are counted in the records themselves.

use std::collections::BTreeMap;

use astranetmon_domain::{TimeRange, Timestamp};

/// The agent id under which a whole account is counted; no agent can have it.
pub(crate) const WHOLE_ACCOUNT: &str = "";

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
const MICROS: i64 = 1_000_000;

/// What is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RecordKind {
    Metric = 1,
    Speedtest = 2,
    Traceroute = 3,
}

/// A length of time by which records are counted, in seconds; 0 is all time.
pub(crate) const PERIODS: [i64; 3] = [0, DAY, HOUR];

/// Rows of `record_count` whose sum is part of a total: those of `period` with `start <= bucket < end`, in
/// microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct CountedSpan {
    pub(crate) period: i64,
    pub(crate) start: i64,
    pub(crate) end: i64,
}

/// How a total is put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct CountPlan {
    /// Summed from the counts.
    pub(crate) counted: Vec<CountedSpan>,
    /// Counted in the records: at most two spans of microseconds, each within one hour.
    pub(crate) partial: Vec<(i64, i64)>,
}

/// The plan for a range.
pub(crate) fn count_plan(range: &TimeRange) -> CountPlan {
    let mut plan = CountPlan::default();
    if range.is_empty() {
        return plan;
    }
    if *range == TimeRange::ALL {
        plan.counted.push(CountedSpan { period: 0, start: 0, end: 1 });
        return plan;
    }
    // Aligned bounds of everything that can be stored stand for open ends.
    let start = range.start.map_or(down(Timestamp::MIN.as_micros(), DAY), Timestamp::as_micros);
    let end = range.end.map_or(up(Timestamp::MAX.as_micros(), DAY), Timestamp::as_micros);
    let (first_hour, last_hour) = (up(start, HOUR), down(end, HOUR));
    if first_hour > last_hour {
        plan.partial.push((start, end));
        return plan;
    }
    push_if(&mut plan.partial, start, first_hour);
    let (first_day, last_day) = (up(first_hour, DAY), down(last_hour, DAY));
    let mut counted = |period, start, end| {
        if start < end {
            plan.counted.push(CountedSpan { period, start, end });
        }
    };
    if first_day > last_day {
        counted(HOUR, first_hour, last_hour);
    } else {
        counted(HOUR, first_hour, first_day);
        counted(DAY, first_day, last_day);
        counted(HOUR, last_day, last_hour);
    }
    push_if(&mut plan.partial, last_hour, end);
    plan
}

fn push_if(spans: &mut Vec<(i64, i64)>, start: i64, end: i64) {
    if start < end {
        spans.push((start, end));
    }
}

fn down(micros: i64, period_seconds: i64) -> i64 {
    micros - micros.rem_euclid(period_seconds * MICROS)
}

fn up(micros: i64, period_seconds: i64) -> i64 {
    down(micros + period_seconds * MICROS - 1, period_seconds)
}

/// What records add to the counts as they come, or take from them as they go, keyed (agent, period, bucket), in an order that all writers share, so that two
/// of them never wait for each other crosswise.
#[derive(Debug, Default)]
pub(crate) struct CountDeltas(BTreeMap<(String, i64, i64), i64>);

impl CountDeltas {
    /// Of new records: agent and time in microseconds of each. Records of one agent and hour that follow each other, as
    /// agents send them, are counted together.
    pub(crate) fn of<'a>(records: impl IntoIterator<Item = (&'a str, i64)>) -> Self {
        let mut deltas = Self::default();
        let mut run: Option<(&str, i64, i64)> = None;
        for (agent_id, timestamp) in records {
            let hour = down(timestamp, HOUR);
            match &mut run {
                Some((agent, its_hour, count)) if *agent == agent_id && *its_hour == hour => *count += 1,
                _ => {
                    if let Some((agent_id, hour, count)) = run.replace((agent_id, hour, 1)) {
                        deltas.change(agent_id, hour, count);
                    }
                }
            }
        }
        if let Some((agent_id, hour, count)) = run {
            deltas.change(agent_id, hour, count);
        }
        deltas
    }

    pub(crate) fn add(&mut self, agent_id: &str, timestamp_micros: i64) {
        self.change(agent_id, timestamp_micros, 1);
    }

    /// A record that goes.
    pub(crate) fn remove(&mut self, agent_id: &str, timestamp_micros: i64) {
        self.change(agent_id, timestamp_micros, -1);
    }

    /// `by` records of the hour in which that time lies.
    fn change(&mut self, agent_id: &str, timestamp_micros: i64, by: i64) {
        for period in PERIODS {
            let bucket = if period == 0 { 0 } else { down(timestamp_micros, period) };
            for agent_id in [agent_id, WHOLE_ACCOUNT] {
                *self.0.entry((agent_id.to_owned(), period, bucket)).or_default() += by;
            }
        }
    }

    /// (agent, period, bucket, count)
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, i64, i64, i64)> {
        self.0.iter().map(|((agent_id, period, bucket), count)| (agent_id.as_str(), *period, *bucket, *count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted_by_plan(plan: &CountPlan, timestamps: &[i64]) -> usize {
        let counted = plan.counted.iter().map(|span| {
            let bucket = |&&at: &&i64| if span.period == 0 { 0 } else { down(at, span.period) };
            timestamps.iter().filter(|at| (span.start..span.end).contains(&bucket(at))).count()
        });
        let partial = plan.partial.iter().map(|&(start, end)| {
            assert!(end - start <= 2 * HOUR * MICROS, "a part of an hour, not {start}..{end}");
            timestamps.iter().filter(|&&at| (start..end).contains(&at)).count()
        });
        counted.sum::<usize>() + partial.sum::<usize>()
    }

    #[test]
    fn a_plan_counts_each_record_of_its_range_once() {
        let timestamps: Vec<i64> = (-300..300).map(|n| n * 1_801 * MICROS + 7).collect();
        let edges: Vec<Option<i64>> = [None]
            .into_iter()
            .chain(
                [-200_000, -86_400, -3_601, -1, 0, 1, 1_799, 3_600, 7_199, 86_399, 86_400, 90_000, 200_003].map(Some),
            )
            .collect();
        for &start in &edges {
            for &end in &edges {
                let range =
                    TimeRange { start: start.map(Timestamp::from_seconds), end: end.map(Timestamp::from_seconds) };
                let expected = timestamps.iter().filter(|&&at| range.contains(Timestamp::from_micros(at))).count();
                let plan = count_plan(&range);
                let expected = if range.is_empty() { 0 } else { expected };
                assert_eq!(counted_by_plan(&plan, &timestamps), expected, "{range:?} {plan:?}");
                assert!(plan.counted.len() <= 3 && plan.partial.len() <= 2, "{plan:?}");
            }
        }
    }

    #[test]
    fn a_record_is_counted_for_its_agent_and_its_account() {
        let mut deltas = CountDeltas::default();
        deltas.add("a", 90_000 * MICROS);
        deltas.add("b", 90_001 * MICROS);
        let at_once = CountDeltas::of([("a", 90_000 * MICROS), ("b", 90_001 * MICROS)]);
        assert!(at_once.iter().eq(deltas.iter()));
        let day = 86_400 * MICROS;
        let hour = 90_000 * MICROS;
        assert_eq!(
            deltas.iter().collect::<Vec<_>>(),
            [
                ("", 0, 0, 2),
                ("", HOUR, hour, 2),
                ("", DAY, day, 2),
                ("a", 0, 0, 1),
                ("a", HOUR, hour, 1),
                ("a", DAY, day, 1),
                ("b", 0, 0, 1),
                ("b", HOUR, hour, 1),
                ("b", DAY, day, 1),
            ]
        );
    }

    #[test]
    fn records_counted_together_are_the_sum_of_those_counted_alone() {
        let records: Vec<(&str, i64)> =
            (0..500_i64).map(|n| (["a", "b"][usize::from(n % 90 > 60)], n * 301 * MICROS)).collect();
        let mut one_by_one = CountDeltas::default();
        records.iter().for_each(|(agent_id, at)| one_by_one.add(agent_id, *at));
        assert!(CountDeltas::of(records).iter().eq(one_by_one.iter()));
    }
}
