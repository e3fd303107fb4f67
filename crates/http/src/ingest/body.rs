//! Bodies of agents, read to their end within bounds, and unpacked.

use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, web};
use astranetmon_ingest::{MAX_DECODED_BYTES, MAX_ENCODED_BYTES};
use futures_util::StreamExt;

use super::decompress::{Coding, DecompressError, decompress};
use super::memory::BodyMemory;
use crate::ApiError;
use crate::state::ApiState;

/// A body that takes longer to unpack and to read than others should wait for, in bytes as it was sent.
const LARGE: usize = 16 * 1024;

/// What bodies an endpoint takes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BodyForm {
    /// Media types, lower case; a sender that names none has one of them. Empty: whatever is named.
    media_types: &'static [&'static str],
    most_encoded: usize,
    most_decoded: usize,
    /// What a sender of anything else is told that the path takes.
    accepted: &'static str,
}

impl BodyForm {
    /// Rows in JSON.
    pub(crate) const BATCH: Self = Self {
        media_types: &["application/json"],
        most_encoded: MAX_ENCODED_BYTES,
        most_decoded: MAX_DECODED_BYTES,
        accepted: "JSON, Content-Type: application/json, plain or with Content-Encoding: gzip or zstd, of at most 4 \
                   MiB as sent and 32 MiB unpacked",
    };
    /// One JSON object about the agent itself.
    pub(crate) const OBJECT: Self = Self {
        media_types: &["application/json"],
        most_encoded: 64 * 1024,
        most_decoded: 64 * 1024,
        accepted: "JSON, Content-Type: application/json, plain or with Content-Encoding: gzip or zstd, of at most 64 KiB",
    };
    /// Line protocol.
    pub(crate) const LINES: Self = Self {
        media_types: &[],
        most_encoded: MAX_ENCODED_BYTES,
        most_decoded: MAX_DECODED_BYTES,
        accepted: "line protocol, plain or with Content-Encoding: gzip or zstd, of at most 4 MiB as sent and 32 MiB \
                   unpacked",
    };

    const fn too_large(&self) -> ApiError {
        ApiError::PayloadTooLarge(self.accepted)
    }

    /// Reads the body to its end, as it was sent.
    ///
    /// # Errors
    /// 400 if it is cut off, 413, 415, 503 if bodies of others take all of the room.
    pub(crate) async fn receive(
        self,
        state: &ApiState,
        request: &HttpRequest,
        payload: web::Payload,
    ) -> Result<Received, ApiError> {
        let coding = self.check_head(request.headers())?;
        let mut memory = state.body_room.body();
        let bytes = self.collect(payload, &mut memory).await?;
        Ok(Received { form: self, coding, bytes, memory })
    }

    fn check_head(&self, headers: &HeaderMap) -> Result<Coding, ApiError> {
        let coding = Coding::of(headers).ok_or(ApiError::UnsupportedMediaType(self.accepted))?;
        if let Some(named) = headers.get(header::CONTENT_TYPE) {
            let named = named.to_str().unwrap_or_default().split(';').next().unwrap_or_default().trim();
            let accepted = self.media_types;
            if !accepted.is_empty() && !accepted.iter().any(|media| media.eq_ignore_ascii_case(named)) {
                return Err(ApiError::UnsupportedMediaType(self.accepted));
            }
        }
        let length = headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        if length.is_some_and(|length| length > self.most_encoded) { Err(self.too_large()) } else { Ok(coding) }
    }

    async fn collect(&self, mut payload: web::Payload, memory: &mut BodyMemory) -> Result<Vec<u8>, ApiError> {
        let mut body = Vec::new();
        while let Some(part) = payload.next().await {
            let part = part.map_err(|_| {
                ApiError::BadRequest("Incomplete body: the request ended before its body did, send it again".to_owned())
            })?;
            if body.len() + part.len() > self.most_encoded {
                return Err(self.too_large());
            }
            memory.grow(part.len()).map_err(|_| ApiError::Unavailable)?;
            body.extend_from_slice(&part);
        }
        Ok(body)
    }

    fn refusal(&self, error: &DecompressError, coding: Coding) -> ApiError {
        let name = if coding == Coding::Gzip { "gzip" } else { "zstd" };
        match error {
            DecompressError::Malformed => ApiError::BadRequest(format!(
                "Damaged body: it is not {name} as Content-Encoding says, send it again or without Content-Encoding"
            )),
            DecompressError::TooLong => self.too_large(),
            DecompressError::NoMemory => ApiError::Unavailable,
        }
    }
}

/// A body as it was sent.
#[derive(Debug)]
pub(crate) struct Received {
    form: BodyForm,
    coding: Coding,
    bytes: Vec<u8>,
    memory: BodyMemory,
}

impl Received {
    /// Unpacks the body and has `read` make something of it, beside the connections of this worker if it is large.
    ///
    /// # Errors
    /// 400 if it is damaged, 413, 503 if bodies of others take all of the room, and what `read` says.
    pub(crate) async fn read<T: Send + 'static>(
        self,
        read: impl FnOnce(&[u8]) -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let large = self.bytes.len() > LARGE || self.coding != Coding::Identity;
        let work = move || {
            let Self { form, coding, bytes, mut memory } = self;
            if coding == Coding::Identity {
                return read(&bytes);
            }
            let unpacked = decompress(&bytes, coding, form.most_decoded, &mut memory);
            let unpacked = unpacked.map_err(|error| form.refusal(&error, coding))?;
            drop(bytes);
            read(&unpacked)
        };
        if large { web::block(work).await.map_err(|_| ApiError::Unavailable)? } else { work() }
    }
}
