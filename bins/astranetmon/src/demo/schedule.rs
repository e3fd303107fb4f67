//! When things happen: cadences, and the events of each week. All of it is a function of absolute time, so history
//! made at any moment and live reporting join without a seam.

use astranetmon_domain::Timestamp;
use uuid::{Builder, Uuid};

use super::fleet::{SyntheticAgent, WeeklyEvent};
use super::noise::Purpose;

pub(super) const WEEK_SECONDS: i64 = 7 * 86_400;
const OUTAGE_SECONDS: i64 = 40 * 60;
/// From the last sample before a reboot to the kernel's start, and from there to the agent's first sample.
const SHUTDOWN_SECONDS: i64 = 70;
const STARTUP_SECONDS: i64 = 40;

/// Times that are one period apart.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cadence {
    period_micros: i64,
    phase_micros: i64,
}

impl Cadence {
    /// Every `period_seconds`, `phase_millis` after whole periods since the epoch.
    pub(super) const fn new(period_seconds: i64, phase_millis: i64) -> Self {
        Self { period_micros: period_seconds * 1_000_000, phase_micros: phase_millis * 1_000 }
    }

    /// The first of the times at or after `at`.
    pub(super) fn at_or_after(self, at: Timestamp) -> Timestamp {
        let late = (at.as_micros() - self.phase_micros).rem_euclid(self.period_micros);
        at.plus_micros(if late == 0 { 0 } else { self.period_micros - late })
    }

    /// The times from `start` on, before `end`.
    pub(super) fn between(self, start: Timestamp, end: Timestamp) -> impl Iterator<Item = Timestamp> {
        let next = move |at: &Timestamp| Some(at.plus_micros(self.period_micros));
        std::iter::successors(Some(self.at_or_after(start)), next).take_while(move |&at| at < end)
    }

    /// The time one period later.
    pub(super) const fn after(self, at: Timestamp) -> Timestamp {
        at.plus_micros(self.period_micros)
    }

    /// Length of the period in microseconds.
    pub(super) const fn period_micros(self) -> i64 {
        self.period_micros
    }
}

/// Microseconds since a weekly event last began; it begins `offset` seconds into the week.
const fn micros_since(at: Timestamp, offset: i64) -> i64 {
    (at.as_micros() - offset * 1_000_000).rem_euclid(WEEK_SECONDS * 1_000_000)
}

impl SyntheticAgent {
    /// Where in each week its event lies, in seconds from the week's start.
    fn event_offset(&self) -> i64 {
        (self.noise.unit(Purpose::Schedule, self.event as i64) * WEEK_SECONDS as f64) as i64
    }

    /// When the machine last started, seen from `at`.
    pub(super) fn boot_time(&self, at: Timestamp) -> Timestamp {
        if self.event == WeeklyEvent::Reboot {
            return at.plus_micros(-micros_since(at, self.event_offset()));
        }
        // Long before any history, as if nobody had dared since.
        let share = self.noise.unit(Purpose::Schedule, -1);
        Timestamp::from_seconds(1_735_700_000 + (share * 1e7) as i64)
    }

    /// Whether it reports at the time `at`: not while it is cut off or starting.
    pub(super) fn is_reporting(&self, at: Timestamp) -> bool {
        match self.event {
            WeeklyEvent::Outage => micros_since(at, self.event_offset()) >= OUTAGE_SECONDS * 1_000_000,
            WeeklyEvent::Reboot => {
                let down_for = micros_since(at, self.event_offset() - SHUTDOWN_SECONDS);
                down_for >= (SHUTDOWN_SECONDS + STARTUP_SECONDS) * 1_000_000
            }
            WeeklyEvent::RouteChange | WeeklyEvent::None => true,
        }
    }

    /// Whether traces to its first target take the second of two ways at the time `at`; it turns once a week.
    pub(super) fn takes_detour(&self, at: Timestamp) -> bool {
        self.event == WeeklyEvent::RouteChange
            && (at.as_seconds() - self.event_offset()).div_euclid(WEEK_SECONDS).rem_euclid(2) == 1
    }

    /// The id of a record that began at `at`; `number` tells apart records of one time.
    pub(super) fn record_id(&self, at: Timestamp, number: i64) -> Uuid {
        let millis = at.as_micros().div_euclid(1_000);
        let place = millis.wrapping_mul(8) + 2 * number;
        let first = self.noise.bits(Purpose::RecordId, place).to_be_bytes();
        let second = self.noise.bits(Purpose::RecordId, place + 1).to_be_bytes();
        let mut random = [0; 10];
        random[..8].copy_from_slice(&first);
        random[8..].copy_from_slice(&second[..2]);
        Builder::from_unix_timestamp_millis(u64::try_from(millis).unwrap_or(0), &random).into_uuid()
    }
}
