//! What metrics, speed tests and traceroutes have in common, so that a behaviour is written once for the three.

use std::fmt::Debug;
use std::sync::Arc;

use astranetmon_domain::{
    Account, AgentId, Hop, Limit, MetricPosition, MetricSample, Order, PageRequest, RecordFilter, RecordPosition,
    Speedtest, SpeedtestId, SpeedtestStatus, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus,
};
use rand::rngs::StdRng;
use rand::{Rng, RngExt};
use uuid::Uuid;

use super::{NOVEMBER, scope};
use crate::{Appended, RecordPage, Storage, StorageError};

/// Some records of a list.
#[derive(Debug, PartialEq)]
pub(super) struct Page<R> {
    pub(super) rows: Vec<R>,
    pub(super) total: u64,
    pub(super) more: bool,
}

/// A kind of measured record.
pub(super) trait Record: Clone + Debug + PartialEq + Send + 'static {
    /// One as it is stored, apart from what storage writes itself.
    fn random(rng: &mut StdRng, agent_id: AgentId, timestamp: Timestamp) -> Self;
    fn agent_id(&self) -> &AgentId;
    fn timestamp(&self) -> Timestamp;
    /// Nil for metrics, which have none.
    fn id(&self) -> Uuid;
    async fn append(storage: &Arc<dyn Storage>, owner: &Account, rows: Vec<Self>) -> Result<Appended, StorageError>;
    async fn page_in(
        storage: &Arc<dyn Storage>,
        owner: &Account,
        filter: &RecordFilter,
        page: (Order, u32),
        after: Option<&Self>,
    ) -> Page<Self>;

    /// Newest first.
    async fn page(
        storage: &Arc<dyn Storage>,
        owner: &Account,
        filter: &RecordFilter,
        limit: u32,
        after: Option<&Self>,
    ) -> Page<Self> {
        Self::page_in(storage, owner, filter, (Order::NewestFirst, limit), after).await
    }
}

fn maybe<T>(rng: &mut StdRng, value: impl FnOnce(&mut StdRng) -> T) -> Option<T> {
    rng.random_bool(0.8).then(|| value(rng))
}

fn decimal(rng: &mut StdRng, scale: f64) -> f64 {
    f64::from(rng.random_range(0..100_000)) / scale
}

fn uuid(rng: &mut StdRng) -> Uuid {
    Uuid::from_u64_pair(rng.next_u64(), rng.next_u64())
}

fn position<R: Record>(row: &R) -> RecordPosition {
    RecordPosition { timestamp: row.timestamp(), agent_id: row.agent_id().clone(), id: row.id() }
}

/// Whether records remain behind a page, which then says where it ends.
fn more<R: Record>(page: &RecordPage<R>) -> bool {
    assert!(page.next.is_none() || page.next == page.rows.last().map(position), "{:?}", page.next);
    page.next.is_some()
}

fn request<P, const MAX: u32>(limit: u32, after: Option<P>) -> PageRequest<P, MAX> {
    PageRequest::new(Limit::new(limit).expect("not zero"), after)
}

impl Record for MetricSample {
    fn random(rng: &mut StdRng, agent_id: AgentId, timestamp: Timestamp) -> Self {
        Self {
            interval_seconds: Some(60),
            cpu_percent: maybe(rng, |rng| decimal(rng, 100.0)),
            memory_total_bytes: maybe(rng, |rng| rng.random_range(0..1 << 53)),
            latency_ms: maybe(rng, |rng| decimal(rng, 1_000.0)),
            temperature_celsius: maybe(rng, |rng| -decimal(rng, 10.0)),
            uptime_seconds: maybe(rng, |rng| rng.random_range(0..1_000_000)),
            ..Self::new(agent_id, timestamp)
        }
    }

    fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn id(&self) -> Uuid {
        Uuid::nil()
    }

    async fn append(storage: &Arc<dyn Storage>, owner: &Account, rows: Vec<Self>) -> Result<Appended, StorageError> {
        storage.metric_append(&scope(owner), rows, NOVEMBER).await
    }

    async fn page_in(
        storage: &Arc<dyn Storage>,
        owner: &Account,
        filter: &RecordFilter,
        (order, limit): (Order, u32),
        after: Option<&Self>,
    ) -> Page<Self> {
        let after = after.map(|after| MetricPosition { timestamp: after.timestamp, agent_id: after.agent_id.clone() });
        let page =
            storage.metric_page(&scope(owner), filter, &request(limit, after).in_order(order)).await.expect("metrics");
        let rows = (0..page.columns.len()).map(|row| page.columns.sample(row)).collect();
        Page { rows, total: page.total, more: page.more }
    }
}

