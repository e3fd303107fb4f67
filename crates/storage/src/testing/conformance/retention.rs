//! The end of measured data's life.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use astranetmon_auth::{ManageAccount, Operator};
use astranetmon_domain::{
    Account, AgentFilter, MetricSample, Plan, RecordFilter, Retention, Speedtest, TimeRange, Timestamp, Traceroute,
};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::agents::add;
use super::alert_job::{fire, fired, lease as alert_lease};
use super::alerts::{definition, rule};
use super::buckets::{assert_agree, buckets, of_samples, query, range};
use super::records::Record;
use super::traceroutes::trace;
use super::{NOVEMBER, OPERATOR, account, agent_id, scope};
use crate::{AuditEntry, Expired, Lease, RetentionCursor, RetentionStep, Storage, StorageError};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;
const AGENTS: [&str; 3] = ["a", "b", "c.d"];
/// 2 days of samples, 9 of hours, 30 of days.
const KEPT: (u32, u32, u32) = (2, 9, 30);

pub(super) async fn lease(storage: &Arc<dyn Storage>, now: Timestamp) -> Lease {
    let ttl = Duration::from_secs(3_600);
    storage.lease_acquire(&OPERATOR, "retention", "test", ttl, now).await.expect("no error").expect("free")
}

/// An account that keeps [`KEPT`].
pub(super) async fn brief(storage: &Arc<dyn Storage>, name: &str) -> Account {
    let owner = account(storage, name).await;
    let kept = Retention::new(KEPT.0, KEPT.1, KEPT.2).expect("a retention");
    storage.retention_set(&scope::<ManageAccount>(&owner), Some(kept), NOVEMBER).await.expect("chosen");
    owner
}

async fn step(storage: &Arc<dyn Storage>, lease: &Lease, cursor: &RetentionCursor) -> RetentionStep {
    storage.retention_step(lease, cursor, NOVEMBER).await.expect("a step")
}

/// A whole run; what went.
pub(super) async fn run(storage: &Arc<dyn Storage>, lease: &Lease) -> Expired {
    let (mut gone, mut cursor) = (Expired::default(), RetentionCursor::default());
    for _ in 0..10_000 {
        let step = step(storage, lease, &cursor).await;
        gone += step.gone;
        match step.next {
            Some(next) => cursor = next,
            None => return gone,
        }
    }
    panic!("a run without an end");
}

/// Samples over `days` before [`NOVEMBER`], at random, of each agent.
async fn samples(storage: &Arc<dyn Storage>, owner: &Account, days: i64, each: usize) -> Vec<MetricSample> {
    let mut rng = StdRng::seed_from_u64(1);
    let mut samples = Vec::new();
    for agent in AGENTS {
        let times: BTreeSet<i64> = (0..each).map(|_| rng.random_range(-days * DAY * 1_000..0)).collect();
        let at = |millis: i64| NOVEMBER.plus_micros(millis * 1_000);
        samples.extend(times.into_iter().map(|millis| MetricSample::random(&mut rng, agent_id(agent), at(millis))));
    }
    for part in samples.chunks(1_000) {
        MetricSample::append(storage, owner, part.to_vec()).await.expect("appended");
    }
    samples
}

/// Where a sample is counted after a run: at its own time, at the start of its hour or of its day; `None` if it is
/// gone.
fn place(at: Timestamp) -> Option<Timestamp> {
    let limit = |days: u32, seconds: i64| {
        let limit = NOVEMBER.plus_seconds(-i64::from(days) * DAY - HOUR).as_seconds();
        limit - limit.rem_euclid(seconds)
    };
    let down = |seconds: i64| at.as_seconds() - at.as_seconds().rem_euclid(seconds);
    if at.as_seconds() >= limit(KEPT.0, HOUR) {
        Some(at)
    } else if down(DAY) >= limit(KEPT.1, DAY) {
        Some(Timestamp::from_seconds(down(HOUR)))
    } else {
        (down(DAY) >= limit(KEPT.2, DAY)).then(|| Timestamp::from_seconds(down(DAY)))
    }
}

async fn counted(storage: &Arc<dyn Storage>, owner: &Account, agent: &str) -> u64 {
    let all = query(agent, range(NOVEMBER.plus_seconds(-400 * DAY), NOVEMBER), DAY as u32, &["load_1"]);
    buckets(storage, owner, &all).await.iter().map(|bucket| u64::from(bucket.sample_count)).sum()
}

