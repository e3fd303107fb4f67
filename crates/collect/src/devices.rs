use crate::rate::DeviceCounters;

/// Sectors of `/proc/diskstats` have this size whatever the device's own is (Documentation/admin-guide/iostats.rst).
const SECTOR_BYTES: u64 = 512;

/// Bytes that each physical disk read and wrote since it is there; `None` where the system does not tell.
#[cfg(target_os = "linux")]
pub(crate) fn read_disks() -> Option<DeviceCounters<2>> {
    let diskstats = std::fs::read_to_string("/proc/diskstats").ok()?;
    // Partitions have no entry under /sys/block, and what the kernel itself made up is a link to `virtual`.
    let is_physical = |name: &str| {
        std::fs::read_link(format!("/sys/block/{}", name.replace('/', "!")))
            .is_ok_and(|device| !device.components().any(|part| part.as_os_str() == "virtual"))
    };
    Some(parse_disks(&diskstats, is_physical))
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn read_disks() -> Option<DeviceCounters<2>> {
    None
}

/// The lines of `/proc/diskstats` whose device `is_physical` accepts.
fn parse_disks(diskstats: &str, is_physical: impl Fn(&str) -> bool) -> DeviceCounters<2> {
    let mut disks = DeviceCounters::new();
    for line in diskstats.lines() {
        let mut fields = line.split_ascii_whitespace().skip(2);
        let Some(name) = fields.next().filter(|name| is_physical(name)) else { continue };
        let mut bytes = |skipped| {
            let sectors = fields.nth(skipped).and_then(|field| field.parse::<u64>().ok()).unwrap_or(0);
            sectors.saturating_mul(SECTOR_BYTES)
        };
        disks.insert(name.to_owned(), [bytes(2), bytes(3)]);
    }
    disks
}

/// Names with which kernels, container engines and tunnels begin those of interfaces that are no hardware.
const VIRTUAL_INTERFACES: [&str; 23] = [
    "lo",
    "veth",
    "docker",
    "br-",
    "virbr",
    "vnet",
    "tun",
    "tap",
    "wg",
    "bond",
    "team",
    "dummy",
    "ifb",
    "cni",
    "flannel",
    "cali",
    "cilium",
    "lxc",
    "lxd",
    "podman",
    "tailscale",
    "zt",
    "sit",
];

/// Whether an interface of that name is hardware, as far as a name tells. The name decides and not the device behind
/// it: a container's `eth0` has no hardware, yet is the only way out of it.
pub(crate) fn is_physical_interface(name: &str) -> bool {
    let numbered_bridge = name.strip_prefix("br").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let vlan = name.contains(['.', '@']);
    !numbered_bridge && !vlan && !VIRTUAL_INTERFACES.iter().any(|prefix| name.starts_with(prefix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_interfaces_that_may_be_hardware_count() {
        for name in ["eth0", "ens3", "enp0s31f6", "eno1", "wlan0", "wlp2s0", "wwan0", "usb0", "en0", "Ethernet", "ib0"]
        {
            assert!(is_physical_interface(name), "{name}");
        }
        for name in [
            "lo",
            "lo0",
            "veth12ab",
            "docker0",
            "docker_gwbridge",
            "br-5f3c",
            "br0",
            "virbr0",
            "tun0",
            "tap7",
            "wg0",
            "bond0",
            "eth0.100",
            "eth0@if7",
            "tailscale0",
            "dummy0",
            "cali123",
        ] {
            assert!(!is_physical_interface(name), "{name}");
        }
    }

    #[test]
    fn only_physical_disks_count() {
        let diskstats = "   7       0 loop0 9 0 9 0 9 0 9 0 0 0 0\n \
                         254       0 vda 43704 11398 100 70154 8693 59274 200 92922 0 27420 164302 5868 65 208072 1208\n \
                         254       1 vda1 43704 11398 100 70154 8693 59274 200 92922 0 27420 164302\n \
                         254      16 vdb 1 0 7 0 1 0 3 0 0 0 0\n\
                         broken\n";
        let disks = parse_disks(diskstats, |name| matches!(name, "vda" | "vdb"));
        let expected = [("vda", [100 * 512, 200 * 512]), ("vdb", [7 * 512, 3 * 512])];
        assert_eq!(disks, expected.map(|(name, bytes)| (name.to_owned(), bytes)).into());
    }
}
