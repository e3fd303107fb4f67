use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::dev::Service;
use actix_web::http::StatusCode;
use actix_web::http::header::HeaderMap;
use actix_web::web::Data;
use actix_web::{App, HttpMessage, test, web};
use astranetmon_auth::{ApiKeyRecord, Ingest, KeyHint, KeyPrincipal, PermissionSet, Principal, Scope};
use astranetmon_domain::{
    AccountId, Agent, AgentFacts, AgentId, ApiKeyId, Clock, Hop, ManualClock, MetricSample, Plan, QuotaWindowId,
    Speedtest, SpeedtestId, SpeedtestStatus, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus,
};
use astranetmon_ratelimit::Quota;
use astranetmon_storage::{MetricRepository, SpeedtestRepository, TracerouteRepository};
use serde_json::Value;
use uuid::Uuid;

use super::FakeStorage;
use crate::endpoints::{PREFIX, configure};
use crate::quota_extension::CurrentQuota;
use crate::{ApiSettings, ApiState};

/// The endpoints over a [`FakeStorage`], called as a principal that the test names.
pub(crate) struct TestApi {
    pub(crate) state: Data<ApiState>,
    pub(crate) storage: Arc<FakeStorage>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) now: Timestamp,
}

/// What came back.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("JSON")
    }

    /// The sentence of a failure.
    pub(crate) fn error(&self) -> String {
        self.json()["error"].as_str().expect("a sentence").to_owned()
    }

    /// Path and query of the next page.
    pub(crate) fn next(&self) -> Option<String> {
        let link = self.headers.get("Link")?.to_str().expect("ASCII");
        let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        Some(target.expect("one link to the next page").to_owned())
    }
}

/// A key of an account on the Professional plan; the key's id is the account's.
pub(crate) fn key_principal(account_id: i64, permissions: PermissionSet) -> Principal {
    Principal::Key(Arc::new(KeyPrincipal {
        key: ApiKeyRecord {
            id: ApiKeyId(account_id),
            account_id: AccountId(account_id),
            window_id: QuotaWindowId(account_id),
            name: "test".to_owned(),
            hint: KeyHint::from_stored("a1B2".to_owned()),
            permissions,
            created_at: Timestamp::from_seconds(1_700_000_000),
            expires_at: None,
            last_used_at: Some(Timestamp::from_seconds(1_700_000_100)),
            revoked_at: None,
        },
        plan: Plan::Professional,
    }))
}

impl TestApi {
    pub(crate) async fn new() -> Self {
        Self::with_settings(ApiSettings::default()).await
    }

    pub(crate) async fn with_settings(settings: ApiSettings) -> Self {
        let now = Timestamp::from_seconds(1_795_433_218);
        let (storage, clock) = (Arc::new(FakeStorage::default()), Arc::new(ManualClock::new(now)));
        let state = ApiState::new(storage.clone(), clock.clone(), settings).await.expect("state");
        Self { state: Data::new(state), storage, clock, now }
    }

    /// Gives an account two agents that measured every minute of the last `minutes`.
    pub(crate) async fn fill(&self, account_id: i64, minutes: i64) {
        let scope = Scope::<Ingest>::system(AccountId(account_id), "test");
        let (mut metrics, mut speedtests, mut traceroutes) = (Vec::new(), Vec::new(), Vec::new());
        for id in ["agent-123", "b"] {
            let agent_id = AgentId::parse(id).expect("valid");
            let agent = agent(&agent_id, self.now);
            self.storage.agents.lock().expect("not poisoned").push((AccountId(account_id), agent));
            for minute in 0..minutes {
                let timestamp = self.now.plus_seconds(-60 * minute);
                let mut sample = MetricSample::new(agent_id.clone(), timestamp);
                sample.cpu_percent = Some(minute as f64 / 4.0);
                metrics.push(sample);
                // Ids repeat over accounts: a page must not leak by id.
                let uuid = Uuid::from_u128(u128::from(id == "b") << 64 | minute as u128);
                speedtests.push(speedtest(SpeedtestId(uuid), &agent_id, timestamp));
                traceroutes.push(traceroute(TracerouteId(uuid), &agent_id, timestamp));
            }
        }
        self.storage.metric_append(&scope, metrics, self.now).await.expect("appended");
        self.storage.speedtest_append(&scope, speedtests, self.now).await.expect("appended");
        self.storage.traceroute_append(&scope, traceroutes, self.now).await.expect("appended");
    }

