use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use astranetmon_auth::{
    Access, AgentPrincipal, ApiKey, ApiKeyRecord, Ingest, KeyHash, KeyLookup, KeyPrincipal, LookupError, ManageAccount,
    NewApiKey, NewSession, Operator, OwnKey, OwnUser, PasswordHash, PermissionSet, ReadAccount, ReadAgents,
    ReadMetrics, ReadSpeedtests, ReadTraceroutes, Scope, SeeChanges, SessionHash, SessionLookup, SessionRecord,
    SetupHash,
};
use astranetmon_domain::{
    Account, AccountId, AccountName, Agent, AgentId, ApiKeyId, Heartbeat, Limit, MetricColumns, MetricField,
    MetricPosition, MetricSample, NULL, Order, PageRequest, Plan, QuotaWindowId, RecordFilter, RecordPosition,
    Retention, SessionId, Speedtest, SpeedtestFilter, SpeedtestId, Timestamp, Traceroute, TracerouteFilter,
    TracerouteId, User, UserEmail, UserId, UserRole,
};
use astranetmon_ratelimit::{MemoryWindows, QuotaUnavailable, QuotaWindows, UsageCount, Window, WindowTake};
use astranetmon_storage::{
    AccountRepository, AgentPage, AgentRepository, AggregateColumn, AggregatePage, AggregatePosition, AggregateQuery,
    AggregateRow, ApiKeyRepository, Appended, ArrivalPosition, ArrivalRepository, Arrivals, AuditEntry, AuditPage,
    AuditPosition, AuditRepository, BucketQuery, BucketValue, ChangeRepository, FirstOwner, FleetRepository, FleetRow,
    Grouping, IngestRetention, LatestRepository, Maintenance, MetricBucket, MetricPage, MetricRepository, NewAgent,
    NewUser, RecordPage, RetentionRepository, RetentionSetting, RouteChange, SessionRepository, Setup, SetupRepository,
    SpeedtestRepository, StorageError, TracerouteRepository, UsageRepository, UserRepository, WithoutAlerts,
    WithoutJobs,
};
use async_trait::async_trait;
use uuid::Uuid;

type Result<T> = std::result::Result<T, StorageError>;

/// A storage of plain lists, with the order, filters and paging of the real ones. Administration is not in it.
#[derive(Default)]
pub(crate) struct FakeStorage {
    keys: Mutex<HashMap<[u8; 32], KeyPrincipal>>,
    windows: MemoryWindows,
    pub(crate) usage: Mutex<Vec<UsageCount>>,
    pub(crate) agents: Mutex<Vec<(AccountId, Agent)>>,
    metrics: Mutex<Vec<(AccountId, MetricSample)>>,
    speedtests: Mutex<Vec<(AccountId, Speedtest)>>,
    traceroutes: Mutex<Vec<(AccountId, Traceroute)>>,
    pub(crate) audit: Mutex<Vec<(AccountId, AuditEntry)>>,
    pub(super) agent_tokens: Mutex<HashMap<[u8; 32], AgentPrincipal>>,
    pub(super) heartbeats: Mutex<Vec<(AccountId, Heartbeat)>>,
    /// Rises with what is appended.
    pub(crate) version: AtomicI64,
    /// Pages and records that were read so far.
    pub(crate) reads: AtomicUsize,
    /// Key look-ups so far.
    pub(crate) lookups: AtomicUsize,
    /// Pings so far.
    pub(crate) pings: AtomicUsize,
    /// Every call fails.
    pub(crate) away: AtomicBool,
    /// Neither a ping nor the look-up of a key that does not exist ever comes back.
    pub(crate) frozen: AtomicBool,
}

/// How a key ends.
#[derive(Clone, Copy, Default)]
pub(crate) struct Ends {
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) revoked_at: Option<Timestamp>,
}

