//! The background job: one process at a time evaluates and delivers.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use astranetmon_domain::Clock;
use astranetmon_storage::{Lease, Storage, StorageError};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

use crate::deliverer::Deliverer;
use crate::evaluation::Moment;
use crate::outbox::Outbox;
use crate::pass::{Memory, OPERATOR};

const LEASE: &str = "alerts";
/// How long messages on their way may take once the job is stopped; as long as the slowest attempt.
const FINISH_WITHIN: Duration = Duration::from_secs(20);
/// Messages that wait for another attempt are looked for at least so often.
const LONGEST_OUTBOX_REST: Duration = Duration::from_secs(5);

/// How often the job looks.
#[derive(Clone, Copy, Debug)]
pub struct AlertSettings {
    /// Between evaluations.
    pub interval: Duration,
    /// How long a holder that says nothing keeps the lease. It is renewed three times as often, and others ask eight
    /// times as often, so that another process takes over within nine eighths of it.
    pub lease_ttl: Duration,
}

/// Evaluations each 10 s; takeover within 9 s.
impl Default for AlertSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(10), lease_ttl: Duration::from_secs(8) }
    }
}

/// Evaluates the rules of all accounts and delivers what they tell, whenever this process holds the lease; until
/// `stop`, after which it lets messages on their way arrive and gives the lease back. `rng` makes ids and spreads
/// attempts.
pub async fn run_alerts(
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    rng: StdRng,
    settings: AlertSettings,
    deliverer: Arc<dyn Deliverer>,
    stop: impl Future<Output = ()>,
) {
    let (stopping, stopped) = watch::channel(false);
    let job = Job { storage, clock, settings, deliverer, stopped };
    let mut work = pin!(job.run(rng));
    tokio::select! {
        () = &mut work => {}
        () = stop => {
            stopping.send_replace(true);
            work.await;
        }
    }
}

struct Job {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    settings: AlertSettings,
    deliverer: Arc<dyn Deliverer>,
    stopped: watch::Receiver<bool>,
}

impl Job {
    async fn run(&self, mut rng: StdRng) {
        let holder = format!("{:016x}", rng.random::<u64>());
        let ttl = self.settings.lease_ttl;
        loop {
            match self.storage.lease_acquire(&OPERATOR, LEASE, &holder, ttl, self.clock.now()).await {
                Ok(Some(lease)) => {
                    tracing::debug!(token = lease.token(), "this process evaluates alerts");
                    self.hold(&lease, &mut rng).await;
                }
                Ok(None) => {}
                Err(error) => warn(&error, "the lease of alerts cannot be asked for"),
            }
            tokio::select! {
                () = self.stop() => return,
                () = sleep(ttl / 8) => {}
            }
        }
    }

    async fn stop(&self) {
        // A sender that is gone has stopped too.
        let _ = self.stopped.clone().wait_for(|stopped| *stopped).await;
    }

    /// Works until the job is stopped or the lease is lost.
    async fn hold(&self, lease: &Lease, rng: &mut StdRng) {
        tokio::select! {
            () = self.renew(lease) => tracing::warn!("the lease of alerts was lost: another process goes on"),
            () = self.work(lease, rng) => {
                if let Err(error) = self.storage.lease_release(lease).await {
                    warn(&error, "the lease of alerts cannot be given back");
                }
            }
        }
    }

    /// Renews the lease, and ends when it is lost.
    async fn renew(&self, lease: &Lease) {
        let ttl = self.settings.lease_ttl;
        let mut renewed_at = Instant::now();
        loop {
            sleep(ttl / 3).await;
            let asked_at = Instant::now();
            match self.storage.lease_renew(lease, ttl, self.clock.now()).await {
                Ok(true) => renewed_at = asked_at,
                Ok(false) => return,
                Err(error) if renewed_at.elapsed() >= ttl => {
                    warn(&error, "the lease of alerts cannot be renewed");
                    return;
                }
                Err(_) => {}
            }
        }
    }

    /// Evaluates and delivers beside one another, so that a slow receiver holds up no evaluation.
    async fn work(&self, lease: &Lease, rng: &mut StdRng) {
        let news = Notify::new();
        let mut of_outbox = StdRng::from_rng(rng);
        tokio::join!(self.evaluate(lease, rng, &news), self.deliver(lease, &mut of_outbox, &news));
    }

    async fn evaluate(&self, lease: &Lease, rng: &mut StdRng, news: &Notify) {
        let watching_since = self.clock.now();
        let mut memory = Memory::default();
        let mut ticks = interval(self.settings.interval);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop() => return,
                _ = ticks.tick() => {}
            }
            let moment = Moment { now: self.clock.now(), watching_since };
            match memory.pass(self.storage.as_ref(), lease, moment, rng).await {
                Ok(true) => news.notify_one(),
                Ok(false) => {}
                Err(error) => warn(&error, "alerts cannot be evaluated"),
            }
        }
    }

    async fn deliver(&self, lease: &Lease, rng: &mut StdRng, news: &Notify) {
        let (storage, deliverer) = (Arc::clone(&self.storage), Arc::clone(&self.deliverer));
        let mut outbox = Outbox::new(storage, deliverer, Arc::clone(&self.clock), lease.clone());
        let mut ticks = interval(self.settings.interval.min(LONGEST_OUTBOX_REST));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                () = self.stop() => break,
                _ = ticks.tick() => {}
                () = news.notified() => {}
                () = outbox.one_ended() => {}
            }
            if let Err(error) = outbox.take(rng).await {
                warn(&error, "alerts that are due cannot be found");
            }
        }
        outbox.finish(FINISH_WITHIN).await;
    }
}

fn warn(error: &StorageError, what: &'static str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}
