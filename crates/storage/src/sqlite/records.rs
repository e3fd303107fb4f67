//! What metrics, speed tests and traceroutes have in common: totals, counts, ingestion sequences.

use astranetmon_domain::{AccountId, RecordFilter};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::{Result, queries};
use crate::StorageError;
use crate::counts::{CountDeltas, RecordKind, count_plan};
use crate::schema::{account, record_count};

/// The exact number of records that match, from the kept counts and at most two parts of an hour.
pub(super) fn total(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    kind: RecordKind,
    filter: &RecordFilter,
) -> Result<u64> {
    let plan = count_plan(&filter.range);
    let mut total: i64 = 0;
    for span in plan.counted {
        let counted: Option<i64> = queries::counted(account_id, kind, &filter.agent, span).get_result(connection)?;
        total += counted.unwrap_or(0);
    }
    for span in plan.partial {
        let counted: i64 = match kind {
            RecordKind::Metric => queries::metric_count(account_id, &filter.agent, span).get_result(connection)?,
            RecordKind::Speedtest => {
                queries::speedtest_count(account_id, &filter.agent, span).get_result(connection)?
            }
            RecordKind::Traceroute => {
                queries::traceroute_count(account_id, &filter.agent, span).get_result(connection)?
            }
        };
        total += counted;
    }
    Ok(total.unsigned_abs())
}

/// Adds new records to the counts.
pub(super) fn add_counts(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    kind: RecordKind,
    deltas: &CountDeltas,
) -> Result<()> {
    for (agent_id, period, bucket, count) in deltas.iter() {
        diesel::insert_into(record_count::table)
            .values((
                record_count::account_id.eq(account_id.0),
                record_count::kind.eq(kind as i64),
                record_count::agent_id.eq(agent_id),
                record_count::period.eq(period),
                record_count::bucket.eq(bucket),
                record_count::count.eq(count),
            ))
            .on_conflict((
                record_count::account_id,
                record_count::kind,
                record_count::agent_id,
                record_count::period,
                record_count::bucket,
            ))
            .do_update()
            .set(record_count::count.eq(record_count::count + count))
            .execute(connection)?;
    }
    Ok(())
}

/// The account's ingestion sequence so far; the caller counts on from it and writes it back with
/// [`advance_sequence`].
pub(super) fn last_sequence(connection: &mut SqliteConnection, account_id: AccountId) -> Result<i64> {
    let sequence = account::table.find(account_id.0).select(account::last_sequence).first(connection).optional()?;
    sequence.ok_or(StorageError::Missing { what: "account" })
}

/// Records that the account's data changed up to `sequence`.
pub(super) fn advance_sequence(connection: &mut SqliteConnection, account_id: AccountId, sequence: i64) -> Result<()> {
    diesel::update(account::table.find(account_id.0))
        .set((account::last_sequence.eq(sequence), account::data_version.eq(account::data_version + 1)))
        .execute(connection)?;
    Ok(())
}

/// Records that the account's data changed otherwise.
pub(super) fn raise_data_version(connection: &mut SqliteConnection, account_id: AccountId) -> Result<()> {
    diesel::update(account::table.find(account_id.0))
        .set(account::data_version.eq(account::data_version + 1))
        .execute(connection)?;
    Ok(())
}
