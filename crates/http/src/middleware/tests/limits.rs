use std::sync::atomic::Ordering;

use actix_web::test::TestRequest;
use astranetmon_auth::{ApiKey, PermissionSet};
use astranetmon_domain::{ApiKeyId, Plan};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::test_service::{START, TestService, call, get};
use crate::testing::Ends;

const RATE_HEADERS: [&str; 5] =
    ["ratelimit-policy", "ratelimit", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset"];

#[actix_web::test]
async fn exactly_the_plans_requests_pass_and_the_headers_count_them_down() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    let reset = (START.as_seconds() + 3_600).to_string();
    for number in 1..=105_u32 {
        let answer = call(&app, get("/api/v1/metrics", &key)).await;
        let remaining = 100_u32.saturating_sub(number);
        let rate = RATE_HEADERS.map(|name| answer.header(name).expect("header").to_owned());
        let expected = [
            "\"hourly\";q=100;w=3600".to_owned(),
            format!("\"hourly\";r={remaining};t=3600"),
            "100".to_owned(),
            remaining.to_string(),
            reset.clone(),
        ];
        assert_eq!(rate, expected, "{number}");
        if number <= 100 {
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (200, None), "{number}");
        } else {
            assert_eq!((answer.status.as_u16(), answer.header("retry-after")), (429, Some("3600")), "{number}");
            assert_eq!(
                answer.body,
                "{\"error\":\"Rate limit exceeded: the Starter plan allows 100 requests an hour for each key; wait \
                 for the seconds in Retry-After\"}"
            );
        }
    }
    let counts = service.state.usage.pending(ApiKeyId(1));
    assert_eq!(counts.iter().map(|count| (count.served, count.refused)).collect::<Vec<_>>(), [(100, 5)]);
}

#[actix_web::test]
async fn a_new_window_opens_3600_seconds_after_the_first_request() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    for _ in 0..100 {
        assert_eq!(call(&app, get("/api/v1/metrics", &key)).await.status.as_u16(), 200);
    }
    for (micros, status, remaining, wait) in [
        (0, 429, "0", Some("3600")),
        (1_500_000, 429, "0", Some("3599")),
        (3_598_499_999, 429, "0", Some("1")),
        (1, 200, "99", None),
    ] {
        service.clock.advance_micros(micros);
        let answer = call(&app, get("/api/v1/metrics", &key)).await;
        let found = (answer.status.as_u16(), answer.header("x-ratelimit-remaining"), answer.header("retry-after"));
        assert_eq!(found, (status, Some(remaining), wait), "{micros}");
    }
}

#[actix_web::test]
async fn whatever_comes_of_it_a_request_with_a_key_counts_and_free_paths_do_not() {
    let service = TestService::new().await;
    let key = service.key(1, Plan::Starter, PermissionSet::NONE, Ends::default());
    let app = service.start().await;
    let post = |path: &str| get(path, &key).method(actix_web::http::Method::POST);
    for (request, status, remaining) in [
        (get("/api/v1/usage", &key), 200, Some("100")),
        (get("/api/v1/metrics", &key), 403, Some("99")),
        (get("/api/v1/nothing", &key), 404, Some("98")),
        (post("/api/v1/metrics"), 405, Some("97")),
        (get("/api/v1/query?n=many", &key), 400, Some("96")),
        (get("/api/v1/usage", &key), 200, Some("96")),
        (post("/api/v1/usage"), 405, Some("96")),
        (get("/api/v1/openapi.json", &key), 200, None),
        (get("/api/v1/metrics?x", "astra_wrong"), 401, None),
        (get(&format!("/api/v1/metrics?{}", "x".repeat(9_000)), &key), 414, Some("95")),
        (get("/api/v1/metrics", &key).insert_header(("content-length", "99999999")), 413, Some("94")),
        (get("/api/v1/metrics", &key).insert_header(("content-encoding", "gzip")), 415, Some("93")),
        (get("/healthz", &key), 200, None),
        (get("/api/v1/panic", &key), 500, Some("92")),
        // As routing decodes it.
        (get("/api/v1/%75sage", &key), 200, Some("92")),
        (get("/api/v1/%6betrics", &key), 404, Some("91")),
        (get("/api/v1/%6Detrics", &key), 403, Some("90")),
        (get("/api/v1/usage%2f", &key), 404, Some("89")),
        (get("/api/v1//usage", &key), 404, Some("88")),
        (get("/api/v1/./usage", &key), 404, Some("87")),
        (get("/api/v1/usage;x", &key), 404, Some("86")),
        (get("/api/v1/usage%00", &key), 404, Some("85")),
        (get("/api/v1/%6fpenapi.json", &key), 200, None),
        (get("/api/v1/usage", &key), 200, Some("85")),
    ] {
        let answer = call(&app, request).await;
        assert_eq!((answer.status.as_u16(), answer.header("x-ratelimit-remaining")), (status, remaining));
    }
    let usage = call(&app, get("/api/v1/usage", &key)).await;
    assert_eq!(usage.body, "{\"remaining\":85}");
}

#[actix_web::test]
async fn a_spent_key_may_still_ask_how_it_stands() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    for _ in 0..101 {
        call(&app, get("/api/v1/metrics", &key)).await;
    }
    let usage = call(&app, get("/api/v1/usage", &key)).await;
    assert_eq!((usage.status.as_u16(), usage.header("x-ratelimit-remaining")), (200, Some("0")));
}

