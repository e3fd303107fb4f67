use actix_web::web::{Data, Payload};
use actix_web::{HttpRequest, HttpResponse, post};
use astranetmon_ingest::line_protocol::{Points, Precision};
use astranetmon_ingest::telegraf::{LinesAnswer, RefusedBody, RefusedLine, convert};
use serde::Serialize;
use utoipa::openapi::path::{Parameter as ParameterDocument, ParameterIn};
use utoipa::{IntoParams, ToSchema};

use super::append::{metric_bounds, record_bounds};
use super::{Agent, BodyForm};
use crate::encode::json_response;
use crate::openapi::parameter;
use crate::query::{Parameter, QueryString};
use crate::{ApiError, ApiState};

const PRECISION: Parameter = Parameter::once("precision", "s");
/// What senders name besides, to InfluxDB: where it would put the lines.
const UNUSED: [&str; 8] = ["org", "orgID", "bucket", "db", "rp", "consistency", "u", "p"];

/// The query of a sender of line protocol.
#[derive(Debug)]
pub(crate) struct LinesQuery {
    precision: Precision,
}

impl IntoParams for LinesQuery {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<ParameterDocument> {
        let description = "What the timestamps count; without it, nanoseconds.";
        vec![parameter::choice(PRECISION, description, ["ns", "us", "ms", "s", "m", "h"])]
    }
}

impl LinesQuery {
    fn parse(raw: &str) -> Result<Self, ApiError> {
        let mut known = vec![PRECISION];
        known.extend(UNUSED.map(|name| Parameter::once(name, "-")));
        let query = QueryString::parse(raw, &known)?;
        let precision = query.get(PRECISION).map(str::parse).transpose();
        let precision = precision.map_err(|error| ApiError::BadRequest(format!("Invalid precision: {error}")))?;
        Ok(Self { precision: precision.unwrap_or_default() })
    }
}

/// Send line protocol
///
/// What Telegraf's inputs measure becomes metrics, speed tests and traceroutes by the table in the documentation. Lines
/// of one time become one metric, and fill what is unknown of one that is there. Lines that are malformed or too old are
/// refused by themselves; inputs and fields that the table does not name are ignored and named.
///
/// `Authorization: Token astra_agent_…` and Basic with the token as the password are taken too, here and at the two
/// paths below it.
#[utoipa::path(
    operation_id = "ingest_lines",
    tag = "ingest",
    security(("agent_token" = [])),
    params(LinesQuery),
    request_body(content = String, content_type = "text/plain", description = "At most 4 MiB as sent, 32 MiB unpacked, 10,000 records.", example = "system,host=web-1 load1=0.42,load5=0.3 1795433218"),
    responses(
        (status = 204, description = "Everything was taken, and is durable."),
        (status = 200, description = "Some lines were refused, or some fields ignored; what was taken is durable.", body = LinesAnswer),
    ),
)]
#[post("/influx")]
pub(crate) async fn lines(
    agent: Agent,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    let answer = take(&agent, &state, &request, payload).await?;
    if answer.refused == 0 && answer.ignored_fields.is_empty() {
        return Ok(HttpResponse::NoContent().finish());
    }
    Ok(json_response(&answer))
}

/// Send line protocol as to InfluxDB v2
///
/// Where Telegraf's `outputs.influxdb_v2` writes if its URL ends in `/ingest/v1/influx`. Lines are taken as at
/// `/ingest/v1/influx`; the answer is InfluxDB's. `org` and `bucket` are not used. If some lines were refused, the answer
/// is 400, although the others were taken: it names the refused ones.
#[utoipa::path(
    operation_id = "ingest_lines_v2",
    tag = "ingest",
    security(("agent_token" = [])),
    params(LinesQuery),
    request_body(content = String, content_type = "text/plain", description = "At most 4 MiB as sent, 32 MiB unpacked, 10,000 records.", example = "system,host=web-1 load1=0.42,load5=0.3 1795433218"),
    responses(
        (status = 204, description = "No line was refused; what was taken is durable."),
        (status = 400, description = "Some lines were refused, and the rest was taken; or the body as a whole cannot be read, and nothing was.", body = InfluxRefusal),
    ),
)]
#[post("/influx/api/v2/write")]
pub(crate) async fn lines_v2(
    agent: Agent,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    as_influx(take(&agent, &state, &request, payload).await)
}

/// Send line protocol as to InfluxDB v1
///
/// Where Telegraf's `outputs.influxdb` writes if its URL ends in `/ingest/v1/influx`. Lines are taken as at
/// `/ingest/v1/influx`; the answer is InfluxDB's. `db`, `rp` and `consistency` are not used. If some lines were refused,
/// the answer is 400, although the others were taken. Where other paths answer 429, this one answers 503: such senders
/// drop what was answered 4xx.
#[utoipa::path(
    operation_id = "ingest_lines_v1",
    tag = "ingest",
    security(("agent_token" = [])),
    params(LinesQuery),
    request_body(content = String, content_type = "text/plain", description = "At most 4 MiB as sent, 32 MiB unpacked, 10,000 records.", example = "system,host=web-1 load1=0.42,load5=0.3 1795433218"),
    responses(
        (status = 204, description = "No line was refused; what was taken is durable."),
        (status = 400, description = "Some lines were refused, and the rest was taken; or the body as a whole cannot be read, and nothing was.", body = InfluxRefusal),
    ),
)]
#[post("/influx/write")]
pub(crate) async fn lines_v1(
    agent: Agent,
    state: Data<ApiState>,
    request: HttpRequest,
    payload: Payload,
) -> Result<HttpResponse, ApiError> {
    as_influx(take(&agent, &state, &request, payload).await)
}

