//! What callers of any endpoint may rely on.

mod aggregates;
mod overview;
#[cfg(feature = "parquet")]
mod parquet;
pub(crate) mod schema_check;

use std::collections::BTreeSet;
use std::sync::atomic::Ordering;

use actix_web::http::StatusCode;
use astranetmon_auth::{Permission, PermissionSet, Principal, SessionPrincipal};
use astranetmon_domain::{AccountId, UserId, UserRole};
use serde_json::Value;

use super::*;
use crate::ApiSettings;
use crate::testing::{TestApi, key_principal};

fn everything() -> Principal {
    key_principal(1, PermissionSet::ALL)
}

fn session() -> Principal {
    Principal::Session(SessionPrincipal { user_id: UserId(1), account_id: AccountId(1), role: UserRole::Viewer })
}

fn stored_id(minute: u128) -> uuid::Uuid {
    uuid::Uuid::from_u128(minute)
}

/// A request that each operation answers with 200.
fn good_requests() -> Vec<(&'static str, String)> {
    let id = stored_id(1);
    vec![
        ("/api/v1/agents", "/api/v1/agents".to_owned()),
        ("/api/v1/agents/{id}", "/api/v1/agents/agent-123".to_owned()),
        ("/api/v1/overview", "/api/v1/overview".to_owned()),
        ("/api/v1/metrics", "/api/v1/metrics".to_owned()),
        ("/api/v1/speedtests", "/api/v1/speedtests".to_owned()),
        ("/api/v1/speedtests/{id}", format!("/api/v1/speedtests/{id}")),
        ("/api/v1/traceroutes", "/api/v1/traceroutes".to_owned()),
        ("/api/v1/traceroutes/{id}", format!("/api/v1/traceroutes/{id}")),
        ("/api/v1/stream", "/api/v1/stream?seconds=0".to_owned()),
        ("/api/v1/usage", "/api/v1/usage".to_owned()),
        ("/api/v1/key", "/api/v1/key".to_owned()),
        ("/api/v1/openapi.json", "/api/v1/openapi.json".to_owned()),
        ("/api/v1/docs", "/api/v1/docs".to_owned()),
        ("/api/v1/docs/{asset}", "/api/v1/docs/explorer.js".to_owned()),
    ]
}

#[actix_web::test]
async fn every_bad_request_gets_its_status_and_sentence() {
    let api = TestApi::new().await;
    api.fill(1, 3).await;
    let callers = [
        ("all", Some(everything())),
        ("none", Some(key_principal(1, PermissionSet::NONE))),
        ("foreign", Some(key_principal(2, PermissionSet::ALL))),
        ("session", Some(session())),
        ("nobody", None),
    ];
    let table = include_str!("bad_requests.tsv");
    assert!(table.lines().count() > 150);
    for line in table.lines().skip(1) {
        let [who, request, status, sentence] = line.split('\t').collect::<Vec<_>>()[..] else { panic!("{line}") };
        let (_, caller) = callers.iter().find(|(name, _)| *name == who).expect("a caller");
        let answer = api.get(request, caller.as_ref()).await;
        assert_eq!(answer.status.as_str(), status, "{line}");
        assert_eq!(answer.error(), sentence, "{line}");
    }
}

#[actix_web::test]
async fn every_operation_is_served_and_answers_by_its_schema() {
    let api = TestApi::new().await;
    api.fill(1, 3).await;
    let document = serde_json::to_value(openapi()).expect("JSON");
    let paths = document["paths"].as_object().expect("paths").keys().map(String::as_str);
    // Ingestion has tests of its own.
    let documented: BTreeSet<_> = paths.filter(|path| path.starts_with(PREFIX)).collect();
    assert_eq!(documented, good_requests().iter().map(|(template, _)| *template).collect());
    for (template, request) in good_requests() {
        let answer = api.get(&request, Some(&everything())).await;
        assert_eq!(answer.status, StatusCode::OK, "{request}");
        let content = &document["paths"][template]["get"]["responses"]["200"]["content"];
        let kind = answer.headers.get("Content-Type").and_then(|kind| kind.to_str().ok()).expect("a type");
        let kind = kind.split(';').next().expect("a type");
        let schema = &content[kind]["schema"];
        assert!(schema.is_object(), "{request}: {kind} is not documented");
        if kind == "application/json" {
            schema_check::check(&answer.json(), schema, &document).expect(&request);
        }
    }
}

