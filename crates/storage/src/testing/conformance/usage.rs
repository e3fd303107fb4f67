//! Counts of use.

use std::sync::Arc;

use astranetmon_auth::{ApiKey, ApiKeyRecord, NewApiKey, PermissionSet};
use astranetmon_domain::{Account, Timestamp};
use astranetmon_ratelimit::UsageCount;

use super::{NOVEMBER, OPERATOR, account, scope};
use crate::Storage;

async fn key(storage: &Arc<dyn Storage>, owner: &Account) -> ApiKeyRecord {
    let key = ApiKey::generate(&mut rand::rng());
    let (hash, hint) = (key.hash(), key.hint());
    let key = NewApiKey { hash, hint, name: "key".to_owned(), permissions: PermissionSet::ALL, expires_at: None };
    storage.api_key_create(&scope(owner), &key, NOVEMBER).await.expect("a key")
}

fn count(key: &ApiKeyRecord, last_used_at: Timestamp, served: u64, refused: u64) -> UsageCount {
    let hour = last_used_at.hour_start();
    UsageCount { account_id: key.account_id, key_id: key.id, hour, served, refused, last_used_at }
}

/// Counts of one hour are added, hours without requests are absent, and the last use moves forward only.
pub async fn counts_add_up_by_hour(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let (used, other) = (key(&storage, &owner).await, key(&storage, &owner).await);
    let at = |seconds| NOVEMBER.plus_seconds(seconds);
    let counts = [count(&used, at(10), 1, 0), count(&used, at(7_300), 5, 2), count(&other, at(20), 9, 9)];
    storage.usage_add(&OPERATOR, &counts).await.expect("added");
    let counts = [count(&used, at(7_250), 10, 1), count(&other, at(30), 1, 0), count(&other, at(40), 1, 0)];
    storage.usage_add(&OPERATOR, &counts).await.expect("added");
    storage.usage_add(&OPERATOR, &[]).await.expect("added");
    let seen = |counts: Vec<UsageCount>| -> Vec<_> {
        counts.iter().map(|count| (count.hour, count.served, count.refused)).collect()
    };
    for (since, expected) in [
        (at(0), vec![(at(0), 1, 0), (at(7_200), 15, 3)]),
        (at(3_599), vec![(at(0), 1, 0), (at(7_200), 15, 3)]),
        (at(3_600), vec![(at(7_200), 15, 3)]),
        (at(10_800), vec![]),
    ] {
        let counts = storage.usage_by_hour(&scope(&owner), used.id, since).await.expect("counts");
        assert_eq!(seen(counts), expected, "{since}");
    }
    assert_eq!(storage.usage_by_hour(&scope(&stranger), used.id, at(0)).await.expect("counts"), []);
    let last_uses = async || {
        let keys = storage.api_key_list(&scope(&owner)).await.expect("keys");
        let last_use = |id| keys.iter().find(|key| key.id == id).and_then(|key| key.last_used_at);
        (last_use(used.id), last_use(other.id))
    };
    // It moves once a minute, and never back.
    assert_eq!(last_uses().await, (Some(at(7_300)), Some(at(20))));
    storage.usage_add(&OPERATOR, &[count(&other, at(80), 0, 0)]).await.expect("added");
    assert_eq!(last_uses().await, (Some(at(7_300)), Some(at(80))));
    let counts = storage.usage_by_hour(&scope(&owner), other.id, at(0)).await.expect("counts");
    assert_eq!(seen(counts), [(at(0), 11, 9)]);
}

/// Of every key of the account, live or dead, and of no other account's.
pub async fn counts_of_all_keys_come_by_hour(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let (first, second) = (key(&storage, &owner).await, key(&storage, &owner).await);
    let foreign = key(&storage, &stranger).await;
    let at = |seconds| NOVEMBER.plus_seconds(seconds);
    let counts = [
        count(&second, at(7_200), 1, 2),
        count(&second, at(0), 3, 4),
        count(&first, at(7_205), 5, 6),
        count(&first, at(-1), 7, 8),
        count(&foreign, at(0), 9, 10),
    ];
    storage.usage_add(&OPERATOR, &counts).await.expect("added");
    storage.api_key_revoke(&scope(&owner), second.id, at(9_000)).await.expect("revoked");
    let all = [
        (first.id, at(-3_600), 7, 8),
        (second.id, at(0), 3, 4),
        (first.id, at(7_200), 5, 6),
        (second.id, at(7_200), 1, 2),
    ];
    for (since, expected) in [(at(-7_200), &all[..]), (at(3_599), &all[1..]), (at(3_600), &all[2..]), (at(10_800), &[])]
    {
        let counts = storage.usage_of_account(&scope(&owner), since).await.expect("counts");
        let seen: Vec<_> = counts.iter().map(|count| (count.key_id, count.hour, count.served, count.refused)).collect();
        assert_eq!(seen, expected, "{since}");
        assert!(counts.iter().all(|count| count.account_id == owner.id));
    }
    let foreign_counts = storage.usage_of_account(&scope(&stranger), at(0)).await.expect("counts");
    assert_eq!(foreign_counts.iter().map(|count| count.key_id).collect::<Vec<_>>(), [foreign.id]);
}

/// Writers that add to the same keys in different orders neither fail nor lose a count.
pub async fn counts_of_many_writers_add_up(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut keys = Vec::new();
    for _ in 0..5 {
        keys.push(key(&storage, &owner).await);
    }
    let writers: Vec<_> = (0..8)
        .map(|writer| {
            let (storage, mut keys) = (Arc::clone(&storage), keys.clone());
            keys.rotate_left(writer % 5);
            tokio::spawn(async move {
                for _ in 0..5 {
                    let counts: Vec<_> = keys.iter().map(|key| count(key, NOVEMBER, 2, 1)).collect();
                    storage.usage_add(&OPERATOR, &counts).await.expect("added");
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("no panic");
    }
    for key in keys {
        let counts = storage.usage_by_hour(&scope(&owner), key.id, NOVEMBER).await.expect("counts");
        assert_eq!(counts.iter().map(|count| (count.served, count.refused)).collect::<Vec<_>>(), [(80, 40)]);
    }
}
