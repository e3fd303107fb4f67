//! Alerts as the job sees them that evaluates and delivers.

use std::sync::Arc;
use std::time::Duration;

use astranetmon_auth::{Ingest, ManageAccount, ReadAlerts};
use astranetmon_domain::{
    Account, AgentAlertState, AgentFacts, AlertDeliveryState, AlertEvent, AlertEventId, AlertPhase, AlertReading,
    AlertRule, AlertRuleId, AlertState, Clock, MetricSample, Speedtest, SpeedtestStatus, SystemClock, Timestamp,
    Traceroute,
};
use rand::SeedableRng;
use rand::rngs::StdRng;
use uuid::Uuid;

use super::alerts::{channel, definition, rule};
use super::records::Record;
use super::{NOVEMBER, OPERATOR, account, agent_id, scope};
use crate::random::fresh_id;
use crate::{
    AlertChange, AlertEventChange, AlertQuery, DeliveryOutcome, Lease, NewAgent, Storage, StorageError, WatchedAgent,
};

/// The lease, for much longer than a test takes.
pub(super) async fn lease(storage: &Arc<dyn Storage>) -> Lease {
    let (ttl, now) = (Duration::from_secs(3_600), SystemClock.now());
    storage.lease_acquire(&OPERATOR, "alerts", "test", ttl, now).await.expect("no error").expect("free")
}

pub(super) fn fired(rule: &AlertRule, agent: &str, at: Timestamp) -> AlertEvent {
    AlertEvent {
        id: AlertEventId(fresh_id(at).expect("an id")),
        rule_id: rule.id,
        rule_name: rule.definition.name.clone(),
        severity: rule.definition.severity,
        kind: rule.definition.condition.kind().to_owned(),
        agent_id: agent_id(agent),
        agent_name: format!("host of {agent}"),
        fired_at: at,
        resolved_at: None,
        value: Some(97.25),
        threshold: Some(90.5),
        sentence: "It is hot.".to_owned(),
        resolution: None,
    }
}

fn firing(event: &AlertEvent) -> AgentAlertState {
    AgentAlertState {
        rule_id: event.rule_id,
        agent_id: event.agent_id.clone(),
        state: AlertState::Firing { since: event.fired_at, event_id: event.id },
        reading: Some(AlertReading { value: 97.25, at: event.fired_at }),
    }
}

fn change(rule: &AlertRule, state: Option<AgentAlertState>, events: Vec<AlertEventChange>) -> AlertChange {
    AlertChange { rule_id: rule.id, revision: rule.revision, state, events }
}

pub(super) async fn fire(
    storage: &Arc<dyn Storage>,
    lease: &Lease,
    owner: &Account,
    rule: &AlertRule,
    event: &AlertEvent,
) {
    let change = change(rule, Some(firing(event)), vec![AlertEventChange::Fired(event.clone())]);
    storage.alert_apply(lease, owner.id, &[change], None, event.fired_at).await.expect("written");
}

pub(super) async fn resolve(
    storage: &Arc<dyn Storage>,
    lease: &Lease,
    owner: &Account,
    rule: &AlertRule,
    event: &AlertEvent,
    at: Timestamp,
) {
    let state = AgentAlertState { state: AlertState::Ok, reading: None, ..firing(event) };
    let resolved = AlertEventChange::Resolved { id: event.id, at, resolution: "It is cool.".to_owned() };
    let change = change(rule, Some(state), vec![resolved]);
    storage.alert_apply(lease, owner.id, &[change], None, at).await.expect("written");
}

