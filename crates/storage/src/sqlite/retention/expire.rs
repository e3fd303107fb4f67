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
    History, MOST_HISTORY, MOST_RECORDS,
};
use crate::schema::{alert_delivery, alert_event, audit, enrolment_token, speedtest, traceroute};
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

/// Whether anything of that may have ended before `before`.
pub(super) fn has_history(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    what: History,
    before: Timestamp,
) -> Result<bool> {
    let (account, at, first) = (account_id.0, before.as_micros(), first_id(before));
    let first = first.as_bytes().as_slice();
    let found: Option<i64> = match what {
        History::Deliveries => alert_delivery::table
            .filter(alert_delivery::account_id.eq(account).and(alert_delivery::id.lt(first)))
            .filter(alert_delivery::settled_at.lt(at))
            .select(alert_delivery::account_id)
            .first(connection)
            .optional()?,
        History::Events => alert_event::table
            .filter(alert_event::account_id.eq(account).and(alert_event::id.lt(first)))
            .filter(alert_event::resolved_at.lt(at))
            .select(alert_event::account_id)
            .first(connection)
            .optional()?,
        History::Audit => audit::table
            .filter(audit::account_id.eq(account).and(audit::at.lt(at)))
            .select(audit::account_id)
            .first(connection)
            .optional()?,
        History::Enrolments => enrolment_token::table
            .filter(enrolment_token::account_id.eq(account).and(enrolment_token::created_at.lt(at)))
            .select(enrolment_token::account_id)
            .first(connection)
            .optional()?,
    };
    Ok(found.is_some())
}

/// The oldest of what ended before `before` goes.
pub(super) fn delete_history(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    what: History,
    before: Timestamp,
) -> Result<u64> {
    let (account, at) = (account_id.0, before.as_micros());
    let statement = match what {
        History::Deliveries => DELETE_DELIVERIES,
        History::Events => DELETE_EVENTS,
        History::Audit | History::Enrolments => {
            let statement = if what == History::Audit { DELETE_AUDIT } else { DELETE_ENROLMENTS };
            let delete = sql_query(statement).bind::<BigInt, _>(account).bind::<BigInt, _>(at);
            return Ok(delete.bind::<BigInt, _>(MOST_HISTORY).execute(connection)? as u64);
        }
    };
    let gone = sql_query(statement)
        .bind::<BigInt, _>(account)
        .bind::<Binary, _>(first_id(before).as_bytes().as_slice())
        .bind::<BigInt, _>(at)
        .bind::<BigInt, _>(MOST_HISTORY)
        .execute(connection)?;
    Ok(gone as u64)
}

/// An agent whose data is to go.
pub(super) fn agent_to_remove(connection: &mut SqliteConnection, account_id: AccountId) -> Result<Option<String>> {
    let row = sql_query(AGENT_TO_REMOVE).bind::<BigInt, _>(account_id.0).get_result::<AgentIdRow>(connection);
    Ok(row.optional()?.map(|row| row.id))
}

/// Nothing of the agent is left: its id is free again.
pub(super) fn agent_removed(connection: &mut SqliteConnection, account_id: AccountId, agent_id: &str) -> Result<()> {
    sql_query(AGENT_REMOVED).bind::<BigInt, _>(account_id.0).bind::<Text, _>(agent_id).execute(connection)?;
    raise_data_version(connection, account_id)
}
