//! For tests only: throwaway PostgreSQL clusters and databases, and the conformance suite that both back ends pass.

#![expect(clippy::disallowed_methods, reason = "tests make their own chance and read their own settings")]

pub mod conformance;
mod postgres;

pub use postgres::{FreshDatabase, OwnCluster, TestPostgres};
