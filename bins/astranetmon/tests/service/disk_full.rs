//! The database's disk fills up while agents report, and has room again later.
//!
//! The disk is a small one of its own, which only root may make; elsewhere the test says so and does nothing.

use std::time::Duration;

use astranetmon_domain::{Plan, Timestamp};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::{Caller, Cluster, Database, Kind, Server, SmallDisk, alone, now};

const BATCH: u64 = 500;
/// More than the disk has room for.
const MOST_BATCHES: u64 = 2_000;
/// From room on the disk to the first row that is taken.
const BACK_WITHIN: Duration = Duration::from_secs(10);

fn at(start: Timestamp, number: u64) -> Timestamp {
    start.plus_seconds(i64::try_from(number).expect("few"))
}

/// Rows whose values SQLite and PostgreSQL cannot make small.
fn batch(start: Timestamp, first: u64) -> Value {
    let rows = (first..first + BATCH).map(|number| {
        json!({ "timestamp": at(start, number).to_string(), "process_count": number, "uptime_seconds": number * 7 })
    });
    json!({ "metrics": rows.collect::<Vec<_>>() })
}

struct Stage {
    server: Server,
    disk: SmallDisk,
    key: String,
    token: String,
    /// What the server needs until it ends.
    _kept: (Database, Option<Cluster>, Option<TempDir>),
}

async fn stage(kind: Kind) -> Stage {
    match kind {
        Kind::Sqlite => {
            let database = Database::sqlite();
            let (key, token) = furnish(&database).await;
            let (server, disk) = Server::start_on_small_disk(&database);
            Stage { server, disk, key, token, _kept: (database, None, None) }
        }
        Kind::Postgres => {
            let folder = tempfile::tempdir().expect("a folder");
            let path = folder.path().to_owned();
            let started = tokio::task::spawn_blocking(move || Cluster::start_with_small_disk(&path));
            let (cluster, disk) = started.await.expect("it starts");
            let database = Database::on_small_disk(&cluster, folder.path()).await;
            let (key, token) = furnish(&database).await;
            let server = Server::start(&database);
            Stage { server, disk, key, token, _kept: (database, Some(cluster), Some(folder)) }
        }
    }
}

async fn furnish(database: &Database) -> (String, String) {
    let office = database.office().await;
    let account = office.account("full", Plan::Professional).await;
    let key = office.key(&account).await.secret;
    let token = office.agent_token(&account, "writer").await;
    office.close().await;
    (key, token)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_refuses_rows_and_nothing_else_and_room_is_noticed() {
    if !SmallDisk::possible() {
        println!("not run: only root makes a small disk");
        return;
    }
    let _alone = alone().await;
    for kind in Kind::BOTH {
        let stage = stage(kind).await;
        let caller = Caller::new();
        let start = now().plus_seconds(-20 * 86_400).to_millis_precision();
        let send = async |first| {
            let body = batch(start, first);
            let answer = caller.try_post(stage.server.url(), "/ingest/v1/metrics", &stage.token, &body).await;
            answer.expect("an answer")
        };

        // A plan's window is opened while there is room; counting on in it needs none.
        caller.get(&stage.server, "/api/v1/agents", &stage.key).await;
        let mut acknowledged = 0;
        let refusal = loop {
            let answer = send(acknowledged).await;
            if answer.status != 200 {
                break answer;
            }
            acknowledged += BATCH;
            assert!(acknowledged < MOST_BATCHES * BATCH, "the disk is too large");
        };
        assert_eq!(refusal.status, 507, "{kind:?}: {refusal:?}");
        assert_eq!(
            refusal.error(),
            "The database is full: nothing of this request was stored, keep it and send it again later"
        );

        // More than a flush of the plan windows, under which reading must not suffer.
        let until = Instant::now() + Duration::from_secs(3);
        while Instant::now() < until {
            let answer = caller.get(&stage.server, "/api/v1/metrics?agent_id=writer&limit=1", &stage.key).await;
            assert_eq!(answer.status, 200, "{kind:?}: {answer:?}");
            assert_eq!(answer.json()["total"], acknowledged, "{kind:?}: what was acknowledged, and no more");
            assert_eq!(send(acknowledged).await.status, 507, "{kind:?}: it is still full");
            sleep(Duration::from_millis(200)).await;
        }

        stage.disk.make_room();
        let since = Instant::now();
        while send(acknowledged).await.status != 200 {
            assert!(since.elapsed() < BACK_WITHIN, "{kind:?}: does not notice the room");
            sleep(Duration::from_millis(50)).await;
        }
        acknowledged += BATCH;
        let answer = caller.get(&stage.server, "/api/v1/metrics?agent_id=writer&limit=10000", &stage.key).await;
        assert_eq!(answer.json()["total"], acknowledged);
        let newest: Vec<_> = answer.json()["metrics"].as_array().expect("rows").iter().map(numbered).collect();
        let expected: Vec<_> = (0..acknowledged).rev().take(newest.len()).map(Some).collect();
        assert!(newest == expected, "{kind:?}: rows are missing or doubled");
    }
}

fn numbered(row: &Value) -> Option<u64> {
    row["process_count"].as_u64()
}
