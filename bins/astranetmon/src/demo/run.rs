//! The command: a folder, three accounts, a week of history, a server, and agents that go on.

use std::io::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;

use actix_web::web;
use astranetmon_alerts::{AlertSettings, PostSettings};
use astranetmon_dashboard::DashboardState;
use astranetmon_domain::{Account, Clock, Plan, SystemClock};
use astranetmon_http::{ApiSettings, ApiState};
use astranetmon_storage::Storage;
use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use tokio::sync::watch;

use super::DemoOptions;
use super::accounts::{accounts, keys};
use super::fleet::fleet;
use super::folder::{DemoFolder, DemoKeys, DemoOwner, HistoryProgress};
use super::history::{load, register};
use super::live::{Fleet, HostReporter, report_fleets};
use super::owners::owners;
use super::schedule::WEEK_SECONDS;
use crate::alerting::{self, RunningAlerts};
use crate::configuration::{LogFormat, Settings};
use crate::retention::{RetentionSettings, RunningRetention};
use crate::server::{self, ServerSettings};
use crate::shutdown::StopSignals;
use crate::{Failure, OutputFormat, log, storage_choice};

const LOOPBACK_V4: IpNet = IpNet::V4(Ipv4Net::new_assert(Ipv4Addr::LOCALHOST, 8));
const LOOPBACK_V6: IpNet = IpNet::V6(Ipv6Net::new_assert(Ipv6Addr::LOCALHOST, 128));

/// Runs the demonstration until it is told to stop.
///
/// # Errors
/// A folder that cannot be used, a folder that another demonstration uses, an address that is taken.
pub async fn run(options: DemoOptions) -> Result<(), Failure> {
    log::start(LogFormat::Text, "warn")?;
    let mut signals = StopSignals::new()?;
    let folder = DemoFolder::open(&options.data)?;
    let storage = open_storage(&folder.database_path()).await?;
    // Stopping while history is loaded leaves a folder that the next start completes.
    let served = tokio::select! {
        served = serve(&options, &folder, &storage) => served,
        () = signals.received() => {
            storage.close().await;
            return Ok(());
        }
    };
    let demonstration = match served {
        Ok(demonstration) => demonstration,
        Err(failure) => {
            storage.close().await;
            return Err(failure);
        }
    };
    signals.received().await;
    signals.finish(demonstration.stop(storage)).await;
    Ok(())
}

/// The embedded database at `path`, with this program's schema.
async fn open_storage(path: &Path) -> Result<Arc<dyn Storage>, Failure> {
    let database_url = format!("sqlite://{}", path.display())
        .parse()
        .map_err(|error| Failure::caused("the folder's name cannot be part of a database URL", &error))?;
    let settings = Settings { database_url, ..Settings::default() };
    storage_choice::migrate(&settings).await?;
    storage_choice::open(&settings, storage_choice::Purpose::Serve).await
}

/// What runs until it is stopped.
struct Demonstration {
    server: server::RunningServer,
    alerts: RunningAlerts,
    retention: RunningRetention,
    reporters: [tokio::task::JoinHandle<()>; 2],
    stop: watch::Sender<bool>,
}

impl Demonstration {
    async fn stop(self, storage: Arc<dyn Storage>) {
        self.stop.send_replace(true);
        tokio::join!(self.server.stop(), self.alerts.stop(), self.retention.stop());
        for reporter in self.reporters {
            // A reporter that panicked has said so already.
            let _ = reporter.await;
        }
        storage.close().await;
    }
}

async fn serve(
    options: &DemoOptions,
    folder: &DemoFolder,
    storage: &Arc<dyn Storage>,
) -> Result<Demonstration, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let started_at = clock.now();
    let history = (started_at.plus_seconds(-WEEK_SECONDS), started_at);
    let accounts = accounts(storage.as_ref(), history.0).await?;
    let before = folder.history_progress()?;
    let seed = before.map_or(options.seed, |before| before.seed);
    let fleets = fleets(seed, &accounts)?;
    let continues = before.is_some_and(|before| before.loaded);
    if !continues {
        folder.keep_history_progress(HistoryProgress { seed, loaded: false })?;
        load(storage.as_ref(), &fleets, history, options.format).await?;
        folder.keep_history_progress(HistoryProgress { seed, loaded: true })?;
    } else {
        if seed != options.seed {
            eprintln!("astranetmon: this folder's fleets were made with seed {seed}, so they go on with it");
        }
        register(storage.as_ref(), &fleets, started_at, started_at).await?;
    }
    let keys = keys(storage.as_ref(), folder, &accounts, started_at).await?;
    let owner = owners(storage.as_ref(), folder, &accounts, started_at).await?;

    let [_, _, enterprise] = &accounts;
    let host = HostReporter::new(storage.as_ref(), enterprise.id, started_at).await?;
    let state = ApiState::new(Arc::clone(storage), Arc::clone(&clock), ApiSettings::default()).await?;
    // A demonstration is tried by those who sit at this machine, with a receiver on it.
    let post = PostSettings { allowed_networks: vec![LOOPBACK_V4, LOOPBACK_V6], ..PostSettings::default() };
    let deliverer = alerting::deliverer(post, &clock)?;
    let dashboard = DashboardState::new(web::Data::new(state), Some(Arc::clone(&deliverer)));
    let server = server::start(ServerSettings::plain(options.listen), dashboard).await?;
    let alerts = RunningAlerts::start(storage, &clock, AlertSettings::default(), deliverer)?;
    let retention = RunningRetention::start(storage, &clock, RetentionSettings::default())?;
    let (stop, stopped) = watch::channel(false);
    let reporters = [
        tokio::spawn(report_fleets(
            Arc::clone(storage),
            Arc::clone(&clock),
            fleets,
            started_at,
            continues,
            stopped.clone(),
        )),
        tokio::spawn(host.run(Arc::clone(storage), clock, stopped)),
    ];
    let announcement = announcement(options.format, server.addr, &keys, &owner);
    // Whoever closed standard output does not want to know.
    let _ = std::io::stdout().write_all(announcement.as_bytes());
    Ok(Demonstration { server, alerts, retention, reporters, stop })
}

