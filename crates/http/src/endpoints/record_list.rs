//! What the lists of measured records have in common: filters, limit, cursor, and the link to the next page.

use std::future::{Ready, ready};
use std::marker::PhantomData;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderValue;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use astranetmon_auth::Principal;
use astranetmon_domain::{
    AccountId, AgentFilter, Limit, MetricPosition, PageRequest, RecordFilter, RecordPosition, TimeRange, Timestamp,
    parse_moment,
};
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter as ParameterDocument, ParameterIn};

use crate::cursor::{Cursor, Position, Walk};
use crate::openapi::parameter;
use crate::query::{AGENT_ID, CURSOR, END_DATE, LIMIT, Parameter, QueryString, START_DATE};
use crate::{ApiError, ApiState};

/// Rows of a page when the caller does not say.
const DEFAULT_ROWS: u32 = 100;

/// The query of a list of metrics.
pub(crate) type MetricListQuery = RecordListQuery<MetricPosition, 10_000>;
/// The query of a list of speed tests or traceroutes.
pub(crate) type TestListQuery = RecordListQuery<RecordPosition, 1_000>;

/// Which records, how many of them, and from where on.
#[derive(Debug)]
pub(crate) struct RecordListQuery<P, const MAX: u32> {
    /// Which records.
    pub(crate) filter: RecordFilter,
    /// Which of them.
    pub(crate) page: PageRequest<P, MAX>,
    origin: WalkOrigin,
}

impl<P: Position, const MAX: u32> RecordListQuery<P, MAX> {
    /// The link to what follows `last`.
    pub(crate) fn link_behind(&self, last: P, state: &ApiState) -> Option<HeaderValue> {
        self.origin.link(&Cursor { range: self.filter.range, after: last }, state)
    }

    fn read(request: &HttpRequest, now: Timestamp, state: &ApiState) -> Result<Self, ApiError> {
        let origin = WalkOrigin::read(request, &[AGENT_ID, START_DATE, END_DATE, LIMIT, CURSOR])?;
        let query = &origin.query;
        let limit = match query.get(LIMIT) {
            Some(text) => Limit::parse(text).map_err(|_| bad_limit())?,
            None => Limit::new(DEFAULT_ROWS).map_err(|_| bad_limit())?,
        };
        let range = TimeRange { start: moment(query, START_DATE, now)?, end: moment(query, END_DATE, now)? };
        let cursor: Option<Cursor<P>> = origin.cursor(state)?;
        let (range, after) = cursor.map_or((range, None), |cursor| (cursor.range, Some(cursor.after)));
        let agent = query.get(AGENT_ID).map_or(AgentFilter::All, AgentFilter::from_text);
        Ok(Self { filter: RecordFilter { agent, range }, page: PageRequest { limit, after }, origin })
    }
}

impl<P: Position, const MAX: u32> FromRequest for RecordListQuery<P, MAX> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<ApiState>>().ok_or(ApiError::Internal);
        ready(state.and_then(|state| Self::read(request, state.clock.now(), state)))
    }
}

fn moment(query: &QueryString, parameter: Parameter, now: Timestamp) -> Result<Option<Timestamp>, ApiError> {
    let parse = |text| {
        parse_moment(text, now).map_err(|_| {
            let Parameter { name, example } = parameter;
            ApiError::BadRequest(format!(
                "Invalid {name}: a date is RFC 3339, a day alone, or relative to now in s, m, h, d or w, \
                 for example {name}={example} or {name}=-7d"
            ))
        })
    };
    query.get(parameter).map(parse).transpose()
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
    account_id: AccountId,
    path: String,
}

impl WalkOrigin {
    /// Reads the request to a list that knows the parameters `known`.
    ///
    /// # Errors
    /// [`ApiError::BadRequest`] as [`QueryString::parse`] has it.
    pub(crate) fn read(request: &HttpRequest, known: &[Parameter]) -> Result<Self, ApiError> {
        let principal = request.extensions().get::<Principal>().map(Principal::account_id);
        let account_id = principal.ok_or(ApiError::Unauthorized { token_sent: false })?;
        let query = QueryString::parse(request.query_string(), known)?;
        // The pattern, since one path can be written in several ways.
        let path = request.match_pattern().unwrap_or_default();
        Ok(Self { query, account_id, path })
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

    /// The header that leads to what follows the cursor.
    pub(crate) fn link<P: Position>(&self, cursor: &Cursor<P>, state: &ApiState) -> Option<HeaderValue> {
        let base = state.settings.public_url.as_deref().unwrap_or_default();
        let query = self.query.without(CURSOR);
        let cursor = cursor.write(&state.cursor_key, self.walk());
        HeaderValue::try_from(format!("<{base}{}?{query}cursor={cursor}>; rel=\"next\"", self.path)).ok()
    }
}

impl<P, const MAX: u32> IntoParams for RecordListQuery<P, MAX> {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<ParameterDocument> {
        vec![
            parameter::agent_id(),
            parameter::start_date(),
            parameter::end_date(),
            parameter::limit(Some(DEFAULT_ROWS), MAX),
            parameter::cursor(),
        ]
    }
}

/// A request whose query must be empty.
#[derive(Clone, Copy, Debug)]
pub(crate) struct NoParameters(PhantomData<()>);

impl FromRequest for NoParameters {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(QueryString::parse(request.query_string(), &[]).map(|_| Self(PhantomData)))
    }
}
