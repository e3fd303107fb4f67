//! Results of other tools, turned into rows of ours: Ookla's and `LibreSpeed`'s command lines, mtr, and traceroutes of
//! RIPE Atlas, all as JSON.
//!
//! A row comes with a [`FieldReport`]: what was kept, what was converted and by which rule, and what was dropped. Its id
//! follows from its content, so that importing twice changes nothing.
//!
//! ```
//! use astranetmon_ingest::foreign::{ForeignRow, convert};
//!
//! let json = br#"{"type": "result", "timestamp": "2026-11-23T11:26:58Z", "download": {"bandwidth": 12500000}}"#;
//! let file = convert(json, None, None).expect("JSON");
//! let Ok(ForeignRow::Speedtest(test)) = &file.entries[0].row else { panic!("a speed test") };
//! assert_eq!(test.download_mbps, Some(100.0));
//! assert_eq!(file.fields.converted["download.bandwidth"].rule, "bytes/s × 8 / 10^6");
//! ```

mod atlas;
mod document;
mod librespeed;
mod mtr;
mod ookla;
mod reader;
#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use astranetmon_domain::{Timestamp, parse_moment};
use serde_json::Value;

pub use self::reader::{FieldReport, FieldRule, FieldUse};

use self::reader::Reader;
use crate::{SpeedtestRow, TracerouteRow};

/// A tool whose results are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Format {
    /// Ookla's `speedtest --format=json` and `jsonl`, and the `data` of Speedtest Tracker.
    Ookla,
    /// `librespeed-cli --json`.
    LibreSpeed,
    /// `mtr --json`.
    Mtr,
    /// Traceroute results of RIPE Atlas.
    Atlas,
}

/// The text names no format.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a format is one of ookla, librespeed, mtr, atlas")]
pub struct UnknownFormat;

impl Format {
    /// Every format.
    pub const ALL: [Self; 4] = [Self::Ookla, Self::LibreSpeed, Self::Mtr, Self::Atlas];

    /// The name on the command line.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ookla => "ookla",
            Self::LibreSpeed => "librespeed",
            Self::Mtr => "mtr",
            Self::Atlas => "atlas",
        }
    }

    /// The fields that are taken; whatever else there is is dropped.
    #[must_use]
    pub const fn fields(self) -> &'static [FieldRule] {
        match self {
            Self::Ookla => ookla::FIELDS,
            Self::LibreSpeed => librespeed::FIELDS,
            Self::Mtr => mtr::FIELDS,
            Self::Atlas => atlas::FIELDS,
        }
    }

    /// The format that a document has by its looks.
    fn of(document: &Value) -> Option<Self> {
        let has = |pointer: &str| document.pointer(pointer).is_some();
        let is = |pointer: &str, text: &str| document.pointer(pointer).and_then(Value::as_str) == Some(text);
        if has("/report/hubs") || has("/report/mtr") {
            Some(Self::Mtr)
        } else if is("/type", "traceroute") || is("/msm_name", "Traceroute") || (has("/msm_id") && has("/result")) {
            Some(Self::Atlas)
        } else if has("/bytes_received") || (has("/server/url") && has("/ping")) {
            Some(Self::LibreSpeed)
        } else if ookla::looks_like_it(document) {
            Some(Self::Ookla)
        } else {
            None
        }
    }
}

impl FromStr for Format {
    type Err = UnknownFormat;

    fn from_str(text: &str) -> Result<Self, UnknownFormat> {
        Self::ALL.into_iter().find(|format| format.as_str() == text).ok_or(UnknownFormat)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A result as a row, to be checked like those that agents send.
#[derive(Clone, Debug, PartialEq)]
pub enum ForeignRow {
    /// A speed test.
    Speedtest(Box<SpeedtestRow>),
    /// A traceroute.
    Traceroute(Box<TracerouteRow>),
}

/// What one document of a file became.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// Its place among the file's documents, from 1.
    pub position: usize,
    /// Its format, if it is known.
    pub format: Option<Format>,
    /// The row, or why there is none.
    pub row: Result<ForeignRow, String>,
    /// What became of its fields.
    pub fields: FieldReport,
}

/// What a file became.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ForeignFile {
    /// One a result, in the file's order.
    pub entries: Vec<Entry>,
    /// Documents that are no results, such as the progress that Ookla's tool writes.
    pub skipped: usize,
    /// What became of the fields of all entries that have a row.
    pub fields: FieldReport,
}

/// The file is no JSON at all.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not JSON: {0}")]
pub struct NotJson(String);

/// Converts the documents of a file: one value, an array, or several values one after another, such as one a line.
/// Without a `format`, each document's is told by its looks. `at` is the time of results that carry none, as mtr's.
///
/// # Errors
/// [`NotJson`] if nothing of it can be read. What is wrong with single documents is in their entries.
pub fn convert(text: &[u8], format: Option<Format>, at: Option<Timestamp>) -> Result<ForeignFile, NotJson> {
    let mut file = ForeignFile::default();
    for (index, document) in document::documents(text)?.into_iter().enumerate() {
        let mut reader = Reader::default();
        let known = document.as_ref().ok().and_then(|document| format.or_else(|| Format::of(document)));
        let row = match (&document, known) {
            (Err(reason), _) => Err(reason.clone()),
            (Ok(_), None) => Err("of no known format: ookla, librespeed, mtr or atlas".to_owned()),
            (Ok(document), Some(Format::Ookla)) => ookla::convert(document, &mut reader, at),
            (Ok(document), Some(Format::LibreSpeed)) => librespeed::convert(document, &mut reader, at).map(Some),
            (Ok(document), Some(Format::Mtr)) => mtr::convert(document, &mut reader, at).map(Some),
            (Ok(document), Some(Format::Atlas)) => atlas::convert(document, &mut reader).map(Some),
        };
        let row = match row {
            Ok(Some(row)) => Ok(row),
            Ok(None) => {
                file.skipped += 1;
                continue;
            }
            Err(reason) => Err(reason),
        };
        let fields = match (&document, known, &row) {
            (Ok(document), Some(format), Ok(_)) => reader.report(document, format.fields()),
            _ => FieldReport::default(),
        };
        file.fields.merge(&fields);
        file.entries.push(Entry { position: index + 1, format: known, row, fields });
    }
    Ok(file)
}

/// A moment as tools write it: RFC 3339, never relative.
fn moment(text: &str) -> Option<Timestamp> {
    let absolute = text.as_bytes().first().is_some_and(u8::is_ascii_digit);
    parse_moment(text, Timestamp::MIN).ok().filter(|_| absolute)
}

/// The content that an id follows from.
fn content(document: &Value) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}
