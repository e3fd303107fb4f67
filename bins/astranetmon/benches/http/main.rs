//! The API against a prepared body of the same size from the same server, on loopback, with authentication and limits
//! on, and against plain SQL in the same database. Needs `wrk`. Ratios of one run are what counts; times depend on the
//! machine.
//!
//! `cargo bench --package astranetmon --bench http [-- SECONDS [SAMPLES]]`: for how long each case is asked (4), and how
//! many samples each of 200 agents has (50,000).

#[path = "../samples/mod.rs"]
mod samples;
mod victoria;

use std::collections::HashMap;
use std::fmt::Write as _;
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
use diesel::connection::SimpleConnection;
use diesel::prelude::*;
use futures_util::SinkExt;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio_postgres::NoTls;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const AGENTS: i64 = 200;
/// Of the account that is asked as a whole.
const SMALL_AGENTS: i64 = 20;
const SMALL_SAMPLES: i64 = 2_000;
/// So many agents have plain rows for SQL to read; what SQL takes for all is taken to be in proportion.
const PLAIN_AGENTS: i64 = 20;
const ROUNDS: usize = 3;
const DAY: i64 = 86_400;

/// A question, asked of both databases.
struct Case {
    name: &'static str,
    /// Asked in turn at random.
    paths: Vec<String>,
    connections: u32,
    /// Whose key is used.
    small: bool,
    promise: &'static str,
}

fn cases(samples: i64) -> Vec<Case> {
    let mut random = StdRng::seed_from_u64(1);
    let agent = |random: &mut StdRng| random.random_range(0..AGENTS);
    let case = |name, path: &str, connections, promise| Case {
        name,
        paths: vec![path.to_owned()],
        connections,
        small: false,
        promise,
    };
    let window = |random: &mut StdRng| {
        // Ends before what is not sealed yet.
        let end = random.random_range(2 * DAY..(samples - 10_000) * 60);
        let (start, agent) = (end + 600_000, agent(random));
        format!("/api/v1/metrics?agent_id=agent-{agent}&start_date=-{start}s&end_date=-{end}s&limit=10000")
    };
    let windows: Vec<String> = (0..500).map(|_| window(&mut random)).collect();
    let newest = (0..AGENTS).map(|agent| format!("/api/v1/metrics?agent_id=agent-{agent}&limit=10000")).collect();
    let newest_100 = (0..AGENTS).map(|agent| format!("/api/v1/metrics?agent_id=agent-{agent}&limit=100")).collect();
    // More questions than answers are kept.
    let begun = (0..20_000).map(|number| {
        let (start, agent) = (2 * DAY + number, agent(&mut random));
        format!("/api/v1/metrics?agent_id=agent-{agent}&start_date=-{start}0s&limit=100")
    });
    let newest_100_begun: Vec<String> = begun.collect();
    vec![
        Case { small: true, ..case("20 agents", "/api/v1/agents", 16, "≥ 0.50 on SQLite") },
        case("10,000 of an agent", &windows[0], 1, "≤ 3 ×, 4 ×"),
        Case { small: true, ..case("10,000 of 20 agents", "/api/v1/metrics?limit=10000", 1, "≤ 5 ×, 6 ×") },
        Case { paths: windows, ..case("10,000, random windows", "", 4, "≥ 0.45, 0.15") },
        Case { paths: newest, ..case("10,000 newest, any agent", "", 4, "≥ 0.70, 0.60") },
        Case { paths: newest_100, ..case("100 newest, any agent", "", 16, "≥ 0.50, 0.25") },
        Case { paths: newest_100_begun, ..case("100 newest, none is kept", "", 16, "") },
    ]
}

static PREPARED: OnceLock<HashMap<String, Bytes>> = OnceLock::new();

fn mount_prepared(services: &mut web::ServiceConfig) {
    services.service(web::resource("/prepared/{case}").to(async |case: web::Path<String>| {
        let body = PREPARED.get().and_then(|bodies| bodies.get(case.as_str())).cloned();
        body.map_or_else(
            || HttpResponse::Ok().finish(),
            |body| HttpResponse::Ok().content_type("application/json; charset=utf-8").body(body),
        )
    }));
}

