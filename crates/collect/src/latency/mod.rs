//! Round-trip times to targets.

mod echo;
mod icmp;
mod tcp;

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use astranetmon_domain::{
    AgentId, Hop, MetricSample, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus,
};

use crate::address::{IpVersion, resolve};
use crate::round_trips::RoundTrips;

/// What is measured to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LatencyTarget {
    /// A name or an address.
    pub host: String,
    /// The version of which the name must have an address; `None` takes what the system prefers.
    pub ip_version: Option<IpVersion>,
    /// How.
    pub method: LatencyMethod,
    /// Where TCP connects to.
    pub tcp_port: u16,
}

impl LatencyTarget {
    /// By whatever is allowed, to port 443 if that is TCP.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self { host: host.into(), ip_version: None, method: LatencyMethod::Auto, tcp_port: 443 }
    }
}

/// How a round trip is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LatencyMethod {
    /// ICMP if this process may send it, else TCP. A target that leaves ICMP unanswered is lost, not tried by TCP:
    /// otherwise loss would hide itself.
    #[default]
    Auto,
    /// ICMP echo.
    Icmp,
    /// A TCP connection, opened and closed again. A refusal is an answer as well.
    Tcp,
}

/// How often, and how long is waited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LatencyOptions {
    /// Probes per measurement, 1 to 100.
    pub probe_count: u32,
    /// From the start of one probe to that of the next, unless the former waits longer.
    pub spacing: Duration,
    /// Longest time for an answer; later is lost.
    pub wait: Duration,
}

impl Default for LatencyOptions {
    fn default() -> Self {
        Self { probe_count: 5, spacing: Duration::from_millis(200), wait: Duration::from_secs(1) }
    }
}

impl LatencyOptions {
    /// Most probes of a measurement.
    pub const MAX_PROBES: u32 = 100;
}

/// What a measurement found.
#[derive(Clone, Debug, PartialEq)]
pub struct LatencyResult {
    /// As asked.
    pub target: String,
    /// `None` if the name did not resolve.
    pub target_ip: Option<IpAddr>,
    /// What the probes were: [`TracerouteProtocol::Icmp`] or [`TracerouteProtocol::Tcp`].
    pub protocol: TracerouteProtocol,
    /// Probes that were sent or found no way. 0 if this host could send none at all; then `error` says why.
    pub sent_count: u32,
    /// Probes that were answered in time.
    pub received_count: u32,
    /// Shortest round trip.
    pub min_ms: Option<f64>,
    /// Mean round trip.
    pub avg_ms: Option<f64>,
    /// Longest round trip.
    pub max_ms: Option<f64>,
    /// Mean absolute difference of successive round trips; of those that were answered. `None` for fewer than two.
    pub jitter_ms: Option<f64>,
    /// `None` if nothing was sent: then the loss is not known.
    pub packet_loss_percent: Option<f64>,
    /// One sentence, if nothing was sent or a probe was refused by the network.
    pub error: Option<String>,
    /// The whole measurement.
    pub duration: Duration,
}

impl LatencyResult {
    /// Puts latency (the mean), jitter and loss into a sample: for the first of several targets.
    pub fn fill(&self, sample: &mut MetricSample) {
        sample.latency_ms = self.avg_ms;
        sample.jitter_ms = self.jitter_ms;
        sample.packet_loss_percent = self.packet_loss_percent;
    }

    /// The measurement as a traceroute of one hop, the target's: for the other targets, since a metric has room for
    /// one. How many routers lie between was not measured; the hop's `ttl` is 1.
    #[must_use]
    pub fn into_traceroute(self, id: TracerouteId, agent_id: AgentId, timestamp: Timestamp) -> Traceroute {
        let reached = self.received_count > 0;
        let ip = self.target_ip.map(|address| address.to_string());
        let status = match (self.sent_count, reached) {
            (0, _) => TracerouteStatus::Failed,
            (_, true) => TracerouteStatus::Completed,
            (_, false) => TracerouteStatus::Incomplete,
        };
        let hop = Hop {
            ttl: 1,
            ip: ip.clone().filter(|_| reached),
            hostname: None,
            asn: None,
            as_name: None,
            rtt_min_ms: self.min_ms,
            rtt_avg_ms: self.avg_ms,
            rtt_max_ms: self.max_ms,
            sent_count: self.sent_count,
            received_count: self.received_count,
            packet_loss_percent: self.packet_loss_percent,
        };
        Traceroute {
            id,
            agent_id,
            timestamp,
            target: self.target,
            target_ip: ip,
            ip_version: self.target_ip.map(|address| IpVersion::of(address).number()),
            protocol: self.protocol,
            status,
            error: self.error,
            reached,
            rtt_ms: self.avg_ms,
            packet_loss_percent: self.packet_loss_percent,
            path_changed: None,
            duration_ms: i64::try_from(self.duration.as_millis()).ok(),
            hops: if self.sent_count > 0 { vec![hop] } else { Vec::new() },
        }
        .normalized()
    }
}

