//! The database itself.

use astranetmon_auth::Operator;
use async_trait::async_trait;

use super::Result;

/// What concerns the database as a whole.
#[async_trait]
pub trait Maintenance: Send + Sync {
    /// Whether a read works now, within the storage's own deadlines.
    async fn ping(&self) -> Result<()>;

    /// A secret of `name`, shared by all instances: made at random when first asked for.
    async fn shared_secret(&self, operator: &Operator, name: &str) -> Result<[u8; 32]>;

    /// Writes what is kept in memory (plan windows on SQLite) and closes. Calls after it fail.
    async fn close(&self);

    /// The kind of database: `sqlite` or `postgres`.
    fn kind(&self) -> &'static str;
}
