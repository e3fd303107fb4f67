//! Whole numbers in few bits: what a chunk's columns are made of. `docs/storage/chunk-format.md` specifies the bytes.

use std::ops::Range;

/// Stands for an unknown number; [`astranetmon_domain::NULL`].
const UNKNOWN: i64 = astranetmon_domain::NULL;
/// Numbers of one block: each block has a base, a step and a width of its own, so that a peak widens its neighbours only.
const BLOCK: usize = 128;
/// Bytes behind the last column, so that eight bytes can be read wherever a number begins.
pub(super) const TAIL: [u8; 8] = [0; 8];

const NOTHING_KNOWN: u8 = 0;
const VALUES: u8 = 1;
const DIFFERENCES: u8 = 2;
/// Beside one of the others: some numbers are unknown, and a bit a number says which are known.
const GAPS: u8 = 4;

/// Appends a column of numbers, packed as values or as differences from one to the next, whichever is shorter.
pub(super) fn pack(numbers: &[i64], out: &mut Vec<u8>) {
    let known: Vec<i64> = numbers.iter().copied().filter(|&number| number != UNKNOWN).collect();
    let Some(&first) = known.first() else {
        out.push(NOTHING_KNOWN);
        return;
    };
    let differences: Vec<i64> = known.windows(2).map(|pair| pair[1].wrapping_sub(pair[0])).collect();
    let (mut as_values, mut as_differences) = (Vec::new(), Vec::new());
    pack_blocks(&known, &mut as_values);
    put_signed(&mut as_differences, first);
    pack_blocks(&differences, &mut as_differences);
    let (layout, packed) =
        if as_differences.len() < as_values.len() { (DIFFERENCES, as_differences) } else { (VALUES, as_values) };
    if known.len() == numbers.len() {
        out.push(layout);
    } else {
        out.push(layout | GAPS);
        out.extend(numbers.chunks(8).map(|eight| {
            eight.iter().enumerate().fold(0, |bits, (bit, &number)| bits | (u8::from(number != UNKNOWN) << bit))
        }));
    }
    out.extend(packed);
}

fn pack_blocks(numbers: &[i64], out: &mut Vec<u8>) {
    for block in numbers.chunks(BLOCK) {
        let base = block.iter().copied().min().unwrap_or(0);
        let offsets = || block.iter().map(|number| number.wrapping_sub(base).cast_unsigned());
        let step = offsets().fold(0, greatest_common_divisor).max(1);
        let width = u64::BITS - (offsets().max().unwrap_or(0) / step).leading_zeros();
        put_signed(out, base);
        put(out, step);
        out.push(width as u8);
        let (mut waiting, mut bits) = (0_u128, 0);
        for offset in offsets() {
            waiting |= u128::from(offset / step) << bits;
            bits += width;
            while bits >= 8 {
                out.push(waiting as u8);
                waiting >>= 8;
                bits -= 8;
            }
        }
        if bits > 0 {
            out.push(waiting as u8);
        }
    }
}

const fn greatest_common_divisor(mut a: u64, mut b: u64) -> u64 {
    while b != 0 {
        (a, b) = (b, a % b);
    }
    a
}

/// Reads the column of `rows` numbers at the start of `bytes` into `out`, in place of what is there. [`TAIL`] must lie
/// behind it. `None` for bytes that [`pack`] never wrote.
pub(super) fn unpack(bytes: &[u8], rows: usize, out: &mut Vec<i64>) -> Option<()> {
    unpack_within(bytes, rows, 0..rows, out)
}

