use astranetmon_auth::{Ingest, ReadSpeedtests, Scope};
use astranetmon_domain::{AccountId, PageRequest, RecordPosition, Speedtest, SpeedtestFilter, SpeedtestId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::failure::Failure;
use super::records::{ROWS_AT_ONCE, RecordTable};
use super::{PostgresStorage, Result, queries};
use crate::matching::Matching;
use crate::repository::{Appended, RecordPage, SpeedtestRepository};
use crate::rows::{RecordRow, SpeedtestRow};
use crate::schema::speedtest;

#[async_trait]
impl SpeedtestRepository for PostgresStorage {
    async fn speedtest_page(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &SpeedtestFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Speedtest>> {
        let account_id = scope.account_id();
        let load = async |connection: &mut AsyncPgConnection, matching: &Matching| {
            let query = queries::speedtest_page(account_id, matching, filter, page);
            query.load::<SpeedtestRow>(connection).await
        };
        let count = async |connection: &mut AsyncPgConnection, matching: &Matching| {
            if !filter.has_conditions() {
                return Ok(None);
            }
            queries::speedtest_count_matching(account_id, matching, filter).get_result(connection).await.map(Some)
        };
        self.record_page("reading speed tests", account_id, &filter.records, page, load, count).await
    }

    async fn speedtest_find(&self, scope: &Scope<ReadSpeedtests>, id: SpeedtestId) -> Result<Option<Speedtest>> {
        let row = self
            .read("finding a speed test", async |connection| {
                let query = speedtest::table
                    .filter(speedtest::account_id.eq(scope.account_id().0))
                    .filter(speedtest::id.eq(id.0.as_bytes().as_slice()))
                    .select(SpeedtestRow::as_select())
                    .order(speedtest::agent_id.asc());
                Ok(query.first(connection).await.optional()?)
            })
            .await?;
        row.map(SpeedtestRow::into_record).transpose()
    }

    async fn speedtest_append(
        &self,
        scope: &Scope<Ingest>,
        speedtests: Vec<Speedtest>,
        now: Timestamp,
    ) -> Result<Appended> {
        self.record_append::<SpeedtestRow>("appending speed tests", scope, speedtests, now).await
    }
}

#[async_trait]
impl RecordTable for SpeedtestRow {
    async fn known(
        connection: &mut AsyncPgConnection,
        account_id: AccountId,
        ids: Vec<Vec<u8>>,
    ) -> QueryResult<Vec<(Vec<u8>, String)>> {
        let known = speedtest::table.filter(speedtest::account_id.eq(account_id.0)).filter(speedtest::id.eq_any(ids));
        known.select((speedtest::id, speedtest::agent_id)).load(connection).await
    }

    async fn insert(
        connection: &mut AsyncPgConnection,
        _: AccountId,
        rows: &mut [Self],
    ) -> std::result::Result<(), Failure> {
        for rows in rows.chunks(ROWS_AT_ONCE) {
            diesel::insert_into(speedtest::table).values(rows).execute(connection).await?;
        }
        Ok(())
    }
}
