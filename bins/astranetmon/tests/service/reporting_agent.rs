//! The agent, as its users run it, against the server.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use astranetmon_agent::agent::Agent;
use astranetmon_agent::commands::{CommandLine, Environment};
use astranetmon_agent::configuration::Settings;
use astranetmon_agent::enrolment::Enrolment;
use astranetmon_agent::spool::{Row, RowKind, Spool, SpoolBounds, SpoolCounts};
use astranetmon_agent::{Failure, Pace};
use astranetmon_auth::{EnrolmentToken, NewEnrolment};
use astranetmon_domain::{Account, EnrolmentTerms, Plan, SystemClock};
use clap::Parser;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

use crate::support::{Caller, Database, Kind, Office, Server, now, unforeseen};

/// Between measurements: ten minutes of an agent that measures every ten seconds pass in nine seconds.
const INTERVAL: Duration = Duration::from_millis(150);
const PACE: Pace = Pace {
    interval: INTERVAL,
    jitter: Duration::ZERO,
    heartbeat: INTERVAL,
    backoff_first: Duration::from_millis(50),
    backoff_longest: Duration::from_millis(500),
    request_timeout: Duration::from_secs(10),
    farewell: Duration::from_secs(2),
};
const SPOOL: SpoolBounds = SpoolBounds::of(1 << 24);
/// Far beyond what anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

/// An agent `web-1` of an account, as an operator sets it up.
struct Fixture {
    database: Database,
    server: Server,
    key: String,
    enrolment_token: EnrolmentToken,
    folder: TempDir,
    caller: Caller,
}

impl Fixture {
    async fn new(kind: Kind) -> Self {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("reporting", Plan::Enterprise).await;
        let key = office.key(&account).await.secret;
        let enrolment_token = offer(&office, &account).await;
        office.close().await;
        let server = Server::start(&database);
        let folder = tempfile::tempdir().expect("a folder");
        Self { database, server, key, enrolment_token, folder, caller: Caller::new() }
    }

    async fn enroll(&self, folder: &Path) -> Result<(), Failure> {
        let (server, token) = (self.server.url(), self.enrolment_token.reveal());
        command(folder, &["enroll", "--server", server, "--token", token, "--id", "web-1"]).await
    }

    /// What the agent runs as.
    fn agent(&self) -> Agent<'static> {
        let enrolment = Enrolment::load(self.folder.path()).expect("readable").expect("there");
        Agent { settings: Settings::default(), enrolment, pace: PACE, clock: &SystemClock }
    }

    async fn read(&self, path: &str) -> Value {
        let answer = self.caller.get(&self.server, path, &self.key).await;
        assert_eq!(answer.status, 200, "{}", answer.body);
        answer.json()
    }

    async fn total(&self) -> u64 {
        self.read("/api/v1/metrics?agent_id=web-1&limit=1").await["total"].as_u64().expect("a number")
    }

    async fn until_total(&self, rows: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let total = self.total().await;
            if total >= rows {
                return;
            }
            assert!(Instant::now() < deadline, "{total} of {rows} rows after {PATIENCE:?}");
            sleep(Duration::from_millis(50)).await;
        }
    }

    /// The times of all rows, newest first, page by page from the first one on.
    async fn walk(&self) -> Vec<String> {
        let mut times = Vec::new();
        let mut next = Some("/api/v1/metrics?agent_id=web-1&limit=25".to_owned());
        while let Some(path) = next {
            let answer = self.caller.get(&self.server, &path, &self.key).await;
            assert_eq!(answer.status, 200, "{}", answer.body);
            let page = answer.json();
            let rows = page["metrics"].as_array().expect("rows");
            times.extend(rows.iter().map(|row| row["timestamp"].as_str().expect("a time").to_owned()));
            next = answer.next_page();
        }
        times
    }

    fn spool(&self) -> Spool {
        Spool::open(&self.folder.path().join("spool"), SPOOL).expect("opened")
    }
}

async fn offer(office: &Office, account: &Account) -> EnrolmentToken {
    let token = EnrolmentToken::generate(&mut unforeseen());
    let labels = BTreeMap::from([("rack".to_owned(), "7".to_owned())]);
    let terms = EnrolmentTerms::new("rack 7", None, labels, 1, now().plus_seconds(3_600), now()).expect("good terms");
    let new = NewEnrolment { hash: token.hash(), hint: token.hint(), terms };
    office.storage.enrolment_create(&office.manage(account), &new, now()).await.expect("kept");
    token
}

async fn command(state_dir: &Path, arguments: &[&str]) -> Result<(), Failure> {
    let state_dir = state_dir.to_str().expect("text");
    let all = [&["astranetmon-agent"], arguments, &["--state-dir", state_dir]].concat();
    CommandLine::try_parse_from(all).expect("a command line").execute(&Environment::default()).await
}

