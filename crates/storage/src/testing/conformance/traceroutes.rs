//! What is particular to traceroutes: `path_changed`.

use std::collections::BTreeMap;
use std::sync::Arc;

use astranetmon_domain::{Account, Hop, Limit, PageRequest, RecordFilter, Timestamp, Traceroute, TracerouteProtocol};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::records::Record;
use super::{NOVEMBER, account, agent_id, scope};
use crate::Storage;

/// A path of one hop, told apart by `last`.
pub(super) fn path(last: i64) -> Vec<Hop> {
    vec![hop((1, &format!("192.0.2.{last}").as_str()))]
}

fn hop((ttl, ip): (u8, &&str)) -> Hop {
    Hop {
        ttl,
        ip: (!ip.is_empty()).then(|| (*ip).to_owned()),
        hostname: None,
        asn: None,
        as_name: None,
        rtt_min_ms: None,
        rtt_avg_ms: None,
        rtt_max_ms: None,
        sent_count: 1,
        received_count: 1,
        packet_loss_percent: None,
    }
}

pub(super) fn trace(rng: &mut StdRng, agent: &str, at: Timestamp, path: &[&str]) -> Traceroute {
    Traceroute {
        target: "example.com".to_owned(),
        protocol: TracerouteProtocol::Icmp,
        hops: (1..).zip(path).map(hop).collect(),
        ..Traceroute::random(rng, agent_id(agent), at)
    }
}

/// `path_changed` of all stored traces, oldest first.
async fn changes(storage: &Arc<dyn Storage>, owner: &Account) -> Vec<Option<bool>> {
    let mut rows = stored(storage, owner).await;
    rows.sort_by_key(|row| (row.timestamp, row.agent_id.clone(), row.id));
    rows.iter().map(|row| row.path_changed).collect()
}

async fn stored(storage: &Arc<dyn Storage>, owner: &Account) -> Vec<Traceroute> {
    let page = PageRequest::new(Limit::LARGEST, None);
    storage.traceroute_page(&scope(owner), &RecordFilter::ALL.into(), &page).await.expect("traceroutes").rows
}

async fn append(storage: &Arc<dyn Storage>, owner: &Account, rows: Vec<Traceroute>) {
    let given = rows.len() as u64;
    let appended = Traceroute::append(storage, owner, rows).await.expect("appended");
    assert_eq!(appended.inserted, given);
}

/// Of the same agent, target and protocol; the first knows nothing; gaps are part of a path.
pub async fn path_changed_compares_with_the_trace_before(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let rng = &mut StdRng::seed_from_u64(1);
    let mut at = (0..).map(|n| NOVEMBER.plus_seconds(n));
    let mut next = |agent, path: &[&str]| trace(rng, agent, at.next().expect("endless"), path);
    let (one, other, gap) = (["192.0.2.1", "192.0.2.9"], ["192.0.2.2", "192.0.2.9"], ["192.0.2.1", "", "192.0.2.9"]);
    let lie = Traceroute { path_changed: Some(true), ..next("a", &one) };
    let udp = Traceroute { protocol: TracerouteProtocol::Udp, ..next("a", &other) };
    let elsewhere = Traceroute { target: "example.net".to_owned(), ..next("a", &other) };
    let rows = [lie, next("a", &one), udp, elsewhere, next("b", &other), next("a", &other), next("a", &gap)];
    for row in rows {
        append(&storage, &owner, vec![row]).await;
    }
    // In the order in which they were made: the first, its equal, then three first ones of their own.
    let mut rows = stored(&storage, &owner).await;
    rows.sort_by_key(|row| row.timestamp);
    let seen: Vec<_> = rows.iter().map(|row| (row.agent_id.as_str(), row.protocol, row.path_changed)).collect();
    let icmp = TracerouteProtocol::Icmp;
    assert_eq!(
        seen,
        [
            ("a", icmp, None),
            ("a", TracerouteProtocol::Udp, None),
            ("a", icmp, None),
            ("a", icmp, Some(false)),
            ("b", icmp, None),
            ("a", icmp, Some(true)),
            ("a", icmp, Some(true)),
        ]
    );
    let mut found = rows[3].clone();
    assert_eq!(storage.traceroute_find(&scope(&owner), found.id).await.expect("found"), Some(found.clone()));
    // Sent again, it changes nothing, not even what it would say of its successor.
    found.hops.clear();
    Traceroute::append(&storage, &owner, vec![found]).await.expect("appended");
    let mut again = stored(&storage, &owner).await;
    again.sort_by_key(|row| row.timestamp);
    assert_eq!(again, rows);
}

