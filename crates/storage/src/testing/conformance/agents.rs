//! Agents.

use std::collections::BTreeMap;
use std::sync::Arc;

use astranetmon_auth::{Ingest, ReadAgents};
use astranetmon_domain::{Account, Agent, AgentFacts, AgentId};

use super::{NOVEMBER, account, agent_id, scope};
use crate::{AgentPage, NewAgent, Storage};

fn new_agent(id: &str, hostname: &str) -> NewAgent {
    NewAgent {
        id: agent_id(id),
        facts: AgentFacts { hostname: hostname.to_owned(), ..AgentFacts::default() },
        name: None,
        public_ip: None,
        labels: BTreeMap::new(),
    }
}

pub(super) async fn add(storage: &Arc<dyn Storage>, owner: &Account, id: &str, hostname: &str) {
    storage.agent_upsert(&scope(owner), &new_agent(id, hostname), NOVEMBER).await.expect("written");
}

/// By the bytes of the hostname, then of the id, in pages of every size; another account's agents are not there.
pub async fn agents_come_by_hostname_in_pages(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    for (id, hostname) in [
        ("b", "web"),
        ("B", "web"),
        ("a-1", "web"),
        ("a.1", "web"),
        ("x", "Web"),
        ("y", "äpfel"),
        ("z", "db_1"),
        ("w", "db-1"),
    ] {
        add(&storage, &owner, id, hostname).await;
    }
    add(&storage, &stranger, "b", "web").await;
    let expected = ["x", "w", "z", "B", "a-1", "a.1", "b", "y"];
    let read = scope::<ReadAgents>(&owner);
    let ids = |page: &AgentPage| -> Vec<String> { page.agents.iter().map(|agent| agent.id.to_string()).collect() };
    let all = storage.agent_page(&read, None, None).await.expect("agents");
    assert_eq!((ids(&all), all.total, all.more), (expected.map(str::to_owned).to_vec(), 8, false));
    for limit in 1..=9 {
        let mut seen = Vec::new();
        let mut last: Option<(String, AgentId)> = None;
        loop {
            let after = last.as_ref().map(|(hostname, id)| (hostname.as_str(), id));
            let page = storage.agent_page(&read, after, Some(limit)).await.expect("agents");
            assert_eq!(page.total, 8);
            assert!(page.agents.len() <= limit as usize && page.more == (seen.len() + page.agents.len() < 8));
            seen.extend(ids(&page));
            let end: Option<&Agent> = page.agents.last().filter(|_| page.more);
            last = end.map(|agent| (agent.facts.hostname.clone(), agent.id.clone()));
            if last.is_none() {
                break;
            }
        }
        assert_eq!(seen, expected, "{limit}");
    }
    let with_metrics = storage.metric_agents(&scope(&owner)).await.expect("agents");
    assert_eq!(with_metrics, all.agents);
    let of_stranger = storage.metric_agents(&scope(&stranger)).await.expect("agents");
    assert_eq!(of_stranger.iter().map(|agent| agent.id.as_str()).collect::<Vec<_>>(), ["b"]);
    let stranger = scope::<ReadAgents>(&stranger);
    assert_eq!(ids(&storage.agent_page(&stranger, None, None).await.expect("agents")), ["b"]);
    assert_eq!(storage.agent_find(&stranger, &agent_id("x")).await.expect("no error"), None);
    assert_eq!(storage.agent_find(&read, &agent_id("unknown")).await.expect("no error"), None);
}

/// New facts replace all old ones, unknown ones too; name, labels and the time of making stay.
pub async fn writing_an_agent_again_keeps_what_a_person_gave(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let first = NewAgent {
        facts: AgentFacts {
            hostname: "one\u{1b}[31m".to_owned(),
            os: Some("Debian".to_owned()),
            cpu_core_count: Some(4),
            memory_total_bytes: Some(1 << 40),
            boot_time: Some(NOVEMBER),
            ip_addresses: vec!["192.0.2.1".to_owned(), "2001:db8::1".to_owned()],
            interval_seconds: Some(5),
            ..AgentFacts::default()
        },
        name: Some("front".to_owned()),
        public_ip: Some("198.51.100.1".to_owned()),
        labels: [("site".to_owned(), "ber".to_owned())].into_iter().collect(),
        ..new_agent("a", "")
    };
    storage.agent_upsert(&scope(&owner), &first, NOVEMBER).await.expect("written");
    let id = agent_id("a");
    let stored = storage.agent_find(&scope(&owner), &id).await.expect("found").expect("there");
    let expected = Agent {
        id: id.clone(),
        facts: first.facts.clone().normalized(),
        name: first.name.clone(),
        last_seen_at: None,
        created_at: NOVEMBER,
        disabled_at: None,
        public_ip: first.public_ip.clone(),
        labels: first.labels.clone(),
    };
    assert_eq!(stored, expected);
    assert_eq!(stored.facts.hostname, "one[31m");
    storage.agent_seen(&scope(&owner), &id, NOVEMBER).await.expect("noted");
    let second = NewAgent { name: Some("other".to_owned()), ..new_agent("a", "two") };
    storage.agent_upsert(&scope(&owner), &second, NOVEMBER.plus_seconds(9)).await.expect("written");
    let stored = storage.agent_find(&scope(&owner), &id).await.expect("found").expect("there");
    let expected = Agent { facts: second.facts, public_ip: None, last_seen_at: Some(NOVEMBER), ..expected };
    assert_eq!(stored, expected);
}

/// The last report never moves back, and touches the one agent of the one account.
pub async fn a_report_moves_forward_only(storage: Arc<dyn Storage>) {
    let (owner, stranger) = (account(&storage, "owner").await, account(&storage, "stranger").await);
    for (account, id) in [(&owner, "a"), (&owner, "b"), (&stranger, "a")] {
        add(&storage, account, id, "host").await;
    }
    for (seen_at, expected) in [(10, 10), (30, 30), (20, 30)] {
        let ingest = scope::<Ingest>(&owner);
        storage.agent_seen(&ingest, &agent_id("a"), NOVEMBER.plus_seconds(seen_at)).await.expect("noted");
        let agent = storage.agent_find(&scope(&owner), &agent_id("a")).await.expect("found").expect("there");
        assert_eq!(agent.last_seen_at, Some(NOVEMBER.plus_seconds(expected)));
    }
    for (account, id) in [(&owner, "b"), (&stranger, "a")] {
        let agent = storage.agent_find(&scope(account), &agent_id(id)).await.expect("found").expect("there");
        assert_eq!(agent.last_seen_at, None);
    }
}
