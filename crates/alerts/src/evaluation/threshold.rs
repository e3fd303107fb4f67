//! Thresholds over samples.

use astranetmon_domain::{MetricThreshold, Timestamp};

/// Seconds assumed between the samples of an agent that never said so.
const DEFAULT_INTERVAL_SECONDS: u32 = 60;
/// Longest time on the good side that resolves, in seconds; a shorter hold asks for no more than it asked to fire.
const LONGEST_RESOLVE_SECONDS: u32 = 300;
/// What a sample may take from the agent to storage, in seconds.
const ARRIVAL_SECONDS: i64 = 60;

/// An unbroken run of samples on one side of a threshold, folded oldest first: what a window of samples says, without
/// the window.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Run {
    beyond: bool,
    /// The first sample of the run.
    pub(super) since: Timestamp,
    /// The newest sample.
    pub(super) last: Timestamp,
    /// Of the newest sample, in the field's unit.
    pub(super) value: f64,
}

/// What a run says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Too old to say anything: what is missing neither fires nor resolves.
    Silent,
    /// Beyond the threshold, not for long enough.
    Beyond,
    /// Beyond it for long enough.
    BeyondHeld,
    /// Not beyond, not for long enough.
    Within,
    /// Not beyond for long enough: one good sample between bad ones resolves nothing.
    WithinHeld,
}

/// Longest time between two samples of a run, in seconds: what is tolerated until an agent counts as offline.
pub(super) fn tolerated_gap(interval_seconds: Option<u32>) -> i64 {
    3 * i64::from(interval_seconds.unwrap_or(DEFAULT_INTERVAL_SECONDS).max(1))
}

/// How far back samples must be read to decide a threshold of an agent anew, in seconds.
pub(super) fn window(threshold: &MetricThreshold, gap: i64) -> i64 {
    i64::from(threshold.for_seconds()) + 2 * gap + ARRIVAL_SECONDS
}

impl Run {
    /// The run after one more sample. A sample that is not newer than the newest changes nothing; one behind a gap of
    /// more than `gap` seconds begins a new run, since nobody knows what was in between.
    pub(super) fn with(
        run: Option<Self>,
        threshold: &MetricThreshold,
        gap: i64,
        at: Timestamp,
        value: f64,
    ) -> Option<Self> {
        let beyond = threshold.is_beyond(value);
        match run {
            Some(run) if at <= run.last => Some(run),
            Some(run) if run.beyond == beyond && at <= run.last.plus_seconds(gap) => {
                Some(Self { last: at, value, ..run })
            }
            _ => Some(Self { beyond, since: at, last: at, value }),
        }
    }

    pub(super) fn verdict(&self, threshold: &MetricThreshold, gap: i64, now: Timestamp) -> Verdict {
        if now > self.last.plus_seconds(gap + ARRIVAL_SECONDS) {
            return Verdict::Silent;
        }
        let to_fire = threshold.for_seconds();
        let seconds = if self.beyond { to_fire } else { to_fire.min(LONGEST_RESOLVE_SECONDS) };
        let held = self.last >= self.since.plus_seconds(i64::from(seconds));
        match (self.beyond, held) {
            (true, true) => Verdict::BeyondHeld,
            (true, false) => Verdict::Beyond,
            (false, true) => Verdict::WithinHeld,
            (false, false) => Verdict::Within,
        }
    }
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::ThresholdSide;

    use super::*;

    const START: i64 = 1_793_491_200;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_seconds(START + second)
    }

    fn above_90(for_seconds: u32) -> MetricThreshold {
        MetricThreshold::new("cpu_percent", ThresholdSide::Above, 90.0, for_seconds).expect("a threshold")
    }

    /// Samples every minute: `H` is high, `l` low, `.` missing. The verdict at the last one.
    fn verdict(samples: &str, for_seconds: u32) -> Verdict {
        let threshold = above_90(for_seconds);
        let gap = tolerated_gap(Some(60));
        let mut run = None;
        for (minute, sample) in (0..).zip(samples.chars()) {
            let value = match sample {
                'H' => 95.0,
                'l' => 50.0,
                _ => continue,
            };
            run = Run::with(run, &threshold, gap, at(minute * 60), value);
        }
        let now = at((samples.len() as i64 - 1) * 60);
        run.map_or(Verdict::Silent, |run| run.verdict(&threshold, gap, now))
    }

    #[test]
    fn a_threshold_holds_when_its_whole_window_is_beyond_it() {
        use Verdict::{Beyond, BeyondHeld, Silent, Within, WithinHeld};
        for (samples, for_seconds, expected) in [
            ("", 300, Silent),
            ("H", 0, BeyondHeld),
            ("l", 0, WithinHeld),
            ("H", 300, Beyond),
            ("HHHHH", 300, Beyond),
            ("HHHHHH", 300, BeyondHeld),
            ("lHHHHHH", 300, BeyondHeld),
            // One good sample begins it anew.
            ("HHHHHlH", 300, Beyond),
            ("HHHHHlHHHHHH", 300, BeyondHeld),
            // Missing samples neither break a run nor make one, unless too many are missing.
            ("HHH..H", 300, BeyondHeld),
            ("HHH...H", 300, Beyond),
            ("HHHHHH..", 300, BeyondHeld),
            ("HHHHHH....", 300, BeyondHeld),
            ("HHHHHH.....", 300, Silent),
            // Resolving takes as long, five minutes at most.
            ("HHHHHHl", 300, Within),
            ("HHHHHHlllll", 300, Within),
            ("HHHHHHllllll", 300, WithinHeld),
            ("HHHHHHllHlll", 300, Within),
            ("HHHHHHll", 60, WithinHeld),
            ("llllll", 86_400, WithinHeld),
            ("lllll", 86_400, Within),
        ] {
            assert_eq!(verdict(samples, for_seconds), expected, "{samples} for {for_seconds} s");
        }
    }

    #[test]
    fn late_samples_change_nothing() {
        let threshold = above_90(60);
        let gap = tolerated_gap(None);
        let run = Run::with(None, &threshold, gap, at(100), 95.0);
        for late in [100, 99, 0] {
            assert_eq!(Run::with(run, &threshold, gap, at(late), 1.0), run);
        }
        let run = run.expect("a run");
        assert_eq!((run.since, run.last, run.value), (at(100), at(100), 95.0));
    }

    #[test]
    fn a_window_holds_a_run_that_fires() {
        for (for_seconds, interval) in [(0, 5), (300, 60), (86_400, 3_600)] {
            let gap = tolerated_gap(Some(interval));
            assert!(window(&above_90(for_seconds), gap) >= i64::from(for_seconds) + i64::from(interval));
        }
    }
}