/// A trace that comes late stands between its neighbours, also in another month, also at an equal time.
pub async fn late_traces_correct_their_successors(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let rng = &mut StdRng::seed_from_u64(2);
    let (x, y) = (["192.0.2.1"], ["192.0.2.2"]);
    let days = |days: i64| NOVEMBER.plus_seconds(days * 86_400);
    append(&storage, &owner, vec![trace(rng, "a", days(40), &x)]).await;
    assert_eq!(changes(&storage, &owner).await, [None]);
    append(&storage, &owner, vec![trace(rng, "a", days(-5), &x)]).await;
    assert_eq!(changes(&storage, &owner).await, [None, Some(false)]);
    append(&storage, &owner, vec![trace(rng, "a", days(10), &y)]).await;
    assert_eq!(changes(&storage, &owner).await, [None, Some(true), Some(true)]);
    append(&storage, &owner, vec![trace(rng, "a", days(11), &x), trace(rng, "a", days(9), &y)]).await;
    assert_eq!(changes(&storage, &owner).await, [None, Some(true), Some(false), Some(true), Some(false)]);
    append(&storage, &owner, vec![trace(rng, "a", days(-6), &y)]).await;
    let expected = [None, Some(true), Some(true), Some(false), Some(true), Some(false)];
    assert_eq!(changes(&storage, &owner).await, expected);
}

/// In whatever batches and order traces arrive, the outcome is that of the order of time.
pub async fn path_changed_is_right_whatever_the_order_of_arrival(storage: Arc<dyn Storage>) {
    let owner = account(&storage, "owner").await;
    let rng = &mut StdRng::seed_from_u64(3);
    let paths: [&[&str]; 3] = [&["192.0.2.1"], &["192.0.2.2"], &["", "192.0.2.1"]];
    let mut rows: Vec<Traceroute> = (0..200)
        .map(|_| {
            let agent = ["a", "b"][rng.random_range(0..2)];
            let at = NOVEMBER.plus_seconds(rng.random_range(-60..60) * 3_600);
            let path = paths[rng.random_range(0..3)];
            Traceroute { target: ["x", "y"][rng.random_range(0..2)].to_owned(), ..trace(rng, agent, at, path) }
        })
        .collect();
    let mut unsent = rows.as_slice();
    while !unsent.is_empty() {
        let (batch, rest) = unsent.split_at(rng.random_range(1..=9).min(unsent.len()));
        append(&storage, &owner, batch.to_vec()).await;
        unsent = rest;
    }
    rows.sort_by_key(|row| (row.timestamp, row.id));
    let mut before: BTreeMap<(String, String), String> = BTreeMap::new();
    let mut expected = BTreeMap::new();
    for row in rows {
        let hash = row.path_hash();
        let last = before.insert((row.agent_id.to_string(), row.target.clone()), hash.clone());
        expected.insert(row.id, last.map(|last| last != hash));
    }
    let stored = stored(&storage, &owner).await;
    assert_eq!(stored.len(), 200);
    let seen: BTreeMap<_, _> = stored.into_iter().map(|row| (row.id, row.path_changed)).collect();
    assert_eq!(seen, expected);
}
