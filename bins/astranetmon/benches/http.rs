//! The API against a prepared body of the same size from the same server, on loopback, with authentication and limits
//! on. Needs `wrk`. Ratios of one run are what counts; times depend on the machine.
//!
//! `cargo bench --package astranetmon --bench http [-- SECONDS]`

use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use actix_web::web::{self, Bytes};
use actix_web::{HttpResponse, rt};
use astranetmon::server::{self, ServerSettings};
use astranetmon_auth::{ApiKey, Ingest, ManageAccount, NewApiKey, Operator, PermissionSet, Scope};
use astranetmon_dashboard::DashboardState;
use astranetmon_domain::{AgentFacts, AgentId, Clock, MetricSample, Plan, SystemClock, Timestamp};
use astranetmon_http::{ApiSettings, ApiState};
use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::testing::OwnCluster;
use astranetmon_storage::{NewAgent, RetentionCursor, Storage};
use rand::SeedableRng;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AGENTS: i64 = 5;
const SAMPLES: i64 = 20_000;
const ROUNDS: usize = 3;

/// Name, path, connections, and the promise: at least this ratio of requests a second, or at most this multiple of
/// the prepared body's time.
type Case = (&'static str, &'static str, u32, &'static str);

const CASES: [Case; 5] = [
    ("agents, 5 rows", "/api/v1/agents", 16, "≥ 0.50 on SQLite"),
    ("newest 100 of an agent", "/api/v1/metrics?agent_id=agent-1&limit=100", 16, "≥ 0.12 on SQLite"),
    (
        "10,000 of an agent in a range",
        "/api/v1/metrics?agent_id=agent-1&start_date=RANGE&limit=10000",
        1,
        "≤ 8 ×, 12 ×",
    ),
    (
        "10,000 of an agent, sealed",
        "/api/v1/metrics?agent_id=agent-1&start_date=-1100000s&end_date=-500000s&limit=10000",
        1,
        "≤ 3 ×, 4 ×",
    ),
    ("newest 10,000 of the account", "/api/v1/metrics?limit=10000", 1, ""),
];

static PREPARED: OnceLock<HashMap<String, Bytes>> = OnceLock::new();

fn mount_prepared(services: &mut web::ServiceConfig) {
    services.service(web::resource("/prepared/{case}").to(async |case: web::Path<String>| {
        let body = PREPARED.get().and_then(|bodies| bodies.get(case.as_str())).cloned();
        body.map_or_else(
            || HttpResponse::NotFound().finish(),
            |body| HttpResponse::Ok().content_type("application/json; charset=utf-8").body(body),
        )
    }));
}

fn main() {
    let seconds = std::env::args().filter_map(|argument| argument.parse().ok()).next().unwrap_or(4);
    if Command::new("wrk").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("this benchmark needs wrk: apt-get install wrk");
        return;
    }
    // The client is built for TLS without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    rt::System::new().block_on(run(seconds));
}

async fn run(seconds: u32) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.sqlite3");
    let settings = SqliteSettings::new(&path);
    SqliteStorage::migrate(&settings).expect("a schema");
    let sqlite: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&settings).expect("a database"));
    let cluster = OwnCluster::start();
    let settings = PostgresSettings::new(cluster.url());
    PostgresStorage::migrate(&settings).await.expect("a schema");
    let postgres: Arc<dyn Storage> = Arc::new(PostgresStorage::connect(&settings).await.expect("a database"));

    let mut servers = Vec::new();
    for storage in [sqlite, postgres] {
        let key = load(&storage).await;
        let state = ApiState::new(Arc::clone(&storage), Arc::new(SystemClock), ApiSettings::default()).await;
        let state = web::Data::new(state.expect("a state"));
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = ServerSettings { extra: Some(mount_prepared), ..ServerSettings::plain(listen) };
        servers.push((
            storage.kind(),
            server::start(settings, DashboardState::new(state, None)).await.expect("a server"),
            key,
            storage,
        ));
    }
    prepare(&servers[0].1.addr, servers[0].2.reveal()).await;

    println!(
        "{:<10} {:<30} {:>9} {:>9} {:>7} {:>9} {:>9} {:>7}  promise",
        "database", "case", "prepared/s", "api/s", "ratio", "p50 ms", "p99 ms", "time ×"
    );
    for (kind, server, key, _) in &servers {
        for (index, (name, path, connections, promise)) in CASES.iter().enumerate() {
            let url = format!("http://{}{}", server.addr, with_range(path));
            let prepared = format!("http://{}/prepared/{index}", server.addr);
            let (mut limits, mut apis) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                limits.push(load_with_wrk(&prepared, key.reveal(), *connections, seconds).await);
                apis.push(load_with_wrk(&url, key.reveal(), *connections, seconds).await);
            }
            let (limit, api) = (median(limits), median(apis));
            println!(
                "{kind:<10} {name:<30} {:>9.0} {:>9.0} {:>7.2} {:>9.2} {:>9.2} {:>7.1}  {promise}",
                limit.per_second,
                api.per_second,
                api.per_second / limit.per_second,
                api.p50_ms,
                api.p99_ms,
                api.p50_ms / limit.p50_ms,
            );
        }
    }
    for (_, server, _, storage) in servers {
        server.stop().await;
        storage.close().await;
    }
    start_and_rest(&path).await;
}

