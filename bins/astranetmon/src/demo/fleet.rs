//! Who is in the synthetic fleets: one account a plan, five agents each.

use std::collections::BTreeMap;

use astranetmon_domain::{AgentFacts, AgentId, InvalidAgentId, Plan, Timestamp};
use astranetmon_storage::NewAgent;

use super::noise::{Noise, Purpose};
use super::schedule::Cadence;

const GIB: i64 = 1 << 30;
/// Seconds between metrics of a synthetic agent.
pub(super) const METRIC_SECONDS: i64 = 60;
const SPEEDTEST_SECONDS: i64 = 6 * 3_600;
const TRACEROUTE_SECONDS: i64 = 30 * 60;

/// The name of the demonstration's account of that plan.
pub(super) const fn account_name(plan: Plan) -> &'static str {
    match plan {
        Plan::Starter => "demo-starter",
        Plan::Professional => "demo-professional",
        Plan::Enterprise => "demo-enterprise",
    }
}

/// What an agent's machine does; decides its load and its hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Web,
    Database,
    Gateway,
    Backup,
    Build,
}

/// What happens to one agent once a week.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WeeklyEvent {
    /// Nothing.
    None,
    /// It cannot be reached for some 40 minutes.
    Outage,
    /// It starts again: uptime and totals from 0.
    Reboot,
    /// The way to its first target changes.
    RouteChange,
}

/// Where an agent stands, with what its network there looks like from outside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Site {
    /// The value of the label `site`.
    pub(super) code: &'static str,
    pub(super) city: &'static str,
    pub(super) hours_from_utc: i64,
    pub(super) isp: &'static str,
    pub(super) asn: u32,
    /// First three numbers of the provider's addresses here.
    pub(super) network: &'static str,
    /// Round trip to the nearest exchange.
    pub(super) base_latency_ms: f64,
}

const BERLIN: Site = Site {
    code: "ber",
    city: "Berlin",
    hours_from_utc: 1,
    isp: "Spreenetz",
    asn: 64_496,
    network: "192.0.2",
    base_latency_ms: 6.0,
};
const FRANKFURT: Site = Site {
    code: "fra",
    city: "Frankfurt",
    hours_from_utc: 1,
    isp: "Mainkabel",
    asn: 64_497,
    network: "198.51.100",
    base_latency_ms: 1.4,
};
const NEW_YORK: Site = Site {
    code: "nyc",
    city: "New York",
    hours_from_utc: -5,
    isp: "Hudson Fiber",
    asn: 64_498,
    network: "203.0.113",
    base_latency_ms: 3.1,
};
const SINGAPORE: Site = Site {
    code: "sin",
    city: "Singapore",
    hours_from_utc: 8,
    isp: "Straits Broadband",
    asn: 64_499,
    network: "192.0.2",
    base_latency_ms: 2.2,
};

/// One synthetic agent as it is written down here.
pub(super) struct AgentSpec {
    id: &'static str,
    hostname: &'static str,
    pub(super) site: Site,
    pub(super) role: Role,
    event: WeeklyEvent,
}

const fn spec(id: &'static str, hostname: &'static str, site: Site, role: Role, event: WeeklyEvent) -> AgentSpec {
    AgentSpec { id, hostname, site, role, event }
}

/// The agents of an account. Some ids and hostnames occur in several accounts: they are only unique within one.
fn specs(plan: Plan) -> [AgentSpec; 5] {
    match plan {
        Plan::Starter => [
            spec("web-1", "web-1", BERLIN, Role::Web, WeeklyEvent::None),
            spec("db-1", "db-1", BERLIN, Role::Database, WeeklyEvent::Reboot),
            spec("gw-office", "gw-office", BERLIN, Role::Gateway, WeeklyEvent::RouteChange),
            spec("nas", "nas", BERLIN, Role::Backup, WeeklyEvent::Outage),
            spec("ci-1", "ci-1", FRANKFURT, Role::Build, WeeklyEvent::None),
        ],
        Plan::Professional => [
            spec("web-1", "web-1.fra", FRANKFURT, Role::Web, WeeklyEvent::Outage),
            spec("web-2", "web-2.fra", FRANKFURT, Role::Web, WeeklyEvent::None),
            spec("db-1", "db-1", FRANKFURT, Role::Database, WeeklyEvent::None),
            spec("edge-nyc", "edge-nyc", NEW_YORK, Role::Gateway, WeeklyEvent::RouteChange),
            spec("backup-nyc", "backup-nyc", NEW_YORK, Role::Backup, WeeklyEvent::Reboot),
        ],
        Plan::Enterprise => [
            spec("agent-123", "web-1", FRANKFURT, Role::Web, WeeklyEvent::None),
            spec("agent-124", "db-1.fra", FRANKFURT, Role::Database, WeeklyEvent::None),
            spec("agent-125", "edge-nyc", NEW_YORK, Role::Gateway, WeeklyEvent::RouteChange),
            spec("agent-126", "backup-sin", SINGAPORE, Role::Backup, WeeklyEvent::Outage),
            spec("agent-127", "build-ber", BERLIN, Role::Build, WeeklyEvent::Reboot),
        ],
    }
}

