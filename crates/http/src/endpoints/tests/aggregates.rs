//! Metrics put together, and lists that are narrowed.

use serde_json::{Value, json};

use super::{everything, openapi, schema_check};
use crate::testing::{Answer, TestApi};

/// Two agents that measured every minute of the last ten, 0, 0.25, … percent, the newest first.
async fn filled() -> TestApi {
    let api = TestApi::new().await;
    api.fill(1, 10).await;
    api
}

async fn get(api: &TestApi, path: &str) -> Answer {
    let answer = api.get(&format!("/api/v1/{path}"), Some(&everything())).await;
    assert_eq!(answer.status.as_u16(), 200, "{path}: {}", String::from_utf8_lossy(&answer.body));
    answer
}

#[actix_web::test]
async fn an_interval_has_a_row_with_the_chosen_figures_of_the_chosen_fields() {
    let api = filled().await;
    let document = serde_json::to_value(openapi()).expect("JSON");
    let path = "metrics?interval=5m&agg=avg,max&fields=cpu_percent,load_1&agent_id=b";
    let answer = get(&api, path).await.json();
    assert_eq!(answer["total"], 3);
    let expected = json!({
        "agent_id": "b",
        "timestamp": "2026-11-23T11:25:00.000Z",
        "interval_seconds": 300,
        "sample_count": 2,
        "cpu_percent_avg": 0.12,
        "cpu_percent_max": 0.12,
        "load_1_avg": null,
        "load_1_max": null,
    });
    assert_eq!(answer["metrics"][0], expected, "the fake knows averages only");
    let keys: Vec<_> = answer["metrics"][0].as_object().expect("an object").keys().cloned().collect();
    assert_eq!(keys.len(), 8);
    let schema = json!({ "$ref": "#/components/schemas/MetricAggregate" });
    for path in [path, "metrics?interval=1h&group_by=none", "metrics?points=5&start_date=-1h&group_by=label:site"] {
        for row in get(&api, path).await.json()["metrics"].as_array().expect("rows") {
            schema_check::check(row, &schema, &document).expect("as documented");
        }
    }
    let all = get(&api, "metrics?interval=1h").await.json();
    let row = all["metrics"][0].as_object().expect("an object");
    assert_eq!(row.len(), 4 + 26, "the averages of all fields");
    assert!(row["interval_seconds_avg"].is_null() && row["interval_seconds"] == 3_600);
}

#[actix_web::test]
async fn several_agents_are_put_together_in_a_row_of_nobody() {
    let api = filled().await;
    let together = get(&api, "metrics?interval=1h&group_by=none&fields=cpu_percent").await.json();
    assert_eq!((&together["total"], &together["metrics"][0]["agent_id"]), (&1.into(), &Value::Null));
    assert_eq!(together["metrics"][0]["sample_count"], 20);
    let by_label = get(&api, "metrics?interval=1h&group_by=label:rack&fields=cpu_percent").await.json();
    let row = by_label["metrics"][0].as_object().expect("an object");
    assert!(row.contains_key("group") && row["group"].is_null());
}

#[actix_web::test]
async fn intervals_are_walked_and_written_in_every_format() {
    let api = filled().await;
    let query = "interval=2m&fields=cpu_percent&agg=avg,count";
    let whole = get(&api, &format!("metrics?{query}")).await.json();
    let (mut walked, mut next) = (Vec::new(), Some(format!("/api/v1/metrics?{query}&limit=5")));
    while let Some(path) = next {
        let answer = api.get(&path, Some(&everything())).await;
        walked.extend(answer.json()["metrics"].as_array().expect("rows").clone());
        next = answer.next();
        // An open end stands still during a walk.
        api.clock.advance_seconds(600);
    }
    assert_eq!(json!(walked), whole["metrics"]);
    assert_eq!(whole["total"], walked.len());
    let api = filled().await;
    let lines = get(&api, &format!("metrics?{query}&format=ndjson&limit=2")).await;
    let lines: Vec<Value> = String::from_utf8(lines.body)
        .expect("text")
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines[..2], walked[..2]);
    assert_eq!((&lines[2]["row_count"], lines[2]["next_cursor"].is_string()), (&2.into(), true));
    let table = String::from_utf8(get(&api, &format!("metrics?{query}&format=csv&limit=1")).await.body).expect("text");
    let row = &walked[0];
    let expected = format!(
        "agent_id,timestamp,interval_seconds,sample_count,cpu_percent_avg,cpu_percent_count\r\n{},{},120,{},{:.2},{}\r\n",
        row["agent_id"].as_str().expect("a text"),
        row["timestamp"].as_str().expect("a text"),
        row["sample_count"],
        row["cpu_percent_avg"].as_f64().expect("a number"),
        row["cpu_percent_count"],
    );
    assert_eq!(table, expected);
}

