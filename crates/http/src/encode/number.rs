//! Numbers as decimal text, into a buffer that has room.
//!
//! Each function writes at `at`, may scribble on the 8 bytes behind its text, and returns the end of its text.

/// Length of the longest number: a sign, 19 digits and a point, or 20 digits.
pub(super) const LONGEST: usize = 21;

/// 8 digits of a number below 10^8 as ASCII, the first digit in the lowest byte.
///
/// Splits into halves, quarters and digits in parallel lanes of one word, each division by a multiplication with the
/// reciprocal (Paul Khuong, "How to print integers really fast").
const fn eight_digits(value: u64) -> u64 {
    let (high, low) = (value / 10_000, value % 10_000);
    let halves = high | (low << 32);
    let hundreds = ((halves * 10_486) >> 20) & 0x0000_007f_0000_007f;
    let pairs = hundreds | ((halves - 100 * hundreds) << 16);
    let tens = ((pairs * 103) >> 10) & 0x000f_000f_000f_000f;
    let digits = tens | ((pairs - 10 * tens) << 8);
    digits + 0x3030_3030_3030_3030
}

/// A number below 10^8, without leading zeros.
fn below_hundred_million(buffer: &mut [u8], at: usize, value: u64) -> usize {
    let digits = eight_digits(value);
    // The last digit stays even if it is zero.
    let zeros = ((digits - 0x3030_3030_3030_3030) | (1 << 56)).trailing_zeros() as usize / 8;
    buffer[at..at + 8].copy_from_slice(&(digits >> (8 * zeros)).to_le_bytes());
    at + 8 - zeros
}

fn all_eight(buffer: &mut [u8], at: usize, value: u64) -> usize {
    buffer[at..at + 8].copy_from_slice(&eight_digits(value).to_le_bytes());
    at + 8
}

/// A whole number.
pub(super) fn unsigned(buffer: &mut [u8], at: usize, value: u64) -> usize {
    const SPLIT: u64 = 100_000_000;
    if value < SPLIT {
        return below_hundred_million(buffer, at, value);
    }
    let (high, low) = (value / SPLIT, value % SPLIT);
    let at = if high < SPLIT {
        below_hundred_million(buffer, at, high)
    } else {
        let at = below_hundred_million(buffer, at, high / SPLIT);
        all_eight(buffer, at, high % SPLIT)
    };
    all_eight(buffer, at, low)
}

fn sign(buffer: &mut [u8], at: usize, value: i64) -> usize {
    buffer[at] = b'-';
    at + usize::from(value < 0)
}

/// A whole number with a sign.
pub(super) fn integer(buffer: &mut [u8], at: usize, value: i64) -> usize {
    let at = sign(buffer, at, value);
    unsigned(buffer, at, value.unsigned_abs())
}

/// A number of `DECIMALS` decimals, kept as a whole number of its last one; all decimals are written.
pub(super) fn fixed<const DECIMALS: usize>(buffer: &mut [u8], at: usize, value: i64) -> usize {
    let scale = const { 10u64.pow(DECIMALS as u32) };
    let at = sign(buffer, at, value);
    let value = value.unsigned_abs();
    let at = unsigned(buffer, at, value / scale);
    // The decimals are the last of eight digits.
    let decimals = eight_digits(value % scale) >> (8 * (8 - DECIMALS));
    buffer[at] = b'.';
    buffer[at + 1..at + 9].copy_from_slice(&decimals.to_le_bytes());
    at + 1 + DECIMALS
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn text(write: impl Fn(&mut [u8], usize) -> usize) -> String {
        let mut buffer = [0; LONGEST + 8];
        let end = write(&mut buffer, 0);
        String::from_utf8(buffer[..end].to_vec()).expect("ASCII")
    }

    fn check(value: i64) {
        assert_eq!(text(|buffer, at| integer(buffer, at, value)), value.to_string());
        for (decimals, written) in [
            (1, text(|buffer, at| fixed::<1>(buffer, at, value))),
            (2, text(|buffer, at| fixed::<2>(buffer, at, value))),
            (3, text(|buffer, at| fixed::<3>(buffer, at, value))),
        ] {
            let scale = 10u64.pow(decimals);
            let (sign, value) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
            let expected = format!("{sign}{}.{:0width$}", value / scale, value % scale, width = decimals as usize);
            assert_eq!(written, expected);
        }
    }

    #[test]
    fn numbers_are_written_as_the_standard_library_writes_them() {
        for power in 0..19 {
            let value = 10i64.pow(power);
            for value in [value - 1, value, value + 1, 5 * (value / 2)] {
                check(value);
                check(-value);
            }
        }
        check(i64::MAX);
        check(i64::MIN);
        (0..100_000).for_each(check);
        assert_eq!(text(|buffer, at| fixed::<1>(buffer, at, -5)), "-0.5");
        assert_eq!(text(|buffer, at| unsigned(buffer, at, u64::MAX)), u64::MAX.to_string());
    }

    proptest! {
        #[test]
        fn any_number_is(value in any::<i64>()) {
            check(value);
        }
    }
}
