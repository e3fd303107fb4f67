//! For tests only: throwaway PostgreSQL clusters and databases, and the conformance suite that both back ends pass.

pub mod conformance;
mod postgres;

pub use postgres::{FreshDatabase, OwnCluster, TestPostgres};
