//! Whole bodies.

use std::fmt;
use std::marker::PhantomData;

use astranetmon_domain::{AgentId, MetricSample, Speedtest, Traceroute};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use crate::MAX_ROWS;
use crate::batch::{Batch, IgnoredFields};
use crate::check::{RowContext, TimeBounds, WireRow};
use crate::field::Name;
use crate::row::{Fields, Report, read_row};
use crate::wire::{EnrollBody, Heartbeat, MetricRow, SpeedtestRow, TracerouteRow};

/// Why a body is refused as a whole; nothing of it was taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum UnreadableBody {
    /// It is not JSON of the accepted form: one sentence that says where and shows the form.
    Malformed(String),
    /// It has more than [`MAX_ROWS`] rows.
    TooManyRows,
}

impl fmt::Display for UnreadableBody {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(sentence) => f.write_str(sentence),
            Self::TooManyRows => {
                write!(f, "Too many rows: a body has at most {MAX_ROWS} rows, send more in another one")
            }
        }
    }
}

impl std::error::Error for UnreadableBody {}

/// Reads a body of metrics, `{"metrics": […]}`, as samples of `agent`.
///
/// # Errors
/// [`UnreadableBody`] if it is no such body.
pub fn read_metrics(body: &[u8], agent: &AgentId, bounds: &TimeBounds) -> Result<Batch<MetricSample>, UnreadableBody> {
    const EXAMPLE: &str = r#"{"metrics": [{"timestamp": "2026-11-23T11:26:58Z", "cpu_percent": 12.5}]}"#;
    read_batch::<MetricRow>(body, "metrics", EXAMPLE, &RowContext { agent, bounds })
}

/// Reads a body of speed tests, `{"speedtests": […]}`, of `agent`.
///
/// # Errors
/// [`UnreadableBody`] if it is no such body.
pub fn read_speedtests(body: &[u8], agent: &AgentId, bounds: &TimeBounds) -> Result<Batch<Speedtest>, UnreadableBody> {
    const EXAMPLE: &str = r#"{"speedtests": [{"id": "019ab123-4567-7abc-8def-0123456789ab", "timestamp": "2026-11-23T11:26:58Z", "status": "completed", "download_mbps": 93.5}]}"#;
    read_batch::<SpeedtestRow>(body, "speedtests", EXAMPLE, &RowContext { agent, bounds })
}

/// Reads a body of traceroutes, `{"traceroutes": […]}`, of `agent`.
///
/// # Errors
/// [`UnreadableBody`] if it is no such body.
pub fn read_traceroutes(
    body: &[u8],
    agent: &AgentId,
    bounds: &TimeBounds,
) -> Result<Batch<Traceroute>, UnreadableBody> {
    const EXAMPLE: &str = r#"{"traceroutes": [{"id": "019ab123-4567-7abc-8def-0123456789ab", "timestamp": "2026-11-23T11:26:58Z", "target": "example.com", "protocol": "icmp", "status": "completed", "hops": []}]}"#;
    read_batch::<TracerouteRow>(body, "traceroutes", EXAMPLE, &RowContext { agent, bounds })
}

/// Reads what an agent says of itself.
///
/// # Errors
/// [`UnreadableBody`] if a value is wrong.
pub fn read_heartbeat(body: &[u8]) -> Result<Heartbeat, UnreadableBody> {
    const EXAMPLE: &str = r#"{"facts": {"hostname": "web-1"}, "interval_seconds": 10}"#;
    read_object(body, EXAMPLE)
}

/// Reads the request for an agent token.
///
/// # Errors
/// [`UnreadableBody`] if a value is wrong.
pub fn read_enroll(body: &[u8]) -> Result<EnrollBody, UnreadableBody> {
    const EXAMPLE: &str = r#"{"token": "astra_enroll_…", "facts": {"hostname": "web-1"}}"#;
    read_object(body, EXAMPLE)
}

fn read_object<R: Fields>(body: &[u8], example: &str) -> Result<R, UnreadableBody> {
    let raw: &RawValue = serde_json::from_slice(body).map_err(|error| malformed(&error, example))?;
    let mut ignored = IgnoredFields::default();
    read_row(raw, Report::new(&mut ignored)).map_err(|refusal| {
        let subject = if refusal.field.is_some() { "Invalid body: " } else { "Invalid body: it " };
        let what = match refusal.field {
            Some(field) => format!("{field} {}", refusal.reason),
            None => refusal.reason.into_owned(),
        };
        UnreadableBody::Malformed(format!("{subject}{what}; for example {example}"))
    })
}

fn read_batch<R: Fields + WireRow>(
    body: &[u8],
    envelope: &'static str,
    example: &str,
    context: &RowContext<'_>,
) -> Result<Batch<R::Record>, UnreadableBody> {
    let mut rows = Rows::<R> { envelope, context, batch: Batch::default(), too_many: false, row: PhantomData };
    let mut deserializer = serde_json::Deserializer::from_slice(body);
    let read = deserializer.deserialize_map(&mut rows).and_then(|()| deserializer.end());
    match read {
        _ if rows.too_many => Err(UnreadableBody::TooManyRows),
        Ok(()) => Ok(rows.batch),
        Err(error) => Err(malformed(&error, example)),
    }
}

fn malformed(error: &serde_json::Error, example: &str) -> UnreadableBody {
    UnreadableBody::Malformed(format!("Invalid body: {error}; send JSON such as {example}"))
}

/// Reads the rows of an envelope one after the other, each twice: over its length first, so that what is wrong inside
/// stays inside.
struct Rows<'c, R: WireRow> {
    envelope: &'static str,
    context: &'c RowContext<'c>,
    batch: Batch<R::Record>,
    too_many: bool,
    row: PhantomData<R>,
}

impl<'de, R: Fields + WireRow> Visitor<'de> for &mut Rows<'_, R> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an object with the list {:?}", self.envelope)
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut found = false;
        while let Some(Name(name)) = map.next_key::<Name<'de>>()? {
            if name != self.envelope {
                self.batch.ignored_fields().note(None, &name);
                map.next_value::<IgnoredAny>()?;
            } else if found {
                return Err(A::Error::duplicate_field(self.envelope));
            } else {
                found = true;
                map.next_value_seed(RowList(&mut *self))?;
            }
        }
        if found { Ok(()) } else { Err(A::Error::missing_field(self.envelope)) }
    }
}

struct RowList<'r, 'c, R: WireRow>(&'r mut Rows<'c, R>);

impl<'de, R: Fields + WireRow> DeserializeSeed<'de> for RowList<'_, '_, R> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de, R: Fields + WireRow> Visitor<'de> for RowList<'_, '_, R> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of rows under {:?}", self.0.envelope)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let Self(rows) = self;
        let mut count = 0;
        while let Some(raw) = list.next_element::<&'de RawValue>()? {
            count += 1;
            if count > MAX_ROWS {
                rows.too_many = true;
                return Err(A::Error::custom("too many rows"));
            }
            let row = read_row::<R>(raw, Report::new(rows.batch.ignored_fields()));
            rows.batch.take(row, rows.context);
        }
        Ok(())
    }
}
