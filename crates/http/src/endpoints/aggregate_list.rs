//! The list of metrics when figures of intervals are asked for.

use std::num::NonZeroU32;

use actix_web::HttpRequest;
use astranetmon_domain::{AgentId, METRIC_FIELDS, PageRequest, RecordFilter, TimeRange, Timestamp};
use astranetmon_storage::{
    Aggregate, AggregateColumn, AggregatePosition, AggregateQuery, Grouping, InvalidAggregateQuery,
};

use super::record_list::{Listed, Metrics, WalkOrigin, agent_filter, describe_shape, order, page_limit};
use crate::conditional::{Canonical, Freshness};
use crate::cursor::{Cursor, Position};
use crate::encode::{NextPage, Shape};
use crate::query::{AFTER, AGG, FILL, GROUP_BY, INTERVAL, POINTS, Parameter, QueryString};
use crate::{ApiError, ApiState};

/// What the list of metrics knows beside what all lists of records know.
pub(super) const AGGREGATE_PARAMETERS: [Parameter; 5] = [INTERVAL, POINTS, AGG, GROUP_BY, FILL];

const DAY: u32 = 86_400;
/// Lengths of intervals, in seconds.
const SHORTEST: u32 = 10;
const LONGEST: u32 = 30 * DAY;
/// Lengths from which one is chosen to fit.
const ROUND: [u32; 25] = [
    10,
    15,
    20,
    30,
    60,
    120,
    300,
    600,
    900,
    1_200,
    1_800,
    3_600,
    7_200,
    10_800,
    14_400,
    21_600,
    28_800,
    43_200,
    DAY,
    2 * DAY,
    3 * DAY,
    7 * DAY,
    10 * DAY,
    14 * DAY,
    LONGEST,
];

/// Which figures, of which intervals, and from where on.
#[derive(Debug)]
pub(crate) struct AggregateListQuery {
    pub(super) aggregates: AggregateQuery,
    pub(super) page: PageRequest<AggregatePosition, 10_000>,
    pub(super) shape: Shape,
    origin: WalkOrigin,
    freshness: Freshness,
}

impl AggregateListQuery {
    /// Whether a query asks for figures of intervals.
    pub(super) fn is_asked(query: &QueryString) -> bool {
        query.get(INTERVAL).or(query.get(POINTS)).is_some()
    }

    /// The page behind `last`.
    pub(super) fn behind(&self, last: AggregatePosition, state: &ApiState) -> Option<NextPage> {
        self.origin.next_page(&Cursor { range: self.aggregates.range(), after: last }, state)
    }

    /// What a request whose query is read asks for.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for values that mean nothing.
    pub(super) fn of(origin: WalkOrigin, request: &HttpRequest, state: &ApiState) -> Result<Self, ApiError> {
        let query = &origin.query;
        if query.get(AFTER).is_some() {
            return Err(ApiError::BadRequest(
                "Conflicting parameters: intervals have no order of arrival; leave after out, for example interval=5m"
                    .to_owned(),
            ));
        }
        let shape = origin.shape(request, Metrics::FIELDS)?;
        let limit = page_limit(query)?;
        let cursor: Option<Cursor<AggregatePosition>> = origin.cursor(state)?;
        let now = state.clock.now();
        let of_cursor = cursor.as_ref().map(|cursor| cursor.range);
        let (range, freshness) = origin.range(of_cursor, now, Metrics::oldest_sent)?;
        let seconds = match (query.get(INTERVAL), query.get(POINTS)) {
            (Some(_), Some(_)) => {
                return Err(ApiError::BadRequest(
                    "Conflicting parameters: interval and points exclude each other, for example interval=5m"
                        .to_owned(),
                ));
            }
            (Some(text), None) => interval(text)?,
            (None, points) => fitting(points.unwrap_or_default(), range, now)?,
        };
        let range = closed(range, seconds, now);
        let columns = columns(&shape, &aggregates(query)?);
        let records = RecordFilter { agent: agent_filter(query)?, range };
        let aggregates = AggregateQuery::new(records, seconds, columns, grouping(query)?).map_err(too_many)?;
        let aggregates = match query.get(FILL) {
            None => aggregates,
            Some("null") => aggregates.with_empty_intervals(),
            Some(_) => {
                return Err(ApiError::BadRequest(
                    "Invalid fill: what empty intervals are filled with is null, for example fill=null".to_owned(),
                ));
            }
        };
        let page = PageRequest::new(limit, cursor.map(|cursor| cursor.after)).in_order(order(query)?);
        Ok(Self { aggregates, page, shape, origin, freshness })
    }