#[actix_web::test]
async fn a_tag_names_one_question_only() {
    let api = filled().await;
    let mut tags = Vec::new();
    let paths = [
        "metrics?interval=5m",
        "metrics?interval=10m",
        "metrics?interval=5m&agg=max",
        "metrics?interval=5m&agg=max,avg",
        "metrics?interval=5m&agg=max&agg=min",
        "metrics?interval=5m&group_by=none",
        "metrics?interval=5m&group_by=label:a",
        "metrics?interval=5m&fill=null",
        "metrics?interval=5m&fields=load_1",
        "metrics?interval=5m&label=site:ber",
        "metrics?interval=5m&agent_id=b",
        "metrics?interval=5m&agent_id=b&agent_id=agent-123",
        "metrics",
        "metrics?agent_id=b",
        "metrics?agent_id=b&agent_id=agent-123",
        "metrics?label=site:ber",
        "agents?status=online",
        "agents?status=offline",
        "agents?label=site:ber",
        "traceroutes?changes_only=true",
        "traceroutes?changes_only=false",
    ];
    for path in paths {
        let tag = get(&api, path).await.headers.get("ETag").expect("a tag").clone();
        // An open end stands still for the rest of its interval.
        api.clock.advance_seconds(1);
        let same = get(&api, path).await.headers.get("ETag").expect("a tag").clone();
        assert_eq!(same, tag, "{path}");
        tags.push(tag.to_str().expect("ASCII").to_owned());
    }
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), paths.len());
}

#[actix_web::test]
async fn lists_are_narrowed_by_their_fields() {
    let api = filled().await;
    for (path, total) in [
        ("agents", 2),
        ("agents?label=site:ber", 2),
        ("agents?label=site:ber&agent_id=b", 1),
        ("agents?label=site:ber&label=rack:1", 0),
        ("agents?status=online", 2),
        ("agents?status=pending", 0),
        ("agents?agent_id=b&agent_id=nobody", 1),
        ("metrics?agent_id=b", 10),
        ("metrics?agent_id=b&agent_id=agent-123", 20),
        ("metrics?agent_id=b&agent_id=not%20an%20id", 10),
        ("metrics?agent_id=nobody&agent_id=%20", 0),
        ("speedtests?status=completed", 20),
        ("speedtests?status=failed", 0),
        ("speedtests?provider=a%20%22provider%22&min_download_mbps=941.2", 20),
        ("speedtests?min_download_mbps=942", 0),
        ("traceroutes?target=example.com", 20),
        ("traceroutes?target=example.org", 0),
        ("traceroutes?changes_only=true", 0),
    ] {
        let body = get(&api, path).await.json();
        assert_eq!(body["total"], total, "{path}");
    }
}

#[actix_web::test]
async fn chosen_agents_are_walked_like_all() {
    let api = filled().await;
    let first = get(&api, "agents?label=site:ber&limit=1").await;
    assert_eq!(first.json()["total"], 2);
    let next = first.next().expect("one more");
    let second = api.get(&next, Some(&everything())).await;
    assert_eq!((second.json()["agents"][0]["id"].as_str(), second.next()), (Some("b"), None));
}
