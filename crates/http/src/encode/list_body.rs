//! Lists in slices, in each of the formats.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::{self, HeaderValue};
#[cfg(feature = "parquet")]
use actix_web::{ResponseError, web};
use bytes::Bytes;
use serde::Serialize;

use super::{Fields, Format, csv, slice};
#[cfg(feature = "parquet")]
use super::{column::Column, parquet_file};
#[cfg(feature = "parquet")]
use crate::ApiError;

/// Where the place in the order of arrival stands up to which an answer goes.
const SYNC_CURSOR: &str = "Sync-Cursor";
/// A slice ends with the row that reaches this size.
const SLICE_BYTES: usize = 60 * 1024;
/// Answers of up to so many rows go out as one body with its length if they are no longer than [`WHOLE_BYTES`]; larger
/// ones in slices, so that a request holds its rows and one slice and not the whole text.
const WHOLE_ROWS: usize = 128;
const WHOLE_BYTES: usize = 128 * 1024;
/// Room for what surrounds the rows, and for the row that reaches such a size.
const ROW_BYTES: usize = 2 * 1024;

/// Rows that have not been written yet.
pub(crate) trait Rows: Sized + Unpin + 'static {
    /// What the list is called.
    const KEY: &'static str;

    /// How many there are.
    fn left(&self) -> usize;
    /// Appends the next one as a JSON object with those fields.
    fn write_next_json(&mut self, fields: &Fields, out: &mut Vec<u8>);
    /// Appends the names of those fields as cells with commas between them.
    fn write_csv_names(&self, fields: &Fields, out: &mut Vec<u8>) {
        for (place, (_, name)) in fields.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            csv::write_text(name, out);
        }
    }
    /// Appends the next one as cells with commas between them.
    fn write_next_csv(&mut self, fields: &Fields, out: &mut Vec<u8>);

    /// Those that are left, as columns of those fields.
    #[cfg(feature = "parquet")]
    fn into_columns(self, fields: &Fields) -> Vec<Column>;

    /// Appends the next ones as JSON objects, each with `behind` behind it, until the text reaches `bytes`.
    fn write_json_rows(&mut self, fields: &Fields, behind: u8, bytes: usize, out: &mut Vec<u8>) {
        while self.left() > 0 && out.len() < bytes {
            self.write_next_json(fields, out);
            out.push(behind);
        }
    }
}

/// The page behind a page.
#[derive(Clone, Debug)]
pub(crate) struct NextPage {
    /// Where it begins, unless that is a place in the order of arrival.
    pub(crate) cursor: Option<String>,
    /// What leads there, for the header `Link`.
    pub(crate) link: HeaderValue,
}

/// The last line of a list in lines.
#[derive(Serialize)]
struct Trailer<'a> {
    row_count: usize,
    total: u64,
    next_cursor: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sync_cursor: Option<&'a str>,
}

/// How a caller wants a list.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Shape {
    /// What of each record.
    pub(crate) fields: Fields,
    /// How it is written.
    pub(crate) format: Format,
}

/// An answer of rows: a body in slices.
pub(crate) struct ListBody<R> {
    rows: R,
    shape: Shape,
    total: u64,
    next: Option<NextPage>,
    /// The place in the order of arrival up to which the rows go.
    sync_cursor: Option<String>,
    /// How many rows there were at first.
    row_count: usize,
    /// What was written ahead, to see whether it is all.
    ahead: Option<Bytes>,
    started: bool,
    finished: bool,
}

impl<R: Rows> ListBody<R> {
    pub(crate) fn new(rows: R, shape: Shape, total: u64, next: Option<NextPage>) -> Self {
        let row_count = rows.left();
        let sync_cursor = None;
        Self { rows, shape, total, next, sync_cursor, row_count, ahead: None, started: false, finished: false }
    }

    /// The same, and the place in the order of arrival up to which the rows go.
    pub(crate) fn with_sync_cursor(self, place: String) -> Self {
        Self { sync_cursor: Some(place), ..self }
    }

