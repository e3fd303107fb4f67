//! What the lists of measured records have in common: filters, limit, cursor, and the link to the next page.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse};
use astranetmon_auth::{Principal, ReadMetrics, ReadPermission, ReadSpeedtests, ReadTraceroutes};
use astranetmon_domain::{
    AccountId, AgentFilter, AgentId, Limit, MetricPosition, Order, PageRequest, RecordFilter, RecordPosition,
    Retention, SpeedtestFilter, SpeedtestStatus, TimeRange, Timestamp, TracerouteFilter, TracerouteProtocol,
    TracerouteStatus, is_relative_moment, parse_moment,
};
use astranetmon_storage::ArrivalPosition;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter as ParameterDocument, ParameterIn};

use super::aggregate_list::AGGREGATE_PARAMETERS;
use crate::conditional::{Canonical, Freshness, Tagged, longest_kept};
use crate::cursor::{Cursor, Position, Walk};
use crate::encode::{Fields, Format, ListBody, METRIC_NAMES, NextPage, Rows, Shape};
use crate::openapi::parameter;
use crate::query::{
    AFTER, AGENT_ID, AGG, CHANGES_ONLY, CURSOR, END_DATE, FIELDS, FILL, FORMAT, GROUP_BY, INCLUDE, LABEL, LIMIT,
    MAX_DOWNLOAD_MBPS, MAX_PING_MS, MAX_UPLOAD_MBPS, MIN_DOWNLOAD_MBPS, MIN_PING_MS, MIN_UPLOAD_MBPS, PROTOCOL,
    PROVIDER, Parameter, QueryString, REACHED, SORT, START_DATE, STATUS, TARGET, enumerated,
};
use crate::wire::{SpeedtestRecord, TracerouteRecord};
use crate::{ApiError, ApiState};

/// Rows of a page when the caller does not say.
const DEFAULT_ROWS: u32 = 100;
/// Steps of dates that are relative to now.
const STEP_MICROS: i64 = 10_000_000;

/// Filters of all lists of measured records.
const RECORD_PARAMETERS: [Parameter; 10] =
    [AGENT_ID, LABEL, START_DATE, END_DATE, SORT, LIMIT, CURSOR, AFTER, FIELDS, FORMAT];

/// A kind of measured record that is listed.
pub(crate) trait Listed: 'static {
    /// A place in its list.
    type Position: Position;
    /// What the caller must hold.
    type Permission: ReadPermission;
    /// Which of them a caller wants.
    type Filter: std::fmt::Debug;

    /// Its fields.
    const FIELDS: &'static [&'static str];
    /// What its list knows beside [`RECORD_PARAMETERS`].
    const PARAMETERS: &'static [Parameter];

    /// Reads the rest of the filter.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for values that mean nothing.
    fn filter(query: &QueryString, records: RecordFilter) -> Result<Self::Filter, ApiError>;

    /// [`Listed::PARAMETERS`] as the document has them.
    fn documents() -> Vec<ParameterDocument>;

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
    type Filter = RecordFilter;
    const FIELDS: &'static [&'static str] = &METRIC_NAMES;
    const PARAMETERS: &'static [Parameter] = &AGGREGATE_PARAMETERS;

    fn filter(query: &QueryString, records: RecordFilter) -> Result<RecordFilter, ApiError> {
        // What goes with intervals only has no sense here.
        let stray = [AGG, GROUP_BY, FILL].into_iter().find(|parameter| query.get(*parameter).is_some());
        stray.map_or(Ok(records), |Parameter { name, example, .. }| {
            Err(ApiError::BadRequest(format!(
                "Missing interval: {name} goes with interval or points, for example interval=5m&{name}={example}"
            )))
        })
    }

    fn documents() -> Vec<ParameterDocument> {
        vec![parameter::interval(), parameter::points(), parameter::agg(), parameter::group_by(), parameter::fill()]
    }

    fn oldest_sent(kept: Retention, now: Timestamp) -> Timestamp {
        kept.raw_start(now)
    }
}