impl Record for Speedtest {
    fn random(rng: &mut StdRng, agent_id: AgentId, timestamp: Timestamp) -> Self {
        Self {
            id: SpeedtestId(uuid(rng)),
            agent_id,
            timestamp,
            status: SpeedtestStatus::ALL[rng.random_range(0..2)],
            error: maybe(rng, |_| "it's \"odd\"".to_owned()),
            provider: Some("example".to_owned()),
            download_mbps: maybe(rng, |rng| decimal(rng, 1_000.0)),
            upload_mbps: maybe(rng, |rng| decimal(rng, 1_000.0)),
            download_bytes: maybe(rng, |rng| rng.random_range(0..1 << 40)),
            upload_bytes: None,
            ping_ms: maybe(rng, |rng| decimal(rng, 1_000.0)),
            jitter_ms: None,
            packet_loss_percent: maybe(rng, |rng| decimal(rng, 1_000.0).round() / 100.0),
            loaded_latency_ms: None,
            server_name: Some("Frankfurt (Main) – ä".to_owned()),
            server_host: Some("speed.example.com".to_owned()),
            server_location: None,
            isp: maybe(rng, |_| String::new()),
            external_ip: Some("192.0.2.1".to_owned()),
            interface_name: Some("eth0".to_owned()),
            duration_ms: maybe(rng, |rng| rng.random_range(0..60_000)),
            result_url: None,
        }
    }

    fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn id(&self) -> Uuid {
        self.id.0
    }

    async fn append(storage: &Arc<dyn Storage>, owner: &Account, rows: Vec<Self>) -> Result<Appended, StorageError> {
        storage.speedtest_append(&scope(owner), rows, NOVEMBER).await
    }

    async fn page_in(
        storage: &Arc<dyn Storage>,
        owner: &Account,
        filter: &RecordFilter,
        (order, limit): (Order, u32),
        after: Option<&Self>,
    ) -> Page<Self> {
        let request = request(limit, after.map(position)).in_order(order);
        let page = storage.speedtest_page(&scope(owner), &filter.clone().into(), &request).await.expect("speed tests");
        Page { more: more(&page), rows: page.rows, total: page.total }
    }
}

impl Record for Traceroute {
    fn random(rng: &mut StdRng, agent_id: AgentId, timestamp: Timestamp) -> Self {
        let hop = |ttl: u8, rng: &mut StdRng| Hop {
            ttl,
            ip: maybe(rng, |rng| format!("192.0.2.{}", rng.random_range(0..3))),
            hostname: None,
            asn: maybe(rng, |rng| rng.next_u32()),
            as_name: maybe(rng, |_| "Example".to_owned()),
            rtt_min_ms: maybe(rng, |rng| decimal(rng, 1_000.0)),
            rtt_avg_ms: None,
            rtt_max_ms: None,
            sent_count: 3,
            received_count: rng.random_range(0..4),
            packet_loss_percent: None,
        };
        Self {
            id: TracerouteId(uuid(rng)),
            agent_id,
            timestamp,
            target: ["example.com", "192.0.2.9"][rng.random_range(0..2)].to_owned(),
            target_ip: Some("192.0.2.9".to_owned()),
            ip_version: Some(4),
            protocol: TracerouteProtocol::ALL[rng.random_range(0..3)],
            status: TracerouteStatus::ALL[rng.random_range(0..3)],
            error: None,
            reached: rng.random_bool(0.5),
            rtt_ms: maybe(rng, |rng| decimal(rng, 1_000.0)),
            packet_loss_percent: None,
            path_changed: None,
            duration_ms: Some(7),
            hops: (1..=rng.random_range(0..4)).map(|ttl| hop(ttl, rng)).collect(),
        }
    }

    fn agent_id(&self) -> &AgentId {
        &self.agent_id
    }

    fn timestamp(&self) -> Timestamp {
        self.timestamp
    }

    fn id(&self) -> Uuid {
        self.id.0
    }

    async fn append(storage: &Arc<dyn Storage>, owner: &Account, rows: Vec<Self>) -> Result<Appended, StorageError> {
        storage.traceroute_append(&scope(owner), rows, NOVEMBER).await
    }

    /// Without `path_changed`, which has behaviours of its own.
    async fn page_in(
        storage: &Arc<dyn Storage>,
        owner: &Account,
        filter: &RecordFilter,
        (order, limit): (Order, u32),
        after: Option<&Self>,
    ) -> Page<Self> {
        let request = request(limit, after.map(position)).in_order(order);
        let page = storage.traceroute_page(&scope(owner), &filter.clone().into(), &request).await.expect("traceroutes");
        let more = more(&page);
        let rows = page.rows.into_iter().map(|row| Self { path_changed: None, ..row }).collect();
        Page { rows, total: page.total, more }
    }
}
