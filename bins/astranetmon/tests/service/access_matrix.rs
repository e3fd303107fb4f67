//! Every operation of the running server with every kind of credential, as a golden file.
//!
//! `UPDATE_GOLDEN=1` rewrites it; the operations that are open to everybody stand here and may only become fewer.

use std::collections::BTreeSet;
use std::fmt::Write;

use astranetmon_auth::{AgentToken, ApiKey, EnrolmentToken, Permission, PermissionSet, Scope};
use astranetmon_domain::{Account, AgentFacts, AgentId, Plan, UserRole};
use astranetmon_storage::{EnrolRequest, Enrolled};
use reqwest::Method;
use serde_json::Value;

use crate::ingestion::enrolment;
use crate::support::{Answer, Caller, Database, Kind, Office, Server, fleet, now, record_id, setting, unforeseen};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/access-matrix.txt");

const OPEN: [&str; 5] =
    ["GET /api/v1/docs", "GET /api/v1/docs/{asset}", "GET /api/v1/openapi.json", "GET /healthz", "GET /readyz"];
/// What the document does not list.
const BESIDE_THE_DOCUMENT: [&str; 3] = ["/healthz", "/readyz", "/api/v1/nowhere"];

/// A name, what stands in `Authorization`, and in `Cookie`.
type Credential = (&'static str, Option<String>, Option<String>);

async fn credentials(office: &Office) -> Vec<Credential> {
    let mine = office.account("mine", Plan::Enterprise).await;
    let other = office.account("other", Plan::Enterprise).await;
    fleet(office, &mine, &["agent-1"], 10, now(), "mine", 0).await;
    fleet(office, &other, &["agent-2"], 10, now(), "other", 1_000).await;
    let all = office.key(&mine).await;
    let expired = office.key_with(&mine, PermissionSet::ALL, Some(now().plus_seconds(-60))).await;
    let revoked = office.key(&mine).await;
    office.revoke(&mine, &revoked).await;
    let last = all.secret.chars().last().expect("not empty");
    let bad_checksum = format!("{}{}", &all.secret[..all.secret.len() - 1], if last == 'x' { 'y' } else { 'x' });
    let bearer = |key: &str| Some(format!("Bearer {key}"));
    let mut credentials = vec![
        ("none", None, None),
        ("another scheme", Some("Basic dXNlcjpwYXNz".to_owned()), None),
        ("no token", Some("Bearer".to_owned()), None),
        ("malformed", bearer("astra_your_api_key_here"), None),
        ("bad checksum", bearer(&bad_checksum), None),
        ("unknown", bearer(ApiKey::generate(&mut unforeseen()).reveal()), None),
        ("expired", bearer(&expired.secret), None),
        ("revoked", bearer(&revoked.secret), None),
    ];
    let nothing = office.key_with(&mine, PermissionSet::NONE, None).await;
    credentials.push(("no permission", bearer(&nothing.secret), None));
    for permission in Permission::ALL {
        let key = office.key_with(&mine, [permission].into_iter().collect(), None).await;
        credentials.push((permission.as_str(), bearer(&key.secret), None));
    }
    credentials.push(("all", bearer(&all.secret), None));
    credentials.push(("all of another account", bearer(&office.key(&other).await.secret), None));

    let owner = office.person(&mine, "owner@example.com", UserRole::Owner).await;
    let session = office.session_since(&owner, now()).await;
    credentials.push(("session of an owner", None, Some(session.clone())));
    for (name, email, role) in [
        ("session of an admin", "admin@example.com", UserRole::Admin),
        ("session of a viewer", "viewer@example.com", UserRole::Viewer),
    ] {
        let person = office.person(&mine, email, role).await;
        credentials.push((name, None, Some(office.session_since(&person, now()).await)));
    }
    let of_other = office.person(&other, "other@example.com", UserRole::Owner).await;
    credentials.push(("session of another account", None, Some(office.session_since(&of_other, now()).await)));
    let ended = office.session_since(&owner, now().plus_seconds(-3_600)).await;
    credentials.push(("session that has ended", None, Some(ended)));
    let malformed = "__Host-astra_session=x".to_owned();
    credentials.push(("malformed session", None, Some(malformed)));
    credentials.push(("no permission beside a session", bearer(&nothing.secret), Some(session.clone())));
    credentials.push(("enrolment token", bearer(&enrolment(office, &mine, 1).await), None));
    let agent = agent_token(office, &mine, "enrolled").await;
    credentials.push(("agent", bearer(&agent), None));
    credentials.push(("agent beside a session", bearer(&agent), Some(session.clone())));
    let disabled = agent_token(office, &mine, "disabled").await;
    let id = AgentId::parse("disabled").expect("an id");
    let manage = Scope::system(mine.id, "test");
    office.storage.agent_set_disabled(&manage, &id, true, now()).await.expect("disabled");
    credentials.push(("disabled agent", bearer(&disabled), None));
    let unknown_agent = AgentToken::generate(&mut unforeseen());
    credentials.push(("unknown agent", bearer(unknown_agent.reveal()), None));
    credentials.push(("bad checksum beside a session", bearer(&bad_checksum), Some(session)));
    credentials
}

/// The token of a new agent of the account.
async fn agent_token(office: &Office, account: &Account, name: &str) -> String {
    let enrolment = EnrolmentToken::parse(&enrolment(office, account, 1).await).expect("a token");
    let token = AgentToken::generate(&mut unforeseen());
    let request = EnrolRequest {
        asked_id: Some(AgentId::parse(name).expect("an id")),
        facts: AgentFacts { hostname: name.to_owned(), ..AgentFacts::default() },
        public_ip: None,
        token_hash: token.hash(),
        token_hint: token.hint(),
    };
    let enrolled = office.storage.agent_enroll(&enrolment.hash(), &request, now()).await.expect("enrolled");
    assert!(matches!(enrolled, Enrolled::Agent { .. }));
    token.reveal().to_owned()
}

/// `GET /api/v1/agents/{id}` and the like, as the served document lists them.
async fn operations(server: &Server, caller: &Caller) -> BTreeSet<String> {
    let document = caller.get_open(server, "/api/v1/openapi.json").await.json();
    let mut operations = BTreeSet::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        let methods = ["get", "put", "post", "delete", "options", "head", "patch", "trace"];
        for method in methods.into_iter().filter(|method| item.get(method).is_some()) {
            operations.insert(format!("{} {path}", method.to_uppercase()));
        }
    }
    operations.extend(BESIDE_THE_DOCUMENT.map(|path| format!("GET {path}")));
    operations
}

