use std::future::{Ready, ready};
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::Payload;
use actix_web::http::header::{self, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpMessage, HttpRequest, HttpResponse, get, rt};
use astranetmon_auth::{Principal, Scope, SeeChanges};
use astranetmon_domain::{Limit, RecordFilter, TimeRange};
use astranetmon_ratelimit::InFlight;
use astranetmon_storage::{ArrivalPosition, Arrivals};
use bytes::Bytes;
use tokio::sync::mpsc;
use tokio::time::Instant;
use utoipa::IntoParams;
use utoipa::openapi::path::{Parameter, ParameterIn};

use super::latest::LatestScopes;
use super::record_list::{Listed, Metrics, Speedtests, Traceroutes, WalkOrigin, agent_filter};
use crate::client_address::client_of;
use crate::encode::{Fields, MetricRows, RecordRows, Rows};
use crate::middleware::Credential;
use crate::openapi::parameter;
use crate::query::{AFTER, AGENT_ID, KINDS, LABEL, SECONDS};
use crate::session::find_session;
use crate::{ApiError, ApiState};

/// Records of one kind that are looked for at once.
const ROWS_AT_ONCE: u32 = 500;
/// How often a stream looks for what came in, and whether its caller may still read it.
const LOOKS_EVERY: Duration = Duration::from_secs(1);
/// After so many looks in vain something is sent, so that nobody on the way takes the connection for dead, and a reader
/// that has gone is noticed.
const LOOKS_UNTIL_SIGN: u32 = 3;
/// How long a client waits before it connects again, in milliseconds.
const RETRY_MILLIS: u32 = 2_000;
/// The longest time after which a caller can have a stream ended.
const MOST_SECONDS: u32 = 86_400;

const KIND_NAMES: [&str; 3] = ["metrics", "speedtests", "traceroutes"];

/// Of what the caller wants to hear, and from where on.
#[derive(Debug)]
pub(crate) struct StreamQuery {
    /// For the kinds that were chosen.
    scopes: LatestScopes,
    changes: Scope<SeeChanges>,
    filter: RecordFilter,
    after: Option<ArrivalPosition>,
    /// How long it lasts at least, if not for ever.
    lasts: Option<Duration>,
    origin: WalkOrigin,
}

impl StreamQuery {
    fn read(request: &HttpRequest, state: &ApiState) -> Result<Self, ApiError> {
        let origin = WalkOrigin::read(request, &[KINDS, AGENT_ID, LABEL, AFTER, SECONDS])?;
        let held = LatestScopes::of(request)?;
        let scopes = match origin.query.list(KINDS) {
            None => held,
            Some(kinds) => {
                if kinds.iter().any(|kind| !KIND_NAMES.contains(kind)) {
                    return Err(ApiError::BadRequest(
                        "Invalid kinds: what is streamed is metrics, speedtests or traceroutes, for example \
                         kinds=metrics,speedtests"
                            .to_owned(),
                    ));
                }
                held.only(KIND_NAMES.map(|kind| kinds.contains(&kind)))?
            }
        };
        let changes = scopes.see_changes()?;
        let filter = RecordFilter { agent: agent_filter(&origin.query)?, range: TimeRange::ALL };
        let after = match request.headers().get("Last-Event-ID") {
            Some(id) => Some(origin.position(id.to_str().unwrap_or_default(), state)?),
            None => origin.arrived_after(state)?,
        };
        let lasts = origin.query.get(SECONDS).map(seconds).transpose()?;
        Ok(Self { scopes, changes, filter, after, lasts, origin })
    }
}

fn seconds(text: &str) -> Result<Duration, ApiError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let seconds = text.parse::<u32>().ok().filter(|seconds| digits && *seconds <= MOST_SECONDS);
    seconds.map(|seconds| Duration::from_secs(seconds.into())).ok_or_else(|| {
        ApiError::BadRequest(
            "Invalid seconds: a stream is ended after a whole number of seconds from 0 to 86400, for example seconds=60"
                .to_owned(),
        )
    })
}

impl FromRequest for StreamQuery {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let state = request.app_data::<Data<ApiState>>().ok_or(ApiError::Internal);
        ready(state.and_then(|state| Self::read(request, state)))
    }
}

