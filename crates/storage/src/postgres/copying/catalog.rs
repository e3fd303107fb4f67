use std::collections::{BTreeMap, BTreeSet};

use tokio_postgres::{Client, Error};

use crate::StorageError;
use crate::copy::catalog::{Catalog, LEFT_BEHIND, ListedColumn, table};
use crate::postgres::copying::failed;

/// Tables of the schema that come with no other: partitions belong to theirs.
const COLUMNS: &str = "
    SELECT c.relname::TEXT, a.attname::TEXT, format_type(a.atttypid, a.atttypmod), NOT a.attnotnull,
        array_position(i.indkey::INT2[], a.attnum)::INT8, a.attidentity <> '',
        COALESCE(a.attnum = ANY (p.partattrs::INT2[]), FALSE)
    FROM pg_class AS c
    JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    LEFT JOIN pg_index AS i ON i.indrelid = c.oid AND i.indisprimary
    LEFT JOIN pg_partitioned_table AS p ON p.partrelid = c.oid
    WHERE c.relnamespace = current_schema()::REGNAMESPACE AND c.relkind IN ('r', 'p') AND NOT c.relispartition
    ORDER BY c.relname, a.attnum";

const REFERENCES: &str = "
    SELECT DISTINCT c.relname::TEXT, r.relname::TEXT
    FROM pg_constraint AS f
    JOIN pg_class AS c ON c.oid = f.conrelid
    JOIN pg_class AS r ON r.oid = f.confrelid
    WHERE f.contype = 'f' AND f.conparentid = 0 AND c.relnamespace = current_schema()::REGNAMESPACE";

/// All tables of the schema.
pub(super) async fn read(client: &Client) -> Result<Catalog, StorageError> {
    let unread = |error: Error| failed("reading the catalog", error);
    let mut listed: BTreeMap<String, Vec<ListedColumn>> = BTreeMap::new();
    for row in client.query(COLUMNS, &[]).await.map_err(unread)? {
        let column = || {
            Ok::<_, Error>(ListedColumn {
                name: row.try_get(1)?,
                declared: row.try_get(2)?,
                nullable: row.try_get(3)?,
                key_position: row.try_get::<_, Option<i64>>(4)?.and_then(|position| usize::try_from(position).ok()),
                identity: row.try_get(5)?,
                partitions: row.try_get(6)?,
            })
        };
        listed.entry(row.try_get(0).map_err(unread)?).or_default().push(column().map_err(unread)?);
    }
    let mut references: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for row in client.query(REFERENCES, &[]).await.map_err(unread)? {
        let (from, to) = (row.try_get(0).map_err(unread)?, row.try_get(1).map_err(unread)?);
        references.entry(from).or_default().insert(to);
    }
    let tables = listed.into_iter().filter(|(name, _)| !LEFT_BEHIND.contains(&name.as_str()));
    tables
        .map(|(name, columns)| {
            let table = table(&name, columns, references.remove(&name).unwrap_or_default())?;
            Ok((name, table))
        })
        .collect()
}
