//! Roles, and who may change whom.

use std::sync::Arc;

use astranetmon_auth::{
    ManageAccount, NewSession, OwnUser, PasswordHash, Principal, Scope, SessionPrincipal, SessionRecord, SessionToken,
};
use astranetmon_domain::{Account, User, UserRole};

use super::{NOVEMBER, OPERATOR, account, scope};
use crate::{NewUser, Storage, StorageError};

fn new_user(email: &str, role: UserRole) -> NewUser {
    NewUser { email: email.parse().expect("an address"), role }
}

async fn person(storage: &Arc<dyn Storage>, owner: &Account, email: &str, role: UserRole) -> User {
    storage.user_create(&scope(owner), &new_user(email, role), NOVEMBER).await.expect("a user")
}

fn principal(user: &User, role: UserRole) -> Principal {
    Principal::Session(SessionPrincipal { user_id: user.id, account_id: user.account_id, role })
}

/// Of somebody whose session began when they were an admin at least.
fn manage(user: &User) -> Scope<ManageAccount> {
    principal(user, UserRole::Admin).manage_account().expect("may manage")
}

fn own(user: &User) -> Scope<OwnUser> {
    principal(user, user.role).own_user().expect("a person").1
}

async fn begin(storage: &Arc<dyn Storage>, user: &User) -> SessionRecord {
    let hash = SessionToken::generate(&mut rand::rng()).hash();
    let new = NewSession { hash, user_id: user.id, address: None, user_agent: None };
    storage.session_create(&OPERATOR, &new, NOVEMBER).await.expect("stored").expect("a session")
}

/// A role changes in a person's sessions too, in the own account only, and is audited.
pub async fn a_role_is_changed_in_the_own_account(storage: Arc<dyn Storage>) {
    let (acme, other) = (account(&storage, "acme").await, account(&storage, "other").await);
    let owner = person(&storage, &acme, "owner@example.com", UserRole::Owner).await;
    let ada = person(&storage, &acme, "ada@example.com", UserRole::Viewer).await;
    let later = NOVEMBER.plus_seconds(1);
    let set = async |scope: &Scope<ManageAccount>, role| {
        storage.user_set_role(scope, ada.id, role, later).await.expect("no error").map(|user| user.role)
    };
    assert_eq!(set(&scope(&other), UserRole::Admin).await, None);
    assert_eq!(set(&manage(&owner), UserRole::Admin).await, Some(UserRole::Admin));
    let found = storage.user_find_by_email(&OPERATOR, &ada.email).await.expect("found").expect("there");
    assert_eq!(found, User { role: UserRole::Admin, ..ada.clone() });
    let line = storage.audit_list(&manage(&owner).read_account(), 1).await.expect("audit").remove(0);
    assert_eq!(
        (line.at, line.actor, line.action.as_str(), line.object),
        (later, format!("user:{}", owner.id), "user.set_role", format!("user:{} role:admin", ada.id))
    );
}

/// An admin neither makes an owner nor touches one, and leaves no trace of having tried.
pub async fn owners_are_changed_by_owners_only(storage: Arc<dyn Storage>) {
    let acme = account(&storage, "acme").await;
    let owner = person(&storage, &acme, "owner@example.com", UserRole::Owner).await;
    let admin = person(&storage, &acme, "admin@example.com", UserRole::Admin).await;
    let session = begin(&storage, &owner).await;
    let by_admin = manage(&admin);
    let hash = PasswordHash::from_stored("$argon2id$1".to_owned());
    let audited = storage.audit_list(&by_admin.read_account(), 100).await.expect("audit");
    for refused in [
        storage.user_create(&by_admin, &new_user("x@example.com", UserRole::Owner), NOVEMBER).await.map(Some),
        storage.user_set_role(&by_admin, admin.id, UserRole::Owner, NOVEMBER).await,
        storage.user_set_role(&by_admin, owner.id, UserRole::Viewer, NOVEMBER).await,
        storage.user_set_password(&by_admin, owner.id, &hash, NOVEMBER).await,
        storage.user_set_disabled(&by_admin, owner.id, true, NOVEMBER).await,
    ] {
        assert!(matches!(refused, Err(StorageError::OwnersOnly)), "{refused:?}");
    }
    assert_eq!(storage.audit_list(&by_admin.read_account(), 100).await.expect("audit"), audited);
    assert_eq!(storage.user_list(&by_admin.read_account()).await.expect("people"), [admin.clone(), owner.clone()]);
    let sessions = storage.session_list(&own(&owner), owner.id, NOVEMBER).await.expect("listed");
    assert_eq!(sessions, [session]);

    let by_owner = manage(&owner);
    storage.user_set_role(&by_owner, admin.id, UserRole::Owner, NOVEMBER).await.expect("no error").expect("there");
    storage.user_set_disabled(&by_owner, admin.id, true, NOVEMBER).await.expect("no error").expect("there");
    let by_disabled = storage.user_set_role(&manage(&admin), owner.id, UserRole::Admin, NOVEMBER).await;
    assert!(matches!(by_disabled, Err(StorageError::OwnersOnly)), "{by_disabled:?}");
}

/// Under concurrency too: of two owners who go at the same time, one stays. An operator may close the account.
pub async fn one_owner_who_can_sign_in_stays(storage: Arc<dyn Storage>) {
    let acme = account(&storage, "acme").await;
    let first = person(&storage, &acme, "first@example.com", UserRole::Owner).await;
    for refused in [
        storage.user_set_role(&manage(&first), first.id, UserRole::Admin, NOVEMBER).await,
        storage.user_set_disabled(&manage(&first), first.id, true, NOVEMBER).await,
    ] {
        assert!(matches!(refused, Err(StorageError::LastOwner)), "{refused:?}");
    }
    let second = person(&storage, &acme, "second@example.com", UserRole::Owner).await;
    let mut going = Vec::new();
    for (by, whom) in [(&first, &second), (&second, &first)] {
        let (storage, by, whom) = (Arc::clone(&storage), manage(by), whom.id);
        going.push(tokio::spawn(async move { storage.user_set_role(&by, whom, UserRole::Viewer, NOVEMBER).await }));
    }
    let mut gone = 0;
    for going in going {
        match going.await.expect("no panic") {
            Ok(user) => gone += usize::from(user.is_some()),
            Err(error) => assert!(matches!(error, StorageError::OwnersOnly), "{error:?}"),
        }
    }
    assert_eq!(gone, 1, "whoever was demoted first is no owner any more");
    for user in [&first, &second] {
        let disabled = storage.user_set_disabled(&scope(&acme), user.id, true, NOVEMBER).await;
        assert!(disabled.expect("no error").is_some());
    }
}
