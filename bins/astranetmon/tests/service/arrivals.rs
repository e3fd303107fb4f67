//! Copies that are kept up to date, and streams: each record once, whatever happens between.

use std::collections::BTreeMap;
use std::time::Duration;

use astranetmon_domain::{Plan, Timestamp};
use reqwest::{Client, Response};
use serde_json::{Value, json};
use tokio::time::{Instant, timeout};

use crate::support::{Caller, Database, Key, Kind, Server, now, record_id, succeeds};

/// A stream looks once a second; a busy machine takes longer.
const COMES_WITHIN: Duration = Duration::from_secs(20);

fn at(seconds: i64) -> String {
    Timestamp::from_seconds(now().as_seconds() - 100_000 + seconds).to_string()
}

async fn send_metrics(server: &Server, token: &str, times: &[String]) {
    let rows: Vec<Value> =
        times.iter().map(|at| json!({ "agent_id": "agent-1", "timestamp": at, "cpu_percent": 1.5 })).collect();
    let taken = Caller::new().try_post(server.url(), "/ingest/v1/metrics", token, &json!({ "metrics": rows })).await;
    let taken = taken.expect("an answer");
    assert_eq!((taken.status, &taken.json()["refused"]), (200, &0.into()), "{taken:?}");
}

async fn send_speedtest(server: &Server, token: &str, number: u64, at: &str) {
    let id = record_id(number).to_string();
    let row = json!({ "speedtests": [{ "id": id, "agent_id": "agent-1", "timestamp": at, "status": "completed" }] });
    let taken = Caller::new().try_post(server.url(), "/ingest/v1/speedtests", token, &row).await.expect("an answer");
    assert_eq!(taken.status, 200, "{taken:?}");
}

#[derive(Clone, Debug, PartialEq)]
struct Event {
    id: String,
    kind: String,
    timestamp: String,
}

/// A client of a stream.
struct Stream {
    response: Response,
    unread: String,
    /// Of the last event, or of the last sign.
    id: String,
}

impl Stream {
    async fn open(server: &Server, key: &str, query: &str, last: Option<&str>) -> Self {
        let request = Client::builder().no_proxy().build().expect("a client");
        let mut request = request.get(format!("{}/api/v1/stream{query}", server.url())).bearer_auth(key);
        if let Some(last) = last {
            request = request.header("Last-Event-ID", last);
        }
        let response = request.send().await.expect("an answer");
        assert_eq!(response.status(), 200, "{query}");
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut stream = Self { response, unread: String::new(), id: String::new() };
        // Tells its place at once, so that nothing is missed by who is cut off before the first event.
        assert_eq!(stream.block().await.expect("a sign").1, None);
        stream
    }

    /// The next block: its id, and its event if it has data. `None` at the end.
    async fn block(&mut self) -> Option<(String, Option<Event>)> {
        loop {
            if let Some((block, rest)) = self.unread.split_once("\n\n") {
                let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
                let id = field("id: ").expect("an id");
                let event = field("data: ").map(|data| {
                    let data: Value = serde_json::from_str(&data).expect("JSON");
                    let timestamp = data["timestamp"].as_str().expect("a time").to_owned();
                    Event { id: id.clone(), kind: field("event: ").expect("a kind"), timestamp }
                });
                self.unread = rest.to_owned();
                self.id.clone_from(&id);
                return Some((id, event));
            }
            let chunk = timeout(COMES_WITHIN, self.response.chunk()).await.expect("in time");
            self.unread.push_str(std::str::from_utf8(&chunk.ok().flatten()?).expect("text"));
        }
    }

    /// So many events.
    async fn events(&mut self, count: usize) -> Vec<Event> {
        let mut events = Vec::new();
        while events.len() < count {
            events.extend(self.block().await.expect("a block").1);
        }
        events
    }
}

/// A server, a key, and the token of an agent.
async fn served(database: &Database, plan: Plan) -> (Server, Key, String) {
    let office = database.office().await;
    let account = office.account("stream", plan).await;
    let (key, token) = (office.key(&account).await, office.agent_token(&account, "agent-1").await);
    office.close().await;
    (Server::start(database), key, token)
}

