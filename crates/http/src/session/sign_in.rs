use std::net::IpAddr;
use std::sync::Arc;

use actix_web::http::header::{self, HeaderMap};
use actix_web::{HttpRequest, HttpResponse};
use astranetmon_auth::{
    NewSession, Operator, Password, PasswordHash, PasswordQueue, Principal, SessionPrincipal, SessionRecord,
    SessionToken,
};
use astranetmon_domain::{Account, User, UserEmail, clean_text};
use astranetmon_ratelimit::{DeviceId, Wait};
use astranetmon_storage::AuditEntry;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::cookie::{device_cookie, device_cookie_sent, session_cookie, session_cookie_sent};
use super::transport::is_private;
use super::{SessionSecrets, SignedIn};
use crate::ApiError;
use crate::client_address::client_of;
use crate::state::ApiState;

const SIGN_IN: Operator = Operator::new("sign in");
/// What is kept of what a browser says it is, in characters.
const LONGEST_USER_AGENT: usize = 300;

/// A generator for secrets, seeded by the operating system.
///
/// # Errors
/// 500 if the operating system gives no random numbers, which is logged.
pub fn seeded_by_system() -> Result<StdRng, ApiError> {
    StdRng::try_from_rng(&mut SysRng).map_err(|error| {
        tracing::error!(error = &error as &dyn std::error::Error, "the operating system gives no random numbers");
        ApiError::Internal
    })
}

/// Who wants to sign in, from where.
pub(crate) struct SignIn<'a> {
    pub(crate) email: &'a str,
    pub(crate) password: Password,
    pub(crate) address: IpAddr,
    /// The value of the device's cookie.
    pub(crate) device: Option<&'a str>,
}

impl SignIn<'_> {
    /// The person, if that is the password. Whatever is wrong, the answer and its time are the same.
    ///
    /// # Errors
    /// 401, 429 if too many have been tried, 503.
    pub(crate) async fn person(self, state: &ApiState) -> Result<User, ApiError> {
        let Ok(email) = self.email.parse::<UserEmail>() else {
            verify(&state.passwords, None, self.password).await?;
            return Err(ApiError::WrongPassword);
        };
        let device = self.device.and_then(|value| state.session_secrets.known_device(value, &email));
        let attempt = state
            .sign_in_guard
            .attempt(&email, self.address, device, state.clock.now())
            .inspect_err(|_| count("throttled"))
            .map_err(throttled)?;
        let verified = async {
            let found = state.storage.user_find_to_sign_in(&SIGN_IN, &email).await?;
            let (user, hash) = found.unzip();
            let is_right = verify(&state.passwords, hash.flatten(), self.password).await?;
            Ok::<_, ApiError>((user, is_right))
        };
        match verified.await {
            Ok((Some(user), true)) if user.disabled_at.is_none() => {
                state.sign_in_guard.succeeded(attempt);
                count("accepted");
                Ok(user)
            }
            Ok((user, _)) => {
                count("refused");
                if let Some(user) = user {
                    record_refusal(state, &user, self.address);
                }
                Err(ApiError::WrongPassword)
            }
            Err(error) => {
                state.sign_in_guard.withdrawn(attempt);
                Err(error)
            }
        }
    }
}

fn count(outcome: &'static str) {
    metrics::counter!("astranetmon_sign_ins_total", "outcome" => outcome).increment(1);
}

/// In the audit log of the person's account. Nobody waits for it: the answer must not take longer than to those who ask
/// for nobody.
fn record_refusal(state: &ApiState, user: &User, address: IpAddr) {
    let (storage, account_id) = (Arc::clone(&state.storage), user.account_id);
    let entry = AuditEntry {
        at: state.clock.now(),
        actor: format!("address:{address}"),
        action: "session.refuse".to_owned(),
        object: format!("user:{}", user.id),
    };
    actix_web::rt::spawn(async move {
        if let Err(error) = storage.audit_append(&SIGN_IN, account_id, &entry).await {
            tracing::warn!(
                error = &error as &dyn std::error::Error,
                "a refused sign-in cannot be put in the audit log"
            );
        }
    });
}

async fn verify(queue: &PasswordQueue, hash: Option<PasswordHash>, password: Password) -> Result<bool, ApiError> {
    Ok(queue.verify(hash, password).await?)
}

fn throttled(wait: Wait) -> ApiError {
    ApiError::TooManyRequests {
        message: "Too many attempts to sign in: wait for the seconds in Retry-After, then try again; a browser that \
                  has signed in before is not held up by the attempts of others",
        retry_after: wait.seconds,
    }
}

/// A session that has just begun, with what its browser is to keep.
pub(super) struct Begun {
    pub(super) signed_in: SignedIn,
    token: SessionToken,
    device: String,
}

