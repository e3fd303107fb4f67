//! A plan's limit is exact, over processes, kills and restarts.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use astranetmon_domain::Plan;
use tokio::task::JoinSet;

use crate::support::{Answer, Caller, Database, Kind, Server, alone, now};

const CLIENTS: usize = 60;

/// What became of one request.
enum Outcome {
    Answered(Answer),
    /// It may have reached a server, which did not answer.
    CutOff,
    /// No server was there.
    NotSent,
}

/// Sends `requests` from [`CLIENTS`] callers at once to the servers in turn. `passed` counts the successes so far.
async fn rush(urls: &[String], key: &str, requests: usize, passed: &Arc<AtomicUsize>) -> Vec<Outcome> {
    let sent = Arc::new(AtomicUsize::new(0));
    let mut callers = JoinSet::new();
    for _ in 0..CLIENTS {
        let (sent, passed, urls, key) = (Arc::clone(&sent), Arc::clone(passed), urls.to_vec(), key.to_owned());
        callers.spawn(async move {
            let (caller, mut outcomes) = (Caller::new(), Vec::new());
            loop {
                let number = sent.fetch_add(1, Ordering::Relaxed);
                if number >= requests {
                    return outcomes;
                }
                outcomes.push(match caller.try_get(&urls[number % urls.len()], "/api/v1/agents", &key).await {
                    Ok(answer) => {
                        passed.fetch_add(usize::from(answer.status == 200), Ordering::Relaxed);
                        Outcome::Answered(answer)
                    }
                    Err(error) if error.is_connect() => Outcome::NotSent,
                    Err(_) => Outcome::CutOff,
                });
            }
        });
    }
    callers.join_all().await.into_iter().flatten().collect()
}

fn successes(outcomes: &[Outcome]) -> usize {
    outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Answered(answer) if answer.status == 200)).count()
}

fn urls(servers: &[Server]) -> Vec<String> {
    servers.iter().map(|server| server.url().to_owned()).collect()
}

#[tokio::test]
async fn exactly_as_many_requests_pass_as_the_plan_allows_over_three_processes() {
    let _alone = alone().await;
    let database = Database::postgres().await;
    let office = database.office().await;
    for (plan, limit) in [(Plan::Starter, 100), (Plan::Professional, 1_000)] {
        let key = office.key(&office.account(plan.as_str(), plan).await).await;
        let servers = [(); 3].map(|()| Server::start(&database));
        let outcomes = rush(&urls(&servers), &key.secret, 3 * limit, &Arc::default()).await;
        let until = now().as_seconds();
        assert_eq!(successes(&outcomes), limit, "{plan}");
        for outcome in &outcomes {
            let Outcome::Answered(answer) = outcome else { panic!("{plan}: a request without an answer") };
            let number = |name: &str| answer.header(name).map(|text| text.parse::<i64>().expect("a number"));
            assert_eq!(number("x-ratelimit-limit"), i64::try_from(limit).ok(), "{answer:?}");
            if answer.status == 200 {
                continue;
            }
            assert_eq!(answer.status, 429, "{answer:?}");
            answer.error();
            assert_eq!(number("x-ratelimit-remaining"), Some(0));
            let (wait, reset) = (number("retry-after").expect("a wait"), number("x-ratelimit-reset").expect("a time"));
            // The answer came in the seconds before `until`.
            let rest = reset - until;
            assert!((1..=3_600).contains(&wait), "{wait}");
            assert!((rest - 1..=rest + 61).contains(&wait), "waits {wait} s for what is {rest} s away");
        }
        // One more, whose time is known.
        let before = now().as_seconds();
        let answer = Caller::new().get(&servers[0], "/api/v1/agents", &key.secret).await;
        let number = |name: &str| answer.header(name).expect("there").parse::<i64>().expect("a number");
        let (wait, rest) = (number("retry-after"), number("x-ratelimit-reset") - before);
        assert!((wait - rest).abs() <= 1, "waits {wait} s for what is {rest} s away");
    }
}

#[tokio::test]
async fn with_one_process_killed_half_way_never_more_pass_and_only_cut_off_requests_are_missing() {
    let _alone = alone().await;
    let database = Database::postgres().await;
    let office = database.office().await;
    for (plan, limit) in [(Plan::Starter, 100), (Plan::Professional, 1_000)] {
        let key = office.key(&office.account(plan.as_str(), plan).await).await;
        let mut servers = [(); 3].map(|()| Server::start(&database));
        let (all, passed) = (urls(&servers), Arc::<AtomicUsize>::default());
        let kill = async {
            while passed.load(Ordering::Relaxed) < limit / 2 {
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
            servers[1].kill();
        };
        let (outcomes, ()) = tokio::join!(rush(&all, &key.secret, 3 * limit, &passed), kill);
        let (successes, cut_off) =
            (successes(&outcomes), outcomes.iter().filter(|outcome| matches!(outcome, Outcome::CutOff)).count());
        assert!(outcomes.iter().any(|outcome| !matches!(outcome, Outcome::Answered(_))), "the kill came too late");
        assert!(successes <= limit, "{plan}: {successes} passed");
        assert!(successes + cut_off >= limit, "{plan}: {successes} passed and {cut_off} were cut off");
    }
}

#[tokio::test]
async fn an_orderly_restart_forgets_nothing() {
    let _alone = alone().await;
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let key = office.key(&office.account("restart", Plan::Starter).await).await;
        office.close().await;
        let mut passed = 0;
        for requests in [40, 33, 60] {
            let server = Server::start(&database);
            passed += successes(&rush(&[server.url().to_owned()], &key.secret, requests, &Arc::default()).await);
            server.stop().await;
        }
        assert_eq!(passed, 100, "{kind:?}");
    }
}