    /// A GET by `principal`, or by nobody.
    pub(crate) async fn get(&self, path: &str, principal: Option<&Principal>) -> Answer {
        self.ask(test::TestRequest::get().uri(path), principal).await
    }

    /// A request by `principal`, or by nobody.
    pub(crate) async fn ask(&self, request: test::TestRequest, principal: Option<&Principal>) -> Answer {
        let principal = principal.cloned();
        let quota = CurrentQuota(Some(Quota {
            limit: 1_000,
            remaining: 880,
            resets_at: self.clock.now().plus_seconds(60),
            refused: false,
        }));
        let scope = web::scope(PREFIX)
            .wrap_fn(move |request, service| {
                if let Some(principal) = &principal {
                    request.extensions_mut().insert(principal.clone());
                    request.extensions_mut().insert(quota);
                }
                service.call(request)
            })
            .configure(configure);
        let app = test::init_service(App::new().app_data(self.state.clone()).service(scope)).await;
        let response = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        Answer { status, headers, body: test::read_body(response).await.to_vec() }
    }
}

/// One record of each kind that serde writes.
pub(crate) fn sample_records() -> (Agent, Speedtest, Traceroute) {
    let (id, now) = (AgentId::parse("agent-123").expect("valid"), Timestamp::from_seconds(1_795_433_218));
    let uuid = Uuid::from_u128(1);
    (agent(&id, now), speedtest(SpeedtestId(uuid), &id, now), traceroute(TracerouteId(uuid), &id, now))
}

fn agent(id: &AgentId, now: Timestamp) -> Agent {
    Agent {
        id: id.clone(),
        facts: AgentFacts { hostname: format!("host-{id}"), ..AgentFacts::default() },
        name: None,
        last_seen_at: Some(now),
        created_at: now,
        disabled_at: None,
        public_ip: None,
        labels: BTreeMap::from([("site".to_owned(), "ber".to_owned())]),
    }
}

fn speedtest(id: SpeedtestId, agent_id: &AgentId, timestamp: Timestamp) -> Speedtest {
    Speedtest {
        id,
        agent_id: agent_id.clone(),
        timestamp,
        status: SpeedtestStatus::Completed,
        error: None,
        provider: Some("a \"provider\"".to_owned()),
        download_mbps: Some(941.237),
        upload_mbps: None,
        download_bytes: Some(1 << 40),
        upload_bytes: None,
        ping_ms: Some(0.5),
        jitter_ms: None,
        packet_loss_percent: Some(0.25),
        loaded_latency_ms: None,
        server_name: None,
        server_host: None,
        server_location: None,
        isp: None,
        external_ip: None,
        interface_name: None,
        duration_ms: Some(1),
        result_url: None,
    }
}

fn traceroute(id: TracerouteId, agent_id: &AgentId, timestamp: Timestamp) -> Traceroute {
    let hop = Hop {
        ttl: 1,
        ip: None,
        hostname: None,
        asn: None,
        as_name: None,
        rtt_min_ms: Some(1.125),
        rtt_avg_ms: None,
        rtt_max_ms: None,
        sent_count: 3,
        received_count: 0,
        packet_loss_percent: Some(100.0),
    };
    Traceroute {
        id,
        agent_id: agent_id.clone(),
        timestamp,
        target: "example.com".to_owned(),
        target_ip: None,
        ip_version: Some(4),
        protocol: TracerouteProtocol::Icmp,
        status: TracerouteStatus::Incomplete,
        error: None,
        reached: false,
        rtt_ms: None,
        packet_loss_percent: None,
        path_changed: None,
        duration_ms: Some(1),
        hops: vec![hop],
    }
}
