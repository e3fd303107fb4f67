//! What the lists of measured records have in common: filters, limit, cursor, and the link to the next page.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use astranetmon_auth::{Principal, ReadMetrics, ReadPermission, ReadSpeedtests, ReadTraceroutes};
use astranetmon_domain::{
    AccountId, AgentFilter, Limit, MetricPosition, PageRequest, RecordFilter, RecordPosition, Retention, TimeRange,
    Timestamp, is_relative_moment, parse_moment,
};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter as ParameterDocument, ParameterIn};

use crate::conditional::{Canonical, Freshness, Tagged, longest_kept};
use crate::cursor::{Cursor, Position, Walk};
use crate::encode::{Fields, Format, METRIC_NAMES, NextPage, Shape};
use crate::openapi::parameter;
use crate::query::{AGENT_ID, CURSOR, END_DATE, FIELDS, FORMAT, LIMIT, Parameter, QueryString, START_DATE};
use crate::wire::{SpeedtestRecord, TracerouteRecord};
use crate::{ApiError, ApiState};

/// Rows of a page when the caller does not say.
const DEFAULT_ROWS: u32 = 100;
/// Steps of dates that are relative to now.
const STEP_MICROS: i64 = 10_000_000;

/// A kind of measured record that is listed.
pub(crate) trait Listed: 'static {
    /// A place in its list.
    type Position: Position;
    /// What the caller must hold.
    type Permission: ReadPermission;

    /// Its fields.
    const FIELDS: &'static [&'static str];

    /// The oldest time of which agents may send such records at `now`.
    fn oldest_sent(kept: Retention, now: Timestamp) -> Timestamp;
}

/// Metrics.
#[derive(Debug)]
pub(crate) enum Metrics {}
/// Speed tests.
#[derive(Debug)]
pub(crate) enum Speedtests {}
/// Traceroutes.
#[derive(Debug)]
pub(crate) enum Traceroutes {}

impl Listed for Metrics {
    type Position = MetricPosition;
    type Permission = ReadMetrics;
    const FIELDS: &'static [&'static str] = &METRIC_NAMES;

    fn oldest_sent(kept: Retention, now: Timestamp) -> Timestamp {
        kept.raw_start(now)
    }
}

impl Listed for Speedtests {
    type Position = RecordPosition;
    type Permission = ReadSpeedtests;
    const FIELDS: &'static [&'static str] = &SpeedtestRecord::FIELDS;

    fn oldest_sent(kept: Retention, now: Timestamp) -> Timestamp {
        kept.hourly_start(now)
    }
}

impl Listed for Traceroutes {
    type Position = RecordPosition;
    type Permission = ReadTraceroutes;
    const FIELDS: &'static [&'static str] = &TracerouteRecord::FIELDS;

    fn oldest_sent(kept: Retention, now: Timestamp) -> Timestamp {
        kept.hourly_start(now)
    }
}

/// The query of the list of metrics.
pub(crate) type MetricListQuery = RecordListQuery<Metrics, 10_000>;
/// The query of the list of speed tests.
pub(crate) type SpeedtestListQuery = RecordListQuery<Speedtests, 1_000>;
/// The query of the list of traceroutes.
pub(crate) type TracerouteListQuery = RecordListQuery<Traceroutes, 1_000>;

/// Which records, how many of them, and from where on.
#[derive(Debug)]
pub(crate) struct RecordListQuery<K: Listed, const MAX: u32> {
    /// Which records.
    pub(crate) filter: RecordFilter,
    /// Which of them.
    pub(crate) page: PageRequest<K::Position, MAX>,
    /// How it is answered.
    pub(crate) shape: Shape,
    origin: WalkOrigin,
    freshness: Freshness,
}

impl<K: Listed, const MAX: u32> RecordListQuery<K, MAX> {
    /// The page behind `last`.
    pub(crate) fn behind(&self, last: K::Position, state: &ApiState) -> Option<NextPage> {
        self.origin.next_page(&Cursor { range: self.filter.range, after: last }, state)
    }
}

