use std::sync::Arc;

use astranetmon_domain::{AccountId, ApiKeyId, Plan, QuotaWindowId, Timestamp, UserId, UserRole};

use crate::{
    Actor, Forbidden, KeyHash, KeyHint, ManageAccount, OwnKey, OwnUser, PermissionSet, ReadAccount, ReadAlerts,
    ReadPermission, Scope,
};

/// What storage needs to keep a new key.
#[derive(Clone, Debug)]
pub struct NewApiKey {
    /// Of the whole key.
    pub hash: KeyHash,
    /// Shown beside its name.
    pub hint: KeyHint,
    /// Given by a person; 1 to 100 characters.
    pub name: String,
    /// What it may read.
    pub permissions: PermissionSet,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
}

/// A stored key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKeyRecord {
    /// Given by the database.
    pub id: ApiKeyId,
    /// Its owner.
    pub account_id: AccountId,
    /// The plan window it spends; shared with the key it replaced.
    pub window_id: QuotaWindowId,
    /// Given by a person.
    pub name: String,
    /// First characters of its random part.
    pub hint: KeyHint,
    /// What it may read.
    pub permissions: PermissionSet,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends by itself.
    pub expires_at: Option<Timestamp>,
    /// Last use, at most a minute old.
    pub last_used_at: Option<Timestamp>,
    /// When it was revoked.
    pub revoked_at: Option<Timestamp>,
}

/// Whether a key works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApiKeyState {
    /// It works.
    Live,
    /// It ended by itself.
    Expired {
        /// When.
        at: Timestamp,
    },
    /// Somebody ended it.
    Revoked {
        /// When.
        at: Timestamp,
    },
}

impl ApiKeyRecord {
    /// Live keys that an account may hold at a time.
    pub const MAX_LIVE_PER_ACCOUNT: usize = 20;

    /// The state at the time `now`.
    #[must_use]
    pub fn state(&self, now: Timestamp) -> ApiKeyState {
        match (self.revoked_at, self.expires_at) {
            (Some(at), _) => ApiKeyState::Revoked { at },
            (None, Some(at)) if at <= now => ApiKeyState::Expired { at },
            _ => ApiKeyState::Live,
        }
    }
}

/// The person's role does not allow to manage the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an owner or admin of the account may do this")]
pub struct RoleTooLow;

/// Who is calling. Cheap to clone.
#[derive(Clone, Debug)]
pub enum Principal {
    /// A program with an API key.
    Key(Arc<KeyPrincipal>),
    /// A person signed in to the dashboard.
    Session(SessionPrincipal),
}

/// A program with an API key.
#[derive(Clone, Debug)]
pub struct KeyPrincipal {
    /// The key.
    pub key: ApiKeyRecord,
    /// Of the account, at most a second old.
    pub plan: Plan,
}

/// A person signed in to the dashboard.
#[derive(Clone, Debug)]
pub struct SessionPrincipal {
    /// The person.
    pub user_id: UserId,
    /// The person's account.
    pub account_id: AccountId,
    /// The person's role.
    pub role: UserRole,
}

impl Principal {
    /// The account it acts for.
    #[must_use]
    pub fn account_id(&self) -> AccountId {
        match self {
            Self::Key(principal) => principal.key.account_id,
            Self::Session(principal) => principal.account_id,
        }
    }

    /// What it may read: a key what it was given, a session everything (every role reads).
    #[must_use]
    pub fn permissions(&self) -> PermissionSet {
        match self {
            Self::Key(principal) => principal.key.permissions,
            Self::Session(_) => PermissionSet::ALL,
        }
    }

    /// The scope for a permission.
    ///
    /// # Errors
    /// [`Forbidden`] with the permission it lacks.
    pub fn authorize<P: ReadPermission>(&self) -> Result<Scope<P>, Forbidden> {
        if self.permissions().contains(P::PERMISSION) {
            Ok(Scope::granted(self.account_id(), self.actor()))
        } else {
            Err(Forbidden { missing: P::PERMISSION })
        }
    }

    /// The scope in which a key looks at itself; `None` for a session.
    #[must_use]
    pub fn own_key(&self) -> Option<(&Arc<KeyPrincipal>, Scope<OwnKey>)> {
        match self {
            Self::Key(principal) => Some((principal, Scope::granted(self.account_id(), self.actor()))),
            Self::Session(_) => None,
        }
    }

    /// The scope in which a person looks after themselves; `None` for a key.
    #[must_use]
    pub fn own_user(&self) -> Option<(&SessionPrincipal, Scope<OwnUser>)> {
        match self {
            Self::Key(_) => None,
            Self::Session(principal) => Some((principal, Scope::granted(self.account_id(), self.actor()))),
        }
    }

