//! Asks the applications of `examples/` what their users would.

#[path = "../examples/foreign_app.rs"]
mod foreign_app;
#[path = "../examples/foreign_storage.rs"]
mod foreign_storage;
#[path = "../examples/own_routes.rs"]
mod own_routes;

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::http::header;
use actix_web::test::{self, TestRequest};
use actix_web::{App, web};
use astranetmon_auth::{ApiKey, Permission, PermissionSet, Scope};
use astranetmon_domain::{
    AccountId, AgentFacts, AgentId, Hop, ManualClock, MetricSample, Plan, Timestamp, Traceroute, TracerouteId,
    TracerouteProtocol, TracerouteStatus,
};
use astranetmon_http::{ApiSettings, ApiState};
use astranetmon_storage::{AgentRepository, MetricRepository, NewAgent, TracerouteRepository};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use uuid::Uuid;

/// 2026-11-23T11:26:40Z
const START: Timestamp = Timestamp::from_seconds(1_795_433_200);

/// Starts an application made of these services, and gives a function that asks it: path and key in, status, headers
/// and body out.
macro_rules! started {
    ($services:expr) => {{
        let app = test::init_service(App::new().configure($services)).await;
        async move |path: &str, key: Option<&str>| {
            let mut request = TestRequest::get().uri(path);
            if let Some(key) = key {
                request = request.insert_header((header::AUTHORIZATION, format!("Bearer {key}")));
            }
            let response = test::call_service(&app, request.to_request()).await;
            let (status, headers) = (response.status().as_u16(), response.headers().clone());
            let header = move |name: &str| headers.get(name).map(|value| value.to_str().expect("text").to_owned());
            (status, header, String::from_utf8(test::read_body(response).await.to_vec()).expect("text"))
        }
    }};
}

fn key(number: u64) -> ApiKey {
    ApiKey::generate(&mut StdRng::seed_from_u64(number))
}

fn only(permission: Permission) -> PermissionSet {
    [permission].into_iter().collect()
}

fn error(body: &str) -> String {
    let body: Value = serde_json::from_str(body).expect("JSON");
    body["error"].as_str().expect("a sentence").to_owned()
}

