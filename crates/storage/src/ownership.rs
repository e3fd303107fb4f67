//! Who may change whom in an account, decided inside the transaction that changes it.

use astranetmon_auth::Actor;
use astranetmon_domain::{User, UserRole};

use crate::StorageError;

/// What is to be done to a person.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change {
    Password,
    Disabled(bool),
    Role(UserRole),
}

/// Whether the actor may add somebody with that role. `people` holds the account's owners.
pub(crate) fn allow_adding(actor: &Actor, role: UserRole, people: &[User]) -> Result<(), StorageError> {
    if role == UserRole::Owner && !acts_for_owners(actor, people) { Err(StorageError::OwnersOnly) } else { Ok(()) }
}

/// Whether the actor may do that to `target`. `people` holds the account's owners.
///
/// Owners are changed, made and unmade by owners only, and one owner who can sign in stays. Whoever operates the
/// service may do anything, since accounts are theirs to close.
pub(crate) fn allow(actor: &Actor, target: &User, change: Change, people: &[User]) -> Result<(), StorageError> {
    if matches!(actor, Actor::System(_)) {
        return Ok(());
    }
    let concerns_owners = target.role == UserRole::Owner || matches!(change, Change::Role(UserRole::Owner));
    if concerns_owners && !acts_for_owners(actor, people) {
        return Err(StorageError::OwnersOnly);
    }
    let leaves = match change {
        Change::Password => false,
        Change::Disabled(disabled) => disabled,
        Change::Role(role) => role != UserRole::Owner,
    };
    let others = people.iter().any(|user| is_owner(user) && user.id != target.id);
    if is_owner(target) && leaves && !others { Err(StorageError::LastOwner) } else { Ok(()) }
}

fn acts_for_owners(actor: &Actor, people: &[User]) -> bool {
    match actor {
        Actor::System(_) => true,
        Actor::Key(_) | Actor::Agent(_) => false,
        Actor::User(id) => people.iter().any(|user| user.id == *id && is_owner(user)),
    }
}

/// An owner who can sign in.
fn is_owner(user: &User) -> bool {
    user.role == UserRole::Owner && user.disabled_at.is_none()
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::{AccountId, ApiKeyId, Timestamp, UserId};

    use super::*;

    fn user(id: i64, role: UserRole, disabled: bool) -> User {
        User {
            id: UserId(id),
            account_id: AccountId(1),
            email: format!("{id}@example.com").parse().expect("an address"),
            role,
            created_at: Timestamp::from_seconds(0),
            disabled_at: disabled.then(|| Timestamp::from_seconds(1)),
        }
    }

    #[test]
    fn owners_are_changed_by_owners_and_one_stays() {
        use UserRole::{Admin, Owner, Viewer};
        let (owner, other, admin) = (user(1, Owner, false), user(2, Owner, false), user(3, Admin, false));
        let gone = user(4, Owner, true);
        let one = [owner.clone(), gone.clone()];
        let two = [owner.clone(), other, gone.clone()];
        let (by_owner, by_admin, by_gone) = (&Actor::User(UserId(1)), &Actor::User(UserId(3)), &Actor::User(UserId(4)));
        let (key, system) = (&Actor::Key(ApiKeyId(1)), &Actor::System("test"));
        for (actor, target, change, people, expected) in [
            (by_admin, &admin, Change::Role(Viewer), &one[..], "ok"),
            (by_admin, &admin, Change::Role(Owner), &one, "owners only"),
            (by_admin, &owner, Change::Password, &two, "owners only"),
            (by_admin, &gone, Change::Disabled(false), &two, "owners only"),
            (by_gone, &owner, Change::Disabled(true), &two, "owners only"),
            (key, &owner, Change::Disabled(true), &two, "owners only"),
            (by_owner, &admin, Change::Role(Owner), &one, "ok"),
            (by_owner, &owner, Change::Password, &one, "ok"),
            (by_owner, &owner, Change::Role(Owner), &one, "ok"),
            (by_owner, &owner, Change::Disabled(false), &one, "ok"),
            (by_owner, &owner, Change::Disabled(true), &one, "last owner"),
            (by_owner, &owner, Change::Role(Admin), &one, "last owner"),
            (by_owner, &owner, Change::Disabled(true), &two, "ok"),
            (by_owner, &owner, Change::Role(Viewer), &two, "ok"),
            (by_owner, &gone, Change::Role(Viewer), &one, "ok"),
            (system, &owner, Change::Disabled(true), &one, "ok"),
        ] {
            let told = match allow(actor, target, change, people) {
                Ok(()) => "ok",
                Err(StorageError::OwnersOnly) => "owners only",
                Err(StorageError::LastOwner) => "last owner",
                Err(_) => "another error",
            };
            assert_eq!(told, expected, "{actor:?} {change:?} {}", target.id);
        }
        assert!(allow_adding(by_admin, Admin, &one).is_ok() && allow_adding(by_admin, Owner, &one).is_err());
        assert!(allow_adding(by_owner, Owner, &one).is_ok() && allow_adding(system, Owner, &[]).is_ok());
    }
}
