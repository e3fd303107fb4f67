use std::sync::Arc;

use rand::rngs::StdRng;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_blocking;

use crate::{HashError, Password, PasswordHash};

/// Passwords being hashed at a time: each takes 19 MiB and a processor.
const RUNNING: usize = 4;
/// Callers that may wait for their turn.
const WAITING: usize = 32;

/// Hashes passwords on threads beside those that answer requests, a few at a time.
#[derive(Clone, Debug)]
pub struct PasswordQueue {
    running: Arc<Semaphore>,
    /// Of those that run and those that wait.
    admitted: Arc<Semaphore>,
}

/// Why a password was not hashed.
#[derive(Debug, thiserror::Error)]
pub enum PasswordQueueError {
    /// Too many wait already.
    #[error("too many passwords wait to be hashed")]
    Busy,
    /// The hash failed.
    #[error(transparent)]
    Hash(#[from] HashError),
}

impl Default for PasswordQueue {
    fn default() -> Self {
        Self { running: Arc::new(Semaphore::new(RUNNING)), admitted: Arc::new(Semaphore::new(RUNNING + WAITING)) }
    }
}

impl PasswordQueue {
    /// Whether that is the password; against the hash of nobody where there is no hash, so that it takes as long.
    ///
    /// # Errors
    /// [`PasswordQueueError::Busy`].
    pub async fn verify(&self, hash: Option<PasswordHash>, presented: Password) -> Result<bool, PasswordQueueError> {
        self.run(move || match hash {
            Some(hash) => hash.verify(&presented),
            None => {
                let _ = PasswordHash::of_nobody().verify(&presented);
                false
            }
        })
        .await
    }

    /// What storage keeps of a password.
    ///
    /// # Errors
    /// See [`PasswordQueueError`].
    pub async fn hash(&self, password: Password, mut rng: StdRng) -> Result<PasswordHash, PasswordQueueError> {
        Ok(self.run(move || password.hash(&mut rng)).await??)
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, PasswordQueueError> {
        let admitted = Arc::clone(&self.admitted).try_acquire_owned().map_err(|_| PasswordQueueError::Busy)?;
        let running = Arc::clone(&self.running).acquire_owned().await.map_err(|_| PasswordQueueError::Busy)?;
        // The work cannot be stopped: its place is taken until it is done, whether or not anybody still waits.
        let places: (OwnedSemaphorePermit, OwnedSemaphorePermit) = (admitted, running);
        let work = spawn_blocking(move || {
            let result = work();
            drop(places);
            result
        });
        work.await.map_err(|_| PasswordQueueError::Busy)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Condvar, Mutex};

    use futures_util::future::join_all;
    use rand::SeedableRng;

    use super::*;

    #[tokio::test]
    async fn a_password_is_verified_against_its_hash_and_nobodys_is_never_right() {
        let queue = PasswordQueue::default();
        let password = || Password::presented("correct otter kettle moon".to_owned());
        let hash = queue.hash(password(), StdRng::seed_from_u64(1)).await.expect("hashed");
        assert!(queue.verify(Some(hash.clone()), password()).await.expect("verified"));
        assert!(!queue.verify(Some(hash), Password::presented("wrong".to_owned())).await.expect("verified"));
        assert!(!queue.verify(None, password()).await.expect("verified"));
    }

    #[tokio::test]
    async fn four_run_at_a_time_32_wait_and_more_are_told_so() {
        let queue = PasswordQueue::default();
        let (open, most) = (Arc::new((Mutex::new(false), Condvar::new())), Arc::new(AtomicUsize::new(0)));
        let running = Arc::new(AtomicUsize::new(0));
        let work = || {
            let (open, most, running) = (Arc::clone(&open), Arc::clone(&most), Arc::clone(&running));
            queue.run(move || {
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                let (is_open, opened) = &*open;
                drop(opened.wait_while(is_open.lock().expect("not poisoned"), |open| !*open));
                running.fetch_sub(1, Ordering::SeqCst);
            })
        };
        let opener = async {
            *open.0.lock().expect("not poisoned") = true;
            open.1.notify_all();
        };
        let (results, ()) = tokio::join!(join_all((0..40).map(|_| work())), opener);
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), RUNNING + WAITING);
        assert!(most.load(Ordering::SeqCst) <= RUNNING);
        assert!(work().await.is_ok(), "those who are done make room");
    }
}
