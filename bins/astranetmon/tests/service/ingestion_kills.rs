//! Agents report while the server is killed again and again: each row that it acknowledged is there, once.

use std::time::Duration;

use astranetmon_domain::{Plan, Timestamp};
use astranetmon_storage::testing::sqlite_integrity;
use rand::RngExt;
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::support::{Caller, Database, Kind, Server, alone, count, now, record_id, unforeseen};

const SENDERS: u64 = 16;
const BATCH: u64 = 20;

/// What one sender sends: rows numbered from 0, so that anybody can say which rows there must be.
#[derive(Clone, Copy, Debug)]
enum Records {
    Metrics,
    Speedtests,
    Traceroutes,
}

impl Records {
    fn of(sender: u64) -> Self {
        match sender {
            0 | 1 => Self::Speedtests,
            2 | 3 => Self::Traceroutes,
            _ => Self::Metrics,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Metrics => "metrics",
            Self::Speedtests => "speedtests",
            Self::Traceroutes => "traceroutes",
        }
    }

    /// The field that holds a row's number.
    const fn numbered(self) -> &'static str {
        match self {
            Self::Metrics => "process_count",
            Self::Speedtests => "download_bytes",
            Self::Traceroutes => "duration_ms",
        }
    }

    fn row(self, start: Timestamp, sender: u64, number: u64) -> Value {
        let timestamp = at(start, number).to_string();
        let id = record_id(sender << 32 | number).to_string();
        match self {
            Self::Metrics => json!({ "timestamp": timestamp, "process_count": number }),
            Self::Speedtests => json!({
                "id": id, "timestamp": timestamp, "status": "completed", "download_bytes": number,
            }),
            Self::Traceroutes => json!({
                "id": id, "timestamp": timestamp, "target": "192.0.2.1", "protocol": "icmp", "status": "incomplete",
                "duration_ms": number, "hops": [],
            }),
        }
    }

    /// What readers find of a sender, newest first: the time and number of each row. Every page says how many there
    /// are in all.
    async fn walk(self, server: &Server, key: &str, sender: u64) -> Vec<(String, u64)> {
        let (caller, name) = (Caller::new(), self.name());
        let mut found = Vec::new();
        let mut total = None;
        let mut path = Some(format!("/api/v1/{name}?agent_id=sender-{sender}&limit=1000"));
        while let Some(asked) = path {
            let answer = caller.get(server, &asked, key).await;
            assert_eq!(answer.status, 200, "{answer:?}");
            let body = answer.json();
            let rows = body[name].as_array().expect("an array");
            found.extend(rows.iter().map(|row| {
                let timestamp = row["timestamp"].as_str().expect("a time").to_owned();
                (timestamp, row[self.numbered()].as_u64().expect("a number"))
            }));
            assert_eq!(*total.get_or_insert_with(|| body["total"].as_u64()), body["total"].as_u64());
            path = answer.next_page();
        }
        assert_eq!(total.flatten(), Some(found.len() as u64), "{name} of sender {sender}");
        found
    }
}

/// When a row was measured: a second after the one before.
fn at(start: Timestamp, number: u64) -> Timestamp {
    start.plus_seconds(i64::try_from(number).expect("few"))
}

struct Sender {
    number: u64,
    token: String,
    start: Timestamp,
    server: watch::Receiver<String>,
    over: watch::Receiver<bool>,
}

impl Sender {
    /// Sends until it is over, each batch until it is acknowledged; how many rows were.
    async fn run(self) -> u64 {
        let (caller, records) = (Caller::new(), Records::of(self.number));
        let path = format!("/ingest/v1/{}", records.name());
        let mut acknowledged = 0;
        while !*self.over.borrow() {
            let rows: Vec<_> =
                (acknowledged..acknowledged + BATCH).map(|it| records.row(self.start, self.number, it)).collect();
            let body = json!({ records.name(): rows });
            loop {
                let url = self.server.borrow().clone();
                match caller.try_post(&url, &path, &self.token, &body).await {
                    Ok(answer) if answer.status == 200 => {
                        let said = answer.json();
                        let kept =
                            said["taken"].as_u64().expect("a number") + said["known"].as_u64().expect("a number");
                        assert_eq!(kept, BATCH, "{said}");
                        acknowledged += BATCH;
                        break;
                    }
                    Ok(answer) => assert!(matches!(answer.status, 429 | 503), "{answer:?}"),
                    // Nobody knows whether it was stored: it is sent again.
                    Err(_) => {}
                }
                sleep(Duration::from_millis(10)).await;
            }
        }
        acknowledged
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_acknowledged_row_is_there_once_after_kills_under_ingestion() {
    let _alone = alone().await;
    let kills = count(5, 50);
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("kills", Plan::Enterprise).await;
        let mut tokens = Vec::new();
        for sender in 0..SENDERS {
            tokens.push(office.agent_token(&account, &format!("sender-{sender}")).await);
        }
        let key = office.key(&account).await;
        office.close().await;

        let start = now().plus_seconds(-86_400).to_millis_precision();
        let mut server = Server::start(&database);
        let (url, server_url) = watch::channel(server.url().to_owned());
        let (end, over) = watch::channel(false);
        let mut senders = JoinSet::new();
        for (number, token) in (0..).zip(tokens) {
            let sender = Sender { number, token, start, server: server_url.clone(), over: over.clone() };
            senders.spawn(async move { (number, sender.run().await) });
        }
        for _ in 0..kills {
            sleep(Duration::from_millis(unforeseen().random_range(50..400))).await;
            server.kill();
            server = Server::start(&database);
            url.send_replace(server.url().to_owned());
        }
        sleep(Duration::from_millis(200)).await;
        end.send_replace(true);
        let acknowledged: Vec<_> = senders.join_all().await;
        server.kill();
        if let Some(path) = database.file() {
            assert_eq!(sqlite_integrity(path).expect("checked"), ["ok"]);
        }
        server = Server::start(&database);
        let mut rows = 0;
        for (sender, acknowledged) in acknowledged {
            assert!(acknowledged > 0, "sender {sender} got nothing through");
            let records = Records::of(sender);
            let expected: Vec<_> = (0..acknowledged).rev().map(|it| (at(start, it).to_string(), it)).collect();
            let stored = records.walk(&server, &key.secret, sender).await;
            assert!(stored == expected, "{kind:?}, sender {sender}: {} of {acknowledged}", stored.len());
            rows += acknowledged;
        }
        println!("{kind:?}: {kills} kills, {rows} rows acknowledged, each there once");
        server.stop().await;
    }
}