fn main() {
    astranetmon::keep_small_pages();
    let mut numbers = std::env::args().filter_map(|argument| argument.parse().ok());
    let (seconds, samples) = (numbers.next().unwrap_or(4), numbers.next().unwrap_or(50_000));
    if Command::new("wrk").arg("-v").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        eprintln!("this benchmark needs wrk: apt-get install wrk");
        return;
    }
    // The client is built for TLS without a provider of its own.
    let _ = rustls::crypto::ring::default_provider().install_default();
    rt::System::new().block_on(run(seconds, samples.into()));
}

/// A database with the samples, and the server before it.
struct Served {
    storage: Arc<dyn Storage>,
    server: server::RunningServer,
    large: Vec<String>,
    small: String,
}

impl Served {
    async fn start(storage: Arc<dyn Storage>, samples: i64) -> Self {
        let begun_at = Instant::now();
        let small = load(&storage, "small", SMALL_AGENTS, SMALL_SAMPLES).await.remove(0);
        let large = load(&storage, "large", AGENTS, samples).await;
        println!("{}: loaded in {:?}", storage.kind(), begun_at.elapsed());
        let state = ApiState::new(Arc::clone(&storage), Arc::new(SystemClock), ApiSettings::default()).await;
        let state = web::Data::new(state.expect("a state"));
        let listen = SocketAddr::from(([127, 0, 0, 1], 0));
        let settings = ServerSettings { extra: Some(mount_prepared), ..ServerSettings::plain(listen) };
        let server = server::start(settings, DashboardState::new(state, None)).await.expect("a server");
        Self { storage, server, large, small }
    }

    fn kind(&self) -> &'static str {
        self.storage.kind()
    }

    fn url(&self, path: &str) -> String {
        format!("http://{}{path}", self.server.addr)
    }

    fn key(&self, case: &Case) -> &str {
        if case.small { &self.small } else { &self.large[0] }
    }
}

async fn run(seconds: u32, samples: i64) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bench.sqlite3");
    let settings = SqliteSettings::new(&path);
    SqliteStorage::migrate(&settings).expect("a schema");
    let sqlite: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&settings).expect("a database"));
    let cluster = OwnCluster::start();
    let settings = PostgresSettings::new(cluster.url());
    PostgresStorage::migrate(&settings).await.expect("a schema");
    let postgres: Arc<dyn Storage> = Arc::new(PostgresStorage::connect(&settings).await.expect("a database"));
    let served = [Served::start(sqlite, samples).await, Served::start(postgres, samples).await];
    // Else what was loaded is written to the disk while reads are measured.
    let (client, connection) = tokio_postgres::connect(cluster.url(), NoTls).await.expect("connected");
    rt::spawn(connection);
    for statement in ["VACUUM ANALYZE", "CHECKPOINT"] {
        client.batch_execute(statement).await.expect("at rest");
    }
    let cases = cases(samples);
    prepare(&served[0], &cases).await;

    println!(
        "{:<9} {:<26} {:>10} {:>8} {:>6} {:>9} {:>9} {:>7}  promise",
        "database", "case", "prepared/s", "api/s", "ratio", "p50 ms", "p99 ms", "time ×"
    );
    for served in &served {
        for (index, case) in cases.iter().enumerate() {
            let script = Script::of(&case.paths);
            let prepared = Script::of(&[format!("/prepared/{index}")]);
            let (mut limits, mut apis) = (Vec::new(), Vec::new());
            for _ in 0..ROUNDS {
                let key = served.key(case);
                limits.push(prepared.run(&served.url(""), Some(key), case.connections, seconds, &[]).await);
                apis.push(script.run(&served.url(""), Some(key), case.connections, seconds, &[]).await);
            }
            row(served.kind(), case.name, median(limits), median(apis), case.promise);
        }
        unchanged(served, seconds).await;
        against_sql(served, &path, cluster.url(), samples).await;
    }
    stored_bytes(&path, cluster.url(), samples).await;
    for served in &served {
        slow_readers(served).await;
    }
    victoria::compare(&served[0], seconds, samples).await;
    for Served { server, storage, .. } in served {
        server.stop().await;
        storage.close().await;
    }
    start_and_rest(&path).await;
}

