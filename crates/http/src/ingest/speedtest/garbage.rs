use std::convert::Infallible;
use std::sync::LazyLock;

use actix_web::body::SizedStream;
use actix_web::http::header;
use actix_web::web::{Data, Query};
use actix_web::{HttpResponse, get};
use bytes::Bytes;
use futures_util::stream;
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{AnyBytes, MEBIBYTE, seat};
use crate::ingest::Agent;
use crate::{ApiError, ApiState};

/// What is sent over and over: nothing on the way can compress it, and sending it costs no making.
static BLOCK: LazyLock<Bytes> = LazyLock::new(|| {
    let mut block = vec![0; 1024 * 1024];
    StdRng::seed_from_u64(0x5EED).fill_bytes(&mut block);
    Bytes::from(block)
});
/// What goes to the connection at a time, in bytes.
const SLICE: usize = 64 * 1024;
/// What clients get that do not say how much, in MiB.
const DEFAULT_SIZE: u64 = 4;

#[derive(Debug, Deserialize, IntoParams)]
pub(crate) struct GarbageQuery {
    /// How much to send, in MiB: 1 upwards, 4 by default; lowered to what the operator allows (256 by default).
    #[serde(rename = "ckSize")]
    #[param(value_type = i64, required = false, minimum = 1, example = 100)]
    chunk_size: Option<String>,
}

/// Download from the server
///
/// Random bytes. Only where the operator has switched the server's speed tests on, and for a bounded number of agents
/// at a time. Other parameters, such as those by which LibreSpeed's clients keep caches away, are ignored.
#[utoipa::path(
    operation_id = "speedtest_download",
    tag = "ingest",
    security(("agent_token" = [])),
    params(GarbageQuery),
    responses((status = 200, description = "The bytes.", body = inline(AnyBytes), content_type = "application/octet-stream")),
)]
#[get("/speedtest/garbage")]
pub(crate) async fn garbage(
    agent: Agent,
    query: Query<GarbageQuery>,
    state: Data<ApiState>,
) -> Result<HttpResponse, ApiError> {
    let seat = seat(&state, &agent)?;
    let size = match &query.chunk_size {
        None => DEFAULT_SIZE,
        Some(text) => {
            text.parse::<i64>().ok().and_then(|size| u64::try_from(size).ok()).filter(|size| *size > 0).ok_or_else(
                || {
                    ApiError::BadRequest(
                        "Invalid ckSize: it is a number of MiB from 1 upwards, for example ckSize=100".to_owned(),
                    )
                },
            )?
        }
    };
    let size = size.min(u64::from(state.settings.speedtest_mebibytes.get())) * MEBIBYTE;
    // The seat is the agent's until the last slice is sent, or nobody wants it any more.
    let slices = stream::unfold((size, seat), |(left, seat)| async move {
        let length = usize::try_from(left).unwrap_or(usize::MAX).min(SLICE);
        let from = usize::try_from(left % BLOCK.len() as u64).unwrap_or_default().min(BLOCK.len() - length);
        let slice = Ok::<_, Infallible>(BLOCK.slice(from..from + length));
        (length > 0).then_some((slice, (left - length as u64, seat)))
    });
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((header::CONTENT_DISPOSITION, "attachment; filename=random.dat"))
        .body(SizedStream::new(size, Box::pin(slices))))
}
