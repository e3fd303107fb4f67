use astranetmon_domain::{AccountId, AgentId};
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, Query, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Binary, Nullable, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use crate::chunks::{DAY_MICROS, count_within};
use crate::counts::{CountPlan, RecordKind, WHOLE_ACCOUNT, count_plan};
use crate::matching::{Agents, Matching};

/// Where records of a kind are.
pub(super) const fn table(kind: RecordKind) -> &'static str {
    match kind {
        RecordKind::Metric => "metric_sample",
        RecordKind::Speedtest => "speedtest",
        RecordKind::Traceroute => "traceroute",
    }
}

/// One statement for a whole [`CountPlan`]: the sum of its counted spans and of its parts of an hour, with the end of the
/// account's latest chunk where metrics are counted; then, for each part of an hour, the times of chunks in it.
struct TotalQuery<'a> {
    account_id: AccountId,
    kind: RecordKind,
    kind_number: i64,
    table: &'static str,
    agents: CountedAgents<'a>,
    plan: CountPlan,
    /// Its parts of an hour, and before and behind which moment no chunk of them starts and ends.
    parts: Vec<((i64, i64), i64, i64)>,
}

/// Whose records are counted.
enum CountedAgents<'a> {
    All,
    One(&'a str),
    AnyOf(Vec<&'a str>),
}

impl<'a> CountedAgents<'a> {
    fn push<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        match self {
            Self::All => Ok(()),
            Self::One(id) => {
                out.push_sql(" AND agent_id = ");
                out.push_bind_param::<Text, _>(id)
            }
            Self::AnyOf(ids) => {
                out.push_sql(" AND agent_id = ANY(");
                out.push_bind_param::<Array<Text>, _>(ids)?;
                out.push_sql(")");
                Ok(())
            }
        }
    }

    /// The same of kept counts, which the whole account has of its own.
    fn push_counted<'b>(&'b self, out: &mut AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        if matches!(self, Self::All) {
            out.push_sql(" AND agent_id = ");
            return out.push_bind_param::<Text, _>(WHOLE_ACCOUNT);
        }
        self.push(out)
    }
}

/// Records, the end of the latest chunk, and of a chunk the part that it lies in and its times.
type TotalRow = (i64, i64, Option<i64>, Option<Vec<u8>>);

impl Query for TotalQuery<'_> {
    type SqlType = (BigInt, BigInt, Nullable<BigInt>, Nullable<Binary>);
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
            out.push_bind_param::<BigInt, _>(&self.kind_number)?;
            self.agents.push_counted(&mut out)?;
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
            self.agents.push(&mut out)?;
            out.push_sql(" AND timestamp >= ");
            out.push_bind_param::<BigInt, _>(start)?;
            out.push_sql(" AND timestamp < ");
            out.push_bind_param::<BigInt, _>(end)?;
            out.push_sql(")");
        }
        if self.kind != RecordKind::Metric {
            out.push_sql(")::BIGINT, 0::BIGINT, NULL::BIGINT, NULL::BYTEA");
            return Ok(());
        }
        out.push_sql(")::BIGINT, COALESCE((SELECT sealed_before FROM account WHERE id = ");
        out.push_bind_param::<BigInt, _>(&self.account_id.0)?;
        out.push_sql("), 0)::BIGINT, NULL::BIGINT, NULL::BYTEA");
        for (part, ((start, end), earliest, latest)) in self.parts.iter().enumerate() {
            out.push_sql(" UNION ALL SELECT 0, 0, ");
            out.push_sql(if part == 0 { "0" } else { "1" });
            out.push_sql(", times FROM metric_chunk WHERE account_id = ");
            out.push_bind_param::<BigInt, _>(&self.account_id.0)?;
            self.agents.push(&mut out)?;
            for (condition, moment) in [
                (" AND ends_at > ", start),
                (" AND ends_at < ", latest),
                (" AND starts_at < ", end),
                (" AND starts_at > ", earliest),
            ] {
                out.push_sql(condition);
                out.push_bind_param::<BigInt, _>(moment)?;
            }
        }
        Ok(())
    }
}

fn total_query(account_id: AccountId, kind: RecordKind, matching: &Matching) -> TotalQuery<'_> {
    let agents = match &matching.agents {
        Agents::All => CountedAgents::All,
        Agents::One(id) => CountedAgents::One(id.as_str()),
        Agents::AnyOf(ids) => CountedAgents::AnyOf(ids.iter().map(AgentId::as_str).collect()),
    };
    let plan = count_plan(&matching.range);
    let around =
        |&(start, end): &(i64, i64)| ((start, end), start.saturating_sub(DAY_MICROS), end.saturating_add(DAY_MICROS));
    let parts = plan.partial.iter().map(around).collect();
    TotalQuery { account_id, kind, kind_number: kind as i64, table: table(kind), agents, plan, parts }
}

/// The query of [`total`] in diesel's debug form.
#[cfg(test)]
pub(super) fn total_sql(account_id: AccountId, kind: RecordKind, matching: &Matching) -> String {
    diesel::debug_query::<Pg, _>(&total_query(account_id, kind, matching)).to_string()
}

/// How many records match. To be asked after the rows, so that it is never less than what was read.
pub(super) async fn total(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    kind: RecordKind,
    matching: &Matching,
) -> Result<u64, Failure> {
    Ok(total_and_sealed(connection, account_id, kind, matching).await?.0)
}

/// The same, and of metrics the end of the account's latest chunk, in microseconds.
pub(super) async fn total_and_sealed(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    kind: RecordKind,
    matching: &Matching,
) -> Result<(u64, i64), Failure> {
    let query = total_query(account_id, kind, matching);
    let spans = query.plan.partial.clone();
    let rows: Vec<TotalRow> = query.load(connection).await?;
    let (mut total, mut sealed_before) = (0, 0);
    for (count, sealed, part, times) in rows {
        let span = part.and_then(|part| spans.get(usize::try_from(part).ok()?));
        match (span, times) {
            (Some(span), Some(times)) => total += count_within(&times, *span)?,
            _ => (total, sealed_before) = (total + count, sealed),
        }
    }
    Ok((total.unsigned_abs(), sealed_before))
}
