//! The newest facts of all agents at once.

use std::sync::Arc;

use astranetmon_domain::{
    Account, Agent, AgentFilter, Limit, MetricSample, PageRequest, RecordFilter, Speedtest, TimeRange, Timestamp,
    Traceroute,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::agents::add;
use super::records::Record;
use super::traceroutes::trace;
use super::{NOVEMBER, account, agent_id, scope};
use crate::{FleetRow, RouteChange, Storage, StorageError};

const AGENTS: [&str; 6] = ["a-2", "B", "a.1", "a_1", "b", "nothing"];

async fn fleet(storage: &Arc<dyn Storage>, owner: &Account) -> Vec<FleetRow> {
    storage.fleet(&scope(owner), &scope(owner), &scope(owner), &scope(owner)).await.expect("a fleet")
}

/// What the fleet must be, from the lists.
async fn expected(storage: &Arc<dyn Storage>, owner: &Account) -> Vec<FleetRow> {
    let agents = storage.agent_page(&scope(owner), None, None).await.expect("agents").agents;
    let mut rows = Vec::new();
    for agent in agents.iter() {
        let filter = RecordFilter { agent: AgentFilter::One(agent.id.clone()), range: TimeRange::ALL };
        let metrics = MetricSample::page(storage, owner, &filter, 1, None).await.rows;
        let speedtests = Speedtest::page(storage, owner, &filter, 1, None).await.rows;
        let page = PageRequest::new(Limit::LARGEST, None);
        let traceroutes = storage.traceroute_page(&scope(owner), &filter.into(), &page).await.expect("traceroutes");
        assert!(traceroutes.next.is_none());
        let change = traceroutes.rows.into_iter().find(|trace| trace.path_changed == Some(true));
        rows.push(FleetRow {
            agent: agent.clone(),
            metric: metrics.into_iter().next(),
            speedtest: speedtests.into_iter().next(),
            route_change: change.map(|trace| RouteChange { at: trace.timestamp, target: trace.target }),
        });
    }
    rows
}

/// The newest of each agent by agent, kind by kind.
type LatestKinds = (Vec<MetricSample>, Vec<Speedtest>, Vec<Traceroute>);

async fn latest(storage: &Arc<dyn Storage>, owner: &Account) -> LatestKinds {
    let mut metrics = storage.metric_latest(&scope(owner)).await.expect("metrics");
    let mut speedtests = storage.speedtest_latest(&scope(owner)).await.expect("speed tests");
    let mut traceroutes = storage.traceroute_latest(&scope(owner)).await.expect("traceroutes");
    metrics.sort_by(|a, b| a.agent_id.cmp(&b.agent_id));
    speedtests.sort_by(|a, b| a.agent_id.cmp(&b.agent_id));
    traceroutes.sort_by(|a, b| a.agent_id.cmp(&b.agent_id));
    (metrics, speedtests, traceroutes)
}

/// What they must be, from the lists.
async fn expected_latest(storage: &Arc<dyn Storage>, owner: &Account) -> LatestKinds {
    let agents = storage.agent_page(&scope(owner), None, None).await.expect("agents").agents;
    let mut ids: Vec<_> = agents.iter().map(|agent| agent.id.clone()).collect();
    ids.sort();
    let mut latest = LatestKinds::default();
    for id in ids {
        let filter = RecordFilter { agent: AgentFilter::One(id), range: TimeRange::ALL };
        latest.0.extend(MetricSample::page(storage, owner, &filter, 1, None).await.rows);
        latest.1.extend(Speedtest::page(storage, owner, &filter, 1, None).await.rows);
        // As it is read: with what storage itself says of the path.
        let page = PageRequest::new(Limit::new(1).expect("not zero"), None);
        latest.2.extend(storage.traceroute_page(&scope(owner), &filter.into(), &page).await.expect("traceroutes").rows);
    }
    latest
}

/// Over months, whatever the order of arrival; some agents lack some kinds of record, or all.
pub async fn a_fleet_has_the_newest_of_each_agent(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let mut rng = StdRng::seed_from_u64(1);
    for (account, agents) in [(&owner, &AGENTS[..]), (&stranger, &AGENTS[1..3])] {
        for id in agents {
            add(&storage, account, id, if id.starts_with('a') { "web" } else { "db" }).await;
        }
        assert_eq!(latest(&storage, account).await, LatestKinds::default());
        for round in 0..6 {
            let (mut metrics, mut speedtests, mut traceroutes) = (Vec::new(), Vec::new(), Vec::new());
            for (number, agent) in AGENTS[..5].iter().enumerate() {
                let mut at = || NOVEMBER.plus_seconds(rng.random_range(-2_000..2_000) * 3_600);
                let times: [Timestamp; 10] = std::array::from_fn(|_| at());
                for at in times {
                    metrics.push(MetricSample::random(&mut rng, agent_id(agent), at));
                    if number > 0 {
                        // Two at once: the first by id is the newest.
                        speedtests.push(Speedtest::random(&mut rng, agent_id(agent), at));
                        speedtests.push(Speedtest::random(&mut rng, agent_id(agent), at));
                    }
                    let path =
                        if number > 1 { ["192.0.2.1", "192.0.2.2"][rng.random_range(0..2)] } else { "192.0.2.3" };
                    let target = format!("{}.example.com", rng.random_range(0..3));
                    traceroutes.push(Traceroute { target, ..trace(&mut rng, agent, at, &[path]) });
                }
            }
            MetricSample::append(&storage, account, metrics).await.expect("appended");
            Speedtest::append(&storage, account, speedtests).await.expect("appended");
            Traceroute::append(&storage, account, traceroutes).await.expect("appended");
            let rows = fleet(&storage, account).await.into_iter().zip(expected(&storage, account).await);
            for (row, expected) in rows {
                assert_eq!(row, expected, "round {round}");
            }
            assert_eq!(latest(&storage, account).await, expected_latest(&storage, account).await, "round {round}");
        }
    }
    let rows = fleet(&storage, &owner).await;
    let known: Vec<_> = rows
        .iter()
        .map(|row| {
            let known = (row.metric.is_some(), row.speedtest.is_some(), row.route_change.is_some());
            (row.agent.id.as_str(), known)
        })
        .collect();
    assert_eq!(
        known,
        [
            ("B", (true, true, false)),
            ("b", (true, true, true)),
            ("nothing", (false, false, false)),
            ("a-2", (true, false, false)),
            ("a.1", (true, true, true)),
            ("a_1", (true, true, true)),
        ]
    );
}

/// An account without agents has an empty fleet, whatever was measured.
pub async fn a_fleet_is_of_agents_that_are_known(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    assert_eq!(fleet(&storage, &owner).await, []);
    MetricSample::append(&storage, &owner, vec![MetricSample::new(agent_id("a"), NOVEMBER)]).await.expect("appended");
    assert_eq!(fleet(&storage, &owner).await, []);
    add(&storage, &owner, "a", "web").await;
    let rows = fleet(&storage, &owner).await;
    let seen = |row: &FleetRow| (row.agent.id.clone(), row.metric.as_ref().map(|metric| metric.timestamp));
    assert_eq!(rows.iter().map(seen).collect::<Vec<_>>(), [(agent_id("a"), Some(NOVEMBER))]);
}

/// Permissions of two accounts together show nothing of either.
pub async fn a_fleet_is_of_one_account(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    add(&storage, &owner, "a", "web").await;
    for [agents, metrics, speedtests, traceroutes] in [
        [&stranger, &owner, &owner, &owner],
        [&owner, &stranger, &owner, &owner],
        [&owner, &owner, &stranger, &owner],
        [&owner, &owner, &owner, &stranger],
    ] {
        let mixed = storage.fleet(&scope(agents), &scope(metrics), &scope(speedtests), &scope(traceroutes)).await.err();
        assert!(matches!(mixed, Some(StorageError::Internal { .. })), "{mixed:?}");
    }
    let agents: Vec<Agent> = fleet(&storage, &owner).await.into_iter().map(|row| row.agent).collect();
    assert_eq!(agents.len(), 1);
}