    pub(super) fn describe(&self, asked: &mut Canonical) {
        self.origin.describe(asked);
        describe_shape(&self.shape, asked);
        asked.optional_text(self.origin.query.list(AGG).map(|names| names.join(",")).as_deref());
        asked.range(&self.aggregates.range()).number(i64::from(self.page.limit.rows()));
        asked.written(|bytes| self.page.after.iter().for_each(|after| after.write(bytes)));
    }

    pub(super) const fn freshness(&self) -> Freshness {
        self.freshness
    }
}

fn interval(text: &str) -> Result<NonZeroU32, ApiError> {
    let parse = || {
        let (number, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let seconds = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3_600,
            "d" => DAY,
            "w" => 7 * DAY,
            _ => return None,
        };
        let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        let seconds = number.parse::<u32>().ok().filter(|_| digits)?.checked_mul(seconds)?;
        NonZeroU32::new(seconds).filter(|seconds| (SHORTEST..=LONGEST).contains(&seconds.get()))
    };
    parse().ok_or_else(|| {
        ApiError::BadRequest(
            "Invalid interval: an interval is a whole number and a unit, s, m, h, d or w, from 10s to 30d, for example \
             interval=5m"
                .to_owned(),
        )
    })
}

/// The shortest round length of which the range touches at most so many.
fn fitting(points: &str, range: TimeRange, now: Timestamp) -> Result<NonZeroU32, ApiError> {
    let digits = points.bytes().all(|byte| byte.is_ascii_digit());
    let points = points.parse::<u32>().ok().filter(|_| digits);
    let points = points.filter(|points| (1..=AggregateQuery::MOST_INTERVALS).contains(points)).ok_or_else(|| {
        ApiError::BadRequest(
            "Invalid points: points are a whole number from 1 to 10000, for example points=300".to_owned(),
        )
    })?;
    let Some(start) = range.start else {
        return Err(ApiError::BadRequest(
            "Missing start_date: points are spread from start_date on, for example points=300&start_date=-7d"
                .to_owned(),
        ));
    };
    let end = range.end.unwrap_or(now);
    let touched = |seconds: u32| {
        let width = i64::from(seconds) * 1_000_000;
        (end.as_micros() - 1).div_euclid(width) - start.as_micros().div_euclid(width) + 1
    };
    let fits = ROUND.into_iter().find(|seconds| touched(*seconds) <= i64::from(points));
    fits.and_then(NonZeroU32::new).ok_or_else(|| {
        ApiError::BadRequest(
            "Too few points: intervals are at most 30d long; ask for more points or a shorter range, for example \
             points=300"
                .to_owned(),
        )
    })
}

/// The range with both ends: an open end is that of the current interval, an open start as many intervals before the
/// end as a request may touch. Neither moves before the current interval ends.
fn closed(range: TimeRange, seconds: NonZeroU32, now: Timestamp) -> TimeRange {
    let width = i64::from(seconds.get()) * 1_000_000;
    let up = |moment: Timestamp| moment.plus_micros((-moment.as_micros()).rem_euclid(width));
    let end = range.end.unwrap_or_else(|| up(now.plus_micros(1)));
    let start = range.start.unwrap_or_else(|| up(end).plus_micros(-width * i64::from(AggregateQuery::MOST_INTERVALS)));
    TimeRange { start: Some(start), end: Some(end) }
}

fn too_many(_: InvalidAggregateQuery) -> ApiError {
    ApiError::BadRequest(
        "Too many intervals: a request touches at most 10000; take longer ones or a shorter range, for example \
         interval=1h"
            .to_owned(),
    )
}

