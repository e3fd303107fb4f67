//! Answers that a caller may have already: entity tags, `If-None-Match`, and how long an answer may be kept.
//!
//! A tag is made of the version of the account's data and of what was asked for, so that a caller who has an answer
//! already is told so without a row being read.

mod entity_tag;
mod if_none_match;
mod online_times;
#[cfg(test)]
mod tests;
mod validator;

pub(crate) use entity_tag::{Canonical, EntityTag};
pub(crate) use if_none_match::IfNoneMatch;
pub(crate) use online_times::OnlineTimes;
pub(crate) use validator::{Freshness, Tagged, longest_kept, unchanged_of, validator_of};
