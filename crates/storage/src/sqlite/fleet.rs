use astranetmon_auth::{ReadAgents, ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use async_trait::async_trait;
use diesel::prelude::*;

use super::{Result, SqliteStorage};
use crate::newest::{NewestRows, newest_metrics, newest_route_changes, newest_speedtests, one_account};
use crate::repository::{AgentRepository, FleetRepository, FleetRow};

#[async_trait]
impl FleetRepository for SqliteStorage {
    async fn fleet(
        &self,
        agents: &Scope<ReadAgents>,
        metrics: &Scope<ReadMetrics>,
        speedtests: &Scope<ReadSpeedtests>,
        traceroutes: &Scope<ReadTraceroutes>,
    ) -> Result<Vec<FleetRow>> {
        let account_id = one_account(agents, metrics, speedtests, traceroutes)?;
        let agents = self.agent_page(agents, None, None).await?.agents;
        self.read_share(account_id, move |connection| {
            let rows = NewestRows {
                metrics: newest_metrics(account_id).load(connection)?,
                speedtests: newest_speedtests(account_id).load(connection)?,
                route_changes: newest_route_changes(account_id).load(connection)?,
            };
            rows.into_fleet(&agents)
        })
        .await
    }
}
