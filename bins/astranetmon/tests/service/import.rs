//! Results of other tools are taken in at the command line, once.

use std::io::Write;
use std::process::{Command, Stdio};

use astranetmon_auth::{ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{
    AccountId, Clock, Limit, PageRequest, Plan, RecordFilter, Speedtest, SystemClock, Timestamp, Traceroute,
};
use serde_json::{Value, json};

use crate::support::{Database, Kind, Office, astranetmon, succeeds};

fn ookla(at: Timestamp, bandwidth: u64) -> Value {
    json!({
        "type": "result", "timestamp": at.to_string(), "ping": {"jitter": 0.5, "latency": 10.25},
        "download": {"bandwidth": bandwidth, "bytes": 1000, "elapsed": 5000},
        "upload": {"bandwidth": 1_250_000, "bytes": 1000, "elapsed": 5000},
        "server": {"id": 7, "name": "Example", "location": "Berlin", "country": "Germany"},
    })
}

fn librespeed(at: Timestamp) -> Value {
    json!([{
        "timestamp": at.to_string(), "server": {"name": "Home", "url": "https://speed.example/"},
        "client": {"ip": "203.0.113.7", "org": "Example"}, "bytes_sent": 1, "bytes_received": 1,
        "ping": 5, "jitter": 1, "upload": 50.5, "download": 100.25, "share": "",
    }])
}

fn atlas(at: Timestamp) -> Value {
    json!({
        "type": "traceroute", "fw": 5080, "timestamp": at.as_seconds(), "endtime": at.as_seconds() + 2,
        "dst_name": "example.com", "dst_addr": "192.0.2.80", "proto": "ICMP", "af": 4, "prb_id": 1, "msm_id": 5006,
        "result": [
            {"hop": 1, "result": [{"from": "192.0.2.1", "rtt": 1.5}]},
            {"hop": 2, "result": [{"x": "*"}]},
            {"hop": 3, "result": [{"from": "192.0.2.80", "rtt": 9.5}]},
        ],
    })
}

const MTR: &str = r#"{"report": {"mtr": {"src": "a", "dst": "198.51.100.9", "tests": 2},
    "hubs": [{"count": 1, "host": "198.51.100.9", "Loss%": 50.0, "Snt": 2, "Avg": 3.5, "Best": 3.5, "Wrst": 3.5}]}}"#;

