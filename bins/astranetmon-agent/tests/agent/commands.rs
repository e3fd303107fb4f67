use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::fake_server::{FakeServer, Reply};
use crate::support::{counts, fill};

fn agent(state_dir: &Path, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astranetmon-agent"));
    command.args(arguments).arg("--state-dir").arg(state_dir);
    command.env_remove("ASTRANETMON_ENROLMENT_TOKEN").output().expect("started")
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("text")
}

fn enroll(state_dir: &Path, url: &str, more: &[&str]) -> Output {
    let arguments = [&["enroll", "--server", url, "--token", "astra_enroll_good"], more].concat();
    agent(state_dir, &arguments)
}

#[test]
fn a_machine_is_enrolled_once_and_then_reports() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    let state_dir = folder.path().join("state");
    let enrolled = enroll(&state_dir, &server.url(), &["--id", "web-1"]);
    assert!(enrolled.status.success(), "{}", text(&enrolled.stderr));
    assert!(text(&enrolled.stdout).starts_with("Enrolled as web-1 of Example Ltd; the token is in "));
    assert!(text(&enrolled.stderr).contains("is plain http, so the token travels in the clear"));
    let file = state_dir.join("enrolment.json");
    #[cfg(unix)]
    for (path, mode) in [(&file, 0o600), (&state_dir, 0o700)] {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(fs::metadata(path).expect("there").permissions().mode() & 0o777, mode);
    }

    let again = enroll(&state_dir, &server.url(), &[]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(
        text(&again.stderr).lines().last(),
        Some(&*format!(
            "astranetmon-agent: this machine is enrolled already, in {}: --replace enrols it anew",
            file.display()
        ))
    );
    assert_eq!(server.store().requests, 1, "no token is spent on that");
    let before = fs::read_to_string(&file).expect("there");
    let replaced = enroll(&state_dir, &server.url(), &["--id", "web-2", "--replace"]);
    assert!(replaced.status.success());
    assert_ne!(fs::read_to_string(&file).expect("there"), before);

    let once = agent(&state_dir, &["--once"]);
    assert!(once.status.success(), "{}", text(&once.stderr));
    assert_eq!(text(&once.stdout), "web-2: 1 rows sent, 1 taken, 0 known, 0 refused.\n");
    assert_eq!(server.store().keys_of("metrics").len(), 1);
    let check = agent(&state_dir, &["check"]);
    assert!(check.status.success(), "{}", text(&check.stderr));
    assert!(text(&check.stdout).ends_with(&format!("ok      server: {} takes rows of this agent\n", server.url())));
}

#[test]
fn what_cannot_be_enrolled_says_why_and_leaves_nothing_behind() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    let url = server.url();
    for (arguments, code, sentence) in [
        (
            &["--token", "astra_enroll_good"][..],
            2,
            "--server is missing: say where the server is, such as --server https://monitor.example.com",
        ),
        (
            &["--server", "monitor", "--token", "astra_enroll_good"],
            2,
            "the server monitor must be an http or https URL, such as https://monitor.example.com",
        ),
        (
            &["--server", "http://203.0.113.1", "--token", "astra_enroll_good"],
            2,
            "http://203.0.113.1 would take the token over public networks in the clear: use https, or set insecure_http (--insecure-http) to accept the risk",
        ),
        (
            &["--server", &url],
            2,
            "--token is missing: give the enrolment token, such as --token astra_enroll_…, or set ASTRANETMON_ENROLMENT_TOKEN",
        ),
        (
            &["--server", &url, "--token", "astra_key"],
            2,
            "the token is no enrolment token: it begins with astra_enroll_ and comes from Dashboard → Agents, or from astranetmon enrolment create",
        ),
        (
            &["--server", &url, "--token", "astra_enroll_good", "--id", "a b"],
            2,
            "--id a b: an agent id is 1 to 64 of the characters A-Z a-z 0-9 . _ -, such as web-1",
        ),
        (
            &["--server", &url, "--token", "astra_enroll_bad"],
            1,
            &format!("{url} refused the enrolment, 401: The enrolment token is not valid."),
        ),
        (
            &["--server", "http://127.0.0.1:1", "--token", "astra_enroll_good"],
            1,
            "http://127.0.0.1:1 accepts no connection: Connection refused (os error 111)",
        ),
    ] {
        let output = agent(folder.path(), &[&["enroll"], arguments].concat());
        assert_eq!(output.status.code(), Some(code), "{sentence}");
        assert_eq!(text(&output.stderr).lines().last(), Some(&*format!("astranetmon-agent: {sentence}")));
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0, "{sentence}");
    }
}

#[test]
fn a_token_may_come_from_the_environment() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    let output = Command::new(env!("CARGO_BIN_EXE_astranetmon-agent"))
        .args(["enroll", "--server", &server.url()])
        .env("ASTRANETMON_ENROLMENT_TOKEN", "astra_enroll_good\n")
        .env("STATE_DIRECTORY", folder.path())
        .output()
        .expect("started");
    assert!(output.status.success(), "{}", text(&output.stderr));
    assert!(folder.path().join("enrolment.json").exists());
}

