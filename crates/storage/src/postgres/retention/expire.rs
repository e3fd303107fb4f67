//! What goes without a summary: speed tests and traceroutes, history, what deleted agents left.

use astranetmon_domain::{AccountId, Timestamp};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use crate::counts::{CountDeltas, RecordKind};
use crate::postgres::append::{lock_account, lower_counts, touch_account};
use crate::postgres::failure::Failure;
use crate::postgres::totals::table;
use crate::random::first_id;
use crate::retention::{
    AGENT_REMOVED, AGENT_TO_REMOVE, AgentIdRow, DELETE_AUDIT, DELETE_DELIVERIES, DELETE_ENROLMENTS, DELETE_EVENTS,
    HISTORY_DUE, History, HistoryLimits, IS_TO_REMOVE, MOST_HISTORY, MOST_RECORDS, NumberRow,
};

type Result<T> = std::result::Result<T, Failure>;

#[derive(QueryableByName)]
struct GoneRecord {
    #[diesel(sql_type = Text)]
    agent_id: String,
    #[diesel(sql_type = BigInt)]
    timestamp: i64,
}

/// The oldest records of a kind before `before` go, of all agents or of one.
pub(super) async fn delete_records(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    kind: RecordKind,
    agent: Option<&str>,
    before: i64,
) -> Result<u64> {
    lock_account(connection, account).await?;
    if let Some(agent) = agent
        && !is_to_remove(connection, account, agent).await?
    {
        return Ok(0);
    }
    let table = table(kind);
    let of_agent = if agent.is_some() { "AND agent_id = $4" } else { "AND $4 = ''" };
    let statement = format!(
        "DELETE FROM {table} AS t USING (SELECT id, agent_id, timestamp FROM {table} WHERE account_id = $1 \
         AND timestamp < $2 {of_agent} ORDER BY timestamp LIMIT $3) AS oldest WHERE t.account_id = $1 \
         AND t.id = oldest.id AND t.agent_id = oldest.agent_id AND t.timestamp = oldest.timestamp \
         AND t.timestamp < $2 RETURNING t.agent_id, t.timestamp"
    );
    let gone: Vec<GoneRecord> = sql_query(statement)
        .bind::<BigInt, _>(account.0)
        .bind::<BigInt, _>(before)
        .bind::<BigInt, _>(MOST_RECORDS)
        .bind::<Text, _>(agent.unwrap_or_default())
        .load(connection)
        .await?;
    if !gone.is_empty() {
        let mut deltas = CountDeltas::default();
        gone.iter().for_each(|record| deltas.remove(&record.agent_id, record.timestamp));
        lower_counts(connection, account, kind, &deltas).await?;
        touch_account(connection, account).await?;
    }
    Ok(gone.len() as u64)
}

/// Of what anything is to go.
pub(super) async fn history_due(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    limits: HistoryLimits,
) -> Result<Option<History>> {
    let due: NumberRow = sql_query(HISTORY_DUE)
        .bind::<BigInt, _>(account.0)
        .bind::<Binary, _>(first_id(limits.history).as_bytes().as_slice())
        .bind::<BigInt, _>(limits.history.as_micros())
        .bind::<BigInt, _>(limits.enrolments.as_micros())
        .get_result(connection)
        .await?;
    Ok(History::of(due.number))
}

/// Of that goes what is old enough.
pub(super) async fn delete_history(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    what: History,
    limits: HistoryLimits,
) -> Result<u64> {
    let by_id = |statement: &'static str| {
        sql_query(statement)
            .bind::<BigInt, _>(account.0)
            .bind::<Binary, _>(first_id(limits.history).as_bytes().to_vec())
            .bind::<BigInt, _>(limits.history.as_micros())
            .bind::<BigInt, _>(MOST_HISTORY)
    };
    let by_time = |statement: &'static str, before: Timestamp| {
        sql_query(statement)
            .bind::<BigInt, _>(account.0)
            .bind::<BigInt, _>(before.as_micros())
            .bind::<BigInt, _>(MOST_HISTORY)
    };
    let gone = match what {
        History::Deliveries => by_id(DELETE_DELIVERIES).execute(connection).await?,
        History::Events => by_id(DELETE_EVENTS).execute(connection).await?,
        History::Audit => by_time(DELETE_AUDIT, limits.history).execute(connection).await?,
        History::Enrolments => by_time(DELETE_ENROLMENTS, limits.enrolments).execute(connection).await?,
    };
    Ok(gone as u64)
}

/// An agent whose data is to go.
pub(super) async fn agent_to_remove(connection: &mut AsyncPgConnection, account: AccountId) -> Result<Option<String>> {
    let row = sql_query(AGENT_TO_REMOVE).bind::<BigInt, _>(account.0).get_result::<AgentIdRow>(connection).await;
    Ok(row.optional()?.map(|row| row.id))
}

/// Whether the agent's data is still to go: somebody else may have ended it since we looked, and the id may be another
/// agent's by now.
pub(super) async fn is_to_remove(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    agent_id: &str,
) -> Result<bool> {
    let query = sql_query(IS_TO_REMOVE).bind::<BigInt, _>(account.0).bind::<Text, _>(agent_id);
    Ok(query.get_result::<AgentIdRow>(connection).await.optional()?.is_some())
}

/// Nothing of the agent is left: its id is free again.
pub(super) async fn agent_removed(
    connection: &mut AsyncPgConnection,
    account: AccountId,
    agent_id: &str,
) -> Result<()> {
    touch_account(connection, account).await?;
    sql_query(AGENT_REMOVED).bind::<BigInt, _>(account.0).bind::<Text, _>(agent_id).execute(connection).await?;
    Ok(())
}
