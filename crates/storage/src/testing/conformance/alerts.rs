//! Alert rules, channels and their history.

use std::sync::Arc;

use astranetmon_auth::{ManageAccount, ReadAlerts, WebhookSecret};
use astranetmon_domain::{
    Account, AlertAgents, AlertChannel, AlertChannelId, AlertCondition, AlertDeliveryState, AlertPhase, AlertRule,
    AlertRuleDefinition, AlertRuleId, AlertSeverity, AlertState, MetricThreshold, OfflineFor, RouteTarget,
    SpeedtestMinimum, ThresholdSide, Timestamp,
};
use uuid::Uuid;

use super::alert_job::{fire, fired, lease, resolve};
use super::{NOVEMBER, account, agent_id, scope};
use crate::{AlertDestination, AlertEventPosition, NewAlertChannel, Storage, StorageError};

pub(super) fn definition(name: &str, channels: Vec<AlertChannelId>) -> AlertRuleDefinition {
    AlertRuleDefinition {
        name: name.parse().expect("a name"),
        enabled: true,
        severity: AlertSeverity::Warning,
        agents: AlertAgents::All,
        condition: AlertCondition::MetricThreshold(
            MetricThreshold::new("cpu_percent", ThresholdSide::Above, 90.5, 300).expect("a threshold"),
        ),
        channels,
    }
}

pub(super) async fn rule(storage: &Arc<dyn Storage>, owner: &Account, channels: Vec<AlertChannelId>) -> AlertRule {
    let definition = definition("rule", channels);
    storage.alert_rule_create(&scope(owner), &definition, NOVEMBER).await.expect("a new rule")
}

fn webhook(name: &str) -> NewAlertChannel {
    NewAlertChannel {
        name: name.parse().expect("a name"),
        destination: AlertDestination::Webhook {
            url: "https://hooks.example.com/a?b=c".parse().expect("a URL"),
            secret: WebhookSecret::generate(&mut rand::rng()),
        },
    }
}

fn email() -> NewAlertChannel {
    NewAlertChannel {
        name: "mail".parse().expect("a name"),
        destination: AlertDestination::Email { to: "person@example.com".parse().expect("an address") },
    }
}

pub(super) async fn channel(storage: &Arc<dyn Storage>, owner: &Account, now: Timestamp) -> AlertChannel {
    storage.alert_channel_create(&scope(owner), &webhook("hook"), now).await.expect("a new channel")
}

/// Whatever may be chosen comes back, newest first; of another account nothing does.
pub async fn a_rule_comes_back_as_it_was_chosen(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let channels =
        [channel(&storage, &owner, NOVEMBER).await.id, channel(&storage, &owner, NOVEMBER.plus_seconds(1)).await.id];
    let threshold = |side, value, seconds| {
        AlertCondition::MetricThreshold(MetricThreshold::new("latency_ms", side, value, seconds).expect("possible"))
    };
    let speed = |down, up| AlertCondition::SpeedtestBelow(SpeedtestMinimum::new(down, up).expect("possible"));
    let target = RouteTarget::parse("example.com").expect("a target");
    let conditions = [
        threshold(ThresholdSide::Above, 0.1, 0),
        threshold(ThresholdSide::Below, -1e15, 86_400),
        AlertCondition::AgentOffline(OfflineFor::new(90).expect("possible")),
        speed(Some(99.9), None),
        speed(None, Some(1.0)),
        AlertCondition::RouteChanged { target: Some(target) },
        AlertCondition::RouteChanged { target: None },
    ];
    let mut made = Vec::new();
    for (n, condition) in (0..).zip(conditions) {
        let definition = AlertRuleDefinition {
            enabled: n % 2 == 0,
            severity: AlertSeverity::ALL[n % 3],
            agents: if n % 2 == 0 { AlertAgents::All } else { AlertAgents::One(agent_id("agent-1")) },
            condition,
            ..definition(&format!("rule {n}"), channels[..n % 3].to_vec())
        };
        let now = NOVEMBER.plus_seconds(n as i64);
        let rule = storage.alert_rule_create(&scope(&owner), &definition, now).await.expect("a new rule");
        assert_eq!((&rule.definition, rule.created_at, rule.revision), (&definition, now, 1));
        assert_eq!(storage.alert_rule_find(&scope(&owner), rule.id).await.expect("no error"), Some(rule.clone()));
        assert_eq!(storage.alert_rule_find(&scope(&stranger), rule.id).await.expect("no error"), None);
        made.insert(0, rule);
    }
    assert_eq!(storage.alert_rule_list(&scope(&owner)).await.expect("rules"), made);
    assert_eq!(storage.alert_rule_list(&scope(&stranger)).await.expect("rules"), []);
}

