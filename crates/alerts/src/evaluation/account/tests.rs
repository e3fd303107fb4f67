use astranetmon_domain::{
    AccountId, AgentAlertState, AlertAgents, AlertEvent, AlertRule, AlertRuleDefinition, AlertSeverity,
    MetricThreshold, OfflineFor, RouteTarget, SpeedtestMinimum, ThresholdSide,
};
use astranetmon_storage::AlertEventChange;
use uuid::Uuid;

use super::*;

const START: i64 = 1_793_491_200;

fn at(second: i64) -> Timestamp {
    Timestamp::from_seconds(START + second)
}

fn agent_id(text: &str) -> AgentId {
    AgentId::parse(text).expect("an agent id")
}

fn watched_rule(id: u128, condition: AlertCondition) -> WatchedRule {
    WatchedRule {
        account_id: AccountId(1),
        rule: AlertRule {
            id: AlertRuleId(Uuid::from_u128(id)),
            definition: AlertRuleDefinition {
                name: "rule".parse().expect("a name"),
                enabled: true,
                severity: AlertSeverity::Warning,
                agents: AlertAgents::All,
                condition,
                channels: vec![],
            },
            created_at: at(0),
            revision: 1,
        },
        start_sequence: 10,
    }
}

fn hot(for_seconds: u32) -> AlertCondition {
    AlertCondition::MetricThreshold(
        MetricThreshold::new("cpu_percent", ThresholdSide::Above, 90.0, for_seconds).expect("a threshold"),
    )
}

/// One account, evaluated step by step; states are kept as storage would.
struct Account {
    rules: Vec<WatchedRule>,
    board: AlertBoard,
    memory: AccountMemory,
    watching_since: Timestamp,
    ids: u128,
}

impl Account {
    fn new(rules: Vec<WatchedRule>, agents: &[&str]) -> Self {
        let agents = agents.iter().map(|id| WatchedAgent {
            id: agent_id(id),
            name: format!("host of {id}"),
            last_seen_at: None,
            disabled: false,
            interval_seconds: Some(60),
        });
        let board = AlertBoard { agents: agents.collect(), ..AlertBoard::default() };
        Self { rules, board, memory: AccountMemory::default(), watching_since: at(-1_000_000), ids: 0 }
    }

    /// What happened, as text: `fired: …`, `resolved: …`.
    fn step(&mut self, now: Timestamp, samples: &[MetricSample], inputs: AlertInputs) -> Vec<String> {
        self.memory.take(&self.rules, &self.board.agents, samples);
        let ids = &mut self.ids;
        let new_id = || {
            *ids += 1;
            AlertEventId(Uuid::from_u128(*ids))
        };
        let moment = Moment { now, watching_since: self.watching_since };
        let changes = self.memory.evaluate(&self.rules, &self.board, &inputs, moment, new_id);
        let mut happened = Vec::new();
        for change in changes {
            if let Some(state) = change.state {
                self.board.states.insert((state.rule_id, state.agent_id.clone()), state);
            }
            happened.extend(change.events.into_iter().map(|event| match event {
                AlertEventChange::Fired(AlertEvent { sentence, resolved_at: None, .. }) => format!("fired: {sentence}"),
                AlertEventChange::Fired(AlertEvent { sentence, .. }) => format!("passed: {sentence}"),
                AlertEventChange::Resolved { resolution, .. } => format!("resolved: {resolution}"),
            }));
        }
        happened
    }

    fn cpu(&mut self, second: i64, percent: f64) -> Vec<String> {
        let mut sample = MetricSample::new(agent_id("a"), at(second));
        sample.cpu_percent = Some(percent);
        self.step(at(second), &[sample], AlertInputs::default())
    }

    fn nothing_new(&mut self, second: i64) -> Vec<String> {
        self.step(at(second), &[], AlertInputs::default())
    }

    fn states(&self) -> Vec<&AgentAlertState> {
        self.board.states.values().collect()
    }
}

const NOTHING: [String; 0] = [];

#[test]
fn a_threshold_fires_once_and_resolves_once() {
    let mut account = Account::new(vec![watched_rule(1, hot(120))], &["a", "b"]);
    assert_eq!(account.cpu(0, 50.0), NOTHING);
    assert!(account.states().is_empty(), "what is ok needs no row");
    assert_eq!(account.cpu(60, 95.0), NOTHING);
    assert_eq!(account.states()[0].state, AlertState::Pending { since: at(60) });
    assert_eq!(account.cpu(120, 96.0), NOTHING);
    assert_eq!(account.cpu(180, 97.25), ["fired: CPU of host of a has been above 90 % for 2 min: 97.25 % now."]);
    assert!(matches!(account.states()[0].state, AlertState::Firing { since, .. } if since == at(180)));
    assert_eq!(account.cpu(240, 99.0), NOTHING);
    assert_eq!(account.cpu(300, 10.0), NOTHING);
    assert_eq!(account.cpu(360, 95.0), NOTHING, "one good sample resolves nothing");
    for second in [420, 480] {
        assert_eq!(account.cpu(second, 20.0), NOTHING);
    }
    assert_eq!(account.cpu(540, 20.0), ["resolved: CPU of host of a is no longer above 90 %: 20 %."]);
    assert_eq!(account.states()[0].state, AlertState::Ok);
}

