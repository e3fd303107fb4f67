use astranetmon_auth::{Ingest, ReadTraceroutes, Scope};
use astranetmon_domain::{PageRequest, RecordPosition, Timestamp, Traceroute, TracerouteFilter, TracerouteId};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::records::{self, Kept};
use super::{Result, SqliteStorage, queries};
use crate::matching::Matching;
use crate::reporting::Reporting;
use crate::repository::{Appended, RecordPage, TracerouteRepository};
use crate::rows::{RecordRow, TracerouteRow};
use crate::schema::traceroute;

#[async_trait]
impl TracerouteRepository for SqliteStorage {
    async fn traceroute_page(
        &self,
        scope: &Scope<ReadTraceroutes>,
        filter: &TracerouteFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Traceroute>> {
        let (account_id, filter, page) = (scope.account_id(), filter.clone(), page.clone());
        self.read_share(account_id, move |connection| {
            let load = |connection: &mut SqliteConnection, matching: &Matching| {
                let query = queries::traceroute_page(account_id, matching, &filter, &page);
                query.load::<TracerouteRow>(connection)
            };
            records::page(connection, account_id, &filter.records, &page, load, |connection, matching| {
                let count = || queries::traceroute_count_matching(account_id, matching, &filter);
                filter.has_conditions().then(|| count().get_result(connection)).transpose()
            })
        })
        .await
    }

    async fn traceroute_find(&self, scope: &Scope<ReadTraceroutes>, id: TracerouteId) -> Result<Option<Traceroute>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let row = traceroute::table
                .filter(traceroute::account_id.eq(account_id.0))
                .filter(traceroute::id.eq(id.0.as_bytes().as_slice()))
                .select(TracerouteRow::as_select())
                .order(traceroute::agent_id.asc())
                .first(connection)
                .optional()?;
            row.map(TracerouteRow::into_record).transpose()
        })
        .await
    }

    async fn traceroute_append(
        &self,
        scope: &Scope<Ingest>,
        traceroutes: Vec<Traceroute>,
        now: Timestamp,
    ) -> Result<Appended> {
        if traceroutes.is_empty() {
            return Ok(Appended::default());
        }
        let reporting = Reporting::of(scope, traceroutes.iter().map(|traceroute| &traceroute.agent_id), now)?;
        let account_id = scope.account_id();
        self.append(reporting, move |connection| {
            records::append(
                connection,
                account_id,
                TracerouteRow::KIND,
                traceroutes,
                |connection, traceroute, sequence| {
                    let mut row = TracerouteRow::new(account_id, traceroute, now);
                    row.set_sequence(sequence);
                    let before = neighbour(connection, &row, Direction::Before)?;
                    row.path_changed = before.map(|before| before.path_hash != row.path_hash);
                    let insert = diesel::insert_into(traceroute::table).values(&row).on_conflict_do_nothing();
                    if insert.execute(connection)? == 0 {
                        return Ok(Kept::Known);
                    }
                    correct_successor(connection, &row)?;
                    Ok(Kept::Inserted { agent_id: row.agent_id, timestamp: row.timestamp })
                },
            )
        })
        .await
    }
}

enum Direction {
    Before,
    After,
}

struct Neighbour {
    id: Vec<u8>,
    path_hash: String,
    path_changed: Option<bool>,
}

/// The trace next in time (then id) of the same agent, target and protocol.
fn neighbour(
    connection: &mut SqliteConnection,
    row: &TracerouteRow,
    direction: Direction,
) -> Result<Option<Neighbour>> {
    let same_path = traceroute::table
        .filter(traceroute::account_id.eq(row.account_id))
        .filter(traceroute::agent_id.eq(&row.agent_id))
        .filter(traceroute::target.eq(&row.target))
        .filter(traceroute::protocol.eq(&row.protocol))
        .select((traceroute::id, traceroute::path_hash, traceroute::path_changed));
    let at = row.timestamp;
    let found: Option<(Vec<u8>, String, Option<bool>)> = match direction {
        Direction::Before => same_path
            .filter(traceroute::timestamp.le(at))
            .filter(traceroute::timestamp.lt(at).or(traceroute::id.lt(&row.id)))
            .order((traceroute::timestamp.desc(), traceroute::id.desc()))
            .first(connection)
            .optional()?,
        Direction::After => same_path
            .filter(traceroute::timestamp.ge(at))
            .filter(traceroute::timestamp.gt(at).or(traceroute::id.gt(&row.id)))
            .order((traceroute::timestamp.asc(), traceroute::id.asc()))
            .first(connection)
            .optional()?,
    };
    Ok(found.map(|(id, path_hash, path_changed)| Neighbour { id, path_hash, path_changed }))
}

/// A late trace becomes the one before of the trace after it.
fn correct_successor(connection: &mut SqliteConnection, row: &TracerouteRow) -> Result<()> {
    let Some(after) = neighbour(connection, row, Direction::After)? else { return Ok(()) };
    let changed = Some(after.path_hash != row.path_hash);
    if after.path_changed != changed {
        diesel::update(traceroute::table.find((row.account_id, &after.id, &row.agent_id)))
            .set(traceroute::path_changed.eq(changed))
            .execute(connection)?;
    }
    Ok(())
}
