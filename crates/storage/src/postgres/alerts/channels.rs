use astranetmon_auth::{ManageAccount, ReadAlerts, Scope};
use astranetmon_domain::{AlertChannel, AlertChannelId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, RunQueryDsl};

use super::queries;
use crate::StorageError;
use crate::postgres::accounts::record_audit;
use crate::postgres::append::lock_account;
use crate::postgres::failure::Failure;
use crate::postgres::{PostgresStorage, Result};
use crate::random::fresh_id;
use crate::repository::{AlertChannelRepository, AlertDestination, NewAlertChannel};
use crate::rows::{AlertChannelRow, AuditRow, CHANNEL_ENDED, FAILED, ListedChannelRow, QUEUED};
use crate::schema::{alert_channel, alert_delivery, alert_rule_channel};

#[async_trait]
impl AlertChannelRepository for PostgresStorage {
    async fn alert_channel_create(
        &self,
        scope: &Scope<ManageAccount>,
        channel: &NewAlertChannel,
        now: Timestamp,
    ) -> Result<AlertChannel> {
        let account_id = scope.account_id();
        let id = AlertChannelId(fresh_id(now)?);
        let row = AlertChannelRow::new(account_id, id, channel, now);
        self.write("creating an alert channel", async |connection| {
            connection
                .transaction(async |connection| {
                    lock_account(connection, account_id).await?;
                    let own = alert_channel::table.filter(alert_channel::account_id.eq(account_id.0));
                    let channels: i64 = own.count().get_result(connection).await?;
                    let most = AlertChannel::MAX_PER_ACCOUNT;
                    if usize::try_from(channels).is_ok_and(|channels| channels >= most) {
                        return Err(StorageError::TooMany { what: "alert channels", most }.into());
                    }
                    diesel::insert_into(alert_channel::table).values(&row).execute(connection).await?;
                    let entry = AuditRow::new(scope, "alert_channel.create", format!("alert_channel:{id}"), now);
                    record_audit(connection, &entry).await?;
                    Ok::<_, Failure>(())
                })
                .await
        })
        .await?;
        row.into_channel()
    }

    async fn alert_channel_list(&self, scope: &Scope<ReadAlerts>) -> Result<Vec<AlertChannel>> {
        let rows = self
            .read("listing alert channels", async |connection| {
                Ok(queries::alert_channels(scope.account_id()).load(connection).await?)
            })
            .await?;
        rows.into_iter().map(ListedChannelRow::into_channel).collect()
    }

    async fn alert_channel_destination(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertChannelId,
    ) -> Result<Option<(AlertChannel, AlertDestination)>> {
        let row: Option<AlertChannelRow> = self
            .read("finding an alert channel", async |connection| {
                let query = alert_channel::table.find((scope.account_id().0, id.0.as_bytes().as_slice()));
                Ok(query.select(AlertChannelRow::as_select()).first(connection).await.optional()?)
            })
            .await?;
        let Some(row) = row else { return Ok(None) };
        let destination = row.destination()?;
        Ok(Some((row.into_channel()?, destination)))
    }

    async fn alert_channel_delete(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertChannelId,
        now: Timestamp,
    ) -> Result<bool> {
        let account_id = scope.account_id();
        self.write("deleting an alert channel", async |connection| {
            connection
                .transaction(async |connection| {
                    lock_account(connection, account_id).await?;
                    let bytes = id.0.as_bytes().as_slice();
                    let of_rules = alert_rule_channel::table
                        .filter(alert_rule_channel::account_id.eq(account_id.0))
                        .filter(alert_rule_channel::channel_id.eq(bytes));
                    diesel::delete(of_rules).execute(connection).await?;
                    let channel = alert_channel::table.find((account_id.0, bytes));
                    if diesel::delete(channel).execute(connection).await? == 0 {
                        return Ok(false);
                    }
                    let waiting = alert_delivery::table
                        .filter(alert_delivery::account_id.eq(account_id.0))
                        .filter(alert_delivery::channel_id.eq(bytes))
                        .filter(alert_delivery::state.eq(QUEUED));
                    diesel::update(waiting)
                        .set((
                            alert_delivery::state.eq(FAILED),
                            alert_delivery::settled_at.eq(now.as_micros()),
                            alert_delivery::last_error.eq(CHANNEL_ENDED),
                        ))
                        .execute(connection)
                        .await?;
                    let entry = AuditRow::new(scope, "alert_channel.delete", format!("alert_channel:{id}"), now);
                    record_audit(connection, &entry).await?;
                    Ok::<_, Failure>(true)
                })
                .await
        })
        .await
    }
}