/// Whom to tell is decided when the event is written; a second resolution tells nobody.
pub async fn an_event_and_its_messages_are_written_together(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let alerts = scope::<ReadAlerts>(&owner);
    let channels = [channel(&storage, &owner, NOVEMBER).await.id, channel(&storage, &owner, NOVEMBER).await.id];
    let rule = rule(&storage, &owner, channels.to_vec()).await;
    let lease = lease(&storage).await;
    let event = fired(&rule, "agent-1", NOVEMBER);
    fire(&storage, &lease, &owner, &rule, &event).await;
    assert_eq!(storage.alert_state_list(&alerts).await.expect("states"), [firing(&event)]);
    let later = NOVEMBER.plus_seconds(9);
    for _ in 0..2 {
        resolve(&storage, &lease, &owner, &rule, &event, later).await;
    }
    let history = storage.alert_event_page(&alerts, None, None, 10).await.expect("events").events;
    let resolved = AlertEvent { resolved_at: Some(later), resolution: Some("It is cool.".to_owned()), ..event.clone() };
    assert_eq!(history, [resolved]);
    let mut told: Vec<_> = storage.alert_delivery_list(&alerts, event.id).await.expect("deliveries");
    told.sort_by_key(|delivery| (delivery.phase.as_str(), delivery.channel_id));
    let mut channels = channels.to_vec();
    channels.sort_unstable();
    let expected: Vec<_> = [(AlertPhase::Fired, NOVEMBER), (AlertPhase::Resolved, later)]
        .into_iter()
        .flat_map(|(phase, at)| channels.iter().map(move |&channel| (phase, channel, at)))
        .collect();
    let told: Vec<_> = told
        .into_iter()
        .map(|delivery| match delivery.state {
            AlertDeliveryState::Queued { next_attempt_at } if delivery.attempts == 0 => {
                (delivery.phase, delivery.channel_id, next_attempt_at)
            }
            state => panic!("{state:?}"),
        })
        .collect();
    assert_eq!(told, expected);
    let foreign = account(&storage, "stranger").await;
    assert_eq!(storage.alert_delivery_list(&scope(&foreign), event.id).await.expect("deliveries"), []);
}

/// An evaluation of a rule that has changed, was switched off or is gone leaves nothing, and no state of the others
/// behind.
pub async fn an_outdated_evaluation_is_not_written(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (manage, alerts) = (scope::<ManageAccount>(&owner), scope::<ReadAlerts>(&owner));
    let lease = lease(&storage).await;
    let [changed, off, gone, stays] = [(); 4].map(|()| rule(&storage, &owner, vec![]));
    let (changed, off, gone, stays) = (changed.await, off.await, gone.await, stays.await);
    storage.alert_rule_update(&manage, changed.id, &definition("x", vec![]), NOVEMBER).await.expect("changed");
    storage.alert_rule_set_enabled(&manage, off.id, false, NOVEMBER).await.expect("off");
    storage.alert_rule_delete(&manage, gone.id, NOVEMBER).await.expect("deleted");
    let never = AlertRule { id: AlertRuleId(Uuid::from_u128(1)), ..stays.clone() };
    let changes: Vec<_> = [changed, off, gone, never, stays.clone()]
        .iter()
        .map(|rule| {
            let event = fired(rule, "agent-1", NOVEMBER);
            change(rule, Some(firing(&event)), vec![AlertEventChange::Fired(event)])
        })
        .collect();
    storage.alert_apply(&lease, owner.id, &changes, Some(5), NOVEMBER).await.expect("written");
    let states = storage.alert_state_list(&alerts).await.expect("states");
    assert_eq!(states.iter().map(|state| state.rule_id).collect::<Vec<_>>(), [stays.id]);
    let history = storage.alert_event_page(&alerts, None, None, 10).await.expect("events").events;
    assert_eq!(history.iter().map(|event| event.rule_id).collect::<Vec<_>>(), [stays.id]);
}