#[test]
fn missing_samples_neither_fire_nor_resolve() {
    let mut account = Account::new(vec![watched_rule(1, hot(120))], &["a"]);
    account.cpu(0, 95.0);
    assert_eq!(account.nothing_new(200), NOTHING);
    let mut unknown = MetricSample::new(agent_id("a"), at(205));
    unknown.memory_percent = Some(1.0);
    assert_eq!(account.step(at(210), &[unknown], AlertInputs::default()), NOTHING);
    assert_eq!(account.cpu(10_000, 95.0), NOTHING, "nobody knows what was in between");
    assert_eq!(account.states()[0].state, AlertState::Pending { since: at(10_000) });
    account.cpu(10_060, 95.0);
    assert_eq!(account.cpu(10_120, 95.0).len(), 1);
    assert_eq!(account.nothing_new(99_999), NOTHING, "still firing");
    assert!(matches!(account.states()[0].state, AlertState::Firing { .. }));
}

#[test]
fn a_process_that_takes_over_reads_the_window_and_goes_on() {
    let mut account = Account::new(vec![watched_rule(1, hot(120))], &["a"]);
    for second in [0, 60] {
        account.cpu(second, 95.0);
    }
    account.memory = AccountMemory::default();
    let query = account.memory.query(&account.rules, &account.board, at(119));
    assert_eq!(query.records_after, None);
    assert_eq!(query.samples_before, at(119 + 300));
    let (agent, after) = &query.samples_after[0];
    assert!(*agent == agent_id("a") && *after < at(0), "{after}");
    let samples: Vec<_> = [0, 60, 119]
        .map(|second| {
            let mut sample = MetricSample::new(agent_id("a"), at(second));
            sample.cpu_percent = Some(95.0);
            sample
        })
        .into();
    assert_eq!(account.step(at(119), &samples, AlertInputs::default()), NOTHING, "one second too short");
    assert_eq!(account.memory.query(&account.rules, &account.board, at(125)).samples_after[0].1, at(119));
    assert_eq!(account.cpu(125, 95.0).len(), 1);
    account.memory = AccountMemory::default();
    assert_eq!(account.step(at(126), &samples, AlertInputs::default()), NOTHING, "it has fired already");
}

#[test]
fn a_changed_rule_and_a_new_one_read_their_windows_anew() {
    let mut account = Account::new(vec![watched_rule(1, hot(120))], &["a"]);
    account.cpu(1_000, 50.0);
    let from = |account: &Account| account.memory.query(&account.rules, &account.board, at(1_001)).samples_after[0].1;
    assert_eq!(from(&account), at(1_000));
    account.rules[0].rule.revision = 2;
    assert!(from(&account) < at(1_000 - 120));
    account.nothing_new(1_001);
    assert_eq!(from(&account), at(1_000));
    account.rules.push(watched_rule(2, hot(600)));
    assert!(from(&account) < at(1_000 - 600));
    account.rules.clear();
    assert!(account.memory.query(&account.rules, &account.board, at(1_001)).samples_after.is_empty());
}

#[test]
fn agents_that_a_rule_is_not_about_are_left_alone() {
    let mut only_a = watched_rule(1, hot(0));
    only_a.rule.definition.agents = AlertAgents::One(agent_id("a"));
    let mut account = Account::new(vec![only_a], &["a", "b"]);
    let samples: Vec<_> = ["a", "b"]
        .map(|agent| {
            let mut sample = MetricSample::new(agent_id(agent), at(0));
            sample.cpu_percent = Some(99.0);
            sample
        })
        .into();
    assert_eq!(account.memory.query(&account.rules, &account.board, at(0)).samples_after.len(), 1);
    assert_eq!(account.step(at(0), &samples, AlertInputs::default()), ["fired: CPU of host of a is above 90 %: 99 %."]);
}

