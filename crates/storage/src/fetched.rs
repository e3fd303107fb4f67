use crate::StorageError;
use crate::repository::RecordPage;
use crate::rows::RecordRow;

/// The rows of a page, of which one more was fetched than it holds.
pub(crate) struct Fetched<Row> {
    rows: Vec<Row>,
    more: bool,
}

impl<Row: RecordRow> Fetched<Row> {
    pub(crate) fn new(mut rows: Vec<Row>, limit: u32) -> Self {
        let limit = limit as usize;
        let more = rows.len() > limit;
        rows.truncate(limit);
        Self { rows, more }
    }

    /// How many records match, if these are all of them; `first`: whether the page is the first.
    pub(crate) fn total(&self, first: bool) -> Option<u64> {
        (first && !self.more).then_some(self.rows.len() as u64)
    }

    pub(crate) fn into_page(self, total: u64) -> Result<RecordPage<Row::Record>, StorageError> {
        let rows = self.rows.into_iter().map(Row::into_record).collect::<Result<Vec<_>, _>>()?;
        let next = rows.last().filter(|_| self.more).map(Row::position_of);
        Ok(RecordPage { rows, total, next })
    }
}
