//! Rows on their way from one database to the other.
//!
//! A row travels as PostgreSQL's binary `COPY` writes it: the number of fields (2 bytes), then each field as its length
//! (4 bytes, -1 for NULL) and its value: an integer and a double (its bits) in 8 bytes, a boolean in one, text as UTF-8,
//! bytes as they are; most significant byte first. Of given columns there is one such form of a row, so it is also what
//! both sides are hashed by.

use super::catalog::{Column, ColumnKind};
use crate::StorageError;

/// A batch is full at so many rows or bytes, whatever comes first. One larger row is a batch of its own.
const FULL_ROWS: usize = 8_192;
const FULL_BYTES: usize = 4 << 20;

/// A value of a row. Text may hold anything that its database let in.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cell<'a> {
    Null,
    Integer(i64),
    Double(f64),
    Text(&'a str),
    Bytes(&'a [u8]),
    Boolean(bool),
}

/// Whole rows in the order of their keys.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    bytes: Vec<u8>,
    /// Where each row ends in `bytes`.
    ends: Vec<usize>,
}

impl Batch {
    /// How many.
    pub(crate) fn rows(&self) -> usize {
        self.ends.len()
    }

    pub(crate) fn is_full(&self) -> bool {
        self.ends.len() >= FULL_ROWS || self.bytes.len() >= FULL_BYTES
    }

    /// All rows, one after the other.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// The rows, each for [`cells`].
    pub(crate) fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let starts = std::iter::once(0).chain(self.ends.iter().copied());
        starts.zip(&self.ends).map(|(start, &end)| &self.bytes[start..end])
    }

    /// Adds a row that is encoded already.
    pub(crate) fn push_encoded(&mut self, row: &[u8]) {
        self.bytes.extend_from_slice(row);
        self.ends.push(self.bytes.len());
    }

    /// Begins a row of `fields` values, which follow.
    pub(crate) fn begin_row(&mut self, fields: usize) -> Result<(), StorageError> {
        let fields = u16::try_from(fields).map_err(|_| malformed("a table has too many columns"))?;
        self.bytes.extend_from_slice(&fields.to_be_bytes());
        Ok(())
    }

    /// The next value of the row.
    pub(crate) fn push(&mut self, cell: Cell<'_>) -> Result<(), StorageError> {
        match cell {
            Cell::Null => self.bytes.extend_from_slice(&(-1_i32).to_be_bytes()),
            Cell::Integer(value) => self.field(&value.to_be_bytes())?,
            Cell::Double(value) => self.field(&value.to_bits().to_be_bytes())?,
            Cell::Text(value) => self.field(value.as_bytes())?,
            Cell::Bytes(value) => self.field(value)?,
            Cell::Boolean(value) => self.field(&[u8::from(value)])?,
        }
        Ok(())
    }

    /// After the last value of the row.
    pub(crate) fn end_row(&mut self) {
        self.ends.push(self.bytes.len());
    }

    fn field(&mut self, value: &[u8]) -> Result<(), StorageError> {
        let length = i32::try_from(value.len()).map_err(|_| malformed("a value of more than 2 GiB"))?;
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
        Ok(())
    }
}

/// The values of an encoded row of `columns`.
pub(crate) fn cells<'a>(row: &'a [u8], columns: &[&Column]) -> Result<Vec<Cell<'a>>, StorageError> {
    let mut cells = Vec::with_capacity(columns.len());
    append_cells(row, columns.iter().copied(), &mut cells)?;
    Ok(cells)
}

/// Puts the values of an encoded row of `columns` behind those in `cells`.
pub(crate) fn append_cells<'a, 'b>(
    row: &'a [u8],
    columns: impl IntoIterator<Item = &'b Column>,
    cells: &mut Vec<Cell<'a>>,
) -> Result<(), StorageError> {
    let mut rest = row.get(2..).ok_or_else(|| malformed("a row without fields"))?;
    for column in columns {
        let (length, after) = rest.split_first_chunk().ok_or_else(|| malformed("a row that ends early"))?;
        rest = after;
        let Ok(length) = usize::try_from(i32::from_be_bytes(*length)) else {
            cells.push(Cell::Null);
            continue;
        };
        let (value, after) = rest.split_at_checked(length).ok_or_else(|| malformed("a row that ends early"))?;
        rest = after;
        cells.push(cell(column.kind, value)?);
    }
    if rest.is_empty() { Ok(()) } else { Err(malformed("a row with more fields than columns")) }
}

