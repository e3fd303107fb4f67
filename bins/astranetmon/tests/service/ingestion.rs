//! Agents that send to a running server.

use std::collections::BTreeMap;
use std::time::Duration;

use astranetmon_auth::{EnrolmentToken, NewEnrolment, Scope};
use astranetmon_domain::{Account, EnrolmentTerms, Plan};
use reqwest::Method;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use crate::support::{Answer, Caller, Database, Kind, Office, Server, Wire, now, unforeseen};

const METRICS: &str = "/ingest/v1/metrics";

/// An enrolment token of the account.
pub(crate) async fn enrolment(office: &Office, account: &Account, max_uses: u32) -> String {
    let token = EnrolmentToken::generate(&mut unforeseen());
    let ends = now().plus_seconds(3_600);
    let terms = EnrolmentTerms::new("test", None, BTreeMap::new(), max_uses, ends, now()).expect("terms");
    let new = NewEnrolment { hash: token.hash(), hint: token.hint(), terms };
    office.storage.enrolment_create(&Scope::system(account.id, "test"), &new, now()).await.expect("made");
    token.reveal().to_owned()
}

async fn enroll(server: &Server, caller: &Caller, token: &str, name: &str) -> Answer {
    let body = json!({ "token": token, "agent_id": name, "facts": { "hostname": name } });
    caller.send_json(server, Method::POST, "/ingest/v1/enroll", &[], &body).await
}

async fn send(server: &Server, caller: &Caller, token: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    caller.send_json(server, Method::POST, METRICS, &[("authorization", &bearer)], body).await
}

fn batch(ago: std::ops::Range<i64>) -> Value {
    let rows: Vec<_> = ago
        .map(|ago| json!({ "timestamp": now().hour_start().plus_seconds(-ago).to_string(), "cpu_percent": 1.5 }))
        .collect();
    json!({ "metrics": rows })
}

async fn what_is_acknowledged_is_there_once(kind: Kind) {
    let database = Database::new(kind).await;
    let office = database.office().await;
    let account = office.account("one", Plan::Enterprise).await;
    let (key, token) = (office.key(&account).await, enrolment(&office, &account, 4).await);
    office.close().await;
    let (server, caller) = (Server::start(&database), Caller::new());
    let mut agents = Vec::new();
    for number in 0..4 {
        let answer = enroll(&server, &caller, &token, &format!("web-{number}")).await;
        assert_eq!(answer.status, 201, "{answer:?}");
        agents.push(answer.json()["agent_token"].as_str().expect("a token").to_owned());
    }
    assert_eq!(enroll(&server, &caller, &token, "web-4").await.status, 401);
    for agent in &agents {
        let first = send(&server, &caller, agent, &batch(0..500)).await;
        assert_eq!((first.status, &first.json()["taken"]), (200, &json!(500)), "{first:?}");
        let again = send(&server, &caller, agent, &batch(400..600)).await.json();
        assert_eq!((&again["taken"], &again["known"]), (&json!(100), &json!(100)));
    }
    let found = caller.get(&server, "/api/v1/metrics?limit=1", &key.secret).await.json();
    assert_eq!(found["total"], 4 * 600);
    let online = caller.get(&server, "/api/v1/agents", &key.secret).await.json();
    assert!(online["agents"].as_array().expect("agents").iter().all(|agent| agent["status"] == "online"));
    assert_eq!(caller.get(&server, "/api/v1/metrics", &agents[0]).await.status, 401);
    assert_eq!(send(&server, &caller, &key.secret, &batch(0..1)).await.status, 401);
    server.stop().await;
}

#[tokio::test]
async fn on_sqlite_what_is_acknowledged_is_there_once() {
    what_is_acknowledged_is_there_once(Kind::Sqlite).await;
}

#[tokio::test]
async fn on_postgres_what_is_acknowledged_is_there_once() {
    what_is_acknowledged_is_there_once(Kind::Postgres).await;
}

/// Sends a head that announces `length` bytes, then as many bytes of it a tenth of a second until the server hangs up or
/// answers; how long that took, and the first byte of the answer.
async fn upload(address: &str, token: &str, length: usize, step: usize) -> (Duration, Option<u8>) {
    let mut wire = Wire::connect(address).await;
    let began_at = Instant::now();
    let head = format!(
        "POST {METRICS} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Type: \
         application/json\r\nContent-Length: {length}\r\n\r\n"
    );
    wire.send(head.as_bytes()).await.expect("sent");
    let mut body = b"{\"metrics\": []".to_vec();
    body.resize(length - 1, b' ');
    body.push(b'}');
    for part in body.chunks(step) {
        if wire.send(part).await.is_err() {
            break;
        }
        sleep(Duration::from_millis(100)).await;
        if began_at.elapsed() > Duration::from_secs(60) {
            break;
        }
    }
    let answer = timeout(Duration::from_secs(20), wire.read_byte()).await.expect("it ends");
    (began_at.elapsed(), answer)
}

#[tokio::test]
async fn a_slow_line_sends_its_batch_and_a_drip_is_given_up() {
    let database = Database::sqlite();
    let office = database.office().await;
    let account = office.account("one", Plan::Enterprise).await;
    let token = enrolment(&office, &account, 1).await;
    office.close().await;
    let (server, caller) = (Server::start(&database), Caller::new());
    let agent = enroll(&server, &caller, &token, "web-1").await.json();
    let agent = agent["agent_token"].as_str().expect("a token").to_owned();
    let mut uploads = JoinSet::new();
    // 10 KB/s for 15 s; 200 B/s; and a slow one that nobody let in.
    for (name, token, length, step) in [
        ("slow", agent.clone(), 150_000, 1_000),
        ("drip", agent.clone(), 150_000, 20),
        ("stranger", "x".to_owned(), 150_000, 1_000),
    ] {
        let address = server.address().to_owned();
        uploads.spawn(async move { (name, upload(&address, &token, length, step).await) });
    }
    while let Some(done) = uploads.join_next().await {
        let (name, (took, answer)) = done.expect("no panic");
        match name {
            "slow" => assert!(answer == Some(b'H') && took > Duration::from_secs(14), "{took:?}"),
            "drip" => assert!(took < Duration::from_secs(25), "{took:?}"),
            _ => assert!(took < Duration::from_secs(20), "{took:?}"),
        }
    }
    server.stop().await;
}
