//! What a host says of itself.
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
//! # What is measured
//!
//! * Unknown is `None`, never 0: a host without sensors has no temperature, Windows has no load average.
//! * A collector holds what it saw last, so one collector lives as long as its agent. The first sample after a start
//!   has no rates and no processor time, since both need two readings; nor has one after a counter started again or
//!   after a gap of more than three intervals. [`CounterRate`] holds that rule.
//! * Disks and networks are sums over physical devices: a byte that passes a bridge, a bond or a loop device passes a
//!   physical one too and is counted there.
//! * Memory in use is what is installed less what is available without swapping. Disk space is that of the root file
//!   system.
//! * A sample costs a few reads under `/proc` and `/sys`; no process is looked into.
//!
//! Latency, jitter and packet loss are not the host's own and stay `None` in its samples; see the module `latency`.

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
