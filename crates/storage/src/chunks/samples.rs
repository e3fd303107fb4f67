//! The samples of one chunk, column by column, and their bytes. `docs/storage/chunk-format.md` specifies them.

use std::ops::Range;

use astranetmon_domain::{METRIC_FIELDS, NULL};

use super::hours::pack_hours;
use super::numbers::{TAIL, get, pack, put, take, unpack, unpack_within};
use crate::StorageError;
use crate::measured::Measured;
use crate::retention::Summary;

type Result<T> = std::result::Result<T, StorageError>;

/// The version of the format, the first byte of both parts.
const VERSION: u8 = 1;
/// Columns before those of the measured fields: ingestion sequence and time of arrival.
const LEADING: usize = 2;
/// No chunk has more rows than this: what says so is damaged.
const MOST_ROWS: usize = 1 << 22;

/// Samples of one agent, by time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ChunkSamples {
    /// In microseconds, rising.
    pub(crate) timestamps: Vec<i64>,
    pub(crate) sequences: Vec<i64>,
    pub(crate) received_at: Vec<i64>,
    /// A column a field of [`METRIC_FIELDS`], at the field's fixed scale, [`NULL`] where unknown.
    pub(crate) fields: [Vec<i64>; METRIC_FIELDS.len()],
}

impl Default for ChunkSamples {
    fn default() -> Self {
        let fields = std::array::from_fn(|_| Vec::new());
        Self { timestamps: Vec::new(), sequences: Vec::new(), received_at: Vec::new(), fields }
    }
}

/// A chunk as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackedChunk {
    pub(crate) sample_count: i64,
    pub(crate) first_at: i64,
    pub(crate) last_at: i64,
    pub(crate) lowest_sequence: i64,
    pub(crate) highest_sequence: i64,
    /// The times.
    pub(crate) times: Vec<u8>,
    /// [`Summary::pack`] of all samples.
    pub(crate) summary: Vec<u8>,
    /// [`pack_hours`] of all samples.
    pub(crate) hours: Vec<u8>,
    /// All other columns.
    pub(crate) packed: Vec<u8>,
}

impl ChunkSamples {
    pub(crate) fn len(&self) -> usize {
        self.timestamps.len()
    }

    /// Appends a sample that is newer than all that are there.
    pub(crate) fn push(&mut self, timestamp: i64, sequence: i64, received_at: i64, measured: &Measured) {
        self.insert(self.len(), timestamp, sequence, received_at, measured);
    }

    /// Puts a sample before the one at `row`.
    pub(super) fn insert(&mut self, row: usize, timestamp: i64, sequence: i64, received_at: i64, measured: &Measured) {
        self.timestamps.insert(row, timestamp);
        self.sequences.insert(row, sequence);
        self.received_at.insert(row, received_at);
        for (column, &value) in self.fields.iter_mut().zip(&measured.0) {
            column.insert(row, value);
        }
    }

    /// The values of a row.
    pub(crate) fn measured(&self, row: usize) -> Measured {
        Measured(std::array::from_fn(|field| self.fields[field][row]))
    }

    /// Times and values of the samples between two moments, which are in microseconds, oldest first.
    pub(crate) fn within(&self, (start, end): (i64, i64)) -> impl Iterator<Item = (i64, Measured)> {
        let before = |moment| self.timestamps.partition_point(|&at| at < moment);
        (before(start)..before(end)).map(|row| (self.timestamps[row], self.measured(row)))
    }

    pub(super) fn set_measured(&mut self, row: usize, measured: &Measured) {
        for (column, &value) in self.fields.iter_mut().zip(&measured.0) {
            column[row] = value;
        }
    }

    /// Takes in samples of a span in which there are none yet.
    pub(crate) fn take_in(&mut self, others: Self) {
        let Some(first) = others.timestamps.first() else { return };
        let row = self.timestamps.partition_point(|at| at < first);
        let take_in = |column: &mut Vec<i64>, others: Vec<i64>| _ = column.splice(row..row, others);
        take_in(&mut self.timestamps, others.timestamps);
        take_in(&mut self.sequences, others.sequences);
        take_in(&mut self.received_at, others.received_at);
        self.fields.iter_mut().zip(others.fields).for_each(|(column, others)| take_in(column, others));
    }

    /// Takes out what is before that time.
    pub(crate) fn take_before(&mut self, before: i64) -> Self {
        let rows = self.timestamps.partition_point(|&timestamp| timestamp < before);
        let take = |column: &mut Vec<i64>| {
            let rest = column.split_off(rows);
            std::mem::replace(column, rest)
        };
        Self {
            timestamps: take(&mut self.timestamps),
            sequences: take(&mut self.sequences),
            received_at: take(&mut self.received_at),
            fields: std::array::from_fn(|field| take(&mut self.fields[field])),
        }
    }

