#![doc = include_str!("../README.md")]

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
