//! What goes without a summary: speed tests and traceroutes, history, what deleted agents left.

use astranetmon_domain::{AccountId, Timestamp};
use diesel::prelude::*;
use diesel::sql_query;
use diesel::sql_types::{BigInt, Binary, Text};
use diesel::sqlite::SqliteConnection;

use crate::counts::{CountDeltas, RecordKind};
use crate::random::first_id;
use crate::retention::{
    AGENT_REMOVED, AGENT_TO_REMOVE, AgentIdRow, DELETE_AUDIT, DELETE_DELIVERIES, DELETE_ENROLMENTS, DELETE_EVENTS,
    HISTORY_DUE, History, HistoryLimits, IS_TO_REMOVE, MOST_HISTORY, MOST_RECORDS, NumberRow,
};
use crate::schema::{speedtest, traceroute};
use crate::sqlite::Result;
use crate::sqlite::records::{lower_counts, raise_data_version};

/// The oldest records of a kind before `before` go, of all agents or of one.
pub(super) fn delete_records(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    kind: RecordKind,
    agent: Option<&str>,
    before: i64,
) -> Result<u64> {
    if let Some(agent) = agent
        && !is_to_remove(connection, account_id, agent)?
    {
        return Ok(0);
    }
    let mut deltas = CountDeltas::default();
    let mut gone = 0;
    macro_rules! delete_oldest {
        ($table:ident) => {{
            let mut oldest = $table::table
                .filter($table::account_id.eq(account_id.0))
                .filter($table::timestamp.lt(before))
                .select(($table::id, $table::agent_id, $table::timestamp))
                .order($table::timestamp.asc())
                .limit(MOST_RECORDS)
                .into_boxed();
            if let Some(agent) = agent {
                oldest = oldest.filter($table::agent_id.eq(agent));
            }
            let oldest: Vec<(Vec<u8>, String, i64)> = oldest.load(connection)?;
            for (id, agent_id, timestamp) in &oldest {
                let row = $table::table.find((account_id.0, id, agent_id));
                gone += diesel::delete(row).execute(connection)? as u64;
                deltas.remove(agent_id, *timestamp);
            }
        }};
    }
    match kind {
        RecordKind::Speedtest => delete_oldest!(speedtest),
        RecordKind::Traceroute => delete_oldest!(traceroute),
        RecordKind::Metric => {}
    }
    if gone > 0 {
        lower_counts(connection, account_id, kind, &deltas)?;
        raise_data_version(connection, account_id)?;
    }
    Ok(gone)
}

/// Of what anything is to go.
pub(super) fn history_due(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    limits: HistoryLimits,
) -> Result<Option<History>> {
    let due: NumberRow = sql_query(HISTORY_DUE)
        .bind::<BigInt, _>(account_id.0)
        .bind::<Binary, _>(first_id(limits.history).as_bytes().as_slice())
        .bind::<BigInt, _>(limits.history.as_micros())
        .bind::<BigInt, _>(limits.enrolments.as_micros())
        .get_result(connection)?;
    Ok(History::of(due.number))
}

/// Of that goes what is old enough.
pub(super) fn delete_history(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    what: History,
    limits: HistoryLimits,
) -> Result<u64> {
    let by_id = |statement: &'static str| {
        sql_query(statement)
            .bind::<BigInt, _>(account_id.0)
            .bind::<Binary, _>(first_id(limits.history).as_bytes().to_vec())
            .bind::<BigInt, _>(limits.history.as_micros())
            .bind::<BigInt, _>(MOST_HISTORY)
    };
    let by_time = |statement: &'static str, before: Timestamp| {
        sql_query(statement)
            .bind::<BigInt, _>(account_id.0)
            .bind::<BigInt, _>(before.as_micros())
            .bind::<BigInt, _>(MOST_HISTORY)
    };
    let gone = match what {
        History::Deliveries => by_id(DELETE_DELIVERIES).execute(connection)?,
        History::Events => by_id(DELETE_EVENTS).execute(connection)?,
        History::Audit => by_time(DELETE_AUDIT, limits.history).execute(connection)?,
        History::Enrolments => by_time(DELETE_ENROLMENTS, limits.enrolments).execute(connection)?,
    };
    Ok(gone as u64)
}

/// An agent whose data is to go.
pub(super) fn agent_to_remove(connection: &mut SqliteConnection, account_id: AccountId) -> Result<Option<String>> {
    let row = sql_query(AGENT_TO_REMOVE).bind::<BigInt, _>(account_id.0).get_result::<AgentIdRow>(connection);
    Ok(row.optional()?.map(|row| row.id))
}

/// Whether the agent's data is still to go: somebody else may have ended it since we looked, and the id may be another
/// agent's by now.
pub(super) fn is_to_remove(connection: &mut SqliteConnection, account_id: AccountId, agent_id: &str) -> Result<bool> {
    let query = sql_query(IS_TO_REMOVE).bind::<BigInt, _>(account_id.0).bind::<Text, _>(agent_id);
    Ok(query.get_result::<AgentIdRow>(connection).optional()?.is_some())
}

/// Nothing of the agent is left: its id is free again.
pub(super) fn agent_removed(connection: &mut SqliteConnection, account_id: AccountId, agent_id: &str) -> Result<()> {
    sql_query(AGENT_REMOVED).bind::<BigInt, _>(account_id.0).bind::<Text, _>(agent_id).execute(connection)?;
    raise_data_version(connection, account_id)
}
