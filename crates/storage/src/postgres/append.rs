//! What all appends share: the account's lock, its sequence, and the counts.

use astranetmon_domain::AccountId;
use diesel::pg::Pg;
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{Array, BigInt, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use crate::StorageError;
use crate::counts::{CountDeltas, RecordKind};
use crate::schema::account;

type Result<T> = std::result::Result<T, Failure>;

/// Locks the account until the transaction ends, so that its sequence is in commit order; its last sequence.
pub(super) async fn lock_account(connection: &mut AsyncPgConnection, account_id: AccountId) -> Result<i64> {
    let last = account::table
        .filter(account::id.eq(account_id.0))
        .select(account::last_sequence)
        .for_no_key_update()
        .get_result(connection)
        .await
        .optional()?;
    last.ok_or_else(|| StorageError::Missing { what: "account" }.into())
}

/// Locks the account until the transaction ends, so that nothing of it is folded meanwhile; its last sequence, and
/// before which moments samples may be in summaries and in chunks.
pub(super) async fn lock_account_for_metrics(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
) -> Result<(i64, i64, i64)> {
    let found = account::table
        .filter(account::id.eq(account_id.0))
        .select((account::last_sequence, account::folded_before, account::sealed_before))
        .for_no_key_update()
        .get_result(connection)
        .await
        .optional()?;
    found.ok_or_else(|| StorageError::Missing { what: "account" }.into())
}

/// Moves the sequence to `last` and marks the account's data as changed.
pub(super) async fn advance_account(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    last: i64,
) -> Result<()> {
    diesel::update(account::table.filter(account::id.eq(account_id.0)))
        .set((account::last_sequence.eq(last), account::data_version.eq(account::data_version + 1)))
        .execute(connection)
        .await?;
    Ok(())
}

/// Marks the account's data as changed.
pub(super) async fn touch_account(connection: &mut AsyncPgConnection, account_id: AccountId) -> Result<()> {
    let touched = diesel::update(account::table.filter(account::id.eq(account_id.0)))
        .set(account::data_version.eq(account::data_version + 1))
        .execute(connection)
        .await?;
    if touched == 0 { Err(StorageError::Missing { what: "account" }.into()) } else { Ok(()) }
}

/// Takes records that went from the counts, and the counts that have become nothing. The account must be locked.
pub(super) async fn lower_counts(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    kind: RecordKind,
    deltas: &CountDeltas,
) -> Result<()> {
    let (mut agent_ids, mut periods, mut buckets, mut changes) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for (agent_id, period, bucket, change) in deltas.iter() {
        agent_ids.push(agent_id);
        periods.push(period);
        buckets.push(bucket);
        changes.push(change);
    }
    for statement in [LOWER_COUNTS, DELETE_NO_COUNTS] {
        diesel::sql_query(statement)
            .bind::<BigInt, _>(account_id.0)
            .bind::<BigInt, _>(kind as i64)
            .bind::<Array<Text>, _>(&agent_ids)
            .bind::<Array<BigInt>, _>(&periods)
            .bind::<Array<BigInt>, _>(&buckets)
            .bind::<Array<BigInt>, _>(&changes)
            .execute(connection)
            .await?;
    }
    Ok(())
}

macro_rules! given_counts {
    ($before:literal, $after:literal) => {
        concat!(
            $before,
            " UNNEST($3::TEXT[], $4::BIGINT[], $5::BIGINT[], $6::BIGINT[]) AS given (agent_id, period, bucket, change) \
             WHERE r.account_id = $1 AND r.kind = $2 AND r.agent_id = given.agent_id AND r.period = given.period \
             AND r.bucket = given.bucket",
            $after
        )
    };
}

const LOWER_COUNTS: &str = given_counts!("UPDATE record_count AS r SET count = r.count + given.change FROM", "");
const DELETE_NO_COUNTS: &str = given_counts!("DELETE FROM record_count AS r USING", " AND r.count <= 0");

/// Adds to the counts.
pub(super) async fn add_counts(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    kind: RecordKind,
    deltas: &CountDeltas,
) -> Result<()> {
    let mut addition = CountAddition { account_id: account_id.0, kind: kind as i64, ..CountAddition::default() };
    for (agent_id, period, bucket, count) in deltas.iter() {
        addition.agent_ids.push(agent_id);
        addition.periods.push(period);
        addition.buckets.push(bucket);
        addition.counts.push(count);
    }
    addition.execute(connection).await?;
    Ok(())
}

#[derive(Default)]
struct CountAddition<'a> {
    account_id: i64,
    kind: i64,
    agent_ids: Vec<&'a str>,
    periods: Vec<i64>,
    buckets: Vec<i64>,
    counts: Vec<i64>,
}

impl QueryId for CountAddition<'_> {
    type QueryId = CountAddition<'static>;
}

impl<C> diesel::query_dsl::RunQueryDsl<C> for CountAddition<'_> {}

impl QueryFragment<Pg> for CountAddition<'_> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("INSERT INTO record_count (account_id, kind, agent_id, period, bucket, count) SELECT ");
        out.push_bind_param::<BigInt, _>(&self.account_id)?;
        out.push_sql(", ");
        out.push_bind_param::<BigInt, _>(&self.kind)?;
        out.push_sql(", given.* FROM UNNEST(");
        out.push_bind_param::<Array<Text>, _>(&self.agent_ids)?;
        for numbers in [&self.periods, &self.buckets, &self.counts] {
            out.push_sql(", ");
            out.push_bind_param::<Array<BigInt>, _>(numbers)?;
        }
        out.push_sql(
            ") AS given ON CONFLICT (account_id, kind, agent_id, period, bucket) \
             DO UPDATE SET count = record_count.count + excluded.count",
        );
        Ok(())
    }
}
