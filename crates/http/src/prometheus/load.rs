//! Reads the samples that a query needs, in pages, and keeps those that it looks at.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use astranetmon_auth::{ReadMetrics, Scope};
use astranetmon_domain::{
    AgentFilter, AgentId, Limit, METRIC_FIELDS, MetricColumns, MetricField, MetricPosition, Order, PageRequest,
    RecordFilter, TimeRange, Timestamp,
};
use astranetmon_promql::{Answer, Labels, Limits, Query, Selection, Series, Steps};

use tokio::sync::SemaphorePermit;

use super::sources::Sources;
use crate::{ApiError, ApiState};

/// How long a sample is believed at least, unless the caller says it; as in Prometheus.
const LOOKBACK: i64 = 5 * 60_000;
/// What an agent measures seldom is believed for so many of its intervals.
const INTERVALS_BELIEVED: i64 = 2;
/// How far behind a moment such samples are looked for: two hours.
const FARTHEST: i64 = 2 * 3_600_000;
/// Samples that one query may keep: 32 MiB of times and values.
const MOST_SAMPLES: usize = 2_000_000;
/// Values that one query may make of them.
const MOST_POINTS: usize = 2_000_000;
/// Series that one query may look at.
const MOST_SERIES: usize = 20_000;
/// Seconds that one query may take.
const LONGEST: i64 = 30;
/// How long a query waits for its turn.
const LONGEST_WAIT: Duration = Duration::from_secs(10);

/// A series that is being read, oldest sample first.
struct Reading {
    series: Series,
    /// The newest sample, of which it is not known yet when the next one comes.
    last: Option<(i64, f64, i64)>,
}

impl Reading {
    /// Takes the next sample, and says whether the one before was kept.
    fn push(&mut self, selection: &Selection, sample: (i64, f64, i64)) -> bool {
        let before = self.last.replace(sample);
        before.is_some_and(|before| self.keep(selection, before, Some(sample.0)))
    }

    fn keep(&mut self, selection: &Selection, (time, value, believed_for): (i64, f64, i64), next: Option<i64>) -> bool {
        let needed = selection.looks_at(time, next);
        if needed {
            self.series.push(time, value, believed_for);
        }
        needed
    }

    fn finished(mut self, selection: &Selection) -> Series {
        if let Some(last) = self.last.take() {
            self.keep(selection, last, None);
        }
        self.series
    }
}

/// The field of an agent that a selection reads.
struct Wanted {
    selection: usize,
    field: MetricField,
    reading: usize,
}

/// The value of a query at each of the steps. `lookback` is what the caller gave, in milliseconds.
///
/// # Errors
/// [`ApiError::NotComputable`] for queries that cost too much or contradict the data; those of the storage.
pub(super) async fn evaluated(
    query: Query,
    steps: Steps,
    lookback: Option<i64>,
    scope: &Scope<ReadMetrics>,
    state: &ApiState,
) -> Result<Answer, ApiError> {
    // Few at once, so that their samples have a bound in all.
    let turn = turn(state).await?;
    let lookback = lookback.unwrap_or(LOOKBACK);
    let deadline = state.clock.now().plus_seconds(LONGEST);
    let selections = query.selections(&steps, lookback.max(FARTHEST));
    let data = load(&selections, lookback, deadline, scope, state).await?;
    let clock = state.clock.clone();
    let evaluate = move || {
        let expired = || clock.now() > deadline;
        query.evaluate(&steps, &data, &Limits { points: MOST_POINTS, expired: &expired })
    };
    let answer = actix_web::web::block(evaluate).await.map_err(|_| ApiError::Unavailable)?;
    drop(turn);
    answer.map_err(|error| ApiError::NotComputable(error.to_string()))
}

async fn turn(state: &ApiState) -> Result<SemaphorePermit<'_>, ApiError> {
    let turn = tokio::time::timeout(LONGEST_WAIT, state.promql_turns.acquire()).await;
    turn.ok().and_then(Result::ok).ok_or(ApiError::Unavailable)
}

