use astranetmon_auth::{ReadAlerts, Scope};
use astranetmon_domain::{AgentAlertState, AlertDelivery, AlertEventId, AlertRuleId};
use async_trait::async_trait;
use diesel::prelude::*;

use super::queries;
use crate::repository::{AlertEventPage, AlertEventPosition, AlertHistory};
use crate::rows::{AlertDeliveryRow, AlertStateRow, event_page};
use crate::sqlite::{Result, SqliteStorage};

#[async_trait]
impl AlertHistory for SqliteStorage {
    async fn alert_state_list(&self, scope: &Scope<ReadAlerts>) -> Result<Vec<AgentAlertState>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let rows = queries::alert_states(account_id).load(connection)?;
            rows.into_iter().map(AlertStateRow::into_state).collect()
        })
        .await
    }

    async fn alert_event_page(
        &self,
        scope: &Scope<ReadAlerts>,
        rule_id: Option<AlertRuleId>,
        after: Option<AlertEventPosition>,
        limit: u32,
    ) -> Result<AlertEventPage> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let fetch = i64::from(limit) + 1;
            let rows = queries::alert_events(account_id, rule_id.as_ref(), after.as_ref(), fetch).load(connection)?;
            event_page(rows, limit)
        })
        .await
    }

    async fn alert_delivery_list(
        &self,
        scope: &Scope<ReadAlerts>,
        event_id: AlertEventId,
    ) -> Result<Vec<AlertDelivery>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let rows = queries::alert_deliveries(account_id, &event_id).load(connection)?;
            rows.into_iter().map(AlertDeliveryRow::into_delivery).collect()
        })
        .await
    }
}
