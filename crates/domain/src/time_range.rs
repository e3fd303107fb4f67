use time::format_description::well_known::Rfc3339;
use time::macros::format_description;
use time::{Date, OffsetDateTime, PrimitiveDateTime};

use crate::Timestamp;

/// A span of time: the start included, the end excluded; either may be open.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub struct TimeRange {
    /// First moment inside.
    pub start: Option<Timestamp>,
    /// First moment after.
    pub end: Option<Timestamp>,
}

impl TimeRange {
    /// All of time.
    pub const ALL: Self = Self { start: None, end: None };

    /// Whether no moment lies inside.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        matches!((self.start, self.end), (Some(start), Some(end)) if start >= end)
    }

    /// Whether the moment lies inside.
    #[must_use]
    pub fn contains(&self, moment: Timestamp) -> bool {
        self.start.is_none_or(|start| start <= moment) && self.end.is_none_or(|end| moment < end)
    }
}

/// The text is no moment in any of the accepted forms.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a moment is an RFC 3339 date and time, a date, or relative to now such as -7d")]
pub struct InvalidMoment;

/// Whether the text is a moment relative to now: what it means depends on when it is read.
#[must_use]
pub fn is_relative_moment(text: &str) -> bool {
    text.starts_with("now") || text.starts_with('-')
}

/// Reads a moment as callers write it: RFC 3339 with any offset, a date and time without a zone (UTC), a date alone
/// (midnight UTC), a space where `+` was meant or instead of `T`, or relative to `now`: `now`, `-7d`, `now-1h`
/// with the units s, m, h, d and w.
///
/// # Errors
/// [`InvalidMoment`] for any other text, and for moments outside the years 1 to 9999.
pub fn parse_moment(text: &str, now: Timestamp) -> Result<Timestamp, InvalidMoment> {
    if is_relative_moment(text) {
        return parse_relative(text.strip_prefix("now").unwrap_or(text), now);
    }
    if !text.is_ascii() || text.len() < 10 {
        return Err(InvalidMoment);
    }
    let date_alone = format_description!("[year]-[month]-[day]");
    if text.len() == 10 {
        let date = Date::parse(text, date_alone).map_err(|_| InvalidMoment)?;
        return from_offset(date.midnight().assume_utc());
    }
    let mut bytes = text.as_bytes().to_vec();
    if matches!(bytes[10], b' ' | b't') {
        bytes[10] = b'T';
    }
    // `+02:00` decoded as a form value arrives as ` 02:00`.
    if let Some(zone) = bytes.len().checked_sub(6).filter(|&zone| zone > 10 && bytes[zone] == b' ') {
        bytes[zone] = b'+';
    }
    let text = String::from_utf8(bytes).map_err(|_| InvalidMoment)?;
    if let Ok(moment) = OffsetDateTime::parse(&text, &Rfc3339) {
        return from_offset(moment);
    }
    let without_zone = [
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]"),
        format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond]"),
        format_description!("[year]-[month]-[day]T[hour]:[minute]"),
    ];
    without_zone
        .iter()
        .find_map(|form| PrimitiveDateTime::parse(&text, form).ok())
        .ok_or(InvalidMoment)
        .and_then(|moment| from_offset(moment.assume_utc()))
}

fn from_offset(moment: OffsetDateTime) -> Result<Timestamp, InvalidMoment> {
    let micros = i64::try_from(moment.unix_timestamp_nanos().div_euclid(1_000)).map_err(|_| InvalidMoment)?;
    let inside = Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros();
    if inside.contains(&micros) { Ok(Timestamp::from_micros(micros)) } else { Err(InvalidMoment) }
}

fn parse_relative(text: &str, now: Timestamp) -> Result<Timestamp, InvalidMoment> {
    if text.is_empty() {
        return Ok(now);
    }
    let sign = match text.as_bytes()[0] {
        b'-' => -1,
        // `+` arrives as a space where it was not encoded.
        b'+' | b' ' => 1,
        _ => return Err(InvalidMoment),
    };
    let unit_at = text.len().checked_sub(1).filter(|&at| text.is_char_boundary(at)).ok_or(InvalidMoment)?;
    let (amount, unit) = (text.get(1..unit_at).ok_or(InvalidMoment)?, &text[unit_at..]);
    let seconds: i64 = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        "w" => 604_800,
        _ => return Err(InvalidMoment),
    };
    if amount.is_empty() || amount.len() > 9 || !amount.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(InvalidMoment);
    }
    let amount: i64 = amount.parse().map_err(|_| InvalidMoment)?;
    Ok(now.plus_seconds(sign * amount * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_are_read_in_every_accepted_form() {
        let now = Timestamp::from_seconds(1_700_000_000);
        for (text, expected) in [
            ("2026-11-23T11:26:58Z", "2026-11-23T11:26:58.000Z"),
            ("2026-11-23T11:26:58.1239Z", "2026-11-23T11:26:58.123Z"),
            ("2026-11-23t11:26:58z", "2026-11-23T11:26:58.000Z"),
            ("2026-11-23T11:26:58+02:00", "2026-11-23T09:26:58.000Z"),
            ("2026-11-23T11:26:58 02:00", "2026-11-23T09:26:58.000Z"),
            ("2026-11-23 11:26:58-05:30", "2026-11-23T16:56:58.000Z"),
            ("2026-11-23T11:26:58", "2026-11-23T11:26:58.000Z"),
            ("2026-11-23 11:26", "2026-11-23T11:26:00.000Z"),
            ("2026-11-23", "2026-11-23T00:00:00.000Z"),
            ("0001-01-01", "0001-01-01T00:00:00.000Z"),
            ("now", "2023-11-14T22:13:20.000Z"),
            ("-1h", "2023-11-14T21:13:20.000Z"),
            ("now-7d", "2023-11-07T22:13:20.000Z"),
            ("now+2w", "2023-11-28T22:13:20.000Z"),
            ("now 30s", "2023-11-14T22:13:50.000Z"),
            ("-999999999w", "0001-01-01T00:00:00.000Z"),
        ] {
            assert_eq!(parse_moment(text, now).expect(text).to_string(), expected, "{text}");
        }
    }

    #[test]
    fn anything_else_is_refused() {
        let now = Timestamp::from_seconds(1_700_000_000);
        for text in [
            "",
            "x",
            "1700000000",
            "2026",
            "2026-11",
            "2026-13-01",
            "2026-02-30",
            "2026-11-23T25:00:00Z",
            "yesterday",
            "-7",
            "-d",
            "-7y",
            "--7d",
            "now7d",
            "now-",
            "-7dd",
            "-ä",
            "-1000000000s",
            "2026-11-23T11:26:58Zjunk",
            "0000-12-31",
            "0001-01-01T00:00:00+14:00",
            "９９９９-12-31",
            "-7 d",
            "+7d",
        ] {
            assert_eq!(parse_moment(text, now), Err(InvalidMoment), "{text}");
        }
    }

    #[test]
    fn a_range_includes_its_start_and_excludes_its_end() {
        let at = Timestamp::from_seconds;
        let range = TimeRange { start: Some(at(10)), end: Some(at(20)) };
        assert!(range.contains(at(10)) && !range.contains(at(20)) && !range.contains(at(9)));
        assert!(!range.is_empty() && !TimeRange::ALL.is_empty());
        assert!(TimeRange { start: Some(at(10)), end: Some(at(10)) }.is_empty());
    }
}