/// A message that was taken comes again at its time, with one more attempt, until it is settled.
pub async fn a_message_comes_until_it_is_settled(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let alerts = scope::<ReadAlerts>(&owner);
    let hook = channel(&storage, &owner, NOVEMBER).await;
    let rule = rule(&storage, &owner, vec![hook.id]).await;
    let lease = lease(&storage).await;
    let event = fired(&rule, "agent-1", NOVEMBER);
    fire(&storage, &lease, &owner, &rule, &event).await;
    let at = |seconds| NOVEMBER.plus_seconds(seconds);
    let claim = async |seconds| {
        storage.alert_delivery_claim(&lease, 10, at(seconds + 60), at(seconds)).await.expect("no error")
    };
    assert!(claim(-1).await.is_empty(), "before its time");
    let due = claim(0).await.pop().expect("due");
    assert_eq!((due.account_id, due.phase, due.attempt, &due.event), (owner.id, AlertPhase::Fired, 1, &event));
    assert_eq!(due.destination.target(), hook.target);
    assert!(claim(59).await.is_empty(), "taken");
    let again = claim(60).await.pop().expect("nobody said how it ended");
    assert_eq!((again.id, again.attempt), (due.id, 2));
    let settle = async |outcome| {
        storage.alert_delivery_settle(&lease, owner.id, due.id, &outcome, at(61)).await.expect("no error");
        storage.alert_delivery_list(&alerts, event.id).await.expect("deliveries").remove(0)
    };
    let waits = settle(DeliveryOutcome::Retry { at: at(70), error: "no".to_owned() }).await;
    assert_eq!(waits.state, AlertDeliveryState::Queued { next_attempt_at: at(70) });
    assert_eq!((waits.attempts, waits.last_error.as_deref()), (2, Some("no")));
    assert!(claim(69).await.is_empty());
    assert_eq!(claim(70).await.pop().expect("due").attempt, 3);
    let delivered = settle(DeliveryOutcome::Delivered).await;
    assert_eq!(delivered.state, AlertDeliveryState::Delivered { at: at(61) });
    let kept = settle(DeliveryOutcome::Failed { error: "late".to_owned() }).await;
    assert_eq!(kept, delivered, "what arrived has arrived");
    assert!(claim(9_999).await.is_empty());
}

/// Whoever lost the lease neither writes nor takes anything.
pub async fn a_stale_holder_changes_nothing(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let alerts = scope::<ReadAlerts>(&owner);
    let hook = channel(&storage, &owner, NOVEMBER).await;
    let rule = rule(&storage, &owner, vec![hook.id]).await;
    let stale = lease(&storage).await;
    let event = fired(&rule, "agent-1", NOVEMBER);
    fire(&storage, &stale, &owner, &rule, &event).await;
    storage.lease_release(&stale).await.expect("released");
    let fresh = lease(&storage).await;
    assert!(fresh.token() > stale.token());
    let lost = |error: Option<StorageError>| match error {
        Some(StorageError::LeaseLost { name }) => assert_eq!(name, "alerts"),
        other => panic!("{other:?}"),
    };
    let other = fired(&rule, "agent-2", NOVEMBER);
    let change = change(&rule, Some(firing(&other)), vec![AlertEventChange::Fired(other)]);
    lost(storage.alert_apply(&stale, owner.id, &[change], Some(9), NOVEMBER).await.err());
    lost(storage.alert_delivery_claim(&stale, 10, NOVEMBER, NOVEMBER).await.err());
    let due = storage.alert_delivery_claim(&fresh, 10, NOVEMBER, NOVEMBER).await.expect("no error");
    assert_eq!((due.len(), due[0].attempt), (1, 1));
    let outcome = DeliveryOutcome::Delivered;
    lost(storage.alert_delivery_settle(&stale, owner.id, due[0].id, &outcome, NOVEMBER).await.err());
    assert_eq!(storage.alert_event_page(&alerts, None, None, 10).await.expect("events").events, [event]);
    assert_eq!(storage.alert_board(&OPERATOR, owner.id).await.expect("a board").records_up_to, 0);
}