impl<K: Listed, const MAX: u32> Tagged for RecordListQuery<K, MAX> {
    type Permission = K::Permission;

    fn read(request: &HttpRequest, state: &ApiState) -> Result<Self, ApiError> {
        let now = state.clock.now();
        let origin = WalkOrigin::read(request, &[AGENT_ID, START_DATE, END_DATE, LIMIT, CURSOR, FIELDS, FORMAT])?;
        let query = &origin.query;
        let shape = origin.shape(request, K::FIELDS)?;
        let limit = match query.get(LIMIT) {
            Some(text) => Limit::parse(text).map_err(|_| bad_limit())?,
            None => Limit::new(DEFAULT_ROWS).map_err(|_| bad_limit())?,
        };
        let range = TimeRange { start: moment(query, START_DATE, now)?, end: moment(query, END_DATE, now)? };
        let cursor: Option<Cursor<K::Position>> = origin.cursor(state)?;
        // A cursor carries its times, whatever the dates are relative to.
        let stands_still = cursor.is_some() || [START_DATE, END_DATE].iter().all(|date| is_absolute(query, *date));
        let (range, after) = cursor.map_or((range, None), |cursor| (cursor.range, Some(cursor.after)));
        let freshness = match (range.start, range.end) {
            (Some(_), Some(end)) if stands_still => Freshness::of_window(end, K::oldest_sent(origin.kept, now)),
            _ => Freshness::Asks,
        };
        let agent = query.get(AGENT_ID).map_or(AgentFilter::All, AgentFilter::from_text);
        let (filter, page) = (RecordFilter { agent, range }, PageRequest { limit, after });
        Ok(Self { filter, page, shape, origin, freshness })
    }

    fn describe(&self, asked: &mut Canonical) {
        self.origin.describe(asked);
        describe_shape(&self.shape, asked);
        // The agent stands among the filters.
        asked.range(&self.filter.range).number(i64::from(self.page.limit.rows()));
        asked.written(|bytes| self.page.after.iter().for_each(|after| after.write(bytes)));
    }

    fn freshness(&self) -> Freshness {
        self.freshness
    }
}

impl<K: Listed, const MAX: u32> FromRequest for RecordListQuery<K, MAX> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<ApiState>>().ok_or(ApiError::Internal);
        ready(state.and_then(|state| Self::read(request, state)))
    }
}

/// A date as it was given. What is relative to now moves on in steps of 10 s, so that callers who ask again soon ask
/// for the same.
fn moment(query: &QueryString, parameter: Parameter, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let parse = |text| {
        let moment = parse_moment(text, now).map_err(|_| {
            let Parameter { name, example } = parameter;
            ApiError::BadRequest(format!(
                "Invalid {name}: a date is RFC 3339, a day alone, or relative to now in s, m, h, d or w, \
                 for example {name}={example} or {name}=-7d"
            ))
        })?;
        Ok(if is_relative_moment(text) {
            moment.plus_micros(-moment.as_micros().rem_euclid(STEP_MICROS))
        } else {
            moment
        })
    };
    query.get(parameter).map(parse).transpose()
}

fn is_absolute(query: &QueryString, date: Parameter) -> bool {
    query.get(date).is_some_and(|text| !is_relative_moment(text))
}

/// Writes down how a list is answered.
pub(crate) fn describe_shape(shape: &Shape, asked: &mut Canonical) {
    asked.number(shape.fields.bits().cast_signed()).text(shape.format.name());
}

/// 400 for a limit that is none.
pub(crate) fn bad_limit() -> ApiError {
    ApiError::BadRequest("Invalid limit: a limit is a whole number from 1 upwards, for example limit=100".to_owned())
}

