//! That the catalogs say what the program knows: a table that is added is copied without anybody remembering it.

use std::collections::BTreeSet;

use super::Endpoint;
use super::catalog::{Catalog, ColumnKind, LEFT_BEHIND, plan};
use super::side::ReadSide;
use crate::postgres::PostgresSettings;
use crate::postgres::copying::PostgresSide;
use crate::sqlite::copying::SqliteSide;
use crate::testing::TestPostgres;

/// Table, column, kind, whether it may be null.
type Known = BTreeSet<(String, String, String, bool)>;

/// What `schema.rs` declares.
fn declared() -> Known {
    let mut declared = Known::new();
    for table in include_str!("../schema.rs").split("diesel::table! {").skip(1) {
        let (name, body) = table.trim_start().split_once(" (").expect("a table and its key");
        let columns = body.lines().skip(1).take_while(|line| line.trim() != "}");
        for (column, declared_type) in columns.filter_map(|line| line.trim().trim_end_matches(',').split_once(" -> ")) {
            let inner = declared_type.strip_prefix("Nullable<").map(|inner| inner.trim_end_matches('>'));
            let kind = match inner.unwrap_or(declared_type) {
                "BigInt" => ColumnKind::Integer,
                "Double" => ColumnKind::Double,
                "Text" => ColumnKind::Text,
                "Binary" => ColumnKind::Bytes,
                "Bool" => ColumnKind::Boolean,
                other => panic!("{name}.{column} is {other}, which is not in both databases"),
            };
            if !LEFT_BEHIND.contains(&name) {
                declared.insert((name.to_owned(), column.to_owned(), format!("{kind:?}"), inner.is_some()));
            }
        }
    }
    declared
}

fn found(catalog: &Catalog) -> Known {
    let columns = catalog.values().flat_map(|table| table.columns.iter().map(|column| (&table.name, column)));
    columns
        .map(|(table, column)| (table.clone(), column.name.clone(), format!("{:?}", column.kind), column.nullable))
        .collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn both_databases_have_the_tables_and_columns_that_the_program_declares() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = TestPostgres::fresh_database().await;
    let mut file = SqliteSide::target(&folder.path().join("d.sqlite3")).expect("a file");
    let mut server = PostgresSide::target(&PostgresSettings::new(database.url())).await.expect("a database");
    let (in_file, on_server) = (file.catalog().await.expect("a catalog"), server.catalog().await.expect("a catalog"));
    let declared = declared();
    for (name, found) in [("SQLite", found(&in_file)), ("PostgreSQL", found(&on_server))] {
        let unknown: Vec<_> = found.difference(&declared).collect();
        let missing: Vec<_> = declared.difference(&found).collect();
        assert!(
            unknown.is_empty() && missing.is_empty(),
            "{name}: not in schema.rs {unknown:?}, only there {missing:?}"
        );
    }
    for (from, to) in [(&in_file, &on_server), (&on_server, &in_file)] {
        assert_eq!(plan(from, to).expect("an order").len(), in_file.len());
    }
    let identities = |catalog: &Catalog| -> Vec<_> {
        catalog.values().filter_map(|table| Some((table.name.clone(), table.identity.clone()?))).collect()
    };
    assert_eq!(identities(&in_file), identities(&on_server));
    let partitioned = on_server.values().filter(|table| table.partitioned_by.is_some());
    for table in partitioned {
        let column = &table.columns[table.partitioned_by.expect("partitioned")];
        let time = if table.name == "metric_chunk" { "starts_at" } else { "timestamp" };
        assert_eq!(column.name, time, "{}", table.name);
    }
    let debug = format!("{:?}", Endpoint::Postgres(PostgresSettings::new("postgres://a:hunter2@b/c")));
    assert!(!debug.contains("hunter2"), "{debug}");
}
