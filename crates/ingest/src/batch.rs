use std::borrow::Cow;

use crate::answer::{Answer, RefusedRow};
use crate::check::{RowContext, TimeBounds, WireRow};

/// Why a row is not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The field that is wrong, `hops[3].ttl` for one; `None` if it is the row as a whole.
    pub field: Option<Cow<'static, str>>,
    /// What is wrong and what is accepted, as it goes on after the field's name.
    pub reason: Cow<'static, str>,
}

impl Refusal {
    pub(crate) fn of(field: impl Into<Cow<'static, str>>, reason: impl Into<Cow<'static, str>>) -> Self {
        Self { field: Some(field.into()), reason: reason.into() }
    }

    pub(crate) fn of_row(reason: impl Into<Cow<'static, str>>) -> Self {
        Self { field: None, reason: reason.into() }
    }

    /// The same of something inside `parent`.
    pub(crate) fn inside(self, parent: &str) -> Self {
        let field = match self.field {
            Some(field) => format!("{parent}.{field}"),
            None => parent.to_owned(),
        };
        Self { field: Some(field.into()), reason: self.reason }
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.field {
            Some(field) => write!(f, "{field} {}", self.reason),
            None => write!(f, "a row {}", self.reason),
        }
    }
}

/// Names of fields that nobody knows, each once, in the order of their coming. Bounded, whatever a sender makes up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct IgnoredFields(Vec<String>);

impl IgnoredFields {
    const MOST: usize = 32;
    const MOST_CHARS: usize = 64;

    /// Notes a name; `parent` is what it stands in, if not in the row itself.
    pub fn note(&mut self, parent: Option<&str>, name: &str) {
        if self.0.iter().any(|known| Self::is(known, parent, name)) || self.0.len() == Self::MOST {
            return;
        }
        let name = match parent {
            Some(parent) => Cow::Owned(format!("{parent}.{name}")),
            None => Cow::Borrowed(name),
        };
        let name = astranetmon_domain::clean_text(&name, Self::MOST_CHARS);
        if !self.0.contains(&name) {
            self.0.push(name);
        }
    }

    fn is(known: &str, parent: Option<&str>, name: &str) -> bool {
        match parent {
            None => known == name,
            Some(parent) => {
                known.strip_prefix(parent).and_then(|rest| rest.strip_prefix('.')).is_some_and(|rest| rest == name)
            }
        }
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.0
    }
}

/// The rows of a body that passed the checks, as records, and what there is to say of the others.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch<T> {
    records: Vec<T>,
    pending: PendingAnswer,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { records: Vec::new(), pending: PendingAnswer::default() }
    }
}

impl<T> Batch<T> {
    /// Takes the row at the next position, or why it could not be read; a row is checked on the way.
    pub fn take<R: WireRow<Record = T>>(&mut self, row: Result<R, Refusal>, context: &RowContext<'_>) {
        self.push(row.and_then(|row| row.check(context)));
    }

    /// Takes the record of the row at the next position, or why there is none.
    pub fn push(&mut self, record: Result<T, Refusal>) {
        let row = self.pending.rows;
        self.pending.rows += 1;
        match record {
            Ok(record) => {
                self.records.push(record);
                self.pending.positions.push(row);
            }
            Err(Refusal { field, reason }) => {
                let field = field.map(Cow::into_owned);
                self.pending.refused.push(RefusedRow { row, field, reason: reason.into_owned() });
            }
        }
    }

    /// Where names of unknown fields are noted.
    pub fn ignored_fields(&mut self) -> &mut IgnoredFields {
        &mut self.pending.ignored
    }

    /// The records so far, in the order of the rows.
    #[must_use]
    pub fn records(&self) -> &[T] {
        &self.records
    }

    /// The records, to be stored in this order, and what is to be answered once they are.
    #[must_use]
    pub fn into_records(self) -> (Vec<T>, PendingAnswer) {
        (self.records, self.pending)
    }
}

/// An answer that waits for storage to say which of the records it knew.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PendingAnswer {
    /// Rows so far.
    rows: u32,
    /// The row of each record.
    positions: Vec<u32>,
    refused: Vec<RefusedRow>,
    /// Records that storage did not take.
    too_old: usize,
    ignored: IgnoredFields,
}

impl PendingAnswer {
    /// Refuses records whose time has gone into summaries meanwhile, given by their positions in the order in which the
    /// records came.
    #[must_use]
    pub fn too_old(mut self, records: &[u32]) -> Self {
        for row in records.iter().filter_map(|&record| self.positions.get(record as usize).copied()) {
            let Refusal { field, reason } = TimeBounds::summarized();
            let field = field.map(Cow::into_owned);
            self.refused.push(RefusedRow { row, field, reason: reason.into_owned() });
            self.too_old += 1;
        }
        self.refused.sort_by_key(|refused| refused.row);
        self
    }

    /// The answer, given the positions of the records that were known, in the order in which the records came.
    #[must_use]
    pub fn answer(self, known_records: &[u32]) -> Answer {
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        let known_rows: Vec<u32> =
            known_records.iter().filter_map(|&record| self.positions.get(record as usize).copied()).collect();
        Answer {
            taken: count(self.positions.len().saturating_sub(known_rows.len() + self.too_old)),
            known: count(known_rows.len()),
            refused: count(self.refused.len()),
            known_rows,
            refused_rows: self.refused,
            ignored_fields: self.ignored.0,
        }
    }
}
