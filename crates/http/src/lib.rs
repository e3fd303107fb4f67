//! The AstraNetmon REST API as actix-web scopes.

mod authorized;
pub mod endpoints;
mod error;
mod state;

pub use authorized::Authorized;
pub use error::ApiError;
pub use state::{ApiSettings, ApiState};
