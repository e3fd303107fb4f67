//! The API over somebody else's storage: here ordered maps in memory, as small as an honest one can be.
//! `cargo run --package astranetmon-http --example foreign_storage`
//!
//! What it keeps are agents, their records and keys. What it does not keep it says by markers, and the API answers 501.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use actix_web::{App, HttpServer, web};
use astranetmon_auth::{
    Access, AgentPrincipal, AgentTokenHash, AgentTokenLookup, ApiKey, ApiKeyRecord, Ingest, KeyHash, KeyLookup,
    KeyPrincipal, LookupError, Operator, OwnKey, PermissionSet, ReadAccount, ReadAgents, ReadMetrics, ReadSpeedtests,
    ReadTraceroutes, Scope, SeeChanges, SessionHash, SessionLookup, SessionRecord,
};
use astranetmon_domain::{
    AccountId, Agent, AgentId, ApiKeyId, Clock, MetricPosition, MetricSample, NULL, Order, PageRequest, Plan,
    QuotaWindowId, RecordFilter, RecordPosition, Speedtest, SpeedtestFilter, SpeedtestId, SystemClock, Timestamp,
    Traceroute, TracerouteFilter, TracerouteId, User,
};
use astranetmon_http::{ApiSettings, ApiState};
use astranetmon_ratelimit::{MemoryWindows, QuotaUnavailable, QuotaWindows, UsageCount, Window, WindowTake};
use astranetmon_storage::{
    AgentPage, AgentRepository, AggregatePage, AggregatePosition, AggregateQuery, Appended, BucketQuery,
    ChangeRepository, Maintenance, MetricBucket, MetricPage, MetricRepository, NewAgent, OnlyLists, RecordPage,
    SpeedtestRepository, StorageError, TracerouteRepository, UsageRepository, WithoutAdministration, WithoutAlerts,
    WithoutJobs,
};
use async_trait::async_trait;
use rand::rngs::{StdRng, SysRng};
use rand::{Rng, SeedableRng};
use uuid::Uuid;

type Result<T> = std::result::Result<T, StorageError>;

/// Rows by account and then in the order of their list.
type Rows<K, T> = BTreeMap<(AccountId, K), T>;
type RecordKey = (Reverse<Timestamp>, AgentId, Uuid);

#[derive(Default)]
struct Shelves {
    agents: Rows<(String, AgentId), Agent>,
    metrics: Rows<(Reverse<Timestamp>, AgentId), MetricSample>,
    speedtests: Rows<RecordKey, Speedtest>,
    traceroutes: Rows<RecordKey, Traceroute>,
    keys: HashMap<[u8; 32], KeyPrincipal>,
    usage: Vec<UsageCount>,
    /// Rises with every change, from a number of its own at each start: what callers hold from before is out of date.
    version: i64,
}

/// The storage.
pub(crate) struct Shelf {
    shelves: Mutex<Shelves>,
    windows: MemoryWindows,
    /// Signs cursors; several processes would have to share it.
    secret: [u8; 32],
}

impl WithoutAdministration for Shelf {}
impl WithoutAlerts for Shelf {}
impl WithoutJobs for Shelf {}
impl OnlyLists for Shelf {}

impl Shelf {
    pub(crate) fn new(random: &mut StdRng) -> Self {
        let mut secret = [0; 32];
        random.fill_bytes(&mut secret);
        let shelves = Shelves { version: i64::from(random.next_u32()) << 31, ..Shelves::default() };
        Self { shelves: Mutex::new(shelves), windows: MemoryWindows::default(), secret }
    }

    /// Keeps a key that has a plan window of its own.
    pub(crate) fn add_key(&self, key: &ApiKey, account_id: AccountId, plan: Plan, permissions: PermissionSet) {
        let keys = &mut self.shelves().keys;
        let number = i64::try_from(keys.len()).unwrap_or(i64::MAX);
        let record = ApiKeyRecord {
            id: ApiKeyId(number),
            account_id,
            window_id: QuotaWindowId(number),
            name: "example".to_owned(),
            hint: key.hint(),
            permissions,
            created_at: SystemClock.now(),
            expires_at: None,
            last_used_at: None,
            revoked_at: None,
        };
        keys.insert(*key.hash().as_bytes(), KeyPrincipal { key: record, plan });
    }

