use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::http::StatusCode;
use astranetmon_auth::{ManageAccount, Operator, ReadAccount, ReadAgents, Scope};
use astranetmon_domain::{AgentId, Retention};
use astranetmon_storage::RetentionCursor;
use proptest::test_runner::{Config, TestRunner};
use serde_json::{Value, json};

use super::service::{Answer, START, Service, gzip, metrics};

const METRICS: &str = "/ingest/v1/metrics";

fn counts(answer: &Answer) -> [u64; 3] {
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    ["taken", "known", "refused"].map(|name| answer.json()[name].as_u64().expect("a number"))
}

#[actix_web::test]
async fn a_row_sent_again_changes_nothing_and_one_that_knows_more_fills() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let send = async |body: String| service.post(METRICS, &token, &[], body).await;
    assert_eq!(counts(&send(metrics(&[3, 2, 1], 1.0)).await), [3, 0, 0]);
    let before = service.stored(account).await;
    let again = send(metrics(&[4, 3, 2, 1], 2.0)).await;
    assert_eq!(counts(&again), [1, 3, 0]);
    assert_eq!(again.json()["known_rows"], json!([1, 2, 3]));
    assert_eq!(service.stored(account).await[..3], before);
    let more = json!({ "metrics": [{ "timestamp": START.plus_seconds(-1).to_string(), "load_1": 0.5 }] });
    assert_eq!(counts(&send(more.to_string()).await), [1, 0, 0]);
    let newest = &service.stored(account).await[0];
    assert_eq!((newest.cpu_percent, newest.load_1), (Some(1.0), Some(0.5)));

    for (path, rows) in [
        ("/ingest/v1/speedtests", json!({ "status": "completed", "download_mbps": 93.5 })),
        ("/ingest/v1/traceroutes", json!({ "status": "failed", "target": "example.com", "protocol": "udp" })),
    ] {
        let mut row = rows;
        row["id"] = "019ab123-4567-7abc-8def-0123456789ab".into();
        row["timestamp"] = START.to_string().into();
        let body = json!({ path.rsplit('/').next().expect("a name"): [row] }).to_string();
        assert_eq!(counts(&service.post(path, &token, &[], body.clone()).await), [1, 0, 0], "{path}");
        assert_eq!(counts(&service.post(path, &token, &[], body).await), [0, 1, 0], "{path}");
    }
}

/// The account kept one day of samples for a while, and then more again.
#[actix_web::test]
async fn rows_of_a_time_that_has_gone_into_summaries_are_refused_by_name() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let five_days = 5 * 86_400;
    assert_eq!(counts(&service.post(METRICS, &token, &[], metrics(&[five_days], 1.0)).await), [1, 0, 0]);
    let (manage, storage) = (Scope::<ManageAccount>::system(account, "test"), &service.storage);
    let brief = Retention::new(1, 400, 1_100).expect("a retention");
    storage.retention_set(&manage, Some(brief), START).await.expect("chosen");
    let (operator, ttl) = (Operator::new("test"), Duration::from_secs(60));
    let lease = storage.lease_acquire(&operator, "retention", "test", ttl, START).await.expect("asked").expect("free");
    let mut next = Some(RetentionCursor::default());
    while let Some(cursor) = next {
        next = storage.retention_step(&lease, &cursor, START).await.expect("a step").next;
    }
    storage.retention_set(&manage, None, START).await.expect("chosen");
    let again = service.post(METRICS, &token, &[], metrics(&[five_days, five_days - 1, 40 * 86_400, 1], 2.0)).await;
    assert_eq!(counts(&again), [1, 0, 3]);
    let answer = again.json();
    let reasons: Vec<_> = answer["refused_rows"].as_array().expect("rows").iter().map(|row| &row["reason"]).collect();
    let summarized = "is of a time that this account has put into summaries: nothing can be added to it";
    assert_eq!(reasons[..2], [summarized, summarized]);
    assert!(reasons[2].as_str().expect("text").starts_with("is older than this account keeps (31 days)"), "{answer}");
}

#[actix_web::test]
async fn packed_bodies_are_taken_like_plain_ones() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let plain = metrics(&(1..=2_000).collect::<Vec<_>>(), 1.0);
    let zstd = ruzstd::encoding::compress_to_vec(plain.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest);
    let packed = service.post(METRICS, &token, &[("content-encoding", "gzip")], gzip(plain.as_bytes())).await;
    assert_eq!(counts(&packed), [2_000, 0, 0]);
    assert_eq!(counts(&service.post(METRICS, &token, &[("content-encoding", "zstd")], zstd).await), [0, 2_000, 0]);
    assert_eq!(counts(&service.post(METRICS, &token, &[("content-encoding", "identity")], plain).await), [0, 2_000, 0]);
}

