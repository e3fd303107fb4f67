//! The first owner.

use astranetmon_auth::{Operator, PasswordHash, SetupHash};
use astranetmon_domain::{Account, AccountName, Plan, Timestamp, User, UserEmail};
use async_trait::async_trait;

use super::Result;

/// The first person of all, who owns an account.
#[derive(Clone, Debug)]
pub struct FirstOwner {
    /// The account, made if there is none of that name.
    pub account: AccountName,
    /// Of an account that is made.
    pub plan: Plan,
    /// The person's address.
    pub email: UserEmail,
    /// Of the person's password.
    pub password: PasswordHash,
}

/// What became of a set-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Setup {
    /// The first owner and the account.
    Done(Account, User),
    /// The token is another, or its time is over.
    Refused,
    /// There are people already.
    Closed,
}

/// How a service without people gets its first.
#[async_trait]
pub trait SetupRepository: Send + Sync {
    /// Whether there is nobody yet, in no account.
    async fn setup_is_open(&self, operator: &Operator) -> Result<bool>;

    /// While there is nobody yet, lets the token of that hash, and no other, make the first owner before `ends_at`;
    /// whether it may.
    async fn setup_offer(&self, operator: &Operator, hash: &SetupHash, ends_at: Timestamp) -> Result<bool>;

    /// Makes the first owner, once. Audited.
    async fn setup_complete(
        &self,
        operator: &Operator,
        hash: &SetupHash,
        owner: &FirstOwner,
        now: Timestamp,
    ) -> Result<Setup>;
}
