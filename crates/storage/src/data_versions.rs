use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use astranetmon_domain::AccountId;

use crate::StorageError;

/// How long a version is believed. What another instance writes is seen within a second; what this one writes, at once.
const BELIEVED_FOR: Duration = Duration::from_millis(700);
/// Accounts whose versions are kept.
const MOST_ACCOUNTS: usize = 10_000;

/// The versions of accounts' data, as they were read a moment ago: every conditional request asks for one.
///
/// Any write of this process, of whatever account, makes all of them be read anew. So no write needs to say what it
/// changes, and none can forget to.
#[derive(Default)]
pub(crate) struct DataVersions {
    kept: Mutex<HashMap<AccountId, Kept>>,
    /// Rises when a write has ended.
    writes: AtomicU64,
}

#[derive(Clone, Copy)]
struct Kept {
    version: i64,
    /// How many writes had ended before it began to be read.
    writes: u64,
    read_at: Instant,
}

/// A write that goes on. However it ends, and if nobody waits for it any more, versions from before are not believed
/// after it.
pub(crate) struct Writing<'a>(&'a DataVersions);

impl Drop for Writing<'_> {
    fn drop(&mut self) {
        self.0.writes.fetch_add(1, Ordering::SeqCst);
    }
}

impl DataVersions {
    /// To be dropped when the write has ended, before anybody is told.
    pub(crate) const fn writing(&self) -> Writing<'_> {
        Writing(self)
    }

    /// What `read` gives, unless that was read a moment ago and nothing was written since.
    pub(crate) async fn version(
        &self,
        account: AccountId,
        read: impl Future<Output = Result<i64, StorageError>>,
    ) -> Result<i64, StorageError> {
        let (writes, read_at) = (self.writes.load(Ordering::SeqCst), Instant::now());
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&account).copied();
        if let Some(kept) = kept.filter(|kept| kept.writes == writes && kept.read_at.elapsed() < BELIEVED_FOR) {
            return Ok(kept.version);
        }
        let version = read.await?;
        let mut all = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MOST_ACCOUNTS {
            all.retain(|_, kept| kept.writes == writes && kept.read_at.elapsed() < BELIEVED_FOR);
        }
        if all.len() < MOST_ACCOUNTS || all.contains_key(&account) {
            all.insert(account, Kept { version, writes, read_at });
        }
        Ok(version)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCOUNT: AccountId = AccountId(1);

    async fn read(versions: &DataVersions, stored: i64) -> i64 {
        versions.version(ACCOUNT, async { Ok(stored) }).await.expect("read")
    }

    #[tokio::test]
    async fn a_version_is_read_once_until_something_is_written() {
        let versions = DataVersions::default();
        assert_eq!((read(&versions, 1).await, read(&versions, 2).await), (1, 1));
        let other = versions.version(AccountId(2), async { Ok(7) }).await.expect("read");
        assert_eq!(other, 7);
        drop(versions.writing());
        assert_eq!((read(&versions, 3).await, read(&versions, 4).await), (3, 3));
    }

    #[tokio::test]
    async fn a_version_read_while_something_is_written_is_not_believed_after_it() {
        let versions = DataVersions::default();
        let writing = versions.writing();
        let meanwhile = versions.version(ACCOUNT, async {
            drop(writing);
            Ok(1)
        });
        assert_eq!(meanwhile.await.expect("read"), 1);
        assert_eq!(read(&versions, 2).await, 2);
    }

    #[tokio::test]
    async fn a_version_that_cannot_be_read_is_not_kept() {
        let versions = DataVersions::default();
        let failed = versions.version(ACCOUNT, async { Err(StorageError::Missing { what: "account" }) }).await;
        assert!(failed.is_err());
        assert_eq!(read(&versions, 2).await, 2);
    }
}
