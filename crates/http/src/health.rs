use std::time::{Duration, Instant};

use actix_web::dev::HttpServiceFactory;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, ResponseError, web};
use astranetmon_storage::Storage;
use serde::Serialize;
use tokio::sync::Mutex;

use crate::ApiError;
use crate::middleware::edge;
use crate::state::ApiState;

/// An orchestrator asks often and gives up soon.
const CHECK_WITHIN: Duration = Duration::from_secs(2);
/// Everybody may ask, as often as they like; storage is asked no more often than this.
const BELIEVED_FOR: Duration = Duration::from_millis(250);

/// `/healthz` (the process answers) and `/readyz` (it can serve, and if not, why not), both open to everybody.
#[must_use]
pub fn health(state: web::Data<ApiState>) -> impl HttpServiceFactory + 'static {
    (open_resource("/healthz", state.clone(), web::to(healthz)), open_resource("/readyz", state, web::to(readyz)))
}

fn open_resource(path: &str, state: web::Data<ApiState>, route: actix_web::Route) -> impl HttpServiceFactory + 'static {
    let at_edge = state.clone();
    web::resource(path)
        .app_data(state)
        .route(route.guard(actix_web::guard::Any(actix_web::guard::Get()).or(actix_web::guard::Head())))
        .default_service(web::to(method_not_allowed))
        .wrap(from_fn(move |request, next| edge(at_edge.clone(), request, next)))
}

#[derive(Serialize)]
struct Health {
    status: &'static str,
}

#[derive(Serialize)]
struct Readiness {
    /// The contract's error form, while there is an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<String>,
    status: &'static str,
    checks: Checks,
}

#[derive(Serialize)]
struct Checks {
    storage: &'static str,
    serving: &'static str,
}

async fn healthz() -> HttpResponse {
    HttpResponse::Ok().json(Health { status: "ok" })
}

