use astranetmon_domain::{AgentFacts, AgentId, MetricSample, Timestamp};
use sysinfo::{Components, CpuRefreshKind, MemoryRefreshKind, Networks, System};

use crate::devices::{is_physical_interface, read_disks};
use crate::rate::{DeviceCounters, DeviceRates, sums};

/// Reads the host that it runs on. See the crate's documentation for what it measures.
pub struct HostCollector {
    interval_seconds: u32,
    /// `None` of any of these: this operating system does not tell.
    system: Option<System>,
    networks: Option<Networks>,
    components: Option<Components>,
    /// Whether processor time was read before, since it is a difference of two readings.
    cpu_read_at: Option<Timestamp>,
    /// Bytes read and written.
    disk_rates: DeviceRates<2>,
    /// Bytes received and transmitted, and errors.
    network_rates: DeviceRates<3>,
}

impl HostCollector {
    /// A collector for samples that are `interval_seconds` apart. Reads nothing that changes yet.
    #[must_use]
    pub fn new(interval_seconds: u32) -> Self {
        Self {
            interval_seconds,
            system: System::new().ok(),
            networks: Networks::new_with_refreshed_list().ok(),
            components: Components::new_with_refreshed_list().ok(),
            cpu_read_at: None,
            disk_rates: DeviceRates::default(),
            network_rates: DeviceRates::default(),
        }
    }

    /// Measures now, in some milliseconds of blocking reads. `now` is the current time.
    #[must_use]
    pub fn sample(&mut self, agent_id: &AgentId, now: Timestamp) -> MetricSample {
        let mut sample = MetricSample::new(agent_id.clone(), now);
        sample.interval_seconds = Some(i64::from(self.interval_seconds));
        self.sample_processors(&mut sample, now);
        self.sample_memory(&mut sample);
        sample_root_file_system(&mut sample);
        self.sample_disk_rates(&mut sample, now);
        self.sample_networks(&mut sample, now);
        sample.temperature_celsius = self.hottest_celsius();
        sample.process_count = process_count();
        sample.uptime_seconds = System::uptime().ok().map(whole);
        sample.normalized()
    }

    /// What the host is. `agent_version` and the addresses' order are this crate's; unknown is `None`.
    #[must_use]
    pub fn facts(&mut self) -> AgentFacts {
        let (mut cpu_model, mut cpu_core_count, mut memory_total_bytes) = (None, None, None);
        if let Some(system) = &mut self.system {
            system.refresh_cpu_list(CpuRefreshKind::nothing());
            system.refresh_memory_specifics(MemoryRefreshKind::nothing().with_ram());
            cpu_model = system.cpus().first().map(|cpu| cpu.brand().trim().to_owned()).filter(|name| !name.is_empty());
            cpu_core_count = u32::try_from(system.cpus().len()).ok().filter(|&count| count > 0);
            memory_total_bytes = Some(system.total_memory()).filter(|&total| total > 0).map(whole);
        }
        AgentFacts {
            hostname: System::host_name().unwrap_or_else(|_| "localhost".to_owned()),
            agent_version: Some(env!("CARGO_PKG_VERSION").to_owned()),
            os: System::name().ok(),
            os_version: System::os_version().ok(),
            kernel_version: System::kernel_version().ok(),
            arch: Some(System::cpu_arch()),
            cpu_model,
            cpu_core_count,
            memory_total_bytes,
            boot_time: System::boot_time().ok().map(|seconds| Timestamp::from_seconds(whole(seconds))),
            ip_addresses: self.ip_addresses(),
            interval_seconds: Some(self.interval_seconds),
        }
        .normalized()
    }

