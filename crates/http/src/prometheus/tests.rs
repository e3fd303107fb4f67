//! What Prometheus's clients ask, over two agents of the label `site: ber` that measured a processor every minute of the
//! last hour: 0 now, a quarter of a percent more for each minute before.

use actix_web::http::header;
use actix_web::test::TestRequest;
use astranetmon_auth::{Permission, PermissionSet};
use astranetmon_domain::Plan;
use serde_json::{Value, json};

use crate::test_service::{Answer, Running, START, TestService, call, get};
use crate::testing::Ends;

const MINUTES: i64 = 60;

async fn service() -> (TestService, Running, String) {
    let service = TestService::new().await;
    service.endpoints().fill(7, MINUTES).await;
    let key = service.key(1, Plan::Enterprise, PermissionSet::ALL, Ends::default());
    let running = service.start_prometheus().await;
    (service, running, key)
}

fn post(path: &str, key: &str, body: &str) -> TestRequest {
    TestRequest::post()
        .uri(path)
        .insert_header((header::AUTHORIZATION, format!("Bearer {key}")))
        .insert_header((header::CONTENT_TYPE, "application/x-www-form-urlencoded"))
        .set_payload(body.to_owned())
}

fn json_of(answer: &Answer) -> Value {
    serde_json::from_str(&answer.body).expect("JSON")
}

fn success(data: Value) -> Value {
    json!({ "status": "success", "data": data })
}

/// Labels of the processor's series of one agent.
fn cpu(agent: &str) -> Value {
    json!({ "__name__": "astranetmon_cpu_percent", "agent_id": agent, "site": "ber" })
}

#[actix_web::test]
async fn the_requests_of_grafanas_source_are_answered_as_it_expects() {
    let (_, running, key) = service().await;
    let now = START.as_micros() / 1_000_000;
    let (start, end) = (now - 3_600, now);
    let at = |minutes: i64| now - 60 * minutes;
    // The file of Grafana's repository that makes the request; path; form, if it is sent by POST; data of the answer.
    let requests = [
        (
            "pkg/promlib/healthcheck.go",
            "/query",
            Some("query=1%2B1&time=4".to_owned()),
            json!({ "resultType": "scalar", "result": [4, "2"] }),
        ),
        (
            "pkg/promlib/client/client.go, QueryRange",
            "/query_range",
            Some(format!("end={end}&query=astranetmon_cpu_percent%7Bagent_id%3D%22b%22%7D&start={}&step=60", at(2))),
            json!({ "resultType": "matrix", "result": [
                { "metric": cpu("b"), "values": [[at(2), "0.5"], [at(1), "0.25"], [now, "0"]] },
            ] }),
        ),
        (
            "pkg/promlib/client/client.go, QueryInstant",
            "/query",
            Some(format!("query=sum+by+%28site%29+%28astranetmon_cpu_percent%29&time={}.5&timeout=60s", at(4))),
            json!({ "resultType": "vector", "result": [
                { "metric": { "site": "ber" }, "value": [at(4) as f64 + 0.5, "2"] },
            ] }),
        ),
        (
            "packages/grafana-prometheus/src/resource_clients.ts, queryLabelValues",
            &format!("/label/__name__/values?end={end}&limit=40000&start={start}"),
            None,
            json!(["astranetmon_cpu_percent"]),
        ),
        (
            "packages/grafana-prometheus/src/resource_clients.ts, queryLabelKeys",
            "/labels",
            Some(format!("end={end}&limit=40000&start={start}")),
            json!(["__name__", "agent_id", "site"]),
        ),
        (
            "packages/grafana-prometheus/src/resource_clients.ts, querySeries",
            "/series",
            Some(format!("end={end}&limit=40000&match%5B%5D=%7B__name__%21%3D%22%22%7D&start={start}")),
            json!([cpu("agent-123"), cpu("b")]),
        ),
        (
            "packages/grafana-prometheus/src/metric_find_query.ts, label_values",
            &format!("/label/agent_id/values?end={end}&limit=40000&match%5B%5D=astranetmon_cpu_percent&start={start}"),
            None,
            json!(["agent-123", "b"]),
        ),
        (
            "packages/grafana-prometheus/src/language_provider.ts, metadata",
            "/metadata?limit=1&metric=astranetmon_cpu_percent",
            None,
            json!({ "astranetmon_cpu_percent": [{ "type": "gauge", "help": "CPU", "unit": "%" }] }),
        ),
        (
            "pkg/promlib/heuristics.go",
            "/status/buildinfo",
            None,
            json!({ "version": "2.55.0", "application": concat!("AstraNetmon ", env!("CARGO_PKG_VERSION")) }),
        ),
    ];
    for (source, path, form, data) in requests {
        let path = format!("/prometheus/api/v1{path}");
        let request = form.as_ref().map_or_else(|| get(&path, &key), |form| post(&path, &key, form));
        let answer = call(&running, request).await;
        assert_eq!((answer.status.as_u16(), json_of(&answer)), (200, success(data.clone())), "{source}");
        assert_eq!(answer.header("content-type"), Some("application/json; charset=utf-8"), "{source}");
        // A source that is set to GET asks the same with its parameters in the query.
        if let Some(form) = form {
            let answer = call(&running, get(&format!("{path}?{form}"), &key)).await;
            assert_eq!((answer.status.as_u16(), json_of(&answer)), (200, success(data)), "{source}, by GET");
        }
    }
}

