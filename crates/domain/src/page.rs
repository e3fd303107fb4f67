use std::collections::BTreeMap;

use uuid::Uuid;

use crate::{
    AgentId, Speedtest, SpeedtestStatus, TimeRange, Timestamp, Traceroute, TracerouteProtocol, TracerouteStatus,
};

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
    /// A page of one row.
    pub const SMALLEST: Self = Self(1);

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
    /// Any of these, at least two, by id and each once; they need not exist.
    AnyOf(Vec<AgentId>),
    /// Those that have all of these labels, as they stand when the query is answered.
    Labelled {
        /// Names and values.
        labels: Vec<(String, String)>,
        /// Only of these, if they are named.
        among: Option<Vec<AgentId>>,
    },
    /// An id that no agent can have: nothing matches.
    Nobody,
}

impl AgentFilter {
    /// Whether an agent with that id and those labels is one of them.
    #[must_use]
    pub fn matches(&self, id: &AgentId, labels: &BTreeMap<String, String>) -> bool {
        match self {
            Self::All => true,
            Self::One(one) => one == id,
            Self::AnyOf(ids) => ids.contains(id),
            Self::Labelled { labels: asked, among } => {
                asked.iter().all(|(name, value)| labels.get(name) == Some(value))
                    && among.as_ref().is_none_or(|ids| ids.contains(id))
            }
            Self::Nobody => false,
        }
    }

    /// Any of these agents.
    #[must_use]
    pub fn any_of(mut ids: Vec<AgentId>) -> Self {
        ids.sort_unstable();
        ids.dedup();
        match ids.pop() {
            None => Self::Nobody,
            Some(id) if ids.is_empty() => Self::One(id),
            Some(last) => {
                ids.push(last);
                Self::AnyOf(ids)
            }
        }
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

/// Which speed tests a query is about; a bound is met by no test in which the value is unknown.
#[derive(Clone, Debug, PartialEq)]
pub struct SpeedtestFilter {
    /// By agent and time.
    pub records: RecordFilter,
    /// How they ended.
    pub status: Option<SpeedtestStatus>,
    /// Who was asked, to the letter.
    pub provider: Option<String>,
    /// Least download, in Mbit/s.
    pub min_download_mbps: Option<f64>,
    /// Greatest download, in Mbit/s.
    pub max_download_mbps: Option<f64>,
    /// Least upload, in Mbit/s.
    pub min_upload_mbps: Option<f64>,
    /// Greatest upload, in Mbit/s.
    pub max_upload_mbps: Option<f64>,
    /// Least round trip, in milliseconds.
    pub min_ping_ms: Option<f64>,
    /// Greatest round trip, in milliseconds.
    pub max_ping_ms: Option<f64>,
}

impl From<RecordFilter> for SpeedtestFilter {
    fn from(records: RecordFilter) -> Self {
        Self {
            records,
            status: None,
            provider: None,
            min_download_mbps: None,
            max_download_mbps: None,
            min_upload_mbps: None,
            max_upload_mbps: None,
            min_ping_ms: None,
            max_ping_ms: None,
        }
    }
}

impl SpeedtestFilter {
    /// Whether a speed test is what is asked for, its agent and time aside: those say
    /// [`AgentFilter::matches`] and [`TimeRange::contains`].
    #[must_use]
    pub fn meets_conditions(&self, speedtest: &Speedtest) -> bool {
        let within = |value: Option<f64>, least: Option<f64>, greatest: Option<f64>| {
            least.is_none_or(|least| value.is_some_and(|value| value >= least))
                && greatest.is_none_or(|greatest| value.is_some_and(|value| value <= greatest))
        };
        self.status.is_none_or(|status| speedtest.status == status)
            && (self.provider.is_none() || speedtest.provider == self.provider)
            && within(speedtest.download_mbps, self.min_download_mbps, self.max_download_mbps)
            && within(speedtest.upload_mbps, self.min_upload_mbps, self.max_upload_mbps)
            && within(speedtest.ping_ms, self.min_ping_ms, self.max_ping_ms)
    }

    /// Whether it asks for more than an agent and a time.
    #[must_use]
    pub fn has_conditions(&self) -> bool {
        *self != Self::from(self.records.clone())
    }
}

/// Which traceroutes a query is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracerouteFilter {
    /// By agent and time.
    pub records: RecordFilter,
    /// How they ended.
    pub status: Option<TracerouteStatus>,
    /// Where they were to go, to the letter.
    pub target: Option<String>,
    /// What was sent.
    pub protocol: Option<TracerouteProtocol>,
    /// Whether the target answered.
    pub reached: Option<bool>,
    /// Only those whose way was another one than that of the trace before.
    pub changes_only: bool,
}

impl From<RecordFilter> for TracerouteFilter {
    fn from(records: RecordFilter) -> Self {
        Self { records, status: None, target: None, protocol: None, reached: None, changes_only: false }
    }
}

impl TracerouteFilter {
    /// Whether a traceroute is what is asked for, its agent and time aside.
    #[must_use]
    pub fn meets_conditions(&self, traceroute: &Traceroute) -> bool {
        self.status.is_none_or(|status| traceroute.status == status)
            && self.target.as_ref().is_none_or(|target| traceroute.target == *target)
            && self.protocol.is_none_or(|protocol| traceroute.protocol == protocol)
            && self.reached.is_none_or(|reached| traceroute.reached == reached)
            && (!self.changes_only || traceroute.path_changed == Some(true))
    }

    /// Whether it asks for more than an agent and a time.
    #[must_use]
    pub fn has_conditions(&self) -> bool {
        *self != Self::from(self.records.clone())
    }
}

/// From which end a list of measured records is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Newest first, and what is of one time by agent, then by id.
    #[default]
    NewestFirst,
    /// The same list from its other end.
    OldestFirst,
}

/// A page of a list: at most `limit` rows, all behind `after`.
#[derive(Clone, Debug)]
pub struct PageRequest<Position, const MAX: u32> {
    /// Most rows.
    pub limit: Limit<MAX>,
    /// The last row of the page before, if there was one.
    pub after: Option<Position>,
    /// From which end.
    pub order: Order,
}

impl<Position, const MAX: u32> PageRequest<Position, MAX> {
    /// A page of the list as it is usually read, newest first.
    pub const fn new(limit: Limit<MAX>, after: Option<Position>) -> Self {
        Self { limit, after, order: Order::NewestFirst }
    }

    /// The same of the list in that order.
    #[must_use]
    pub fn in_order(self, order: Order) -> Self {
        Self { order, ..self }
    }
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
    fn agents_that_are_named_are_taken_once_and_in_order() {
        let id = |text: &str| AgentId::parse(text).expect("an id");
        for (ids, expected) in [
            (vec![], AgentFilter::Nobody),
            (vec!["b"], AgentFilter::One(id("b"))),
            (vec!["b", "b"], AgentFilter::One(id("b"))),
            (vec!["b", "a", "b"], AgentFilter::AnyOf(vec![id("a"), id("b")])),
        ] {
            assert_eq!(AgentFilter::any_of(ids.iter().map(|text| id(text)).collect()), expected, "{ids:?}");
        }
    }

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
