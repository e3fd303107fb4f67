//! Sessions over a real database in a folder of its own and a clock that is moved.

use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::body::to_bytes;
use actix_web::dev::Service;
use actix_web::http::header::{self, HeaderMap};
use actix_web::http::{Method, StatusCode};
use actix_web::test::{self, TestRequest};
use actix_web::{App, HttpResponse, web};
use astranetmon_auth::{
    ApiKey, ManageAccount, NewApiKey, Operator, Password, PermissionSet, Scope, SessionToken, SetupToken,
};
use astranetmon_domain::{Account, ManualClock, Plan, Timestamp, User, UserRole};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::{NewUser, Storage};
use futures_util::FutureExt;
use futures_util::future::LocalBoxFuture;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{Pages, SignedIn, auth, change_password, open_scope, signed_in_scope};
use crate::{ApiError, ApiSettings, ApiState, api};

const START: Timestamp = Timestamp::from_seconds(1_795_433_200);
const PASSWORD: &str = "correct otter kettle moon";
const ADA: &str = "ada@example.com";
const OPERATOR: Operator = Operator::new("test");

struct Desk {
    state: web::Data<ApiState>,
    storage: Arc<dyn Storage>,
    clock: Arc<ManualClock>,
    call: Box<dyn Fn(TestRequest) -> LocalBoxFuture<'static, Answer>>,
    _folder: TempDir,
}

#[derive(Debug)]
struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: String,
}

impl Answer {
    fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().expect("text"))
    }

    /// Names and values of the cookies it sets.
    fn cookies(&self) -> Vec<(String, String)> {
        let lines = self.headers.get_all(header::SET_COOKIE).map(|line| line.to_str().expect("text"));
        let pairs = lines.filter_map(|line| line.split(';').next()?.split_once('='));
        pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
    }

    fn cookie(&self, name: &str) -> String {
        let cookies = self.cookies();
        let found = cookies.iter().find(|(set, _)| set == name);
        found.unwrap_or_else(|| panic!("{name} in {cookies:?}")).1.clone()
    }

    /// What a browser sends from now on.
    fn browser(&self) -> Browser {
        Browser {
            cookies: self
                .cookies()
                .iter()
                .map(|(name, value)| format!("{name}={value}"))
                .collect::<Vec<_>>()
                .join("; "),
            csrf: self.json()["csrf_token"].as_str().expect("a token").to_owned(),
        }
    }
}

#[derive(Clone, Debug)]
struct Browser {
    cookies: String,
    csrf: String,
}

fn failure_page(failure: &ApiError, signed_in: Option<&SignedIn>) -> HttpResponse {
    use actix_web::ResponseError;
    HttpResponse::build(failure.status_code())
        .content_type("text/html; charset=utf-8")
        .body(format!("<h1>{failure}</h1>{}", signed_in.map_or("", |signed_in| signed_in.user().email.as_str())))
}

const PAGES: Pages = Pages { sign_in: "/dashboard/sign-in", failure: failure_page };

async fn page(signed_in: SignedIn) -> String {
    signed_in.user().email.to_string()
}

async fn panics() -> String {
    panic!("deliberate")
}

async fn managed(signed_in: SignedIn) -> Result<String, ApiError> {
    signed_in.manages().map(|scope| scope.account_id().to_string())
}

async fn new_password(
    state: web::Data<ApiState>,
    request: actix_web::HttpRequest,
    signed_in: SignedIn,
    form: web::Json<(String, String)>,
) -> Result<HttpResponse, ApiError> {
    let (current, chosen) = form.into_inner();
    change_password(&state, &request, &signed_in, current, chosen).await
}

impl Desk {
    async fn new() -> Self {
        Self::with(ApiSettings::default()).await
    }