#[actix_web::test]
async fn the_documented_permission_is_the_demanded_one() {
    let api = TestApi::new().await;
    api.fill(1, 3).await;
    let document = serde_json::to_value(openapi()).expect("JSON");
    for (template, request) in good_requests() {
        let operation = &document["paths"][template]["get"];
        let Some(permission) = operation["x-required-permission"].as_str() else { continue };
        let permission: Permission = permission.parse().expect("a permission");
        let others = Permission::ALL.into_iter().filter(|other| *other != permission).collect();
        let refused = api.get(&request, Some(&key_principal(1, others))).await;
        assert_eq!(refused.error(), format!("Insufficient permissions: requires {permission}"), "{request}");
        let alone = key_principal(1, [permission].into_iter().collect());
        assert_eq!(api.get(&request, Some(&alone)).await.status, StatusCode::OK, "{request}");
    }
}

#[actix_web::test]
async fn only_the_document_and_the_explorer_are_open() {
    let api = TestApi::new().await;
    for (_, request) in good_requests() {
        let answer = api.get(&request, None).await;
        assert_eq!(answer.status == StatusCode::UNAUTHORIZED, needs_credential(&request), "{request}");
    }
    for path in ["/api/v1/docs/", "/api/v1/docs/x"] {
        assert!(!needs_credential(path), "{path}");
    }
    for path in ["/api/v1/docsx", "/api/v1/openapi.jsonx", "/docs", "/api/v1/", "/api/v1/agents/docs"] {
        assert!(needs_credential(path), "{path}");
    }
}

#[test]
fn every_served_path_knows_its_methods_and_no_other_does() {
    for (_, request) in good_requests() {
        let path = request.split('?').next().expect("a path");
        assert_eq!(allowed_methods(path), Some("GET, HEAD"), "{request}");
    }
    for path in ["/", "/api/v1", "/api/v1/", "/api/v1/agents/", "/api/v1/agents/a/b", "/api/v1/metrics/1", "/agents"] {
        assert_eq!(allowed_methods(path), None, "{path}");
    }
}

/// The list's own key, by its path.
fn rows<'a>(path: &str, body: &'a Value) -> &'a Vec<Value> {
    let key = path.trim_start_matches("/api/v1/").split('?').next().expect("a key");
    let object = body.as_object().expect("an object");
    assert_eq!(object.len(), 2, "exactly two keys");
    assert!(object["total"].is_u64());
    object[key].as_array().expect("a list")
}

#[actix_web::test]
async fn a_walk_by_links_sees_every_row_once_and_ends() {
    let api = TestApi::new().await;
    api.fill(1, 10).await;
    api.fill(2, 10).await;
    for (path, all) in [
        ("/api/v1/agents?limit=1", 2),
        ("/api/v1/metrics?limit=3", 20),
        ("/api/v1/metrics?limit=5", 20),
        ("/api/v1/metrics?limit=4&agent_id=agent-123&start_date=-5m", 6),
        ("/api/v1/speedtests?limit=7&end_date=now-1m", 16),
        ("/api/v1/traceroutes?limit=6&start_date=2000-01-01T00:00:00+02:00", 20),
    ] {
        let whole = api.get(&path.replace("limit=", "limit=1000"), Some(&everything())).await;
        assert_eq!(whole.next(), None, "{path}");
        let whole = whole.json();
        assert_eq!(whole["total"], all, "{path}");
        let (mut walked, mut next) = (Vec::new(), Some(path.to_owned()));
        while let Some(request) = next {
            let answer = api.get(&request, Some(&everything())).await;
            assert_eq!(answer.status, StatusCode::OK, "{request}");
            let body = answer.json();
            assert_eq!(body["total"], all, "{request}");
            walked.extend(rows(path, &body).clone());
            next = answer.next();
            assert_eq!(next.is_some(), walked.len() < all, "a link if and only if rows remain: {request}");
            // Time goes on during a walk; its relative dates stand still.
            api.clock.advance_seconds(60);
        }
        api.clock.advance_micros(api.now.as_micros() - astranetmon_domain::Clock::now(&*api.clock).as_micros());
        if !path.contains("agents") {
            assert_eq!(&walked, rows(path, &whole), "{path}");
        }
        assert_eq!(walked.len(), all);
    }
}

