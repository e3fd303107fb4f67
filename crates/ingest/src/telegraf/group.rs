use std::collections::BTreeMap;

use astranetmon_domain::Timestamp;

/// Up to three numbers of one device; `None` where a line had none.
pub(super) type Values = [Option<i64>; 3];

/// What devices of one kind showed at one time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Reading {
    pub(super) at: Timestamp,
    devices: BTreeMap<String, Values>,
}

/// A reading that has all its devices.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Settled {
    pub(super) reading: Reading,
    /// The reading before, if it was of the same devices and close in time.
    before: Option<Reading>,
}

/// Readings of one kind of device, from body to body.
///
/// A body may be cut between two devices of one time. So a reading that lacks a device of the reading before waits for
/// the next body; if the next reading lacks it too, the device is gone.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct GroupMemory {
    last: Option<Reading>,
    waiting: Option<Reading>,
    step_micros: Option<i64>,
}

impl Reading {
    /// Most devices that are kept.
    const MOST_DEVICES: usize = 256;
    /// Longest name that is kept, in bytes.
    const LONGEST_NAME: usize = 128;

    pub(super) const fn new(at: Timestamp) -> Self {
        Self { at, devices: BTreeMap::new() }
    }

    /// Adds a device; the first line of a device counts. What is beyond the bounds is left out.
    pub(super) fn put(&mut self, device: &str, values: Values) {
        let is_known = self.devices.contains_key(device);
        if !is_known && device.len() <= Self::LONGEST_NAME && self.devices.len() < Self::MOST_DEVICES {
            self.devices.insert(device.to_owned(), values);
        }
    }

    fn has_all_of(&self, other: &Self) -> bool {
        other.devices.keys().all(|device| self.devices.contains_key(device))
    }

    fn total(&self, index: usize) -> Option<i64> {
        self.devices.values().try_fold(0_i64, |sum, values| sum.checked_add(values[index]?))
    }
}

impl Settled {
    /// The sum over the devices; unknown if one of them did not tell.
    pub(super) fn total(&self, index: usize) -> Option<i64> {
        self.reading.total(index)
    }

    /// The highest over the devices.
    pub(super) fn highest(&self, index: usize) -> Option<i64> {
        self.reading.devices.values().filter_map(|values| values[index]).max()
    }

    /// What the sum gained since the reading before; unknown if a counter fell.
    pub(super) fn growth(&self, index: usize) -> Option<i64> {
        let before = self.before.as_ref()?;
        self.reading.devices.iter().try_fold(0_i64, |sum, (device, values)| {
            let gained = values[index]?.checked_sub(before.devices.get(device)?[index]?)?;
            sum.checked_add(gained).filter(|_| gained >= 0)
        })
    }

    /// The same per second, rounded to the nearest whole number.
    pub(super) fn growth_per_second(&self, index: usize) -> Option<i64> {
        let elapsed = i128::from(self.reading.at.as_micros() - self.before.as_ref()?.at.as_micros());
        let growth = i128::from(self.growth(index)?) * 1_000_000;
        i64::try_from((growth + elapsed / 2).checked_div(elapsed)?).ok()
    }
}

impl GroupMemory {
    /// The longest time between two readings from which a rate is made while their interval is not known yet.
    const LONGEST_FIRST_STEP: i64 = 900 * 1_000_000;

    /// Takes the readings of one body, oldest first, and gives those that have all their devices.
    pub(super) fn take(&mut self, readings: Vec<Reading>) -> Vec<Settled> {
        let mut readings = readings.into_iter().peekable();
        if self.last.is_none() {
            // Nothing is known yet: a first reading that lacks what the second has was cut.
            let cut = |first: &Reading, second: &Reading| !first.has_all_of(second);
            let first = readings.next();
            match (first, readings.peek()) {
                (Some(first), Some(second)) if cut(&first, second) => {}
                (Some(first), _) => {
                    let settled = self.take_one(first);
                    return settled.into_iter().chain(readings.filter_map(|reading| self.take_one(reading))).collect();
                }
                (None, _) => {}
            }
        }
        readings.filter_map(|reading| self.take_one(reading)).collect()
    }

    fn take_one(&mut self, mut reading: Reading) -> Option<Settled> {
        let Some(last) = &self.last else {
            self.last = Some(reading.clone());
            return Some(Settled { reading, before: None });
        };
        let newest = self.waiting.as_ref().map_or(last.at, |waiting| waiting.at);
        if reading.at <= last.at || reading.at < newest {
            // Late, or sent again: the counters before it are not known.
            return reading.has_all_of(last).then_some(Settled { reading, before: None });
        }
        let mut given_up = None;
        if let Some(waiting) = self.waiting.take() {
            if waiting.at == reading.at {
                let Reading { devices, .. } = std::mem::replace(&mut reading, waiting);
                devices.iter().for_each(|(device, values)| reading.put(device, *values));
            } else {
                given_up = Some(waiting);
            }
        }
        if !reading.has_all_of(given_up.as_ref().unwrap_or(last)) {
            self.waiting = Some(reading);
            return None;
        }
        let elapsed = reading.at.as_micros() - last.at.as_micros();
        let longest = self.step_micros.map_or(Self::LONGEST_FIRST_STEP, |step| step.saturating_mul(3));
        let close = elapsed <= longest;
        let comparable = close && reading.devices.len() == last.devices.len() && reading.has_all_of(last);
        self.step_micros = close.then_some(elapsed);
        let before = self.last.replace(reading.clone()).filter(|_| comparable);
        Some(Settled { reading, before })
    }

