//! Metrics as text, straight from columns.

use astranetmon_domain::{AgentId, METRIC_FIELDS, MetricColumns, MetricFieldKind, NULL, Rfc3339Writer, Timestamp};

#[cfg(feature = "parquet")]
use super::column::{Column, Values};
use super::held_metrics::HeldMetrics;
use super::list_body::Rows;
use super::{Fields, csv, number};

/// Longest text that is copied as one fixed block; every key fits, with any number behind it.
const BLOCK: usize = 64;
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

    #[inline]
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
fn write_text(buffer: &mut [u8], at: usize, text: &[u8]) -> usize {
    buffer[at..at + text.len()].copy_from_slice(text);
    at + text.len()
}

/// The row before, as it was written: much of what is measured stays the same from one row to the next, and to copy a text
/// is quicker than to make it.
struct Repeats {
    values: [i64; METRIC_FIELDS.len()],
    /// Of the texts; 0 until a value has come twice, so that what changes from row to row costs no more than a
    /// comparison.
    lengths: [usize; METRIC_FIELDS.len()],
    /// Keys and values, each with whatever stood behind it.
    texts: [[u8; BLOCK]; METRIC_FIELDS.len()],
    time: Rfc3339Writer,
}

impl Default for Repeats {
    fn default() -> Self {
        Self {
            values: [NULL; METRIC_FIELDS.len()],
            lengths: [0; METRIC_FIELDS.len()],
            texts: [[0; BLOCK]; METRIC_FIELDS.len()],
            time: Rfc3339Writer::default(),
        }
    }
}

/// Writes a row at `at` and returns its end. `buffer` has [`ROW_BYTES`] behind `at`.
fn write_row(buffer: &mut [u8], at: usize, metrics: &HeldMetrics, row: usize, repeats: &mut Repeats) -> usize {
    let at = FIRST_KEY.write(buffer, at);
    let at = write_text(buffer, at, metrics.agent_id(row).as_str().as_bytes());
    let at = TIME_KEY.write(buffer, at);
    buffer[at..at + Timestamp::TEXT_LENGTH].copy_from_slice(repeats.time.write(metrics.timestamp(row)));
    let mut at = at + Timestamp::TEXT_LENGTH;
    for place in 0..METRIC_FIELDS.len() {
        let (value, start) = (metrics.value(place, row), at);
        let repeated = value == repeats.values[place];
        if repeated && repeats.lengths[place] > 0 {
            buffer[at..at + BLOCK].copy_from_slice(&repeats.texts[place]);
            at += repeats.lengths[place];
            continue;
        }
        at = KEYS[place].write(buffer, at);
        at = match value {
            NULL => write_text(buffer, at, b"null"),
            value => write_number(buffer, at, METRIC_FIELDS[place].kind, value),
        };
        if repeated {
            repeats.texts[place].copy_from_slice(&buffer[start..start + BLOCK]);
            repeats.lengths[place] = at - start;
        } else {
            repeats.values[place] = value;
            repeats.lengths[place] = 0;
        }
    }
    write_text(buffer, at, b"}")
}

#[expect(clippy::inline_always, reason = "a call a number would be a tenth of what an answer takes")]
#[inline(always)]
fn write_number(buffer: &mut [u8], at: usize, kind: MetricFieldKind, value: i64) -> usize {
    match kind {
        MetricFieldKind::Integer => number::integer(buffer, at, value),
        MetricFieldKind::Float { decimals: 1 } => number::fixed::<1>(buffer, at, value),
        MetricFieldKind::Float { decimals: 2 } => number::fixed::<2>(buffer, at, value),
        MetricFieldKind::Float { .. } => number::fixed::<3>(buffer, at, value),
    }
}

/// Fields ahead of the measured ones: the agent and the time.
const AHEAD: usize = 2;
/// Every field of a metric, in its order.
pub(crate) const METRIC_NAMES: [&str; AHEAD + METRIC_FIELDS.len()] = {
    let mut names = ["agent_id"; AHEAD + METRIC_FIELDS.len()];
    names[1] = "timestamp";
    let mut field = 0;
    while field < METRIC_FIELDS.len() {
        names[AHEAD + field] = METRIC_FIELDS[field].name;
        field += 1;
    }
    names
};

/// Metrics of a page.
pub(crate) struct MetricRows {
    metrics: HeldMetrics,
    /// The next row.
    row: usize,
    repeats: Box<Repeats>,
}

impl MetricRows {
    pub(crate) fn new(columns: MetricColumns) -> Self {
        Self { metrics: HeldMetrics::new(columns), row: 0, repeats: Box::default() }
    }

