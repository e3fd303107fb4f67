use astranetmon_domain::{AlertChannel, AlertPhase, Timestamp};
use serde::Serialize;

use crate::deliverer::AlertMessage;

/// What a webhook receives as JSON, and what a message is written from. Fields are only ever added.
#[derive(Debug, Serialize)]
pub(super) struct Payload {
    /// The event's UUID; a channel's in a test. A receiver that was told twice knows by this and `state`.
    pub(super) event_id: String,
    /// `fired`, `resolved` or `test`.
    pub(super) state: &'static str,
    /// When that was, RFC 3339.
    pub(super) at: String,
    /// What happened, in one sentence.
    pub(super) sentence: String,
    /// `info`, `warning` or `critical`.
    pub(super) severity: &'static str,
    /// `metric_threshold`, `agent_offline`, `speedtest_below`, `route_changed` or `test`.
    pub(super) kind: String,
    pub(super) rule: Option<Named>,
    pub(super) agent: Option<Named>,
    /// What it fired on, in its own unit.
    pub(super) value: Option<f64>,
    /// What the value was beyond.
    pub(super) threshold: Option<f64>,
    pub(super) fired_at: Option<String>,
    pub(super) resolved_at: Option<String>,
    /// The agent's page, if the server knows where people reach it.
    pub(super) link: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct Named {
    pub(super) id: String,
    pub(super) name: String,
}

impl Payload {
    pub(super) fn of(message: &AlertMessage, public_url: Option<&str>) -> Self {
        let AlertMessage { event, phase } = message;
        let resolved = *phase == AlertPhase::Resolved;
        let at = event.resolved_at.filter(|_| resolved).unwrap_or(event.fired_at);
        Self {
            event_id: event.id.to_string(),
            state: phase.as_str(),
            at: at.to_string(),
            sentence: event.resolution.clone().filter(|_| resolved).unwrap_or_else(|| event.sentence.clone()),
            severity: event.severity.as_str(),
            kind: event.kind.clone(),
            rule: Some(Named { id: event.rule_id.to_string(), name: event.rule_name.to_string() }),
            agent: Some(Named { id: event.agent_id.to_string(), name: event.agent_name.clone() }),
            value: event.value,
            threshold: event.threshold,
            fired_at: Some(event.fired_at.to_string()),
            resolved_at: event.resolved_at.map(|at| at.to_string()),
            link: public_url.map(|url| format!("{url}/dashboard/agents/{}", event.agent_id)),
        }
    }

    pub(super) fn test(channel: &AlertChannel, public_url: Option<&str>, now: Timestamp) -> Self {
        Self {
            event_id: channel.id.to_string(),
            state: "test",
            at: now.to_string(),
            sentence: format!("This is a test of the channel {}: nothing has happened.", channel.name),
            severity: "info",
            kind: "test".to_owned(),
            rule: None,
            agent: None,
            value: None,
            threshold: None,
            fired_at: None,
            resolved_at: None,
            link: public_url.map(|url| format!("{url}/dashboard/settings/alerts")),
        }
    }
}
