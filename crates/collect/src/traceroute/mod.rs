//! Paths to targets.

mod names;
mod path;
mod right;
mod rounds;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use astranetmon_domain::{AgentId, Hop, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus};

use self::names::Names;
use self::path::{Path, PathHop};
use self::rounds::Plan;
use crate::address::{IpVersion, resolve};
use crate::as_table::AsTable;

pub use self::right::may_trace;

/// Where a trace goes and by what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracerouteTarget {
    /// A name or an address.
    pub host: String,
    /// The version of which the name must have an address; `None` takes what the system prefers.
    pub ip_version: Option<IpVersion>,
    /// What the probes are.
    pub protocol: TracerouteProtocol,
    /// Where UDP and TCP probes go to. A service that answers UDP is not seen: it is the refusal that shows the target.
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
    /// From the start of one round to that of the next, unless the former lasts longer. A second is what routers allow
    /// by default: Linux answers an address that often, and a few times more at once.
    pub round_spacing: Duration,
    /// Longest time for all probes. Rounds that do not begin in it are left out.
    pub total_wait: Duration,
    /// Longest time for the names of the hops; those not known by then are left out. Zero: no names are asked for.
    pub names_wait: Duration,
    /// Tells the flows of two agents on one host apart: part of ICMP's identifier and UDP's source port. The same flow
    /// in each trace lets routers that balance load choose the same path.
    pub flow: u16,
}

impl Default for TracerouteOptions {
    fn default() -> Self {
        Self {
            probe_count: 3,
            max_hops: 30,
            round_wait: Duration::from_secs(2),
            round_spacing: Duration::from_secs(1),
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
    names: Names,
}

impl fmt::Debug for Tracer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tracer").field("options", &self.options).finish_non_exhaustive()
    }
}

impl Tracer {
    /// Without a table, hops have no AS.
    #[must_use]
    pub fn new(options: TracerouteOptions, as_table: Option<Arc<AsTable>>) -> Self {
        Self { options, as_table, names: Names::new() }
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
        match self.follow(target, &mut record).await {
            Ok(path) => self.tell(path, &mut record).await,
            Err(error) => record.error = Some(error),
        }
        record.duration_ms = i64::try_from(started.elapsed().as_millis()).ok();
        record.normalized()
    }

    async fn follow(&self, target: &TracerouteTarget, record: &mut Traceroute) -> Result<Path, String> {
        let address = resolve(&target.host, target.ip_version).await?;
        record.target_ip = Some(address.to_string());
        record.ip_version = Some(IpVersion::of(address).number());
        right::may_trace_in(IpVersion::of(address))?;
        let plan = Plan { address, protocol: target.protocol, port: target.port, options: self.options };
        let cancelled = CancelledOnDrop(Arc::new(AtomicBool::new(false)));
        let flag = Arc::clone(&cancelled.0);
        let rounds = tokio::task::spawn_blocking(move || rounds::probe(&plan, &flag))
            .await
            .map_err(|_| format!("The trace to {address} broke off."))??;
        let path = Path::of(&rounds);
        if path.hops.is_empty() {
            return Err(format!("Probes could not be sent to {address}: the network is unreachable."));
        }
        Ok(path)
    }

    async fn tell(&mut self, path: Path, record: &mut Traceroute) {
        self.names.learn(path.hops.iter().filter_map(|hop| hop.address), self.options.names_wait).await;
        record.reached = path.reached;
        // Who was asked and did not answer has lost what was sent.
        record.packet_loss_percent = Some(100.0);
        if let (true, Some(last)) = (path.reached, path.hops.last()) {
            record.status = TracerouteStatus::Completed;
            record.rtt_ms = last.trips.avg_ms();
            record.packet_loss_percent = last.loss_percent();
        } else {
            record.status = TracerouteStatus::Incomplete;
            record.error = Some(match path.ended_by {
                Some((router, code)) => format!("{router} answered that {}.", path::unreachable_text(router, code)),
                None => format!("{} did not answer.", record.target),
            });
        }
        record.hops = (1..).zip(&path.hops).map(|(ttl, hop)| self.hop(ttl, hop)).collect();
    }

    fn hop(&self, ttl: u8, hop: &PathHop) -> Hop {
        let find = |address: IpAddr| self.as_table.as_ref().and_then(|table| table.find(address));
        let system = hop.address.and_then(find);
        Hop {
            ttl,
            ip: hop.address.map(|address| address.to_string()),
            hostname: hop.address.and_then(|address| self.names.get(address)).map(str::to_owned),
            asn: system.map(|system| system.number),
            as_name: system.map(|system| system.name.to_owned()).filter(|name| !name.is_empty()),
            rtt_min_ms: hop.trips.min_ms(),
            rtt_avg_ms: hop.trips.avg_ms(),
            rtt_max_ms: hop.trips.max_ms(),
            sent_count: hop.trips.sent_count,
            received_count: hop.received_count,
            packet_loss_percent: hop.loss_percent(),
        }
    }
}

/// Ends the blocking work when nobody waits for it any more.
struct CancelledOnDrop(Arc<AtomicBool>);

impl Drop for CancelledOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_without_an_address_is_a_failed_trace_without_hops() {
        let mut tracer = Tracer::new(TracerouteOptions::default(), None);
        let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("an id");
        let agent_id = AgentId::parse("a").expect("an id");
        let target = TracerouteTarget::new("no such name", TracerouteProtocol::Udp);
        let trace = tracer.trace(&target, id, &agent_id, Timestamp::from_seconds(1_700_000_000)).await;
        assert_eq!((trace.status, trace.reached, trace.hops.len()), (TracerouteStatus::Failed, false, 0));
        assert_eq!((trace.target.as_str(), trace.target_ip.as_deref()), ("no such name", None));
        assert!(trace.error.is_some_and(|error| error.starts_with("The name no such name could not be resolved")));
    }
}
