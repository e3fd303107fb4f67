//! The people who own the demonstration's accounts.

use astranetmon_auth::{Operator, Password, PasswordHash, Scope};
use astranetmon_domain::{Account, Plan, Timestamp, User, UserEmail, UserRole};
use astranetmon_storage::{NewUser, Storage};

use super::accounts::REASON;
use super::folder::{DemoFolder, DemoOwner};
use crate::Failure;
use crate::randomness::seeded_by_system;

const fn owner_email(plan: Plan) -> &'static str {
    match plan {
        Plan::Starter => "owner@starter.example",
        Plan::Professional => "owner@professional.example",
        Plan::Enterprise => "owner@enterprise.example",
    }
}

/// One owner an account, made if absent. That of the Enterprise account has the kept password, or a new one in the place
/// of one that does not work any more; the others have none until `user set-password` gives them one.
pub(super) async fn owners(
    storage: &dyn Storage,
    folder: &DemoFolder,
    accounts: &[Account; 3],
    now: Timestamp,
) -> Result<DemoOwner, Failure> {
    let [starter, professional, enterprise] = accounts;
    owner(storage, starter, Plan::Starter, now).await?;
    owner(storage, professional, Plan::Professional, now).await?;
    let (user, hash) = owner(storage, enterprise, Plan::Enterprise, now).await?;

    let works = |kept: &DemoOwner| {
        let password = Password::presented(kept.password.clone());
        kept.email == user.email.as_str() && hash.as_ref().is_some_and(|hash| hash.verify(&password))
    };
    if let Some(kept) = folder.owner()?.filter(works) {
        return Ok(kept);
    }
    let mut rng = seeded_by_system()?;
    let password = Password::generate(&mut rng);
    let hash = password.hash(&mut rng).map_err(|error| Failure::caused("the owner's password", &error))?;
    storage.user_set_password(&Scope::system(enterprise.id, REASON), user.id, &hash, now).await?;
    let owner = DemoOwner { email: user.email.to_string(), password: password.reveal().to_owned() };
    folder.keep_owner(&owner)?;
    Ok(owner)
}

async fn owner(
    storage: &dyn Storage,
    account: &Account,
    plan: Plan,
    now: Timestamp,
) -> Result<(User, Option<PasswordHash>), Failure> {
    let email: UserEmail =
        owner_email(plan).parse().map_err(|error| Failure::caused("an owner of the demonstration", &error))?;
    if let Some(found) = storage.user_find_to_sign_in(&Operator::new(REASON), &email).await? {
        return Ok(found);
    }
    let new = NewUser { email, role: UserRole::Owner };
    Ok((storage.user_create(&Scope::system(account.id, REASON), &new, now).await?, None))
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::{Clock, SystemClock};
    use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};

    use super::super::accounts::accounts;
    use super::*;

    #[tokio::test]
    async fn the_owner_has_the_same_password_at_each_start_until_it_is_changed() {
        let parent = tempfile::tempdir().expect("a folder");
        let folder = DemoFolder::open(&parent.path().join("demo")).expect("made");
        let settings = SqliteSettings::new(folder.database_path());
        SqliteStorage::migrate(&settings).expect("a schema");
        let storage: &dyn Storage = &SqliteStorage::open(&settings).expect("a database");
        let now = SystemClock.now();
        let accounts = accounts(storage, now).await.expect("accounts");
        let first = owners(storage, &folder, &accounts, now).await.expect("an owner");
        assert!(owners(storage, &folder, &accounts, now).await.expect("an owner") == first);

        let operator = Operator::new(REASON);
        let found = async |plan| {
            let email = owner_email(plan).parse().expect("an address");
            storage.user_find_to_sign_in(&operator, &email).await.expect("found").expect("there")
        };
        for plan in Plan::ALL {
            let (user, hash) = found(plan).await;
            assert_eq!((user.role, hash.is_some()), (UserRole::Owner, plan == Plan::Enterprise), "{plan}");
        }
        let (user, _) = found(Plan::Enterprise).await;
        let other = PasswordHash::from_stored("another".to_owned());
        let scope = Scope::system(user.account_id, REASON);
        storage.user_set_password(&scope, user.id, &other, now).await.expect("set");
        let later = owners(storage, &folder, &accounts, now).await.expect("an owner");
        assert!(later.password != first.password && later.email == first.email);
        let hash = found(Plan::Enterprise).await.1.expect("a password");
        assert!(hash.verify(&Password::presented(later.password)));
    }
}
