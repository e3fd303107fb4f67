use std::collections::HashMap;
use std::sync::Arc;

use astranetmon_auth::{Ingest, ReadMetrics, Scope};
use astranetmon_domain::{
    AccountId, Agent, MetricColumns, MetricPosition, MetricSample, PageRequest, RecordFilter, Timestamp,
};
use async_trait::async_trait;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, Text};
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};
use futures_util::TryStreamExt;

use super::append::{add_counts, advance_account, lock_account_for_metrics, touch_account};
use super::failure::Failure;
use super::metric_write::{InsertMetrics, StoredMetrics, UpdateMetrics};
use super::records::matching;
use super::reporting::admit;
use super::totals::{table, total_and_sealed};
use super::{PostgresStorage, Result, chunks, queries};
use crate::aggregates::{AggregateMerge, Group, groups};
use crate::chunks::span_behind_rows;
use crate::counts::RecordKind;
use crate::figures::{Figures, Member, Wanted};
use crate::matching::Matching;
use crate::measured::Measured;
use crate::metric_batch::{BatchSample, MetricBatch, Tally};
use crate::reporting::Reporting;
use crate::rows::MetricReadRow;
use crate::span_rows::{SpanRow, SpanRows};
use crate::{
    AggregatePage, AggregatePosition, AggregateQuery, Appended, BucketQuery, MetricBucket, MetricPage,
    MetricRepository, StorageError,
};

/// How often a page is begun anew because a chunk of it changed meanwhile.
const READS_OF_A_PAGE: u32 = 5;

#[async_trait]
impl MetricRepository for PostgresStorage {
    async fn metric_agents(&self, scope: &Scope<ReadMetrics>) -> Result<Arc<[Agent]>> {
        Ok(self.agents_of(scope.account_id(), None, None).await?.agents)
    }

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
        self.read_share(account_id, "reading metrics", async |connection| {
            let matching = matching(connection, account_id, filter).await?;
            let Some(matching) = matching else { return Ok(MetricPage::default()) };
            for _ in 0..READS_OF_A_PAGE {
                if let Some(page) = read_page(connection, account_id, &matching, page).await? {
                    return Ok(page);
                }
            }
            Err(StorageError::Unavailable { context: "chunks change faster than they are read", source: None }.into())
        })
        .await
    }

    async fn metric_buckets(&self, scope: &Scope<ReadMetrics>, query: &BucketQuery) -> Result<Vec<MetricBucket>> {
        if query.range().is_empty() {
            return Ok(Vec::new());
        }
        let account_id = scope.account_id();
        self.read_share(account_id, "putting metrics in buckets", async |connection| {
            let axis = query.axis();
            let mut figures = Figures::new(axis, Wanted::summaries(query.fields()), 1);
            let rows = SpanRows::new(account_id, AnyOf(vec![query.agent_id().as_str()]), &axis, false);
            push_rows(connection, rows, |_| Some(Member { group: 0, rank: 0 }), &mut figures).await?;
            Ok(figures.into_buckets())
        })
        .await
    }

    async fn metric_aggregates(
        &self,
        scope: &Scope<ReadMetrics>,
        query: &AggregateQuery,
        page: &PageRequest<AggregatePosition, 10_000>,
    ) -> Result<AggregatePage> {
        if query.range().is_empty() {
            return Ok(AggregatePage::default());
        }
        let account_id = scope.account_id();
        self.read_share(account_id, "putting metrics together", async |connection| {
            read_aggregates(connection, account_id, query, page).await
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
        let mut batch = MetricBatch::of(samples);
        let times = batch.samples.iter().map(BatchSample::timestamp);
        self.make_partitions(table(RecordKind::Metric), times).await?;
        let account_id = scope.account_id();
        let appended = self.append("appending metrics", async |connection| {
            connection.transaction(async |connection| append(connection, &reporting, &mut batch).await).await
        });
        let appended = appended.await;
        if reporting.marks_as_seen() {
            self.lanes.agent_lists.changed(account_id);
        }
        #[cfg(feature = "testing")]
        self.sealing.after_append(self, account_id).await?;
        appended
    }
}

/// Agents of which [`SpanRows`] are read.
pub(super) struct AnyOf<'a>(pub(super) Vec<&'a str>);

impl QueryId for AnyOf<'_> {
    type QueryId = AnyOf<'static>;
}

impl QueryFragment<Pg> for AnyOf<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("= ANY(");
        out.push_bind_param::<Array<Text>, _>(&self.0)?;
        out.push_sql(")");
        Ok(())
    }
}

/// Pushes what a statement finds; `member` says where an agent belongs.
async fn push_rows(
    connection: &mut AsyncPgConnection,
    rows: SpanRows<AnyOf<'_>>,
    member: impl Fn(&str) -> Option<Member>,
    figures: &mut Figures,
) -> std::result::Result<(), Failure> {
    let mut rows = std::pin::pin!(rows.load_stream::<SpanRow>(connection).await?);
    while let Some(row) = rows.try_next().await? {
        if let Some(member) = member(&row.agent_id) {
            figures.push_part(member, &row)?;
        }
    }
    Ok(())
}