async fn load(
    selections: &[Selection],
    lookback: i64,
    deadline: Timestamp,
    scope: &Scope<ReadMetrics>,
    state: &ApiState,
) -> Result<Vec<Vec<Series>>, ApiError> {
    if selections.is_empty() {
        return Ok(Vec::new());
    }
    let sources = Sources::of(state, scope).await?;
    let mut readings: Vec<Vec<Reading>> = Vec::with_capacity(selections.len());
    // Selectors that look at the same span are served by one walk over it.
    let mut walks: HashMap<(i64, i64), HashMap<AgentId, Vec<Wanted>>> = HashMap::new();
    let mut count = 0;
    for (selection, asked) in selections.iter().enumerate() {
        let walk = walks.entry((asked.after, asked.until)).or_default();
        let mut of_selection = Vec::new();
        for (agent, field, labels) in sources.matching(&asked.filter) {
            walk.entry(agent.clone()).or_default().push(Wanted { selection, field, reading: of_selection.len() });
            of_selection.push(Reading { series: Series::new(labels), last: None });
        }
        count += of_selection.len();
        if count > MOST_SERIES {
            return Err(too_much("series"));
        }
        readings.push(of_selection);
    }
    let mut kept = 0;
    for ((after, until), wanted) in walks {
        let Some(range) = whole_millis(after, until).filter(|_| !wanted.is_empty()) else { continue };
        let filter = RecordFilter { agent: AgentFilter::any_of(wanted.keys().cloned().collect()), range };
        let mut last: Option<MetricPosition> = None;
        loop {
            let page = PageRequest::new(Limit::LARGEST, last).in_order(Order::OldestFirst);
            let page = state.storage.metric_page(scope, &filter, &page).await?;
            kept += take(&page.columns, &wanted, selections, lookback, &mut readings);
            if kept > MOST_SAMPLES {
                return Err(too_much("samples"));
            }
            if state.clock.now() > deadline {
                return Err(too_much("time"));
            }
            let Some(row) = page.columns.len().checked_sub(1).filter(|_| page.more) else { break };
            let (timestamp, agent_id) = (page.columns.timestamp(row), page.columns.agent_id(row).clone());
            last = Some(MetricPosition { timestamp, agent_id });
        }
    }
    let finished = |(readings, selection): (Vec<Reading>, &Selection)| {
        let series = readings.into_iter().map(|reading| reading.finished(selection));
        series.filter(|series| !series.times().is_empty()).collect()
    };
    Ok(readings.into_iter().zip(selections).map(finished).collect())
}

/// What lies behind `after` and no later than `until`; times are stored in whole milliseconds.
fn whole_millis(after: i64, until: i64) -> Option<TimeRange> {
    let moment = |millis: i64| millis.checked_add(1)?.checked_mul(1_000).map(Timestamp::from_micros);
    Some(TimeRange { start: Some(moment(after)?), end: Some(moment(until)?) }).filter(|_| after < until)
}

/// Hands each value of a page, oldest first, to those who read it; says how many were kept.
fn take(
    columns: &MetricColumns,
    wanted: &HashMap<AgentId, Vec<Wanted>>,
    selections: &[Selection],
    lookback: i64,
    readings: &mut [Vec<Reading>],
) -> usize {
    let by_agent: Vec<&[Wanted]> =
        columns.agents().iter().map(|agent| wanted.get(agent).map_or(&[][..], Vec::as_slice)).collect();
    let interval = &columns.values()[INTERVAL];
    let mut kept = 0;
    for (row, (&time, &agent)) in columns.timestamps().iter().zip(columns.agent_indexes()).enumerate() {
        let seconds = METRIC_FIELDS[INTERVAL].in_unit(interval[row]).unwrap_or(0.0) as i64;
        let believed_for = lookback.max(seconds.saturating_mul(1_000 * INTERVALS_BELIEVED));
        for one in by_agent[agent as usize] {
            if let Some(value) = one.field.in_unit(columns.values()[one.field.index()][row]) {
                let reading = &mut readings[one.selection][one.reading];
                let sample = (time.div_euclid(1_000), value, believed_for);
                kept += usize::from(reading.push(&selections[one.selection], sample));
            }
        }
    }
    kept
}

/// The place of `interval_seconds` among the fields.
const INTERVAL: usize = 0;

fn too_much(what: &str) -> ApiError {
    ApiError::NotComputable(format!(
        "the query needs too much {what}: take a shorter range, a longer step or fewer series"
    ))
}

/// The labels of each series that any of the filters takes and that has samples in the span.
///
/// # Errors
/// Those of the storage.
pub(super) async fn series_in(
    filters: &[astranetmon_promql::SeriesFilter],
    (start, end): (Option<i64>, Option<i64>),
    scope: &Scope<ReadMetrics>,
    state: &ApiState,
) -> Result<BTreeSet<Labels>, ApiError> {
    let _turn = turn(state).await?;
    let sources = Sources::of(state, scope).await?;
    let moment = |millis: i64| millis.checked_mul(1_000).map(Timestamp::from_micros);
    let range = TimeRange { start: start.and_then(moment), end: end.and_then(|end| moment(end.saturating_add(1))) };
    let mut all: BTreeSet<Labels> = BTreeSet::new();
    let mut known: HashMap<AgentId, Vec<MetricField>> = HashMap::new();
    for filter in filters {
        for (agent, field, labels) in sources.matching(filter) {
            if !known.contains_key(agent) {
                known.insert(agent.clone(), measured(agent, range, scope, state).await?);
            }
            if known[agent].contains(&field) {
                all.insert(labels);
            }
        }
    }
    Ok(all)
}

/// The fields that an agent knows in a span of time, by the newest sample in it: what a host can measure seldom changes.
async fn measured(
    agent: &AgentId,
    range: TimeRange,
    scope: &Scope<ReadMetrics>,
    state: &ApiState,
) -> Result<Vec<MetricField>, ApiError> {
    let filter = RecordFilter { agent: AgentFilter::One(agent.clone()), range };
    let page = PageRequest::new(Limit::SMALLEST, None);
    let columns = state.storage.metric_page(scope, &filter, &page).await?.columns;
    let is_known = |field: &MetricField| {
        columns.values()[field.index()].first().is_some_and(|value| field.in_unit(*value).is_some())
    };
    Ok(METRIC_FIELDS.into_iter().filter(is_known).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_where_it_is_looked_for() {
        assert_eq!(METRIC_FIELDS[INTERVAL].name, "interval_seconds");
    }
}
