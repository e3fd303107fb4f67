//! What a row must be to become a record: times that the account keeps, numbers in range, required fields.

mod facts;
mod metric;
mod speedtest;
mod time_bounds;
mod traceroute;

pub use time_bounds::TimeBounds;

use std::net::IpAddr;
use std::ops::RangeInclusive;

use astranetmon_domain::{AgentId, Timestamp, clean_text, round_to};

use crate::batch::Refusal;

/// What rows are checked against.
#[derive(Clone, Copy, Debug)]
pub struct RowContext<'a> {
    /// The agent that they are of.
    pub agent: &'a AgentId,
    /// Times that are taken.
    pub bounds: &'a TimeBounds,
}

/// A row that becomes a record if it passes the checks.
pub trait WireRow {
    /// What it becomes.
    type Record;

    /// The record, as it is stored: floats at their scale, text cleaned and bounded.
    ///
    /// # Errors
    /// [`Refusal`] with the first field that is wrong.
    fn check(self, context: &RowContext<'_>) -> Result<Self::Record, Refusal>;
}

/// Largest whole number that every reader of JSON keeps exactly.
const LARGEST: i64 = 9_007_199_254_740_991;
/// Longest round trip that is believed, one hour, in milliseconds.
const LONGEST_ROUND_TRIP: f64 = 3_600_000.0;
/// Longest that a test or trace takes, one day, in milliseconds.
const LONGEST_DURATION: i64 = 86_400_000;

fn required<T>(value: Option<T>, field: &'static str, accepted: &'static str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::of(field, format!("is missing: {accepted}")))
}

fn timestamp(value: Option<Timestamp>, bounds: &TimeBounds) -> Result<Timestamp, Refusal> {
    let accepted = "send when it was measured, such as \"2026-11-23T11:26:58Z\"";
    bounds.check(required(value, "timestamp", accepted)?.to_millis_precision())
}

/// The number at its scale, if it is in range then.
#[inline]
fn float(
    value: Option<f64>,
    decimals: u8,
    field: &'static str,
    range: &RangeInclusive<f64>,
) -> Result<Option<f64>, Refusal> {
    let Some(value) = value else { return Ok(None) };
    match round_to(value, decimals) {
        Some(rounded) if range.contains(&rounded) => Ok(Some(rounded)),
        _ => Err(out_of_range(field, range.start(), range.end())),
    }
}

#[inline]
fn whole(value: Option<i64>, field: &'static str, range: &RangeInclusive<i64>) -> Result<Option<i64>, Refusal> {
    match value {
        Some(value) if !range.contains(&value) => Err(out_of_range(field, range.start(), range.end())),
        value => Ok(value),
    }
}

/// A number of things that clients whose whole numbers have 32 bits can read, as the document promises them.
fn count(value: Option<u32>, field: &'static str) -> Result<Option<u32>, Refusal> {
    whole(value.map(i64::from), field, &(0..=i64::from(i32::MAX)))?;
    Ok(value)
}

#[cold]
fn out_of_range(field: &'static str, least: &dyn std::fmt::Display, most: &dyn std::fmt::Display) -> Refusal {
    Refusal::of(field, format!("must be from {least} to {most}"))
}

/// Text without control characters, cut to `max_chars`; nothing left is unknown.
fn cleaned(text: Option<String>, max_chars: usize) -> Option<String> {
    text.map(|text| clean_text(&text, max_chars)).filter(|text| !text.is_empty())
}

/// An address in the one form that equal addresses have; the name of an interface behind it is dropped.
fn address(text: Option<String>, field: &'static str) -> Result<Option<String>, Refusal> {
    let Some(text) = text else { return Ok(None) };
    let without_zone = text.split_once('%').map_or(text.as_str(), |(address, _)| address);
    match without_zone.parse::<IpAddr>() {
        Ok(address) => Ok(Some(address.to_string())),
        Err(_) => Err(Refusal::of(field, "must be an IP address, such as \"192.0.2.1\" or \"2001:db8::1\", or null")),
    }
}