/// Five agents with their metrics, at one a minute; the key of their account.
async fn load(storage: &Arc<dyn Storage>) -> ApiKey {
    let now = SystemClock.now();
    let operator = Operator::new("benchmark");
    let name = "benchmark".parse().expect("a name");
    let account = storage.account_create(&operator, &name, Plan::Enterprise, now).await.expect("an account");
    let key = ApiKey::generate(&mut rand::rngs::StdRng::seed_from_u64(1));
    let new = NewApiKey {
        hash: key.hash(),
        hint: key.hint(),
        name: "benchmark".to_owned(),
        permissions: PermissionSet::ALL,
        expires_at: None,
    };
    let manage: Scope<ManageAccount> = Scope::system(account.id, "benchmark");
    storage.api_key_create(&manage, &new, now).await.expect("a key");
    let ingest: Scope<Ingest> = Scope::system(account.id, "benchmark");
    for number in 0..AGENTS {
        let id = AgentId::parse(&format!("agent-{number}")).expect("an id");
        let agent = NewAgent {
            id: id.clone(),
            facts: AgentFacts {
                hostname: format!("host-{number}"),
                os: Some("Debian GNU/Linux".to_owned()),
                interval_seconds: Some(60),
                ..AgentFacts::default()
            },
            name: None,
            public_ip: Some("192.0.2.1".to_owned()),
            labels: [("site".to_owned(), "ber".to_owned())].into(),
        };
        storage.agent_upsert(&ingest, &agent, now).await.expect("an agent");
        storage.agent_seen(&ingest, &id, now).await.expect("an agent");
    }
    // Interleaved by agent, as reports arrive.
    let rows: Vec<MetricSample> =
        (0..SAMPLES).flat_map(|minute| (0..AGENTS).map(move |agent| sample(agent, minute, now))).collect();
    for batch in rows.chunks(5_000) {
        storage.metric_append(&ingest, batch.to_vec(), now).await.expect("metrics");
    }
    seal(storage, &operator, now).await;
    key
}

/// What the service does in the background: finished samples become chunks.
async fn seal(storage: &Arc<dyn Storage>, operator: &Operator, now: Timestamp) {
    let (begun_at, mut longest, mut sealed) = (Instant::now(), Duration::ZERO, 0);
    let ttl = Duration::from_secs(600);
    let lease = storage.lease_acquire(operator, "retention", "benchmark", ttl, now).await.expect("asked");
    let lease = lease.expect("free");
    let mut next = Some(RetentionCursor::default());
    while let Some(cursor) = next {
        let step_at = Instant::now();
        let step = storage.retention_step(&lease, &cursor, now).await.expect("a step");
        longest = longest.max(step_at.elapsed());
        sealed += step.gone.samples_sealed;
        next = step.next;
    }
    storage.lease_release(&lease).await.expect("given back");
    let kind = storage.kind();
    println!("{kind}: sealed {sealed} samples in {:?}, the longest step {longest:?}", begun_at.elapsed());
}