    fn shelves(&self) -> MutexGuard<'_, Shelves> {
        self.shelves.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The matching rows of an account behind `after`, how many match in all, and whether more remain.
fn page<K: Ord + Clone, T: Clone>(
    rows: &Rows<K, T>,
    account_id: AccountId,
    matches: impl Fn(&T) -> bool,
    (order, after, limit): (Order, Option<K>, Option<u32>),
) -> (Vec<T>, u64, bool) {
    let mut matching: Vec<(&K, &T)> = rows
        .iter()
        .filter(|((owner, _), row)| *owner == account_id && matches(row))
        .map(|((_, key), row)| (key, row))
        .collect();
    let total = matching.len() as u64;
    if order == Order::OldestFirst {
        matching.reverse();
    }
    if let Some(after) = after {
        matching.retain(|(key, _)| if order == Order::NewestFirst { **key > after } else { **key < after });
    }
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let more = matching.len() > limit;
    (matching.into_iter().take(limit).map(|(_, row)| row.clone()).collect(), total, more)
}

/// Adds what is not there; what was is named by its place.
fn append<K: Ord, T>(rows: &mut Rows<K, T>, account_id: AccountId, new: Vec<T>, key: impl Fn(&T) -> K) -> Appended {
    let mut appended = Appended::default();
    for (row, place) in new.into_iter().zip(0..) {
        if let std::collections::btree_map::Entry::Vacant(vacant) = rows.entry((account_id, key(&row))) {
            vacant.insert(row);
            appended.inserted += 1;
        } else {
            appended.known += 1;
            appended.known_rows.push(place);
        }
    }
    appended
}

impl Shelves {
    fn labels(&self, account_id: AccountId, id: &AgentId) -> BTreeMap<String, String> {
        let mut agents = self.agents.iter().filter(|((owner, _), agent)| *owner == account_id && agent.id == *id);
        agents.next().map(|(_, agent)| agent.labels.clone()).unwrap_or_default()
    }

    fn matches(&self, account_id: AccountId, filter: &RecordFilter, id: &AgentId, at: Timestamp) -> bool {
        filter.range.contains(at) && filter.agent.matches(id, &self.labels(account_id, id))
    }
}

fn find<K, T: Clone, A: Access>(rows: &Rows<K, T>, scope: &Scope<A>, is: impl Fn(&T) -> bool) -> Option<T> {
    let mut found = rows.iter().filter(|((owner, _), row)| *owner == scope.account_id() && is(row));
    found.next().map(|(_, row)| row.clone())
}

fn record_key(position: RecordPosition) -> RecordKey {
    (Reverse(position.timestamp), position.agent_id, position.id)
}

#[async_trait]
impl KeyLookup for Shelf {
    async fn api_key_find_by_hash(&self, hash: &KeyHash) -> std::result::Result<Option<KeyPrincipal>, LookupError> {
        Ok(self.shelves().keys.get(hash.as_bytes()).cloned())
    }
}

/// Nobody signs in.
#[async_trait]
impl SessionLookup for Shelf {
    async fn session_find_by_hash(
        &self,
        _: &SessionHash,
    ) -> std::result::Result<Option<(SessionRecord, User)>, LookupError> {
        Ok(None)
    }
}

/// No agent reports by itself: records are appended by the program.
#[async_trait]
impl AgentTokenLookup for Shelf {
    async fn agent_token_find(&self, _: &AgentTokenHash) -> std::result::Result<Option<AgentPrincipal>, LookupError> {
        Ok(None)
    }
}

#[async_trait]
impl QuotaWindows for Shelf {
    async fn window_take(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        limit: u32,
        now: Timestamp,
    ) -> std::result::Result<WindowTake, QuotaUnavailable> {
        self.windows.window_take(account_id, window_id, limit, now).await
    }

