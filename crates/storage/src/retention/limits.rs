use astranetmon_domain::{Retention, Timestamp};

use super::{DAY, HOUR};
use crate::counts::RecordKind;

/// What ingestion takes is left alone for so long, so that a row on its way finds its hour as it was.
const MARGIN_SECONDS: i64 = HOUR;

/// Before which moments an account's data goes on, in microseconds since the epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// Samples before it are folded into hours; a whole hour.
    pub(crate) samples: i64,
    /// Hours before it are folded into days; a whole day.
    pub(crate) hours: i64,
    /// Days before it go; a whole day.
    pub(crate) days: i64,
    /// Speed tests and traceroutes before it go; a whole hour.
    pub(crate) records: i64,
}

impl Limits {
    pub(crate) fn of(retention: Retention, now: Timestamp) -> Self {
        let down = |at: Timestamp, seconds: i64| {
            let micros = at.plus_seconds(-MARGIN_SECONDS).as_micros();
            micros - micros.rem_euclid(seconds * 1_000_000)
        };
        Self {
            samples: down(retention.raw_start(now), HOUR),
            hours: down(retention.hourly_start(now), DAY),
            days: down(retention.daily_start(now), DAY),
            records: down(retention.hourly_start(now), HOUR),
        }
    }

    /// Before which moment rows of that kind go.
    pub(crate) const fn rows(&self, kind: RecordKind) -> i64 {
        match kind {
            RecordKind::Metric => self.samples,
            RecordKind::Speedtest | RecordKind::Traceroute => self.records,
        }
    }

    /// The earlier of the two, each.
    pub(crate) fn earlier(self, other: Self) -> Self {
        Self {
            samples: self.samples.min(other.samples),
            hours: self.hours.min(other.hours),
            days: self.days.min(other.days),
            records: self.records.min(other.records),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_and_days_go_when_they_are_wholly_older_than_an_hour_more_than_is_kept() {
        let kept = Retention::new(1, 2, 3).expect("a retention");
        let at = |days: i64, seconds: i64| Timestamp::from_seconds(days * DAY + seconds);
        let micros = |days: i64, hours: i64| (days * DAY + hours * HOUR) * 1_000_000;
        for (now, samples, hours, days) in [
            (at(100, 2 * HOUR), micros(99, 1), micros(98, 0), micros(97, 0)),
            (at(100, 2 * HOUR - 1), micros(99, 0), micros(98, 0), micros(97, 0)),
            (at(100, HOUR), micros(99, 0), micros(98, 0), micros(97, 0)),
            (at(100, HOUR - 1), micros(98, 23), micros(97, 0), micros(96, 0)),
        ] {
            let limits = Limits::of(kept, now);
            assert_eq!((limits.samples, limits.hours, limits.days), (samples, hours, days), "{now}");
            assert_eq!(limits.rows(RecordKind::Traceroute), samples - micros(1, 0), "{now}");
            assert!(limits.samples <= kept.raw_start(now).as_micros() - HOUR * 1_000_000);
        }
    }
}