/// The rows of an account behind a place in the order of `key`, how many there are, and whether more remain.
fn page<T: Clone, K: Ord>(
    rows: &Mutex<Vec<(AccountId, T)>>,
    account_id: AccountId,
    matches: impl Fn(&T) -> bool,
    key: impl Fn(&T) -> K,
    after: Option<K>,
    (order, limit): (Order, Option<u32>),
) -> (Vec<T>, u64, bool) {
    let rows = rows.lock().expect("not poisoned");
    let mut rows: Vec<T> =
        rows.iter().filter(|(owner, row)| *owner == account_id && matches(row)).map(|(_, row)| row.clone()).collect();
    let total = rows.len() as u64;
    rows.sort_by_key(&key);
    if order == Order::OldestFirst {
        rows.reverse();
    }
    if let Some(after) = after {
        let at_or_before = rows.iter().position(|row| key(row) == after).map_or(rows.len(), |place| place + 1);
        rows.drain(..at_or_before);
    }
    let limit = limit.map_or(usize::MAX, |limit| limit as usize);
    let more = rows.len() > limit;
    rows.truncate(limit);
    (rows, total, more)
}

fn filtered(filter: &RecordFilter, agent_id: &AgentId, timestamp: Timestamp) -> bool {
    filter.agent.matches(agent_id, &BTreeMap::new()) && filter.range.contains(timestamp)
}

type RecordKey = (std::cmp::Reverse<Timestamp>, AgentId, Uuid);

fn record_key(position: &RecordPosition) -> RecordKey {
    (std::cmp::Reverse(position.timestamp), position.agent_id.clone(), position.id)
}

impl FakeStorage {
    /// Keeps a key of account 7 that has a plan window of its own.
    pub(crate) fn add_key(&self, key: &ApiKey, plan: Plan, permissions: PermissionSet, ends: Ends) {
        let mut keys = self.keys.lock().expect("not poisoned");
        let id = i64::try_from(keys.len()).expect("few keys") + 1;
        let record = ApiKeyRecord {
            id: ApiKeyId(id),
            account_id: AccountId(7),
            window_id: QuotaWindowId(id),
            name: "test".to_owned(),
            hint: key.hint(),
            permissions,
            created_at: Timestamp::from_seconds(0),
            expires_at: ends.expires_at,
            last_used_at: None,
            revoked_at: ends.revoked_at,
        };
        keys.insert(*key.hash().as_bytes(), KeyPrincipal { key: record, plan });
    }

    pub(super) fn ready(&self) -> Result<()> {
        let away = self.away.load(Ordering::SeqCst);
        if away { Err(StorageError::Unavailable { context: "a secret host name", source: None }) } else { Ok(()) }
    }

    fn find<T: Clone, A: Access>(
        &self,
        rows: &Mutex<Vec<(AccountId, T)>>,
        scope: &Scope<A>,
        is: impl Fn(&T) -> bool,
    ) -> Result<Option<T>> {
        self.ready()?;
        self.reads.fetch_add(1, Ordering::SeqCst);
        let rows = rows.lock().expect("not poisoned");
        Ok(rows.iter().find(|(owner, row)| *owner == scope.account_id() && is(row)).map(|(_, row)| row.clone()))
    }

    fn append<T>(&self, rows: &Mutex<Vec<(AccountId, T)>>, account_id: AccountId, new: Vec<T>) -> Appended {
        let inserted = new.len() as u64;
        self.version.fetch_add(1, Ordering::SeqCst);
        rows.lock().expect("not poisoned").extend(new.into_iter().map(|row| (account_id, row)));
        Appended { inserted, ..Appended::default() }
    }
}

pub(super) fn absent<T>() -> Result<T> {
    Err(StorageError::Internal { context: "not in the fake", source: None })
}

#[async_trait]
impl KeyLookup for FakeStorage {
    async fn api_key_find_by_hash(&self, hash: &KeyHash) -> std::result::Result<Option<KeyPrincipal>, LookupError> {
        self.lookups.fetch_add(1, Ordering::SeqCst);
        self.ready().map_err(|error| LookupError(Box::new(error)))?;
        let found = self.keys.lock().expect("not poisoned").get(hash.as_bytes()).cloned();
        if found.is_none() && self.frozen.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        Ok(found)
    }
}

