//! Keys, permissions and plan limits around somebody else's routes, without the API: only `astranetmon-auth` and
//! `astranetmon-ratelimit`, in actix here, though neither knows of HTTP.
//! `cargo run --package astranetmon-http --example own_routes`

use std::collections::HashMap;
use std::error::Error;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header;
use actix_web::middleware::{Next, from_fn};
use actix_web::{App, HttpMessage, HttpResponse, HttpServer, get, web};
use astranetmon_auth::{
    ApiKey, ApiKeyRecord, AuthError, Authenticator, KeyHash, KeyLookup, KeyPrincipal, LookupError, PermissionSet,
    Principal, ReadMetrics,
};
use astranetmon_domain::{AccountId, ApiKeyId, Clock, Plan, QuotaWindowId, SystemClock};
use astranetmon_ratelimit::{MemoryWindows, PlanLimiter, Quota};
use async_trait::async_trait;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};

/// Where the application keeps its keys: by the hash alone.
#[derive(Default)]
pub(crate) struct Keys(HashMap<[u8; 32], KeyPrincipal>);

impl Keys {
    /// Keeps a key that has a plan window of its own.
    pub(crate) fn add(&mut self, key: &ApiKey, account_id: AccountId, plan: Plan, permissions: PermissionSet) {
        let number = i64::try_from(self.0.len()).unwrap_or(i64::MAX);
        let record = ApiKeyRecord {
            id: ApiKeyId(number),
            account_id,
            window_id: QuotaWindowId(number),
            name: "example".to_owned(),
            hint: key.hint(),
            permissions,
            created_at: SystemClock.now(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        self.0.insert(*key.hash().as_bytes(), KeyPrincipal { key: record, plan });
    }
}

#[async_trait]
impl KeyLookup for Keys {
    async fn api_key_find_by_hash(&self, hash: &KeyHash) -> Result<Option<KeyPrincipal>, LookupError> {
        Ok(self.0.get(hash.as_bytes()).cloned())
    }
}

/// Who stands before the routes.
pub(crate) struct Door {
    authenticator: Authenticator,
    limiter: PlanLimiter,
}

impl Door {
    /// Over these keys; windows are counted in memory.
    pub(crate) fn new(keys: Keys) -> Self {
        let windows = Arc::new(MemoryWindows::default());
        Self { authenticator: Authenticator::new(Arc::new(keys)), limiter: PlanLimiter::new(windows) }
    }

    /// The caller, and what its plan has left; or the answer that it gets instead.
    async fn admit(&self, bearer: Option<&str>) -> Result<(Principal, Option<Quota>), HttpResponse> {
        let now = SystemClock.now();
        let Some(presented) = bearer else { return Err(HttpResponse::Unauthorized().finish()) };
        let principal = self.authenticator.authenticate(presented, now).await.map_err(|error| match error {
            AuthError::Unavailable(_) => HttpResponse::ServiceUnavailable().finish(),
            // Why a key is not accepted is nobody's business.
            _ => HttpResponse::Unauthorized().finish(),
        })?;
        let quota = self.limiter.take(&principal, now).await;
        let quota = quota.map_err(|_| HttpResponse::ServiceUnavailable().finish())?;
        match quota.filter(|quota| quota.refused) {
            Some(spent) => {
                let wait = (header::RETRY_AFTER, spent.seconds_to_reset(now));
                Err(HttpResponse::TooManyRequests().insert_header(wait).finish())
            }
            None => Ok((Principal::Key(principal), quota)),
        }
    }
}

async fn at_the_door(
    door: web::Data<Door>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, actix_web::Error> {
    let authorization = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let bearer = authorization.and_then(|value| value.strip_prefix("Bearer "));
    match door.admit(bearer).await {
        Ok((principal, quota)) => {
            request.extensions_mut().insert(principal);
            let mut response = next.call(request).await?;
            if let Some(quota) = quota {
                let name = header::HeaderName::from_static("x-ratelimit-remaining");
                response.headers_mut().insert(name, quota.remaining.into());
            }
            Ok(response)
        }
        Err(refusal) => Ok(request.into_response(refusal)),
    }
}

/// A route of the application: for keys that may read metrics, of their own account.
#[get("/account")]
async fn account(caller: web::ReqData<Principal>) -> HttpResponse {
    match caller.authorize::<ReadMetrics>() {
        Ok(scope) => HttpResponse::Ok().body(format!("metrics of account {}", scope.account_id())),
        Err(forbidden) => HttpResponse::Forbidden().body(forbidden.to_string()),
    }
}

/// What the application serves.
pub(crate) fn services(door: web::Data<Door>) -> impl FnOnce(&mut web::ServiceConfig) {
    move |app| {
        let door = from_fn(move |request, next| at_the_door(door.clone(), request, next));
        app.service(web::scope("/own").service(account).wrap(door));
    }
}

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let key = ApiKey::generate(&mut StdRng::try_from_rng(&mut SysRng)?);
    let mut keys = Keys::default();
    keys.add(&key, AccountId(7), Plan::Starter, PermissionSet::ALL);
    let door = web::Data::new(Door::new(keys));
    let server = HttpServer::new(move || App::new().configure(services(door.clone()))).bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("curl -i -H 'Authorization: Bearer {}' http://{address}/own/account", key.reveal());
    }
    Ok(server.run().await?)
}