/// All 28 fields known, with values of the size that real ones have.
fn sample(agent: i64, minute: i64, now: Timestamp) -> MetricSample {
    let id = AgentId::parse(&format!("agent-{agent}")).expect("an id");
    let wave = ((minute * 37 + agent * 11) % 9_973) as f64;
    MetricSample {
        interval_seconds: Some(60),
        cpu_percent: Some(wave / 100.0),
        load_1: Some(wave / 2_000.0),
        load_5: Some(1.25),
        load_15: Some(0.98),
        memory_total_bytes: Some(17_179_869_184),
        memory_used_bytes: Some(8_000_000_000 + minute * 4_096),
        memory_percent: Some(46.57),
        swap_total_bytes: Some(4_294_967_296),
        swap_used_bytes: Some(202_719_232),
        disk_total_bytes: Some(171_798_691_840),
        disk_used_bytes: Some(54_946_668_544 + minute * 512),
        disk_percent: Some(31.98),
        disk_read_bytes_per_second: Some(265_306 + minute),
        disk_write_bytes_per_second: Some(1_103_589 + minute),
        network_receive_bytes_per_second: Some(1_582_386 + minute),
        network_transmit_bytes_per_second: Some(7_081_432 + minute),
        network_receive_bytes_total: Some(49_449_278_003_414 + minute * 95_000_000),
        network_transmit_bytes_total: Some(230_764_203_305_423 + minute * 424_000_000),
        network_errors_count: Some(0),
        latency_ms: Some(wave / 700.0),
        jitter_ms: Some(0.31),
        packet_loss_percent: Some(0.0),
        temperature_celsius: Some(45.5),
        process_count: Some(184),
        uptime_seconds: Some(54_946_139 + minute * 60),
        ..MetricSample::new(id, now.plus_seconds((minute - SAMPLES) * 60))
    }
    .normalized()
}

/// A range that holds 10,000 samples of an agent, cut within an hour at its start.
fn with_range(path: &str) -> String {
    path.replace("RANGE", "-600000s")
}

/// Keeps the API's own answers as the prepared bodies.
async fn prepare(addr: &SocketAddr, key: &str) {
    let client = reqwest::Client::new();
    let mut bodies = HashMap::new();
    for (index, (name, path, ..)) in CASES.iter().enumerate() {
        let answer = client.get(format!("http://{addr}{}", with_range(path))).bearer_auth(key).send().await;
        let answer = answer.expect("an answer").error_for_status().expect("a success");
        let body = answer.bytes().await.expect("a body");
        println!("{name}: {} bytes", body.len());
        bodies.insert(index.to_string(), body);
    }
    PREPARED.set(bodies).expect("set once");
}

#[derive(Clone, Copy)]
struct Load {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

fn median(mut loads: Vec<Load>) -> Load {
    loads.sort_by(|a, b| a.per_second.total_cmp(&b.per_second));
    loads[loads.len() / 2]
}

async fn load_with_wrk(url: &str, key: &str, connections: u32, seconds: u32) -> Load {
    let threads = connections.min(2).to_string();
    let mut wrk = Command::new("wrk");
    wrk.args(["-t", &threads, "-c", &connections.to_string(), "-d", &format!("{seconds}s"), "--latency"]).args([
        "-H",
        &format!("Authorization: Bearer {key}"),
        url,
    ]);
    let output = web::block(move || wrk.output()).await.expect("a thread").expect("wrk runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!text.contains("Non-2xx"), "{text}");
    let after = |label: &str| {
        let line =
            text.lines().map(str::trim).find_map(|line| line.strip_prefix(label)).unwrap_or_else(|| panic!("{text}"));
        line.trim().to_owned()
    };
    Load {
        per_second: after("Requests/sec:").parse().expect("a number"),
        p50_ms: millis(&after("50%")),
        p99_ms: millis(&after("99%")),
    }
}

fn millis(text: &str) -> f64 {
    let (number, scale) = if let Some(number) = text.strip_suffix("us") {
        (number, 0.001)
    } else if let Some(number) = text.strip_suffix("ms") {
        (number, 1.0)
    } else {
        (text.strip_suffix('s').unwrap_or(text), 1_000.0)
    };
    number.parse::<f64>().expect("a number") * scale
}

/// How long the program takes from its start to being ready on the existing database, and its memory at rest.
async fn start_and_rest(path: &Path) {
    let listen = "127.0.0.1:18999";
    let started = Instant::now();
    let mut child = Command::new(env!("CARGO_BIN_EXE_astranetmon"))
        .args(["serve", "--listen", listen])
        .env("ASTRANETMON_DATABASE_URL", format!("sqlite://{}", path.display()))
        .env("ASTRANETMON_METRICS_LISTEN", "off")
        .stderr(Stdio::null())
        .spawn()
        .expect("the program starts");
    let client = reqwest::Client::new();
    let ready = loop {
        let answer = client.get(format!("http://{listen}/readyz")).send().await;
        if answer.is_ok_and(|answer| answer.status().is_success()) {
            break started.elapsed();
        }
        assert!(started.elapsed() < Duration::from_secs(20), "not ready");
        rt::time::sleep(Duration::from_millis(2)).await;
    };
    rt::time::sleep(Duration::from_secs(2)).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", child.id())).unwrap_or_default();
    let resident = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("?").trim().to_owned();
    println!("start to ready: {} ms (promise: 200), idle memory: {resident} (promise: 40 MB)", ready.as_millis());
    let _ = child.kill();
    let _ = child.wait();
}
