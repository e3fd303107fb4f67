//! Lists of measured records: order, pages, ranges, totals, isolation.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use astranetmon_domain::{
    Account, AccountId, AgentFacts, AgentFilter, AgentId, Limit, MetricSample, Order, PageRequest, Plan, RecordFilter,
    Speedtest, SpeedtestFilter, SpeedtestStatus, TimeRange, Timestamp, Traceroute, TracerouteFilter,
    TracerouteProtocol, TracerouteStatus,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::records::{Page, Record};
use super::{NOVEMBER, account, agent_id, scope};
use crate::{Appended, NewAgent, Storage, StorageError};

/// In an order that no language's rules for sorting give.
const AGENTS: [&str; 5] = ["a-2", "B", "a.1", "a_1", "b"];

const HOUR: i64 = 3_600_000_000;

fn sorted<R: Record>(mut rows: Vec<R>) -> Vec<R> {
    rows.sort_by_key(|row| (Reverse(row.timestamp()), row.agent_id().clone(), row.id()));
    rows
}

/// At most `rows`, of several agents, each (agent, time) once, times of `spread` microseconds around `start`, many of
/// them equal over agents, and in order of nothing.
fn random_rows<R: Record>(rng: &mut StdRng, rows: usize, start: Timestamp, spread: i64) -> Vec<R> {
    let step = (spread / (rows as i64 / 3)).max(1_000);
    let mut keys = BTreeSet::new();
    for _ in 0..rows {
        let ticks = rng.random_range(-spread / 2..spread / 2) / step;
        keys.insert((rng.random_range(0..AGENTS.len()), start.plus_micros(ticks * step).to_millis_precision()));
    }
    let mut rows: Vec<R> = keys.into_iter().map(|(agent, at)| R::random(rng, agent_id(AGENTS[agent]), at)).collect();
    for index in (1..rows.len()).rev() {
        rows.swap(index, rng.random_range(0..=index));
    }
    rows
}

fn matching<R: Record>(rows: &[R], filter: &RecordFilter) -> Vec<R> {
    let agent = |row: &R| filter.agent.matches(row.agent_id(), &labels_of(row.agent_id()));
    rows.iter().filter(|row| agent(row) && filter.range.contains(row.timestamp())).cloned().collect()
}

/// The labels of each agent, after [`add_labelled_agents`].
fn labels_of(agent: &AgentId) -> BTreeMap<String, String> {
    if !AGENTS.contains(&agent.as_str()) {
        return BTreeMap::new();
    }
    let site = if agent.as_str().starts_with('a') { "ber" } else { "fra" };
    [("site".to_owned(), site.to_owned()), ("id".to_owned(), agent.to_string())].into()
}

async fn add_labelled_agents(storage: &Arc<dyn Storage>, owner: &Account) {
    for agent in AGENTS {
        let id = agent_id(agent);
        let facts = AgentFacts { hostname: agent.to_owned(), ..AgentFacts::default() };
        let new = NewAgent { labels: labels_of(&id), id, facts, name: None, public_ip: None };
        storage.agent_upsert(&scope(owner), &new, NOVEMBER).await.expect("an agent");
    }
}

fn any_of(agents: &[&str]) -> AgentFilter {
    AgentFilter::any_of(agents.iter().map(|agent| agent_id(agent)).collect())
}

fn labelled(labels: &[(&str, &str)], among: Option<&[&str]>) -> AgentFilter {
    AgentFilter::Labelled {
        labels: labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
        among: among.map(|among| among.iter().map(|agent| agent_id(agent)).collect()),
    }
}

async fn append_all<R: Record>(storage: &Arc<dyn Storage>, owner: &Account, rows: &[R]) {
    for rows in rows.chunks(37) {
        let appended = R::append(storage, owner, rows.to_vec()).await.expect("appended");
        assert_eq!(appended, Appended { inserted: rows.len() as u64, ..Appended::default() });
        let again = R::append(storage, owner, rows.to_vec()).await.expect("appended");
        let known_rows: Vec<u32> = (0..).take(rows.len()).collect();
        assert_eq!(again, Appended { known: rows.len() as u64, known_rows, ..Appended::default() });
    }
}

