use std::future::{Ready, ready};
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use astranetmon_auth::{Principal, ReadPermission, Scope};

use crate::ApiError;

/// The caller holds the permission `P`: the only way for a handler to a [`Scope`], and so to storage.
#[derive(Debug)]
pub struct Authorized<P: ReadPermission>(Scope<P>);

impl<P: ReadPermission> Authorized<P> {
    /// The scope that repositories demand.
    #[must_use]
    pub const fn scope(&self) -> &Scope<P> {
        &self.0
    }
}

impl<P: ReadPermission> FromRequest for Authorized<P> {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // The authentication middleware has put the principal there; without one nobody has authenticated.
        let principal = request.extensions().get::<Arc<Principal>>().map(Arc::clone);
        ready(match principal {
            Some(principal) => principal.authorize::<P>().map(Self).map_err(ApiError::from),
            None => Err(ApiError::Unauthorized { token_sent: false }),
        })
    }
}