async fn read_aggregates(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    query: &AggregateQuery,
    page: &PageRequest<AggregatePosition, 10_000>,
) -> std::result::Result<AggregatePage, Failure> {
    let matching = matching(connection, account_id, &query.records()).await?;
    let Some(matching) = matching else { return Ok(AggregatePage::default()) };
    let agents = queries::agent_labels(account_id, &matching.agents).load(connection).await?;
    let groups = groups(query.grouping(), agents);
    let mut merge = AggregateMerge::new(query, page);
    let axis = merge.axis();
    for groups in groups.chunks(merge.groups_at_once()) {
        let mut figures = merge.figures(groups.len());
        let agents = groups.iter().enumerate().flat_map(|(group, Group { agents, .. })| {
            agents.iter().enumerate().map(move |(rank, agent_id)| (agent_id.as_str(), Member { group, rank }))
        });
        let members: HashMap<&str, Member> = agents.collect();
        let rows = SpanRows::new(account_id, AnyOf(members.keys().copied().collect()), &axis, merge.needs_samples());
        push_rows(connection, rows, |agent_id| members.get(agent_id).copied(), &mut figures).await?;
        merge.take(groups, figures);
    }
    Ok(merge.finish())
}

/// A page; `None` if a chunk of it changed between two looks at it.
async fn read_page(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    matching: &Matching,
    page: &PageRequest<MetricPosition, 10_000>,
) -> std::result::Result<Option<MetricPage>, Failure> {
    let limit = page.limit.rows() as usize;
    let mut columns = MetricColumns::with_capacity(limit + 1);
    {
        let query = queries::metric_page(account_id, matching, page);
        let mut rows = std::pin::pin!(query.load_stream::<MetricReadRow>(connection).await?);
        while let Some(row) = rows.try_next().await? {
            columns.push(&row.agent_id, Timestamp::from_micros(row.timestamp), &row.measured.0);
        }
    }
    let (total, sealed_before) = total_and_sealed(connection, account_id, RecordKind::Metric, matching).await?;
    if let Some(span) = span_behind_rows(&columns, &matching.range, page, sealed_before) {
        match chunks::add_chunks(connection, account_id, &columns, matching, page, span).await? {
            Some(both) => columns = both,
            None => return Ok(None),
        }
    }
    let more = columns.len() > limit;
    columns.truncate(limit);
    let total = if page.after.is_none() && !more { columns.len() as u64 } else { total };
    Ok(Some(MetricPage { columns, total, more }))
}

async fn append(
    connection: &mut AsyncPgConnection,
    reporting: &Reporting,
    batch: &mut MetricBatch,
) -> std::result::Result<Appended, Failure> {
    let account_id = reporting.account_id;
    let (last, folded_before, sealed_before) = lock_account_for_metrics(connection, account_id).await?;
    admit(connection, reporting).await?;
    batch.pass_by(folded_before);
    let mut sealed = chunks::take_sealed(connection, account_id, sealed_before, batch).await?;
    let mut sequence = last + 1;
    let mut tally = batch.tally();
    for part in &mut sealed {
        let (agent_id, period, given) = (part.agent_id.clone(), part.period.clone(), part.given());
        if let Some(merged) = part.merge(sequence, reporting.now.as_micros(), &mut tally) {
            chunks::replace(connection, account_id, &agent_id, &period, &merged).await?;
        }
        sequence += given as i64;
    }
    let samples = batch.samples.as_slice();
    let inserted = InsertMetrics::of(account_id, reporting.now, samples, sequence).execute(connection).await?;
    if inserted == samples.len() {
        samples.iter().for_each(|sample| tally.inserted(sample));
    } else {
        settle(connection, account_id, samples, sequence, &mut tally).await?;
    }
    let last = sequence - 1 + samples.len() as i64;
    let deltas = tally.deltas();
    let appended = tally.finish();
    if appended.inserted > 0 {
        add_counts(connection, account_id, RecordKind::Metric, &deltas).await?;
    }
    if appended.inserted + appended.filled > 0 {
        advance_account(connection, account_id, last).await?;
    } else if reporting.marks_as_seen() {
        touch_account(connection, account_id).await?;
    }
    Ok(appended)
}

/// What became of samples of a statement that did not insert all of its rows: stored rows with the samples' own
/// sequences, counted from `first`, are the samples; any others were there before, and are filled.
async fn settle<'a>(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    samples: &'a [BatchSample],
    first: i64,
    tally: &mut Tally<'a>,
) -> std::result::Result<(), Failure> {
    let stored: Vec<(i64, i64, Measured)> = StoredMetrics::of(account_id, samples).load(connection).await?;
    let mut update = UpdateMetrics::new(account_id);
    for (position, stored_sequence, mut measured) in stored {
        let Some(sample) = usize::try_from(position - 1).ok().and_then(|index| samples.get(index)) else { continue };
        let sequence = first + position - 1;
        if stored_sequence == sequence {
            tally.inserted(sample);
        } else if measured.fill_from(&sample.measured) {
            tally.filled(sample);
            update.push(sample, sequence, &measured);
        } else {
            tally.known(sample);
        }
    }
    if !update.is_empty() {
        update.execute(connection).await?;
    }
    Ok(())
}
