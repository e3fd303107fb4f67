//! Channels, states, events and deliveries of alerts, and what evaluations look at.

use astranetmon_auth::WebhookSecret;
use astranetmon_domain::{
    AccountId, AgentAlertState, AgentId, AlertChannel, AlertChannelId, AlertDelivery, AlertDeliveryId,
    AlertDeliveryState, AlertEvent, AlertEventId, AlertPhase, AlertReading, AlertRuleId, AlertSeverity, AlertState,
    AlertTarget, Timestamp,
};
use diesel::prelude::*;
use uuid::Uuid;

use super::{Result, foreign, small, time};
use crate::repository::{
    AlertBoard, AlertDestination, AlertEventPage, AlertQuery, ChangedRoute, DeliveryOutcome, DueDelivery,
    MeasuredSpeed, NewAlertChannel, WatchedAgent,
};
use crate::schema::{agent, alert_channel, alert_delivery, alert_event, alert_state, speedtest, traceroute};

pub(super) fn uuid(bytes: &[u8]) -> Result<Uuid> {
    Uuid::from_slice(bytes).map_err(|_| foreign("an alert's id"))
}

pub(super) fn bytes(id: Uuid) -> Vec<u8> {
    id.as_bytes().to_vec()
}

pub(super) fn agent_id(text: &str) -> Result<AgentId> {
    AgentId::parse(text).map_err(|_| foreign("an agent's id"))
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = alert_channel)]
pub(crate) struct AlertChannelRow {
    account_id: i64,
    id: Vec<u8>,
    name: String,
    kind: String,
    target: String,
    secret: Option<String>,
    created_at: i64,
}

impl AlertChannelRow {
    pub(crate) fn new(account_id: AccountId, id: AlertChannelId, channel: &NewAlertChannel, now: Timestamp) -> Self {
        let (target, secret) = match &channel.destination {
            AlertDestination::Webhook { url, secret } => (url.reveal().to_owned(), Some(secret.reveal().to_owned())),
            AlertDestination::Email { to } => (to.as_str().to_owned(), None),
        };
        Self {
            account_id: account_id.0,
            id: bytes(id.0),
            name: channel.name.as_str().to_owned(),
            kind: channel.destination.target().kind().to_owned(),
            target,
            secret,
            created_at: now.as_micros(),
        }
    }

    pub(crate) fn destination(&self) -> Result<AlertDestination> {
        let unknown = || foreign("an alert channel's target");
        match (self.kind.as_str(), &self.secret) {
            ("webhook", Some(secret)) => Ok(AlertDestination::Webhook {
                url: self.target.parse().map_err(|_| unknown())?,
                secret: WebhookSecret::parse(secret).map_err(|_| unknown())?,
            }),
            ("email", _) => Ok(AlertDestination::Email { to: self.target.parse().map_err(|_| unknown())? }),
            _ => Err(unknown()),
        }
    }

    pub(crate) fn into_channel(self) -> Result<AlertChannel> {
        Ok(AlertChannel {
            id: AlertChannelId(uuid(&self.id)?),
            target: self.destination()?.target(),
            name: self.name.parse().map_err(|_| foreign("an alert channel's name"))?,
            created_at: time(self.created_at),
        })
    }
}

/// A channel as lists show it: without what signs.
#[derive(Queryable, Selectable)]
#[diesel(table_name = alert_channel)]
pub(crate) struct ListedChannelRow {
    id: Vec<u8>,
    name: String,
    kind: String,
    target: String,
    created_at: i64,
}

impl ListedChannelRow {
    pub(crate) fn into_channel(self) -> Result<AlertChannel> {
        let unknown = || foreign("an alert channel's target");
        Ok(AlertChannel {
            id: AlertChannelId(uuid(&self.id)?),
            name: self.name.parse().map_err(|_| foreign("an alert channel's name"))?,
            target: match self.kind.as_str() {
                "webhook" => AlertTarget::Webhook { url: self.target.parse().map_err(|_| unknown())? },
                "email" => AlertTarget::Email { to: self.target.parse().map_err(|_| unknown())? },
                _ => return Err(unknown()),
            },
            created_at: time(self.created_at),
        })
    }
}