    /// As it is stored; `None` without samples.
    pub(crate) fn pack(&self) -> Option<PackedChunk> {
        let (&first_at, &last_at) = (self.timestamps.first()?, self.timestamps.last()?);
        let (&lowest_sequence, &highest_sequence) = (self.sequences.iter().min()?, self.sequences.iter().max()?);
        let mut summary = Summary::EMPTY;
        for row in 0..self.len() {
            summary.push(&self.measured(row));
        }
        let columns = [&self.sequences, &self.received_at].into_iter().chain(&self.fields);
        Some(PackedChunk {
            sample_count: i64::try_from(self.len()).ok()?,
            first_at,
            last_at,
            lowest_sequence,
            highest_sequence,
            times: pack_columns([&self.timestamps].into_iter(), self.len()),
            summary: summary.pack(),
            hours: pack_hours(self),
            packed: pack_columns(columns, self.len()),
        })
    }

    /// From its two parts.
    ///
    /// # Errors
    /// [`StorageError::Internal`] for bytes that this program never wrote.
    pub(crate) fn unpack(times: &[u8], packed: &[u8]) -> Result<Self> {
        let mut samples = Self::default();
        PackedColumns::read(times)?.column(0, &mut samples.timestamps)?;
        let columns = PackedColumns::read(packed)?;
        if columns.rows != samples.len() {
            return Err(damaged());
        }
        columns.column(0, &mut samples.sequences)?;
        columns.column(1, &mut samples.received_at)?;
        for (field, column) in samples.fields.iter_mut().enumerate() {
            columns.field(field, column)?;
        }
        Ok(samples)
    }
}

/// The times of a stored chunk.
pub(crate) fn unpack_times(times: &[u8]) -> Result<Vec<i64>> {
    let mut timestamps = Vec::new();
    PackedColumns::read(times)?.column(0, &mut timestamps)?;
    Ok(timestamps)
}

/// How many of those times lie between two moments, which are in microseconds.
pub(crate) fn count_within(times: &[u8], (start, end): (i64, i64)) -> Result<i64> {
    let times = unpack_times(times)?;
    let before = |moment| times.partition_point(|&at| at < moment) as i64;
    Ok(before(end) - before(start))
}

/// Columns of a stored part, of which only those that are asked for are unpacked.
pub(crate) struct PackedColumns<'a> {
    rows: usize,
    /// Each with everything behind it.
    columns: Vec<&'a [u8]>,
}

impl<'a> PackedColumns<'a> {
    pub(crate) fn read(bytes: &'a [u8]) -> Result<Self> {
        Self::try_read(bytes).ok_or_else(damaged)
    }

    fn try_read(mut bytes: &'a [u8]) -> Option<Self> {
        if take(&mut bytes, 1)?[0] != VERSION {
            return None;
        }
        let rows = usize::try_from(get(&mut bytes)?).ok().filter(|&rows| rows <= MOST_ROWS)?;
        let count = usize::try_from(get(&mut bytes)?).ok().filter(|&count| count <= bytes.len())?;
        let lengths: Option<Vec<u64>> = (0..count).map(|_| get(&mut bytes)).collect();
        let mut columns = Vec::with_capacity(count);
        for length in lengths? {
            columns.push(bytes);
            take(&mut bytes, usize::try_from(length).ok()?)?;
        }
        (bytes == TAIL).then_some(Self { rows, columns })
    }

    pub(super) fn column(&self, column: usize, out: &mut Vec<i64>) -> Result<()> {
        match self.columns.get(column) {
            Some(bytes) => unpack(bytes, self.rows, out).ok_or_else(damaged),
            // A field that was added since.
            None => {
                out.clear();
                out.resize(self.rows, NULL);
                Ok(())
            }
        }
    }

    /// The ingestion sequences.
    pub(crate) fn sequences(&self, out: &mut Vec<i64>) -> Result<()> {
        self.column(0, out)
    }

    /// The same, of which only the rows within `rows` must be right, and all that are there.
    pub(crate) fn field_within(&self, field: usize, rows: Range<usize>, out: &mut Vec<i64>) -> Result<()> {
        match self.columns.get(LEADING + field) {
            Some(bytes) => unpack_within(bytes, self.rows, rows, out).ok_or_else(damaged),
            None => self.field(field, out),
        }
    }