/// One synthetic agent: a pure function from time to what it measured.
#[derive(Clone, Debug)]
pub(super) struct SyntheticAgent {
    pub(super) id: AgentId,
    hostname: &'static str,
    pub(super) site: Site,
    pub(super) role: Role,
    pub(super) event: WeeklyEvent,
    pub(super) noise: Noise,
    pub(super) hardware: Hardware,
    /// Last number of its addresses.
    pub(super) host_number: u8,
}

/// What a machine of a role is built of and how hard it works.
#[derive(Clone, Copy, Debug)]
pub(super) struct Hardware {
    pub(super) cores: u32,
    pub(super) memory_bytes: i64,
    pub(super) swap_bytes: i64,
    pub(super) disk_bytes: i64,
    cpu_model: &'static str,
    arch: &'static str,
    os: &'static str,
    os_version: &'static str,
    kernel: &'static str,
    pub(super) has_sensor: bool,
    /// Percent of all processors with nothing to do, and what a busy day adds.
    pub(super) cpu_idle_percent: f64,
    pub(super) cpu_busy_percent: f64,
    /// Mean bytes a second.
    pub(super) receive_rate: f64,
    pub(super) transmit_rate: f64,
    pub(super) disk_read_rate: f64,
    pub(super) disk_write_rate: f64,
    pub(super) processes: i64,
}

const SERVER: Hardware = Hardware {
    cores: 8,
    memory_bytes: 16 * GIB,
    swap_bytes: 4 * GIB,
    disk_bytes: 160 * GIB,
    cpu_model: "AMD EPYC 7443P 24-Core Processor",
    arch: "x86_64",
    os: "Debian GNU/Linux",
    os_version: "13",
    kernel: "6.12.43+deb13-amd64",
    has_sensor: false,
    cpu_idle_percent: 6.0,
    cpu_busy_percent: 38.0,
    receive_rate: 900_000.0,
    transmit_rate: 4_200_000.0,
    disk_read_rate: 300_000.0,
    disk_write_rate: 900_000.0,
    processes: 170,
};

