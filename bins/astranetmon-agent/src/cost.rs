//! What the agent itself takes.

use std::time::Duration;

use astranetmon_ingest::Cost;
use tokio::time::Instant;

/// The share of less than this, such as the very start, says nothing.
const SHORTEST: Duration = Duration::from_secs(1);

/// Measures the processor time of this process between two looks.
#[derive(Debug)]
pub(crate) struct CostMeter {
    last: Option<(Instant, Duration)>,
}

impl CostMeter {
    pub(crate) fn new() -> Self {
        Self { last: processor_time().map(|used| (Instant::now(), used)) }
    }

    /// Since the last look.
    pub(crate) fn look(&mut self) -> Cost {
        let now = Instant::now();
        let used = processor_time();
        let percent = self.last.zip(used).and_then(|((last, before), used)| {
            let elapsed = now.duration_since(last).as_secs_f64();
            let share = 100.0 * used.saturating_sub(before).as_secs_f64() / elapsed;
            (elapsed >= SHORTEST.as_secs_f64()).then(|| astranetmon_domain::round_to(share, 2)).flatten()
        });
        self.last = used.map(|used| (now, used));
        Cost { cpu_percent: percent, memory_bytes: resident_bytes() }
    }
}

/// Of all threads, in the process and in the kernel.
#[cfg(unix)]
fn processor_time() -> Option<Duration> {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Some(Duration::new(u64::try_from(time.tv_sec).ok()?, u32::try_from(time.tv_nsec).ok()?))
}

#[cfg(not(unix))]
fn processor_time() -> Option<Duration> {
    None
}

#[cfg(target_os = "linux")]
fn resident_bytes() -> Option<i64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let kibibytes: i64 =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(not(target_os = "linux"))]
fn resident_bytes() -> Option<i64> {
    None
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn this_process_takes_memory_and_time() {
        let mut meter = CostMeter::new();
        assert_eq!(meter.look().cpu_percent, None, "too soon");
        let start = Instant::now();
        while start.elapsed() < SHORTEST {
            std::hint::black_box(start);
        }
        let cost = meter.look();
        assert!((1.0..=10_000.0).contains(&cost.cpu_percent.expect("known")), "{cost:?}");
        assert!((1 << 20..1 << 32).contains(&cost.memory_bytes.expect("known")), "{cost:?}");
    }
}
