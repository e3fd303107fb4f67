//! Ingestion, the API beside it, and a database of its own.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::Arc;

use actix_web::http::StatusCode;
use actix_web::http::header::{self, HeaderMap};
use actix_web::test::{self, TestRequest};
use actix_web::{App, web};
use astranetmon_auth::{
    ApiKey, EnrolmentToken, ManageAccount, NewApiKey, NewEnrolment, Operator, PermissionSet, ReadMetrics, Scope,
};
use astranetmon_domain::{
    AccountId, AgentId, Clock, EnrolmentTerms, Limit, ManualClock, MetricSample, PageRequest, Plan, RecordFilter,
    Timestamp,
};
use astranetmon_storage::Storage;
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use flate2::Compression;
use flate2::write::GzEncoder;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::Value;

use crate::endpoints::openapi;
use crate::endpoints::schema_check;
use crate::{ApiSettings, ApiState, anything_else, api, ingest};

/// 2026-11-23T11:26:40Z
pub(super) const START: Timestamp = Timestamp::from_seconds(1_795_433_200);
const REASON: &str = "test";

pub(super) struct Service {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) clock: Arc<ManualClock>,
    pub(super) state: web::Data<ApiState>,
    document: Value,
    _folder: tempfile::TempDir,
}

/// What came back.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    /// The sentence of a failure.
    pub(super) fn error(&self) -> String {
        self.json()["error"].as_str().expect("a sentence").to_owned()
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("ASCII"))
    }
}

impl Service {
    pub(super) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(super) async fn with(set: impl FnOnce(&mut ApiSettings)) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let settings = SqliteSettings::new(folder.path().join("data.db"));
        SqliteStorage::migrate(&settings).expect("migrated");
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&settings).expect("opened"));
        let clock = Arc::new(ManualClock::new(START));
        let mut settings = ApiSettings::default();
        set(&mut settings);
        let state = ApiState::new(storage.clone(), clock.clone(), settings).await.expect("state");
        let document = serde_json::to_value(openapi()).expect("JSON");
        Self { storage, clock, state: web::Data::new(state), document, _folder: folder }
    }

    pub(super) async fn account(&self, name: &str) -> AccountId {
        let name = name.parse().expect("a name");
        let account = self.storage.account_create(&Operator::new(REASON), &name, Plan::Starter, START).await;
        account.expect("an account").id
    }

    /// An enrolment token of the account for one agent.
    pub(super) async fn enrolment(&self, account: AccountId, number: u64, of: Option<&str>) -> String {
        let token = EnrolmentToken::generate(&mut StdRng::seed_from_u64(number));
        let (now, agent) = (self.clock.now(), of.map(|id| AgentId::parse(id).expect("an id")));
        let terms = EnrolmentTerms::new("test", agent, BTreeMap::new(), 1, now.plus_seconds(3_600), now);
        let new = NewEnrolment { hash: token.hash(), hint: token.hint(), terms: terms.expect("terms") };
        self.storage.enrolment_create(&manage(account), &new, now).await.expect("made");
        token.reveal().to_owned()
    }

    /// An agent of the account; its token.
    pub(super) async fn agent(&self, account: AccountId, name: &str) -> String {
        let number = name.bytes().fold(account.0.unsigned_abs(), |sum, byte| sum * 31 + u64::from(byte));
        let token = self.enrolment(account, number, None).await;
        let body = serde_json::json!({ "token": token, "agent_id": name, "facts": { "hostname": name } });
        let answer = self.post("/ingest/v1/enroll", "", &[], body.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        answer.json()["agent_token"].as_str().expect("a token").to_owned()
    }

    /// A key that may read everything.
    pub(super) async fn key(&self, account: AccountId) -> String {
        let key = ApiKey::generate(&mut StdRng::seed_from_u64(account.0.unsigned_abs()));
        let new = NewApiKey {
            hash: key.hash(),
            hint: key.hint(),
            name: "test".to_owned(),
            permissions: PermissionSet::ALL,
            expires_at: None,
        };
        self.storage.api_key_create(&manage(account), &new, START).await.expect("a key");
        key.reveal().to_owned()
    }

    pub(super) async fn post(
        &self,
        path: &str,
        token: &str,
        headers: &[(&str, &str)],
        body: impl Into<web::Bytes>,
    ) -> Answer {
        let mut request = TestRequest::post().uri(path).set_payload(body);
        if !headers.iter().any(|(name, _)| *name == "content-type") {
            request = request.insert_header((header::CONTENT_TYPE, "application/json"));
        }
        for (name, value) in headers {
            request = request.insert_header((*name, *value));
        }
        self.call(request, "post", path, token).await
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> Answer {
        self.call(TestRequest::get().uri(path), "get", path, token).await
    }

    /// Every answer is one that the document names.
    pub(super) async fn call(&self, mut request: TestRequest, method: &str, path: &str, token: &str) -> Answer {
        if !token.is_empty() {
            let value = if token.contains(' ') { token.to_owned() } else { format!("Bearer {token}") };
            request = request.insert_header((header::AUTHORIZATION, value));
        }
        let app = App::new()
            .service(api(self.state.clone()))
            .service(ingest(self.state.clone()))
            .service(anything_else(self.state.clone()));
        let app = test::init_service(app).await;
        let response = test::call_service(&app, request.to_request()).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let answer = Answer { status, headers, body: test::read_body(response).await.to_vec() };
        self.check(&answer, method, path.split('?').next().expect("a path"));
        answer
    }

    fn check(&self, answer: &Answer, method: &str, path: &str) {
        let operation = &self.document["paths"][path][method];
        let documented = &operation["responses"][answer.status.as_str()];
        if operation.is_null() {
            assert!(matches!(answer.status.as_u16(), 401 | 404 | 405), "{method} {path}: {answer:?}");
            return;
        }
        assert!(!documented.is_null(), "{method} {path}: {} is not documented: {answer:?}", answer.status);
        let response = match documented["$ref"].as_str() {
            Some(reference) => self.document.pointer(reference.trim_start_matches('#')).expect("there"),
            None => documented,
        };
        if let Some(schema) = response.pointer("/content/application~1json/schema") {
            schema_check::check(&answer.json(), schema, &self.document).expect(path);
        }
        for name in response["headers"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()) {
            let optional = name.contains("Limit") || ["Link", "Sync-Cursor"].contains(&name);
            assert!(optional || answer.headers.contains_key(name), "{method} {path}: no {name}: {answer:?}");
        }
    }

    /// The stored metrics of the account, newest first.
    pub(super) async fn stored(&self, account: AccountId) -> Vec<MetricSample> {
        let scope = Scope::<ReadMetrics>::system(account, REASON);
        let page = PageRequest::new(Limit::LARGEST, None);
        let page = self.storage.metric_page(&scope, &RecordFilter::ALL, &page).await.expect("read");
        (0..page.columns.len()).map(|row| page.columns.sample(row)).collect()
    }
}

pub(super) fn manage(account: AccountId) -> Scope<ManageAccount> {
    Scope::system(account, REASON)
}

pub(super) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("in memory");
    encoder.finish().expect("in memory")
}

/// A body of metrics so many seconds before [`START`], with this use of the processor.
pub(super) fn metrics(ago: &[i64], cpu_percent: f64) -> String {
    let row = |ago: &i64| serde_json::json!({ "timestamp": START.plus_seconds(-ago).to_string(), "cpu_percent": cpu_percent });
    serde_json::json!({ "metrics": ago.iter().map(row).collect::<Vec<_>>() }).to_string()
}
