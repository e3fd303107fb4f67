//! Alerts: rules, channels, history, and the job that evaluates and delivers.

mod apply;
mod channels;
mod history;
mod job;
pub(super) mod queries;
mod rules;
pub(super) mod samples;