    async fn window_peek(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        now: Timestamp,
    ) -> std::result::Result<Option<Window>, QuotaUnavailable> {
        self.windows.window_peek(account_id, window_id, now).await
    }
}

#[async_trait]
impl UsageRepository for Shelf {
    async fn usage_add(&self, _: &Operator, counts: &[UsageCount]) -> Result<()> {
        let usage = &mut self.shelves().usage;
        for count in counts {
            match usage.iter_mut().find(|stored| (stored.key_id, stored.hour) == (count.key_id, count.hour)) {
                Some(stored) => {
                    stored.served += count.served;
                    stored.refused += count.refused;
                    stored.last_used_at = stored.last_used_at.max(count.last_used_at);
                }
                None => usage.push(*count),
            }
        }
        usage.sort_by_key(|count| (count.hour, count.key_id));
        Ok(())
    }

    async fn usage_by_hour(&self, _: &Scope<OwnKey>, key_id: ApiKeyId, since: Timestamp) -> Result<Vec<UsageCount>> {
        let of_key = |count: &&UsageCount| count.key_id == key_id && count.hour >= since.hour_start();
        Ok(self.shelves().usage.iter().filter(of_key).copied().collect())
    }

    async fn usage_of_account(&self, scope: &Scope<ReadAccount>, since: Timestamp) -> Result<Vec<UsageCount>> {
        let of_account =
            |count: &&UsageCount| count.account_id == scope.account_id() && count.hour >= since.hour_start();
        Ok(self.shelves().usage.iter().filter(of_account).copied().collect())
    }
}

/// One version for all accounts: a change of one makes the others ask once more than they need to.
#[async_trait]
impl ChangeRepository for Shelf {
    async fn data_version(&self, _: &Scope<SeeChanges>) -> Result<i64> {
        Ok(self.shelves().version)
    }
}

#[async_trait]
impl AgentRepository for Shelf {
    async fn agent_page(
        &self,
        scope: &Scope<ReadAgents>,
        after: Option<(&str, &AgentId)>,
        limit: Option<u32>,
    ) -> Result<AgentPage> {
        let after = after.map(|(hostname, id)| (hostname.to_owned(), id.clone()));
        let part = (Order::NewestFirst, after, limit);
        let (agents, total, more) = page(&self.shelves().agents, scope.account_id(), |_| true, part);
        Ok(AgentPage { agents: agents.into(), total, more })
    }

    async fn agent_find(&self, scope: &Scope<ReadAgents>, id: &AgentId) -> Result<Option<Agent>> {
        Ok(find(&self.shelves().agents, scope, |agent| agent.id == *id))
    }

    async fn agent_upsert(&self, scope: &Scope<Ingest>, agent: &NewAgent, now: Timestamp) -> Result<()> {
        let mut shelves = self.shelves();
        shelves.version += 1;
        let known = find(&shelves.agents, scope, |known| known.id == agent.id);
        let mut kept = known.clone().unwrap_or_else(|| Agent {
            id: agent.id.clone(),
            facts: agent.facts.clone(),
            name: agent.name.clone(),
            last_seen_at: None,
            created_at: now,
            disabled_at: None,
            public_ip: None,
            labels: agent.labels.clone(),
        });
        (kept.facts, kept.public_ip) = (agent.facts.clone(), agent.public_ip.clone());
        if let Some(known) = known {
            shelves.agents.remove(&(scope.account_id(), (known.facts.hostname, known.id)));
        }
        let key = (kept.facts.hostname.clone(), kept.id.clone());
        shelves.agents.insert((scope.account_id(), key), kept);
        Ok(())
    }

