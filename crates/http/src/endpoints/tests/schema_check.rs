//! As much of JSON Schema as the document uses.

use serde_json::Value;

/// What is there on demand, and all that may be missing.
const ON_DEMAND: [&str; 2] = ["latest", "group"];

/// Checks a value against a schema.
pub(crate) fn check(value: &Value, schema: &Value, document: &Value) -> Result<(), String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let target = document.pointer(reference.trim_start_matches('#')).ok_or("a dangling reference")?;
        return check(value, target, document);
    }
    let fail = |why: &str| Err(format!("{why}: {value} against {schema}"));
    if let Some(ways) = schema["oneOf"].as_array() {
        let matched = ways.iter().filter(|way| check(value, way, document).is_ok()).count();
        return if matched == 1 { Ok(()) } else { fail("not exactly one of several schemas") };
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return fail("a schema without a type"),
    };
    let kind = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) if types.contains(&"number") => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&kind) {
        return fail("another type");
    }
    if schema["enum"].as_array().is_some_and(|values| !values.contains(value)) {
        return fail("an unknown value");
    }
    if let (Some(text), Some("date-time")) = (value.as_str(), schema["format"].as_str())
        && (text.len() != 24 || !text.ends_with('Z'))
    {
        return fail("no time in UTC with milliseconds");
    }
    match value {
        Value::Array(items) => items.iter().try_for_each(|item| check(item, &schema["items"], document)),
        Value::Object(object) => {
            let Some(properties) = schema["properties"].as_object() else { return Ok(()) };
            let required = schema["required"].as_array().map_or(&[][..], Vec::as_slice);
            let is_required = |name: &str| required.iter().any(|required| *required == name);
            if properties.keys().any(|name| !is_required(name) && !ON_DEMAND.contains(&name.as_str())) {
                return fail("a key that nothing requires");
            }
            if properties.keys().any(|name| is_required(name) && !object.contains_key(name)) {
                return fail("a key too few");
            }
            object.iter().try_for_each(|(key, value)| match properties.get(key) {
                Some(schema) => check(value, schema, document).map_err(|why| format!("{key}: {why}")),
                None if schema["additionalProperties"].is_object() => {
                    check(value, &schema["additionalProperties"], document).map_err(|why| format!("{key}: {why}"))
                }
                None => Err(format!("{key} is not documented")),
            })
        }
        _ => Ok(()),
    }
}
