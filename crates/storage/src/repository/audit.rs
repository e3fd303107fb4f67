//! The audit log.

use astranetmon_auth::{Access, Actor, Operator, ReadAccount, Scope};
use astranetmon_domain::{AccountId, Timestamp};
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

impl AuditEntry {
    /// Characters that each of an entry's texts may have; enough for any e-mail address.
    pub const MAX_TEXT_CHARS: usize = 300;
}

/// Where an entry stands in the order newest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AuditPosition {
    /// When it was done.
    pub at: Timestamp,
    /// Tells entries of one moment apart; any number.
    pub id: i64,
}

/// Some entries of an account's audit log.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// Newest first.
    pub entries: Vec<AuditEntry>,
    /// Behind which the next page begins, if entries remain.
    pub next: Option<AuditPosition>,
}

/// The audit log. What a repository changes, it writes to the log itself, in the same transaction.
#[async_trait]
pub trait AuditRepository: Send + Sync {
    /// The account's entries behind `after`, newest first, at most `limit` of them.
    async fn audit_page(
        &self,
        scope: &Scope<ReadAccount>,
        after: Option<AuditPosition>,
        limit: u32,
    ) -> Result<AuditPage>;

    /// The newest entries of the account, newest first.
    async fn audit_list(&self, scope: &Scope<ReadAccount>, limit: u32) -> Result<Vec<AuditEntry>> {
        Ok(self.audit_page(scope, None, limit).await?.entries)
    }

    /// Adds what changed nothing in storage, and so was not written by what it changed: a sign-in that failed, a guess
    /// that was throttled. Control characters go, and texts are cut at [`AuditEntry::MAX_TEXT_CHARS`].
    async fn audit_append(&self, operator: &Operator, account_id: AccountId, entry: &AuditEntry) -> Result<()>;
}

/// Who acts in a scope, as the audit log writes it.
pub(crate) fn actor_text<A: Access>(scope: &Scope<A>) -> String {
    match scope.actor() {
        Actor::Key(id) => format!("key:{id}"),
        Actor::User(id) => format!("user:{id}"),
        Actor::Agent(id) => format!("agent:{id}"),
        Actor::System(reason) => format!("system:{reason}"),
    }
}
