//! The rules of one account.

use std::collections::{HashMap, HashSet};

use astranetmon_domain::{
    AgentId, AlertCondition, AlertEventId, AlertRuleId, AlertState, MetricSample, MetricThreshold, Timestamp,
};
use astranetmon_storage::{
    AlertBoard, AlertChange, AlertInputs, AlertQuery, ChangedRoute, MeasuredSpeed, WatchedAgent, WatchedRule,
};

use super::pair::{Pair, watches_route};
use super::threshold::{Run, tolerated_gap, window};

/// How far a sample's time may lie ahead of ours and still count, in seconds.
const CLOCKS_APART_SECONDS: i64 = 300;
/// Speed tests and traceroutes that are older when they arrive are history, not news, in seconds.
const NEWS_SECONDS: i64 = 86_400;

/// When an evaluation takes place.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Moment {
    /// The time.
    pub(crate) now: Timestamp,
    /// Since when this process looks: an agent's silence before that may have been ours.
    pub(crate) watching_since: Timestamp,
}

/// What this process has seen of an account's samples, so that each is read once. It can be lost at any time: then the
/// samples of the rules' windows are read again.
#[derive(Debug, Default)]
pub(crate) struct AccountMemory {
    /// Up to where each agent's samples were read.
    read_up_to: HashMap<AgentId, Timestamp>,
    tracks: HashMap<(AlertRuleId, AgentId), Track>,
}

/// What the samples of one agent said of one revision of one rule.
#[derive(Debug)]
struct Track {
    revision: i64,
    run: Option<Run>,
}

fn thresholds(rules: &[WatchedRule]) -> impl Iterator<Item = (&WatchedRule, &MetricThreshold)> {
    rules.iter().filter_map(|watched| match &watched.rule.definition.condition {
        AlertCondition::MetricThreshold(threshold) => Some((watched, threshold)),
        _ => None,
    })
}

/// Records in the order of their sequence, by agent.
struct RecordsByAgent<'a> {
    speedtests: HashMap<&'a AgentId, Vec<&'a MeasuredSpeed>>,
    changed_routes: HashMap<&'a AgentId, Vec<&'a ChangedRoute>>,
}

impl<'a> RecordsByAgent<'a> {
    fn of(inputs: &'a AlertInputs) -> Self {
        let mut records = Self { speedtests: HashMap::new(), changed_routes: HashMap::new() };
        for speed in &inputs.speedtests {
            records.speedtests.entry(&speed.agent_id).or_default().push(speed);
        }
        for route in &inputs.changed_routes {
            records.changed_routes.entry(&route.agent_id).or_default().push(route);
        }
        records
    }
}

impl AccountMemory {
    /// What must be read to evaluate `rules`.
    pub(crate) fn query(&self, rules: &[WatchedRule], board: &AlertBoard, now: Timestamp) -> AlertQuery {
        let samples_after = board
            .agents
            .iter()
            .filter(|agent| !agent.disabled)
            .filter_map(|agent| Some((agent.id.clone(), self.read_from(rules, agent, now)?)))
            .collect();
        let of_records = rules.iter().filter(|watched| {
            matches!(
                watched.rule.definition.condition,
                AlertCondition::SpeedtestBelow(_) | AlertCondition::RouteChanged { .. }
            )
        });
        let oldest_start = of_records.map(|watched| watched.start_sequence).min();
        AlertQuery {
            samples_after,
            samples_before: now.plus_seconds(CLOCKS_APART_SECONDS),
            records_after: oldest_start.map(|start| start.max(board.records_up_to)),
        }
    }

    /// Behind which time an agent's samples are wanted; `None` if no rule is about them.
    fn read_from(&self, rules: &[WatchedRule], agent: &WatchedAgent, now: Timestamp) -> Option<Timestamp> {
        let gap = tolerated_gap(agent.interval_seconds);
        let known = self.read_up_to.get(&agent.id).copied();
        thresholds(rules)
            .filter(|(watched, _)| watched.rule.definition.agents.contains(&agent.id))
            .map(|(watched, threshold)| {
                let track = self.tracks.get(&(watched.rule.id, agent.id.clone()));
                let start = now.plus_seconds(-window(threshold, gap));
                match (track, known) {
                    (Some(track), Some(known)) if track.revision == watched.rule.revision => known.max(start),
                    _ => start,
                }
            })
            .min()
    }

