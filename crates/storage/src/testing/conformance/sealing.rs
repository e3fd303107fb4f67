//! Sealed chunks are seen by nobody.

use std::sync::Arc;

use astranetmon_domain::{AgentFilter, MetricSample, RecordFilter, Timestamp};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::buckets::range;
use super::records::Record;
use super::retention::lease;
use super::{NOVEMBER, account, agent_id};
use crate::{Expired, Lease, RetentionCursor, Storage};

const HOUR: i64 = 3_600;
const DAY: i64 = 86_400;

/// A whole run of the job; what it did.
pub(super) async fn run(storage: &Arc<dyn Storage>, lease: &Lease, now: Timestamp) -> Expired {
    let (mut done, mut next) = (Expired::default(), Some(RetentionCursor::default()));
    while let Some(cursor) = next {
        let step = storage.retention_step(lease, &cursor, now).await.expect("a step");
        done += step.gone;
        next = step.next;
    }
    done
}

/// A sample every `interval` seconds before [`NOVEMBER`], the newest first.
fn regular(agent: &str, count: i64, interval: i64) -> Vec<MetricSample> {
    let mut rng = StdRng::seed_from_u64(1);
    let at = |number: i64| NOVEMBER.plus_seconds(-number * interval);
    (1..=count).map(|number| MetricSample::random(&mut rng, agent_id(agent), at(number))).collect()
}

/// What is finished, and no more: of each agent its newest sample stays a row, and samples may come late.
pub async fn finished_samples_are_sealed_once(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    // Three hours of one, and three days of the other, of which the last ends at midnight.
    let given = [regular("a", 3 * 360, 10), regular("b", 3 * 1_440, 60)].concat();
    for part in given.chunks(1_000) {
        MetricSample::append(&storage, &owner, part.to_vec()).await.expect("appended");
    }
    let lease = lease(&storage, NOVEMBER).await;
    for (hours, sealed) in [(0, 360 + 2 * 1_440 + 22 * 60), (1, 360 + 60), (2, 0), (30, 0)] {
        let done = run(&storage, &lease, NOVEMBER.plus_seconds(hours * HOUR)).await;
        let expected =
            Expired { samples_sealed: sealed, bytes_given_back: done.bytes_given_back, ..Expired::default() };
        assert_eq!(done, expected, "{hours} hours later");
    }
    MetricSample::append(&storage, &owner, vec![regular("b", 1, 0).remove(0)]).await.expect("appended");
    let done = run(&storage, &lease, NOVEMBER.plus_seconds(2 * HOUR)).await;
    assert_eq!(done.samples_sealed, 60, "another sample is the newest");
    let page = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 10_000, None).await;
    assert_eq!(page.rows.len(), given.len() + 1);
}

/// Samples that come again, know more, or are new for a time that is sealed.
pub async fn late_samples_go_into_their_chunk(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut given = regular("a", 1_500, 60);
    let known_later = given[700].load_1.take();
    let append = async |rows: Vec<MetricSample>| MetricSample::append(&storage, &owner, rows).await.expect("appended");
    append(given.clone()).await;
    let lease = lease(&storage, NOVEMBER).await;
    assert_eq!(run(&storage, &lease, NOVEMBER.plus_seconds(DAY)).await.samples_sealed, 60 + 23 * 60);
    append(vec![regular("a", 1, -60).remove(0)]).await;
    assert_eq!(run(&storage, &lease, NOVEMBER.plus_seconds(DAY)).await.samples_sealed, 60);
    let again = given[600..800].to_vec();
    let appended = append(again).await;
    assert_eq!((appended.inserted, appended.filled, appended.known), (0, 0, 200));
    given[700].load_1 = known_later.or(Some(0.5));
    let between = MetricSample { timestamp: given[701].timestamp.plus_seconds(30), ..given[701].clone() };
    let appended = append(vec![given[702].clone(), given[700].clone(), between.clone()]).await;
    assert_eq!((appended.inserted, appended.filled, appended.known_rows), (1, 1, vec![0]));
    given.insert(701, between);
    assert_eq!(run(&storage, &lease, NOVEMBER.plus_seconds(DAY)).await, Expired::default(), "they are sealed already");
    let span = range(given[1_000].timestamp, given[0].timestamp.plus_seconds(1));
    let filter = RecordFilter { agent: AgentFilter::One(agent_id("a")), range: span };
    let page = MetricSample::page(&storage, &owner, &filter, 10_000, None).await;
    assert_eq!((page.total, page.rows.as_slice()), (1_001, &given[..1_001]));
}