    /// The scope in which a person looks at their account; `None` for a key.
    #[must_use]
    pub fn read_account(&self) -> Option<Scope<ReadAccount>> {
        match self {
            Self::Key(_) => None,
            Self::Session(_) => Some(Scope::granted(self.account_id(), self.actor())),
        }
    }

    /// The scope in which a person manages their account.
    ///
    /// # Errors
    /// [`RoleTooLow`] for viewers and for keys, which only read.
    pub fn manage_account(&self) -> Result<Scope<ManageAccount>, RoleTooLow> {
        match self {
            Self::Session(principal) if principal.role >= UserRole::Admin => {
                Ok(Scope::granted(self.account_id(), self.actor()))
            }
            _ => Err(RoleTooLow),
        }
    }

    /// The scope in which a person, of whatever role, reads alerts; `None` for a key.
    #[must_use]
    pub fn alerts(&self) -> Option<Scope<ReadAlerts>> {
        match self {
            Self::Key(_) => None,
            Self::Session(_) => Some(Scope::granted(self.account_id(), self.actor())),
        }
    }

    fn actor(&self) -> Actor {
        match self {
            Self::Key(principal) => Actor::Key(principal.key.id),
            Self::Session(principal) => Actor::User(principal.user_id),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Permission, ReadAgents, ReadMetrics};

    fn key(permissions: PermissionSet) -> ApiKeyRecord {
        ApiKeyRecord {
            id: ApiKeyId(1),
            account_id: AccountId(7),
            window_id: QuotaWindowId(1),
            name: "test".to_owned(),
            hint: KeyHint::from_stored("abcd".to_owned()),
            permissions,
            created_at: Timestamp::from_seconds(0),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        }
    }

    #[test]
    fn a_scope_is_given_for_a_held_permission_only() {
        let permissions = [Permission::ReadAgents].into_iter().collect();
        let principal = Principal::Key(Arc::new(KeyPrincipal { key: key(permissions), plan: Plan::Starter }));
        assert_eq!(principal.authorize::<ReadAgents>().expect("held").account_id(), AccountId(7));
        assert_eq!(principal.authorize::<ReadMetrics>().err(), Some(Forbidden { missing: Permission::ReadMetrics }));
    }

    #[test]
    fn a_key_without_permissions_may_nothing_and_a_session_reads_everything() {
        let nothing = Principal::Key(Arc::new(KeyPrincipal { key: key(PermissionSet::NONE), plan: Plan::Enterprise }));
        assert!(nothing.authorize::<ReadAgents>().is_err());
        let session = Principal::Session(SessionPrincipal {
            user_id: UserId(1),
            account_id: AccountId(7),
            role: UserRole::Viewer,
        });
        assert!(session.authorize::<ReadMetrics>().is_ok());
        assert!(session.own_key().is_none() && nothing.own_user().is_none());
        assert!(session.read_account().is_some() && nothing.read_account().is_none());
        assert!(session.alerts().is_some() && nothing.alerts().is_none());
        assert_eq!(*session.own_user().expect("a person").1.actor(), Actor::User(UserId(1)));
    }

    #[test]
    fn owners_and_admins_manage_their_account_and_viewers_and_keys_do_not() {
        for (role, manages) in [(UserRole::Owner, true), (UserRole::Admin, true), (UserRole::Viewer, false)] {
            let session = Principal::Session(SessionPrincipal { user_id: UserId(1), account_id: AccountId(7), role });
            assert_eq!(session.manage_account().map(|scope| scope.account_id()).ok(), manages.then_some(AccountId(7)));
        }
        let key = Principal::Key(Arc::new(KeyPrincipal { key: key(PermissionSet::ALL), plan: Plan::Enterprise }));
        assert_eq!(key.manage_account().err(), Some(RoleTooLow));
    }

    #[test]
    fn a_key_ends_at_its_expiry_and_revocation_wins() {
        let at = Timestamp::from_seconds;
        let mut key = key(PermissionSet::ALL);
        assert_eq!(key.state(at(5)), ApiKeyState::Live);
        key.expires_at = Some(at(5));
        assert_eq!(key.state(at(4)), ApiKeyState::Live);
        assert_eq!(key.state(at(5)), ApiKeyState::Expired { at: at(5) });
        key.revoked_at = Some(at(9));
        assert_eq!(key.state(at(5)), ApiKeyState::Revoked { at: at(9) });
    }
}
