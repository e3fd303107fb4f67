//! Numbers as decimal text, into a buffer that has room.
//!
//! Each function writes at `at`, may scribble on the 8 bytes behind its text, and returns the end of its text.
#![expect(clippy::inline_always, reason = "a call a number would be a tenth of what an answer takes")]

/// Length of the longest number: a sign, 19 digits and a point, or 20 digits.
pub(super) const LONGEST: usize = 21;

/// The four digits of every number below 10,000: one look-up writes what four divisions would.
static FOUR_DIGITS: [[u8; 4]; 10_000] = {
    let mut texts = [[b'0'; 4]; 10_000];
    let mut value = 0;
    while value < texts.len() {
        let (mut rest, mut at) = (value, 4);
        while at > 0 {
            at -= 1;
            texts[value][at] += (rest % 10) as u8;
            rest /= 10;
        }
        value += 1;
    }
    texts
};

/// A number below 10^4, with leading zeros.
#[inline(always)]
fn four(buffer: &mut [u8], at: usize, value: u64) -> usize {
    buffer[at..at + 4].copy_from_slice(&FOUR_DIGITS[value as usize]);
    at + 4
}

/// A number below 10^4, without leading zeros.
#[inline(always)]
fn up_to_four(buffer: &mut [u8], at: usize, value: u64) -> usize {
    let length = 1 + usize::from(value >= 10) + usize::from(value >= 100) + usize::from(value >= 1_000);
    let digits = u32::from_le_bytes(FOUR_DIGITS[value as usize]) >> (8 * (4 - length));
    buffer[at..at + 4].copy_from_slice(&digits.to_le_bytes());
    at + length
}

/// A whole number.
#[inline(always)]
pub(super) fn unsigned(buffer: &mut [u8], at: usize, value: u64) -> usize {
    if value < 10_000 {
        return up_to_four(buffer, at, value);
    }
    if value < 100_000_000 {
        let at = up_to_four(buffer, at, value / 10_000);
        return four(buffer, at, value % 10_000);
    }
    large(buffer, at, value)
}

/// A number of nine digits or more.
fn large(buffer: &mut [u8], at: usize, value: u64) -> usize {
    let (rest, last) = (value / 100_000_000, value % 100_000_000);
    let at = unsigned(buffer, at, rest);
    let at = four(buffer, at, last / 10_000);
    four(buffer, at, last % 10_000)
}

#[inline(always)]
fn sign(buffer: &mut [u8], at: usize, value: i64) -> usize {
    buffer[at] = b'-';
    at + usize::from(value < 0)
}

/// A whole number with a sign.
#[inline(always)]
pub(super) fn integer(buffer: &mut [u8], at: usize, value: i64) -> usize {
    let at = sign(buffer, at, value);
    unsigned(buffer, at, value.unsigned_abs())
}

/// A number of `DECIMALS` decimals, kept as a whole number of its last one; all decimals are written.
#[inline(always)]
pub(super) fn fixed<const DECIMALS: usize>(buffer: &mut [u8], at: usize, value: i64) -> usize {
    let scale = const { 10u64.pow(DECIMALS as u32) };
    let at = sign(buffer, at, value);
    let value = value.unsigned_abs();
    let at = unsigned(buffer, at, value / scale);
    // The decimals are the last of four digits; the point takes the place of what stands before them.
    let decimals = u32::from_le_bytes(FOUR_DIGITS[(value % scale) as usize]) >> (8 * (4 - DECIMALS));
    let text = u64::from(decimals) << 8 | u64::from(b'.');
    buffer[at..at + 8].copy_from_slice(&text.to_le_bytes());
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
