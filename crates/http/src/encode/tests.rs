//! Lists in every format, as callers read them.

use std::future::poll_fn;
use std::pin::Pin;

use actix_web::body::{BodySize, MessageBody};
use actix_web::http::header;
use actix_web::test::TestRequest;
use astranetmon_auth::{PermissionSet, Principal};
use serde_json::Value;

use super::{Fields, Format, ListBody, RecordRows, Shape};
use crate::testing::{Answer, TestApi, key_principal, sample_records};
use crate::wire::TracerouteRecord;

const LISTS: [&str; 4] = ["agents", "metrics", "speedtests", "traceroutes"];

fn everything() -> Principal {
    key_principal(1, PermissionSet::ALL)
}

async fn filled(minutes: i64) -> TestApi {
    let api = TestApi::new().await;
    api.fill(1, minutes).await;
    api
}

async fn get(api: &TestApi, path: &str) -> Answer {
    let answer = api.get(path, Some(&everything())).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer
}

fn header<'a>(answer: &'a Answer, name: &str) -> Option<&'a str> {
    answer.headers.get(name).map(|value| value.to_str().expect("ASCII"))
}

/// The rows of a list in JSON.
fn rows(list: &str, answer: &Answer) -> Vec<Value> {
    answer.json()[list].as_array().expect("a list").clone()
}