/// One more than the bound is refused, under concurrency too.
pub async fn a_hundred_rules_and_twenty_channels_are_the_bound(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let mut making = Vec::new();
    for n in 0..103 {
        let (storage, manage) = (Arc::clone(&storage), scope::<ManageAccount>(&owner));
        making.push(tokio::spawn(async move {
            let rule = storage.alert_rule_create(&manage, &definition(&format!("rule {n}"), vec![]), NOVEMBER).await;
            let channel = if n < 23 {
                storage.alert_channel_create(&manage, &webhook("hook"), NOVEMBER).await.map(drop)
            } else {
                Ok(())
            };
            (rule.map(drop), channel)
        }));
    }
    let mut refused = (0, 0);
    for making in making {
        let (rule, channel) = making.await.expect("no panic");
        for (made, most, refused) in [(rule, 100, &mut refused.0), (channel, 20, &mut refused.1)] {
            match made {
                Ok(()) => {}
                Err(StorageError::TooMany { most: told, .. }) if told == most => *refused += 1,
                Err(error) => panic!("{error:?}"),
            }
        }
    }
    assert_eq!(refused, (3, 3));
    assert_eq!(storage.alert_rule_list(&scope(&owner)).await.expect("rules").len(), 100);
    assert_eq!(storage.alert_channel_list(&scope(&owner)).await.expect("channels").len(), 20);
}

/// An unknown channel, or one of another account, is no channel.
pub async fn a_rule_takes_only_channels_of_its_account(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let (own, foreign) = (channel(&storage, &owner, NOVEMBER).await, channel(&storage, &stranger, NOVEMBER).await);
    let manage = scope::<ManageAccount>(&owner);
    for id in [foreign.id, AlertChannelId(Uuid::from_u128(7))] {
        let with_foreign = definition("rule", vec![own.id, id]);
        let refused = storage.alert_rule_create(&manage, &with_foreign, NOVEMBER).await;
        assert!(matches!(refused, Err(StorageError::Missing { what: "alert channel" })), "{refused:?}");
        let rule = rule(&storage, &owner, vec![own.id]).await;
        let refused = storage.alert_rule_update(&manage, rule.id, &with_foreign, NOVEMBER).await;
        assert!(matches!(refused, Err(StorageError::Missing { .. })), "{refused:?}");
        assert_eq!(storage.alert_rule_find(&scope(&owner), rule.id).await.expect("no error"), Some(rule));
    }
    let twice = storage.alert_rule_create(&manage, &definition("rule", vec![own.id, own.id]), NOVEMBER).await;
    assert_eq!(twice.expect("a rule").definition.channels, [own.id]);
}

/// Lists show channels without their secrets; who delivers gets those, of the own account only.
pub async fn a_secret_is_for_delivery_only(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let manage = scope::<ManageAccount>(&owner);
    let new = webhook("hook");
    let AlertDestination::Webhook { url, secret } = &new.destination else { panic!("{new:?}") };
    let hook = storage.alert_channel_create(&manage, &new, NOVEMBER).await.expect("a channel");
    let mail = storage.alert_channel_create(&manage, &email(), NOVEMBER.plus_seconds(1)).await.expect("a channel");
    assert_eq!((hook.name.as_str(), hook.created_at, &hook.target), ("hook", NOVEMBER, &new.destination.target()));
    assert_eq!(mail.target, email().destination.target());
    let list = storage.alert_channel_list(&scope(&owner)).await.expect("channels");
    assert_eq!(list, [mail.clone(), hook.clone()]);
    assert!(!format!("{list:?} {new:?}").contains(secret.reveal()));
    let found = storage.alert_channel_destination(&manage, hook.id).await.expect("no error").expect("there");
    let AlertDestination::Webhook { url: found_url, secret: found_secret } = &found.1 else { panic!("{found:?}") };
    assert_eq!((&found.0, found_url, found_secret.reveal()), (&hook, url, secret.reveal()));
    let found = storage.alert_channel_destination(&manage, mail.id).await.expect("no error").expect("there");
    assert!(matches!(found.1, AlertDestination::Email { to } if to.as_str() == "person@example.com"));
    assert!(storage.alert_channel_destination(&scope(&stranger), hook.id).await.expect("no error").is_none());
    assert_eq!(storage.alert_channel_list(&scope(&stranger)).await.expect("channels"), []);
    assert!(!storage.alert_channel_delete(&scope(&stranger), hook.id, NOVEMBER).await.expect("no error"));
}

