use std::marker::PhantomData;

use astranetmon_domain::{AccountId, AgentId, ApiKeyId, UserId};

use crate::Permission;

mod sealed {
    pub trait Sealed {}
}

/// What a [`Scope`] allows. Sealed: the kinds of access are listed here and nowhere else.
pub trait Access: sealed::Sealed + Send + Sync + 'static {}

/// An access that a key's permission gives.
pub trait ReadPermission: Access {
    /// The permission.
    const PERMISSION: Permission;
}

macro_rules! accesses {
    ($($(#[$doc:meta])* $name:ident $(= $permission:ident)?;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug)]
        pub enum $name {}
        impl sealed::Sealed for $name {}
        impl Access for $name {}
        $(impl ReadPermission for $name {
            const PERMISSION: Permission = Permission::$permission;
        })?
    )*};
}

accesses! {
    /// Reading agents.
    ReadAgents = ReadAgents;
    /// Reading metrics.
    ReadMetrics = ReadMetrics;
    /// Reading speed tests.
    ReadSpeedtests = ReadSpeedtests;
    /// Reading traceroutes.
    ReadTraceroutes = ReadTraceroutes;
    /// Seeing that an account's data has changed, and nothing of what.
    SeeChanges;
    /// A key looking at itself: its facts and its use.
    OwnKey;
    /// A person looking after themselves: sessions.
    OwnUser;
    /// A person reading alert rules, their state and their history.
    ReadAlerts;
    /// Writing agents and what they measured.
    Ingest;
    /// A person, of whatever role, looking at their account: keys and their use, people, audit log.
    ReadAccount;
    /// Managing an account: plan, keys, users.
    ManageAccount;
}

/// Who acts in a scope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// A program with this key.
    Key(ApiKeyId),
    /// A person.
    User(UserId),
    /// An agent with its token.
    Agent(AgentId),
    /// The service itself or its operator, for this reason.
    System(&'static str),
}

/// The right to touch one account's data in one way. Repositories demand it; it is made by
/// [`Principal::authorize`](crate::Principal::authorize), [`AgentPrincipal::ingest`](crate::AgentPrincipal::ingest) and
/// [`Scope::system`] only.
///
/// ```compile_fail
/// use astranetmon_auth::{ReadMetrics, Scope};
/// use astranetmon_domain::AccountId;
/// let scope: Scope<ReadMetrics> = Scope { account_id: AccountId(1) };
/// ```
#[derive(Debug)]
pub struct Scope<A: Access> {
    account_id: AccountId,
    actor: Actor,
    access: PhantomData<A>,
}

impl<A: Access> Clone for Scope<A> {
    fn clone(&self) -> Self {
        Self { account_id: self.account_id, actor: self.actor.clone(), access: PhantomData }
    }
}

impl<A: Access> Scope<A> {
    pub(crate) const fn granted(account_id: AccountId, actor: Actor) -> Self {
        Self { account_id, actor, access: PhantomData }
    }

    /// A scope for the service's own jobs and its command line, with the reason that the audit log will show.
    #[must_use]
    pub const fn system(account_id: AccountId, reason: &'static str) -> Self {
        Self::granted(account_id, Actor::System(reason))
    }

    /// The account.
    #[must_use]
    pub const fn account_id(&self) -> AccountId {
        self.account_id
    }

    /// Who acts.
    #[must_use]
    pub const fn actor(&self) -> &Actor {
        &self.actor
    }
}

impl<P: ReadPermission> Scope<P> {
    /// Whoever may read some of an account's data may see that it has changed.
    #[must_use]
    pub fn see_changes(&self) -> Scope<SeeChanges> {
        Scope::granted(self.account_id, self.actor.clone())
    }
}

impl Scope<ManageAccount> {
    /// Whoever manages an account may look at it.
    #[must_use]
    pub fn read_account(&self) -> Scope<ReadAccount> {
        Scope::granted(self.account_id, self.actor.clone())
    }
}

impl Scope<Ingest> {
    /// The one agent whose rows may be written; `None` for the service itself, which may write those of all.
    #[must_use]
    pub const fn agent_id(&self) -> Option<&AgentId> {
        match &self.actor {
            Actor::Agent(id) => Some(id),
            Actor::Key(_) | Actor::User(_) | Actor::System(_) => None,
        }
    }
}

/// The right to see over all accounts: the operator's, on the command line, and the service's own jobs.
#[derive(Clone, Copy, Debug)]
pub struct Operator {
    reason: &'static str,
}

impl Operator {
    /// For this reason, which the audit log will show.
    #[must_use]
    pub const fn new(reason: &'static str) -> Self {
        Self { reason }
    }

    /// The reason.
    #[must_use]
    pub const fn reason(&self) -> &'static str {
        self.reason
    }
}

/// The principal lacks a permission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("requires {missing}")]
pub struct Forbidden {
    /// The permission it lacks.
    pub missing: Permission,
}
