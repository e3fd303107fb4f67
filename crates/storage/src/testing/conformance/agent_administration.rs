//! Agents that are edited, disabled, deleted; heartbeats.

use std::sync::Arc;

use astranetmon_auth::{AgentPrincipal, AgentToken, Ingest, Scope};
use astranetmon_domain::{
    Account, AgentFacts, HealthReport, Heartbeat, MetricSample, RecordFilter, Speedtest, Timestamp, Traceroute,
};
use rand::SeedableRng;
use rand::rngs::StdRng;

use super::agents::add;
use super::enrolment::{enroll, labels, offer, request};
use super::records::{Page, Record};
use super::{NOVEMBER, account, agent_id, scope};
use crate::{AgentEdit, AgentHealth, Enrolled, Storage, StorageError};

async fn principal(storage: &Arc<dyn Storage>, token: &AgentToken) -> Option<AgentPrincipal> {
    storage.agent_token_find(&token.hash()).await.expect("answered")
}

fn heartbeat(id: &str, sent_at: Timestamp) -> Heartbeat {
    Heartbeat {
        agent_id: agent_id(id),
        facts: AgentFacts { hostname: "beating".to_owned(), interval_seconds: Some(10), ..AgentFacts::default() },
        public_ip: Some("198.51.100.7".to_owned()),
        spool_row_count: Some(12),
        spool_oldest_at: Some(NOVEMBER),
        dropped_row_count: Some(0),
        cost_cpu_percent: Some(0.314_159),
        cost_memory_bytes: Some(1 << 24),
        sent_at: Some(sent_at),
    }
}

/// One row of each kind, in that scope.
async fn write_all(
    storage: &Arc<dyn Storage>,
    scope: &Scope<Ingest>,
    id: &str,
    at: Timestamp,
) -> [Result<u64, StorageError>; 3] {
    let mut rng = StdRng::seed_from_u64(at.as_micros().unsigned_abs());
    let id = agent_id(id);
    let metrics = vec![MetricSample::random(&mut rng, id.clone(), at)];
    let speedtests = vec![Speedtest::random(&mut rng, id.clone(), at)];
    let traceroutes = vec![Traceroute::random(&mut rng, id, at)];
    let written = [
        storage.metric_append(scope, metrics, at).await,
        storage.speedtest_append(scope, speedtests, at).await,
        storage.traceroute_append(scope, traceroutes, at).await,
    ];
    written.map(|written| written.map(|appended| appended.inserted))
}

fn refused(written: [Result<u64, StorageError>; 3]) -> bool {
    written.iter().all(|written| matches!(written, Err(StorageError::Missing { what: "agent" })))
}

async fn totals(storage: &Arc<dyn Storage>, owner: &Account) -> [u64; 3] {
    let Page { total: metrics, .. } = MetricSample::page(storage, owner, &RecordFilter::ALL, 1, None).await;
    let Page { total: speedtests, .. } = Speedtest::page(storage, owner, &RecordFilter::ALL, 1, None).await;
    let Page { total: traceroutes, .. } = Traceroute::page(storage, owner, &RecordFilter::ALL, 1, None).await;
    [metrics, speedtests, traceroutes]
}