fn row(kind: &str, name: &str, limit: Load, api: Load, promise: &str) {
    println!(
        "{kind:<9} {name:<26} {:>10.0} {:>8.0} {:>6.2} {:>9.2} {:>9.2} {:>7.1}  {promise}",
        limit.per_second,
        api.per_second,
        api.per_second / limit.per_second,
        api.p50_ms,
        api.p99_ms,
        api.p50_ms / limit.p50_ms,
    );
}

/// A 304 against an answer of nothing.
async fn unchanged(served: &Served, seconds: u32) {
    let path = "/api/v1/metrics?agent_id=agent-1&limit=10000";
    let answer = reqwest::Client::new().get(served.url(path)).bearer_auth(&served.large[0]).send().await;
    let tag = answer.expect("an answer").headers()["etag"].to_str().expect("ASCII").to_owned();
    let (mut limits, mut apis) = (Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let nothing = Script::of(&["/prepared/nothing".to_owned()]);
        let (url, key) = (served.url(""), Some(served.large[0].as_str()));
        limits.push(nothing.run(&url, key, 16, seconds, &[]).await);
        let header = format!("If-None-Match: {tag}");
        apis.push(Script::of(&[path.to_owned()]).run(&url, key, 16, seconds, &[&header]).await);
    }
    row(served.kind(), "304", median(limits), median(apis), "≥ 0.70, 0.40");
}

/// Answers that SQL gives too, from plain rows in the same database.
async fn against_sql(served: &Served, file: &Path, url: &str, samples: i64) {
    let now = SystemClock.now();
    let start = now.plus_seconds(-30 * DAY).as_micros();
    let fields: String = astranetmon_domain::METRIC_FIELDS.iter().fold(String::new(), |mut list, field| {
        write!(list, ", avg({}), min({0}), max({0})", field.name).expect("a text");
        list
    });
    let hourly = |columns: &str, filter: &str| {
        format!(
            "SELECT agent_id, timestamp / 3600000000 AS hour, count(*){columns} FROM plain_sample \
             WHERE account_id = 1 AND {filter}timestamp >= {start} GROUP BY agent_id, timestamp / 3600000000"
        )
    };
    let scale = AGENTS as f64 / PLAIN_AGENTS as f64;
    let questions = [
        (
            "hourly avg, all, 1 agent",
            "/api/v1/metrics?interval=1h&agent_id=agent-1&start_date=-30d&limit=10000",
            hourly(&fields, "agent_id = 'agent-1' AND "),
            1.0,
            "≤ 0.10 ×, 0.05 ×",
        ),
        (
            "hourly avg, cpu, 200 agents",
            "/api/v1/metrics?interval=1h&fields=cpu_percent&start_date=-30d&limit=10000",
            hourly(", avg(cpu_percent)", ""),
            scale,
            "≤ 0.10 ×, 0.05 ×",
        ),
        (
            "total of 30 days",
            "/api/v1/metrics?start_date=-30d&limit=1",
            format!("SELECT count(*) FROM plain_sample WHERE account_id = 1 AND timestamp >= {start}"),
            scale,
            "≤ 0.05 ×",
        ),
    ];
    let mut rows = match served.kind() {
        "sqlite" => PlainRows::in_sqlite(file, samples, now),
        _ => PlainRows::in_postgres(url, samples, now).await,
    };
    let client = reqwest::Client::new();
    for (name, path, question, scale, promise) in questions {
        let (mut api, mut plain) = (Vec::new(), Vec::new());
        for round in 0..ROUNDS {
            // Another limit each time, so that no answer is one that was kept.
            let path = path.replace("limit=1", &format!("limit=1{round}"));
            let begun_at = Instant::now();
            let answer = client.get(served.url(&path)).bearer_auth(&served.large[0]).send().await;
            let body = answer.expect("an answer").error_for_status().expect("a success").bytes().await;
            assert!(body.expect("a body").len() > 100);
            api.push(begun_at.elapsed());
            plain.push(rows.time(&question).await.mul_f64(scale));
        }
        api.sort_unstable();
        plain.sort_unstable();
        let (api, plain) = (api[ROUNDS / 2], plain[ROUNDS / 2]);
        println!(
            "{:<9} {name:<26} SQL {:>9.1} ms, api {:>8.1} ms, time × {:.3}  {promise}",
            served.kind(),
            plain.as_secs_f64() * 1_000.0,
            api.as_secs_f64() * 1_000.0,
            api.as_secs_f64() / plain.as_secs_f64(),
        );
    }
}