/// Measures to one target, in about `probe_count * spacing` or, if nothing answers, `probe_count * wait`.
///
/// Never fails: what went wrong stands in the result. Needs a tokio runtime with time and I/O; dropping the future ends
/// the measurement.
pub async fn measure_latency(target: &LatencyTarget, options: &LatencyOptions) -> LatencyResult {
    let started = Instant::now();
    let address = match resolve(&target.host, target.ip_version).await {
        Ok(address) => address,
        Err(error) => return nothing_sent(target, None, error, started),
    };
    let prober = match Prober::open(target, address) {
        Ok(prober) => prober,
        Err(error) => return nothing_sent(target, Some(address), error, started),
    };
    let mut trips = RoundTrips::default();
    let mut error = None;
    let mut next = tokio::time::Instant::now();
    for sequence in 0..options.probe_count.clamp(1, LatencyOptions::MAX_PROBES) {
        tokio::time::sleep_until(next).await;
        next = tokio::time::Instant::now() + options.spacing;
        let sequence = u16::try_from(sequence).unwrap_or_default();
        match tokio::time::timeout(options.wait, prober.probe(sequence)).await {
            Ok(Probed::Answered(after)) => {
                trips.sent();
                trips.answered(after);
            }
            Ok(Probed::Lost(why)) => {
                trips.sent();
                error = Some(why);
            }
            Ok(Probed::NotSent(why)) => error = Some(why),
            Err(_) => trips.sent(),
        }
    }
    LatencyResult {
        target: target.host.clone(),
        target_ip: Some(address),
        protocol: prober.protocol(),
        sent_count: trips.sent_count,
        received_count: trips.received_count(),
        min_ms: trips.min_ms(),
        avg_ms: trips.avg_ms(),
        max_ms: trips.max_ms(),
        jitter_ms: trips.jitter_ms(),
        packet_loss_percent: trips.loss_percent(),
        error,
        duration: started.elapsed(),
    }
}

fn nothing_sent(target: &LatencyTarget, address: Option<IpAddr>, error: String, started: Instant) -> LatencyResult {
    LatencyResult {
        target: target.host.clone(),
        target_ip: address,
        protocol: match target.method {
            LatencyMethod::Auto | LatencyMethod::Icmp => TracerouteProtocol::Icmp,
            LatencyMethod::Tcp => TracerouteProtocol::Tcp,
        },
        sent_count: 0,
        received_count: 0,
        min_ms: None,
        avg_ms: None,
        max_ms: None,
        jitter_ms: None,
        packet_loss_percent: None,
        error: Some(error),
        duration: started.elapsed(),
    }
}

/// What became of a probe. The texts are sentences.
enum Probed {
    Answered(Duration),
    /// The network, or this host for it, said that it will not arrive.
    Lost(String),
    /// This host could not or would not send it, which says nothing of the network.
    NotSent(String),
}

