//! The dashboard and the API over a database in a folder of its own, with a clock that is moved.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::dev::Service;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{self, TestRequest};
use actix_web::{App, web};
use astranetmon_auth::{ManageAccount, Operator, Password, Scope};
use astranetmon_domain::{Account, AccountId, ManualClock, Plan, Timestamp, User, UserId, UserRole};
use astranetmon_http::{ApiSettings, ApiState, api, auth};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::{NewUser, Storage};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{DashboardState, dashboard};

/// 2026-11-23T11:26:40Z
pub(super) const START: Timestamp = Timestamp::from_seconds(1_795_433_200);
pub(super) const PASSWORD: &str = "correct otter kettle moon";
pub(super) const OPERATOR: Operator = Operator::new("test");

pub(super) struct Desk {
    pub(super) storage: Arc<dyn Storage>,
    pub(super) clock: Arc<ManualClock>,
    call: Box<dyn Fn(TestRequest) -> LocalBoxFuture<'static, Answer>>,
    _folder: TempDir,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    pub(super) fn header(&self, name: header::HeaderName) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().expect("text"))
    }

    /// The sentence of a refusal.
    pub(super) fn error(&self) -> String {
        self.json()["error"].as_str().expect("a sentence").to_owned()
    }
}

/// A signed-in browser.
#[derive(Clone, Debug)]
pub(super) struct Browser {
    cookies: String,
    csrf: String,
}

impl Browser {
    /// Of an answer that began a session.
    pub(super) fn of(answer: &Answer) -> Self {
        let lines = answer.headers.get_all(header::SET_COOKIE).map(|line| line.to_str().expect("text"));
        let cookies: Vec<_> = lines.filter_map(|line| line.split(';').next()).collect();
        Self { cookies: cookies.join("; "), csrf: answer.json()["csrf_token"].as_str().expect("a token").to_owned() }
    }

    pub(super) fn without_csrf_token(&self) -> Self {
        Self { csrf: String::new(), ..self.clone() }
    }
}

impl Desk {
    pub(super) async fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sqlite = SqliteSettings::new(folder.path().join("test.sqlite3"));
        SqliteStorage::migrate(&sqlite).expect("a schema");
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&sqlite).expect("a database"));
        let clock = Arc::new(ManualClock::new(START));
        let state = ApiState::new(Arc::clone(&storage), clock.clone(), ApiSettings::default()).await;
        let state = web::Data::new(state.expect("a state"));
        let pages = web::Data::new(DashboardState::new(state.clone(), None));
        let app = App::new().service(api(state.clone())).service(auth(state)).configure(dashboard(pages));
        let app = test::init_service(app).await;
        let call = Box::new(move |request: TestRequest| {
            let response = app.call(request.to_request());
            async move {
                let response = match response.await {
                    Ok(response) => response.into_parts().1,
                    Err(error) => error.error_response(),
                };
                let (status, headers) = (response.status(), response.headers().clone());
                let body = to_bytes(response.into_body()).await.expect("a body");
                Answer { status, headers, body: String::from_utf8(body.to_vec()).expect("text") }
            }
            .boxed_local()
        });
        Self { storage, clock, call, _folder: folder }
    }

    pub(super) async fn account(&self, name: &str) -> Account {
        let name = name.parse().expect("a name");
        self.storage.account_create(&OPERATOR, &name, Plan::Starter, START).await.expect("an account")
    }

    pub(super) async fn account_id(&self, name: &str) -> AccountId {
        let name = name.parse().expect("a name");
        self.storage.account_find_by_name(&OPERATOR, &name).await.expect("found").expect("there").id
    }

    pub(super) async fn person(&self, account: &Account, email: &str, role: UserRole) -> User {
        let scope: Scope<ManageAccount> = Scope::system(account.id, "test");
        let new = NewUser { email: email.parse().expect("an address"), role };
        let user = self.storage.user_create(&scope, &new, START).await.expect("a person");
        let password = Password::presented(PASSWORD.to_owned());
        let hash = password.hash(&mut StdRng::seed_from_u64(1)).expect("a hash");
        self.storage.user_set_password(&scope, user.id, &hash, START).await.expect("stored").expect("there")
    }

    pub(super) async fn id_of(&self, email: &str) -> UserId {
        let email = email.parse().expect("an address");
        self.storage.user_find_by_email(&OPERATOR, &email).await.expect("found").expect("there").id
    }

    /// A browser in which that person has signed in.
    pub(super) async fn sign_in(&self, email: &str, password: &str) -> Answer {
        let request = TestRequest::post().uri("/auth/v1/session");
        self.send(request.set_json(json!({ "email": email, "password": password }))).await
    }

    pub(super) async fn browser(&self, email: &str) -> Browser {
        Browser::of(&self.sign_in(email, PASSWORD).await)
    }

    /// An account with an owner, an admin and a viewer, and their browsers.
    pub(super) async fn staff(&self, account: &str) -> (Account, [Browser; 3]) {
        let account = self.account(account).await;
        let mut browsers = Vec::new();
        for role in [UserRole::Owner, UserRole::Admin, UserRole::Viewer] {
            let email = format!("{}@{}.example.com", role.as_str(), account.name);
            self.person(&account, &email, role).await;
            browsers.push(self.browser(&email).await);
        }
        (account, browsers.try_into().expect("three"))
    }

    pub(super) async fn send(&self, request: TestRequest) -> Answer {
        let peer: SocketAddr = "127.0.0.1:4711".parse().expect("an address");
        let request = request.peer_addr(peer).insert_header((header::HOST, "localhost:8080"));
        (self.call)(request).await
    }

    /// A page, as a browser opens it.
    pub(super) async fn open(&self, browser: &Browser, path: &str) -> Answer {
        let request = TestRequest::get().uri(path).insert_header((header::ACCEPT, "text/html"));
        self.send(request.insert_header((header::COOKIE, browser.cookies.as_str()))).await
    }

    /// An action, as a page's script sends it.
    pub(super) async fn act(&self, browser: &Browser, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = TestRequest::default()
            .method(method)
            .uri(path)
            .insert_header((header::COOKIE, browser.cookies.as_str()))
            .insert_header(("Sec-Fetch-Site", "same-origin"));
        if !browser.csrf.is_empty() {
            request = request.insert_header(("X-Astra-CSRF", browser.csrf.as_str()));
        }
        self.send(match body {
            Some(body) => request.set_json(body),
            None => request.insert_header((header::CONTENT_TYPE, "application/json")),
        })
        .await
    }

    pub(super) async fn post(&self, browser: &Browser, path: &str, body: Value) -> Answer {
        self.act(browser, Method::POST, path, Some(body)).await
    }

    pub(super) async fn delete(&self, browser: &Browser, path: &str) -> Answer {
        self.act(browser, Method::DELETE, path, None).await
    }

    /// The API with a key.
    pub(super) async fn with_key(&self, key: &str) -> StatusCode {
        let request = TestRequest::get().uri("/api/v1/agents");
        self.send(request.insert_header((header::AUTHORIZATION, format!("Bearer {key}")))).await.status
    }
}
