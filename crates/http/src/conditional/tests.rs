//! What callers who ask again and again may rely on.

use std::sync::atomic::Ordering;

use actix_web::http::header;
use actix_web::test::TestRequest;
use astranetmon_auth::{Ingest, Permission, PermissionSet, Scope};
use astranetmon_domain::{AccountId, AgentId, ApiKeyId, MetricSample, Plan};
use astranetmon_storage::MetricRepository;

use crate::test_service::{Answer, START, TestService, call, get};
use crate::testing::Ends;

const ID: &str = "00000000-0000-0000-0000-000000000001";

/// Every operation whose answer is the account's data.
fn tagged() -> Vec<String> {
    [
        "/api/v1/agents".to_owned(),
        "/api/v1/agents?limit=1".to_owned(),
        "/api/v1/agents?include=latest".to_owned(),
        "/api/v1/agents/agent-123".to_owned(),
        "/api/v1/overview".to_owned(),
        "/api/v1/metrics".to_owned(),
        "/api/v1/metrics?agent_id=b&start_date=-1d&limit=2".to_owned(),
        "/api/v1/speedtests".to_owned(),
        format!("/api/v1/speedtests/{ID}"),
        "/api/v1/traceroutes?end_date=now".to_owned(),
        format!("/api/v1/traceroutes/{ID}"),
    ]
    .into()
}

fn again(path: &str, key: &str, tags: &str) -> TestRequest {
    get(path, key).insert_header((header::IF_NONE_MATCH, tags))
}

fn told(answer: &Answer) -> (u16, Option<&str>, Option<&str>) {
    (answer.status.as_u16(), answer.header("etag"), answer.header("x-ratelimit-remaining"))
}

async fn filled() -> TestService {
    let service = TestService::new().await;
    service.endpoints().fill(7, 5).await;
    service
}

/// Something happens in the account.
async fn report(service: &TestService) {
    let sample = MetricSample::new(AgentId::parse("b").expect("valid"), START.plus_seconds(1));
    let scope = Scope::<Ingest>::system(AccountId(7), "test");
    service.storage.metric_append(&scope, vec![sample], START).await.expect("appended");
}

#[actix_web::test]
async fn an_unchanged_answer_reads_no_row_and_costs_nothing() {
    let service = filled().await;
    let key = service.starter_key();
    let app = service.start_api().await;
    for (number, path) in (1..).zip(tagged()) {
        let first = call(&app, get(&path, &key)).await;
        let left = (100 - number).to_string();
        let tag = first.header("etag").expect("a tag").to_owned();
        assert_eq!(told(&first), (200, Some(tag.as_str()), Some(left.as_str())), "{path}");
        assert_eq!(first.header("cache-control"), Some("private, no-cache"), "{path}");
        assert!(tag.starts_with('"') && tag.ends_with('"'), "strong: {tag}");
        let reads = service.storage.reads.load(Ordering::SeqCst);
        for tags in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}")] {
            let second = call(&app, again(&path, &key, &tags)).await;
            assert_eq!(told(&second), (304, Some(tag.as_str()), Some(left.as_str())), "{path} {tags}");
            assert_eq!((second.body.as_str(), second.header("content-type")), ("", None), "{path}");
            for name in ["cache-control", "vary", "ratelimit", "ratelimit-policy", "x-content-type-options"] {
                assert_eq!(second.header(name), first.header(name), "{path} {name}");
            }
        }
        assert_eq!(service.storage.reads.load(Ordering::SeqCst), reads, "{path}");
    }
    let counts = service.state.usage.pending(ApiKeyId(1));
    assert_eq!(counts[0].served, tagged().len() as u64);
}

#[actix_web::test]
async fn what_somebody_was_just_given_is_given_to_others_of_the_account_without_a_read() {
    let service = filled().await;
    let [first, second] = [1, 2].map(|id| service.key(id, Plan::Starter, PermissionSet::ALL, Ends::default()));
    let app = service.start_api().await;
    for path in [
        "/api/v1/agents?include=latest",
        "/api/v1/overview",
        "/api/v1/metrics?limit=2",
        "/api/v1/speedtests?format=csv",
    ] {
        let given = call(&app, get(path, &first)).await;
        let reads = service.storage.reads.load(Ordering::SeqCst);
        let again = call(&app, get(path, &second)).await;
        assert_eq!(service.storage.reads.load(Ordering::SeqCst), reads, "{path}");
        assert_eq!((&again.body, again.status), (&given.body, given.status), "{path}");
        for name in ["content-type", "content-disposition", "link", "etag", "cache-control"] {
            assert_eq!(again.header(name), given.header(name), "{path} {name}");
        }
        report(&service).await;
        call(&app, get(path, &first)).await;
        assert!(service.storage.reads.load(Ordering::SeqCst) > reads, "{path}: something has happened");
    }
    let agents = [Permission::ReadAgents].into_iter().collect();
    let other = service.key(3, Plan::Starter, agents, Ends::default());
    assert_eq!(call(&app, get("/api/v1/metrics?limit=2", &other)).await.status.as_u16(), 403);
}

