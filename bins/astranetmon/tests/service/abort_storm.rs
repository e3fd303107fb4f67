//! Clients that hang up in the middle of a query harm nobody else.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use astranetmon_domain::Plan;
use rand::RngExt;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Caller, Database, Kind, Server, Wire, alone, count, fleet, now, unforeseen};

const HONEST_CALLERS: usize = 16;

#[tokio::test]
async fn a_storm_of_resets_costs_no_honest_caller_an_answer_on_sqlite() {
    storm(Kind::Sqlite).await;
}

#[tokio::test]
async fn a_storm_of_resets_costs_no_honest_caller_an_answer_on_postgresql() {
    storm(Kind::Postgres).await;
}

async fn storm(kind: Kind) {
    let _alone = alone().await;
    let stormers = count(200, 500);
    let lasts = Duration::from_secs(u64::try_from(count(5, 60)).expect("few"));
    let database = Database::new(kind).await;
    let office = database.office().await;
    let honest = office.account("honest", Plan::Enterprise).await;
    fleet(&office, &honest, &["one", "two"], 200, now(), "honest", 0).await;
    let stormy = office.account("stormy", Plan::Enterprise).await;
    fleet(&office, &stormy, &["one", "two"], 5_000, now(), "stormy", 0).await;
    let (honest_key, stormy_key) = (office.key(&honest).await.secret, office.key(&stormy).await.secret);
    office.close().await;
    let server = Server::start(&database);

    let (over, resets) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut honest_callers = JoinSet::new();
    for _ in 0..HONEST_CALLERS {
        let (over, key, url) = (Arc::clone(&over), honest_key.clone(), server.url().to_owned());
        honest_callers.spawn(async move {
            let (caller, mut answered) = (Caller::new(), 0_usize);
            while !over.load(Ordering::Relaxed) {
                for path in ["/api/v1/agents", "/api/v1/metrics?limit=20", "/api/v1/speedtests", "/api/v1/traceroutes"]
                {
                    let answer = caller.try_get(&url, path, &key).await;
                    let answer = answer.unwrap_or_else(|error| panic!("{path} was not answered: {error:?}"));
                    assert_eq!(answer.status, 200, "{path}: {answer:?}");
                    answered += 1;
                }
            }
            answered
        });
    }
    let mut storm = JoinSet::new();
    for _ in 0..stormers {
        let (over, resets) = (Arc::clone(&over), Arc::clone(&resets));
        let (key, address) = (stormy_key.clone(), server.address().to_owned());
        let mut rng = unforeseen();
        storm.spawn(async move {
            while !over.load(Ordering::Relaxed) {
                let mut wire = Wire::connect(&address).await;
                // A full send buffer or a server that hung up first is part of the storm.
                let _ = wire.send_get("/api/v1/metrics?limit=10000", &key).await;
                let wait = rng.random_range(1..=300);
                sleep(Duration::from_millis(wait)).await;
                wire.reset();
                resets.fetch_add(1, Ordering::Relaxed);
            }
        });
    }
    sleep(lasts).await;
    over.store(true, Ordering::Relaxed);
    storm.join_all().await;
    let answered: usize = honest_callers.join_all().await.into_iter().sum();
    let resets = resets.load(Ordering::Relaxed);
    assert!(resets > 2 * stormers, "only {resets} resets: no storm");
    assert!(answered > HONEST_CALLERS * 4, "only {answered} honest answers");

    let log = server.log();
    let panics: Vec<_> = log.iter().filter(|line| line.to_ascii_lowercase().contains("panic")).collect();
    assert!(panics.is_empty(), "{panics:?}");
    server.stop().await;
    println!("{kind:?}: {resets} resets beside {answered} honest answers");
}
