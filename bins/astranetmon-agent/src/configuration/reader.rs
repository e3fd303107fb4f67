//! Takes keys out of a table one by one: what is wrong is said with the key's full name, and what is left is unknown.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use toml::{Table, Value};

use super::span::{self, Span};
use crate::Failure;

/// A table of which some keys were taken.
pub(super) struct Reader {
    /// With a dot at the end; empty for the whole file.
    prefix: String,
    table: Table,
    /// Every key that was asked for.
    known: Vec<&'static str>,
}

impl Reader {
    pub(super) fn new(text: &str) -> Result<Self, Failure> {
        match text.parse::<Table>() {
            Ok(table) => Ok(Self { prefix: String::new(), table, known: Vec::new() }),
            Err(error) => {
                let line = error.span().map_or(1, |span| 1 + text[..span.start.min(text.len())].matches('\n').count());
                let what = error.message().replace('\n', ", ");
                Err(Failure::usage(format!(
                    "line {line} is no TOML: {what}; a line reads for example interval = \"60s\""
                )))
            }
        }
    }

    fn take(&mut self, key: &'static str) -> Option<Value> {
        self.known.push(key);
        self.table.remove(key)
    }

    fn refuse(&self, key: &str, found: impl Display, accepted: impl Display) -> Failure {
        Failure::usage(format!("{}{key} = {found} must be {accepted}", self.prefix))
    }

    /// The table under a name; an empty one if it is missing.
    pub(super) fn section(&mut self, key: &'static str) -> Result<Self, Failure> {
        let table = match self.take(key) {
            None => Table::new(),
            Some(Value::Table(table)) => table,
            Some(other) => return Err(self.refuse(key, other, format_args!("a section, [{key}]"))),
        };
        Ok(Self { prefix: format!("{}{key}.", self.prefix), table, known: Vec::new() })
    }

    pub(super) fn text(&mut self, key: &'static str, accepted: &str) -> Result<Option<String>, Failure> {
        match self.take(key) {
            None => Ok(None),
            Some(Value::String(text)) if !text.trim().is_empty() => Ok(Some(text)),
            Some(other) => Err(self.refuse(key, other, accepted)),
        }
    }

    pub(super) fn path(&mut self, key: &'static str, example: &str) -> Result<Option<PathBuf>, Failure> {
        self.text(key, &format!("a path, such as \"{example}\"")).map(|text| text.map(PathBuf::from))
    }

    /// What `parse` makes of the text.
    pub(super) fn parsed<T>(
        &mut self,
        key: &'static str,
        accepted: &str,
        parse: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, Failure> {
        let Some(text) = self.text(key, accepted)? else { return Ok(None) };
        match parse(&text) {
            Some(value) => Ok(Some(value)),
            None => Err(self.refuse(key, Value::String(text), accepted)),
        }
    }

    pub(super) fn flag(&mut self, key: &'static str, default: bool) -> Result<bool, Failure> {
        match self.take(key) {
            None => Ok(default),
            Some(Value::Boolean(value)) => Ok(value),
            Some(other) => Err(self.refuse(key, other, "true or false")),
        }
    }

    pub(super) fn number(
        &mut self,
        key: &'static str,
        default: u64,
        bounds: RangeInclusive<u64>,
    ) -> Result<u64, Failure> {
        let found = match self.take(key) {
            None => return Ok(default),
            Some(Value::Integer(number)) => u64::try_from(number).map_err(|_| Value::Integer(number)),
            Some(other) => Err(other),
        };
        let accepted = format!("a whole number from {} to {}, such as {default}", bounds.start(), bounds.end());
        match found {
            Ok(number) if bounds.contains(&number) => Ok(number),
            Ok(number) => Err(self.refuse(key, number, accepted)),
            Err(other) => Err(self.refuse(key, other, accepted)),
        }
    }

    pub(super) fn span(
        &mut self,
        key: &'static str,
        default: Duration,
        bounds: RangeInclusive<Duration>,
    ) -> Result<Duration, Failure> {
        let Some(found) = self.take(key) else { return Ok(default) };
        match found.as_str().and_then(span::parse) {
            Some(length) if bounds.contains(&length) => Ok(length),
            Some(_) => {
                let (least, most) = (Span(*bounds.start()), Span(*bounds.end()));
                Err(self.refuse(key, found, format_args!("from {least} to {most}, such as \"{}\"", Span(default))))
            }
            None => Err(self.refuse(key, found, format_args!("{}, such as \"{}\"", span::ACCEPTED, Span(default)))),
        }
    }

    /// A list of texts, each of which `is_good`.
    pub(super) fn list(
        &mut self,
        key: &'static str,
        accepted: &str,
        is_good: impl Fn(&str) -> bool,
    ) -> Result<Vec<String>, Failure> {
        let Some(found) = self.take(key) else { return Ok(Vec::new()) };
        let texts = found.as_array().and_then(|values| {
            values.iter().map(|value| value.as_str().filter(|text| is_good(text)).map(str::to_owned)).collect()
        });
        texts.ok_or_else(|| self.refuse(key, found, accepted))
    }

    /// Why a list is refused that is longer than it may be.
    pub(super) fn too_many(&self, key: &str, count: usize, accepted: &str) -> Failure {
        self.refuse(key, format_args!("[…] with {count} elements"), accepted)
    }

    /// Refuses what nobody asked for, with the nearest known name.
    pub(super) fn finish(self) -> Result<(), Failure> {
        let Some(unknown) = self.table.keys().next() else { return Ok(()) };
        let distance = |known: &str| strsim::damerau_levenshtein(known, unknown);
        let nearest = self.known.iter().min_by_key(|known| distance(known)).filter(|known| distance(known) <= 3);
        let prefix = &self.prefix;
        Err(Failure::usage(match nearest {
            Some(nearest) => format!("{prefix}{unknown} is no setting, did you mean {prefix}{nearest}?"),
            None => {
                let known: Vec<String> = self.known.iter().map(|known| format!("{prefix}{known}")).collect();
                format!("{prefix}{unknown} is no setting; known are {}", known.join(", "))
            }
        }))
    }
}