impl Role {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Web => "web",
            Self::Database => "database",
            Self::Gateway => "gateway",
            Self::Backup => "backup",
            Self::Build => "build",
        }
    }

    const fn hardware(self) -> Hardware {
        match self {
            Self::Web => SERVER,
            Self::Database => Hardware {
                cores: 16,
                memory_bytes: 64 * GIB,
                swap_bytes: 8 * GIB,
                disk_bytes: 900 * GIB,
                cpu_idle_percent: 9.0,
                cpu_busy_percent: 30.0,
                receive_rate: 1_600_000.0,
                transmit_rate: 1_900_000.0,
                disk_read_rate: 5_500_000.0,
                disk_write_rate: 8_000_000.0,
                processes: 310,
                ..SERVER
            },
            Self::Gateway => Hardware {
                cores: 4,
                memory_bytes: 4 * GIB,
                swap_bytes: GIB,
                disk_bytes: 32 * GIB,
                cpu_model: "Intel(R) Celeron(R) J4125 CPU @ 2.00GHz",
                os: "Alpine Linux",
                os_version: "3.22",
                kernel: "6.12.38-0-lts",
                has_sensor: true,
                cpu_idle_percent: 3.0,
                cpu_busy_percent: 18.0,
                receive_rate: 7_000_000.0,
                transmit_rate: 6_800_000.0,
                disk_read_rate: 2_000.0,
                disk_write_rate: 30_000.0,
                processes: 85,
                ..SERVER
            },
            Self::Backup => Hardware {
                cores: 4,
                memory_bytes: 8 * GIB,
                swap_bytes: 2 * GIB,
                disk_bytes: 7_400 * GIB,
                cpu_model: "Cortex-A72",
                arch: "aarch64",
                os: "Ubuntu",
                os_version: "24.04",
                kernel: "6.8.0-71-generic",
                has_sensor: true,
                cpu_idle_percent: 2.0,
                cpu_busy_percent: 9.0,
                receive_rate: 500_000.0,
                transmit_rate: 120_000.0,
                disk_read_rate: 90_000.0,
                disk_write_rate: 700_000.0,
                processes: 140,
            },
            Self::Build => Hardware {
                cores: 12,
                memory_bytes: 32 * GIB,
                disk_bytes: 480 * GIB,
                cpu_model: "13th Gen Intel(R) Core(TM) i5-13500",
                os: "Fedora Linux",
                os_version: "42",
                kernel: "6.15.9-201.fc42.x86_64",
                has_sensor: true,
                cpu_idle_percent: 3.0,
                cpu_busy_percent: 55.0,
                receive_rate: 1_200_000.0,
                transmit_rate: 400_000.0,
                disk_read_rate: 2_500_000.0,
                disk_write_rate: 6_000_000.0,
                processes: 240,
                ..SERVER
            },
        }
    }
}

/// The synthetic agents of the demonstration's account of that plan.
///
/// # Errors
/// Never for the agents that are written down here.
pub(super) fn fleet(seed: u64, plan: Plan) -> Result<Vec<SyntheticAgent>, InvalidAgentId> {
    let numbered = specs(plan).into_iter().zip(20..);
    numbered
        .map(|(spec, host_number)| {
            Ok(SyntheticAgent {
                id: AgentId::parse(spec.id)?,
                hostname: spec.hostname,
                site: spec.site,
                role: spec.role,
                event: spec.event,
                noise: Noise::new(seed, account_name(plan), spec.id),
                hardware: spec.role.hardware(),
                host_number,
            })
        })
        .collect()
}

impl SyntheticAgent {
    /// What the agent says of itself at the time `at`.
    pub(super) fn new_agent(&self, at: Timestamp) -> NewAgent {
        let hardware = self.hardware;
        let facts = AgentFacts {
            hostname: self.hostname.to_owned(),
            agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            os: Some(hardware.os.to_owned()),
            os_version: Some(hardware.os_version.to_owned()),
            kernel_version: Some(hardware.kernel.to_owned()),
            arch: Some(hardware.arch.to_owned()),
            cpu_model: Some(hardware.cpu_model.to_owned()),
            cpu_core_count: Some(hardware.cores),
            memory_total_bytes: Some(hardware.memory_bytes),
            boot_time: Some(self.boot_time(at)),
            ip_addresses: vec![format!("10.20.{}.{}", self.site.asn % 100, self.host_number)],
            interval_seconds: u32::try_from(METRIC_SECONDS).ok(),
        };
        let labels = BTreeMap::from([("site", self.site.code), ("role", self.role.name())]);
        NewAgent {
            id: self.id.clone(),
            facts,
            name: None,
            public_ip: Some(self.public_ip()),
            labels: labels.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        }
    }

    /// Its address as others see it.
    pub(super) fn public_ip(&self) -> String {
        format!("{}.{}", self.site.network, self.host_number)
    }

    /// When it samples metrics: each agent at a second of its own, so that not all report at once.
    pub(super) fn metric_cadence(&self) -> Cadence {
        self.cadence(METRIC_SECONDS)
    }

    /// When it runs speed tests.
    pub(super) fn speedtest_cadence(&self) -> Cadence {
        self.cadence(SPEEDTEST_SECONDS)
    }

    /// When it traces its targets.
    pub(super) fn traceroute_cadence(&self) -> Cadence {
        self.cadence(TRACEROUTE_SECONDS)
    }

    fn cadence(&self, period_seconds: i64) -> Cadence {
        let share = self.noise.unit(Purpose::Schedule, period_seconds);
        Cadence::new(period_seconds, (share * (period_seconds * 1_000) as f64) as i64)
    }
}
