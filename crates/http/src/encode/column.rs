//! Lists as typed columns.

use astranetmon_domain::{Timestamp, parse_moment};
use serde_json::value::RawValue;
use utoipa::openapi::schema::{KnownFormat, Schema, SchemaFormat, SchemaType, Type};
use utoipa::openapi::{Object, RefOr};

/// The values of one field, one a row; `None` is unknown.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Values {
    /// Texts as themselves, lists and objects as their JSON.
    Text(Vec<Option<String>>),
    Integer(Vec<Option<i64>>),
    Float(Vec<Option<f64>>),
    Boolean(Vec<Option<bool>>),
    /// Milliseconds since 1970-01-01T00:00:00Z.
    Time(Vec<Option<i64>>),
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Column {
    pub(super) name: String,
    pub(super) values: Values,
}

/// Values of the type that a field has in the document; text where it has several.
fn values_of(schema: Option<&RefOr<Schema>>) -> Values {
    let Some(RefOr::T(Schema::Object(Object { schema_type, format, .. }))) = schema else {
        return Values::Text(Vec::new());
    };
    let kind = match schema_type {
        SchemaType::Type(kind) => Some(kind),
        SchemaType::Array(kinds) => kinds.iter().find(|kind| **kind != Type::Null),
        SchemaType::AnyValue => None,
    };
    match kind {
        Some(Type::Integer) => Values::Integer(Vec::new()),
        Some(Type::Number) => Values::Float(Vec::new()),
        Some(Type::Boolean) => Values::Boolean(Vec::new()),
        Some(Type::String) if *format == Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)) => {
            Values::Time(Vec::new())
        }
        _ => Values::Text(Vec::new()),
    }
}

impl Column {
    /// A column without rows for each of the names, of the types that a record's schema gives them.
    pub(super) fn of_schema(schema: &RefOr<Schema>, names: impl Iterator<Item = &'static str>) -> Vec<Self> {
        let properties = match schema {
            RefOr::T(Schema::Object(object)) => Some(&object.properties),
            _ => None,
        };
        let values = |name: &str| values_of(properties.and_then(|properties| properties.get(name)));
        names.map(|name| Self { name: name.to_owned(), values: values(name) }).collect()
    }

    /// Appends a JSON value; one of another type than the column's is unknown.
    pub(super) fn push_json(&mut self, value: &RawValue) {
        let json = value.get();
        match &mut self.values {
            Values::Text(all) => all.push(match json.as_bytes().first() {
                Some(b'"') => serde_json::from_str(json).ok(),
                Some(b'n') | None => None,
                Some(_) => Some(json.to_owned()),
            }),
            Values::Integer(all) => all.push(serde_json::from_str(json).ok()),
            Values::Float(all) => all.push(serde_json::from_str(json).ok()),
            Values::Boolean(all) => all.push(serde_json::from_str(json).ok()),
            Values::Time(all) => {
                let text: Option<String> = serde_json::from_str(json).ok();
                let moment = text.and_then(|text| parse_moment(&text, Timestamp::MIN).ok());
                all.push(moment.map(|moment| moment.as_micros().div_euclid(1_000)));
            }
        }
    }
}
