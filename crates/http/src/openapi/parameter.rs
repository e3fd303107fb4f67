//! Query parameters as the document describes them: exactly what the code accepts.

use serde_json::{Value, json};
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{Array, ArrayBuilder};
use utoipa::openapi::{Object, ObjectBuilder, Required, Type};

use astranetmon_storage::{Aggregate, AggregateQuery};

use crate::encode::Format;
use crate::query::Parameter as QueryParameter;

/// What [`astranetmon_domain::parse_moment`] accepts: a day, optionally with a time and a zone, or a distance from now.
const MOMENT: &str = concat!(
    "^(?:(?:",
    // Years 0001 to 9999, days 1 to 28 of all months, 29 and 30 of all but February, 31 of the long ones.
    "(?:[1-9][0-9]{3}|0[1-9][0-9]{2}|00[1-9][0-9]|000[1-9])-",
    "(?:(?:0[1-9]|1[0-2])-(?:0[1-9]|1[0-9]|2[0-8])|(?:0[13-9]|1[0-2])-(?:29|30)|(?:0[13578]|1[02])-31)",
    // 29 February of leap years.
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:0[48]|[2468][048]|[13579][26])00)-02-29",
    ")(?:[Tt ](?:[01][0-9]|2[0-3]):[0-5][0-9]",
    "(?::[0-5][0-9](?:\\.[0-9]{1,9})?(?:[Zz]|[+ -](?:[01][0-9]|2[0-3]):[0-5][0-9])?)?)?",
    "|now(?:[+ -][0-9]{1,9}[smhdw])?",
    "|-[0-9]{1,9}[smhdw]",
    ")$"
);

fn query(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(Object::from(schema)))
        .build()
}

fn text() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(Type::String)
}

/// One that may be given several times.
fn repeated(name: &str, description: &str, items: ObjectBuilder, example: &str) -> Parameter {
    several(name, description, ArrayBuilder::new().items(Object::from(items)), true, json!([example]))
}

/// Several values: each in a parameter of its own, or with commas between them.
fn several(name: &str, description: &str, values: ArrayBuilder, explode: bool, example: Value) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .style(Some(ParameterStyle::Form))
        .explode(Some(explode))
        .schema(Some(Array::from(values)))
        .example(Some(example))
        .build()
}

pub(crate) fn agent_id() -> Parameter {
    let description =
        "Only records of this agent; given several times, of any of these. An unknown id matches nothing.";
    repeated("agent_id", description, text(), "agent-123")
}

pub(crate) fn label() -> Parameter {
    let description = "Only of agents with this label, its name and value with a colon between them; given several \
                       times, of agents with all of these.";
    repeated("label", description, text().pattern(Some("^[A-Za-z0-9._-]{1,64}:")), "site:ber")
}

/// Some of these names, with commas between them.
fn list(name: &str, description: &str, names: &[&str], example: Value) -> Parameter {
    let items = text().enum_values(Some(names.iter().copied()));
    let values = ArrayBuilder::new().items(Object::from(items)).min_items(Some(1));
    several(name, description, values, false, example)
}

/// One of some names.
pub(crate) fn choice(
    parameter: QueryParameter,
    description: &str,
    names: impl IntoIterator<Item = &'static str>,
) -> Parameter {
    query(parameter.name, description, text().enum_values(Some(names)))
}

/// A text that is compared.
pub(crate) fn exact_text(parameter: QueryParameter, description: &str) -> Parameter {
    query(parameter.name, description, text().examples([json!(parameter.example)]))
}

/// A least or greatest value.
pub(crate) fn bound(parameter: QueryParameter, description: &str) -> Parameter {
    let description = format!("{description} Where it is unknown, it matches nothing.");
    let schema = ObjectBuilder::new().schema_type(Type::Number).minimum(Some(0)).examples([json!(100)]);
    query(parameter.name, &description, schema)
}

/// Yes or no.
pub(crate) fn truth(parameter: QueryParameter, description: &str, default: Option<bool>) -> Parameter {
    let schema = ObjectBuilder::new().schema_type(Type::Boolean).default(default.map(|truth| json!(truth)));
    query(parameter.name, description, schema)
}

pub(crate) fn interval() -> Parameter {
    let description = "Figures of intervals of this length instead of single metrics, from `10s` to `30d`, with the \
                       units s, m, h, d and w. Intervals are aligned to 1970-01-01T00:00:00Z; a request may touch \
                       10000 of them. Without `start_date` it begins so many before its end; without `end_date` it \
                       ends with the current one.";
    let schema = text().pattern(Some("^[0-9]{1,7}[smhdw]$")).examples([json!("5m")]);
    query("interval", description, schema)
}

pub(crate) fn points() -> Parameter {
    let description = "Instead of `interval`: at most so many intervals, whose length is chosen to fit. Needs \
                       `start_date`.";
    let schema = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .maximum(Some(AggregateQuery::MOST_INTERVALS))
        .examples([json!(300)]);
    query("points", description, schema)
}

pub(crate) fn agg() -> Parameter {
    let description = "With `interval` or `points`: which figures of each field, with commas between them or given several \
                       times, `avg` if none is; they stand in `<field>_<agg>`. Percentiles are exact, by nearest rank. \
                       Percentiles, `first` and `last` are `null` where only summaries of old metrics are left.";
    list("agg", description, &Aggregate::ALL.map(Aggregate::as_str), json!(["avg", "p95"]))
}

pub(crate) fn group_by() -> Parameter {
    let description = "With `interval` or `points`: whose metrics are put together: those of each `agent`, as without it, of \
                       all agents with the same value of a label (`label:site`; it stands in `group`), or of all (`none`).";
    let schema = text().pattern(Some("^(?:agent|none|label:[A-Za-z0-9._-]{1,64})$")).examples([json!("label:site")]);
    query("group_by", description, schema)
}

