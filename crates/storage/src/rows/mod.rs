//! Rows of both back ends and their way from and to domain types.

mod accounts;
mod agents;
mod alert_rules;
mod alerts;
mod enrolment;
mod records;
mod retention;
mod setup_offer;

use astranetmon_domain::Timestamp;
use serde::Serialize;

pub(crate) use self::accounts::*;
pub(crate) use self::agents::*;
pub(crate) use self::alert_rules::*;
pub(crate) use self::alerts::*;
pub(crate) use self::enrolment::*;
pub(crate) use self::records::*;
pub(crate) use self::retention::*;
pub(crate) use self::setup_offer::*;
use crate::StorageError;

type Result<T> = std::result::Result<T, StorageError>;

/// A row holds what this program never writes.
fn foreign(context: &'static str) -> StorageError {
    StorageError::Internal { context, source: None }
}

fn time(micros: i64) -> Timestamp {
    Timestamp::from_micros(micros)
}

fn small(number: Option<i64>) -> Option<u32> {
    number.and_then(|number| u32::try_from(number).ok())
}

fn json<T: Serialize>(value: &T) -> String {
    serde_json::to_string(value).unwrap_or_else(|_| "null".to_owned())
}
