//! Rows for every table that there is, without knowing any: what the catalog allows, with the values that are likely
//! to be lost on the way from one database to another.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use diesel::prelude::*;
use diesel::sql_types::{BigInt, Text};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::mpsc::channel;

use crate::copy::batch::{Batch, Cell};
use crate::copy::catalog::{Catalog, Column, ColumnKind, Table, plan};
use crate::copy::side::{ReadSide, WriteSide};
use crate::sqlite::copying::SqliteSide;

const INTEGERS: [i64; 8] = [0, 1, -1, i64::MAX, i64::MIN, 255, 1 << 53, -(1 << 47)];
const DOUBLES: [f64; 10] =
    [0.0, -0.0, 1.0, 0.1, f64::MAX, f64::MIN_POSITIVE, 5e-324, f64::INFINITY, f64::NEG_INFINITY, -123_456.789];
const TEXTS: [&str; 9] = [
    "",
    "plain",
    "it's \\ \"so\" \\x41 $$ %s",
    "line\nfeed\ttab\r",
    "\u{1}\u{7F}\u{FEFF}",
    "Zürich 東京 \u{202E}abc",
    "\u{1F469}\u{200D}\u{1F680} e\u{301}",
    "\u{FFFD}\u{10FFFF}",
    "NULL",
];
/// 2026-11-01T00:00:00Z in microseconds.
const NOVEMBER: i64 = 1_793_491_200_000_000;
const DAY: i64 = 86_400_000_000;
/// Tries for a row that the constraints allow.
const TRIES: usize = 100;
const ROWS_AT_ONCE: usize = 5_000;

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Integer(i64),
    Double(f64),
    Text(String),
    Bytes(Vec<u8>),
    Boolean(bool),
}

type Row = Vec<Value>;

/// One foreign key: the table, and for each column here the column there.
struct Reference {
    table: String,
    columns: Vec<(String, String)>,
}

#[derive(QueryableByName)]
struct ReferenceRow {
    #[diesel(sql_type = BigInt)]
    id: i64,
    #[diesel(sql_type = Text)]
    name: String,
    #[diesel(sql_type = Text)]
    here: String,
    #[diesel(sql_type = Text)]
    there: String,
}

/// Makes an embedded database and puts about `rows(table)` rows into each table. The same seed makes the same rows.
///
/// # Panics
/// If the catalog holds constraints that the generated rows do not satisfy.
pub async fn generate_rows(path: &Path, seed: u64, rows: impl Fn(&str) -> usize) {
    let mut side = SqliteSide::target(path).expect("a new database");
    let catalog = side.catalog().await.expect("a catalog");
    let mut made = Made { random: StdRng::seed_from_u64(seed), tables: HashMap::new(), catalog };
    let referred: HashSet<String> = made.catalog.values().flat_map(|table| table.references.iter().cloned()).collect();
    for table in plan(&made.catalog, &made.catalog).expect("an order") {
        let references = references(path, &table.name);
        let mut keys = HashSet::new();
        let mut left = rows(&table.name);
        while left > 0 {
            let mut batch = Batch::default();
            let mut kept = Vec::new();
            for _ in 0..left.min(ROWS_AT_ONCE) {
                let Some(row) = made.row(&table, &references, &mut keys) else { continue };
                push(&mut batch, &row);
                kept.push(row);
            }
            left -= left.min(ROWS_AT_ONCE);
            if referred.contains(&table.name) {
                made.tables.entry(table.name.clone()).or_default().extend(kept);
            }
            let (sender, batches) = channel(1);
            sender.send(batch).await.expect("received");
            drop(sender);
            side.write(&table, batches, &|_| {}).await.unwrap_or_else(|error| panic!("{}: {error:?}", table.name));
        }
    }
}

fn references(path: &Path, table: &str) -> Vec<Reference> {
    let mut connection = SqliteConnection::establish(path.to_str().expect("text")).expect("a file");
    let rows: Vec<ReferenceRow> = diesel::sql_query(
        "SELECT id, \"table\" AS name, \"from\" AS here, \"to\" AS there FROM pragma_foreign_key_list(?) ORDER BY id, seq",
    )
    .bind::<Text, _>(table)
    .load(&mut connection)
    .expect("foreign keys");
    let mut references: BTreeMap<i64, Reference> = BTreeMap::new();
    for row in rows {
        let reference =
            references.entry(row.id).or_insert_with(|| Reference { table: row.name.clone(), columns: Vec::new() });
        reference.columns.push((row.here, row.there));
    }
    references.into_values().collect()
}

struct Made {
    random: StdRng,
    /// Rows of tables that others refer to.
    tables: HashMap<String, Vec<Row>>,
    catalog: Catalog,
}