    fn sample_processors(&mut self, sample: &mut MetricSample, now: Timestamp) {
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            let enough_time = self.cpu_read_at.is_some_and(|last| {
                let least = i64::try_from(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL.as_micros()).unwrap_or(i64::MAX);
                now.as_micros() - last.as_micros() >= least
            });
            if enough_time {
                sample.cpu_percent = Some(f64::from(system.global_cpu_usage()).clamp(0.0, 100.0));
            }
            self.cpu_read_at = Some(now);
        }
        if !cfg!(windows)
            && let Ok(load) = System::load_average()
        {
            sample.load_1 = Some(load.one);
            sample.load_5 = Some(load.five);
            sample.load_15 = Some(load.fifteen);
        }
    }

    fn sample_memory(&mut self, sample: &mut MetricSample) {
        let Some(system) = &mut self.system else { return };
        system.refresh_memory_specifics(MemoryRefreshKind::everything());
        let total = system.total_memory();
        if total == 0 {
            return;
        }
        let used = total.saturating_sub(system.available_memory());
        sample.memory_total_bytes = Some(whole(total));
        sample.memory_used_bytes = Some(whole(used));
        sample.memory_percent = Some(percent(used, total));
        sample.swap_total_bytes = Some(whole(system.total_swap()));
        sample.swap_used_bytes = Some(whole(system.used_swap()));
    }

    fn sample_disk_rates(&mut self, sample: &mut MetricSample, now: Timestamp) {
        let Some(disks) = read_disks() else {
            self.disk_rates.forget();
            return;
        };
        let [read, written] = self.disk_rates.advance(disks, now, self.interval_seconds);
        sample.disk_read_bytes_per_second = read.map(|step| step.per_second);
        sample.disk_write_bytes_per_second = written.map(|step| step.per_second);
    }

    fn sample_networks(&mut self, sample: &mut MetricSample, now: Timestamp) {
        let Some(networks) = &mut self.networks else { return };
        networks.refresh(true);
        let counters = |(name, network): (&std::ffi::OsString, &sysinfo::NetworkData)| {
            let name = name.to_string_lossy().into_owned();
            let errors = network.total_errors_on_received() + network.total_errors_on_transmitted();
            is_physical_interface(&name)
                .then(|| (name, [network.total_received(), network.total_transmitted(), errors]))
        };
        let interfaces: DeviceCounters<3> = networks.iter().filter_map(counters).collect();
        if interfaces.is_empty() {
            self.network_rates.forget();
            return;
        }
        let [received_bytes, transmitted_bytes, _] = sums(&interfaces);
        let [received, transmitted, errors] = self.network_rates.advance(interfaces, now, self.interval_seconds);
        sample.network_receive_bytes_total = Some(whole(received_bytes));
        sample.network_transmit_bytes_total = Some(whole(transmitted_bytes));
        sample.network_receive_bytes_per_second = received.map(|step| step.per_second);
        sample.network_transmit_bytes_per_second = transmitted.map(|step| step.per_second);
        sample.network_errors_count = errors.map(|step| whole(step.amount));
    }

    fn hottest_celsius(&mut self) -> Option<f64> {
        let components = self.components.as_mut()?;
        components.refresh(true);
        let degrees =
            components.iter().filter_map(sysinfo::Component::temperature).filter(|degrees| degrees.is_finite());
        degrees.reduce(f32::max).map(f64::from)
    }

    fn ip_addresses(&self) -> Vec<String> {
        let Some(networks) = &self.networks else { return Vec::new() };
        let mut addresses: Vec<_> = networks
            .iter()
            .filter(|(name, _)| is_physical_interface(&name.to_string_lossy()))
            .flat_map(|(_, network)| network.ip_networks().iter().map(|network| network.addr))
            .filter(|address| !address.is_loopback())
            .collect();
        addresses.sort_unstable();
        addresses.iter().map(ToString::to_string).collect()
    }
}

/// What is used and not what is free for users: file systems keep a part back that is neither.
#[cfg(unix)]
fn sample_root_file_system(sample: &mut MetricSample) {
    let Ok(space) = rustix::fs::statvfs("/") else { return };
    let total = space.f_blocks.saturating_mul(space.f_frsize);
    let used = space.f_blocks.saturating_sub(space.f_bfree).saturating_mul(space.f_frsize);
    put_file_system(sample, used, total);
}

