use astranetmon_auth::{ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{MetricSample, Speedtest, Traceroute};
use async_trait::async_trait;
use diesel::prelude::*;

use super::{Result, SqliteStorage};
use crate::newest::{newest_metrics, newest_speedtests, newest_traceroutes};
use crate::repository::LatestRepository;
use crate::rows::{MetricReadRow, RecordRow, SpeedtestRow, TracerouteRow};

#[async_trait]
impl LatestRepository for SqliteStorage {
    async fn metric_latest(&self, scope: &Scope<ReadMetrics>) -> Result<Vec<MetricSample>> {
        let account_id = scope.account_id();
        self.read_share(account_id, move |connection| {
            let rows: Vec<MetricReadRow> = newest_metrics(account_id).load(connection)?;
            rows.into_iter().map(MetricReadRow::into_sample).collect()
        })
        .await
    }

    async fn speedtest_latest(&self, scope: &Scope<ReadSpeedtests>) -> Result<Vec<Speedtest>> {
        let account_id = scope.account_id();
        self.read_share(account_id, move |connection| {
            let rows: Vec<SpeedtestRow> = newest_speedtests(account_id).load(connection)?;
            rows.into_iter().map(SpeedtestRow::into_record).collect()
        })
        .await
    }

    async fn traceroute_latest(&self, scope: &Scope<ReadTraceroutes>) -> Result<Vec<Traceroute>> {
        let account_id = scope.account_id();
        self.read_share(account_id, move |connection| {
            let rows: Vec<TracerouteRow> = newest_traceroutes(account_id).load(connection)?;
            rows.into_iter().map(TracerouteRow::into_record).collect()
        })
        .await
    }
}
