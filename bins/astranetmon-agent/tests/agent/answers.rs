use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use astranetmon_agent::Pace;

use crate::support::fake_server::{FakeServer, Reply, Store};
use crate::support::request::Request;
use crate::support::{FAST, SILENT, agent, counts, fill, row, run};

const ROWS: i64 = 2_500;

/// Every row is there once, those of a kind in their order.
fn assert_complete(store: &Store, numbers: impl Iterator<Item = i64> + Clone, what: &str) {
    assert_eq!(store.rows.len(), numbers.clone().count(), "{what}");
    for kind in ["metrics", "traceroutes", "speedtests"] {
        let expected: Vec<String> = numbers
            .clone()
            .filter(|&number| row(number).kind.plural() == kind)
            .map(|number| if kind == "metrics" { row(number).timestamp.to_string() } else { number.to_string() })
            .collect();
        assert_eq!(store.keys_of(kind), expected, "{what}");
    }
}

#[tokio::test]
async fn what_waits_is_sent_in_order_in_batches_over_one_connection() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..ROWS);
    run(agent(&server, SILENT), folder.path(), server.has_rows(2_500)).await;
    let store = server.store();
    assert_complete(&store, 0..ROWS, "at once");
    assert_eq!((store.known, store.connections, store.most_in_flight), (0, 1, 1));
    assert!(store.batches.len() <= 9 && *store.batches.iter().max().expect("some") >= 800, "{:?}", store.batches);
    assert!(store.encoded_bytes < 40_000, "compressed to {} bytes", store.encoded_bytes);
    let first = &store.heartbeats[0];
    assert_eq!(first["spool"]["row_count"], 2_500, "the server is told first how much waits");
    assert_eq!(first["spool"]["oldest_timestamp"], row(0).timestamp.to_string());
    assert_eq!(first["spool"]["dropped_row_count"], 0);
    assert!(first["cost"]["memory_bytes"].as_i64().expect("known") > 0);
    assert!(first["facts"]["hostname"].is_string());
    drop(store);
    assert_eq!(counts(folder.path()).settled, 2_500);
}

#[tokio::test]
async fn an_agent_that_stops_waits_for_the_answer_to_what_it_sent() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..50);
    server.behave(|_| Reply::TakeAndWait(Duration::from_millis(300)));
    let pace = Pace { farewell: Duration::from_secs(20), ..SILENT };
    run(agent(&server, pace), folder.path(), server.has_rows(1)).await;
    let store = server.store();
    assert_complete(&store, 0..50, "with the rows of other kinds");
    assert_eq!(store.known, 0, "no row went twice");
    drop(store);
    assert_eq!(counts(folder.path()).waiting, 0);
}

