//! What a synthetic agent measures of its machine.
//!
//! Totals of the network are a closed function of time, an integral of the daily rhythm plus bounded noise, and rates
//! are differences of totals: so both agree, and any minute costs the same as the next.

use std::f64::consts::TAU;

use astranetmon_domain::{MetricSample, Timestamp};

use super::fleet::{METRIC_SECONDS, Role, SyntheticAgent};
use super::noise::Purpose;
use super::schedule::WEEK_SECONDS;

const DAY_SECONDS: f64 = 86_400.0;
/// Totals count from here, which keeps them small enough for exact floats.
const COUNTING_SINCE: i64 = 1_735_689_600;
/// The local hour with the least to do.
const QUIET_HOUR: f64 = 3.0;
/// How far the rhythm of a day moves traffic around its mean.
const DAILY_SWING: f64 = 0.6;
/// The weekly backup: Sunday at this local hour, for so long. The epoch began on a Thursday.
const BACKUP_DAY: i64 = 3;
const BACKUP_HOUR: i64 = 2;
const BACKUP_SECONDS: i64 = 70 * 60;
const PROBES: f64 = 20.0;

/// The two directions of a network, with what their noise is drawn from.
#[derive(Clone, Copy)]
enum Direction {
    Receive,
    Transmit,
}

impl SyntheticAgent {
    /// The sample at the time `at`; `None` while the agent does not report. Rates are unknown if it did not report
    /// one interval before, or started again since.
    pub(super) fn metric_at(&self, at: Timestamp) -> Option<MetricSample> {
        if !self.is_reporting(at) {
            return None;
        }
        let before = at.plus_seconds(-METRIC_SECONDS);
        let continues = self.is_reporting(before) && self.boot_time(before) == self.boot_time(at);
        Some(self.sample(at, continues.then_some(before)))
    }

    /// The sample of an agent that began to report at the time `at`: without rates.
    pub(super) fn first_metric_at(&self, at: Timestamp) -> Option<MetricSample> {
        self.is_reporting(at).then(|| self.sample(at, None))
    }

    fn sample(&self, at: Timestamp, before: Option<Timestamp>) -> MetricSample {
        let hardware = self.hardware;
        let minute = minute_of(at);
        let cpu = self.cpu_percent(at);
        let mut sample = MetricSample::new(self.id.clone(), at);
        sample.interval_seconds = Some(METRIC_SECONDS);
        sample.cpu_percent = before.map(|_| cpu);
        sample.load_1 = Some(self.load(at, 1));
        sample.load_5 = Some(self.load(at, 5));
        sample.load_15 = Some(self.load(at, 15));

        let memory_share = self.memory_share(at);
        sample.memory_total_bytes = Some(hardware.memory_bytes);
        sample.memory_used_bytes = Some(pages(hardware.memory_bytes, memory_share));
        sample.memory_percent = Some(100.0 * memory_share);
        sample.swap_total_bytes = Some(hardware.swap_bytes);
        sample.swap_used_bytes = Some(pages(hardware.swap_bytes, ((memory_share - 0.45) * 0.5).clamp(0.0, 0.9)));

        let disk_share = self.disk_share(at);
        sample.disk_total_bytes = Some(hardware.disk_bytes);
        sample.disk_used_bytes = Some(pages(hardware.disk_bytes, disk_share));
        sample.disk_percent = Some(100.0 * disk_share);

        sample.network_receive_bytes_total = Some(self.network_total(Direction::Receive, at));
        sample.network_transmit_bytes_total = Some(self.network_total(Direction::Transmit, at));
        if let Some(before) = before {
            self.put_rates(&mut sample, before, at);
        }
        self.put_latency(&mut sample, minute);
        sample.temperature_celsius = hardware.has_sensor.then(|| {
            34.0 + 0.32 * cpu + 4.0 * self.daylight(at) + 0.8 * self.noise.signed(Purpose::Temperature, minute)
        });
        let forks = self.noise.signed(Purpose::Processes, minute) * 6.0 + cpu * 0.4;
        sample.process_count = Some(hardware.processes + forks as i64);
        sample.uptime_seconds = Some((at.as_micros() - self.boot_time(at).as_micros()) / 1_000_000);
        sample.normalized()
    }