impl Listed for Speedtests {
    type Position = RecordPosition;
    type Permission = ReadSpeedtests;
    type Filter = SpeedtestFilter;
    const FIELDS: &'static [&'static str] = &SpeedtestRecord::FIELDS;
    const PARAMETERS: &'static [Parameter] = &[
        STATUS,
        PROVIDER,
        MIN_DOWNLOAD_MBPS,
        MAX_DOWNLOAD_MBPS,
        MIN_UPLOAD_MBPS,
        MAX_UPLOAD_MBPS,
        MIN_PING_MS,
        MAX_PING_MS,
    ];

    fn filter(query: &QueryString, records: RecordFilter) -> Result<SpeedtestFilter, ApiError> {
        Ok(SpeedtestFilter {
            records,
            status: choice(query, STATUS, &SpeedtestStatus::ALL, SpeedtestStatus::as_str)?,
            provider: query.get(PROVIDER).map(str::to_owned),
            min_download_mbps: bound(query, MIN_DOWNLOAD_MBPS)?,
            max_download_mbps: bound(query, MAX_DOWNLOAD_MBPS)?,
            min_upload_mbps: bound(query, MIN_UPLOAD_MBPS)?,
            max_upload_mbps: bound(query, MAX_UPLOAD_MBPS)?,
            min_ping_ms: bound(query, MIN_PING_MS)?,
            max_ping_ms: bound(query, MAX_PING_MS)?,
        })
    }

    fn documents() -> Vec<ParameterDocument> {
        let names = SpeedtestStatus::ALL.map(SpeedtestStatus::as_str);
        vec![
            parameter::choice(STATUS, "Only speed tests that ended so.", names),
            parameter::exact_text(PROVIDER, "Only speed tests that this provider served, to the letter."),
            parameter::bound(MIN_DOWNLOAD_MBPS, "Only speed tests with at least this download, in Mbit/s."),
            parameter::bound(MAX_DOWNLOAD_MBPS, "Only speed tests with at most this download, in Mbit/s."),
            parameter::bound(MIN_UPLOAD_MBPS, "Only speed tests with at least this upload, in Mbit/s."),
            parameter::bound(MAX_UPLOAD_MBPS, "Only speed tests with at most this upload, in Mbit/s."),
            parameter::bound(MIN_PING_MS, "Only speed tests with at least this round trip, in milliseconds."),
            parameter::bound(MAX_PING_MS, "Only speed tests with at most this round trip, in milliseconds."),
        ]
    }

    fn oldest_sent(kept: Retention, now: Timestamp) -> Timestamp {
        kept.hourly_start(now)
    }
}

impl Listed for Traceroutes {
    type Position = RecordPosition;
    type Permission = ReadTraceroutes;
    type Filter = TracerouteFilter;
    const FIELDS: &'static [&'static str] = &TracerouteRecord::FIELDS;
    const PARAMETERS: &'static [Parameter] = &[STATUS, TARGET, PROTOCOL, REACHED, CHANGES_ONLY];

    fn filter(query: &QueryString, records: RecordFilter) -> Result<TracerouteFilter, ApiError> {
        Ok(TracerouteFilter {
            records,
            status: choice(query, STATUS, TracerouteStatus::ALL, TracerouteStatus::as_str)?,
            target: query.get(TARGET).map(str::to_owned),
            protocol: choice(query, PROTOCOL, TracerouteProtocol::ALL, TracerouteProtocol::as_str)?,
            reached: truth(query, REACHED)?,
            changes_only: truth(query, CHANGES_ONLY)?.unwrap_or(false),
        })
    }

    fn documents() -> Vec<ParameterDocument> {
        let statuses = TracerouteStatus::ALL.iter().map(|status| status.as_str());
        let protocols = TracerouteProtocol::ALL.iter().map(|protocol| protocol.as_str());
        vec![
            parameter::choice(STATUS, "Only traceroutes that ended so.", statuses),
            parameter::exact_text(TARGET, "Only traceroutes to this target, to the letter."),
            parameter::choice(PROTOCOL, "Only traceroutes by this protocol.", protocols),
            parameter::truth(REACHED, "Only traceroutes whose target answered, or did not.", None),
            parameter::truth(CHANGES_ONLY, "Only traceroutes whose `path_changed` is true.", Some(false)),
        ]
    }

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
    pub(crate) filter: K::Filter,
    /// Which of them, unless they are asked for in the order of their arrival.
    pub(crate) page: PageRequest<K::Position, MAX>,
    /// Behind which place, if they are.
    pub(crate) arrived_after: Option<ArrivalPosition>,
    /// How it is answered.
    pub(crate) shape: Shape,
    range: TimeRange,
    origin: WalkOrigin,
    freshness: Freshness,
}