fn cell(kind: ColumnKind, value: &[u8]) -> Result<Cell<'_>, StorageError> {
    let eight = || value.try_into().map_err(|_| malformed("a number that has not 8 bytes"));
    Ok(match kind {
        ColumnKind::Integer => Cell::Integer(i64::from_be_bytes(eight()?)),
        ColumnKind::Double => Cell::Double(f64::from_bits(u64::from_be_bytes(eight()?))),
        ColumnKind::Text => Cell::Text(std::str::from_utf8(value).map_err(|_| malformed("text that is not UTF-8"))?),
        ColumnKind::Bytes => Cell::Bytes(value),
        ColumnKind::Boolean => Cell::Boolean(value != [0]),
    })
}

/// The length of the first row of `bytes`, or `None` if it is not whole yet.
pub(crate) fn row_length(bytes: &[u8]) -> Result<Option<usize>, StorageError> {
    let Some(fields) = bytes.first_chunk() else { return Ok(None) };
    let fields = u16::from_be_bytes(*fields);
    let mut end = 2;
    for _ in 0..fields {
        let Some(length) = bytes.get(end..).and_then(|rest| rest.first_chunk()) else { return Ok(None) };
        end += 4;
        match i32::from_be_bytes(*length) {
            -1 => {}
            length => end += usize::try_from(length).map_err(|_| malformed("a negative length"))?,
        }
    }
    Ok((end <= bytes.len()).then_some(end))
}

fn malformed(context: &'static str) -> StorageError {
    StorageError::Internal { context, source: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(kind: ColumnKind) -> Column {
        Column { name: "c".to_owned(), kind, nullable: true }
    }

    #[test]
    fn a_row_comes_out_as_it_went_in() {
        let long = vec![7_u8; 70_000];
        let rows = [
            [
                Cell::Integer(i64::MIN),
                Cell::Double(-0.0),
                Cell::Text("a\u{0}\u{10FFFF}é"),
                Cell::Bytes(&long),
                Cell::Boolean(true),
            ],
            [Cell::Null; 5],
            [Cell::Integer(-1), Cell::Double(5e-324), Cell::Text(""), Cell::Bytes(&[]), Cell::Boolean(false)],
        ];
        let kinds = [ColumnKind::Integer, ColumnKind::Double, ColumnKind::Text, ColumnKind::Bytes, ColumnKind::Boolean];
        let columns = kinds.map(column);
        let columns: Vec<_> = columns.iter().collect();
        let mut batch = Batch::default();
        for row in rows {
            batch.begin_row(row.len()).expect("few");
            row.into_iter().for_each(|cell| batch.push(cell).expect("short"));
            batch.end_row();
        }
        assert_eq!(batch.rows(), 3);
        for (encoded, row) in batch.iter().zip(rows) {
            let decoded = cells(encoded, &columns).expect("well-formed");
            assert_eq!(decoded, row);
            let signs = |cells: &[Cell<'_>]| matches!(cells[1], Cell::Double(value) if value.is_sign_negative());
            assert_eq!(signs(&decoded), signs(&row));
            assert_eq!(row_length(encoded).expect("well-formed"), Some(encoded.len()));
            for cut in [0, 1, 2, 5, encoded.len() - 1] {
                assert_eq!(row_length(&encoded[..cut]).expect("well-formed"), None, "{cut}");
            }
        }
    }

    #[test]
    fn what_is_no_row_is_an_error_not_a_panic() {
        let columns = [column(ColumnKind::Integer), column(ColumnKind::Text)];
        let columns: Vec<_> = columns.iter().collect();
        for row in [
            &[][..],
            &[0, 2],
            &[0, 2, 0, 0, 0, 8, 1],
            &[0, 2, 0, 0, 0, 1, 1, 255, 255, 255, 255],
            &[0, 2, 255, 255, 255, 255, 0, 0, 0, 1, 0xFF],
            &[0, 2, 255, 255, 255, 255, 255, 255, 255, 255, 0],
        ] {
            assert!(cells(row, &columns).is_err(), "{row:?}");
        }
        assert!(row_length(&[0, 1, 255, 255, 255, 254]).is_err());
    }
}