async fn total(storage: &Arc<dyn Storage>, owner: &Account, filter: &RecordFilter) -> u64 {
    MetricSample::page(storage, owner, filter, 1, None).await.total
}

/// Counts, least and greatest values and means, for whole hours and days, for lengths that divide neither, and
/// whatever the ends of the range; a summary lies at its first moment.
pub async fn buckets_over_all_tiers_agree_with_the_samples(storage: Arc<dyn Storage>) {
    let owner = brief(&storage, "owner").await;
    let samples = samples(&storage, &owner, 45, 900).await;
    let lease = lease(&storage, NOVEMBER).await;
    let gone = run(&storage, &lease).await;
    let places: Vec<_> = samples.iter().map(|sample| place(sample.timestamp)).collect();
    let kept_as_rows = samples.iter().filter(|sample| place(sample.timestamp) == Some(sample.timestamp)).count() as u64;
    assert_eq!(gone.samples_folded, samples.len() as u64 - kept_as_rows);
    assert!(gone.hours_folded > 0 && gone.days > 0 && places.contains(&None), "{gone:?}");
    let mut rng = StdRng::seed_from_u64(2);
    let names = ["temperature_celsius", "cpu_percent", "memory_total_bytes", "load_1", "latency_ms", "uptime_seconds"];
    for agent in AGENTS {
        let placed = || {
            let own = samples.iter().zip(&places).filter(|(sample, _)| sample.agent_id == agent_id(agent));
            own.filter_map(|(sample, place)| Some(((*place)?, sample.clone())))
        };
        for _ in 0..8 {
            let start = NOVEMBER.plus_seconds(rng.random_range(-50 * DAY..-DAY));
            let end = start.plus_seconds(rng.random_range(1..50 * DAY));
            for length in [3_600, 86_400, 7 * 3_600 + 13] {
                let query = query(agent, range(start, end), length, &names[..rng.random_range(0..=names.len())]);
                assert_agree(&buckets(&storage, &owner, &query).await, &of_samples(&query, placed()), &query);
            }
        }
    }
    assert_eq!(run(&storage, &lease).await, Expired::default(), "nothing more is due");
}

/// Steps that are dropped half-way, cursors that are forgotten, late samples in between: rows and summaries together
/// have each sample once, also for whoever looks meanwhile.
pub async fn each_sample_is_counted_once_wherever_the_job_is_stopped(storage: Arc<dyn Storage>) {
    let owner = brief(&storage, "owner").await;
    // None so old that it would go.
    let mut appended = samples(&storage, &owner, 25, 2_500).await;
    let lease = lease(&storage, NOVEMBER).await;
    let watched = {
        let (storage, owner) = (Arc::clone(&storage), owner.clone());
        let expected = counted(&storage, &owner, "b").await;
        tokio::spawn(async move {
            for _ in 0..150 {
                assert_eq!(counted(&storage, &owner, "b").await, expected, "to a reader");
            }
        })
    };
    let mut rng = StdRng::seed_from_u64(3);
    for round in 0..60 {
        let mut cursor = RetentionCursor::default();
        for _ in 0..rng.random_range(0..4) {
            match step(&storage, &lease, &cursor).await.next {
                Some(next) => cursor = next,
                None => break,
            }
        }
        let patience = Duration::from_micros(rng.random_range(0..8_000));
        let _ = tokio::time::timeout(patience, storage.retention_step(&lease, &cursor, NOVEMBER)).await;
        if round % 10 == 0 {
            let at = NOVEMBER.plus_seconds(-DAY).plus_micros(round * 1_000 + 500_000);
            let late = MetricSample::random(&mut rng, agent_id("a"), at);
            MetricSample::append(&storage, &owner, vec![late.clone()]).await.expect("appended");
            appended.push(late);
        }
        for agent in ["a", "c.d"] {
            let own = appended.iter().filter(|sample| sample.agent_id == agent_id(agent)).count() as u64;
            assert_eq!(counted(&storage, &owner, agent).await, own, "{agent}, round {round}");
        }
    }
    watched.await.expect("no panic");
    run(&storage, &lease).await;
    let rows = appended.iter().filter(|sample| place(sample.timestamp) == Some(sample.timestamp)).count() as u64;
    assert_eq!(total(&storage, &owner, &RecordFilter::ALL).await, rows);
    let page = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 10_000, None).await;
    assert_eq!(page.rows.len() as u64, rows);
}