/// What is watched: enabled rules of all accounts, each account's agents and states.
pub async fn a_board_shows_what_is_watched(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let mut rules = Vec::new();
    for account in [&owner, &stranger] {
        rules.push(rule(&storage, account, vec![]).await);
    }
    let off = rule(&storage, &owner, vec![]).await;
    storage.alert_rule_set_enabled(&scope(&owner), off.id, false, NOVEMBER).await.expect("off");
    let watched = storage.alert_watched_rules(&OPERATOR).await.expect("rules");
    let watched: Vec<_> = watched.into_iter().map(|watched| (watched.account_id, watched.rule)).collect();
    assert_eq!(watched, [(owner.id, rules[0].clone()), (stranger.id, rules[1].clone())]);

    let ingest = scope::<Ingest>(&owner);
    for (id, name) in [("agent-1", None), ("agent-2", Some("front door".to_owned()))] {
        let facts = AgentFacts { hostname: format!("host of {id}"), ..AgentFacts::default() };
        let agent =
            NewAgent { id: agent_id(id), facts, name, public_ip: None, labels: std::collections::BTreeMap::new() };
        storage.agent_upsert(&ingest, &agent, NOVEMBER).await.expect("an agent");
    }
    storage.agent_seen(&ingest, &agent_id("agent-2"), NOVEMBER.plus_seconds(3)).await.expect("seen");
    let lease = lease(&storage).await;
    let event = fired(&rules[0], "agent-1", NOVEMBER);
    fire(&storage, &lease, &owner, &rules[0], &event).await;
    storage.alert_apply(&lease, owner.id, &[], Some(7), NOVEMBER).await.expect("written");
    let mut board = storage.alert_board(&OPERATOR, owner.id).await.expect("a board");
    board.agents.sort_by_key(|agent| agent.id.clone());
    let agent = |id: &str, name: &str, last_seen_at| WatchedAgent {
        id: agent_id(id),
        name: name.to_owned(),
        last_seen_at,
        disabled: false,
        interval_seconds: None,
    };
    let expected =
        [agent("agent-1", "host of agent-1", None), agent("agent-2", "front door", Some(NOVEMBER.plus_seconds(3)))];
    assert_eq!(board.agents, expected);
    assert_eq!(board.states.into_values().collect::<Vec<_>>(), [firing(&event)]);
    assert_eq!(board.records_up_to, 7);
    let foreign = storage.alert_board(&OPERATOR, stranger.id).await.expect("a board");
    assert_eq!((foreign.agents.len(), foreign.states.len(), foreign.records_up_to), (0, 0, 0));
}

/// Each agent's samples behind its own time, in the order asked for, in as many answers as it takes.
pub async fn samples_are_read_behind_each_agents_time(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let sample = |agent: &str, second: i64| {
        let mut sample = MetricSample::new(agent_id(agent), NOVEMBER.plus_seconds(second));
        sample.cpu_percent = Some(second as f64);
        sample
    };
    let per_agent = AlertQuery::MAX_SAMPLES as i64 / 2;
    for agent in ["agent-1", "agent-2", "agent-3"] {
        // The last one lies behind the end of the time that is asked for.
        let samples = (1..=per_agent + 1).map(|second| sample(agent, second)).collect();
        storage.metric_append(&scope(&owner), samples, NOVEMBER).await.expect("appended");
    }
    let read = async |asked: &[(&str, i64)]| {
        let samples_after =
            asked.iter().map(|&(agent, second)| (agent_id(agent), NOVEMBER.plus_seconds(second))).collect();
        let query =
            AlertQuery { samples_after, samples_before: NOVEMBER.plus_seconds(per_agent + 1), records_after: None };
        storage.alert_inputs(&OPERATOR, owner.id, &query).await.expect("inputs")
    };
    let asked = [("agent-2", per_agent - 2), ("agent-9", 0), ("agent-1", per_agent - 1), ("agent-3", per_agent)];
    let few = read(&asked).await;
    let expected = [sample("agent-2", per_agent - 1), sample("agent-2", per_agent), sample("agent-1", per_agent)];
    assert_eq!((few.samples.as_slice(), few.more_samples), (expected.as_slice(), false));
    let full = read(&[("agent-1", 0), ("agent-3", 0)]).await;
    assert_eq!((full.samples.len(), full.more_samples), (AlertQuery::MAX_SAMPLES, false));
    let cut = read(&[("agent-1", 0), ("agent-3", 0), ("agent-2", per_agent - 1)]).await;
    assert_eq!((cut.samples.len(), cut.more_samples), (AlertQuery::MAX_SAMPLES, true));
    assert_eq!(cut.samples.last(), Some(&sample("agent-3", per_agent)));
    let nothing = read(&[]).await;
    assert_eq!((nothing.samples.len(), nothing.more_samples, nothing.records_up_to), (0, false, 0));
}