    fn put_rates(&self, sample: &mut MetricSample, before: Timestamp, at: Timestamp) {
        let minute = minute_of(at);
        let rate = |direction| {
            let gained = self.network_total(direction, at) - self.network_total(direction, before);
            (gained + METRIC_SECONDS / 2) / METRIC_SECONDS
        };
        sample.network_receive_bytes_per_second = Some(rate(Direction::Receive));
        sample.network_transmit_bytes_per_second = Some(rate(Direction::Transmit));
        let erring = self.noise.unit(Purpose::InterfaceErrors, minute);
        sample.network_errors_count = Some(if erring < 0.004 { 1 + (erring * 1_500.0) as i64 } else { 0 });

        let busy = 0.3 + 1.4 * self.cpu_share_of_day(at);
        let around = |purpose| 0.4 + 1.2 * self.noise.unit(purpose, minute);
        let (mut read, mut write) = (self.hardware.disk_read_rate * busy, self.hardware.disk_write_rate * busy);
        if self.is_backing_up(at) {
            // The backup machine takes what the others read.
            match self.role {
                Role::Backup => write += 95_000_000.0,
                _ => {
                    read += 40_000_000.0;
                    write += 12_000_000.0;
                }
            }
        }
        sample.disk_read_bytes_per_second = Some((read * around(Purpose::DiskRead)) as i64);
        sample.disk_write_bytes_per_second = Some((write * around(Purpose::DiskWrite)) as i64);
    }

    fn put_latency(&self, sample: &mut MetricSample, minute: i64) {
        let stress = self.loss_stress(minute);
        let lost = if stress > 0.0 { (self.noise.unit(Purpose::Loss, minute) * stress * PROBES).floor() } else { 0.0 };
        let jitter = 0.15 + self.noise.unit(Purpose::Jitter, minute).powi(3) * (1.0 + 30.0 * stress);
        let base = self.site.base_latency_ms;
        let wander = 1.0 + 0.12 * self.noise.smooth(Purpose::Latency, minute as f64 * 60.0, 1_800.0) + 1.5 * stress;
        sample.latency_ms = Some(base * wander + 0.4 * jitter);
        sample.jitter_ms = Some(jitter);
        sample.packet_loss_percent = Some((100.0 * lost / PROBES).min(100.0));
    }

    /// In 0..1: how badly the network suffers; 0 outside the few twenty-minute bursts of a week.
    fn loss_stress(&self, minute: i64) -> f64 {
        let burst = self.noise.unit(Purpose::LossHour, minute.div_euclid(20));
        if burst < 0.012 { 0.1 + 0.4 * burst / 0.012 } else { 0.0 }
    }

    /// In 0..1: high in the local afternoon, 0 in the quiet hour.
    pub(super) fn daylight(&self, at: Timestamp) -> f64 {
        0.5 - 0.5 * (TAU * (self.local_seconds(at) / DAY_SECONDS - QUIET_HOUR / 24.0)).cos()
    }

    fn local_seconds(&self, at: Timestamp) -> f64 {
        at.as_micros() as f64 / 1e6 + (self.site.hours_from_utc * 3_600) as f64
    }

    /// The rhythm of work: that of the day, and little of it at the weekend.
    fn cpu_share_of_day(&self, at: Timestamp) -> f64 {
        let day = (at.as_seconds() + self.site.hours_from_utc * 3_600).div_euclid(86_400);
        // Days 2 and 3 after a Thursday.
        let weekend = matches!(day.rem_euclid(7), 2 | 3);
        self.daylight(at) * if weekend { 0.35 } else { 1.0 }
    }

