use astranetmon_auth::{Ingest, ReadTraceroutes, Scope};
use astranetmon_domain::{
    AccountId, PageRequest, RecordPosition, Timestamp, Traceroute, TracerouteFilter, TracerouteId,
};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use super::paths::compare_paths;
use super::records::{ROWS_AT_ONCE, RecordTable};
use super::{PostgresStorage, Result, queries};
use crate::matching::Matching;
use crate::repository::{Appended, RecordPage, TracerouteRepository};
use crate::rows::{RecordRow, TracerouteRow};
use crate::schema::traceroute;

#[async_trait]
impl TracerouteRepository for PostgresStorage {
    async fn traceroute_page(
        &self,
        scope: &Scope<ReadTraceroutes>,
        filter: &TracerouteFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Traceroute>> {
        let account_id = scope.account_id();
        let load = async |connection: &mut AsyncPgConnection, matching: &Matching| {
            let query = queries::traceroute_page(account_id, matching, filter, page);
            query.load::<TracerouteRow>(connection).await
        };
        let count = async |connection: &mut AsyncPgConnection, matching: &Matching| {
            if !filter.has_conditions() {
                return Ok(None);
            }
            queries::traceroute_count_matching(account_id, matching, filter).get_result(connection).await.map(Some)
        };
        self.record_page("reading traceroutes", account_id, &filter.records, page, load, count).await
    }

    async fn traceroute_find(&self, scope: &Scope<ReadTraceroutes>, id: TracerouteId) -> Result<Option<Traceroute>> {
        let row = self
            .read("finding a traceroute", async |connection| {
                let query = traceroute::table
                    .filter(traceroute::account_id.eq(scope.account_id().0))
                    .filter(traceroute::id.eq(id.0.as_bytes().as_slice()))
                    .select(TracerouteRow::as_select())
                    .order(traceroute::agent_id.asc());
                Ok(query.first(connection).await.optional()?)
            })
            .await?;
        row.map(TracerouteRow::into_record).transpose()
    }

    async fn traceroute_append(
        &self,
        scope: &Scope<Ingest>,
        traceroutes: Vec<Traceroute>,
        now: Timestamp,
    ) -> Result<Appended> {
        self.record_append::<TracerouteRow>("appending traceroutes", scope, traceroutes, now).await
    }
}

#[async_trait]
impl RecordTable for TracerouteRow {
    async fn known(
        connection: &mut AsyncPgConnection,
        account_id: AccountId,
        ids: Vec<Vec<u8>>,
    ) -> QueryResult<Vec<(Vec<u8>, String)>> {
        let known =
            traceroute::table.filter(traceroute::account_id.eq(account_id.0)).filter(traceroute::id.eq_any(ids));
        known.select((traceroute::id, traceroute::agent_id)).load(connection).await
    }

    async fn insert(
        connection: &mut AsyncPgConnection,
        account_id: AccountId,
        rows: &mut [Self],
    ) -> std::result::Result<(), Failure> {
        compare_paths(connection, account_id, rows).await?;
        for rows in rows.chunks(ROWS_AT_ONCE) {
            diesel::insert_into(traceroute::table).values(rows).execute(connection).await?;
        }
        Ok(())
    }
}
