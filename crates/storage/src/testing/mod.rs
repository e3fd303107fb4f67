//! For tests only: throwaway PostgreSQL clusters and databases, the conformance suite that both back ends pass, and
//! rows for every table.

#![expect(clippy::disallowed_methods, reason = "tests make their own chance and read their own settings")]

pub mod conformance;
mod generated_rows;
mod postgres;
mod sealing;
mod sqlite;

pub use generated_rows::generate_rows;
pub use postgres::{FreshDatabase, OwnCluster, TestPostgres};
pub use sealing::Sealing;
pub use sqlite::sqlite_integrity;
