use std::collections::BTreeMap;
use std::sync::Arc;

use astranetmon_auth::{
    AgentToken, ApiKey, EnrolmentToken, ManageAccount, NewApiKey, NewEnrolment, NewSession, Operator, Password,
    PasswordHash, PermissionSet, Scope, SessionToken,
};
use astranetmon_domain::{
    Account, AccountName, AgentFacts, AgentId, ApiKeyId, EnrolmentTerms, Hop, MetricSample, Plan, Speedtest,
    SpeedtestId, SpeedtestStatus, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus, User,
    UserEmail, UserRole,
};
use astranetmon_storage::{EnrolRequest, Enrolled, NewAgent, NewUser, Storage};
use uuid::Uuid;

use super::{now, unforeseen};

const REASON: &str = "test";
/// Of every person that tests make.
pub(crate) const PASSWORD: &str = "correct otter kettle moon";

/// An API key and its id.
#[derive(Clone, Debug)]
pub(crate) struct Key {
    pub(crate) id: ApiKeyId,
    pub(crate) secret: String,
}

/// Makes accounts and keys in a database that no server has open yet, or that several processes may.
pub(crate) struct Office {
    pub(crate) storage: Arc<dyn Storage>,
}

impl Office {
    pub(crate) async fn account(&self, name: &str, plan: Plan) -> Account {
        let name: AccountName = name.parse().expect("a name");
        self.storage.account_create(&Operator::new(REASON), &name, plan, now()).await.expect("an account")
    }

    /// A person with the password [`PASSWORD`].
    pub(crate) async fn person(&self, account: &Account, email: &str, role: UserRole) -> User {
        let new = NewUser { email: email.parse().expect("an address"), role };
        let user = self.storage.user_create(&self.manage(account), &new, now()).await.expect("a user");
        let hash = Password::presented(PASSWORD.to_owned()).hash(&mut unforeseen()).expect("hashed");
        self.storage.user_set_password(&self.manage(account), user.id, &hash, now()).await.expect("set").expect("there")
    }

    /// A person who cannot sign in until [`Office::give_all_passwords`].
    pub(crate) async fn person_without_password(&self, account: &Account, email: &str) {
        let new = NewUser { email: email.parse().expect("an address"), role: UserRole::Viewer };
        self.storage.user_create(&self.manage(account), &new, now()).await.expect("a user");
    }

    /// [`PASSWORD`] for everybody in the account, hashed once.
    pub(crate) async fn give_all_passwords(&self, account: &Account) {
        let hash = Password::presented(PASSWORD.to_owned()).hash(&mut unforeseen()).expect("hashed");
        for user in self.storage.user_list(&self.manage(account).read_account()).await.expect("listed") {
            self.storage.user_set_password(&self.manage(account), user.id, &hash, now()).await.expect("set");
        }
    }

    /// The cookie of a session that the person began at that time.
    pub(crate) async fn session_since(&self, user: &User, began_at: Timestamp) -> String {
        let token = SessionToken::generate(&mut unforeseen());
        let new = NewSession { hash: token.hash(), user_id: user.id, address: None, user_agent: None };
        self.storage.session_create(&Operator::new(REASON), &new, began_at).await.expect("stored").expect("a session");
        format!("__Host-astra_session={}", token.reveal())
    }

    /// What is stored of a person's password.
    pub(crate) async fn password_hash(&self, email: &UserEmail) -> Option<PasswordHash> {
        let found = self.storage.user_find_to_sign_in(&Operator::new(REASON), email).await.expect("looked up");
        found.expect("a person").1
    }

    /// A key that may read everything.
    pub(crate) async fn key(&self, account: &Account) -> Key {
        self.key_with(account, PermissionSet::ALL, None).await
    }

    pub(crate) async fn key_with(
        &self,
        account: &Account,
        permissions: PermissionSet,
        expires_at: Option<Timestamp>,
    ) -> Key {
        let secret = ApiKey::generate(&mut unforeseen());
        let new =
            NewApiKey { hash: secret.hash(), hint: secret.hint(), name: "test".to_owned(), permissions, expires_at };
        let record = self.storage.api_key_create(&self.manage(account), &new, now()).await.expect("a key");
        Key { id: record.id, secret: secret.reveal().to_owned() }
    }

    /// Enrols an agent of this id; its token.
    pub(crate) async fn agent_token(&self, account: &Account, id: &str) -> String {
        let id = AgentId::parse(id).expect("an id");
        let secret = EnrolmentToken::generate(&mut unforeseen());
        let terms = EnrolmentTerms::new(id.as_str(), None, BTreeMap::new(), 1, now().plus_seconds(60), now());
        let new = NewEnrolment { hash: secret.hash(), hint: secret.hint(), terms: terms.expect("terms") };
        self.storage.enrolment_create(&self.manage(account), &new, now()).await.expect("an enrolment");
        let token = AgentToken::generate(&mut unforeseen());
        let request = EnrolRequest {
            facts: AgentFacts { hostname: id.to_string(), ..AgentFacts::default() },
            asked_id: Some(id),
            public_ip: None,
            token_hash: token.hash(),
            token_hint: token.hint(),
        };
        let enrolled = self.storage.agent_enroll(&secret.hash(), &request, now()).await.expect("an answer");
        assert!(matches!(enrolled, Enrolled::Agent { .. }), "{enrolled:?}");
        token.reveal().to_owned()
    }

