/// How fields of one input become a field of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mapping {
    /// Name of the input's measurement.
    pub measurement: &'static str,
    /// The lines that count, by their tags, as people read it; empty if all do.
    pub lines: &'static str,
    /// Fields that are read.
    pub fields: &'static [&'static str],
    /// The record and its field: `metrics.cpu_percent`.
    pub target: &'static str,
    /// How it is made; empty if it is taken as it is.
    pub rule: &'static str,
}

macro_rules! mappings {
    ($($measurement:literal [$lines:literal] $($field:literal),+ => $target:literal $rule:literal;)*) => {
        /// Every field that is taken. What is not here is ignored, and named in the answer.
        pub const MAPPINGS: &[Mapping] = &[$(Mapping {
            measurement: $measurement,
            lines: $lines,
            fields: &[$($field),+],
            target: $target,
            rule: $rule,
        },)*];
    };
}

mappings! {
    "cpu" ["`cpu=cpu-total`"] "usage_idle", "usage_iowait" => "metrics.cpu_percent" "100 − `usage_idle` − `usage_iowait`";
    "cpu" ["`cpu=cpu-total`, without `usage_idle`"] "usage_active", "usage_iowait" => "metrics.cpu_percent" "`usage_active` − `usage_iowait`";
    "system" [""] "load1" => "metrics.load_1" "";
    "system" [""] "load5" => "metrics.load_5" "";
    "system" [""] "load15" => "metrics.load_15" "";
    "system" [""] "uptime" => "metrics.uptime_seconds" "";
    "processes" [""] "total" => "metrics.process_count" "";
    "mem" [""] "total" => "metrics.memory_total_bytes" "";
    "mem" [""] "total", "available", "used" => "metrics.memory_used_bytes" "`total` − `available`; `used` where there is no `available`";
    "mem" [""] "total", "available", "used" => "metrics.memory_percent" "100 × used / `total`";
    "swap" [""] "total" => "metrics.swap_total_bytes" "";
    "swap" [""] "used" => "metrics.swap_used_bytes" "";
    "disk" ["`path=/`"] "total" => "metrics.disk_total_bytes" "";
    "disk" ["`path=/`"] "used" => "metrics.disk_used_bytes" "";
    "disk" ["`path=/`"] "used", "total" => "metrics.disk_percent" "100 × `used` / `total`";
    "diskio" ["whole disks by `name`"] "read_bytes" => "metrics.disk_read_bytes_per_second" "growth of the sum, per second";
    "diskio" ["whole disks by `name`"] "write_bytes" => "metrics.disk_write_bytes_per_second" "growth of the sum, per second";
    "net" ["hardware by `interface`"] "bytes_recv" => "metrics.network_receive_bytes_total" "sum";
    "net" ["hardware by `interface`"] "bytes_sent" => "metrics.network_transmit_bytes_total" "sum";
    "net" ["hardware by `interface`"] "bytes_recv" => "metrics.network_receive_bytes_per_second" "growth of the sum, per second";
    "net" ["hardware by `interface`"] "bytes_sent" => "metrics.network_transmit_bytes_per_second" "growth of the sum, per second";
    "net" ["hardware by `interface`"] "err_in", "err_out" => "metrics.network_errors_count" "growth of the sum";
    "temp" ["`sensor` is a reading, no limit or alarm"] "temp" => "metrics.temperature_celsius" "the highest";
    "sensors" ["`chip` and `feature`"] "temp_input", "temp1_input" => "metrics.temperature_celsius" "the highest; any number in `temp1_input`";
    "ping" ["the first `url`"] "average_response_ms" => "metrics.latency_ms" "";
    "ping" ["the first `url`"] "standard_deviation_ms" => "metrics.jitter_ms" "the standard deviation stands for the jitter";
    "ping" ["the first `url`"] "percent_packet_loss" => "metrics.packet_loss_percent" "";
    "ping" ["each other `url`"] "average_response_ms", "minimum_response_ms", "maximum_response_ms" => "traceroutes.hops" "one hop with its round trips";
    "ping" ["each other `url`"] "packets_transmitted", "packets_received", "percent_packet_loss" => "traceroutes.hops" "probes sent, answered and lost";
    "ping" ["each other `url`"] "result_code" => "traceroutes.status" "1: `failed`, no such host; 2: `failed`, ping failed";
    "internet_speed" [""] "download" => "speedtests.download_mbps" "";
    "internet_speed" [""] "upload" => "speedtests.upload_mbps" "";
    "internet_speed" [""] "latency" => "speedtests.ping_ms" "";
    "internet_speed" [""] "jitter" => "speedtests.jitter_ms" "";
    "internet_speed" [""] "packet_loss" => "speedtests.packet_loss_percent" "unknown below 0";
    "internet_speed" [""] "location" => "speedtests.server_location" "";
}

/// Whether an input of that name is read.
pub(super) fn is_measurement(name: &str) -> bool {
    MAPPINGS.iter().any(|mapping| mapping.measurement == name)
}

/// Whether that field of an input is read.
pub(super) fn is_field(measurement: &str, field: &str) -> bool {
    let named = |mapping: &Mapping| mapping.measurement == measurement && mapping.fields.contains(&field);
    MAPPINGS.iter().any(named) || (measurement == "sensors" && super::device::is_temperature_field(field))
}