#[actix_web::test]
async fn failures_have_prometheus_form_and_the_contracts_error() {
    let (service, running, key) = service().await;
    let permissions: PermissionSet = [Permission::ReadAgents].into_iter().collect();
    let without = service.key(2, Plan::Enterprise, permissions, Ends::default());
    let starter = service.key(3, Plan::Starter, PermissionSet::ALL, Ends::default());
    let path = |rest: &str| {
        let escapes = [("[", "%5B"), ("]", "%5D"), ("{", "%7B"), ("}", "%7D"), ("\"", "%22")];
        let escaped = escapes.iter().fold(rest.to_owned(), |text, (plain, escape)| text.replace(plain, escape));
        format!("/prometheus/api/v1{escaped}")
    };
    for (place, (request, status, error_type, error)) in [
        (TestRequest::get().uri(&path("/query?query=1")), 401, "unauthorized", "Authentication required"),
        (get(&path("/query?query=1"), "astra_wrong"), 401, "unauthorized", "Invalid or missing API key"),
        (get(&path("/query?query=1"), &without), 403, "unauthorized", "requires read:metrics"),
        (get(&path("/label/agent_id/values"), &without), 403, "unauthorized", "requires read:metrics"),
        (get(&path("/query"), &key), 400, "bad_data", "invalid parameter \"query\": it is needed here"),
        (get(&path("/query?query=sum("), &key), 400, "bad_data", "invalid parameter \"query\""),
        (get(&path("/query?query=1&time=yesterday"), &key), 400, "bad_data", "invalid parameter \"time\""),
        (get(&path("/query?query=1&time=1e300"), &key), 400, "bad_data", "invalid parameter \"time\""),
        (get(&path("/query?query=1&lookback_delta=-1"), &key), 400, "bad_data", "invalid parameter \"lookback_delta\""),
        (get(&path("/query?query=%25%"), &key), 400, "bad_data", "Malformed query"),
        (get(&path("/query_range?query=1&start=1&end=2"), &key), 400, "bad_data", "invalid parameter \"step\""),
        (get(&path("/query_range?query=1&start=1&end=2&step=0"), &key), 400, "bad_data", "invalid parameter \"step\""),
        (get(&path("/query_range?query=1&start=2&end=1&step=1"), &key), 400, "bad_data", "invalid parameter \"end\""),
        (
            get(&path("/query_range?query=1&start=0&end=11000&step=1"), &key),
            400,
            "bad_data",
            "exceeded maximum resolution",
        ),
        (
            get(&path("/query_range?query=a[5m]&start=1&end=2&step=1"), &key),
            400,
            "bad_data",
            "must be Scalar or instant Vector",
        ),
        (get(&path("/series"), &key), 400, "bad_data", "invalid parameter \"match[]\""),
        (get(&path("/series?match[]=rate(a[5m])"), &key), 400, "bad_data", "invalid parameter \"match[]\""),
        (get(&path("/labels?start=2&end=1"), &key), 400, "bad_data", "invalid parameter \"end\""),
        (get(&path("/label/a-b/values"), &key), 400, "bad_data", "invalid label name: \"a-b\""),
        (get(&path("/rules"), &key), 404, "not_found", "Not found"),
        (
            TestRequest::delete().uri(&path("/query")).insert_header((header::AUTHORIZATION, format!("Bearer {key}"))),
            405,
            "bad_data",
            "GET, HEAD, POST",
        ),
        (
            post(&path("/query"), &key, "query=1").insert_header((header::CONTENT_TYPE, "application/json")),
            415,
            "bad_data",
            "application/x-www-form-urlencoded",
        ),
        (post(&path("/query"), &key, &format!("query={}", "1%2B".repeat(30_000))), 413, "bad_data", "too large"),
        (
            get(&path("/query?query={site=\"ber\",agent_id=\"b\"}%20%2B%20on()%20{site=\"ber\"}"), &key),
            422,
            "execution",
            "many-to-many",
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let answer = call(&running, request).await;
        let body = json_of(&answer);
        assert_eq!(
            (answer.status.as_u16(), &body["status"], &body["errorType"]),
            (status, &json!("error"), &json!(error_type)),
            "case {place}: {body}"
        );
        assert!(body["error"].as_str().is_some_and(|text| text.contains(error)), "case {place}: {body}");
    }
    for left in (0..100).rev() {
        let answer = call(&running, get(&path("/query?query=1"), &starter)).await;
        assert_eq!(answer.header("x-ratelimit-remaining"), Some(left.to_string().as_str()));
    }
    let refused = call(&running, get(&path("/query?query=1"), &starter)).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after").is_some()), (429, true));
    assert_eq!(json_of(&refused)["errorType"], "unavailable");
}

#[actix_web::test]
async fn a_walk_over_many_pages_gives_each_step_its_sample() {
    let service = TestService::new().await;
    // 2 agents: three pages of 10,000.
    service.endpoints().fill(7, 12_000).await;
    let key = service.key(1, Plan::Enterprise, PermissionSet::ALL, Ends::default());
    let running = service.start_prometheus().await;
    let now = START.as_micros() / 1_000_000;
    for (query, each) in [
        ("astranetmon_cpu_percent", 1),
        ("sum_over_time(astranetmon_cpu_percent[1h])", 60),
        ("count_over_time(astranetmon_cpu_percent[1h])", 0),
    ] {
        let start = now - 11_940 * 60;
        let path = format!("/prometheus/api/v1/query_range?query={query}&start={start}&end={now}&step=3600");
        let answer = json_of(&call(&running, get(&path, &key)).await);
        let result = answer["data"]["result"].as_array().expect(query);
        assert_eq!(result.len(), 2, "{query}");
        for series in result {
            let values = series["values"].as_array().expect(query);
            assert_eq!(values.len(), 200, "{query}");
            for value in values {
                let minute = (now - value[0].as_i64().expect("a time")) / 60;
                let expected = match each {
                    1 => minute as f64 / 4.0,
                    // The hour up to this minute, its oldest end open.
                    60 => (minute..minute + 60).map(|minute| minute as f64 / 4.0).sum(),
                    _ => 60.0,
                };
                assert_eq!(value[1], expected.to_string(), "{query} at {minute}");
            }
        }
    }
}

#[actix_web::test]
async fn another_account_sees_nothing_and_lists_are_cut_at_their_limit() {
    let (service, running, key) = service().await;
    service.endpoints().fill(8, 5).await;
    let all = format!("/prometheus/api/v1/query?query={}&limit=1", "astranetmon_cpu_percent");
    let answer = json_of(&call(&running, get(&all, &key)).await);
    assert_eq!(answer["data"]["result"].as_array().map(Vec::len), Some(1));
    let labels = json_of(&call(&running, get("/prometheus/api/v1/labels?limit=2", &key)).await);
    assert_eq!(labels["data"], json!(["__name__", "agent_id"]));
    assert_eq!(labels["warnings"], json!(["results truncated due to limit"]));
    let count =
        json_of(&call(&running, get("/prometheus/api/v1/query?query=count(astranetmon_cpu_percent)", &key)).await);
    assert_eq!(count["data"]["result"][0]["value"][1], "2");
}
