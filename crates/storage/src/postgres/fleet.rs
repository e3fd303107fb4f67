use astranetmon_auth::{ReadAgents, ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope};
use async_trait::async_trait;
use diesel_async::RunQueryDsl;
use futures_util::future::join3;

use super::{PostgresStorage, Result};
use crate::newest::{NewestRows, newest_metrics, newest_route_changes, newest_speedtests, one_account};
use crate::repository::{AgentRepository, FleetRepository, FleetRow};

#[async_trait]
impl FleetRepository for PostgresStorage {
    async fn fleet(
        &self,
        agents: &Scope<ReadAgents>,
        metrics: &Scope<ReadMetrics>,
        speedtests: &Scope<ReadSpeedtests>,
        traceroutes: &Scope<ReadTraceroutes>,
    ) -> Result<Vec<FleetRow>> {
        let account_id = one_account(agents, metrics, speedtests, traceroutes)?;
        let agents = self.agent_page(agents, None, None).await?.agents;
        let rows = self
            .read_share(account_id, "reading the newest of each agent", async |connection| {
                // Sent together: the server looks up the next while the rows of the one before are read.
                let connection = &*connection;
                let (metrics, speedtests, route_changes) = join3(
                    newest_metrics(account_id).load(&mut &*connection),
                    newest_speedtests(account_id).load(&mut &*connection),
                    newest_route_changes(account_id).load(&mut &*connection),
                )
                .await;
                Ok(NewestRows { metrics: metrics?, speedtests: speedtests?, route_changes: route_changes? })
            })
            .await?;
        rows.into_fleet(&agents)
    }
}
