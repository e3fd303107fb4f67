use std::net::SocketAddr;
use std::sync::Arc;

use actix_web::dev::ServerHandle;
use actix_web::http::header;
use actix_web::{App, HttpResponse, HttpServer, get, web};
use astranetmon_domain::{Clock, Timestamp};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};

use crate::Failure;
use crate::server::cannot_listen;

/// How often the recorder tidies its histograms.
const UPKEEP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(5);
/// Latencies in seconds, from an answer out of memory to a query at its deadline.
const SECONDS_BUCKETS: [f64; 12] = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// What is measured, under its name; a test holds the book to the same names.
const COUNTERS: [(&str, &str); 4] = [
    ("astranetmon_http_requests_total", "Answers, by method, route and status."),
    ("astranetmon_sign_ins_total", "Attempts to sign in to the dashboard, by outcome."),
    ("astranetmon_retention_gone_total", "What retention has sealed, folded and deleted."),
    ("astranetmon_retention_runs_total", "Runs of retention."),
];
const HISTOGRAMS: [(&str, &str); 2] = [
    ("astranetmon_http_request_duration_seconds", "How long answers took, by route."),
    ("astranetmon_retention_step_duration_seconds", "How long a step of retention took that found something to do."),
];
const GAUGES: [(&str, &str); 4] = [
    ("astranetmon_build_info", "1, with the version."),
    ("process_resident_memory_bytes", "Memory in use."),
    ("process_start_time_seconds", "When the process started, in seconds since 1970-01-01T00:00:00Z."),
    ("process_uptime_seconds", "How long the process runs."),
];

/// What Prometheus reads of this process.
struct Exposition {
    recorder: PrometheusHandle,
    clock: Arc<dyn Clock>,
    started_at: Timestamp,
}

/// Collects this process's metrics and serves them at `/metrics` on an address of their own.
///
/// # Errors
/// An address that is taken; a recorder that is there already.
pub(crate) fn start(listen: SocketAddr, clock: Arc<dyn Clock>) -> Result<ServerHandle, Failure> {
    let recorder = PrometheusBuilder::new()
        .set_buckets(&SECONDS_BUCKETS)
        .and_then(PrometheusBuilder::install_recorder)
        .map_err(|error| Failure::caused("metrics cannot be collected", &error))?;
    let started_at = clock.now();
    let exposition = web::Data::new(Exposition { recorder: recorder.clone(), clock, started_at });
    let server = HttpServer::new(move || App::new().app_data(web::Data::clone(&exposition)).service(exposed))
        .workers(1)
        .disable_signals()
        .bind(listen)
        .map_err(|error| cannot_listen(listen, &error))?
        .run();
    describe();
    metrics::gauge!("astranetmon_build_info", "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    let handle = server.handle();
    tokio::spawn(server);
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
        loop {
            ticks.tick().await;
            recorder.run_upkeep();
        }
    });
    Ok(handle)
}

/// Tells the recorder what each name stands for.
fn describe() {
    COUNTERS.iter().for_each(|(name, what)| metrics::describe_counter!(*name, *what));
    HISTOGRAMS.iter().for_each(|(name, what)| metrics::describe_histogram!(*name, *what));
    GAUGES.iter().for_each(|(name, what)| metrics::describe_gauge!(*name, *what));
}

/// Current values in Prometheus's text form.
#[get("/metrics")]
async fn exposed(exposition: web::Data<Exposition>) -> HttpResponse {
    let Exposition { recorder, clock, started_at } = exposition.get_ref();
    let seconds = |micros: i64| micros as f64 / 1e6;
    metrics::gauge!("process_start_time_seconds").set(seconds(started_at.as_micros()));
    metrics::gauge!("process_uptime_seconds").set(seconds(clock.now().as_micros() - started_at.as_micros()));
    if let Some(bytes) = resident_bytes() {
        metrics::gauge!("process_resident_memory_bytes").set(bytes as f64);
    }
    HttpResponse::Ok()
        .insert_header((header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8"))
        .body(recorder.render())
}

/// Memory in use; Linux only.
fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    line.trim().strip_suffix(" kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_served_says_what_it_is() {
        let recorder = PrometheusBuilder::new().build_recorder();
        metrics::with_local_recorder(&recorder, || {
            describe();
            metrics::gauge!("process_uptime_seconds").set(1.0);
        });
        let text = recorder.handle().render();
        assert!(text.contains("# HELP process_uptime_seconds How long the process runs.\n"), "{text}");
    }

    #[test]
    fn the_book_names_what_is_measured() {
        let page = include_str!("../../../docs/operate/monitoring.md");
        let rows = page.lines().filter(|line| line.starts_with("| `"));
        let mut in_book: Vec<&str> = rows
            .flat_map(|row| row.split('`').skip(1).step_by(2))
            .filter(|name| name.starts_with("astranetmon_") || name.starts_with("process_"))
            .collect();
        let mut measured: Vec<&str> =
            [&COUNTERS[..], &HISTOGRAMS, &GAUGES].concat().iter().map(|(name, _)| *name).collect();
        in_book.sort_unstable();
        measured.sort_unstable();
        assert_eq!(measured, in_book);
    }
}
