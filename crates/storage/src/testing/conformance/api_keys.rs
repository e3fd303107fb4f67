//! API keys.

use std::sync::Arc;

use astranetmon_auth::{ApiKey, ApiKeyRecord, ApiKeyState, ManageAccount, NewApiKey, Permission, PermissionSet};
use astranetmon_domain::{Account, Plan, Timestamp};

use super::{NOVEMBER, account, scope};
use crate::{Storage, StorageError};

fn new_key(name: &str, expires_at: Option<Timestamp>) -> NewApiKey {
    let key = ApiKey::generate(&mut rand::rng());
    let permissions: PermissionSet = [Permission::ReadAgents, Permission::ReadTraceroutes].into_iter().collect();
    NewApiKey { hash: key.hash(), hint: key.hint(), name: name.to_owned(), permissions, expires_at }
}

async fn create(storage: &Arc<dyn Storage>, owner: &Account, name: &str) -> (NewApiKey, ApiKeyRecord) {
    let key = new_key(name, None);
    let record = storage.api_key_create(&scope(owner), &key, NOVEMBER).await.expect("a new key");
    (key, record)
}

/// The hash leads to the key and its account's plan, in whatever state; another hash leads nowhere.
pub async fn a_key_is_found_by_its_hash_only(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (key, record) = create(&storage, &owner, "first").await;
    assert_eq!((record.account_id, record.name.as_str(), &record.hint), (owner.id, "first", &key.hint));
    assert_eq!((record.permissions, record.created_at), (key.permissions, NOVEMBER));
    assert_eq!((record.expires_at, record.last_used_at, record.revoked_at), (None, None, None));
    let found = storage.api_key_find_by_hash(&key.hash).await.expect("looked up").expect("there");
    assert_eq!((&found.key, found.plan), (&record, Plan::Starter));
    storage.account_set_plan(&scope(&owner), Plan::Professional, NOVEMBER).await.expect("set");
    storage.api_key_revoke(&scope(&owner), record.id, NOVEMBER).await.expect("revoked");
    let found = storage.api_key_find_by_hash(&key.hash).await.expect("looked up").expect("there");
    assert_eq!((found.plan, found.key.revoked_at), (Plan::Professional, Some(NOVEMBER)));
    let unknown = storage.api_key_find_by_hash(&new_key("x", None).hash).await.expect("looked up");
    assert!(unknown.is_none());
}

/// The twenty-first live key is refused, under concurrency too; dead keys do not count.
pub async fn twenty_live_keys_are_the_bound(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let manage = scope::<ManageAccount>(&owner);
    let mut making = Vec::new();
    for n in 0..25 {
        let (storage, manage) = (Arc::clone(&storage), manage.clone());
        let key = new_key(&format!("key {n}"), Some(NOVEMBER.plus_seconds(100)));
        making.push(tokio::spawn(async move { storage.api_key_create(&manage, &key, NOVEMBER).await }));
    }
    let mut made = Vec::new();
    for making in making {
        match making.await.expect("no panic") {
            Ok(record) => made.push(record),
            Err(error) => assert!(matches!(error, StorageError::TooMany { most: 20, .. }), "{error:?}"),
        }
    }
    assert_eq!(made.len(), 20);
    let key = |name| new_key(name, Some(NOVEMBER.plus_seconds(1_000)));
    storage.api_key_revoke(&manage, made[0].id, NOVEMBER).await.expect("revoked");
    storage.api_key_create(&manage, &key("after a revocation"), NOVEMBER).await.expect("there is room");
    let refused = storage.api_key_create(&manage, &key("one too many"), NOVEMBER.plus_seconds(99)).await;
    assert!(matches!(refused, Err(StorageError::TooMany { .. })), "{refused:?}");
    storage.api_key_create(&manage, &key("after expiry"), NOVEMBER.plus_seconds(100)).await.expect("there is room");
    let list = storage.api_key_list(&manage.read_account()).await.expect("keys");
    assert_eq!((list.len(), list[0].name.as_str()), (22, "after expiry"));
    assert!(list.is_sorted_by_key(|key| (std::cmp::Reverse(key.created_at), std::cmp::Reverse(key.id))));
}

/// The successor counts in the window of the key it replaces, which ends when told or before.
pub async fn a_rolled_key_shares_its_window_and_ends(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let manage = scope::<ManageAccount>(&owner);
    let (_, old) = create(&storage, &owner, "old").await;
    let (_, other) = create(&storage, &owner, "other").await;
    assert_ne!(old.window_id, other.window_id);
    let successor = new_key("successor", None);
    let ends_at = NOVEMBER.plus_seconds(3_600);
    let new =
        storage.api_key_roll(&manage, old.id, &successor, ends_at, NOVEMBER).await.expect("rolled").expect("live");
    assert_eq!((new.window_id, new.name.as_str(), new.expires_at), (old.window_id, "successor", None));
    assert_ne!(new.id, old.id);
    let list = storage.api_key_list(&manage.read_account()).await.expect("keys");
    let old = list.iter().find(|key| key.id == old.id).expect("listed");
    assert_eq!((old.expires_at, old.state(ends_at)), (Some(ends_at), ApiKeyState::Expired { at: ends_at }));
    assert!(storage.api_key_find_by_hash(&successor.hash).await.expect("looked up").is_some());

    let (sooner, later) = (NOVEMBER.plus_seconds(10), NOVEMBER.plus_seconds(20));
    let short = storage.api_key_create(&manage, &new_key("short", Some(sooner)), NOVEMBER).await.expect("a key");
    storage.api_key_roll(&manage, short.id, &new_key("x", None), later, NOVEMBER).await.expect("rolled").expect("live");
    let list = storage.api_key_list(&manage.read_account()).await.expect("keys");
    assert_eq!(list.iter().find(|key| key.id == short.id).and_then(|key| key.expires_at), Some(sooner));
}

