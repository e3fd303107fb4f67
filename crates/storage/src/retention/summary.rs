//! What is kept of samples once they are gone: for each measured field how many knew it, their sum, the least and the
//! greatest value. Of a summary and another the summary of both is made without loss, so that hours become days.
//!
//! Stored, for each field of [`METRIC_FIELDS`] in its order: the count, and unless that is 0 the least value, the
//! greatest less the least, and the sum less the least for each of the count, all as numbers of 7 bits a byte, least
//! significant first, of which the top bit says that more follow; the least value, which alone can be negative, as
//! twice itself, or as twice its opposite less 1. Fields that were added to the list after it was written are missing
//! at its end and unknown.

use astranetmon_domain::{METRIC_FIELDS, MetricField, NULL};

use crate::StorageError;
use crate::measured::FieldValues;
use crate::repository::BucketValue;

/// The known values of one field, as whole numbers of its last decimal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FieldSummary {
    count: u64,
    sum: i128,
    min: i64,
    max: i64,
}

impl FieldSummary {
    pub(crate) const NONE: Self = Self { count: 0, sum: 0, min: i64::MAX, max: i64::MIN };

    /// `value` must not be [`NULL`].
    pub(crate) fn take(&mut self, value: i64) {
        self.count += 1;
        self.sum += i128::from(value);
        self.min = self.min.min(value);
        self.max = self.max.max(value);
    }

    /// Those of the values that are not [`NULL`].
    pub(crate) fn take_all(&mut self, values: &[i64]) {
        let (mut count, mut sum, mut min, mut max) = (0, 0, self.min, self.max);
        for &value in values {
            // No branch, so that the loop runs as fast as the values come.
            let known = value != NULL;
            count += u64::from(known);
            sum += i128::from(if known { value } else { 0 });
            min = min.min(if known { value } else { i64::MAX });
            max = max.max(value);
        }
        self.count += count;
        self.sum += sum;
        (self.min, self.max) = (min, max);
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.count += other.count;
        self.sum += other.sum;
        self.min = self.min.min(other.min);
        self.max = self.max.max(other.max);
    }

    /// How many values are known, the least, the greatest less the least, and the sum of all less the least for each:
    /// nothing but the first is known where that is 0. `None` if one of them is too large.
    pub(crate) fn parts(&self) -> Option<[i64; 4]> {
        let count = i64::try_from(self.count).ok()?;
        if count == 0 {
            return Some([0, NULL, NULL, NULL]);
        }
        let above = self.sum - i128::from(self.min) * i128::from(count);
        Some([count, self.min, self.max.checked_sub(self.min)?, i64::try_from(above).ok()?])
    }

    /// From its [`parts`](Self::parts); `None` if they are of nothing.
    pub(crate) fn of_parts([count, min, span, above]: [i64; 4]) -> Option<Self> {
        if count == 0 {
            return Some(Self::NONE);
        }
        let sum = i128::from(min) * i128::from(count) + i128::from(above);
        (min != NULL && span >= 0 && above >= 0).then_some(())?;
        Some(Self { count: u64::try_from(count).ok()?, sum, min, max: min.checked_add(span)? })
    }

    pub(crate) const fn count(&self) -> u64 {
        self.count
    }

    pub(crate) const fn sum(&self) -> i128 {
        self.sum
    }

    pub(crate) const fn min(&self) -> i64 {
        self.min
    }

    pub(crate) const fn max(&self) -> i64 {
        self.max
    }

    /// The mean with so many decimals more than the values have, halves rounded away from 0. A value must be known.
    pub(crate) fn mean(&self, more_decimals: u8) -> i128 {
        let count = i128::from(self.count.max(1));
        let sum = self.sum * 10_i128.pow(u32::from(more_decimals));
        (2 * sum.abs() + count) / (2 * count) * sum.signum()
    }

    /// `None` if no value is known.
    #[expect(clippy::cast_precision_loss, reason = "a mean is a float")]
    pub(crate) fn value(self, field: MetricField) -> Option<BucketValue> {
        if self.count == 0 {
            return None;
        }
        let (min, max) = (field.in_unit(self.min)?, field.in_unit(self.max)?);
        // Rounding must not carry the mean past what it is the mean of.
        let avg = (self.sum as f64 / self.count as f64 / field.scale()).clamp(min, max);
        Some(BucketValue { avg, min, max })
    }
}

/// What an agent measured in an hour or a day.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Summary {
    /// How many samples it is of.
    pub(crate) sample_count: u64,
    pub(crate) fields: [FieldSummary; METRIC_FIELDS.len()],
}

impl Summary {
    pub(crate) const EMPTY: Self = Self { sample_count: 0, fields: [FieldSummary::NONE; METRIC_FIELDS.len()] };