#[actix_web::test]
async fn a_starter_key_that_polls_500_times_has_99_left_and_a_spent_one_polls_on() {
    let service = filled().await;
    let key = service.starter_key();
    let app = service.start_api().await;
    let path = "/api/v1/metrics?start_date=-1h";
    let tag = call(&app, get(path, &key)).await.header("etag").expect("a tag").to_owned();
    for _ in 0..500 {
        assert_eq!(told(&call(&app, again(path, &key, &tag)).await), (304, Some(tag.as_str()), Some("99")));
    }
    assert_eq!(service.state.usage.pending(ApiKeyId(1))[0].served, 1);
    for _ in 0..100 {
        call(&app, get(path, &key)).await;
    }
    assert_eq!(told(&call(&app, get(path, &key)).await), (429, None, Some("0")));
    assert_eq!(told(&call(&app, again(path, &key, &tag)).await), (304, Some(tag.as_str()), Some("0")));
    report(&service).await;
    assert_eq!(told(&call(&app, again(path, &key, &tag)).await), (429, None, Some("0")));
}

#[actix_web::test]
async fn whatever_changes_the_answer_changes_its_tag() {
    let service = filled().await;
    let key = service.key(1, Plan::Enterprise, PermissionSet::ALL, Ends::default());
    let app = service.start_api().await;
    for path in tagged() {
        let tag = call(&app, get(&path, &key)).await.header("etag").expect("a tag").to_owned();
        report(&service).await;
        let changed = call(&app, again(&path, &key, &tag)).await;
        assert_eq!(changed.status.as_u16(), 200, "{path}");
        assert_ne!(changed.header("etag"), Some(tag.as_str()), "{path}");
    }
    let mut tags = Vec::new();
    for path in [
        "/api/v1/metrics",
        "/api/v1/metrics?limit=101",
        "/api/v1/metrics?agent_id=b",
        "/api/v1/metrics?agent_id=c",
        "/api/v1/metrics?start_date=-1d",
        "/api/v1/metrics?end_date=-1d",
        "/api/v1/speedtests",
        "/api/v1/traceroutes",
        "/api/v1/agents",
        "/api/v1/agents?limit=100",
    ] {
        tags.push(call(&app, get(path, &key)).await.header("etag").expect("a tag").to_owned());
    }
    let mut different = tags.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), tags.len());
    // One list, written in two ways.
    let same = call(&app, get("/api/v1/metrics?limit=0100", &key)).await;
    assert_eq!(same.header("etag"), Some(tags[0].as_str()));
}

#[actix_web::test]
async fn the_passing_of_time_alone_changes_statuses_and_their_tags() {
    let service = filled().await;
    let key = service.key(1, Plan::Enterprise, PermissionSet::ALL, Ends::default());
    let app = service.start_api().await;
    let mut tags = Vec::new();
    for path in ["/api/v1/agents", "/api/v1/agents/b", "/api/v1/overview"] {
        tags.push((path, call(&app, get(path, &key)).await.header("etag").expect("a tag").to_owned()));
    }
    service.clock.advance_seconds(180);
    for (path, tag) in &tags {
        let answer = call(&app, again(path, &key, tag)).await;
        assert_eq!(answer.status.as_u16(), 304, "{path}: seen three intervals ago is online still");
    }
    service.clock.advance_micros(1);
    for (path, tag) in &tags {
        let answer = call(&app, again(path, &key, tag)).await;
        assert_eq!(answer.status.as_u16(), 200, "{path}");
        assert!(answer.body.contains("offline"), "{path}");
    }
}

#[actix_web::test]
async fn dates_relative_to_now_stand_still_for_ten_seconds() {
    let service = filled().await;
    let key = service.key(1, Plan::Enterprise, PermissionSet::ALL, Ends::default());
    let app = service.start_api().await;
    let path = "/api/v1/metrics?start_date=-7d";
    let tag = call(&app, get(path, &key)).await.header("etag").expect("a tag").to_owned();
    for (micros, status) in [(9_999_999, 304), (1, 200)] {
        service.clock.advance_micros(micros);
        assert_eq!(call(&app, again(path, &key, &tag)).await.status.as_u16(), status, "{micros}");
    }
}

