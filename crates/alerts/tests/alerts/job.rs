//! The job on both databases: every event told once, whoever comes and goes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use astranetmon_alerts::{AlertMessage, AlertSettings, Deliverer, DeliveryError, PostSettings, run_alerts};
use astranetmon_auth::{Operator, Scope};
use astranetmon_domain::{
    Account, AgentFacts, AgentId, AlertAgents, AlertChannel, AlertCondition, AlertDeliveryState, AlertRuleDefinition,
    AlertSeverity, Clock, ManualClock, MetricSample, MetricThreshold, Plan, SystemClock, ThresholdSide, Timestamp,
};
use astranetmon_storage::postgres::{PostgresSettings, PostgresStorage};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::testing::TestPostgres;
use astranetmon_storage::{AlertDestination, NewAgent, NewAlertChannel, Storage};
use async_trait::async_trait;
use rand::SeedableRng;
use rand::rngs::StdRng;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use crate::receivers::{MailSink, Receiver, post};

const OPERATOR: Operator = Operator::new("test");
const QUICK: AlertSettings =
    AlertSettings { interval: Duration::from_millis(20), lease_ttl: Duration::from_millis(800) };
const PATIENCE: Duration = Duration::from_secs(30);

fn scope<A: astranetmon_auth::Access>(account: &Account) -> Scope<A> {
    Scope::system(account.id, "test")
}

/// Two processes' storages on one fresh database, and what must outlive them.
struct Database {
    storages: [Arc<dyn Storage>; 2],
    _outlives: Box<dyn std::any::Any + Send>,
}

/// SQLite is one process's, so both are the same.
async fn sqlite() -> Database {
    let folder = tempfile::tempdir().expect("a folder");
    let settings = SqliteSettings::new(folder.path().join("astranetmon.sqlite"));
    SqliteStorage::migrate(&settings).expect("migrated");
    let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&settings).expect("open"));
    Database { storages: [Arc::clone(&storage), storage], _outlives: Box::new(folder) }
}

async fn postgres() -> Database {
    let database = TestPostgres::fresh_database().await;
    let settings = PostgresSettings::new(database.url());
    PostgresStorage::migrate(&settings).await.expect("migrated");
    let connect = async || Arc::new(PostgresStorage::connect(&settings).await.expect("connected"));
    Database { storages: [connect().await, connect().await], _outlives: Box::new(database) }
}

/// Writes down what it is to deliver.
#[derive(Default)]
struct Recorder(Mutex<Vec<String>>);

impl Recorder {
    fn told(&self) -> Vec<String> {
        let mut told = self.0.lock().expect("not poisoned").clone();
        told.sort();
        told
    }

