//! Figures of intervals as text.

use astranetmon_storage::{AggregateQuery, AggregateRow, Grouping};

#[cfg(feature = "parquet")]
use super::column::{Column, Values};
use super::list_body::Rows;
use super::{Fields, csv, number};

/// A column of figures: `,"name":` and how many decimals its numbers have.
struct Figures {
    name: String,
    key: Vec<u8>,
    decimals: u8,
}

/// Figures of a page, one row an interval of a group.
pub(crate) struct AggregateRows {
    rows: std::vec::IntoIter<AggregateRow>,
    columns: Vec<Figures>,
    interval_seconds: u32,
    grouping: Grouping,
}

impl AggregateRows {
    pub(crate) fn new(query: &AggregateQuery, rows: Vec<AggregateRow>) -> Self {
        let column = |column: &astranetmon_storage::AggregateColumn| {
            let name = format!("{}_{}", column.field.name, column.aggregate.as_str());
            Figures { key: format!(",\"{name}\":").into_bytes(), name, decimals: column.decimals() }
        };
        Self {
            rows: rows.into_iter(),
            columns: query.columns().iter().map(column).collect(),
            interval_seconds: query.interval_seconds().get(),
            grouping: query.grouping().clone(),
        }
    }

    fn is_labelled(&self) -> bool {
        matches!(self.grouping, Grouping::Label(_))
    }
}

/// A whole number of the last decimal, with all its decimals.
fn write_number(value: i128, decimals: u8, out: &mut Vec<u8>) {
    let at = out.len();
    match i64::try_from(value) {
        Ok(value) => {
            out.resize(at + number::LONGEST + 8, 0);
            let end = match decimals {
                0 => number::integer(out, at, value),
                1 => number::fixed::<1>(out, at, value),
                2 => number::fixed::<2>(out, at, value),
                _ => number::fixed::<3>(out, at, value),
            };
            out.truncate(end);
        }
        // Sums of large numbers.
        Err(_) => {
            let scale = 10_u128.pow(u32::from(decimals));
            let (sign, value) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
            let fraction = match decimals {
                0 => String::new(),
                _ => format!(".{:0width$}", value % scale, width = usize::from(decimals)),
            };
            out.extend(format!("{sign}{}{fraction}", value / scale).as_bytes());
        }
    }
}

/// A text, or null.
fn write_name(name: Option<&str>, out: &mut Vec<u8>) {
    // A vector takes everything.
    let _ = serde_json::to_writer(out, &name);
}

impl Rows for AggregateRows {
    const KEY: &'static str = "metrics";

    fn left(&self) -> usize {
        self.rows.len()
    }

    fn write_next_json(&mut self, _: &Fields, out: &mut Vec<u8>) {
        let Some(row) = self.rows.next() else { return };
        let name = row.position.group.as_deref();
        out.extend(b"{\"agent_id\":");
        write_name(name.filter(|_| self.grouping == Grouping::Agent), out);
        if self.is_labelled() {
            out.extend(b",\"group\":");
            write_name(name, out);
        }
        out.extend(b",\"timestamp\":\"");
        out.extend(row.position.start.write_rfc3339());
        out.extend(b"\",\"interval_seconds\":");
        write_number(self.interval_seconds.into(), 0, out);
        out.extend(b",\"sample_count\":");
        write_number(row.sample_count.into(), 0, out);
        for (column, value) in self.columns.iter().zip(&row.values) {
            out.extend(&column.key);
            match value {
                Some(value) => write_number(*value, column.decimals, out),
                None => out.extend(b"null"),
            }
        }
        out.push(b'}');
    }

    fn write_csv_names(&self, _: &Fields, out: &mut Vec<u8>) {
        out.extend(b"agent_id");
        out.extend(if self.is_labelled() { &b",group"[..] } else { b"" });
        out.extend(b",timestamp,interval_seconds,sample_count");
        for column in &self.columns {
            out.push(b',');
            out.extend(column.name.as_bytes());
        }
    }

    fn write_next_csv(&mut self, _: &Fields, out: &mut Vec<u8>) {
        let Some(row) = self.rows.next() else { return };
        let name = row.position.group.as_deref();
        if let Some(agent) = name.filter(|_| self.grouping == Grouping::Agent) {
            csv::write_text(agent, out);
        }
        if self.is_labelled() {
            out.push(b',');
            name.into_iter().for_each(|name| csv::write_text(name, out));
        }
        out.push(b',');
        out.extend(row.position.start.write_rfc3339());
        out.push(b',');
        write_number(self.interval_seconds.into(), 0, out);
        out.push(b',');
        write_number(row.sample_count.into(), 0, out);
        for (column, value) in self.columns.iter().zip(&row.values) {
            out.push(b',');
            if let Some(value) = value {
                write_number(*value, column.decimals, out);
            }
        }
    }

    #[cfg(feature = "parquet")]
    fn into_columns(self, _: &Fields) -> Vec<Column> {
        let rows = self.rows.as_slice();
        let is_of_agents = self.grouping == Grouping::Agent;
        let name = |row: &AggregateRow| row.position.group.as_deref().map(str::to_owned);
        let texts = |named: bool| Values::Text(rows.iter().map(|row| name(row).filter(|_| named)).collect());
        let integers =
            |value: &dyn Fn(&AggregateRow) -> i64| Values::Integer(rows.iter().map(|row| Some(value(row))).collect());
        let times = rows.iter().map(|row| Some(row.position.start.as_micros().div_euclid(1_000))).collect();
        let mut columns = vec![("agent_id", texts(is_of_agents))];
        if self.is_labelled() {
            columns.push(("group", texts(true)));
        }
        columns.push(("timestamp", Values::Time(times)));
        columns.push(("interval_seconds", integers(&|_| self.interval_seconds.into())));
        columns.push(("sample_count", integers(&|row| i64::try_from(row.sample_count).unwrap_or(i64::MAX))));
        let mut columns: Vec<Column> =
            columns.into_iter().map(|(name, values)| Column { name: name.to_owned(), values }).collect();
        for (place, figures) in self.columns.iter().enumerate() {
            let scale = 10_f64.powi(figures.decimals.into());
            // A sum of large numbers may have more than 64 bits.
            let value = |row: &AggregateRow| row.values[place].map(|value| value as f64 / scale);
            let values = Values::Float(rows.iter().map(value).collect());
            columns.push(Column { name: figures.name.clone(), values });
        }
        columns
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_beyond_64_bits_are_whole() {
        for (value, decimals, expected) in [
            (150, 2, "1.50"),
            (-7, 3, "-0.007"),
            (i128::from(i64::MAX) + 1, 0, "9223372036854775808"),
            (-(i128::from(i64::MAX) * 100 + 5), 2, "-9223372036854775807.05"),
        ] {
            let mut out = b"x".to_vec();
            write_number(value, decimals, &mut out);
            assert_eq!(String::from_utf8(out).expect("ASCII"), format!("x{expected}"));
        }
    }
}
