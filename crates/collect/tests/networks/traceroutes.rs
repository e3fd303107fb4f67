use std::net::TcpListener;
use std::sync::Arc;
use std::time::Duration;

use astranetmon_collect::IpVersion;
use astranetmon_collect::as_table::AsTable;
use astranetmon_collect::latency::{LatencyMethod, LatencyOptions, LatencyTarget, measure_latency};
use astranetmon_collect::traceroute::{Tracer, TracerouteOptions, TracerouteTarget, may_trace};
use astranetmon_domain::{AgentId, Timestamp, Traceroute, TracerouteProtocol, TracerouteStatus};
use rustix::thread::CapabilitySet;

use crate::namespaces::Namespace;

/// Alice - first router - second router - Bob.
struct Line {
    alice: Namespace,
    first: Namespace,
    second: Namespace,
    bob: Namespace,
}

const PATH_V4: [&str; 3] = ["10.77.1.1", "10.77.2.2", "10.77.3.2"];
const PATH_V6: [&str; 3] = ["fd77:1::1", "fd77:2::2", "fd77:3::2"];
const PROTOCOLS: [TracerouteProtocol; 3] = [TracerouteProtocol::Icmp, TracerouteProtocol::Udp, TracerouteProtocol::Tcp];

impl Line {
    fn new() -> Option<Self> {
        let alice = Namespace::new("alice")?;
        let first = Namespace::new("first")?;
        let second = Namespace::new("second")?;
        let bob = Namespace::new("bob")?;
        alice.cable("right", ["10.77.1.2/24", "fd77:1::2/64"], &first, "left", ["10.77.1.1/24", "fd77:1::1/64"]);
        first.cable("right", ["10.77.2.1/24", "fd77:2::1/64"], &second, "left", ["10.77.2.2/24", "fd77:2::2/64"]);
        second.cable("right", ["10.77.3.1/24", "fd77:3::1/64"], &bob, "left", ["10.77.3.2/24", "fd77:3::2/64"]);
        first.forward();
        second.forward();
        for namespace in [&first, &second, &bob] {
            // Else they answer once a second, and the traces here come faster.
            namespace.set("ipv4/icmp_ratelimit", "0");
            namespace.set("ipv6/icmp/ratelimit", "0");
        }
        for (namespace, destination_v4, via_v4, destination_v6, via_v6) in [
            (&alice, "default", "10.77.1.1", "default", "fd77:1::1"),
            (&first, "10.77.3.0/24", "10.77.2.2", "fd77:3::/64", "fd77:2::2"),
            (&second, "10.77.1.0/24", "10.77.2.1", "fd77:1::/64", "fd77:2::1"),
            (&bob, "default", "10.77.3.1", "default", "fd77:3::1"),
        ] {
            namespace.ip(&format!("route add {destination_v4} via {via_v4}"));
            namespace.ip(&format!("-6 route add {destination_v6} via {via_v6}"));
        }
        // For a second after a cable was plugged in, IPv6 does not find its neighbours.
        let patient = LatencyOptions { probe_count: 1, wait: Duration::from_secs(10), ..LatencyOptions::default() };
        let target = LatencyTarget { method: LatencyMethod::Icmp, ..LatencyTarget::new(PATH_V6[2]) };
        assert_eq!(alice.block_on(measure_latency(&target, &patient)).received_count, 1);
        Some(Self { alice, first, second, bob })
    }

    fn trace(&self, target: &TracerouteTarget, options: TracerouteOptions) -> Traceroute {
        let table = "10.77.2.0\t10.77.2.255\t64512\tZZ\tMIDDLE\nfd77:2::\tfd77:2::ffff\t64512\tZZ\tMIDDLE\n";
        let table = AsTable::read(table.as_bytes()).expect("well-formed");
        let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("an id");
        let agent_id = AgentId::parse("alice").expect("an id");
        let mut tracer = Tracer::new(options, Some(Arc::new(table)));
        self.alice.block_on(async { tracer.trace(target, id, &agent_id, Timestamp::from_seconds(1_700_000_000)).await })
    }
}