impl<K: Listed, const MAX: u32> RecordListQuery<K, MAX> {
    /// The page behind `last`.
    pub(crate) fn behind(&self, last: K::Position, state: &ApiState) -> Option<NextPage> {
        self.origin.next_page(&Cursor { range: self.range, after: last }, state)
    }

    /// The answer of records in the order of their arrival, of which `total` match: the place up to which they go
    /// stands in it, and a link if there is more already.
    pub(crate) async fn arrived<R: Rows>(
        &self,
        rows: R,
        total: u64,
        (until, more): (ArrivalPosition, bool),
        state: &ApiState,
    ) -> HttpResponse {
        let (place, link) = self.origin.next_arrivals(until, state);
        let next = link.filter(|_| more).map(|link| NextPage { cursor: None, link });
        ListBody::new(rows, self.shape, total, next).with_sync_cursor(place).respond().await
    }
}

impl<K: Listed, const MAX: u32> Tagged for RecordListQuery<K, MAX> {
    type Permission = K::Permission;

    fn read(request: &HttpRequest, state: &ApiState) -> Result<Self, ApiError> {
        Self::of(WalkOrigin::read_list::<K>(request)?, request, state)
    }

    fn describe(&self, asked: &mut Canonical) {
        self.origin.describe(asked);
        describe_shape(&self.shape, asked);
        // The rest of the filter stands there as it was written.
        asked.range(&self.range).number(i64::from(self.page.limit.rows()));
        asked.written(|bytes| self.page.after.iter().for_each(|after| after.write(bytes)));
        asked.number(self.arrived_after.map_or(-1, |after| after.0));
    }

    fn freshness(&self) -> Freshness {
        // What came in is a question of its own: late records are of any time.
        if self.arrived_after.is_some() { Freshness::Asks } else { self.freshness }
    }
}

