use astranetmon_auth::{ReadAlerts, Scope};
use astranetmon_domain::{AgentAlertState, AlertDelivery, AlertEventId, AlertRuleId};
use async_trait::async_trait;
use diesel_async::RunQueryDsl;

use super::queries;
use crate::postgres::{PostgresStorage, Result};
use crate::repository::{AlertEventPage, AlertEventPosition, AlertHistory};
use crate::rows::{AlertDeliveryRow, AlertStateRow, event_page};

#[async_trait]
impl AlertHistory for PostgresStorage {
    async fn alert_state_list(&self, scope: &Scope<ReadAlerts>) -> Result<Vec<AgentAlertState>> {
        let rows = self
            .read("listing alert states", async |connection| {
                Ok(queries::alert_states(scope.account_id()).load(connection).await?)
            })
            .await?;
        rows.into_iter().map(AlertStateRow::into_state).collect()
    }

    async fn alert_event_page(
        &self,
        scope: &Scope<ReadAlerts>,
        rule_id: Option<AlertRuleId>,
        after: Option<AlertEventPosition>,
        limit: u32,
    ) -> Result<AlertEventPage> {
        let (account_id, fetch) = (scope.account_id(), i64::from(limit) + 1);
        let rows = self
            .read("reading alert events", async |connection| {
                let query = queries::alert_events(account_id, rule_id.as_ref(), after.as_ref(), fetch);
                Ok(query.load(connection).await?)
            })
            .await?;
        event_page(rows, limit)
    }

    async fn alert_delivery_list(
        &self,
        scope: &Scope<ReadAlerts>,
        event_id: AlertEventId,
    ) -> Result<Vec<AlertDelivery>> {
        let rows = self
            .read("listing deliveries", async |connection| {
                Ok(queries::alert_deliveries(scope.account_id(), &event_id).load(connection).await?)
            })
            .await?;
        rows.into_iter().map(AlertDeliveryRow::into_delivery).collect()
    }
}
