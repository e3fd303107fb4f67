//! The demonstration's accounts and keys.

use astranetmon_auth::{ApiKey, ApiKeyState, ManageAccount, NewApiKey, Operator, PermissionSet, Scope};
use astranetmon_domain::{Account, AccountName, Plan, Timestamp};
use astranetmon_storage::Storage;
use rand::SeedableRng;
use rand::rngs::{StdRng, SysRng};

use super::fleet::account_name;
use super::folder::{DemoFolder, DemoKeys};
use crate::Failure;

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

/// The kept keys where all of them work, else new ones; the demonstration's keys before them are revoked.
pub(super) async fn keys(
    storage: &dyn Storage,
    folder: &DemoFolder,
    accounts: &[Account; 3],
    now: Timestamp,
) -> Result<DemoKeys, Failure> {
    if let Some(kept) = folder.keys()?
        && all_work(storage, accounts, &kept, now).await?
    {
        return Ok(kept);
    }
    let [starter, professional, enterprise] = accounts;
    let keys = DemoKeys {
        starter: replace_key(storage, starter, now).await?.reveal().to_owned(),
        professional: replace_key(storage, professional, now).await?.reveal().to_owned(),
        enterprise: replace_key(storage, enterprise, now).await?.reveal().to_owned(),
    };
    folder.keep_keys(&keys)?;
    Ok(keys)
}

async fn all_work(
    storage: &dyn Storage,
    accounts: &[Account; 3],
    keys: &DemoKeys,
    now: Timestamp,
) -> Result<bool, Failure> {
    for (account, text) in accounts.iter().zip([&keys.starter, &keys.professional, &keys.enterprise]) {
        let Ok(key) = ApiKey::parse(text) else { return Ok(false) };
        let found = storage
            .api_key_find_by_hash(&key.hash())
            .await
            .map_err(|error| Failure::caused("the demonstration's keys", &error))?;
        let works =
            found.is_some_and(|found| found.key.account_id == account.id && found.key.state(now) == ApiKeyState::Live);
        if !works {
            return Ok(false);
        }
    }
    Ok(true)
}

async fn replace_key(storage: &dyn Storage, account: &Account, now: Timestamp) -> Result<ApiKey, Failure> {
    let scope: Scope<ManageAccount> = Scope::system(account.id, REASON);
    for old in storage.api_key_list(&scope).await? {
        if old.name == KEY_NAME && old.state(now) == ApiKeyState::Live {
            storage.api_key_revoke(&scope, old.id, now).await?;
        }
    }
    let mut rng = StdRng::try_from_rng(&mut SysRng)
        .map_err(|error| Failure::caused("the operating system gives no random numbers", &error))?;
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