/// A name or labels alone, both, neither; an agent that is not there says so.
pub async fn an_edit_changes_what_it_names(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    add(&storage, &owner, "a", "host").await;
    let named = |name: Option<&str>| AgentEdit { name: Some(name.map(str::to_owned)), labels: None };
    let labelled = |pairs: &[(&str, &str)]| AgentEdit { name: None, labels: Some(labels(pairs)) };
    let ber = &[("site", "ber")][..];
    for (edit, name, pairs) in [
        (named(Some("fro\u{1b}nt")), Some("front"), &[][..]),
        (labelled(ber), Some("front"), ber),
        (AgentEdit::default(), Some("front"), ber),
        (named(None), None, ber),
        (AgentEdit { name: Some(Some("x".to_owned())), labels: Some(labels(&[])) }, Some("x"), &[]),
    ] {
        assert!(storage.agent_edit(&scope(&owner), &agent_id("a"), &edit, NOVEMBER).await.expect("answered"));
        let agent = storage.agent_find(&scope(&owner), &agent_id("a")).await.expect("found").expect("there");
        assert_eq!((agent.name.as_deref(), agent.labels), (name, labels(pairs)), "{edit:?}");
        let listed = storage.agent_page(&scope(&owner), None, None).await.expect("agents");
        assert_eq!(listed.agents[0].name.as_deref(), name, "seen at once");
    }
    for edit in [named(None), AgentEdit::default()] {
        assert!(!storage.agent_edit(&scope(&owner), &agent_id("b"), &edit, NOVEMBER).await.expect("answered"));
    }
    let entries = storage.audit_list(&scope(&owner), 10).await.expect("listed");
    let edits =
        entries.iter().filter(|entry| (entry.action.as_str(), entry.object.as_str()) == ("agent.edit", "agent:a"));
    assert_eq!(edits.count(), 4);
}

/// Its token is nobody's, what it still sends is refused, its data stays; switched on, all is as before.
pub async fn a_disabled_agent_is_nobody_and_writes_nothing(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let token = enroll(&storage, &owner, 1, "a").await;
    let ingest = principal(&storage, &token).await.expect("an agent").ingest();
    assert!(write_all(&storage, &ingest, "a", NOVEMBER).await.iter().all(Result::is_ok));
    let id = agent_id("a");
    let manage = scope(&owner);
    for _ in 0..2 {
        assert!(storage.agent_set_disabled(&manage, &id, true, NOVEMBER).await.expect("answered"));
    }
    assert_eq!(principal(&storage, &token).await, None);
    assert!(refused(write_all(&storage, &ingest, "a", NOVEMBER.plus_seconds(1)).await));
    assert!(storage.agent_heartbeat(&ingest, &heartbeat("a", NOVEMBER), NOVEMBER).await.is_err());
    assert_eq!(totals(&storage, &owner).await, [1; 3]);
    assert!(storage.agent_set_disabled(&manage, &id, false, NOVEMBER).await.expect("answered"));
    let agent = storage.agent_find(&scope(&owner), &id).await.expect("found").expect("there");
    assert_eq!((agent.disabled_at, agent.last_seen_at), (None, Some(NOVEMBER)));
    assert!(principal(&storage, &token).await.is_some());
    assert!(write_all(&storage, &ingest, "a", NOVEMBER.plus_seconds(1)).await.iter().all(Result::is_ok));
    assert!(!storage.agent_set_disabled(&manage, &agent_id("b"), true, NOVEMBER).await.expect("answered"));
    let actions: Vec<_> =
        storage.audit_list(&scope(&owner), 10).await.expect("listed").into_iter().map(|entry| entry.action).collect();
    assert!(actions.contains(&"agent.disable".to_owned()) && actions.contains(&"agent.enable".to_owned()));
}

