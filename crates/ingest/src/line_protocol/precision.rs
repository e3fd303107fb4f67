use std::fmt;
use std::str::FromStr;

use astranetmon_domain::Timestamp;

/// What the timestamps of a body count since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// `ns` or `n`; what is assumed when nothing is said.
    #[default]
    Nanoseconds,
    /// `us`, `u` or `µ`.
    Microseconds,
    /// `ms`.
    Milliseconds,
    /// `s`.
    Seconds,
    /// `m`.
    Minutes,
    /// `h`.
    Hours,
}

/// The text names no precision.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a precision is one of ns, us, ms, s, m, h, for example precision=s")]
pub struct UnknownPrecision;

impl FromStr for Precision {
    type Err = UnknownPrecision;

    fn from_str(text: &str) -> Result<Self, UnknownPrecision> {
        Ok(match text {
            "ns" | "n" => Self::Nanoseconds,
            "us" | "u" | "µ" => Self::Microseconds,
            "ms" => Self::Milliseconds,
            "s" => Self::Seconds,
            "m" => Self::Minutes,
            "h" => Self::Hours,
            _ => return Err(UnknownPrecision),
        })
    }
}

impl fmt::Display for Precision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Nanoseconds => "ns",
            Self::Microseconds => "us",
            Self::Milliseconds => "ms",
            Self::Seconds => "s",
            Self::Minutes => "m",
            Self::Hours => "h",
        })
    }
}

impl Precision {
    /// The time that `count` stands for, rounded down to a microsecond; `None` outside the years 1 to 9999.
    pub(super) fn timestamp(self, count: i64) -> Option<Timestamp> {
        let micros_per_count = match self {
            Self::Nanoseconds => return Some(Timestamp::from_micros(count.div_euclid(1_000))),
            Self::Microseconds => 1,
            Self::Milliseconds => 1_000,
            Self::Seconds => 1_000_000,
            Self::Minutes => 60_000_000,
            Self::Hours => 3_600_000_000,
        };
        let micros = count.checked_mul(micros_per_count)?;
        let writable = Timestamp::MIN.as_micros()..=Timestamp::MAX.as_micros();
        writable.contains(&micros).then(|| Timestamp::from_micros(micros))
    }
}