    async fn agent_seen(&self, scope: &Scope<Ingest>, id: &AgentId, seen_at: Timestamp) -> Result<()> {
        let mut shelves = self.shelves();
        shelves.version += 1;
        let mut agents = shelves.agents.iter_mut();
        if let Some((_, agent)) = agents.find(|((owner, _), agent)| *owner == scope.account_id() && agent.id == *id) {
            agent.last_seen_at = agent.last_seen_at.max(Some(seen_at));
        }
        Ok(())
    }
}

#[async_trait]
impl MetricRepository for Shelf {
    async fn metric_agents(&self, scope: &Scope<ReadMetrics>) -> Result<Arc<[Agent]>> {
        let everyone = (Order::NewestFirst, None, None);
        Ok(page(&self.shelves().agents, scope.account_id(), |_| true, everyone).0.into())
    }

    async fn metric_page(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        request: &PageRequest<MetricPosition, 10_000>,
    ) -> Result<MetricPage> {
        let (shelves, account_id) = (self.shelves(), scope.account_id());
        let after = request.after.clone().map(|after| (Reverse(after.timestamp), after.agent_id));
        let matches = |row: &MetricSample| shelves.matches(account_id, filter, &row.agent_id, row.timestamp);
        let part = (request.order, after, Some(request.limit.rows()));
        let (samples, total, more) = page(&shelves.metrics, account_id, matches, part);
        let mut page = MetricPage { total, more, ..MetricPage::default() };
        samples.iter().for_each(|sample| page.columns.push_sample(sample));
        Ok(page)
    }

    async fn metric_buckets(&self, _: &Scope<ReadMetrics>, _: &BucketQuery) -> Result<Vec<MetricBucket>> {
        Err(StorageError::Unsupported { what: "metrics put together" })
    }

    async fn metric_aggregates(
        &self,
        _: &Scope<ReadMetrics>,
        _: &AggregateQuery,
        _: &PageRequest<AggregatePosition, 10_000>,
    ) -> Result<AggregatePage> {
        Err(StorageError::Unsupported { what: "metrics put together" })
    }

    async fn metric_append(&self, scope: &Scope<Ingest>, samples: Vec<MetricSample>, _: Timestamp) -> Result<Appended> {
        let mut shelves = self.shelves();
        shelves.version += 1;
        let mut appended = Appended::default();
        for (sample, place) in samples.into_iter().zip(0..) {
            let key = (Reverse(sample.timestamp), sample.agent_id.clone());
            match shelves.metrics.entry((scope.account_id(), key)) {
                std::collections::btree_map::Entry::Vacant(vacant) => {
                    vacant.insert(sample);
                    appended.inserted += 1;
                }
                // A second sample fills what was unknown and overwrites nothing.
                std::collections::btree_map::Entry::Occupied(mut stored) => {
                    let (known, new) = (stored.get().fixed_values(), sample.fixed_values());
                    let filled =
                        std::array::from_fn(|field| if known[field] == NULL { new[field] } else { known[field] });
                    if filled == known {
                        appended.known += 1;
                        appended.known_rows.push(place);
                    } else {
                        stored.insert(MetricSample::from_fixed_values(sample.agent_id, sample.timestamp, &filled));
                        appended.filled += 1;
                    }
                }
            }
        }
        Ok(appended)
    }
}

#[async_trait]
impl SpeedtestRepository for Shelf {
    async fn speedtest_page(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &SpeedtestFilter,
        request: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Speedtest>> {
        let (shelves, account_id) = (self.shelves(), scope.account_id());
        let matches = |row: &Speedtest| {
            shelves.matches(account_id, &filter.records, &row.agent_id, row.timestamp) && filter.meets_conditions(row)
        };
        let part = (request.order, request.after.clone().map(record_key), Some(request.limit.rows()));
        let (rows, total, more) = page(&shelves.speedtests, account_id, matches, part);
        let next = rows.last().filter(|_| more).map(Speedtest::position);
        Ok(RecordPage { rows, total, next })
    }

    async fn speedtest_find(&self, scope: &Scope<ReadSpeedtests>, id: SpeedtestId) -> Result<Option<Speedtest>> {
        Ok(find(&self.shelves().speedtests, scope, |row| row.id == id))
    }

    async fn speedtest_append(&self, scope: &Scope<Ingest>, rows: Vec<Speedtest>, _: Timestamp) -> Result<Appended> {
        let mut shelves = self.shelves();
        shelves.version += 1;
        Ok(append(&mut shelves.speedtests, scope.account_id(), rows, |row| record_key(row.position())))
    }
}

#[async_trait]
impl TracerouteRepository for Shelf {
    async fn traceroute_page(
        &self,
        scope: &Scope<ReadTraceroutes>,
        filter: &TracerouteFilter,
        request: &PageRequest<RecordPosition, 1_000>,
    ) -> Result<RecordPage<Traceroute>> {
        let (shelves, account_id) = (self.shelves(), scope.account_id());
        let matches = |row: &Traceroute| {
            shelves.matches(account_id, &filter.records, &row.agent_id, row.timestamp) && filter.meets_conditions(row)
        };
        let part = (request.order, request.after.clone().map(record_key), Some(request.limit.rows()));
        let (rows, total, more) = page(&shelves.traceroutes, account_id, matches, part);
        let next = rows.last().filter(|_| more).map(Traceroute::position);
        Ok(RecordPage { rows, total, next })
    }

