use astranetmon_auth::{ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use astranetmon_domain::{MetricSample, Speedtest, Traceroute};
use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::{PostgresStorage, Result};
use crate::newest::{newest_metrics, newest_speedtests, newest_traceroutes};
use crate::repository::LatestRepository;
use crate::rows::{MetricReadRow, RecordRow, SpeedtestRow, TracerouteRow};

const CONTEXT: &str = "reading the newest of each agent";

#[async_trait]
impl LatestRepository for PostgresStorage {
    async fn metric_latest(&self, scope: &Scope<ReadMetrics>) -> Result<Vec<MetricSample>> {
        let account_id = scope.account_id();
        self.read_share(account_id, CONTEXT, async |connection| {
            let rows: Vec<MetricReadRow> = newest_metrics(account_id).load(connection).await?;
            Ok(rows.into_iter().map(MetricReadRow::into_sample).collect::<Result<_>>()?)
        })
        .await
    }

    async fn speedtest_latest(&self, scope: &Scope<ReadSpeedtests>) -> Result<Vec<Speedtest>> {
        let account_id = scope.account_id();
        self.read_share(account_id, CONTEXT, async |connection| {
            let rows: Vec<SpeedtestRow> = newest_speedtests(account_id).load(connection).await?;
            Ok(rows.into_iter().map(SpeedtestRow::into_record).collect::<Result<_>>()?)
        })
        .await
    }

    async fn traceroute_latest(&self, scope: &Scope<ReadTraceroutes>) -> Result<Vec<Traceroute>> {
        let account_id = scope.account_id();
        self.read_share(account_id, CONTEXT, async |connection| {
            let rows: Vec<TracerouteRow> = newest_traceroutes(account_id).load(connection).await?;
            Ok(rows.into_iter().map(TracerouteRow::into_record).collect::<Result<_>>()?)
        })
        .await
    }
}
