use astranetmon_domain::AccountId;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Bool, Nullable, Text};

use crate::chunks::DAY_MICROS;
use crate::measured::Packed;
use crate::repository::TimeAxis;

/// Agent and time, and either a sample's values, or number of samples and summary of an hour, a day, or a chunk; of a
/// chunk its times, and its hours or its columns unless its summary says enough.
pub(super) type SpanRow =
    (String, i64, Option<Packed>, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

/// What intervals are made of: the samples, chunks and summaries of some agents in a span of time, in one statement, so
/// that a sample that goes from one to the other meanwhile is seen once.
pub(super) struct SpanRows<'a> {
    account_id: i64,
    agent_ids: Vec<&'a str>,
    start: i64,
    end: i64,
    /// No chunk of the span starts before.
    earliest: i64,
    /// Where an interval starts.
    origin: i64,
    width: i64,
    summaries_suffice: bool,
    /// Those of hours do too.
    hours_suffice: bool,
}

impl<'a> SpanRows<'a> {
    pub(super) fn new(account_id: AccountId, agent_ids: Vec<&'a str>, axis: &TimeAxis, needs_samples: bool) -> Self {
        let (start, end) = axis.span;
        Self {
            account_id: account_id.0,
            agent_ids,
            start,
            end,
            earliest: start.saturating_sub(DAY_MICROS),
            origin: axis.origin,
            width: axis.width,
            summaries_suffice: !needs_samples,
            hours_suffice: !needs_samples && axis.is_of_hours(),
        }
    }

    fn span<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>, time: &str, start: &'b i64) -> QueryResult<()> {
        out.push_sql(" WHERE account_id = ");
        out.push_bind_param::<BigInt, _>(&self.account_id)?;
        out.push_sql(" AND agent_id = ANY(");
        out.push_bind_param::<Array<Text>, _>(&self.agent_ids)?;
        out.push_sql(") AND ");
        out.push_sql(time);
        out.push_sql(" >= ");
        out.push_bind_param::<BigInt, _>(start)?;
        out.push_sql(" AND ");
        out.push_sql(time);
        out.push_sql(" < ");
        out.push_bind_param::<BigInt, _>(&self.end)
    }

    /// All samples of the chunk lie in the span.
    fn is_within<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(" AND first_at >= ");
        out.push_bind_param::<BigInt, _>(&self.start)?;
        out.push_sql(" AND last_at < ");
        out.push_bind_param::<BigInt, _>(&self.end)
    }
}

impl QueryFragment<Pg> for SpanRows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "(SELECT agent_id, timestamp, measured, NULL::BIGINT, NULL::BYTEA, NULL::BYTEA, NULL::BYTEA, NULL::BYTEA \
             FROM metric_sample",
        );
        self.span(&mut out, "timestamp", &self.start)?;
        out.push_sql(
            ") UNION ALL (SELECT agent_id, bucket, NULL::BYTEA, sample_count, summary, NULL::BYTEA, NULL::BYTEA, \
             NULL::BYTEA FROM metric_summary",
        );
        self.span(&mut out, "bucket", &self.start)?;
        out.push_sql(
            " AND period IN (3600, 86400)) UNION ALL (SELECT agent_id, first_at, NULL::BYTEA, sample_count, summary, \
             times, CASE needed WHEN 'hours' THEN hours END, CASE needed WHEN 'packed' THEN packed END \
             FROM (SELECT *, CASE WHEN ",
        );
        out.push_bind_param::<Bool, _>(&self.summaries_suffice)?;
        self.is_within(&mut out)?;
        let mut before = " AND (first_at - ";
        for _ in 0..2 {
            out.push_sql(before);
            out.push_bind_param::<BigInt, _>(&self.origin)?;
            out.push_sql(") / ");
            out.push_bind_param::<BigInt, _>(&self.width)?;
            before = " = (last_at - ";
        }
        out.push_sql(" THEN 'summary' WHEN ");
        out.push_bind_param::<Bool, _>(&self.hours_suffice)?;
        self.is_within(&mut out)?;
        out.push_sql(" AND LENGTH(hours) > 0 THEN 'hours' ELSE 'packed' END AS needed FROM metric_chunk");
        self.span(&mut out, "starts_at", &self.earliest)?;
        out.push_sql(" AND ends_at > ");
        out.push_bind_param::<BigInt, _>(&self.start)?;
        out.push_sql(") AS chunk)");
        Ok(())
    }
}

impl Query for SpanRows<'_> {
    type SqlType = (
        Text,
        BigInt,
        Nullable<Binary>,
        Nullable<BigInt>,
        Nullable<Binary>,
        Nullable<Binary>,
        Nullable<Binary>,
        Nullable<Binary>,
    );
}

impl QueryId for SpanRows<'_> {
    type QueryId = SpanRows<'static>;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for SpanRows<'_> {}