    /// Appends the number of a measured field of the next row; false if it is unknown.
    fn append_number(&self, index: usize, out: &mut Vec<u8>) -> bool {
        let value = self.metrics.value(index - AHEAD, self.row);
        if value != NULL {
            let at = out.len();
            out.resize(at + number::LONGEST + 8, 0);
            let end = write_number(out, at, METRIC_FIELDS[index - AHEAD].kind, value);
            out.truncate(end);
        }
        value != NULL
    }
}

impl Rows for MetricRows {
    const KEY: &'static str = "metrics";

    fn left(&self) -> usize {
        self.metrics.len() - self.row
    }

    fn write_next_json(&mut self, fields: &Fields, out: &mut Vec<u8>) {
        let mut before = b'{';
        for (index, name) in fields.iter() {
            out.push(before);
            out.push(b'"');
            out.extend(name.as_bytes());
            out.extend(b"\":");
            match index {
                0 => {
                    out.push(b'"');
                    out.extend(self.metrics.agent_id(self.row).as_str().as_bytes());
                    out.push(b'"');
                }
                1 => {
                    out.push(b'"');
                    out.extend(self.metrics.timestamp(self.row).write_rfc3339());
                    out.push(b'"');
                }
                index => {
                    if !self.append_number(index, out) {
                        out.extend(b"null");
                    }
                }
            }
            before = b',';
        }
        out.push(b'}');
        self.row += 1;
    }

    fn write_next_csv(&mut self, fields: &Fields, out: &mut Vec<u8>) {
        for (place, (index, _)) in fields.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            match index {
                0 => csv::write_text(self.metrics.agent_id(self.row).as_str(), out),
                1 => out.extend(self.metrics.timestamp(self.row).write_rfc3339()),
                index => _ = self.append_number(index, out),
            }
        }
        self.row += 1;
    }

    #[cfg(feature = "parquet")]
    fn into_columns(self, fields: &Fields) -> Vec<Column> {
        let rows = self.row..self.metrics.len();
        let values = |index: usize| match index {
            0 => Values::Text(rows.clone().map(|row| Some(self.metrics.agent_id(row).to_string())).collect()),
            1 => {
                let millis = |row| self.metrics.timestamp(row).as_micros().div_euclid(1_000);
                Values::Time(rows.clone().map(|row| Some(millis(row))).collect())
            }
            index => {
                let field = METRIC_FIELDS[index - AHEAD];
                let known = |row| Some(self.metrics.value(index - AHEAD, row)).filter(|value| *value != NULL);
                match field.kind {
                    MetricFieldKind::Integer => Values::Integer(rows.clone().map(known).collect()),
                    MetricFieldKind::Float { .. } => {
                        Values::Float(rows.clone().map(|row| field.in_unit(known(row)?)).collect())
                    }
                }
            }
        };
        fields.iter().map(|(index, name)| Column { name: name.to_owned(), values: values(index) }).collect()
    }

    fn write_json_rows(&mut self, fields: &Fields, behind: u8, bytes: usize, out: &mut Vec<u8>) {
        if !fields.is_all() {
            while self.left() > 0 && out.len() < bytes {
                self.write_next_json(fields, out);
                out.push(behind);
            }
            return;
        }
        // What most callers ask for: whole rows, with room for them made once.
        let mut at = out.len();
        out.resize(at + (bytes + ROW_BYTES + 1).min(self.left() * (ROW_BYTES + 1)), 0);
        while self.row < self.metrics.len() && at < bytes {
            at = write_row(out, at, &self.metrics, self.row, &mut self.repeats);
            out[at] = behind;
            at += 1;
            self.row += 1;
        }
        out.truncate(at);
    }
}

#[cfg(test)]
mod tests {
    use astranetmon_storage::MetricPage;
    use proptest::prelude::*;

    use super::super::list_body;
    use super::super::{Format, ListBody, Shape};
    use super::*;
    use crate::wire::{MetricList, MetricRecord};

    fn written(page: &MetricPage, slice: usize) -> Vec<u8> {
        let shape = Shape { fields: Fields::all(&METRIC_NAMES), format: Format::Json };
        list_body::written(ListBody::new(MetricRows::new(page.columns.clone()), shape, page.total, None), slice)
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
            4 => Just(1_234),
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
        let end = write_row(&mut buffer, 0, &HeldMetrics::new(page.columns), 0, &mut Repeats::default());
        assert!(end + BLOCK <= ROW_BYTES, "{end}");
    }

    #[test]
    fn every_key_with_the_longest_number_behind_it_is_one_block() {
        for key in &KEYS {
            assert!(key.length + number::LONGEST <= BLOCK, "{}", key.length);
        }
    }

    #[test]
    fn an_empty_page_has_both_keys() {
        assert_eq!(written(&MetricPage::default(), 1), b"{\"metrics\":[],\"total\":0}");
    }
}
