//! What a host says of itself and of its network.
//!
//! [`HostCollector`] reads the host that it runs on and answers in the types of `astranetmon-domain`: samples with
//! every field of a metric that the operating system gives, and the facts that describe an agent.
//!
//! ```
//! use astranetmon_collect::HostCollector;
//! use astranetmon_domain::{AgentId, Clock, SystemClock};
//!
//! let mut collector = HostCollector::new(60);
//! let facts = collector.facts();
//! let sample = collector.sample(&AgentId::parse("web-1")?, SystemClock.now());
//! assert_eq!(sample.interval_seconds, Some(60));
//! println!("{}: {:?} bytes of memory in use", facts.hostname, sample.memory_used_bytes);
//! # Ok::<(), astranetmon_domain::InvalidAgentId>(())
//! ```
//!
//! The network is measured by the modules `latency`, `traceroute` and `speedtest`. Each is a feature of the same name,
//! and off by default, since each brings dependencies that a program which only reads its host has no use for. Their
//! functions are async, need a tokio runtime with time and I/O, and never fail: what went wrong is a record that says
//! so in a sentence.
//!
//! # What is measured of the host
//!
//! * Unknown is `None`, never 0: a host without sensors has no temperature, Windows has no load average.
//! * A collector holds what it saw last, so one collector lives as long as its agent. The first sample after a start
//!   has no rates and no processor time, since both need two readings; nor has one after a counter started again or
//!   after a gap of more than three intervals. [`CounterRate`] holds that rule. Nor has one after a device came, went or
//!   started again, since the sum over the devices would tell nothing then.
//! * Disks and networks are sums over physical devices: a byte that passes a bridge, a bond or a loop device passes a
//!   physical one too and is counted there.
//! * Memory in use is what is installed less what is available without swapping. Disk space is that of the root file
//!   system.
//! * A sample costs a few reads under `/proc` and `/sys`; no process is looked into.
//!
//!   On a small virtual machine it takes 0.6 ms of processor time.
//!
//! # What is measured of the network
//!
//! * **Latency**: ICMP echo by a socket that needs no right (Linux: `net.ipv4.ping_group_range`, which systemd opens for
//!   everybody), else by a raw one, else the time of a TCP handshake. Five probes, 200 ms apart, each waited for a second.
//!   Latency is the mean of those that were answered; jitter the mean absolute difference of successive ones, which is
//!   RFC 3550's without its smoothing; loss the share of those that were not. The first of several targets belongs to the
//!   metric, the others become traceroutes of one hop.
//! * **Traceroute**: three rounds of one probe a hop, ICMP, UDP or TCP, a second apart, by raw sockets (Linux:
//!   `CAP_NET_RAW`). What makes up a flow is the same in every trace, so that a path that changed has changed: see
//!   `traceroute/rounds.rs`. A silent hop keeps its row; of several that answered for one hop, the one that answered
//!   most is named. Names come from the system's resolver, AS numbers from a table of iptoasn.com: that of the whole
//!   internet, 700,000 ranges, takes 13 MB of memory and half a second to read.
//! * **Speed test**: against servers that speak LibreSpeed's protocol, among them AstraNetmon's own. Ten pings without
//!   load, then four streams down and four up. Two seconds of each direction are warm-up, ten are measured. What counts
//!   is the content of HTTP bodies: 95.6 % of the rate of an Ethernet link. A download counts when it is read here, an
//!   upload when the server has answered that it has it, spread evenly over the time it took. Meanwhile pings go on
//!   over a connection of their own: their median is the loaded latency, of which the record has the worse direction's
//!   and the figures both.
//!
//! # Systems
//!
//! Built for Linux; what is Linux's own is marked so, and has a counterpart or says that it is not known elsewhere.
//! trippy traces on macOS and Windows too, as an administrator.

#[cfg(any(feature = "latency", feature = "traceroute"))]
mod address;
#[cfg(feature = "traceroute")]
pub mod as_table;
mod devices;
mod host;
#[cfg(feature = "latency")]
pub mod latency;
mod rate;
#[cfg(any(feature = "latency", feature = "speedtest", feature = "traceroute"))]
mod round_trips;
#[cfg(feature = "speedtest")]
pub mod speedtest;
#[cfg(feature = "traceroute")]
pub mod traceroute;

#[cfg(any(feature = "latency", feature = "traceroute"))]
pub use address::IpVersion;
pub use host::HostCollector;
pub use rate::{CounterRate, CounterStep};