pub(crate) fn fill() -> Parameter {
    let description = "With `interval` or `points`: `null` gives intervals without metrics a row too, whose figures are \
                       `null`.";
    query("fill", description, text().enum_values(Some(["null"])))
}

pub(crate) fn start_date() -> Parameter {
    let description = "Only records from this moment on (included). RFC 3339 with any offset; without a zone it is \
                       UTC; a date alone is its midnight; `-7d` and `now-1h` are relative to now, with the units s, \
                       m, h, d and w. At or after `end_date`: nothing matches.";
    let schema = text().pattern(Some(MOMENT)).examples([
        json!("2026-11-23T00:00:00Z"),
        json!("2026-11-23T01:00:00+01:00"),
        json!("2026-11-23"),
        json!("-7d"),
    ]);
    query("start_date", description, schema)
}

pub(crate) fn end_date() -> Parameter {
    let description = "Only records before this moment (excluded). The same forms as `start_date`.";
    let schema = text().pattern(Some(MOMENT)).examples([json!("2026-11-24T00:00:00Z"), json!("now-1h")]);
    query("end_date", description, schema)
}

/// `most` stands in words only: a larger limit is lowered, not refused.
pub(crate) fn limit(default: Option<u32>, most: u32) -> Parameter {
    let otherwise = if default.is_some() { "" } else { " Without it, all are answered." };
    let description = format!("Most records to answer, at least 1. Above {most} it is lowered to {most}.{otherwise}");
    let schema = ObjectBuilder::new()
        .schema_type(Type::Integer)
        .minimum(Some(1))
        .default(default.map(|rows| json!(rows)))
        .examples([json!(100)]);
    query("limit", &description, schema)
}

pub(crate) fn cursor() -> Parameter {
    let description = "Where the page before ended. Opaque and signed: it is taken unchanged from the `Link` header \
                       of that page, and belongs to the same account and filters. `limit` may change.";
    query("cursor", description, text())
}

pub(crate) fn sort() -> Parameter {
    let description = "`newest_first`, as without it: by time, and what is of one time by agent, then by id. \
                       `oldest_first`: the same list from its other end. `after` has an order of its own.";
    query("sort", description, text().enum_values(Some(["newest_first", "oldest_first"])))
}

pub(crate) fn kinds(names: &[&str]) -> Parameter {
    let description = "Only records of these kinds, with commas between them or given several times. Without it, all \
                       that the key may read.";
    list("kinds", description, names, json!(names))
}

pub(crate) fn seconds(most: u32) -> Parameter {
    let description = "Ends the stream after so many seconds, once everything that is there has been sent; with 0 at \
                       once. Without it, it goes on.";
    let schema =
        ObjectBuilder::new().schema_type(Type::Integer).minimum(Some(0)).maximum(Some(most)).examples([json!(60)]);
    query("seconds", description, schema)
}

pub(crate) fn last_event_id() -> Parameter {
    let description = "The id of the last event that was seen; clients of server-sent events send it by themselves.";
    header("Last-Event-ID", description, text())
}

pub(crate) fn after() -> Parameter {
    let description = "Records in the order in which they came in, oldest first, behind the place up to which an answer \
                       went: its `Sync-Cursor` header, unchanged; empty begins before all. What comes late is behind all \
                       that came before it, so a copy that asks on and on misses nothing. `Link` is there if more has \
                       come already; else the same place is asked again later. A record that gained values comes once \
                       more.";
    query("after", description, text())
}

/// `names` are those of the record.
pub(crate) fn fields(names: &[&str]) -> Parameter {
    let description = "Only these fields of each record, with commas between them or given several times; they come in \
                       the record's own order. What the answer's schema requires is then required of these alone. With \
                       intervals: only figures of these fields.";
    list("fields", description, names, json!(names.iter().take(2).collect::<Vec<_>>()))
}

pub(crate) fn include() -> Parameter {
    let description = "`latest`: each agent comes with the newest that it measured, in one field more.";
    query("include", description, text().enum_values(Some(["latest"])))
}

pub(crate) fn format() -> Parameter {
    let parquet = if cfg!(feature = "parquet") {
        " `parquet`: an Apache Parquet file, whose key-value metadata has `total` and `next_cursor`."
    } else {
        ""
    };
    let description = format!(
        "`json`: one object. `ndjson`: a line a record, and a last line with `row_count`, `total` and `next_cursor`. \
         `csv`: a table with a header row; lists and objects in it are JSON, unknown values are empty, and texts that a \
         spreadsheet would take for formulas begin with an apostrophe.{parquet} Without it, `Accept` decides."
    );
    let names = Format::ALL.iter().map(|format| format.name());
    query("format", &description, text().enum_values(Some(names)).default(Some(json!("json"))))
}

pub(crate) fn if_none_match() -> Parameter {
    let description = "The `ETag` of an answer that the caller has, or several of them: if it is still the answer, \
                       that is said with 304, which costs no quota.";
    header("If-None-Match", description, text().examples([json!("\"c2VlIHRoZSBjb250cmFjdA\"")]))
}

fn header(name: &str, description: &str, schema: ObjectBuilder) -> Parameter {
    ParameterBuilder::new()
        .name(name)
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(Object::from(schema)))
        .build()
}

#[cfg(test)]
mod tests {
    use astranetmon_domain::{Timestamp, parse_moment};
    use proptest::prelude::*;

    use super::MOMENT;

    proptest! {
        #[test]
        fn every_text_of_the_documented_form_is_accepted(text in MOMENT.trim_matches(['^', '$'])) {
            prop_assert!(parse_moment(&text, Timestamp::from_seconds(1_700_000_000)).is_ok(), "{}", text);
        }
    }
}