    async fn wait_for(&self, messages: usize) {
        let waiting = async {
            while self.told().len() < messages {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.expect("told in time");
    }
}

#[async_trait]
impl Deliverer for Recorder {
    async fn deliver(&self, _: &AlertDestination, message: &AlertMessage) -> Result<(), DeliveryError> {
        let told = format!("{} {} {}", message.event.rule_name, message.event.agent_id, message.phase.as_str());
        self.0.lock().expect("not poisoned").push(told);
        Ok(())
    }

    async fn deliver_test(&self, _: &AlertChannel, _: &AlertDestination) -> Result<(), DeliveryError> {
        Ok(())
    }
}

struct Running {
    job: JoinHandle<()>,
    stop: oneshot::Sender<()>,
}

fn start(storage: &Arc<dyn Storage>, clock: Arc<dyn Clock>, deliverer: Arc<dyn Deliverer>) -> Running {
    let (stop, stopped) = oneshot::channel();
    let rng = StdRng::seed_from_u64(1);
    let job = run_alerts(Arc::clone(storage), clock, rng, QUICK, deliverer, async {
        let _ = stopped.await;
    });
    Running { job: tokio::spawn(job), stop }
}

impl Running {
    async fn stop(self) {
        let _ = self.stop.send(());
        tokio::time::timeout(PATIENCE, self.job).await.expect("stopped in time").expect("no panic");
    }
}

fn agent(id: &str) -> AgentId {
    AgentId::parse(id).expect("an agent id")
}

async fn account(storage: &dyn Storage, now: Timestamp, agents: &[&str]) -> Account {
    let name = "owner".parse().expect("a name");
    let account = storage.account_create(&OPERATOR, &name, Plan::Starter, now).await.expect("an account");
    for id in agents {
        let facts = AgentFacts { hostname: (*id).to_owned(), ..AgentFacts::default() };
        let new = NewAgent { id: agent(id), facts, name: None, public_ip: None, labels: BTreeMap::new() };
        storage.agent_upsert(&scope(&account), &new, now).await.expect("an agent");
    }
    account
}

/// A rule that is told to one channel: a CPU above 90, at once.
async fn rule(storage: &dyn Storage, account: &Account, name: &str, destination: AlertDestination, now: Timestamp) {
    let channel = NewAlertChannel { name: name.parse().expect("a name"), destination };
    let channel = storage.alert_channel_create(&scope(account), &channel, now).await.expect("a channel");
    let definition = AlertRuleDefinition {
        name: name.parse().expect("a name"),
        enabled: true,
        severity: AlertSeverity::Warning,
        agents: AlertAgents::All,
        condition: AlertCondition::MetricThreshold(
            MetricThreshold::new("cpu_percent", ThresholdSide::Above, 90.0, 0).expect("a threshold"),
        ),
        channels: vec![channel.id],
    };
    storage.alert_rule_create(&scope(account), &definition, now).await.expect("a rule");
}

async fn cpu(storage: &dyn Storage, account: &Account, agents: &[&str], percent: f64, now: Timestamp) {
    let sample = |id: &&str| MetricSample { cpu_percent: Some(percent), ..MetricSample::new(agent(id), now) };
    storage.metric_append(&scope(account), agents.iter().map(sample).collect(), now).await.expect("appended");
}

fn mailbox() -> AlertDestination {
    AlertDestination::Email { to: "person@example.com".parse().expect("an address") }
}

/// How every delivery of the account stands, once none waits.
async fn settled(storage: &dyn Storage, account: &Account) -> Vec<AlertDeliveryState> {
    let looking = async {
        loop {
            let events = storage.alert_event_page(&scope(account), None, None, 1_000).await.expect("events").events;
            let mut states = Vec::new();
            for event in events {
                let deliveries = storage.alert_delivery_list(&scope(account), event.id).await.expect("deliveries");
                states.extend(deliveries.into_iter().map(|delivery| delivery.state));
            }
            if !states.iter().any(|state| matches!(state, AlertDeliveryState::Queued { .. })) {
                return states;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("settled in time")
}

async fn two_evaluators_tell_each_event_once(database: Database) {
    let [storage, other] = &database.storages;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let agents = ["a", "b", "c", "d", "e"];
    let owner = account(storage.as_ref(), clock.now(), &agents).await;
    for name in ["first", "second", "third"] {
        rule(storage.as_ref(), &owner, name, mailbox(), clock.now()).await;
    }
    let recorder = Arc::new(Recorder::default());
    let running: Vec<_> = [storage, other, storage, other]
        .map(|storage| start(storage, Arc::clone(&clock), Arc::clone(&recorder) as Arc<dyn Deliverer>))
        .into();
    cpu(storage.as_ref(), &owner, &agents, 99.0, clock.now()).await;
    recorder.wait_for(15).await;
    cpu(storage.as_ref(), &owner, &agents, 1.0, clock.now()).await;
    recorder.wait_for(30).await;
    let states = settled(storage.as_ref(), &owner).await;
    for running in running {
        running.stop().await;
    }
    let told = recorder.told();
    let mut expected = Vec::new();
    for rule in ["first", "second", "third"] {
        for agent in agents {
            expected.extend(["fired", "resolved"].map(|phase| format!("{rule} {agent} {phase}")));
        }
    }
    expected.sort();
    assert_eq!(told, expected);
    assert_eq!(states.len(), 30);
}

async fn another_process_goes_on_when_the_holder_is_gone(database: Database) {
    let [storage, other] = &database.storages;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let owner = account(storage.as_ref(), clock.now(), &["a"]).await;
    rule(storage.as_ref(), &owner, "rule", mailbox(), clock.now()).await;
    let [first, second] = [(); 2].map(|()| Arc::new(Recorder::default()));
    let holder = start(storage, Arc::clone(&clock), Arc::clone(&first) as Arc<dyn Deliverer>);
    cpu(storage.as_ref(), &owner, &["a"], 99.0, clock.now()).await;
    first.wait_for(1).await;
    settled(storage.as_ref(), &owner).await;
    let waiting = start(other, Arc::clone(&clock), Arc::clone(&second) as Arc<dyn Deliverer>);
    // As by kill -9: it says nothing and gives nothing back.
    holder.job.abort();
    let gone_at = std::time::Instant::now();
    cpu(storage.as_ref(), &owner, &["a"], 1.0, clock.now()).await;
    second.wait_for(1).await;
    let took = gone_at.elapsed();
    assert!(took < QUICK.lease_ttl * 3, "{took:?}");
    settled(storage.as_ref(), &owner).await;
    waiting.stop().await;
    assert_eq!((first.told(), second.told()), (vec!["rule a fired".to_owned()], vec!["rule a resolved".to_owned()]));
}

async fn a_lost_message_comes_again_until_it_arrives(database: Database) {
    let [storage, _] = &database.storages;
    let clock = Arc::new(ManualClock::new(Timestamp::from_seconds(1_793_491_200)));
    let mut receiver = Receiver::start(vec![
        "HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n",
    ])
    .await;
    let mut sink = MailSink::start(None).await;
    let smtp = astranetmon_alerts::SmtpSettings {
        host: "127.0.0.1".to_owned(),
        port: Some(sink.addr.port()),
        tls: astranetmon_alerts::SmtpTls::None,
        user: None,
        password: None,
        from: "alerts@example.com".to_owned(),
    };
    let owner = account(storage.as_ref(), clock.now(), &["a"]).await;
    rule(storage.as_ref(), &owner, "webhook", receiver.destination(), clock.now()).await;
    clock.advance_seconds(1);
    rule(storage.as_ref(), &owner, "email", mailbox(), clock.now()).await;
    let post = post(PostSettings { smtp: Some(smtp), ..PostSettings::default() }, Arc::clone(&clock) as Arc<dyn Clock>);
    let running = start(storage, Arc::clone(&clock) as Arc<dyn Clock>, Arc::new(post));
    cpu(storage.as_ref(), &owner, &["a"], 99.0, clock.now()).await;
    assert!(sink.message().await.contains("CPU of a is above 90 %: 99 %."));
    let mut bodies = Vec::new();
    for (status, wait) in [("500", 12), ("503", 36)] {
        bodies.push(receiver.call().await.body);
        failed_with(storage.as_ref(), &owner, status).await;
        assert!(!receiver.was_called(), "before its time");
        clock.advance_seconds(wait);
    }
    bodies.push(receiver.call().await.body);
    let states = settled(storage.as_ref(), &owner).await;
    running.stop().await;
    assert!(states.iter().all(|state| matches!(state, AlertDeliveryState::Delivered { .. })), "{states:?}");
    assert!(bodies.iter().all(|body| *body == bodies[0]), "the same message each time");
    assert!(!receiver.was_called());
}

/// Waits until it has been written down how an attempt failed.
async fn failed_with(storage: &dyn Storage, account: &Account, status: &str) {
    let looking = async {
        loop {
            let events = storage.alert_event_page(&scope(account), None, None, 10).await.expect("events").events;
            for event in events {
                let deliveries = storage.alert_delivery_list(&scope(account), event.id).await.expect("deliveries");
                if deliveries.iter().filter_map(|delivery| delivery.last_error.as_ref()).any(|it| it.contains(status)) {
                    return;
                }
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, looking).await.expect("written in time");
}

macro_rules! on_both_databases {
    ($($case:ident),* $(,)?) => {
        mod on_sqlite {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::sqlite().await).await;
            })*
        }
        mod on_postgres {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                super::$case(super::postgres().await).await;
            })*
        }
    };
}

on_both_databases! {
    two_evaluators_tell_each_event_once,
    another_process_goes_on_when_the_holder_is_gone,
    a_lost_message_comes_again_until_it_arrives,
}