/// The buckets of a year are the same before and after, as long as they are no shorter than a day.
pub async fn a_chart_of_a_year_is_whole_while_its_data_goes(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    samples(&storage, &owner, 365, 1_500).await;
    let lease = lease(&storage, NOVEMBER).await;
    let year = query("a", range(NOVEMBER.plus_seconds(-365 * DAY), NOVEMBER), DAY as u32, &["cpu_percent"]);
    let before = buckets(&storage, &owner, &year).await;
    assert!(run(&storage, &lease).await.samples_folded > 0);
    assert_agree(&buckets(&storage, &owner, &year).await, &before, &year);
}

/// Counts agree with rows for any range after any step, and a walk sees every row once that was there when it began and
/// has not gone.
pub async fn totals_pages_and_walks_are_right_while_rows_go(storage: Arc<dyn Storage>) {
    let owner = brief(&storage, "owner").await;
    let samples = samples(&storage, &owner, 6, 900).await;
    let lease = lease(&storage, NOVEMBER).await;
    let mut rng = StdRng::seed_from_u64(4);
    let (mut cursor, mut walked) = (Some(RetentionCursor::default()), Vec::new());
    let mut after: Option<MetricSample> = None;
    loop {
        let page = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 97, after.as_ref()).await;
        walked.extend(page.rows.iter().map(|sample| (sample.timestamp, sample.agent_id.clone())));
        after = page.rows.last().cloned();
        if !page.more {
            break;
        }
        if let Some(at) = cursor {
            cursor = step(&storage, &lease, &at).await.next;
        }
        let start = NOVEMBER.plus_seconds(rng.random_range(-7 * DAY..0));
        let some = TimeRange { start: Some(start), end: Some(start.plus_seconds(rng.random_range(1..3 * DAY))) };
        let agent = [AgentFilter::All, AgentFilter::One(agent_id("b"))][rng.random_range(0..2)].clone();
        let filter = RecordFilter { agent, range: some };
        let rows = MetricSample::page(&storage, &owner, &filter, 10_000, None).await.rows.len() as u64;
        assert_eq!(total(&storage, &owner, &filter).await, rows, "{filter:?}");
    }
    let distinct: BTreeSet<_> = walked.iter().cloned().collect();
    assert_eq!(distinct.len(), walked.len(), "a row was seen twice");
    run(&storage, &lease).await;
    let kept = samples.iter().filter(|sample| place(sample.timestamp) == Some(sample.timestamp));
    for sample in kept {
        assert!(distinct.contains(&(sample.timestamp, sample.agent_id.clone())), "{} was not seen", sample.timestamp);
    }
}

/// As old as hourly summaries may be; a trace that is kept still says that it changed, though the one before it is gone.
pub async fn old_speed_tests_and_traceroutes_go_and_path_changed_stays(storage: Arc<dyn Storage>) {
    let owner = brief(&storage, "owner").await;
    let mut rng = StdRng::seed_from_u64(5);
    let (mut speedtests, mut traceroutes) = (Vec::new(), Vec::new());
    for hour in 0..600_i64 {
        let at = NOVEMBER.plus_seconds(-hour * HOUR - 1);
        let (agent, last) = (AGENTS[rng.random_range(0..3)], ["192.0.2.1", "192.0.2.2"][rng.random_range(0..2)]);
        speedtests.push(Speedtest::random(&mut rng, agent_id(agent), at));
        traceroutes.push(trace(&mut rng, "a", at, &[last]));
    }
    Speedtest::append(&storage, &owner, speedtests).await.expect("appended");
    Traceroute::append(&storage, &owner, traceroutes).await.expect("appended");
    let before = Traceroute::page(&storage, &owner, &RecordFilter::ALL, 1_000, None).await.rows;
    let lease = lease(&storage, NOVEMBER).await;
    let gone = run(&storage, &lease).await;
    let kept = u64::from(KEPT.1) * 24 + 1;
    assert_eq!((gone.speedtests, gone.traceroutes), (600 - kept, 600 - kept));
    let speedtests = Speedtest::page(&storage, &owner, &RecordFilter::ALL, 1_000, None).await;
    assert_eq!((speedtests.rows.len() as u64, speedtests.total), (kept, kept));
    let traceroutes = Traceroute::page(&storage, &owner, &RecordFilter::ALL, 1_000, None).await;
    assert_eq!(traceroutes.total, kept);
    assert_eq!(traceroutes.rows, before[..traceroutes.rows.len()], "as they were, `path_changed` too");
    assert_eq!(Speedtest::page(&storage, &owner, &RecordFilter::ALL, 1, None).await.total, kept, "by the counts");
}

