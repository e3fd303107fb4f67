//! Every operation that reads, against the demonstration.

use std::collections::HashSet;
use std::num::NonZeroU64;

use chrono::{DateTime, Duration, Utc};
use futures_util::TryStreamExt;
use progenitor_client::{ByteStream, Error, ResponseValue};
use serde_json::Value;

use crate::client::{Client, types};
use crate::observed::{cursor_of, with_key};
use crate::{Checked, Services, ok};

/// Every row of a list, page by page; each page tells how many there are in all.
macro_rules! walk {
    ($request:expr, $rows:ident) => {{
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        loop {
            let request = match cursor {
                Some(cursor) => $request.cursor(cursor),
                None => $request,
            };
            let page = request.send().await?;
            cursor = cursor_of(page.headers());
            let page = page.into_inner();
            rows.extend(page.$rows);
            if cursor.is_none() {
                assert_eq!(rows.len(), usize::try_from(page.total)?);
                break rows;
            }
        }
    }};
}

pub async fn check(services: &Services) -> Checked {
    let client = with_key(&services.demo, &services.enterprise_key);
    agents(&client).await?;
    metrics(&client).await?;
    some_fields(&client).await?;
    speedtests(&client).await?;
    traceroutes(&client).await?;
    the_key(&client).await?;
    documentation(&client).await?;
    stream(&client).await
}

/// From so long ago to ten minutes ago, in which nothing comes or goes while pages are read.
fn span(length: Duration) -> (String, String) {
    let ago = |length: Duration| (Utc::now() - length).to_rfc3339();
    (ago(length), ago(Duration::minutes(10)))
}

fn rows(most: u64) -> NonZeroU64 {
    NonZeroU64::new(most).expect("not 0")
}

async fn text(answer: ResponseValue<ByteStream>) -> Result<String, Box<dyn std::error::Error>> {
    let parts: Vec<_> = answer.into_inner_stream().try_collect().await?;
    Ok(String::from_utf8(parts.concat())?)
}

async fn agents(client: &Client) -> Checked {
    let agents = walk!(client.list_agents().limit(rows(2)), agents);
    let ids: HashSet<_> = agents.iter().map(|agent| &agent.id).collect();
    assert!(ids.len() == agents.len() && ids.len() > 2, "{ids:?}");
    let hostnames: Vec<_> = agents.iter().map(|agent| &agent.hostname).collect();
    assert!(hostnames.is_sorted(), "{hostnames:?}");
    let one = client.get_agent().id(agents[0].id.as_str()).send().await?;
    assert_eq!((&one.id, &one.hostname, one.created_at), (&agents[0].id, &agents[0].hostname, agents[0].created_at));
    let created: DateTime<Utc> = one.created_at;
    assert!(created < Utc::now());
    assert!(agents.iter().any(|agent| agent.name.is_none()) && agents.iter().any(|agent| agent.boot_time.is_some()));
    assert!(agents.iter().all(|agent| agent.latest.is_none()));
    let latest = client.list_agents().include(types::ListAgentsInclude::Latest).send().await?;
    assert!(latest.agents.iter().all(|agent| agent.latest.is_some()));
    let overview = client.get_overview().send().await?.into_inner().overview;
    assert_eq!(overview.iter().map(|row| &row.agent.id).collect::<HashSet<_>>(), ids);
    assert!(overview.iter().any(|row| row.metric.is_some()));
    ok("agents are read to the end");
    Ok(())
}

async fn metrics(client: &Client) -> Checked {
    let (begin, end) = span(Duration::hours(3));
    let request = || client.list_metrics().start_date(begin.as_str()).end_date(end.as_str()).limit(rows(100));
    let of_one = walk!(request().agent_id(vec!["agent-123".to_owned()]), metrics);
    let times: Vec<DateTime<Utc>> = of_one.iter().map(|metric| metric.timestamp).collect();
    assert!(times.len() > 100 && times.is_sorted_by(|newer, older| newer > older), "{times:?}");
    let oldest = request().agent_id(vec!["agent-123".to_owned()]).sort(types::ListMetricsSort::OldestFirst);
    assert_eq!(oldest.send().await?.metrics[0].timestamp, times[times.len() - 1]);
    // Nobody measured a rate before the first sample, and not every machine has a sensor.
    let all = walk!(request().limit(rows(10_000)), metrics);
    let distinct: HashSet<_> = all.iter().map(|metric| (&metric.agent_id, metric.timestamp)).collect();
    assert_eq!(distinct.len(), all.len());
    assert!(all.iter().any(|metric| metric.temperature_celsius.is_none()));
    assert!(all.iter().any(|metric| metric.cpu_percent.is_some_and(|percent| (0.0..=100.0).contains(&percent))));
    let empty = client.list_metrics().start_date("2020-01-01").end_date("2020-01-02T00:00:00+01:00").send().await?;
    assert!(empty.metrics.is_empty() && empty.total == 0);
    // The types know what a time looks like.
    let refused = client.list_metrics().start_date("yesterday").send().await;
    assert!(matches!(refused, Err(Error::InvalidRequest(_))), "{refused:?}");
    ok("metrics are read to the end, unknown values among them");
    Ok(())
}

