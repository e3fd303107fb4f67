use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A length of time as people write it: a whole number and a unit, `250ms`, `10s`, `5m`, `2h`, `90d`, `1w`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub Duration);

/// The text is no length of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a length of time is a whole number and one of ms, s, m, h, d, w, such as 10s")]
pub struct InvalidSpan;

/// Largest first, so that writing finds the shortest form.
const UNITS: [(&str, u64); 6] =
    [("w", 604_800_000), ("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// Ten years: nothing that is set here sensibly lasts longer, and sums with a clock stay far from overflow.
const LONGEST_MILLIS: u64 = 10 * 366 * 86_400_000;

impl Span {
    /// Whole seconds.
    #[must_use]
    pub const fn from_secs(seconds: u64) -> Self {
        Self(Duration::from_secs(seconds))
    }
}

impl FromStr for Span {
    type Err = InvalidSpan;
    fn from_str(text: &str) -> Result<Self, InvalidSpan> {
        let unit_at = text.find(|c: char| !c.is_ascii_digit()).ok_or(InvalidSpan)?;
        let (number, unit) = text.split_at(unit_at);
        let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit).ok_or(InvalidSpan)?;
        let millis = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).ok_or(InvalidSpan)?;
        if millis > LONGEST_MILLIS { Err(InvalidSpan) } else { Ok(Self(Duration::from_millis(millis))) }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let whole = UNITS.into_iter().find(|(_, factor)| millis >= *factor && millis.is_multiple_of(*factor));
        let (unit, factor) = whole.unwrap_or(("s", 1_000));
        write!(f, "{}{unit}", millis / factor)
    }
}

impl<'de> Deserialize<'de> for Span {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

impl Serialize for Span {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_time_are_read_and_written_with_a_unit() {
        for (text, millis, written) in [
            ("0s", 0, "0s"),
            ("250ms", 250, "250ms"),
            ("10s", 10_000, "10s"),
            ("90s", 90_000, "90s"),
            ("120s", 120_000, "2m"),
            ("90d", 7_776_000_000, "90d"),
            ("2w", 1_209_600_000, "2w"),
        ] {
            let span = text.parse::<Span>().expect(text);
            assert_eq!((span.0.as_millis(), span.to_string().as_str()), (millis, written), "{text}");
        }
        for text in ["", "10", "s", "-1s", "1.5s", "1 s", "1y", "99999999999999999999s", "999999w"] {
            assert_eq!(text.parse::<Span>(), Err(InvalidSpan), "{text:?}");
        }
    }
}
