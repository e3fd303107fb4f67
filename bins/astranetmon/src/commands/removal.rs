//! What deleted agents measured goes while the operator waits.

use std::time::Duration;

use astranetmon_domain::AccountId;
use astranetmon_storage::{Lease, RetentionCursor, StorageError};
use tokio::time::{Instant, sleep};

use super::Office;

/// Not that of the service's job, which never gives its own away: both may remove, each transaction looks anew.
const LEASE: &str = "agent removal";
/// How long a command that was killed keeps others waiting.
const LEASE_TTL: Duration = Duration::from_secs(8);

/// Removes in bounded steps what the account's deleted agents left, with a rest behind each step as long as it took.
/// Waits for another command that does the same.
///
/// # Errors
/// Those of the storage; what is left then is removed by the service.
pub(super) async fn remove_what_deleted_agents_left(office: &Office, account: AccountId) -> Result<(), StorageError> {
    let lease = acquire(office).await?;
    let removed = remove(office, &lease, account).await;
    office.storage.lease_release(&lease).await?;
    removed
}

async fn acquire(office: &Office) -> Result<Lease, StorageError> {
    let holder = format!("command line, process {}", std::process::id());
    loop {
        let lease = office.storage.lease_acquire(&office.operator, LEASE, &holder, LEASE_TTL, office.now()).await?;
        if let Some(lease) = lease {
            return Ok(lease);
        }
        sleep(LEASE_TTL / 32).await;
    }
}

async fn remove(office: &Office, lease: &Lease, account: AccountId) -> Result<(), StorageError> {
    let mut renewed_at = Instant::now();
    let mut next = Some(RetentionCursor::removals(account));
    while let Some(cursor) = next {
        let begun_at = Instant::now();
        if renewed_at + LEASE_TTL / 3 <= begun_at {
            if !office.storage.lease_renew(lease, LEASE_TTL, office.now()).await? {
                return Err(StorageError::LeaseLost { name: LEASE });
            }
            renewed_at = begun_at;
        }
        next = office.storage.retention_step(lease, &cursor, office.now()).await?.next;
        sleep(begun_at.elapsed()).await;
    }
    Ok(())
}
