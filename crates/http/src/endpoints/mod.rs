//! One file per endpoint: query, response, handler, tests, in that order.

use actix_web::web;

/// Registers every endpoint, relative to `/api/v1`.
pub fn configure(_config: &mut web::ServiceConfig) {}

/// The methods that a full path accepts, `None` if no endpoint has it.
#[must_use]
pub fn allowed_methods(path: &str) -> Option<&'static str> {
    matches!(path, "/api/v1/agents" | "/api/v1/metrics" | "/api/v1/usage" | "/api/v1/openapi.json").then_some("GET")
}

/// Whether a path is served to callers with a credential only.
#[must_use]
pub fn needs_credential(path: &str) -> bool {
    let open = |rest: &str| matches!(rest, "/openapi.json" | "/docs") || rest.starts_with("/docs/");
    !path.strip_prefix("/api/v1").is_some_and(open)
}
