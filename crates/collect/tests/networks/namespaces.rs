//! Network namespaces that are gone when their owner is.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::os::fd::AsFd;

static MADE: AtomicU32 = AtomicU32::new(0);

/// A network namespace; its cables go with it.
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// A namespace whose loopback interface is up; `None`, with the reason printed, if there can be none here.
    pub(crate) fn new(what: &str) -> Option<Self> {
        let number = MADE.fetch_add(1, Ordering::Relaxed);
        let name = format!("astra-{}-{number}-{what}", std::process::id());
        match Command::new("ip").args(["netns", "add", &name]).output() {
            Ok(output) if output.status.success() => {
                let namespace = Self { name };
                // Addresses are ours: otherwise each is not used for a second, until it is known to be nobody else's.
                for interfaces in ["all", "default"] {
                    namespace.set(&format!("ipv6/conf/{interfaces}/accept_dad"), "0");
                }
                namespace.ip("link set lo up");
                Some(namespace)
            }
            Ok(output) => {
                let reason = String::from_utf8_lossy(&output.stderr);
                println!("skipped: no network namespace can be made here: {}", reason.trim());
                None
            }
            Err(error) => {
                println!("skipped: the program `ip` (Debian: iproute2) cannot be run: {error}");
                None
            }
        }
    }

    /// `ip` in this namespace.
    pub(crate) fn ip(&self, arguments: &str) {
        run("ip", &format!("-n {} {arguments}", self.name));
    }

    /// Lets out of an interface no more than so many Mbps, with a queue of 60 ms before it; `None`, with the reason
    /// printed, if this kernel cannot.
    pub(crate) fn limit(&self, interface: &str, mbps: f64) -> Option<()> {
        // What the line may catch up, 25 ms of it, when this machine was busy elsewhere.
        let burst = (mbps * 1e6 / 8.0 * 0.025).max(16_384.0);
        let arguments = format!(
            "-n {} qdisc add dev {interface} root tbf burst {burst:.0} latency 60ms rate {mbps}mbit",
            self.name
        );
        match Command::new("tc").args(arguments.split_whitespace()).output() {
            Ok(output) if output.status.success() => Some(()),
            Ok(output) => {
                println!("skipped: no rate can be set here: {}", String::from_utf8_lossy(&output.stderr).trim());
                None
            }
            Err(error) => {
                println!("skipped: the program `tc` (Debian: iproute2) cannot be run: {error}");
                None
            }
        }
    }

    /// Sets a kernel setting under `/proc/sys/net` of this namespace.
    pub(crate) fn set(&self, setting: &str, value: &str) {
        let path = format!("/proc/sys/net/{setting}");
        self.enter(|| std::fs::write(&path, value).expect(&path));
    }

    /// Lets packets through to others.
    pub(crate) fn forward(&self) {
        self.set("ipv4/ip_forward", "1");
        self.set("ipv6/conf/all/forwarding", "1");
    }

    /// A cable between this namespace's interface `here` and the other's `there`, with addresses in both.
    pub(crate) fn cable(&self, here: &str, addresses: [&str; 2], other: &Self, there: &str, others: [&str; 2]) {
        self.ip(&format!("link add {here} type veth peer name {there} netns {}", other.name));
        for (namespace, interface, addresses) in [(self, here, addresses), (other, there, others)] {
            namespace.ip(&format!("addr add {} dev {interface}", addresses[0]));
            namespace.ip(&format!("addr add {} dev {interface} nodad", addresses[1]));
            namespace.ip(&format!("link set {interface} up"));
        }
    }

    /// Runs in this namespace, on a thread of its own; so do all threads that it starts.
    pub(crate) fn enter<T: Send>(&self, work: impl FnOnce() -> T + Send) -> T {
        let path = format!("/run/netns/{}", self.name);
        thread::scope(|scope| {
            let entered = scope.spawn(move || {
                let namespace = std::fs::File::open(&path).expect(&path);
                move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network)).expect("a namespace");
                work()
            });
            entered.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        })
    }

    /// Runs the future in this namespace, in a runtime whose threads are in it.
    pub(crate) fn block_on<T: Send>(&self, work: impl Future<Output = T> + Send) -> T {
        self.enter(|| {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(work)
        })
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _ = Command::new("ip").args(["netns", "delete", &self.name]).status();
    }
}

fn run(program: &str, arguments: &str) {
    let output = Command::new(program).args(arguments.split_whitespace()).output().expect(program);
    let error = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{program} {arguments}: {error}");
}
