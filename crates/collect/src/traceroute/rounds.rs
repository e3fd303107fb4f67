//! Rounds of probes, one probe for each hop. A round is a run of trippy of its own, so that the trace can end between
//! two of them.

use std::cell::RefCell;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use astranetmon_domain::TracerouteProtocol;
use trippy_core::{
    Builder, Error, IcmpPacketType, MultipathStrategy, Port, PortDirection, ProbeStatus, Protocol, Tracer,
};

use super::TracerouteOptions;

/// What became of the probe for one hop of one round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Probe {
    pub(super) ttl: u8,
    pub(super) answer: Option<Answer>,
}

/// Who answered, and what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) from: IpAddr,
    /// `None` if the clock was set in between.
    pub(super) after: Option<Duration>,
    pub(super) meaning: Meaning,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    /// A router on the way.
    OnTheWay,
    /// The target.
    Reached,
    /// A router that knows no way on, or lets nothing through; with the code of its ICMP message.
    Unreachable { code: u8 },
}

/// What is probed.
#[derive(Clone, Copy, Debug)]
pub(super) struct Plan {
    pub(super) address: IpAddr,
    pub(super) protocol: TracerouteProtocol,
    pub(super) port: u16,
    pub(super) options: TracerouteOptions,
}

/// How long a round lasts at least and at most.
type RoundTime = std::ops::RangeInclusive<Duration>;

/// Most hops of a trace, and so the most sequence numbers that a round takes.
const MAX_HOPS: u8 = 64;
/// Most rounds of a trace.
const MAX_ROUNDS: u8 = 20;
/// Rounds that may break, because this host received something that is no packet or a port is still taken.
const MAX_BROKEN_ROUNDS: u16 = 3;
/// How long a round goes on after the target and all that will answer have answered.
const GRACE: Duration = Duration::from_millis(250);
/// How long trippy waits for an answer before it sends the next probe.
const BETWEEN_PROBES: Duration = Duration::from_millis(10);

/// Probes until all rounds are done, the time is over, or `cancelled` is set, which is looked at between rounds. Blocks.
///
/// # Errors
/// A sentence, if not even one round could be made.
pub(super) fn probe(plan: &Plan, cancelled: &AtomicBool) -> Result<Vec<Vec<Probe>>, String> {
    let deadline = Instant::now() + plan.options.total_wait;
    let wanted = usize::from(plan.options.probe_count.clamp(1, MAX_ROUNDS));
    let mut rounds: Vec<Vec<Probe>> = Vec::new();
    let mut broken = 0;
    // The target's distance is known after the first round, and the next ones go no further. If one of them does not
    // arrive, the way has become longer or a probe was lost: the round after goes all the way again.
    let mut distance = None;
    while rounds.len() < wanted && !cancelled.load(Ordering::Relaxed) {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() && !rounds.is_empty() {
            break;
        }
        let number = u16::try_from(rounds.len()).unwrap_or_default();
        let longest = plan.options.round_wait.min(left).max(BETWEEN_PROBES);
        let last = rounds.len() + 1 == wanted;
        let shortest = if last { Duration::ZERO } else { plan.options.round_spacing.min(left) };
        match round(plan, number, broken, distance, shortest..=longest.max(shortest)) {
            Ok(probes) => {
                distance = reached_at(&probes);
                rounds.push(probes);
            }
            Err(error) => {
                broken += 1;
                let passing = matches!(error, Error::PacketError(_) | Error::InsufficientCapacity)
                    || plan.protocol == TracerouteProtocol::Tcp;
                if !passing || broken > MAX_BROKEN_ROUNDS {
                    return if rounds.is_empty() { Err(sentence(plan.address, &error)) } else { Ok(rounds) };
                }
            }
        }
    }
    Ok(rounds)
}

/// The smallest `ttl` with which the target answered.
pub(super) fn reached_at(probes: &[Probe]) -> Option<u8> {
    let reached = |probe: &&Probe| probe.answer.is_some_and(|answer| answer.meaning == Meaning::Reached);
    probes.iter().filter(reached).map(|probe| probe.ttl).min()
}

fn round(plan: &Plan, number: u16, broken: u16, distance: Option<u8>, time: RoundTime) -> Result<Vec<Probe>, Error> {
    let found = RefCell::new(Vec::new());
    tracer(plan, number, broken, distance, time)?.run_with(|round| {
        found.borrow_mut().extend(round.probes.iter().filter_map(|probe| taken(plan.address, probe)));
    })?;
    Ok(found.into_inner())
}