/// What was authenticated before is refused after, while others write on; nobody else can write for it either.
pub async fn a_deleted_agent_never_gets_rows_again(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let token = enroll(&storage, &owner, 1, "a").await;
    let other = enroll(&storage, &owner, 2, "b").await;
    let ingest = principal(&storage, &token).await.expect("an agent").ingest();
    let other = principal(&storage, &other).await.expect("an agent").ingest();
    storage.agent_heartbeat(&ingest, &heartbeat("a", NOVEMBER), NOVEMBER).await.expect("taken");
    let writing = {
        let (storage, ingest) = (Arc::clone(&storage), ingest.clone());
        tokio::spawn(async move {
            let mut inserted = 0;
            for second in 0_i64.. {
                let sample = MetricSample::new(agent_id("a"), NOVEMBER.plus_seconds(second));
                match storage.metric_append(&ingest, vec![sample], NOVEMBER).await {
                    Ok(appended) => inserted += appended.inserted,
                    Err(StorageError::Missing { what: "agent" }) => break,
                    Err(error) => panic!("{error}"),
                }
            }
            inserted
        })
    };
    while totals(&storage, &owner).await[0] < 5 {
        tokio::task::yield_now().await;
    }
    assert!(storage.agent_delete(&scope(&owner), &agent_id("a"), NOVEMBER).await.expect("answered"));
    assert!(!storage.agent_delete(&scope(&owner), &agent_id("a"), NOVEMBER).await.expect("answered"));
    let inserted = writing.await.expect("no panic");
    assert_eq!(totals(&storage, &owner).await[0], inserted, "acknowledged rows and no others");
    assert_eq!(principal(&storage, &token).await, None);
    let service = scope::<Ingest>(&owner);
    for scope in [&ingest, &service] {
        assert!(refused(write_all(&storage, scope, "a", NOVEMBER.plus_seconds(-5)).await));
        assert!(storage.agent_heartbeat(scope, &heartbeat("a", NOVEMBER), NOVEMBER).await.is_err());
    }
    assert!(write_all(&storage, &other, "b", NOVEMBER).await.iter().all(Result::is_ok));
    assert_eq!(storage.agent_find(&scope(&owner), &agent_id("a")).await.expect("answered"), None);
    let health = storage.agent_health(&scope(&owner)).await.expect("read");
    assert_eq!(health.iter().map(|health| health.agent_id.as_str()).collect::<Vec<_>>(), ["b"]);
    let entries = storage.audit_list(&scope(&owner), 10).await.expect("listed");
    let deletions: Vec<_> = entries.iter().filter(|entry| entry.action == "agent.delete").collect();
    assert_eq!((deletions.len(), deletions[0].object.as_str()), (1, "agent:a"));
}

/// A batch with one row of another agent is refused, all of it.
pub async fn an_agent_writes_for_itself_only(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let token = enroll(&storage, &owner, 1, "a").await;
    enroll(&storage, &owner, 2, "b").await;
    let ingest = principal(&storage, &token).await.expect("an agent").ingest();
    assert!(refused(write_all(&storage, &ingest, "b", NOVEMBER).await));
    let both = vec![MetricSample::new(agent_id("a"), NOVEMBER), MetricSample::new(agent_id("b"), NOVEMBER)];
    assert!(storage.metric_append(&ingest, both, NOVEMBER).await.is_err());
    assert!(storage.agent_heartbeat(&ingest, &heartbeat("b", NOVEMBER), NOVEMBER).await.is_err());
    assert_eq!(totals(&storage, &owner).await, [0; 3]);
}

/// Asked for, it is taken, even by a token of its own; by its hostname an agent gets the next.
pub async fn the_id_of_an_agent_that_is_going_is_taken(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    enroll(&storage, &owner, 1, "web").await;
    assert!(storage.agent_delete(&scope(&owner), &agent_id("web"), NOVEMBER).await.expect("answered"));
    for (seed, own, asked, expected) in
        [(2, None, Some("web"), None), (3, Some("web"), None, None), (4, None, None, Some("web-2"))]
    {
        let (enrolment, _) = offer(&storage, &owner, seed, own, 1).await;
        let (_, request) = request(seed, asked, "web");
        let enrolled = storage.agent_enroll(&enrolment.hash(), &request, NOVEMBER).await.expect("answered");
        match (expected, enrolled) {
            (None, Enrolled::Taken) => {}
            (Some(id), Enrolled::Agent { agent_id: given, .. }) if given.as_str() == id => {}
            (_, enrolled) => panic!("{seed}: {enrolled:?}"),
        }
    }
    let upserted = crate::NewAgent {
        id: agent_id("web"),
        facts: AgentFacts::default(),
        name: None,
        public_ip: None,
        labels: labels(&[]),
    };
    let again = storage.agent_upsert(&scope(&owner), &upserted, NOVEMBER).await;
    assert!(matches!(again, Err(StorageError::Missing { what: "agent" })), "{again:?}");
}