/// A table of plain rows, a column a field, with an index by agent and time.
fn plain_table(integer: &str, float: &str) -> String {
    let columns = astranetmon_domain::METRIC_FIELDS.iter().fold(String::new(), |mut list, field| {
        let kind = if field.decimals() == 0 { integer } else { float };
        write!(list, ", {} {kind}", field.name).expect("a text");
        list
    });
    format!(
        "CREATE TABLE plain_sample (account_id {integer} NOT NULL, agent_id TEXT NOT NULL, timestamp {integer} NOT NULL\
         {columns}, PRIMARY KEY (account_id, agent_id, timestamp));"
    )
}

/// Rows as text, with tabs between their values.
fn plain_rows(agent: i64, samples: i64, now: Timestamp) -> String {
    let mut text = String::new();
    for minute in (samples - 30 * 1_440).max(0)..samples {
        let row = sample(agent, minute, samples, now);
        write!(text, "1\tagent-{agent}\t{}", row.timestamp.as_micros()).expect("a text");
        for (field, value) in astranetmon_domain::METRIC_FIELDS.iter().zip(row.fixed_values()) {
            write!(text, "\t{}", value as f64 / field.scale()).expect("a text");
        }
        text.push('\n');
    }
    text
}

/// Plain rows in a database.
enum PlainRows {
    Sqlite(SqliteConnection),
    Postgres(tokio_postgres::Client),
}

impl PlainRows {
    /// Beside the file of the service, which has one writer.
    fn in_sqlite(file: &Path, samples: i64, now: Timestamp) -> Self {
        let plain = file.with_extension("plain");
        let mut connection = SqliteConnection::establish(&plain.display().to_string()).expect("a database");
        let setup = "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF; PRAGMA mmap_size = 8000000000;";
        connection.batch_execute(&format!("{setup} {}", plain_table("INTEGER", "REAL"))).expect("a table");
        for agent in 0..PLAIN_AGENTS {
            let rows = plain_rows(agent, samples, now);
            let lines: Vec<&str> = rows.lines().collect();
            for lines in lines.chunks(500) {
                let mut insert = "INSERT INTO plain_sample VALUES ".to_owned();
                for (place, line) in lines.iter().enumerate() {
                    let (account, rest) = line.split_once('\t').expect("values");
                    let (agent, rest) = rest.split_once('\t').expect("values");
                    let comma = if place > 0 { ", " } else { "" };
                    write!(insert, "{comma}({account}, '{agent}', {})", rest.replace('\t', ", ")).expect("a text");
                }
                connection.batch_execute(&insert).expect("rows");
            }
        }
        connection.batch_execute("PRAGMA wal_checkpoint(TRUNCATE); ANALYZE;").expect("done");
        Self::Sqlite(connection)
    }