    /// The values of the field of that place in [`METRIC_FIELDS`], in place of what is in `out`.
    pub(crate) fn field(&self, field: usize, out: &mut Vec<i64>) -> Result<()> {
        self.column(LEADING + field, out)
    }
}

pub(super) fn pack_columns<'a>(columns: impl Iterator<Item = &'a Vec<i64>>, rows: usize) -> Vec<u8> {
    let packed = columns.map(|column| {
        let mut bytes = Vec::new();
        pack(column, &mut bytes);
        bytes
    });
    let packed: Vec<Vec<u8>> = packed.collect();
    let mut out = vec![VERSION];
    put(&mut out, rows as u64);
    put(&mut out, packed.len() as u64);
    packed.iter().for_each(|column| put(&mut out, column.len() as u64));
    packed.iter().for_each(|column| out.extend(column));
    out.extend(TAIL);
    out
}

pub(super) fn damaged() -> StorageError {
    StorageError::Internal { context: "a sealed chunk", source: None }
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;
    use crate::chunks::golden_bytes;

    /// 300 samples of every shape that a column can have.
    fn of_every_shape() -> ChunkSamples {
        let mut samples = ChunkSamples::default();
        for row in 0..300_i64 {
            let measured = std::array::from_fn(|field| match field % 6 {
                0 => NULL,
                1 => 17_179_869_184,
                2 => 1_000_000_007 * field as i64 + row * 60,
                3 if row % 7 == 0 => NULL,
                3 => (row * row * 7_919 + field as i64) % 10_000,
                4 => ((row * 37) % 101 - 50) * 4_096,
                _ if row == 150 => i64::MAX,
                _ => -row,
            });
            let timestamp = 1_793_491_200_000_000 + row * 10_000_000 + row % 3 * 1_000;
            samples.push(timestamp, 5_000 + row * 2, timestamp + 250_000 + row * row % 977, &Measured(measured));
        }
        samples
    }

    #[test]
    fn version_1_is_written_and_read_as_it_was_when_it_was_specified() {
        let golden = golden_bytes(include_str!("version_1.hex"));
        let [times, summary, packed] = golden.as_slice() else { panic!("three parts") };
        let samples = of_every_shape();
        assert_eq!(ChunkSamples::unpack(times, packed).expect("read"), samples);
        let written = samples.pack().expect("samples");
        assert_eq!([&written.times, &written.summary, &written.packed], [times, summary, packed]);
        assert_eq!((written.sample_count, written.lowest_sequence, written.highest_sequence), (300, 5_000, 5_598));
    }

    #[test]
    fn fields_that_a_chunk_lacks_are_unknown() {
        let samples = of_every_shape();
        let columns = [&samples.sequences, &samples.received_at, &samples.fields[0], &samples.fields[1]];
        let packed = pack_columns(columns.into_iter(), samples.len());
        let read = ChunkSamples::unpack(&samples.pack().expect("samples").times, &packed).expect("read");
        assert_eq!((&read.fields[1], &read.fields[2]), (&samples.fields[1], &vec![NULL; 300]));
    }

    #[test]
    fn what_is_before_a_moment_is_taken_out_whole() {
        let mut rest = of_every_shape();
        let whole = rest.clone();
        let taken = rest.take_before(whole.timestamps[100]);
        assert_eq!((taken.len(), rest.len()), (100, 200));
        assert_eq!((taken.measured(99), rest.measured(0)), (whole.measured(99), whole.measured(100)));
        assert_eq!(rest.sequences, whole.sequences[100..]);
    }

    #[test]
    fn samples_are_taken_in_where_they_belong() {
        let whole = of_every_shape();
        let mut rest = whole.clone();
        let mut first = rest.take_before(whole.timestamps[100]);
        let between = rest.take_before(whole.timestamps[200]);
        for part in [rest, between, ChunkSamples::default()] {
            first.take_in(part);
        }
        assert_eq!(first, whole);
    }

    #[test]
    fn damaged_chunks_are_errors_and_never_panic() {
        let packed = of_every_shape().pack().expect("samples");
        let mut rng = StdRng::seed_from_u64(1);
        let mut refused = 0;
        for _ in 0..2_000 {
            let [mut times, mut columns] = [packed.times.clone(), packed.packed.clone()];
            let part = if rng.random() { &mut times } else { &mut columns };
            let at = rng.random_range(0..part.len());
            match rng.random_range(0..3) {
                0 => part.truncate(at),
                1 => part[at] = rng.random(),
                _ => _ = part.remove(at),
            }
            refused += u32::from(ChunkSamples::unpack(&times, &columns).is_err());
        }
        assert!(refused > 1_000, "{refused}");
    }
}
