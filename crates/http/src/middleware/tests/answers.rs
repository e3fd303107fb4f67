use std::sync::atomic::Ordering;

use actix_web::http::header;
use actix_web::test::TestRequest;
use astranetmon_auth::{ApiKey, Permission, PermissionSet};
use astranetmon_domain::Plan;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::test_service::{START, TestService, call, get};
use crate::testing::Ends;

/// On every answer of the API.
const ALWAYS: [&str; 8] = [
    "cache-control: no-store",
    "content-security-policy: default-src 'none'; frame-ancestors 'none'; sandbox",
    "content-type: application/json",
    "cross-origin-resource-policy: same-origin",
    "referrer-policy: no-referrer",
    "vary: Authorization, Cookie, Accept, Accept-Encoding",
    "x-content-type-options: nosniff",
    "x-request-id: test-1",
];

/// Also on answers to an Enterprise key: nothing.
const SEND_A_KEY: &str = "{\"error\":\"Authentication required: send an API key as Authorization: Bearer astra_…\"}";
const WRONG_KEY: &str = "{\"error\":\"Invalid or missing API key\"}";
const CHALLENGE: &str = "www-authenticate: Bearer realm=\"astranetmon\"";
const WRONG_KEY_CHALLENGE: &str = "www-authenticate: Bearer realm=\"astranetmon\", error=\"invalid_token\"";