impl IntoParams for StreamQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        vec![
            parameter::kinds(&KIND_NAMES),
            parameter::agent_id(),
            parameter::label(),
            parameter::after(),
            parameter::seconds(MOST_SECONDS),
            parameter::last_event_id(),
        ]
    }
}

/// Follow what comes in
///
/// Server-sent events, one a record, in the order in which records come in, late ones too: `metric`, `speedtest` and
/// `traceroute`, as far as the key may read them. The data of an event is the record as its list shows it, and its id is
/// its place: a client that connects again with `Last-Event-ID` misses nothing and gets nothing twice. Without it a stream
/// begins with what comes next. A record that gained values comes once more. Opening a stream is one request of the plan.
#[utoipa::path(
    operation_id = "stream_records",
    tag = "stream",
    params(StreamQuery),
    security(("api_key" = []), ("session" = [])),
    responses((status = 200, description = "Events, without end.", content((String = "text/event-stream")))),
)]
#[get("/stream")]
pub(crate) async fn stream(
    query: StreamQuery,
    request: HttpRequest,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let seat = state.stream_seat(&request).await?;
    let (sender, events) = mpsc::channel(1);
    let mut follower = Follower { state, request, query, until: ArrivalPosition::default(), version: None };
    follower.until = match follower.query.after {
        Some(after) => after,
        None => follower.newest().await?,
    };
    let first = format!("retry: {RETRY_MILLIS}\n{}", follower.sign());
    rt::spawn(follower.follow(first, sender));
    Ok(HttpResponse::Ok()
        .content_type("text/event-stream")
        .insert_header((header::CACHE_CONTROL, HeaderValue::from_static("no-store")))
        // nginx would keep events back.
        .insert_header(("X-Accel-Buffering", "no"))
        .body(EventBody { events, _seat: seat }))
}

/// Events as they are sent. Whoever reads slowly is waited for: there is one batch in memory, and the next is looked for
/// when it is taken.
struct EventBody {
    events: mpsc::Receiver<Bytes>,
    _seat: InFlight,
}

impl MessageBody for EventBody {
    type Error = std::convert::Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        self.events.poll_recv(context).map(|events| events.map(Ok))
    }
}

/// One stream.
struct Follower {
    state: Data<ApiState>,
    request: HttpRequest,
    query: StreamQuery,
    /// Everything up to here has been sent.
    until: ArrivalPosition,
    /// Of the account's data when nothing more was found.
    version: Option<i64>,
}

