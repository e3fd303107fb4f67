//! Metrics as JSON, straight from columns.

use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header::HeaderValue;
use astranetmon_domain::{AgentId, METRIC_FIELDS, MetricColumns, MetricFieldKind, NULL, Timestamp};
use astranetmon_storage::MetricPage;
use bytes::Bytes;

use super::{json_head, number};

/// Answers of up to so many rows, about 110 KiB, go out as one body with its length; larger ones in slices, so that a
/// request holds its columns and one slice and not the whole text.
const WHOLE_ROWS: usize = 128;
/// A slice ends with the row that reaches this size.
const SLICE_BYTES: usize = 60 * 1024;
/// Longest text that is copied as one fixed block; every key fits.
const BLOCK: usize = 48;
/// A short text padded to one size, so that copying it is a few moves and no call.
#[derive(Clone, Copy)]
struct Fragment {
    block: [u8; BLOCK],
    length: usize,
}

impl Fragment {
    const fn new(parts: &[&str]) -> Self {
        let mut block = [0; BLOCK];
        let mut length = 0;
        let mut part = 0;
        while part < parts.len() {
            let bytes = parts[part].as_bytes();
            let mut at = 0;
            while at < bytes.len() {
                block[length] = bytes[at];
                length += 1;
                at += 1;
            }
            part += 1;
        }
        Self { block, length }
    }

    fn write(&self, buffer: &mut [u8], at: usize) -> usize {
        buffer[at..at + BLOCK].copy_from_slice(&self.block);
        at + self.length
    }
}

const FIRST_KEY: Fragment = Fragment::new(&["{\"agent_id\":\""]);
const TIME_KEY: Fragment = Fragment::new(&["\",\"timestamp\":\""]);
/// `,"name":` of each field; that of the first also ends the time before it.
const KEYS: [Fragment; METRIC_FIELDS.len()] = {
    let mut keys = [FIRST_KEY; METRIC_FIELDS.len()];
    let mut field = 0;
    while field < keys.len() {
        let before = if field == 0 { "\",\"" } else { ",\"" };
        keys[field] = Fragment::new(&[before, METRIC_FIELDS[field].name, "\":"]);
        field += 1;
    }
    keys
};
/// Bytes that no row exceeds: keys and numbers, the agent and time, and what is scribbled behind the last text.
const ROW_BYTES: usize = {
    let mut bytes = FIRST_KEY.length + AgentId::MAX_LENGTH + TIME_KEY.length + Timestamp::TEXT_LENGTH + BLOCK;
    let mut field = 0;
    while field < KEYS.len() {
        bytes += KEYS[field].length + number::LONGEST;
        field += 1;
    }
    bytes
};
const OPENING: &[u8] = b"{\"metrics\":[";

fn write_text(buffer: &mut [u8], at: usize, text: &[u8]) -> usize {
    buffer[at..at + text.len()].copy_from_slice(text);
    at + text.len()
}

/// Writes a row at `at` and returns its end. `buffer` has [`ROW_BYTES`] behind `at`.
fn write_row(buffer: &mut [u8], at: usize, columns: &MetricColumns, row: usize) -> usize {
    let at = FIRST_KEY.write(buffer, at);
    let at = write_text(buffer, at, columns.agent_id(row).as_str().as_bytes());
    let at = TIME_KEY.write(buffer, at);
    let mut at = write_text(buffer, at, &Timestamp::write_rfc3339(columns.timestamp(row)));
    for ((key, field), column) in KEYS.iter().zip(&METRIC_FIELDS).zip(columns.values()) {
        at = key.write(buffer, at);
        let value = column[row];
        at = if value == NULL {
            write_text(buffer, at, b"null")
        } else {
            match field.kind {
                MetricFieldKind::Integer => number::integer(buffer, at, value),
                MetricFieldKind::Float { decimals: 1 } => number::fixed::<1>(buffer, at, value),
                MetricFieldKind::Float { decimals: 2 } => number::fixed::<2>(buffer, at, value),
                MetricFieldKind::Float { .. } => number::fixed::<3>(buffer, at, value),
            }
        };
    }
    write_text(buffer, at, b"}")
}

/// Metrics that have not been written yet.
struct MetricRows {
    page: MetricPage,
    /// The next row.
    row: usize,
    started: bool,
    finished: bool,
}

