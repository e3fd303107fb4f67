use std::sync::Arc;

use astranetmon_auth::{Ingest, ReadMetrics, Scope};
use astranetmon_domain::{
    AccountId, Agent, MetricColumns, MetricPosition, MetricSample, PageRequest, RecordFilter, Timestamp,
};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::records::{matching, total};
use super::{Result, SqliteStorage, chunks, metric_write, queries};
use crate::aggregates::{AggregateMerge, Group, groups};
use crate::chunks::span_behind_rows;
use crate::counts::RecordKind;
use crate::figures::{Figures, Member, Wanted};
use crate::metric_batch::MetricBatch;
use crate::reporting::Reporting;
use crate::repository::{
    AggregatePage, AggregatePosition, AggregateQuery, Appended, BucketQuery, MetricBucket, MetricPage,
    MetricRepository, TimeAxis,
};
use crate::rows::MetricReadRow;
use crate::span_rows::{SpanRow, SpanRows};

#[async_trait]
impl MetricRepository for SqliteStorage {
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
        let (account_id, filter, page) = (scope.account_id(), filter.clone(), page.clone());
        self.read_share(account_id, move |connection| read_page(connection, account_id, &filter, &page)).await
    }

    async fn metric_buckets(&self, scope: &Scope<ReadMetrics>, query: &BucketQuery) -> Result<Vec<MetricBucket>> {
        if query.range().is_empty() {
            return Ok(Vec::new());
        }
        let (account_id, query) = (scope.account_id(), query.clone());
        self.read_share(account_id, move |connection| {
            let axis = query.axis();
            let mut figures = Figures::new(axis, Wanted::summaries(query.fields()), 1);
            push_agent(
                connection,
                account_id,
                (Member { group: 0, rank: 0 }, query.agent_id().as_str()),
                (&axis, false),
                &mut figures,
            )?;
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
        let (account_id, query, page) = (scope.account_id(), query.clone(), page.clone());
        self.read_share(account_id, move |connection| read_aggregates(connection, account_id, &query, &page)).await
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

/// One agent of which [`SpanRows`] are read.
pub(super) struct OfAgent<'a>(pub(super) &'a str);

impl QueryId for OfAgent<'_> {
    type QueryId = OfAgent<'static>;
}

impl QueryFragment<Sqlite> for OfAgent<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        out.push_sql("= ");
        out.push_bind_param::<Text, _>(self.0)
    }
}

/// Pushes an agent's samples, chunks and summaries in a span of time.
fn push_agent(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    (member, agent_id): (Member, &str),
    (axis, needs_samples): (&TimeAxis, bool),
    figures: &mut Figures,
) -> Result<()> {
    let rows = SpanRows::new(account_id, OfAgent(agent_id), axis, needs_samples);
    for row in rows.load_iter::<SpanRow, _>(connection)? {
        figures.push_part(member, &row?)?;
    }
    Ok(())
}

fn read_aggregates(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    query: &AggregateQuery,
    page: &PageRequest<AggregatePosition, 10_000>,
) -> Result<AggregatePage> {
    let matching = matching(connection, account_id, &query.records())?;
    let Some(matching) = matching else { return Ok(AggregatePage::default()) };
    let agents = queries::agent_labels(account_id, &matching.agents).load(connection)?;
    let groups = groups(query.grouping(), agents);
    let mut merge = AggregateMerge::new(query, page);
    let axis = merge.axis();
    for groups in groups.chunks(merge.groups_at_once()) {
        let mut figures = merge.figures(groups.len());
        for (group, Group { agents, .. }) in groups.iter().enumerate() {
            for (rank, agent_id) in agents.iter().enumerate() {
                let wanted = (&axis, merge.needs_samples());
                push_agent(connection, account_id, (Member { group, rank }, agent_id), wanted, &mut figures)?;
            }
        }
        merge.take(groups, figures);
    }
    Ok(merge.finish())
}

fn read_page(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    filter: &RecordFilter,
    page: &PageRequest<MetricPosition, 10_000>,
) -> Result<MetricPage> {
    let Some(matching) = matching(connection, account_id, filter)? else { return Ok(MetricPage::default()) };
    let limit = page.limit.rows() as usize;
    let query = queries::metric_page(account_id, &matching, page);
    let mut columns = MetricColumns::with_capacity(limit + 1);
    for row in query.load_iter::<MetricReadRow, _>(connection)? {
        let row = row?;
        columns.push(&row.agent_id, Timestamp::from_micros(row.timestamp), &row.measured.0);
    }
    let sealed_before = chunks::sealed_before(connection, account_id)?;
    if let Some(span) = span_behind_rows(&columns, &matching.range, page, sealed_before) {
        columns = chunks::add_chunks(connection, account_id, &columns, &matching, page, span)?;
    }
    let more = columns.len() > limit;
    columns.truncate(limit);
    let total = if page.after.is_none() && !more {
        columns.len() as u64
    } else {
        total(connection, account_id, RecordKind::Metric, &matching)?
    };
    Ok(MetricPage { columns, total, more })
}
