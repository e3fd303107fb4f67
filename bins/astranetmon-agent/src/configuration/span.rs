use std::fmt;
use std::time::Duration;

/// Largest first, so that writing finds the shortest form.
const UNITS: [(&str, u64); 5] = [("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1_000), ("ms", 1)];

/// What a length of time is, as it goes on after "must be".
pub(super) const ACCEPTED: &str = "a whole number and one of ms, s, m, h, d";

/// Reads `250ms`, `10s`, `5m`, `2h` or `1d`.
pub(super) fn parse(text: &str) -> Option<Duration> {
    let (number, unit) = text.split_at(text.find(|c: char| !c.is_ascii_digit())?);
    let (_, factor) = UNITS.into_iter().find(|(name, _)| *name == unit)?;
    number.parse::<u64>().ok()?.checked_mul(factor).map(Duration::from_millis)
}

/// Writes a length of time as people write it.
pub(super) struct Span(pub(super) Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let millis = u64::try_from(self.0.as_millis()).unwrap_or(u64::MAX);
        let whole = UNITS.into_iter().find(|(_, factor)| millis >= *factor && millis.is_multiple_of(*factor));
        let (unit, factor) = whole.unwrap_or(("s", 1_000));
        write!(f, "{}{unit}", millis / factor)
    }
}