/// Everything that may tell one flow from another is the same in each trace: what differs between two traces is the
/// network's doing.
///
/// * UDP keeps both ports, so that all probes of all rounds are one flow. They are told apart by the identification
///   field in IPv4 (Dublin), which translators of addresses leave alone, and by the checksum in IPv6 (Paris), which has
///   no such field.
/// * ICMP and TCP have no field to spare: each hop of each round has a sequence number or source port of its own, the
///   same one in each trace. A router that balances by them may lead two hops of one trace along two branches, but
///   leads the same hop along the same branch each time.
fn tracer(plan: &Plan, number: u16, broken: u16, distance: Option<u8>, time: RoundTime) -> Result<Tracer, Error> {
    const SEQUENCE: u16 = 33_000;
    const SEQUENCES_PER_ROUND: u16 = 512;
    const ICMP_IDENTIFIER: u16 = 0xa57a;
    const UDP_SOURCE: u16 = 61_000;
    const UDP_SOURCES: u16 = 4_000;
    const TCP_SOURCE: u16 = 22_000;
    const TCP_SOURCES_PER_ROUND: u16 = 128;
    // A connection's port is taken for a minute after it was closed. A trace that follows sooner moves on.
    const TCP_SOURCES_PER_ATTEMPT: u16 = 2_600;

    let max_hops = plan.options.max_hops.clamp(1, MAX_HOPS);
    let builder = Builder::new(plan.address)
        .max_rounds(Some(1))
        .max_ttl(distance.unwrap_or(max_hops).min(max_hops))
        .min_round_duration(*time.start())
        .max_round_duration(*time.end())
        .tcp_connect_timeout(*time.end())
        .grace_duration(GRACE)
        .read_timeout(BETWEEN_PROBES)
        // Samples and flows are kept by us.
        .max_samples(1)
        .max_flows(1);
    // An answer that comes in the round after its own has a number below those of that round, and is passed over.
    let numbered = SEQUENCE + number * SEQUENCES_PER_ROUND;
    match plan.protocol {
        TracerouteProtocol::Icmp => builder
            .protocol(Protocol::Icmp)
            // 0 would take the answers to every other program's.
            .trace_identifier(ICMP_IDENTIFIER.wrapping_add(plan.options.flow).max(1))
            .initial_sequence(numbered),
        TracerouteProtocol::Udp => builder
            .protocol(Protocol::Udp)
            .multipath_strategy(if plan.address.is_ipv4() {
                MultipathStrategy::Dublin
            } else {
                MultipathStrategy::Paris
            })
            .port_direction(PortDirection::FixedBoth(
                Port(UDP_SOURCE + plan.options.flow % UDP_SOURCES),
                Port(plan.port),
            ))
            .initial_sequence(numbered),
        TracerouteProtocol::Tcp => builder
            .protocol(Protocol::Tcp)
            .port_direction(PortDirection::FixedDest(Port(plan.port)))
            .initial_sequence(TCP_SOURCE + number * TCP_SOURCES_PER_ROUND + broken * TCP_SOURCES_PER_ATTEMPT),
    }
    .build()
}

/// Probes that never left this host are no probes.
fn taken(target: IpAddr, probe: &ProbeStatus) -> Option<Probe> {
    match probe {
        ProbeStatus::NotSent | ProbeStatus::Skipped | ProbeStatus::Failed(_) => None,
        ProbeStatus::Awaited(probe) => Some(Probe { ttl: probe.ttl.0, answer: None }),
        ProbeStatus::Complete(probe) => {
            let meaning = match probe.icmp_packet_type {
                IcmpPacketType::EchoReply(_) | IcmpPacketType::NotApplicable => Meaning::Reached,
                IcmpPacketType::TimeExceeded(_) | IcmpPacketType::Unreachable(_) if probe.host == target => {
                    Meaning::Reached
                }
                IcmpPacketType::TimeExceeded(_) => Meaning::OnTheWay,
                IcmpPacketType::Unreachable(code) => Meaning::Unreachable { code: code.0 },
            };
            let after = probe.received.duration_since(probe.sent).ok();
            Some(Probe { ttl: probe.ttl.0, answer: Some(Answer { from: probe.host, after, meaning }) })
        }
    }
}

/// trippy's errors are chains of words with the system's own at the end.
fn sentence(target: IpAddr, error: &Error) -> String {
    let text = error.to_string();
    let words = text.rsplit(": ").next().unwrap_or(&text);
    let words = words.split(" (os error").next().unwrap_or(words);
    format!("Probes could not be sent to {target}: {}.", words.trim_end_matches('.'))
}