/// Alerts that have ended, messages about them and lines of the audit log after 400 days; not an alert that goes on.
pub async fn history_goes_when_it_is_old(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let alerts = alert_lease(&storage).await;
    let rule = rule(&storage, &owner, vec![]).await;
    let long_ago = NOVEMBER.plus_seconds(-401 * DAY);
    fire(&storage, &alerts, &owner, &rule, &fired(&rule, "a", long_ago)).await;
    for at in [long_ago, NOVEMBER.plus_seconds(-399 * DAY)] {
        let entry = AuditEntry {
            at,
            actor: "system:test".to_owned(),
            action: "something.old".to_owned(),
            object: "thing:1".to_owned(),
        };
        storage.audit_append(&Operator::new("test"), owner.id, &entry).await.expect("added");
    }
    let lease = lease(&storage, NOVEMBER).await;
    let gone = run(&storage, &lease).await;
    assert_eq!((gone.audit_entries, gone.alert_events), (1, 0), "the alert has not ended");
    let definition = astranetmon_domain::AlertRuleDefinition { enabled: false, ..definition("hot", vec![]) };
    storage.alert_rule_update(&scope(&owner), rule.id, &definition, long_ago).await.expect("switched off");
    assert_eq!(run(&storage, &lease).await.alert_events, 1);
    assert_eq!(run(&storage, &lease).await, Expired::default());
}

/// Each by its own plan and choice.
pub async fn accounts_keep_what_is_theirs(storage: Arc<dyn Storage>) {
    let (brief, long) = (brief(&storage, "brief").await, account(&storage, "long").await);
    storage.account_set_plan(&scope::<ManageAccount>(&long), Plan::Enterprise, NOVEMBER).await.expect("set");
    for owner in [&brief, &long] {
        samples(&storage, owner, 10, 100).await;
    }
    let lease = lease(&storage, NOVEMBER).await;
    assert!(run(&storage, &lease).await.samples_folded > 0);
    assert_eq!(total(&storage, &long, &RecordFilter::ALL).await, 300);
    assert!(total(&storage, &brief, &RecordFilter::ALL).await < 150);
    for agent in AGENTS {
        assert_eq!((counted(&storage, &brief, agent).await, counted(&storage, &long, agent).await), (100, 100));
    }
    let kept = storage.retention_for_ingest(&scope(&brief)).await.expect("kept");
    assert!(kept.oldest_metric(NOVEMBER) >= NOVEMBER.plus_seconds(-i64::from(KEPT.0) * DAY));
}

/// Nobody could see whether they are in a summary already: not even when the account keeps more again. They are too
/// old, and named.
pub async fn samples_of_folded_times_are_not_taken_again(storage: Arc<dyn Storage>) {
    let owner = brief(&storage, "owner").await;
    let given = samples(&storage, &owner, 10, 100).await;
    let lease = lease(&storage, NOVEMBER).await;
    run(&storage, &lease).await;
    storage.retention_set(&scope::<ManageAccount>(&owner), None, NOVEMBER).await.expect("chosen");
    let rows = total(&storage, &owner, &RecordFilter::ALL).await;
    let again = MetricSample::append(&storage, &owner, given.clone()).await.expect("appended");
    let kept = storage.retention_for_ingest(&scope(&owner)).await.expect("kept");
    let places = |is_old: bool| -> Vec<u32> {
        let places = (0..).zip(&given).filter(|(_, sample)| (sample.timestamp < kept.folded_before) == is_old);
        places.map(|(place, _)| place).collect()
    };
    assert_eq!((again.inserted, again.filled, again.known), (0, 0, rows));
    assert_eq!((again.known_rows, again.too_old_rows), (places(false), places(true)));
    assert!(rows > 0 && kept.oldest_metric(NOVEMBER) == kept.folded_before, "refused before they come here");
    assert_eq!(total(&storage, &owner, &RecordFilter::ALL).await, rows);
    assert_eq!(counted(&storage, &owner, "a").await, 100);
}

