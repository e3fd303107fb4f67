//! VictoriaMetrics of Debian's package on the same samples and the same questions, where it is installed.

use std::fmt::Write as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use actix_web::rt;
use astranetmon_domain::{Clock, METRIC_FIELDS, SystemClock};
use reqwest::Client;

use super::{DAY, PLAIN_AGENTS, ROUNDS, Script, Served, median, sample};

const LISTEN: &str = "127.0.0.1:18428";

struct Victoria {
    process: Child,
    folder: tempfile::TempDir,
}

impl Victoria {
    async fn start() -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let process = Command::new("victoria-metrics")
            .arg(format!("-httpListenAddr={LISTEN}"))
            .arg(format!("-storageDataPath={}", folder.path().display()))
            .args(["-retentionPeriod=1y", "-search.maxExportDuration=1h", "-search.maxPointsPerTimeseries=1000000"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .ok()?;
        let victoria = Self { process, folder };
        for _ in 0..200 {
            if Client::new().get(format!("http://{LISTEN}/health")).send().await.is_ok() {
                return Some(victoria);
            }
            rt::time::sleep(Duration::from_millis(50)).await;
        }
        None
    }
}

impl Drop for Victoria {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn bytes_of(folder: &Path) -> u64 {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| {
            if entry.path().is_dir() { bytes_of(&entry.path()) } else { entry.metadata().map_or(0, |data| data.len()) }
        })
        .sum()
}

/// Loads some agents and asks both.
pub(crate) async fn compare(served: &Served, seconds: u32, samples: i64) {
    let (address, key) = (served.server.addr, served.large[0].as_str());
    let Some(victoria) = Victoria::start().await else {
        println!("victoria-metrics is not installed: not compared");
        return;
    };
    let (client, now) = (Client::new(), SystemClock.now());
    let (mut values, begun_at) = (0_u64, Instant::now());
    for agent in 0..PLAIN_AGENTS {
        let rows: Vec<_> = (0..samples).map(|minute| sample(agent, minute, samples, now)).collect();
        let times =
            rows.iter().map(|row| (row.timestamp.as_micros() / 1_000).to_string()).collect::<Vec<_>>().join(",");
        let rows: Vec<_> = rows.iter().map(|row| row.fixed_values()).collect();
        for (place, field) in METRIC_FIELDS.into_iter().enumerate() {
            let mut line =
                format!("{{\"metric\":{{\"__name__\":\"{}\",\"agent\":\"agent-{agent}\"}},\"values\":[", field.name);
            for (row, fixed) in rows.iter().enumerate() {
                let comma = if row > 0 { "," } else { "" };
                write!(line, "{comma}{}", fixed[place] as f64 / field.scale()).expect("a text");
            }
            write!(line, "],\"timestamps\":[{times}]}}").expect("a text");
            values += rows.len() as u64;
            let taken = client.post(format!("http://{LISTEN}/api/v1/import")).body(line).send().await;
            taken.expect("an answer").error_for_status().expect("taken");
        }
    }
    let _ = client.get(format!("http://{LISTEN}/internal/force_flush")).send().await;
    let _ = client.get(format!("http://{LISTEN}/internal/force_merge")).send().await;
    rt::time::sleep(Duration::from_secs(5)).await;
    println!("victoria  {values} values taken in {:?}", begun_at.elapsed());
    let before = |days: i64| now.plus_seconds(-days * DAY).as_seconds();
    let (start, end) = (before(8), before(8) + 10_000 * 60);
    let one = "{agent=\"agent-1\"}";
    for (name, their_name, query, our_path) in [
        (
            "10,000 of an agent",
            "export",
            vec![("match[]", one.to_owned()), ("start", start.to_string()), ("end", end.to_string())],
            format!(
                "/api/v1/metrics?agent_id=agent-1&start_date=-{}s&end_date=-{}s&limit=10000",
                8 * DAY,
                8 * DAY - 600_000
            ),
        ),
        (
            "hourly avg, all, 1 agent",
            "query_range",
            vec![
                ("query", format!("avg_over_time({one}[1h])")),
                ("start", before(30).to_string()),
                ("end", now.as_seconds().to_string()),
                ("step", "1h".to_owned()),
            ],
            "/api/v1/metrics?interval=1h&agent_id=agent-1&start_date=-30d&limit=10000".to_owned(),
        ),
        (
            "hourly avg, cpu, 20 agents",
            "query_range",
            vec![
                ("query", "avg_over_time(cpu_percent[1h])".to_owned()),
                ("start", before(30).to_string()),
                ("end", now.as_seconds().to_string()),
                ("step", "1h".to_owned()),
            ],
            (0..PLAIN_AGENTS).fold(
                "/api/v1/metrics?interval=1h&fields=cpu_percent&start_date=-30d&limit=10000".to_owned(),
                |path, agent| format!("{path}&agent_id=agent-{agent}"),
            ),
        ),
    ] {
        let (mut their_times, mut our_times) = (Vec::new(), Vec::new());
        for _ in 0..4 * ROUNDS {
            let begun_at = Instant::now();
            let url = format!("http://{LISTEN}/api/v1/{their_name}?nocache=1");
            let request = client.get(reqwest::Url::parse_with_params(&url, &query).expect("a URL"));
            let answer = request.send().await.expect("an answer").error_for_status().expect("a success");
            let their_bytes = answer.bytes().await.expect("a body").len();
            their_times.push((begun_at.elapsed(), their_bytes));
            let begun_at = Instant::now();
            let request = client.get(format!("http://{address}{our_path}")).bearer_auth(key);
            let answer = request.send().await.expect("an answer").error_for_status().expect("a success");
            let our_bytes = answer.bytes().await.expect("a body").len();
            our_times.push((begun_at.elapsed(), our_bytes));
        }
        their_times.sort_unstable();
        our_times.sort_unstable();
        let ((theirs, their_bytes), (ours, our_bytes)) = (their_times[2 * ROUNDS], our_times[2 * ROUNDS]);
        println!(
            "victoria  {name:<26} theirs {:>8.1} ms ({their_bytes} bytes), api on SQLite {:>8.1} ms ({our_bytes} bytes), \
             {:.1} × faster  ≥ 2 ×",
            theirs.as_secs_f64() * 1_000.0,
            ours.as_secs_f64() * 1_000.0,
            theirs.as_secs_f64() / ours.as_secs_f64(),
        );
        let url = reqwest::Url::parse_with_params("http://x/", &query).expect("a URL");
        let (their_path, our_path) =
            (format!("/api/v1/{their_name}?nocache=1&{}", url.query().unwrap_or_default()), our_path);
        let (mut theirs, mut ours) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let victoria = Script::of(std::slice::from_ref(&their_path));
            theirs.push(victoria.run(&format!("http://{LISTEN}"), None, 4, seconds, &[]).await);
            let api = Script::of(std::slice::from_ref(&our_path));
            ours.push(api.run(&served.url(""), Some(key), 4, seconds, &[]).await);
        }
        let (theirs, ours) = (median(theirs).per_second, median(ours).per_second);
        println!(
            "victoria  {name:<26} 4 clients: theirs {theirs:>6.1}/s, api on SQLite {ours:>6.1}/s, {:.1} × as many  ≥ 2 ×",
            ours / theirs
        );
    }
    // What it holds in memory is on the disk once it has ended.
    let mut victoria = victoria;
    let id = victoria.process.id().to_string();
    Command::new("kill").args(["-TERM", &id]).status().expect("kill runs");
    victoria.process.wait().expect("it ends");
    println!("victoria  stored bytes a value: {:.2}", bytes_of(victoria.folder.path()) as f64 / values as f64);
}
