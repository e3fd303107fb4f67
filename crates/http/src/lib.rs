//! The AstraNetmon REST API as actix-web scopes.

mod authorized;
mod cursor;
mod docs_page;
mod encode;
pub mod endpoints;
mod error;
mod openapi;
mod query;
mod quota_extension;
mod state;
#[cfg(test)]
mod testing;
mod wire;

pub use authorized::Authorized;
pub use error::ApiError;
pub use state::{ApiSettings, ApiState};
