use std::fmt;

/// A point in time: microseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Timestamp(i64);

/// 0001-01-01T00:00:00Z and 9999-12-31T23:59:59.999999Z: what RFC 3339 can write.
const FIRST_MICROS: i64 = -62_135_596_800_000_000;
const LAST_MICROS: i64 = 253_402_300_799_999_999;

impl Timestamp {
    /// The earliest time that can be written, 0001-01-01T00:00:00Z.
    pub const MIN: Self = Self(FIRST_MICROS);
    /// The latest time that can be written, the end of the year 9999.
    pub const MAX: Self = Self(LAST_MICROS);
    /// Length of what [`Timestamp::write_rfc3339`] writes.
    pub const TEXT_LENGTH: usize = 24;

    /// From microseconds since the epoch; times that RFC 3339 cannot write become the nearest that it can.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Self {
        if micros < FIRST_MICROS {
            Self::MIN
        } else if micros > LAST_MICROS {
            Self::MAX
        } else {
            Self(micros)
        }
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_seconds(seconds: i64) -> Self {
        Self::from_micros(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down.
    #[must_use]
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// The time `micros` later, or earlier if negative.
    #[must_use]
    pub const fn plus_micros(self, micros: i64) -> Self {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// The time `seconds` later, or earlier if negative.
    #[must_use]
    pub const fn plus_seconds(self, seconds: i64) -> Self {
        self.plus_micros(seconds.saturating_mul(1_000_000))
    }

    /// Rounded down to a whole millisecond, the precision of measured records.
    #[must_use]
    pub const fn to_millis_precision(self) -> Self {
        Self(self.0 - self.0.rem_euclid(1_000))
    }

    /// The start of the hour it lies in.
    #[must_use]
    pub const fn hour_start(self) -> Self {
        Self(self.0 - self.0.rem_euclid(3_600_000_000))
    }

    /// Writes `2026-11-23T11:26:58.123Z`: UTC, milliseconds, rounded down.
    #[must_use]
    pub fn write_rfc3339(self) -> [u8; Self::TEXT_LENGTH] {
        *Rfc3339Writer::default().write(self)
    }
}

/// Writes times as [`Timestamp::write_rfc3339`] does, quicker where many are of one day.
#[derive(Clone, Debug)]
pub struct Rfc3339Writer {
    /// Since 1970-01-01, of the date that stands in the text.
    day: i64,
    text: [u8; Timestamp::TEXT_LENGTH],
}

impl Default for Rfc3339Writer {
    fn default() -> Self {
        Self { day: 0, text: *b"1970-01-01T00:00:00.000Z" }
    }
}

impl Rfc3339Writer {
    /// The text of a time, until the next one is written.
    #[inline]
    pub fn write(&mut self, timestamp: Timestamp) -> &[u8; Timestamp::TEXT_LENGTH] {
        let millis = timestamp.0.div_euclid(1_000);
        let (day, in_day) = (millis.div_euclid(86_400_000), millis.rem_euclid(86_400_000) as u32);
        let text = &mut self.text;
        if day != self.day {
            self.day = day;
            let (year, month, day) = civil_from_days(day);
            put(&mut text[0..4], year);
            put(&mut text[5..7], month);
            put(&mut text[8..10], day);
        }
        let (seconds, fraction) = (in_day / 1_000, in_day % 1_000);
        let (minutes, second) = (seconds / 60, seconds % 60);
        for (at, value) in [(11, minutes / 60), (14, minutes % 60), (17, second), (21, fraction % 100)] {
            text[at] = b'0' + (value / 10) as u8;
            text[at + 1] = b'0' + (value % 10) as u8;
        }
        text[20] = b'0' + (fraction / 100) as u8;
        text
    }
}

fn put(digits: &mut [u8], mut value: i64) {
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + (value % 10).to_le_bytes()[0];
        value /= 10;
    }
}

/// Year, month and day of a day number since 1970-01-01, in the proleptic Gregorian calendar
/// (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let day_of_era = shifted.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month, day)
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for byte in self.write_rfc3339() {
            fmt::Write::write_char(f, char::from(byte))?;
        }
        Ok(())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use time::OffsetDateTime;
    use time::format_description::well_known::Rfc3339;

    use super::*;

    #[test]
    fn text_is_utc_with_milliseconds_and_equals_the_time_crate() {
        let mut micros = FIRST_MICROS;
        while micros < LAST_MICROS {
            let text = Timestamp::from_micros(micros).to_string();
            let parsed = OffsetDateTime::parse(&text, &Rfc3339).expect("RFC 3339");
            assert_eq!(parsed.unix_timestamp_nanos(), i128::from(micros.div_euclid(1_000)) * 1_000_000, "{text}");
            micros += 86_400_000_000 * 97 + 12_345_678;
        }
        assert_eq!(Timestamp::from_micros(1_795_433_218_123_456).to_string(), "2026-11-23T11:26:58.123Z");
        assert_eq!(Timestamp::from_micros(i64::MAX).to_string(), "9999-12-31T23:59:59.999Z");
        assert_eq!(Timestamp::from_micros(i64::MIN).to_string(), "0001-01-01T00:00:00.000Z");
    }

    #[test]
    fn a_writer_that_is_used_again_writes_what_a_new_one_does() {
        let mut writer = Rfc3339Writer::default();
        let moments = [i64::MIN, -1, 0, 1_000, 86_399_999_999, 86_400_000_000, 1_795_433_218_123_456, i64::MAX];
        for micros in moments.into_iter().chain(moments.into_iter().rev()) {
            let timestamp = Timestamp::from_micros(micros);
            assert_eq!(writer.write(timestamp), &timestamp.write_rfc3339(), "{micros}");
        }
    }
}
