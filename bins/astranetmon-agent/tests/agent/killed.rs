//! The agent's process is killed at random moments while its server comes and goes.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use crate::support::fake_server::{FakeServer, Reply};
use crate::support::{FAST, SILENT, agent, counts, run};
use astranetmon_agent::Pace;
use astranetmon_agent::configuration::ServerUrl;

const PACE: Pace = Pace { interval: Duration::from_millis(10), heartbeat: Duration::from_millis(100), ..FAST };

/// The process that is killed: this very program, told to run the test below and nothing else.
fn start_agent(server: &FakeServer, state_dir: &Path) -> Child {
    Command::new(std::env::current_exe().expect("known"))
        .args(["--exact", "killed::process", "--ignored", "--nocapture"])
        .env("TEST_SERVER", server.url())
        .env("TEST_STATE_DIR", state_dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("started")
}

#[test]
#[ignore = "the process that the test beside it kills"]
#[expect(clippy::disallowed_methods, reason = "it is told by its parent what to do")]
fn process() {
    let (Ok(server), Ok(state_dir)) = (std::env::var("TEST_SERVER"), std::env::var("TEST_STATE_DIR")) else { return };
    let lines = tracing_subscriber::fmt().with_max_level(tracing::Level::DEBUG).with_ansi(false);
    lines.with_writer(std::io::stderr).init();
    let placeholder = FakeServer::start();
    let mut agent = agent(&placeholder, PACE);
    agent.enrolment.server = ServerUrl::parse(&server).expect("a URL");
    let runtime = astranetmon_agent::runtime().expect("a runtime");
    runtime.block_on(agent.run(Path::new(&state_dir), std::future::pending())).expect("works");
}

#[test]
#[expect(clippy::disallowed_methods, reason = "the test suite says how thorough it is")]
fn a_killed_agent_loses_no_row_that_it_kept_and_doubles_none() {
    let rounds = if std::env::var_os("ASTRANETMON_TEST_FULL").is_some() { 50 } else { 5 };
    let rng = &mut StdRng::seed_from_u64(11);
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    let mut kept = BTreeSet::new();
    for _ in 0..rounds {
        // Half of the answers are lost after the rows were taken, or there is no server.
        let (lost, away) = (rng.random_range(0.0..0.5), rng.random_range(0.0..0.6));
        let mut chance = StdRng::seed_from_u64(rng.random());
        server.behave(move |_| match chance.random_range(0.0..1.0) {
            drawn if drawn < lost => Reply::TakeAndSend(b""),
            drawn if drawn < lost + away => Reply::Close,
            _ => Reply::Take,
        });
        let mut child = start_agent(&server, folder.path());
        let stderr = BufReader::new(child.stderr.take().expect("piped"));
        let lines = std::thread::spawn(move || stderr.lines().map_while(Result::ok).collect::<Vec<_>>());
        #[expect(clippy::disallowed_methods, reason = "the process works meanwhile, until it is killed")]
        std::thread::sleep(Duration::from_millis(rng.random_range(150..900)));
        child.kill().expect("killed");
        child.wait().expect("gone");
        // "… DEBUG … kept kind="metrics" measured_at=2026-11-25T12:00:00.000Z": a line is whole or was not written.
        kept.extend(lines.join().expect("read").iter().filter_map(|line| {
            let time = line.split(" kept ").nth(1)?.split("measured_at=").nth(1)?;
            Some(time.get(..24)?.to_owned())
        }));
    }
    server.behave(|_| Reply::Take);
    let waiting = usize::try_from(counts(folder.path()).waiting).expect("few");
    let runtime = astranetmon_agent::runtime().expect("a runtime");
    runtime.block_on(run(agent(&server, SILENT), folder.path(), async {
        server.has(|store| store.heartbeats.last().is_some_and(|_| store.batches.len() > 1)).await;
        while counts_of_heartbeat(&server) > 0 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }));
    let store = server.store();
    let times = store.keys_of("metrics");
    let arrived: BTreeSet<&str> = times.iter().copied().collect();
    let lost: Vec<&String> = kept.iter().filter(|time| !arrived.contains(time.as_str())).collect();
    assert!(lost.is_empty(), "{} of {} kept rows are lost: {lost:?}", lost.len(), kept.len());
    assert!(kept.len() >= rounds, "{} rows in {rounds} rounds", kept.len());
    assert_eq!(arrived.len(), times.len(), "each once");
    assert!(times.is_sorted(), "in order");
    let (rows, known) = (times.len() as u64, store.known);
    drop(store);
    let counts = counts(folder.path());
    assert_eq!((counts.waiting, counts.dropped, counts.settled), (0, 0, rows), "of which {waiting} waited in the end");
    println!("{rounds} kills, {rows} rows, {known} sent again, {waiting} waited in the end");
}

fn counts_of_heartbeat(server: &FakeServer) -> u64 {
    server.store().heartbeats.last().and_then(|beat| beat["spool"]["row_count"].as_u64()).unwrap_or(0)
}