/// Where a walk through a list began: what its cursors are bound to, and what its links repeat.
#[derive(Debug)]
pub(crate) struct WalkOrigin {
    /// As the caller gave it.
    pub(crate) query: QueryString,
    /// The longest that the account may keep what agents send.
    kept: Retention,
    account_id: AccountId,
    path: String,
}

impl WalkOrigin {
    /// Reads the request to a list that knows the parameters `known`.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] as [`QueryString::parse`] has it.
    pub(crate) fn read(request: &HttpRequest, known: &[Parameter]) -> Result<Self, ApiError> {
        let principal = request.extensions().get::<Principal>().cloned();
        let principal = principal.ok_or(ApiError::Unauthorized { token_sent: false })?;
        let (account_id, kept) = (principal.account_id(), longest_kept(&principal));
        let query = QueryString::parse(request.query_string(), known)?;
        // The pattern, since one path can be written in several ways.
        let path = request.match_pattern().unwrap_or_default();
        Ok(Self { query, kept, account_id, path })
    }

    /// Writes down what list it is, and its filters as they were written: its cursors depend on that.
    pub(crate) fn describe(&self, asked: &mut Canonical) {
        let walk = self.walk();
        asked.text(walk.path);
        walk.filters.into_iter().for_each(|filter| _ = asked.optional_text(filter));
    }

    fn walk(&self) -> Walk<'_> {
        Walk {
            account_id: self.account_id,
            path: &self.path,
            filters: [AGENT_ID, START_DATE, END_DATE].map(|parameter| self.query.get(parameter)),
        }
    }

    /// The cursor that was given.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] unless this service wrote it for this walk.
    pub(crate) fn cursor<P: Position>(&self, state: &ApiState) -> Result<Option<Cursor<P>>, ApiError> {
        let read = |text| {
            Cursor::read(text, &state.cursor_key, self.walk()).ok_or_else(|| {
                ApiError::BadRequest(
                    "Invalid cursor: a cursor is taken unchanged from the Link header of the page before, with the \
                     same agent_id, start_date and end_date, for example by following its rel=\"next\""
                        .to_owned(),
                )
            })
        };
        self.query.get(CURSOR).map(read).transpose()
    }

    /// The page that begins behind the cursor.
    pub(crate) fn next_page<P: Position>(&self, cursor: &Cursor<P>, state: &ApiState) -> Option<NextPage> {
        let base = state.settings.public_url.as_deref().unwrap_or_default();
        let query = self.query.without(CURSOR);
        let cursor = cursor.write(&state.cursor_key, self.walk());
        let link = HeaderValue::try_from(format!("<{base}{}?{query}cursor={cursor}>; rel=\"next\"", self.path)).ok()?;
        Some(NextPage { cursor, link })
    }

    /// How the list of records with those fields is to be answered.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for fields and formats that are not there.
    pub(crate) fn shape(&self, request: &HttpRequest, names: &'static [&'static str]) -> Result<Shape, ApiError> {
        let fields = Fields::asked(&self.query, names)?;
        Ok(Shape { fields, format: Format::asked(&self.query, request.headers())? })
    }
}

impl<K: Listed, const MAX: u32> IntoParams for RecordListQuery<K, MAX> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<ParameterDocument> {
        vec![
            parameter::agent_id(),
            parameter::start_date(),
            parameter::end_date(),
            parameter::limit(Some(DEFAULT_ROWS), MAX),
            parameter::cursor(),
            parameter::fields(K::FIELDS),
            parameter::format(),
        ]
    }
}

/// A request whose query must be empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoParameters(PhantomData<()>);

impl NoParameters {
    /// # Errors
    /// [`ApiError::BadRequest`] if there is a query.
    pub(crate) fn read(request: &HttpRequest) -> Result<Self, ApiError> {
        QueryString::parse(request.query_string(), &[]).map(|_| Self(PhantomData))
    }
}

impl FromRequest for NoParameters {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::read(request))
    }
}
