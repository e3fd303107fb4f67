//! What intervals are made of: the samples, chunks and summaries of some agents in a span of time, in one statement, so
//! that a sample that goes from one to the other meanwhile is seen once. Of a chunk no more is read than intervals need.

use astranetmon_domain::AccountId;
use diesel::backend::Backend;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::serialize::ToSql;
use diesel::sql_types::{BigInt, Binary, Integer, Nullable, Text};

use crate::chunks::DAY_MICROS;
use crate::repository::TimeAxis;

// What is in `content`, as the statement below numbers it.

/// A sample: its values.
pub(crate) const SAMPLE: i32 = 0;
/// What is left of samples that have gone: the summary of their hour or day.
pub(crate) const GONE: i32 = 1;
/// A chunk in one interval: its summary.
pub(crate) const SUMMARY: i32 = 2;
/// A chunk within the span, where intervals are of whole hours: its hours.
pub(crate) const HOURS: i32 = 3;
/// Any other chunk: its times and its columns.
pub(crate) const COLUMNS: i32 = 4;

#[derive(Debug, Queryable)]
pub(crate) struct SpanRow {
    pub(crate) agent_id: String,
    /// The sample's time, the chunk's first, or where the hour or day starts; in microseconds.
    pub(crate) at: i64,
    /// One of the constants above, which says what is in `content`.
    pub(crate) part: i32,
    pub(crate) sample_count: i64,
    pub(crate) content: Vec<u8>,
    /// Beside [`COLUMNS`].
    pub(crate) times: Option<Vec<u8>>,
}

/// The statement. `A` is the comparison behind `agent_id`.
#[derive(QueryId)]
pub(crate) struct SpanRows<A> {
    account_id: i64,
    agents: A,
    start: i64,
    end: i64,
    /// No chunk of the span starts before.
    earliest: i64,
    /// Where an interval starts.
    origin: i64,
    width: i64,
    /// 1 if summaries say enough, else 0.
    summaries_suffice: i64,
    /// 1 if those of hours do too, else 0.
    hours_suffice: i64,
}

impl<A> SpanRows<A> {
    pub(crate) fn new(account_id: AccountId, agents: A, axis: &TimeAxis, needs_samples: bool) -> Self {
        let (start, end) = axis.span;
        Self {
            account_id: account_id.0,
            agents,
            start,
            end,
            earliest: start.saturating_sub(DAY_MICROS),
            origin: axis.origin,
            width: axis.width,
            summaries_suffice: (!needs_samples).into(),
            hours_suffice: (!needs_samples && axis.is_of_hours()).into(),
        }
    }
}

impl<A, DB> QueryFragment<DB> for SpanRows<A>
where
    DB: Backend,
    A: QueryFragment<DB>,
    i64: ToSql<BigInt, DB>,
{
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, DB>) -> QueryResult<()> {
        out.push_sql(
            "SELECT agent_id, first_at, part, sample_count, CASE part WHEN 2 THEN summary WHEN 3 THEN hours ELSE packed \
             END, CASE part WHEN 4 THEN times END FROM (SELECT *, CASE WHEN 1 = ",
        );
        out.push_bind_param::<BigInt, _>(&self.summaries_suffice)?;
        self.is_within(&mut out)?;
        let mut before = " AND (first_at - ";
        for _ in 0..2 {
            out.push_sql(before);
            out.push_bind_param::<BigInt, _>(&self.origin)?;
            out.push_sql(") / ");
            out.push_bind_param::<BigInt, _>(&self.width)?;
            before = " = (last_at - ";
        }
        out.push_sql(" THEN 2 WHEN 1 = ");
        out.push_bind_param::<BigInt, _>(&self.hours_suffice)?;
        self.is_within(&mut out)?;
        out.push_sql(" AND LENGTH(hours) > 0 THEN 3 ELSE 4 END AS part FROM metric_chunk");
        self.of_span(&mut out, "starts_at", &self.earliest)?;
        out.push_sql(" AND ends_at > ");
        out.push_bind_param::<BigInt, _>(&self.start)?;
        out.push_sql(") AS chunk UNION ALL SELECT agent_id, timestamp, 0, 1, measured, NULL FROM metric_sample");
        self.of_span(&mut out, "timestamp", &self.start)?;
        out.push_sql(" UNION ALL SELECT agent_id, bucket, 1, sample_count, summary, NULL FROM metric_summary");
        self.of_span(&mut out, "bucket", &self.start)?;
        out.push_sql(" AND period IN (3600, 86400)");
        Ok(())
    }
}

impl<A> SpanRows<A> {
    fn of_span<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>, time: &str, start: &'b i64) -> QueryResult<()>
    where
        DB: Backend,
        A: QueryFragment<DB>,
        i64: ToSql<BigInt, DB>,
    {
        out.push_sql(" WHERE account_id = ");
        out.push_bind_param::<BigInt, _>(&self.account_id)?;
        out.push_sql(" AND agent_id ");
        self.agents.walk_ast(out.reborrow())?;
        out.push_sql(" AND ");
        out.push_sql(time);
        out.push_sql(" >= ");
        out.push_bind_param::<BigInt, _>(start)?;
        out.push_sql(" AND ");
        out.push_sql(time);
        out.push_sql(" < ");
        out.push_bind_param::<BigInt, _>(&self.end)
    }

    /// All samples of the chunk lie in the span.
    fn is_within<'b, DB>(&'b self, out: &mut AstPass<'_, 'b, DB>) -> QueryResult<()>
    where
        DB: Backend,
        i64: ToSql<BigInt, DB>,
    {
        out.push_sql(" AND first_at >= ");
        out.push_bind_param::<BigInt, _>(&self.start)?;
        out.push_sql(" AND last_at < ");
        out.push_bind_param::<BigInt, _>(&self.end)
    }
}

impl<A> Query for SpanRows<A> {
    type SqlType = (Text, BigInt, Integer, BigInt, Binary, Nullable<Binary>);
}

impl<A, C> RunQueryDsl<C> for SpanRows<A> {}