fn options() -> TracerouteOptions {
    // Nobody answers for names here.
    TracerouteOptions {
        names_wait: Duration::ZERO,
        round_wait: Duration::from_secs(1),
        round_spacing: Duration::ZERO,
        ..Default::default()
    }
}

fn addresses(trace: &Traceroute) -> Vec<Option<&str>> {
    trace.hops.iter().map(|hop| hop.ip.as_deref()).collect()
}

#[test]
fn every_protocol_of_both_versions_finds_the_hops_in_their_order() {
    let Some(line) = Line::new() else { return };
    // Bob listens on one port, and refuses on the others.
    let _listener = line.bob.enter(|| TcpListener::bind("[::]:443").expect("a port"));
    for (version, path) in [(IpVersion::V4, PATH_V4), (IpVersion::V6, PATH_V6)] {
        let bob = path[2];
        let mut targets: Vec<_> = PROTOCOLS.map(|protocol| TracerouteTarget::new(bob, protocol)).into();
        targets.push(TracerouteTarget { port: 81, ..TracerouteTarget::new(bob, TracerouteProtocol::Tcp) });
        for target in targets {
            let trace = line.trace(&target, options());
            let what = format!("{target:?}: {trace:#?}");
            println!("{:?} {} {:?} ms", target.protocol, bob, trace.duration_ms);
            assert_eq!(addresses(&trace), path.map(Some), "{what}");
            assert_eq!((trace.status, trace.reached, &trace.error), (TracerouteStatus::Completed, true, &None));
            assert_eq!((trace.target_ip.as_deref(), trace.ip_version), (Some(bob), Some(version.number())));
            assert_eq!(trace.hops.iter().map(|hop| hop.ttl).collect::<Vec<_>>(), [1, 2, 3]);
            for hop in &trace.hops {
                assert_eq!((hop.sent_count, hop.received_count), (3, 3), "{what}");
                assert_eq!(hop.packet_loss_percent, Some(0.0));
                assert!(hop.rtt_min_ms <= hop.rtt_avg_ms && hop.rtt_avg_ms <= hop.rtt_max_ms, "{what}");
                assert!(hop.rtt_min_ms > Some(0.0) && hop.rtt_max_ms < Some(500.0), "{what}");
            }
            assert_eq!((trace.rtt_ms, trace.packet_loss_percent), (trace.hops[2].rtt_avg_ms, Some(0.0)));
            assert_eq!((trace.hops[1].asn, trace.hops[1].as_name.as_deref()), (Some(64512), Some("MIDDLE")));
            assert_eq!(trace.hops[0].asn, None);
            assert_eq!(trace, trace.clone().normalized());
        }
    }
}

#[test]
fn a_trace_made_again_at_once_finds_the_same_path() {
    let Some(line) = Line::new() else { return };
    let _listener = line.bob.enter(|| TcpListener::bind("10.77.3.2:443").expect("a port"));
    for protocol in PROTOCOLS {
        let hashes: Vec<_> = (0..3)
            .map(|_| {
                let trace = line.trace(&TracerouteTarget::new(PATH_V4[2], protocol), options());
                assert_eq!(trace.status, TracerouteStatus::Completed, "{trace:#?}");
                trace.path_hash()
            })
            .collect();
        assert!(hashes.iter().all(|hash| *hash == hashes[0]), "{protocol:?}: {hashes:?}");
    }
}

#[test]
fn a_router_that_says_nothing_keeps_its_row() {
    let Some(line) = Line::new() else { return };
    // What the first router itself sends goes nowhere; what it forwards goes on.
    line.first.ip("rule add pref 10 iif lo blackhole");
    line.first.ip("-6 rule add pref 10 iif lo blackhole");
    for path in [PATH_V4, PATH_V6] {
        for protocol in PROTOCOLS {
            let trace = line.trace(&TracerouteTarget::new(path[2], protocol), options());
            assert_eq!(addresses(&trace), [None, Some(path[1]), Some(path[2])], "{protocol:?} {trace:#?}");
            assert_eq!((trace.status, trace.reached), (TracerouteStatus::Completed, true));
            let silent = &trace.hops[0];
            assert_eq!((silent.sent_count, silent.received_count), (3, 0));
            assert_eq!((silent.packet_loss_percent, silent.rtt_avg_ms), (Some(100.0), None));
        }
    }
}

