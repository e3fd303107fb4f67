//! What a chunk's samples are together, hour by hour: enough for intervals of whole hours, in a tenth of the bytes.

use astranetmon_domain::{METRIC_FIELDS, NULL};

use super::samples::{ChunkSamples, PackedColumns, damaged, pack_columns};
use crate::StorageError;
use crate::retention::FieldSummary;

type Result<T> = std::result::Result<T, StorageError>;

/// An hour in microseconds.
pub(crate) const HOUR_MICROS: i64 = 3_600_000_000;
/// Columns before those of the measured fields: the hour, in hours since the epoch, and the number of its samples.
const LEADING: usize = 2;
/// Columns of a field: how many samples knew it, the least value, the greatest less the least, and the sum of all less
/// the least for each.
const OF_FIELD: usize = 4;

/// The hours of a chunk as they are stored. Nothing if there is one only, or sums are too large for the format.
pub(super) fn pack_hours(samples: &ChunkSamples) -> Vec<u8> {
    let mut columns = vec![Vec::new(); LEADING + OF_FIELD * METRIC_FIELDS.len()];
    let mut from = 0;
    while let Some(first) = samples.timestamps.get(from) {
        let hour = first.div_euclid(HOUR_MICROS);
        let count = samples.timestamps[from..].partition_point(|at| at.div_euclid(HOUR_MICROS) == hour);
        columns[0].push(hour);
        columns[1].push(count as i64);
        for (field, values) in samples.fields.iter().enumerate() {
            let mut summary = FieldSummary::NONE;
            summary.take_all(&values[from..from + count]);
            let Some(parts) = summary.parts() else { return Vec::new() };
            for (column, part) in columns[LEADING + OF_FIELD * field..].iter_mut().zip(parts) {
                column.push(part);
            }
        }
        from += count;
    }
    let hours = columns[0].len();
    if hours > 1 { pack_columns(columns.iter(), hours) } else { Vec::new() }
}

/// Stored hours, of which only the fields that are asked for are unpacked.
pub(crate) struct ChunkHours<'a> {
    /// The first moments of the hours, in microseconds, rising.
    pub(crate) starts: Vec<i64>,
    /// How many samples lie in each.
    pub(crate) sample_counts: Vec<i64>,
    columns: PackedColumns<'a>,
}

impl<'a> ChunkHours<'a> {
    /// # Errors
    /// [`StorageError::Internal`] for bytes that this program never wrote.
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self> {
        let columns = PackedColumns::read(bytes)?;
        let (mut starts, mut sample_counts) = (Vec::new(), Vec::new());
        columns.column(0, &mut starts)?;
        columns.column(1, &mut sample_counts)?;
        for start in &mut starts {
            *start = start.checked_mul(HOUR_MICROS).ok_or_else(damaged)?;
        }
        Ok(Self { starts, sample_counts, columns })
    }

