use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use astranetmon_auth::{Ingest, ReadMetrics, Scope};
use astranetmon_domain::{
    AccountId, MetricColumns, MetricPosition, MetricSample, PageRequest, RecordFilter, Timestamp,
};
use async_trait::async_trait;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::TryStreamExt;

use super::append::{add_counts, advance_account, lock_account};
use super::failure::Failure;
use super::metric_write::{InsertMetrics, StoredMetrics, UpdateMetrics};
use super::totals::{table, total};
use super::{PostgresStorage, Result, queries};
use crate::buckets::BucketFold;
use crate::counts::{CountDeltas, RecordKind};
use crate::measured::Measured;
use crate::rows::{MetricReadRow, PackedMetricRow};
use crate::{Appended, BucketQuery, MetricBucket, MetricPage, MetricRepository};

#[async_trait]
impl MetricRepository for PostgresStorage {
    async fn metric_page(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        page: &PageRequest<MetricPosition, 10_000>,
    ) -> Result<MetricPage> {
        if filter.is_empty() {
            return Ok(MetricPage::default());
        }
        let account_id = scope.account_id();
        let limit = page.limit.rows() as usize;
        self.read_share(account_id, "reading metrics", async |connection| {
            let query = queries::metric_page(account_id, filter, page.after.as_ref(), i64::from(page.limit.rows()) + 1);
            let mut rows = std::pin::pin!(query.load_stream::<MetricReadRow>(connection).await?);
            let mut columns = MetricColumns::with_capacity(limit + 1);
            while let Some(row) = rows.try_next().await? {
                columns.push(&row.agent_id, Timestamp::from_micros(row.timestamp), &row.measured.0);
            }
            let more = columns.len() > limit;
            columns.truncate(limit);
            let total = if page.after.is_none() && !more {
                columns.len() as u64
            } else {
                total(connection, account_id, RecordKind::Metric, filter).await?
            };
            Ok(MetricPage { columns, total, more })
        })
        .await
    }

    async fn metric_buckets(&self, scope: &Scope<ReadMetrics>, query: &BucketQuery) -> Result<Vec<MetricBucket>> {
        if query.range().is_empty() {
            return Ok(Vec::new());
        }
        let account_id = scope.account_id();
        self.read_share(account_id, "putting metrics in buckets", async |connection| {
            let rows = queries::metric_span(account_id, query.agent_id(), query.micros());
            let mut rows = std::pin::pin!(rows.load_stream::<PackedMetricRow>(connection).await?);
            let mut fold = BucketFold::new(query);
            while let Some(row) = rows.try_next().await? {
                fold.push(row.timestamp, &row.measured);
            }
            Ok(fold.finish())
        })
        .await
    }

    async fn metric_append(
        &self,
        scope: &Scope<Ingest>,
        samples: Vec<MetricSample>,
        now: Timestamp,
    ) -> Result<Appended> {
        let (samples, repeated) = distinct(samples);
        if samples.is_empty() {
            return Ok(repeated);
        }
        self.make_partitions(table(RecordKind::Metric), samples.iter().map(|sample| sample.timestamp.as_micros()))
            .await?;
        let account_id = scope.account_id();
        self.append("appending metrics", async |connection| {
            connection
                .transaction(async |connection| {
                    let last = lock_account(connection, account_id).await?;
                    let numbered = || samples.iter().zip(last + 1..);
                    let insert = InsertMetrics::of(account_id, now, numbered());
                    let inserted: Vec<(String, i64)> = insert.get_results(connection).await?;
                    let inserted: HashSet<_> = inserted.into_iter().collect();
                    let is_new = |sample: &MetricSample| {
                        inserted.contains(&(sample.agent_id.as_str().to_owned(), sample.timestamp.as_micros()))
                    };
                    let known: Vec<_> = numbered().filter(|(sample, _)| !is_new(sample)).collect();
                    let filled = if known.is_empty() { 0 } else { fill(connection, account_id, &known).await? };

                    if !inserted.is_empty() {
                        let mut deltas = CountDeltas::default();
                        inserted.iter().for_each(|(agent_id, timestamp)| deltas.add(agent_id, *timestamp));
                        add_counts(connection, account_id, RecordKind::Metric, &deltas).await?;
                    }
                    if inserted.len() + filled > 0 {
                        advance_account(connection, account_id, last + samples.len() as i64).await?;
                    }
                    Ok::<_, Failure>(Appended {
                        inserted: inserted.len() as u64,
                        filled: repeated.filled + filled as u64,
                        known: repeated.known + (samples.len() - inserted.len() - filled) as u64,
                    })
                })
                .await
        })
        .await
    }
}

/// Fills what is unknown in the stored rows of the same keys; how many had anything to fill.
async fn fill(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    known: &[(&MetricSample, i64)],
) -> std::result::Result<usize, Failure> {
    let stored = StoredMetrics::of(account_id, known.iter().map(|(sample, _)| *sample));
    let stored: Vec<(i64, Measured)> = stored.load(connection).await?;
    let mut update = UpdateMetrics::new(account_id);
    for (position, mut measured) in stored {
        let Some((sample, sequence)) = usize::try_from(position - 1).ok().and_then(|index| known.get(index)) else {
            continue;
        };
        if measured.fill_from(&Measured::of(sample)) {
            update.push(sample, *sequence, &measured);
        }
    }
    let filled = update.len();
    if filled > 0 {
        update.execute(connection).await?;
    }
    Ok(filled)
}

/// The samples as they are stored, each key once: what came first stays, what comes later fills it. With what became
/// of the later ones.
fn distinct(samples: Vec<MetricSample>) -> (Vec<MetricSample>, Appended) {
    let mut positions = HashMap::with_capacity(samples.len());
    let mut distinct: Vec<MetricSample> = Vec::with_capacity(samples.len());
    let mut repeated = Appended::default();
    for sample in samples {
        let sample = sample.normalized();
        match positions.entry((sample.agent_id.clone(), sample.timestamp)) {
            Entry::Vacant(vacant) => {
                vacant.insert(distinct.len());
                distinct.push(sample);
            }
            Entry::Occupied(position) => {
                let first = &mut distinct[*position.get()];
                let mut measured = Measured::of(first);
                if measured.fill_from(&Measured::of(&sample)) {
                    *first = MetricSample::from_fixed_values(sample.agent_id, sample.timestamp, &measured.0);
                    repeated.filled += 1;
                } else {
                    repeated.known += 1;
                }
            }
        }
    }
    (distinct, repeated)
}
