//! Pages and appends of speed tests and traceroutes.

use std::collections::HashSet;

use astranetmon_auth::{Ingest, Scope};
use astranetmon_domain::{AccountId, AgentFilter, AgentId, PageRequest, RecordFilter, RecordPosition, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::append::{add_counts, advance_account, lock_account, touch_account};
use super::failure::Failure;
use super::reporting::admit;
use super::totals::{self, total};
use super::{PostgresStorage, Result};
use crate::counts::CountDeltas;
use crate::fetched::Fetched;
use crate::matching::{Matching, has_labels};
use crate::reporting::Reporting;
use crate::repository::{Appended, RecordPage};
use crate::rows::RecordRow;
use crate::schema::agent;

/// Rows of one statement: at most 30 columns each, at most 65,535 values in all.
pub(super) const ROWS_AT_ONCE: usize = 2_000;

/// What an append asks of the table of a row.
#[async_trait]
pub(super) trait RecordTable: RecordRow + Send {
    /// The stored ones of some ids, each with its agent.
    async fn known(
        connection: &mut AsyncPgConnection,
        account_id: AccountId,
        ids: Vec<Vec<u8>>,
    ) -> QueryResult<Vec<(Vec<u8>, String)>>;

    /// Writes rows that are new.
    async fn insert(
        connection: &mut AsyncPgConnection,
        account_id: AccountId,
        rows: &mut [Self],
    ) -> std::result::Result<(), Failure>;
}

/// What the filter asks for; `None` if nothing can match.
pub(super) async fn matching(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    filter: &RecordFilter,
) -> std::result::Result<Option<Matching>, Failure> {
    let mut labelled = Vec::new();
    if let AgentFilter::Labelled { labels, .. } = &filter.agent {
        let agents = agent::table.filter(agent::account_id.eq(account_id.0)).select((agent::id, agent::labels));
        let agents: Vec<(String, String)> = agents.load(connection).await?;
        labelled.extend(
            agents
                .iter()
                .filter(|(_, stored)| has_labels(stored, labels))
                .filter_map(|(id, _)| AgentId::parse(id).ok()),
        );
    }
    Ok(Matching::of(filter, labelled))
}

impl PostgresStorage {
    /// A page of records: `load` fetches its rows, and one more if there is one, and `count` says how many match if more
    /// than the agent and the time is asked.
    pub(super) async fn record_page<Row: RecordRow, const MAX: u32>(
        &self,
        context: &'static str,
        account_id: AccountId,
        filter: &RecordFilter,
        page: &PageRequest<RecordPosition, MAX>,
        load: impl AsyncFnOnce(&mut AsyncPgConnection, &Matching) -> QueryResult<Vec<Row>>,
        count: impl AsyncFnOnce(&mut AsyncPgConnection, &Matching) -> QueryResult<Option<i64>>,
    ) -> Result<RecordPage<Row::Record>> {
        if filter.is_empty() {
            return Ok(RecordPage::default());
        }
        let limit = page.limit.rows();
        self.read_share(account_id, context, async |connection| {
            let matching = matching(connection, account_id, filter).await?;
            let Some(matching) = matching else { return Ok(RecordPage::default()) };
            let fetched = Fetched::new(load(connection, &matching).await?, limit);
            let total = match fetched.total(page.after.is_none()) {
                Some(total) => total,
                None => match count(connection, &matching).await? {
                    Some(counted) => counted.unsigned_abs(),
                    None => total(connection, account_id, Row::KIND, &matching).await?,
                },
            };
            Ok(fetched.into_page(total)?)
        })
        .await
    }

    /// Appends records.
    pub(super) async fn record_append<Row: RecordTable>(
        &self,
        context: &'static str,
        scope: &Scope<Ingest>,
        records: Vec<Row::Record>,
        now: Timestamp,
    ) -> Result<Appended> {
        if records.is_empty() {
            return Ok(Appended::default());
        }
        let account_id = scope.account_id();
        let reporting = Reporting::of(scope, records.iter().map(Row::agent_of), now)?;
        let mut rows: Vec<Row> = records.into_iter().map(|record| Row::new(account_id, record, now)).collect();
        self.make_partitions(totals::table(Row::KIND), rows.iter().map(Row::timestamp)).await?;
        let appended = self.append(context, async |connection| {
            connection
                .transaction(async |connection| {
                    let mut sequence = lock_account(connection, account_id).await?;
                    admit(connection, &reporting).await?;
                    // The key of the table has the time in it, as partitions demand; the identity has not, and is kept
                    // by looking while the account is locked.
                    let ids = rows.iter().map(|row| row.id().to_vec()).collect();
                    let known = Row::known(connection, account_id, ids).await?;
                    let mut known: HashSet<_> = known.into_iter().collect();
                    let mut appended = Appended::default();
                    let mut place = 0..;
                    rows.retain(|row| {
                        let is_new = known.insert((row.id().to_vec(), row.agent_id().to_owned()));
                        if let (false, Some(place)) = (is_new, place.next()) {
                            appended.known_rows.push(place);
                        }
                        is_new
                    });
                    let mut deltas = CountDeltas::default();
                    for row in &mut rows {
                        sequence += 1;
                        row.set_sequence(sequence);
                        deltas.add(row.agent_id(), row.timestamp());
                    }
                    if !rows.is_empty() {
                        Row::insert(connection, account_id, &mut rows).await?;
                        add_counts(connection, account_id, Row::KIND, &deltas).await?;
                        advance_account(connection, account_id, sequence).await?;
                    } else if reporting.marks_as_seen() {
                        touch_account(connection, account_id).await?;
                    }
                    appended.inserted = rows.len() as u64;
                    appended.known = appended.known_rows.len() as u64;
                    Ok::<_, Failure>(appended)
                })
                .await
        });
        let appended = appended.await;
        if reporting.marks_as_seen() {
            self.lanes.agent_lists.changed(account_id);
        }
        appended
    }
}
