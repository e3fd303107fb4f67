//! Every operation of ingestion, against a service without records, from which what was sent is read back.

use std::num::{NonZeroU32, NonZeroU64};

use chrono::{Duration, SubsecRound, Utc};
use futures_util::TryStreamExt;
use progenitor_client::Error;
use uuid::Uuid;

use crate::client::{Client, types};
use crate::failing::{refused, retry_after};
use crate::observed::with_key;
use crate::{Checked, Services, ok};

/// Clients of two agents that are enrolled.
pub struct Agents {
    pub one: Client,
    pub other: Client,
}

pub async fn check(services: &Services) -> Result<Agents, Box<dyn std::error::Error>> {
    let agents = Agents { one: enrol(services, "web-1").await?, other: enrol(services, "web-2").await? };
    let reader = with_key(&services.service, &services.service_key);
    heartbeat(&agents.one, &reader).await?;
    metrics(&agents.one, &reader).await?;
    speedtests(&agents.one, &reader).await?;
    traceroutes(&agents.one, &reader).await?;
    nothing(&reader).await?;
    speed_of_the_line(&agents).await?;
    unchanged(&reader).await?;
    Ok(agents)
}

async fn enrol(services: &Services, hostname: &str) -> Result<Client, Box<dyn std::error::Error>> {
    let facts = types::AgentFacts::builder().hostname(hostname).cpu_core_count(4);
    let body = types::EnrollBody::builder().token(services.enrolment.as_str()).facts(facts);
    let answer = Client::new(&services.service).enroll_agent().body(body).send().await?;
    assert_eq!((answer.status().as_u16(), answer.agent_id.as_str()), (201, hostname));
    Ok(with_key(&services.service, &answer.agent_token))
}

async fn heartbeat(agent: &Client, reader: &Client) -> Checked {
    let facts = types::AgentFacts::builder().hostname("web-1").os("Debian GNU/Linux".to_owned());
    let spool = types::AgentSpool::builder().row_count(0).dropped_row_count(0);
    let spool = types::AgentSpool::try_from(spool)?;
    let body = types::Heartbeat::builder().facts(facts).interval_seconds(NonZeroU32::new(10)).sent_at(Utc::now());
    let body = body.spool(spool);
    let answer = agent.heartbeat().body(body).send().await?;
    assert!((answer.server_time - Utc::now()).abs() < Duration::minutes(1));
    let known = reader.get_agent().id("web-1").send().await?;
    assert_eq!((known.os.as_deref(), known.interval_seconds), (Some("Debian GNU/Linux"), Some(10)));
    assert_eq!(known.os_version, None);
    ok("a heartbeat is taken");
    Ok(())
}

async fn metrics(agent: &Client, reader: &Client) -> Checked {
    let time = Utc::now().trunc_subsecs(3) - Duration::minutes(1);
    let row = |row: types::builder::MetricRow| types::MetricRow::try_from(row);
    let rows = vec![
        row(types::MetricRow::builder().timestamp(time).cpu_percent(12.5))?,
        row(types::MetricRow::builder().timestamp(time + Duration::seconds(1)).memory_used_bytes(4_096))?,
        row(types::MetricRow::builder().timestamp(time + Duration::seconds(2)).cpu_percent(400.0))?,
    ];
    let send = || agent.ingest_metrics().body(types::MetricBatch { metrics: rows.clone() }).send();
    let answer = send().await?;
    assert_eq!((answer.taken, answer.known, answer.refused), (2, 0, 1));
    let refused = &answer.refused_rows[0];
    assert_eq!((refused.row, refused.field.as_deref()), (2, Some("cpu_percent")));
    let again = send().await?;
    assert_eq!((again.taken, again.known, again.known_rows.as_slice()), (0, 2, [0, 1].as_slice()));
    let stored = reader.list_metrics().sort(types::ListMetricsSort::OldestFirst).send().await?;
    assert_eq!(stored.total, 2);
    let [first, second] = stored.metrics.as_slice() else { panic!("two rows") };
    assert_eq!((first.agent_id.as_str(), first.timestamp, first.cpu_percent), ("web-1", time, Some(12.5)));
    assert_eq!((second.cpu_percent, second.memory_used_bytes), (None, Some(4_096)));
    ok("metrics are sent, and read as they were sent");
    Ok(())
}

async fn speedtests(agent: &Client, reader: &Client) -> Checked {
    let id: Uuid = "019ab123-4567-7abc-8def-0123456789ab".parse()?;
    let time = Utc::now().trunc_subsecs(3);
    let row = types::SpeedtestRow::builder()
        .id(id)
        .timestamp(time)
        .status(types::SpeedtestStatus::Completed)
        .download_mbps(94.2);
    let body = types::SpeedtestBatch { speedtests: vec![row.try_into()?] };
    let answer = agent.ingest_speedtests().body(body).send().await?;
    assert_eq!((answer.taken, answer.refused), (1, 0));
    let one = reader.get_speedtest().id(id).send().await?;
    assert_eq!((one.timestamp, one.download_mbps, one.upload_mbps), (time, Some(94.2), None));
    assert!(matches!(one.status, types::SpeedtestStatus::Completed));
    ok("a speed test is sent, and read as it was sent");
    Ok(())
}

