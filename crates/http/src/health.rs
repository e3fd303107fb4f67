use std::time::Duration;

use actix_web::dev::HttpServiceFactory;
use actix_web::http::header;
use actix_web::middleware::from_fn;
use actix_web::{HttpResponse, ResponseError, web};
use serde::Serialize;

use crate::ApiError;
use crate::middleware::edge;
use crate::state::ApiState;

/// An orchestrator asks often and gives up soon.
const CHECK_WITHIN: Duration = Duration::from_secs(2);

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

async fn readyz(state: web::Data<ApiState>) -> HttpResponse {
    let storage = match tokio::time::timeout(CHECK_WITHIN, state.storage.ping()).await {
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
    let serving = if state.is_draining() { "draining" } else { "ok" };
    let checks = Checks { storage, serving };
    if storage == "ok" && serving == "ok" {
        HttpResponse::Ok().json(Readiness { status: "ready", checks })
    } else {
        HttpResponse::build(ApiError::Unavailable.status_code())
            .insert_header((header::RETRY_AFTER, 1))
            .json(Readiness { status: "unavailable", checks })
    }
}

async fn method_not_allowed() -> Result<HttpResponse, ApiError> {
    Err(ApiError::MethodNotAllowed { allow: "GET, HEAD".to_owned() })
}