#[actix_web::test]
async fn a_list_is_read_from_either_end() {
    let api = TestApi::new().await;
    api.fill(1, 10).await;
    for list in ["metrics?", "metrics?interval=2m&", "speedtests?", "traceroutes?agent_id=b&"] {
        let path = format!("/api/v1/{list}start_date=-1d&end_date=now");
        let newest_first = api.get(&path, Some(&everything())).await.json();
        assert_eq!(
            api.get(&format!("{path}&sort=newest_first"), Some(&everything())).await.json(),
            newest_first,
            "{list}"
        );
        let (mut walked, mut next) = (Vec::new(), Some(format!("{path}&sort=oldest_first&limit=3")));
        while let Some(request) = next {
            let answer = api.get(&request, Some(&everything())).await;
            walked.extend(rows(&path, &answer.json()).clone());
            next = answer.next();
        }
        walked.reverse();
        assert_eq!(&walked, rows(&path, &newest_first), "{list}");
        assert!(walked.len() > 3);
    }
    let next = api.get("/api/v1/metrics?limit=3&sort=oldest_first", Some(&everything())).await.next().expect("more");
    let other_end = api.get(&next.replace("sort=oldest_first", "sort=newest_first"), Some(&everything())).await;
    assert_eq!(other_end.status, StatusCode::BAD_REQUEST, "a cursor goes one way");
}

#[actix_web::test]
async fn a_cursor_serves_its_own_account_list_and_filters_only() {
    let api = TestApi::new().await;
    api.fill(1, 10).await;
    api.fill(2, 10).await;
    let first = api.get("/api/v1/speedtests?limit=2&agent_id=b&start_date=-1d", Some(&everything())).await;
    let next = first.next().expect("more");
    let cursor = next.split("cursor=").nth(1).expect("a cursor");
    assert!(next.starts_with("/api/v1/speedtests?limit=2&agent_id=b&start_date=-1d&cursor="), "{next}");
    let good = format!("/api/v1/speedtests?agent_id=b&start_date=-1d&limit=5&cursor={cursor}");
    assert_eq!(api.get(&good, Some(&everything())).await.status, StatusCode::OK);
    for (request, account) in [
        (good.clone(), 2),
        (good.replace("speedtests", "traceroutes"), 1),
        (good.replace("speedtests", "metrics"), 1),
        (good.replace("agent_id=b", "agent_id=agent-123"), 1),
        (good.replace("agent_id=b&", ""), 1),
        (good.replace("start_date=-1d", "start_date=-2d"), 1),
        (good.replace("start_date=-1d", "end_date=-1d"), 1),
        (format!("{good}A"), 1),
        (format!("/api/v1/agents?cursor={cursor}"), 1),
    ] {
        let answer = api.get(&request, Some(&key_principal(account, PermissionSet::ALL))).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{request}");
        assert!(answer.error().starts_with("Invalid cursor: "), "{request}");
    }
}

#[actix_web::test]
async fn an_unknown_a_malformed_and_a_foreign_agent_are_answered_alike() {
    let api = TestApi::new().await;
    api.fill(1, 2).await;
    let stranger = key_principal(2, PermissionSet::ALL);
    for list in ["metrics", "speedtests", "traceroutes"] {
        let expected = format!("{{\"{list}\":[],\"total\":0}}");
        for query in [
            "agent_id=agent-123",
            "agent_id=nobody",
            "agent_id=",
            "agent_id=a%20b%00",
            "start_date=2026-01-02&end_date=2026-01-02",
            "start_date=now&end_date=-1h&limit=1",
        ] {
            let answer = api.get(&format!("/api/v1/{list}?{query}"), Some(&stranger)).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert_eq!(String::from_utf8(answer.body).expect("text"), expected, "{query}");
            assert!(answer.headers.get("Link").is_none());
        }
    }
}