#[test]
fn a_target_that_is_not_reached_is_an_incomplete_trace_that_says_why() {
    let Some(line) = Line::new() else { return };
    // Nobody has the first address, the second router knows no way to the second one, and throws away what is for the
    // third one.
    line.second.ip("route add blackhole 10.99.0.0/16");
    line.first.ip("route add 10.88.0.0/16 via 10.77.2.2");
    line.first.ip("route add 10.99.0.0/16 via 10.77.2.2");
    for (target, path, error) in [
        ("10.88.0.1", vec![Some(PATH_V4[0]), Some(PATH_V4[1])], "10.77.2.2 answered that the network is unreachable."),
        ("10.99.0.1", vec![Some(PATH_V4[0]), None], "10.99.0.1 did not answer."),
    ] {
        let options = TracerouteOptions { max_hops: 8, ..options() };
        let trace = line.trace(&TracerouteTarget::new(target, TracerouteProtocol::Udp), options);
        assert_eq!(addresses(&trace), path, "{trace:#?}");
        assert_eq!((trace.status, trace.reached), (TracerouteStatus::Incomplete, false));
        assert_eq!((trace.error.as_deref(), trace.packet_loss_percent), (Some(error), Some(100.0)));
    }

    let trace = line.trace(&TracerouteTarget::new("fd99::1", TracerouteProtocol::Icmp), options());
    assert_ne!(trace.status, TracerouteStatus::Completed, "{trace:#?}");

    line.alice.ip("route del default");
    let trace = line.trace(&TracerouteTarget::new("10.88.0.1", TracerouteProtocol::Icmp), options());
    let error = "Probes could not be sent to 10.88.0.1: Network is unreachable.";
    assert_eq!((trace.status, trace.error.as_deref()), (TracerouteStatus::Failed, Some(error)));
    assert!(trace.hops.is_empty());
}

#[test]
fn a_trace_keeps_to_its_time_and_ends_when_nobody_waits() {
    let Some(line) = Line::new() else { return };
    line.first.ip("route add blackhole 10.99.0.0/16");
    let target = TracerouteTarget::new("10.99.0.1", TracerouteProtocol::Udp);
    let bounded = TracerouteOptions { total_wait: Duration::from_millis(1_500), probe_count: 20, ..options() };
    let trace = line.trace(&target, bounded);
    assert!(trace.duration_ms < Some(3_000), "{trace:#?}");
    assert_eq!(trace.hops.iter().map(|hop| hop.sent_count).max(), Some(2));

    let started = std::time::Instant::now();
    // The runtime waits for its blocking work when it ends: a trace that went on would hold it for twenty rounds.
    line.alice.block_on(async {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("an id");
        let agent_id = AgentId::parse("alice").expect("an id");
        let mut tracer = Tracer::new(TracerouteOptions { probe_count: 20, ..options() }, None);
        let trace = tracer.trace(&target, id, &agent_id, Timestamp::from_seconds(0));
        assert!(tokio::time::timeout(Duration::from_millis(300), trace).await.is_err());
    });
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
}

