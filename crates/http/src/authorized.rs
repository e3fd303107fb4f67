use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use astranetmon_auth::{Principal, ReadPermission, Scope};

use crate::ApiError;

/// The caller holds the permission `P`: the only way for a handler to a [`Scope`], and so to storage.
///
/// ```
/// use actix_web::{HttpResponse, Responder};
/// use astranetmon_auth::ReadMetrics;
/// use astranetmon_http::Authorized;
/// use astranetmon_domain::{Limit, PageRequest, RecordFilter};
/// use astranetmon_storage::MetricRepository;
///
/// async fn count(metrics: &dyn MetricRepository, caller: Authorized<ReadMetrics>) -> impl Responder {
///     let page = PageRequest::new(Limit::LARGEST, None);
///     let answer = metrics.metric_page(caller.scope(), &RecordFilter::ALL, &page).await;
///     HttpResponse::Ok().body(answer.map_or(0, |page| page.total).to_string())
/// }
/// ```
///
/// A handler that names no permission, or another one, does not compile:
///
/// ```compile_fail,E0308
/// # use actix_web::{HttpResponse, Responder};
/// # use astranetmon_auth::ReadAgents;
/// # use astranetmon_http::Authorized;
/// # use astranetmon_domain::{Limit, PageRequest, RecordFilter};
/// # use astranetmon_storage::MetricRepository;
/// async fn count(metrics: &dyn MetricRepository, caller: Authorized<ReadAgents>) -> impl Responder {
///     let page = PageRequest::new(Limit::LARGEST, None);
///     let answer = metrics.metric_page(caller.scope(), &RecordFilter::ALL, &page).await;
///     HttpResponse::Ok().body(answer.map_or(0, |page| page.total).to_string())
/// }
/// ```
///
/// ```compile_fail,E0423
/// # use astranetmon_auth::{ReadMetrics, Scope};
/// # use astranetmon_http::Authorized;
/// fn without_a_caller(scope: Scope<ReadMetrics>) -> Authorized<ReadMetrics> {
///     Authorized(scope)
/// }
/// ```
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
        ready(match request.extensions().get::<Principal>() {
            Some(principal) => principal.authorize::<P>().map(Self).map_err(ApiError::from),
            None => Err(ApiError::Unauthorized { token_sent: false }),
        })
    }
}
