//! How metrics are written: many rows a statement, and statements of two lengths only, so that each is prepared once.

use astranetmon_domain::{AccountId, Timestamp};
use diesel::prelude::*;
use diesel::query_builder::{AstPass, QueryFragment, QueryId};
use diesel::sql_types::{BigInt, Binary, Text};
use diesel::sqlite::{Sqlite, SqliteConnection};

use super::records::{add_counts, advance_sequence};
use super::{Result, chunks};
use crate::StorageError;
use crate::counts::RecordKind;
use crate::measured::Measured;
use crate::metric_batch::{BatchSample, MetricBatch, Tally};
use crate::repository::Appended;
use crate::schema::{account, metric_sample};

/// Rows of a long statement.
const ROWS_AT_ONCE: usize = 100;

/// Appends a batch. Each sample has its own ingestion sequence, known ones too, so that numbers may be missing.
pub(super) fn append(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    batch: &mut MetricBatch,
    received_at: Timestamp,
) -> Result<Appended> {
    let known = account::table
        .find(account_id.0)
        .select((account::last_sequence, account::folded_before, account::sealed_before))
        .first::<(i64, i64, i64)>(connection)
        .optional()?;
    let (last, folded_before, sealed_before) = known.ok_or(StorageError::Missing { what: "account" })?;
    batch.pass_by(folded_before);
    let mut sealed = chunks::take_sealed(connection, account_id, sealed_before, batch)?;
    let mut sequence = last + 1;
    let mut tally = batch.tally();
    for part in &mut sealed {
        let (agent_id, period, given) = (part.agent_id.clone(), part.period.clone(), part.given());
        if let Some(merged) = part.merge(sequence, received_at.as_micros(), &mut tally) {
            chunks::replace(connection, account_id, &agent_id, &period, &merged)?;
        }
        sequence += given as i64;
    }
    for samples in batch.samples.chunks(ROWS_AT_ONCE) {
        if insert(connection, account_id, received_at, samples, sequence)? == samples.len() {
            samples.iter().for_each(|sample| tally.inserted(sample));
        } else {
            for (sample, sequence) in samples.iter().zip(sequence..) {
                settle(connection, account_id, sample, sequence, &mut tally)?;
            }
        }
        sequence += samples.len() as i64;
    }
    let deltas = tally.deltas();
    let appended = tally.finish();
    if appended.inserted + appended.filled > 0 {
        add_counts(connection, account_id, RecordKind::Metric, &deltas)?;
        advance_sequence(connection, account_id, sequence - 1)?;
    }
    Ok(appended)
}

/// What became of a sample of a statement that did not insert all of its rows: a stored row with the sample's own
/// sequence is the sample; any other was there before, and is filled.
fn settle<'a>(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    sample: &'a BatchSample,
    sequence: i64,
    tally: &mut Tally<'a>,
) -> Result<()> {
    let key = metric_sample::table.find((account_id.0, sample.agent_id(), sample.timestamp()));
    let (stored_sequence, mut stored): (i64, Measured) =
        key.select((metric_sample::sequence, metric_sample::measured)).first(connection)?;
    if stored_sequence == sequence {
        tally.inserted(sample);
    } else if stored.fill_from(&sample.measured) {
        tally.filled(sample);
        diesel::update(key)
            .set((metric_sample::sequence.eq(sequence), metric_sample::measured.eq(stored.pack())))
            .execute(connection)?;
    } else {
        tally.known(sample);
    }
    Ok(())
}

/// Inserts those of the samples whose key is new, numbered from `sequence` on; how many were.
fn insert(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    received_at: Timestamp,
    samples: &[BatchSample],
    sequence: i64,
) -> Result<usize> {
    let rows: Vec<Row<'_>> = samples
        .iter()
        .zip(sequence..)
        .map(|(sample, sequence)| Row {
            account_id: account_id.0,
            agent_id: sample.agent_id(),
            timestamp: sample.timestamp(),
            received_at: received_at.as_micros(),
            sequence,
            measured: sample.measured.pack(),
        })
        .collect();
    if rows.len() == ROWS_AT_ONCE {
        return Ok(Insert::<ROWS_AT_ONCE>(&rows).execute(connection)?);
    }
    let mut inserted = 0;
    for row in rows.chunks(1) {
        inserted += Insert::<1>(row).execute(connection)?;
    }
    Ok(inserted)
}

struct Row<'a> {
    account_id: i64,
    agent_id: &'a str,
    timestamp: i64,
    received_at: i64,
    sequence: i64,
    measured: Vec<u8>,
}

/// A statement of `ROWS` rows.
struct Insert<'a, const ROWS: usize>(&'a [Row<'a>]);

/// The text depends on the number of rows alone.
impl<const ROWS: usize> QueryId for Insert<'_, ROWS> {
    type QueryId = Insert<'static, ROWS>;
}

impl<C, const ROWS: usize> RunQueryDsl<C> for Insert<'_, ROWS> {}

impl<const ROWS: usize> QueryFragment<Sqlite> for Insert<'_, ROWS> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Sqlite>) -> QueryResult<()> {
        let mut before =
            "INSERT INTO metric_sample (account_id, agent_id, timestamp, received_at, sequence, measured) VALUES (";
        for row in self.0 {
            out.push_sql(before);
            out.push_bind_param::<BigInt, _>(&row.account_id)?;
            out.push_sql(", ");
            out.push_bind_param::<Text, _>(row.agent_id)?;
            for number in [&row.timestamp, &row.received_at, &row.sequence] {
                out.push_sql(", ");
                out.push_bind_param::<BigInt, _>(number)?;
            }
            out.push_sql(", ");
            out.push_bind_param::<Binary, _>(&row.measured)?;
            before = "), (";
        }
        out.push_sql(") ON CONFLICT DO NOTHING");
        Ok(())
    }
}