#[actix_web::test]
async fn an_enterprise_key_has_no_quota_and_no_rate_headers() {
    let service = TestService::new().await;
    let key = service.key(1, Plan::Enterprise, PermissionSet::ALL, Ends::default());
    let app = service.start().await;
    for _ in 0..1_100 {
        let answer = call(&app, get("/api/v1/metrics", &key)).await;
        assert_eq!(answer.status.as_u16(), 200);
        assert!(RATE_HEADERS.iter().all(|name| answer.header(name).is_none()));
    }
    assert_eq!(service.state.usage.pending(ApiKeyId(1))[0].served, 1_100);
}

#[actix_web::test]
async fn a_key_beyond_its_places_waits_then_is_refused_and_spends_nothing() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    let requests = async {
        tokio::join!(call(&app, get("/api/v1/gate", &key)), call(&app, get("/api/v1/gate", &key)), async {
            while service.gate.entered.load(Ordering::SeqCst) < 2 {
                tokio::task::yield_now().await;
            }
            let refused = call(&app, get("/api/v1/metrics", &key)).await;
            service.gate.opened.notify_waiters();
            refused
        })
    };
    let (first, second, refused) = requests.await;
    assert_eq!((first.status.as_u16(), second.status.as_u16()), (200, 200));
    assert_eq!(
        (refused.status.as_u16(), refused.header("retry-after"), refused.header("x-ratelimit-remaining")),
        (429, Some("1"), Some("98"))
    );
    assert_eq!(
        refused.body,
        "{\"error\":\"Too many requests of this key at once: wait for some of them to finish, then try again\"}"
    );
    let after = call(&app, get("/api/v1/metrics", &key)).await;
    assert_eq!((after.status.as_u16(), after.header("x-ratelimit-remaining")), (200, Some("97")));
}

#[actix_web::test]
async fn an_address_that_fails_too_often_is_told_to_wait_but_its_good_keys_pass() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    let from = |request: TestRequest, address: &str| request.peer_addr(address.parse().expect("address"));
    for _ in 0..3 {
        let answer = call(&app, from(get("/api/v1/metrics", "astra_wrong"), "192.0.2.1:1000")).await;
        assert_eq!(answer.status.as_u16(), 401);
    }
    let refused = call(&app, from(get("/api/v1/metrics", "astra_wrong"), "192.0.2.1:2000")).await;
    assert_eq!(refused.status.as_u16(), 429);
    let wait: u32 = refused.header("retry-after").and_then(|wait| wait.parse().ok()).expect("seconds");
    assert!((1..=20).contains(&wait), "{wait}");
    assert_eq!(
        refused.body,
        "{\"error\":\"Too many failed authentications from this address: wait for the seconds in Retry-After, then \
         send a valid API key as Authorization: Bearer astra_…\"}"
    );
    for (request, status) in [
        (from(get("/api/v1/metrics", &key), "192.0.2.1:3000"), 200),
        (from(TestRequest::with_uri("/api/v1/metrics"), "192.0.2.1:3000"), 401),
        (from(get("/api/v1/metrics", "astra_wrong"), "192.0.2.2:1000"), 401),
        // Nobody in front is trusted, so the caller cannot choose its address.
        (
            from(get("/api/v1/metrics", "astra_wrong"), "192.0.2.1:1")
                .insert_header(("x-forwarded-for", "203.0.113.1"))
                .insert_header(("forwarded", "for=203.0.113.1")),
            429,
        ),
    ] {
        assert_eq!(call(&app, request).await.status.as_u16(), status);
    }
}

#[actix_web::test]
async fn made_up_keys_of_an_address_that_fails_too_often_reach_storage_two_at_a_time() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    let ask = async |key: &str, address: &str| {
        let request = get("/api/v1/metrics", key).peer_addr(address.parse().expect("address"));
        call(&app, request).await
    };
    assert_eq!(ask(&key, "192.0.2.9:1").await.status.as_u16(), 200);
    for _ in 0..4 {
        ask("astra_wrong", "192.0.2.1:1").await;
    }
    let made_up: Vec<_> =
        (10..16).map(|number| ApiKey::generate(&mut StdRng::seed_from_u64(number)).reveal().to_owned()).collect();
    service.storage.frozen.store(true, Ordering::SeqCst);
    let mut flood: FuturesUnordered<_> = made_up[..5].iter().map(|key| ask(key, "192.0.2.1:2")).collect();
    for _ in 0..3 {
        let refused = flood.next().await.expect("more");
        assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (503, Some("1")));
        assert_eq!(service.storage.lookups.load(Ordering::SeqCst), 1 + 2);
    }
    // A key that is known here needs no turn, though it is looked up anew by now, and another address neither.
    assert_eq!(ask(&key, "192.0.2.1:3").await.status.as_u16(), 200);
    assert_eq!(service.storage.lookups.load(Ordering::SeqCst), 1 + 2 + 1);
    service.storage.frozen.store(false, Ordering::SeqCst);
    assert_eq!(ask(&made_up[5], "192.0.2.2:1").await.status.as_u16(), 401);
}