/// Facts, address, spool, cost, the clock's offset; the next replaces it whole.
pub async fn a_heartbeat_is_kept(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let token = enroll(&storage, &owner, 1, "a").await;
    add(&storage, &owner, "never", "host").await;
    let ingest = principal(&storage, &token).await.expect("an agent").ingest();
    let first = heartbeat("a", NOVEMBER.plus_micros(1_500_000));
    let silent = Heartbeat {
        public_ip: None,
        spool_row_count: None,
        spool_oldest_at: None,
        dropped_row_count: None,
        cost_cpu_percent: None,
        cost_memory_bytes: None,
        sent_at: None,
        ..first.clone()
    };
    for (heartbeat, now) in [(first, NOVEMBER), (silent, NOVEMBER.plus_seconds(10))] {
        storage.agent_heartbeat(&ingest, &heartbeat, now).await.expect("taken");
        let agent = storage.agent_find(&scope(&owner), &agent_id("a")).await.expect("found").expect("there");
        assert_eq!((agent.facts, agent.public_ip), (heartbeat.facts.clone(), heartbeat.public_ip.clone()));
        assert_eq!((agent.last_seen_at, agent.labels), (Some(now), labels(&[("rack", "7")])));
        let health = storage.agent_health(&scope(&owner)).await.expect("read");
        let known = |health: &AgentHealth| (health.agent_id.to_string(), health.token.is_some(), health.report.clone());
        let expected = HealthReport {
            heartbeat_at: now,
            cost_cpu_percent: heartbeat.cost_cpu_percent.map(|_| 0.31),
            clock_offset_ms: heartbeat.sent_at.map(|_| 1_500),
            ..heartbeat.report(now)
        };
        assert_eq!(
            health.iter().map(known).collect::<Vec<_>>(),
            [("a".to_owned(), true, Some(expected)), ("never".to_owned(), false, None)]
        );
    }
    let gone = heartbeat("gone", NOVEMBER);
    assert!(storage.agent_heartbeat(&scope(&owner), &gone, NOVEMBER).await.is_err());
}

/// Appending marks an agent as seen; its token shows it a minute later at the latest.
pub async fn a_tokens_use_is_noted_once_a_minute(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let token = enroll(&storage, &owner, 1, "a").await;
    let ingest = principal(&storage, &token).await.expect("an agent").ingest();
    for (second, used_at) in [(0, 0), (59, 0), (60, 60), (61, 60), (30, 60), (200, 200)] {
        let now = NOVEMBER.plus_seconds(second);
        let sample = MetricSample::new(agent_id("a"), now);
        storage.metric_append(&ingest, vec![sample], now).await.expect("appended");
        let health = storage.agent_health(&scope(&owner)).await.expect("read").remove(0);
        let noted = health.token.expect("a token");
        assert_eq!((noted.hint, noted.created_at), (token.hint(), NOVEMBER));
        assert_eq!(noted.last_used_at, Some(NOVEMBER.plus_seconds(used_at)), "{second}");
    }
    let agent = storage.agent_find(&scope(&owner), &agent_id("a")).await.expect("found").expect("there");
    assert_eq!(agent.last_seen_at, Some(NOVEMBER.plus_seconds(200)));
}

/// The same id in another account is another agent.
pub async fn agents_of_other_accounts_are_left_alone(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    let ours = enroll(&storage, &owner, 1, "a").await;
    let id = agent_id("a");
    let manage = scope(&stranger);
    let edit = AgentEdit { name: Some(Some("theirs".to_owned())), labels: None };
    assert!(!storage.agent_edit(&manage, &id, &edit, NOVEMBER).await.expect("answered"));
    assert!(!storage.agent_set_disabled(&manage, &id, true, NOVEMBER).await.expect("answered"));
    assert!(!storage.agent_delete(&manage, &id, NOVEMBER).await.expect("answered"));
    assert_eq!(storage.agent_health(&scope(&stranger)).await.expect("read"), []);
    let theirs = enroll(&storage, &stranger, 2, "a").await;
    assert!(storage.agent_delete(&manage, &id, NOVEMBER).await.expect("answered"));
    assert_eq!(principal(&storage, &theirs).await, None);
    assert_eq!(principal(&storage, &ours).await.expect("an agent").account_id, owner.id);
    let ingest = principal(&storage, &ours).await.expect("an agent").ingest();
    assert!(write_all(&storage, &ingest, "a", NOVEMBER).await.iter().all(Result::is_ok));
}
