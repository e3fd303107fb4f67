//! Lists, buckets and aggregates against a plain list in memory.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::Arc;

use astranetmon_auth::ManageAccount;
use astranetmon_domain::{
    Account, AgentFacts, AgentFilter, AgentId, METRIC_FIELDS, MetricSample, NULL, Order, RecordFilter, Retention,
    TimeRange, Timestamp,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::aggregates::{Asked, aggregated, assert_walk, some_order};
use super::buckets::{assert_agree, buckets, of_samples, query, range};
use super::records::Record;
use super::retention::lease;
use super::sealing::run;
use super::{NOVEMBER, account, agent_id, scope};
use crate::{NewAgent, Storage, StorageError};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
const AGENTS: [&str; 3] = ["a", "b", "c.d"];
/// Days for which samples are kept.
const SAMPLE_DAYS: i64 = 2;

/// What storage must answer.
#[derive(Default)]
struct Model {
    /// That are listed.
    listed: BTreeMap<(Timestamp, AgentId), MetricSample>,
    /// And those that have become summaries of their hours.
    all: BTreeMap<(Timestamp, AgentId), MetricSample>,
    folded_before: Option<Timestamp>,
}

impl Model {
    fn append(&mut self, given: &[MetricSample]) {
        for sample in given.iter().filter(|sample| self.folded_before.is_none_or(|before| sample.timestamp >= before)) {
            for samples in [&mut self.listed, &mut self.all] {
                samples
                    .entry((sample.timestamp, sample.agent_id.clone()))
                    .and_modify(|stored| *stored = filled(stored, sample))
                    .or_insert_with(|| sample.clone());
            }
        }
    }

    fn fold(&mut self, now: Timestamp) {
        let limit = now.plus_seconds(-SAMPLE_DAYS * DAY - HOUR).as_seconds();
        let limit = Timestamp::from_seconds(limit - limit.rem_euclid(HOUR));
        let before = self.listed.len();
        self.listed.retain(|(at, _), _| *at >= limit);
        if self.listed.len() < before {
            self.folded_before = Some(limit);
        }
    }

    /// Newest first, then by agent.
    fn list(&self, filter: &RecordFilter) -> Vec<MetricSample> {
        let from = filter.range.start.unwrap_or(Timestamp::MIN);
        let first = Bound::Included((from, AgentId::parse("-").expect("the least id")));
        let matching = self.listed.range((first, Bound::Unbounded)).map(|(_, sample)| sample);
        let matching = matching.filter(|sample| {
            filter.range.contains(sample.timestamp)
                && filter.agent.matches(&sample.agent_id, &labels_of(sample.agent_id.as_str()))
        });
        let mut list: Vec<MetricSample> = matching.cloned().collect();
        list.sort_by(|a, b| b.timestamp.cmp(&a.timestamp).then_with(|| a.agent_id.cmp(&b.agent_id)));
        list
    }
}

fn filled(stored: &MetricSample, later: &MetricSample) -> MetricSample {
    let (stored_values, later_values) = (stored.fixed_values(), later.fixed_values());
    let values: [i64; METRIC_FIELDS.len()] = std::array::from_fn(|field| match stored_values[field] {
        NULL => later_values[field],
        known => known,
    });
    MetricSample::from_fixed_values(stored.agent_id.clone(), stored.timestamp, &values)
}

/// Random pages, walks, totals, buckets and aggregates, while samples come in time, late and again, while they are sealed, and
/// while they end.
pub async fn whatever_is_asked_is_answered_as_by_a_plain_list(storage: Arc<dyn Storage>) {
    let full = std::env::var("ASTRANETMON_TEST_FULL").as_deref() == Ok("1");
    // Three ways of sealing ask the same: 10,000 questions a database in full.
    let (episodes, questions) = if full { (14, 240) } else { (2, 150) };
    let lease = lease(&storage, NOVEMBER).await;
    let mut now = NOVEMBER;
    for episode in 0..episodes {
        let owner = account(&storage, &format!("owner {episode}")).await;
        for agent in AGENTS {
            let facts = AgentFacts { hostname: agent.to_owned(), ..AgentFacts::default() };
            let (id, labels) = (agent_id(agent), labels_of(agent));
            let new = NewAgent { id, facts, name: None, public_ip: None, labels };
            storage.agent_upsert(&scope(&owner), &new, NOVEMBER).await.expect("an agent");
        }
        let kept = Retention::new(u32::try_from(SAMPLE_DAYS).expect("small"), 400, 800).expect("a retention");
        storage.retention_set(&scope::<ManageAccount>(&owner), Some(kept), NOVEMBER).await.expect("chosen");
        let mut rng = StdRng::seed_from_u64(episode);
        let (mut model, mut asked) = (Model::default(), 0);
        while asked < questions {
            match rng.random_range(0..10) {
                0..4 => {
                    let given = batch(&mut rng, now);
                    model.append(&given);
                    append(&storage, &owner, given).await;
                }
                4 => {
                    now = now.plus_seconds(rng.random_range(0..5 * HOUR));
                    run(&storage, &lease, now).await;
                    model.fold(now);
                }
                5..8 => {
                    ask_for_a_list(&storage, &owner, &model, now, &mut rng).await;
                    asked += 1;
                }
                8 => {
                    ask_for_buckets(&storage, &owner, &model, now, &mut rng).await;
                    asked += 1;
                }
                _ => {
                    ask_for_aggregates(&storage, &owner, &model, now, &mut rng).await;
                    asked += 1;
                }
            }
        }
    }
}

/// Again, if a month has been dropped in which nothing was kept any more.
async fn append(storage: &Arc<dyn Storage>, owner: &Account, given: Vec<MetricSample>) {
    for _ in 0..3 {
        match MetricSample::append(storage, owner, given.clone()).await {
            Err(StorageError::Unavailable { .. }) => {}
            appended => {
                appended.expect("appended");
                return;
            }
        }
    }
    panic!("appended at last");
}

fn batch(rng: &mut StdRng, now: Timestamp) -> Vec<MetricSample> {
    let agent = agent_id(AGENTS[rng.random_range(0..AGENTS.len())]);
    let interval = [10, 30, 60, 600][rng.random_range(0..4)];
    let lateness = [HOUR, 50 * HOUR][rng.random_range(0..2)];
    let latest = now.as_seconds() - rng.random_range(0..lateness);
    let latest = latest - latest.rem_euclid(interval);
    let at = |number: i64| Timestamp::from_seconds(latest - number * interval);
    let rows = rng.random_range(1..400);
    (0..rows).map(|number| MetricSample::random(rng, agent.clone(), at(number))).collect()
}

fn some_range(rng: &mut StdRng, now: Timestamp) -> TimeRange {
    let mut end = || {
        let at = now.as_seconds() - rng.random_range(-HOUR..60 * HOUR);
        rng.random_bool(0.7).then(|| Timestamp::from_seconds(at))
    };
    TimeRange { start: end(), end: end() }
}

fn labels_of(agent: &str) -> BTreeMap<String, String> {
    let site = if agent == "b" { "fra" } else { "ber" };
    [("site".to_owned(), site.to_owned())].into()
}

fn some_agents(rng: &mut StdRng) -> AgentFilter {
    match rng.random_range(0..7) {
        0..2 => AgentFilter::All,
        2 => AgentFilter::any_of([0, 2].map(|place| agent_id(AGENTS[place])).into()),
        3 => AgentFilter::Labelled {
            labels: labels_of(AGENTS[rng.random_range(0..2)]).into_iter().collect(),
            among: None,
        },
        place => AgentFilter::One(agent_id(AGENTS[place - 4])),
    }
}

async fn ask_for_a_list(storage: &Arc<dyn Storage>, owner: &Account, model: &Model, now: Timestamp, rng: &mut StdRng) {
    let filter = RecordFilter { agent: some_agents(rng), range: some_range(rng, now) };
    let (mut expected, order) = (model.list(&filter), some_order(rng));
    if order == Order::OldestFirst {
        expected.reverse();
    }
    let limit = [rng.random_range(1..20), rng.random_range(1..1_500), 10_000][rng.random_range(0..3)];
    let walks = rng.random_bool(0.3) && expected.len() < 40 * limit as usize;
    let mut seen = 0_usize;
    loop {
        let after = seen.checked_sub(1).map(|last| &expected[last]);
        let page = MetricSample::page_in(storage, owner, &filter, (order, limit), after).await;
        let until = expected.len().min(seen + limit as usize);
        assert_eq!(page.rows, expected[seen..until], "{filter:?} {order:?} limit {limit} behind {seen}");
        assert_eq!((page.total, page.more), (expected.len() as u64, until < expected.len()), "{filter:?}");
        seen = until;
        if !walks || !page.more {
            return;
        }
    }
}

async fn ask_for_buckets(storage: &Arc<dyn Storage>, owner: &Account, model: &Model, now: Timestamp, rng: &mut StdRng) {
    // What has gone into summaries of hours is found again in whole hours.
    let width = HOUR * [1, 4, 7, 24][rng.random_range(0..4)];
    let hour = now.as_seconds().div_euclid(HOUR) * HOUR;
    let start = hour - HOUR * rng.random_range(0..80);
    let end = start + HOUR * rng.random_range(1..90);
    let span = range(Timestamp::from_seconds(start), Timestamp::from_seconds(end));
    let agent = AGENTS[rng.random_range(0..AGENTS.len())];
    let names = ["cpu_percent", "memory_total_bytes", "latency_ms"];
    let asked = query(agent, span, u32::try_from(width).expect("short"), &names[..rng.random_range(0..=3)]);
    let of_agent = model.all.values().filter(|sample| sample.agent_id.as_str() == agent);
    let expected = of_samples(&asked, of_agent.map(|sample| (sample.timestamp, sample.clone())));
    assert_agree(&buckets(storage, owner, &asked).await, &expected, &asked);
}

async fn ask_for_aggregates(
    storage: &Arc<dyn Storage>,
    owner: &Account,
    model: &Model,
    now: Timestamp,
    rng: &mut StdRng,
) {
    let (hour, from) = (now.as_seconds().div_euclid(HOUR) * HOUR, rng.random_range(0..80));
    let start = hour - HOUR * from;
    let (start, end, seconds) = if rng.random_bool(0.5) {
        // Whole hours, in which summaries are found again.
        (start, start + HOUR * rng.random_range(1..90), HOUR * [1, 4, 7, 24][rng.random_range(0..4)])
    } else {
        // Any time of which nothing is left as a summary.
        let start = model.folded_before.map_or(start, |before| start.max(before.as_seconds()));
        let start = start + rng.random_range(0..HOUR);
        (start, start + rng.random_range(1..30 * HOUR), rng.random_range(60..5 * HOUR))
    };
    let span = range(Timestamp::from_seconds(start), Timestamp::from_seconds(end));
    let records = RecordFilter { agent: some_agents(rng), range: span };
    let asked = Asked::random(rng, records, seconds);
    let expected = aggregated(
        &asked,
        &model.all,
        |agent| labels_of(agent.as_str()),
        |at| model.folded_before.is_some_and(|before| at < before),
    );
    let known = AGENTS.map(agent_id);
    let page = (some_order(rng), [rng.random_range(1..20), 10_000][rng.random_range(0..2)]);
    assert_walk(storage, owner, &asked, expected, &known, |agent| labels_of(agent.as_str()), page).await;
}
