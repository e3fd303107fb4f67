//! Rows as they are printed.

use std::fmt;
use std::io::{self, BufWriter, Stdout, Write};

use clap::ValueEnum;
use reqwest::Response;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use crate::Failure;
use crate::output::table_of;

/// How rows are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    /// Aligned columns, for people
    Table,
    /// One object with the rows and their total
    Json,
    /// A line of JSON a row
    Ndjson,
    /// A table with a header row, safe for spreadsheets
    Csv,
}

/// What a page came to.
pub(super) struct Page {
    pub(super) rows: u64,
    /// Rows that match, on all pages, where the format says it.
    pub(super) total: Option<u64>,
}

/// The fields of a row, in its order.
struct Fields(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(InOrder)
    }
}

/// The last line of a page.
#[derive(Deserialize)]
struct Trailer {
    row_count: u64,
    total: u64,
}

pub(super) struct Printer {
    output: Output,
    /// What the rows are called in JSON.
    key: &'static str,
    out: BufWriter<Stdout>,
    /// Whether a page was printed.
    begun: bool,
    printed: u64,
    heading: Vec<String>,
    table: Vec<Vec<String>>,
}

/// A reader that has seen enough is nobody's failure.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => std::process::exit(0),
        result => result.map_err(|error| Failure::caused("cannot write", &error)),
    }
}

fn cut_off(error: &dyn fmt::Display) -> Failure {
    Failure::failed(format!("the answer ended too early: {error}"))
}

impl Printer {
    pub(super) fn new(output: Output, key: &'static str) -> Self {
        let out = BufWriter::new(io::stdout());
        Self { output, key, out, begun: false, printed: 0, heading: Vec::new(), table: Vec::new() }
    }

    /// Prints a page while it comes.
    pub(super) async fn page(&mut self, response: Response) -> Result<Page, Failure> {
        let first = !std::mem::replace(&mut self.begun, true);
        match self.output {
            Output::Csv => self.csv(response, first).await,
            Output::Table | Output::Json | Output::Ndjson => self.lines(response, first).await,
        }
    }

    async fn lines(&mut self, mut response: Response, first: bool) -> Result<Page, Failure> {
        if self.output == Output::Json && first {
            written(write!(self.out, "{{\"{}\":[", self.key))?;
        }
        let (mut unread, mut rows) = (Vec::new(), 0);
        // The last line says how many there were: it is held back until it is known to be the last.
        let mut held: Option<Vec<u8>> = None;
        while let Some(chunk) = response.chunk().await.map_err(|error| cut_off(&error.without_url()))? {
            unread.extend_from_slice(&chunk);
            let mut from = 0;
            while let Some(length) = unread[from..].iter().position(|byte| *byte == b'\n') {
                if let Some(row) = held.replace(unread[from..from + length].to_vec()) {
                    self.row(&row)?;
                    rows += 1;
                }
                from += length + 1;
            }
            unread.drain(..from);
        }
        let trailer: Option<Trailer> = held.and_then(|line| serde_json::from_slice(&line).ok());
        match trailer {
            Some(trailer) if trailer.row_count == rows && unread.is_empty() => {
                Ok(Page { rows, total: Some(trailer.total) })
            }
            _ => Err(cut_off(&"its last line is missing")),
        }
    }

    fn row(&mut self, row: &[u8]) -> Result<(), Failure> {
        match self.output {
            Output::Table => {
                let Fields(fields) = serde_json::from_slice(row)
                    .map_err(|error| Failure::caused("the server answered with something else than rows", &error))?;
                if self.heading.is_empty() {
                    self.heading = fields.iter().map(|(name, _)| name.to_uppercase()).collect();
                }
                self.table.push(fields.into_iter().map(|(_, value)| cell(value)).collect());
            }
            Output::Json => {
                let comma: &[u8] = if self.printed > 0 { b"," } else { b"" };
                written(self.out.write_all(comma).and_then(|()| self.out.write_all(row)))?;
            }
            Output::Ndjson | Output::Csv => {
                written(self.out.write_all(row).and_then(|()| self.out.write_all(b"\n")))?;
            }
        }
        self.printed += 1;
        Ok(())
    }

    async fn csv(&mut self, mut response: Response, first: bool) -> Result<Page, Failure> {
        // Of the pages behind the first, the header row is left out; no name in it has a line break.
        let mut in_heading = !first;
        let (mut quoted, mut lines) = (false, 0);
        while let Some(chunk) = response.chunk().await.map_err(|error| cut_off(&error.without_url()))? {
            let mut text = &chunk[..];
            for byte in text {
                quoted ^= *byte == b'"';
                lines += u64::from(*byte == b'\n' && !quoted);
            }
            if in_heading {
                let Some(end) = text.iter().position(|byte| *byte == b'\n') else { continue };
                (text, in_heading) = (&text[end + 1..], false);
            }
            written(self.out.write_all(text))?;
        }
        Ok(Page { rows: lines.saturating_sub(1), total: None })
    }

    /// Prints how much a key was used.
    pub(super) fn usage(&mut self, body: &[u8]) -> Result<(), Failure> {
        let usage: Value = serde_json::from_slice(body)
            .map_err(|error| Failure::caused("the server answered with something else than usage", &error))?;
        let hours: Vec<&Value> = usage["hours"].as_array().into_iter().flatten().collect();
        let columns = ["hour", "served_count", "refused_count"];
        let cells = |hour: &Value| columns.map(|name| cell(hour[name].clone())).to_vec();
        match self.output {
            Output::Json => written(self.out.write_all(body).and_then(|()| self.out.write_all(b"\n")))?,
            Output::Ndjson => {
                for hour in hours {
                    written(writeln!(self.out, "{hour}"))?;
                }
            }
            Output::Csv => {
                written(write!(self.out, "{}\r\n", columns.join(",")))?;
                for hour in hours {
                    written(write!(self.out, "{}\r\n", cells(hour).join(",")))?;
                }
            }
            Output::Table => {
                let of = |name: &str| cell(usage[name].clone());
                let window = match usage["limit"].as_u64() {
                    Some(limit) => {
                        format!(
                            "{} of {limit} requests used, {} left until {}",
                            of("used"),
                            of("remaining"),
                            of("reset_at")
                        )
                    }
                    None => format!("{} requests in this hour, unlimited", of("used")),
                };
                let rows: Vec<Vec<String>> = hours.into_iter().map(cells).collect();
                let table = table_of(&columns.map(str::to_uppercase), &rows);
                written(write!(self.out, "{}: {window}\n\n{table}", of("plan")))?;
            }
        }
        written(self.out.flush())
    }

    /// Ends what was printed.
    pub(super) fn finish(mut self, total: u64) -> Result<(), Failure> {
        match self.output {
            Output::Json => written(writeln!(self.out, "],\"total\":{total}}}"))?,
            Output::Table if self.table.is_empty() => eprintln!("astranetmon: nothing matches"),
            Output::Table => {
                written(self.out.write_all(table_of(&self.heading, &self.table).as_bytes()))?;
                if self.printed < total {
                    eprintln!("astranetmon: {} of {total}; more with --limit or --all", self.printed);
                }
            }
            Output::Ndjson | Output::Csv => {}
        }
        written(self.out.flush())
    }
}

/// A value for people; what is unknown is a dash.
fn cell(value: Value) -> String {
    match value {
        Value::Null => "-".to_owned(),
        Value::String(text) => text,
        other => other.to_string(),
    }
}
