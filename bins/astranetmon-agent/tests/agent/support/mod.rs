pub(crate) mod fake_server;
pub(crate) mod request;

use std::path::Path;
use std::time::Duration;

use astranetmon_agent::Pace;
use astranetmon_agent::agent::Agent;
use astranetmon_agent::configuration::{ServerUrl, Settings};
use astranetmon_agent::enrolment::Enrolment;
use astranetmon_agent::spool::{Row, RowKind, Spool, SpoolBounds, SpoolCounts};
use astranetmon_domain::{AgentId, SystemClock, Timestamp};
use astranetmon_ingest::Secret;

use self::fake_server::FakeServer;

pub(crate) const TOKEN: &str = "astra_agent_of_the_test";

/// A hundred times as fast as an agent that measures every ten seconds.
pub(crate) const FAST: Pace = Pace {
    interval: Duration::from_millis(100),
    jitter: Duration::ZERO,
    heartbeat: Duration::from_millis(500),
    backoff_first: Duration::from_millis(10),
    backoff_longest: Duration::from_millis(200),
    request_timeout: Duration::from_secs(5),
    farewell: Duration::from_millis(500),
};

/// One that measures nothing while a test lasts.
pub(crate) const SILENT: Pace = Pace { interval: Duration::from_secs(86_400), ..FAST };

pub(crate) fn agent(server: &FakeServer, pace: Pace) -> Agent<'static> {
    let enrolment = Enrolment {
        server: ServerUrl::parse(&server.url()).expect("a URL"),
        insecure_http: false,
        agent_id: AgentId::parse("test-1").expect("an id"),
        agent_token: Secret::new(TOKEN.to_owned()),
    };
    Agent { settings: Settings::default(), enrolment, pace, clock: &SystemClock }
}

/// Runs the agent until `stop`, which must come within a time that a busy machine needs, too.
pub(crate) async fn run(agent: Agent<'_>, state_dir: &Path, stop: impl Future<Output = ()>) {
    let limit = Duration::from_secs(90);
    let stop = async { tokio::time::timeout(limit, stop).await.expect("it comes to this in time") };
    agent.run(state_dir, stop).await.expect("works");
}

pub(crate) fn spool(state_dir: &Path) -> Spool {
    let bounds = SpoolBounds::of(Settings::default().spool.max_bytes);
    Spool::open(&state_dir.join("spool"), bounds).expect("opened")
}

pub(crate) fn counts(state_dir: &Path) -> SpoolCounts {
    spool(state_dir).counts()
}

/// Rows of the past that wait: every tenth is a traceroute, every hundredth a speed test.
pub(crate) fn fill(state_dir: &Path, numbers: std::ops::Range<i64>) {
    let mut spool = spool(state_dir);
    for number in numbers {
        spool.append(&row(number)).expect("appended");
    }
}

pub(crate) fn row(number: i64) -> Row {
    let timestamp = Timestamp::from_seconds(1_700_000_000 + number);
    let kind = match number {
        number if number % 100 == 99 => RowKind::Speedtest,
        number if number % 10 == 9 => RowKind::Traceroute,
        _ => RowKind::Metric,
    };
    let json = format!("{{\"id\":\"{number}\",\"timestamp\":\"{timestamp}\"}}");
    Row { kind, timestamp, json: json.into_bytes() }
}
