//! Writing what an evaluation found out.

use astranetmon_domain::{AccountId, AlertDeliveryId, AlertEventId, AlertPhase, AlertRuleId, Timestamp};
use diesel::prelude::*;
use diesel_async::{AsyncPgConnection, RunQueryDsl};

use super::queries;
use crate::postgres::failure::Failure;
use crate::random::fresh_id;
use crate::repository::{AlertChange, AlertEventChange};
use crate::rows::{AlertDeliveryRow, AlertEventRow, AlertRuleChannelRow, AlertRuleRow, AlertStateRow};
use crate::schema::{alert_delivery, alert_event, alert_rule, alert_state};

type Work<T> = std::result::Result<T, Failure>;

/// Writes one change, unless its rule has become another since it was evaluated.
pub(super) async fn apply(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    change: &AlertChange,
    now: Timestamp,
) -> Work<()> {
    // Until the transaction ends nobody changes or deletes the rule.
    let rule: Option<AlertRuleRow> = alert_rule::table
        .find((account_id.0, change.rule_id.0.as_bytes().as_slice()))
        .select(AlertRuleRow::as_select())
        .for_share()
        .first(connection)
        .await
        .optional()?;
    if !rule.is_some_and(|rule| rule.revision == change.revision && rule.enabled) {
        return Ok(());
    }
    if let Some(state) = &change.state {
        let row = AlertStateRow::new(account_id, state);
        diesel::insert_into(alert_state::table)
            .values(&row)
            .on_conflict((alert_state::account_id, alert_state::rule_id, alert_state::agent_id))
            .do_update()
            .set(&row)
            .execute(connection)
            .await?;
    }
    for event in &change.events {
        match event {
            AlertEventChange::Fired(event) => {
                let row = AlertEventRow::new(account_id, event);
                diesel::insert_into(alert_event::table).values(&row).execute(connection).await?;
                tell(connection, account_id, change.rule_id, (event.id, AlertPhase::Fired), now).await?;
            }
            AlertEventChange::Resolved { id, at, resolution } => {
                let open = alert_event::table
                    .find((account_id.0, id.0.as_bytes().as_slice()))
                    .filter(alert_event::resolved_at.is_null());
                let resolved = diesel::update(open)
                    .set((alert_event::resolved_at.eq(at.as_micros()), alert_event::resolution.eq(resolution.as_str())))
                    .execute(connection)
                    .await?;
                if resolved > 0 {
                    tell(connection, account_id, change.rule_id, (*id, AlertPhase::Resolved), now).await?;
                }
            }
        }
    }
    Ok(())
}

/// Puts a message to each channel of the rule into the outbox.
async fn tell(
    connection: &mut AsyncPgConnection,
    account_id: AccountId,
    rule_id: AlertRuleId,
    (event_id, phase): (AlertEventId, AlertPhase),
    now: Timestamp,
) -> Work<()> {
    let channels: Vec<AlertRuleChannelRow> =
        queries::alert_rule_channels(account_id, Some(&rule_id)).load(connection).await?;
    let mut rows = Vec::with_capacity(channels.len());
    for channel in &channels {
        let id = AlertDeliveryId(fresh_id(now)?);
        rows.push(AlertDeliveryRow::new(account_id, id, event_id, channel.channel()?, phase, now));
    }
    diesel::insert_into(alert_delivery::table).values(&rows).execute(connection).await?;
    Ok(())
}
