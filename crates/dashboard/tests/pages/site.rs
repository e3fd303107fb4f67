use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::{App, test, web};
use astranetmon_auth::{Access, Ingest, NewSession, Operator, Scope, SessionToken};
use astranetmon_dashboard::{DashboardState, dashboard};
use astranetmon_domain::{
    Account, AgentFacts, AgentId, Hop, ManualClock, MetricSample, Plan, Speedtest, SpeedtestId, SpeedtestStatus,
    Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus, UserRole,
};
use astranetmon_http::{ApiSettings, ApiState};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::{NewAgent, NewUser, Storage};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;
use tempfile::TempDir;
use uuid::Uuid;

const OPERATOR: Operator = Operator::new("test");

/// 2026-11-23T11:27:00Z
pub(crate) const NOW: Timestamp = Timestamp::from_seconds(1_795_433_220);
/// What a browser that opens a page sends.
pub(crate) const PAGE: &str = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8";
/// What the pages' scripts send.
pub(crate) const DATA: &str = "application/json";

/// A dashboard with two accounts, each with an owner who has signed in.
pub(crate) struct Site {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) own: Tenant,
    pub(crate) other: Tenant,
    state: web::Data<DashboardState>,
    _folder: TempDir,
}

/// An account and the cookie of its owner.
pub(crate) struct Tenant {
    pub(crate) account: Account,
    pub(crate) cookie: String,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).expect("UTF-8")
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("ASCII"))
    }
}

impl Site {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = SqliteSettings::new(folder.path().join("astranetmon.sqlite"));
        SqliteStorage::migrate(&settings).expect("migrated");
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&settings).expect("open"));
        let clock = Arc::new(ManualClock::new(NOW));
        let api = ApiState::new(storage.clone(), clock, ApiSettings::default()).await.expect("state");
        let state = web::Data::new(DashboardState::new(web::Data::new(api), None));
        let (own, other) = (tenant(&storage, "own").await, tenant(&storage, "other").await);
        Self { storage, own, other, state, _folder: folder }
    }

    /// A GET with a cookie, or without one.
    pub(crate) async fn get(&self, path: &str, accept: &str, cookie: Option<&str>) -> Answer {
        let app = test::init_service(App::new().configure(dashboard(self.state.clone()))).await;
        let mut request = test::TestRequest::get().uri(path).insert_header((header::ACCEPT, accept));
        if let Some(cookie) = cookie {
            request = request.insert_header((header::COOKIE, cookie));
        }
        let response = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: test::read_body(response).await.to_vec() }
    }

    /// A page, as the owner of the first account opens it.
    pub(crate) async fn page(&self, path: &str) -> Answer {
        self.get(path, PAGE, Some(&self.own.cookie)).await
    }

    /// Data, as a page of the first account's owner asks for it.
    pub(crate) async fn data(&self, path: &str) -> Answer {
        self.get(path, DATA, Some(&self.own.cookie)).await
    }
}

impl Tenant {
    pub(crate) fn scope<A: Access>(&self) -> Scope<A> {
        Scope::system(self.account.id, "test")
    }

    /// Adds an agent that was seen just now.
    pub(crate) async fn add_agent(&self, storage: &Arc<dyn Storage>, id: &str) -> AgentId {
        self.add(storage, new_agent(id)).await
    }

    pub(crate) async fn add(&self, storage: &Arc<dyn Storage>, agent: NewAgent) -> AgentId {
        let scope = self.scope::<Ingest>();
        storage.agent_upsert(&scope, &agent, NOW).await.expect("stored");
        storage.agent_seen(&scope, &agent.id, NOW).await.expect("seen");
        agent.id
    }

    pub(crate) async fn append_metrics(&self, storage: &Arc<dyn Storage>, samples: Vec<MetricSample>) {
        storage.metric_append(&self.scope(), samples, NOW).await.expect("appended");
    }

    pub(crate) async fn append_speedtests(&self, storage: &Arc<dyn Storage>, tests: Vec<Speedtest>) {
        storage.speedtest_append(&self.scope(), tests, NOW).await.expect("appended");
    }

