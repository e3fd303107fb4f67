use actix_web::http::Method;
use actix_web::http::header;
use actix_web::test::TestRequest;

use crate::AllowedOrigin;
use crate::test_service::{Answer, TestService, call, get};

const OURS: &str = "https://status.example.com";

async fn service(origins: &[&str]) -> TestService {
    let origins: Vec<AllowedOrigin> = origins.iter().map(|origin| origin.parse().expect("an origin")).collect();
    TestService::with(|settings| settings.cors_origins = origins).await
}

fn vary(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("vary").flat_map(|value| value.to_str().expect("text").split(", ")).collect()
}

fn preflight(path: &str, origin: &str) -> TestRequest {
    TestRequest::with_uri(path)
        .method(Method::OPTIONS)
        .insert_header((header::ORIGIN, origin))
        .insert_header((header::ACCESS_CONTROL_REQUEST_METHOD, "GET"))
        .insert_header((header::ACCESS_CONTROL_REQUEST_HEADERS, "authorization"))
}

#[actix_web::test]
async fn without_a_list_no_page_of_another_origin_reads() {
    let service = service(&[]).await;
    let key = service.starter_key();
    let app = service.start().await;
    let answer = call(&app, get("/api/v1/metrics", &key).insert_header((header::ORIGIN, OURS))).await;
    assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, None));
    assert!(!vary(&answer).contains(&"Origin"));
    assert_eq!(call(&app, preflight("/api/v1/metrics", OURS)).await.status.as_u16(), 401);
}

#[actix_web::test]
async fn pages_of_named_origins_read_answers_and_errors() {
    let service = service(&["http://localhost:3000", OURS]).await;
    let key = service.starter_key();
    let app = service.start().await;
    for (path, key, status) in [
        ("/api/v1/metrics", key.as_str(), 200),
        ("/api/v1/nowhere", &key, 404),
        ("/api/v1/panic", &key, 500),
        ("/api/v1/metrics", "astra_wrong", 401),
    ] {
        let answer = call(&app, get(path, key).insert_header((header::ORIGIN, OURS))).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (status, Some(OURS)));
        let exposed = answer.header("access-control-expose-headers").expect("a list");
        for name in ["Link", "ETag", "X-Request-Id", "RateLimit", "X-RateLimit-Remaining", "Retry-After"] {
            assert!(exposed.split(", ").any(|exposed| exposed == name), "{name}");
        }
        assert_eq!(answer.header("access-control-allow-credentials"), None);
        assert!(vary(&answer).contains(&"Origin"), "{path}");
    }
    for origin in ["https://evil.example.com", "https://status.example.com.evil.com", "null", "http://localhost"] {
        let answer = call(&app, get("/api/v1/metrics", &key).insert_header((header::ORIGIN, origin))).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, None), "{origin}");
        assert!(vary(&answer).contains(&"Origin"), "{origin}");
    }
    let answer = call(&app, get("/api/v1/metrics", &key)).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);
    assert!(vary(&answer).contains(&"Origin"));
}

#[actix_web::test]
async fn a_browser_that_asks_first_is_answered_for_named_origins_only() {
    let service = service(&[OURS]).await;
    let app = service.start().await;
    let answer = call(&app, preflight("/api/v1/metrics", OURS)).await;
    assert_eq!((answer.status.as_u16(), answer.body.as_str()), (204, ""));
    assert_eq!(answer.header("access-control-allow-origin"), Some(OURS));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET, HEAD"));
    assert_eq!(answer.header("access-control-max-age"), Some("600"));
    let sent = answer.header("access-control-allow-headers").expect("a list");
    assert!(sent.contains("Authorization") && sent.contains("If-None-Match"), "{sent}");
    let other = call(&app, preflight("/api/v1/metrics", "https://evil.example.com")).await;
    assert_eq!((other.status.as_u16(), other.header("access-control-allow-origin")), (401, None));
    // Without the question it is a method like any other.
    let plain = TestRequest::with_uri("/api/v1/metrics").method(Method::OPTIONS);
    assert_eq!(call(&app, plain.insert_header((header::ORIGIN, OURS))).await.status.as_u16(), 401);
}

#[actix_web::test]
async fn all_origins_may_read_where_the_operator_says_so_and_still_without_cookies() {
    let service = service(&["*"]).await;
    let key = service.starter_key();
    let app = service.start().await;
    let answer = call(&app, get("/api/v1/metrics", &key).insert_header((header::ORIGIN, OURS))).await;
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(answer.header("access-control-allow-credentials"), None);
    assert_eq!(call(&app, preflight("/api/v1/metrics", "null")).await.status.as_u16(), 204);
}
