//! How fast metrics come in: appends through the storage API beside a plain `INSERT` and PostgreSQL's `COPY` of the same
//! rows, in batches of 1,000, each durable before the next. Ratios of one run are what counts; times depend on the
//! machine.
//!
//! `cargo bench --package astranetmon-storage --bench ingest [-- ROWS]`

#![expect(missing_docs, reason = "of what the macro makes of a table")]
#![expect(clippy::disallowed_methods, reason = "a bench reads its own settings")]

use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use astranetmon_auth::{Ingest, Operator, Scope};
use astranetmon_domain::{AccountId, AgentFacts, AgentId, MetricSample, Plan, Timestamp};
use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::testing::{FreshDatabase, OwnCluster};
use astranetmon_storage::{NewAgent, Storage};
use diesel::connection::SimpleConnection;
use diesel::{Connection, ExpressionMethods, RunQueryDsl, SqliteConnection};
use tokio_postgres::binary_copy::BinaryCopyInWriter;
use tokio_postgres::types::{ToSql, Type};
use tokio_postgres::{Client, NoTls};

const BATCH: usize = 1_000;
const SENDERS: usize = 16;
/// 2026-11-01T00:00:00Z
const START: Timestamp = Timestamp::from_seconds(1_793_491_200);

diesel::table! {
    plain_sample (account_id, agent_id, timestamp) {
        account_id -> BigInt,
        agent_id -> Text,
        timestamp -> BigInt,
        received_at -> BigInt,
        sequence -> BigInt,
        measured -> Binary,
    }
}

const PLAIN_POSTGRES: &str = "CREATE TABLE plain_sample (account_id BIGINT NOT NULL, agent_id TEXT NOT NULL, \
     timestamp BIGINT NOT NULL, received_at BIGINT NOT NULL, sequence BIGINT NOT NULL, measured BYTEA NOT NULL, \
     PRIMARY KEY (account_id, agent_id, timestamp))";
const PLAIN_SQLITE: &str = "PRAGMA auto_vacuum = INCREMENTAL; PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; \
     CREATE TABLE plain_sample (account_id INTEGER NOT NULL, agent_id TEXT NOT NULL, timestamp INTEGER NOT NULL, \
     received_at INTEGER NOT NULL, sequence INTEGER NOT NULL, measured BLOB NOT NULL, \
     PRIMARY KEY (account_id, agent_id, timestamp)) WITHOUT ROWID";

/// All 28 fields known, with values of the size that real ones have.
fn sample(agent: &AgentId, number: i64) -> MetricSample {
    let wave = (number * 37) % 9_973;
    let values = std::array::from_fn(|field| wave * [1, 7, 1_000_003][field % 3] + number);
    MetricSample::from_fixed_values(agent.clone(), START.plus_seconds(number * 10), &values)
}

fn agent(number: usize) -> AgentId {
    AgentId::parse(&format!("agent-{number}.example.com")).expect("an id")
}

/// Rows of one sender, in batches.
fn batches(sender: usize, rows: usize) -> Vec<Vec<MetricSample>> {
    let agent = agent(sender);
    let samples: Vec<_> = (0_i64..).take(rows).map(|number| sample(&agent, number)).collect();
    samples.chunks(BATCH).map(<[MetricSample]>::to_vec).collect()
}

fn packed(sample: &MetricSample) -> Vec<u8> {
    sample.fixed_values().iter().flat_map(|value| value.to_be_bytes()).collect()
}

fn tell(what: &str, rows: usize, took: Duration, bytes: u64) {
    let rate = rows as f64 / took.as_secs_f64();
    println!("{what:<44} {rate:>10.0} rows/s {:>6.0} bytes/row", bytes as f64 / rows as f64);
}

fn file_bytes(path: &Path) -> u64 {
    std::fs::metadata(path).map_or(0, |file| file.len())
}

