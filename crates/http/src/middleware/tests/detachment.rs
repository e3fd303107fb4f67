use std::sync::atomic::Ordering;

use actix_web::http::ConnectionType;
use futures_util::FutureExt;

use crate::test_service::{TestService, call, get};

#[actix_web::test]
async fn a_panic_is_a_500_in_the_contracts_form_and_the_next_request_works() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    for _ in 0..3 {
        let answer = call(&app, get("/api/v1/panic", &key).insert_header(("x-request-id", "test-1"))).await;
        assert_eq!((answer.status.as_u16(), answer.body.as_str()), (500, "{\"error\":\"Internal server error\"}"));
        assert_eq!(answer.header("x-request-id"), Some("test-1"));
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"));
        assert_eq!(call(&app, get("/api/v1/metrics", &key)).await.status.as_u16(), 200);
    }
}

#[actix_web::test]
async fn a_caller_that_goes_away_does_not_stop_the_work_and_holds_its_place_until_then() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    for _ in 0..2 {
        // Polled once, then dropped, as actix does when the connection is reset.
        assert!(call(&app, get("/api/v1/gate", &key)).now_or_never().is_none());
    }
    while service.gate.entered.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(call(&app, get("/api/v1/metrics", &key)).await.status.as_u16(), 429);
    service.gate.opened.notify_waiters();
    while service.gate.left.load(Ordering::SeqCst) < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(call(&app, get("/api/v1/metrics", &key)).await.status.as_u16(), 200);
}

#[actix_web::test]
async fn a_draining_process_answers_and_closes() {
    let service = TestService::new().await;
    let key = service.starter_key();
    let app = service.start().await;
    assert_eq!(call(&app, get("/api/v1/metrics", &key)).await.connection, ConnectionType::KeepAlive);
    service.state.drain();
    for path in ["/api/v1/metrics", "/api/v1/panic", "/healthz", "/readyz", "/"] {
        assert_eq!(call(&app, get(path, &key)).await.connection, ConnectionType::Close, "{path}");
    }
}
