use std::path::PathBuf;
use std::sync::Arc;

use actix_web::web;
use astranetmon_dashboard::DashboardState;
use astranetmon_domain::{Clock, SystemClock};
use astranetmon_http::ApiState;
use clap::Args;

use super::DatabaseArguments;
use crate::alerting::{self, RunningAlerts};
use crate::configuration::{Environment, Flag, Layers, LogFormat, MetricsListen, Settings};
use crate::retention::{RetentionSettings, RunningRetention};
use crate::server::{self, ServerSettings};
use crate::shutdown::StopSignals;
use crate::storage_choice::Purpose;
use crate::tls::ReloadingCertificate;
use crate::{Failure, log, metrics_endpoint, setup_link, storage_choice};

#[derive(Debug, Default, Args)]
pub(super) struct ServeArguments {
    /// Check the configuration, print it without secrets, and do not serve
    #[arg(long)]
    check: bool,
    /// Leave the database schema as it is
    #[arg(long)]
    no_migrate: bool,
    #[command(flatten)]
    database: DatabaseArguments,
    /// Where to serve: 127.0.0.1:8080
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<String>,
    /// Where to serve Prometheus metrics: 127.0.0.1:9464, or off
    #[arg(long, value_name = "ADDRESS")]
    metrics_listen: Option<String>,
    /// Where callers reach the service, such as `https://monitoring.example.com`
    #[arg(long, value_name = "URL")]
    public_url: Option<String>,
    /// Networks whose X-Forwarded-For is believed, separated by commas: `10.0.0.0/8,::1`
    #[arg(long, value_name = "NETWORKS")]
    trusted_proxies: Option<String>,
    /// Where the link is written that makes the first owner: beside an embedded database
    #[arg(long, value_name = "FILE")]
    setup_link_file: Option<PathBuf>,
    /// Certificate chain (PEM)
    #[arg(long, value_name = "FILE")]
    tls_cert: Option<PathBuf>,
    /// Private key of the certificate (PEM)
    #[arg(long, value_name = "FILE")]
    tls_key: Option<PathBuf>,
    /// Allow plain HTTP on an address that other machines can reach
    #[arg(long)]
    insecure_http: bool,
    /// Threads that answer requests
    #[arg(long, value_name = "NUMBER")]
    workers: Option<String>,
    /// How to write log lines
    #[arg(long, value_enum)]
    log_format: Option<LogFormat>,
    /// Which log lines to write: info
    #[arg(long, value_name = "LEVEL")]
    log_level: Option<String>,
    /// How long requests in flight may take after SIGTERM: 10s
    #[arg(long, value_name = "SPAN")]
    shutdown_timeout: Option<String>,
}

impl ServeArguments {
    pub(super) fn layers(&self, environment: Environment) -> Layers {
        let path = |path: &Option<PathBuf>| path.as_ref().map(|path| path.display().to_string());
        let log_format = self.log_format.map(|format| match format {
            LogFormat::Text => "text".to_owned(),
            LogFormat::Json => "json".to_owned(),
        });
        let given = [
            ("--listen", "listen", self.listen.clone()),
            ("--metrics-listen", "metrics_listen", self.metrics_listen.clone()),
            ("--public-url", "public_url", self.public_url.clone()),
            ("--trusted-proxies", "trusted_proxies", self.trusted_proxies.clone()),
            ("--setup-link-file", "setup_link_file", path(&self.setup_link_file)),
            ("--tls-cert", "tls.cert", path(&self.tls_cert)),
            ("--tls-key", "tls.key", path(&self.tls_key)),
            ("--insecure-http", "insecure_http", self.insecure_http.then(|| "true".to_owned())),
            ("--workers", "workers", self.workers.clone()),
            ("--log-format", "log_format", log_format),
            ("--log-level", "log_level", self.log_level.clone()),
            ("--shutdown-timeout", "shutdown_timeout", self.shutdown_timeout.clone()),
        ];
        let mut layers = self.database.layers(environment);
        let flags = given.into_iter().filter_map(|(flag, name, text)| Some(Flag { flag, name, text: text? }));
        layers.flags.extend(flags);
        layers
    }
}

pub(super) async fn execute(arguments: ServeArguments, environment: Environment) -> Result<(), Failure> {
    let configuration = arguments.layers(environment).read()?;
    let certificate = certificate(&configuration.settings)?;
    if arguments.check {
        print!("{}", configuration.effective());
        return Ok(());
    }
    serve(&configuration.settings, certificate, arguments.no_migrate).await
}

fn certificate(settings: &Settings) -> Result<Option<Arc<ReloadingCertificate>>, Failure> {
    match (&settings.tls.cert, &settings.tls.key) {
        (Some(certificate), Some(key)) => ReloadingCertificate::load(certificate, key).map(Some),
        _ => Ok(None),
    }
}

async fn serve(
    settings: &Settings,
    certificate: Option<Arc<ReloadingCertificate>>,
    no_migrate: bool,
) -> Result<(), Failure> {
    log::start(settings.log_format, &settings.log_level)?;
    let mut signals = StopSignals::new()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let metrics = match settings.metrics_listen {
        MetricsListen::At(address) => Some(metrics_endpoint::start(address, Arc::clone(&clock))?),
        MetricsListen::Off => None,
    };
    if !no_migrate {
        for migration in storage_choice::migrate(settings).await? {
            tracing::info!(migration, "schema brought up to date");
        }
    }
    let storage = storage_choice::open(settings, Purpose::Serve).await?;
    let state = web::Data::new(ApiState::new(Arc::clone(&storage), Arc::clone(&clock), settings.api()).await?);
    let deliverer = alerting::deliverer(settings.post()?, &clock)?;
    let tls = certificate.as_ref().map(ReloadingCertificate::server_config).transpose()?;
    if let Some(certificate) = certificate {
        tokio::spawn(certificate.watch());
    }
    let scheme = if tls.is_some() { "https" } else { "http" };
    let server = ServerSettings {
        listen: settings.listen,
        workers: settings.workers,
        tls,
        shutdown_timeout: settings.shutdown_timeout.0,
        extra: None,
    };
    let running = server::start(server, DashboardState::new(state, Some(Arc::clone(&deliverer)))).await?;
    let alerts = RunningAlerts::start(&storage, &clock, settings.alerting(), deliverer)?;
    let retention = RunningRetention::start(&storage, &clock, RetentionSettings::default())?;
    let setup_link = setup_link::offer(storage.as_ref(), settings, clock.as_ref(), running.addr).await?;
    tracing::info!(
        address = %format_args!("{scheme}://{}", running.addr),
        database = storage.kind(),
        version = env!("CARGO_PKG_VERSION"),
        "serving"
    );
    signals.received().await;
    tracing::info!("stopping: requests in flight may finish");
    signals
        .finish(async {
            tokio::join!(running.stop(), alerts.stop(), retention.stop());
            drop(setup_link);
            storage.close().await;
            if let Some(metrics) = metrics {
                metrics.stop(false).await;
            }
        })
        .await;
    tracing::info!("stopped");
    Ok(())
}
