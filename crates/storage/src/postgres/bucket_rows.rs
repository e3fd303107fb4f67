use astranetmon_domain::AccountId;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use crate::chunks::DAY_MICROS;
use crate::measured::Packed;
use crate::repository::BucketQuery;

/// Time, and either a sample's values, or number of samples and summary of an hour, a day, or a chunk; of a chunk its
/// times, and its columns unless it lies in one bucket.
pub(super) type BucketRow = (i64, Option<Packed>, Option<i64>, Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>);

/// What buckets are made of: an agent's samples, chunks and summaries in a span of time, in one statement, so that a
/// sample that goes from one to the other meanwhile is seen once.
pub(super) struct BucketRows<'a> {
    account_id: i64,
    agent_id: &'a str,
    start: i64,
    end: i64,
    /// No chunk of the span starts before.
    earliest: i64,
    /// Where a bucket starts.
    aligned: i64,
    width: i64,
}

impl<'a> BucketRows<'a> {
    pub(super) fn new(account_id: AccountId, query: &'a BucketQuery) -> Self {
        let ((start, end), width) = (query.micros(), query.bucket_micros());
        Self {
            account_id: account_id.0,
            agent_id: query.agent_id().as_str(),
            start,
            end,
            earliest: start.saturating_sub(DAY_MICROS),
            aligned: start - start.rem_euclid(width),
            width,
        }
    }

    fn span<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>, time: &str, start: &'b i64) -> QueryResult<()> {
        out.push_sql(" WHERE account_id = ");
        out.push_bind_param::<BigInt, _>(&self.account_id)?;
        out.push_sql(" AND agent_id = ");
        out.push_bind_param::<Text, _>(self.agent_id)?;
        out.push_sql(" AND ");
        out.push_sql(time);
        out.push_sql(" >= ");
        out.push_bind_param::<BigInt, _>(start)?;
        out.push_sql(" AND ");
        out.push_sql(time);
        out.push_sql(" < ");
        out.push_bind_param::<BigInt, _>(&self.end)
    }
}

impl QueryFragment<Pg> for BucketRows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql(
            "(SELECT timestamp, measured, NULL::BIGINT, NULL::BYTEA, NULL::BYTEA, NULL::BYTEA FROM metric_sample",
        );
        self.span(&mut out, "timestamp", &self.start)?;
        out.push_sql(
            " ORDER BY timestamp) UNION ALL (SELECT bucket, NULL::BYTEA, sample_count, summary, NULL::BYTEA, NULL::BYTEA \
             FROM metric_summary",
        );
        self.span(&mut out, "bucket", &self.start)?;
        out.push_sql(
            " AND period IN (3600, 86400)) UNION ALL (SELECT first_at, NULL::BYTEA, sample_count, summary, times, \
             CASE WHEN first_at >= ",
        );
        out.push_bind_param::<BigInt, _>(&self.start)?;
        out.push_sql(" AND last_at < ");
        out.push_bind_param::<BigInt, _>(&self.end)?;
        let mut before = " AND (first_at - ";
        for _ in 0..2 {
            out.push_sql(before);
            out.push_bind_param::<BigInt, _>(&self.aligned)?;
            out.push_sql(") / ");
            out.push_bind_param::<BigInt, _>(&self.width)?;
            before = " = (last_at - ";
        }
        out.push_sql(" THEN NULL ELSE packed END FROM metric_chunk");
        self.span(&mut out, "starts_at", &self.earliest)?;
        out.push_sql(" AND ends_at > ");
        out.push_bind_param::<BigInt, _>(&self.start)?;
        out.push_sql(")");
        Ok(())
    }
}

impl Query for BucketRows<'_> {
    type SqlType = (BigInt, Nullable<Binary>, Nullable<BigInt>, Nullable<Binary>, Nullable<Binary>, Nullable<Binary>);
}

impl QueryId for BucketRows<'_> {
    type QueryId = BucketRows<'static>;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for BucketRows<'_> {}