#[actix_web::test]
async fn the_api_stands_in_somebody_elses_application() {
    let folder = tempfile::tempdir().expect("a folder");
    let state = foreign_app::open(folder.path()).await.expect("a database");
    let reader = foreign_app::account_with_key(&state, "acme", Plan::Starter, PermissionSet::ALL).await.expect("made");
    let agents = only(Permission::ReadAgents);
    let other = foreign_app::account_with_key(&state, "other", Plan::Enterprise, agents).await.expect("made");
    let (reader, other) = (Some(reader.reveal()), Some(other.reveal()));
    let get = started!(foreign_app::services(state.clone()));

    assert_eq!(get("/hello", None).await.2, "hello");
    assert_eq!(get("/healthz", None).await.0, 200);
    assert_eq!(get("/api/v1/metrics", reader).await.2, r#"{"metrics":[],"total":0}"#);
    for path in ["/api/v1/metrics", "/reports/count"] {
        for (caller, status) in [(None, 401), (Some("astra_wrong"), 401), (Some(key(1).reveal()), 401), (other, 403)] {
            let (refused, _, body) = get(path, caller).await;
            assert_eq!(refused, status, "{path} {caller:?} {body}");
            assert!(!error(&body).is_empty());
        }
    }
    let (status, header, body) = get("/reports/count", reader).await;
    assert_eq!((status, body.as_str()), (200, "0 metrics"));
    // Both kinds of routes spend the same quota.
    assert_eq!(header("x-ratelimit-remaining").as_deref(), Some("98"));
    for _ in 0..98 {
        assert_eq!(get("/reports/count", reader).await.0, 200);
    }
    for path in ["/reports/count", "/api/v1/metrics"] {
        let (status, header, body) = get(path, reader).await;
        assert_eq!(status, 429, "{body}");
        assert!(header("retry-after").is_some());
    }
    assert_eq!(get("/hello", None).await.0, 200);
    assert_eq!(get("/reports/other", other).await.0, 404);
    state.storage().close().await;
}

#[actix_web::test]
async fn the_api_reads_somebody_elses_storage() {
    let shelf = Arc::new(foreign_storage::Shelf::new(&mut StdRng::seed_from_u64(1)));
    let account = AccountId(7);
    let (all, metrics, stranger) = (key(1), key(2), key(3));
    shelf.add_key(&all, account, Plan::Enterprise, PermissionSet::ALL);
    shelf.add_key(&metrics, account, Plan::Starter, only(Permission::ReadMetrics));
    shelf.add_key(&stranger, AccountId(8), Plan::Enterprise, PermissionSet::ALL);
    fill(&shelf, account).await;
    let clock = Arc::new(ManualClock::new(START));
    let state = ApiState::new(shelf, clock, ApiSettings::default()).await.expect("a secret");
    let get = started!(|app: &mut web::ServiceConfig| {
        app.service(astranetmon_http::api(web::Data::new(state)));
    });
    let read = async |path: &str, key: &ApiKey| {
        let (status, header, body) = get(path, Some(key.reveal())).await;
        assert_eq!(status, 200, "{path}: {body}");
        (serde_json::from_str::<Value>(&body).expect("JSON"), header("link"))
    };

    let (agents, _) = read("/api/v1/agents", &all).await;
    assert_eq!((&agents["total"], &agents["agents"][0]["hostname"]), (&json!(2), &json!("host-a")));
    assert_eq!(read("/api/v1/agents/b", &all).await.0["status"], "online");
    assert_eq!(read("/api/v1/agents", &stranger).await.0, json!({ "agents": [], "total": 0 }));

    // A walk through all pages, both ways.
    for order in ["newest_first", "oldest_first"] {
        let mut path = format!("/api/v1/metrics?limit=3&sort={order}");
        let mut seen = Vec::new();
        loop {
            let (page, link) = read(&path, &all).await;
            assert_eq!(page["total"], 10);
            let rows = page["metrics"].as_array().expect("rows");
            seen.extend(rows.iter().map(|row| (row["timestamp"].to_string(), row["agent_id"].to_string())));
            let Some(link) = link else { break };
            path = link[1..link.find('>').expect("a link")].to_owned();
        }
        if order == "oldest_first" {
            seen.reverse();
        }
        let mut sorted = seen.clone();
        sorted.sort_by(|one, other| other.0.cmp(&one.0).then(one.1.cmp(&other.1)));
        sorted.dedup();
        assert_eq!((seen.len(), &seen), (10, &sorted));
    }
    // The second sample of a time filled what was unknown and overwrote nothing.
    let newest = &read("/api/v1/metrics?agent_id=a&limit=1", &all).await.0["metrics"][0];
    assert_eq!((&newest["cpu_percent"], &newest["load_1"]), (&json!(0.0), &json!(1.5)));
    assert_eq!(read("/api/v1/metrics?label=site:ber", &all).await.0["total"], 5);
    let traces = read("/api/v1/traceroutes?changes_only=true", &all).await.0;
    assert_eq!((&traces["total"], &traces["traceroutes"][0]["path_changed"]), (&json!(1), &json!(true)));
    assert_eq!(read("/api/v1/speedtests", &all).await.0["total"], 0);
    assert_eq!(read("/api/v1/usage", &all).await.0["plan"], "enterprise");

    for (path, key, status) in [
        ("/api/v1/metrics", None, 401),
        ("/api/v1/metrics", Some(key(4)), 401),
        ("/api/v1/agents", Some(key(2)), 403),
        ("/api/v1/agents/nobody", Some(key(1)), 404),
        ("/api/v1/metrics?limit=0", Some(key(1)), 400),
        // What it does not keep.
        ("/api/v1/overview", Some(key(1)), 501),
        ("/api/v1/metrics?interval=5m&agg=avg", Some(key(1)), 501),
        ("/api/v1/agents?include=latest", Some(key(1)), 501),
    ] {
        let (answered, _, body) = get(path, key.as_ref().map(ApiKey::reveal)).await;
        assert_eq!(answered, status, "{path}: {body}");
        assert!(!error(&body).is_empty());
    }
    // The refusal for want of a permission was counted too.
    for _ in 0..99 {
        read("/api/v1/metrics?limit=1", &metrics).await;
    }
    assert_eq!(get("/api/v1/metrics?limit=1", Some(metrics.reveal())).await.0, 429);
}

/// Two agents with five metrics each, and three traceroutes, of which the second takes another way.
async fn fill(shelf: &foreign_storage::Shelf, account: AccountId) {
    let scope = Scope::system(account, "test");
    for (id, site) in [("a", "ber"), ("b", "muc")] {
        let id = AgentId::parse(id).expect("an id");
        let agent = NewAgent {
            id: id.clone(),
            facts: AgentFacts { hostname: format!("host-{id}"), ..AgentFacts::default() },
            name: None,
            public_ip: None,
            labels: BTreeMap::from([("site".to_owned(), site.to_owned())]),
        };
        shelf.agent_upsert(&scope, &agent, START).await.expect("kept");
        shelf.agent_seen(&scope, &id, START).await.expect("kept");
        let samples = (0..5).map(|minute| {
            let mut sample = MetricSample::new(id.clone(), START.plus_seconds(-60 * minute));
            sample.cpu_percent = Some(minute as f64);
            sample
        });
        shelf.metric_append(&scope, samples.collect(), START).await.expect("kept");
    }
    let id = AgentId::parse("a").expect("an id");
    let mut again = MetricSample::new(id.clone(), START);
    (again.cpu_percent, again.load_1) = (Some(99.0), Some(1.5));
    let appended = shelf.metric_append(&scope, vec![again], START).await.expect("kept");
    assert_eq!((appended.inserted, appended.filled), (0, 1));
    let traces = [(3, "192.0.2.1"), (2, "192.0.2.2"), (1, "192.0.2.2")].map(|(minutes, hop)| trace(&id, minutes, hop));
    shelf.traceroute_append(&scope, traces.to_vec(), START).await.expect("kept");
    let appended = shelf.traceroute_append(&scope, traces.to_vec(), START).await.expect("kept");
    assert_eq!((appended.known, appended.known_rows), (3, vec![0, 1, 2]));
}

fn trace(agent_id: &AgentId, minutes_ago: i64, hop: &str) -> Traceroute {
    let hop = Hop {
        ttl: 1,
        ip: Some(hop.to_owned()),
        hostname: None,
        asn: None,
        as_name: None,
        rtt_min_ms: None,
        rtt_avg_ms: None,
        rtt_max_ms: None,
        sent_count: 1,
        received_count: 1,
        packet_loss_percent: Some(0.0),
    };
    Traceroute {
        id: TracerouteId(Uuid::from_u128(minutes_ago as u128)),
        agent_id: agent_id.clone(),
        timestamp: START.plus_seconds(-60 * minutes_ago),
        target: "example.com".to_owned(),
        target_ip: None,
        ip_version: Some(4),
        protocol: TracerouteProtocol::Icmp,
        status: TracerouteStatus::Completed,
        error: None,
        reached: true,
        rtt_ms: None,
        packet_loss_percent: None,
        path_changed: None,
        duration_ms: None,
        hops: vec![hop],
    }
}

#[actix_web::test]
async fn keys_and_plans_stand_before_somebody_elses_routes() {
    let mut keys = own_routes::Keys::default();
    keys.add(&key(1), AccountId(7), Plan::Starter, PermissionSet::ALL);
    keys.add(&key(2), AccountId(8), Plan::Enterprise, only(Permission::ReadAgents));
    let get = started!(own_routes::services(web::Data::new(own_routes::Door::new(keys))));
    let (reader, other) = (key(1), key(2));
    for (caller, status) in
        [(None, 401), (Some("astra_wrong"), 401), (Some(key(3).reveal()), 401), (Some(other.reveal()), 403)]
    {
        assert_eq!(get("/own/account", caller).await.0, status, "{caller:?}");
    }
    for remaining in (0..100).rev() {
        let (status, header, body) = get("/own/account", Some(reader.reveal())).await;
        assert_eq!((status, body.as_str()), (200, "metrics of account 7"));
        assert_eq!(header("x-ratelimit-remaining"), Some(remaining.to_string()));
    }
    let (status, header, _) = get("/own/account", Some(reader.reveal())).await;
    let wait: u32 = header("retry-after").expect("there").parse().expect("seconds");
    assert_eq!((status, (1..=3_600).contains(&wait)), (429, true));
    // An enterprise key has no quota.
    for _ in 0..101 {
        assert_eq!(get("/own/account", Some(other.reveal())).await.0, 403);
    }
}
