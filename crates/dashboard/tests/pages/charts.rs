//! What charts draw.

use actix_web::http::StatusCode;
use astranetmon_domain::MetricSample;
use serde_json::{Value, json};

use crate::site::{NOW, Site, speedtest};

#[actix_web::test]
async fn a_gap_in_the_measurements_is_a_gap_in_the_chart() {
    let site = Site::new().await;
    let agent = site.own.add_agent(&site.storage, "a").await;
    // Every minute of the last hour, but for ten in the middle.
    let samples = (1..=60).filter(|minute| !(21..=30).contains(minute)).map(|minute| {
        let mut sample = MetricSample::new(agent.clone(), NOW.plus_seconds(-60 * minute + 30));
        sample.cpu_percent = Some(10.0);
        // Known for a part of them only.
        sample.latency_ms = (minute <= 5).then_some(2.5);
        sample
    });
    site.own.append_metrics(&site.storage, samples.collect()).await;

    let data = site.data("/dashboard/data/agents/a/metrics?range=1h").await.json();
    assert_eq!(data["bucket_seconds"], 60);
    let axis: Vec<_> = data["t"].as_array().expect("an axis").iter().map(|at| at.as_i64().expect("seconds")).collect();
    assert_eq!(axis.len(), 60);
    assert!(axis.windows(2).all(|pair| pair[1] - pair[0] == 60));
    let column = |name: &str, part: &str| data["series"][name][part].as_array().expect("a column").clone();
    let cpu = column("cpu_percent", "avg");
    assert_eq!(cpu.len(), axis.len());
    let gaps: Vec<_> = (0..60).filter(|&index| cpu[index].is_null()).collect();
    assert_eq!(gaps, (30..40).collect::<Vec<_>>());
    assert_eq!(cpu[0], json!(10.0));
    assert_eq!(column("latency_ms", "max").iter().filter(|value| !value.is_null()).count(), 5);
    assert!(column("temperature_celsius", "avg").iter().all(Value::is_null));
}

#[actix_web::test]
async fn buckets_hold_the_average_between_least_and_greatest() {
    let site = Site::new().await;
    let agent = site.own.add_agent(&site.storage, "a").await;
    let samples = (0..5).map(|minute| {
        let mut sample = MetricSample::new(agent.clone(), NOW.plus_seconds(-3_600 - 420 + 60 * minute));
        sample.cpu_percent = Some(10.0 * minute as f64);
        sample
    });
    site.own.append_metrics(&site.storage, samples.collect()).await;
    let data = site.data("/dashboard/data/agents/a/metrics?range=24h").await.json();
    assert_eq!(data["bucket_seconds"], 300);
    let cpu = &data["series"]["cpu_percent"];
    let measured = cpu["avg"].as_array().expect("a column").iter().position(|value| !value.is_null()).expect("one");
    assert_eq!(
        [&cpu["avg"][measured], &cpu["min"][measured], &cpu["max"][measured]].map(|value| value.as_f64()),
        [Some(20.0), Some(0.0), Some(40.0)]
    );
    assert_eq!(data["count"][measured], 5);
}

#[actix_web::test]
async fn a_chosen_range_has_both_of_its_ends() {
    let site = Site::new().await;
    site.own.add_agent(&site.storage, "a").await;
    let path = "/dashboard/data/agents/a/metrics";
    let data = site.data(&format!("{path}?from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z")).await.json();
    assert_eq!((&data["start"], &data["end"]), (&json!(1_793_491_200), &json!(1_793_577_600)));
    for bad in ["range=year", "from=2026-11-02&to=2026-11-01", "from=2000-01-01&to=2026-01-01", "from=x&to=now"] {
        assert_eq!(site.data(&format!("{path}?{bad}")).await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
}

#[actix_web::test]
async fn speed_tests_come_oldest_first() {
    let site = Site::new().await;
    let agent = site.own.add_agent(&site.storage, "a").await;
    let tests =
        (1..=3).map(|hour| speedtest(&agent, u128::try_from(hour).expect("small"), NOW.plus_seconds(-3_600 * hour)));
    let mut tests: Vec<_> = tests.collect();
    tests[1].download_mbps = None;
    site.own.append_speedtests(&site.storage, tests).await;
    let data = site.data("/dashboard/data/agents/a/speedtests?range=7d").await.json();
    let hours_ago: Vec<_> = [-3_i64, -2, -1].map(|hours| NOW.as_seconds() + 3_600 * hours).into();
    assert_eq!(data["t"], json!(hours_ago));
    assert_eq!(data["download_mbps"], json!([941.0, null, 941.0]));
}