/// The path with the id of a record of the account `mine`, or the name of a file.
fn target(path: &str) -> String {
    let id = match path {
        "/api/v1/docs/{asset}" => "explorer.js".to_owned(),
        "/api/v1/agents/{id}" => "agent-1".to_owned(),
        "/api/v1/speedtests/{id}" => record_id(0).to_string(),
        "/api/v1/traceroutes/{id}" => record_id(1).to_string(),
        "/prometheus/api/v1/label/{name}/values" => "agent_id".to_owned(),
        path => {
            assert!(!path.contains('{'), "{path}: this test knows no id for it");
            String::new()
        }
    };
    let query = match path {
        // A stream without end would be waited for.
        "/api/v1/stream" => "?seconds=0",
        "/prometheus/api/v1/query" => "?query=1",
        "/prometheus/api/v1/query_range" => "?query=1&start=1&end=2&step=1",
        "/prometheus/api/v1/series" => "?match%5B%5D=up",
        _ => "",
    };
    path.replace("{id}", &id).replace("{asset}", &id).replace("{name}", &id) + query
}

fn check_form(operation: &str, answer: &Answer) {
    match answer.status {
        200 | 204 => {}
        // What is sent to agents' paths here has no body, which only those read who are let in.
        400 if operation.starts_with("POST /ingest/") => drop(answer.error()),
        401 | 403 | 404 if operation.contains(" /prometheus/") => drop(answer.prometheus_error()),
        401 | 403 | 404 => drop(answer.error()),
        _ => panic!("{operation}: {answer:?}"),
    }
    let challenged = matches!(answer.status, 401 | 403);
    assert_eq!(answer.header("www-authenticate").is_some(), challenged, "{operation}: {answer:?}");
}

async fn matrix(kind: Kind) -> String {
    let database = Database::new(kind).await;
    let office = database.office().await;
    let credentials = credentials(&office).await;
    office.close().await;
    let (server, caller) = (Server::start(&database), Caller::new());
    let mut text = String::new();
    let mut open = BTreeSet::new();
    for operation in operations(&server, &caller).await {
        let (method, path) = operation.split_once(' ').expect("two words");
        let method: Method = method.parse().expect("a method");
        for (name, authorization, cookie) in &credentials {
            let cookie: Vec<_> = cookie.iter().map(|cookie| ("cookie", cookie.as_str())).collect();
            let answer = caller.ask(&server, method.clone(), &target(path), authorization.as_deref(), &cookie).await;
            check_form(&operation, &answer);
            if *name == "none" && answer.status == 200 {
                open.insert(operation.clone());
            }
            let challenge = answer.header("www-authenticate").unwrap_or("-");
            writeln!(text, "{operation} | {name} | {} | {challenge}", answer.status).expect("in memory");
        }
    }
    let allowed: BTreeSet<_> = OPEN.map(str::to_owned).into();
    assert!(open.is_subset(&allowed), "open to everybody: {:?}", open.difference(&allowed));
    text
}

#[tokio::test]
async fn every_operation_answers_every_credential_as_the_golden_file_says() {
    let sqlite = matrix(Kind::Sqlite).await;
    if setting("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &sqlite).expect("written");
    }
    let golden = std::fs::read_to_string(GOLDEN).expect("the golden file; UPDATE_GOLDEN=1 writes it");
    for (kind, matrix) in [(Kind::Sqlite, sqlite), (Kind::Postgres, matrix(Kind::Postgres).await)] {
        let (expected, found): (BTreeSet<_>, BTreeSet<_>) = (golden.lines().collect(), matrix.lines().collect());
        let missing: Vec<_> = expected.difference(&found).collect();
        let new: Vec<_> = found.difference(&expected).collect();
        assert!(missing.is_empty() && new.is_empty(), "{kind:?}: no longer so: {missing:#?}, new: {new:#?}");
    }
}

/// The document says of each operation whether it needs a credential, and is right.
#[tokio::test]
async fn the_document_claims_security_exactly_where_a_credential_is_asked_for() {
    let database = Database::sqlite();
    let (server, caller) = (Server::start(&database), Caller::new());
    let document = caller.get_open(&server, "/api/v1/openapi.json").await.json();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let security = operation.get("security").or_else(|| document.get("security"));
            let claimed = security
                .and_then(Value::as_array)
                .is_some_and(|any| !any.is_empty() && any.iter().all(|one| one != &serde_json::json!({})));
            let method = method.to_uppercase().parse().expect("a method");
            let answer = caller.ask(&server, method, &target(path), None, &[]).await;
            assert_eq!(answer.status == 401, claimed, "{path}: {}", answer.status);
        }
    }
}