/// The last answer of storage, shared by all who ask.
#[derive(Default)]
pub(crate) struct StorageCheck(Mutex<Option<(Instant, &'static str)>>);

impl StorageCheck {
    /// Whether storage answers: asked by one caller at a time, and believed for a moment by others. However long its
    /// turn takes to come, a caller believes what was answered while it waited.
    async fn ask(&self, storage: &dyn Storage) -> &'static str {
        let came_at = Instant::now();
        let mut last = self.0.lock().await;
        if let Some((answered_at, answer)) = *last
            && (answered_at >= came_at || answered_at.elapsed() < BELIEVED_FOR)
        {
            return answer;
        }
        let answer = match tokio::time::timeout(CHECK_WITHIN, storage.ping()).await {
            Ok(Ok(())) => "ok",
            Ok(Err(error)) => {
                tracing::warn!(error = &error as &dyn std::error::Error, "not ready: storage does not answer");
                "unavailable"
            }
            Err(_) => {
                tracing::warn!("not ready: storage takes too long to answer");
                "too slow"
            }
        };
        *last = Some((Instant::now(), answer));
        answer
    }
}

async fn readyz(state: web::Data<ApiState>) -> HttpResponse {
    let storage = state.storage_check.ask(&*state.storage).await;
    let serving = if state.is_draining() { "draining" } else { "ok" };
    let checks = Checks { storage, serving };
    if storage == "ok" && serving == "ok" {
        HttpResponse::Ok().json(Readiness { error: None, status: "ready", checks })
    } else {
        HttpResponse::build(ApiError::Unavailable.status_code())
            .insert_header((header::RETRY_AFTER, 1))
            .json(Readiness { error: Some(ApiError::Unavailable.message()), status: "unavailable", checks })
    }
}

async fn method_not_allowed() -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed { allow: "GET, HEAD".to_owned() })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::Ordering;

    use actix_web::http::Method;
    use actix_web::test::TestRequest;

    use super::{BELIEVED_FOR, Instant};
    use crate::test_service::{TestService, call};

    #[actix_web::test]
    async fn a_flood_of_askers_costs_storage_one_question() {
        let service = TestService::new().await;
        let app = service.start().await;
        let asking = (0..100).map(|_| call(&app, TestRequest::with_uri("/readyz")));
        for answer in futures_util::future::join_all(asking).await {
            assert_eq!(answer.status.as_u16(), 200);
        }
        assert_eq!(service.storage.pings.load(Ordering::SeqCst), 1);
    }

    #[actix_web::test]
    async fn an_answer_that_came_while_waiting_is_believed_however_long_the_queue() {
        let service = TestService::new().await;
        let app = service.start().await;
        let mut last = service.state.storage_check.0.lock().await;
        let (answer, ()) = tokio::join!(call(&app, TestRequest::with_uri("/readyz")), async {
            tokio::task::yield_now().await;
            *last = Some((Instant::now(), "too slow"));
            tokio::time::sleep(BELIEVED_FOR).await;
            drop(last);
        });
        assert_eq!(answer.status.as_u16(), 503);
        assert_eq!(service.storage.pings.load(Ordering::SeqCst), 0);
    }

    #[actix_web::test]
    async fn readiness_says_what_is_wrong_and_health_does_not_care() {
        let service = TestService::new().await;
        let app = service.start().await;
        let ask = |path: &'static str| call(&app, TestRequest::with_uri(path));
        let ready = ask("/readyz").await;
        assert_eq!(ready.status.as_u16(), 200);
        assert_eq!(ready.body, "{\"status\":\"ready\",\"checks\":{\"storage\":\"ok\",\"serving\":\"ok\"}}");

        service.storage.away.store(true, Ordering::SeqCst);
        tokio::time::sleep(BELIEVED_FOR).await;
        let away = ask("/readyz").await;
        assert_eq!((away.status.as_u16(), away.header("retry-after")), (503, Some("1")));
        assert_eq!(
            away.body,
            "{\"error\":\"Service temporarily unavailable: try again in a moment\",\
             \"status\":\"unavailable\",\"checks\":{\"storage\":\"unavailable\",\"serving\":\"ok\"}}"
        );

        service.storage.away.store(false, Ordering::SeqCst);
        tokio::time::sleep(BELIEVED_FOR).await;
        service.state.drain();
        let draining = ask("/readyz").await;
        assert_eq!(draining.status.as_u16(), 503);
        assert_eq!(
            draining.body,
            "{\"error\":\"Service temporarily unavailable: try again in a moment\",\
             \"status\":\"unavailable\",\"checks\":{\"storage\":\"ok\",\"serving\":\"draining\"}}"
        );
        let health = ask("/healthz").await;
        assert_eq!((health.status.as_u16(), health.body.as_str()), (200, "{\"status\":\"ok\"}"));
    }

    #[actix_web::test]
    async fn storage_that_never_answers_is_given_up_on() {
        let service = TestService::new().await;
        let app = service.start().await;
        service.storage.frozen.store(true, Ordering::SeqCst);
        let answer =
            tokio::time::timeout(std::time::Duration::from_millis(2_500), call(&app, TestRequest::with_uri("/readyz")));
        let answer = answer.await.expect("in time");
        assert_eq!(answer.status.as_u16(), 503);
        assert!(answer.body.contains("\"storage\":\"too slow\""), "{}", answer.body);
    }

    #[actix_web::test]
    async fn only_get_and_head_are_answered() {
        let service = TestService::new().await;
        let app = service.start().await;
        for path in ["/healthz", "/readyz"] {
            for (method, status) in [(Method::GET, 200), (Method::HEAD, 200), (Method::POST, 405)] {
                let answer = call(&app, TestRequest::with_uri(path).method(method)).await;
                assert_eq!(answer.status.as_u16(), status, "{path}");
                assert_eq!(answer.header("allow"), (status == 405).then_some("GET, HEAD"));
            }
        }
    }
}