fn fleets(seed: u64, accounts: &[Account; 3]) -> Result<Vec<Fleet>, Failure> {
    let each = accounts.iter().zip(Plan::ALL).map(|(account, plan)| {
        let agents = fleet(seed, plan).map_err(|error| Failure::caused("a synthetic fleet", &error))?;
        Ok(Fleet { account: account.id, agents })
    });
    each.collect()
}

/// What standard output says once the server serves.
fn announcement(format: OutputFormat, mut addr: SocketAddr, keys: &DemoKeys, owner: &DemoOwner) -> String {
    if addr.ip().is_unspecified() {
        // Every address is one to listen on, not one to ask.
        addr.set_ip(IpAddr::V4(Ipv4Addr::LOCALHOST));
    }
    let (url, port) = (format!("http://{addr}"), addr.port());
    match format {
        OutputFormat::Json => format!("{}\n", serde_json::json!({ "url": url, "keys": keys, "owner": owner })),
        OutputFormat::Text => {
            let DemoKeys { starter, professional, enterprise } = keys;
            let DemoOwner { email, password } = owner;
            format!(
                r#"AstraNetmon serves {url}, documented at {url}/api/v1/docs. Ctrl-C stops it.

Dashboard: http://localhost:{port}/dashboard
  E-mail        {email}
  Password      {password}

Keys:
  Starter       {starter}
  Professional  {professional}
  Enterprise    {enterprise}

# Get all agents
curl -H "Authorization: Bearer {enterprise}" \
  {url}/api/v1/agents

# Get metrics for specific agent
curl -H "Authorization: Bearer {enterprise}" \
  "{url}/api/v1/metrics?agent_id=agent-123&limit=100"

# Get speed tests from last 7 days
START_DATE=$(date -u -d '7 days ago' '+%Y-%m-%dT%H:%M:%SZ')
curl -H "Authorization: Bearer {enterprise}" \
  "{url}/api/v1/speedtests?start_date=$START_DATE"
"#
            )
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scripts_get_one_line_and_people_the_seeds_lines() {
        let keys = DemoKeys {
            starter: "astra_s".to_owned(),
            professional: "astra_p".to_owned(),
            enterprise: "astra_e".to_owned(),
        };
        let owner = DemoOwner { email: "owner@example.com".to_owned(), password: "secret".to_owned() };
        let addr = SocketAddr::from(([127, 0, 0, 1], 8080));
        let json = announcement(OutputFormat::Json, addr, &keys, &owner);
        assert_eq!(json.lines().count(), 1);
        assert!(announcement(OutputFormat::Json, SocketAddr::from(([0, 0, 0, 0], 8080)), &keys, &owner) == json);
        let value: serde_json::Value = serde_json::from_str(&json).expect("JSON");
        assert_eq!(value["url"], "http://127.0.0.1:8080");
        assert_eq!(value["keys"]["professional"], "astra_p");
        assert_eq!(value["owner"], serde_json::json!({ "email": "owner@example.com", "password": "secret" }));
        let text = announcement(OutputFormat::Text, addr, &keys, &owner);
        for line in [
            "Dashboard: http://localhost:8080/dashboard",
            "  Password      secret",
            "START_DATE=$(date -u -d '7 days ago' '+%Y-%m-%dT%H:%M:%SZ')",
            r#"curl -H "Authorization: Bearer astra_e" \"#,
            r#"  "http://127.0.0.1:8080/api/v1/metrics?agent_id=agent-123&limit=100""#,
        ] {
            assert!(text.lines().any(|written| written == line), "{line}");
        }
    }
}