/// Whether there is no way to the target. A host that lost its routes has lost its line: that is a finding.
fn is_unreachable(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::{HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(error.kind(), NetworkUnreachable | HostUnreachable | NetworkDown)
}

enum Prober {
    Icmp(icmp::IcmpProber),
    Tcp(SocketAddr),
}

impl Prober {
    fn open(target: &LatencyTarget, address: IpAddr) -> Result<Self, String> {
        let tcp = Self::Tcp(SocketAddr::new(address, target.tcp_port));
        match target.method {
            LatencyMethod::Tcp => Ok(tcp),
            LatencyMethod::Icmp => icmp::IcmpProber::open(address).map(Self::Icmp),
            LatencyMethod::Auto => Ok(icmp::IcmpProber::open(address).map_or(tcp, Self::Icmp)),
        }
    }

    const fn protocol(&self) -> TracerouteProtocol {
        match self {
            Self::Icmp(_) => TracerouteProtocol::Icmp,
            Self::Tcp(_) => TracerouteProtocol::Tcp,
        }
    }

    async fn probe(&self, sequence: u16) -> Probed {
        match self {
            Self::Icmp(prober) => prober.probe(sequence).await,
            Self::Tcp(address) => tcp::probe(*address).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick() -> LatencyOptions {
        LatencyOptions { spacing: Duration::from_millis(5), wait: Duration::from_millis(500), ..Default::default() }
    }

    fn traceroute(result: LatencyResult) -> Traceroute {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("an id");
        result.into_traceroute(id, AgentId::parse("a").expect("an id"), Timestamp::from_seconds(1_700_000_000))
    }

    #[tokio::test]
    async fn a_tcp_port_answers_whether_it_accepts_or_refuses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let open = listener.local_addr().expect("bound").port();
        let closed = {
            let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
            gone.local_addr().expect("bound").port()
        };
        for (what, tcp_port) in [("open", open), ("closed", closed)] {
            let target = LatencyTarget { method: LatencyMethod::Tcp, tcp_port, ..LatencyTarget::new("127.0.0.1") };
            let result = measure_latency(&target, &quick()).await;
            assert_eq!((result.sent_count, result.received_count), (5, 5), "{what}: {result:?}");
            assert_eq!(result.packet_loss_percent, Some(0.0));
            assert!(result.min_ms <= result.avg_ms && result.avg_ms <= result.max_ms);
            assert!(result.min_ms > Some(0.0) && result.jitter_ms >= Some(0.0));
            assert_eq!((result.protocol, &result.error), (TracerouteProtocol::Tcp, &None));
        }
    }

    #[tokio::test]
    async fn this_host_answers_by_whatever_is_allowed_in_both_versions() {
        // A machine without IPv6 has no ::1.
        for host in ["127.0.0.1", "::1"].into_iter().filter(|host| std::net::UdpSocket::bind((*host, 0)).is_ok()) {
            let target = LatencyTarget { tcp_port: 1, ..LatencyTarget::new(host) };
            let result = measure_latency(&target, &quick()).await;
            assert_eq!((result.sent_count, result.received_count), (5, 5), "{host}: {result:?}");
            assert_eq!(result.target_ip, host.parse().ok());

            let mut sample =
                MetricSample::new(AgentId::parse("a").expect("an id"), Timestamp::from_seconds(1_700_000_000));
            result.fill(&mut sample);
            assert_eq!(sample.latency_ms, result.avg_ms);
            assert_eq!((sample.jitter_ms, sample.packet_loss_percent), (result.jitter_ms, Some(0.0)));

            let trace = traceroute(result);
            assert_eq!((trace.status, trace.reached), (TracerouteStatus::Completed, true));
            assert_eq!(trace.hops.len(), 1);
            assert_eq!((trace.hops[0].ttl, trace.hops[0].ip.as_deref()), (1, Some(host)));
            assert_eq!(trace, trace.clone().normalized());
        }
    }

    #[tokio::test]
    async fn a_name_without_an_address_is_a_failure_of_which_the_loss_is_not_known() {
        let result = measure_latency(&LatencyTarget::new("no such name"), &quick()).await;
        assert_eq!((result.sent_count, result.packet_loss_percent), (0, None));
        let trace = traceroute(result);
        assert_eq!((trace.status, trace.reached, trace.hops.len()), (TracerouteStatus::Failed, false, 0));
        assert!(trace.error.is_some_and(|error| error.starts_with("The name no such name could not be resolved")));
    }

    #[test]
    fn a_silent_target_is_an_incomplete_trace_with_a_silent_hop() {
        let target = LatencyTarget::new("192.0.2.1");
        let mut result = nothing_sent(&target, "192.0.2.1".parse().ok(), String::new(), Instant::now());
        result.error = None;
        result.sent_count = 5;
        result.packet_loss_percent = Some(100.0);
        let trace = traceroute(result);
        assert_eq!((trace.status, trace.reached), (TracerouteStatus::Incomplete, false));
        assert_eq!(trace.target_ip.as_deref(), Some("192.0.2.1"));
        assert_eq!((trace.hops[0].ip.as_deref(), trace.hops[0].sent_count), (None, 5));
    }
}
