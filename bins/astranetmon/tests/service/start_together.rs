//! Processes that start at once on one empty database.

use std::collections::BTreeSet;

use crate::support::{Caller, Database, Kind, Server, alone, astranetmon};

/// Names in `migrations/`, which both databases share.
fn migrations() -> BTreeSet<String> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../migrations/postgres");
    let entries = std::fs::read_dir(folder).expect("a folder");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

fn check_applied_once(mut applied: Vec<String>, what: &str) {
    applied.sort_unstable();
    let expected: Vec<String> = migrations().into_iter().collect();
    assert_eq!(applied, expected, "{what}: each migration once");
}

#[tokio::test]
async fn five_servers_start_at_once_on_an_empty_postgresql() {
    let _alone = alone().await;
    let database = Database::postgres().await;
    let mut servers = [(); 5].map(|()| Server::spawn(&database, &[]));
    let (caller, mut applied) = (Caller::new(), Vec::new());
    for server in &mut servers {
        server.wait_until_serving();
        let ready = caller.get_open(server, "/readyz").await;
        assert_eq!(ready.status, 200, "{ready:?}");
        for line in server.log() {
            let line: serde_json::Value = serde_json::from_str(&line).expect("JSON");
            applied.extend(line["migration"].as_str().map(str::to_owned));
        }
    }
    check_applied_once(applied, "servers");
}

#[tokio::test]
async fn five_migrations_run_at_once_on_an_empty_database() {
    let _alone = alone().await;
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let run = || astranetmon(&database, &["migrate"]);
        let outputs = tokio::join!(run(), run(), run(), run(), run());
        let mut applied = Vec::new();
        for output in [outputs.0, outputs.1, outputs.2, outputs.3, outputs.4] {
            assert!(output.status.success(), "{kind:?}: {}", String::from_utf8_lossy(&output.stderr));
            let told = String::from_utf8(output.stdout).expect("UTF-8");
            applied.extend(told.lines().filter_map(|line| line.strip_prefix("applied ").map(str::to_owned)));
        }
        check_applied_once(applied, &format!("{kind:?}"));
    }
}