fn aggregates(query: &QueryString) -> Result<Vec<Aggregate>, ApiError> {
    let mut chosen = Vec::new();
    for name in query.list(AGG).unwrap_or_else(|| vec!["avg"]) {
        let aggregate = Aggregate::from_name(name).ok_or_else(|| {
            let names = Aggregate::ALL.map(Aggregate::as_str).join(", ");
            ApiError::BadRequest(format!("Unknown agg: the figures are {names}, for example agg=avg,p95"))
        })?;
        if !chosen.contains(&aggregate) {
            chosen.push(aggregate);
        }
    }
    Ok(chosen)
}

/// The figures of each chosen field, field by field.
fn columns(shape: &Shape, aggregates: &[Aggregate]) -> Vec<AggregateColumn> {
    let fields = shape.fields.iter().filter_map(|(_, name)| METRIC_FIELDS.into_iter().find(|field| field.name == name));
    fields
        .flat_map(|field| aggregates.iter().map(move |aggregate| AggregateColumn { field, aggregate: *aggregate }))
        .collect()
}

fn grouping(query: &QueryString) -> Result<Grouping, ApiError> {
    let label = |text: &str| text.strip_prefix("label:").filter(|name| AgentId::parse(name).is_ok()).map(str::to_owned);
    match query.get(GROUP_BY) {
        None | Some("agent") => Ok(Grouping::Agent),
        Some("none") => Ok(Grouping::Nothing),
        Some(text) => label(text).map(Grouping::Label).ok_or_else(|| {
            ApiError::BadRequest(
                "Invalid group_by: metrics are put together by agent, none or label: and its name, for example \
                 group_by=label:site"
                    .to_owned(),
            )
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_795_433_218);

    #[test]
    fn intervals_are_read_within_their_bounds() {
        for (text, seconds) in [
            ("10s", Some(10)),
            ("5m", Some(300)),
            ("1h", Some(3_600)),
            ("30d", Some(LONGEST)),
            ("4w", Some(28 * DAY)),
            ("9s", None),
            ("0m", None),
            ("31d", None),
            ("5w", None),
            ("99999999999d", None),
            ("4294967295w", None),
            ("5", None),
            ("m", None),
            ("", None),
            ("+5m", None),
            ("5 m", None),
            ("5M", None),
            ("1.5h", None),
            ("5ä", None),
        ] {
            assert_eq!(interval(text).ok().map(NonZeroU32::get), seconds, "{text}");
        }
    }

    #[test]
    fn points_choose_the_shortest_round_interval_that_fits() {
        for (points, range_seconds, seconds) in [
            ("300", 3_600, Some(15)),
            ("10000", 30, Some(10)),
            ("300", 7 * i64::from(DAY), Some(3_600)),
            ("1000", 30 * i64::from(DAY), Some(3_600)),
            ("2", 24 * 3_600, Some(DAY)),
            ("1", 100 * i64::from(DAY), None),
            ("0", 60, None),
            ("10001", 60, None),
            ("", 60, None),
            ("+5", 60, None),
        ] {
            let range = TimeRange { start: Some(NOW.plus_seconds(-range_seconds)), end: Some(NOW) };
            assert_eq!(fitting(points, range, NOW).ok().map(NonZeroU32::get), seconds, "{points} {range_seconds}");
        }
        assert!(fitting("5", TimeRange::ALL, NOW).is_err());
    }

    #[test]
    fn open_ends_stand_still_while_an_interval_lasts() {
        let hour = NonZeroU32::new(3_600).expect("not zero");
        let hour_start = Timestamp::from_seconds(NOW.as_seconds() / 3_600 * 3_600);
        let expected = TimeRange {
            start: Some(hour_start.plus_seconds(-9_999 * 3_600)),
            end: Some(hour_start.plus_seconds(3_600)),
        };
        for seconds in [0, 1, 3_599] {
            assert_eq!(closed(TimeRange::ALL, hour, hour_start.plus_seconds(seconds)), expected, "{seconds}");
        }
        let all = RecordFilter { agent: astranetmon_domain::AgentFilter::All, range: expected };
        assert!(AggregateQuery::new(all, hour, Vec::new(), Grouping::Agent).is_ok());
    }
}
