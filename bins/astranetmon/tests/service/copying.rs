//! Copies that are killed and go on, and a backup that is taken from a running server.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use astranetmon_domain::Plan;
use astranetmon_storage::testing::generate_rows;
use rand::RngExt;

use crate::support::{Caller, Database, Kind, Server, alone, astranetmon, count, fleet, now, succeeds, unforeseen};

const METRICS: usize = 60_000;
const NOT_EMPTY: &str = "the target is not empty: its table account has rows";

/// An embedded database with rows in every table.
async fn filled() -> Database {
    let database = Database::sqlite();
    let path = database.url().strip_prefix("sqlite://").expect("a file").to_owned();
    generate_rows(Path::new(&path), 7, |table| if table == "metric_sample" { METRICS } else { 40 }).await;
    database
}

/// By what a copy tells, each table is equal and no sample is missing.
fn assert_whole(told: &str) {
    assert!(told.lines().skip(1).all(|line| line.ends_with(" equal")), "{told}");
    let samples = told.lines().find(|line| line.starts_with("metric_sample ")).expect("a line");
    assert_eq!(samples.split_whitespace().nth(1), Some(METRICS.to_string().as_str()), "{told}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_copy_that_is_killed_anywhere_goes_on_and_ends_equal() {
    let _alone = alone().await;
    let first = filled().await;
    let second = Database::new(Kind::Postgres).await;
    succeeds(&second, &["copy", "--from", first.url()]).await;
    let kills = count(5, 50);
    let mut random = unforeseen();
    for (source, kind) in [(&first, Kind::Postgres), (&second, Kind::Sqlite)] {
        let mut killed = 0;
        while killed < kills {
            let target = Database::new(kind).await;
            // Until one ends by itself, as the one after the last kill does.
            let (status, told, errors) = loop {
                let mut copying = Command::new(env!("CARGO_BIN_EXE_astranetmon"))
                    .args(["copy", "--from", source.url()])
                    .env_clear()
                    .env("ASTRANETMON_DATABASE_URL", target.url())
                    .stdout(Stdio::piped())
                    .stderr(Stdio::piped())
                    .spawn()
                    .expect("the binary runs");
                tokio::time::sleep(Duration::from_millis(random.random_range(20..300))).await;
                if killed == kills || copying.try_wait().expect("it can be asked").is_some() {
                    let ended = copying.wait_with_output().expect("it can be waited for");
                    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
                    break (ended.status, text(ended.stdout), text(ended.stderr));
                }
                copying.kill().expect("it runs");
                copying.wait().expect("it ends");
                killed += 1;
            };
            if status.success() {
                assert_whole(&told);
            } else {
                // The one before was killed when it had done everything but end.
                assert!(errors.contains(NOT_EMPTY) && killed > 0, "{status} after {killed} kills: {errors}");
                assert_whole(&succeeds(&Database::sqlite(), &["copy", "--from", target.url()]).await);
            }
            let again = astranetmon(&target, &["copy", "--from", source.url()]).await;
            let told = String::from_utf8_lossy(&again.stderr).into_owned();
            assert_eq!(again.status.code(), Some(1), "{told}");
            assert!(told.contains(NOT_EMPTY), "{told}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_running_server_answers_the_same_from_either_database() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("acme", Plan::Enterprise).await;
        let key = office.key(&account).await;
        fleet(&office, &account, &["web-1", "web-2"], 40, now(), "canary", 1).await;
        office.close().await;
        let server = Server::start(&database);
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("backup.sqlite3");
        let file = file.to_str().expect("UTF-8");
        let told = succeeds(&database, &["backup", file]).await;
        assert!(told.ends_with(" bytes, checked\n"), "{told}");
        let refused = astranetmon(&database, &["restore", file]).await;
        assert_eq!(refused.status.code(), Some(1));

        let caller = Caller::new();
        let lists = ["/api/v1/metrics?limit=1000", "/api/v1/speedtests", "/api/v1/traceroutes"];
        let mut expected = Vec::new();
        for list in lists {
            let answer = caller.get(&server, list, &key.secret).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            expected.push(answer.body);
        }
        server.stop().await;
        for other in Kind::BOTH {
            let restored = Database::new(other).await;
            succeeds(&restored, &["restore", file]).await;
            let server = Server::start(&restored);
            for (list, expected) in lists.iter().zip(&expected) {
                let answer = caller.get(&server, list, &key.secret).await;
                assert_eq!(answer.body, *expected, "{kind:?} as {other:?}: {list}");
            }
            server.stop().await;
        }
    }
}
