use std::future::{Ready, ready};
use std::net::IpAddr;
use std::rc::Rc;

use actix_web::dev::Payload;
use actix_web::http::header::HeaderMap;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use astranetmon_auth::{
    ManageAccount, Operator, OwnUser, Principal, ReadAccount, ReadAlerts, ReadPermission, Scope, SessionHash,
    SessionPrincipal, SessionRecord, SessionToken,
};
use astranetmon_domain::User;
use astranetmon_ratelimit::InFlight;

use super::{SentCookie, session_cookie_sent};
use crate::ApiError;
use crate::state::ApiState;

/// A session's last request is stored at most so often, in seconds.
const SEEN_EVERY: i64 = 60;
const KEEP_SEEN: Operator = Operator::new("keep when a session was seen");

/// The person behind a request, signed in to the dashboard. Handlers take it as an argument. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SignedIn(Rc<Found>);

#[derive(Debug)]
struct Found {
    user: User,
    session: SessionRecord,
    hash: SessionHash,
    principal: Principal,
    csrf_token: String,
}

impl SignedIn {
    pub(crate) fn new(state: &ApiState, user: User, session: SessionRecord, hash: SessionHash) -> Self {
        let principal = SessionPrincipal { user_id: user.id, account_id: user.account_id, role: user.role };
        let csrf_token = state.session_secrets.csrf_token(&hash);
        Self(Rc::new(Found { user, session, hash, principal: Principal::Session(principal), csrf_token }))
    }

    /// The person.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.0.user
    }

    /// The session.
    #[must_use]
    pub fn session(&self) -> &SessionRecord {
        &self.0.session
    }

    /// What pages send as `X-Astra-CSRF` with everything that changes something.
    #[must_use]
    pub fn csrf_token(&self) -> &str {
        &self.0.csrf_token
    }

    /// The scope of a permission; a session holds all of them, whatever the role.
    ///
    /// # Errors
    /// None that a session can meet.
    pub fn reads<P: ReadPermission>(&self) -> Result<Scope<P>, ApiError> {
        Ok(self.0.principal.authorize::<P>()?)
    }

    /// The scope in which people look after themselves.
    ///
    /// # Errors
    /// None that a session can meet.
    pub fn own_user(&self) -> Result<Scope<OwnUser>, ApiError> {
        self.0.principal.own_user().map(|(_, scope)| scope).ok_or(ApiError::Internal)
    }

    /// The scope in which people, of whatever role, look at their account.
    ///
    /// # Errors
    /// None that a session can meet.
    pub fn reads_account(&self) -> Result<Scope<ReadAccount>, ApiError> {
        self.0.principal.read_account().ok_or(ApiError::Internal)
    }

    /// The scope in which people, of whatever role, read alerts.
    ///
    /// # Errors
    /// None that a session can meet.
    pub fn reads_alerts(&self) -> Result<Scope<ReadAlerts>, ApiError> {
        self.0.principal.alerts().ok_or(ApiError::Internal)
    }

    /// The scope in which owners and admins manage their account.
    ///
    /// # Errors
    /// 403 for viewers.
    pub fn manages(&self) -> Result<Scope<ManageAccount>, ApiError> {
        Ok(self.0.principal.manage_account()?)
    }

    pub(crate) fn principal(&self) -> &Principal {
        &self.0.principal
    }

    pub(crate) fn hash(&self) -> &SessionHash {
        &self.0.hash
    }
}

impl FromRequest for SignedIn {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(request.extensions().get::<Self>().cloned().ok_or(ApiError::NotSignedIn))
    }
}

/// Who holds the session whose cookie was sent; `None` without a cookie.
///
/// # Errors
/// [`ApiError::NotSignedIn`] for a cookie that is no live session's; 429 for too many of them from an address.
pub(crate) async fn find_session(
    state: &ApiState,
    headers: &HeaderMap,
    address: IpAddr,
) -> Result<Option<SignedIn>, ApiError> {
    let token = match session_cookie_sent(headers) {
        SentCookie::Absent => return Ok(None),
        SentCookie::One(text) => SessionToken::parse(text).ok(),
        SentCookie::Malformed => None,
    };
    let found = match token {
        Some(token) => look_up(state, token.hash(), address).await?,
        None => None,
    };
    if let Some(signed_in) = found {
        return Ok(Some(signed_in));
    }
    Err(state.authentication_failed(
        address,
        ApiError::NotSignedIn,
        "Too many failed authentications from this address: wait for the seconds in Retry-After, then sign in again",
    ))
}

async fn look_up(state: &ApiState, hash: SessionHash, address: IpAddr) -> Result<Option<SignedIn>, ApiError> {
    let _turn = if state.address_guard.is_suspect(address) {
        Some(state.address_guard.turn().await.ok_or(ApiError::Unavailable)?)
    } else {
        None
    };
    let Some((mut session, user)) = state.storage.session_find_by_hash(&hash).await? else { return Ok(None) };
    let now = state.clock.now();
    if !session.is_live(now) || user.disabled_at.is_some() {
        return Ok(None);
    }
    if session.last_seen_at.plus_seconds(SEEN_EVERY) <= now {
        // A session that storage cannot move forward now is moved by its next request.
        match state.storage.session_seen(&KEEP_SEEN, session.id, now).await {
            Ok(()) => session.last_seen_at = now,
            Err(error) => tracing::warn!(error = &error as &dyn std::error::Error, "a session's use cannot be stored"),
        }
    }
    Ok(Some(SignedIn::new(state, user, session, hash)))
}

/// What bounds a person's requests: so many a second, and so many at a time. Never a key's quota.
pub(crate) async fn pass_guard(state: &ApiState, signed_in: &SignedIn) -> Result<InFlight, ApiError> {
    let user_id = signed_in.user().id;
    state.session_guard.request(user_id).map_err(|wait| ApiError::TooManyRequests {
        message: "Too many requests of this dashboard session: wait for the seconds in Retry-After",
        retry_after: wait.seconds,
    })?;
    state.session_concurrency.enter(user_id).await.ok_or(ApiError::TooManyRequests {
        message: "Too many requests of this dashboard session at once: wait for some of them to finish, then try again",
        retry_after: 1,
    })
}
