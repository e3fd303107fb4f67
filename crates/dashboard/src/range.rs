//! The span of time that a page is about, as its address says it.

use astranetmon_domain::{TimeRange, Timestamp, parse_moment};
use astranetmon_http::ApiError;
use serde::Deserialize;

use crate::format;

/// A span that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Span {
    /// In addresses and on buttons.
    pub(crate) name: &'static str,
    pub(crate) seconds: i64,
}

/// Spans to choose from.
pub(crate) const SPANS: [Span; 5] = [
    Span { name: "1h", seconds: 3_600 },
    Span { name: "24h", seconds: 86_400 },
    Span { name: "7d", seconds: 7 * 86_400 },
    Span { name: "30d", seconds: 30 * 86_400 },
    Span { name: "1y", seconds: 365 * 86_400 },
];

impl Span {
    /// `1 h`
    pub(crate) fn label(&self) -> String {
        let (number, unit) = self.name.split_at(self.name.len() - 1);
        format!("{number}\u{a0}{unit}")
    }
}

/// Longest chosen span.
const LONGEST_SECONDS: i64 = 400 * 86_400;

/// The parameters of an address that say a span: `range=24h`, or `from=…` and `to=…`.
#[derive(Clone, Debug, Default, Deserialize)]
pub(crate) struct RangeQuery {
    pub(crate) range: Option<String>,
    pub(crate) from: Option<String>,
    pub(crate) to: Option<String>,
}

/// A span of time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Range {
    /// It ends now.
    Last(Span),
    /// From a moment to another.
    Chosen {
        /// Included.
        from: Timestamp,
        /// Excluded.
        to: Timestamp,
    },
}

impl Range {
    /// Reads an address; `or` is what it means to say nothing.
    ///
    /// # Errors
    /// 400 for text that is no span.
    pub(crate) fn of(query: &RangeQuery, or: &str, now: Timestamp) -> Result<Self, ApiError> {
        let said = |text: &Option<String>| text.clone().filter(|text| !text.is_empty());
        if let (Some(from), Some(to)) = (said(&query.from), said(&query.to)) {
            let moment = |text: &str| parse_moment(text, now).map_err(|_| malformed());
            let (from, to) = (moment(&from)?, moment(&to)?);
            let seconds = to.as_seconds() - from.as_seconds();
            if !(1..=LONGEST_SECONDS).contains(&seconds) {
                return Err(malformed());
            }
            return Ok(Self::Chosen { from, to });
        }
        let name = said(&query.range).unwrap_or_else(|| or.to_owned());
        let span = SPANS.into_iter().find(|span| span.name == name);
        span.map(Self::Last).ok_or_else(malformed)
    }

    /// Its first moment and the first after it.
    pub(crate) fn ends(self, now: Timestamp) -> (Timestamp, Timestamp) {
        match self {
            Self::Last(span) => (now.plus_seconds(-span.seconds), now),
            Self::Chosen { from, to } => (from, to),
        }
    }

    /// What storage is asked for. Records from clocks ahead of ours belong to a span that ends now.
    pub(crate) fn time_range(self, now: Timestamp) -> TimeRange {
        let (start, end) = self.ends(now);
        TimeRange { start: Some(start), end: matches!(self, Self::Chosen { .. }).then_some(end) }
    }

    /// Whether it is the span of that name.
    pub(crate) fn is(self, name: &str) -> bool {
        matches!(self, Self::Last(span) if span.name == name)
    }

    pub(crate) const fn is_chosen(self) -> bool {
        matches!(self, Self::Chosen { .. })
    }

    /// The parameters that say it.
    pub(crate) fn parameters(self) -> String {
        match self {
            Self::Last(span) => format!("range={}", span.name),
            Self::Chosen { from, to } => {
                format!("from={}&to={}", format::machine_time(from), format::machine_time(to))
            }
        }
    }
}

fn malformed() -> ApiError {
    ApiError::BadRequest(
        "A range is 1h, 24h, 7d, 30d or 1y, or at most 400 days from one moment to a later one: \
         from=2026-11-01T00:00:00Z&to=2026-11-02T00:00:00Z"
            .to_owned(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_says_a_span_or_two_moments() {
        let now = Timestamp::from_seconds(1_795_433_218);
        let day = now.plus_seconds(-86_400);
        for (range, from, to, expected) in [
            ("", "", "", Some((day, now))),
            ("24h", "", "", Some((day, now))),
            ("1h", "", "", Some((now.plus_seconds(-3_600), now))),
            ("2h", "", "", None),
            ("", "now-24h", "now", Some((day, now))),
            ("1h", "2026-11-22T11:26:58Z", "2026-11-23T11:26:58Z", Some((day, now))),
            ("", "2026-11-22T11:26", "2026-11-22T11:26", None),
            ("", "2026-11-23", "2026-11-22", None),
            ("", "2020-01-01", "2026-01-01", None),
            ("", "yesterday", "now", None),
        ] {
            let [range_text, from_text, to_text] = [range, from, to].map(|text| Some(text.to_owned()));
            let query = RangeQuery { range: range_text, from: from_text, to: to_text };
            let read = Range::of(&query, "24h", now).ok().map(|range| range.ends(now));
            assert_eq!(read, expected, "{range} {from} {to}");
        }
    }
}
