use actix_web::HttpMessage;
use actix_web::HttpResponse;
use actix_web::body::{BodySize, MessageBody};
use actix_web::dev::ServiceRequest;
use actix_web::http::Method;
use astranetmon_auth::{AgentPrincipal, Principal};
use astranetmon_domain::Timestamp;

use crate::client_address::client_address;
use crate::middleware::RequestId;
use crate::state::ApiState;

/// The route of requests that no endpoint has; bounds the values of the label.
const UNMATCHED: &str = "unmatched";

/// One request, as the log and the metrics will tell of it. Never its query string or headers.
pub(crate) struct AccessLog {
    begun_at: Timestamp,
    method: &'static str,
    route: String,
    client: Option<std::net::IpAddr>,
    request_id: RequestId,
}

impl AccessLog {
    pub(crate) fn begin(state: &ApiState, request: &ServiceRequest, request_id: RequestId) -> Self {
        let peer = request.peer_addr().map(|peer| peer.ip());
        Self {
            begun_at: state.clock.now(),
            method: method_label(request.method()),
            route: request.match_pattern().unwrap_or_else(|| UNMATCHED.to_owned()),
            client: peer.map(|peer| client_address(peer, request.headers(), &state.settings.trusted_proxies)),
            request_id,
        }
    }

    pub(crate) const fn request_id(&self) -> &RequestId {
        &self.request_id
    }

    /// Writes the line and counts. `request` is missing if a panic took it.
    pub(crate) fn end(self, state: &ApiState, request: Option<&actix_web::HttpRequest>, response: &HttpResponse) {
        let micros = (state.clock.now().as_micros() - self.begun_at.as_micros()).max(0);
        #[expect(clippy::cast_precision_loss, reason = "exact to a microsecond for 285 years")]
        let seconds = micros as f64 / 1e6;
        let status = response.status();
        let bytes = match response.body().size() {
            _ if self.method == "HEAD" => Some(0),
            BodySize::None => Some(0),
            BodySize::Sized(bytes) => Some(bytes),
            BodySize::Stream => None,
        };
        let principal = request.and_then(|request| request.extensions().get::<Principal>().cloned());
        let key_id = principal.as_ref().and_then(|principal| principal.own_key()).map(|(own, _)| own.key.id.0);
        let user_id = principal.as_ref().and_then(|principal| principal.own_user()).map(|(own, _)| own.user_id.0);
        let agent = request.and_then(|request| request.extensions().get::<AgentPrincipal>().cloned());
        let account_id = principal.as_ref().map(Principal::account_id).or(agent.as_ref().map(|agent| agent.account_id));
        tracing::info!(
            method = self.method,
            route = self.route,
            status = status.as_u16(),
            duration_ms = seconds * 1e3,
            bytes,
            account_id = account_id.map(|id| id.0),
            agent_id = agent.as_ref().map(|agent| agent.agent_id.as_str()),
            key_id,
            user_id,
            request_id = self.request_id.as_str(),
            client = self.client.map(tracing::field::display),
            "request"
        );
        metrics::histogram!("astranetmon_http_request_duration_seconds", "route" => self.route.clone()).record(seconds);
        metrics::counter!(
            "astranetmon_http_requests_total",
            "method" => self.method,
            "route" => self.route,
            "status" => status.as_str().to_owned()
        )
        .increment(1);
    }
}

/// Callers may invent methods; the label may not grow with them.
fn method_label(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "OTHER",
    }
}
