#![doc = include_str!("../README.md")]

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