/// A change forgets how the rule stood and resolves what had fired, without a message.
pub async fn a_changed_rule_begins_anew(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (manage, alerts) = (scope::<ManageAccount>(&owner), scope::<ReadAlerts>(&owner));
    let hook = channel(&storage, &owner, NOVEMBER).await;
    let lease = lease(&storage).await;
    let mut rule = rule(&storage, &owner, vec![hook.id]).await;
    let other = AlertRuleDefinition { severity: AlertSeverity::Critical, ..definition("other", vec![]) };
    for (n, change) in ["update", "disable", "enable", "delete"].into_iter().enumerate() {
        let at = NOVEMBER.plus_seconds(60 + n as i64);
        let event = fired(&rule, "agent-1", NOVEMBER.plus_seconds(n as i64));
        fire(&storage, &lease, &owner, &rule, &event).await;
        let changed = match change {
            "update" => storage.alert_rule_update(&manage, rule.id, &other, at).await.expect("changed"),
            "disable" => storage.alert_rule_set_enabled(&manage, rule.id, false, at).await.expect("changed"),
            "enable" => storage.alert_rule_set_enabled(&manage, rule.id, true, at).await.expect("changed"),
            _ => {
                assert!(storage.alert_rule_delete(&manage, rule.id, at).await.expect("deleted"));
                None
            }
        };
        assert_eq!(storage.alert_state_list(&alerts).await.expect("states"), [], "{change}");
        let page = storage.alert_event_page(&alerts, Some(rule.id), None, 1).await.expect("events");
        if change == "enable" {
            // What was found out about the disabled rule was not written.
            assert_ne!(page.events[0].id, event.id);
        } else {
            assert_eq!((page.events[0].id, page.events[0].resolved_at), (event.id, Some(at)), "{change}");
            assert!(page.events[0].resolution.is_some(), "{change}");
            let told = storage.alert_delivery_list(&alerts, event.id).await.expect("deliveries");
            assert!(told.iter().all(|delivery| delivery.phase == AlertPhase::Fired), "{change} {told:?}");
        }
        if let Some(changed) = changed {
            assert_eq!((changed.revision, changed.created_at), (rule.revision + 1, rule.created_at), "{change}");
            rule = changed;
        }
        if change == "disable" {
            let again = storage.alert_rule_set_enabled(&manage, rule.id, false, at).await.expect("no error");
            assert_eq!(again.as_ref(), Some(&rule));
        }
    }
    assert_eq!(rule.definition, other);
    assert_eq!(storage.alert_rule_find(&alerts, rule.id).await.expect("no error"), None);
    assert!(!storage.alert_rule_delete(&manage, rule.id, NOVEMBER).await.expect("no error"));
    let gone = storage.alert_rule_update(&manage, rule.id, &other, NOVEMBER).await.expect("no error");
    assert_eq!(gone, None);
    assert_eq!(storage.alert_rule_set_enabled(&manage, rule.id, true, NOVEMBER).await.expect("no error"), None);
    let history = storage.alert_event_page(&alerts, None, None, 10).await.expect("events").events;
    assert_eq!(history.len(), 3, "{history:?}");
    assert!(history.iter().all(|event| event.rule_id == rule.id && event.resolved_at.is_some()));
}

/// Rules go on without it; what was on its way is given up.
pub async fn a_deleted_channel_gives_up_what_waits(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let (manage, alerts) = (scope::<ManageAccount>(&owner), scope::<ReadAlerts>(&owner));
    let (gone, stays) =
        (channel(&storage, &owner, NOVEMBER).await.id, channel(&storage, &owner, NOVEMBER.plus_seconds(1)).await.id);
    let rule = rule(&storage, &owner, vec![gone, stays]).await;
    let lease = lease(&storage).await;
    let event = fired(&rule, "agent-1", NOVEMBER);
    fire(&storage, &lease, &owner, &rule, &event).await;
    assert!(storage.alert_channel_delete(&manage, gone, NOVEMBER.plus_seconds(5)).await.expect("deleted"));
    assert!(!storage.alert_channel_delete(&manage, gone, NOVEMBER.plus_seconds(5)).await.expect("no error"));
    let kept = storage.alert_rule_find(&alerts, rule.id).await.expect("no error").expect("there");
    assert_eq!((kept.definition.channels, kept.revision), (vec![stays], rule.revision));
    let deliveries = storage.alert_delivery_list(&alerts, event.id).await.expect("deliveries");
    for delivery in &deliveries {
        if delivery.channel_id == gone {
            assert_eq!(delivery.state, AlertDeliveryState::Failed { at: NOVEMBER.plus_seconds(5) });
            assert!(delivery.last_error.is_some());
        } else {
            assert_eq!(delivery.state, AlertDeliveryState::Queued { next_attempt_at: NOVEMBER });
        }
    }
    assert_eq!(deliveries.len(), 2);
}