#[actix_web::test]
async fn limits_have_their_defaults_and_caps() {
    let api = TestApi::new().await;
    api.fill(1, 5_100).await;
    for (request, expected) in [
        ("/api/v1/metrics", 100),
        ("/api/v1/metrics?limit=10000", 10_000),
        ("/api/v1/metrics?limit=10001", 10_000),
        ("/api/v1/metrics?limit=99999999999999999999999", 10_000),
        ("/api/v1/speedtests", 100),
        ("/api/v1/speedtests?limit=1001", 1_000),
        ("/api/v1/traceroutes", 100),
        ("/api/v1/traceroutes?limit=5000", 1_000),
        ("/api/v1/agents", 2),
        ("/api/v1/agents?limit=1", 1),
    ] {
        let answer = api.get(request, Some(&everything())).await;
        assert_eq!(rows(request, &answer.json()).len(), expected, "{request}");
        assert!(answer.next().is_some() || request == "/api/v1/agents");
    }
}

#[actix_web::test]
async fn a_link_is_absolute_where_the_operator_says_so() {
    let settings = ApiSettings { public_url: Some("https://m.example.com".to_owned()), ..ApiSettings::default() };
    let api = TestApi::with_settings(settings).await;
    api.fill(1, 2).await;
    let answer = api.get("/api/v1/metrics?limit=1", Some(&everything())).await;
    assert!(answer.next().expect("more").starts_with("https://m.example.com/api/v1/metrics?limit=1&cursor="));
}

#[actix_web::test]
async fn a_storage_that_is_away_is_503_and_no_cursor_breaks_it() {
    let api = TestApi::new().await;
    api.fill(1, 2).await;
    api.storage.away.store(true, Ordering::SeqCst);
    for (template, request) in good_requests() {
        let answer = api.get(&request, Some(&everything())).await;
        let reads = !template.contains("docs") && !template.contains("openapi") && !template.contains("key");
        let expected = if reads { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
        assert_eq!(answer.status, expected, "{request}");
    }
}

#[actix_web::test]
async fn a_key_sees_its_use_and_itself() {
    let api = TestApi::new().await;
    let (account, key) = (AccountId(1), astranetmon_domain::ApiKeyId(1));
    for _ in 0..3 {
        api.state.usage.record(account, key, false, api.now);
    }
    let usage = api.get("/api/v1/usage", Some(&everything())).await.json();
    assert_eq!(usage["hours"].as_array().expect("hours").len(), 24);
    assert_eq!(usage["hours"][23]["served_count"], 3);
    assert_eq!((&usage["limit"], &usage["used"], &usage["remaining"]), (&1_000.into(), &120.into(), &880.into()));
    assert_eq!((&usage["plan"], &usage["window_seconds"]), (&"professional".into(), &3_600.into()));
    let facts = api.get("/api/v1/key", Some(&everything())).await.json();
    assert_eq!(facts["last_used_at"], api.now.to_string());
    assert_eq!(facts["permissions"][1], "read:metrics");
    assert_eq!((&facts["hint"], &facts["expires_at"]), (&"a1B2".into(), &Value::Null));
}

#[actix_web::test]
async fn the_explorer_is_one_redirect_away_from_a_slash_and_may_load_only_its_own_parts() {
    let api = TestApi::new().await;
    let slash = api.get("/api/v1/docs/", None).await;
    assert_eq!(slash.status, StatusCode::PERMANENT_REDIRECT);
    assert_eq!(slash.headers.get("Location").expect("a target"), "../docs");
    let page = api.get("/api/v1/docs", None).await;
    let policy = page.headers.get("Content-Security-Policy").and_then(|policy| policy.to_str().ok()).expect("ASCII");
    assert!(
        policy.starts_with("default-src 'none'; script-src 'self'; style-src 'self';") && !policy.contains("unsafe")
    );
}
