//! The API over a [`FakeStorage`] and a clock that stands still, with a few handlers of its own.

use std::collections::BTreeMap;
use std::num::{NonZeroU32, NonZeroUsize};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use actix_web::body::to_bytes;
use actix_web::dev::{HttpServiceFactory, Service};
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{ConnectionType, StatusCode};
use actix_web::test::{self, TestRequest};
use actix_web::{App, HttpMessage, HttpRequest, HttpResponse, web};
use astranetmon_auth::{ApiKey, PermissionSet, ReadMetrics};
use astranetmon_domain::{ManualClock, Plan, Timestamp};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::Notify;

use crate::mount::api_with;
use crate::quota_extension::CurrentQuota;
use crate::testing::{Ends, FakeStorage, TestApi};
use crate::{ApiSettings, ApiState, Authorized, anything_else, health};

/// 2026-11-23T11:26:40Z
pub(crate) const START: Timestamp = Timestamp::from_seconds(1_795_433_200);

pub(crate) struct TestService {
    pub(crate) storage: Arc<FakeStorage>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) state: web::Data<ApiState>,
    pub(crate) gate: web::Data<Gate>,
}

/// Where the handler of `/api/v1/gate` waits.
#[derive(Default)]
pub(crate) struct Gate {
    pub(crate) opened: Notify,
    pub(crate) entered: AtomicUsize,
    pub(crate) left: AtomicUsize,
}

impl TestService {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// Two requests in flight a key, three failures a minute and address, and what `set` changes.
    pub(crate) async fn with(set: impl FnOnce(&mut ApiSettings)) -> Self {
        let storage = Arc::new(FakeStorage::default());
        let clock = Arc::new(ManualClock::new(START));
        let mut settings = ApiSettings {
            key_concurrency: NonZeroUsize::new(2).expect("not zero"),
            key_concurrency_wait: Duration::from_millis(20),
            address_failures_per_minute: NonZeroU32::new(3).expect("not zero"),
            ..ApiSettings::default()
        };
        set(&mut settings);
        let state = ApiState::new(storage.clone(), clock.clone(), settings).await.expect("secret");
        Self { storage, clock, state: web::Data::new(state), gate: web::Data::new(Gate::default()) }
    }

    /// A stored key, the same for the same number.
    pub(crate) fn key(&self, number: u64, plan: Plan, permissions: PermissionSet, ends: Ends) -> String {
        let key = ApiKey::generate(&mut StdRng::seed_from_u64(number));
        self.storage.add_key(&key, plan, permissions, ends);
        key.reveal().to_owned()
    }

    pub(crate) fn starter_key(&self) -> String {
        self.key(1, Plan::Starter, PermissionSet::ALL, Ends::default())
    }

    pub(crate) async fn start(&self) -> Running {
        self.start_with(api_under_test(self.state.clone(), self.gate.clone())).await
    }

    /// The real API, whose keys read what [`TestApi::fill`] gives to account 7.
    pub(crate) async fn start_api(&self) -> Running {
        self.start_with(crate::api(self.state.clone())).await
    }

    /// What Prometheus's clients read, over the same storage.
    #[cfg(feature = "prometheus")]
    pub(crate) async fn start_prometheus(&self) -> Running {
        self.start_with(crate::prometheus(self.state.clone())).await
    }

    /// The endpoints alone, over the same storage.
    pub(crate) fn endpoints(&self) -> TestApi {
        let (storage, clock) = (Arc::clone(&self.storage), Arc::clone(&self.clock));
        TestApi { state: self.state.clone(), storage, clock, now: START }
    }

    async fn start_with(&self, api: impl HttpServiceFactory + 'static) -> Running {
        let app =
            App::new().service(api).service(health(self.state.clone())).service(anything_else(self.state.clone()));
        let app = test::init_service(app).await;
        Running(Box::new(move |request| {
            let response = app.call(request.to_request());
            async move {
                Answer::of(match response.await {
                    Ok(response) => response.into_parts().1,
                    Err(error) => error.error_response(),
                })
                .await
            }
            .boxed_local()
        }))
    }
}

/// `/api` with the handlers below.
pub(crate) fn api_under_test(state: web::Data<ApiState>, gate: web::Data<Gate>) -> impl HttpServiceFactory + 'static {
    api_with(state, move |config| {
        config.app_data(gate).configure(handlers);
    })
}

/// The running service: answers as a client would see them, in whatever way they are handed to actix.
pub(crate) struct Running(Box<dyn Fn(TestRequest) -> LocalBoxFuture<'static, Answer>>);

fn handlers(config: &mut web::ServiceConfig) {
    config
        .service(web::resource("/metrics").get(metrics))
        .service(web::resource("/usage").get(usage))
        .service(web::resource("/openapi.json").get(|| async { HttpResponse::Ok().json(serde_json::json!({})) }))
        .service(web::resource("/docs/").get(page))
        .service(web::resource("/gate").get(gate))
        .service(web::resource("/panic").get(panic))
        .service(web::resource("/number/{number}").get(|number: web::Path<u32>| async move { number.to_string() }))
        .service(web::resource("/query").get(|_: web::Query<BTreeMap<String, u32>>| async { "" }))
        .service(web::resource("/json").post(|_: web::Json<u32>| async { "" }));
}

async fn metrics(_: Authorized<ReadMetrics>) -> HttpResponse {
    HttpResponse::Ok().json(serde_json::json!({ "metrics": [], "total": 0 }))
}

async fn usage(request: HttpRequest) -> HttpResponse {
    let quota = request.extensions().get::<CurrentQuota>().and_then(|quota| quota.0);
    HttpResponse::Ok().json(serde_json::json!({ "remaining": quota.map(|quota| quota.remaining) }))
}

async fn page() -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'self'"))
        .insert_header((header::CACHE_CONTROL, "public, max-age=60"))
        .insert_header((header::VARY, "Accept-Encoding"))
        .body("page")
}

async fn gate(gate: web::Data<Gate>) -> HttpResponse {
    gate.entered.fetch_add(1, Ordering::SeqCst);
    gate.opened.notified().await;
    gate.left.fetch_add(1, Ordering::SeqCst);
    HttpResponse::Ok().finish()
}

async fn panic() -> HttpResponse {
    panic!("a secret of the handler")
}

pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) connection: ConnectionType,
    pub(crate) body: String,
}

impl Answer {
    async fn of(response: HttpResponse) -> Self {
        let (status, headers) = (response.status(), response.headers().clone());
        let connection = response.head().connection_type();
        let body = to_bytes(response.into_body()).await.expect("body");
        Self { status, headers, connection, body: String::from_utf8(body.to_vec()).expect("text") }
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// `name: value`, by name.
    pub(crate) fn header_lines(&self) -> Vec<String> {
        let line = |(name, value): (&header::HeaderName, &header::HeaderValue)| {
            format!("{name}: {}", value.to_str().expect("text"))
        };
        let mut lines: Vec<_> = self.headers.iter().map(line).collect();
        lines.sort();
        lines
    }
}

pub(crate) fn get(path: &str, key: &str) -> TestRequest {
    TestRequest::get().uri(path).insert_header((header::AUTHORIZATION, format!("Bearer {key}")))
}

pub(crate) async fn call(service: &Running, request: TestRequest) -> Answer {
    (service.0)(request).await
}
