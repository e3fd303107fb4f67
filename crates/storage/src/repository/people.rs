//! Accounts, the people in them, and their sessions.

use astranetmon_auth::{ManageAccount, NewSession, Operator, OwnUser, PasswordHash, ReadAccount, Scope, SessionRecord};
use astranetmon_domain::{
    Account, AccountId, AccountName, Plan, SessionId, Timestamp, User, UserEmail, UserId, UserRole,
};
use async_trait::async_trait;

use super::Result;

/// Accounts. Names are unique.
#[async_trait]
pub trait AccountRepository: Send + Sync {
    /// Makes an account.
    ///
    /// # Errors
    /// [`StorageError::Exists`](crate::StorageError::Exists) if the name is taken.
    async fn account_create(
        &self,
        operator: &Operator,
        name: &AccountName,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Account>;

    /// Every account, by name.
    async fn account_list(&self, operator: &Operator) -> Result<Vec<Account>>;

    /// The account of that name.
    async fn account_find_by_name(&self, operator: &Operator, name: &AccountName) -> Result<Option<Account>>;

    /// The account of that id.
    async fn account_find(&self, operator: &Operator, id: AccountId) -> Result<Option<Account>>;

    /// Changes the plan; `None` if there is no such account. Audited.
    async fn account_set_plan(
        &self,
        scope: &Scope<ManageAccount>,
        plan: Plan,
        now: Timestamp,
    ) -> Result<Option<Account>>;
}

/// A person to be added.
#[derive(Clone, Debug)]
pub struct NewUser {
    /// Unique over all accounts.
    pub email: UserEmail,
    /// What the person may do.
    pub role: UserRole,
}

/// People.
#[async_trait]
pub trait UserRepository: Send + Sync {
    /// Adds a person. Audited.
    ///
    /// # Errors
    /// [`StorageError::Exists`](crate::StorageError::Exists) if the address is taken; [`StorageError::OwnersOnly`](crate::StorageError::OwnersOnly) if an admin adds an owner.
    async fn user_create(&self, scope: &Scope<ManageAccount>, user: &NewUser, now: Timestamp) -> Result<User>;

    /// The account's people, by e-mail address.
    async fn user_list(&self, scope: &Scope<ReadAccount>) -> Result<Vec<User>>;

    /// The person with that address, in whatever account.
    async fn user_find_by_email(&self, operator: &Operator, email: &UserEmail) -> Result<Option<User>>;

    /// The person with that address, disabled or not, and the hash of the password, if there is one yet.
    async fn user_find_to_sign_in(
        &self,
        operator: &Operator,
        email: &UserEmail,
    ) -> Result<Option<(User, Option<PasswordHash>)>>;

    /// Gives a person a password and ends all of their sessions; `None` if there is no such person in the account.
    /// Audited.
    ///
    /// # Errors
    /// [`StorageError::OwnersOnly`](crate::StorageError::OwnersOnly) if an admin gives it to an owner.
    async fn user_set_password(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<Option<User>>;

    /// The same by the person: `id` is the caller's own. Audited.
    async fn user_change_password(
        &self,
        scope: &Scope<OwnUser>,
        id: UserId,
        hash: &PasswordHash,
        now: Timestamp,
    ) -> Result<Option<User>>;

    /// Keeps a person from signing in and ends all of their sessions, or lets them sign in again; disabling twice keeps
    /// the first time. `None` if there is no such person in the account. Audited.
    ///
    /// # Errors
    /// [`StorageError::OwnersOnly`](crate::StorageError::OwnersOnly) if an admin does it to an owner; [`StorageError::LastOwner`](crate::StorageError::LastOwner) if nobody but the
    /// operator could look after the account any more. An operator may disable whom they like.
    async fn user_set_disabled(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        disabled: bool,
        now: Timestamp,
    ) -> Result<Option<User>>;

    /// Changes what a person may do, in their sessions too; `None` if there is no such person in the account. Audited.
    ///
    /// # Errors
    /// [`StorageError::OwnersOnly`](crate::StorageError::OwnersOnly) if an admin makes or changes an owner; [`StorageError::LastOwner`](crate::StorageError::LastOwner) as above.
    async fn user_set_role(
        &self,
        scope: &Scope<ManageAccount>,
        id: UserId,
        role: UserRole,
        now: Timestamp,
    ) -> Result<Option<User>>;
}

/// Signed-in browsers. Finding one by its hash is [`SessionLookup`](astranetmon_auth::SessionLookup),
/// a supertrait of [`Storage`](super::Storage).
#[async_trait]
pub trait SessionRepository: Send + Sync {
    /// Begins a session; `None` if there is no such person, or if the person is disabled. Audited.
    async fn session_create(
        &self,
        operator: &Operator,
        session: &NewSession,
        now: Timestamp,
    ) -> Result<Option<SessionRecord>>;

    /// A person's sessions that have not ended by themselves, newest first.
    async fn session_list(&self, scope: &Scope<OwnUser>, user_id: UserId, now: Timestamp)
    -> Result<Vec<SessionRecord>>;

    /// Ends a session of that person for good; whether there was one. Audited.
    async fn session_end(&self, scope: &Scope<OwnUser>, user_id: UserId, id: SessionId, now: Timestamp)
    -> Result<bool>;

    /// Moves a session's last request forward to `seen_at`, never back.
    async fn session_seen(&self, operator: &Operator, id: SessionId, seen_at: Timestamp) -> Result<()>;

    /// Forgets sessions that had ended by themselves at the time `now`; how many.
    async fn session_sweep(&self, operator: &Operator, now: Timestamp) -> Result<u64>;
}