    /// The answer.
    pub(crate) async fn respond(mut self) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        response.content_type(self.shape.format.content_type());
        if let Some(next) = &self.next {
            response.insert_header((header::LINK, next.link.clone()));
        }
        if let Some(place) = &self.sync_cursor {
            response.insert_header((SYNC_CURSOR, place.as_str()));
        }
        if !matches!(self.shape.format, Format::Json | Format::Ndjson) {
            let disposition = format!("attachment; filename=\"{}.{}\"", R::KEY, self.shape.format.name());
            response.insert_header((header::CONTENT_DISPOSITION, disposition));
        }
        #[cfg(feature = "parquet")]
        if self.shape.format == Format::Parquet {
            return match self.into_parquet().await {
                Ok(file) => response.body(file),
                Err(error) => error.error_response(),
            };
        }
        let first = self.next_slice(if self.row_count <= WHOLE_ROWS { WHOLE_BYTES } else { SLICE_BYTES });
        if self.finished {
            // Without the room around it: such an answer may be kept.
            return response.body(Bytes::copy_from_slice(&first));
        }
        self.ahead = Some(first);
        response.body(self)
    }

    /// The whole list as one file: its pages are bounded, and a file has its table of contents at its end. It is packed
    /// on another thread, since this one has other callers.
    #[cfg(feature = "parquet")]
    async fn into_parquet(self) -> Result<Vec<u8>, ApiError> {
        let mut notes = vec![("total", self.total.to_string())];
        notes.extend(self.next.and_then(|next| next.cursor).map(|cursor| ("next_cursor", cursor)));
        notes.extend(self.sync_cursor.map(|place| ("sync_cursor", place)));
        let columns = self.rows.into_columns(&self.shape.fields);
        let file = web::block(move || parquet_file::write(&columns, notes)).await.map_err(|_| ApiError::Unavailable)?;
        file.map_err(|error| {
            tracing::error!(error = &error as &dyn std::error::Error, "a list cannot be written as Parquet");
            ApiError::Internal
        })
    }

    fn next_slice(&mut self, bytes: usize) -> Bytes {
        slice::written(bytes.min(self.row_count * 1_024) + ROW_BYTES, |out| self.write(bytes, out))
    }

    /// Appends the next rows, until the text reaches `bytes`.
    fn write(&mut self, bytes: usize, out: &mut Vec<u8>) {
        if !self.started {
            self.started = true;
            self.open(out);
        }
        match self.shape.format {
            Format::Json => self.rows.write_json_rows(&self.shape.fields, b',', bytes, out),
            Format::Ndjson => self.rows.write_json_rows(&self.shape.fields, b'\n', bytes, out),
            Format::Csv => {
                while self.rows.left() > 0 && out.len() < bytes {
                    self.rows.write_next_csv(&self.shape.fields, out);
                    out.extend(b"\r\n");
                }
            }
            #[cfg(feature = "parquet")]
            Format::Parquet => {}
        }
        if self.rows.left() == 0 {
            self.finished = true;
            self.close(out);
        }
    }

    fn open(&self, out: &mut Vec<u8>) {
        match self.shape.format {
            Format::Json => {
                out.extend(b"{\"");
                out.extend(R::KEY.as_bytes());
                out.extend(b"\":[");
            }
            Format::Ndjson => {}
            #[cfg(feature = "parquet")]
            Format::Parquet => {}
            Format::Csv => {
                self.rows.write_csv_names(&self.shape.fields, out);
                out.extend(b"\r\n");
            }
        }
    }

    fn close(&self, out: &mut Vec<u8>) {
        match self.shape.format {
            Format::Json => {
                if self.row_count > 0 {
                    // The comma behind the last row, which is in this slice.
                    out.pop();
                }
                out.extend(b"],\"total\":");
                out.extend(self.total.to_string().as_bytes());
                out.push(b'}');
            }
            Format::Ndjson => {
                let next_cursor = self.next.as_ref().and_then(|next| next.cursor.as_deref());
                let sync_cursor = self.sync_cursor.as_deref();
                let trailer = Trailer { row_count: self.row_count, total: self.total, next_cursor, sync_cursor };
                let _ = serde_json::to_writer(&mut *out, &trailer);
                out.push(b'\n');
            }
            Format::Csv => {}
            #[cfg(feature = "parquet")]
            Format::Parquet => {}
        }
    }
}

impl<R: Rows> MessageBody for ListBody<R> {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if let Some(ahead) = self.ahead.take() {
            return Poll::Ready(Some(Ok(ahead)));
        }
        if self.finished {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(self.next_slice(SLICE_BYTES))))
    }
}

#[cfg(test)]
pub(crate) fn written<R: Rows>(mut body: ListBody<R>, slice: usize) -> Vec<u8> {
    let mut text = Vec::new();
    while !body.finished {
        body.write(text.len() + slice, &mut text);
    }
    text
}