    pub(crate) async fn revoke(&self, account: &Account, key: &Key) {
        let revoked = self.storage.api_key_revoke(&self.manage(account), key.id, now()).await.expect("revoked");
        assert!(revoked.is_some());
    }

    pub(crate) fn manage(&self, account: &Account) -> Scope<ManageAccount> {
        Scope::system(account.id, REASON)
    }

    /// Closes the database, so that a server may open it.
    pub(crate) async fn close(self) {
        self.storage.close().await;
    }
}

/// The id of a record: a UUIDv7 of this number.
pub(crate) fn record_id(number: u64) -> Uuid {
    Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_0000 | u128::from(number))
}

/// Gives the account these agents, each with a metric a minute back from `until`, and a tenth as many speed tests and
/// traceroutes (one at least). `canary` stands in every text that an agent may send. Records of an account are
/// numbered from `first_id` on.
pub(crate) async fn fleet(
    office: &Office,
    account: &Account,
    agents: &[&str],
    metrics: usize,
    until: Timestamp,
    canary: &str,
    first_id: u64,
) {
    let ingest = Scope::system(account.id, REASON);
    let storage = &office.storage;
    let text = |what: &str| Some(format!("{what}-{canary}"));
    let mut ids = first_id..;
    for agent in agents {
        let agent_id = AgentId::parse(agent).expect("an id");
        let facts = AgentFacts {
            hostname: format!("{agent}.{canary}"),
            agent_version: text("version"),
            os: text("os"),
            os_version: text("os-version"),
            kernel_version: text("kernel"),
            arch: text("arch"),
            cpu_model: text("cpu"),
            cpu_core_count: Some(4),
            memory_total_bytes: Some(1 << 33),
            boot_time: Some(until),
            ip_addresses: vec!["192.0.2.7".to_owned()],
            interval_seconds: Some(60),
        };
        let labels = BTreeMap::from([("site".to_owned(), canary.to_owned())]);
        let new = NewAgent { id: agent_id.clone(), facts, name: text("name"), public_ip: None, labels };
        storage.agent_upsert(&ingest, &new, until).await.expect("an agent");
        storage.agent_seen(&ingest, &agent_id, until).await.expect("seen");
        let ago = |minutes: usize| until.plus_seconds(-60 * i64::try_from(minutes).expect("few"));
        let samples = (0..metrics).map(|minutes| MetricSample {
            interval_seconds: Some(60),
            cpu_percent: Some(12.5),
            memory_used_bytes: Some(1 << 30),
            latency_ms: Some(3.25),
            ..MetricSample::new(agent_id.clone(), ago(minutes))
        });
        storage.metric_append(&ingest, samples.collect(), until).await.expect("metrics");
        let few = metrics.div_ceil(10);
        let speedtests =
            (0..few).map(|at| speedtest(&agent_id, record_id(ids.next().expect("endless")), ago(at), canary));
        storage.speedtest_append(&ingest, speedtests.collect(), until).await.expect("speed tests");
        let ids = ids.by_ref();
        let traceroutes =
            (0..few).map(|at| traceroute(&agent_id, record_id(ids.next().expect("endless")), ago(at), canary));
        storage.traceroute_append(&ingest, traceroutes.collect(), until).await.expect("traceroutes");
    }
}

fn speedtest(agent_id: &AgentId, id: Uuid, timestamp: Timestamp, canary: &str) -> Speedtest {
    let text = |what: &str| Some(format!("{what}-{canary}"));
    Speedtest {
        id: SpeedtestId(id),
        agent_id: agent_id.clone(),
        timestamp,
        status: SpeedtestStatus::Completed,
        error: text("error"),
        provider: text("provider"),
        download_mbps: Some(93.5),
        upload_mbps: Some(41.25),
        download_bytes: Some(1 << 27),
        upload_bytes: Some(1 << 26),
        ping_ms: Some(8.5),
        jitter_ms: Some(0.5),
        packet_loss_percent: Some(0.0),
        loaded_latency_ms: None,
        server_name: text("server"),
        server_host: text("host"),
        server_location: text("location"),
        isp: text("isp"),
        external_ip: text("ip"),
        interface_name: text("interface"),
        duration_ms: Some(12_000),
        result_url: text("url"),
    }
}

fn traceroute(agent_id: &AgentId, id: Uuid, timestamp: Timestamp, canary: &str) -> Traceroute {
    let text = |what: &str| Some(format!("{what}-{canary}"));
    let hop = Hop {
        ttl: 1,
        ip: Some("192.0.2.1".to_owned()),
        hostname: text("hop"),
        asn: Some(64_500),
        as_name: text("as"),
        rtt_min_ms: Some(1.0),
        rtt_avg_ms: Some(1.5),
        rtt_max_ms: Some(2.0),
        sent_count: 3,
        received_count: 3,
        packet_loss_percent: Some(0.0),
    };
    Traceroute {
        id: TracerouteId(id),
        agent_id: agent_id.clone(),
        timestamp,
        target: format!("target-{canary}"),
        target_ip: Some("192.0.2.1".to_owned()),
        ip_version: Some(4),
        protocol: TracerouteProtocol::Icmp,
        status: TracerouteStatus::Completed,
        error: text("error"),
        reached: true,
        rtt_ms: Some(1.5),
        packet_loss_percent: Some(0.0),
        path_changed: None,
        duration_ms: Some(900),
        hops: vec![hop],
    }
}