/// Takes what can be taken of a body.
async fn take(
    agent: &Agent,
    state: &ApiState,
    request: &HttpRequest,
    payload: Payload,
) -> Result<LinesAnswer, ApiError> {
    let query = LinesQuery::parse(request.query_string())?;
    let body = BodyForm::LINES.receive(state, request, payload).await?;
    let metrics = metric_bounds(state, agent).await?;
    let results = record_bounds(state, agent).await?;
    // One body of an agent after the other: each needs the counters of the one before.
    let memory = state.line_memory.of(agent.principal());
    let mut remembered = memory.lock().await;
    let (known, id, precision, now) = (remembered.clone(), agent.id().clone(), query.precision, state.clock.now());
    let conversion = body
        .read(move |body| {
            let points = Points::new(body, precision);
            convert(points, &id, &metrics, &results, &known, now).map_err(|refused| match refused {
                RefusedBody::TooManyRows => {
                    ApiError::PayloadTooLarge("lines of at most 10000 records: send the rest in another body")
                }
                RefusedBody::SeveralHosts { .. } => ApiError::BadRequest(format!("Invalid body: {refused}")),
            })
        })
        .await?;
    let (scope, storage, mut known, mut too_old) = (agent.scope(), &state.storage, 0, Vec::new());
    let is_empty =
        conversion.metrics.is_empty() && conversion.speedtests.is_empty() && conversion.traceroutes.is_empty();
    if !conversion.metrics.is_empty() {
        let appended = storage.metric_append(scope, conversion.metrics, now).await.map_err(ApiError::of_ingestion)?;
        known += appended.known;
        too_old = appended.too_old_rows;
    }
    if !conversion.speedtests.is_empty() {
        let appended = storage.speedtest_append(scope, conversion.speedtests, now).await;
        known += appended.map_err(ApiError::of_ingestion)?.known;
    }
    if !conversion.traceroutes.is_empty() {
        let appended = storage.traceroute_append(scope, conversion.traceroutes, now).await;
        known += appended.map_err(ApiError::of_ingestion)?.known;
    }
    // Rows mark their agent as seen in the transaction that keeps them.
    if is_empty {
        storage.agent_seen(scope, agent.id(), now).await.map_err(ApiError::of_ingestion)?;
    }
    *remembered = conversion.memory;
    drop(remembered);
    state.line_memory.keep(agent.principal(), memory);
    Ok(conversion.pending.too_old(&too_old).answer(u32::try_from(known).unwrap_or(u32::MAX)))
}

/// What senders to InfluxDB are told: its form, v1's and v2's together, with the lines that were refused.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct InfluxRefusal {
    /// One sentence: how many lines were refused, and why the first was; or what is wrong with the body.
    #[schema(
        example = "partial write: 2 lines were refused, the first is line 7: usage_idle must be a number, such as 97.5 or 42i"
    )]
    error: String,
    /// Always `invalid`: sending it again would not help.
    #[schema(example = "invalid")]
    code: &'static str,
    /// The same as `error`.
    #[schema(
        example = "partial write: 2 lines were refused, the first is line 7: usage_idle must be a number, such as 97.5 or 42i"
    )]
    message: String,
    /// The first 100 refused lines; the others were taken. Empty if the body as a whole was refused.
    refused_lines: Vec<RefusedLine>,
}

/// Senders to InfluxDB take 204 for success, and send again or drop by the status: v1 would send again after a 200, and
/// what is logged comes from InfluxDB's own form alone.
fn as_influx(answer: Result<LinesAnswer, ApiError>) -> Result<HttpResponse, ApiError> {
    let (sentence, refused_lines) = match answer {
        Ok(answer) => match answer.partial_write() {
            None => return Ok(HttpResponse::NoContent().finish()),
            Some(sentence) => (sentence, answer.refused_lines),
        },
        Err(ApiError::BadRequest(sentence)) => (sentence, Vec::new()),
        Err(error) => return Err(error),
    };
    let refusal = InfluxRefusal { error: sentence.clone(), code: "invalid", message: sentence, refused_lines };
    Ok(HttpResponse::BadRequest().json(refusal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_precision_is_read_and_what_influxdb_would_need_is_taken() {
        for (raw, precision) in [
            ("", Precision::Nanoseconds),
            ("precision=s", Precision::Seconds),
            ("org=-&bucket=a%20b&precision=ms", Precision::Milliseconds),
            ("db=telegraf&rp=&consistency=any&precision=n", Precision::Nanoseconds),
        ] {
            assert_eq!(LinesQuery::parse(raw).expect(raw).precision, precision);
        }
        for (raw, reason) in [("precision=sec", "a precision is one of"), ("precison=s", "did you mean precision")] {
            let refused = LinesQuery::parse(raw).expect_err(raw).message();
            assert!(refused.contains(reason), "{refused}");
        }
    }
}