/// The answer to a request for other fields than the type's, as JSON.
fn plain<T: std::fmt::Debug>(answer: Result<T, Error<types::Error>>) -> Value {
    match answer {
        Err(Error::InvalidResponsePayload(bytes, _)) => serde_json::from_slice(&bytes).expect("JSON"),
        other => panic!("it fits a type of whole records: {other:?}"),
    }
}

async fn some_fields(client: &Client) -> Checked {
    use types::{ListMetricsAggItem, ListMetricsFieldsItem};
    let fields = vec![ListMetricsFieldsItem::AgentId, ListMetricsFieldsItem::CpuPercent];
    let answer = plain(client.list_metrics().fields(fields).limit(rows(1)).send().await);
    let row = answer["metrics"][0].as_object().expect("a row");
    assert!(row.len() == 2 && row.contains_key("agent_id") && row.contains_key("cpu_percent"), "{row:?}");
    let request =
        client.list_metrics().interval("1h").start_date("-3h").fields(vec![ListMetricsFieldsItem::CpuPercent]);
    let request = request.agg(vec![ListMetricsAggItem::Avg, ListMetricsAggItem::P95]).limit(rows(1));
    let answer = plain(request.send().await);
    // Of its rows there is a type.
    let row: types::MetricAggregate = serde_json::from_value(answer["metrics"][0].clone())?;
    assert_eq!(row.interval_seconds, 3600);
    let figures: HashSet<&str> = row.extra.keys().map(String::as_str).collect();
    assert_eq!(figures, HashSet::from(["cpu_percent_avg", "cpu_percent_p95"]));
    assert!(row.extra.values().all(Option::is_some));
    ok("some fields, and figures of intervals, are read as JSON");
    Ok(())
}

async fn speedtests(client: &Client) -> Checked {
    let (begin, end) = span(Duration::days(6));
    let request = || client.list_speedtests().start_date(begin.as_str()).end_date(end.as_str()).limit(rows(20));
    let speedtests = walk!(request(), speedtests);
    let times: Vec<_> = speedtests.iter().map(|speedtest| speedtest.timestamp).collect();
    assert!(times.len() > 50 && times.is_sorted_by(|newer, older| newer >= older));
    assert_eq!(speedtests.iter().map(|speedtest| speedtest.id).collect::<HashSet<_>>().len(), times.len());
    let failed = walk!(request().status(types::ListSpeedtestsStatus::Failed), speedtests);
    assert!(failed.iter().all(|speedtest| speedtest.download_mbps.is_none()) && !failed.is_empty());
    let one = client.get_speedtest().id(speedtests[0].id).send().await?;
    assert_eq!(format!("{:?}", *one), format!("{:?}", speedtests[0]));
    ok("speed tests are read to the end, and one");
    Ok(())
}

async fn traceroutes(client: &Client) -> Checked {
    let (begin, end) = span(Duration::days(6));
    let request = || client.list_traceroutes().start_date(begin.as_str()).end_date(end.as_str()).limit(rows(20));
    let request = || request().reached(true);
    let traceroutes = walk!(request(), traceroutes);
    let times: Vec<_> = traceroutes.iter().map(|traceroute| traceroute.timestamp).collect();
    assert!(times.len() > 50 && times.is_sorted_by(|newer, older| newer >= older));
    assert_eq!(traceroutes.iter().map(|traceroute| traceroute.id).collect::<HashSet<_>>().len(), times.len());
    assert!(traceroutes.iter().all(|traceroute| traceroute.reached));
    let hops = || traceroutes.iter().flat_map(|traceroute| &traceroute.hops);
    assert!(hops().any(|hop| hop.ip.is_none()) && hops().any(|hop| hop.rtt_avg_ms.is_some()));
    let one = client.get_traceroute().id(traceroutes[0].id).send().await?;
    assert_eq!(format!("{:?}", *one), format!("{:?}", traceroutes[0]));
    ok("traceroutes are read to the end, and one");
    Ok(())
}

async fn the_key(client: &Client) -> Checked {
    let key = client.get_key().send().await?;
    assert!(matches!(key.plan, types::Plan::Enterprise) && key.permissions.len() == 4, "{key:?}");
    assert_eq!(key.expires_at, None);
    let usage = client.get_usage().send().await?;
    assert!(usage.limit.is_none() && usage.hours.len() == 24, "{usage:?}");
    ok("a key knows itself");
    Ok(())
}

async fn documentation(client: &Client) -> Checked {
    assert!(client.get_openapi().send().await?.contains_key("paths"));
    assert!(text(client.get_docs().send().await?).await?.contains("<title>"));
    let style = client.get_docs_asset().asset(types::GetDocsAssetAsset::ExplorerCss).send().await?;
    assert!(!text(style).await?.is_empty());
    ok("the document and its page are read");
    Ok(())
}

async fn stream(client: &Client) -> Checked {
    let kinds = vec![types::StreamRecordsKindsItem::Metrics];
    let events = text(client.stream_records().kinds(kinds.clone()).after("").seconds(0).send().await?).await?;
    let last = events.lines().rev().find_map(|line| line.strip_prefix("id: ").or(line.strip_prefix("id:")));
    let last = last.ok_or("an event has an id")?.trim().to_owned();
    let rest = text(client.stream_records().kinds(kinds).last_event_id(last).seconds(0).send().await?).await?;
    assert!(rest.len() < events.len());
    ok("a stream goes on where it was left");
    Ok(())
}