/// Completed speed tests and changed routes behind a sequence; a rule begins at the sequence of its own revision.
pub async fn records_are_read_behind_a_sequence(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let rng = &mut StdRng::seed_from_u64(3);
    let before = rule(&storage, &owner, vec![]).await;
    let speed = |rng: &mut StdRng, second: i64, status| Speedtest {
        status,
        download_mbps: Some(second as f64),
        upload_mbps: None,
        ..Speedtest::random(rng, agent_id("agent-1"), NOVEMBER.plus_seconds(second))
    };
    let speeds: Vec<_> =
        [(1, SpeedtestStatus::Completed), (2, SpeedtestStatus::Failed), (3, SpeedtestStatus::Completed)]
            .map(|(second, status)| speed(rng, second, status))
            .into();
    Speedtest::append(&storage, &owner, speeds.clone()).await.expect("appended");
    Speedtest::append(&storage, &stranger, speeds).await.expect("appended");
    let traces: Vec<_> = (10..14)
        .map(|second| Traceroute {
            target: "example.com".to_owned(),
            protocol: astranetmon_domain::TracerouteProtocol::Udp,
            // Each path differs from the one before but the third.
            hops: super::traceroutes::path(if second == 12 { 11 } else { second }),
            ..Traceroute::random(rng, agent_id("agent-2"), NOVEMBER.plus_seconds(second))
        })
        .collect();
    Traceroute::append(&storage, &owner, traces).await.expect("appended");
    let after = rule(&storage, &owner, vec![]).await;

    let read = async |after| {
        let query = AlertQuery { samples_after: vec![], samples_before: NOVEMBER, records_after: Some(after) };
        storage.alert_inputs(&OPERATOR, owner.id, &query).await.expect("inputs")
    };
    let all = read(0).await;
    let seconds: Vec<_> = all.speedtests.iter().map(|speed| speed.download_mbps.expect("measured")).collect();
    assert_eq!(seconds, [1.0, 3.0]);
    assert_eq!((&all.speedtests[0].agent_id, all.speedtests[0].at), (&agent_id("agent-1"), NOVEMBER.plus_seconds(1)));
    let routes: Vec<_> = all.changed_routes.iter().map(|route| (route.at, route.target.as_str())).collect();
    let at = |second| (NOVEMBER.plus_seconds(second), "example.com");
    assert_eq!(routes, [at(11), at(13)]);
    assert!(all.speedtests.is_sorted_by_key(|speed| speed.sequence));
    let rest = read(all.speedtests[0].sequence).await;
    assert_eq!(rest.speedtests, all.speedtests[1..]);
    let nothing = read(all.records_up_to).await;
    assert_eq!((nothing.speedtests.len(), nothing.changed_routes.len()), (0, 0));
    assert_eq!(nothing.records_up_to, all.records_up_to);
    let watched = storage.alert_watched_rules(&OPERATOR).await.expect("rules");
    let start = |id| watched.iter().find(|watched| watched.rule.id == id).expect("watched").start_sequence;
    assert_eq!((start(before.id), start(after.id)), (0, all.records_up_to));
}

/// Exactly as many as fit come, and none beyond them is passed over.
pub async fn many_records_come_in_several_answers(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let rng = &mut StdRng::seed_from_u64(4);
    let many: Vec<_> = (0..AlertQuery::MAX_RECORDS as i64 + 500)
        .map(|n| Speedtest {
            status: SpeedtestStatus::Completed,
            ..Speedtest::random(rng, agent_id("agent-1"), NOVEMBER.plus_seconds(n))
        })
        .collect();
    let given = many.len();
    Speedtest::append(&storage, &owner, many).await.expect("appended");
    let (mut after, mut seen) = (0, 0);
    for _ in 0..3 {
        let query = AlertQuery { samples_after: vec![], samples_before: NOVEMBER, records_after: Some(after) };
        let inputs = storage.alert_inputs(&OPERATOR, owner.id, &query).await.expect("inputs");
        assert!(inputs.speedtests.len() <= AlertQuery::MAX_RECORDS);
        seen += inputs.speedtests.len();
        after = inputs.records_up_to;
    }
    assert_eq!(seen, given);
}