/// The same, of which only the numbers within `wanted` must be right, and all that are there: blocks before them are
/// passed over where they can be, and those behind them are not looked at.
pub(super) fn unpack_within(mut bytes: &[u8], rows: usize, wanted: Range<usize>, out: &mut Vec<i64>) -> Option<()> {
    out.clear();
    let layout = take(&mut bytes, 1)?[0];
    if layout == NOTHING_KNOWN {
        out.resize(rows, UNKNOWN);
        return Some(());
    }
    let gaps = if layout & GAPS == 0 { None } else { Some(take(&mut bytes, rows.div_ceil(8))?) };
    let known = match gaps {
        None => rows,
        Some(gaps) => gaps.iter().map(|bits| bits.count_ones() as usize).sum(),
    };
    if known == 0 || known > rows {
        return None;
    }
    // Where known numbers lie is not told by rows.
    let wanted = if gaps.is_some() { 0..known } else { wanted.start..wanted.end.min(known) };
    match layout & !GAPS {
        VALUES => unpack_blocks(&mut bytes, known, &wanted, out)?,
        DIFFERENCES => {
            let mut sum = get_signed(&mut bytes)?;
            out.push(sum);
            unpack_blocks(&mut bytes, known - 1, &(0..wanted.end.saturating_sub(1)), out)?;
            for number in &mut out[1..] {
                sum = sum.wrapping_add(*number);
                *number = sum;
            }
        }
        _ => return None,
    }
    if let Some(gaps) = gaps {
        // From the end, so that no number is overwritten before it has moved.
        let mut left = known;
        out.resize(rows, UNKNOWN);
        for row in (0..rows).rev() {
            let is_known = gaps[row / 8] >> (row % 8) & 1 == 1;
            out[row] = if is_known {
                left = left.checked_sub(1)?;
                out[left]
            } else {
                UNKNOWN
            };
        }
    }
    Some(())
}

/// `wanted` counts from the first number of the blocks.
fn unpack_blocks(bytes: &mut &[u8], numbers: usize, wanted: &Range<usize>, out: &mut Vec<i64>) -> Option<()> {
    let mut passed = 0;
    while passed < wanted.end.min(numbers) {
        let count = (numbers - passed).min(BLOCK);
        let base = get_signed(bytes)?;
        let step = get(bytes)?;
        let width = usize::from(take(bytes, 1)?[0]);
        let length = (count * width).div_ceil(8);
        let packed = bytes.get(..length + TAIL.len())?;
        let number = |offset: u64| base.wrapping_add(offset.wrapping_mul(step).cast_signed());
        match width {
            0 => out.resize(out.len() + count, base),
            1..=64 if passed + count <= wanted.start => out.resize(out.len() + count, UNKNOWN),
            1..=57 => {
                let mask = (1 << width) - 1;
                out.extend((0..count).map(|place| {
                    let bit = place * width;
                    number((eight(packed, bit / 8) >> (bit % 8)) & mask)
                }));
            }
            // Such a number may begin in one byte and end in the ninth.
            58..=64 => {
                let mask = u64::MAX >> (64 - width);
                out.extend((0..count).map(|place| {
                    let (byte, shift) = (place * width / 8, place * width % 8);
                    let low = eight(packed, byte) >> shift;
                    let high = if shift == 0 { 0 } else { u64::from(packed[byte + 8]) << (64 - shift) };
                    number((low | high) & mask)
                }));
            }
            _ => return None,
        }
        *bytes = &bytes[length..];
        passed += count;
    }
    Some(())
}

/// Eight bytes from there, least significant first.
#[inline]
fn eight(bytes: &[u8], at: usize) -> u64 {
    bytes.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |eight| u64::from_le_bytes(*eight))
}

