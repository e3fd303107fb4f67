use astranetmon_auth::{ManageAccount, ReadAlerts, Scope};
use astranetmon_domain::{AlertChannel, AlertChannelId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;

use super::queries;
use crate::StorageError;
use crate::random::fresh_id;
use crate::repository::{AlertChannelRepository, AlertDestination, NewAlertChannel};
use crate::rows::{AlertChannelRow, AuditRow, CHANNEL_ENDED, FAILED, ListedChannelRow, QUEUED};
use crate::schema::{alert_channel, alert_delivery, alert_rule_channel};
use crate::sqlite::accounts::record_audit;
use crate::sqlite::{Result, SqliteStorage};

#[async_trait]
impl AlertChannelRepository for SqliteStorage {
    async fn alert_channel_create(
        &self,
        scope: &Scope<ManageAccount>,
        channel: &NewAlertChannel,
        now: Timestamp,
    ) -> Result<AlertChannel> {
        let scope = scope.clone();
        let account_id = scope.account_id();
        let id = AlertChannelId(fresh_id(now)?);
        let row = AlertChannelRow::new(account_id, id, channel, now);
        self.write(move |connection| {
            let channels: i64 = alert_channel::table
                .filter(alert_channel::account_id.eq(account_id.0))
                .count()
                .get_result(connection)?;
            let most = AlertChannel::MAX_PER_ACCOUNT;
            if usize::try_from(channels).is_ok_and(|channels| channels >= most) {
                return Err(StorageError::TooMany { what: "alert channels", most });
            }
            diesel::insert_into(alert_channel::table).values(&row).execute(connection)?;
            let object = format!("alert_channel:{id}");
            record_audit(connection, &AuditRow::new(&scope, "alert_channel.create", object, now))?;
            row.into_channel()
        })
        .await
    }

    async fn alert_channel_list(&self, scope: &Scope<ReadAlerts>) -> Result<Vec<AlertChannel>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let rows = queries::alert_channels(account_id).load(connection)?;
            rows.into_iter().map(ListedChannelRow::into_channel).collect()
        })
        .await
    }

    async fn alert_channel_destination(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertChannelId,
    ) -> Result<Option<(AlertChannel, AlertDestination)>> {
        let account_id = scope.account_id();
        self.read(move |connection| {
            let row: Option<AlertChannelRow> = alert_channel::table
                .find((account_id.0, id.0.as_bytes().as_slice()))
                .select(AlertChannelRow::as_select())
                .first(connection)
                .optional()?;
            row.map(|row| Ok((row.destination()?, row.into_channel()?)).map(|(to, channel)| (channel, to))).transpose()
        })
        .await
    }

    async fn alert_channel_delete(
        &self,
        scope: &Scope<ManageAccount>,
        id: AlertChannelId,
        now: Timestamp,
    ) -> Result<bool> {
        let scope = scope.clone();
        let account_id = scope.account_id();
        self.write(move |connection| {
            let bytes = id.0.as_bytes().as_slice();
            let of_rules = alert_rule_channel::table
                .filter(alert_rule_channel::account_id.eq(account_id.0))
                .filter(alert_rule_channel::channel_id.eq(bytes));
            diesel::delete(of_rules).execute(connection)?;
            let deleted = diesel::delete(alert_channel::table.find((account_id.0, bytes))).execute(connection)? > 0;
            if deleted {
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
                    .execute(connection)?;
                let object = format!("alert_channel:{id}");
                record_audit(connection, &AuditRow::new(&scope, "alert_channel.delete", object, now))?;
            }
            Ok(deleted)
        })
        .await
    }
}
