//! The agent that calls.

use std::future::{Ready, ready};

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpMessage, HttpRequest};
use astranetmon_auth::{AgentPrincipal, Ingest, Scope};
use astranetmon_domain::AgentId;

use crate::ApiError;

/// The agent whose token the request was made with: the only way for a handler to the right to write.
#[derive(Debug)]
pub(crate) struct Agent {
    principal: AgentPrincipal,
    scope: Scope<Ingest>,
}

impl Agent {
    pub(crate) const fn id(&self) -> &AgentId {
        &self.principal.agent_id
    }

    /// The scope that repositories demand.
    pub(crate) const fn scope(&self) -> &Scope<Ingest> {
        &self.scope
    }

    pub(crate) const fn principal(&self) -> &AgentPrincipal {
        &self.principal
    }
}

impl FromRequest for Agent {
    type Error = ApiError;
    type Future = Ready<Result<Self, ApiError>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // The door has put the principal there; without one nobody has authenticated.
        ready(match request.extensions().get::<AgentPrincipal>() {
            Some(principal) => Ok(Self { principal: principal.clone(), scope: principal.ingest() }),
            None => Err(ApiError::AgentUnauthorized { token_sent: false }),
        })
    }
}