/// Begins a session for the person, with a token that nobody has seen before, and ends the one that the browser came
/// with.
///
/// # Errors
/// 401 if the person is disabled in the meantime.
pub(super) async fn begin(state: &ApiState, request: &HttpRequest, user: User) -> Result<Begun, ApiError> {
    let mut rng = seeded_by_system()?;
    let token = SessionToken::generate(&mut rng);
    let headers = request.headers();
    let user_agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
    let new = NewSession {
        hash: token.hash(),
        user_id: user.id,
        address: Some(client_of(state, request).to_string()),
        user_agent: user_agent.map(|agent| clean_text(agent, LONGEST_USER_AGENT)),
    };
    let now = state.clock.now();
    let session = state.storage.session_create(&SIGN_IN, &new, now).await?.ok_or(ApiError::WrongPassword)?;
    end_former(state, headers, &session).await?;
    let device = device_value(&state.session_secrets, headers, &user.email, &mut rng);
    let signed_in = SignedIn::new(state, user, session, new.hash);
    Ok(Begun { signed_in, token, device })
}

/// A browser has one session: who signs in anew leaves no other behind.
async fn end_former(state: &ApiState, headers: &HeaderMap, session: &SessionRecord) -> Result<(), ApiError> {
    let former = session_cookie_sent(headers).value().and_then(|text| SessionToken::parse(text).ok());
    let Some(former) = former else { return Ok(()) };
    if let Some((former, user)) = state.storage.session_find_by_hash(&former.hash()).await?
        && former.id != session.id
    {
        let SessionRecord { id, user_id, account_id, .. } = former;
        let principal = Principal::Session(SessionPrincipal { user_id, account_id, role: user.role });
        if let Some((_, own)) = principal.own_user() {
            state.storage.session_end(&own, user_id, id, state.clock.now()).await?;
        }
    }
    Ok(())
}

/// The device's own number, if this person has signed in with it, else a new one.
fn device_value(secrets: &SessionSecrets, headers: &HeaderMap, email: &UserEmail, rng: &mut StdRng) -> String {
    let known = device_cookie_sent(headers).and_then(|value| secrets.known_device(value, email));
    let device = known.unwrap_or_else(|| {
        let mut id = [0; 16];
        rng.fill_bytes(&mut id);
        DeviceId(id)
    });
    secrets.device_value(device, email)
}

impl Begun {
    /// 201 with who signed in, and the cookies.
    pub(super) fn answer(&self, account: &Account) -> HttpResponse {
        HttpResponse::Created()
            .append_header((header::SET_COOKIE, session_cookie(&self.token)))
            .append_header((header::SET_COOKIE, device_cookie(&self.device)))
            .json(session_json(&self.signed_in, account))
    }
}

/// `{"user": {…}, "account": {…}, "csrf_token": "…", "expires_at": "…"}`
pub(super) fn session_json(signed_in: &SignedIn, account: &Account) -> serde_json::Value {
    let user = signed_in.user();
    json!({
        "user": { "id": user.id.0, "email": user.email.as_str(), "role": user.role.as_str() },
        "account": { "id": account.id.0, "name": account.name.as_str(), "plan": account.plan.as_str() },
        "csrf_token": signed_in.csrf_token(),
        "expires_at": signed_in.session().ends_at().to_string(),
    })
}

/// Gives the person behind the request another password: all of their sessions end, and this browser gets a new one in
/// the answer's cookie.
///
/// # Errors
/// 401 if `current` is not the password, 400 for one that is unfit, 429 and 503 as at sign-in.
pub async fn change_password(
    state: &ApiState,
    request: &HttpRequest,
    signed_in: &SignedIn,
    current: String,
    chosen: String,
) -> Result<HttpResponse, ApiError> {
    let email = &signed_in.user().email;
    let chosen = Password::chosen(chosen, email).map_err(|unfit| ApiError::BadRequest(unfit.to_string()))?;
    let again = SignIn {
        email: email.as_str(),
        password: Password::presented(current),
        address: client_of(state, request),
        device: device_cookie_sent(request.headers()),
    };
    let user = again.person(state).await?;
    let hash = state.passwords.hash(chosen, seeded_by_system()?).await?;
    let changed = state.storage.user_change_password(&signed_in.own_user()?, user.id, &hash, state.clock.now()).await?;
    let begun = begin(state, request, changed.ok_or(ApiError::NotSignedIn)?).await?;
    let mut answer = begun.answer(&state.account_of(&begun.signed_in).await?);
    *answer.status_mut() = actix_web::http::StatusCode::OK;
    Ok(answer)
}

/// Refuses to take a password that others on the way can read.
pub(super) fn refuse_plain_http(state: &ApiState, request: &HttpRequest) -> Result<(), ApiError> {
    let peer = request.peer_addr().map(|peer| peer.ip());
    if is_private(state.settings.tls, peer, request.headers(), &state.settings.trusted_proxies) {
        Ok(())
    } else {
        Err(ApiError::Refused(
            "Refused: over plain HTTP a password could be read on the way; use https, or http://localhost on the \
             machine itself",
        ))
    }
}
