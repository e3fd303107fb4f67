use astranetmon_auth::Operator;
use astranetmon_domain::{
    AccountId, AgentId, AlertDeliveryId, AlertEventId, AlertPhase, AlertRuleId, MetricSample, Timestamp,
};
use async_trait::async_trait;
use diesel::prelude::*;
use diesel::sqlite::SqliteConnection;

use super::queries;
use crate::chunks::ChunkSamples;
use crate::measured::Measured;
use crate::random::fresh_id;
use crate::repository::{
    AlertBoard, AlertChange, AlertEventChange, AlertInputs, AlertJob, AlertQuery, DeliveryOutcome, DueDelivery, Lease,
    WatchedRule,
};
use crate::rows::{
    AlertChannelRow, AlertDeliveryRow, AlertEventRow, AlertRuleChannelRow, AlertRuleRow, AlertStateRow, CHANNEL_ENDED,
    DeliverySettled, QUEUED, WatchedAgentRow, board, due_delivery, records_up_to,
};
use crate::schema::{
    account, alert_channel, alert_delivery, alert_event, alert_progress, alert_rule, alert_state, metric_sample,
};
use crate::sqlite::leases::check_lease;
use crate::sqlite::queries::chunks_of_agent;
use crate::sqlite::{Result, SqliteStorage};

#[async_trait]
impl AlertJob for SqliteStorage {
    async fn alert_watched_rules(&self, _: &Operator) -> Result<Vec<WatchedRule>> {
        self.read(|connection| {
            let rows: Vec<AlertRuleRow> = alert_rule::table
                .filter(alert_rule::enabled.eq(true))
                .select(AlertRuleRow::as_select())
                .order((alert_rule::account_id.asc(), alert_rule::id.asc()))
                .load(connection)?;
            rows.into_iter().map(AlertRuleRow::into_watched).collect()
        })
        .await
    }

    async fn alert_board(&self, _: &Operator, account_id: AccountId) -> Result<AlertBoard> {
        self.read(move |connection| {
            let agents: Vec<WatchedAgentRow> = queries::watched_agents(account_id).load(connection)?;
            let states: Vec<AlertStateRow> = queries::alert_states(account_id).load(connection)?;
            let up_to = alert_progress::table
                .find(account_id.0)
                .select(alert_progress::records_up_to)
                .first(connection)
                .optional()?;
            board(agents, states, up_to)
        })
        .await
    }