#[actix_web::test]
async fn every_refusal_has_its_exact_status_headers_and_sentence() {
    let service = TestService::with(|settings| settings.address_failures_per_minute = std::num::NonZeroU32::MAX).await;
    let key = |number, permissions, ends| service.key(number, Plan::Enterprise, permissions, ends);
    let good = key(1, PermissionSet::ALL, Ends::default());
    let agents_only = key(2, [Permission::ReadAgents].into_iter().collect(), Ends::default());
    let expired = key(3, PermissionSet::ALL, Ends { expires_at: Some(START), revoked_at: None });
    let revoked = key(4, PermissionSet::ALL, Ends { expires_at: None, revoked_at: Some(START) });
    let unknown = ApiKey::generate(&mut StdRng::seed_from_u64(5)).reveal().to_owned();
    let app = service.start().await;

    let bearer = |key: &str| format!("Bearer {key}");
    let long = format!("/api/v1/metrics?agent_id={}", "x".repeat(8_192));
    let not_found = "{\"error\":\"Not found\"}";
    let only_get = "{\"error\":\"Method not allowed: this path accepts GET, HEAD\"}";
    for (method, path, credential, status, extra, body) in [
        ("GET", "/api/v1/metrics", Some(bearer(&good)), 200, &[][..], "{\"metrics\":[],\"total\":0}"),
        ("GET", "/api/v1/metrics", Some(format!("bEARER  {good}")), 200, &[], "{\"metrics\":[],\"total\":0}"),
        // 401: whatever the path.
        ("GET", "/api/v1/metrics", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("POST", "/api/v1/metrics", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/nothing", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/docsx", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/openapi.json/", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/metrics", Some("Basic YTpi".to_owned()), 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/metrics", Some("Bearer".to_owned()), 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/metrics", Some(good.clone()), 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/metrics", Some(bearer("astra_your_api_key_here")), 401, &[WRONG_KEY_CHALLENGE], WRONG_KEY),
        ("GET", "/api/v1/metrics", Some(bearer(&unknown)), 401, &[WRONG_KEY_CHALLENGE], WRONG_KEY),
        ("GET", "/api/v1/metrics", Some(bearer(&expired)), 401, &[WRONG_KEY_CHALLENGE], WRONG_KEY),
        ("GET", "/api/v1/metrics", Some(bearer(&revoked)), 401, &[WRONG_KEY_CHALLENGE], WRONG_KEY),
        ("GET", "/api/v1/nothing", Some(bearer(&unknown)), 401, &[WRONG_KEY_CHALLENGE], WRONG_KEY),
        // 403.
        (
            "GET",
            "/api/v1/metrics",
            Some(bearer(&agents_only)),
            403,
            &["www-authenticate: Bearer realm=\"astranetmon\", error=\"insufficient_scope\", scope=\"read:metrics\""],
            "{\"error\":\"Insufficient permissions: requires read:metrics\"}",
        ),
        // 404 and 405 are for those who may know.
        ("GET", "/api/v1/nothing", Some(bearer(&good)), 404, &[], not_found),
        ("GET", "/api/v1", Some(bearer(&good)), 404, &[], not_found),
        ("GET", "/api", Some(bearer(&good)), 404, &[], not_found),
        ("GET", "/api/v2/metrics", Some(bearer(&good)), 404, &[], not_found),
        ("GET", "/api/v1/metrics/", Some(bearer(&good)), 404, &[], not_found),
        ("GET", "/api/v1/number/many", Some(bearer(&good)), 404, &[], not_found),
        ("POST", "/api/v1/nothing", Some(bearer(&good)), 404, &[], not_found),
        ("POST", "/api/v1/metrics", Some(bearer(&good)), 405, &["allow: GET, HEAD"], only_get),
        ("PUT", "/api/v1/metrics", Some(bearer(&good)), 405, &["allow: GET, HEAD"], only_get),
        ("OPTIONS", "/api/v1/metrics", Some(bearer(&good)), 405, &["allow: GET, HEAD"], only_get),
        ("BREW", "/api/v1/metrics", Some(bearer(&good)), 405, &["allow: GET, HEAD"], only_get),
        (
            "DELETE",
            "/api/v1/gate",
            Some(bearer(&good)),
            405,
            &["allow: GET"],
            "{\"error\":\"Method not allowed: this path accepts GET\"}",
        ),
        // Open paths.
        ("GET", "/api/v1/openapi.json", None, 200, &[], "{}"),
        ("GET", "/api/v1/openapi.json", Some(bearer(&unknown)), 200, &[], "{}"),
        ("POST", "/api/v1/openapi.json", None, 405, &["allow: GET, HEAD"], only_get),
        ("GET", "/api/v1/docs/nothing", None, 404, &[], not_found),
        // Open or not is told by the path as routing decodes it, and what it does not decode is no open path.
        ("GET", "/api/v1/%6fpenapi.json", None, 200, &[], "{}"),
        ("GET", "/api/v1/%64ocs/x", None, 404, &[], not_found),
        ("GET", "/api/v1/docs/..%2fmetrics", None, 404, &[], not_found),
        ("GET", "/api/v1/docs/../metrics", None, 404, &[], not_found),
        ("GET", "/api/v1/docs/%2e%2e/metrics", None, 404, &[], not_found),
        ("GET", "/api/v1/docs%2fx", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/docs%252fx", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1//docs", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/./docs", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/docs;x", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/docs%00", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/docs%ff", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/%75sage", None, 401, &[CHALLENGE], SEND_A_KEY),
        ("GET", "/api/v1/%6Detrics", None, 401, &[CHALLENGE], SEND_A_KEY),
        // The credential comes before the form.
        ("GET", long.as_str(), None, 401, &[CHALLENGE], SEND_A_KEY),
        (
            "GET",
            long.as_str(),
            Some(bearer(&good)),
            414,
            &[],
            "{\"error\":\"Request target too long: at most 8192 bytes of path and query\"}",
        ),
        // What actix's own extractors refuse.
        (
            "GET",
            "/api/v1/query?n=many",
            Some(bearer(&good)),
            400,
            &[],
            "{\"error\":\"Malformed query string: send name=value pairs joined by &, such as \
             ?agent_id=agent-123&limit=100\"}",
        ),
        (
            "POST",
            "/api/v1/json",
            Some(bearer(&good)),
            415,
            &[],
            "{\"error\":\"Unsupported media type: this path takes JSON of at most 64 KiB, Content-Type: application/json\"}",
        ),
        // Outside.
        ("GET", "/", None, 404, &[], not_found),
        ("GET", "/apix", None, 404, &[], not_found),
        ("GET", "//api/v1/metrics", None, 404, &[], not_found),
    ] {
        let method = method.parse().expect("method");
        let mut request = TestRequest::with_uri(path).method(method).insert_header(("x-request-id", "test-1"));
        if let Some(credential) = &credential {
            request = request.insert_header((header::AUTHORIZATION, credential.as_str()));
        }
        let name = format!("{path:.60} {}", credential.as_deref().unwrap_or("without"));
        let answer = call(&app, request).await;
        let mut expected: Vec<&str> = ALWAYS.iter().chain(extra).copied().collect();
        expected.sort_unstable();
        assert_eq!(answer.status.as_u16(), status, "{name}: {}", answer.body);
        assert_eq!(answer.header_lines(), expected, "{name}");
        assert_eq!(answer.body, body, "{name}");
    }
}

#[actix_web::test]
async fn bodies_that_nobody_reads_are_refused_by_size_and_coding() {
    let service = TestService::new().await;
    let key = service.key(1, Plan::Enterprise, PermissionSet::ALL, Ends::default());
    let app = service.start().await;
    for (name, value, status) in [
        ("content-length", "65536", 200),
        ("content-length", "65537", 413),
        ("content-length", "99999999999", 413),
        ("content-encoding", "identity", 200),
        ("content-encoding", "Identity", 200),
        ("content-encoding", "gzip", 415),
        ("content-encoding", "identity, gzip", 415),
    ] {
        let open = TestRequest::with_uri("/api/v1/openapi.json").insert_header((name, value));
        assert_eq!(call(&app, open).await.status.as_u16(), status, "{name}: {value}");
        let answer = call(&app, get("/api/v1/metrics", &key).insert_header((name, value))).await;
        assert_eq!(answer.status.as_u16(), status, "{name}: {value}");
        let without_key = TestRequest::with_uri("/api/v1/metrics").insert_header((name, value));
        assert_eq!(call(&app, without_key).await.status.as_u16(), 401, "{name}: {value}");
    }
}

#[actix_web::test]
async fn a_key_that_fails_its_checksum_never_reaches_storage() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let wrong = format!("{}{}", &key[..41], if key.ends_with('0') { '1' } else { '0' });
    let app = service.start().await;
    assert_eq!(call(&app, get("/api/v1/metrics", &wrong)).await.status.as_u16(), 401);
    assert_eq!(service.storage.lookups.load(Ordering::SeqCst), 0);
}

#[actix_web::test]
async fn two_credentials_are_nobodys() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    let twice = get("/api/v1/metrics", &key).append_header((header::AUTHORIZATION, format!("Bearer {key}")));
    let answer = call(&app, twice).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (401, WRONG_KEY));
}

