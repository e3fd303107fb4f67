//! PostgreSQL goes away and comes back.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use astranetmon_domain::Plan;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use crate::support::{Answer, Caller, Cluster, Database, Server, alone, fleet, now};

/// The promise is 1 s; a busy machine gets twice that.
const BACK_WITHIN: Duration = Duration::from_secs(2);
/// The promise is 2.5 s; a busy machine gets twice that.
const REFUSES_WITHIN: Duration = Duration::from_secs(5);

const PATHS: [&str; 5] =
    ["/api/v1/agents", "/api/v1/metrics?limit=50", "/api/v1/speedtests", "/api/v1/traceroutes", "/api/v1/usage"];

struct Stage {
    cluster: Cluster,
    server: Server,
    key: String,
}

impl Stage {
    async fn set() -> Self {
        let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("not cancelled");
        let database = Database::within(&cluster).await;
        let office = database.office().await;
        let account = office.account("faults", Plan::Enterprise).await;
        fleet(&office, &account, &["one"], 100, now(), "faults", 0).await;
        let key = office.key(&account).await.secret;
        office.close().await;
        Self { cluster, server: Server::start(&database), key }
    }

    fn load(&self) -> Load {
        let over = Arc::new(AtomicBool::new(false));
        let mut callers = JoinSet::new();
        for number in 0..8 {
            let (over, url, key) = (Arc::clone(&over), self.server.url().to_owned(), self.key.clone());
            callers.spawn(async move {
                let (caller, mut answers) = (Caller::new(), Vec::new());
                for path in PATHS.iter().cycle().skip(number) {
                    if over.load(Ordering::Relaxed) {
                        break;
                    }
                    let asked_at = Instant::now();
                    let answer = caller.try_get(&url, path, &key).await;
                    let answer = answer.unwrap_or_else(|error| panic!("{path} was not answered: {error:?}"));
                    answers.push(Timed { asked_at, took: asked_at.elapsed(), answer });
                    sleep(Duration::from_millis(5)).await;
                }
                answers
            });
        }
        Load { over, callers }
    }

    /// `/healthz` and `/readyz`.
    async fn health(&self) -> (u16, u16) {
        let caller = Caller::new();
        let started = Instant::now();
        let ready = caller.get_open(&self.server, "/readyz").await;
        assert!(started.elapsed() < REFUSES_WITHIN, "/readyz took {:?}", started.elapsed());
        (caller.get_open(&self.server, "/healthz").await.status, ready.status)
    }
}

struct Load {
    over: Arc<AtomicBool>,
    callers: JoinSet<Vec<Timed>>,
}

struct Timed {
    asked_at: Instant,
    took: Duration,
    answer: Answer,
}

impl Load {
    async fn end(self) -> Vec<Timed> {
        self.over.store(true, Ordering::Relaxed);
        self.callers.join_all().await.into_iter().flatten().collect()
    }
}

/// Every answer is good or a refusal of the contract's form, in time; good again soon after `back_at`.
fn check(answers: &[Timed], away_at: Instant, back_at: Instant) {
    for Timed { took, answer, .. } in answers {
        assert!(*took < REFUSES_WITHIN, "took {took:?}: {answer:?}");
        if answer.status != 200 {
            assert_eq!(answer.status, 503, "{answer:?}");
            answer.error();
            let wait = answer.header("retry-after").expect("Retry-After").parse::<u32>().expect("seconds");
            assert!((1..=60).contains(&wait), "{wait}");
        }
    }
    let refused = answers.iter().filter(|timed| timed.answer.status == 503).count();
    assert!(refused > 0, "nobody noticed that the database was away");
    assert!(answers.iter().any(|timed| timed.answer.status == 200 && timed.asked_at < away_at), "never worked");
    let last_refusal = answers.iter().filter(|timed| timed.answer.status == 503).map(|timed| timed.asked_at).max();
    let late = last_refusal.map_or(Duration::ZERO, |asked_at| asked_at.saturating_duration_since(back_at));
    assert!(late < BACK_WITHIN, "still refused {late:?} after the database was back");
    let good = answers.iter().filter(|timed| timed.answer.status == 200 && timed.asked_at > back_at).count();
    assert!(good > 0, "no success after the database was back");
}

#[tokio::test]
async fn a_database_that_crashes_under_load_costs_503_until_it_is_back() {
    let _alone = alone().await;
    let stage = Stage::set().await;
    assert_eq!(stage.health().await, (200, 200));
    let load = stage.load();
    sleep(Duration::from_millis(700)).await;
    let away_at = Instant::now();
    stage.cluster.order("stop").await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(stage.health().await, (200, 503));
    stage.cluster.order("start").await;
    let back_at = Instant::now();
    sleep(BACK_WITHIN + Duration::from_millis(500)).await;
    assert_eq!(stage.health().await, (200, 200));
    check(&load.end().await, away_at, back_at);
    stage.server.stop().await;
}

#[tokio::test]
async fn a_database_that_freezes_costs_503_in_time_and_never_a_hang() {
    let _alone = alone().await;
    let stage = Stage::set().await;
    let load = stage.load();
    sleep(Duration::from_millis(700)).await;
    let away_at = Instant::now();
    stage.cluster.order("freeze").await;
    sleep(Duration::from_millis(500)).await;
    assert_eq!(stage.health().await, (200, 503));
    sleep(Duration::from_secs(4)).await;
    stage.cluster.order("thaw").await;
    let back_at = Instant::now();
    sleep(BACK_WITHIN + Duration::from_millis(500)).await;
    assert_eq!(stage.health().await, (200, 200));
    check(&load.end().await, away_at, back_at);
    stage.server.stop().await;
}