async fn pages_walk_the_whole_list<R: Record>(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut rng = StdRng::seed_from_u64(1);
    let rows: Vec<R> = random_rows(&mut rng, 90, NOVEMBER, 5 * HOUR);
    append_all(&storage, &owner, &rows).await;
    add_labelled_agents(&storage, &owner).await;
    let range = TimeRange { start: Some(NOVEMBER.plus_micros(-HOUR)), end: Some(NOVEMBER.plus_micros(HOUR)) };
    for (agent, range) in [
        (AgentFilter::All, TimeRange::ALL),
        (AgentFilter::One(agent_id("B")), TimeRange::ALL),
        (any_of(&["B", "a.1", "nobody"]), TimeRange::ALL),
        (labelled(&[("site", "ber")], None), TimeRange::ALL),
        (AgentFilter::All, range),
        (any_of(&["b", "a_1", "a-2"]), range),
    ] {
        let filter = RecordFilter { agent, range };
        let mut expected = sorted(matching(&rows, &filter));
        let limits = (1..=20).chain([expected.len() as u32 - 1, expected.len() as u32, 1_000]);
        let newest_first = limits.clone().map(|limit| (Order::NewestFirst, limit));
        for (order, limit) in newest_first.chain(limits.map(|limit| (Order::OldestFirst, limit))) {
            if order == Order::OldestFirst {
                expected = sorted(expected);
                expected.reverse();
            }
            let mut walked: Vec<R> = Vec::new();
            loop {
                let page = R::page_in(&storage, &owner, &filter, (order, limit), walked.last()).await;
                assert_eq!(page.total, expected.len() as u64);
                assert_eq!(page.more, walked.len() + page.rows.len() < expected.len());
                assert!(page.rows.len() == limit as usize || !page.more);
                walked.extend(page.rows);
                if !page.more {
                    break;
                }
            }
            assert_eq!(walked, expected, "{filter:?} {order:?} {limit}");
        }
    }
}

async fn ranges_and_totals_are_exact<R: Record>(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut rng = StdRng::seed_from_u64(2);
    // Over the end of a month and of a day, with records exactly on the edges.
    let mut rows: Vec<R> = random_rows(&mut rng, 300, NOVEMBER, 24 * 5 * HOUR);
    for hours in [-48, -24, -1, 0, 1, 24, 48] {
        for around in [-1_000, 0, 1_000] {
            rows.push(R::random(&mut rng, agent_id("edge"), NOVEMBER.plus_micros(hours * HOUR + around)));
        }
    }
    add_labelled_agents(&storage, &owner).await;
    append_all(&storage, &owner, &rows).await;
    let whole = Page { rows: sorted(rows.clone()), total: rows.len() as u64, more: false };
    assert_eq!(R::page(&storage, &owner, &RecordFilter::ALL, 1_000, None).await, whole);

    for case in 0..240 {
        let moment = |rng: &mut StdRng| match rng.random_range(0..5) {
            0 => None,
            1 => Some(NOVEMBER.plus_micros(rng.random_range(-72..72) * HOUR)),
            2 => Some(NOVEMBER.plus_micros(rng.random_range(-3..4) * 24 * HOUR)),
            3 => Some(rows[rng.random_range(0..rows.len())].timestamp()),
            _ => Some(NOVEMBER.plus_micros(rng.random_range(-72 * HOUR..72 * HOUR))),
        };
        let range = TimeRange { start: moment(&mut rng), end: moment(&mut rng) };
        let agent = match rng.random_range(0..8) {
            0 | 1 => AgentFilter::All,
            2 => AgentFilter::One(agent_id("edge")),
            3 => any_of(&["edge", "b", "nobody"]),
            4 => labelled(&[("site", "fra")], None),
            5 => labelled(&[("site", "ber"), ("id", "a.1")], None),
            6 => labelled(&[("site", "ber")], Some(&["b", "a.1"])),
            _ => AgentFilter::One(agent_id(AGENTS[rng.random_range(0..AGENTS.len())])),
        };
        let filter = RecordFilter { agent, range };
        let expected = if filter.is_empty() { Vec::new() } else { sorted(matching(&rows, &filter)) };
        let limit = rng.random_range(1..50);
        let page = R::page(&storage, &owner, &filter, limit, None).await;
        let shown = expected.len().min(limit as usize);
        assert_eq!(page.rows, expected[..shown], "{case} {filter:?}");
        assert_eq!((page.total, page.more), (expected.len() as u64, shown < expected.len()), "{case} {filter:?}");
    }
    for agent in [AgentFilter::Nobody, AgentFilter::One(agent_id("unknown"))] {
        let nothing = R::page(&storage, &owner, &RecordFilter { agent, range: TimeRange::ALL }, 10, None).await;
        assert_eq!(nothing, Page { rows: Vec::new(), total: 0, more: false });
    }
}

