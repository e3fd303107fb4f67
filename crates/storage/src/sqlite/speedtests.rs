use astranetmon_auth::{Ingest, ReadSpeedtests, Scope};
use astranetmon_domain::{PageRequest, RecordPosition, Speedtest, SpeedtestFilter, SpeedtestId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::records::{self, Kept};
use super::{Result, SqliteStorage, queries};
use crate::matching::Matching;
use crate::reporting::Reporting;
use crate::repository::{Appended, RecordPage, SpeedtestRepository};
use crate::rows::{RecordRow, SpeedtestRow};
use crate::schema::speedtest;

#[async_trait]
impl SpeedtestRepository for SqliteStorage {
    async fn speedtest_page(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &SpeedtestFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Speedtest>> {
        let (account_id, filter, page) = (scope.account_id(), filter.clone(), page.clone());
        self.read_share(account_id, move |connection| {
            let load = |connection: &mut SqliteConnection, matching: &Matching| {
                let query = queries::speedtest_page(account_id, matching, &filter, &page);
                query.load::<SpeedtestRow>(connection)
            };
            records::page(connection, account_id, &filter.records, &page, load, |connection, matching| {
                let count = || queries::speedtest_count_matching(account_id, matching, &filter);
                filter.has_conditions().then(|| count().get_result(connection)).transpose()
            })
        })
        .await
    }

    async fn speedtest_find(&self, scope: &Scope<ReadSpeedtests>, id: SpeedtestId) -> Result<Option<Speedtest>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let row = speedtest::table
                .filter(speedtest::account_id.eq(account_id.0))
                .filter(speedtest::id.eq(id.0.as_bytes().as_slice()))
                .select(SpeedtestRow::as_select())
                .order(speedtest::agent_id.asc())
                .first(connection)
                .optional()?;
            row.map(SpeedtestRow::into_record).transpose()
        })
        .await
    }

    async fn speedtest_append(
        &self,
        scope: &Scope<Ingest>,
        speedtests: Vec<Speedtest>,
        now: Timestamp,
    ) -> Result<Appended> {
        if speedtests.is_empty() {
            return Ok(Appended::default());
        }
        let reporting = Reporting::of(scope, speedtests.iter().map(|speedtest| &speedtest.agent_id), now)?;
        let account_id = scope.account_id();
        self.append(reporting, move |connection| {
            records::append(
                connection,
                account_id,
                SpeedtestRow::KIND,
                speedtests,
                |connection, speedtest, sequence| {
                    let mut row = SpeedtestRow::new(account_id, speedtest, now);
                    row.set_sequence(sequence);
                    let insert = diesel::insert_into(speedtest::table).values(&row).on_conflict_do_nothing();
                    if insert.execute(connection)? == 0 {
                        return Ok(Kept::Known);
                    }
                    Ok(Kept::Inserted { agent_id: row.agent_id, timestamp: row.timestamp })
                },
            )
        })
        .await
    }
}
