//! What is particular to metrics: filling, rounding, large batches.

use std::sync::Arc;

use astranetmon_domain::{MetricSample, RecordFilter, Timestamp};

use super::records::Record;
use super::{NOVEMBER, account, agent_id, scope};
use crate::{Appended, Storage};

fn sample(agent: &str, at: Timestamp) -> MetricSample {
    MetricSample::new(agent_id(agent), at)
}

/// A second sample fills what was unknown and overwrites nothing.
pub async fn a_sample_is_stored_once_and_fills_what_was_unknown(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (inserted, filled, known) = ((1, 0, 0), (0, 1, 0), (0, 0, 1));
    let full = |cpu, load, bytes| MetricSample {
        cpu_percent: cpu,
        load_1: load,
        memory_used_bytes: bytes,
        ..sample("a", NOVEMBER)
    };
    for (given, expected, stored) in [
        (full(None, None, None), inserted, full(None, None, None)),
        (full(Some(1.0), None, None), filled, full(Some(1.0), None, None)),
        (full(Some(2.0), None, None), known, full(Some(1.0), None, None)),
        (full(None, None, None), known, full(Some(1.0), None, None)),
        (full(Some(3.0), Some(0.0), Some(5)), filled, full(Some(1.0), Some(0.0), Some(5))),
        (full(Some(9.0), Some(9.0), Some(9)), known, full(Some(1.0), Some(0.0), Some(5))),
    ] {
        let appended = MetricSample::append(&storage, &owner, vec![given]).await.expect("appended");
        assert_eq!((appended.inserted, appended.filled, appended.known), expected);
        let page = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 10, None).await;
        assert_eq!((page.rows, page.total), (vec![stored], 1));
    }
}

/// Within a batch the first sample of a key counts and later ones fill it; keys are told apart by the millisecond.
pub async fn a_batch_repeats_itself_harmlessly(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let with =
        |micros, cpu_percent, load_1| MetricSample { cpu_percent, load_1, ..sample("a", NOVEMBER.plus_micros(micros)) };
    let batch = vec![
        with(999, Some(1.0), None),
        with(0, Some(2.0), Some(2.0)),
        with(500, Some(3.0), Some(3.0)),
        with(1_000, None, None),
    ];
    let appended = MetricSample::append(&storage, &owner, batch.clone()).await.expect("appended");
    assert_eq!(appended, Appended { inserted: 2, filled: 1, known: 1, known_rows: vec![2], ..Appended::default() });
    let again = MetricSample::append(&storage, &owner, batch).await.expect("appended");
    assert_eq!(
        again,
        Appended { inserted: 0, filled: 0, known: 4, known_rows: vec![0, 1, 2, 3], ..Appended::default() }
    );
    let mixed =
        vec![with(2_000, None, None), with(0, Some(9.0), None), with(3_000, None, None), with(2_000, None, None)];
    let mixed = MetricSample::append(&storage, &owner, mixed).await.expect("appended");
    assert_eq!(mixed, Appended { inserted: 2, filled: 0, known: 2, known_rows: vec![1, 3], ..Appended::default() });
    let page = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 10, None).await;
    let stored =
        vec![with(3_000, None, None), with(2_000, None, None), with(1_000, None, None), with(0, Some(1.0), Some(2.0))];
    assert_eq!((page.rows, page.total), (stored, 4));
    assert_eq!(MetricSample::append(&storage, &owner, Vec::new()).await.expect("nothing"), Appended::default());
}

/// More rows than one statement could carry as single values, over several months.
pub async fn a_large_batch_is_stored_whole(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let batch: Vec<_> = (0..6_000)
        .map(|n| MetricSample { uptime_seconds: Some(n), ..sample("a", NOVEMBER.plus_seconds(n * 1_200)) })
        .collect();
    let all = batch.len() as u64;
    let appended = MetricSample::append(&storage, &owner, batch.clone()).await.expect("appended");
    assert_eq!(appended, Appended { inserted: all, ..Appended::default() });
    let page = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 10_000, None).await;
    assert_eq!((page.rows, page.total, page.more), (batch.into_iter().rev().collect(), all, false));
}

/// Floats at their scale, whole numbers of any size, all fields.
pub async fn values_come_back_as_they_were_rounded(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let values = |nth: i64| std::array::from_fn(|field| if field % 7 == 6 { -nth } else { nth * (field as i64 + 1) });
    let extremes = MetricSample {
        network_receive_bytes_total: Some(i64::MAX),
        network_errors_count: Some(0),
        cpu_percent: Some(33.335_001),
        latency_ms: Some(f64::NAN),
        ..sample("extremes", NOVEMBER)
    };
    let samples = [
        MetricSample::from_fixed_values(agent_id("a"), NOVEMBER, &values(1)),
        MetricSample::from_fixed_values(agent_id("b"), NOVEMBER, &values(123_457)),
        extremes.clone(),
    ];
    MetricSample::append(&storage, &owner, samples.to_vec()).await.expect("appended");
    let page = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 10, None).await;
    assert_eq!(page.rows, samples.map(MetricSample::normalized));
    assert_eq!((page.rows[2].cpu_percent, page.rows[2].latency_ms), (Some(33.34), None));
}

/// Writers with overlapping batches at once: every key once, and totals agree with the rows.
pub async fn writers_of_one_account_lose_nothing(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let writers: Vec<_> = (0..8_i64)
        .map(|writer| {
            let (storage, ingest) = (Arc::clone(&storage), scope(&owner));
            tokio::spawn(async move {
                let mut inserted = 0;
                for batch in 0..5_i64 {
                    let first = (writer / 2) * 50 + batch * 10;
                    let samples = (first..first + 15).map(|n| sample("a", NOVEMBER.plus_seconds(n * 60))).collect();
                    inserted += storage.metric_append(&ingest, samples, NOVEMBER).await.expect("appended").inserted;
                }
                inserted
            })
        })
        .collect();
    let mut inserted = 0;
    for writer in writers {
        inserted += writer.await.expect("no panic");
    }
    let page = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 10_000, None).await;
    assert_eq!((page.rows.len() as u64, page.total, inserted), (205, 205, 205));
    let page = MetricSample::page(&storage, &owner, &RecordFilter::ALL, 1, None).await;
    assert_eq!(page.total, 205);
}