#[async_trait]
impl QuotaWindows for FakeStorage {
    async fn window_take(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        limit: u32,
        now: Timestamp,
    ) -> std::result::Result<WindowTake, QuotaUnavailable> {
        self.ready().map_err(|error| QuotaUnavailable(Box::new(error)))?;
        self.windows.window_take(account_id, window_id, limit, now).await
    }

    async fn window_peek(
        &self,
        account_id: AccountId,
        window_id: QuotaWindowId,
        now: Timestamp,
    ) -> std::result::Result<Option<Window>, QuotaUnavailable> {
        self.ready().map_err(|error| QuotaUnavailable(Box::new(error)))?;
        self.windows.window_peek(account_id, window_id, now).await
    }
}

#[async_trait]
impl UsageRepository for FakeStorage {
    async fn usage_add(&self, _: &Operator, counts: &[UsageCount]) -> Result<()> {
        self.ready()?;
        self.usage.lock().expect("not poisoned").extend(counts);
        Ok(())
    }

    async fn usage_by_hour(&self, _: &Scope<OwnKey>, key_id: ApiKeyId, since: Timestamp) -> Result<Vec<UsageCount>> {
        self.ready()?;
        let usage = self.usage.lock().expect("not poisoned");
        Ok(usage.iter().filter(|count| count.key_id == key_id && count.hour >= since.hour_start()).copied().collect())
    }

    async fn usage_of_account(&self, scope: &Scope<ReadAccount>, since: Timestamp) -> Result<Vec<UsageCount>> {
        self.ready()?;
        let usage = self.usage.lock().expect("not poisoned");
        let matches = |count: &&UsageCount| count.account_id == scope.account_id() && count.hour >= since.hour_start();
        let mut counts: Vec<UsageCount> = usage.iter().filter(matches).copied().collect();
        counts.sort_by_key(|count| (count.hour, count.key_id.0));
        Ok(counts)
    }
}

#[async_trait]
impl ChangeRepository for FakeStorage {
    async fn data_version(&self, _: &Scope<SeeChanges>) -> Result<i64> {
        self.ready()?;
        Ok(self.version.load(Ordering::SeqCst))
    }
}

#[async_trait]
impl AgentRepository for FakeStorage {
    async fn agent_page(
        &self,
        scope: &Scope<ReadAgents>,
        after: Option<(&str, &AgentId)>,
        limit: Option<u32>,
    ) -> Result<AgentPage> {
        self.ready()?;
        self.reads.fetch_add(1, Ordering::SeqCst);
        let after = after.map(|(hostname, id)| (hostname.to_owned(), id.clone()));
        let key = |agent: &Agent| (agent.facts.hostname.clone(), agent.id.clone());
        let (agents, total, more) =
            page(&self.agents, scope.account_id(), |_| true, key, after, (Order::NewestFirst, limit));
        Ok(AgentPage { agents: agents.into(), total, more })
    }

    async fn agent_find(&self, scope: &Scope<ReadAgents>, id: &AgentId) -> Result<Option<Agent>> {
        self.find(&self.agents, scope, |agent| agent.id == *id)
    }

    async fn agent_upsert(&self, scope: &Scope<Ingest>, agent: &NewAgent, now: Timestamp) -> Result<()> {
        let agent = Agent {
            id: agent.id.clone(),
            facts: agent.facts.clone(),
            name: agent.name.clone(),
            last_seen_at: None,
            created_at: now,
            disabled_at: None,
            public_ip: agent.public_ip.clone(),
            labels: agent.labels.clone(),
        };
        self.append(&self.agents, scope.account_id(), vec![agent]);
        Ok(())
    }

    async fn agent_seen(&self, _: &Scope<Ingest>, _: &AgentId, _: Timestamp) -> Result<()> {
        absent()
    }
}