    async fn in_postgres(url: &str, samples: i64, now: Timestamp) -> Self {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("connected");
        rt::spawn(connection);
        let table = plain_table("BIGINT", "DOUBLE PRECISION").replace("CREATE TABLE", "CREATE UNLOGGED TABLE");
        client.batch_execute(&table).await.expect("a table");
        for agent in 0..PLAIN_AGENTS {
            let sink = client.copy_in("COPY plain_sample FROM STDIN").await.expect("taken");
            let mut sink = std::pin::pin!(sink);
            sink.send(Bytes::from(plain_rows(agent, samples, now))).await.expect("taken");
            sink.close().await.expect("taken");
        }
        client.batch_execute("VACUUM ANALYZE plain_sample").await.expect("done");
        Self::Postgres(client)
    }

    /// How long a query takes. Every row of its answer is made.
    async fn time(&mut self, query: &str) -> Duration {
        let begun_at = Instant::now();
        match self {
            Self::Sqlite(connection) => connection.batch_execute(query).expect("an answer"),
            Self::Postgres(client) => drop(client.query(query, &[]).await.expect("an answer")),
        }
        begun_at.elapsed()
    }
}

/// What the samples take, with their indexes; room that is free to be used again is left out.
async fn stored_bytes(file: &Path, url: &str, samples: i64) {
    #[derive(QueryableByName)]
    struct Bytes {
        #[diesel(sql_type = diesel::sql_types::BigInt)]
        bytes: i64,
    }
    let all = (AGENTS * samples + SMALL_AGENTS * SMALL_SAMPLES) as f64;
    let mut connection = SqliteConnection::establish(&file.display().to_string()).expect("a database");
    let used = "SELECT (page_count - freelist_count) * page_size AS bytes \
                FROM pragma_page_count(), pragma_freelist_count(), pragma_page_size()";
    let used: Bytes = diesel::sql_query(used).get_result(&mut connection).expect("sizes");
    println!("sqlite    stored bytes a sample: {:.1} of the whole file  ≤ 40", used.bytes as f64 / all);
    let (client, connection) = tokio_postgres::connect(url, NoTls).await.expect("connected");
    rt::spawn(connection);
    for table in ["metric_sample", "record_count"] {
        client.batch_execute(&format!("VACUUM FULL {table}")).await.expect("vacuumed");
    }
    let sizes = "SELECT sum(pg_total_relation_size(c.oid))::float8 FROM pg_class c WHERE c.relkind = 'r' \
                 AND (c.relname LIKE 'metric_%' OR c.relname LIKE 'record_count%')";
    let bytes: f64 = client.query_one(sizes, &[]).await.expect("sizes").get(0);
    println!("postgres  stored bytes a sample: {:.1} of its tables, vacuumed  ≤ 45", bytes / all);
}

/// What 200 readers that do not read keep in memory.
async fn slow_readers(served: &Served) {
    use tokio::io::AsyncWriteExt;
    let before = resident("self");
    let mut readers = Vec::new();
    for number in 0..200 {
        let mut reader = tokio::net::TcpStream::connect(served.server.addr).await.expect("a connection");
        let head = format!(
            "GET /api/v1/metrics?agent_id=agent-{}&limit=10000 HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {}\r\n\r\n",
            number % AGENTS,
            served.large[number as usize % served.large.len()]
        );
        reader.write_all(head.as_bytes()).await.expect("sent");
        readers.push(reader);
    }
    rt::time::sleep(Duration::from_secs(4)).await;
    println!(
        "{:<9} 200 slow readers of limit=10000 with 4 keys: {} MiB above {} MiB  ≤ 256",
        served.kind(),
        (resident("self") - before) / 1_024,
        before / 1_024
    );
}

/// In kB.
fn resident(process: &str) -> i64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let kilobytes = status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    kilobytes.and_then(|kilobytes| kilobytes.parse().ok()).unwrap_or(0)
}