    /// What is known of a field, hour by hour, in place of what is in `out`. `parts` are room to unpack in.
    ///
    /// # Errors
    /// [`StorageError::Internal`] for bytes that this program never wrote.
    pub(crate) fn field(&self, field: usize, parts: &mut [Vec<i64>; 4], out: &mut Vec<FieldSummary>) -> Result<()> {
        for (part, values) in parts.iter_mut().enumerate() {
            self.columns.column(LEADING + OF_FIELD * field + part, values)?;
        }
        let [counts, least, spans, above] = parts;
        out.clear();
        for (((&count, &min), &span), &above) in counts.iter().zip(least.iter()).zip(spans.iter()).zip(above.iter()) {
            // A field that was added since is unknown.
            let known = if count == NULL { 0 } else { count };
            out.push(FieldSummary::of_parts([known, min, span, above]).ok_or_else(damaged)?);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chunks::golden_bytes;
    use crate::measured::Measured;

    fn hours_of(samples: &ChunkSamples, field: usize) -> Vec<(i64, i64, FieldSummary)> {
        let packed = pack_hours(samples);
        let hours = ChunkHours::read(&packed).expect("read");
        let mut summaries = Vec::new();
        hours.field(field, &mut Default::default(), &mut summaries).expect("read");
        let times = hours.starts.iter().map(|start| start / HOUR_MICROS).zip(hours.sample_counts.clone());
        times.zip(summaries).map(|((hour, count), summary)| (hour, count, summary)).collect()
    }

    #[test]
    fn each_hour_with_samples_has_what_they_are_together() {
        let mut samples = ChunkSamples::default();
        for (hour, value) in [(-1, 5), (2, -3), (2, NULL), (2, 40), (5, NULL)] {
            let at = hour * HOUR_MICROS + samples.len() as i64;
            samples.push(at, 1, at, &Measured(std::array::from_fn(|field| if field == 3 { value } else { NULL })));
        }
        let of = |values: &[i64]| {
            let mut summary = FieldSummary::NONE;
            summary.take_all(values);
            summary
        };
        assert_eq!(hours_of(&samples, 3), [(-1, 1, of(&[5])), (2, 3, of(&[-3, 40])), (5, 1, of(&[]))]);
        assert_eq!(hours_of(&samples, 4), [(-1, 1, of(&[])), (2, 3, of(&[])), (5, 1, of(&[]))]);
        assert_eq!(hours_of(&samples, METRIC_FIELDS.len()), hours_of(&samples, 4), "a field that was added since");
    }

    #[test]
    fn version_1_is_written_and_read_as_it_was_when_it_was_specified() {
        let golden = golden_bytes(include_str!("hours_version_1.hex")).remove(0);
        let mut samples = ChunkSamples::default();
        for minute in 0..180_i64 {
            let measured = std::array::from_fn(|field| match field % 4 {
                0 => NULL,
                1 => 17_179_869_184,
                2 if minute < 60 => NULL,
                2 => -minute * field as i64,
                _ => (minute * minute * 7_919 + field as i64) % 10_000,
            });
            samples.push(1_793_491_200_000_000 + minute * 60_000_000, minute, minute, &Measured(measured));
        }
        assert_eq!(pack_hours(&samples), golden);
        let hours = ChunkHours::read(&golden).expect("read");
        assert_eq!(hours.sample_counts, [60, 60, 60]);
        for (field, values) in samples.fields.iter().enumerate() {
            let mut summaries = Vec::new();
            hours.field(field, &mut Default::default(), &mut summaries).expect("read");
            let of_hour = |hour: usize| {
                let mut summary = FieldSummary::NONE;
                summary.take_all(&values[hour * 60..hour * 60 + 60]);
                summary
            };
            assert_eq!(summaries, [0, 1, 2].map(of_hour), "field {field}");
        }
    }

    #[test]
    fn one_hour_and_hours_with_too_large_sums_are_left_out() {
        for (hours, values) in [([0, 0], [1, 2]), ([0, 1], [i64::MAX, i64::MAX]), ([0, 0], [i64::MIN + 1, i64::MAX])] {
            let mut samples = ChunkSamples::default();
            for (row, hour) in hours.into_iter().enumerate() {
                samples.push(hour * HOUR_MICROS + row as i64, 1, 0, &Measured([values[row]; METRIC_FIELDS.len()]));
            }
            let too_large = hours[0] == hours[1];
            assert_eq!(pack_hours(&samples).is_empty(), too_large, "{hours:?} {values:?}");
        }
        let mut samples = ChunkSamples::default();
        for (row, value) in [i64::MIN + 1, i64::MAX, 0].into_iter().enumerate() {
            samples.push(row as i64 / 2 * HOUR_MICROS + row as i64, 1, 0, &Measured([value; METRIC_FIELDS.len()]));
        }
        assert!(pack_hours(&samples).is_empty(), "the greatest less the least has more than 63 bits");
    }
}
