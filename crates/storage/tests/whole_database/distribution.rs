//! Whether the tables could be spread over machines by account: Citus needs the account in every key of a table that it
//! distributes. `docs/operate/grow.md` says how.

use std::collections::{BTreeMap, BTreeSet};

use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use diesel::prelude::*;
use diesel::sql_types::Text;

use crate::databases::{Databases, client, open};

/// Tables that are on every machine, each with the reason. May only become fewer, but for credentials.
const GLOBAL: [(&str, &str); 8] = [
    ("account", "what the others are distributed by; its name is unique among all"),
    ("agent_token", "a credential, found by its hash before its account is known"),
    ("api_key", "a credential, found by its hash before its account is known"),
    ("app_user", "a person, found by e-mail address before the account is known"),
    ("enrolment_token", "a credential, found by its hash before its account is known"),
    ("session", "a credential, found by its hash before its account is known"),
    ("setting", "of the service, not of an account"),
    ("lease", "of the processes of the service, not of an account"),
];

/// What keeps rows of a table together with others.
#[derive(Debug, Default)]
struct Keys {
    columns: BTreeSet<String>,
    /// The primary key and every unique index: the columns in their order.
    unique: Vec<Vec<String>>,
    /// The columns of every foreign key.
    foreign: Vec<Vec<String>>,
}

impl Keys {
    fn violations(&self) -> Vec<String> {
        if !self.columns.contains("account_id") {
            return vec!["it has no account_id".to_owned()];
        }
        let unique = self.unique.iter().filter(|key| key.first().is_none_or(|first| first != "account_id"));
        let foreign = self.foreign.iter().filter(|key| !key.iter().any(|column| column == "account_id"));
        unique
            .map(|key| format!("account_id is not the first of the unique {key:?}"))
            .chain(foreign.map(|key| format!("account_id is not in the foreign key {key:?}")))
            .collect()
    }
}

fn check(database: &str, tables: &BTreeMap<String, Keys>) {
    let global: BTreeMap<_, _> = GLOBAL.into();
    for (name, keys) in tables {
        let violations = keys.violations();
        match global.get(name.as_str()) {
            None => assert!(violations.is_empty(), "{database}, {name}: {violations:?}"),
            Some(reason) => assert!(!violations.is_empty(), "{database}, {name} need not be global ({reason})"),
        }
    }
    for name in global.keys() {
        assert!(tables.contains_key(*name), "{database} has no table {name}");
    }
}

#[derive(QueryableByName)]
struct KeyRow {
    #[diesel(sql_type = Text)]
    relation: String,
    #[diesel(sql_type = Text)]
    kind: String,
    #[diesel(sql_type = Text)]
    key_name: String,
    #[diesel(sql_type = Text)]
    column_name: String,
}

fn collect(rows: impl IntoIterator<Item = KeyRow>) -> BTreeMap<String, Keys> {
    let mut tables: BTreeMap<String, Keys> = BTreeMap::new();
    let mut last = (String::new(), String::new(), String::new());
    for KeyRow { relation, kind, key_name, column_name } in rows {
        let keys = tables.entry(relation.clone()).or_default();
        let list = match kind.as_str() {
            "unique" => &mut keys.unique,
            "foreign" => &mut keys.foreign,
            _ => {
                keys.columns.insert(column_name);
                continue;
            }
        };
        let this = (relation, kind, key_name);
        if last != this {
            list.push(Vec::new());
            last = this;
        }
        list.last_mut().expect("pushed").push(column_name);
    }
    tables
}

const SQLITE: &str = "
    WITH tables AS (
        SELECT name FROM sqlite_schema
        WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' AND name NOT LIKE '\\_\\_%' ESCAPE '\\'
    )
    SELECT * FROM (
        SELECT t.name AS relation, 'column' AS kind, '' AS key_name, c.name AS column_name, c.cid AS position
        FROM tables AS t, pragma_table_info(t.name) AS c
        UNION ALL
        SELECT t.name, 'unique', 'the primary key', c.name, c.pk
        FROM tables AS t, pragma_table_info(t.name) AS c WHERE c.pk > 0
        UNION ALL
        SELECT t.name, 'unique', i.name, c.name, c.seqno
        FROM tables AS t, pragma_index_list(t.name) AS i, pragma_index_info(i.name) AS c WHERE i.\"unique\"
        UNION ALL
        SELECT t.name, 'foreign', f.id, f.\"from\", f.seq
        FROM tables AS t, pragma_foreign_key_list(t.name) AS f
    ) ORDER BY relation, kind, key_name, position";

#[test]
fn no_key_of_an_accounts_data_omits_the_account_in_a_file() {
    let databases = Databases::new();
    let path = databases.path("d.sqlite3");
    SqliteStorage::migrate(&SqliteSettings::new(&path)).expect("migrated");
    let rows: Vec<KeyRow> = diesel::sql_query(SQLITE).load(&mut open(&path)).expect("the catalog");
    check("SQLite", &collect(rows));
}

const POSTGRES: &str = "
    WITH tables AS (
        SELECT oid, relname FROM pg_class
        WHERE relnamespace = current_schema()::REGNAMESPACE AND relkind IN ('r', 'p') AND NOT relispartition
            AND relname NOT LIKE '\\_\\_%'
    ), keys AS (
        SELECT indrelid AS relation, 'unique' AS kind, indexrelid::REGCLASS::TEXT AS key_name, indkey::INT2[] AS columns
        FROM pg_index WHERE indisunique
        UNION ALL
        SELECT conrelid, 'foreign', conname::TEXT, conkey FROM pg_constraint WHERE contype = 'f' AND conparentid = 0
    )
    SELECT t.relname::TEXT, 'column', '', a.attname::TEXT, a.attnum::INT8
    FROM tables AS t JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT t.relname::TEXT, k.kind, k.key_name, a.attname::TEXT, c.position
    FROM tables AS t JOIN keys AS k ON k.relation = t.oid
    CROSS JOIN LATERAL UNNEST(k.columns) WITH ORDINALITY AS c (number, position)
    JOIN pg_attribute AS a ON a.attrelid = t.oid AND a.attnum = c.number
    ORDER BY 1, 2, 3, 5";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_key_of_an_accounts_data_omits_the_account_on_a_server() {
    let mut databases = Databases::new();
    databases.server().await;
    let database = &databases.servers[0];
    PostgresStorage::migrate(&PostgresSettings::new(database.url())).await.expect("migrated");
    let rows = client(database).await.query(POSTGRES, &[]).await.expect("the catalog");
    let rows = rows.iter().map(|row| KeyRow {
        relation: row.get(0),
        kind: row.get(1),
        key_name: row.get(2),
        column_name: row.get(3),
    });
    check("PostgreSQL", &collect(rows));
}