#[cfg(not(unix))]
fn sample_root_file_system(sample: &mut MetricSample) {
    let storage = sysinfo::DiskRefreshKind::nothing().with_storage();
    let Ok(disks) = sysinfo::Disks::new_with_refreshed_list_specifics(storage) else { return };
    if let Some(disk) = disks.iter().find(|disk| disk.mount_point().starts_with(r"C:\")) {
        put_file_system(sample, disk.total_space().saturating_sub(disk.available_space()), disk.total_space());
    }
}

fn put_file_system(sample: &mut MetricSample, used: u64, total: u64) {
    if total > 0 {
        sample.disk_total_bytes = Some(whole(total));
        sample.disk_used_bytes = Some(whole(used));
        sample.disk_percent = Some(percent(used, total));
    }
}

/// Counts names instead of reading each process.
#[cfg(target_os = "linux")]
fn process_count() -> Option<i64> {
    let is_process = |name: &std::ffi::OsStr| name.as_encoded_bytes().iter().all(u8::is_ascii_digit);
    let entries = std::fs::read_dir("/proc").ok()?;
    i64::try_from(entries.flatten().filter(|entry| is_process(&entry.file_name())).count()).ok()
}

#[cfg(not(target_os = "linux"))]
fn process_count() -> Option<i64> {
    None
}

fn whole(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "two decimals of a ratio need far less than 53 bits")]
fn percent(part: u64, total: u64) -> f64 {
    (100.0 * part as f64 / total as f64).clamp(0.0, 100.0)
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::{Clock, SystemClock};

    use super::*;

    #[test]
    fn this_host_tells_sane_values_and_rates_from_the_second_sample_on() {
        let id = AgentId::parse("this-machine").expect("valid");
        let mut collector = HostCollector::new(5);
        let first = collector.sample(&id, SystemClock.now());
        assert_eq!(first.cpu_percent, None);
        assert_eq!(first.disk_read_bytes_per_second, None);
        assert_eq!(first.network_receive_bytes_per_second, None);
        assert_eq!(first.network_errors_count, None);

        #[expect(clippy::disallowed_methods, reason = "processor time needs two readings apart")]
        std::thread::sleep(sysinfo::MINIMUM_CPU_UPDATE_INTERVAL * 2);
        let second = collector.sample(&id, SystemClock.now());
        assert_eq!(second, second.clone().normalized());
        assert_eq!(second.interval_seconds, Some(5));
        if cfg!(target_os = "linux") {
            assert!((0.0..=100.0).contains(&second.cpu_percent.expect("two readings")));
            assert!(second.load_1.expect("known") >= 0.0);
            assert!(second.process_count.expect("known") > 0);
            assert!(second.uptime_seconds.expect("known") > 0);
        }
        for (used, total, percent) in [
            (second.memory_used_bytes, second.memory_total_bytes, second.memory_percent),
            (second.disk_used_bytes, second.disk_total_bytes, second.disk_percent),
        ] {
            let (used, total) = (used.expect("known"), total.expect("known"));
            assert!(0 < used && used <= total);
            assert!((0.0..=100.0).contains(&percent.expect("known")));
        }
        assert!(second.swap_used_bytes <= second.swap_total_bytes);
        assert!(second.disk_write_bytes_per_second.is_none_or(|rate| rate >= 0));
        assert!(second.network_receive_bytes_total >= first.network_receive_bytes_total);
    }

    /// An agent may take 0.5 % of a core: 50 ms of each 10 s interval, for everything that it does.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_sample_costs_a_small_part_of_what_an_agent_may() {
        // Nanoseconds that this thread ran.
        let ran = || {
            let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("a thread");
            text.split(' ').next().and_then(|field| field.parse::<u64>().ok()).expect("a number")
        };
        let id = AgentId::parse("this-machine").expect("valid");
        let mut collector = HostCollector::new(10);
        let _ = collector.sample(&id, SystemClock.now());
        let before = ran();
        const SAMPLES: u64 = 50;
        for _ in 0..SAMPLES {
            let _ = collector.sample(&id, SystemClock.now());
        }
        let micros = (ran() - before) / SAMPLES / 1_000;
        println!("a sample takes {micros} microseconds of processor time");
        assert!(micros < 10_000, "{micros} microseconds");
    }

    #[test]
    fn this_host_has_a_name_and_cleaned_facts() {
        let facts = HostCollector::new(5).facts();
        assert!(!facts.hostname.is_empty());
        assert_eq!(facts.interval_seconds, Some(5));
        assert_eq!(facts, facts.clone().normalized());
        assert!(facts.cpu_core_count.is_none_or(|count| count > 0));
    }
}
