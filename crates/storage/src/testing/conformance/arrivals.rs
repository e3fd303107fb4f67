//! Records in the order in which they came in.

use std::collections::BTreeMap;
use std::sync::Arc;

use astranetmon_domain::{
    Account, AgentFilter, AgentId, Limit, MetricSample, RecordFilter, Speedtest, TimeRange, Timestamp, Traceroute,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::records::Record;
use super::retention::lease;
use super::sealing::run;
use super::{NOVEMBER, account, agent_id, scope};
use crate::{ArrivalPosition, Storage};

const AGENTS: [&str; 3] = ["a", "B", "c"];

/// A copy that is kept up to date.
struct Copied {
    filter: RecordFilter,
    until: ArrivalPosition,
    samples: BTreeMap<(AgentId, Timestamp), MetricSample>,
    /// How often each came.
    times: BTreeMap<(AgentId, Timestamp), u32>,
}

impl Copied {
    fn new(filter: RecordFilter) -> Self {
        Self { filter, until: ArrivalPosition::default(), samples: BTreeMap::new(), times: BTreeMap::new() }
    }

    /// One answer; whether there was more.
    async fn step(&mut self, storage: &Arc<dyn Storage>, owner: &Account, limit: u32) -> bool {
        let limit = Limit::new(limit).expect("not zero");
        let arrivals = storage.metric_arrivals(&scope(owner), &self.filter, self.until, limit).await.expect("arrivals");
        assert!(arrivals.rows.len() <= limit.rows() as usize && arrivals.rows.len() == arrivals.positions.len());
        assert!(arrivals.positions.is_sorted_by(|a, b| a < b));
        let inside = |position: &ArrivalPosition| *position > self.until && *position <= arrivals.until;
        assert!(arrivals.positions.iter().all(inside), "{:?} {:?}", self.until, arrivals.until);
        assert!(arrivals.until > self.until || !arrivals.more, "it gets on");
        for row in 0..arrivals.rows.len() {
            let sample = arrivals.rows.sample(row);
            let key = (sample.agent_id.clone(), sample.timestamp);
            *self.times.entry(key.clone()).or_default() += 1;
            self.samples.insert(key, sample);
        }
        self.until = arrivals.until;
        arrivals.more
    }
}

/// Whatever is in rows and in chunks, in time, late and sent again: each metric comes once, and once more each time it
/// gained values.
pub async fn a_copy_that_asks_for_what_came_in_is_whole(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let stranger = account(&storage, "stranger").await;
    let lease = lease(&storage, NOVEMBER).await;
    let mut rng = StdRng::seed_from_u64(1);
    let (day, hour) = (86_400, 3_600);
    let some_time = TimeRange { start: Some(NOVEMBER.plus_seconds(-day)), end: Some(NOVEMBER.plus_seconds(-hour)) };
    let one = AgentFilter::One(agent_id("B"));
    let mut copies = [
        Copied::new(RecordFilter::ALL),
        Copied::new(RecordFilter { agent: one, range: TimeRange::ALL }),
        Copied::new(RecordFilter { agent: AgentFilter::All, range: some_time }),
    ];
    let mut filled = BTreeMap::new();
    for round in 0..60 {
        let agent = agent_id(AGENTS[rng.random_range(0..3)]);
        let lateness = [hour, 3 * day][rng.random_range(0..2)];
        let latest = NOVEMBER.as_seconds() - rng.random_range(0..lateness);
        let latest = latest - latest % 60;
        let samples: Vec<MetricSample> = (0..rng.random_range(1..300))
            .map(|number| MetricSample::random(&mut rng, agent.clone(), Timestamp::from_seconds(latest - number * 60)))
            .collect();
        let appended = MetricSample::append(&storage, &owner, samples.clone()).await.expect("appended");
        if appended.filled > 0 {
            samples.iter().for_each(|sample| *filled.entry((agent.clone(), sample.timestamp)).or_insert(0) += 1);
        }
        MetricSample::append(&storage, &stranger, samples).await.expect("appended");
        if round % 7 == 0 {
            run(&storage, &lease, NOVEMBER).await;
        }
        for copied in &mut copies {
            let limit = [rng.random_range(1..40), rng.random_range(1..2_000), 10_000][rng.random_range(0..3)];
            for _ in 0..rng.random_range(0..6) {
                copied.step(&storage, &owner, limit).await;
            }
        }
    }
    for mut copied in copies {
        while copied.step(&storage, &owner, 5_000).await {}
        assert!(!copied.step(&storage, &owner, 1).await, "nothing came in since");
        let mut listed = BTreeMap::new();
        let mut after: Option<MetricSample> = None;
        loop {
            let page = MetricSample::page(&storage, &owner, &copied.filter, 10_000, after.as_ref()).await;
            after = page.rows.last().cloned();
            listed.extend(page.rows.into_iter().map(|row| ((row.agent_id.clone(), row.timestamp), row)));
            if !page.more {
                break;
            }
        }
        assert_eq!(copied.samples.len(), listed.len());
        assert!(copied.samples == listed, "{:?}", copied.filter);
        for (key, times) in &copied.times {
            assert!(*times <= 1 + filled.get(key).copied().unwrap_or(0), "{key:?} came {times} times");
        }
    }
}

/// Late ones too, in any order of time; of one account.
pub async fn speed_tests_and_traceroutes_come_in_the_order_of_their_arrival(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut rng = StdRng::seed_from_u64(2);
    let (mut tests, mut traces) = (Vec::new(), Vec::new());
    let (mut seen_tests, mut seen_traces) = (Vec::new(), Vec::new());
    let (mut tests_until, mut traces_until) = (ArrivalPosition::default(), ArrivalPosition::default());
    for _ in 0..12 {
        let at = NOVEMBER.plus_seconds(rng.random_range(-90_000..90_000));
        let test = Speedtest::random(&mut rng, agent_id("a"), at);
        let trace = Traceroute::random(&mut rng, agent_id("b"), at);
        Speedtest::append(&storage, &owner, vec![test.clone()]).await.expect("appended");
        Traceroute::append(&storage, &owner, vec![trace.clone()]).await.expect("appended");
        tests.push(test.id);
        traces.push(trace.id);
        let limit = Limit::new(rng.random_range(1..4)).expect("not zero");
        let all = RecordFilter::ALL;
        if rng.random_bool(0.6) {
            let scope = scope(&owner);
            let arrivals = storage.speedtest_arrivals(&scope, &all.clone().into(), tests_until, limit).await;
            let arrivals = arrivals.expect("speed tests");
            seen_tests.extend(arrivals.rows.iter().map(|row| row.id));
            tests_until = arrivals.until;
        }
        if rng.random_bool(0.6) {
            let arrivals = storage.traceroute_arrivals(&scope(&owner), &all.into(), traces_until, limit).await;
            let arrivals = arrivals.expect("traceroutes");
            seen_traces.extend(arrivals.rows.iter().map(|row| row.id));
            traces_until = arrivals.until;
        }
    }
    for _ in 0..20 {
        let limit = Limit::new(5).expect("not zero");
        let arrivals = storage.speedtest_arrivals(&scope(&owner), &RecordFilter::ALL.into(), tests_until, limit).await;
        let arrivals = arrivals.expect("speed tests");
        seen_tests.extend(arrivals.rows.iter().map(|row| row.id));
        tests_until = arrivals.until;
        let arrivals =
            storage.traceroute_arrivals(&scope(&owner), &RecordFilter::ALL.into(), traces_until, limit).await;
        let arrivals = arrivals.expect("traceroutes");
        seen_traces.extend(arrivals.rows.iter().map(|row| row.id));
        traces_until = arrivals.until;
    }
    assert_eq!((seen_tests, seen_traces), (tests, traces));
    assert_eq!(tests_until, traces_until);
}