#[async_trait]
impl MetricRepository for FakeStorage {
    async fn metric_agents(&self, scope: &Scope<ReadMetrics>) -> Result<Arc<[Agent]>> {
        self.ready()?;
        let key = |agent: &Agent| (agent.facts.hostname.clone(), agent.id.clone());
        let (agents, ..) = page(&self.agents, scope.account_id(), |_| true, key, None, (Order::NewestFirst, None));
        Ok(agents.into())
    }

    async fn metric_page(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        request: &PageRequest<MetricPosition, 10_000>,
    ) -> Result<MetricPage> {
        self.ready()?;
        self.reads.fetch_add(1, Ordering::SeqCst);
        let key = |sample: &MetricSample| (std::cmp::Reverse(sample.timestamp), sample.agent_id.clone());
        let after = request.after.clone().map(|after| (std::cmp::Reverse(after.timestamp), after.agent_id));
        let matches = |sample: &MetricSample| filtered(filter, &sample.agent_id, sample.timestamp);
        let part = (request.order, Some(request.limit.rows()));
        let (samples, total, more) = page(&self.metrics, scope.account_id(), matches, key, after, part);
        let mut page = MetricPage { total, more, ..MetricPage::default() };
        samples.iter().for_each(|sample| page.columns.push_sample(sample));
        Ok(page)
    }

    async fn metric_buckets(&self, scope: &Scope<ReadMetrics>, query: &BucketQuery) -> Result<Vec<MetricBucket>> {
        self.ready()?;
        let width = i64::from(query.bucket_seconds().get()) * 1_000_000;
        let mut buckets: BTreeMap<i64, Vec<MetricSample>> = BTreeMap::new();
        for (owner, sample) in self.metrics.lock().expect("not poisoned").iter() {
            let inside = sample.agent_id == *query.agent_id() && query.range().contains(sample.timestamp);
            if *owner == scope.account_id() && inside {
                let start = sample.timestamp.as_micros().div_euclid(width) * width;
                buckets.entry(start).or_default().push(sample.clone());
            }
        }
        let value = |samples: &[MetricSample], field: &MetricField| {
            let values = samples.iter().filter_map(|sample| field.in_unit(sample.fixed_values()[field.index()]));
            let values: Vec<f64> = values.collect();
            let (min, max) = (values.iter().copied().reduce(f64::min)?, values.iter().copied().reduce(f64::max)?);
            Some(BucketValue { avg: values.iter().sum::<f64>() / values.len() as f64, min, max })
        };
        let bucket = |(start, samples): (i64, Vec<MetricSample>)| MetricBucket {
            start: Timestamp::from_micros(start),
            sample_count: u32::try_from(samples.len()).expect("few samples"),
            values: query.fields().iter().map(|field| value(&samples, field)).collect(),
        };
        Ok(buckets.into_iter().map(bucket).collect())
    }

    /// Counts samples by agent, and of columns knows averages.
    async fn metric_aggregates(
        &self,
        scope: &Scope<ReadMetrics>,
        query: &AggregateQuery,
        request: &PageRequest<AggregatePosition, 10_000>,
    ) -> Result<AggregatePage> {
        self.ready()?;
        self.reads.fetch_add(1, Ordering::SeqCst);
        let width = i64::from(query.interval_seconds().get()) * 1_000_000;
        let mut cells: BTreeMap<AggregatePosition, Vec<MetricSample>> = BTreeMap::new();
        for (owner, sample) in self.metrics.lock().expect("not poisoned").iter() {
            if *owner == scope.account_id() && filtered(&query.records(), &sample.agent_id, sample.timestamp) {
                let start = Timestamp::from_micros(sample.timestamp.as_micros().div_euclid(width) * width);
                let by_agent = *query.grouping() == Grouping::Agent;
                let group = by_agent.then(|| sample.agent_id.as_str().into());
                cells.entry(AggregatePosition { start, group }).or_default().push(sample.clone());
            }
        }
        let total = cells.len() as u64;
        let mut cells: Vec<_> = cells.into_iter().collect();
        if request.order == Order::OldestFirst {
            cells.reverse();
        }
        let passed = request.after.as_ref().and_then(|after| cells.iter().position(|(position, _)| position == after));
        let rows = cells.into_iter().skip(passed.map_or(0, |place| place + 1));
        let row = |(position, samples): (AggregatePosition, Vec<MetricSample>)| {
            let value = |column: &AggregateColumn| {
                let values = samples.iter().map(|sample| sample.fixed_values()[column.field.index()]);
                let known: Vec<i128> = values.filter(|value| *value != NULL).map(i128::from).collect();
                (!known.is_empty()).then(|| known.iter().sum::<i128>() / known.len() as i128)
            };
            let values = query.columns().iter().map(value).collect();
            AggregateRow { position, sample_count: samples.len() as u64, values }
        };
        let mut rows: Vec<AggregateRow> = rows.map(row).collect();
        let more = rows.len() > request.limit.rows() as usize;
        rows.truncate(request.limit.rows() as usize);
        Ok(AggregatePage { rows, total, more })
    }

