//! The API in somebody else's actix application, beside their own routes and over SQLite:
//! `cargo run --package astranetmon-http --example foreign_app`

use std::error::Error;
use std::path::Path;
use std::sync::Arc;

use actix_web::{App, HttpResponse, HttpServer, get, web};
use astranetmon_auth::{ApiKey, NewApiKey, Operator, PermissionSet, ReadMetrics, Scope};
use astranetmon_domain::{AccountName, Limit, PageRequest, Plan, RecordFilter, SystemClock};
use astranetmon_http::{ApiError, ApiSettings, ApiState, Authorized, authorized_scope};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::{Storage, StorageError};
use rand::rngs::{StdRng, SysRng};
use rand::{SeedableRng, TryRng};

/// A route of the application, open to everybody.
#[get("/hello")]
async fn hello() -> &'static str {
    "hello"
}

/// A route of the application that takes the API's keys: it needs `read:metrics` and counts against the key's plan.
#[get("/count")]
async fn count(state: web::Data<ApiState>, caller: Authorized<ReadMetrics>) -> Result<HttpResponse, ApiError> {
    let page = PageRequest::new(Limit::SMALLEST, None);
    let metrics = state.storage().metric_page(caller.scope(), &RecordFilter::ALL, &page).await?;
    Ok(HttpResponse::Ok().body(format!("{} metrics", metrics.total)))
}

/// What the application serves.
pub(crate) fn services(state: web::Data<ApiState>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        app.service(hello)
            .service(authorized_scope(state.clone(), web::scope("/reports").service(count)))
            .service(astranetmon_http::api(state.clone()))
            .service(astranetmon_http::ingest(state.clone()))
            .service(astranetmon_http::health(state));
    }
}

/// The state that all workers share, over a database in `folder`.
pub(crate) async fn open(folder: &Path) -> Result<web::Data<ApiState>, StorageError> {
    let settings = SqliteSettings::new(folder.join("monitoring.sqlite3"));
    SqliteStorage::migrate(&settings)?;
    let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&settings)?);
    Ok(web::Data::new(ApiState::new(storage, Arc::new(SystemClock), ApiSettings::default()).await?))
}

/// A new account with one key, which can be shown now and never again.
pub(crate) async fn account_with_key(
    state: &ApiState,
    name: &str,
    plan: Plan,
    permissions: PermissionSet,
) -> Result<ApiKey, Box<dyn Error>> {
    let (storage, now) = (state.storage(), state.clock().now());
    let name: AccountName = name.parse()?;
    let account = storage.account_create(&Operator::new("example"), &name, plan, now).await?;
    let key = ApiKey::generate(&mut random()?);
    let (hash, hint) = (key.hash(), key.hint());
    let new = NewApiKey { hash, hint, name: "first".to_owned(), permissions, expires_at: None };
    storage.api_key_create(&Scope::system(account.id, "example"), &new, now).await?;
    Ok(key)
}

fn random() -> Result<StdRng, <SysRng as TryRng>::Error> {
    StdRng::try_from_rng(&mut SysRng)
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let folder = tempfile::tempdir()?;
    let state = open(folder.path()).await?;
    let key = account_with_key(&state, "acme", Plan::Starter, PermissionSet::ALL).await?;
    let in_app = state.clone();
    let server = HttpServer::new(move || App::new().configure(services(in_app.clone()))).bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("curl -H 'Authorization: Bearer {}' http://{address}/api/v1/metrics", key.reveal());
    }
    // Stores the counts of requests and forgets idle callers, for as long as the application serves.
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let background = astranetmon_http::run_background(state.clone().into_inner(), async {
        // Either way it is the end.
        let _ = stopped.await;
    });
    let background = actix_web::rt::spawn(background);
    server.run().await?;
    drop(stop);
    background.await?;
    state.storage().close().await;
    Ok(())
}