    async fn traceroute_find(&self, scope: &Scope<ReadTraceroutes>, id: TracerouteId) -> Result<Option<Traceroute>> {
        Ok(find(&self.shelves().traceroutes, scope, |row| row.id == id))
    }

    async fn traceroute_append(&self, scope: &Scope<Ingest>, rows: Vec<Traceroute>, _: Timestamp) -> Result<Appended> {
        let mut shelves = self.shelves();
        shelves.version += 1;
        let appended = append(&mut shelves.traceroutes, scope.account_id(), rows, |row| record_key(row.position()));
        // Oldest first, each against the one before of the same agent, target and protocol.
        let mut paths = HashMap::new();
        for ((owner, _), row) in shelves.traceroutes.iter_mut().rev() {
            let path = row.path_hash();
            let way = (*owner, row.agent_id.clone(), row.target.clone(), row.protocol.as_str());
            row.path_changed = paths.insert(way, path.clone()).map(|before| before != path);
        }
        Ok(appended)
    }
}

#[async_trait]
impl Maintenance for Shelf {
    async fn ping(&self) -> Result<()> {
        Ok(())
    }

    async fn shared_secret(&self, _: &Operator, _: &str) -> Result<[u8; 32]> {
        Ok(self.secret)
    }

    async fn close(&self) {}

    fn kind(&self) -> &'static str {
        "memory"
    }
}

#[actix_web::main]
async fn main() -> std::result::Result<(), Box<dyn Error>> {
    let mut random = StdRng::try_from_rng(&mut SysRng)?;
    let (shelf, account_id) = (Arc::new(Shelf::new(&mut random)), AccountId(7));
    let key = ApiKey::generate(&mut random);
    shelf.add_key(&key, account_id, Plan::Starter, PermissionSet::ALL);
    let mut sample = MetricSample::new(AgentId::parse("web-1")?, SystemClock.now().to_millis_precision());
    sample.cpu_percent = Some(12.5);
    shelf.metric_append(&Scope::system(account_id, "example"), vec![sample], SystemClock.now()).await?;
    let state = web::Data::new(ApiState::new(shelf, Arc::new(SystemClock), ApiSettings::default()).await?);
    let server = HttpServer::new(move || App::new().service(astranetmon_http::api(state.clone())));
    let server = server.bind(("127.0.0.1", 0))?;
    for address in server.addrs() {
        println!("curl -H 'Authorization: Bearer {}' http://{address}/api/v1/metrics", key.reveal());
    }
    Ok(server.run().await?)
}