#[derive(Queryable, Selectable, Insertable, AsChangeset)]
#[diesel(table_name = alert_state, treat_none_as_null = true)]
pub(crate) struct AlertStateRow {
    account_id: i64,
    rule_id: Vec<u8>,
    agent_id: String,
    state: String,
    since: Option<i64>,
    event_id: Option<Vec<u8>>,
    value: Option<f64>,
    value_at: Option<i64>,
}

impl AlertStateRow {
    pub(crate) fn new(account_id: AccountId, state: &AgentAlertState) -> Self {
        let (since, event_id) = match state.state {
            AlertState::Ok => (None, None),
            AlertState::Pending { since } => (Some(since), None),
            AlertState::Firing { since, event_id } => (Some(since), Some(bytes(event_id.0))),
        };
        Self {
            account_id: account_id.0,
            rule_id: bytes(state.rule_id.0),
            agent_id: state.agent_id.as_str().to_owned(),
            state: state.state.as_str().to_owned(),
            since: since.map(Timestamp::as_micros),
            event_id,
            value: state.reading.map(|reading| reading.value),
            value_at: state.reading.map(|reading| reading.at.as_micros()),
        }
    }

    pub(crate) fn into_state(self) -> Result<AgentAlertState> {
        let unknown = || foreign("an alert's state");
        let state = match (self.state.as_str(), self.since, &self.event_id) {
            ("ok", _, _) => AlertState::Ok,
            ("pending", Some(since), _) => AlertState::Pending { since: time(since) },
            ("firing", Some(since), Some(event)) => {
                AlertState::Firing { since: time(since), event_id: AlertEventId(uuid(event)?) }
            }
            _ => return Err(unknown()),
        };
        Ok(AgentAlertState {
            rule_id: AlertRuleId(uuid(&self.rule_id)?),
            agent_id: agent_id(&self.agent_id)?,
            state,
            reading: self.value.zip(self.value_at).map(|(value, at)| AlertReading { value, at: time(at) }),
        })
    }
}

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = alert_event)]
pub(crate) struct AlertEventRow {
    account_id: i64,
    id: Vec<u8>,
    rule_id: Vec<u8>,
    rule_name: String,
    severity: String,
    kind: String,
    agent_id: String,
    agent_name: String,
    fired_at: i64,
    resolved_at: Option<i64>,
    value: Option<f64>,
    threshold: Option<f64>,
    sentence: String,
    resolution: Option<String>,
}

impl AlertEventRow {
    pub(crate) fn new(account_id: AccountId, event: &AlertEvent) -> Self {
        Self {
            account_id: account_id.0,
            id: bytes(event.id.0),
            rule_id: bytes(event.rule_id.0),
            rule_name: event.rule_name.as_str().to_owned(),
            severity: event.severity.as_str().to_owned(),
            kind: event.kind.clone(),
            agent_id: event.agent_id.as_str().to_owned(),
            agent_name: event.agent_name.clone(),
            fired_at: event.fired_at.as_micros(),
            resolved_at: event.resolved_at.map(Timestamp::as_micros),
            value: event.value,
            threshold: event.threshold,
            sentence: event.sentence.clone(),
            resolution: event.resolution.clone(),
        }
    }

    pub(crate) fn into_event(self) -> Result<AlertEvent> {
        Ok(AlertEvent {
            id: AlertEventId(uuid(&self.id)?),
            rule_id: AlertRuleId(uuid(&self.rule_id)?),
            rule_name: self.rule_name.parse().map_err(|_| foreign("an alert rule's name"))?,
            severity: AlertSeverity::from_name(&self.severity).ok_or_else(|| foreign("an alert's severity"))?,
            kind: self.kind,
            agent_id: agent_id(&self.agent_id)?,
            agent_name: self.agent_name,
            fired_at: time(self.fired_at),
            resolved_at: self.resolved_at.map(time),
            value: self.value,
            threshold: self.threshold,
            sentence: self.sentence,
            resolution: self.resolution,
        })
    }
}

