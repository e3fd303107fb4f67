//! The audit log.

use astranetmon_auth::{Access, Actor, ManageAccount, Scope};
use astranetmon_domain::Timestamp;
use async_trait::async_trait;

use super::Result;

/// One line of an account's audit log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditEntry {
    /// When it was done.
    pub at: Timestamp,
    /// By whom: `key:7`, `user:3`, `system:command line`.
    pub actor: String,
    /// What was done: `api_key.create`.
    pub action: String,
    /// To what: `key:7`.
    pub object: String,
}

/// The audit log: written by the repositories themselves, in the transaction of what they change.
#[async_trait]
pub trait AuditRepository: Send + Sync {
    /// The newest entries of the account, newest first.
    async fn audit_list(&self, scope: &Scope<ManageAccount>, limit: u32) -> Result<Vec<AuditEntry>>;
}

/// Who acts in a scope, as the audit log writes it.
pub(crate) fn actor_text<A: Access>(scope: &Scope<A>) -> String {
    match scope.actor() {
        Actor::Key(id) => format!("key:{id}"),
        Actor::User(id) => format!("user:{id}"),
        Actor::System(reason) => format!("system:{reason}"),
    }
}
