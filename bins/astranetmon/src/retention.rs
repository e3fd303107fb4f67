//! The job that seals finished samples and ends what is older than its account keeps, beside the server.

use std::sync::Arc;
use std::time::Duration;

use astranetmon_auth::Operator;
use astranetmon_domain::Clock;
use astranetmon_storage::{Expired, Lease, RetentionCursor, Storage, StorageError};
use rand::RngExt;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::Failure;
use crate::randomness::seeded_by_system;

const OPERATOR: Operator = Operator::new("retention");
const LEASE: &str = "retention";

/// How often the job works.
#[derive(Clone, Copy, Debug)]
pub struct RetentionSettings {
    /// Between the end of a run through all accounts and the next one.
    pub interval: Duration,
    /// Behind a step that changed something, times as long as it took: what is left for everybody else.
    pub pause_factor: u32,
    /// How long a holder that says nothing keeps the lease; others ask eight times as often.
    pub lease_ttl: Duration,
}

/// A run every five minutes, a third of the time at most at work, takeover within 9 s.
impl Default for RetentionSettings {
    fn default() -> Self {
        Self { interval: Duration::from_secs(300), pause_factor: 2, lease_ttl: Duration::from_secs(8) }
    }
}

/// Data whose time ends in the background.
pub struct RunningRetention {
    job: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl RunningRetention {
    /// Begins. Any number of processes may run it on one database: the holder of a lease works.
    ///
    /// # Errors
    /// A system without random numbers.
    pub fn start(
        storage: &Arc<dyn Storage>,
        clock: &Arc<dyn Clock>,
        settings: RetentionSettings,
    ) -> Result<Self, Failure> {
        let (stop, stopped) = watch::channel(false);
        let holder = format!("{:016x}", seeded_by_system()?.random::<u64>());
        let job = Job { storage: Arc::clone(storage), clock: Arc::clone(clock), settings, stopped };
        Ok(Self { job: tokio::spawn(async move { job.run(&holder).await }), stop })
    }

    /// Ends behind the step that is under way and lets another process take over. The storage stays open.
    pub async fn stop(self) {
        self.stop.send_replace(true);
        // A job that panicked has said so already.
        let _ = self.job.await;
    }
}

struct Job {
    storage: Arc<dyn Storage>,
    clock: Arc<dyn Clock>,
    settings: RetentionSettings,
    stopped: watch::Receiver<bool>,
}

/// A lease and since when it is known to be ours.
struct Held {
    lease: Lease,
    renewed_at: Instant,
}

impl Job {
    async fn run(&self, holder: &str) {
        let ttl = self.settings.lease_ttl;
        loop {
            let asked_at = Instant::now();
            match self.storage.lease_acquire(&OPERATOR, LEASE, holder, ttl, self.clock.now()).await {
                Ok(Some(lease)) => {
                    tracing::debug!(token = lease.token(), "this process ends what is older than it is kept");
                    self.hold(Held { lease, renewed_at: asked_at }).await;
                }
                Ok(None) => {}
                Err(error) => warn(&error, "the lease of retention cannot be asked for"),
            }
            if self.rest(ttl / 8).await {
                return;
            }
        }
    }

    /// Works until the job is stopped or the lease is lost.
    async fn hold(&self, mut held: Held) {
        loop {
            let mut gone = Expired::default();
            let begun_at = Instant::now();
            let whole = self.run_once(&mut held, &mut gone).await;
            tell(&gone, begun_at.elapsed());
            match whole {
                Ok(()) => {}
                Err(StorageError::LeaseLost { .. }) => {
                    tracing::warn!("the lease of retention was lost: another process goes on");
                    return;
                }
                Err(error) => warn(&error, "what is older than it is kept cannot be ended"),
            }
            let run_at = Instant::now() + self.settings.interval;
            while Instant::now() < run_at {
                let until = run_at.saturating_duration_since(Instant::now());
                if self.rest(until.min(self.settings.lease_ttl / 3)).await {
                    if let Err(error) = self.storage.lease_release(&held.lease).await {
                        warn(&error, "the lease of retention cannot be given back");
                    }
                    return;
                }
                if !self.keep(&mut held).await {
                    tracing::warn!("the lease of retention was lost: another process goes on");
                    return;
                }
            }
        }
    }

    /// Through all accounts, or to the step behind which the job is stopped.
    async fn run_once(&self, held: &mut Held, gone: &mut Expired) -> Result<(), StorageError> {
        let mut next = Some(RetentionCursor::default());
        while let Some(cursor) = next {
            if !self.keep(held).await {
                return Err(StorageError::LeaseLost { name: LEASE });
            }
            let begun_at = Instant::now();
            let step = self.storage.retention_step(&held.lease, &cursor, self.clock.now()).await?;
            let took = begun_at.elapsed();
            *gone += step.gone;
            next = step.next;
            if !step.gone.is_empty() {
                metrics::histogram!("astranetmon_retention_step_duration_seconds").record(took.as_secs_f64());
            }
            if self.rest(took * self.settings.pause_factor).await {
                break;
            }
        }
        Ok(())
    }

