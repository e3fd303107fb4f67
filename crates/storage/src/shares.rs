use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use astranetmon_domain::AccountId;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;

use crate::StorageError;

/// Accounts remembered before idle ones are swept.
const SWEEP_AT: usize = 10_000;

/// Keeps one account from holding everything that reads: it gets half of the places, and its further reads wait for
/// each other instead of standing before everybody else's.
pub(crate) struct Shares {
    each: usize,
    accounts: Mutex<HashMap<AccountId, Arc<Semaphore>>>,
}

impl Shares {
    pub(crate) fn of(places: usize) -> Self {
        Self { each: (places / 2).max(1), accounts: Mutex::default() }
    }

    /// A place, free again when it is dropped.
    pub(crate) async fn enter(
        &self,
        account: AccountId,
        within: Duration,
    ) -> Result<OwnedSemaphorePermit, StorageError> {
        let semaphore = self.semaphore(account);
        let place = timeout(within, semaphore.acquire_owned()).await.ok().and_then(Result::ok);
        place.ok_or(StorageError::Unavailable { context: "the account has too many reads at once", source: None })
    }

    fn semaphore(&self, account: AccountId) -> Arc<Semaphore> {
        let mut accounts = self.accounts.lock().unwrap_or_else(PoisonError::into_inner);
        if accounts.len() >= SWEEP_AT {
            accounts
                .retain(|_, semaphore| Arc::strong_count(semaphore) > 1 || semaphore.available_permits() < self.each);
        }
        Arc::clone(accounts.entry(account).or_insert_with(|| Arc::new(Semaphore::new(self.each))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_account_holds_half_of_the_places_and_others_have_their_own() {
        let shares = Shares::of(4);
        let soon = Duration::from_millis(20);
        let first = shares.enter(AccountId(1), soon).await.expect("free");
        let _second = shares.enter(AccountId(1), soon).await.expect("free");
        assert!(shares.enter(AccountId(1), soon).await.is_err());
        assert!(shares.enter(AccountId(2), soon).await.is_ok());
        drop(first);
        assert!(shares.enter(AccountId(1), soon).await.is_ok());
    }
}
