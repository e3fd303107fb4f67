//! Metrics put together in intervals.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::Arc;

use astranetmon_domain::{
    Account, AgentFacts, AgentFilter, AgentId, Limit, METRIC_FIELDS, MetricField, MetricSample, NULL, Order,
    PageRequest, RecordFilter, TimeRange, Timestamp,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::buckets::range;
use super::records::Record;
use super::{NOVEMBER, account, agent_id, scope};
use crate::{
    Aggregate, AggregateColumn, AggregatePosition, AggregateQuery, AggregateRow, GroupName, Grouping, NewAgent, Storage,
};

/// What is asked for, apart from the page.
#[derive(Debug)]
pub(super) struct Asked {
    records: RecordFilter,
    seconds: i64,
    columns: Vec<AggregateColumn>,
    grouping: Grouping,
    empty_intervals: bool,
}

impl Asked {
    pub(super) fn random(rng: &mut StdRng, records: RecordFilter, seconds: i64) -> Self {
        // Those that random samples know, and one that they never do.
        let names = ["cpu_percent", "memory_total_bytes", "latency_ms", "temperature_celsius", "load_1"];
        let mut columns = Vec::new();
        for name in names {
            for aggregate in Aggregate::ALL {
                if rng.random_bool(0.2) {
                    columns.push(AggregateColumn { field: name.parse().expect(name), aggregate });
                }
            }
        }
        let grouping =
            [Grouping::Agent, Grouping::Label("site".to_owned()), Grouping::Nothing][rng.random_range(0..3)].clone();
        Self { records, seconds, columns, grouping, empty_intervals: rng.random_bool(0.1) }
    }

    fn query(&self) -> AggregateQuery {
        let seconds = NonZeroU32::new(u32::try_from(self.seconds).expect("short")).expect("not zero");
        let (columns, grouping) = (self.columns.clone(), self.grouping.clone());
        let query = AggregateQuery::new(self.records.clone(), seconds, columns, grouping).expect("few intervals");
        if self.empty_intervals { query.with_empty_intervals() } else { query }
    }

    fn group_of(&self, agent: &AgentId, labels: &BTreeMap<String, String>) -> GroupName {
        match &self.grouping {
            Grouping::Agent => Some(agent.as_str().into()),
            Grouping::Label(label) => labels.get(label).map(|value| value.as_str().into()),
            Grouping::Nothing => None,
        }
    }
}

/// A figure the plain way; `values` with their times and agents, oldest first.
fn figure(aggregate: Aggregate, field: MetricField, values: &[i64], of_samples_only: bool) -> Option<i128> {
    let mut ordered = values.to_vec();
    ordered.sort_unstable();
    let sum: i128 = values.iter().map(|&value| i128::from(value)).sum();
    let rank = |percent: usize| ordered.get((percent * ordered.len()).div_ceil(100).max(1) - 1).copied();
    let known = match aggregate {
        Aggregate::Count => return Some(values.len() as i128),
        Aggregate::Sum => return (!values.is_empty()).then_some(sum),
        Aggregate::Avg => {
            let scale = if field.decimals() == 0 { 100 } else { 1 };
            let count = i128::try_from(values.len()).expect("few");
            let doubled = 2 * sum * scale;
            return (count > 0).then(|| (doubled.abs() + count) / (2 * count) * doubled.signum());
        }
        Aggregate::Min => ordered.first().copied(),
        Aggregate::Max => ordered.last().copied(),
        _ if !of_samples_only => None,
        Aggregate::P50 => rank(50),
        Aggregate::P95 => rank(95),
        Aggregate::P99 => rank(99),
        Aggregate::First => values.first().copied(),
        Aggregate::Last => values.last().copied(),
    };
    known.map(i128::from)
}

/// The rows that there must be, without those of empty intervals.
pub(super) fn aggregated(
    asked: &Asked,
    samples: &BTreeMap<(Timestamp, AgentId), MetricSample>,
    labels: impl Fn(&AgentId) -> BTreeMap<String, String>,
    is_summarised: impl Fn(Timestamp) -> bool,
) -> BTreeMap<AggregatePosition, AggregateRow> {
    let width = asked.seconds * 1_000_000;
    let mut cells: BTreeMap<AggregatePosition, Vec<&MetricSample>> = BTreeMap::new();
    for sample in samples.values() {
        let labels = labels(&sample.agent_id);
        if asked.records.range.contains(sample.timestamp) && asked.records.agent.matches(&sample.agent_id, &labels) {
            let start = Timestamp::from_micros(sample.timestamp.as_micros().div_euclid(width) * width);
            let group = asked.group_of(&sample.agent_id, &labels);
            cells.entry(AggregatePosition { start, group }).or_default().push(sample);
        }
    }
    let row = |(position, samples): (AggregatePosition, Vec<&MetricSample>)| {
        let of_samples_only = !samples.iter().any(|sample| is_summarised(sample.timestamp));
        let value = |column: &AggregateColumn| {
            let values = samples.iter().map(|sample| sample.fixed_values()[column.field.index()]);
            let values: Vec<i64> = values.filter(|value| *value != NULL).collect();
            figure(column.aggregate, column.field, &values, of_samples_only)
        };
        let values = asked.columns.iter().map(value).collect();
        (position.clone(), AggregateRow { position, sample_count: samples.len() as u64, values })
    };
    cells.into_iter().map(row).collect()
}

/// Walks through all rows in pages of `limit` and compares them; `known` are the account's agents.
pub(super) async fn assert_walk(
    storage: &Arc<dyn Storage>,
    owner: &Account,
    asked: &Asked,
    mut expected: BTreeMap<AggregatePosition, AggregateRow>,
    known: &[AgentId],
    labels: impl Fn(&AgentId) -> BTreeMap<String, String>,
    (order, limit): (Order, u32),
) {
    let query = asked.query();
    if asked.empty_intervals {
        let value = |column: &AggregateColumn| (column.aggregate == Aggregate::Count).then_some(0);
        let values: Box<[Option<i128>]> = asked.columns.iter().map(value).collect();
        for agent in known.iter().filter(|agent| asked.records.agent.matches(agent, &labels(agent))) {
            let axis = query.axis();
            for interval in 0..axis.intervals {
                let start = Timestamp::from_micros(axis.start_of(interval));
                let position = AggregatePosition { start, group: asked.group_of(agent, &labels(agent)) };
                let row = AggregateRow { position: position.clone(), sample_count: 0, values: values.clone() };
                expected.entry(position).or_insert(row);
            }
        }
    }
    let mut expected: Vec<AggregateRow> = expected.into_values().collect();
    if order == Order::OldestFirst {
        expected.reverse();
    }
    let mut walked = 0_usize;
    loop {
        let after = walked.checked_sub(1).map(|last| expected[last].position.clone());
        let request = PageRequest::new(Limit::new(limit).expect("not zero"), after).in_order(order);
        let page = storage.metric_aggregates(&scope(owner), &query, &request).await.expect("aggregates");
        let until = expected.len().min(walked + limit as usize);
        assert_eq!(page.rows, expected[walked..until], "{asked:?} behind {walked}");
        assert_eq!((page.total, page.more), (expected.len() as u64, until < expected.len()), "{asked:?}");
        walked = until;
        if !page.more || walked > 10 * limit as usize {
            return;
        }
    }
}

pub(super) fn some_order(rng: &mut StdRng) -> Order {
    if rng.random() { Order::NewestFirst } else { Order::OldestFirst }
}

const AGENTS: [&str; 4] = ["b", "A", "a.1", "quiet"];

fn labels(agent: &AgentId) -> BTreeMap<String, String> {
    match agent.as_str() {
        "b" => BTreeMap::new(),
        "A" => [("site".to_owned(), "fra".to_owned())].into(),
        _ => [("site".to_owned(), "ber".to_owned())].into(),
    }
}

async fn add_agents(storage: &Arc<dyn Storage>, owner: &Account) {
    for agent in AGENTS {
        let id = agent_id(agent);
        let facts = AgentFacts { hostname: agent.to_owned(), ..AgentFacts::default() };
        let new = NewAgent { labels: labels(&id), id, facts, name: None, public_ip: None };
        storage.agent_upsert(&scope(owner), &new, NOVEMBER).await.expect("an agent");
    }
}

/// Whatever the interval and wherever the range begins; several agents at the same times; agents without the label.
pub async fn aggregates_of_agents_labels_and_all_agree_with_the_samples(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    add_agents(&storage, &owner).await;
    let mut rng = StdRng::seed_from_u64(1);
    let mut stored = BTreeMap::new();
    for agent in &AGENTS[..3] {
        let samples: Vec<MetricSample> = (0..700)
            .map(|number| MetricSample::random(&mut rng, agent_id(agent), NOVEMBER.plus_seconds(number * 60)))
            .collect();
        stored.extend(samples.iter().map(|sample| ((sample.timestamp, sample.agent_id.clone()), sample.clone())));
        MetricSample::append(&storage, &owner, samples).await.expect("appended");
    }
    let known = AGENTS.map(agent_id);
    for _ in 0..60 {
        let start = NOVEMBER.plus_seconds(rng.random_range(-3_600..40_000));
        let end = start.plus_seconds(rng.random_range(1..40_000));
        let agent = match rng.random_range(0..4) {
            0 => AgentFilter::One(agent_id(AGENTS[rng.random_range(0..4)])),
            1 => AgentFilter::any_of(known[1..].to_vec()),
            2 => AgentFilter::Labelled { labels: vec![("site".to_owned(), "ber".to_owned())], among: None },
            _ => AgentFilter::All,
        };
        let records = RecordFilter { agent, range: range(start, end) };
        let seconds = [60, 300, 3_600, 86_400, 517][rng.random_range(0..5)];
        let asked = Asked::random(&mut rng, records, seconds);
        let expected = aggregated(&asked, &stored, labels, |_| false);
        let page = (some_order(&mut rng), [7, 100, 10_000][rng.random_range(0..3)]);
        assert_walk(&storage, &owner, &asked, expected, &known, labels, page).await;
    }
}

/// Of agents that are known; the ends of the range need not be ends of intervals.
pub async fn empty_intervals_are_rows_if_they_are_asked_for(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    add_agents(&storage, &owner).await;
    let sample = MetricSample { load_1: Some(0.5), ..MetricSample::new(agent_id("b"), NOVEMBER.plus_seconds(130)) };
    MetricSample::append(&storage, &owner, vec![sample]).await.expect("appended");
    let load = METRIC_FIELDS[2];
    let columns = [Aggregate::Avg, Aggregate::Count].map(|aggregate| AggregateColumn { field: load, aggregate });
    for (agent, grouping, empty_intervals, expected) in [
        ("b", Grouping::Agent, false, vec![(120, 1, Some(50), Some(1))]),
        (
            "b",
            Grouping::Nothing,
            true,
            vec![(180, 0, None, Some(0)), (120, 1, Some(50), Some(1)), (60, 0, None, Some(0))],
        ),
        ("quiet", Grouping::Agent, false, vec![]),
        ("quiet", Grouping::Agent, true, [180, 120, 60].map(|start| (start, 0, None, Some(0))).into()),
        ("nobody", Grouping::Agent, true, vec![]),
    ] {
        let agent = AgentFilter::One(agent_id(agent));
        let span = TimeRange { start: Some(NOVEMBER.plus_seconds(61)), end: Some(NOVEMBER.plus_seconds(181)) };
        let records = RecordFilter { agent, range: span };
        let asked = Asked { records, seconds: 60, columns: columns.to_vec(), grouping, empty_intervals };
        let request = PageRequest::new(Limit::LARGEST, None);
        let page = storage.metric_aggregates(&scope(&owner), &asked.query(), &request).await.expect("aggregates");
        let seen: Vec<_> = page
            .rows
            .iter()
            .map(|row| {
                let start = row.position.start.as_seconds() - NOVEMBER.as_seconds();
                (start, row.sample_count, row.values[0], row.values[1])
            })
            .collect();
        assert_eq!((seen, page.total), (expected.clone(), expected.len() as u64), "{asked:?}");
    }
}

/// However they are grouped.
pub async fn aggregates_of_accounts_are_apart(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    add_agents(&storage, &owner).await;
    add_agents(&storage, &stranger).await;
    let sample = |load_1| MetricSample { load_1: Some(load_1), ..MetricSample::new(agent_id("b"), NOVEMBER) };
    MetricSample::append(&storage, &owner, vec![sample(1.0)]).await.expect("appended");
    MetricSample::append(&storage, &stranger, vec![sample(2.0)]).await.expect("appended");
    for grouping in [Grouping::Agent, Grouping::Nothing, Grouping::Label("site".to_owned())] {
        let records = RecordFilter { agent: AgentFilter::All, range: range(NOVEMBER, NOVEMBER.plus_seconds(1)) };
        let columns = vec![AggregateColumn { field: METRIC_FIELDS[2], aggregate: Aggregate::Sum }];
        let asked = Asked { records, seconds: 60, columns, grouping, empty_intervals: false };
        let request = PageRequest::new(Limit::LARGEST, None);
        for (account, sum) in [(&owner, 100), (&stranger, 200)] {
            let page = storage.metric_aggregates(&scope(account), &asked.query(), &request).await.expect("aggregates");
            let sums: Vec<_> = page.rows.iter().map(|row| row.values[0]).collect();
            assert_eq!((sums, page.total), (vec![Some(sum)], 1), "{asked:?}");
        }
    }
}