/// An account of agents with their metrics, at one a minute, sealed; some keys of it.
async fn load(storage: &Arc<dyn Storage>, name: &str, agents: i64, samples: i64) -> Vec<String> {
    let now = SystemClock.now();
    let operator = Operator::new("benchmark");
    let account = storage.account_create(&operator, &name.parse().expect("a name"), Plan::Enterprise, now).await;
    let account = account.expect("an account");
    let mut keys = Vec::new();
    for number in 0..4 {
        let key = ApiKey::generate(&mut StdRng::seed_from_u64(account.id.0.unsigned_abs() * 4 + number));
        let new = NewApiKey {
            hash: key.hash(),
            hint: key.hint(),
            name: format!("benchmark {number}"),
            permissions: PermissionSet::ALL,
            expires_at: None,
        };
        let manage: Scope<ManageAccount> = Scope::system(account.id, "benchmark");
        storage.api_key_create(&manage, &new, now).await.expect("a key");
        keys.push(key.reveal().to_owned());
    }
    let ingest: Scope<Ingest> = Scope::system(account.id, "benchmark");
    for number in 0..agents {
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
    // Of some agents at a time, so that few rows wait to be sealed.
    for agents in (0..agents).collect::<Vec<_>>().chunks(20) {
        for &agent in agents {
            let rows: Vec<MetricSample> = (0..samples).map(|minute| sample(agent, minute, samples, now)).collect();
            for batch in rows.chunks(5_000) {
                storage.metric_append(&ingest, batch.to_vec(), now).await.expect("metrics");
            }
        }
        seal(storage, &operator, now).await;
    }
    keys
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
    println!("{}: sealed {sealed} in {:?}, the longest step {longest:?}", storage.kind(), begun_at.elapsed());
}

fn sample(agent: i64, minute: i64, samples: i64, now: Timestamp) -> MetricSample {
    let id = AgentId::parse(&format!("agent-{agent}")).expect("an id");
    samples::sample(id, agent, minute, now.plus_seconds((minute - samples) * 60))
}

/// Keeps the API's own answers as the prepared bodies.
async fn prepare(served: &Served, cases: &[Case]) {
    let client = reqwest::Client::new();
    let mut bodies = HashMap::new();
    for (index, case) in cases.iter().enumerate() {
        let answer = client.get(served.url(&case.paths[0])).bearer_auth(served.key(case)).send().await;
        let answer = answer.expect("an answer").error_for_status().expect("a success");
        let body = answer.bytes().await.expect("a body");
        println!("{}: {} bytes", case.name, body.len());
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

/// What `wrk` asks for, in turn at random.
struct Script(tempfile::NamedTempFile);

impl Script {
    fn of(paths: &[String]) -> Self {
        use std::io::Write;
        let mut file = tempfile::Builder::new().suffix(".lua").tempfile().expect("a file");
        let list = paths.iter().map(|path| format!("{path:?}")).collect::<Vec<_>>().join(",\n");
        let text = format!(
            "local paths = {{\n{list}\n}}\nfunction request()\n  return wrk.format(\"GET\", paths[math.random(#paths)])\nend\n"
        );
        file.write_all(text.as_bytes()).expect("written");
        Self(file)
    }

    async fn run(&self, url: &str, key: Option<&str>, connections: u32, seconds: u32, headers: &[&str]) -> Load {
        let threads = connections.min(2).to_string();
        let mut wrk = Command::new("wrk");
        wrk.args(["-t", &threads, "-c", &connections.to_string(), "-d", &format!("{seconds}s"), "--latency", "-s"]);
        wrk.arg(self.0.path());
        let key = key.map(|key| format!("Authorization: Bearer {key}"));
        for header in headers.iter().copied().chain(key.as_deref()) {
            wrk.args(["-H", header]);
        }
        wrk.arg(url);
        let output = web::block(move || wrk.output()).await.expect("a thread").expect("wrk runs");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        // To wrk a 304 is no failure of its own.
        assert!(!text.contains("Non-2xx") || headers.iter().any(|header| header.starts_with("If-None")), "{text}");
        let after = |label: &str| {
            let line = text
                .lines()
                .map(str::trim)
                .find_map(|line| line.strip_prefix(label))
                .unwrap_or_else(|| panic!("{text}"));
            line.trim().to_owned()
        };
        Load {
            per_second: after("Requests/sec:").parse().expect("a number"),
            p50_ms: millis(&after("50%")),
            p99_ms: millis(&after("99%")),
        }
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
