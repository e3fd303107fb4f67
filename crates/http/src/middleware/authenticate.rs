use std::net::IpAddr;
use std::sync::Arc;

use actix_web::body::BoxBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::middleware::Next;
use actix_web::{Error, HttpMessage, HttpRequest, HttpResponse, web};
use astranetmon_auth::{AuthError, KeyPrincipal, Principal};
use astranetmon_domain::Plan;
use astranetmon_ratelimit::{InFlight, Quota, Turn};

use crate::ApiError;
use crate::client_address::client_of;
use crate::conditional::IfNoneMatch;
use crate::endpoints;
use crate::error::{FORM_BODY, NO_BODY};
use crate::middleware::credential::Credential;
use crate::middleware::detached::caught;
use crate::middleware::held_place::held;
use crate::middleware::{RequestId, quota_headers, request_form};
use crate::quota_extension::CurrentQuota;
use crate::session::{SentCookie, SignedIn, find_session, pass_guard, refuse_cross_site_read, session_cookie_sent};
use crate::state::ApiState;

/// What a key may ask without spending its quota.
fn is_free(path: &str) -> bool {
    matches!(path, "/api/v1/usage" | "/api/v1/key")
}

/// The path as routing sees it, which decodes most of what is percent-encoded.
fn routed_path(request: &ServiceRequest) -> &str {
    request.match_info().as_str()
}

/// The door of `/api`. In this order: credential, places in flight, whether the caller has the answer already, plan,
/// form and size; behind it the handler looks at the permission, then at the parameters. So whatever comes of a request
/// with a valid key, it is counted, but for a 304, which has looked at all of that.
pub(crate) async fn authenticate(
    state: web::Data<ApiState>,
    request: ServiceRequest,
    next: Next<BoxBody>,
) -> Result<ServiceResponse, Error> {
    if !endpoints::needs_credential(routed_path(&request)) {
        return behind_the_door(request, &next).await;
    }
    let admission = match identify(&state, request.request()).await {
        Ok(Caller::Key(key)) => {
            request.extensions_mut().insert(Principal::Key(Arc::clone(&key)));
            admit_key(&state, &key, &request).await
        }
        Ok(Caller::Person(signed_in)) => {
            request.extensions_mut().insert(signed_in.principal().clone());
            match pass_guard(&state, &signed_in).await {
                Ok(place) => {
                    let verdict = unchanged(&state, &request).await.map_or(Verdict::Passes, Verdict::Unchanged);
                    Admission { verdict, quota: None, place: Some(place) }
                }
                Err(refusal) => Admission { verdict: Verdict::Refused(refusal), quota: None, place: None },
            }
        }
        Err(refusal) => return Ok(request.error_response(refusal)),
    };
    let answer = match admission.verdict {
        Verdict::Refused(refusal) => Ok(request.error_response(refusal)),
        Verdict::Unchanged(response) => Ok(request.into_response(response)),
        Verdict::Passes => {
            request.extensions_mut().insert(CurrentQuota(admission.quota));
            behind_the_door(request, &next).await
        }
    };
    let answer = match (answer, admission.place) {
        (Ok(response), Some(place)) => Ok(held_answer(response, place)),
        (answer, _) => answer,
    };
    let Some(quota) = admission.quota else { return answer };
    let now = state.clock.now();
    match answer {
        Ok(mut response) => {
            quota_headers::insert(response.headers_mut(), &quota, now);
            Ok(response)
        }
        Err(mut error) => {
            error.add_response_mapper(move |mut response| {
                quota_headers::insert(response.headers_mut(), &quota, now);
                response
            });
            Err(error)
        }
    }
}

fn held_answer(answer: ServiceResponse, place: InFlight) -> ServiceResponse {
    let (request, response) = answer.into_parts();
    ServiceResponse::new(request, held(response, place))
}

async fn behind_the_door(request: ServiceRequest, next: &Next<BoxBody>) -> Result<ServiceResponse, Error> {
    let accepted = if routed_path(&request).starts_with("/prometheus/") { FORM_BODY } else { NO_BODY };
    if let Err(refusal) = request_form::check(&request, accepted) {
        return Ok(request.error_response(refusal));
    }
    // A known path says which methods it takes; `HEAD` has become `GET`.
    if *request.method() != Method::GET
        && let Some(allow) = endpoints::allowed_methods(routed_path(&request))
        && !allow.split(", ").any(|method| method == request.method().as_str())
    {
        return Ok(request.error_response(ApiError::MethodNotAllowed { allow: allow.to_owned() }));
    }
    let request_id = request.extensions().get::<RequestId>().cloned();
    let request_id = request_id.unwrap_or_else(|| RequestId::of(request.headers()));
    // Caught here already, while it is known what else the answer carries.
    caught(request_id, async { next.call(request).await }).await
}

/// Who is calling.
enum Caller {
    Key(Arc<KeyPrincipal>),
    Person(SignedIn),
}