    async fn metric_append(&self, scope: &Scope<Ingest>, samples: Vec<MetricSample>, _: Timestamp) -> Result<Appended> {
        Ok(self.append(&self.metrics, scope.account_id(), samples))
    }
}

macro_rules! test_repository {
    ($repository:ident, $record:ident, $filter:ident, $id:ident, $read:ident, $rows:ident, $page:ident, $find:ident,
     $append:ident) => {
        #[async_trait]
        impl $repository for FakeStorage {
            async fn $page(
                &self,
                scope: &Scope<$read>,
                filter: &$filter,
                request: &PageRequest<RecordPosition, 1_000>,
            ) -> Result<RecordPage<$record>> {
                self.ready()?;
                self.reads.fetch_add(1, Ordering::SeqCst);
                let key = |row: &$record| (std::cmp::Reverse(row.timestamp), row.agent_id.clone(), row.id.0);
                let matches = |row: &$record| {
                    filtered(&filter.records, &row.agent_id, row.timestamp) && filter.meets_conditions(row)
                };
                let after = request.after.as_ref().map(record_key);
                let part = (request.order, Some(request.limit.rows()));
                let (rows, total, more) = page(&self.$rows, scope.account_id(), matches, key, after, part);
                let next = rows.last().filter(|_| more).map($record::position);
                Ok(RecordPage { rows, total, next })
            }

            async fn $find(&self, scope: &Scope<$read>, id: $id) -> Result<Option<$record>> {
                self.find(&self.$rows, scope, |row| row.id == id)
            }

            async fn $append(&self, scope: &Scope<Ingest>, rows: Vec<$record>, _: Timestamp) -> Result<Appended> {
                Ok(self.append(&self.$rows, scope.account_id(), rows))
            }
        }
    };
}

test_repository!(
    SpeedtestRepository,
    Speedtest,
    SpeedtestFilter,
    SpeedtestId,
    ReadSpeedtests,
    speedtests,
    speedtest_page,
    speedtest_find,
    speedtest_append
);
test_repository!(
    TracerouteRepository,
    Traceroute,
    TracerouteFilter,
    TracerouteId,
    ReadTraceroutes,
    traceroutes,
    traceroute_page,
    traceroute_find,
    traceroute_append
);

#[async_trait]
impl FleetRepository for FakeStorage {
    async fn fleet(
        &self,
        agents: &Scope<ReadAgents>,
        _: &Scope<ReadMetrics>,
        _: &Scope<ReadSpeedtests>,
        _: &Scope<ReadTraceroutes>,
    ) -> Result<Vec<FleetRow>> {
        fn newest<T: Clone>(
            rows: &Mutex<Vec<(AccountId, T)>>,
            account_id: AccountId,
            matches: impl Fn(&T) -> bool,
            timestamp: impl Fn(&T) -> Timestamp,
        ) -> Option<T> {
            page(
                rows,
                account_id,
                matches,
                |row| std::cmp::Reverse(timestamp(row)),
                None,
                (Order::NewestFirst, Some(1)),
            )
            .0
            .pop()
        }
        let account_id = agents.account_id();
        let agents = self.agent_page(agents, None, None).await?.agents;
        let row = |agent: &Agent| {
            let changed = |trace: &Traceroute| trace.agent_id == agent.id && trace.path_changed == Some(true);
            FleetRow {
                agent: agent.clone(),
                metric: newest(&self.metrics, account_id, |row| row.agent_id == agent.id, |row| row.timestamp),
                speedtest: newest(&self.speedtests, account_id, |row| row.agent_id == agent.id, |row| row.timestamp),
                route_change: newest(&self.traceroutes, account_id, changed, |row| row.timestamp)
                    .map(|trace| RouteChange { at: trace.timestamp, target: trace.target }),
            }
        };
        Ok(agents.iter().map(row).collect())
    }
}

