//! Measurements over real networks: network namespaces of this machine, joined by virtual cables.
//!
//! They need Linux, the right to make namespaces, and the programs `ip` and `tc` (Debian: `iproute2`). Where something
//! of that is missing, each test says so and passes.
#![cfg(target_os = "linux")]

mod namespaces;
mod speedtest_server;
mod speedtests;
mod traceroutes;