impl Follower {
    /// Sends until the reader is gone, may read no longer, or the process is to end.
    async fn follow(mut self, first: String, events: mpsc::Sender<Bytes>) {
        if events.send(first.into()).await.is_err() {
            return;
        }
        let ends_at = self.query.lasts.map(|lasts| Instant::now() + lasts);
        let (mut clock, mut silent_looks) = (tokio::time::interval(LOOKS_EVERY), 0);
        clock.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = events.closed() => return,
                _ = clock.tick() => {}
            }
            // What fails here is told when the client connects again.
            if self.state.is_draining() || !self.is_admitted().await {
                return;
            }
            loop {
                let Ok((text, more)) = self.look().await else { return };
                silent_looks = if text.is_empty() { silent_looks + 1 } else { 0 };
                let text = if silent_looks >= LOOKS_UNTIL_SIGN {
                    silent_looks = 0;
                    self.sign()
                } else {
                    text
                };
                if !text.is_empty() && events.send(text.into()).await.is_err() {
                    return;
                }
                if !more {
                    break;
                }
            }
            if ends_at.is_some_and(|ends_at| Instant::now() >= ends_at) {
                return;
            }
        }
    }

    /// An event without data, which tells the client its place and nothing else.
    fn sign(&self) -> String {
        format!("id: {}\n\n", self.query.origin.next_arrivals(self.until, &self.state).0)
    }

    async fn is_admitted(&self) -> bool {
        let (state, headers) = (&self.state, self.request.headers());
        match Credential::of(headers) {
            Credential::Bearer(token) => state.authenticator.authenticate(token, state.clock.now()).await.is_ok(),
            Credential::Absent => {
                matches!(find_session(state, headers, client_of(state, &self.request)).await, Ok(Some(_)))
            }
            Credential::NoToken | Credential::Malformed => false,
        }
    }

    /// The place up to which everything has come by now.
    async fn newest(&self) -> Result<ArrivalPosition, ApiError> {
        Ok(self.arrivals(ArrivalPosition(i64::MAX)).await?.1)
    }

    /// Events of what came in since, and whether there is more already.
    async fn look(&mut self) -> Result<(String, bool), ApiError> {
        let version = self.state.storage.data_version(&self.query.changes).await?;
        if self.version == Some(version) {
            return Ok((String::new(), false));
        }
        let (mut events, until, more) = self.arrivals(self.until).await?;
        events.retain(|event| event.position <= until);
        events.sort_by_key(|event| event.position);
        let mut text = String::new();
        for Event { position, kind, data } in &events {
            let id = self.query.origin.next_arrivals(*position, &self.state).0;
            text.push_str(&format!("id: {id}\nevent: {kind}\ndata: {data}\n\n"));
        }
        self.until = until;
        self.version = (!more).then_some(version);
        Ok((text, more))
    }

    /// What came in behind a place, the place up to which nothing of it is missing, and whether there is more.
    async fn arrivals(&self, after: ArrivalPosition) -> Result<(Vec<Event>, ArrivalPosition, bool), ApiError> {
        let (storage, filter, scopes) = (&self.state.storage, &self.query.filter, &self.query.scopes);
        let mut found = Found::default();
        if let Some(scope) = scopes.metrics() {
            let limit = Limit::new(ROWS_AT_ONCE).unwrap_or(Limit::SMALLEST);
            let arrivals = storage.metric_arrivals(scope, filter, after, limit).await?;
            found.take("metric", arrivals, MetricRows::new, Metrics::FIELDS);
        }
        let limit = || Limit::new(ROWS_AT_ONCE).unwrap_or(Limit::SMALLEST);
        if let Some(scope) = scopes.speedtests() {
            let arrivals = storage.speedtest_arrivals(scope, &filter.clone().into(), after, limit()).await?;
            found.take("speedtest", arrivals, RecordRows::new, Speedtests::FIELDS);
        }
        if let Some(scope) = scopes.traceroutes() {
            let arrivals = storage.traceroute_arrivals(scope, &filter.clone().into(), after, limit()).await?;
            found.take("traceroute", arrivals, RecordRows::new, Traceroutes::FIELDS);
        }
        Ok((found.events, found.until.unwrap_or(after), found.more))
    }
}

struct Event {
    position: ArrivalPosition,
    kind: &'static str,
    data: String,
}

/// What was found of all kinds.
#[derive(Default)]
struct Found {
    events: Vec<Event>,
    /// Of no kind anything is missing up to here.
    until: Option<ArrivalPosition>,
    more: bool,
}

impl Found {
    fn take<T, R: Rows>(
        &mut self,
        kind: &'static str,
        arrivals: Arrivals<T>,
        rows: impl FnOnce(T) -> R,
        names: &'static [&'static str],
    ) {
        let mut rows = rows(arrivals.rows);
        for position in arrivals.positions {
            let mut data = Vec::new();
            rows.write_next_json(&Fields::all(names), &mut data);
            self.events.push(Event { position, kind, data: String::from_utf8(data).unwrap_or_default() });
        }
        self.until = Some(self.until.map_or(arrivals.until, |until| until.min(arrivals.until)));
        self.more |= arrivals.more;
    }
}

/// Whose streams are counted together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum StreamOwner {
    Key(astranetmon_domain::ApiKeyId),
    Person(astranetmon_domain::UserId),
}

impl ApiState {
    /// A place for one more stream of the caller.
    async fn stream_seat(&self, request: &HttpRequest) -> Result<InFlight, ApiError> {
        let owner = match request.extensions().get::<Principal>() {
            Some(Principal::Key(principal)) => StreamOwner::Key(principal.key.id),
            Some(Principal::Session(session)) => StreamOwner::Person(session.user_id),
            None => return Err(ApiError::Unauthorized { token_sent: false }),
        };
        self.stream_seats.enter(owner).await.ok_or(ApiError::TooManyRequests {
            message: "Too many streams at once: a key or a person may have 8 open; close one of them, then try again",
            retry_after: 1,
        })
    }
}