impl Made {
    fn row(&mut self, table: &Table, references: &[Reference], keys: &mut HashSet<String>) -> Option<Row> {
        for _ in 0..TRIES {
            let Some(row) = self.try_row(table, references) else { continue };
            let key: Vec<&Value> = table.key.iter().map(|&at| &row[at]).collect();
            if keys.insert(format!("{key:?}")) {
                return Some(row);
            }
        }
        None
    }

    fn try_row(&mut self, table: &Table, references: &[Reference]) -> Option<Row> {
        let mut given: HashMap<&str, Value> = HashMap::new();
        for reference in references {
            let position = |name: &str| {
                self.catalog[&reference.table].columns.iter().position(|column| column.name == name).expect("a column")
            };
            let columns: Vec<_> =
                reference.columns.iter().map(|(here, there)| (here.as_str(), position(there))).collect();
            let parents = self.tables.get(&reference.table)?;
            let agrees = |parent: &&Row| {
                columns.iter().all(|&(here, there)| given.get(here).is_none_or(|given| *given == parent[there]))
            };
            let start = self.random.random_range(0..parents.len().max(1));
            let parent = parents.iter().cycle().skip(start).take(parents.len()).find(agrees)?;
            for (here, there) in columns {
                given.insert(here, parent[there].clone());
            }
        }
        let row = table.columns.iter().enumerate().map(|(at, column)| match given.remove(column.name.as_str()) {
            Some(value) => value,
            None => self.value(table, at, column),
        });
        Some(row.collect())
    }

    fn value(&mut self, table: &Table, at: usize, column: &Column) -> Value {
        let random = &mut self.random;
        if column.nullable && random.random_bool(0.3) {
            return Value::Null;
        }
        if column.name == "account_id"
            && let Some(accounts) = self.tables.get("account")
        {
            let id = self.catalog["account"].columns.iter().position(|column| column.name == "id").expect("an id");
            return accounts[random.random_range(0..accounts.len())][id].clone();
        }
        let special = random.random_bool(0.3);
        match column.kind {
            // Tables are split by such columns; few months, and what lies outside of all.
            ColumnKind::Integer if ["timestamp", "starts_at"].contains(&column.name.as_str()) => {
                Value::Integer(match random.random_range(0..20) {
                    0 => -random.random_range(0..DAY * 10_000),
                    1 => NOVEMBER + DAY * 30_000 + random.random_range(0..DAY),
                    _ => NOVEMBER - random.random_range(0..DAY * 200),
                })
            }
            ColumnKind::Integer if table.identity.as_deref() == Some(&column.name) => {
                Value::Integer(random.random_range(1..1_000_000_000))
            }
            ColumnKind::Integer if special => Value::Integer(INTEGERS[random.random_range(0..INTEGERS.len())]),
            ColumnKind::Integer => Value::Integer(random.random_range(0..4 * NOVEMBER)),
            ColumnKind::Double if special => Value::Double(DOUBLES[random.random_range(0..DOUBLES.len())]),
            ColumnKind::Double => loop {
                let value = f64::from_bits(random.random());
                if !value.is_nan() {
                    break Value::Double(value);
                }
            },
            ColumnKind::Text => {
                let text = TEXTS[random.random_range(0..TEXTS.len())];
                // What must be there may have to be unique.
                let unique = !column.nullable || table.key.contains(&at) || random.random_bool(0.5);
                Value::Text(if unique { format!("{text}{:08x}", random.random::<u32>()) } else { text.to_owned() })
            }
            ColumnKind::Bytes => {
                let length = match random.random_range(0..2_000) {
                    // What an index holds is short.
                    0 if !table.key.contains(&at) && column.name != "hash" => 300_000,
                    1..100 if column.nullable => 0,
                    100..1_000 => 208,
                    _ => 16,
                };
                let mut bytes = vec![0; length];
                random.fill(bytes.as_mut_slice());
                Value::Bytes(bytes)
            }
            ColumnKind::Boolean => Value::Boolean(random.random()),
        }
    }
}

fn push(batch: &mut Batch, row: &Row) {
    batch.begin_row(row.len()).expect("few columns");
    for value in row {
        let cell = match value {
            Value::Null => Cell::Null,
            Value::Integer(value) => Cell::Integer(*value),
            Value::Double(value) => Cell::Double(*value),
            Value::Text(value) => Cell::Text(value),
            Value::Bytes(value) => Cell::Bytes(value),
            Value::Boolean(value) => Cell::Boolean(*value),
        };
        batch.push(cell).expect("short values");
    }
    batch.end_row();
}