#[test]
fn an_agent_that_is_switched_off_or_gone_resolves_what_fired() {
    for gone in [false, true] {
        let mut account = Account::new(vec![watched_rule(1, hot(0))], &["a"]);
        assert_eq!(account.cpu(0, 99.0).len(), 1);
        if gone {
            account.board.agents.clear();
        } else {
            account.board.agents[0].disabled = true;
        }
        let name = if gone { "a" } else { "host of a" };
        assert_eq!(account.nothing_new(10), [format!("resolved: {name} was switched off.")]);
        assert_eq!(account.nothing_new(20), NOTHING);
    }
}

#[test]
fn an_agent_is_offline_after_its_time_and_comes_back() {
    let offline = AlertCondition::AgentOffline(OfflineFor::new(120).expect("possible"));
    let mut account = Account::new(vec![watched_rule(1, offline)], &["a"]);
    assert_eq!(account.nothing_new(1_000), NOTHING, "never seen");
    account.board.agents[0].last_seen_at = Some(at(1_000));
    assert_eq!(account.nothing_new(1_119), NOTHING);
    assert_eq!(account.nothing_new(1_125), ["fired: host of a has not reported for 2 min 5 s."]);
    assert_eq!(account.nothing_new(1_135), NOTHING);
    account.board.agents[0].last_seen_at = Some(at(1_140));
    assert_eq!(account.nothing_new(1_145), ["resolved: host of a reports again."]);

    // After a time in which nobody could report, agents get theirs.
    account.watching_since = at(5_000);
    assert_eq!(account.nothing_new(5_100), NOTHING);
    assert_eq!(account.nothing_new(5_120).len(), 1);
}

fn speed(sequence: i64, second: i64, download: Option<f64>, upload: Option<f64>) -> MeasuredSpeed {
    MeasuredSpeed { agent_id: agent_id("a"), at: at(second), download_mbps: download, upload_mbps: upload, sequence }
}

#[test]
fn the_newest_speed_test_decides() {
    let minimum = SpeedtestMinimum::new(Some(50.0), Some(5.0)).expect("possible");
    let mut account = Account::new(vec![watched_rule(1, AlertCondition::SpeedtestBelow(minimum))], &["a"]);
    assert_eq!(account.memory.query(&account.rules, &account.board, at(0)).records_after, Some(10));
    account.board.records_up_to = 12;
    assert_eq!(account.memory.query(&account.rules, &account.board, at(0)).records_after, Some(12));
    let mut test = |speeds: Vec<MeasuredSpeed>| {
        account.step(at(1_000), &[], AlertInputs { speedtests: speeds, ..AlertInputs::default() })
    };
    let slow = "fired: The speed test of host of a was too slow: download 20 Mbps where 50 Mbps are expected.";
    assert_eq!(test(vec![speed(10, 0, Some(1.0), None)]), NOTHING, "from before the rule");
    assert_eq!(test(vec![speed(13, -100_000, Some(1.0), None)]), NOTHING, "long ago");
    assert_eq!(test(vec![speed(14, 100, None, None)]), NOTHING, "nothing was measured");
    assert_eq!(test(vec![speed(15, 200, Some(20.0), Some(9.0))]), [slow]);
    assert_eq!(test(vec![speed(16, 300, Some(60.0), Some(1.0))]), NOTHING, "slow in another way");
    assert_eq!(test(vec![speed(17, 250, Some(60.0), Some(6.0))]), NOTHING, "late");
    assert_eq!(
        test(vec![speed(18, 400, Some(50.0), Some(5.0))]),
        ["resolved: The speed test of host of a is fast enough again."]
    );
    let both = test(vec![speed(19, 500, Some(20.0), Some(4.0)), speed(20, 600, Some(60.0), Some(6.0))]);
    assert_eq!(both.len(), 2, "{both:?}");
    assert!(both[0].ends_with("download 20 Mbps where 50 Mbps are expected, upload 4 Mbps where 5 Mbps are expected."));
}

#[test]
fn each_changed_route_is_an_event_that_is_over() {
    let target = RouteTarget::parse("example.com").expect("a target");
    let rules = vec![
        watched_rule(1, AlertCondition::RouteChanged { target: Some(target) }),
        watched_rule(2, AlertCondition::RouteChanged { target: None }),
    ];
    let mut account = Account::new(rules, &["a"]);
    let route = |sequence, target: &str| ChangedRoute {
        agent_id: agent_id("a"),
        target: target.to_owned(),
        at: at(0),
        sequence,
    };
    let changed_routes = vec![route(9, "example.com"), route(11, "example.com"), route(12, "example.org")];
    let happened = account.step(at(10), &[], AlertInputs { changed_routes, ..AlertInputs::default() });
    assert_eq!(
        happened,
        [
            "passed: The route from host of a to example.com has changed.",
            "passed: The route from host of a to example.com has changed.",
            "passed: The route from host of a to example.org has changed.",
        ]
    );
    assert!(account.states().is_empty());
}
