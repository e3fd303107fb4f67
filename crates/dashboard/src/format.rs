//! Numbers and times as people read them.

use astranetmon_domain::Timestamp;
use serde::Serialize;

const MINUS: char = '\u{2212}';
/// Between a number and its unit, so that they stay on one line.
const JOINED: char = '\u{a0}';

/// What stands where nothing is known.
pub(crate) const UNKNOWN: &str = "–";

/// A time to be told relative to now.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Moment {
    /// RFC 3339.
    pub(crate) at: String,
    pub(crate) ago: String,
}

impl Moment {
    pub(crate) fn of(at: Timestamp, now: Timestamp) -> Self {
        Self { at: machine_time(at), ago: ago(at, now) }
    }
}

/// `34 %`; three digits or so.
pub(crate) fn percent(value: f64) -> String {
    format!("{}{JOINED}%", short(value))
}

/// `1.44 MB/s`, in powers of 1,000.
pub(crate) fn bytes_per_second(value: f64) -> String {
    let (number, prefix) = scaled(value, 1_000.0, &["", "k", "M", "G", "T", "P"]);
    format!("{}{JOINED}{prefix}B/s", short(number))
}

/// `15.6 GiB`, in powers of 1,024.
pub(crate) fn bytes(value: f64) -> String {
    let (number, prefix) = scaled(value, 1_024.0, &["", "Ki", "Mi", "Gi", "Ti", "Pi"]);
    format!("{}{JOINED}{prefix}B", short(number))
}

/// `12.4 ms`.
pub(crate) fn milliseconds(value: f64) -> String {
    format!("{}{JOINED}ms", short(value))
}

/// A text for what may be unknown.
pub(crate) fn or_unknown<T>(value: Option<T>, text: impl Fn(T) -> String) -> String {
    value.map_or_else(|| UNKNOWN.to_owned(), text)
}

/// How long before `now` it was, in its largest unit: `12 s ago`; `just now` under a second and for the future.
/// `app.js` says it with the same words.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = (now.as_micros() - at.as_micros()) / 1_000_000;
    if seconds < 1 { "just now".to_owned() } else { format!("{} ago", largest_unit(seconds)) }
}

/// `3 d` of a number of seconds.
pub(crate) fn largest_unit(seconds: i64) -> String {
    let units = [("d", 86_400), ("h", 3_600), ("min", 60), ("s", 1)];
    let (unit, length) = units.into_iter().find(|&(_, length)| seconds >= length).unwrap_or(("s", 1));
    format!("{}{JOINED}{unit}", seconds / length)
}

/// `2026-11-25 08:30:05 UTC`.
pub(crate) fn full_time(at: Timestamp) -> String {
    let text = at.write_rfc3339();
    let part = |range: std::ops::Range<usize>| std::str::from_utf8(&text[range]).unwrap_or_default();
    format!("{} {} UTC", part(0..10), part(11..19))
}

/// RFC 3339 for the attribute `datetime`.
pub(crate) fn machine_time(at: Timestamp) -> String {
    let text = at.write_rfc3339();
    let seconds = std::str::from_utf8(&text[..19]).unwrap_or_default();
    format!("{seconds}Z")
}

/// Whole numbers with a comma every three digits.
pub(crate) fn grouped(value: u64) -> String {
    let digits = value.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Three significant digits or so: `0.05`, `3.4`, `34`, `941`.
pub(crate) fn short(value: f64) -> String {
    let decimals = match value.abs() {
        size if size >= 99.95 || size == 0.0 => 0,
        size if size >= 9.95 => 1,
        _ => 2,
    };
    let text = format!("{:.decimals$}", value.abs());
    let text = if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.') } else { &text };
    if value < 0.0 && text != "0" { format!("{MINUS}{text}") } else { text.to_owned() }
}

fn scaled<'a>(value: f64, step: f64, prefixes: &[&'a str]) -> (f64, &'a str) {
    let (mut number, mut chosen) = (value, prefixes.first().copied().unwrap_or_default());
    for prefix in prefixes.iter().skip(1) {
        // What would be written as 1000 is 1 of the next.
        if number.abs() < step - 0.5 {
            break;
        }
        number /= step;
        chosen = prefix;
    }
    (number, chosen)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_about_three_digits_and_their_unit() {
        for (text, expected) in [
            (percent(3.456), "3.46 %"),
            (percent(34.04), "34 %"),
            (percent(100.0), "100 %"),
            (percent(0.0), "0 %"),
            (bytes_per_second(999.6), "1 kB/s"),
            (bytes_per_second(1_440_000.0), "1.44 MB/s"),
            (bytes(0.0), "0 B"),
            (bytes(16_750_372_454.0), "15.6 GiB"),
            (short(941.237), "941"),
            (milliseconds(12.449), "12.4 ms"),
            (milliseconds(-3.25), "−3.25 ms"),
            (or_unknown(None, percent), "–"),
            (grouped(1_234_567), "1,234,567"),
            (grouped(999), "999"),
        ] {
            assert_eq!(text.replace(JOINED, " "), expected);
        }
    }

    #[test]
    fn times_are_told_in_their_largest_unit() {
        let now = Timestamp::from_seconds(1_000_000);
        for (before, expected) in [
            (0, "just now"),
            (-5, "just now"),
            (59, "59 s ago"),
            (60, "1 min ago"),
            (7_199, "1 h ago"),
            (200_000, "2 d ago"),
        ] {
            assert_eq!(ago(now.plus_seconds(-before), now).replace(JOINED, " "), expected);
        }
        assert_eq!(full_time(Timestamp::from_seconds(1_795_433_218)), "2026-11-23 11:26:58 UTC");
        assert_eq!(machine_time(Timestamp::from_seconds(1_795_433_218)), "2026-11-23T11:26:58Z");
    }
}