macro_rules! latest {
    ($rows:expr, $scope:ident) => {{
        let rows = $rows.lock().expect("not poisoned");
        let mut latest = BTreeMap::new();
        for (_, row) in rows.iter().filter(|(owner, _)| *owner == $scope.account_id()) {
            let newest = latest.entry(row.agent_id.clone()).or_insert_with(|| row.clone());
            if row.timestamp > newest.timestamp {
                *newest = row.clone();
            }
        }
        latest.into_values().collect()
    }};
}

/// In the order of the lists of the fake, which is that of their arrival.
fn arrivals<T: Clone>(
    rows: &Mutex<Vec<(AccountId, T)>>,
    account_id: AccountId,
    matches: impl Fn(&T) -> bool,
    after: ArrivalPosition,
    limit: u32,
) -> Arrivals<Vec<T>> {
    let rows = rows.lock().expect("not poisoned");
    let placed = rows.iter().zip(1..).filter(|((owner, row), _)| *owner == account_id && matches(row));
    let mut placed: Vec<(T, i64)> = placed.map(|((_, row), place)| (row.clone(), place)).collect();
    placed.retain(|(_, place)| *place > after.0);
    let more = placed.len() > limit as usize;
    placed.truncate(limit as usize);
    let last = i64::try_from(rows.len()).expect("few rows");
    let until = placed.last().filter(|_| more).map_or(last, |(_, place)| *place);
    let positions = placed.iter().map(|(_, place)| ArrivalPosition(*place)).collect();
    Arrivals { rows: placed.into_iter().map(|(row, _)| row).collect(), positions, until: ArrivalPosition(until), more }
}

#[async_trait]
impl ArrivalRepository for FakeStorage {
    async fn metric_arrivals(
        &self,
        scope: &Scope<ReadMetrics>,
        filter: &RecordFilter,
        after: ArrivalPosition,
        limit: Limit<10_000>,
    ) -> Result<Arrivals<MetricColumns>> {
        self.ready()?;
        let matches = |row: &MetricSample| filtered(filter, &row.agent_id, row.timestamp);
        let found = arrivals(&self.metrics, scope.account_id(), matches, after, limit.rows());
        let mut rows = MetricColumns::default();
        found.rows.iter().for_each(|sample| rows.push_sample(sample));
        Ok(Arrivals { rows, positions: found.positions, until: found.until, more: found.more })
    }

    async fn speedtest_arrivals(
        &self,
        scope: &Scope<ReadSpeedtests>,
        filter: &SpeedtestFilter,
        after: ArrivalPosition,
        limit: Limit<1_000>,
    ) -> Result<Arrivals<Vec<Speedtest>>> {
        self.ready()?;
        let matches = |row: &Speedtest| filtered(&filter.records, &row.agent_id, row.timestamp);
        Ok(arrivals(&self.speedtests, scope.account_id(), matches, after, limit.rows()))
    }

    async fn traceroute_arrivals(
        &self,
        scope: &Scope<ReadTraceroutes>,
        filter: &TracerouteFilter,
        after: ArrivalPosition,
        limit: Limit<1_000>,
    ) -> Result<Arrivals<Vec<Traceroute>>> {
        self.ready()?;
        let matches = |row: &Traceroute| filtered(&filter.records, &row.agent_id, row.timestamp);
        Ok(arrivals(&self.traceroutes, scope.account_id(), matches, after, limit.rows()))
    }
}

