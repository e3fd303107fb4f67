use astranetmon_auth::{Ingest, ReadSpeedtests, Scope};
use astranetmon_domain::{PageRequest, RecordFilter, RecordPosition, Speedtest, SpeedtestId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;

use super::records::{add_counts, advance_sequence, last_sequence, total};
use super::{Result, SqliteStorage, queries};
use crate::counts::{CountDeltas, RecordKind};
use crate::repository::{Appended, RecordPage, SpeedtestRepository};
use crate::rows::SpeedtestRow;
use crate::schema::speedtest;

#[async_trait]
impl SpeedtestRepository for SqliteStorage {
    async fn speedtest_page(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &RecordFilter,
        page: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Speedtest>> {
        if filter.is_empty() {
            return Ok(RecordPage::default());
        }
        let (account_id, filter, page) = (scope.account_id(), filter.clone(), page.clone());
        self.read_share(account_id, move |connection| {
            let limit = page.limit.rows() as usize;
            let query = queries::speedtest_page(account_id, &filter, page.after.as_ref(), limit as i64 + 1);
            let mut rows: Vec<SpeedtestRow> = query.load(connection)?;
            let more = rows.len() > limit;
            rows.truncate(limit);
            let total = if page.after.is_none() && !more {
                rows.len() as u64
            } else {
                total(connection, account_id, RecordKind::Speedtest, &filter)?
            };
            let rows = rows.into_iter().map(SpeedtestRow::into_speedtest).collect::<Result<_>>()?;
            Ok(RecordPage { rows, total, more })
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
            row.map(SpeedtestRow::into_speedtest).transpose()
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
        let account_id = scope.account_id();
        self.write(move |connection| {
            let mut appended = Appended::default();
            let mut deltas = CountDeltas::default();
            let mut sequence = last_sequence(connection, account_id)?;
            for speedtest in speedtests {
                let row = SpeedtestRow::new(account_id, speedtest.normalized(), now, sequence + 1);
                let inserted =
                    diesel::insert_into(speedtest::table).values(&row).on_conflict_do_nothing().execute(connection)?;
                if inserted == 1 {
                    appended.inserted += 1;
                    deltas.add(&row.agent_id, row.timestamp);
                    sequence += 1;
                } else {
                    appended.known += 1;
                }
            }
            add_counts(connection, account_id, RecordKind::Speedtest, &deltas)?;
            if appended.inserted > 0 {
                advance_sequence(connection, account_id, sequence)?;
            }
            Ok(appended)
        })
        .await
    }
}