    pub(super) fn byte_count(&self) -> usize {
        let readings = [&self.last, &self.waiting].into_iter().flatten();
        let devices = readings.flat_map(|reading| reading.devices.keys());
        devices.map(|name| name.len() + 2 * size_of::<(String, Values)>()).sum::<usize>() + size_of::<Self>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(seconds: i64, devices: &[(&str, i64)]) -> Reading {
        let mut reading = Reading::new(Timestamp::from_seconds(seconds));
        devices.iter().for_each(|(device, value)| reading.put(device, [Some(*value), None, None]));
        reading
    }

    /// (seconds, total, rate) of what was settled.
    fn take(memory: &mut GroupMemory, readings: &[Reading]) -> Vec<(i64, Option<i64>, Option<i64>)> {
        let settled = memory.take(readings.to_vec());
        settled.iter().map(|one| (one.reading.at.as_seconds(), one.total(0), one.growth_per_second(0))).collect()
    }

    #[test]
    fn rates_come_from_two_readings_of_the_same_devices() {
        let mut memory = GroupMemory::default();
        let first = [reading(10, &[("a", 100), ("b", 1_000)]), reading(20, &[("a", 200), ("b", 1_500)])];
        assert_eq!(take(&mut memory, &first), [(10, Some(1_100), None), (20, Some(1_700), Some(60))]);
        for (what, next, expected) in [
            ("the next body", reading(30, &[("a", 200), ("b", 1_500)]), (30, Some(1_700), Some(0))),
            ("a counter that fell", reading(40, &[("a", 5), ("b", 9_000)]), (40, Some(9_005), None)),
            ("after it", reading(50, &[("a", 15), ("b", 9_000)]), (50, Some(9_015), Some(1))),
            ("a gap", reading(81, &[("a", 25), ("b", 9_000)]), (81, Some(9_025), None)),
            ("after it", reading(91, &[("a", 35), ("b", 9_000)]), (91, Some(9_035), Some(1))),
            ("a new device", reading(101, &[("a", 35), ("b", 9_000), ("c", 7)]), (101, Some(9_042), None)),
            ("after it", reading(111, &[("a", 35), ("b", 9_000), ("c", 27)]), (111, Some(9_062), Some(2))),
            ("a late one", reading(105, &[("a", 35), ("b", 9_000), ("c", 8)]), (105, Some(9_043), None)),
            ("one sent again", reading(111, &[("a", 35), ("b", 9_000), ("c", 27)]), (111, Some(9_062), None)),
            ("after them", reading(121, &[("a", 45), ("b", 9_000), ("c", 27)]), (121, Some(9_072), Some(1))),
        ] {
            assert_eq!(take(&mut memory, &[next]), [expected], "{what}");
        }
    }

    #[test]
    fn a_reading_that_was_cut_waits_for_its_other_half() {
        let mut memory = GroupMemory::default();
        take(&mut memory, &[reading(10, &[("a", 0), ("b", 0)])]);
        assert_eq!(take(&mut memory, &[reading(20, &[("a", 100)])]), []);
        let rest = [reading(20, &[("b", 200)]), reading(30, &[("a", 100)])];
        assert_eq!(take(&mut memory, &rest), [(20, Some(300), Some(30))]);
        assert_eq!(take(&mut memory, &[reading(30, &[("b", 200)])]), [(30, Some(300), Some(0))]);
        // A late half of something that was given up stays unknown.
        assert_eq!(take(&mut memory, &[reading(15, &[("b", 200)])]), []);
    }

    #[test]
    fn a_device_that_is_gone_costs_one_reading() {
        let mut memory = GroupMemory::default();
        take(&mut memory, &[reading(10, &[("a", 0), ("b", 0)])]);
        assert_eq!(take(&mut memory, &[reading(20, &[("a", 10)])]), []);
        assert_eq!(take(&mut memory, &[reading(30, &[("a", 20)])]), [(30, Some(20), None)]);
        assert_eq!(take(&mut memory, &[reading(40, &[("a", 30)])]), [(40, Some(30), Some(1))]);
    }

    #[test]
    fn without_memory_a_first_reading_that_lacks_devices_of_the_second_is_left_out() {
        let mut memory = GroupMemory::default();
        let readings =
            [reading(10, &[("b", 5)]), reading(20, &[("a", 1), ("b", 5)]), reading(30, &[("a", 1), ("b", 25)])];
        assert_eq!(take(&mut memory, &readings), [(20, Some(6), None), (30, Some(26), Some(2))]);
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let mut reading = Reading::new(Timestamp::from_seconds(0));
        (0..1_000).for_each(|index| reading.put(&format!("{index:0128}"), [Some(1); 3]));
        reading.put(&"x".repeat(129), [Some(1); 3]);
        let mut memory = GroupMemory::default();
        memory.take(vec![reading]);
        assert!(memory.byte_count() < 100_000, "{}", memory.byte_count());
        assert_eq!(memory.last.map(|last| last.devices.len()), Some(256));
    }
}
