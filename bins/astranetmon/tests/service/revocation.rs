//! Changes made on the command line act on every process within a second; twice that is allowed to a busy machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use astranetmon_domain::Plan;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use crate::support::{Answer, Caller, Database, Key, Kind, Server, alone, now, succeeds};

const ACTS_WITHIN: Duration = Duration::from_secs(2);
const WATCHED_FOR: Duration = Duration::from_millis(3_500);

/// Answers that one server gives to one key, each with the time at which it was asked for.
struct Watch {
    stop: Arc<AtomicBool>,
    answers: JoinHandle<Vec<(Instant, Answer)>>,
}

impl Watch {
    fn start(server: &Server, key: &Key) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, url, secret) = (Arc::clone(&stop), server.url().to_owned(), key.secret.clone());
        let answers = tokio::spawn(async move {
            let (caller, mut answers) = (Caller::new(), Vec::new());
            while !stopped.load(Ordering::Relaxed) {
                let asked_at = Instant::now();
                answers.push((asked_at, caller.try_get(&url, "/api/v1/agents", &secret).await.expect("an answer")));
                sleep(Duration::from_millis(4)).await;
            }
            answers
        });
        Self { stop, answers }
    }

    async fn end(self) -> Vec<(Instant, Answer)> {
        self.stop.store(true, Ordering::Relaxed);
        self.answers.await.expect("not cancelled")
    }
}

/// Watches a key on every server while a change is made; `before` and `after` tell the answers apart.
async fn change_acts_everywhere(
    servers: &[Server],
    key: &Key,
    change: impl Future<Output = String>,
    before: fn(&Answer) -> bool,
    after: fn(&Answer) -> bool,
) {
    let watches: Vec<_> = servers.iter().map(|server| Watch::start(server, key)).collect();
    sleep(Duration::from_millis(500)).await;
    change.await;
    let changed_at = Instant::now();
    sleep(WATCHED_FOR).await;
    for (number, watch) in watches.into_iter().enumerate() {
        let answers = watch.end().await;
        assert!(answers.len() > 50, "server {number} answered only {} times", answers.len());
        assert!(before(&answers[0].1), "server {number}: {:?}", answers[0].1);
        assert!(after(&answers[answers.len() - 1].1), "server {number}: {:?}", answers[answers.len() - 1].1);
        for (asked_at, answer) in &answers {
            let late = asked_at.saturating_duration_since(changed_at);
            assert!(before(answer) || after(answer), "server {number}: {answer:?}");
            assert!(late < ACTS_WITHIN || after(answer), "server {number}, {late:?} after the change: {answer:?}");
        }
    }
}

#[tokio::test]
async fn a_revoked_key_and_a_changed_plan_act_on_all_three_processes() {
    let _alone = alone().await;
    let database = Database::postgres().await;
    let office = database.office().await;
    let account = office.account("changing", Plan::Enterprise).await;
    let key = office.key(&account).await;
    let servers = [(); 3].map(|()| Server::start(&database));

    let database = &database;
    let plan = async |plan: &'static str| succeeds(database, &["account", "set-plan", "changing", plan]).await;
    let unlimited = |answer: &Answer| answer.status == 200 && answer.header("x-ratelimit-limit").is_none();
    let limited = |answer: &Answer| answer.header("x-ratelimit-limit") == Some("100");
    change_acts_everywhere(&servers, &key, plan("starter"), unlimited, limited).await;
    let refused = |answer: &Answer| answer.status == 429;
    change_acts_everywhere(&servers, &key, plan("enterprise"), refused, unlimited).await;

    let id = key.id.to_string();
    let revoke = async { succeeds(database, &["key", "revoke", "--account", "changing", &id]).await };
    let good = |answer: &Answer| answer.status == 200;
    let bad = |answer: &Answer| {
        answer.status == 401
            && answer.header("www-authenticate") == Some("Bearer realm=\"astranetmon\", error=\"invalid_token\"")
    };
    change_acts_everywhere(&servers, &key, revoke, good, bad).await;
}

#[tokio::test]
async fn a_key_ends_at_its_time() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("ending", Plan::Professional).await;
        let ends_at = now().plus_seconds(3);
        let key = office.key_with(&account, astranetmon_auth::PermissionSet::ALL, Some(ends_at)).await;
        office.close().await;
        let (server, caller) = (Server::start(&database), Caller::new());
        let mut seen_alive = false;
        loop {
            let asked_at = now();
            let answer = caller.get(&server, "/api/v1/key", &key.secret).await;
            if answer.status == 401 {
                assert!(now() >= ends_at, "{kind:?}: refused before its end");
                break;
            }
            assert!(answer.status == 200 && asked_at < ends_at, "{kind:?}: {answer:?}");
            seen_alive = true;
            sleep(Duration::from_millis(20)).await;
        }
        assert!(seen_alive, "{kind:?}");
    }
}
