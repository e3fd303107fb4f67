//! Records whose JSON serde writes.

use std::fmt;
use std::marker::PhantomData;

use astranetmon_domain::{Speedtest, Traceroute};
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::value::RawValue;
#[cfg(feature = "parquet")]
use utoipa::PartialSchema;

#[cfg(feature = "parquet")]
use super::column::Column;
use super::list_body::Rows;
use super::{Fields, csv};
use crate::wire::{SpeedtestRecord, TracerouteRecord};

/// The members of an object, in its order.
struct Members<'a>(Vec<(&'a str, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InOrder<'a>(PhantomData<&'a ()>);
        impl<'de: 'a, 'a> Visitor<'de> for InOrder<'a> {
            type Value = Members<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'a>, A::Error> {
                let mut members = Vec::with_capacity(32);
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(InOrder(PhantomData))
    }
}

/// Room for the JSON of a record, used again for each.
#[derive(Default)]
pub(super) struct Scratch(Vec<u8>);

impl Scratch {
    /// Appends the chosen fields as an object.
    pub(super) fn write_json(&mut self, record: &impl Serialize, fields: &Fields, out: &mut Vec<u8>) {
        if fields.is_all() {
            // Wire types have string keys and no fallible parts, and a vector takes everything.
            let _ = serde_json::to_writer(out, record);
            return;
        }
        let mut before = b'{';
        for (name, value) in self.members(record, fields) {
            out.push(before);
            out.push(b'"');
            out.extend(name.as_bytes());
            out.extend(b"\":");
            out.extend(value.get().as_bytes());
            before = b',';
        }
        out.push(b'}');
    }

    /// Appends the chosen fields as cells.
    pub(super) fn write_csv(&mut self, record: &impl Serialize, fields: &Fields, out: &mut Vec<u8>) {
        for (place, (_, value)) in self.members(record, fields).into_iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            csv::write_value(value, out);
        }
    }

    /// Appends the chosen fields to columns.
    #[cfg(feature = "parquet")]
    pub(super) fn push(&mut self, record: &impl Serialize, fields: &Fields, columns: &mut [Column]) {
        for (column, (_, value)) in columns.iter_mut().zip(self.members(record, fields)) {
            column.push_json(value);
        }
    }

    fn members(&mut self, record: &impl Serialize, fields: &Fields) -> Vec<(&str, &RawValue)> {
        self.0.clear();
        let _ = serde_json::to_writer(&mut self.0, record);
        let members: Vec<_> = serde_json::from_slice(&self.0).map_or_else(|_| Vec::new(), |Members(all)| all);
        members.into_iter().enumerate().filter(|(index, _)| fields.has(*index)).map(|(_, member)| member).collect()
    }
}

/// Records of one kind; each is gone once it is written.
pub(crate) struct RecordRows<T> {
    rows: std::vec::IntoIter<T>,
    scratch: Scratch,
}

impl<T> RecordRows<T> {
    pub(crate) fn new(rows: Vec<T>) -> Self {
        Self { rows: rows.into_iter(), scratch: Scratch::default() }
    }
}

macro_rules! record_rows {
    ($record:ident, $wire:ident, $key:literal) => {
        impl Rows for RecordRows<$record> {
            const KEY: &'static str = $key;

            fn left(&self) -> usize {
                self.rows.len()
            }

            fn write_next_json(&mut self, fields: &Fields, out: &mut Vec<u8>) {
                if let Some(row) = self.rows.next() {
                    self.scratch.write_json(&$wire::from(row), fields, out);
                }
            }

            fn write_next_csv(&mut self, fields: &Fields, out: &mut Vec<u8>) {
                if let Some(row) = self.rows.next() {
                    self.scratch.write_csv(&$wire::from(row), fields, out);
                }
            }

            #[cfg(feature = "parquet")]
            fn into_columns(mut self, fields: &Fields) -> Vec<Column> {
                let mut columns = Column::of_schema(&$wire::schema(), fields.iter().map(|(_, name)| name));
                self.rows.for_each(|row| self.scratch.push(&$wire::from(row), fields, &mut columns));
                columns
            }
        }
    };
}

record_rows!(Speedtest, SpeedtestRecord, "speedtests");
record_rows!(Traceroute, TracerouteRecord, "traceroutes");

#[cfg(test)]
mod tests {
    use astranetmon_domain::{AgentId, MetricSample};

    use super::*;
    use crate::encode::METRIC_NAMES;
    use crate::testing::sample_records;
    use crate::wire::{AgentRecord, AgentWithLatest, LatestRecord, MetricRecord, OverviewRecord};

    fn names(record: &impl Serialize, all: &'static [&'static str]) -> Vec<String> {
        let mut scratch = Scratch::default();
        scratch.members(record, &Fields::all(all)).into_iter().map(|(name, _)| name.to_owned()).collect()
    }

    #[test]
    fn the_named_fields_are_those_of_the_records() {
        let (agent, speedtest, traceroute) = sample_records();
        let now = agent.created_at;
        let metric = MetricSample::new(AgentId::parse("a").expect("valid"), now);
        // As many as there may be, so that one that was forgotten shows.
        static MANY: [&str; 60] = [""; 60];
        assert_eq!(names(&AgentRecord::new(&agent, now), &MANY), AgentRecord::FIELDS);
        let latest = LatestRecord { metric: None, speedtest: None, traceroute: None };
        let with_latest = AgentWithLatest { agent: AgentRecord::new(&agent, now), latest };
        assert_eq!(names(&with_latest, &MANY), AgentWithLatest::FIELDS);
        let agent = AgentRecord::new(&agent, now);
        let overview = OverviewRecord { agent, metric: None, speedtest: None, traceroute: None };
        assert_eq!(names(&overview, &MANY), OverviewRecord::FIELDS);
        assert_eq!(names(&SpeedtestRecord::from(speedtest), &MANY), SpeedtestRecord::FIELDS);
        assert_eq!(names(&TracerouteRecord::from(traceroute), &MANY), TracerouteRecord::FIELDS);
        assert_eq!(names(&MetricRecord::from(metric), &MANY), METRIC_NAMES);
    }
}
