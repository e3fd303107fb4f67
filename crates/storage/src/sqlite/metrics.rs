use astranetmon_auth::{Ingest, ReadMetrics, Scope};
use astranetmon_domain::{
    AccountId, MetricColumns, MetricPosition, MetricSample, PageRequest, RecordFilter, Timestamp,
};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::records::total;
use super::{Result, SqliteStorage, chunks, metric_write, queries};
use crate::buckets::BucketFold;
use crate::chunks::span_behind_rows;
use crate::counts::RecordKind;
use crate::metric_batch::MetricBatch;
use crate::reporting::Reporting;
use crate::repository::{Appended, BucketQuery, MetricBucket, MetricPage, MetricRepository};
use crate::retention::Summary;
use crate::rows::{MetricReadRow, PackedMetricRow};

#[async_trait]
impl MetricRepository for SqliteStorage {
    async fn metric_page(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        page: &PageRequest<MetricPosition, 10_000>,
    ) -> Result<MetricPage> {
        if filter.is_empty() {
            return Ok(MetricPage::default());
        }
        let (account_id, filter, page) = (scope.account_id(), filter.clone(), page.clone());
        self.read_share(account_id, move |connection| read_page(connection, account_id, &filter, &page)).await
    }

    async fn metric_buckets(&self, scope: &Scope<ReadMetrics>, query: &BucketQuery) -> Result<Vec<MetricBucket>> {
        if query.range().is_empty() {
            return Ok(Vec::new());
        }
        let (account_id, query) = (scope.account_id(), query.clone());
        self.read_share(account_id, move |connection| fill_buckets(connection, account_id, &query)).await
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
        let account_id = scope.account_id();
        let mut batch = MetricBatch::of(samples);
        let append =
            move |connection: &mut SqliteConnection| metric_write::append(connection, account_id, &mut batch, now);
        let appended = self.append(reporting, append).await?;
        #[cfg(feature = "testing")]
        self.sealing.after_append(self, account_id).await?;
        Ok(appended)
    }
}

fn fill_buckets(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    query: &BucketQuery,
) -> Result<Vec<MetricBucket>> {
    let mut fold = BucketFold::new(query);
    for row in queries::metric_span(account_id, query.agent_id(), query.micros()).load_iter(connection)? {
        let row: PackedMetricRow = row?;
        fold.push(row.timestamp, &row.measured);
    }
    chunks::of_buckets(connection, account_id, query, |chunk| fold.push_chunk(chunk))?;
    let summaries = queries::summary_span(account_id, query.agent_id(), query.micros());
    for row in summaries.load_iter::<(i64, i64, Vec<u8>), _>(connection)? {
        let (start, sample_count, summary) = row?;
        fold.push_summary(start, &Summary::unpack(sample_count, &summary)?);
    }
    Ok(fold.finish())
}

fn read_page(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    filter: &RecordFilter,
    page: &PageRequest<MetricPosition, 10_000>,
) -> Result<MetricPage> {
    let limit = page.limit.rows() as usize;
    let after = page.after.as_ref();
    let query = queries::metric_page(account_id, filter, after, limit as i64 + 1);
    let mut columns = MetricColumns::with_capacity(limit + 1);
    for row in query.load_iter::<MetricReadRow, _>(connection)? {
        let row = row?;
        columns.push(&row.agent_id, Timestamp::from_micros(row.timestamp), &row.measured.0);
    }
    let sealed_before = chunks::sealed_before(connection, account_id)?;
    if let Some(span) = span_behind_rows(&columns, filter, after, limit + 1, sealed_before) {
        columns = chunks::add_chunks(connection, account_id, &columns, filter, after, limit + 1, span)?;
    }
    let more = columns.len() > limit;
    columns.truncate(limit);
    let total = if after.is_none() && !more {
        columns.len() as u64
    } else {
        total(connection, account_id, RecordKind::Metric, filter)?
    };
    Ok(MetricPage { columns, total, more })
}