/// The state of a delivery that waits.
pub(crate) const QUEUED: &str = "queued";

#[derive(Queryable, Selectable, Insertable)]
#[diesel(table_name = alert_delivery)]
pub(crate) struct AlertDeliveryRow {
    pub(crate) account_id: i64,
    pub(crate) id: Vec<u8>,
    pub(crate) event_id: Vec<u8>,
    pub(crate) channel_id: Vec<u8>,
    phase: String,
    state: String,
    attempts: i64,
    next_attempt_at: i64,
    settled_at: Option<i64>,
    last_error: Option<String>,
}

impl AlertDeliveryRow {
    /// A message that is due now.
    pub(crate) fn new(
        account_id: AccountId,
        id: AlertDeliveryId,
        event_id: AlertEventId,
        channel_id: AlertChannelId,
        phase: AlertPhase,
        now: Timestamp,
    ) -> Self {
        Self {
            account_id: account_id.0,
            id: bytes(id.0),
            event_id: bytes(event_id.0),
            channel_id: bytes(channel_id.0),
            phase: phase.as_str().to_owned(),
            state: QUEUED.to_owned(),
            attempts: 0,
            next_attempt_at: now.as_micros(),
            settled_at: None,
            last_error: None,
        }
    }

    pub(crate) fn into_delivery(self) -> Result<AlertDelivery> {
        let state = match (self.state.as_str(), self.settled_at) {
            (QUEUED, _) => AlertDeliveryState::Queued { next_attempt_at: time(self.next_attempt_at) },
            ("delivered", Some(at)) => AlertDeliveryState::Delivered { at: time(at) },
            ("failed", Some(at)) => AlertDeliveryState::Failed { at: time(at) },
            _ => return Err(foreign("a delivery's state")),
        };
        Ok(AlertDelivery {
            id: AlertDeliveryId(uuid(&self.id)?),
            event_id: AlertEventId(uuid(&self.event_id)?),
            phase: AlertPhase::from_name(&self.phase).ok_or_else(|| foreign("a delivery's phase"))?,
            channel_id: AlertChannelId(uuid(&self.channel_id)?),
            state,
            attempts: small(Some(self.attempts)).unwrap_or(u32::MAX),
            last_error: self.last_error,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = agent)]
pub(crate) struct WatchedAgentRow {
    id: String,
    hostname: String,
    name: Option<String>,
    last_seen_at: Option<i64>,
    disabled_at: Option<i64>,
    interval_seconds: Option<i64>,
}

impl WatchedAgentRow {
    pub(crate) fn into_agent(self) -> Result<WatchedAgent> {
        Ok(WatchedAgent {
            id: agent_id(&self.id)?,
            name: self.name.unwrap_or(self.hostname),
            last_seen_at: self.last_seen_at.map(time),
            disabled: self.disabled_at.is_some(),
            interval_seconds: small(self.interval_seconds),
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = traceroute)]
pub(crate) struct ChangedRouteRow {
    agent_id: String,
    target: String,
    timestamp: i64,
    pub(crate) sequence: i64,
}

impl ChangedRouteRow {
    pub(crate) fn into_route(self) -> Result<ChangedRoute> {
        Ok(ChangedRoute {
            agent_id: agent_id(&self.agent_id)?,
            target: self.target,
            at: time(self.timestamp),
            sequence: self.sequence,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = speedtest)]
pub(crate) struct MeasuredSpeedRow {
    agent_id: String,
    timestamp: i64,
    download_mbps: Option<f64>,
    upload_mbps: Option<f64>,
    pub(crate) sequence: i64,
}

impl MeasuredSpeedRow {
    pub(crate) fn into_speed(self) -> Result<MeasuredSpeed> {
        Ok(MeasuredSpeed {
            agent_id: agent_id(&self.agent_id)?,
            at: time(self.timestamp),
            download_mbps: self.download_mbps,
            upload_mbps: self.upload_mbps,
            sequence: self.sequence,
        })
    }
}

/// Records behind a sequence, and up to which sequence they are all there.
pub(crate) fn records_up_to(
    mut speeds: Vec<MeasuredSpeedRow>,
    mut routes: Vec<ChangedRouteRow>,
    last_sequence: i64,
) -> Result<(Vec<MeasuredSpeed>, Vec<ChangedRoute>, i64)> {
    let full = AlertQuery::MAX_RECORDS;
    let of_speeds = speeds.last().filter(|_| speeds.len() >= full).map(|row| row.sequence);
    let of_routes = routes.last().filter(|_| routes.len() >= full).map(|row| row.sequence);
    let up_to = [of_speeds, of_routes].into_iter().flatten().fold(last_sequence, i64::min);
    speeds.retain(|row| row.sequence <= up_to);
    routes.retain(|row| row.sequence <= up_to);
    let speeds = speeds.into_iter().map(MeasuredSpeedRow::into_speed).collect::<Result<_>>()?;
    let routes = routes.into_iter().map(ChangedRouteRow::into_route).collect::<Result<_>>()?;
    Ok((speeds, routes, up_to))
}

/// How an event ends whose rule does.
pub(crate) const RULE_ENDED: &str = "The rule was changed, switched off or deleted.";
/// The state of a delivery that was given up.
pub(crate) const FAILED: &str = "failed";
/// Why a delivery is given up whose channel is gone.
pub(crate) const CHANNEL_ENDED: &str = "The channel was deleted.";

/// How an attempt to deliver ended, as its row is changed. What is `None` stays as it is.
#[derive(AsChangeset)]
#[diesel(table_name = alert_delivery)]
pub(crate) struct DeliverySettled {
    state: Option<&'static str>,
    next_attempt_at: Option<i64>,
    settled_at: Option<i64>,
    last_error: Option<String>,
}

impl DeliverySettled {
    pub(crate) fn new(outcome: &DeliveryOutcome, now: Timestamp) -> Self {
        let now = Some(now.as_micros());
        match outcome {
            DeliveryOutcome::Delivered => {
                Self { state: Some("delivered"), next_attempt_at: None, settled_at: now, last_error: None }
            }
            DeliveryOutcome::Retry { at, error } => Self {
                state: None,
                next_attempt_at: Some(at.as_micros()),
                settled_at: None,
                last_error: Some(error.clone()),
            },
            DeliveryOutcome::Failed { error } => {
                Self { state: Some(FAILED), next_attempt_at: None, settled_at: now, last_error: Some(error.clone()) }
            }
        }
    }
}

/// A claimed delivery, its row as it was before the attempt began.
pub(crate) fn due_delivery(
    row: AlertDeliveryRow,
    event: AlertEventRow,
    channel: &AlertChannelRow,
) -> Result<DueDelivery> {
    let account_id = AccountId(row.account_id);
    let delivery = row.into_delivery()?;
    Ok(DueDelivery {
        account_id,
        id: delivery.id,
        phase: delivery.phase,
        attempt: delivery.attempts + 1,
        event: event.into_event()?,
        destination: channel.destination()?,
    })
}

pub(crate) fn board(
    agents: Vec<WatchedAgentRow>,
    states: Vec<AlertStateRow>,
    records_up_to: Option<i64>,
) -> Result<AlertBoard> {
    let keyed = |row: AlertStateRow| {
        let state = row.into_state()?;
        Ok(((state.rule_id, state.agent_id.clone()), state))
    };
    Ok(AlertBoard {
        agents: agents.into_iter().map(WatchedAgentRow::into_agent).collect::<Result<_>>()?,
        states: states.into_iter().map(keyed).collect::<Result<_>>()?,
        records_up_to: records_up_to.unwrap_or(0),
    })
}

/// A page of events, of which one more was fetched than it holds.
pub(crate) fn event_page(mut rows: Vec<AlertEventRow>, limit: u32) -> Result<AlertEventPage> {
    let more = rows.len() > limit as usize;
    rows.truncate(limit as usize);
    Ok(AlertEventPage { events: rows.into_iter().map(AlertEventRow::into_event).collect::<Result<_>>()?, more })
}
