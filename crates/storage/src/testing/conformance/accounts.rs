//! Accounts, people, plans.

use std::sync::Arc;

use astranetmon_auth::ManageAccount;
use astranetmon_domain::{AccountId, Plan, UserRole};

use super::{NOVEMBER, OPERATOR, account, scope};
use crate::{NewUser, Storage, StorageError};

/// A second account of a name and a second person of an address are refused.
pub async fn names_and_addresses_are_unique(storage: Arc<dyn Storage>) {
    let (b, a) = (account(&storage, "b").await, account(&storage, "a Ä").await);
    let again = storage.account_create(&OPERATOR, &a.name, Plan::Enterprise, NOVEMBER).await;
    assert!(matches!(again, Err(StorageError::Exists { .. })), "{again:?}");
    assert_eq!(storage.account_list(&OPERATOR).await.expect("accounts"), [a.clone(), b.clone()]);
    assert_eq!(storage.account_find_by_name(&OPERATOR, &b.name).await.expect("found"), Some(b.clone()));

    let person = |email: &str| NewUser { email: email.parse().expect("an address"), role: UserRole::Admin };
    let manage = scope::<ManageAccount>(&a);
    let z = storage.user_create(&manage, &person("Z.a@example.com"), NOVEMBER).await.expect("a user");
    let a_b = storage.user_create(&manage, &person("a-b@example.com"), NOVEMBER).await.expect("a user");
    let ab = storage.user_create(&manage, &person("aa@example.com"), NOVEMBER).await.expect("a user");
    assert_eq!(
        (z.account_id, z.email.as_str(), z.role, z.disabled_at),
        (a.id, "z.a@example.com", UserRole::Admin, None)
    );
    let taken = storage.user_create(&scope(&b), &person("z.A@example.com"), NOVEMBER).await;
    assert!(matches!(taken, Err(StorageError::Exists { .. })), "{taken:?}");
    assert_eq!(storage.user_list(&manage.read_account()).await.expect("users"), [a_b, ab, z.clone()]);
    assert_eq!(storage.user_list(&scope(&b)).await.expect("users"), []);
    assert_eq!(storage.user_find_by_email(&OPERATOR, &z.email).await.expect("found"), Some(z));
}

/// The new plan is seen everywhere, and one line of the audit log tells of it.
pub async fn a_plan_change_is_seen_and_audited(storage: Arc<dyn Storage>) {
    let (changed, other) = (account(&storage, "changed").await, account(&storage, "other").await);
    let manage = scope::<ManageAccount>(&changed);
    let later = NOVEMBER.plus_seconds(5);
    let account = storage.account_set_plan(&manage, Plan::Enterprise, later).await.expect("set").expect("there");
    assert_eq!((account.id, account.plan), (changed.id, Plan::Enterprise));
    let found = storage.account_find_by_name(&OPERATOR, &changed.name).await.expect("found");
    assert_eq!(found.map(|account| account.plan), Some(Plan::Enterprise));
    assert_eq!(storage.account_find(&OPERATOR, changed.id).await.expect("found"), Some(account));
    let audit = storage.audit_list(&manage.read_account(), 10).await.expect("audit");
    assert_eq!((audit[0].at, audit[0].actor.as_str()), (later, "system:conformance"));
    assert_eq!(
        audit.iter().map(|entry| entry.action.as_str()).collect::<Vec<_>>(),
        ["account.set_plan", "account.create"]
    );
    assert_eq!(storage.audit_list(&manage.read_account(), 1).await.expect("audit"), audit[..1]);
    let other = storage.audit_list(&scope(&other), 10).await.expect("audit");
    assert!(other.iter().all(|entry| entry.action != "account.set_plan"), "{other:?}");
}

/// What is not there is `None` or empty.
pub async fn missing_is_none(storage: Arc<dyn Storage>) {
    let nobody = astranetmon_auth::Scope::<ManageAccount>::system(AccountId(4_711), "conformance");
    assert_eq!(storage.account_set_plan(&nobody, Plan::Starter, NOVEMBER).await.expect("no error"), None);
    assert_eq!(storage.account_find_by_name(&OPERATOR, &"x".parse().expect("a name")).await.expect("no error"), None);
    assert_eq!(storage.account_find(&OPERATOR, AccountId(4_711)).await.expect("no error"), None);
    let address = "x@example.com".parse().expect("an address");
    assert_eq!(storage.user_find_by_email(&OPERATOR, &address).await.expect("no error"), None);
    assert_eq!(storage.audit_list(&nobody.read_account(), 10).await.expect("no error"), []);
    assert_eq!(storage.account_list(&OPERATOR).await.expect("no error"), []);
}