fn lines(answer: &Answer) -> Vec<Value> {
    let text = std::str::from_utf8(&answer.body).expect("text");
    assert!(text.ends_with('\n'));
    text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// A table as RFC 4180 has it.
fn table(answer: &Answer) -> Vec<Vec<String>> {
    let text = std::str::from_utf8(&answer.body).expect("text");
    let (mut table, mut row, mut cell) = (Vec::new(), Vec::new(), String::new());
    let mut rest = text.chars().peekable();
    let mut quoted = false;
    while let Some(next) = rest.next() {
        match next {
            '"' if quoted && rest.peek() == Some(&'"') => cell.extend(rest.next()),
            '"' => quoted = !quoted,
            ',' if !quoted => row.push(std::mem::take(&mut cell)),
            '\r' if !quoted => {
                assert_eq!(rest.next(), Some('\n'));
                row.push(std::mem::take(&mut cell));
                table.push(std::mem::take(&mut row));
            }
            next => cell.push(next),
        }
    }
    assert!(!quoted && cell.is_empty() && row.is_empty(), "it ends with a line end");
    table
}

/// A value as a cell has it, but for the apostrophe.
fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

#[actix_web::test]
async fn every_format_holds_the_same_rows() {
    let api = filled(40).await;
    for list in LISTS {
        for query in ["limit=7", "limit=1000", "limit=1000&fields=id", "limit=3&fields=timestamp,agent_id"] {
            if query.contains("fields=id") && list == "metrics" || query.contains("agent_id") && list == "agents" {
                continue;
            }
            let path = format!("/api/v1/{list}?{query}");
            let json = get(&api, &path).await;
            let expected = rows(list, &json);
            let next = json.next().map(|next| next.split("cursor=").nth(1).expect("a cursor").to_owned());

            let ndjson = get(&api, &format!("{path}&format=ndjson")).await;
            assert_eq!(header(&ndjson, "content-type"), Some("application/x-ndjson; charset=utf-8"));
            let mut read = lines(&ndjson);
            let trailer = read.pop().expect("a trailer");
            assert_eq!(read, expected, "{path}");
            let keys: Vec<_> = trailer.as_object().expect("an object").keys().collect();
            assert_eq!(keys, ["next_cursor", "row_count", "total"]);
            assert_eq!(trailer["row_count"], expected.len());
            assert_eq!(trailer["total"], json.json()["total"]);
            assert_eq!(trailer["next_cursor"].as_str(), next.as_deref(), "{path}");
            assert_eq!(ndjson.next().is_some(), next.is_some());

            let csv = get(&api, &format!("{path}&format=csv")).await;
            assert_eq!(header(&csv, "content-type"), Some("text/csv; charset=utf-8; header=present"));
            let disposition = format!("attachment; filename=\"{list}.csv\"");
            assert_eq!(header(&csv, "content-disposition"), Some(disposition.as_str()));
            assert_eq!(csv.next().is_some(), next.is_some());
            let mut table = table(&csv);
            let names = table.remove(0);
            assert_eq!(table.len(), expected.len(), "{path}");
            for (row, expected) in table.iter().zip(&expected) {
                assert_eq!(names.len(), expected.as_object().expect("an object").len());
                for (name, found) in names.iter().zip(row) {
                    let found: &str = found;
                    match &expected[name] {
                        Value::Number(number) => assert_eq!(found.parse::<f64>().ok(), number.as_f64(), "{name}"),
                        Value::Array(_) | Value::Object(_) => {
                            let nested: Value = serde_json::from_str(found).expect("JSON");
                            assert_eq!(&nested, &expected[name], "{path} {name}");
                        }
                        other => assert_eq!(found, cell(other), "{path} {name}"),
                    }
                }
            }
        }
    }
}

#[actix_web::test]
async fn exactly_the_named_fields_come_in_the_records_order() {
    let api = filled(3).await;
    for (path, list, expected) in [
        ("/api/v1/agents?fields=status,hostname", "agents", r#"{"hostname":"host-agent-123","status":"online"}"#),
        ("/api/v1/agents?fields=labels", "agents", r#"{"labels":{"site":"ber"}}"#),
        ("/api/v1/metrics?fields=cpu_percent", "metrics", r#"{"cpu_percent":0.00}"#),
        (
            "/api/v1/metrics?fields=load_1,timestamp,agent_id,cpu_percent",
            "metrics",
            r#"{"agent_id":"agent-123","timestamp":"2026-11-23T11:26:58.000Z","cpu_percent":0.00,"load_1":null}"#,
        ),
        (
            "/api/v1/speedtests?fields=upload_mbps,download_mbps",
            "speedtests",
            r#"{"download_mbps":941.237,"upload_mbps":null}"#,
        ),
        ("/api/v1/traceroutes?fields=hop_count,target", "traceroutes", r#"{"target":"example.com","hop_count":1}"#),
    ] {
        let answer = get(&api, path).await;
        let text = String::from_utf8(answer.body).expect("text");
        let begin = format!("{{\"{list}\":[{expected}");
        assert!(text.starts_with(&begin), "{path}: {text}");
    }
}

#[actix_web::test]
async fn what_is_accepted_decides_where_no_format_is_named() {
    let api = filled(3).await;
    for (accept, query, expected) in [
        ("text/csv", "", "text/csv; charset=utf-8; header=present"),
        ("application/x-ndjson", "", "application/x-ndjson; charset=utf-8"),
        ("text/csv", "?format=json", "application/json; charset=utf-8"),
        ("text/html, */*;q=0.8", "", "application/json; charset=utf-8"),
        ("text/csv, application/problem+json", "", "text/csv; charset=utf-8; header=present"),
    ] {
        let request = TestRequest::get().uri(&format!("/api/v1/metrics{query}"));
        let answer = api.ask(request.insert_header((header::ACCEPT, accept)), Some(&everything())).await;
        assert_eq!(header(&answer, "content-type"), Some(expected), "{accept} {query}");
    }
    let request = TestRequest::get().uri("/api/v1/metrics?limit=0").insert_header((header::ACCEPT, "text/csv"));
    assert!(api.ask(request, Some(&everything())).await.error().starts_with("Invalid limit"));
}

#[actix_web::test]
async fn formats_have_tags_of_their_own() {
    let api = filled(3).await;
    let mut tags = Vec::new();
    for query in ["", "?format=ndjson", "?format=csv", "?fields=timestamp", "?fields=timestamp,agent_id"] {
        let answer = get(&api, &format!("/api/v1/metrics{query}")).await;
        tags.push(header(&answer, "etag").expect("a tag").to_owned());
    }
    let whole = get(&api, "/api/v1/metrics?format=json").await;
    assert_eq!(header(&whole, "etag"), Some(tags[0].as_str()));
    let swapped = get(&api, "/api/v1/metrics?fields=agent_id,timestamp").await;
    assert_eq!(header(&swapped, "etag"), Some(tags[4].as_str()));
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), 5);
}

#[actix_web::test]
async fn a_walk_by_trailers_sees_every_row_once() {
    let api = filled(50).await;
    let first = "/api/v1/metrics?format=ndjson&limit=9&fields=agent_id,timestamp";
    let (mut walked, mut next) = (Vec::new(), Some(String::new()));
    while let Some(cursor) = next {
        let mut read = lines(&get(&api, &format!("{first}{cursor}")).await);
        let trailer = read.pop().expect("a trailer");
        assert_eq!((&trailer["row_count"], &trailer["total"]), (&read.len().into(), &100.into()));
        walked.extend(read);
        next = trailer["next_cursor"].as_str().map(|cursor| format!("&cursor={cursor}"));
    }
    let whole = get(&api, "/api/v1/metrics?limit=1000&fields=agent_id,timestamp").await;
    assert_eq!(walked, rows("metrics", &whole));
}

#[actix_web::test]
async fn what_spreadsheets_take_for_formulas_is_guarded() {
    let api = filled(1).await;
    for (_, agent) in api.storage.agents.lock().expect("not poisoned").iter_mut() {
        agent.facts.hostname = "=HYPERLINK(\"https://example.com\")".to_owned();
        agent.name = Some("-1+1".to_owned());
    }
    let csv = table(&get(&api, "/api/v1/agents?format=csv&fields=hostname,name,labels").await);
    assert_eq!(csv[0], ["hostname", "name", "labels"]);
    assert_eq!(csv[1], ["'=HYPERLINK(\"https://example.com\")", "'-1+1", "{\"site\":\"ber\"}"]);
    let json = get(&api, "/api/v1/agents?fields=hostname").await;
    assert_eq!(json.json()["agents"][0]["hostname"], "=HYPERLINK(\"https://example.com\")");
}

#[actix_web::test]
async fn an_empty_list_is_one_in_every_format() {
    let api = TestApi::new().await;
    for list in LISTS {
        let whole = get(&api, &format!("/api/v1/{list}")).await;
        assert_eq!(whole.body, format!("{{\"{list}\":[],\"total\":0}}").into_bytes());
        let ndjson = get(&api, &format!("/api/v1/{list}?format=ndjson")).await;
        assert_eq!(ndjson.body, b"{\"row_count\":0,\"total\":0,\"next_cursor\":null}\n");
        let csv = table(&get(&api, &format!("/api/v1/{list}?format=csv")).await);
        let document = serde_json::to_value(crate::endpoints::openapi()).expect("JSON");
        let parameters = document["paths"][format!("/api/v1/{list}")]["get"]["parameters"].as_array().expect("some");
        let fields = parameters.iter().find(|one| one["name"] == "fields").expect("documented");
        let names: Vec<_> = fields["schema"]["items"]["enum"].as_array().expect("names").iter().map(cell).collect();
        assert_eq!(csv, [names]);
    }
}

#[actix_web::test]
async fn long_lists_come_in_slices_of_bounded_size_and_short_ones_whole() {
    let (_, _, traceroute) = sample_records();
    for format in [Format::Json, Format::Ndjson, Format::Csv] {
        for (count, whole) in [(1, true), (60, true), (1_000, false)] {
            let rows = RecordRows::new(vec![traceroute.clone(); count]);
            let shape = Shape { fields: Fields::all(&TracerouteRecord::FIELDS), format };
            let mut body = ListBody::new(rows, shape, count as u64, None).respond().await.into_body();
            assert_eq!(matches!(body.size(), BodySize::Sized(_)), whole, "{format:?} {count}");
            let mut text = Vec::new();
            while let Some(slice) = poll_fn(|context| Pin::new(&mut body).poll_next(context)).await {
                let slice = slice.expect("a slice");
                assert!(slice.len() <= 62 * 1_024 || whole, "{format:?} {count}: {}", slice.len());
                text.extend(slice);
            }
            let records = text.windows(11).filter(|window| *window == b"example.com").count();
            assert_eq!(records, count, "{format:?}");
        }
    }
}
