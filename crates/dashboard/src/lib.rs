//! The AstraNetmon dashboard: pages that the server renders, their data, and their assets from inside the binary.
//!
//! [`dashboard`] mounts all of it under `/dashboard` of any actix application. Text that came from agents is only ever
//! text: templates escape it, data is JSON, and scripts set it as text.

mod agent;
mod assets;
mod error_page;
mod format;
mod health;
mod mount;
mod names;
mod overview;
mod page;
mod range;
mod records;
mod settings;
mod speedtests;
mod traceroutes;

pub use mount::{DashboardState, dashboard};