#[actix_web::test]
async fn rows_that_come_late_are_found_and_do_not_move_the_agent_back() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let (token, key) = (service.agent(account, "web-1").await, service.key(account).await);
    service.clock.advance_seconds(60);
    assert_eq!(counts(&service.post(METRICS, &token, &[], metrics(&[1], 1.0)).await), [1, 0, 0]);
    let late = service.post(METRICS, &token, &[], metrics(&[86_400, 30 * 86_400, 31 * 86_400, -661], 2.0)).await;
    assert_eq!(counts(&late), [2, 0, 2]);
    let reasons: Vec<_> = late.json()["refused_rows"].as_array().expect("rows").clone();
    assert_eq!((&reasons[0]["row"], &reasons[0]["field"]), (&json!(2), &json!("timestamp")));
    assert!(reasons[0]["reason"].as_str().expect("text").starts_with("is older than this account keeps (31 days)"));
    assert!(reasons[1]["reason"].as_str().expect("text").starts_with("is more than 10 minutes ahead"));

    let day = "/api/v1/metrics?start_date=2026-11-22&end_date=2026-11-23";
    assert_eq!(service.get(day, &key).await.json()["total"], 1);
    let (mut walked, mut next) = (0, Some("/api/v1/metrics?limit=1".to_owned()));
    while let Some(path) = next {
        let page = service.get(&path, &key).await;
        walked += page.json()["metrics"].as_array().expect("rows").len();
        let link = page.header("link").map(|link| link.trim_start_matches('<').split('>').next().unwrap_or_default());
        next = link.map(str::to_owned);
    }
    assert_eq!(walked, 3);
    let scope = Scope::<ReadAgents>::system(account, "test");
    let agent = service.storage.agent_find(&scope, &AgentId::parse("web-1").expect("an id")).await;
    assert_eq!(agent.expect("read").expect("there").last_seen_at, Some(START.plus_seconds(60)));
}

#[actix_web::test]
async fn an_agent_writes_for_itself_alone() {
    let service = Service::new().await;
    let (one, other) = (service.account("one").await, service.account("other").await);
    let first = service.agent(one, "web-1").await;
    let second = service.agent(one, "web-2").await;
    let foreign = service.agent(other, "web-1").await;
    let row = json!({ "timestamp": START.to_string(), "agent_id": "web-2", "account_id": other.0, "cpu_percent": 1.0 });
    let body = json!({ "metrics": [row] }).to_string();
    for (token, account, agent) in [(&first, one, "web-1"), (&second, one, "web-2"), (&foreign, other, "web-1")] {
        let before = service.stored(account).await.len();
        let answer = service.post(METRICS, token, &[], body.clone()).await;
        assert_eq!(counts(&answer), [1, 0, 0]);
        assert_eq!(answer.json()["ignored_fields"], json!(["account_id", "agent_id"]));
        let stored = service.stored(account).await;
        assert_eq!(stored.len(), before + 1);
        assert!(stored.iter().any(|sample| sample.agent_id.as_str() == agent));
    }
}

#[actix_web::test]
async fn a_heartbeat_is_kept_with_the_address_that_a_trusted_proxy_vouches_for() {
    let service =
        Service::with(|settings| settings.trusted_proxies = vec!["10.0.0.0/8".parse().expect("a network")]).await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let body = json!({
        "facts": { "hostname": "renamed", "os": "Debian" }, "interval_seconds": 10,
        "spool": { "row_count": 5, "dropped_row_count": 1 }, "cost": { "cpu_percent": 0.25, "memory_bytes": 9_000_000 },
        "sent_at": START.plus_seconds(3).to_string(),
    });
    let request = actix_web::test::TestRequest::post()
        .uri("/ingest/v1/heartbeat")
        .peer_addr("10.0.0.1:4711".parse().expect("an address"))
        .insert_header(("x-forwarded-for", "192.0.2.7"))
        .set_json(&body);
    let answer = service.call(request, "post", "/ingest/v1/heartbeat", &token).await;
    assert_eq!(answer.json(), json!({ "server_time": START.to_string(), "agent_id": "web-1" }));
    let scope = Scope::<ReadAgents>::system(account, "test");
    let agent = service.storage.agent_find(&scope, &AgentId::parse("web-1").expect("an id")).await;
    let agent = agent.expect("read").expect("there");
    assert_eq!((agent.facts.hostname.as_str(), agent.public_ip.as_deref()), ("renamed", Some("192.0.2.7")));
    assert_eq!(agent.last_seen_at, Some(START));
    let health = service.storage.agent_health(&Scope::<ReadAccount>::system(account, "test")).await.expect("read");
    let report = health[0].report.clone().expect("there");
    assert_eq!((report.spool_row_count, report.dropped_row_count), (Some(5), Some(1)));
    assert_eq!(report.clock_offset_ms, Some(3_000));
}

