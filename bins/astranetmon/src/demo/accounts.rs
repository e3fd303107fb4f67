//! The demonstration's accounts and keys.

use astranetmon_auth::{ApiKey, ApiKeyState, ManageAccount, NewApiKey, Operator, PermissionSet, Scope};
use astranetmon_domain::{Account, AccountName, Plan, Timestamp};
use astranetmon_storage::Storage;

use super::fleet::account_name;
use super::folder::{DemoFolder, DemoKeys};
use crate::Failure;
use crate::randomness::seeded_by_system;

/// What the audit log says.
pub(super) const REASON: &str = "demo";
/// The name of the demonstration's own keys; keys of other names are a person's and stay as they are.
const KEY_NAME: &str = "demo";

/// One account a plan, in the order of [`Plan::ALL`], made if absent. `founded_at` is when a new one is made.
pub(super) async fn accounts(storage: &dyn Storage, founded_at: Timestamp) -> Result<[Account; 3], Failure> {
    Ok([
        account(storage, Plan::Starter, founded_at).await?,
        account(storage, Plan::Professional, founded_at).await?,
        account(storage, Plan::Enterprise, founded_at).await?,
    ])
}

async fn account(storage: &dyn Storage, plan: Plan, founded_at: Timestamp) -> Result<Account, Failure> {
    let operator = Operator::new(REASON);
    let name: AccountName =
        account_name(plan).parse().map_err(|error| Failure::caused("an account of the demonstration", &error))?;
    match storage.account_find_by_name(&operator, &name).await? {
        Some(account) => Ok(account),
        None => Ok(storage.account_create(&operator, &name, plan, founded_at).await?),
    }
}

/// The kept keys, and a new one in the place of each that does not work any more.
pub(super) async fn keys(
    storage: &dyn Storage,
    folder: &DemoFolder,
    accounts: &[Account; 3],
    now: Timestamp,
) -> Result<DemoKeys, Failure> {
    let kept = folder.keys()?;
    let [starter, professional, enterprise] = accounts;
    let one = async |account: &Account, kept: Option<&String>| match kept {
        Some(key) if works(storage, account, key, now).await? => Ok(key.clone()),
        _ => Ok::<_, Failure>(replace_key(storage, account, now).await?.reveal().to_owned()),
    };
    let keys = DemoKeys {
        starter: one(starter, kept.as_ref().map(|kept| &kept.starter)).await?,
        professional: one(professional, kept.as_ref().map(|kept| &kept.professional)).await?,
        enterprise: one(enterprise, kept.as_ref().map(|kept| &kept.enterprise)).await?,
    };
    if kept.as_ref() != Some(&keys) {
        folder.keep_keys(&keys)?;
    }
    Ok(keys)
}

async fn works(storage: &dyn Storage, account: &Account, text: &str, now: Timestamp) -> Result<bool, Failure> {
    let Ok(key) = ApiKey::parse(text) else { return Ok(false) };
    let found = storage
        .api_key_find_by_hash(&key.hash())
        .await
        .map_err(|error| Failure::caused("the demonstration's keys", &error))?;
    Ok(found.is_some_and(|found| found.key.account_id == account.id && found.key.state(now) == ApiKeyState::Live))
}

async fn replace_key(storage: &dyn Storage, account: &Account, now: Timestamp) -> Result<ApiKey, Failure> {
    let scope: Scope<ManageAccount> = Scope::system(account.id, REASON);
    for old in storage.api_key_list(&scope.read_account()).await? {
        if old.name == KEY_NAME && old.state(now) == ApiKeyState::Live {
            storage.api_key_revoke(&scope, old.id, now).await?;
        }
    }
    let mut rng = seeded_by_system()?;
    let key = ApiKey::generate(&mut rng);
    let new = NewApiKey {
        hash: key.hash(),
        hint: key.hint(),
        name: KEY_NAME.to_owned(),
        permissions: PermissionSet::ALL,
        expires_at: None,
    };
    storage.api_key_create(&scope, &new, now).await?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::{Clock, SystemClock};
    use astranetmon_storage::ApiKeyRepository;
    use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};

    use super::*;

    #[tokio::test]
    async fn keys_are_the_same_at_each_start_but_for_one_that_was_revoked() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = DemoFolder::open(&parent.path().join("demo")).expect("made");
        let settings = SqliteSettings::new(folder.database_path());
        SqliteStorage::migrate(&settings).expect("a schema");
        let storage = SqliteStorage::open(&settings).expect("a database");
        let now = SystemClock.now();
        let accounts = accounts(&storage, now).await.expect("accounts");
        let first = keys(&storage, &folder, &accounts, now).await.expect("keys");
        assert!(keys(&storage, &folder, &accounts, now).await.expect("keys") == first);

        let scope: Scope<ManageAccount> = Scope::system(accounts[1].id, REASON);
        let professional = storage.api_key_list(&scope.read_account()).await.expect("keys")[0].id;
        storage.api_key_revoke(&scope, professional, now).await.expect("revoked");
        let later = keys(&storage, &folder, &accounts, now).await.expect("keys");
        assert!(later.professional != first.professional);
        assert!((&later.starter, &later.enterprise) == (&first.starter, &first.enterprise));
        assert!(folder.keys().expect("readable").expect("there") == later);
    }
}