async fn traceroutes(agent: &Client, reader: &Client) -> Checked {
    let id: Uuid = "019ab123-4567-7abc-8def-0123456789ac".parse()?;
    let hop = |ttl: i32| types::HopRow::builder().ttl(ttl).sent_count(3);
    let hops = vec![
        hop(1).received_count(3).ip("192.0.2.1".to_owned()).rtt_avg_ms(0.5).try_into()?,
        hop(2).received_count(0).try_into()?,
    ];
    let row = types::TracerouteRow::builder().id(id).timestamp(Utc::now()).target("example.com").hops(Some(hops));
    let row = row.protocol(types::TracerouteProtocol::Icmp).status(types::TracerouteStatus::Incomplete);
    let body = types::TracerouteBatch { traceroutes: vec![row.try_into()?] };
    let answer = agent.ingest_traceroutes().body(body).send().await?;
    assert_eq!((answer.taken, answer.refused), (1, 0));
    let one = reader.get_traceroute().id(id).send().await?;
    assert_eq!((one.hop_count, one.reached, one.rtt_ms), (2, false, None));
    let ips: Vec<_> = one.hops.iter().map(|hop| hop.ip.as_deref()).collect();
    assert_eq!(ips, [Some("192.0.2.1"), None]);
    ok("a traceroute is sent, and read as it was sent");
    Ok(())
}

async fn nothing(reader: &Client) -> Checked {
    let overview = reader.get_overview().send().await?;
    let [first, second] = overview.overview.as_slice() else { panic!("two agents") };
    assert_eq!((first.agent.id.as_str(), second.agent.id.as_str()), ("web-1", "web-2"));
    assert!(first.metric.is_some() && first.speedtest.is_some() && first.traceroute.is_some());
    assert!(second.metric.is_none() && second.speedtest.is_none() && second.traceroute.is_none());
    let agents = reader.list_agents().include(types::ListAgentsInclude::Latest).send().await?;
    let traced = agents.agents.iter().map(|agent| agent.latest.as_ref().and_then(|latest| latest.traceroute.as_ref()));
    assert_eq!(traced.map(|traceroute| traceroute.is_some()).collect::<Vec<_>>(), [true, false]);
    ok("an agent that has sent nothing has nothing");
    Ok(())
}

async fn speed_of_the_line(agents: &Agents) -> Checked {
    let address = agents.one.speedtest_address().send().await?;
    assert_eq!(address.processed_string, "127.0.0.1");
    agents.one.speedtest_ping().send().await?;
    agents.one.speedtest_upload().body(vec![0_u8; 100_000]).send().await?;
    let bytes = agents.one.speedtest_download().ck_size(NonZeroU64::MIN).send().await?.into_inner_stream();
    let bytes: usize = bytes.try_fold(0, |sum, part| async move { Ok(sum + part.len()) }).await?;
    assert_eq!(bytes, 1024 * 1024);
    // The first keeps its seat for a while, and there is one.
    let answer = agents.other.speedtest_download().ck_size(NonZeroU64::MIN).send().await;
    assert!(retry_after(&refused(503, "Other agents are measuring their speed", answer)) > 0);
    ok("the speed of the line is measured");
    Ok(())
}

/// What is unchanged is not sent again; nothing changes here by itself.
async fn unchanged(reader: &Client) -> Checked {
    macro_rules! unchanged {
        ($request:expr) => {{
            let tag = $request.send().await?.headers()["etag"].to_str()?.to_owned();
            match $request.if_none_match(tag).send().await {
                Err(Error::UnexpectedResponse(answer)) => assert_eq!(answer.status().as_u16(), 304),
                other => panic!("it is sent again: {other:?}"),
            }
        }};
    }
    let speedtest = reader.list_speedtests().send().await?.speedtests[0].id;
    let traceroute = reader.list_traceroutes().send().await?.traceroutes[0].id;
    unchanged!(reader.list_agents());
    unchanged!(reader.get_agent().id("web-1"));
    unchanged!(reader.get_overview());
    unchanged!(reader.list_metrics());
    unchanged!(reader.list_speedtests());
    unchanged!(reader.get_speedtest().id(speedtest));
    unchanged!(reader.list_traceroutes());
    unchanged!(reader.get_traceroute().id(traceroute));
    ok("unchanged answers are not sent again");
    Ok(())
}
