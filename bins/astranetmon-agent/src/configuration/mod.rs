//! What an operator may set: one TOML file, every key of which has a default.

mod reader;
mod server_url;
mod span;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use astranetmon_domain::TracerouteProtocol;
use tracing::Level;

use self::reader::Reader;
use crate::Failure;

pub use server_url::{Clear, ServerUrl};
pub(crate) use server_url::{HINT, is_private};

/// Where the configuration is looked for; it need not be there.
pub const DEFAULT_FILE: &str = "/etc/astranetmon/agent.toml";
/// Where the enrolment and the spool are kept.
pub const DEFAULT_STATE_DIR: &str = "/var/lib/astranetmon-agent";

/// Everything an operator may set.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where rows are sent; where the agent was enrolled, if unset.
    pub server: Option<ServerUrl>,
    /// Allows plain http to addresses that are not private.
    pub insecure_http: bool,
    /// Where the enrolment and the spool are kept; [`DEFAULT_STATE_DIR`], or what systemd says, if unset.
    pub state_dir: Option<PathBuf>,
    /// Between metrics.
    pub interval: Duration,
    /// Within this long after a whole interval an agent measures; when exactly is its own and stays.
    pub jitter: Duration,
    /// Least important line that is logged.
    pub log_level: Level,
    /// How log lines are written.
    pub log_format: LogFormat,
    /// Of the connection to the server.
    pub tls: TlsSettings,
    /// Round trips, measured with every metric.
    pub latency: LatencySettings,
    /// Paths.
    pub traceroute: TracerouteSettings,
    /// Speed tests.
    pub speedtest: SpeedtestSettings,
    /// What waits to be sent.
    pub spool: SpoolSettings,
}

/// How log lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object a line.
    Json,
}

/// Of the connection to the server.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsSettings {
    /// PEM file with certificates that are trusted besides the system's.
    pub ca_file: Option<PathBuf>,
}

/// Round trips, measured with every metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencySettings {
    /// Names or addresses; the first one fills the metric's fields.
    pub targets: Vec<String>,
    /// Probes a target and metric.
    pub probes: u8,
    /// After this long a probe is lost.
    pub timeout: Duration,
    /// Port that is connected to where ICMP is not allowed.
    pub tcp_port: u16,
}

/// Paths.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracerouteSettings {
    /// Names or addresses.
    pub targets: Vec<String>,
    /// What the probes are.
    pub protocol: TracerouteProtocol,
    /// Between traceroutes of a target.
    pub interval: Duration,
    /// Probes a hop.
    pub probes: u8,
    /// Largest distance.
    pub max_hops: u8,
    /// Whether names of hops are looked up.
    pub reverse_names: bool,
    /// Table of networks and their autonomous systems.
    pub as_table: Option<PathBuf>,
}

/// Against what speed is tested.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SpeedtestServer {
    /// The server that rows are sent to.
    Own,
    /// A `LibreSpeed` server.
    LibreSpeed(ServerUrl),
}

/// Speed tests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpeedtestSettings {
    /// None are made, if unset.
    pub server: Option<SpeedtestServer>,
    /// Between tests.
    pub interval: Duration,
    /// Connections at once.
    pub streams: u8,
    /// Of each direction.
    pub duration: Duration,
}

/// What waits to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SpoolSettings {
    /// Beyond this the oldest rows go.
    pub max_bytes: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            server: None,
            insecure_http: false,
            state_dir: None,
            interval: Duration::from_secs(60),
            jitter: Duration::from_secs(5),
            log_level: Level::INFO,
            log_format: LogFormat::Text,
            tls: TlsSettings::default(),
            latency: LatencySettings { targets: Vec::new(), probes: 5, timeout: Duration::from_secs(1), tcp_port: 443 },
            traceroute: TracerouteSettings {
                targets: Vec::new(),
                protocol: TracerouteProtocol::Icmp,
                interval: Duration::from_secs(15 * 60),
                probes: 3,
                max_hops: 30,
                reverse_names: true,
                as_table: None,
            },
            speedtest: SpeedtestSettings {
                server: None,
                interval: Duration::from_secs(6 * 3_600),
                streams: 4,
                duration: Duration::from_secs(10),
            },
            spool: SpoolSettings { max_bytes: 100 * 1024 * 1024 },
        }
    }
}

const TARGETS: &str = "a list of at most 16 names or addresses, such as [\"192.0.2.1\", \"example.com\"]";

const fn minutes(number: u64) -> Duration {
    Duration::from_secs(60 * number)
}

const fn millis(number: u64) -> Duration {
    Duration::from_millis(number)
}

