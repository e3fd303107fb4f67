//! What metrics, speed tests and traceroutes have in common: totals, counts, ingestion sequences.

use astranetmon_domain::{AccountId, AgentFilter, AgentId, PageRequest, RecordFilter, RecordPosition};
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::{Result, chunks, queries};
use crate::StorageError;
use crate::counts::{CountDeltas, RecordKind, count_plan};
use crate::fetched::Fetched;
use crate::matching::{Matching, has_labels};
use crate::repository::{Appended, RecordPage};
use crate::rows::RecordRow;
use crate::schema::{account, agent, record_count};

/// What the filter asks for; `None` if nothing can match.
pub(super) fn matching(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    filter: &RecordFilter,
) -> Result<Option<Matching>> {
    let mut labelled = Vec::new();
    if let AgentFilter::Labelled { labels, .. } = &filter.agent {
        let agents = agent::table.filter(agent::account_id.eq(account_id.0)).select((agent::id, agent::labels));
        for row in agents.load_iter::<(String, String), _>(connection)? {
            let (id, stored) = row?;
            if has_labels(&stored, labels) {
                labelled.extend(AgentId::parse(&id));
            }
        }
    }
    Ok(Matching::of(filter, labelled))
}

/// A page of records: `load` fetches its rows, and one more if there is one, and `count` says how many match if more than
/// the agent and the time is asked.
pub(super) fn page<Row: RecordRow, const MAX: u32>(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    filter: &RecordFilter,
    page: &PageRequest<RecordPosition, MAX>,
    load: impl FnOnce(&mut SqliteConnection, &Matching) -> QueryResult<Vec<Row>>,
    count: impl FnOnce(&mut SqliteConnection, &Matching) -> QueryResult<Option<i64>>,
) -> Result<RecordPage<Row::Record>> {
    let Some(matching) = matching(connection, account_id, filter)? else { return Ok(RecordPage::default()) };
    let fetched = Fetched::new(load(connection, &matching)?, page.limit.rows());
    let total = match fetched.total(page.after.is_none()) {
        Some(total) => total,
        None => match count(connection, &matching)? {
            Some(counted) => counted.unsigned_abs(),
            None => total(connection, account_id, Row::KIND, &matching)?,
        },
    };
    fetched.into_page(total)
}

/// What became of a record that was to be appended.
pub(super) enum Kept {
    Inserted { agent_id: String, timestamp: i64 },
    Known,
}

/// Appends records: `keep` stores one, with the ingestion sequence that it gets if it changes anything.
pub(super) fn append<Record>(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    kind: RecordKind,
    records: Vec<Record>,
    mut keep: impl FnMut(&mut SqliteConnection, Record, i64) -> Result<Kept>,
) -> Result<Appended> {
    let mut appended = Appended::default();
    let mut deltas = CountDeltas::default();
    let mut sequence = last_sequence(connection, account_id)?;
    for (row, record) in (0..).zip(records) {
        match keep(connection, record, sequence + 1)? {
            Kept::Inserted { agent_id, timestamp } => {
                appended.inserted += 1;
                deltas.add(&agent_id, timestamp);
                sequence += 1;
            }
            Kept::Known => {
                appended.known += 1;
                appended.known_rows.push(row);
            }
        }
    }
    if appended.inserted > 0 {
        add_counts(connection, account_id, kind, &deltas)?;
        advance_sequence(connection, account_id, sequence)?;
    }
    Ok(appended)
}

/// The exact number of records that match, from the kept counts and at most two parts of an hour.
pub(super) fn total(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    kind: RecordKind,
    matching: &Matching,
) -> Result<u64> {
    let (plan, agents) = (count_plan(&matching.range), &matching.agents);
    let mut total: i64 = 0;
    for span in plan.counted {
        let counted: Option<i64> = queries::counted(account_id, kind, agents, span).get_result(connection)?;
        total += counted.unwrap_or(0);
    }
    for span in plan.partial {
        let counted: i64 = match kind {
            RecordKind::Metric => {
                let rows: i64 = queries::metric_count(account_id, agents, span).get_result(connection)?;
                rows + chunks::count(connection, account_id, agents, span)?
            }
            RecordKind::Speedtest => queries::speedtest_count(account_id, agents, span).get_result(connection)?,
            RecordKind::Traceroute => queries::traceroute_count(account_id, agents, span).get_result(connection)?,
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

/// Takes records that went from the counts, and the counts that have become nothing.
pub(super) fn lower_counts(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    kind: RecordKind,
    deltas: &CountDeltas,
) -> Result<()> {
    for (agent_id, period, bucket, change) in deltas.iter() {
        let count = record_count::table.find((account_id.0, kind as i64, agent_id, period, bucket));
        diesel::update(count).set(record_count::count.eq(record_count::count + change)).execute(connection)?;
        diesel::delete(count.filter(record_count::count.le(0))).execute(connection)?;
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
