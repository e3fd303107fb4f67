//! Instructions that an answer costs in this process, counted by valgrind: the same whatever else the machine does.
//! Needs `valgrind`. Of the program's own code only: no network, SQLite, one worker.
//!
//! `cargo bench --package astranetmon --bench instructions`

#[path = "samples/mod.rs"]
mod samples;

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{App, rt, test};
use astranetmon_auth::{ApiKey, Ingest, ManageAccount, NewApiKey, Operator, PermissionSet, Scope};
use astranetmon_domain::{AgentFacts, AgentId, Clock, MetricSample, Plan, SystemClock};
use astranetmon_http::{ApiSettings, ApiState};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::{
    AccountRepository, AgentRepository, ApiKeyRepository, LeaseRepository, Maintenance, MetricRepository, NewAgent,
    RetentionCursor, RetentionJob, Storage,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

const AGENTS: i64 = 20;
const SAMPLES: i64 = 12_000;
/// Requests beside the first, which fills what is kept.
const REQUESTS: u64 = 16;

const CASES: [(&str, &str); 6] = [
    ("10,000 of an agent, sealed", "metrics?agent_id=agent-1&end_date=-2d&limit=10000"),
    ("10,000 of 20 agents", "metrics?limit=10000"),
    ("100 newest of an agent", "metrics?agent_id=agent-1&limit=100"),
    ("hourly avg of an agent, all", "metrics?agent_id=agent-1&interval=1h&start_date=-8d&limit=10000"),
    ("hourly p95 of all, one field", "metrics?interval=1h&start_date=-8d&agg=p95&group_by=none&fields=cpu_percent"),
    ("20 agents, kept", "agents"),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with("--")).collect();
    if let [file, path, requests] = arguments.as_slice() {
        let requests = requests.parse().expect("a number");
        rt::System::new().block_on(ask(Path::new(file), path, requests));
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("bench.sqlite3");
    rt::System::new().block_on(load(&file));
    println!("{:<30} {:>14}", "case", "instructions");
    for (name, path) in CASES {
        let [once, more] = [1, 1 + REQUESTS].map(|requests| counted(&file, path, requests));
        println!("{name:<30} {:>14}", (more - once) / REQUESTS);
    }
}

/// The instructions of a process that asks so often.
fn counted(file: &Path, path: &str, requests: u64) -> u64 {
    let program = std::env::current_exe().expect("this program");
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .args([program.as_os_str(), file.as_os_str()])
        .args([path, &requests.to_string()])
        .output()
        .expect("valgrind runs: apt-get install valgrind");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    let collected = told.lines().find_map(|line| line.split_once("Collected : ")).unwrap_or_else(|| panic!("{told}"));
    collected.1.trim().parse().expect("a number")
}

fn key() -> ApiKey {
    ApiKey::generate(&mut StdRng::seed_from_u64(1))
}

async fn ask(file: &Path, path: &str, requests: u64) {
    let settings = SqliteSettings { readers: 1, ..SqliteSettings::new(file) };
    let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&settings).expect("a database"));
    let state = ApiState::new(storage, Arc::new(SystemClock), ApiSettings::default()).await.expect("a state");
    let app = test::init_service(App::new().service(astranetmon_http::api(Data::new(state)))).await;
    for number in 0..requests {
        // Of another agent each time, so that an answer is kept where that is what is counted.
        let path = path.replace("agent-1", &format!("agent-{}", number % AGENTS.unsigned_abs()));
        let request = test::TestRequest::get()
            .uri(&format!("/api/v1/{path}"))
            .insert_header(("Authorization", format!("Bearer {}", key().reveal())));
        let response = test::call_service(&app, request.to_request()).await;
        assert!(response.status().is_success(), "{path}: {}", response.status());
        assert!(test::read_body(response).await.len() > 1_000, "{path}");
    }
}

async fn load(file: &Path) {
    let settings = SqliteSettings::new(file);
    SqliteStorage::migrate(&settings).expect("a schema");
    let storage = SqliteStorage::open(&settings).expect("a database");
    let (now, operator) = (SystemClock.now(), Operator::new("benchmark"));
    let name = "benchmark".parse().expect("a name");
    let account = storage.account_create(&operator, &name, Plan::Enterprise, now).await.expect("an account");
    let (hash, hint) = (key().hash(), key().hint());
    let new = NewApiKey { hash, hint, name: "benchmark".to_owned(), permissions: PermissionSet::ALL, expires_at: None };
    let manage: Scope<ManageAccount> = Scope::system(account.id, "benchmark");
    storage.api_key_create(&manage, &new, now).await.expect("a key");
    let ingest: Scope<Ingest> = Scope::system(account.id, "benchmark");
    for number in 0..AGENTS {
        let id = AgentId::parse(&format!("agent-{number}")).expect("an id");
        let facts = AgentFacts { hostname: format!("host-{number}"), ..AgentFacts::default() };
        let agent = NewAgent { id: id.clone(), facts, name: None, public_ip: None, labels: [].into() };
        storage.agent_upsert(&ingest, &agent, now).await.expect("an agent");
        let at = |minute: i64| now.plus_seconds((minute - SAMPLES) * 60);
        let rows: Vec<MetricSample> =
            (0..SAMPLES).map(|minute| samples::sample(id.clone(), number, minute, at(minute))).collect();
        for batch in rows.chunks(4_000) {
            storage.metric_append(&ingest, batch.to_vec(), now).await.expect("metrics");
        }
    }
    let ttl = std::time::Duration::from_secs(600);
    let lease = storage.lease_acquire(&operator, "retention", "benchmark", ttl, now).await.expect("asked");
    let (lease, mut next) = (lease.expect("free"), Some(RetentionCursor::default()));
    while let Some(cursor) = next {
        next = storage.retention_step(&lease, &cursor, now).await.expect("a step").next;
    }
    storage.close().await;
}
