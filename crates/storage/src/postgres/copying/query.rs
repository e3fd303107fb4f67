//! The queries of a copy. `COPY` takes no parameters, so values stand in the text.

use crate::StorageError;
use crate::copy::batch::{Cell, cells};
use crate::copy::catalog::{Column, ColumnKind, Table, quoted};
use crate::copy::digest::hexadecimal;

/// All rows, or those behind a key, in the order of the key, which is that of bytes, as on SQLite.
pub(super) fn rows(table: &Table, after: Option<&[u8]>) -> Result<String, StorageError> {
    let key: Vec<&Column> = table.key_columns().collect();
    let order = key.iter().map(|column| ordered(column)).collect::<Vec<_>>().join(", ");
    let behind = match after {
        None => String::new(),
        Some(after) => {
            let values = cells(after, &key)?.into_iter().map(literal).collect::<Result<Vec<_>, _>>()?;
            format!("WHERE ({order}) > ({}) ", values.join(", "))
        }
    };
    Ok(format!("SELECT {} FROM {} {behind}ORDER BY {order}", table.column_list(), quoted(&table.name)))
}

/// The key columns of the last row.
pub(super) fn last_key(table: &Table) -> String {
    let key: Vec<&Column> = table.key_columns().collect();
    let names = key.iter().map(|column| quoted(&column.name)).collect::<Vec<_>>().join(", ");
    let order = key.iter().map(|column| ordered(column) + " DESC").collect::<Vec<_>>().join(", ");
    format!("SELECT {names} FROM {} ORDER BY {order} LIMIT 1", quoted(&table.name))
}

fn ordered(column: &Column) -> String {
    let name = quoted(&column.name);
    if column.kind == ColumnKind::Text { name + " COLLATE \"C\"" } else { name }
}

fn literal(value: Cell<'_>) -> Result<String, StorageError> {
    Ok(match value {
        Cell::Integer(value) => format!("'{value}'::BIGINT"),
        // Backslashes are themselves: the session says so.
        Cell::Text(value) => format!("'{}' COLLATE \"C\"", value.replace('\'', "''")),
        Cell::Bytes(value) => format!("'\\x{}'::BYTEA", hexadecimal(value)),
        Cell::Boolean(value) => value.to_string(),
        Cell::Null | Cell::Double(_) => {
            return Err(StorageError::Internal { context: "a key that puts nothing in order", source: None });
        }
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::copy::batch::Batch;
    use crate::copy::catalog::{ListedColumn, table};

    #[test]
    fn a_key_stands_in_the_text_whatever_is_in_it() {
        let names = [("a", "bigint", 0), ("b", "text", 1), ("c", "bytea", 2)];
        let columns = names.map(|(name, declared, position)| ListedColumn {
            name: name.to_owned(),
            declared: declared.to_owned(),
            nullable: false,
            key_position: Some(position),
            identity: false,
            partitions: false,
        });
        let table = table("t", columns.into(), BTreeSet::new()).expect("a table");
        let mut batch = Batch::default();
        batch.begin_row(3).expect("few");
        for cell in [Cell::Integer(i64::MIN), Cell::Text("it's \\ \"so\""), Cell::Bytes(&[0, 0xAB])] {
            batch.push(cell).expect("short");
        }
        batch.end_row();
        assert_eq!(
            rows(&table, Some(batch.bytes())).expect("a query"),
            "SELECT \"a\", \"b\", \"c\" FROM \"t\" WHERE (\"a\", \"b\" COLLATE \"C\", \"c\") > \
             ('-9223372036854775808'::BIGINT, 'it''s \\ \"so\"' COLLATE \"C\", '\\x00ab'::BYTEA) \
             ORDER BY \"a\", \"b\" COLLATE \"C\", \"c\""
        );
    }
}
