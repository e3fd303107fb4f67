use astranetmon_domain::Timestamp;

/// What a row is, which says where it is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum RowKind {
    /// For `/ingest/v1/metrics`.
    Metric,
    /// For `/ingest/v1/traceroutes`.
    Traceroute,
    /// For `/ingest/v1/speedtests`.
    Speedtest,
}

impl RowKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Metric, Self::Traceroute, Self::Speedtest];

    /// The name in the path and in the envelope.
    #[must_use]
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Metric => "metrics",
            Self::Traceroute => "traceroutes",
            Self::Speedtest => "speedtests",
        }
    }

    pub(super) const fn as_byte(self) -> u8 {
        match self {
            Self::Metric => 1,
            Self::Traceroute => 2,
            Self::Speedtest => 3,
        }
    }

    pub(super) fn from_byte(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_byte() == byte)
    }
}

/// A row as it is sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is.
    pub kind: RowKind,
    /// When it was measured.
    pub timestamp: Timestamp,
    /// The row as it stands in the envelope.
    pub json: Vec<u8>,
}
