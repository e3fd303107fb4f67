use std::fmt;

use crate::named::named;
use crate::{MetricField, clean_text};

/// When a rule fires.
#[derive(Clone, Debug, PartialEq)]
pub enum AlertCondition {
    /// A metric stood beyond a threshold for a time.
    MetricThreshold(MetricThreshold),
    /// An agent did not report for a time.
    AgentOffline(OfflineFor),
    /// The newest completed speed test was slower than a minimum.
    SpeedtestBelow(SpeedtestMinimum),
    /// A traceroute took another path than the one before it. This is an event, not a state: each change fires and
    /// is resolved at once.
    RouteChanged {
        /// Traceroutes to this target only; all of them if `None`.
        target: Option<RouteTarget>,
    },
}

impl AlertCondition {
    /// Its kind, as storage and webhooks name it.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::MetricThreshold(_) => "metric_threshold",
            Self::AgentOffline(_) => "agent_offline",
            Self::SpeedtestBelow(_) => "speedtest_below",
            Self::RouteChanged { .. } => "route_changed",
        }
    }
}

/// As a person would say it: `cpu_percent above 90 for 5 min`.
impl fmt::Display for AlertCondition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MetricThreshold(threshold) => {
                write!(f, "{} {} {}", threshold.field.name, threshold.side.as_str(), threshold.value)?;
                match threshold.for_seconds {
                    0 => Ok(()),
                    seconds => write!(f, " for {}", Span(seconds)),
                }
            }
            Self::AgentOffline(offline) => write!(f, "offline for {}", Span(offline.0)),
            Self::SpeedtestBelow(minimum) => {
                let mut separator = "";
                for (name, least) in [("download", minimum.download_mbps), ("upload", minimum.upload_mbps)] {
                    if let Some(least) = least {
                        write!(f, "{separator}{name} below {least} Mbps")?;
                        separator = " or ";
                    }
                }
                Ok(())
            }
            Self::RouteChanged { target: Some(target) } => write!(f, "route to {} changed", target.as_str()),
            Self::RouteChanged { target: None } => f.write_str("route changed"),
        }
    }
}

/// Seconds in the largest unit that divides them.
struct Span(u32);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let units = [(86_400, "d"), (3_600, "h"), (60, "min")];
        match units.into_iter().find(|(seconds, _)| self.0 > 0 && self.0.is_multiple_of(*seconds)) {
            Some((seconds, unit)) => write!(f, "{} {unit}", self.0 / seconds),
            None => write!(f, "{} s", self.0),
        }
    }
}

/// A condition of impossible numbers. Each says what is accepted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidCondition {
    /// No metric has that name.
    #[error("a metric is one of the names that GET /api/v1/metrics answers with, such as cpu_percent")]
    UnknownField,
    /// Not a number, or too large a one.
    #[error("a threshold is a number between -1e15 and 1e15, such as 90 or 0.5")]
    Threshold,
    /// Too long.
    #[error("a condition holds for 0 to 86400 seconds before it fires")]
    HeldFor,
    /// Too short or too long.
    #[error("an agent is offline after 30 to 604800 seconds without a report")]
    OfflineFor,
    /// None given, or not a possible speed.
    #[error("a minimum speed is a number above 0 and up to 1000000 Mbps, for download, upload or both")]
    Speed,
    /// Empty, too long, or with characters that no target has.
    #[error("a target is the name or address of a traceroute: 1 to 253 characters without control characters")]
    Target,
}

named! {
    /// On which side of a threshold a value is beyond it; the threshold itself is on neither.
    ThresholdSide {
        /// Greater values.
        Above = "above",
        /// Smaller values.
        Below = "below",
    }
}

/// A metric beyond a threshold for a time.
///
/// It fires when every known sample of the last `for_seconds` was beyond the threshold and no two of them were further
/// apart than the agent's silence is tolerated. Samples without a value neither fire nor resolve.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MetricThreshold {
    field: MetricField,
    side: ThresholdSide,
    value: f64,
    for_seconds: u32,
}

impl MetricThreshold {
    /// Longest time that a condition holds before it fires.
    pub const LONGEST_SECONDS: u32 = 86_400;
    const LARGEST_VALUE: f64 = 1e15;

    /// `field` is a name of [`METRIC_FIELDS`](crate::METRIC_FIELDS); `value` in that field's unit.
    ///
    /// # Errors
    /// [`InvalidCondition`] with what is accepted.
    pub fn new(field: &str, side: ThresholdSide, value: f64, for_seconds: u32) -> Result<Self, InvalidCondition> {
        let field = field.parse().map_err(|_| InvalidCondition::UnknownField)?;
        if !value.is_finite() || value.abs() > Self::LARGEST_VALUE {
            return Err(InvalidCondition::Threshold);
        }
        if for_seconds > Self::LONGEST_SECONDS {
            return Err(InvalidCondition::HeldFor);
        }
        Ok(Self { field, side, value, for_seconds })
    }

    /// The field.
    #[must_use]
    pub const fn field(&self) -> MetricField {
        self.field
    }

    /// The side on which values are beyond.
    #[must_use]
    pub const fn side(&self) -> ThresholdSide {
        self.side
    }

    /// The threshold, in the field's unit.
    #[must_use]
    pub const fn value(&self) -> f64 {
        self.value
    }

    /// How long values must have been beyond; 0: one sample is enough.
    #[must_use]
    pub const fn for_seconds(&self) -> u32 {
        self.for_seconds
    }

