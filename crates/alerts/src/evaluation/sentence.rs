//! What alerts say, for a person: one plain sentence each.

use std::fmt;

use astranetmon_domain::{MetricThreshold, SpeedtestMinimum};
use astranetmon_storage::MeasuredSpeed;

/// Seconds as a person says them: the two largest units.
struct Span(i64);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.max(0);
        match seconds {
            0..60 => write!(f, "{seconds} s"),
            60..3_600 if seconds % 60 == 0 => write!(f, "{} min", seconds / 60),
            60..3_600 => write!(f, "{} min {} s", seconds / 60, seconds % 60),
            3_600..86_400 if seconds % 3_600 < 60 => write!(f, "{} h", seconds / 3_600),
            3_600..86_400 => write!(f, "{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
            _ if seconds % 86_400 < 3_600 => write!(f, "{} d", seconds / 86_400),
            _ => write!(f, "{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
        }
    }
}

pub(super) fn threshold_crossed(agent: &str, threshold: &MetricThreshold, value: f64) -> String {
    let (field, side) = (threshold.field(), threshold.side().as_str());
    let (label, limit, value) = (field.label(), field.with_unit(threshold.value()), field.with_unit(value));
    match threshold.for_seconds() {
        0 => format!("{label} of {agent} is {side} {limit}: {value}."),
        seconds => {
            format!("{label} of {agent} has been {side} {limit} for {}: {value} now.", Span(i64::from(seconds)))
        }
    }
}

pub(super) fn threshold_left(agent: &str, threshold: &MetricThreshold, value: f64) -> String {
    let (field, side) = (threshold.field(), threshold.side().as_str());
    let (label, limit, value) = (field.label(), field.with_unit(threshold.value()), field.with_unit(value));
    format!("{label} of {agent} is no longer {side} {limit}: {value}.")
}

pub(super) fn offline(agent: &str, silent_seconds: i64) -> String {
    format!("{agent} has not reported for {}.", Span(silent_seconds))
}

pub(super) fn online(agent: &str) -> String {
    format!("{agent} reports again.")
}

pub(super) fn unwatched(agent: &str) -> String {
    format!("{agent} was switched off.")
}

pub(super) fn slow(agent: &str, minimum: &SpeedtestMinimum, speed: &MeasuredSpeed) -> String {
    let mut text = format!("The speed test of {agent} was too slow:");
    let directions = [
        ("download", speed.download_mbps, minimum.download_mbps()),
        ("upload", speed.upload_mbps, minimum.upload_mbps()),
    ];
    let slow = directions.into_iter().filter_map(|(name, measured, least)| {
        let (measured, least) = (measured?, least?);
        (measured < least).then(|| format!(" {name} {measured} Mbps where {least} Mbps are expected"))
    });
    text.push_str(&slow.collect::<Vec<_>>().join(","));
    text + "."
}

pub(super) fn fast(agent: &str) -> String {
    format!("The speed test of {agent} is fast enough again.")
}

pub(super) fn route_changed(agent: &str, target: &str) -> String {
    format!("The route from {agent} to {target} has changed.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_said_in_their_two_largest_units() {
        for (seconds, said) in [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (90, "1 min 30 s"),
            (3_600, "1 h"),
            (3_659, "1 h"),
            (5_400, "1 h 30 min"),
            (86_400, "1 d"),
            (100_000, "1 d 3 h"),
        ] {
            assert_eq!(Span(seconds).to_string(), said);
        }
    }
}
