use std::collections::BTreeSet;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Bool, Text};
use diesel::sqlite::SqliteConnection;

use crate::StorageError;
use crate::copy::catalog::{Catalog, LEFT_BEHIND, ListedColumn, table};

#[derive(QueryableByName)]
struct TableRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Bool)]
    numbers_itself: bool,
}

#[derive(QueryableByName)]
struct ColumnRow {
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    declared: String,
    #[diesel(sql_type = Bool)]
    required: bool,
    #[diesel(sql_type = BigInt)]
    key_position: i64,
}

#[derive(QueryableByName)]
struct ReferenceRow {
    #[diesel(sql_type = Text)]
    name: String,
}

/// All tables of the file.
pub(super) fn read(connection: &mut SqliteConnection) -> Result<Catalog, StorageError> {
    let tables: Vec<TableRow> = diesel::sql_query(
        "SELECT name, sql LIKE '%AUTOINCREMENT%' AS numbers_itself FROM sqlite_schema \
         WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
    )
    .load(connection)?;
    let mut catalog = Catalog::new();
    for TableRow { name, numbers_itself } in tables {
        if LEFT_BEHIND.contains(&name.as_str()) {
            continue;
        }
        let columns: Vec<ColumnRow> = diesel::sql_query(
            "SELECT name, type AS declared, \"notnull\" AS required, pk AS key_position FROM pragma_table_info(?)",
        )
        .bind::<Text, _>(&name)
        .load(connection)?;
        let references: Vec<ReferenceRow> =
            diesel::sql_query("SELECT DISTINCT \"table\" AS name FROM pragma_foreign_key_list(?)")
                .bind::<Text, _>(&name)
                .load(connection)?;
        let columns = columns.into_iter().map(|column| ListedColumn {
            name: column.name,
            declared: column.declared,
            nullable: !column.required,
            key_position: usize::try_from(column.key_position - 1).ok(),
            identity: numbers_itself && column.key_position > 0,
            partitions: false,
        });
        let references: BTreeSet<_> = references.into_iter().map(|reference| reference.name).collect();
        let table = table(&name, columns.collect(), references)?;
        catalog.insert(name, table);
    }
    Ok(catalog)
}
