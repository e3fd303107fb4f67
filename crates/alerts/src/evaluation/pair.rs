//! One rule and one agent: how they stand, and what is found out of them.

use astranetmon_domain::{
    AgentAlertState, AgentId, AlertCondition, AlertEvent, AlertEventId, AlertReading, AlertRule, AlertState,
    MetricThreshold, OfflineFor, SpeedtestMinimum, Timestamp,
};
use astranetmon_storage::{AlertChange, AlertEventChange, ChangedRoute, MeasuredSpeed, WatchedAgent};

use super::sentence;
use super::threshold::{Run, Verdict};

/// What an event says.
struct Finding {
    value: Option<f64>,
    threshold: Option<f64>,
    sentence: String,
}

/// A rule, an agent, and how they stand while an evaluation goes on.
pub(super) struct Pair<'a> {
    rule: &'a AlertRule,
    agent_id: &'a AgentId,
    /// As sentences name it.
    agent_name: &'a str,
    before: Option<&'a AgentAlertState>,
    state: AlertState,
    reading: Option<AlertReading>,
    events: Vec<AlertEventChange>,
    now: Timestamp,
}

impl<'a> Pair<'a> {
    pub(super) fn new(
        rule: &'a AlertRule,
        agent: &'a WatchedAgent,
        before: Option<&'a AgentAlertState>,
        now: Timestamp,
    ) -> Self {
        Self::named(rule, &agent.id, &agent.name, before, now)
    }

    fn named(
        rule: &'a AlertRule,
        agent_id: &'a AgentId,
        agent_name: &'a str,
        before: Option<&'a AgentAlertState>,
        now: Timestamp,
    ) -> Self {
        Self {
            rule,
            agent_id,
            agent_name,
            before,
            state: before.map_or(AlertState::Ok, |before| before.state),
            reading: before.and_then(|before| before.reading),
            events: Vec::new(),
            now,
        }
    }

    /// What becomes of a pair whose agent is no longer watched.
    pub(super) fn unwatched(
        rule: &'a AlertRule,
        before: &'a AgentAlertState,
        agent_name: Option<&'a str>,
        now: Timestamp,
    ) -> Option<AlertChange> {
        let name = agent_name.unwrap_or(before.agent_id.as_str());
        let mut pair = Self::named(rule, &before.agent_id, name, Some(before), now);
        pair.clear(sentence::unwatched(name));
        pair.into_change()
    }

    pub(super) fn threshold(
        &mut self,
        threshold: &MetricThreshold,
        run: &Run,
        verdict: Verdict,
        id: impl FnOnce() -> AlertEventId,
    ) {
        let reading = AlertReading { value: run.value, at: run.last };
        match verdict {
            Verdict::Silent | Verdict::Within => {
                if verdict == Verdict::Within && matches!(self.state, AlertState::Pending { .. }) {
                    self.reading = Some(reading);
                    self.state = AlertState::Ok;
                }
            }
            Verdict::Beyond => {
                let pending = AlertState::Pending { since: run.since };
                if !self.is_firing() && self.state != pending {
                    self.reading = Some(reading);
                    self.state = pending;
                }
            }
            Verdict::BeyondHeld => {
                if !self.is_firing() {
                    self.reading = Some(reading);
                    let sentence = sentence::threshold_crossed(self.agent_name, threshold, run.value);
                    self.fire(id(), Finding { value: Some(run.value), threshold: Some(threshold.value()), sentence });
                }
            }
            Verdict::WithinHeld => {
                if self.state != AlertState::Ok {
                    self.reading = Some(reading);
                    self.clear(sentence::threshold_left(self.agent_name, threshold, run.value));
                }
            }
        }
    }

    /// `watching_since`: silence before it may have been ours.
    pub(super) fn offline(
        &mut self,
        offline: OfflineFor,
        last_seen_at: Timestamp,
        watching_since: Timestamp,
        id: impl FnOnce() -> AlertEventId,
    ) {
        let limit = i64::from(offline.seconds());
        let silent = (self.now.as_micros() - last_seen_at.as_micros()) / 1_000_000;
        if silent < limit {
            if self.is_firing() {
                self.reading = None;
                self.clear(sentence::online(self.agent_name));
            }
        } else if !self.is_firing() && self.now >= watching_since.plus_seconds(limit) {
            // Whole seconds are exact in a double.
            let value = silent as f64;
            self.reading = Some(AlertReading { value, at: self.now });
            let sentence = sentence::offline(self.agent_name, silent);
            self.fire(id(), Finding { value: Some(value), threshold: Some(f64::from(offline.seconds())), sentence });
        }
    }

