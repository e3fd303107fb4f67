use astranetmon_domain::{AccountId, AgentId};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Nullable, Text};

use crate::measured::Packed;
use crate::repository::BucketQuery;

/// Time, and either a sample's values, or a summary's number of samples and the summary.
pub(super) type BucketRow = (i64, Option<Packed>, Option<i64>, Option<Vec<u8>>);

/// What buckets are made of: an agent's samples and summaries in a span of time, in one statement, so that a sample that
/// goes from one to the other meanwhile is seen once.
pub(super) struct BucketRows<'a> {
    account_id: i64,
    agent_id: &'a str,
    start: i64,
    end: i64,
}

impl<'a> BucketRows<'a> {
    pub(super) fn new(account_id: AccountId, query: &'a BucketQuery) -> Self {
        Self::of(account_id, query.agent_id(), query.micros())
    }

    pub(super) fn of(account_id: AccountId, agent_id: &'a AgentId, (start, end): (i64, i64)) -> Self {
        Self { account_id: account_id.0, agent_id: agent_id.as_str(), start, end }
    }

    fn span<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>, time: &str) -> QueryResult<()> {
        out.push_sql(" WHERE account_id = ");
        out.push_bind_param::<BigInt, _>(&self.account_id)?;
        out.push_sql(" AND agent_id = ");
        out.push_bind_param::<Text, _>(self.agent_id)?;
        out.push_sql(" AND ");
        out.push_sql(time);
        out.push_sql(" >= ");
        out.push_bind_param::<BigInt, _>(&self.start)?;
        out.push_sql(" AND ");
        out.push_sql(time);
        out.push_sql(" < ");
        out.push_bind_param::<BigInt, _>(&self.end)
    }
}

impl QueryFragment<Pg> for BucketRows<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("(SELECT timestamp, measured, NULL::BIGINT, NULL::BYTEA FROM metric_sample");
        self.span(&mut out, "timestamp")?;
        out.push_sql(
            " ORDER BY timestamp) UNION ALL (SELECT bucket, NULL::BYTEA, sample_count, summary FROM metric_summary",
        );
        self.span(&mut out, "bucket")?;
        out.push_sql(" AND period IN (3600, 86400))");
        Ok(())
    }
}

impl Query for BucketRows<'_> {
    type SqlType = (BigInt, Nullable<Binary>, Nullable<BigInt>, Nullable<Binary>);
}

impl QueryId for BucketRows<'_> {
    type QueryId = BucketRows<'static>;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for BucketRows<'_> {}
