use actix_web::http::StatusCode;
use astranetmon_auth::{ReadAgents, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{AgentId, Limit, PageRequest, RecordFilter};
use base64::Engine;
use serde_json::json;

use super::service::{START, Service, gzip};

const LINES: &str = "/ingest/v1/influx?precision=s";
const V2: &str = "/ingest/v1/influx/api/v2/write?org=-&bucket=-&precision=s";
const V1: &str = "/ingest/v1/influx/write?db=telegraf&rp=&precision=s";

fn seconds(offset: i64) -> i64 {
    START.as_seconds() + offset
}

#[actix_web::test]
async fn what_telegraf_sends_becomes_metrics_speed_tests_and_traceroutes() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let (then, later) = (seconds(-20), seconds(-10));
    let body = format!(
        "system,host=web-1 load1=0.5 {then}\nnet,host=web-1,interface=eth0 bytes_recv=1000i,bytes_sent=0i {then}\n\
         internet_speed,host=web-1,source=speed.example download=93.5,upload=10 {then}\n\
         ping,host=web-1,url=192.0.2.1 average_response_ms=5 {then}\nping,host=web-1,url=192.0.2.2 average_response_ms=7 {then}\n"
    );
    let answer = service.post(LINES, &token, &[("content-type", "text/plain; charset=utf-8")], body).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0), "{answer:?}");
    let body = format!("net,host=web-1,interface=eth0 bytes_recv=6000i,bytes_sent=0i {later}\n");
    let answer = service.post(V2, &token, &[("content-encoding", "gzip")], gzip(body.as_bytes())).await;
    assert_eq!(answer.status, StatusCode::NO_CONTENT, "{answer:?}");
    let body = format!("system,host=web-1 load1=9,load5=0.25 {then}\n");
    assert_eq!(service.post(V1, &token, &[], body).await.status, StatusCode::NO_CONTENT);

    let stored = service.stored(account).await;
    assert_eq!(stored.len(), 2);
    assert_eq!(
        (stored[0].network_receive_bytes_per_second, stored[0].network_receive_bytes_total),
        (Some(500), Some(6_000))
    );
    assert_eq!((stored[1].load_1, stored[1].load_5, stored[1].latency_ms), (Some(0.5), Some(0.25), Some(5.0)));
    let page = PageRequest::new(Limit::LARGEST, None);
    let storage: &dyn astranetmon_storage::Storage = &*service.storage;
    let scope = Scope::<ReadSpeedtests>::system(account, "test");
    let tests = storage.speedtest_page(&scope, &RecordFilter::ALL.into(), &page).await.expect("read");
    assert_eq!(tests.rows[0].download_mbps, Some(93.5));
    let scope = Scope::<ReadTraceroutes>::system(account, "test");
    let traces = storage.traceroute_page(&scope, &RecordFilter::ALL.into(), &page).await.expect("read");
    assert_eq!((traces.rows.len(), traces.rows[0].target.as_str()), (1, "192.0.2.2"));
    let scope = Scope::<ReadAgents>::system(account, "test");
    let agent = storage.agent_find(&scope, &AgentId::parse("web-1").expect("valid")).await.expect("read");
    assert_eq!(agent.expect("there").last_seen_at, Some(START));
}

#[actix_web::test]
async fn each_path_says_in_its_own_way_what_was_refused_and_ignored() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let (now, old) = (seconds(0), seconds(-86_400 * 40));
    let ignored = format!("system load1=1,n_users=3i {now}\ndocker n=1i {now}\n");
    let answer = service.post(LINES, &token, &[], ignored.clone()).await;
    let expected = json!({
        "lines": 2, "unused_lines": 1, "taken": 1, "known": 0, "refused": 0, "refused_lines": [],
        "ignored_fields": ["system.n_users", "docker"],
    });
    assert_eq!((answer.status, answer.json()), (StatusCode::OK, expected));
    for path in [V1, V2] {
        assert_eq!(service.post(path, &token, &[], ignored.clone()).await.status, StatusCode::NO_CONTENT, "{path}");
    }
    let partly = format!("system load5=1 {now}\nbroken\nsystem load1=1 {old}\n");
    let answer = service.post(LINES, &token, &[], partly.clone()).await;
    assert_eq!(
        (answer.status, &answer.json()["taken"], &answer.json()["refused"]),
        (StatusCode::OK, &json!(1), &json!(2))
    );
    assert_eq!(answer.json()["refused_lines"][1]["field"], "timestamp");
    for path in [V1, V2] {
        let answer = service.post(path, &token, &[], partly.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        let body = answer.json();
        let sentence = body["error"].as_str().expect("a sentence");
        assert!(
            sentence.starts_with("partial write: 2 lines were refused, the first is line 2: no field"),
            "{sentence}"
        );
        assert_eq!((&body["code"], &body["message"]), (&json!("invalid"), &body["error"]));
        assert_eq!(body["refused_lines"][1]["line"], 3);
    }
    let answer = service.post("/ingest/v1/influx/write?precision=sec", &token, &[], "").await;
    assert_eq!((answer.status, &answer.json()["refused_lines"]), (StatusCode::BAD_REQUEST, &json!([])));
    // Nothing of a body of two machines is taken.
    let body = format!("system,host=a load15=1 {now}\nsystem,host=b load15=1 {now}\n");
    for path in [LINES, V1, V2] {
        let answer = service.post(path, &token, &[], body.clone()).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.error().contains("an agent token writes for one machine"), "{answer:?}");
    }
    let many: String = (0..10_001).map(|n| format!("system load1=1 {}\n", seconds(-n))).collect();
    assert_eq!(service.post(V2, &token, &[], many).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(service.stored(account).await.len(), 1);
}

#[actix_web::test]
async fn senders_to_influxdb_present_their_token_in_their_own_ways() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let basic = base64::engine::general_purpose::STANDARD.encode(format!("agent:{token}"));
    for path in [LINES, V1, V2] {
        for credential in [format!("Token {token}"), format!("Basic {basic}"), format!("Bearer {token}")] {
            let answer = service.post(path, &credential, &[], "").await;
            assert_eq!(answer.status, StatusCode::NO_CONTENT, "{path} {credential}");
        }
        for credential in ["Token x", "Basic x", ""] {
            let answer = service.post(path, credential, &[], "").await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{path} {credential}");
        }
    }
    let answer = service.post("/ingest/v1/metrics", &format!("Token {token}"), &[], "{}").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn counters_are_remembered_of_each_agent_by_itself() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let tokens = [service.agent(account, "web-1").await, service.agent(account, "web-2").await];
    for (round, at) in [(0_i64, seconds(-20)), (1, seconds(-10))] {
        for (index, token) in (1_i64..).zip(&tokens) {
            let body = format!("net,interface=eth0 bytes_recv={}i,bytes_sent=0i {at}\n", round * index * 1_000);
            assert_eq!(service.post(V2, token, &[], body).await.status, StatusCode::NO_CONTENT);
        }
    }
    let stored = service.stored(account).await;
    let mut rates: Vec<_> = stored.iter().filter_map(|sample| sample.network_receive_bytes_per_second).collect();
    rates.sort_unstable();
    assert_eq!(rates, [100, 200]);
}