/// A bearer token decides alone, even beside a good session.
async fn identify(state: &ApiState, request: &HttpRequest) -> Result<Caller, ApiError> {
    let address = client_of(state, request);
    let failed = match Credential::of(request.headers()) {
        Credential::Absent => return identify_session(state, request, address).await,
        Credential::NoToken => ApiError::Unauthorized { token_sent: false },
        Credential::Malformed => ApiError::Unauthorized { token_sent: true },
        Credential::Bearer(token) => {
            let _turn = turn_to_look_up(state, token, address).await?;
            match state.authenticator.authenticate(token, state.clock.now()).await {
                Ok(principal) => return Ok(Caller::Key(principal)),
                Err(AuthError::Unavailable(error)) => return Err(error.into()),
                Err(AuthError::Malformed | AuthError::Unknown | AuthError::Expired | AuthError::Revoked) => {
                    ApiError::Unauthorized { token_sent: true }
                }
            }
        }
    };
    Err(state.authentication_failed(
        address,
        failed,
        "Too many failed authentications from this address: wait for the seconds in Retry-After, then send a valid API \
         key as Authorization: Bearer astra_…",
    ))
}

/// A browser sends its cookie along for pages of other sites too.
async fn identify_session(state: &ApiState, request: &HttpRequest, address: IpAddr) -> Result<Caller, ApiError> {
    let headers = request.headers();
    if session_cookie_sent(headers) != SentCookie::Absent {
        refuse_cross_site_read(headers)?;
    }
    match find_session(state, headers, address).await {
        Ok(Some(signed_in)) => Ok(Caller::Person(signed_in)),
        // To a caller of the API, a session that has ended is as good as none.
        Ok(None) | Err(ApiError::NotSignedIn) => Err(ApiError::Unauthorized { token_sent: false }),
        Err(error) => Err(error),
    }
}

/// Made-up keys from an address that keeps failing get to storage a few at a time. A key that was found before passes
/// at once, and a good one that was not waits for its turn: no address is a reason to refuse it.
async fn turn_to_look_up<'a>(state: &'a ApiState, token: &str, address: IpAddr) -> Result<Option<Turn<'a>>, ApiError> {
    if !state.address_guard.is_suspect(address) || !state.authenticator.is_stranger(token) {
        return Ok(None);
    }
    state.address_guard.turn().await.map(Some).ok_or(ApiError::Unavailable)
}

/// 304 if the caller has the answer already. Whatever else is wrong with the request, it is told by those who count.
async fn unchanged(state: &ApiState, request: &ServiceRequest) -> Option<HttpResponse> {
    let condition = IfNoneMatch::of(request.headers())?;
    if *request.method() != Method::GET || request_form::check(request, NO_BODY).is_err() {
        return None;
    }
    endpoints::unchanged(&condition, request.request(), state).await
}

/// What becomes of a request.
enum Verdict {
    Passes,
    /// The caller has the answer already, and this is to say so.
    Unchanged(HttpResponse),
    Refused(ApiError),
}

/// What the limits say of a request.
struct Admission {
    verdict: Verdict,
    quota: Option<Quota>,
    /// The request's place, until its answer is sent.
    place: Option<InFlight>,
}

async fn admit_key(state: &ApiState, principal: &KeyPrincipal, request: &ServiceRequest) -> Admission {
    let key = &principal.key;
    let Some(place) = state.concurrency.enter(key.id).await else {
        let refusal = ApiError::TooManyRequests {
            message: "Too many requests of this key at once: wait for some of them to finish, then try again",
            retry_after: 1,
        };
        // Nothing is taken, and the refusal stands whether or not the headers can be told.
        let quota = state.plan_limiter.peek(principal, state.clock.now()).await.ok().flatten();
        return Admission { verdict: Verdict::Refused(refusal), quota, place: None };
    };
    let unchanged = unchanged(state, request).await;
    let free = unchanged.is_some() || is_free(routed_path(request));
    let now = state.clock.now();
    let decision = if free {
        state.plan_limiter.peek(principal, now).await
    } else {
        state.plan_limiter.take(principal, now).await
    };
    let quota = match decision {
        Ok(quota) => quota,
        Err(error) => return Admission { verdict: Verdict::Refused(error.into()), quota: None, place: None },
    };
    if let Some(response) = unchanged {
        return Admission { verdict: Verdict::Unchanged(response), quota, place: Some(place) };
    }
    let spent = quota.filter(|quota| quota.refused);
    if !free {
        state.usage.record(key.account_id, key.id, spent.is_some(), now);
    }
    let verdict = spent.map_or(Verdict::Passes, |quota| {
        Verdict::Refused(ApiError::TooManyRequests {
            message: spent_message(principal.plan),
            retry_after: quota.seconds_to_reset(now),
        })
    });
    Admission { verdict, quota, place: Some(place) }
}

const fn spent_message(plan: Plan) -> &'static str {
    match plan {
        Plan::Starter => {
            "Rate limit exceeded: the Starter plan allows 100 requests an hour for each key; wait for the seconds in \
             Retry-After"
        }
        Plan::Professional => {
            "Rate limit exceeded: the Professional plan allows 1,000 requests an hour for each key; wait for the \
             seconds in Retry-After"
        }
        Plan::Enterprise => "Rate limit exceeded",
    }
}
