//! Logs and messages tell of each request and never of a secret.

use astranetmon_domain::Plan;
use reqwest::Method;
use serde_json::Value;

use crate::support::{Caller, Database, Kind, Server, astranetmon, fleet, now, succeeds};

const PASSWORD: &str = "canary-password-7d1f";
const QUERY: &str = "canary-query-51c3";
const HEADER: &str = "canary-header-a2e9";

/// Panics if the text holds a secret.
fn check(what: &str, text: &str, keys: &[&str]) {
    for key in keys {
        // Its random part too, wherever it was cut.
        assert!(!text.contains(&key[10..]), "{what} holds a key:\n{text}");
    }
    for secret in [PASSWORD, HEADER] {
        assert!(!text.contains(secret), "{what} holds {secret}:\n{text}");
    }
}

#[tokio::test]
async fn the_log_has_one_line_a_request_and_no_secret() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let database = if kind == Kind::Postgres { database.with_password(PASSWORD) } else { database };
        let office = database.office().await;
        let account = office.account("canary", Plan::Enterprise).await;
        fleet(&office, &account, &["one"], 20, now(), "canary", 0).await;
        let (good, revoked) = (office.key(&account).await, office.key(&account).await);
        office.revoke(&account, &revoked).await;
        office.close().await;
        let bad = format!("{}X", &good.secret[..good.secret.len() - 1]);
        let keys = [good.secret.as_str(), &revoked.secret, &bad];
        let server = Server::start_with(&database, &[("ASTRANETMON_LOG_LEVEL", "trace")]);
        let caller = Caller::new();
        let before = server.log().len();

        let bearers = keys.map(|key| format!("Bearer {key}"));
        let paths = [
            "/api/v1/agents",
            &format!("/api/v1/metrics?limit={QUERY}"),
            &format!("/api/v1/metrics?agent_id={QUERY}&limit=5"),
            "/api/v1/speedtests",
            "/api/v1/key",
            "/api/v1/nowhere",
            "/nowhere",
            "/healthz",
        ];
        let mut sent = 0;
        for bearer in bearers.iter().map(String::as_str).chain(["Basic Y2FuYXJ5", "nonsense"]) {
            for path in paths {
                for method in [Method::GET, Method::DELETE] {
                    let cookie = format!("__Host-astra_session={HEADER}; __Host-astra_device={HEADER}");
                    let headers = [("cookie", cookie.as_str()), ("x-request-id", "asked-by-test")];
                    let answer = caller.ask(&server, method, path, Some(bearer), &headers).await;
                    check("an answer", &format!("{:?}{}", answer.headers, answer.body), &keys);
                    sent += 1;
                }
            }
        }
        // Lines are written before the answer is, and read by another thread.
        let lines = loop {
            let log = server.log();
            let lines = log[before..].iter().filter_map(|line| serde_json::from_str::<Value>(line).ok());
            let requests: Vec<_> = lines.filter(|line| line["message"] == "request").collect();
            if requests.len() >= sent {
                break requests;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        };
        assert_eq!(lines.len(), sent, "{kind:?}: one line a request");
        for line in &lines {
            assert_eq!(line["request_id"], "asked-by-test", "{line}");
            assert!(line["status"].is_u64() && line["method"].is_string() && line["route"].is_string(), "{line}");
            assert!(line["duration_ms"].is_number() && line["client"] == "127.0.0.1", "{line}");
        }
        let log = server.log().join("\n");
        check("the log", &log, &keys);
        assert!(!log.contains(QUERY), "{kind:?}: the log holds a query string");
        server.stop().await;
    }
}

#[tokio::test]
async fn commands_show_a_key_once_and_no_password_at_all() {
    let database = Database::postgres().await.with_password(PASSWORD);
    succeeds(&database, &["migrate"]).await;
    succeeds(&database, &["account", "create", "canary", "--plan", "starter"]).await;
    let create = ["key", "create", "--account", "canary", "--name", "n", "--format", "json"];
    let made: Value = serde_json::from_str(&succeeds(&database, &create).await).expect("JSON");
    let (key, id) = (made["key"].as_str().expect("a key").to_owned(), made["id"].to_string());
    for arguments in [
        &["key", "list", "--account", "canary"][..],
        &["key", "list", "--account", "canary", "--format", "json"],
        &["key", "revoke", "--account", "canary", &id],
        &["account", "list"],
        &["serve", "--check"],
        &["--help"],
        &["openapi"],
        &["account", "create", "canary", "--plan", "starter"],
        &["key", "revoke", "--account", "canary", "999999"],
        &["key", "revoke", "--account", "nobody", "1"],
    ] {
        let output = astranetmon(&database, arguments).await;
        let told = [output.stdout, output.stderr].concat();
        check(&arguments.join(" "), &String::from_utf8(told).expect("UTF-8"), &[&key]);
    }
    let away = Database::postgres().await.with_password(PASSWORD).away();
    let output = astranetmon(&away, &["account", "list"]).await;
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).expect("UTF-8");
    check("a failed connection", &told, &[]);
    assert_eq!(told.lines().count(), 1, "{told}");
}
