use astranetmon_domain::Timestamp;

/// Turns readings of a counter that only grows, such as bytes since boot, into what came in each interval.
///
/// There is no step on the first reading, when the counter fell (its host or device started again), when the clock
/// stood still or went back, and after a gap of more than three intervals. The reading counts as the new start in each
/// of these cases.
#[derive(Clone, Copy, Debug, Default)]
pub struct CounterRate {
    last: Option<(Timestamp, u64)>,
}

/// What a counter gained between two readings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CounterStep {
    /// Gained in all.
    pub amount: u64,
    /// Gained per second, rounded to the nearest whole number.
    pub per_second: i64,
}

impl CounterRate {
    /// Takes the reading `value` made at `now` and gives the step since the reading before.
    pub fn advance(&mut self, value: u64, now: Timestamp, interval_seconds: u32) -> Option<CounterStep> {
        let (last_at, last_value) = self.last.replace((now, value))?;
        let elapsed = u64::try_from(now.as_micros() - last_at.as_micros()).ok().filter(|&elapsed| elapsed > 0)?;
        if elapsed > 3 * u64::from(interval_seconds) * 1_000_000 {
            return None;
        }
        let amount = value.checked_sub(last_value)?;
        let elapsed = u128::from(elapsed);
        let per_second = (u128::from(amount) * 1_000_000 + elapsed / 2) / elapsed;
        Some(CounterStep { amount, per_second: i64::try_from(per_second).unwrap_or(i64::MAX) })
    }

    /// Forgets the reading before, as when the counter could not be read.
    pub const fn forget(&mut self) {
        self.last = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_needs_two_readings_of_one_growing_counter_close_in_time() {
        // (what happens, seconds and value of two readings, expected amount and rate)
        for (what, first, second, expected) in [
            ("a steady counter", (0, 1_000), (60, 7_000), Some((6_000, 100))),
            ("an idle counter", (0, 1_000), (60, 1_000), Some((0, 0))),
            ("a rate is rounded", (0, 0), (60, 100), Some((100, 2))),
            ("the largest gap", (0, 0), (180, 180), Some((180, 1))),
            ("a longer gap", (0, 0), (181, 181), None),
            ("a counter that fell", (0, 1_000), (60, 10), None),
            ("a clock that stood still", (0, 1_000), (0, 2_000), None),
            ("a clock that went back", (60, 1_000), (0, 2_000), None),
            ("a huge counter", (0, 0), (1, u64::MAX), Some((u64::MAX, i64::MAX))),
        ] {
            let mut rate = CounterRate::default();
            let step = |(seconds, value), rate: &mut CounterRate| {
                rate.advance(value, Timestamp::from_seconds(seconds), 60).map(|step| (step.amount, step.per_second))
            };
            assert_eq!(step(first, &mut rate), None, "{what}: first reading");
            assert_eq!(step(second, &mut rate), expected, "{what}");
            let third = (second.0 + 10, second.1);
            assert_eq!(step(third, &mut rate), Some((0, 0)), "{what}: goes on from there");
        }
    }

    #[test]
    fn a_forgotten_reading_is_no_start() {
        let mut rate = CounterRate::default();
        assert_eq!(rate.advance(1, Timestamp::from_seconds(0), 60), None);
        rate.forget();
        assert_eq!(rate.advance(2, Timestamp::from_seconds(60), 60), None);
    }
}