/// All of its rows, its summaries too, and then the note of it, which frees its id; nothing of others.
pub async fn what_a_deleted_agent_left_goes(storage: Arc<dyn Storage>) {
    let owner = brief(&storage, "owner").await;
    for agent in AGENTS {
        add(&storage, &owner, agent, agent).await;
    }
    samples(&storage, &owner, 10, 200).await;
    let mut rng = StdRng::seed_from_u64(6);
    let records = || AGENTS.map(|agent| (agent_id(agent), NOVEMBER.plus_seconds(-HOUR)));
    let speedtests = records().map(|(agent, at)| Speedtest::random(&mut rng, agent, at));
    Speedtest::append(&storage, &owner, speedtests.to_vec()).await.expect("appended");
    let traceroutes = records().map(|(agent, at)| Traceroute::random(&mut rng, agent, at));
    Traceroute::append(&storage, &owner, traceroutes.to_vec()).await.expect("appended");
    let lease = lease(&storage, NOVEMBER).await;
    run(&storage, &lease).await;
    assert!(storage.agent_delete(&scope(&owner), &agent_id("b"), NOVEMBER).await.expect("deleted"));
    let gone = run(&storage, &lease).await;
    assert!(gone.samples_removed > 0 && gone.summaries_removed > 0, "{gone:?}");
    assert_eq!((gone.speedtests, gone.traceroutes, gone.agents), (1, 1, 1));
    assert_eq!((counted(&storage, &owner, "b").await, counted(&storage, &owner, "a").await), (0, 200));
    let rows = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 10_000, None).await;
    assert!(rows.rows.iter().all(|sample| sample.agent_id != agent_id("b")));
    assert_eq!(total(&storage, &owner, &RecordFilter::ALL).await, rows.rows.len() as u64);
    assert_eq!(Speedtest::page(&storage, &owner, &RecordFilter::ALL, 10, None).await.total, 2);
    let sample = MetricSample::new(agent_id("b"), NOVEMBER);
    MetricSample::append(&storage, &owner, vec![sample]).await.expect("the id is free");
    assert_eq!(run(&storage, &lease).await, Expired::default());
}

/// By who deletes it, beside the job and under another lease: what is merely old stays for the job.
pub async fn what_deleted_agents_left_goes_beside_the_job(storage: Arc<dyn Storage>) {
    let (owner, other) = (brief(&storage, "owner").await, brief(&storage, "other").await);
    for owner in [&owner, &other] {
        for agent in AGENTS {
            add(&storage, owner, agent, agent).await;
        }
        samples(&storage, owner, 10, 400).await;
        assert!(storage.agent_delete(&scope(owner), &agent_id("b"), NOVEMBER).await.expect("deleted"));
    }
    let _job = lease(&storage, NOVEMBER).await;
    let ttl = Duration::from_secs(3_600);
    let own = storage.lease_acquire(&OPERATOR, "agent removal", "test", ttl, NOVEMBER).await.expect("asked");
    let (own, mut gone) = (own.expect("free"), Expired::default());
    let mut next = Some(RetentionCursor::removals(owner.id));
    while let Some(cursor) = next {
        let step = step(&storage, &own, &cursor).await;
        assert!(step.gone.samples_removed <= 1_000, "a bounded step: {:?}", step.gone);
        gone += step.gone;
        next = step.next;
    }
    assert_eq!(gone, Expired { samples_removed: 400, agents: 1, ..Expired::default() });
    assert_eq!((counted(&storage, &owner, "b").await, counted(&storage, &owner, "a").await), (0, 400));
    assert_eq!(total(&storage, &owner, &RecordFilter::ALL).await, 800, "old samples stay, until the job comes");
    assert_eq!(total(&storage, &other, &RecordFilter::ALL).await, 1_200);
    let sample = MetricSample::new(agent_id("b"), NOVEMBER);
    MetricSample::append(&storage, &owner, vec![sample]).await.expect("the id is free");
}

/// Who has lost the lease changes nothing.
pub async fn a_stale_holder_ends_nothing(storage: Arc<dyn Storage>) {
    let owner = brief(&storage, "owner").await;
    let given = samples(&storage, &owner, 10, 50).await.len() as u64;
    let stale = lease(&storage, NOVEMBER).await;
    storage.lease_release(&stale).await.expect("given back");
    let fresh = lease(&storage, NOVEMBER).await;
    let refused = storage.retention_step(&stale, &RetentionCursor::default(), NOVEMBER).await;
    assert!(matches!(refused, Err(StorageError::LeaseLost { name: "retention" })), "{refused:?}");
    assert_eq!(total(&storage, &owner, &RecordFilter::ALL).await, given);
    assert!(run(&storage, &fresh).await.samples_folded > 0);
}