#[async_trait]
impl LatestRepository for FakeStorage {
    async fn metric_latest(&self, scope: &Scope<ReadMetrics>) -> Result<Vec<MetricSample>> {
        self.ready()?;
        Ok(latest!(self.metrics, scope))
    }

    async fn speedtest_latest(&self, scope: &Scope<ReadSpeedtests>) -> Result<Vec<Speedtest>> {
        self.ready()?;
        Ok(latest!(self.speedtests, scope))
    }

    async fn traceroute_latest(&self, scope: &Scope<ReadTraceroutes>) -> Result<Vec<Traceroute>> {
        self.ready()?;
        Ok(latest!(self.traceroutes, scope))
    }
}

#[async_trait]
impl AccountRepository for FakeStorage {
    async fn account_create(&self, _: &Operator, _: &AccountName, _: Plan, _: Timestamp) -> Result<Account> {
        absent()
    }
    async fn account_list(&self, _: &Operator) -> Result<Vec<Account>> {
        absent()
    }
    async fn account_find_by_name(&self, _: &Operator, _: &AccountName) -> Result<Option<Account>> {
        absent()
    }
    async fn account_find(&self, _: &Operator, _: AccountId) -> Result<Option<Account>> {
        absent()
    }
    async fn account_set_plan(&self, _: &Scope<ManageAccount>, _: Plan, _: Timestamp) -> Result<Option<Account>> {
        absent()
    }
}

#[async_trait]
impl UserRepository for FakeStorage {
    async fn user_create(&self, _: &Scope<ManageAccount>, _: &NewUser, _: Timestamp) -> Result<User> {
        absent()
    }
    async fn user_list(&self, _: &Scope<ReadAccount>) -> Result<Vec<User>> {
        absent()
    }
    async fn user_find_by_email(&self, _: &Operator, _: &UserEmail) -> Result<Option<User>> {
        absent()
    }
    async fn user_find_to_sign_in(&self, _: &Operator, _: &UserEmail) -> Result<Option<(User, Option<PasswordHash>)>> {
        absent()
    }
    async fn user_set_password(
        &self,
        _: &Scope<ManageAccount>,
        _: UserId,
        _: &PasswordHash,
        _: Timestamp,
    ) -> Result<Option<User>> {
        absent()
    }
    async fn user_change_password(
        &self,
        _: &Scope<OwnUser>,
        _: UserId,
        _: &PasswordHash,
        _: Timestamp,
    ) -> Result<Option<User>> {
        absent()
    }
    async fn user_set_disabled(
        &self,
        _: &Scope<ManageAccount>,
        _: UserId,
        _: bool,
        _: Timestamp,
    ) -> Result<Option<User>> {
        absent()
    }
    async fn user_set_role(
        &self,
        _: &Scope<ManageAccount>,
        _: UserId,
        _: UserRole,
        _: Timestamp,
    ) -> Result<Option<User>> {
        absent()
    }
}

#[async_trait]
impl SetupRepository for FakeStorage {
    async fn setup_is_open(&self, _: &Operator) -> Result<bool> {
        absent()
    }
    async fn setup_offer(&self, _: &Operator, _: &SetupHash, _: Timestamp) -> Result<bool> {
        absent()
    }
    async fn setup_complete(&self, _: &Operator, _: &SetupHash, _: &FirstOwner, _: Timestamp) -> Result<Setup> {
        absent()
    }
}

#[async_trait]
impl SessionRepository for FakeStorage {
    async fn session_create(&self, _: &Operator, _: &NewSession, _: Timestamp) -> Result<Option<SessionRecord>> {
        absent()
    }
    async fn session_list(&self, _: &Scope<OwnUser>, _: UserId, _: Timestamp) -> Result<Vec<SessionRecord>> {
        absent()
    }
    async fn session_end(&self, _: &Scope<OwnUser>, _: UserId, _: SessionId, _: Timestamp) -> Result<bool> {
        absent()
    }
    async fn session_seen(&self, _: &Operator, _: SessionId, _: Timestamp) -> Result<()> {
        absent()
    }
    async fn session_sweep(&self, _: &Operator, _: Timestamp) -> Result<u64> {
        Ok(0)
    }
}