    async fn alert_inputs(&self, _: &Operator, account_id: AccountId, query: &AlertQuery) -> Result<AlertInputs> {
        let query = query.clone();
        self.read_share(account_id, move |connection| {
            let mut inputs = AlertInputs::default();
            read_samples(connection, account_id, &query, &mut inputs)?;
            if let Some(after) = query.records_after {
                let last: i64 = account::table.find(account_id.0).select(account::last_sequence).first(connection)?;
                let speeds = queries::measured_speeds(account_id, (after, last)).load(connection)?;
                let routes = queries::changed_routes(account_id, (after, last)).load(connection)?;
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
        let (lease, changes) = (lease.clone(), changes.to_vec());
        self.write(move |connection| {
            check_lease(connection, &lease)?;
            for change in &changes {
                apply(connection, account_id, change, now)?;
            }
            if let Some(up_to) = records_up_to {
                diesel::insert_into(alert_progress::table)
                    .values((alert_progress::account_id.eq(account_id.0), alert_progress::records_up_to.eq(up_to)))
                    .on_conflict(alert_progress::account_id)
                    .do_update()
                    .set(alert_progress::records_up_to.eq(up_to))
                    .execute(connection)?;
            }
            Ok(())
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
        let lease = lease.clone();
        self.write(move |connection| {
            check_lease(connection, &lease)?;
            let rows: Vec<AlertDeliveryRow> = queries::alert_deliveries_due(now, limit).load(connection)?;
            let mut due = Vec::with_capacity(rows.len());
            for row in rows {
                let event: AlertEventRow = alert_event::table
                    .find((row.account_id, &row.event_id))
                    .select(AlertEventRow::as_select())
                    .first(connection)?;
                let channel: Option<AlertChannelRow> = alert_channel::table
                    .find((row.account_id, &row.channel_id))
                    .select(AlertChannelRow::as_select())
                    .first(connection)
                    .optional()?;
                let Some(channel) = channel else {
                    let settled =
                        DeliverySettled::new(&DeliveryOutcome::Failed { error: CHANNEL_ENDED.to_owned() }, now);
                    settle(connection, (row.account_id, &row.id), &settled)?;
                    continue;
                };
                diesel::update(alert_delivery::table.find((row.account_id, &row.id)))
                    .set((
                        alert_delivery::attempts.eq(alert_delivery::attempts + 1),
                        alert_delivery::next_attempt_at.eq(retry_at.as_micros()),
                    ))
                    .execute(connection)?;
                due.push(due_delivery(row, event, &channel)?);
            }
            Ok(due)
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
        let (lease, settled) = (lease.clone(), DeliverySettled::new(outcome, now));
        self.write(move |connection| {
            check_lease(connection, &lease)?;
            settle(connection, (account_id.0, id.0.as_bytes()), &settled)
        })
        .await
    }
}

fn settle(connection: &mut SqliteConnection, (account, id): (i64, &[u8]), settled: &DeliverySettled) -> Result<()> {
    // What was given up meanwhile, with its channel, stays so.
    let waiting = alert_delivery::table.find((account, id)).filter(alert_delivery::state.eq(QUEUED));
    diesel::update(waiting).set(settled).execute(connection)?;
    Ok(())
}

/// Adds what of the span is in chunks, as much of it as may belong to the oldest `most` samples.
fn add_sealed(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    agent_id: &AgentId,
    span: (i64, i64),
    most: usize,
    rows: &mut Vec<(i64, Measured)>,
) -> Result<()> {
    let mut sealed = Vec::new();
    let chunks = chunks_of_agent(account_id, agent_id.as_str(), span);
    for chunk in chunks.load_iter::<(i64, i64, Vec<u8>, Vec<u8>), _>(connection)? {
        let (_, _, times, packed) = chunk?;
        sealed.extend(ChunkSamples::unpack(&times, &packed)?.within(span));
        if sealed.len() >= most {
            break;
        }
    }
    if !sealed.is_empty() {
        rows.extend(sealed);
        rows.sort_by_key(|&(timestamp, _)| timestamp);
        rows.truncate(most);
    }
    Ok(())
}

/// The samples behind each agent's own time, agent by agent.
fn read_samples(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    query: &AlertQuery,
    inputs: &mut AlertInputs,
) -> Result<()> {
    for (agent_id, after) in &query.samples_after {
        let room = AlertQuery::MAX_SAMPLES - inputs.samples.len();
        let mut rows: Vec<(i64, Measured)> = metric_sample::table
            .filter(metric_sample::account_id.eq(account_id.0))
            .filter(metric_sample::agent_id.eq(agent_id.as_str()))
            .filter(metric_sample::timestamp.gt(after.as_micros()))
            .filter(metric_sample::timestamp.lt(query.samples_before.as_micros()))
            .order(metric_sample::timestamp.asc())
            .limit(room as i64 + 1)
            .select((metric_sample::timestamp, metric_sample::measured))
            .load(connection)?;
        let span = (after.as_micros().saturating_add(1), query.samples_before.as_micros());
        add_sealed(connection, account_id, agent_id, span, room + 1, &mut rows)?;
        inputs.more_samples = rows.len() > room;
        inputs.samples.extend(rows.into_iter().take(room).map(|(timestamp, measured)| {
            MetricSample::from_fixed_values(agent_id.clone(), Timestamp::from_micros(timestamp), &measured.0)
        }));
        if inputs.more_samples {
            break;
        }
    }
    Ok(())
}

/// Writes one change, unless its rule has become another since it was evaluated.
fn apply(connection: &mut SqliteConnection, account_id: AccountId, change: &AlertChange, now: Timestamp) -> Result<()> {
    let rule: Option<AlertRuleRow> =
        queries::alert_rules(account_id, Some(&change.rule_id)).first(connection).optional()?;
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
            .execute(connection)?;
    }
    for event in &change.events {
        match event {
            AlertEventChange::Fired(event) => {
                let row = AlertEventRow::new(account_id, event);
                diesel::insert_into(alert_event::table).values(&row).execute(connection)?;
                tell(connection, account_id, change.rule_id, event.id, AlertPhase::Fired, now)?;
            }
            AlertEventChange::Resolved { id, at, resolution } => {
                let open = alert_event::table
                    .find((account_id.0, id.0.as_bytes().as_slice()))
                    .filter(alert_event::resolved_at.is_null());
                let resolved = diesel::update(open)
                    .set((alert_event::resolved_at.eq(at.as_micros()), alert_event::resolution.eq(resolution.as_str())))
                    .execute(connection)?;
                if resolved > 0 {
                    tell(connection, account_id, change.rule_id, *id, AlertPhase::Resolved, now)?;
                }
            }
        }
    }
    Ok(())
}

/// Puts a message to each channel of the rule into the outbox.
fn tell(
    connection: &mut SqliteConnection,
    account_id: AccountId,
    rule_id: AlertRuleId,
    event_id: AlertEventId,
    phase: AlertPhase,
    now: Timestamp,
) -> Result<()> {
    let channels: Vec<AlertRuleChannelRow> =
        queries::alert_rule_channels(account_id, Some(&rule_id)).load(connection)?;
    let mut rows = Vec::with_capacity(channels.len());
    for channel in &channels {
        let id = AlertDeliveryId(fresh_id(now)?);
        rows.push(AlertDeliveryRow::new(account_id, id, event_id, channel.channel()?, phase, now));
    }
    diesel::insert_into(alert_delivery::table).values(&rows).execute(connection)?;
    Ok(())
}