/// A roll that lets both live needs a place for both.
pub async fn a_roll_with_overlap_counts_against_the_bound_on_live_keys(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let manage = scope::<ManageAccount>(&owner);
    let (_, key) = create(&storage, &owner, "first").await;
    for _ in 1..ApiKeyRecord::MAX_LIVE_PER_ACCOUNT {
        create(&storage, &owner, "another").await;
    }
    let tomorrow = NOVEMBER.plus_seconds(86_400);
    let overlapping = storage.api_key_roll(&manage, key.id, &new_key("x", None), tomorrow, NOVEMBER).await;
    assert!(matches!(overlapping, Err(StorageError::TooMany { .. })), "{overlapping:?}");
    let list = storage.api_key_list(&manage.read_account()).await.expect("keys");
    assert_eq!(list.iter().find(|listed| listed.id == key.id).and_then(|listed| listed.expires_at), None);
    let at_once = storage.api_key_roll(&manage, key.id, &new_key("x", None), NOVEMBER, NOVEMBER).await;
    assert!(at_once.expect("rolled").is_some());
}

/// A key that ended has no successor.
pub async fn a_dead_key_is_not_rolled(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let manage = scope::<ManageAccount>(&owner);
    let (_, revoked) = create(&storage, &owner, "revoked").await;
    storage.api_key_revoke(&manage, revoked.id, NOVEMBER).await.expect("revoked");
    let expiring = new_key("expired", Some(NOVEMBER.plus_seconds(1)));
    let expired = storage.api_key_create(&manage, &expiring, NOVEMBER).await.expect("a key");
    for dead in [revoked.id, expired.id] {
        let now = NOVEMBER.plus_seconds(1);
        let rolled = storage.api_key_roll(&manage, dead, &new_key("x", None), now, now).await.expect("no error");
        assert_eq!(rolled, None);
    }
    assert_eq!(storage.api_key_list(&manage.read_account()).await.expect("keys").len(), 2);
}

/// The second revocation answers with the first one's time.
pub async fn revoking_twice_keeps_the_first_time(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (_, key) = create(&storage, &owner, "key").await;
    for later in [0, 10] {
        let now = NOVEMBER.plus_seconds(later);
        let revoked = storage.api_key_revoke(&scope(&owner), key.id, now).await.expect("revoked").expect("there");
        assert_eq!(revoked, ApiKeyRecord { revoked_at: Some(NOVEMBER), ..key.clone() });
    }
}

/// Another account's key is not there.
pub async fn a_foreign_key_is_none(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let (hash, key) = create(&storage, &owner, "key").await;
    let foreign = scope::<ManageAccount>(&stranger);
    assert_eq!(storage.api_key_revoke(&foreign, key.id, NOVEMBER).await.expect("no error"), None);
    let rolled = storage.api_key_roll(&foreign, key.id, &new_key("x", None), NOVEMBER, NOVEMBER).await;
    assert_eq!(rolled.expect("no error"), None);
    assert_eq!(storage.api_key_list(&foreign.read_account()).await.expect("keys"), []);
    let found = storage.api_key_find_by_hash(&hash.hash).await.expect("looked up").expect("there");
    assert_eq!(found.key, key);
}

/// Each change leaves one line, newest first; what changed nothing leaves none.
pub async fn what_is_done_to_keys_is_audited(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let manage = scope::<ManageAccount>(&owner);
    let (_, old) = create(&storage, &owner, "key").await;
    let at = |seconds| NOVEMBER.plus_seconds(seconds);
    let new = storage.api_key_roll(&manage, old.id, &new_key("x", None), at(9), at(1)).await.expect("rolled");
    let new = new.expect("live");
    for later in [2, 3] {
        storage.api_key_revoke(&manage, new.id, at(later)).await.expect("revoked");
    }
    let mut audit = storage.audit_list(&manage.read_account(), 10).await.expect("audit");
    // The account itself was made at the same moment as its first key.
    audit.retain(|entry| entry.action != "account.create");
    let told: Vec<_> = audit.iter().map(|entry| (entry.at, entry.action.as_str(), entry.object.clone())).collect();
    assert_eq!(
        told,
        [
            (at(2), "api_key.revoke", format!("key:{}", new.id)),
            (at(1), "api_key.roll", format!("key:{} to key:{}", old.id, new.id)),
            (at(0), "api_key.create", format!("key:{}", old.id)),
        ]
    );
    assert!(audit.iter().all(|entry| entry.actor == "system:conformance"), "{audit:?}");
}