#[async_trait]
impl SessionLookup for FakeStorage {
    async fn session_find_by_hash(
        &self,
        _: &SessionHash,
    ) -> std::result::Result<Option<(SessionRecord, User)>, LookupError> {
        Ok(None)
    }
}

#[async_trait]
impl ApiKeyRepository for FakeStorage {
    async fn api_key_create(&self, _: &Scope<ManageAccount>, _: &NewApiKey, _: Timestamp) -> Result<ApiKeyRecord> {
        absent()
    }
    async fn api_key_list(&self, _: &Scope<ReadAccount>) -> Result<Vec<ApiKeyRecord>> {
        absent()
    }
    async fn api_key_roll(
        &self,
        _: &Scope<ManageAccount>,
        _: ApiKeyId,
        _: &NewApiKey,
        _: Timestamp,
        _: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        absent()
    }
    async fn api_key_revoke(
        &self,
        _: &Scope<ManageAccount>,
        _: ApiKeyId,
        _: Timestamp,
    ) -> Result<Option<ApiKeyRecord>> {
        absent()
    }
}

#[async_trait]
impl AuditRepository for FakeStorage {
    async fn audit_page(
        &self,
        scope: &Scope<ReadAccount>,
        after: Option<AuditPosition>,
        limit: u32,
    ) -> Result<AuditPage> {
        self.ready()?;
        let audit = self.audit.lock().expect("not poisoned");
        let entries = audit.iter().filter(|(owner, _)| *owner == scope.account_id()).map(|(_, entry)| entry);
        let mut entries: Vec<_> = (0..).zip(entries.cloned()).collect();
        entries.sort_by_key(|(id, entry)| std::cmp::Reverse((entry.at, *id)));
        entries.retain(|(id, entry)| after.is_none_or(|after| (entry.at, *id) < (after.at, after.id)));
        let more = entries.len() > limit as usize;
        entries.truncate(limit as usize);
        let next = entries.last().filter(|_| more).map(|(id, entry)| AuditPosition { at: entry.at, id: *id });
        Ok(AuditPage { entries: entries.into_iter().map(|(_, entry)| entry).collect(), next })
    }

    async fn audit_append(&self, _: &Operator, account_id: AccountId, entry: &AuditEntry) -> Result<()> {
        self.ready()?;
        self.audit.lock().expect("not poisoned").push((account_id, entry.clone()));
        Ok(())
    }
}

#[async_trait]
impl Maintenance for FakeStorage {
    async fn ping(&self) -> Result<()> {
        self.pings.fetch_add(1, Ordering::SeqCst);
        if self.frozen.load(Ordering::SeqCst) {
            std::future::pending::<()>().await;
        }
        self.ready()
    }
    async fn shared_secret(&self, _: &Operator, _: &str) -> Result<[u8; 32]> {
        Ok([42; 32])
    }
    async fn close(&self) {}
    fn kind(&self) -> &'static str {
        "fake"
    }
}

#[async_trait]
impl RetentionRepository for FakeStorage {
    async fn retention_of(&self, _: &Scope<ReadAccount>) -> Result<RetentionSetting> {
        absent()
    }
    async fn retention_set(&self, _: &Scope<ManageAccount>, _: Option<Retention>, _: Timestamp) -> Result<()> {
        absent()
    }
    /// That of the smallest plan, of which nothing has been folded.
    async fn retention_for_ingest(&self, _: &Scope<Ingest>) -> Result<IngestRetention> {
        Ok(IngestRetention { retention: Retention::of_plan(Plan::Starter), folded_before: Timestamp::MIN })
    }
}

impl WithoutAlerts for FakeStorage {}
impl WithoutJobs for FakeStorage {}