impl<K: Listed, const MAX: u32> RecordListQuery<K, MAX> {
    /// What a request whose query is read asks for.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for values that mean nothing.
    pub(super) fn of(origin: WalkOrigin, request: &HttpRequest, state: &ApiState) -> Result<Self, ApiError> {
        let shape = origin.shape(request, K::FIELDS)?;
        let limit = page_limit(&origin.query)?;
        let cursor: Option<Cursor<K::Position>> = origin.cursor(state)?;
        let now = state.clock.now();
        let (range, freshness) = origin.range(cursor.as_ref().map(|cursor| cursor.range), now, K::oldest_sent)?;
        let filter = K::filter(&origin.query, RecordFilter { agent: agent_filter(&origin.query)?, range })?;
        let page = PageRequest::new(limit, cursor.map(|cursor| cursor.after)).in_order(order(&origin.query)?);
        let arrived_after = origin.arrived_after(state)?;
        Ok(Self { filter, page, arrived_after, shape, range, origin, freshness })
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

/// The agents that are asked for.
///
/// # Errors
/// [`ApiError::BadRequest`] for a label that is none.
pub(super) fn agent_filter(query: &QueryString) -> Result<AgentFilter, ApiError> {
    let label = |text: &str| match text.split_once(':') {
        Some((name, value)) if AgentId::parse(name).is_ok() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(ApiError::BadRequest(
            "Invalid label: a label is a name and a value with a colon between them, for example label=site:ber"
                .to_owned(),
        )),
    };
    let labels: Vec<_> = query.all(LABEL).map(label).collect::<Result<_, _>>()?;
    // Text that is no id is simply nobody's.
    let named = query.get(AGENT_ID).map(|_| query.all(AGENT_ID).filter_map(|text| AgentId::parse(text).ok()).collect());
    Ok(match (labels.is_empty(), named) {
        (true, None) => AgentFilter::All,
        (true, Some(named)) => AgentFilter::any_of(named),
        (false, among) => AgentFilter::Labelled { labels, among },
    })
}

/// From which end a list is asked for.
///
/// # Errors
/// [`ApiError::BadRequest`] for any other order.
pub(super) fn order(query: &QueryString) -> Result<Order, ApiError> {
    let name = |order| match order {
        Order::NewestFirst => "newest_first",
        Order::OldestFirst => "oldest_first",
    };
    Ok(choice(query, SORT, &[Order::NewestFirst, Order::OldestFirst], name)?.unwrap_or_default())
}

/// How many rows are asked for.
///
/// # Errors
/// [`ApiError::BadRequest`] for a limit that is none.
pub(super) fn page_limit<const MAX: u32>(query: &QueryString) -> Result<Limit<MAX>, ApiError> {
    match query.get(LIMIT) {
        Some(text) => Limit::parse(text),
        None => Limit::new(DEFAULT_ROWS),
    }
    .map_err(|_| bad_limit())
}

/// One of several names.
///
/// # Errors
/// [`ApiError::BadRequest`] for any other text.
pub(super) fn choice<T: Copy>(
    query: &QueryString,
    parameter: Parameter,
    all: &[T],
    name: fn(T) -> &'static str,
) -> Result<Option<T>, ApiError> {
    let find = |text: &str| {
        all.iter().copied().find(|one| name(*one) == text).ok_or_else(|| {
            let listed = enumerated(&all.iter().map(|one| name(*one)).collect::<Vec<_>>());
            let Parameter { name, example, .. } = parameter;
            ApiError::BadRequest(format!("Invalid {name}: it is {listed}, for example {name}={example}"))
        })
    };
    query.get(parameter).map(find).transpose()
}

/// Yes or no.
fn truth(query: &QueryString, parameter: Parameter) -> Result<Option<bool>, ApiError> {
    choice(query, parameter, &[true, false], |truth| if truth { "true" } else { "false" })
}

/// A least or greatest value.
fn bound(query: &QueryString, parameter: Parameter) -> Result<Option<f64>, ApiError> {
    let parse = |text: &str| {
        // Numbers as JSON has them, not all that Rust reads.
        let is_number = text.starts_with(|first: char| first.is_ascii_digit() || first == '-');
        let value = text.parse::<f64>().ok().filter(|value| is_number && value.is_finite() && *value >= 0.0);
        value.ok_or_else(|| {
            let Parameter { name, example, .. } = parameter;
            ApiError::BadRequest(format!(
                "Invalid {name}: it is a decimal number from 0 upwards, for example {name}={example}"
            ))
        })
    };
    query.get(parameter).map(parse).transpose()
}

/// A date as it was given. What is relative to now moves on in steps of 10 s, so that callers who ask again soon ask
/// for the same.
fn moment(query: &QueryString, parameter: Parameter, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let parse = |text| {
        let moment = parse_moment(text, now).map_err(|_| {
            let Parameter { name, example, .. } = parameter;
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

    /// Reads the request to a list of those records.
    ///
    /// # Errors
    /// Those of [`WalkOrigin::read`].
    pub(super) fn read_list<K: Listed>(request: &HttpRequest) -> Result<Self, ApiError> {
        Self::read(request, &[&RECORD_PARAMETERS[..], K::PARAMETERS].concat())
    }

    /// Writes down what list it is, and its filters as they were written: its cursors depend on that.
    pub(crate) fn describe(&self, asked: &mut Canonical) {
        let others = self.others();
        let walk = self.walk(&others);
        asked.text(walk.path);
        walk.filters.into_iter().for_each(|filter| _ = asked.optional_text(filter));
        asked.number(walk.others.len() as i64);
        walk.others.iter().for_each(|(name, value)| _ = asked.text(name).text(value));
    }

    fn walk<'a>(&'a self, others: &'a [(&'a str, &'a str)]) -> Walk<'a> {
        let filters = [AGENT_ID, START_DATE, END_DATE].map(|parameter| self.query.get(parameter));
        Walk { account_id: self.account_id, path: &self.path, filters, others }
    }

    /// What a walk is bound to beside the first agent and the dates.
    fn others(&self) -> Vec<(&str, &str)> {
        // These may change from page to page.
        let free = [LIMIT, CURSOR, AFTER, FIELDS, FORMAT, INCLUDE, AGG, START_DATE, END_DATE];
        let mut agents = 0;
        let others = self.query.iter().filter(|(parameter, _)| {
            agents += usize::from(*parameter == AGENT_ID);
            !free.contains(parameter) && (*parameter != AGENT_ID || agents > 1)
        });
        others.map(|(parameter, value)| (parameter.name, value)).collect()
    }

    /// The span of time that is asked for, and how long an answer about it may be believed. `of_cursor` is the one in
    /// which the walk began, whatever the dates are relative to; `oldest_sent`: see [`Listed::oldest_sent`].
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] for a date that is none.
    pub(super) fn range(
        &self,
        of_cursor: Option<TimeRange>,
        now: Timestamp,
        oldest_sent: fn(Retention, Timestamp) -> Timestamp,
    ) -> Result<(TimeRange, Freshness), ApiError> {
        let query = &self.query;
        let given = TimeRange { start: moment(query, START_DATE, now)?, end: moment(query, END_DATE, now)? };
        let stands_still = of_cursor.is_some() || [START_DATE, END_DATE].iter().all(|date| is_absolute(query, *date));
        let range = of_cursor.unwrap_or(given);
        let freshness = match (range.start, range.end) {
            (Some(_), Some(end)) if stands_still => Freshness::of_window(end, oldest_sent(self.kept, now)),
            _ => Freshness::Asks,
        };
        Ok((range, freshness))
    }

    /// The cursor that was given.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] unless this service wrote it for this walk.
    pub(crate) fn cursor<P: Position>(&self, state: &ApiState) -> Result<Option<Cursor<P>>, ApiError> {
        let others = self.others();
        let read = |text| {
            Cursor::read(text, &state.cursor_key, self.walk(&others)).ok_or_else(|| {
                ApiError::BadRequest(
                    "Invalid cursor: a cursor is taken unchanged from the Link header of the page before, with the \
                     same filters, for example by following its rel=\"next\""
                        .to_owned(),
                )
            })
        };
        self.query.get(CURSOR).map(read).transpose()
    }

    /// The place behind which arrivals are asked for, if they are: empty is before all.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] unless this service wrote it for this list, and for what does not go with it.
    pub(crate) fn arrived_after(&self, state: &ApiState) -> Result<Option<ArrivalPosition>, ApiError> {
        let Some(text) = self.query.get(AFTER) else { return Ok(None) };
        if let Some(Parameter { name, .. }) = [CURSOR, SORT].into_iter().find(|other| self.query.get(*other).is_some())
        {
            return Err(ApiError::BadRequest(format!(
                "Conflicting parameters: {name} and after exclude each other, for example send after alone"
            )));
        }
        if text.is_empty() { Ok(Some(ArrivalPosition::default())) } else { self.position(text, state).map(Some) }
    }

    /// The place in the order of arrival that the text names.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] unless this service wrote it for this list and these filters.
    pub(crate) fn position(&self, text: &str, state: &ApiState) -> Result<ArrivalPosition, ApiError> {
        let others = self.others();
        let cursor = Cursor::read(text, &state.cursor_key, self.arrival_walk(&others));
        cursor.map(|cursor| cursor.after).ok_or_else(|| {
            ApiError::BadRequest(
                "Invalid after: it is empty to begin with, and then taken unchanged from the Sync-Cursor header of the \
                 answer before, with the same filters, for example by following its rel=\"next\""
                    .to_owned(),
            )
        })
    }

    /// Places in the order of arrival are not bound to dates, which may be relative.
    fn arrival_walk<'a>(&'a self, others: &'a [(&'a str, &'a str)]) -> Walk<'a> {
        let filters = [Some("after"), self.query.get(AGENT_ID), None];
        Walk { account_id: self.account_id, path: &self.path, filters, others }
    }

    /// The text of a place in the order of arrival, and the link that leads behind it.
    pub(crate) fn next_arrivals(&self, until: ArrivalPosition, state: &ApiState) -> (String, Option<HeaderValue>) {
        let others = self.others();
        let cursor = Cursor { range: TimeRange::ALL, after: until };
        let place = cursor.write(&state.cursor_key, self.arrival_walk(&others));
        (place.clone(), self.link(AFTER, &place, state))
    }

    fn link(&self, parameter: Parameter, value: &str, state: &ApiState) -> Option<HeaderValue> {
        let base = state.settings.public_url.as_deref().unwrap_or_default();
        let query = self.query.without(parameter);
        HeaderValue::try_from(format!("<{base}{}?{query}{}={value}>; rel=\"next\"", self.path, parameter.name)).ok()
    }

    /// The page that begins behind the cursor.
    pub(crate) fn next_page<P: Position>(&self, cursor: &Cursor<P>, state: &ApiState) -> Option<NextPage> {
        let cursor = cursor.write(&state.cursor_key, self.walk(&self.others()));
        let link = self.link(CURSOR, &cursor, state)?;
        Some(NextPage { cursor: Some(cursor), link })
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
        let mut documents = vec![
            parameter::agent_id(),
            parameter::label(),
            parameter::start_date(),
            parameter::end_date(),
            parameter::sort(),
            parameter::limit(Some(DEFAULT_ROWS), MAX),
            parameter::cursor(),
            parameter::after(),
            parameter::fields(K::FIELDS),
            parameter::format(),
        ];
        documents.extend(K::documents());
        documents
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