#[test]
fn an_answer_that_is_no_enrolment_leaves_no_file() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    for (reply, sentence) in [
        (Reply::Status(201, "", "<html>"), "answered 201 with something else than an enrolment"),
        (
            Reply::Status(201, "", r#"{"agent_id": "a b", "agent_token": "x", "account": "y"}"#),
            "gave this agent an id that is none",
        ),
        (
            Reply::Status(409, "", r#"{"error": "There is an agent web-1."}"#),
            "refused the enrolment, 409: There is an agent web-1.",
        ),
        (Reply::Close, "broke the connection off: connection closed before message completed"),
    ] {
        let mut reply = Some(reply);
        server.behave(move |_| reply.take().unwrap_or(Reply::Close));
        let output = enroll(folder.path(), &server.url(), &[]);
        assert_eq!(output.status.code(), Some(1));
        let stderr = text(&output.stderr);
        assert!(stderr.trim_end().ends_with(sentence), "{stderr} {sentence}");
        assert_eq!(fs::read_dir(folder.path()).expect("readable").count(), 0, "{sentence}");
    }
}

#[test]
fn once_fails_unless_everything_was_taken_and_keeps_what_was_not() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    assert!(agent(folder.path(), &["--once"]).status.code() == Some(1), "not enrolled");
    assert!(enroll(folder.path(), &server.url(), &[]).status.success());
    server.behave(|_| Reply::Status(503, "", r#"{"error": "Later."}"#));
    let once = agent(folder.path(), &["--once"]);
    assert_eq!(once.status.code(), Some(1));
    assert_eq!(
        text(&once.stderr).lines().last(),
        Some("astranetmon-agent: the server answered 503: Later.; 1 rows wait in the spool")
    );
    server.behave(|_| Reply::Take);
    fill(folder.path(), 0..3);
    assert_eq!(counts(folder.path()).waiting, 4);
    let once = agent(folder.path(), &["--once"]);
    assert!(once.status.success());
    assert!(text(&once.stdout).ends_with(": 5 rows sent, 5 taken, 0 known, 0 refused.\n"), "{}", text(&once.stdout));
    server.behave(|request| if request.path.ends_with("metrics") { Reply::Refuse(vec![0]) } else { Reply::Take });
    let once = agent(folder.path(), &["--once"]);
    assert_eq!(once.status.code(), Some(1));
    assert_eq!(text(&once.stderr).lines().last(), Some("astranetmon-agent: 1 rows were refused for good"));
}

#[test]
fn once_measures_all_that_is_configured() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    assert!(enroll(folder.path(), &server.url(), &["--id", "web-1"]).status.success());
    let config = folder.path().join("agent.toml");
    let settings = r#"
        [latency]
        targets = ["127.0.0.1", "127.0.0.2"]
        probes = 2
        tcp_port = 1
        [traceroute]
        targets = ["127.0.0.1"]
        [speedtest]
        server = "http://127.0.0.1:1"
    "#;
    fs::write(&config, settings).expect("written");
    let once = agent(folder.path(), &["--once", "--config", config.to_str().expect("text")]);
    assert!(once.status.success(), "{}", text(&once.stderr));
    assert_eq!(text(&once.stdout), "web-1: 4 rows sent, 4 taken, 0 known, 0 refused.\n");
    let bodies = server.store().bodies.clone();
    assert!(bodies["metrics"][0]["latency_ms"].as_f64().is_some_and(|latency| latency > 0.0), "{bodies:?}");
    assert_eq!(bodies["metrics"][0]["packet_loss_percent"], 0.0);
    let targets: Vec<&str> = bodies["traceroutes"].iter().filter_map(|row| row["target"].as_str()).collect();
    assert_eq!(targets, ["127.0.0.2", "127.0.0.1"]);
    assert_eq!(bodies["traceroutes"][0]["hops"].as_array().map(Vec::len), Some(1));
    // Nobody listens there, and a test that failed is a row as well.
    assert_eq!(bodies["speedtests"][0]["status"], "failed");
    assert!(folder.path().join("speedtest-figures.ndjson").exists());
}

#[test]
fn check_says_what_is_not_well() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    let check = |more: &[&str]| {
        let output = agent(folder.path(), &[&["check"], more].concat());
        assert!(!output.status.success());
        text(&output.stderr).lines().last().expect("a sentence").to_owned()
    };
    assert_eq!(
        check(&[]),
        format!(
            "astranetmon-agent: this machine is not enrolled in {}: run astranetmon-agent enroll --server \
             https://monitor.example.com --token astra_enroll_…",
            folder.path().display()
        )
    );
    assert!(enroll(folder.path(), &server.url(), &[]).status.success());
    server.behave(|_| Reply::Status(401, "", r#"{"error": "The token is not valid."}"#));
    assert_eq!(
        check(&[]),
        format!(
            "astranetmon-agent: {} does not accept this agent's token (401: The token is not valid.): enrol it again, if \
             it was not disabled",
            server.url()
        )
    );
    let config = folder.path().join("agent.toml");
    fs::write(&config, "intervall = \"10s\"").expect("written");
    assert_eq!(
        check(&["--config", config.to_str().expect("text")]),
        format!("astranetmon-agent: {}: intervall is no setting, did you mean interval?", config.display())
    );
    drop(server);
    assert!(check(&[]).contains(" accepts no connection: "));
}