/// The times of the rows that wait in a spool that an agent has open: those of a copy, as a kill would leave it.
fn waiting(state_dir: &Path) -> Vec<String> {
    let copy = tempfile::tempdir().expect("a folder");
    for entry in std::fs::read_dir(state_dir.join("spool")).expect("readable") {
        let entry = entry.expect("readable");
        std::fs::copy(entry.path(), copy.path().join(entry.file_name())).expect("copied");
    }
    let mut spool = Spool::open(copy.path(), SPOOL).expect("opened");
    let window = spool.window(10_000, usize::MAX).expect("read").expect("something waits");
    assert_eq!(window.rows.len() as u64, spool.counts().waiting, "all of it is in one window");
    window.rows.iter().map(|row| row.timestamp.to_string()).collect()
}

#[tokio::test]
async fn an_agent_enrols_once_and_what_it_measures_and_kept_is_read_back() {
    const WAITING: i64 = 2_500;
    for kind in Kind::BOTH {
        let fixture = Fixture::new(kind).await;
        fixture.enroll(fixture.folder.path()).await.expect("enrolled");
        let other = tempfile::tempdir().expect("a folder");
        let again = fixture.enroll(other.path()).await.expect_err("the token is spent").to_string();
        assert!(again.contains(" refused the enrolment, 401: "), "{again}");
        command(fixture.folder.path(), &["check"]).await.expect("all is well");

        // What had waited while there was no server.
        let start = now().plus_seconds(-86_400).to_millis_precision();
        let mut spool = fixture.spool();
        for number in 0..WAITING {
            let timestamp = start.plus_seconds(10 * number);
            let json = json!({"timestamp": timestamp.to_string(), "cpu_percent": 12.5, "interval_seconds": 10});
            spool.append(&Row { kind: RowKind::Metric, timestamp, json: json.to_string().into_bytes() }).expect("kept");
        }
        drop(spool);
        let everything = fixture.until_total(WAITING as u64 + 4);
        fixture.agent().run(fixture.folder.path(), everything).await.expect("works");

        let agents = fixture.read("/api/v1/agents").await;
        assert_eq!((&agents["total"], &agents["agents"][0]["id"]), (&json!(1), &json!("web-1")));
        let (status, labels) = (&agents["agents"][0]["status"], &agents["agents"][0]["labels"]);
        assert_eq!((status, labels), (&json!("online"), &json!({"rack": "7"})));
        assert!(agents["agents"][0]["agent_version"].is_string());
        let newest = fixture.read("/api/v1/metrics?limit=1").await;
        assert!(newest["metrics"][0]["memory_total_bytes"].as_i64() > Some(0), "{newest}");
        let counts = fixture.spool().counts();
        assert_eq!((counts.waiting, counts.dropped, counts.refused), (0, 0, 0), "{counts:?}");
        assert_eq!(fixture.total().await, counts.settled, "every row that was kept is there once");
    }
}

/// Ten minutes of an agent that measures every ten seconds: sixty intervals.
#[tokio::test]
async fn rows_of_ten_minutes_without_the_server_arrive_late_and_a_fresh_walk_sees_each_once() {
    for kind in Kind::BOTH {
        let mut fixture = Fixture::new(kind).await;
        fixture.enroll(fixture.folder.path()).await.expect("enrolled");
        let (agent, state_dir) = (fixture.agent(), fixture.folder.path().to_owned());
        let address = fixture.server.address().to_owned();
        let mut spooled = Vec::new();
        let outage = async {
            fixture.until_total(5).await;
            fixture.server.terminate();
            let ended = fixture.server.ended(Duration::from_secs(10)).await;
            assert!(ended.success(), "{ended}");
            sleep(60 * INTERVAL).await;
            spooled = waiting(&state_dir);
            fixture.server = Server::start_with(&fixture.database, &[("ASTRANETMON_LISTEN", &address)]);
            assert_eq!(fixture.server.address(), address);
            let before = fixture.total().await;
            fixture.until_total(before + spooled.len() as u64 + 5).await;
        };
        agent.run(&state_dir, outage).await.expect("works");

        assert!(spooled.len() >= 50 && spooled.is_sorted(), "{kind:?}: {} rows waited", spooled.len());
        let SpoolCounts { waiting, dropped, refused, settled, .. } = fixture.spool().counts();
        assert_eq!((waiting, dropped, refused), (0, 0, 0), "{kind:?}");
        let times = fixture.walk().await;
        assert!(times.is_sorted_by(|newer, older| newer > older), "{kind:?}: each once, newest first: {times:?}");
        assert_eq!((fixture.total().await, times.len() as u64), (settled, settled), "{kind:?}");
        let seen: BTreeSet<&String> = times.iter().collect();
        let missing: Vec<_> = spooled.iter().filter(|time| !seen.contains(time)).collect();
        assert!(missing.is_empty(), "{kind:?}: {missing:?}");
    }
}