/// Appends the rows of `senders` at once, each sender its batches one after the other.
async fn append(storage: &Arc<dyn Storage>, account: AccountId, senders: usize, rows: usize) -> Instant {
    let scope = Scope::<Ingest>::system(account, "bench");
    for sender in 0..senders {
        let facts = AgentFacts { hostname: format!("host-{sender}"), ..AgentFacts::default() };
        let new = NewAgent { id: agent(sender), facts, name: None, public_ip: None, labels: [].into() };
        storage.agent_upsert(&scope, &new, START).await.expect("an agent");
    }
    let all: Vec<_> = (0..senders).map(|sender| batches(sender, rows / senders)).collect();
    let begun = Instant::now();
    let tasks: Vec<_> = all
        .into_iter()
        .map(|batches| {
            let (storage, scope) = (Arc::clone(storage), scope.clone());
            tokio::spawn(async move {
                for batch in batches {
                    let given = batch.len() as u64;
                    let appended = storage.metric_append(&scope, batch, START).await.expect("appended");
                    assert_eq!(appended.inserted, given);
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.expect("no panic");
    }
    begun
}

async fn account(storage: &Arc<dyn Storage>) -> AccountId {
    let name = "bench".parse().expect("a name");
    storage.account_create(&Operator::new("bench"), &name, Plan::Enterprise, START).await.expect("an account").id
}

fn plain_sqlite(folder: &Path, rows: usize) {
    let path = folder.join("plain.sqlite");
    let mut connection = SqliteConnection::establish(path.to_str().expect("text")).expect("a file");
    connection.batch_execute(PLAIN_SQLITE).expect("a table");
    let all = batches(0, rows);
    let begun = Instant::now();
    for (batch, number) in all.iter().zip(0_i64..) {
        let inserted = connection.immediate_transaction(|connection| {
            for (sample, row) in batch.iter().zip(0_i64..) {
                diesel::insert_into(plain_sample::table)
                    .values((
                        plain_sample::account_id.eq(1_i64),
                        plain_sample::agent_id.eq(sample.agent_id.as_str()),
                        plain_sample::timestamp.eq(sample.timestamp.as_micros()),
                        plain_sample::received_at.eq(START.as_micros()),
                        plain_sample::sequence.eq(number * 1_000 + row),
                        plain_sample::measured.eq(packed(sample)),
                    ))
                    .execute(connection)?;
            }
            Ok::<_, diesel::result::Error>(())
        });
        inserted.expect("inserted");
    }
    connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE)").expect("a checkpoint");
    tell("SQLite, plain INSERT, 1 sender", rows, begun.elapsed(), file_bytes(&path));
}

async fn sqlite(folder: &Path, senders: usize, rows: usize) {
    let settings = SqliteSettings::new(folder.join(format!("senders-{senders}.sqlite")));
    SqliteStorage::migrate(&settings).expect("migrated");
    let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&settings).expect("open"));
    let account = account(&storage).await;
    let begun = append(&storage, account, senders, rows).await;
    // With the last checkpoint, so that bytes and time are of the same work.
    storage.close().await;
    tell(&format!("SQLite, storage API, {senders} senders"), rows, begun.elapsed(), file_bytes(&settings.path));
}

async fn client(database: &FreshDatabase) -> Client {
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
}

async fn plain_postgres(cluster: &OwnCluster, rows: usize, copy: bool) {
    let database = cluster.fresh_database().await;
    let mut client = client(&database).await;
    client.batch_execute(PLAIN_POSTGRES).await.expect("a table");
    let columns = ["account_id", "agent_id", "timestamp", "received_at", "sequence", "measured"];
    let width = columns.len();
    let one = |row: usize| (1..=width).map(move |column| format!("${}", row * width + column));
    let all_rows: Vec<_> = (0..BATCH).map(|row| format!("({})", one(row).collect::<Vec<_>>().join(", "))).collect();
    let insert = format!("INSERT INTO plain_sample ({}) VALUES {}", columns.join(", "), all_rows.join(", "));
    let insert = client.prepare(&insert).await.expect("a statement");
    let all = batches(0, rows);
    let begun = Instant::now();
    for (batch, number) in all.iter().zip(0_i64..) {
        let values: Vec<_> = batch
            .iter()
            .zip(number * 1_000..)
            .map(|(sample, sequence)| {
                let (agent_id, timestamp) = (sample.agent_id.as_str(), sample.timestamp.as_micros());
                (1_i64, agent_id, timestamp, START.as_micros(), sequence, packed(sample))
            })
            .collect();
        let rows = values.iter().map(|(account, agent_id, timestamp, received_at, sequence, measured)| {
            [account as &(dyn ToSql + Sync), agent_id, timestamp, received_at, sequence, measured]
        });
        let transaction = client.transaction().await.expect("begun");
        if copy {
            let sink = transaction.copy_in("COPY plain_sample FROM STDIN BINARY").await.expect("a copy");
            let types = [Type::INT8, Type::TEXT, Type::INT8, Type::INT8, Type::INT8, Type::BYTEA];
            let mut writer = pin!(BinaryCopyInWriter::new(sink, &types));
            for row in rows {
                writer.as_mut().write(&row).await.expect("written");
            }
            writer.finish().await.expect("copied");
        } else {
            let values: Vec<_> = rows.flatten().collect();
            transaction.execute(&insert, &values).await.expect("inserted");
        }
        transaction.commit().await.expect("committed");
    }
    let how = if copy { "COPY" } else { "plain INSERT" };
    let took = begun.elapsed();
    let bytes = table_bytes(&client, "plain_sample").await;
    tell(&format!("PostgreSQL, {how}, 1 sender"), rows, took, bytes);
}

async fn table_bytes(client: &Client, table: &str) -> u64 {
    let sum = "SELECT (pg_total_relation_size($1::regclass) + COALESCE((SELECT SUM(pg_total_relation_size(inhrelid)) \
               FROM pg_inherits WHERE inhparent = $1::regclass), 0))::BIGINT";
    let sum = sum.replace("$1", &format!("'{table}'"));
    client.query_one(&sum, &[]).await.expect("a size").get::<_, i64>(0).unsigned_abs()
}

async fn postgres(cluster: &OwnCluster, senders: usize, rows: usize) {
    let database = cluster.fresh_database().await;
    let settings = PostgresSettings::new(database.url());
    PostgresStorage::migrate(&settings).await.expect("migrated");
    let storage: Arc<dyn Storage> = Arc::new(PostgresStorage::connect(&settings).await.expect("connected"));
    let account = account(&storage).await;
    let took = append(&storage, account, senders, rows).await.elapsed();
    let bytes = table_bytes(&client(&database).await, "metric_sample").await;
    tell(&format!("PostgreSQL, storage API, {senders} senders"), rows, took, bytes);
    storage.close().await;
}

#[tokio::main]
async fn main() {
    let rows = std::env::args().filter_map(|argument| argument.parse::<usize>().ok()).next().unwrap_or(320_000);
    // The same number for each of the senders, in whole batches.
    let rows = rows.next_multiple_of(SENDERS * BATCH);
    println!("{rows} rows of 28 fields in batches of {BATCH}, each durable before the next of its sender");
    // Beside the sources: a folder of temporary files may lie in memory.
    let folder = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).expect("a folder");
    plain_sqlite(folder.path(), rows);
    for senders in [1, SENDERS] {
        sqlite(folder.path(), senders, rows).await;
    }
    if std::env::var_os("ASTRANETMON_TEST_FSYNC").is_none_or(|value| value != "on") {
        println!("PostgreSQL runs without fsync: ASTRANETMON_TEST_FSYNC=on makes it durable");
    }
    let cluster = OwnCluster::start();
    for copy in [false, true] {
        plain_postgres(&cluster, rows, copy).await;
    }
    for senders in [1, SENDERS] {
        postgres(&cluster, senders, rows).await;
    }
}
