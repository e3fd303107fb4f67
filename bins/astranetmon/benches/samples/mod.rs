//! What the benchmarks' agents measure.

use astranetmon_domain::{AgentId, MetricSample, Timestamp};

/// A number below `below` that looks like chance and is always the same for these.
fn noise(agent: i64, minute: i64, field: i64, below: i64) -> i64 {
    let mut number = ((agent << 44) ^ (minute << 8) ^ field).cast_unsigned().wrapping_mul(0x9e37_79b9_7f4a_7c15);
    number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    ((number ^ (number >> 31)) >> 1).cast_signed() % below
}

/// All 28 fields known, with values of the size that real ones have, and about as restless.
pub(crate) fn sample(id: AgentId, agent: i64, minute: i64, at: Timestamp) -> MetricSample {
    let noise = |field, below| noise(agent, minute, field, below);
    let float = |field, below, scale: f64| Some(noise(field, below) as f64 / scale);
    let busy = noise(0, 4_000);
    let memory = 8_000_000_000 + (minute % 1_440) * 1_048_576 + noise(1, 40_000) * 4_096;
    let disk = 54_946_668_544 + minute * 4_096 + noise(2, 2_000) * 4_096;
    MetricSample {
        interval_seconds: Some(60),
        cpu_percent: Some((busy + noise(3, 600)) as f64 / 100.0),
        load_1: Some((busy / 20 + noise(4, 60)) as f64 / 100.0),
        load_5: Some((80 + noise(5, 40)) as f64 / 100.0),
        load_15: Some((90 + noise(6, 10)) as f64 / 100.0),
        memory_total_bytes: Some(17_179_869_184),
        memory_used_bytes: Some(memory),
        memory_percent: Some(memory as f64 / 171_798_691.84),
        swap_total_bytes: Some(4_294_967_296),
        swap_used_bytes: Some(202_719_232),
        disk_total_bytes: Some(171_798_691_840),
        disk_used_bytes: Some(disk),
        disk_percent: Some(disk as f64 / 1_717_986_918.4),
        disk_read_bytes_per_second: Some(noise(7, 300_000)),
        disk_write_bytes_per_second: Some(noise(8, 1_200_000)),
        network_receive_bytes_per_second: Some(1_000_000 + noise(9, 600_000)),
        network_transmit_bytes_per_second: Some(6_000_000 + noise(10, 2_000_000)),
        network_receive_bytes_total: Some(49_449_278_003_414 + minute * 95_000_000 + noise(11, 36_000_000)),
        network_transmit_bytes_total: Some(230_764_203_305_423 + minute * 424_000_000 + noise(12, 120_000_000)),
        network_errors_count: Some(0),
        latency_ms: float(13, 4_000, 1_000.0).map(|noise| 9.0 + noise),
        jitter_ms: float(14, 900, 1_000.0),
        packet_loss_percent: Some(0.0),
        temperature_celsius: float(15, 60, 10.0).map(|noise| 44.0 + noise),
        process_count: Some(180 + noise(16, 12)),
        uptime_seconds: Some(54_946_139 + minute * 60),
        ..MetricSample::new(id, at)
    }
    .normalized()
}
