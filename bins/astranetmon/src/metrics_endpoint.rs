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