    pub(crate) async fn append_traceroutes(&self, storage: &Arc<dyn Storage>, traces: Vec<Traceroute>) {
        storage.traceroute_append(&self.scope(), traces, NOW).await.expect("appended");
    }
}

async fn tenant(storage: &Arc<dyn Storage>, name: &str) -> Tenant {
    let account_name = name.parse().expect("a name");
    let account = storage.account_create(&OPERATOR, &account_name, Plan::Enterprise, NOW).await.expect("made");
    let user = NewUser { email: format!("{name}@example.com").parse().expect("an address"), role: UserRole::Owner };
    let user = storage.user_create(&Scope::system(account.id, "test"), &user, NOW).await.expect("made");
    let seed = u64::try_from(account.id.0).expect("positive");
    let token = SessionToken::generate(&mut StdRng::seed_from_u64(seed));
    let session = NewSession { hash: token.hash(), user_id: user.id, address: None, user_agent: None };
    storage.session_create(&OPERATOR, &session, NOW).await.expect("made").expect("a person");
    Tenant { account, cookie: format!("__Host-astra_session={}", token.reveal()) }
}

pub(crate) fn new_agent(id: &str) -> NewAgent {
    NewAgent {
        id: AgentId::parse(id).expect("an id"),
        facts: AgentFacts { hostname: format!("host-{id}"), interval_seconds: Some(60), ..AgentFacts::default() },
        name: None,
        public_ip: None,
        labels: BTreeMap::from([("site".to_owned(), "ber".to_owned())]),
    }
}

pub(crate) fn speedtest(agent_id: &AgentId, number: u128, at: Timestamp) -> Speedtest {
    Speedtest {
        id: SpeedtestId(Uuid::from_u128(number)),
        agent_id: agent_id.clone(),
        timestamp: at,
        status: SpeedtestStatus::Completed,
        error: None,
        provider: None,
        download_mbps: Some(941.0),
        upload_mbps: Some(101.0),
        download_bytes: None,
        upload_bytes: None,
        ping_ms: Some(3.5),
        jitter_ms: None,
        packet_loss_percent: None,
        loaded_latency_ms: None,
        server_name: None,
        server_host: None,
        server_location: None,
        isp: None,
        external_ip: None,
        interface_name: None,
        duration_ms: None,
        result_url: None,
    }
}

/// `path` has a last octet for each hop, 0 for a silent one.
pub(crate) fn traceroute(agent_id: &AgentId, number: u128, at: Timestamp, path: &[u8]) -> Traceroute {
    let hop = |(ttl, &octet): (u8, &u8)| Hop {
        ttl,
        ip: (octet != 0).then(|| format!("192.0.2.{octet}")),
        hostname: None,
        asn: (octet != 0).then_some(64_500),
        as_name: None,
        rtt_min_ms: (octet != 0).then_some(1.0),
        rtt_avg_ms: (octet != 0).then_some(2.0),
        rtt_max_ms: (octet != 0).then_some(4.0),
        sent_count: 3,
        received_count: if octet == 0 { 0 } else { 3 },
        packet_loss_percent: Some(if octet == 0 { 100.0 } else { 0.0 }),
    };
    Traceroute {
        id: TracerouteId(Uuid::from_u128(number)),
        agent_id: agent_id.clone(),
        timestamp: at,
        target: "example.com".to_owned(),
        target_ip: Some("192.0.2.9".to_owned()),
        ip_version: Some(4),
        protocol: TracerouteProtocol::Icmp,
        status: TracerouteStatus::Completed,
        error: None,
        reached: true,
        rtt_ms: Some(2.0),
        packet_loss_percent: Some(0.0),
        path_changed: None,
        duration_ms: None,
        hops: (1..).zip(path).map(hop).collect(),
    }
}

/// A string of a page without its markup's line breaks.
pub(crate) fn squeezed(html: &str) -> String {
    html.split_whitespace().collect::<Vec<_>>().join(" ")
}