#[test]
fn latency_is_measured_by_each_method_and_what_does_not_come_back_is_lost() {
    let Some(line) = Line::new() else { return };
    let options = LatencyOptions { probe_count: 10, spacing: Duration::from_millis(20), ..Default::default() };
    for bob in [PATH_V4[2], PATH_V6[2]] {
        for method in [LatencyMethod::Auto, LatencyMethod::Icmp, LatencyMethod::Tcp] {
            let target = LatencyTarget { method, tcp_port: 81, ..LatencyTarget::new(bob) };
            let result = line.alice.block_on(measure_latency(&target, &options));
            let icmp = method != LatencyMethod::Tcp;
            assert_eq!(result.protocol == TracerouteProtocol::Icmp, icmp, "{result:?}");
            assert_eq!((result.received_count, result.packet_loss_percent), (10, Some(0.0)), "{result:?}");
            assert!(result.min_ms > Some(0.0) && result.min_ms < Some(50.0), "{result:?}");
            assert!(result.jitter_ms.is_some() && result.error.is_none(), "{result:?}");
        }
    }

    line.first.ip("route add blackhole 10.77.3.2");
    let options = LatencyOptions { probe_count: 3, wait: Duration::from_millis(200), ..options };
    let result = line.alice.block_on(measure_latency(&LatencyTarget::new(PATH_V4[2]), &options));
    assert_eq!((result.sent_count, result.received_count), (3, 0), "{result:?}");
    assert_eq!((result.packet_loss_percent, result.avg_ms), (Some(100.0), None));

    line.alice.ip("route del default");
    for method in [LatencyMethod::Auto, LatencyMethod::Tcp] {
        let target = LatencyTarget { method, ..LatencyTarget::new("10.88.0.1") };
        let result = line.alice.block_on(measure_latency(&target, &options));
        assert_eq!((result.sent_count, result.packet_loss_percent), (3, Some(100.0)), "{result:?}");
        assert!(result.error.is_some_and(|error| error.ends_with("Network is unreachable.")));
    }
}

/// As [`Namespace::block_on`], without the right to open raw sockets.
fn block_on_without_right<T: Send>(namespace: &Namespace, work: impl Future<Output = T> + Send) -> T {
    namespace.enter(|| {
        // Of this thread and those that it starts; the test's others keep theirs.
        let mut sets = rustix::thread::capabilities(None).expect("Linux");
        sets.effective.remove(CapabilitySet::NET_RAW);
        sets.permitted.remove(CapabilitySet::NET_RAW);
        rustix::thread::set_capabilities(None, sets).expect("fewer than before");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(work)
    })
}

#[test]
fn without_the_right_a_trace_says_how_to_give_it_and_latency_is_measured_nevertheless() {
    let Some(line) = Line::new() else { return };
    for (bob, protocol) in PATH_V4[2..].iter().chain(&PATH_V6[2..]).zip(PROTOCOLS) {
        let id = "01890a5d-ac96-774b-bcce-b302099a8057".parse().expect("an id");
        let agent_id = AgentId::parse("alice").expect("an id");
        let mut tracer = Tracer::new(options(), None);
        let target = TracerouteTarget::new(*bob, protocol);
        let trace = block_on_without_right(&line.alice, async {
            assert!(may_trace().is_err());
            tracer.trace(&target, id, &agent_id, Timestamp::from_seconds(1_700_000_000)).await
        });
        assert_eq!((trace.status, trace.hops.len()), (TracerouteStatus::Failed, 0));
        let program = std::env::current_exe().expect("a path");
        let command = format!("`sudo setcap cap_net_raw+ep {}`", program.display());
        let error = trace.error.expect("a sentence");
        assert!(error.contains("CAP_NET_RAW") && error.contains(&command), "{error}");
    }

    let options = LatencyOptions { probe_count: 2, spacing: Duration::ZERO, ..LatencyOptions::default() };
    // (groups that may send ICMP without the right, what is sent then)
    for (groups, expected) in [("1 0", TracerouteProtocol::Tcp), ("0 2147483647", TracerouteProtocol::Icmp)] {
        line.alice.set("ipv4/ping_group_range", groups);
        for bob in [PATH_V4[2], PATH_V6[2]] {
            let result = block_on_without_right(&line.alice, measure_latency(&LatencyTarget::new(bob), &options));
            assert_eq!((result.protocol, result.received_count), (expected, 2), "{result:?}");
        }
    }
    let target = LatencyTarget { method: LatencyMethod::Icmp, ..LatencyTarget::new(PATH_V4[2]) };
    line.alice.set("ipv4/ping_group_range", "1 0");
    let result = block_on_without_right(&line.alice, measure_latency(&target, &options));
    assert_eq!((result.sent_count, result.packet_loss_percent), (0, None), "{result:?}");
}