/// Appends a number, 7 bits a byte, least significant first; the top bit says that more follow.
pub(super) fn put(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

/// What [`put`] wrote at the start of `bytes`, which move behind it.
pub(super) fn get(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0;
    for shift in (0..u64::BITS).step_by(7) {
        let byte = take(bytes, 1)?[0];
        let part = u64::from(byte & 0x7f);
        if part << shift >> shift != part {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

/// Zero or more as twice itself, less than zero as twice its opposite less 1.
fn put_signed(out: &mut Vec<u8>, number: i64) {
    put(out, ((number << 1) ^ (number >> 63)).cast_unsigned());
}

fn get_signed(bytes: &mut &[u8]) -> Option<i64> {
    let number = get(bytes)?;
    Some((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
}

pub(super) fn take<'a>(bytes: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, rest) = bytes.split_at_checked(length)?;
    *bytes = rest;
    Some(taken)
}

#[cfg(test)]
mod tests {
    use rand::rngs::StdRng;
    use rand::{Rng, RngExt, SeedableRng};

    use super::*;

    fn packed(numbers: &[i64]) -> Vec<u8> {
        let mut bytes = Vec::new();
        pack(numbers, &mut bytes);
        bytes
    }

    fn unpacked(bytes: &[u8], rows: usize) -> Option<Vec<i64>> {
        let mut numbers = vec![7; 3];
        unpack(&[bytes, &TAIL].concat(), rows, &mut numbers).map(|()| numbers)
    }

    /// One of many shapes: constant, rising, of some width, at some step, with gaps and peaks.
    fn random(rng: &mut StdRng) -> Vec<i64> {
        let rows = [0, 1, 2, 127, 128, 129, 256, rng.random_range(0..600)][rng.random_range(0..8)];
        let (width, step, slope) = (rng.random_range(0..64), rng.random_range(1..5_000), rng.random_range(-3..4));
        let gaps = [0.0, 0.1, 0.9, 1.0][rng.random_range(0..4)];
        let base: i64 = rng.random();
        let number = |row: usize, rng: &mut StdRng| {
            if rng.random_bool(gaps) {
                return UNKNOWN;
            }
            if rng.random_bool(0.005) {
                return [0, -1, i64::MAX, i64::MIN + 1][rng.random_range(0..4)];
            }
            let noise = (rng.random::<u64>() & ((1 << width) - 1)).cast_signed();
            base.wrapping_add(noise.wrapping_mul(step)).wrapping_add(slope * 60 * row as i64).max(i64::MIN + 1)
        };
        (0..rows).map(|row| number(row, rng)).collect()
    }

    #[test]
    fn every_column_comes_back_from_its_bytes() {
        let mut rng = StdRng::seed_from_u64(1);
        for round in 0..5_000 {
            let numbers = random(&mut rng);
            assert_eq!(unpacked(&packed(&numbers), numbers.len()).as_deref(), Some(&numbers[..]), "round {round}");
        }
    }

    #[test]
    fn a_part_of_a_column_is_that_of_the_whole() {
        let mut rng = StdRng::seed_from_u64(2);
        for round in 0..5_000 {
            let numbers = random(&mut rng);
            let bytes = [&packed(&numbers)[..], &TAIL].concat();
            let start = rng.random_range(0..=numbers.len());
            let wanted = start..rng.random_range(start..=numbers.len());
            let mut part = vec![7; 3];
            unpack_within(&bytes, numbers.len(), wanted.clone(), &mut part).expect("read");
            assert_eq!(part.get(wanted.clone()), Some(&numbers[wanted.clone()]), "round {round} {wanted:?}");
        }
    }

    #[test]
    fn common_columns_take_few_bytes() {
        let rows = || 0..1_440_i64;
        for (what, numbers, most) in [
            ("what never changes", rows().map(|_| 17_179_869_184).collect(), 90),
            ("what nobody knows", rows().map(|_| UNKNOWN).collect(), 1),
            ("time every minute", rows().map(|row| row * 60_000_000).collect::<Vec<i64>>(), 100),
            ("pages of memory", rows().map(|row| (row * 37 % 1_000) * 4_096).collect(), 1_900),
            ("a percentage", rows().map(|row| row * 7_919 % 10_000).collect(), 2_600),
        ] {
            assert!(packed(&numbers).len() <= most, "{what}: {} bytes", packed(&numbers).len());
        }
    }

    #[test]
    fn bytes_that_were_damaged_are_refused_or_read_as_something_else_and_never_panic() {
        let mut rng = StdRng::seed_from_u64(2);
        for _ in 0..20_000 {
            let numbers = random(&mut rng);
            let mut bytes = packed(&numbers);
            for _ in 0..rng.random_range(0..4) {
                let at = rng.random_range(0..bytes.len());
                bytes[at] = rng.random();
            }
            bytes.truncate(rng.random_range(0..=bytes.len()));
            if let Some(read) = unpacked(&bytes, numbers.len()) {
                assert_eq!(read.len(), numbers.len());
            }
        }
        let mut noise = vec![0; 200];
        for rows in 0..2_000 {
            rng.fill_bytes(&mut noise);
            let _ = unpacked(&noise, rows);
        }
    }
}