async fn accounts_are_apart<R: Record>(storage: Arc<dyn Storage>) {
    let (one, two, empty) =
        (account(&storage, "one").await, account(&storage, "two").await, account(&storage, "empty").await);
    let mut rng = StdRng::seed_from_u64(3);
    // The same agents, times and, where there are any, ids.
    let ours: Vec<R> = random_rows(&mut rng, 60, NOVEMBER, 10 * HOUR);
    let theirs: Vec<R> = ours.iter().take(30).cloned().chain(random_rows(&mut rng, 30, NOVEMBER, HOUR)).collect();
    let theirs: Vec<R> = {
        let mut seen = BTreeSet::new();
        theirs.into_iter().filter(|row| seen.insert((row.agent_id().clone(), row.timestamp()))).collect()
    };
    append_all(&storage, &one, &ours).await;
    append_all(&storage, &two, &theirs).await;
    let agents = AGENTS.map(|id| AgentFilter::One(agent_id(id))).into_iter().chain([AgentFilter::All]);
    for agent in agents {
        let range =
            TimeRange { start: Some(NOVEMBER.plus_micros(-7 * HOUR)), end: Some(NOVEMBER.plus_micros(7 * HOUR)) };
        let filter = RecordFilter { agent, range };
        for (owner, rows) in [(&one, &ours), (&two, &theirs), (&empty, &Vec::new())] {
            let expected = sorted(matching(rows, &filter));
            let page = R::page(&storage, owner, &filter, 5, None).await;
            assert_eq!(page.rows, expected[..expected.len().min(5)]);
            assert_eq!(page.total, expected.len() as u64);
            let cursor = ours[0].clone();
            let behind: Vec<R> = sorted(expected.iter().cloned().chain([cursor.clone()]).collect())
                .into_iter()
                .skip_while(|row| row != &cursor)
                .filter(|row| row.timestamp() < cursor.timestamp())
                .collect();
            let page = R::page(&storage, owner, &filter, 1_000, Some(&cursor)).await;
            let older: Vec<R> = page.rows.into_iter().filter(|row| row.timestamp() < cursor.timestamp()).collect();
            assert_eq!(older, behind);
        }
    }
}