#[tokio::test]
async fn a_stream_gives_each_record_once_through_late_rows_and_restarts() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let (mut server, key, token) = served(&database, Plan::Enterprise).await;
        let mut stream = Stream::open(&server, &key.secret, "", None).await;
        let mut expected = Vec::new();
        let mut seen = Vec::new();
        for round in 0..4 {
            // In time, and late.
            for second in [round * 10 + 5_000, round * 10 + 1] {
                let times = [at(second), at(second + 1)];
                send_metrics(&server, &token, &times).await;
                expected.extend(times.map(|at| ("metric", at)));
            }
            let time = at(round * 10 + 7_000);
            send_speedtest(&server, &token, round as u64, &time).await;
            expected.push(("speedtest", time));
            // Sent again, it is known.
            send_metrics(&server, &token, &[expected[0].1.clone()]).await;
            if round % 2 == 0 {
                seen.extend(stream.events(expected.len() - seen.len()).await);
            }
            let last = stream.id.clone();
            // What comes while nobody listens, and what came while the server was ended.
            drop(stream);
            if round == 1 {
                server.kill()
            } else {
                server.stop().await
            }
            server = Server::start(&database);
            let time = at(round * 10 + 9_000);
            send_metrics(&server, &token, std::slice::from_ref(&time)).await;
            expected.push(("metric", time));
            stream = Stream::open(&server, &key.secret, "", Some(&last)).await;
        }
        seen.extend(stream.events(expected.len() - seen.len()).await);
        let seen: Vec<(&str, String)> =
            seen.iter().map(|event| (event.kind.as_str(), event.timestamp.clone())).collect();
        assert_eq!(seen, expected, "{kind:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_slow_reader_of_a_stream_misses_nothing() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let (server, key, token) = served(&database, Plan::Enterprise).await;
        let mut stream = Stream::open(&server, &key.secret, "?kinds=metrics&agent_id=agent-1", None).await;
        let mut expected = Vec::new();
        for batch in 0..12 {
            let times: Vec<String> = (0..500).map(|second| at(batch * 500 + second)).collect();
            send_metrics(&server, &token, &times).await;
            expected.extend(times);
            // It reads a little of what is there, and no more.
            assert!(stream.block().await.is_some());
            if batch == 0 {
                assert_eq!(stream.events(9).await.len(), 9);
            }
        }
        let mut again = Stream::open(&server, &key.secret, "?kinds=metrics&agent_id=agent-1&after=", None).await;
        let all = again.events(expected.len()).await;
        let times: Vec<&String> = all.iter().map(|event| &event.timestamp).collect();
        assert_eq!(times, expected.iter().collect::<Vec<_>>(), "{kind:?}");
        let place = all.iter().position(|event| event.id == stream.id).expect("where it stands");
        let rest = stream.events(expected.len() - place - 1).await;
        assert_eq!(rest, all[place + 1..], "{kind:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn a_key_has_eight_streams_and_its_end_is_theirs() {
    let database = Database::sqlite();
    let (server, key, token) = served(&database, Plan::Starter).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(Stream::open(&server, &key.secret, "", None).await);
    }
    let caller = Caller::new();
    let refused = caller.get(&server, "/api/v1/stream", &key.secret).await;
    assert_eq!((refused.status, refused.header("retry-after")), (429, Some("1")), "{refused:?}");
    streams.pop();
    send_metrics(&server, &token, &[at(1)]).await;
    // That one has gone is noticed when something is sent to it.
    let begun_at = Instant::now();
    while caller.get(&server, "/api/v1/stream?seconds=0", &key.secret).await.status == 429 {
        assert!(begun_at.elapsed() < COMES_WITHIN);
    }
    let mut last = Stream::open(&server, &key.secret, "?after=", None).await;
    assert_eq!(last.events(1).await[0].kind, "metric");
    // Those that ask for an end have one.
    drop(streams);
    let begun_at = Instant::now();
    while caller.get(&server, "/api/v1/stream?seconds=0", &key.secret).await.status == 429 {
        assert!(begun_at.elapsed() < COMES_WITHIN);
    }
    let ended = caller.get(&server, "/api/v1/stream?seconds=0&after=", &key.secret).await;
    assert_eq!((ended.status, ended.body.matches("event: metric\n").count()), (200, 1), "{ended:?}");
    assert!(ended.header("x-ratelimit-remaining").is_some(), "each that was asked for is one request");
    succeeds(&database, &["key", "revoke", "--account", "stream", &key.id.to_string()]).await;
    while timeout(Duration::from_secs(10), last.block()).await.expect("ended in time").is_some() {}
    server.stop().await;
}

#[tokio::test]
async fn a_copy_of_each_list_is_whole_after_restarts() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let (mut server, key, token) = served(&database, Plan::Enterprise).await;
        let caller = Caller::new();
        let mut copied: BTreeMap<String, u32> = BTreeMap::new();
        let (mut expected, mut place) = (Vec::new(), String::new());
        for round in 0..5 {
            let times: Vec<String> =
                (0..30).map(|second| at([9_000, 0][round % 2] + round as i64 * 100 + second)).collect();
            send_metrics(&server, &token, &times).await;
            expected.extend(times);
            let mut next = Some(format!("/api/v1/metrics?limit=7&after={place}"));
            while let Some(path) = next {
                let answer = caller.get(&server, &path, &key.secret).await;
                assert_eq!(answer.status, 200, "{answer:?}");
                let body = answer.json();
                assert_eq!(body["total"], expected.len(), "{kind:?}");
                for row in body["metrics"].as_array().expect("rows") {
                    *copied.entry(row["timestamp"].as_str().expect("a time").to_owned()).or_default() += 1;
                }
                place = answer.header("sync-cursor").expect("a place").to_owned();
                next = answer.next_page();
            }
            assert!(copied.values().all(|times| *times == 1));
            assert_eq!(copied.len(), expected.len(), "{kind:?}");
            server.kill();
            server = Server::start(&database);
            let same = caller.get(&server, &format!("/api/v1/metrics?after={place}"), &key.secret).await;
            assert_eq!((same.json()["metrics"].as_array().map(Vec::len), same.next_page()), (Some(0), None));
            assert_eq!(same.header("sync-cursor"), Some(place.as_str()));
            let elsewhere = caller.get(&server, &format!("/api/v1/speedtests?after={place}"), &key.secret).await;
            assert_eq!(elsewhere.status, 400);
        }
        let lines = caller.get(&server, "/api/v1/metrics?after=&format=ndjson&limit=1000", &key.secret).await;
        let trailer: Value = serde_json::from_str(lines.body.lines().last().expect("a line")).expect("JSON");
        assert_eq!(trailer["sync_cursor"].as_str(), lines.header("sync-cursor"));
        assert_eq!(trailer["row_count"], expected.len());
    }
}