/// The history walks newest first, of one rule or of all, and says nothing of other accounts.
pub async fn the_history_pages_newest_first(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let alerts = scope::<ReadAlerts>(&owner);
    let rules = [rule(&storage, &owner, vec![]).await, rule(&storage, &owner, vec![]).await];
    let lease = lease(&storage).await;
    let mut events = Vec::new();
    for n in 0..11 {
        let rule = &rules[n % 2];
        // Some at the same time, so that the id decides.
        let event = fired(rule, "agent-1", NOVEMBER.plus_seconds(n as i64 / 3));
        fire(&storage, &lease, &owner, rule, &event).await;
        events.push(event);
    }
    events.sort_by_key(|event| std::cmp::Reverse((event.fired_at, event.id)));
    for rule_id in [None, Some(rules[0].id), Some(AlertRuleId(Uuid::from_u128(1)))] {
        let (mut walked, mut after) = (Vec::new(), None);
        loop {
            let page = storage.alert_event_page(&alerts, rule_id, after, 3).await.expect("events");
            assert!(page.events.len() <= 3);
            walked.extend(page.events);
            after = walked.last().map(|last| AlertEventPosition { fired_at: last.fired_at, id: last.id });
            if !page.more {
                break;
            }
        }
        let expected: Vec<_> =
            events.iter().filter(|event| rule_id.is_none_or(|id| event.rule_id == id)).cloned().collect();
        assert_eq!(walked, expected);
    }
    let foreign = storage.alert_event_page(&scope(&stranger), None, None, 3).await.expect("events");
    assert_eq!((foreign.events.len(), foreign.more), (0, false));
    assert_eq!(storage.alert_state_list(&scope(&stranger)).await.expect("states"), []);
    let states = storage.alert_state_list(&alerts).await.expect("states");
    assert_eq!(states.len(), 2);
    assert!(states.iter().all(|state| matches!(state.state, AlertState::Firing { .. })), "{states:?}");
    let newest = events.iter().find(|event| event.rule_id == rules[0].id).expect("an event");
    resolve(&storage, &lease, &owner, &rules[0], newest, NOVEMBER.plus_seconds(99)).await;
    let states = storage.alert_state_list(&alerts).await.expect("states");
    assert_eq!(states.iter().filter(|state| state.state == AlertState::Ok).count(), 1);
}

/// Each change leaves one line; what changed nothing leaves none.
pub async fn what_is_done_to_alerts_is_audited(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let manage = scope::<ManageAccount>(&owner);
    let at = |seconds| NOVEMBER.plus_seconds(seconds);
    let hook = channel(&storage, &owner, at(1)).await.id;
    let rule = storage.alert_rule_create(&manage, &definition("rule", vec![hook]), at(2)).await.expect("a rule");
    storage.alert_rule_update(&manage, rule.id, &definition("x", vec![]), at(3)).await.expect("changed");
    for (enabled, seconds) in [(false, 4), (false, 5), (true, 6), (true, 7)] {
        storage.alert_rule_set_enabled(&manage, rule.id, enabled, at(seconds)).await.expect("switched");
    }
    for seconds in [8, 9] {
        storage.alert_rule_delete(&manage, rule.id, at(seconds)).await.expect("no error");
        storage.alert_channel_delete(&manage, hook, at(seconds + 2)).await.expect("no error");
    }
    let audit = storage.audit_list(&manage.read_account(), 20).await.expect("audit");
    let told: Vec<_> =
        audit.iter().rev().map(|entry| (entry.at, entry.action.as_str(), entry.object.clone())).collect();
    let (rule, hook) = (format!("alert_rule:{}", rule.id), format!("alert_channel:{hook}"));
    assert_eq!(
        told[1..],
        [
            (at(1), "alert_channel.create", hook.clone()),
            (at(2), "alert_rule.create", rule.clone()),
            (at(3), "alert_rule.update", rule.clone()),
            (at(4), "alert_rule.disable", rule.clone()),
            (at(6), "alert_rule.enable", rule.clone()),
            (at(8), "alert_rule.delete", rule),
            (at(10), "alert_channel.delete", hook),
        ]
    );
}
