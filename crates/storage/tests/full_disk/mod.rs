//! A disk that is really full: a small tmpfs in a mount namespace of its own, which needs root and Linux.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};

use astranetmon_auth::{Ingest, Operator, ReadMetrics, Scope};
use astranetmon_domain::{
    Account, AccountId, AgentId, Limit, MetricSample, PageRequest, Plan, QuotaWindowId, RecordFilter, Timestamp,
};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::{Storage, StorageError};
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::{Connection, SqliteConnection};

/// Where the small disk is, for the test that runs on it.
const DISK: &str = "ASTRANETMON_TEST_SMALL_DISK";

#[test]
fn on_a_full_disk_writes_say_so_reads_go_on_and_nothing_is_lost() {
    let folder = tempfile::tempdir().expect("a folder");
    let itself = std::env::current_exe().expect("this test");
    let allowed = Command::new("unshare").args(["-m", "true"]).status().is_ok_and(|status| status.success());
    if !allowed {
        eprintln!("skipped: needs root to mount a small disk in a namespace of its own");
        return;
    }
    let script = "mount -t tmpfs -o size=6m tmpfs \"$1\" && exec \"$0\" --ignored --exact --nocapture full_disk::on_it";
    let status = Command::new("unshare")
        .args(["-m", "--propagation", "private", "sh", "-c", script])
        .args([&itself, folder.path()])
        .env(DISK, folder.path())
        .status();
    assert!(status.expect("started").success());
}

fn grow(disk: &Path, megabytes: u32) {
    let size = format!("remount,size={megabytes}m");
    let grown = Command::new("mount").args(["-o", &size]).arg(disk).status();
    assert!(grown.expect("started").success());
}

fn batch(first: i64) -> Vec<MetricSample> {
    let agent = AgentId::parse("a").expect("an id");
    (first..first + 100).map(|second| MetricSample::new(agent.clone(), Timestamp::from_seconds(second))).collect()
}

async fn rows(storage: &Arc<dyn Storage>, owner: &Account) -> u64 {
    let page = PageRequest::new(Limit::new(10).expect("not zero"), None);
    let scope = Scope::<ReadMetrics>::system(owner.id, "test");
    storage.metric_page(&scope, &RecordFilter::ALL, &page).await.expect("reads go on").total
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "run by the test above, on a small disk"]
async fn on_it() {
    #[expect(clippy::disallowed_methods, reason = "the one way to tell a test that runs in a process of its own")]
    let disk = std::env::var_os(DISK).expect("a small disk");
    let settings = SqliteSettings::new(Path::new(&disk).join("d.sqlite"));
    SqliteStorage::migrate(&settings).expect("migrated");
    let open = || SqliteStorage::open(&settings).map(|storage| Arc::new(storage) as Arc<dyn Storage>);
    let mut storage = open().expect("open");
    let name = "owner".parse().expect("a name");
    let now = Timestamp::from_seconds(0);
    let owner = storage.account_create(&Operator::new("test"), &name, Plan::Starter, now).await.expect("an account");
    let ingest = Scope::<Ingest>::system(owner.id, "test");
    let mut acknowledged = 0;
    for megabytes in [6_u32, 9, 14] {
        grow(Path::new(&disk), megabytes);
        let before = acknowledged;
        let mut refusals = 0;
        let begun = Instant::now();
        // Full for longer than plan windows wait to be written.
        while refusals < 50 || begun.elapsed() < Duration::from_millis(1_500) {
            match storage.metric_append(&ingest, batch(acknowledged), now).await {
                Ok(appended) => {
                    assert_eq!((appended.inserted, refusals), (100, 0), "{megabytes}");
                    acknowledged += 100;
                }
                Err(StorageError::Full { .. }) => {
                    refusals += 1;
                    assert_eq!(rows(&storage, &owner).await, acknowledged.unsigned_abs(), "{megabytes}");
                    storage.ping().await.expect("reads go on");
                    let taken = storage.window_take(AccountId(1), QuotaWindowId(1), 1_000_000, now).await;
                    taken.expect("requests go on");
                }
                Err(error) => panic!("{megabytes}: {error:?}"),
            }
        }
        assert!(acknowledged > before, "{megabytes} MB gave room");
    }
    grow(Path::new(&disk), 64);
    storage.metric_append(&ingest, batch(acknowledged), now).await.expect("room again, without a restart");
    acknowledged += 100;
    storage.close().await;
    storage = open().expect("open");
    assert_eq!(rows(&storage, &owner).await, acknowledged.unsigned_abs());
    let mut connection = SqliteConnection::establish(settings.path.to_str().expect("text")).expect("a file");
    let check: String =
        diesel::select(diesel::dsl::sql::<Text>("(SELECT integrity_check FROM pragma_integrity_check())"))
            .get_result(&mut connection)
            .expect("checked");
    assert_eq!(check, "ok");
    println!("{acknowledged} rows were acknowledged and are there");
}