    /// Takes samples in, those of an agent oldest first.
    pub(crate) fn take(&mut self, rules: &[WatchedRule], agents: &[WatchedAgent], samples: &[MetricSample]) {
        let agents: HashMap<_, _> = agents.iter().map(|agent| (&agent.id, agent)).collect();
        for sample in samples {
            let Some(agent) = agents.get(&sample.agent_id) else { continue };
            let gap = tolerated_gap(agent.interval_seconds);
            let up_to = self.read_up_to.entry(agent.id.clone()).or_insert(sample.timestamp);
            *up_to = sample.timestamp.max(*up_to);
            let values = sample.fixed_values();
            for (watched, threshold) in thresholds(rules) {
                if !watched.rule.definition.agents.contains(&agent.id) {
                    continue;
                }
                let track = self.track(watched, &agent.id);
                if let Some(value) = threshold.field().in_unit(values[threshold.field().index()]) {
                    track.run = Run::with(track.run, threshold, gap, sample.timestamp, value);
                }
            }
        }
    }

    fn track(&mut self, watched: &WatchedRule, agent_id: &AgentId) -> &mut Track {
        let revision = watched.rule.revision;
        let track = self.tracks.entry((watched.rule.id, agent_id.clone())).or_insert(Track { revision, run: None });
        if track.revision != revision {
            *track = Track { revision, run: None };
        }
        track
    }

    /// What is to be written, now that all that was asked for has been taken in.
    pub(crate) fn evaluate(
        &mut self,
        rules: &[WatchedRule],
        board: &AlertBoard,
        inputs: &AlertInputs,
        moment: Moment,
        mut new_id: impl FnMut() -> AlertEventId,
    ) -> Vec<AlertChange> {
        self.forget_all_but(rules, board);
        let mut changes = Vec::new();
        let records = RecordsByAgent::of(inputs);
        for watched in rules {
            let rule = &watched.rule;
            let own = board.agents.iter().filter(|agent| !agent.disabled && rule.definition.agents.contains(&agent.id));
            for agent in own {
                let before = board.states.get(&(rule.id, agent.id.clone()));
                let mut pair = Pair::new(rule, agent, before, moment.now);
                self.look(&mut pair, watched, agent, &records, moment, &mut new_id);
                changes.extend(pair.into_change());
            }
        }
        let names: HashMap<_, _> = board.agents.iter().map(|agent| (&agent.id, agent)).collect();
        let by_id: HashMap<_, _> = rules.iter().map(|watched| (watched.rule.id, &watched.rule)).collect();
        for ((rule_id, agent_id), state) in &board.states {
            let Some(rule) = by_id.get(rule_id) else { continue };
            let agent = names.get(agent_id);
            if state.state != AlertState::Ok && agent.is_none_or(|agent| agent.disabled) {
                changes.extend(Pair::unwatched(rule, state, agent.map(|agent| agent.name.as_str()), moment.now));
            }
        }
        changes
    }

    fn look(
        &mut self,
        pair: &mut Pair<'_>,
        watched: &WatchedRule,
        agent: &WatchedAgent,
        records: &RecordsByAgent<'_>,
        moment: Moment,
        mut new_id: impl FnMut() -> AlertEventId,
    ) {
        let Moment { now, watching_since } = moment;
        let is_news =
            |sequence: i64, at: Timestamp| sequence > watched.start_sequence && at >= now.plus_seconds(-NEWS_SECONDS);
        match &watched.rule.definition.condition {
            AlertCondition::MetricThreshold(threshold) => {
                // Tracked even without a sample, so that its window is not read again and again.
                self.read_up_to.entry(agent.id.clone()).or_insert(Timestamp::MIN);
                if let Some(run) = self.track(watched, &agent.id).run {
                    let verdict = run.verdict(threshold, tolerated_gap(agent.interval_seconds), now);
                    pair.threshold(threshold, &run, verdict, new_id);
                }
            }
            AlertCondition::AgentOffline(offline) => {
                if let Some(last_seen_at) = agent.last_seen_at {
                    pair.offline(*offline, last_seen_at, watching_since, new_id);
                }
            }
            AlertCondition::SpeedtestBelow(minimum) => {
                let own = records.speedtests.get(&agent.id).into_iter().flatten();
                for speed in own.filter(|speed| is_news(speed.sequence, speed.at)) {
                    pair.speedtest(minimum, speed, &mut new_id);
                }
            }
            condition @ AlertCondition::RouteChanged { .. } => {
                let own = records.changed_routes.get(&agent.id).into_iter().flatten();
                let own = own.filter(|route| watches_route(condition, &route.target));
                for route in own.filter(|route| is_news(route.sequence, route.at)) {
                    pair.route_changed(route, new_id());
                }
            }
        }
    }

    fn forget_all_but(&mut self, rules: &[WatchedRule], board: &AlertBoard) {
        let rules: HashSet<_> = thresholds(rules).map(|(watched, _)| watched.rule.id).collect();
        let agents: HashSet<_> = board.agents.iter().filter(|agent| !agent.disabled).map(|agent| &agent.id).collect();
        self.tracks.retain(|(rule_id, agent_id), _| rules.contains(rule_id) && agents.contains(agent_id));
        self.read_up_to.retain(|agent_id, _| !rules.is_empty() && agents.contains(agent_id));
    }
}

#[cfg(test)]
mod tests;