/// Bodies that begin as good ones and are then cut, flipped and stuffed.
#[test]
fn whatever_is_sent_is_answered_and_nothing_is_half_written() {
    use proptest::prelude::*;

    #[expect(clippy::disallowed_methods, reason = "the harness leaves no other way to tell a test something")]
    let full = std::env::var("ASTRANETMON_TEST_FULL").is_ok_and(|value| value == "1");
    let cases = if full { 10_000 } else { 1_000 };
    let system = actix_web::rt::System::new();
    let (service, account, token) = system.block_on(async {
        let service = Service::with(|settings| {
            settings.address_failures_per_minute = std::num::NonZeroU32::MAX;
        })
        .await;
        let account = service.account("one").await;
        let token = service.agent(account, "web-1").await;
        (service, account, token)
    });
    let stored = AtomicUsize::new(0);
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..4_u8), 0..6);
    let values = prop_oneof![
        Just("1.5".to_owned()),
        Just("null".to_owned()),
        Just("1e999".to_owned()),
        Just("\"\\ud800\"".to_owned()),
        Just("{\"a\": [[[]]]}".to_owned()),
        Just("NaN".to_owned()),
        "[ -~]{0,12}",
    ];
    let strategy = (0..3_usize, 0..3_u8, 0..2_000_000_i64, values, edits);
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |(kind, coding, ago, value, edits)| {
        let name = ["metrics", "speedtests", "traceroutes"][kind];
        let at = START.plus_micros(-ago * 1_000);
        let id = format!("019ab123-4567-7abc-8def-{ago:012x}");
        let good =
            format!(r#""id": "{id}", "timestamp": "{at}", "status": "completed", "target": "a", "protocol": "udp""#);
        let body = format!(r#"{{"{name}": [{{{good}}}, {{{good}, "cpu_percent": {value}, "hops": {value}}}]}}"#);
        let mut body = match coding {
            0 => body.into_bytes(),
            1 => gzip(body.as_bytes()),
            _ => ruzstd::encoding::compress_to_vec(body.as_bytes(), ruzstd::encoding::CompressionLevel::Fastest),
        };
        for (index, byte, edit) in edits {
            if body.is_empty() {
                break;
            }
            let at = index.index(body.len());
            match edit {
                0 => body[at] = byte,
                1 => body.insert(at, byte),
                2 => drop(body.remove(at)),
                _ => body.truncate(at),
            }
        }
        let headers: &[_] =
            [&[][..], &[("content-encoding", "gzip")], &[("content-encoding", "zstd")]][usize::from(coding)];
        let answer = system.block_on(service.post(&format!("/ingest/v1/{name}"), &token, headers, body));
        let status = answer.status.as_u16();
        prop_assert!(matches!(status, 200 | 400 | 413), "{answer:?}");
        if status == 200 && name == "metrics" {
            let [taken, known, refused] = counts(&answer);
            let rows = answer.json();
            let listed = |name: &str| rows[name].as_array().map_or(0, Vec::len) as u64;
            prop_assert_eq!((listed("known_rows"), listed("refused_rows")), (known, refused));
            prop_assert!(taken + known + refused <= 3);
        }
        let count = system.block_on(service.stored(account)).len();
        let before = stored.swap(count, Ordering::SeqCst);
        let most = if status == 200 && name == "metrics" { answer_taken(&answer.json()) } else { 0 };
        prop_assert!(count >= before && count - before <= most, "{before} {count} {answer:?}");
        Ok(())
    });
    outcome.expect("every body is answered");
    assert!(stored.load(Ordering::SeqCst) > 10);
}

fn answer_taken(answer: &Value) -> usize {
    answer["taken"].as_u64().and_then(|taken| taken.try_into().ok()).unwrap_or_default()
}