#[actix_web::test]
async fn while_storage_is_away_the_answer_is_503_and_says_nothing_of_the_cause() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    service.storage.away.store(true, Ordering::SeqCst);
    let unavailable = "{\"error\":\"Service temporarily unavailable: try again in a moment\"}";
    let at_look_up = call(&app, get("/api/v1/metrics", &key)).await;
    assert_eq!((at_look_up.status.as_u16(), at_look_up.body.as_str()), (503, unavailable));
    assert_eq!(at_look_up.header("retry-after"), Some("1"));

    service.storage.away.store(false, Ordering::SeqCst);
    assert_eq!(call(&app, get("/api/v1/metrics", &key)).await.status.as_u16(), 200);
    service.storage.away.store(true, Ordering::SeqCst);
    let at_quota = call(&app, get("/api/v1/metrics", &key)).await;
    assert_eq!((at_quota.status.as_u16(), at_quota.body.as_str()), (503, unavailable));
    assert_eq!(at_quota.header("ratelimit"), None);
}

#[actix_web::test]
async fn errors_are_rfc_9457_for_those_who_ask() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    let ask = |request: TestRequest| request.insert_header((header::ACCEPT, "application/problem+json"));
    for (request, status, body) in [
        (
            TestRequest::with_uri("/api/v1/metrics"),
            401,
            "{\"type\":\"about:blank\",\"title\":\"Unauthorized\",\"status\":401,\"detail\":\"Authentication required: \
             send an API key as Authorization: Bearer astra_…\",\"error\":\"Authentication required: send an API key \
             as Authorization: Bearer astra_…\"}",
        ),
        (
            get("/api/v1/nothing", &key),
            404,
            "{\"type\":\"about:blank\",\"title\":\"Not Found\",\"status\":404,\"detail\":\"Not found\",\
             \"error\":\"Not found\"}",
        ),
        (
            get("/api/v1/panic", &key),
            500,
            "{\"type\":\"about:blank\",\"title\":\"Internal Server Error\",\"status\":500,\
             \"detail\":\"Internal server error\",\"error\":\"Internal server error\"}",
        ),
    ] {
        let answer = call(&app, ask(request)).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (status, body));
        assert_eq!(answer.header("content-type"), Some("application/problem+json"));
    }
    let refused = call(&app, ask(TestRequest::with_uri("/api/v1/metrics"))).await;
    assert_eq!(refused.header("www-authenticate"), Some("Bearer realm=\"astranetmon\""));
    let fine = call(&app, ask(get("/api/v1/metrics", &key))).await;
    assert_eq!((fine.status.as_u16(), fine.header("content-type")), (200, Some("application/json")));
}

#[actix_web::test]
async fn a_page_keeps_its_own_policy_and_caching() {
    let service = TestService::with(|settings| settings.tls = true).await;
    let app = service.start().await;
    let answer = call(&app, TestRequest::with_uri("/api/v1/docs/")).await;
    assert_eq!(answer.header("content-security-policy"), Some("default-src 'self'"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    assert_eq!(answer.header("strict-transport-security"), Some("max-age=31536000; includeSubDomains"));
    let vary: Vec<_> = answer.headers.get_all("vary").map(|value| value.to_str().expect("text")).collect();
    assert_eq!(vary, ["Accept-Encoding", "Authorization, Cookie, Accept, Accept-Encoding"]);
}

#[actix_web::test]
async fn every_answer_has_a_request_id() {
    let service = TestService::new().await;
    let app = service.start().await;
    for path in ["/api/v1/metrics", "/healthz", "/", "/api/v1/openapi.json"] {
        let own = call(&app, TestRequest::with_uri(path).insert_header(("x-request-id", "mine"))).await;
        assert_eq!(own.header("x-request-id"), Some("mine"), "{path}");
        let ill_formed = call(&app, TestRequest::with_uri(path).insert_header(("x-request-id", "a b"))).await;
        assert_eq!(ill_formed.header("x-request-id").map(str::len), Some(32), "{path}");
    }
}
