use std::collections::BTreeMap;

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

/// `N` counters of each of several devices, by the device's name.
pub(crate) type DeviceCounters<const N: usize> = BTreeMap<String, [u64; N]>;

/// Steps of counters that are summed over devices, which come, go and start again.
///
/// A sum alone does not tell: while one device starts again from 0, another may have counted more than the first one
/// lost. There is no step unless the devices are those of the reading before and none of their counters fell.
#[derive(Debug)]
pub(crate) struct DeviceRates<const N: usize> {
    last: DeviceCounters<N>,
    rates: [CounterRate; N],
}

impl<const N: usize> Default for DeviceRates<N> {
    fn default() -> Self {
        Self { last: BTreeMap::new(), rates: [CounterRate::default(); N] }
    }
}

impl<const N: usize> DeviceRates<N> {
    /// Takes a reading of all devices and gives the steps of the sums since the reading before.
    pub(crate) fn advance(
        &mut self,
        counters: DeviceCounters<N>,
        now: Timestamp,
        interval_seconds: u32,
    ) -> [Option<CounterStep>; N] {
        let continued = self.last.len() == counters.len()
            && self.last.iter().zip(&counters).all(|((last_name, last), (name, values))| {
                last_name == name && last.iter().zip(values).all(|(last, value)| last <= value)
            });
        if !continued {
            self.rates.iter_mut().for_each(CounterRate::forget);
        }
        let sums = sums(&counters);
        self.last = counters;
        std::array::from_fn(|index| self.rates[index].advance(sums[index], now, interval_seconds))
    }

    /// Forgets the reading before, as when there is none.
    pub(crate) fn forget(&mut self) {
        *self = Self::default();
    }
}

/// Each counter, summed over the devices.
pub(crate) fn sums<const N: usize>(counters: &DeviceCounters<N>) -> [u64; N] {
    let add =
        |sums: [u64; N], values: &[u64; N]| std::array::from_fn(|index| sums[index].saturating_add(values[index]));
    counters.values().fold([0; N], add)
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

    #[test]
    fn a_sum_over_devices_has_no_step_when_one_of_them_came_went_or_started_again() {
        let reading = |devices: &[(&str, u64)]| -> DeviceCounters<1> {
            devices.iter().map(|&(name, value)| (name.to_owned(), [value])).collect()
        };
        // (what happens, the second of two readings, expected amount)
        type Case = (&'static str, &'static [(&'static str, u64)], Option<u64>);
        let cases: [Case; 6] = [
            ("all count", &[("a", 150), ("b", 1_200)], Some(250)),
            ("one is idle", &[("a", 100), ("b", 1_200)], Some(200)),
            ("one starts again while the other counts more", &[("a", 10), ("b", 9_000)], None),
            ("one comes", &[("a", 150), ("b", 1_200), ("c", 5)], None),
            ("one goes", &[("b", 2_000)], None),
            ("one is called another name", &[("a", 150), ("c", 1_200)], None),
        ];
        for (what, second, expected) in cases {
            let mut rates = DeviceRates::default();
            let mut step = |seconds, devices| {
                let [step] = rates.advance(reading(devices), Timestamp::from_seconds(seconds), 60);
                step.map(|step| step.amount)
            };
            assert_eq!(step(0, &[("a", 100), ("b", 1_000)]), None, "{what}: first reading");
            assert_eq!(step(60, second), expected, "{what}");
            assert_eq!(step(120, second), Some(0), "{what}: goes on from there");
        }
    }
}