impl Settings {
    /// Reads a file. Without `path` it is [`DEFAULT_FILE`], which need not be there.
    ///
    /// # Errors
    /// [`Failure::Usage`] with the file, the key, what was wrong and what is accepted.
    pub fn load(path: Option<&Path>) -> Result<Self, Failure> {
        let file = path.unwrap_or(Path::new(DEFAULT_FILE));
        let text = match fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && path.is_none() => return Ok(Self::default()),
            Err(error) => {
                return Err(Failure::usage(format!("the configuration {} cannot be read: {error}", file.display())));
            }
        };
        Self::parse(&text).map_err(|failure| Failure::usage(format!("{}: {failure}", file.display())))
    }

    /// Reads the text of a file.
    ///
    /// # Errors
    /// [`Failure::Usage`] with the key, what was wrong and what is accepted.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        let default = Self::default();
        let mut file = Reader::new(text)?;
        let server = file.text("server", "a URL, such as \"https://monitor.example.com\"")?;
        let settings = Self {
            server: server.map(|text| ServerUrl::parse(&text)).transpose()?,
            insecure_http: file.flag("insecure_http", default.insecure_http)?,
            state_dir: file.path("state_dir", DEFAULT_STATE_DIR)?,
            interval: file.span("interval", default.interval, millis(10_000)..=minutes(24 * 60))?,
            jitter: file.span("jitter", default.jitter, millis(0)..=minutes(24 * 60))?,
            log_level: file
                .parsed("log_level", "one of error, warn, info, debug, trace", log_level)?
                .unwrap_or(default.log_level),
            log_format: file.parsed("log_format", "text or json", log_format)?.unwrap_or(default.log_format),
            tls: Self::tls(file.section("tls")?)?,
            latency: Self::latency(file.section("latency")?, default.latency)?,
            traceroute: Self::traceroute(file.section("traceroute")?, default.traceroute)?,
            speedtest: Self::speedtest(file.section("speedtest")?, default.speedtest)?,
            spool: Self::spool(file.section("spool")?, default.spool)?,
        };
        file.finish()?;
        if settings.jitter > settings.interval {
            return Err(Failure::usage("jitter must not be longer than interval, such as \"5s\" of \"60s\""));
        }
        let latency = &settings.latency;
        if !latency.targets.is_empty() && latency.timeout * u32::from(latency.probes) > settings.interval {
            return Err(Failure::usage(
                "latency.probes times latency.timeout must not be longer than interval, such as 5 of \"1s\" in \"10s\"",
            ));
        }
        Ok(settings)
    }

    fn tls(mut section: Reader) -> Result<TlsSettings, Failure> {
        let settings = TlsSettings { ca_file: section.path("ca_file", "/etc/astranetmon/ca.pem")? };
        section.finish()?;
        Ok(settings)
    }

    fn latency(mut section: Reader, default: LatencySettings) -> Result<LatencySettings, Failure> {
        let settings = LatencySettings {
            targets: targets(&mut section)?,
            probes: small(section.number("probes", default.probes.into(), 1..=50)?),
            timeout: section.span("timeout", default.timeout, millis(100)..=millis(10_000))?,
            tcp_port: u16::try_from(section.number("tcp_port", default.tcp_port.into(), 1..=65_535)?).unwrap_or(443),
        };
        section.finish()?;
        Ok(settings)
    }

    fn traceroute(mut section: Reader, default: TracerouteSettings) -> Result<TracerouteSettings, Failure> {
        let settings = TracerouteSettings {
            targets: targets(&mut section)?,
            protocol: section
                .parsed("protocol", "one of icmp, udp, tcp", TracerouteProtocol::from_name)?
                .unwrap_or(default.protocol),
            interval: section.span("interval", default.interval, minutes(1)..=minutes(24 * 60))?,
            probes: small(section.number("probes", default.probes.into(), 1..=10)?),
            max_hops: small(section.number("max_hops", default.max_hops.into(), 1..=64)?),
            reverse_names: section.flag("reverse_names", default.reverse_names)?,
            as_table: section.path("as_table", "/var/lib/astranetmon-agent/ip2asn-combined.tsv.gz")?,
        };
        section.finish()?;
        Ok(settings)
    }

    fn speedtest(mut section: Reader, default: SpeedtestSettings) -> Result<SpeedtestSettings, Failure> {
        let server = section.parsed(
            "server",
            "\"own\" or the URL of a LibreSpeed server, such as \"https://speed.example.com\"",
            |text| match text {
                "own" => Some(SpeedtestServer::Own),
                url => ServerUrl::parse(url).ok().map(SpeedtestServer::LibreSpeed),
            },
        )?;
        let settings = SpeedtestSettings {
            server,
            interval: section.span("interval", default.interval, minutes(10)..=minutes(7 * 24 * 60))?,
            streams: small(section.number("streams", default.streams.into(), 1..=32)?),
            duration: section.span("duration", default.duration, millis(1_000)..=minutes(1))?,
        };
        section.finish()?;
        Ok(settings)
    }

    fn spool(mut section: Reader, default: SpoolSettings) -> Result<SpoolSettings, Failure> {
        let settings = SpoolSettings { max_bytes: section.number("max_bytes", default.max_bytes, 1 << 20..=1 << 40)? };
        section.finish()?;
        Ok(settings)
    }
}

/// What a checked number below 256 is.
fn small(number: u64) -> u8 {
    u8::try_from(number).unwrap_or(u8::MAX)
}

fn targets(section: &mut Reader) -> Result<Vec<String>, Failure> {
    let is_target = |text: &str| {
        (1..=253).contains(&text.len())
            && !text.starts_with('-')
            && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-_:%".contains(&byte))
    };
    let targets = section.list("targets", TARGETS, is_target)?;
    if targets.len() > 16 {
        return Err(section.too_many("targets", targets.len(), TARGETS));
    }
    Ok(targets)
}

fn log_level(name: &str) -> Option<Level> {
    name.bytes().all(|byte| byte.is_ascii_lowercase()).then(|| name.parse().ok()).flatten()
}

fn log_format(name: &str) -> Option<LogFormat> {
    match name {
        "text" => Some(LogFormat::Text),
        "json" => Some(LogFormat::Json),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