    /// Takes a sample.
    pub(crate) fn push(&mut self, measured: &impl FieldValues) {
        self.sample_count += 1;
        for (place, field) in self.fields.iter_mut().enumerate() {
            let value = measured.value(place);
            if value != NULL {
                field.take(value);
            }
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        self.sample_count += other.sample_count;
        for (field, other) in self.fields.iter_mut().zip(&other.fields) {
            field.merge(other);
        }
    }

    /// As it is stored, beside the number of its samples.
    pub(crate) fn pack(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(320);
        for field in &self.fields {
            put(&mut bytes, u128::from(field.count));
            if field.count > 0 {
                let (min, max) = (i128::from(field.min), i128::from(field.max));
                put(&mut bytes, u128::from(((field.min << 1) ^ (field.min >> 63)).cast_unsigned()));
                put(&mut bytes, (max - min).unsigned_abs());
                put(&mut bytes, (field.sum - min * i128::from(field.count)).unsigned_abs());
            }
        }
        bytes
    }

    /// # Errors
    /// [`StorageError::Internal`] for bytes that this program never wrote.
    pub(crate) fn unpack(sample_count: i64, bytes: &[u8]) -> Result<Self, StorageError> {
        Self::read(sample_count, bytes).ok_or(StorageError::Internal { context: "a summary of samples", source: None })
    }

    fn read(sample_count: i64, mut bytes: &[u8]) -> Option<Self> {
        let mut summary = Self { sample_count: u64::try_from(sample_count).ok()?, ..Self::EMPTY };
        for field in &mut summary.fields {
            if bytes.is_empty() {
                break;
            }
            let count = u64::try_from(get(&mut bytes)?).ok()?;
            if count > 0 {
                let min = u64::try_from(get(&mut bytes)?).ok()?;
                let min = (min >> 1).cast_signed() ^ -(min & 1).cast_signed();
                let max = i64::try_from(i128::from(min).checked_add_unsigned(get(&mut bytes)?)?).ok()?;
                let sum = (i128::from(min) * i128::from(count)).checked_add_unsigned(get(&mut bytes)?)?;
                *field = FieldSummary { count, sum, min, max };
            }
        }
        Some(summary)
    }
}

fn put(bytes: &mut Vec<u8>, mut number: u128) {
    while number >= 0x80 {
        bytes.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn get(bytes: &mut &[u8]) -> Option<u128> {
    let (mut number, mut shift) = (0_u128, 0);
    loop {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u128::from(first & 0x7f).checked_shl(shift)?;
        if first & 0x80 == 0 {
            return Some(number);
        }
        shift += 7;
    }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::measured::{Measured, Packed};

    fn random(rng: &mut StdRng) -> Packed {
        let values = std::array::from_fn(|_| match rng.random_range(0..6) {
            0 => NULL,
            1 => i64::MAX,
            2 => i64::MIN + 1,
            3 => rng.random_range(-5..5),
            _ => rng.random::<i64>().max(i64::MIN + 1),
        });
        Packed::of(&Measured(values).pack())
    }

    #[test]
    fn a_summary_comes_back_from_its_bytes_and_of_parts_the_whole_is_made() {
        let mut rng = StdRng::seed_from_u64(1);
        for samples in [0, 1, 2, 300] {
            let (mut whole, mut parts) = (Summary::EMPTY, [Summary::EMPTY, Summary::EMPTY]);
            for _ in 0..samples {
                let sample = random(&mut rng);
                whole.push(&sample);
                parts[rng.random_range(0..2)].push(&sample);
            }
            let [mut first, second] = parts;
            first.merge(&second);
            assert_eq!(first, whole);
            assert_eq!(Summary::unpack(samples, &whole.pack()).expect("read"), whole);
        }
    }

    #[test]
    fn fields_that_a_summary_lacks_are_unknown_and_torn_ones_are_refused() {
        let mut summary = Summary::EMPTY;
        summary.push(&Packed::of(&Measured([-3; METRIC_FIELDS.len()]).pack()));
        let bytes = summary.pack();
        let shorter = Summary::unpack(1, &bytes[..bytes.len() / METRIC_FIELDS.len()]).expect("read");
        assert_eq!((shorter.fields[0], shorter.fields[1]), (summary.fields[0], FieldSummary::NONE));
        for torn in [&bytes[..1], &[0xff; 40][..], &[1, 0x80]] {
            assert!(Summary::unpack(1, torn).is_err(), "{torn:?}");
        }
        assert!(Summary::unpack(-1, &bytes).is_err());
    }

    #[test]
    fn a_summary_of_common_samples_is_small() {
        let mut summary = Summary::EMPTY;
        for n in 0..360 {
            summary.push(&Packed::of(&Measured(std::array::from_fn(|field| (1_000 + n) << (field % 8))).pack()));
        }
        assert!(summary.pack().len() < 300, "{}", summary.pack().len());
    }
}