impl MetricRows {
    fn new(page: MetricPage) -> Self {
        Self { page, row: 0, started: false, finished: false }
    }

    /// The next rows, until the text reaches `bytes`.
    fn next_slice(&mut self, bytes: usize) -> Vec<u8> {
        let columns = &self.page.columns;
        let mut buffer = vec![0; bytes + OPENING.len() + 2 * ROW_BYTES];
        let mut at = 0;
        if !self.started {
            self.started = true;
            at = write_text(&mut buffer, at, OPENING);
        }
        while self.row < columns.len() && at < bytes {
            if self.row > 0 {
                at = write_text(&mut buffer, at, b",");
            }
            at = write_row(&mut buffer, at, columns, self.row);
            self.row += 1;
        }
        if self.row == columns.len() {
            at = write_text(&mut buffer, at, b"],\"total\":");
            at = number::unsigned(&mut buffer, at, self.page.total);
            at = write_text(&mut buffer, at, b"}");
            self.finished = true;
        }
        buffer.truncate(at);
        buffer
    }
}

impl MessageBody for MetricRows {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        if self.finished {
            return Poll::Ready(None);
        }
        Poll::Ready(Some(Ok(self.next_slice(SLICE_BYTES).into())))
    }
}

/// An answer of metrics.
pub(crate) fn metrics_response(page: MetricPage, link: Option<HeaderValue>) -> HttpResponse {
    let rows = page.columns.len();
    let mut body = MetricRows::new(page);
    let mut response = json_head(link);
    if rows <= WHOLE_ROWS { response.body(body.next_slice(rows * ROW_BYTES + 1)) } else { response.body(body) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::wire::{MetricList, MetricRecord};

    fn written(page: &MetricPage, slice: usize) -> Vec<u8> {
        let mut rows = MetricRows::new(page.clone());
        let mut text = Vec::new();
        while !rows.finished {
            text.extend(rows.next_slice(slice));
        }
        text
    }

    /// What serde says of the same page.
    fn serialized(page: &MetricPage) -> serde_json::Value {
        let metrics = (0..page.columns.len()).map(|row| MetricRecord::from(page.columns.sample(row))).collect();
        serde_json::to_value(MetricList { metrics, total: page.total }).expect("serializable")
    }

    /// A value of a field: unknown, extreme, or anything that storage can hold.
    fn value(kind: MetricFieldKind) -> BoxedStrategy<i64> {
        let most = if kind == MetricFieldKind::Integer { i64::MAX } else { 9_000_000_000_000_000 };
        prop_oneof![
            2 => Just(NULL),
            1 => prop::sample::select(vec![0, 1, -1, 9, 10, -10, 99, 100, 999, -999, 1_000, most, -most]),
            3 => -10_000i64..10_000_000,
            1 => -most..=most,
        ]
        .boxed()
    }

    fn page() -> impl Strategy<Value = MetricPage> {
        let values = METRIC_FIELDS.map(|field| value(field.kind)).to_vec();
        let row = ("[A-Za-z0-9._-]{1,64}", any::<i64>(), values);
        (prop::collection::vec(row, 0..8), any::<u64>()).prop_map(|(rows, total)| {
            let mut page = MetricPage { total, ..MetricPage::default() };
            for (agent, micros, values) in rows {
                let values = values.try_into().expect("one a field");
                page.columns.push(&agent, Timestamp::from_micros(micros), &values);
            }
            page
        })
    }

    proptest! {
        #[test]
        fn the_written_text_reads_as_what_serde_would_have_written(page in page(), slice in 1usize..4_000) {
            let read: serde_json::Value = serde_json::from_slice(&written(&page, slice)).expect("JSON");
            prop_assert_eq!(read, serialized(&page));
        }
    }

    #[test]
    fn the_longest_row_fits_its_bound() {
        let mut page = MetricPage::default();
        page.columns.push(&"x".repeat(AgentId::MAX_LENGTH), Timestamp::MAX, &[-i64::MAX; METRIC_FIELDS.len()]);
        let mut buffer = vec![0; ROW_BYTES];
        let end = write_row(&mut buffer, 0, &page.columns, 0);
        assert!(end + BLOCK <= ROW_BYTES, "{end}");
    }

    #[test]
    fn an_empty_page_has_both_keys() {
        assert_eq!(written(&MetricPage::default(), 1), b"{\"metrics\":[],\"total\":0}");
    }
}