    /// A speed test that is not older than those looked at before.
    pub(super) fn speedtest(
        &mut self,
        minimum: &SpeedtestMinimum,
        speed: &MeasuredSpeed,
        id: impl FnOnce() -> AlertEventId,
    ) {
        if self.reading.is_some_and(|reading| speed.at < reading.at) {
            return;
        }
        let mut measured = [(speed.download_mbps, minimum.download_mbps()), (speed.upload_mbps, minimum.upload_mbps())]
            .into_iter()
            .filter_map(|(measured, least)| measured.zip(least));
        let Some((first, _)) = measured.clone().next() else { return };
        match measured.find(|(measured, least)| measured < least) {
            Some((value, least)) => {
                self.reading = Some(AlertReading { value, at: speed.at });
                if !self.is_firing() {
                    let sentence = sentence::slow(self.agent_name, minimum, speed);
                    self.fire(id(), Finding { value: Some(value), threshold: Some(least), sentence });
                }
            }
            None => {
                self.reading = Some(AlertReading { value: first, at: speed.at });
                self.clear(sentence::fast(self.agent_name));
            }
        }
    }

    /// An event of its own, over when it is told; the state stays as it is.
    pub(super) fn route_changed(&mut self, route: &ChangedRoute, id: AlertEventId) {
        let sentence = sentence::route_changed(self.agent_name, &route.target);
        let event = self.event(id, Finding { value: None, threshold: None, sentence });
        self.events.push(AlertEventChange::Fired(AlertEvent { resolved_at: Some(self.now), ..event }));
    }

    const fn is_firing(&self) -> bool {
        matches!(self.state, AlertState::Firing { .. })
    }

    fn event(&self, id: AlertEventId, finding: Finding) -> AlertEvent {
        AlertEvent {
            id,
            rule_id: self.rule.id,
            rule_name: self.rule.definition.name.clone(),
            severity: self.rule.definition.severity,
            kind: self.rule.definition.condition.kind().to_owned(),
            agent_id: self.agent_id.clone(),
            agent_name: self.agent_name.to_owned(),
            fired_at: self.now,
            resolved_at: None,
            value: finding.value,
            threshold: finding.threshold,
            sentence: finding.sentence,
            resolution: None,
        }
    }

    fn fire(&mut self, id: AlertEventId, finding: Finding) {
        self.state = AlertState::Firing { since: self.now, event_id: id };
        self.events.push(AlertEventChange::Fired(self.event(id, finding)));
    }

    /// Back to ok; what fired is resolved.
    fn clear(&mut self, resolution: String) {
        if let AlertState::Firing { event_id, .. } = self.state {
            self.events.push(AlertEventChange::Resolved { id: event_id, at: self.now, resolution });
        }
        self.state = AlertState::Ok;
    }

    /// What is to be written, if anything is.
    pub(super) fn into_change(self) -> Option<AlertChange> {
        let state = AgentAlertState {
            rule_id: self.rule.id,
            agent_id: self.agent_id.clone(),
            state: self.state,
            reading: self.reading,
        };
        // A pair of which storage knows nothing is ok without a row.
        let known = match self.before {
            Some(before) => *before == state,
            None => state.state == AlertState::Ok && state.reading.is_none(),
        };
        if known && self.events.is_empty() {
            return None;
        }
        let state = (!known).then_some(state);
        Some(AlertChange { rule_id: self.rule.id, revision: self.rule.revision, state, events: self.events })
    }
}

/// Whether a rule is about routes to that target.
pub(super) fn watches_route(condition: &AlertCondition, target: &str) -> bool {
    match condition {
        AlertCondition::RouteChanged { target: None } => true,
        AlertCondition::RouteChanged { target: Some(own) } => own.as_str() == target,
        _ => false,
    }
}
