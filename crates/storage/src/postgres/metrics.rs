use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use astranetmon_auth::{Ingest, ReadMetrics, Scope};
use astranetmon_domain::{
    AccountId, MetricColumns, MetricPosition, MetricSample, PageRequest, RecordFilter, Timestamp,
};
use async_trait::async_trait;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::TryStreamExt;

use super::append::{add_counts, advance_account, lock_account_for_metrics};
use super::bucket_rows::{BucketRow, BucketRows};
use super::failure::Failure;
use super::metric_write::{InsertMetrics, StoredMetrics, UpdateMetrics};
use super::reporting::admit;
use super::totals::{table, total};
use super::{PostgresStorage, Result, queries};
use crate::buckets::BucketFold;
use crate::counts::{CountDeltas, RecordKind};
use crate::measured::Measured;
use crate::reporting::Reporting;
use crate::retention::Summary;
use crate::rows::MetricReadRow;
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
            let rows = BucketRows::new(account_id, query);
            let mut rows = std::pin::pin!(rows.load_stream::<BucketRow>(connection).await?);
            let mut fold = BucketFold::new(query);
            while let Some((at, measured, sample_count, summary)) = rows.try_next().await? {
                match (measured, sample_count, summary) {
                    (Some(measured), ..) => fold.push(at, &measured),
                    (None, Some(count), Some(summary)) => fold.push_summary(at, &Summary::unpack(count, &summary)?),
                    (None, ..) => {}
                }
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
        if samples.is_empty() {
            return Ok(Appended::default());
        }
        let reporting = Reporting::of(scope, samples.iter().map(|sample| &sample.agent_id), now)?;
        let batch = Batch::of(samples);
        let times = batch.samples.iter().map(|(_, sample)| sample.timestamp.as_micros());
        self.make_partitions(table(RecordKind::Metric), times).await?;
        let account_id = scope.account_id();
        let appended = self.append("appending metrics", async |connection| {
            connection.transaction(async |connection| append(connection, &reporting, &batch).await).await
        });
        let appended = appended.await;
        if reporting.marks_as_seen() {
            self.lanes.agent_lists.changed(account_id);
        }
        appended
    }
}

async fn append(
    connection: &mut AsyncPgConnection,
    reporting: &Reporting,
    batch: &Batch,
) -> std::result::Result<Appended, Failure> {
    let account_id = reporting.account_id;
    let (last, folded_before) = lock_account_for_metrics(connection, account_id).await?;
    admit(connection, reporting).await?;
    // Whether a sample of that time is counted in a summary already nobody can see.
    let is_folded = |sample: &MetricSample| sample.timestamp.as_micros() < folded_before;
    let numbered = || batch.samples.iter().filter(|(_, sample)| !is_folded(sample)).zip(last + 1..);
    let insert =
        InsertMetrics::of(account_id, reporting.now, numbered().map(|((_, sample), sequence)| (sample, sequence)));
    let inserted: Vec<(String, i64)> = insert.get_results(connection).await?;
    let mut appended =
        Appended { inserted: inserted.len() as u64, known_rows: batch.known_rows.clone(), ..Appended::default() };
    appended.filled = batch.filled;
    if inserted.len() < batch.samples.len() {
        let inserted: HashSet<_> = inserted.iter().map(|(agent_id, at)| (agent_id.as_str(), *at)).collect();
        let is_new =
            |sample: &MetricSample| inserted.contains(&(sample.agent_id.as_str(), sample.timestamp.as_micros()));
        let there: Vec<_> = numbered().filter(|((_, sample), _)| !is_new(sample)).collect();
        let unchanged = fill(connection, account_id, &there).await?;
        appended.filled += (there.len() - unchanged.len()) as u64;
        appended.known_rows.extend(unchanged);
        let folded = batch.samples.iter().filter(|(_, sample)| is_folded(sample));
        appended.known_rows.extend(folded.map(|(place, _)| *place));
        appended.known_rows.sort_unstable();
    }
    appended.known = appended.known_rows.len() as u64;

    if !inserted.is_empty() {
        let mut deltas = CountDeltas::default();
        inserted.iter().for_each(|(agent_id, timestamp)| deltas.add(agent_id, *timestamp));
        add_counts(connection, account_id, RecordKind::Metric, &deltas).await?;
    }
    if appended.inserted + appended.filled > 0 {
        advance_account(connection, account_id, last + batch.samples.len() as i64).await?;
    }
    Ok(appended)
}

/// Fills what is unknown in the stored rows of the same keys; the places of those that had nothing to fill.
async fn fill(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    there: &[(&(u32, MetricSample), i64)],
) -> std::result::Result<Vec<u32>, Failure> {
    let stored = StoredMetrics::of(account_id, there.iter().map(|((_, sample), _)| sample));
    let stored: Vec<(i64, Measured)> = stored.load(connection).await?;
    let mut update = UpdateMetrics::new(account_id);
    let mut unchanged = Vec::new();
    for (position, mut measured) in stored {
        let Some(((place, sample), sequence)) = usize::try_from(position - 1).ok().and_then(|index| there.get(index))
        else {
            continue;
        };
        if measured.fill_from(&Measured::of(sample)) {
            update.push(sample, *sequence, &measured);
        } else {
            unchanged.push(*place);
        }
    }
    if update.len() > 0 {
        update.execute(connection).await?;
    }
    Ok(unchanged)
}

/// Samples as they are stored, each key once with its first place in what was given: what came first stays, what comes
/// later fills it.
struct Batch {
    samples: Vec<(u32, MetricSample)>,
    /// Samples that filled one before them.
    filled: u64,
    /// Places of samples that had nothing to add to one before them.
    known_rows: Vec<u32>,
}

impl Batch {
    fn of(samples: Vec<MetricSample>) -> Self {
        let mut positions = HashMap::with_capacity(samples.len());
        let mut batch = Self { samples: Vec::with_capacity(samples.len()), filled: 0, known_rows: Vec::new() };
        for (place, sample) in (0..).zip(samples) {
            let sample = sample.normalized();
            match positions.entry((sample.agent_id.clone(), sample.timestamp)) {
                Entry::Vacant(vacant) => {
                    vacant.insert(batch.samples.len());
                    batch.samples.push((place, sample));
                }
                Entry::Occupied(position) => {
                    let first = &mut batch.samples[*position.get()].1;
                    let mut measured = Measured::of(first);
                    if measured.fill_from(&Measured::of(&sample)) {
                        *first = MetricSample::from_fixed_values(sample.agent_id, sample.timestamp, &measured.0);
                        batch.filled += 1;
                    } else {
                        batch.known_rows.push(place);
                    }
                }
            }
        }
        batch
    }
}
