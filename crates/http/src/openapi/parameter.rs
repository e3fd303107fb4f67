//! Query parameters as the document describes them: exactly what the code accepts.

use serde_json::json;
use utoipa::openapi::path::{Parameter, ParameterBuilder, ParameterIn, ParameterStyle};
use utoipa::openapi::schema::{Array, ArrayBuilder};
use utoipa::openapi::{Object, ObjectBuilder, Required, Type};

use crate::encode::Format;

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

pub(crate) fn agent_id() -> Parameter {
    let description = "Only records of this agent. An unknown id matches nothing.";
    query("agent_id", description, text().examples([json!("agent-123")]))
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

/// `names` are those of the record.
pub(crate) fn fields(names: &[&str]) -> Parameter {
    let description = "Only these fields of each record, with commas between them; they come in the record's own order. \
                       What the answer's schema requires is then required of these alone.";
    let items = text().enum_values(Some(names.iter().copied()));
    let schema = ArrayBuilder::new().items(Object::from(items)).min_items(Some(1)).unique_items(true);
    ParameterBuilder::new()
        .name("fields")
        .parameter_in(ParameterIn::Query)
        .required(Required::False)
        .description(Some(description))
        .style(Some(ParameterStyle::Form))
        .explode(Some(false))
        .schema(Some(Array::from(schema)))
        .example(Some(json!(names.iter().take(2).collect::<Vec<_>>())))
        .build()
}

pub(crate) fn include() -> Parameter {
    let description = "`latest`: each agent comes with the newest that it measured, in one field more.";
    query("include", description, text().enum_values(Some(["latest"])))
}

pub(crate) fn format() -> Parameter {
    let description = "`json`: one object. `ndjson`: a line a record, and a last line with `row_count`, `total` and \
                       `next_cursor`. `csv`: a table with a header row; lists and objects in it are JSON, unknown \
                       values are empty, and texts that a spreadsheet would take for formulas begin with an apostrophe. \
                       Without it, `Accept` decides.";
    let names = Format::ALL.map(Format::name);
    query("format", description, text().enum_values(Some(names)).default(Some(json!("json"))))
}

pub(crate) fn if_none_match() -> Parameter {
    let description = "The `ETag` of an answer that the caller has, or several of them: if it is still the answer, \
                       that is said with 304, which costs no quota.";
    ParameterBuilder::new()
        .name("If-None-Match")
        .parameter_in(ParameterIn::Header)
        .required(Required::False)
        .description(Some(description))
        .schema(Some(Object::from(text().examples([json!("\"c2VlIHRoZSBjb250cmFjdA\"")]))))
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
