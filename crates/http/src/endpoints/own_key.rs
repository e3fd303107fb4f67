//! The caller as a key that looks at itself.

use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use astranetmon_auth::{KeyPrincipal, OwnKey, Principal, Scope};

use crate::ApiError;

/// The key that the request was made with; to a session, the paths that ask for it do not exist.
pub(crate) struct OwnKeyPrincipal {
    pub(crate) principal: Arc<KeyPrincipal>,
    pub(crate) scope: Scope<OwnKey>,
}

impl FromRequest for OwnKeyPrincipal {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        ready(match extensions.get::<Principal>() {
            Some(principal) => principal
                .own_key()
                .map(|(principal, scope)| Self { principal: Arc::clone(principal), scope })
                .ok_or(ApiError::NotFound),
            None => Err(ApiError::Unauthorized { token_sent: false }),
        })
    }
}
