//! Messages that wait: taken, sent, tried again.

use std::sync::Arc;
use std::time::Duration;

use astranetmon_domain::{Clock, Timestamp};
use astranetmon_storage::{DeliveryOutcome, DueDelivery, Lease, Storage, StorageError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use crate::deliverer::{AlertMessage, Deliverer, DeliveryError};

/// Messages that are on their way at a time.
const AT_ONCE: usize = 16;
/// When a message that was taken comes again, should nobody write how it ended, in seconds; longer than an attempt.
const TAKEN_SECONDS: i64 = 60;
/// Waits while the end of a delivery cannot be written, since otherwise it would be repeated.
const SETTLE_AGAIN: [Duration; 3] = [Duration::from_secs(1), Duration::from_secs(3), Duration::from_secs(5)];
/// Waits after each failed attempt but the last, in seconds.
const BACKOFF_SECONDS: [i64; 5] = [10, 30, 120, 600, 3_600];

/// How a failed attempt goes on: again after a while, a fifth sooner or later by chance so that many do not come at
/// once, or not at all.
pub(crate) fn outcome(
    result: Result<(), DeliveryError>,
    attempt: u32,
    now: Timestamp,
    rng: &mut StdRng,
) -> DeliveryOutcome {
    let Err(DeliveryError { sentence: error, retryable }) = result else { return DeliveryOutcome::Delivered };
    let wait = usize::try_from(attempt).ok().and_then(|attempt| BACKOFF_SECONDS.get(attempt.checked_sub(1)?));
    match wait {
        Some(&seconds) if retryable => {
            let at = now.plus_micros(seconds * rng.random_range(800_000..=1_200_000));
            DeliveryOutcome::Retry { at, error }
        }
        _ => DeliveryOutcome::Failed { error },
    }
}

/// Messages on their way.
pub(crate) struct Outbox {
    office: Arc<Office>,
    sending: JoinSet<()>,
}

/// What every message needs.
struct Office {
    storage: Arc<dyn Storage>,
    deliverer: Arc<dyn Deliverer>,
    clock: Arc<dyn Clock>,
    lease: Lease,
}

impl Office {
    async fn send(&self, delivery: DueDelivery, mut rng: StdRng) {
        let message = AlertMessage { event: delivery.event, phase: delivery.phase };
        let result = self.deliverer.deliver(&delivery.destination, &message).await;
        let account = delivery.account_id;
        if let Err(error) = &result {
            let (event, attempt) = (message.event.id, delivery.attempt);
            tracing::info!(account = account.0, %event, attempt, %error, "an alert was not delivered");
        }
        let outcome = outcome(result, delivery.attempt, self.clock.now(), &mut rng);
        for wait in SETTLE_AGAIN {
            let now = self.clock.now();
            match self.storage.alert_delivery_settle(&self.lease, account, delivery.id, &outcome, now).await {
                Ok(()) => return,
                Err(error) if error.is_retryable() => sleep(wait).await,
                Err(error) => {
                    let error = &error as &dyn std::error::Error;
                    tracing::warn!(account = account.0, error, "the end of a delivery cannot be written");
                    return;
                }
            }
        }
        tracing::warn!(account = account.0, "the end of a delivery cannot be written: the message may come again");
    }
}

impl Outbox {
    pub(crate) fn new(
        storage: Arc<dyn Storage>,
        deliverer: Arc<dyn Deliverer>,
        clock: Arc<dyn Clock>,
        lease: Lease,
    ) -> Self {
        Self { office: Arc::new(Office { storage, deliverer, clock, lease }), sending: JoinSet::new() }
    }

    /// Takes messages that are due, as many as may be on their way.
    ///
    /// # Errors
    /// Those of the storage.
    pub(crate) async fn take(&mut self, rng: &mut StdRng) -> Result<(), StorageError> {
        let room = u32::try_from(AT_ONCE.saturating_sub(self.sending.len())).unwrap_or(0);
        if room == 0 {
            return Ok(());
        }
        let Office { storage, clock, lease, .. } = &*self.office;
        let now = clock.now();
        for delivery in storage.alert_delivery_claim(lease, room, now.plus_seconds(TAKEN_SECONDS), now).await? {
            let (office, rng) = (Arc::clone(&self.office), StdRng::from_rng(rng));
            self.sending.spawn(async move { office.send(delivery, rng).await });
        }
        Ok(())
    }

    /// Waits until one message has arrived or failed; for ever if none is on its way.
    pub(crate) async fn one_ended(&mut self) {
        match self.sending.join_next().await {
            Some(Ok(())) => {}
            // A delivery that panicked comes again by itself.
            Some(Err(error)) => {
                tracing::error!(error = &error as &dyn std::error::Error, "delivering an alert failed");
            }
            None => std::future::pending().await,
        }
    }

    /// Lets what is on its way arrive, for at most `patience`. What does not comes again from the next process.
    pub(crate) async fn finish(mut self, patience: Duration) {
        let finished = async {
            while !self.sending.is_empty() {
                self.one_ended().await;
            }
        };
        // Those that remain are dropped with the outbox.
        let _ = timeout(patience, finished).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_come_less_and_less_often_and_end() {
        let now = Timestamp::from_seconds(1_793_491_200);
        let rng = &mut StdRng::seed_from_u64(1);
        let failed = |retryable| Err(DeliveryError { sentence: "no".to_owned(), retryable });
        for (attempt, seconds) in (1..).zip(BACKOFF_SECONDS) {
            for _ in 0..100 {
                let DeliveryOutcome::Retry { at, error } = outcome(failed(true), attempt, now, rng) else {
                    panic!("attempt {attempt} is not the last")
                };
                let waited = at.as_micros() - now.as_micros();
                assert!((seconds * 800_000..=seconds * 1_200_000).contains(&waited), "{waited} µs after {attempt}");
                assert_eq!(error, "no");
            }
        }
        let given_up = DeliveryOutcome::Failed { error: "no".to_owned() };
        assert_eq!(outcome(failed(true), 6, now, rng), given_up);
        assert_eq!(outcome(failed(false), 1, now, rng), given_up);
        assert_eq!(outcome(Ok(()), 6, now, rng), DeliveryOutcome::Delivered);
    }
}