    /// Renews the lease if it is time; whether it is still ours.
    async fn keep(&self, held: &mut Held) -> bool {
        let ttl = self.settings.lease_ttl;
        if held.renewed_at.elapsed() < ttl / 3 {
            return true;
        }
        let asked_at = Instant::now();
        match self.storage.lease_renew(&held.lease, ttl, self.clock.now()).await {
            Ok(renewed) => {
                held.renewed_at = asked_at;
                renewed
            }
            // Each step asks for itself whether the lease is ours.
            Err(error) => {
                warn(&error, "the lease of retention cannot be renewed");
                held.renewed_at.elapsed() < ttl
            }
        }
    }

    /// Waits, or until the job is stopped: whether it is.
    async fn rest(&self, span: Duration) -> bool {
        let mut stopped = self.stopped.clone();
        let stop = stopped.wait_for(|stopped| *stopped);
        // A sender that is gone has stopped too.
        tokio::select! {
            biased;
            _ = stop => true,
            () = sleep(span) => false,
        }
    }
}

/// Once a run, if anything went.
fn tell(gone: &Expired, took: Duration) {
    metrics::counter!("astranetmon_retention_runs_total").increment(1);
    for (what, count) in gone.counts() {
        if count > 0 {
            metrics::counter!("astranetmon_retention_gone_total", "what" => what).increment(count);
        }
    }
    if !gone.is_empty() {
        let counts = gone.counts().into_iter().filter(|(_, count)| *count > 0);
        let done = counts.map(|(what, count)| format!("{what}={count}")).collect::<Vec<_>>().join(" ");
        tracing::info!(
            %done,
            seconds = took.as_secs_f64(),
            "sealed finished samples and ended what is older than it is kept"
        );
    }
}

fn warn(error: &StorageError, what: &'static str) {
    tracing::warn!(error = error as &dyn std::error::Error, "{what}");
}

#[cfg(test)]
mod tests {
    use astranetmon_auth::Scope;
    use astranetmon_domain::{AccountId, AgentId, Limit, MetricSample, PageRequest, Plan, RecordFilter, SystemClock};
    use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
    use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
    use astranetmon_storage::testing::TestPostgres;

    use super::*;

    const QUICK: RetentionSettings = RetentionSettings {
        interval: Duration::from_millis(20),
        pause_factor: 1,
        lease_ttl: Duration::from_millis(400),
    };

    async fn account(storage: &Arc<dyn Storage>) -> AccountId {
        let name = "owner".parse().expect("a name");
        storage.account_create(&OPERATOR, &name, Plan::Starter, SystemClock.now()).await.expect("made").id
    }

    /// A sample a minute over a day that is older than the plan keeps.
    async fn append_old(storage: &Arc<dyn Storage>, account: AccountId, agent: &str) {
        let (agent, now) = (AgentId::parse(agent).expect("an id"), SystemClock.now());
        let at = |minute: i64| now.plus_seconds(-40 * 86_400 + minute * 60);
        let samples = (0..1_440).map(|minute| MetricSample::new(agent.clone(), at(minute))).collect();
        // What has been folded is not taken again, so each account is given old samples once.
        storage.metric_append(&Scope::system(account, "test"), samples, now).await.expect("appended");
    }

    async fn rows(storage: &Arc<dyn Storage>, account: AccountId) -> u64 {
        let page = PageRequest::new(Limit::LARGEST, None);
        storage.metric_page(&Scope::system(account, "test"), &RecordFilter::ALL, &page).await.expect("metrics").total
    }

    async fn goes(storage: &Arc<dyn Storage>, account: AccountId) {
        let begun_at = Instant::now();
        while rows(storage, account).await > 0 {
            assert!(begun_at.elapsed() < Duration::from_secs(20), "{} rows stay", rows(storage, account).await);
            sleep(Duration::from_millis(10)).await;
        }
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn old_samples_go_in_the_background_and_a_stop_frees_the_lease() {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = SqliteSettings::new(folder.path().join("d.sqlite3"));
        SqliteStorage::migrate(&settings).expect("a schema");
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&settings).expect("a database"));
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let owner = account(&storage).await;
        append_old(&storage, owner, "a").await;
        let job = RunningRetention::start(&storage, &clock, QUICK).expect("started");
        goes(&storage, owner).await;
        job.stop().await;
        let ttl = Duration::from_secs(60);
        let free = storage.lease_acquire(&OPERATOR, LEASE, "another", ttl, clock.now()).await.expect("asked");
        assert!(free.is_some(), "nobody holds it");
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn another_process_goes_on_when_the_one_that_works_is_gone() {
        let database = TestPostgres::fresh_database().await;
        let settings = PostgresSettings::new(database.url());
        PostgresStorage::migrate(&settings).await.expect("a schema");
        let connect =
            async || Arc::new(PostgresStorage::connect(&settings).await.expect("connected")) as Arc<dyn Storage>;
        let (storage, of_second) = (connect().await, connect().await);
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let owner = account(&storage).await;
        append_old(&storage, owner, "a").await;
        let first = RunningRetention::start(&storage, &clock, QUICK).expect("started");
        goes(&storage, owner).await;
        let second = RunningRetention::start(&of_second, &clock, QUICK).expect("started");
        // As a kill would: without a word.
        first.job.abort();
        let name = "later".parse().expect("a name");
        let later = storage.account_create(&OPERATOR, &name, Plan::Starter, clock.now()).await.expect("made").id;
        append_old(&storage, later, "a").await;
        goes(&storage, later).await;
        second.stop().await;
    }
}
