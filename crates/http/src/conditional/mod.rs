//! Answers that a caller may have already: entity tags, `If-None-Match`, and how long an answer may be kept.
//!
//! A tag is made of the version of the account's data and of what was asked for, so that a caller who has an answer
//! already is told so without a row being read. So is one who has not but asks for what somebody was just given: short
//! answers are kept for a while.

mod entity_tag;
mod if_none_match;
mod kept_answers;
mod online_times;
#[cfg(test)]
mod tests;
mod validator;

pub(crate) use entity_tag::{Canonical, EntityTag};
pub(crate) use if_none_match::IfNoneMatch;
pub(crate) use kept_answers::KeptAnswers;
pub(crate) use online_times::OnlineTimes;
pub(crate) use validator::{Freshness, Tagged, answer, longest_kept, unchanged_of, validator_of};