macro_rules! for_each_kind {
    ($($(#[$doc:meta])* $name:ident = $behaviour:ident::<$record:ty>;)*) => {$(
        $(#[$doc])*
        pub async fn $name(storage: Arc<dyn Storage>) {
            $behaviour::<$record>(storage).await;
        }
    )*};
}

for_each_kind! {
    /// Pages of every size, put together, are the sorted list.
    metric_pages_walk_the_whole_list = pages_walk_the_whole_list::<MetricSample>;
    /// Pages of every size, put together, are the sorted list.
    speedtest_pages_walk_the_whole_list = pages_walk_the_whole_list::<Speedtest>;
    /// Pages of every size, put together, are the sorted list.
    traceroute_pages_walk_the_whole_list = pages_walk_the_whole_list::<Traceroute>;
    /// Start included, end excluded; rows and totals as counted one by one.
    metric_ranges_and_totals_are_exact = ranges_and_totals_are_exact::<MetricSample>;
    /// Start included, end excluded; rows and totals as counted one by one.
    speedtest_ranges_and_totals_are_exact = ranges_and_totals_are_exact::<Speedtest>;
    /// Start included, end excluded; rows and totals as counted one by one.
    traceroute_ranges_and_totals_are_exact = ranges_and_totals_are_exact::<Traceroute>;
    /// Equal agents, times and ids in another account are nothing to an account, not even through a cursor.
    metrics_of_accounts_are_apart = accounts_are_apart::<MetricSample>;
    /// Equal agents, times and ids in another account are nothing to an account, not even through a cursor.
    speedtests_of_accounts_are_apart = accounts_are_apart::<Speedtest>;
    /// Equal agents, times and ids in another account are nothing to an account, not even through a cursor.
    traceroutes_of_accounts_are_apart = accounts_are_apart::<Traceroute>;
    /// One id, two agents: two records, and the first agent's is found; the same agent again: nothing new, whatever
    /// it says.
    speedtests_are_unique_by_agent_and_id = unique_by_agent_and_id::<Speedtest>;
    /// One id, two agents: two records; the same agent again: nothing new, whatever it says.
    traceroutes_are_unique_by_agent_and_id = unique_by_agent_and_id::<Traceroute>;
}

async fn unique_by_agent_and_id<R: Record + WithId>(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let mut rng = StdRng::seed_from_u64(4);
    let b = R::random(&mut rng, agent_id("b"), NOVEMBER);
    let a = b.with(b.id(), agent_id("a"), NOVEMBER);
    assert_eq!(b.find(&storage, &owner).await, None);
    let appended = R::append(&storage, &owner, vec![b.clone(), a.clone(), b.clone()]).await.expect("appended");
    assert_eq!(appended, Appended { inserted: 2, filled: 0, known: 1, known_rows: vec![2], ..Appended::default() });
    assert_eq!(b.find(&storage, &owner).await, Some(a.clone()));
    assert_eq!(b.find(&storage, &stranger).await, None);
    // Months later, so that it would lie in another partition.
    let moved = b.with(b.id(), agent_id("b"), NOVEMBER.plus_seconds(90 * 86_400));
    let appended = R::append(&storage, &owner, vec![moved]).await.expect("appended");
    assert_eq!(appended, Appended { inserted: 0, filled: 0, known: 1, known_rows: vec![0], ..Appended::default() });
    let all = R::page(&storage, &owner, &RecordFilter::ALL, 10, None).await;
    assert_eq!(all, Page { rows: vec![a, b], total: 2, more: false });
}

/// A record with an id of its own.
trait WithId: Record {
    fn with(&self, id: uuid::Uuid, agent_id: AgentId, timestamp: Timestamp) -> Self;
    async fn find(&self, storage: &Arc<dyn Storage>, owner: &Account) -> Option<Self>;
}

impl WithId for Speedtest {
    fn with(&self, id: uuid::Uuid, agent_id: AgentId, timestamp: Timestamp) -> Self {
        Self { id: astranetmon_domain::SpeedtestId(id), agent_id, timestamp, ..self.clone() }
    }

    async fn find(&self, storage: &Arc<dyn Storage>, owner: &Account) -> Option<Self> {
        storage.speedtest_find(&scope(owner), self.id).await.expect("no error")
    }
}

impl WithId for Traceroute {
    fn with(&self, id: uuid::Uuid, agent_id: AgentId, timestamp: Timestamp) -> Self {
        Self { id: astranetmon_domain::TracerouteId(id), agent_id, timestamp, ..self.clone() }
    }

    async fn find(&self, storage: &Arc<dyn Storage>, owner: &Account) -> Option<Self> {
        storage.traceroute_find(&scope(owner), self.id).await.expect("no error")
    }
}

/// Rows for an account that is not there are refused.
pub async fn an_unknown_account_takes_nothing(storage: Arc<dyn Storage>) {
    let mut nobody = account(&storage, "somebody").await;
    nobody.id = AccountId(4_711);
    nobody.plan = Plan::Enterprise;
    let mut rng = StdRng::seed_from_u64(5);
    let sample = MetricSample::random(&mut rng, agent_id("a"), NOVEMBER);
    let refused = MetricSample::append(&storage, &nobody, vec![sample]).await;
    assert!(matches!(refused, Err(StorageError::Missing { what: "account" })), "{refused:?}");
    let refused = Speedtest::append(&storage, &nobody, random_rows(&mut rng, 5, NOVEMBER, HOUR)).await;
    assert!(matches!(refused, Err(StorageError::Missing { what: "account" })), "{refused:?}");
    let refused = Traceroute::append(&storage, &nobody, random_rows(&mut rng, 5, NOVEMBER, HOUR)).await;
    assert!(matches!(refused, Err(StorageError::Missing { what: "account" })), "{refused:?}");
    assert_eq!(Traceroute::append(&storage, &nobody, Vec::new()).await.expect("nothing"), Appended::default());
}

/// From the year 1 to the year 9999.
pub async fn metrics_far_from_now_are_kept(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut rng = StdRng::seed_from_u64(6);
    let times = [Timestamp::MIN, Timestamp::from_seconds(-1), Timestamp::from_seconds(0), NOVEMBER, Timestamp::MAX];
    let rows: Vec<MetricSample> =
        times.map(|at| MetricSample::random(&mut rng, agent_id("a"), at.to_millis_precision())).to_vec();
    append_all(&storage, &owner, &rows).await;
    let newest_first: Vec<_> = rows.into_iter().rev().collect();
    for (start, end, expected) in [
        (None, None, &newest_first[..]),
        (None, Some(Timestamp::from_seconds(0)), &newest_first[3..]),
        (Some(Timestamp::from_seconds(0)), None, &newest_first[..3]),
        (Some(Timestamp::MIN), Some(Timestamp::MAX), &newest_first[..]),
    ] {
        let filter = RecordFilter { agent: AgentFilter::All, range: TimeRange { start, end } };
        let page = MetricSample::page(&storage, &owner, &filter, 1, None).await;
        assert_eq!((page.rows.as_slice(), page.total), (&expected[..1], expected.len() as u64), "{start:?} {end:?}");
        let page = MetricSample::page(&storage, &owner, &filter, 10, None).await;
        assert_eq!((page.rows.as_slice(), page.total), (expected, expected.len() as u64), "{start:?} {end:?}");
    }
}

/// Each condition alone and all together, against a list that is filtered here; totals too.
pub async fn speedtests_are_found_by_what_they_measured(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut rng = StdRng::seed_from_u64(3);
    let mut rows: Vec<Speedtest> = random_rows(&mut rng, 120, NOVEMBER, 24 * HOUR);
    for row in rows.iter_mut().step_by(3) {
        row.provider = Some("other".to_owned());
    }
    append_all(&storage, &owner, &rows).await;
    let rows = sorted(rows);
    let all = || SpeedtestFilter::from(RecordFilter::ALL);
    let failed = Some(SpeedtestStatus::Failed);
    let one = RecordFilter { agent: AgentFilter::One(agent_id("B")), range: TimeRange::ALL };
    for filter in [
        SpeedtestFilter { status: failed, ..all() },
        SpeedtestFilter { provider: Some("other".to_owned()), ..all() },
        SpeedtestFilter { provider: Some("nobody".to_owned()), ..all() },
        SpeedtestFilter { min_download_mbps: Some(50.0), ..all() },
        SpeedtestFilter { max_download_mbps: Some(50.0), ..all() },
        SpeedtestFilter { min_upload_mbps: Some(20.5), max_upload_mbps: Some(70.0), ..all() },
        SpeedtestFilter { min_ping_ms: Some(10.0), max_ping_ms: Some(60.0), ..all() },
        SpeedtestFilter { status: failed, min_download_mbps: Some(10.0), ..SpeedtestFilter::from(one) },
    ] {
        let within = |value: Option<f64>, least: Option<f64>, greatest: Option<f64>| {
            least.is_none_or(|least| value.is_some_and(|value| value >= least))
                && greatest.is_none_or(|greatest| value.is_some_and(|value| value <= greatest))
        };
        let expected: Vec<Speedtest> = matching(&rows, &filter.records)
            .into_iter()
            .filter(|row| {
                filter.status.is_none_or(|status| row.status == status)
                    && (filter.provider.is_none() || row.provider == filter.provider)
                    && within(row.download_mbps, filter.min_download_mbps, filter.max_download_mbps)
                    && within(row.upload_mbps, filter.min_upload_mbps, filter.max_upload_mbps)
                    && within(row.ping_ms, filter.min_ping_ms, filter.max_ping_ms)
            })
            .collect();
        let mut walked = Vec::new();
        let mut after = None;
        loop {
            let request = PageRequest::new(Limit::new(7).expect("not zero"), after);
            let page = storage.speedtest_page(&scope(&owner), &filter, &request).await.expect("speed tests");
            assert_eq!(page.total, expected.len() as u64, "{filter:?}");
            walked.extend(page.rows);
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(walked, expected, "{filter:?}");
    }
}

/// The same of traceroutes; whether the way changed is storage's own word.
pub async fn traceroutes_are_found_by_what_they_met(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut rng = StdRng::seed_from_u64(4);
    let rows: Vec<Traceroute> = random_rows(&mut rng, 120, NOVEMBER, 24 * HOUR);
    append_all(&storage, &owner, &rows).await;
    let largest = PageRequest::new(Limit::LARGEST, None);
    let all = || TracerouteFilter::from(RecordFilter::ALL);
    // With what storage says of their ways.
    let rows = storage.traceroute_page(&scope(&owner), &all(), &largest).await.expect("traceroutes").rows;
    assert!(rows.iter().any(|row| row.path_changed == Some(true)));
    for filter in [
        TracerouteFilter { status: Some(TracerouteStatus::Failed), ..all() },
        TracerouteFilter { target: Some("example.com".to_owned()), ..all() },
        TracerouteFilter { protocol: Some(TracerouteProtocol::Udp), ..all() },
        TracerouteFilter { reached: Some(false), ..all() },
        TracerouteFilter { changes_only: true, ..all() },
        TracerouteFilter { changes_only: true, target: Some("192.0.2.9".to_owned()), reached: Some(true), ..all() },
    ] {
        let expected: Vec<Traceroute> = rows
            .iter()
            .filter(|row| {
                filter.status.is_none_or(|status| row.status == status)
                    && filter.target.as_ref().is_none_or(|target| row.target == *target)
                    && filter.protocol.is_none_or(|protocol| row.protocol == protocol)
                    && filter.reached.is_none_or(|reached| row.reached == reached)
                    && (!filter.changes_only || row.path_changed == Some(true))
            })
            .cloned()
            .collect();
        let page = storage.traceroute_page(&scope(&owner), &filter, &largest).await.expect("traceroutes");
        assert_eq!((page.rows, page.total), (expected.clone(), expected.len() as u64), "{filter:?}");
        let request = PageRequest::new(Limit::new(1).expect("not zero"), None);
        let page = storage.traceroute_page(&scope(&owner), &filter, &request).await.expect("traceroutes");
        assert_eq!((page.rows, page.total), (expected[..1].to_vec(), expected.len() as u64), "{filter:?}");
    }
}
