use astranetmon_auth::Operator;
use astranetmon_domain::{AccountId, AlertDeliveryId, Timestamp};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel_async::{AsyncConnection, AsyncPgConnection, RunQueryDsl};

use super::apply::apply;
use super::queries;
use super::samples::read_samples;
use crate::postgres::failure::Failure;
use crate::postgres::leases::check_lease;
use crate::postgres::{PostgresStorage, Result};
use crate::repository::{
    AlertBoard, AlertChange, AlertInputs, AlertJob, AlertQuery, DeliveryOutcome, DueDelivery, Lease, WatchedRule,
};
use crate::rows::{
    AlertChannelRow, AlertDeliveryRow, AlertEventRow, AlertRuleRow, AlertStateRow, CHANNEL_ENDED, DeliverySettled,
    QUEUED, WatchedAgentRow, board, due_delivery, records_up_to,
};
use crate::schema::{account, alert_channel, alert_delivery, alert_event, alert_progress, alert_rule};

#[async_trait]
impl AlertJob for PostgresStorage {
    async fn alert_watched_rules(&self, _: &Operator) -> Result<Vec<WatchedRule>> {
        let rows: Vec<AlertRuleRow> = self
            .read("listing the rules of all accounts", async |connection| {
                let query = alert_rule::table
                    .filter(alert_rule::enabled.eq(true))
                    .select(AlertRuleRow::as_select())
                    .order((alert_rule::account_id.asc(), alert_rule::id.asc()));
                Ok(query.load(connection).await?)
            })
            .await?;
        rows.into_iter().map(AlertRuleRow::into_watched).collect()
    }

    async fn alert_board(&self, _: &Operator, account_id: AccountId) -> Result<AlertBoard> {
        self.read("reading how alerts stand", async |connection| {
            let agents: Vec<WatchedAgentRow> = queries::watched_agents(account_id).load(connection).await?;
            let states: Vec<AlertStateRow> = queries::alert_states(account_id).load(connection).await?;
            let progress = alert_progress::table.find(account_id.0).select(alert_progress::records_up_to);
            Ok(board(agents, states, progress.first(connection).await.optional()?)?)
        })
        .await
    }

    async fn alert_inputs(&self, _: &Operator, account_id: AccountId, query: &AlertQuery) -> Result<AlertInputs> {
        self.read_share(account_id, "reading what alerts look at", async |connection| {
            let mut inputs = AlertInputs::default();
            read_samples(connection, account_id, query, &mut inputs).await?;
            if let Some(after) = query.records_after {
                // First the sequence: what is appended meanwhile lies behind it.
                let last = account::table.find(account_id.0).select(account::last_sequence);
                let last: i64 = last.first(connection).await?;
                let speeds = queries::measured_speeds(account_id, (after, last)).load(connection).await?;
                let routes = queries::changed_routes(account_id, (after, last)).load(connection).await?;
                (inputs.speedtests, inputs.changed_routes, inputs.records_up_to) = records_up_to(speeds, routes, last)?;
            }
            Ok(inputs)
        })
        .await
    }

    async fn alert_apply(
        &self,
        lease: &Lease,
        account_id: AccountId,
        changes: &[AlertChange],
        records_up_to: Option<i64>,
        now: Timestamp,
    ) -> Result<()> {
        self.write("writing how alerts stand", async |connection| {
            connection
                .transaction(async |connection| {
                    check_lease(connection, lease).await?;
                    for change in changes {
                        apply(connection, account_id, change, now).await?;
                    }
                    if let Some(up_to) = records_up_to {
                        let (account, progress) =
                            (alert_progress::account_id.eq(account_id.0), alert_progress::records_up_to.eq(up_to));
                        diesel::insert_into(alert_progress::table)
                            .values((account, progress))
                            .on_conflict(alert_progress::account_id)
                            .do_update()
                            .set(progress)
                            .execute(connection)
                            .await?;
                    }
                    Ok::<_, Failure>(())
                })
                .await
        })
        .await
    }

    async fn alert_delivery_claim(
        &self,
        lease: &Lease,
        limit: u32,
        retry_at: Timestamp,
        now: Timestamp,
    ) -> Result<Vec<DueDelivery>> {
        self.write("taking messages that are due", async |connection| {
            connection
                .transaction(async |connection| {
                    check_lease(connection, lease).await?;
                    let rows: Vec<AlertDeliveryRow> =
                        queries::alert_deliveries_due(now, limit).load(connection).await?;
                    let mut due = Vec::with_capacity(rows.len());
                    for row in rows {
                        due.extend(claim(connection, row, retry_at, now).await?);
                    }
                    Ok::<_, Failure>(due)
                })
                .await
        })
        .await
    }

    async fn alert_delivery_settle(
        &self,
        lease: &Lease,
        account_id: AccountId,
        id: AlertDeliveryId,
        outcome: &DeliveryOutcome,
        now: Timestamp,
    ) -> Result<()> {
        let settled = DeliverySettled::new(outcome, now);
        self.write("writing how a delivery ended", async |connection| {
            connection
                .transaction(async |connection| {
                    check_lease(connection, lease).await?;
                    settle(connection, (account_id.0, id.0.as_bytes()), &settled).await
                })
                .await
        })
        .await
    }
}

/// Puts off a delivery that is due and gives what it needs; `None` if its channel is gone.
async fn claim(
    connection: &mut AsyncPgConnection,
    row: AlertDeliveryRow,
    retry_at: Timestamp,
    now: Timestamp,
) -> std::result::Result<Option<DueDelivery>, Failure> {
    let event: AlertEventRow = alert_event::table
        .find((row.account_id, &row.event_id))
        .select(AlertEventRow::as_select())
        .first(connection)
        .await?;
    let channel: Option<AlertChannelRow> = alert_channel::table
        .find((row.account_id, &row.channel_id))
        .select(AlertChannelRow::as_select())
        .first(connection)
        .await
        .optional()?;
    let Some(channel) = channel else {
        let settled = DeliverySettled::new(&DeliveryOutcome::Failed { error: CHANNEL_ENDED.to_owned() }, now);
        settle(connection, (row.account_id, &row.id), &settled).await?;
        return Ok(None);
    };
    diesel::update(alert_delivery::table.find((row.account_id, &row.id)))
        .set((
            alert_delivery::attempts.eq(alert_delivery::attempts + 1),
            alert_delivery::next_attempt_at.eq(retry_at.as_micros()),
        ))
        .execute(connection)
        .await?;
    Ok(Some(due_delivery(row, event, &channel)?))
}

async fn settle(
    connection: &mut AsyncPgConnection,
    (account, id): (i64, &[u8]),
    settled: &DeliverySettled,
) -> std::result::Result<(), Failure> {
    // What was given up meanwhile, with its channel, stays so.
    let waiting = alert_delivery::table.find((account, id)).filter(alert_delivery::state.eq(QUEUED));
    diesel::update(waiting).set(settled).execute(connection).await?;
    Ok(())
}
