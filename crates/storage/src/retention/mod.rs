//! The end of measured data's life, a bounded piece at a time: what of the job both back ends share.
//!
//! A sample is in one place: in its row, in the summary of its hour, or in that of its day. Each piece is one
//! transaction that takes some out of one place and puts them into the next, with the counts, so that whoever stops
//! the job anywhere loses and doubles nothing. `docs/adr/0013-retention.md` says why.

mod gathered;
mod limits;
mod statements;
mod step;
mod summary;

pub(crate) use self::gathered::Gathered;
pub(crate) use self::limits::Limits;
pub(crate) use self::statements::*;
#[cfg(feature = "testing")]
pub(crate) use self::step::seal;
pub(crate) use self::step::{
    Agents, Due, Goes, History, HistoryLimits, MOST_AGENTS, MOST_HISTORY, MOST_RECORDS, RetentionStore, Run, Source,
    SpaceBack, UnsealedDay, step,
};
pub(crate) use self::summary::{FieldSummary, Summary};

/// Seconds that hourly and daily summaries are of, as `metric_summary` has them.
pub(crate) const HOUR: i64 = 3_600;
pub(crate) const DAY: i64 = 86_400;
