//! Which devices count, as far as their names tell.

/// How interfaces begin that are no hardware: what kernels, container engines and tunnels make up. Traffic through them
/// passes a device that is counted too.
const VIRTUAL_INTERFACES: [&str; 25] = [
    "lo",
    "all",
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
    "gre",
];

/// Whether the `interface` of a `net` line is hardware. `all` holds counters of protocols.
pub(super) fn is_physical_interface(name: &str) -> bool {
    let numbered_bridge = name.strip_prefix("br").is_some_and(|rest| rest.bytes().all(|byte| byte.is_ascii_digit()));
    let vlan = name.contains(['.', '@']);
    !name.is_empty() && !numbered_bridge && !vlan && !VIRTUAL_INTERFACES.iter().any(|prefix| name.starts_with(prefix))
}

/// Whether the `name` of a `diskio` line is a whole disk: `sda`, `nvme0n1` and `mmcblk0`, but neither a partition, which
/// its disk counts too, nor what lies above disks.
pub(super) fn is_whole_disk(name: &str) -> bool {
    let letters = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_lowercase());
    let digits = |rest: &str| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit());
    if ["sd", "hd", "vd", "xvd"].iter().any(|prefix| name.strip_prefix(prefix).is_some_and(letters)) {
        return true;
    }
    if let Some(numbers) = name.strip_prefix("nvme") {
        return numbers.split_once('n').is_some_and(|(controller, space)| digits(controller) && digits(space));
    }
    ["mmcblk", "disk", "ada", "da"].iter().any(|prefix| name.strip_prefix(prefix).is_some_and(digits))
}

/// Whether the `sensor` of a `temp` line measures: not `…_crit`, `…_max` and the like, which are its limits.
pub(super) fn is_reading(sensor: &str) -> bool {
    const LIMITS: [&str; 10] =
        ["_crit", "_critalarm", "_crithyst", "_max", "_maxhyst", "_min", "_alarm", "_emergency", "_hyst", "_lcrit"];
    !LIMITS.iter().any(|suffix| sensor.ends_with(suffix))
}

/// `temp_input`, `temp1_input`, `temp23_input`.
pub(super) fn is_temperature_field(name: &str) -> bool {
    let number = name.strip_prefix("temp").and_then(|rest| rest.strip_suffix("_input"));
    number.is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_that_count_are_told_by_their_names() {
        type Case = (&'static str, fn(&str) -> bool, &'static [&'static str], &'static [&'static str]);
        let cases: [Case; 4] = [
            (
                "interface",
                is_physical_interface,
                &["eth0", "enp0s31f6", "wlan0", "Ethernet", "en0"],
                &["", "lo", "all", "veth12ab", "docker0", "br-5f3c", "br0", "eth0.100", "tun0", "wg0", "tailscale0"],
            ),
            (
                "disk",
                is_whole_disk,
                &["sda", "sdaa", "vdb", "xvda", "hda", "nvme0n1", "nvme10n2", "mmcblk0", "disk0", "ada0"],
                &[
                    "",
                    "sda1",
                    "xvda1",
                    "nvme0n1p1",
                    "nvme0",
                    "mmcblk0p1",
                    "mmcblk0boot0",
                    "dm-0",
                    "md0",
                    "loop3",
                    "sr0",
                    "zram0",
                    "centos/var_log",
                    "sd",
                ],
            ),
            (
                "sensor",
                is_reading,
                &["coretemp_physicalid0_input", "cpu_thermal", "acpitz"],
                &["coretemp_physicalid0_crit", "coretemp_physicalid0_critalarm", "nvme_composite_max"],
            ),
            (
                "temperature",
                is_temperature_field,
                &["temp_input", "temp1_input", "temp12_input"],
                &["temp_max", "temp1_crit", "fan1_input", "temp_x_input", "temperature_input"],
            ),
        ];
        for (what, counts, good, bad) in cases {
            assert_eq!(good.iter().filter(|name| !counts(name)).collect::<Vec<_>>(), [&""; 0], "{what}");
            assert_eq!(bad.iter().filter(|name| counts(name)).collect::<Vec<_>>(), [&""; 0], "{what}");
        }
    }
}