    async fn with(settings: ApiSettings) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let sqlite = SqliteSettings::new(folder.path().join("test.sqlite3"));
        SqliteStorage::migrate(&sqlite).expect("a schema");
        let storage: Arc<dyn Storage> = Arc::new(SqliteStorage::open(&sqlite).expect("a database"));
        let clock = Arc::new(ManualClock::new(START));
        let state = ApiState::new(Arc::clone(&storage), clock.clone(), settings).await.expect("a state");
        let state = web::Data::new(state);
        let pages = web::scope("/dashboard")
            .service(web::resource("").get(page).post(page))
            .service(web::resource("/managed").get(managed))
            .service(web::resource("/panic").get(panics))
            .service(web::resource("/password").post(new_password));
        let open = web::scope("/dashboard/sign-in")
            .service(web::resource("").get(|| async { "sign in" }).post(|| async { "posted" }));
        let app = App::new()
            .service(api(state.clone()))
            .service(auth(state.clone()))
            .service(open_scope(state.clone(), PAGES, open))
            .service(signed_in_scope(state.clone(), PAGES, pages));
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
        Self { state, storage, clock, call, _folder: folder }
    }

    async fn send(&self, request: TestRequest) -> Answer {
        (self.call)(request).await
    }

    async fn account(&self, name: &str) -> Account {
        let name = name.parse().expect("a name");
        self.storage.account_create(&OPERATOR, &name, Plan::Starter, START).await.expect("an account")
    }

    async fn person(&self, account: &Account, email: &str, role: UserRole) -> User {
        let scope: Scope<ManageAccount> = Scope::system(account.id, "test");
        let new = NewUser { email: email.parse().expect("an address"), role };
        let user = self.storage.user_create(&scope, &new, START).await.expect("a user");
        let hash = Password::presented(PASSWORD.to_owned()).hash(&mut StdRng::seed_from_u64(1)).expect("hashed");
        self.storage.user_set_password(&scope, user.id, &hash, START).await.expect("set").expect("there")
    }

    /// With Ada, who owns an account.
    async fn with_ada() -> (Self, User) {
        let desk = Self::new().await;
        let account = desk.account("home").await;
        let ada = desk.person(&account, ADA, UserRole::Owner).await;
        (desk, ada)
    }

    async fn sign_in(&self, email: &str, password: &str, more: &[(&'static str, &str)]) -> Answer {
        let body = json!({ "email": email, "password": password });
        self.send(with(here(Method::POST, "/auth/v1/session").set_json(body), more)).await
    }

    async fn signed_in(&self, email: &str) -> Browser {
        let answer = self.sign_in(email, PASSWORD, &[]).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        answer.browser()
    }

    async fn get(&self, path: &str, browser: &Browser) -> Answer {
        self.send(here(Method::GET, path).insert_header((header::COOKIE, browser.cookies.as_str()))).await
    }

    async fn change(&self, method: Method, path: &str, browser: &Browser, body: Option<Value>) -> Answer {
        let request = with(
            here(method, path),
            &[("cookie", &browser.cookies), ("x-astra-csrf", &browser.csrf), ("sec-fetch-site", "same-origin")],
        );
        self.send(match body {
            Some(body) => request.set_json(body),
            None => request,
        })
        .await
    }
}

/// From the machine itself.
fn here(method: Method, path: &str) -> TestRequest {
    let peer: SocketAddr = "127.0.0.1:50000".parse().expect("an address");
    TestRequest::default().method(method).uri(path).peer_addr(peer).insert_header((header::HOST, "localhost:8080"))
}

fn with(mut request: TestRequest, headers: &[(&'static str, &str)]) -> TestRequest {
    for header in headers {
        request = request.insert_header(*header);
    }
    request
}

#[actix_web::test]
async fn who_signs_in_is_told_who_they_are_and_reads_the_api_without_a_key() {
    let (desk, ada) = Desk::with_ada().await;
    let answer = desk.sign_in("Ada@Example.com", PASSWORD, &[("user-agent", "Browser/1")]).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    let body = answer.json();
    assert_eq!(body["user"], json!({ "id": ada.id.0, "email": ADA, "role": "owner" }));
    assert_eq!(body["account"], json!({ "id": ada.account_id.0, "name": "home", "plan": "starter" }));
    assert_eq!(body["expires_at"], "2026-11-23T11:56:40.000Z");
    let session = answer.cookie("__Host-astra_session");
    assert!(!answer.body.contains(&session), "only the cookie holds the token");
    let lines: Vec<_> =
        answer.headers.get_all(header::SET_COOKIE).map(|line| line.to_str().expect("text").to_owned()).collect();
    assert!(lines.iter().all(|line| line.contains("; Path=/; Secure; HttpOnly; SameSite=Lax")), "{lines:?}");

    let browser = answer.browser();
    let again = desk.get("/auth/v1/session", &browser).await;
    assert_eq!((again.status, again.json()), (StatusCode::OK, body));
    for (path, status) in [
        ("/api/v1/agents", 200),
        ("/api/v1/metrics", 200),
        ("/api/v1/speedtests", 200),
        ("/api/v1/traceroutes", 200),
        ("/api/v1/usage", 404),
        ("/api/v1/key", 404),
        ("/api/v1/agents?limit=0", 400),
    ] {
        let answer = desk.get(path, &browser).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        assert!(answer.headers.keys().all(|name| !name.as_str().contains("ratelimit")), "{path}: {answer:?}");
    }
    let listed =
        desk.storage.session_list(&Scope::system(ada.account_id, "test"), ada.id, START).await.expect("listed");
    let [listed] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((listed.address.as_deref(), listed.user_agent.as_deref()), (Some("127.0.0.1"), Some("Browser/1")));
}

#[actix_web::test]
async fn more_than_a_hundred_requests_of_a_session_spend_no_quota() {
    let (desk, _) = Desk::with_ada().await;
    let browser = desk.signed_in(ADA).await;
    for _ in 0..150 {
        assert_eq!(desk.get("/api/v1/agents", &browser).await.status, 200);
    }
    let mut refused = None;
    for _ in 0..100 {
        let answer = desk.get("/api/v1/agents", &browser).await;
        if answer.status == 429 {
            refused = Some(answer);
            break;
        }
    }
    let refused = refused.expect("the burst of 200 is the guard's");
    assert!(refused.header("retry-after").is_some() && refused.json()["error"].is_string());
}

#[actix_web::test]
async fn a_bearer_key_beside_a_session_decides_alone() {
    let (desk, ada) = Desk::with_ada().await;
    let browser = desk.signed_in(ADA).await;
    let key = ApiKey::generate(&mut StdRng::seed_from_u64(1));
    let new = NewApiKey {
        hash: key.hash(),
        hint: key.hint(),
        name: "test".to_owned(),
        permissions: PermissionSet::NONE,
        expires_at: None,
    };
    desk.storage.api_key_create(&Scope::system(ada.account_id, "test"), &new, START).await.expect("a key");
    for (bearer, expected) in [("Bearer astra_wrong", 401), (&format!("Bearer {}", key.reveal()), 403)] {
        let request =
            with(here(Method::GET, "/api/v1/agents"), &[("cookie", &browser.cookies), ("authorization", bearer)]);
        assert_eq!(desk.send(request).await.status, expected);
    }
}

#[actix_web::test]
async fn a_session_that_somebody_planted_is_not_taken_up_and_each_sign_in_has_a_token_of_its_own() {
    let (desk, _) = Desk::with_ada().await;
    let planted = SessionToken::generate(&mut StdRng::seed_from_u64(7));
    let planted_cookie = format!("__Host-astra_session={}", planted.reveal());
    let first = desk.sign_in(ADA, PASSWORD, &[("cookie", &planted_cookie)]).await;
    assert_ne!(first.cookie("__Host-astra_session"), planted.reveal());
    let planted = Browser { cookies: planted_cookie, csrf: String::new() };
    assert_eq!(desk.get("/auth/v1/session", &planted).await.status, 401);

    let former = first.browser();
    assert_eq!(desk.get("/auth/v1/session", &former).await.status, 200);
    let second = desk.sign_in(ADA, PASSWORD, &[("cookie", &former.cookies)]).await;
    assert_ne!(second.cookie("__Host-astra_session"), first.cookie("__Host-astra_session"));
    assert_ne!(second.browser().csrf, former.csrf);
    assert_eq!(desk.get("/auth/v1/session", &former).await.status, 401, "the browser's former session has ended");
    assert_eq!(desk.get("/auth/v1/session", &second.browser()).await.status, 200);
}

#[actix_web::test]
async fn signing_out_ends_the_session_at_once() {
    let (desk, _) = Desk::with_ada().await;
    let (browser, other) = (desk.signed_in(ADA).await, desk.signed_in(ADA).await);
    let without_token = with(here(Method::DELETE, "/auth/v1/session"), &[("cookie", &browser.cookies)]);
    assert_eq!(desk.send(without_token).await.status, 403);
    let others_token = Browser { csrf: other.csrf.clone(), ..browser.clone() };
    assert_eq!(desk.change(Method::DELETE, "/auth/v1/session", &others_token, None).await.status, 403);
    let answer = desk.change(Method::DELETE, "/auth/v1/session", &browser, None).await;
    assert_eq!(answer.status, 204);
    assert_eq!(answer.cookie("__Host-astra_session"), "");
    assert_eq!(answer.header("clear-site-data"), Some("\"cache\", \"storage\""));
    for path in ["/auth/v1/session", "/api/v1/agents", "/dashboard"] {
        assert_eq!(desk.get(path, &browser).await.status, 401, "{path}");
        assert_eq!(desk.get(path, &other).await.status, 200, "{path}");
    }
}

#[actix_web::test]
async fn a_session_ends_after_half_an_hour_of_silence_and_after_twelve_hours() {
    let (desk, _) = Desk::with_ada().await;
    let (idle, busy) = (desk.signed_in(ADA).await, desk.signed_in(ADA).await);
    for _ in 0..36 {
        desk.clock.advance_seconds(1_199);
        assert_eq!(desk.get("/api/v1/agents", &busy).await.status, 200);
    }
    assert_eq!(desk.get("/api/v1/agents", &idle).await.status, 401);
    desk.clock.advance_seconds(35);
    assert_eq!(desk.get("/api/v1/agents", &busy).await.status, 200, "a second before its end");
    desk.clock.advance_seconds(1);
    assert_eq!(desk.get("/api/v1/agents", &busy).await.status, 401);
}

#[actix_web::test]
async fn sessions_that_have_ended_are_forgotten() {
    let (desk, _) = Desk::with_ada().await;
    desk.signed_in(ADA).await;
    desk.clock.advance_seconds(600);
    let browser = desk.signed_in(ADA).await;
    desk.clock.advance_seconds(1_200);
    assert_eq!(desk.state.sweep_sessions().await.expect("swept"), 1);
    assert_eq!(desk.get("/dashboard", &browser).await.status, 200);
}

#[actix_web::test]
async fn the_disabled_are_signed_out_and_stay_out() {
    let (desk, ada) = Desk::with_ada().await;
    let browser = desk.signed_in(ADA).await;
    desk.storage
        .user_set_disabled(&Scope::system(ada.account_id, "test"), ada.id, true, START)
        .await
        .expect("disabled");
    assert_eq!(desk.get("/api/v1/agents", &browser).await.status, 401);
    assert_eq!(desk.sign_in(ADA, PASSWORD, &[]).await.status, 401);
}

#[actix_web::test]
async fn a_new_password_ends_all_sessions_and_begins_one() {
    let (desk, _) = Desk::with_ada().await;
    let (browser, other) = (desk.signed_in(ADA).await, desk.signed_in(ADA).await);
    let change = async |current: &str, chosen: &str| {
        desk.change(Method::POST, "/dashboard/password", &browser, Some(json!([current, chosen]))).await
    };
    assert_eq!(change("wrong", "eleven purple lamps sing").await.status, 401);
    assert_eq!(change(PASSWORD, "short").await.status, 400);
    let answer = change(PASSWORD, "eleven purple lamps sing").await;
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(desk.get("/dashboard", &answer.browser()).await.body, ADA);
    for former in [&browser, &other] {
        assert_eq!(desk.get("/dashboard", former).await.status, 401);
    }
    assert_eq!(desk.sign_in(ADA, PASSWORD, &[]).await.status, 401);
    assert_eq!(desk.sign_in(ADA, "eleven purple lamps sing", &[]).await.status, 201);
}

#[actix_web::test]
async fn whatever_is_wrong_at_sign_in_the_answer_is_the_same() {
    let (desk, ada) = Desk::with_ada().await;
    let account = desk.storage.account_find(&OPERATOR, ada.account_id).await.expect("found").expect("there");
    let scope: Scope<ManageAccount> = Scope::system(account.id, "test");
    let new = NewUser { email: "new@example.com".parse().expect("an address"), role: UserRole::Viewer };
    desk.storage.user_create(&scope, &new, START).await.expect("a user without a password");
    let off = desk.person(&account, "off@example.com", UserRole::Viewer).await;
    desk.storage.user_set_disabled(&scope, off.id, true, START).await.expect("disabled");
    let mut answers = Vec::new();
    for (email, password) in [
        (ADA, "wrong"),
        (ADA, ""),
        ("nobody@example.com", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
        ("new@example.com", ""),
        ("off@example.com", PASSWORD),
    ] {
        let answer = desk.sign_in(email, password, &[]).await;
        let mut headers: Vec<_> = answer
            .headers
            .iter()
            .filter(|(name, _)| *name != "x-request-id")
            .map(|(name, value)| format!("{name}: {value:?}"))
            .collect();
        headers.sort();
        answers.push((answer.status, answer.body, headers));
    }
    assert_eq!(answers[0].0, 401);
    assert_eq!(answers[0].1, "{\"error\":\"Invalid email or password\"}");
    assert!(answers.iter().all(|answer| answer == &answers[0]), "{answers:#?}");
    let refused = loop {
        // Written beside the answers.
        let audit = desk.storage.audit_list(&scope.read_account(), 20).await.expect("listed");
        let refused: Vec<_> = audit.into_iter().filter(|entry| entry.action == "session.refuse").collect();
        if refused.len() >= 4 {
            break refused;
        }
        tokio::task::yield_now().await;
    };
    assert_eq!(refused.len(), 4);
    assert!(refused.iter().all(|entry| entry.actor == "address:127.0.0.1" && entry.object.starts_with("user:")));
}

#[actix_web::test]
async fn guessing_is_held_up_and_a_browser_that_signed_in_before_is_not() {
    let (desk, _) = Desk::with_ada().await;
    let known = desk.sign_in(ADA, PASSWORD, &[]).await;
    let device = format!("__Host-astra_device={}", known.cookie("__Host-astra_device"));
    for _ in 0..5 {
        assert_eq!(desk.sign_in(ADA, "wrong", &[]).await.status, 401);
    }
    let held_up = desk.sign_in(ADA, PASSWORD, &[]).await;
    assert_eq!((held_up.status, held_up.header("retry-after")), (StatusCode::TOO_MANY_REQUESTS, Some("30")));
    let invented = desk.sign_in(ADA, PASSWORD, &[("cookie", "__Host-astra_device=AAAA")]).await;
    assert_eq!(invented.status, 429);
    let owner = desk.sign_in(ADA, PASSWORD, &[("cookie", &device)]).await;
    assert_eq!(owner.status, 201, "{owner:?}");
    desk.clock.advance_seconds(30);
    assert_eq!(desk.sign_in(ADA, PASSWORD, &[]).await.status, 201);
}

#[actix_web::test]
async fn over_plain_http_people_sign_in_on_the_machine_itself_only() {
    let (desk, _) = Desk::with_ada().await;
    let body = json!({ "email": ADA, "password": PASSWORD });
    for (peer, host, expected) in [
        ("127.0.0.1:50000", "localhost:8080", 201),
        ("[::1]:50000", "[::1]:8080", 201),
        ("192.0.2.1:50000", "localhost:8080", 403),
        ("192.0.2.1:50000", "monitoring.example.com", 403),
        ("127.0.0.1:50000", "monitoring.example.com", 403),
    ] {
        let request = TestRequest::post()
            .uri("/auth/v1/session")
            .peer_addr(peer.parse().expect("an address"))
            .insert_header((header::HOST, host))
            .set_json(&body);
        let answer = desk.send(request).await;
        assert_eq!(answer.status, expected, "{peer} {host}: {answer:?}");
    }
}

#[actix_web::test]
async fn requests_that_other_sites_make_read_and_change_nothing() {
    let (desk, _) = Desk::with_ada().await;
    let browser = desk.signed_in(ADA).await;
    let cookie = ("cookie", browser.cookies.as_str());
    let token = ("x-astra-csrf", browser.csrf.as_str());
    let link = [("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")];
    for (method, path, headers, expected) in [
        (Method::GET, "/api/v1/agents", &[cookie, ("sec-fetch-site", "cross-site")][..], 403),
        (Method::GET, "/api/v1/agents", &[cookie, ("sec-fetch-site", "same-site")], 403),
        (Method::GET, "/api/v1/agents", &[cookie, link[0], link[1], link[2]], 403),
        (Method::GET, "/auth/v1/session", &[cookie, ("sec-fetch-site", "same-site")], 403),
        (Method::GET, "/dashboard", &[cookie, ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")], 403),
        (Method::GET, "/dashboard", &[cookie, link[0], link[1], ("sec-fetch-dest", "iframe")], 403),
        (Method::GET, "/dashboard", &[cookie, link[0], link[1], link[2]], 200),
        (Method::POST, "/dashboard", &[cookie, token, ("sec-fetch-site", "cross-site")], 403),
        (Method::POST, "/dashboard", &[cookie, token, ("sec-fetch-site", "same-site")], 403),
        (Method::POST, "/dashboard", &[cookie, token, ("origin", "http://localhost:8081")], 403),
        (Method::POST, "/dashboard", &[cookie, token, ("origin", "null")], 403),
        (Method::POST, "/dashboard", &[cookie, ("sec-fetch-site", "same-origin")], 403),
        (Method::POST, "/dashboard", &[cookie, ("x-astra-csrf", "AAAA"), ("sec-fetch-site", "same-origin")], 403),
        (Method::POST, "/dashboard", &[cookie, token, ("sec-fetch-site", "same-origin")], 200),
        (Method::POST, "/dashboard/sign-in", &[("sec-fetch-site", "cross-site")], 403),
        (Method::POST, "/dashboard/sign-in", &[("sec-fetch-site", "same-origin")], 200),
        (Method::DELETE, "/auth/v1/session", &[cookie, token, ("origin", "http://localhost:8081")], 403),
    ] {
        let answer = desk.send(with(here(method.clone(), path), headers)).await;
        assert_eq!(answer.status, expected, "{method} {path} {headers:?}: {answer:?}");
        assert!(answer.header("access-control-allow-origin").is_none());
    }
    let from_elsewhere = [("sec-fetch-site", "cross-site")];
    assert_eq!(desk.sign_in(ADA, PASSWORD, &from_elsewhere).await.status, 403);
    assert_eq!(desk.get("/auth/v1/session", &browser).await.status, 200, "and the session is still there");
}

#[actix_web::test]
async fn a_page_leads_those_without_a_session_to_the_sign_in_page_and_shows_failures_to_people() {
    let (desk, _) = Desk::with_ada().await;
    let html = ("accept", "text/html,application/xhtml+xml;q=0.9");
    let asked = desk.send(with(here(Method::GET, "/dashboard?sort=cpu&x=%22"), &[html])).await;
    assert_eq!(asked.status, 303);
    assert_eq!(asked.header("location"), Some("/dashboard/sign-in?next=/dashboard%3Fsort%3Dcpu%26x%3D%2522"));
    let data = desk.send(here(Method::GET, "/dashboard")).await;
    assert_eq!((data.status, data.json()["error"].is_string()), (StatusCode::UNAUTHORIZED, true));
    let posted = desk.send(with(here(Method::POST, "/dashboard"), &[html, ("sec-fetch-site", "same-origin")])).await;
    assert_eq!(posted.status, 401);

    let browser = desk.signed_in(ADA).await;
    let missing = desk.send(with(here(Method::GET, "/dashboard/nowhere"), &[html, ("cookie", &browser.cookies)])).await;
    assert_eq!((missing.status, missing.body.as_str()), (StatusCode::NOT_FOUND, "<h1>Not found</h1>ada@example.com"));
    let panicked = desk.send(with(here(Method::GET, "/dashboard/panic"), &[html, ("cookie", &browser.cookies)])).await;
    assert_eq!(
        (panicked.status, panicked.body.as_str()),
        (StatusCode::INTERNAL_SERVER_ERROR, "<h1>Internal server error</h1>")
    );
    let data = desk.get("/dashboard/panic", &browser).await;
    assert_eq!((data.status, data.json()["error"].is_string()), (StatusCode::INTERNAL_SERVER_ERROR, true));
    for answer in [
        &asked,
        &missing,
        &panicked,
        &data,
        &desk.get("/dashboard", &browser).await,
        &desk.get("/dashboard/sign-in", &browser).await,
    ] {
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(
            policy.contains("script-src 'self'") && policy.contains("require-trusted-types-for 'script'"),
            "{policy}"
        );
        for (name, value) in [
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
            ("x-content-type-options", "nosniff"),
            ("referrer-policy", "no-referrer"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.header(name), Some(value), "{answer:?}");
        }
    }
}

#[actix_web::test]
async fn viewers_read_and_do_not_manage() {
    let (desk, ada) = Desk::with_ada().await;
    let account = desk.storage.account_find(&OPERATOR, ada.account_id).await.expect("found").expect("there");
    for (email, role, expected) in [
        ("viewer@example.com", UserRole::Viewer, 403),
        ("admin@example.com", UserRole::Admin, 200),
        ("owner@example.com", UserRole::Owner, 200),
    ] {
        desk.person(&account, email, role).await;
        let browser = desk.signed_in(email).await;
        assert_eq!(desk.get("/api/v1/metrics", &browser).await.status, 200, "{role:?}");
        assert_eq!(desk.get("/dashboard/managed", &browser).await.status, expected, "{role:?}");
    }
}

#[actix_web::test]
async fn the_first_owner_is_made_once_with_the_token_and_a_fit_password() {
    let desk = Desk::new().await;
    let token = SetupToken::generate(&mut StdRng::seed_from_u64(1));
    assert!(desk.storage.setup_offer(&OPERATOR, &token.hash(), START.plus_seconds(900)).await.expect("offered"));
    let set_up = async |token: &str, password: &str| {
        let body = json!({ "token": token, "account": "home", "email": ADA, "password": password });
        desk.send(here(Method::POST, "/auth/v1/setup").set_json(body)).await
    };
    let other = SetupToken::generate(&mut StdRng::seed_from_u64(2));
    assert_eq!(set_up("", PASSWORD).await.status, 403);
    assert_eq!(set_up(other.reveal(), PASSWORD).await.status, 403);
    for unfit in ["", "admin", "passwordpassword"] {
        assert_eq!(set_up(token.reveal(), unfit).await.status, 400, "{unfit}");
    }
    let answer = set_up(token.reveal(), PASSWORD).await;
    assert_eq!(answer.status, 201, "{answer:?}");
    assert_eq!(answer.json()["user"]["role"], "owner");
    assert_eq!(answer.json()["account"]["plan"], "enterprise");
    assert_eq!(desk.get("/dashboard", &answer.browser()).await.body, ADA);
    assert_eq!(set_up(token.reveal(), PASSWORD).await.status, 410);
    assert_eq!(set_up(other.reveal(), PASSWORD).await.status, 410);
    assert_eq!(desk.sign_in(ADA, PASSWORD, &[]).await.status, 201);
}

#[actix_web::test]
async fn bad_bodies_are_told_what_is_accepted() {
    let (desk, _) = Desk::with_ada().await;
    let post = || here(Method::POST, "/auth/v1/session");
    let credentials = format!("email={ADA}&password={PASSWORD}");
    for (request, expected) in [
        (post(), 415),
        (post().insert_header(("content-type", "text/plain")).set_payload("{}"), 415),
        (post().insert_header(("content-type", "application/x-www-form-urlencoded")).set_payload(credentials), 415),
        (post().insert_header(("content-type", "application/json")).set_payload("{"), 400),
        (post().set_json(json!({ "email": ADA })), 400),
        (post().set_json(json!({ "email": ADA, "password": PASSWORD, "admin": true })), 400),
        (post().set_json(json!({ "email": ADA, "password": "x".repeat(70_000) })), 413),
        (here(Method::PUT, "/auth/v1/session"), 405),
        (here(Method::GET, "/auth/v1/nothing"), 404),
    ] {
        let answer = desk.send(request).await;
        assert_eq!(answer.status, expected, "{answer:?}");
        assert!(answer.json()["error"].is_string());
    }
    assert!(
        desk.state
            .sign_in_guard
            .attempt(&ADA.parse().expect("an address"), "127.0.0.1".parse().expect("an address"), None, START)
            .is_ok()
    );
}
