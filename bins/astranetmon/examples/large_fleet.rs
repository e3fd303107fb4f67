//! Makes an embedded database with one account, `large-fleet`, of many agents: what the browser tests measure the
//! overview with. `large_fleet FILE [AGENTS]`; people are added with `astranetmon user create`.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::PathBuf;

use astranetmon_auth::{Ingest, Operator, Scope};
use astranetmon_domain::{
    AgentFacts, AgentId, Clock, Hop, MetricSample, Plan, Speedtest, SpeedtestId, SpeedtestStatus, SystemClock,
    Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus,
};
use astranetmon_storage::sqlite::{SqliteSettings, SqliteStorage};
use astranetmon_storage::{
    AccountRepository, AgentRepository, Maintenance, MetricRepository, NewAgent, SpeedtestRepository,
    TracerouteRepository,
};
use uuid::Uuid;

const AGENTS: u32 = 1_000;
const REASON: &str = "large fleet";
const SITES: [&str; 8] = ["ber", "fra", "nyc", "sin", "syd", "lon", "sao", "tyo"];
/// Every so many agents one has stopped reporting.
const OFFLINE_EVERY: u32 = 17;
/// What an agent may call itself and a page must show as text.
const HOSTILE: &str = "<img src=x onerror=\"document.title='hostile'\"><script>document.title='hostile'</script>";
const METRIC_SECONDS: i64 = 60;
const METRICS: i64 = 30;
const SPEEDTESTS: i64 = 4;
const TRACEROUTES: i64 = 4;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = PathBuf::from(arguments.next().ok_or("usage: large_fleet FILE [AGENTS]")?);
    let agents = arguments.next().map_or(Ok(AGENTS), |number| number.parse())?;
    let settings = SqliteSettings::new(&path);
    SqliteStorage::migrate(&settings)?;
    let storage = SqliteStorage::open(&settings)?;
    let now = SystemClock.now();
    let name = "large-fleet".parse()?;
    let account = storage.account_create(&Operator::new(REASON), &name, Plan::Enterprise, now).await?;
    let scope: Scope<Ingest> = Scope::system(account.id, REASON);
    let (mut metrics, mut speedtests, mut traceroutes) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..agents {
        let agent = new_agent(number)?;
        storage.agent_upsert(&scope, &agent, now).await?;
        let newest = if number % OFFLINE_EVERY == 1 { now.plus_seconds(-7_200) } else { now };
        storage.agent_seen(&scope, &agent.id, newest).await?;
        metrics.extend((0..METRICS).map(|back| metric(&agent.id, number, newest.plus_seconds(-back * METRIC_SECONDS))));
        for back in 0..SPEEDTESTS {
            speedtests.push(speedtest(&agent.id, number, back, newest.plus_seconds(-back * 6 * 3_600 - 120)));
        }
        for back in (0..TRACEROUTES).rev() {
            traceroutes.push(traceroute(&agent.id, number, back, newest.plus_seconds(-back * 1_800 - 240)));
        }
    }
    storage.metric_append(&scope, metrics, now).await?;
    storage.speedtest_append(&scope, speedtests, now).await?;
    storage.traceroute_append(&scope, traceroutes, now).await?;
    storage.close().await;
    Ok(())
}

fn new_agent(number: u32) -> Result<NewAgent, Box<dyn Error>> {
    let site = SITES[number as usize % SITES.len()];
    let hostname = if number == 0 { HOSTILE.to_owned() } else { format!("host-{number:04}.{site}.example.net") };
    let facts = AgentFacts {
        hostname,
        agent_version: Some("1.4.2".to_owned()),
        os: Some("Debian GNU/Linux".to_owned()),
        os_version: Some("12".to_owned()),
        kernel_version: Some("6.1.0-32-amd64".to_owned()),
        arch: Some("x86_64".to_owned()),
        cpu_model: Some("AMD EPYC 7543".to_owned()),
        cpu_core_count: Some(4 << (number % 4)),
        memory_total_bytes: Some(8_i64 << 30),
        boot_time: None,
        ip_addresses: vec![format!("10.{}.{}.2", number / 250, number % 250)],
        interval_seconds: u32::try_from(METRIC_SECONDS).ok(),
    };
    let labels = BTreeMap::from([
        ("site".to_owned(), site.to_owned()),
        ("rack".to_owned(), if number == 0 { HOSTILE.to_owned() } else { format!("r{}", number % 40) }),
    ]);
    let id = AgentId::parse(&format!("agent-{number:04}"))?;
    Ok(NewAgent { id, facts, name: None, public_ip: Some("203.0.113.7".to_owned()), labels })
}

