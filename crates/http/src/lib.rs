#![doc = include_str!("../README.md")]

mod allowed_origin;
mod authorized;
mod background;
mod client_address;
mod conditional;
mod cursor;
mod docs_page;
mod encode;
pub mod endpoints;
mod error;
mod extractors;
mod health;
pub mod ingest;
mod middleware;
mod mount;
mod negotiation;
mod openapi;
#[cfg(feature = "prometheus")]
pub mod prometheus;
mod query;
mod quota_extension;
mod session;
mod state;
#[cfg(test)]
mod test_service;
#[cfg(test)]
mod testing;
mod wire;

pub use allowed_origin::{AllowedOrigin, InvalidOrigin};
pub use authorized::Authorized;
pub use background::run_background;
pub use error::ApiError;
pub use extractors::api_app_defaults;
pub use health::health;
pub use ingest::ingest;
pub use middleware::RequestId;
pub use mount::{anything_else, api, authorized_scope};
#[cfg(feature = "prometheus")]
pub use prometheus::prometheus;
pub use session::{Pages, SignedIn, auth, change_password, is_private, open_scope, seeded_by_system, signed_in_scope};
pub use state::{ApiSettings, ApiState};
