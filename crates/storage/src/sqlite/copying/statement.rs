//! Statements whose text and values are known only when they run.

use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::row::{Field, Row};
use diesel::sql_types::{BigInt, Binary, Bool, Double, Nullable, Text, Untyped};
use diesel::sqlite::{Sqlite, SqliteType, SqliteValue};
use diesel::{QueryResult, RunQueryDsl, SqliteConnection};

use crate::StorageError;
use crate::copy::batch::{Batch, Cell};
use crate::copy::catalog::{Column, ColumnKind, Table};

/// SQL with a `?` for each value. Prepared once for equal text.
pub(super) struct Statement<'a> {
    pub(super) sql: &'a str,
    pub(super) values: &'a [Cell<'a>],
}

impl QueryFragment<Sqlite> for Statement<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql(self.sql);
        for value in self.values {
            match value {
                Cell::Null => out.push_bind_param_value_only::<Nullable<BigInt>, _>(&None::<i64>)?,
                Cell::Integer(value) => out.push_bind_param_value_only::<BigInt, _>(value)?,
                Cell::Double(value) => out.push_bind_param_value_only::<Double, _>(value)?,
                Cell::Text(value) => out.push_bind_param_value_only::<Text, str>(value)?,
                Cell::Bytes(value) => out.push_bind_param_value_only::<Binary, [u8]>(value)?,
                Cell::Boolean(value) => out.push_bind_param_value_only::<Bool, _>(value)?,
            }
        }
        Ok(())
    }
}

impl Query for Statement<'_> {
    type SqlType = Untyped;
}

impl QueryId for Statement<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl RunQueryDsl<SqliteConnection> for Statement<'_> {}

/// Puts a row of `columns` at the end of a batch.
///
/// # Errors
/// [`StorageError::CannotCopy`] if a value is not of its column's type, which SQLite does not see to.
pub(super) fn push_row<'a>(
    batch: &mut Batch,
    row: &impl Row<'a, Sqlite>,
    table: &Table,
    columns: &[&Column],
) -> Result<(), StorageError> {
    batch.begin_row(columns.len())?;
    for (position, column) in columns.iter().enumerate() {
        let field = row.get(position);
        let value = field.as_ref().and_then(|field| field.value());
        push_value(batch, value, column).map_err(|found| StorageError::CannotCopy {
            reason: format!("{}.{} holds {found}, which is not what the column is for", table.name, column.name),
        })??;
    }
    batch.end_row();
    Ok(())
}

fn push_value(
    batch: &mut Batch,
    value: Option<SqliteValue<'_, '_, '_>>,
    column: &Column,
) -> Result<Result<(), StorageError>, &'static str> {
    let Some(mut value) = value else { return Ok(batch.push(Cell::Null)) };
    let found = value.value_type();
    Ok(match (column.kind, found) {
        (ColumnKind::Integer, Some(SqliteType::Long)) => batch.push(Cell::Integer(value.read_long())),
        (ColumnKind::Double, Some(SqliteType::Double)) => batch.push(Cell::Double(value.read_double())),
        (ColumnKind::Bytes, Some(SqliteType::Binary)) => batch.push(Cell::Bytes(value.read_blob())),
        (ColumnKind::Boolean, Some(SqliteType::Long)) => match value.read_long() {
            0 => batch.push(Cell::Boolean(false)),
            1 => batch.push(Cell::Boolean(true)),
            _ => return Err("a number"),
        },
        (ColumnKind::Text, Some(SqliteType::Text)) => {
            // Reading replaces what is not UTF-8; so a replacement may have been something else.
            if value.read_text().contains(char::REPLACEMENT_CHARACTER)
                && std::str::from_utf8(value.read_blob()).is_err()
            {
                return Err("text that is not UTF-8");
            }
            batch.push(Cell::Text(value.read_text()))
        }
        (_, Some(SqliteType::Text)) => return Err("text"),
        (_, Some(SqliteType::Binary)) => return Err("bytes"),
        _ => return Err("a number"),
    })
}