fn metric(agent: &AgentId, number: u32, at: Timestamp) -> MetricSample {
    let swing = f64::from((number * 37) % 89) + (at.as_seconds() % 7) as f64;
    let mut sample = MetricSample::new(agent.clone(), at);
    sample.interval_seconds = Some(METRIC_SECONDS);
    sample.cpu_percent = Some(swing);
    sample.memory_total_bytes = Some(8 << 30);
    sample.memory_used_bytes = Some(i64::from(number % 8) << 30);
    sample.memory_percent = Some(f64::from(number % 8) * 12.5);
    sample.disk_total_bytes = Some(100 << 30);
    sample.disk_used_bytes = Some(i64::from(number % 100) << 30);
    sample.disk_percent = Some(f64::from(number % 100));
    sample.network_receive_bytes_per_second = Some(i64::from(number) * 1_021);
    sample.network_transmit_bytes_per_second = Some(i64::from(number) * 523);
    sample.latency_ms = Some(swing / 3.0);
    sample.uptime_seconds = Some(86_400 + i64::from(number));
    sample
}

fn speedtest(agent: &AgentId, number: u32, back: i64, at: Timestamp) -> Speedtest {
    Speedtest {
        id: SpeedtestId(record_id(1, number, back)),
        agent_id: agent.clone(),
        timestamp: at,
        status: SpeedtestStatus::Completed,
        error: None,
        provider: Some("http".to_owned()),
        download_mbps: Some(100.0 + f64::from(number)),
        upload_mbps: Some(40.0 + f64::from(number % 60)),
        download_bytes: None,
        upload_bytes: None,
        ping_ms: Some(8.0),
        jitter_ms: Some(0.4),
        packet_loss_percent: Some(0.0),
        loaded_latency_ms: Some(31.0),
        server_name: Some("speed.example.net".to_owned()),
        server_host: None,
        server_location: None,
        isp: Some("Spreenetz".to_owned()),
        external_ip: None,
        interface_name: None,
        duration_ms: Some(20_000),
        result_url: None,
    }
}

fn traceroute(agent: &AgentId, number: u32, back: i64, at: Timestamp) -> Traceroute {
    // Every fifth agent's newest trace goes another way than the one before.
    let way = u32::from(number.is_multiple_of(5) && back == 0);
    let hops = (1..=6_u8).map(|ttl| hop(ttl, format!("198.51.{way}.{ttl}"))).collect();
    Traceroute {
        id: TracerouteId(record_id(2, number, back)),
        agent_id: agent.clone(),
        timestamp: at,
        target: "one.one.one.one".to_owned(),
        target_ip: Some("1.1.1.1".to_owned()),
        ip_version: Some(4),
        protocol: TracerouteProtocol::Icmp,
        status: TracerouteStatus::Completed,
        error: None,
        reached: true,
        rtt_ms: Some(9.0),
        packet_loss_percent: Some(0.0),
        path_changed: None,
        duration_ms: Some(400),
        hops,
    }
}

fn hop(ttl: u8, ip: String) -> Hop {
    let rtt_ms = Some(f64::from(ttl) * 1.5);
    Hop {
        ttl,
        ip: Some(ip),
        hostname: None,
        asn: Some(64_496),
        as_name: Some("SPREENETZ".to_owned()),
        rtt_min_ms: rtt_ms,
        rtt_avg_ms: rtt_ms,
        rtt_max_ms: rtt_ms,
        sent_count: 3,
        received_count: 3,
        packet_loss_percent: Some(0.0),
    }
}

fn record_id(kind: u128, number: u32, back: i64) -> Uuid {
    Uuid::from_u128(kind << 96 | u128::from(number) << 32 | u128::from(back.unsigned_abs()))
}
