use uuid::Uuid;

use crate::{AgentId, TimeRange, Timestamp};

/// How many rows a page may hold: 1 to `MAX`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit<const MAX: u32>(u32);

/// The text is no whole number from 1 upwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a limit is a whole number from 1 upwards")]
pub struct InvalidLimit;

impl<const MAX: u32> Limit<MAX> {
    /// The largest page.
    pub const LARGEST: Self = Self(MAX);

    /// A page of `rows`, lowered to `MAX` above it.
    ///
    /// # Errors
    /// [`InvalidLimit`] for 0.
    pub const fn new(rows: u32) -> Result<Self, InvalidLimit> {
        match rows {
            0 => Err(InvalidLimit),
            rows if rows > MAX => Ok(Self(MAX)),
            rows => Ok(Self(rows)),
        }
    }

    /// Reads a limit as callers write it: decimal digits only; any whole number above `MAX`, however long, is `MAX`.
    ///
    /// # Errors
    /// [`InvalidLimit`] for 0, a negative number or anything that is not a whole number.
    pub fn parse(text: &str) -> Result<Self, InvalidLimit> {
        if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(InvalidLimit);
        }
        let significant = text.trim_start_matches('0');
        if significant.len() > 9 { Ok(Self(MAX)) } else { Self::new(significant.parse().unwrap_or(0)) }
    }

    /// The number of rows.
    #[must_use]
    pub const fn rows(self) -> u32 {
        self.0
    }
}

/// Which agents a query is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum AgentFilter {
    /// Every agent of the account.
    All,
    /// One agent, which need not exist.
    One(AgentId),
    /// An id that no agent can have: nothing matches.
    Nobody,
}

impl AgentFilter {
    /// Reads the parameter `agent_id`; text that is no agent id is simply nobody's.
    #[must_use]
    pub fn from_text(text: &str) -> Self {
        AgentId::parse(text).map_or(Self::Nobody, Self::One)
    }
}

/// Which measured records a query is about.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct RecordFilter {
    /// By agent.
    pub agent: AgentFilter,
    /// By time of measurement.
    pub range: TimeRange,
}

impl RecordFilter {
    /// Everything in the account.
    pub const ALL: Self = Self { agent: AgentFilter::All, range: TimeRange::ALL };

    /// Whether nothing can match, so that no query is needed.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.agent == AgentFilter::Nobody || self.range.is_empty()
    }
}

/// A page of a list in its one order: at most `limit` rows, all behind `after`.
#[derive(Clone, Debug)]
pub struct PageRequest<Position, const MAX: u32> {
    /// Most rows.
    pub limit: Limit<MAX>,
    /// The last row of the page before, if there was one.
    pub after: Option<Position>,
}

/// Where a metric stands in the order newest first, then by agent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricPosition {
    /// Time of measurement.
    pub timestamp: Timestamp,
    /// Its agent.
    pub agent_id: AgentId,
}

/// Where a speed test or traceroute stands in the order newest first, then by agent, then by id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordPosition {
    /// Time of measurement.
    pub timestamp: Timestamp,
    /// Its agent.
    pub agent_id: AgentId,
    /// Its id.
    pub id: Uuid,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_limit_is_lowered_to_its_maximum_and_never_below_one() {
        for (text, expected) in [
            ("1", Ok(1)),
            ("007", Ok(7)),
            ("1000", Ok(1_000)),
            ("1001", Ok(1_000)),
            ("99999999999999999999999", Ok(1_000)),
            ("0", Err(InvalidLimit)),
            ("000", Err(InvalidLimit)),
            ("-1", Err(InvalidLimit)),
            ("+1", Err(InvalidLimit)),
            ("1.5", Err(InvalidLimit)),
            ("1e3", Err(InvalidLimit)),
            ("", Err(InvalidLimit)),
            (" 1", Err(InvalidLimit)),
            ("١", Err(InvalidLimit)),
        ] {
            assert_eq!(Limit::<1_000>::parse(text).map(Limit::rows), expected, "{text:?}");
        }
    }
}
