//! What synthetic traceroutes find.

use astranetmon_domain::{Hop, Timestamp, Traceroute, TracerouteId, TracerouteProtocol, TracerouteStatus};

use super::fleet::SyntheticAgent;
use super::noise::Purpose;

/// What agents trace.
struct Target {
    name: &'static str,
    ip: &'static str,
    asn: u32,
    as_name: &'static str,
    protocol: TracerouteProtocol,
    /// A firewall before it swallows every probe.
    silent: bool,
}

const TARGETS: [Target; 2] = [
    Target {
        name: "one.one.one.one",
        ip: "1.1.1.1",
        asn: 13_335,
        as_name: "CLOUDFLARENET",
        protocol: TracerouteProtocol::Icmp,
        silent: false,
    },
    Target {
        name: "app.example.net",
        ip: "203.0.113.80",
        asn: 64_505,
        as_name: "EXAMPLE-HOSTING",
        protocol: TracerouteProtocol::Tcp,
        silent: true,
    },
];

/// A router on the way, without its place in it.
struct Router {
    ip: Option<String>,
    hostname: Option<String>,
    network: Option<(u32, &'static str)>,
    /// Round trip to it, of the whole way's.
    share: f64,
}

const PROBES: u32 = 3;

impl SyntheticAgent {
    /// The traceroutes that began at the time `at`, one a target; none while the agent does not report.
    pub(super) fn traceroutes_at(&self, at: Timestamp) -> Vec<Traceroute> {
        if !self.is_reporting(at) {
            return Vec::new();
        }
        TARGETS.iter().zip(0..).map(|(target, number)| self.trace(target, number, at)).collect()
    }

    fn trace(&self, target: &Target, number: i64, at: Timestamp) -> Traceroute {
        let detour = number == 0 && self.takes_detour(at);
        let whole_ms = self.site.base_latency_ms * if detour { 2.4 } else { 1.0 } + 6.0 * number as f64 + 1.0;
        let counter = at.as_seconds() * 2 + number;
        let routers = self.way(target, detour);
        let hops: Vec<Hop> =
            routers.into_iter().zip(1u8..).map(|(router, ttl)| self.hop(router, ttl, whole_ms, counter)).collect();
        let last = hops.last();
        let reached = !target.silent;
        Traceroute {
            id: TracerouteId(self.record_id(at, number)),
            agent_id: self.id.clone(),
            timestamp: at,
            target: target.name.to_owned(),
            target_ip: Some(target.ip.to_owned()),
            ip_version: Some(4),
            protocol: target.protocol,
            status: if reached { TracerouteStatus::Completed } else { TracerouteStatus::Incomplete },
            error: None,
            reached,
            rtt_ms: last.and_then(|hop| hop.rtt_avg_ms),
            packet_loss_percent: last.and_then(|hop| hop.packet_loss_percent),
            path_changed: None,
            duration_ms: Some(if reached { 400 } else { 3_200 } + (whole_ms * 20.0) as i64),
            hops,
        }
        .normalized()
    }

    /// The routers on the way to the target. The third never answers.
    fn way(&self, target: &Target, detour: bool) -> Vec<Router> {
        let site = self.site;
        let own = Some((site.asn, site.isp));
        let router =
            |ip: String, hostname: Option<String>, network, share| Router { ip: Some(ip), hostname, network, share };
        let silent = || Router { ip: None, hostname: None, network: None, share: 0.0 };
        let mut way = vec![
            router(format!("10.20.{}.1", site.asn % 100), Some("gateway.internal".to_owned()), None, 0.05),
            router(format!("{}.1", site.network), Some(format!("access1.{}.example.net", site.code)), own, 0.25),
            silent(),
            router(format!("{}.9", site.network), Some(format!("core2.{}.example.net", site.code)), own, 0.4),
        ];
        if detour {
            let transit = Some((64_502, "LONGWAY-TRANSIT"));
            way.push(router("198.51.100.201".to_owned(), None, transit, 0.6));
            way.push(router("198.51.100.214".to_owned(), Some("ams3.longway.example.net".to_owned()), transit, 0.85));
        } else {
            let exchange = Some((64_501, "EXAMPLE-IX"));
            way.push(router("203.0.113.241".to_owned(), Some("peer.ix.example.net".to_owned()), exchange, 0.7));
        }
        if target.silent {
            way.extend([silent(), silent()]);
        } else {
            let network = Some((target.asn, target.as_name));
            way.push(router(target.ip.to_owned(), Some(target.name.to_owned()), network, 1.0));
        }
        way
    }

    fn hop(&self, router: Router, ttl: u8, whole_ms: f64, counter: i64) -> Hop {
        let number = |which: i64| self.noise.unit(Purpose::Hop, counter * 64 * 4 + i64::from(ttl) * 4 + which);
        let answers = router.ip.is_some();
        // At least one probe comes back, so that loss alone never looks like another way.
        let received = match answers {
            false => 0,
            true if number(0) < 0.03 => PROBES - 1,
            true => PROBES,
        };
        let fastest = (whole_ms * router.share).max(0.2) * (1.0 + 0.1 * number(1));
        let (mean, slowest) = (fastest + 0.5 * number(2), fastest + 0.5 * number(2) + 2.0 * number(3));
        Hop {
            ttl,
            ip: router.ip,
            hostname: router.hostname,
            asn: router.network.map(|(asn, _)| asn),
            as_name: router.network.map(|(_, name)| name.to_owned()),
            rtt_min_ms: answers.then_some(fastest),
            rtt_avg_ms: answers.then_some(mean),
            rtt_max_ms: answers.then_some(slowest),
            sent_count: PROBES,
            received_count: received,
            packet_loss_percent: Some(100.0 * f64::from(PROBES - received) / f64::from(PROBES)),
        }
    }
}