#[actix_web::test]
async fn a_window_that_agents_can_add_nothing_to_may_be_kept() {
    let service = filled().await;
    let key = service.starter_key();
    let app = service.start_api().await;
    let (kept, asked) = ("private, max-age=86400, immutable", "private, no-cache");
    // A Starter account takes metrics of 31 days, and tests of 400: back to 2026-10-23T11:26:40Z and
    // 2025-10-19T11:26:40Z.
    for (path, expected) in [
        ("/api/v1/metrics?start_date=2026-10-01&end_date=2026-10-02", kept),
        ("/api/v1/metrics?start_date=2026-10-01&end_date=2026-10-23T11:26:40Z", kept),
        ("/api/v1/metrics?start_date=2026-10-01&end_date=2026-10-23T11:26:41Z", asked),
        ("/api/v1/metrics?end_date=2026-10-02", asked),
        ("/api/v1/metrics?start_date=-60d&end_date=2026-10-02", asked),
        ("/api/v1/metrics?start_date=2026-09-01&end_date=-40d", asked),
        ("/api/v1/speedtests?start_date=2026-10-01&end_date=2026-10-02", asked),
        ("/api/v1/speedtests?start_date=2025-10-01&end_date=2025-10-02", kept),
        ("/api/v1/traceroutes?start_date=2025-10-01&end_date=2025-10-02", kept),
    ] {
        let first = call(&app, get(path, &key)).await;
        assert_eq!(first.header("cache-control"), Some(expected), "{path}");
        let second = call(&app, again(path, &key, first.header("etag").expect("a tag"))).await;
        assert_eq!((second.status.as_u16(), second.header("cache-control")), (304, Some(expected)), "{path}");
    }
}

#[actix_web::test]
async fn any_answer_will_do_for_those_who_say_so_if_there_is_one() {
    let service = filled().await;
    let key = service.key(1, Plan::Enterprise, PermissionSet::ALL, Ends::default());
    let app = service.start_api().await;
    for path in tagged() {
        assert_eq!(call(&app, again(&path, &key, "*")).await.status.as_u16(), 304, "{path}");
    }
    for path in ["/api/v1/agents/nobody", "/api/v1/speedtests/x", "/api/v1/metrics/x"] {
        assert_eq!(call(&app, again(path, &key, "*")).await.status.as_u16(), 404, "{path}");
    }
    assert_eq!(call(&app, again("/api/v1/key", &key, "*")).await.status.as_u16(), 200);
}

#[actix_web::test]
async fn who_may_not_have_the_answer_is_not_told_that_it_is_unchanged() {
    let service = filled().await;
    let key = service.starter_key();
    let agents = [Permission::ReadAgents].into_iter().collect();
    let other = service.key(2, Plan::Starter, agents, Ends::default());
    let ended = service.key(3, Plan::Starter, PermissionSet::ALL, Ends { revoked_at: Some(START), ..Ends::default() });
    let app = service.start_api().await;
    let tag = call(&app, get("/api/v1/metrics", &key)).await.header("etag").expect("a tag").to_owned();
    for (request, status, remaining) in [
        (again("/api/v1/metrics", &other, &tag), 403, Some("99")),
        (again("/api/v1/metrics?limit=0", &key, "*"), 400, Some("98")),
        (again("/api/v1/metrics", &ended, &tag), 401, None),
        (again("/api/v1/metrics", "astra_wrong", &tag), 401, None),
        (again("/api/v1/metrics", &key, "*").insert_header(("content-length", "99999999")), 413, Some("97")),
        (again("/api/v1/agents", &key, &tag), 200, Some("96")),
        (again("/api/v1/metrics", &key, &tag), 304, Some("96")),
    ] {
        let answer = call(&app, request).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-ratelimit-remaining")), (status, remaining));
    }
    service.storage.away.store(true, Ordering::SeqCst);
    assert_eq!(call(&app, again("/api/v1/metrics", &key, &tag)).await.status.as_u16(), 503);
}

#[actix_web::test]
async fn a_head_is_a_get_without_its_body() {
    let service = filled().await;
    let key = service.starter_key();
    let app = service.start_api().await;
    let others = ["/api/v1/usage", "/api/v1/key", "/api/v1/openapi.json", "/api/v1/docs", "/api/v1/nowhere"];
    let mut left = 100;
    for path in tagged().into_iter().chain(others.map(str::to_owned)) {
        let head = |path: &str| get(path, &key).method(actix_web::http::Method::HEAD);
        let (answer, same) = (call(&app, get(&path, &key)).await, call(&app, head(&path)).await);
        assert_eq!((same.status, same.body.as_str()), (answer.status, ""), "{path}");
        let about_the_request = ["x-request-id", "ratelimit", "x-ratelimit-remaining"];
        let lines = |answer: &Answer| {
            let mut lines = answer.header_lines();
            lines.retain(|line| !about_the_request.iter().any(|name| line.starts_with(&format!("{name}: "))));
            lines
        };
        assert_eq!(lines(&same), lines(&answer), "{path}");
        if let Some(remaining) = same.header("x-ratelimit-remaining") {
            let counted = !others[..2].contains(&path.as_str());
            left -= 2 * i32::from(counted);
            assert_eq!(remaining, left.to_string(), "{path}: counted as a GET is");
        }
    }
    let tag = call(&app, get("/api/v1/metrics", &key)).await.header("etag").expect("a tag").to_owned();
    let unchanged = call(&app, again("/api/v1/metrics", &key, &tag).method(actix_web::http::Method::HEAD)).await;
    assert_eq!((unchanged.status.as_u16(), unchanged.header("etag")), (304, Some(tag.as_str())));
}