/// Runs the command with something on its standard input; exit code and both outputs.
async fn fed(database: &Database, arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astranetmon"));
    command.args(arguments).env_clear().env("ASTRANETMON_DATABASE_URL", database.url());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let input = input.to_owned();
    let work = move || {
        let mut child = command.spawn().expect("the binary runs");
        child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("written");
        child.wait_with_output().expect("ends")
    };
    let output = tokio::task::spawn_blocking(work).await.expect("not cancelled");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn kept(database: &Database, account: AccountId) -> (Vec<Speedtest>, Vec<Traceroute>) {
    let Office { storage } = database.office().await;
    let page = PageRequest::new(Limit::LARGEST, None);
    let scope: Scope<ReadSpeedtests> = Scope::system(account, "test");
    let tests = storage.speedtest_page(&scope, &RecordFilter::ALL.into(), &page).await.expect("read");
    let scope: Scope<ReadTraceroutes> = Scope::system(account, "test");
    let traces = storage.traceroute_page(&scope, &RecordFilter::ALL.into(), &page).await.expect("read");
    storage.close().await;
    (tests.rows, traces.rows)
}

#[tokio::test]
async fn results_of_other_tools_are_imported_once_and_reported_field_by_field() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("acme", Plan::Starter).await.id;
        office.storage.close().await;
        let folder = tempfile::tempdir().expect("a folder");
        let put = |name: &str, text: String| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.display().to_string()
        };
        let yesterday = SystemClock.now().plus_seconds(-86_400);
        let results = put("results.jsonl", format!("{}\n{}\n", ookla(yesterday, 12_500_000), atlas(yesterday)));
        let list = put("list.json", librespeed(yesterday).to_string());
        let report = put("mtr.json", MTR.to_owned());
        let at = yesterday.to_string();
        let command = ["import", "--account", "acme", "--agent", "web-1", "--at", &at];
        let files = [&results[..], &list, &report];

        let missing = astranetmon(&database, &[&command[..], &files].concat()).await;
        assert_eq!(missing.status.code(), Some(1), "{kind:?}");
        let told = String::from_utf8_lossy(&missing.stderr);
        assert!(told.contains("has no agent web-1: add it with --create-agent"), "{told}");
        assert_eq!(kept(&database, account).await.0.len(), 0, "{kind:?}");

        let printed = succeeds(&database, &[&command[..], &["--create-agent", "--json"], &files].concat()).await;
        let report: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!(report["imported"], json!({"speedtests": 2, "traceroutes": 2}), "{kind:?}: {report}");
        assert_eq!(
            (&report["agent_created"], &report["known"], &report["refused"]),
            (&json!(true), &json!(0), &json!(0))
        );
        let converted = report["fields"]["ookla"]["converted"].as_array().expect("a list");
        let bandwidth =
            json!({"field": "download.bandwidth", "becomes": "download_mbps", "rule": "bytes/s × 8 / 10^6"});
        assert!(converted.contains(&bandwidth), "{report}");
        assert!(
            report["fields"]["ookla"]["dropped"].as_array().expect("a list").contains(&json!("server.id")),
            "{report}"
        );

        let (tests, traces) = kept(&database, account).await;
        let speeds: Vec<_> = tests.iter().map(|test| (test.provider.as_deref(), test.download_mbps)).collect();
        assert!(speeds.contains(&(Some("ookla"), Some(100.0))) && speeds.contains(&(Some("librespeed"), Some(100.25))));
        let targets: Vec<_> =
            traces.iter().map(|trace| (trace.target.as_str(), trace.hops.len(), trace.reached)).collect();
        assert!(
            targets.contains(&("example.com", 3, true)) && targets.contains(&("198.51.100.9", 1, true)),
            "{targets:?}"
        );

        let again = succeeds(&database, &[&command[..], &files].concat()).await;
        let sentence =
            "4 results for the agent web-1: 0 speed tests and 0 traceroutes imported, 4 known, 0 too old, 0 refused";
        assert!(again.starts_with(sentence), "{kind:?}: {again}");
        assert!(again.contains("FORMAT") && again.contains("bytes/s × 8 / 10^6"), "{again}");
        assert_eq!(kept(&database, account).await, (tests, traces), "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_not_imported_is_named_and_ends_with_1() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("acme", Plan::Starter).await.id;
        office.storage.close().await;
        let now = SystemClock.now();
        let input = format!(
            "{}\n{}\n{}\nbroken\n{}\n{{}}\n",
            ookla(now.plus_seconds(-3_600), 1),
            ookla(now.plus_seconds(-86_400 * 500), 1),
            ookla(now.plus_seconds(86_400), 1),
            MTR.replace('\n', " "),
        );
        let command = ["import", "--account", "acme", "--agent", "web-1", "--create-agent", "--json", "-"];
        let (code, printed, told) = fed(&database, &command, &input).await;
        assert_eq!(code, Some(1), "{kind:?}: {told}");
        assert_eq!(told, "astranetmon: not imported: 4 refused, 1 older than the account keeps\n");
        let report: Value = serde_json::from_str(&printed).expect("JSON");
        assert_eq!((&report["imported"]["speedtests"], &report["too_old"]), (&json!(1), &json!(1)), "{report}");
        let reasons: Vec<_> = report["refused_results"].as_array().expect("a list").iter().collect();
        for (index, (position, reason)) in [
            (3, "ahead of the server's clock"),
            (4, "line 4 is not JSON"),
            (5, "give the time"),
            (6, "of no known format"),
        ]
        .into_iter()
        .enumerate()
        {
            assert_eq!(reasons[index]["position"], position, "{report}");
            assert!(reasons[index]["reason"].as_str().is_some_and(|told| told.contains(reason)), "{report}");
        }
        assert_eq!(kept(&database, account).await.0.len(), 1, "{kind:?}");

        for (arguments, code, reason) in [
            (&["--agent", "web-1", "/nowhere.json"][..], 1, "not imported: 1 refused"),
            (&["--agent", "web 1", "-"], 2, "an agent id is 1 to 64"),
            (&["--agent", "web-1", "--format", "xml", "-"], 2, "a format is one of"),
            (&["--agent", "web-1", "--at", "yesterday", "-"], 2, "a moment is"),
        ] {
            let output = astranetmon(&database, &[&["import", "--account", "acme"][..], arguments].concat()).await;
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(code), "{arguments:?}: {told}");
            assert!(told.contains(reason), "{arguments:?}: {told}");
        }
    }
}
