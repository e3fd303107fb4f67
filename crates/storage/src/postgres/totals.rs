use astranetmon_domain::{AccountId, AgentFilter, RecordFilter};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::counts::{CountPlan, RecordKind, WHOLE_ACCOUNT, count_plan};

/// Where records of a kind are.
pub(super) const fn table(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Metric => "metric_sample",
        RecordKind::Speedtest => "speedtest",
        RecordKind::Traceroute => "traceroute",
    }
}

/// One statement for a whole [`CountPlan`]: the sum of its counted spans and of its parts of an hour.
struct TotalQuery<'a> {
    account_id: AccountId,
    kind: i64,
    table: &'static str,
    agent_id: Option<&'a str>,
    plan: CountPlan,
}

impl Query for TotalQuery<'_> {
    type SqlType = BigInt;
}

/// The shape depends on the plan, so the text identifies it.
impl QueryId for TotalQuery<'_> {
    type QueryId = ();
    const HAS_STATIC_QUERY_ID: bool = false;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for TotalQuery<'_> {}

impl QueryFragment<Pg> for TotalQuery<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT (0");
        for span in &self.plan.counted {
            out.push_sql(" + COALESCE((SELECT SUM(count) FROM record_count WHERE account_id = ");
            out.push_bind_param::<BigInt, _>(&self.account_id.0)?;
            out.push_sql(" AND kind = ");
            out.push_bind_param::<BigInt, _>(&self.kind)?;
            out.push_sql(" AND agent_id = ");
            out.push_bind_param::<Text, _>(self.agent_id.unwrap_or(WHOLE_ACCOUNT))?;
            out.push_sql(" AND period = ");
            out.push_bind_param::<BigInt, _>(&span.period)?;
            out.push_sql(" AND bucket >= ");
            out.push_bind_param::<BigInt, _>(&span.start)?;
            out.push_sql(" AND bucket < ");
            out.push_bind_param::<BigInt, _>(&span.end)?;
            out.push_sql("), 0)");
        }
        for (start, end) in &self.plan.partial {
            out.push_sql(" + (SELECT COUNT(*) FROM ");
            out.push_sql(self.table);
            out.push_sql(" WHERE account_id = ");
            out.push_bind_param::<BigInt, _>(&self.account_id.0)?;
            if let Some(agent_id) = &self.agent_id {
                out.push_sql(" AND agent_id = ");
                out.push_bind_param::<Text, _>(agent_id)?;
            }
            out.push_sql(" AND timestamp >= ");
            out.push_bind_param::<BigInt, _>(start)?;
            out.push_sql(" AND timestamp < ");
            out.push_bind_param::<BigInt, _>(end)?;
            out.push_sql(")");
        }
        out.push_sql(")::BIGINT");
        Ok(())
    }
}

fn total_query<'a>(account_id: AccountId, kind: RecordKind, filter: &'a RecordFilter) -> TotalQuery<'a> {
    let agent_id = match &filter.agent {
        AgentFilter::One(agent_id) => Some(agent_id.as_str()),
        AgentFilter::All | AgentFilter::Nobody => None,
    };
    let plan = count_plan(&filter.range);
    TotalQuery { account_id, kind: kind as i64, table: table(kind), agent_id, plan }
}

/// The query of [`total`] in diesel's debug form.
#[cfg(test)]
pub(super) fn total_sql(account_id: AccountId, kind: RecordKind, filter: &RecordFilter) -> String {
    diesel::debug_query::<Pg, _>(&total_query(account_id, kind, filter)).to_string()
}

/// How many records match. To be asked after the rows, so that it is never less than what was read.
pub(super) async fn total(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    kind: RecordKind,
    filter: &RecordFilter,
) -> QueryResult<u64> {
    let query = total_query(account_id, kind, filter);
    query.get_result::<i64>(connection).await.map(i64::unsigned_abs)
}