#[tokio::test]
async fn whatever_the_server_answers_rows_arrive_once_and_in_order() {
    const HTML: &str = "<html>this is not the answer that you are looking for</html>";
    type Misbehaviour = fn(usize, &Request) -> Reply;
    // (what the server does, how it answers its first five requests)
    let table: [(&str, Misbehaviour); 12] = [
        ("500", |_, _| Reply::Status(500, "", r#"{"error": "An internal error occurred."}"#)),
        ("503", |_, _| Reply::Status(503, "Retry-After: 0\r\n", r#"{"error": "Later."}"#)),
        ("507", |_, _| Reply::Status(507, "", r#"{"error": "The database is full."}"#)),
        ("429", |_, _| Reply::Status(429, "Retry-After: 0\r\n", r#"{"error": "Slower."}"#)),
        ("404 of another server", |_, _| Reply::Status(404, "", HTML)),
        ("400 of a proxy", |_, request| {
            if request.path.ends_with("heartbeat") { Reply::Take } else { Reply::Status(400, "", HTML) }
        }),
        ("a redirect", |_, _| Reply::Status(302, "Location: http://127.0.0.1:1/\r\n", "")),
        ("a page with 200", |_, _| Reply::Status(200, "", HTML)),
        ("an answer about other rows", |_, _| {
            Reply::Status(
                200,
                "",
                r#"{"taken":0,"known":0,"refused":0,"known_rows":[],"refused_rows":[],"ignored_fields":[]}"#,
            )
        }),
        ("garbage after it took the rows", |_, _| Reply::TakeAndSend(b"\0\x01\x02 what?\r\n\r\n")),
        ("half an answer after it took the rows", |_, _| {
            Reply::TakeAndSend(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{\"taken\":")
        }),
        ("a closed connection", |_, _| Reply::Close),
    ];
    for (what, misbehave) in table {
        let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
        fill(folder.path(), 0..ROWS);
        let number = AtomicUsize::new(0);
        server.behave(move |request| match number.fetch_add(1, Ordering::SeqCst) {
            number @ 0..5 => misbehave(number, request),
            _ => Reply::Take,
        });
        run(agent(&server, SILENT), folder.path(), server.has_rows(2_500)).await;
        assert_complete(&server.store(), 0..ROWS, what);
        let counts = counts(folder.path());
        assert_eq!((counts.settled, counts.dropped, counts.refused, counts.waiting), (2_500, 0, 0, 0), "{what}");
    }
}

#[tokio::test]
async fn a_server_that_hangs_is_given_up_and_tried_again() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..50);
    let mut hangs = 2;
    server.behave(move |_| {
        hangs -= i32::from(hangs > 0);
        if hangs > 0 { Reply::Hang } else { Reply::Take }
    });
    let start = Instant::now();
    run(agent(&server, SILENT), folder.path(), server.has_rows(50)).await;
    assert!(start.elapsed() >= SILENT.request_timeout);
    assert_complete(&server.store(), 0..50, "after it hung");
}

#[tokio::test]
async fn the_time_that_a_server_asks_for_is_given() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..50);
    let asked = Arc::new(Mutex::new(Vec::new()));
    let times = Arc::clone(&asked);
    server.behave(move |_| {
        let mut times = times.lock().expect("no panic");
        times.push(Instant::now());
        if times.len() == 1 { Reply::Status(429, "Retry-After: 2\r\n", r#"{"error": "Slower."}"#) } else { Reply::Take }
    });
    run(agent(&server, SILENT), folder.path(), server.has_rows(50)).await;
    let asked = asked.lock().expect("no panic");
    let pause = asked[1].duration_since(asked[0]);
    assert!(pause >= Duration::from_millis(1_950), "asked again after {pause:?}");
}

#[tokio::test]
async fn a_body_that_is_too_large_is_halved() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..ROWS);
    server.behave(|request| {
        let rows = request
            .body
            .as_object()
            .expect("an object")
            .values()
            .filter_map(|value| value.as_array())
            .map(Vec::len)
            .sum::<usize>();
        if rows > 120 { Reply::Status(413, "", r#"{"error": "Too large."}"#) } else { Reply::Take }
    });
    run(agent(&server, SILENT), folder.path(), server.has_rows(2_500)).await;
    let store = server.store();
    assert_complete(&store, 0..ROWS, "in small pieces");
    assert!(store.batches.iter().all(|&rows| rows <= 120));
    assert!(store.requests < store.batches.len() + 15, "the size is remembered");
}

#[tokio::test]
async fn one_row_that_no_server_can_read_goes_alone() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..500);
    let bad = row(123).timestamp.to_string();
    server.behave(move |request| {
        if request.body.to_string().contains(&bad) {
            Reply::Status(400, "", r#"{"error": "Invalid body: metrics[0] cannot be read."}"#)
        } else {
            Reply::Take
        }
    });
    run(agent(&server, SILENT), folder.path(), server.has_rows(499)).await;
    assert_complete(&server.store(), (0..500).filter(|&number| number != 123), "all but the bad one");
    let counts = counts(folder.path());
    assert_eq!((counts.settled, counts.refused, counts.dropped), (500, 1, 0));
}

#[tokio::test]
async fn one_row_at_which_the_server_always_fails_holds_up_no_others_for_ever() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..500);
    let bad = row(123).timestamp.to_string();
    server.behave(move |request| {
        // Heartbeats name the oldest row that waits, and are answered all the same.
        if !request.path.ends_with("heartbeat") && request.body.to_string().contains(&bad) {
            Reply::Status(500, "", r#"{"error": "An internal error occurred."}"#)
        } else {
            Reply::Take
        }
    });
    run(agent(&server, SILENT), folder.path(), server.has_rows(499)).await;
    assert_complete(&server.store(), (0..500).filter(|&number| number != 123), "all but the bad one");
    let counts = counts(folder.path());
    assert_eq!((counts.settled, counts.refused, counts.dropped), (500, 1, 0));
}

#[tokio::test]
async fn a_server_that_fails_at_everything_for_long_gets_every_row_later() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..ROWS);
    let mut requests = 0;
    server.behave(move |request| {
        requests += 1;
        // The first heartbeat passes, so that rows are sent at all; then sixty requests fail, whatever they bring.
        if requests > 61 || (requests == 1 && request.path.ends_with("heartbeat")) {
            Reply::Take
        } else {
            Reply::Status(500, "", r#"{"error": "An internal error occurred."}"#)
        }
    });
    run(agent(&server, SILENT), folder.path(), server.has_rows(2_500)).await;
    assert_complete(&server.store(), 0..ROWS, "later");
    assert_eq!(counts(folder.path()).refused, 0);
}

#[tokio::test]
async fn refused_rows_are_not_sent_again_and_counted() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..10);
    server.behave(|request| if request.path.ends_with("metrics") { Reply::Refuse(vec![0, 4]) } else { Reply::Take });
    run(agent(&server, SILENT), folder.path(), server.has_rows(8)).await;
    assert_complete(&server.store(), [1, 2, 3, 5, 6, 7, 8, 9].into_iter(), "all but the refused");
    assert_eq!(counts(folder.path()).refused, 2);
}

#[tokio::test]
async fn a_server_that_reads_no_gzip_is_spoken_to_without() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    fill(folder.path(), 0..50);
    server.behave(|request| {
        let is_row = !request.path.ends_with("heartbeat");
        if is_row && request.headers.contains_key("content-encoding") {
            Reply::Status(415, "", r#"{"error": "No such encoding."}"#)
        } else {
            Reply::Take
        }
    });
    run(agent(&server, SILENT), folder.path(), server.has_rows(50)).await;
    assert_complete(&server.store(), 0..50, "uncompressed");
}

#[tokio::test]
async fn an_agent_that_is_not_accepted_keeps_its_rows_and_asks_seldom() {
    let (server, folder) = (FakeServer::start(), tempfile::tempdir().expect("folder"));
    server.behave(|_| Reply::Status(401, "", r#"{"error": "The token is not valid."}"#));
    let waited = tokio::time::sleep(Duration::from_secs(2));
    run(agent(&server, FAST), folder.path(), waited).await;
    let refused = std::mem::take(&mut server.store().requests);
    assert!((2..=13).contains(&refused), "{refused} requests in ten of the longest waits");
    let waiting = counts(folder.path()).waiting;
    assert!(waiting >= 10, "{waiting} rows wait");
    server.behave(|_| Reply::Take);
    run(agent(&server, SILENT), folder.path(), server.has_rows(usize::try_from(waiting).expect("few"))).await;
    assert_eq!(counts(folder.path()).waiting, 0);
}
