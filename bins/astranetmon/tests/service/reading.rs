//! `astranetmon get`: a server is read from the command line.

use std::process::{Command, Output};

use astranetmon_auth::{Permission, PermissionSet};
use astranetmon_domain::Plan;
use serde_json::Value;

use crate::support::{Database, Kind, Server, fleet, now};

/// Runs the command beside a server; exit code and both outputs.
async fn get(server: &Server, key: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astranetmon"));
    command.arg("get").args(arguments).env_clear().env("ASTRANETMON_SERVER", server.url());
    if !key.is_empty() {
        command.env("ASTRANETMON_API_KEY", key);
    }
    let work = move || command.output().expect("the binary runs");
    let Output { status, stdout, stderr } = tokio::task::spawn_blocking(work).await.expect("not cancelled");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (status.code(), text(stdout), text(stderr))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn lists_are_read_over_all_pages_in_every_form() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("acme", Plan::Enterprise).await;
        let key = office.key(&account).await;
        fleet(&office, &account, &["web-1", "web-2"], 6_000, now(), "canary", 1).await;
        office.close().await;
        let server = Server::start(&database);
        let get = async |arguments: &[&str]| {
            let (code, out, err) = get(&server, &key.secret, arguments).await;
            assert_eq!(code, Some(0), "{arguments:?}: {err}");
            (out, err)
        };

        let (table, told) = get(&["metrics", "--limit", "3"]).await;
        let lines: Vec<&str> = table.lines().collect();
        assert_eq!(lines.len(), 4, "{table}");
        assert!(lines[0].starts_with("AGENT_ID  TIMESTAMP") && lines[1].starts_with("web-1     20"), "{table}");
        assert_eq!(told, "astranetmon: 3 of 12000; more with --limit or --all\n");

        // More than a page holds.
        let (text, _) = get(&["metrics", "--all", "--output", "json", "--fields", "agent_id,timestamp"]).await;
        let json: Value = serde_json::from_str(&text).expect("JSON");
        let rows = json["metrics"].as_array().expect("rows");
        assert_eq!((rows.len(), &json["total"]), (12_000, &12_000.into()), "{kind:?}");
        let (lines, _) = get(&["metrics", "--limit", "11000", "--output", "ndjson", "--oldest-first"]).await;
        let first: Value = serde_json::from_str(lines.lines().next().expect("a row")).expect("JSON");
        assert_eq!((lines.lines().count(), &first["timestamp"]), (11_000, &rows[11_999]["timestamp"]));
        let (csv, _) = get(&["metrics", "--limit", "10001", "--output", "csv", "--fields", "timestamp"]).await;
        assert_eq!((csv.lines().count(), csv.matches("timestamp").count()), (10_002, 1));

        let (csv, _) = get(&[
            "metrics",
            "--interval",
            "1d",
            "--agg",
            "max",
            "--fields",
            "cpu_percent",
            "--agent",
            "web-2",
            "--start",
            "-1d",
            "--output",
            "csv",
        ])
        .await;
        assert!(csv.starts_with("agent_id,timestamp,interval_seconds,sample_count,cpu_percent_max\r\nweb-2,"), "{csv}");
        let (table, told) = get(&["agents", "--label", "site:canary"]).await;
        assert_eq!((table.lines().count(), told.as_str()), (3, ""), "{table}");
        let (table, told) = get(&["speedtests", "--where", "status=failed"]).await;
        assert_eq!((table.as_str(), told.as_str()), ("", "astranetmon: nothing matches\n"));
        assert_eq!(get(&["traceroutes", "--output", "ndjson", "--limit", "1"]).await.0.lines().count(), 1);
        let (table, _) = get(&["usage"]).await;
        assert!(table.starts_with("enterprise: ") && table.lines().count() == 27, "{table}");
        assert_eq!(get(&["usage", "--output", "csv"]).await.0.lines().count(), 25);
        server.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_cannot_be_read_has_an_exit_code_of_its_own() {
    let database = Database::sqlite();
    let office = database.office().await;
    let account = office.account("acme", Plan::Starter).await;
    let key = office.key(&account).await;
    let agents: PermissionSet = [Permission::ReadAgents].into_iter().collect();
    let of_agents = office.key_with(&account, agents, None).await;
    office.close().await;
    let server = Server::start(&database);
    for (key, arguments, code, sentence) in [
        ("", &["agents"][..], 2, "no key: set ASTRANETMON_API_KEY"),
        (&key.secret, &["agents", "--where", "limits=1"], 2, "Unknown parameter: did you mean limit"),
        (&key.secret, &["metrics", "--start", "yesterday"], 2, "Invalid start_date"),
        (&key.secret, &["agents", "--where", "limit"], 2, "a condition is NAME=VALUE"),
        (&key.secret, &["agents", "--server", "http://192.0.2.1"], 2, "would send the key in the clear"),
        (&key.secret, &["agents", "--server", "ftp://localhost"], 2, "is no address of a server"),
        (&key.secret, &["agents", "--server", "http://127.0.0.1:9"], 1, "cannot be reached"),
        ("astra_wrong", &["agents"], 3, "Invalid or missing API key"),
        (&of_agents.secret, &["metrics"], 3, "Insufficient permissions: requires read:metrics"),
    ] {
        let (exit, out, told) = get(&server, key, arguments).await;
        assert_eq!((exit, out.as_str()), (Some(code), ""), "{arguments:?}: {told}");
        assert!(told.contains(sentence), "{arguments:?}: {told}");
    }
    for _ in 0..100 {
        let (exit, _, told) = get(&server, &key.secret, &["agents", "--longest-wait", "0s"]).await;
        if exit == Some(4) {
            assert!(told.contains("Rate limit exceeded") && told.contains("asks to wait for"), "{told}");
            let (exit, out, _) = get(&server, &key.secret, &["usage"]).await;
            assert_eq!((exit, out.starts_with("starter: 100 of 100 requests used, 0 left until")), (Some(0), true));
            return;
        }
    }
    panic!("a Starter key is never refused");
}