    fn cpu_percent(&self, at: Timestamp) -> f64 {
        let (minute, hardware) = (minute_of(at), self.hardware);
        let slow = self.noise.smooth(Purpose::CpuSlow, at.as_seconds() as f64, 900.0);
        let fast = self.noise.unit(Purpose::Cpu, minute);
        let spike = if self.noise.unit(Purpose::CpuSpike, minute) < 0.006 { 35.0 } else { 0.0 };
        let backup = if self.is_backing_up(at) { 14.0 } else { 0.0 };
        let work = hardware.cpu_busy_percent * self.cpu_share_of_day(at) * (0.7 + 0.6 * slow);
        (hardware.cpu_idle_percent * (0.7 + 0.6 * fast) + work + spike + backup + 3.0 * fast * slow).clamp(0.1, 99.9)
    }

    /// The mean demand for processors over the last `minutes`, from at most five points.
    fn load(&self, at: Timestamp, minutes: i64) -> f64 {
        let points = minutes.min(5);
        let step = minutes * 60 / points;
        let sum: f64 = (0..points).map(|point| self.cpu_percent(at.plus_seconds(-point * step))).sum();
        1.08 * f64::from(self.hardware.cores) * sum / points as f64 / 100.0
    }

    /// Memory drifts upwards until the weekly restart of what leaks it.
    fn memory_share(&self, at: Timestamp) -> f64 {
        let offset = (self.noise.unit(Purpose::Memory, -1) * WEEK_SECONDS as f64) as i64;
        let drift = (at.as_seconds() - offset).rem_euclid(WEEK_SECONDS) as f64 / WEEK_SECONDS as f64;
        let base = 0.32 + 0.18 * self.noise.unit(Purpose::Memory, -2);
        let noise = self.noise.smooth(Purpose::Memory, at.as_seconds() as f64, 600.0);
        base + 0.16 * drift + 0.05 * self.daylight(at) + 0.02 * noise
    }

    /// The disk fills until the weekly rotation.
    fn disk_share(&self, at: Timestamp) -> f64 {
        let since_backup = self.seconds_since_backup(at) as f64 / WEEK_SECONDS as f64;
        0.28 + 0.3 * self.noise.unit(Purpose::DiskWrite, -1) + 0.045 * since_backup
    }

    fn seconds_since_backup(&self, at: Timestamp) -> i64 {
        let starts = BACKUP_DAY * 86_400 + (BACKUP_HOUR - self.site.hours_from_utc) * 3_600;
        (at.as_seconds() - starts).rem_euclid(WEEK_SECONDS)
    }

    fn is_backing_up(&self, at: Timestamp) -> bool {
        self.seconds_since_backup(at) < BACKUP_SECONDS
    }

    /// Bytes since boot.
    fn network_total(&self, direction: Direction, at: Timestamp) -> i64 {
        self.bytes_moved(direction, at) - self.bytes_moved(direction, self.boot_time(at))
    }

    /// Bytes since [`COUNTING_SINCE`]. It never falls: the slowest the rhythm gets, `1 - DAILY_SWING` of the mean,
    /// moves 24 seconds' worth of the mean in a minute; the noise of a minute takes back at most 8 of them, that of
    /// the hour 15.
    fn bytes_moved(&self, direction: Direction, at: Timestamp) -> i64 {
        let (mean, fast, slow) = match direction {
            Direction::Receive => (self.hardware.receive_rate, Purpose::Receive, Purpose::ReceiveSlow),
            Direction::Transmit => (self.hardware.transmit_rate, Purpose::Transmit, Purpose::TransmitSlow),
        };
        let seconds = at.as_micros() as f64 / 1e6;
        let counted = seconds - COUNTING_SINCE as f64;
        let turn = TAU * (self.local_seconds(at) / DAY_SECONDS - QUIET_HOUR / 24.0);
        let rhythm = counted - DAILY_SWING * DAY_SECONDS / TAU * turn.sin();
        let noise = 8.0 * self.noise.unit(fast, minute_of(at)) + 600.0 * self.noise.smooth(slow, seconds, 3_600.0);
        (mean * (rhythm + noise)) as i64
    }
}

fn minute_of(at: Timestamp) -> i64 {
    at.as_seconds().div_euclid(60)
}

/// A share of something that comes in pages of 4 KiB.
fn pages(total: i64, share: f64) -> i64 {
    (total as f64 * share / 4_096.0) as i64 * 4_096
}