    /// Whether a value is beyond the threshold.
    #[must_use]
    pub fn is_beyond(&self, value: f64) -> bool {
        match self.side {
            ThresholdSide::Above => value > self.value,
            ThresholdSide::Below => value < self.value,
        }
    }
}

/// How long an agent has not reported when it counts as offline: 30 to 604,800 seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OfflineFor(u32);

impl OfflineFor {
    /// # Errors
    /// [`InvalidCondition::OfflineFor`] outside the bounds.
    pub const fn new(seconds: u32) -> Result<Self, InvalidCondition> {
        if seconds >= 30 && seconds <= 604_800 { Ok(Self(seconds)) } else { Err(InvalidCondition::OfflineFor) }
    }

    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u32 {
        self.0
    }
}

/// Least speeds of a speed test in Mbps, at least one of them given.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SpeedtestMinimum {
    download_mbps: Option<f64>,
    upload_mbps: Option<f64>,
}

impl SpeedtestMinimum {
    /// # Errors
    /// [`InvalidCondition::Speed`] without any, or with one that is not above 0 and up to 1,000,000.
    pub fn new(download_mbps: Option<f64>, upload_mbps: Option<f64>) -> Result<Self, InvalidCondition> {
        let possible = |speed: &f64| *speed > 0.0 && *speed <= 1_000_000.0;
        let given = [download_mbps, upload_mbps];
        if given.iter().all(Option::is_none) || !given.iter().flatten().all(possible) {
            return Err(InvalidCondition::Speed);
        }
        Ok(Self { download_mbps, upload_mbps })
    }

    /// Of downloads.
    #[must_use]
    pub const fn download_mbps(&self) -> Option<f64> {
        self.download_mbps
    }

    /// Of uploads.
    #[must_use]
    pub const fn upload_mbps(&self) -> Option<f64> {
        self.upload_mbps
    }
}

/// The target of traceroutes, as it was asked for: a name or an address, 1 to 253 characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RouteTarget(String);

impl RouteTarget {
    /// # Errors
    /// [`InvalidCondition::Target`] for text that no traceroute can have as its target.
    pub fn parse(text: &str) -> Result<Self, InvalidCondition> {
        let well_formed = !text.is_empty() && text.trim() == text && clean_text(text, 253) == text;
        if well_formed { Ok(Self(text.to_owned())) } else { Err(InvalidCondition::Target) }
    }

    /// As text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn threshold(side: ThresholdSide, value: f64, for_seconds: u32) -> AlertCondition {
        AlertCondition::MetricThreshold(
            MetricThreshold::new("cpu_percent", side, value, for_seconds).expect("a threshold"),
        )
    }

    #[test]
    fn conditions_are_written_as_a_person_says_them() {
        let speed = |down, up| AlertCondition::SpeedtestBelow(SpeedtestMinimum::new(down, up).expect("speeds"));
        let target = RouteTarget::parse("example.com").ok();
        for (condition, written) in [
            (threshold(ThresholdSide::Above, 90.0, 300), "cpu_percent above 90 for 5 min"),
            (threshold(ThresholdSide::Below, 0.5, 0), "cpu_percent below 0.5"),
            (threshold(ThresholdSide::Above, 90.0, 90), "cpu_percent above 90 for 90 s"),
            (AlertCondition::AgentOffline(OfflineFor::new(86_400).expect("a day")), "offline for 1 d"),
            (speed(Some(50.0), None), "download below 50 Mbps"),
            (speed(Some(50.0), Some(2.5)), "download below 50 Mbps or upload below 2.5 Mbps"),
            (AlertCondition::RouteChanged { target }, "route to example.com changed"),
            (AlertCondition::RouteChanged { target: None }, "route changed"),
        ] {
            assert_eq!(condition.to_string(), written);
        }
    }

    #[test]
    fn impossible_numbers_are_refused() {
        let threshold = |field, value, seconds| MetricThreshold::new(field, ThresholdSide::Above, value, seconds).err();
        for (refused, expected) in [
            (threshold("cpu", 1.0, 0), InvalidCondition::UnknownField),
            (threshold("cpu_percent", f64::NAN, 0), InvalidCondition::Threshold),
            (threshold("cpu_percent", f64::INFINITY, 0), InvalidCondition::Threshold),
            (threshold("cpu_percent", -2e15, 0), InvalidCondition::Threshold),
            (threshold("cpu_percent", 1.0, 86_401), InvalidCondition::HeldFor),
            (OfflineFor::new(29).err(), InvalidCondition::OfflineFor),
            (OfflineFor::new(604_801).err(), InvalidCondition::OfflineFor),
            (SpeedtestMinimum::new(None, None).err(), InvalidCondition::Speed),
            (SpeedtestMinimum::new(Some(0.0), None).err(), InvalidCondition::Speed),
            (SpeedtestMinimum::new(Some(1.0), Some(f64::NAN)).err(), InvalidCondition::Speed),
            (RouteTarget::parse("").err(), InvalidCondition::Target),
            (RouteTarget::parse("a\nb").err(), InvalidCondition::Target),
        ] {
            assert_eq!(refused, Some(expected));
        }
    }

    #[test]
    fn the_threshold_itself_is_not_beyond() {
        for (side, value, beyond) in [
            (ThresholdSide::Above, 90.0, false),
            (ThresholdSide::Above, 90.01, true),
            (ThresholdSide::Below, 90.0, false),
            (ThresholdSide::Below, 89.99, true),
        ] {
            let threshold = MetricThreshold::new("cpu_percent", side, 90.0, 0).expect("a threshold");
            assert_eq!(threshold.is_beyond(value), beyond, "{side:?} {value}");
        }
    }
}
