use std::collections::BTreeSet;

use super::*;

fn stored(name: &str) -> Value {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../openapi").join(name);
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file")).expect("JSON")
}

/// What a document of either version says, in words of neither: for every object that says it, whichever way.
fn meaning(value: &Value) -> Value {
    let mut object = match value {
        Value::Object(object) => object.clone(),
        Value::Array(values) => return values.iter().map(meaning).collect(),
        _ => return value.clone(),
    };
    // Names are texts in any case.
    if object.get("propertyNames") == Some(&json!({ "type": "string" })) {
        object.remove("propertyNames");
    }
    let mut types: BTreeSet<String> = BTreeSet::new();
    if object.get("nullable").is_some_and(Value::is_boolean) {
        object.remove("nullable");
        types.insert("null".to_owned());
    }
    // `null` as a choice, and what is left if it was one of two.
    if let Some(choices) = object.get_mut("oneOf").and_then(Value::as_array_mut) {
        choices.retain(|choice| {
            let is_null = choice == &json!({ "type": "null" });
            types.extend(is_null.then(|| "null".to_owned()));
            !is_null
        });
    }
    for keyword in ["oneOf", "allOf"] {
        if let Some([Value::Object(only)]) = object.get(keyword).and_then(Value::as_array).map(Vec::as_slice) {
            let only = only.clone();
            object.remove(keyword);
            object.extend(only);
        }
    }
    match object.get("type") {
        Some(Value::String(kind)) => types.extend([kind.clone()]),
        Some(Value::Array(kinds)) => types.extend(kinds.iter().filter_map(Value::as_str).map(str::to_owned)),
        // A property or a map of that name.
        _ => {}
    }
    if !types.is_empty() {
        object.insert("type".to_owned(), json!(types));
    }
    // Among several the first is the one.
    if let Some(examples) = object.remove("x-examples").or_else(|| object.remove("examples")) {
        if examples.is_array() {
            object.insert("example".to_owned(), examples[0].clone());
        }
        if examples.as_array().is_none_or(|examples| examples.len() > 1) {
            object.insert("all examples".to_owned(), examples);
        }
    }
    object.values_mut().for_each(|value| *value = meaning(value));
    Value::Object(object)
}

#[test]
fn both_documents_say_the_same() {
    let mut newer = stored("openapi.json");
    let mut older = version_3_0(&newer).expect("3.0 has words for all of it");
    assert_eq!((&newer["openapi"], &older["openapi"]), (&json!("3.1.0"), &json!("3.0.3")));
    // What is meant to differ, wherever it stands.
    newer["openapi"] = json!("3.0.3");
    let license = newer["info"]["license"].as_object_mut().expect("a licence");
    let identifier = license.remove("identifier").expect("an identifier");
    license.insert("x-identifier".to_owned(), identifier);
    let mut permissions = 0;
    for (path, item) in newer["paths"].as_object_mut().expect("paths") {
        for (method, operation) in item.as_object_mut().expect("operations") {
            if let Some(permission) = operation.get("x-required-permission").cloned() {
                assert_eq!(operation["security"][0]["api_key"], json!([permission]), "{method} {path}");
                operation["security"][0]["api_key"] = json!([]);
                permissions += 1;
            }
        }
    }
    assert!(permissions > 5);
    older = meaning(&older);
    newer = meaning(&newer);
    for part in ["paths", "components"] {
        for (name, value) in newer[part].as_object().expect("a map") {
            for (inner, value) in value.as_object().expect("a map") {
                assert_eq!(&older[part][name][inner], value, "{part} {name} {inner}");
            }
        }
    }
    assert_eq!(older, newer);
}

#[test]
fn every_word_of_a_schema_is_one_of_3_0() {
    fn walk(value: &Value, is_schema: bool, pointer: &str) {
        let Value::Object(object) = value else {
            if let Value::Array(values) = value {
                values.iter().for_each(|value| walk(value, is_schema, pointer));
            }
            return;
        };
        for (name, value) in object {
            let pointer = format!("{pointer}/{name}");
            if is_schema {
                let known = UNCHANGED.contains(&name.as_str()) || name.starts_with("x-");
                let known = known || matches!(name.as_str(), "type" | "nullable" | "$ref" | "properties" | "items");
                let known = known || matches!(name.as_str(), "additionalProperties" | "allOf" | "oneOf" | "anyOf");
                assert!(known || name == "not" || name.starts_with("exclusive"), "{pointer}");
                assert!(name != "type" || value.is_string(), "{pointer}");
                assert!(name != "$ref" || object.len() == 1, "{pointer}");
            }
            match name.as_str() {
                "example" | "examples" | "x-examples" | "default" | "enum" => {}
                "properties" | "schemas" => {
                    value.as_object().into_iter().flatten().for_each(|(name, value)| {
                        walk(value, true, &format!("{pointer}/{name}"));
                    });
                }
                "schema" | "items" | "allOf" | "oneOf" | "anyOf" | "additionalProperties" => {
                    walk(value, true, &pointer)
                }
                _ => walk(value, false, &pointer),
            }
        }
    }
    let document = version_3_0(&stored("openapi.json")).expect("3.0 has words for all of it");
    walk(&document, false, "");
}

fn document(schema: &Value) -> Value {
    json!({ "openapi": "3.1.0", "components": { "schemas": { "S": schema } } })
}

#[test]
fn schemas_are_said_in_the_words_of_3_0() {
    for (newer, older) in [
        (json!({ "type": "string" }), json!({ "type": "string" })),
        (json!({ "type": ["string", "null"] }), json!({ "type": "string", "nullable": true })),
        (
            json!({ "type": ["string", "null"], "enum": ["a"] }),
            json!({ "type": "string", "nullable": true, "enum": ["a", null] }),
        ),
        (
            json!({ "type": ["array", "null"], "items": { "type": ["integer", "null"] } }),
            json!({ "type": "array", "nullable": true, "items": { "type": "integer", "nullable": true } }),
        ),
        (
            json!({ "oneOf": [{ "$ref": "#/a", "description": "One." }, { "type": "null" }] }),
            json!({ "allOf": [{ "$ref": "#/a" }], "description": "One.", "nullable": true }),
        ),
        (
            json!({ "anyOf": [{ "$ref": "#/a" }, { "$ref": "#/b" }, { "type": "null" }] }),
            json!({ "anyOf": [{ "$ref": "#/a" }, { "$ref": "#/b" }], "nullable": true }),
        ),
        (json!({ "$ref": "#/a" }), json!({ "$ref": "#/a" })),
        (json!({ "$ref": "#/a", "description": "It." }), json!({ "allOf": [{ "$ref": "#/a" }], "description": "It." })),
        (json!({ "const": "a" }), json!({ "enum": ["a"] })),
        (json!({ "examples": [1] }), json!({ "example": 1 })),
        (json!({ "examples": [1, 2] }), json!({ "example": 1, "x-examples": [1, 2] })),
        (json!({ "example": 3, "examples": [1] }), json!({ "example": 3 })),
        (
            json!({ "type": "number", "exclusiveMinimum": 0, "maximum": 9 }),
            json!({ "type": "number", "minimum": 0, "exclusiveMinimum": true, "maximum": 9 }),
        ),
        (json!({ "exclusiveMinimum": 0, "minimum": 5 }), json!({ "minimum": 5 })),
        (json!({ "exclusiveMaximum": 3, "maximum": 5 }), json!({ "maximum": 3, "exclusiveMaximum": true })),
        (json!({ "contentMediaType": "application/octet-stream" }), json!({ "format": "binary" })),
        (json!({ "contentEncoding": "base64" }), json!({ "format": "byte" })),
        (
            json!({ "properties": { "type": { "type": ["string", "null"] } } }),
            json!({ "properties": { "type": { "type": "string", "nullable": true } } }),
        ),
        (
            json!({ "additionalProperties": { "type": ["number", "null"] }, "propertyNames": { "type": "string" } }),
            json!({ "additionalProperties": { "type": "number", "nullable": true } }),
        ),
        (json!({ "additionalProperties": false }), json!({ "additionalProperties": false })),
        (json!({ "items": true }), json!({ "items": {} })),
        (json!({ "not": false }), json!({ "not": { "not": {} } })),
    ] {
        let rendered = version_3_0(&document(&newer)).expect("rendered");
        assert_eq!(rendered["components"]["schemas"]["S"], older, "{newer}");
    }
}

#[test]
fn schemas_are_rendered_wherever_they_stand() {
    let schema = json!({ "type": ["string", "null"] });
    let header = json!({ "h": { "schema": schema } });
    let content = json!({ "a/b": { "schema": schema, "encoding": { "e": { "headers": header } } } });
    let response = json!({ "headers": header, "content": content });
    let body = json!({ "content": content });
    let parameters = json!([{ "schema": schema }, { "content": content }]);
    let operation = json!({ "parameters": parameters, "requestBody": body, "responses": { "200": response } });
    let path = json!({ "parameters": parameters, "trace": operation });
    let with_callback = json!({ "post": { "callbacks": { "c": { "url": path } } } });
    let components = json!({
        "schemas": { "S": schema },
        "responses": { "R": response },
        "requestBodies": { "B": body },
        "parameters": { "P": parameters[1] },
        "headers": header,
    });
    let all = json!({ "openapi": "3.1.0", "components": components, "paths": { "/a": path, "/b": with_callback } });
    let rendered = version_3_0(&all).expect("rendered").to_string();
    let count = |text: &str, what: &str| text.matches(what).count();
    assert_eq!(count(&rendered, "\"nullable\":true"), count(&all.to_string(), "\"null\""), "{rendered}");
    assert_eq!(count(&rendered, "\"null\""), 0, "{rendered}");
}

#[test]
fn what_3_0_cannot_say_is_refused_where_it_stands() {
    let at_schema = |rest: &str| format!("/components/schemas/S{rest}");
    for (schema, pointer) in [
        (json!({ "type": ["string", "integer"] }), at_schema("")),
        (json!({ "type": "null" }), at_schema("")),
        (json!({ "properties": { "a/b": { "if": {} } } }), at_schema("/properties/a~1b")),
        (json!({ "items": { "prefixItems": [] } }), at_schema("/items")),
        (json!({ "propertyNames": { "pattern": "^a" } }), at_schema("")),
        (json!({ "contentMediaType": "image/png" }), at_schema("")),
        (json!({ "$ref": "#/a", "description": "It.", "allOf": [] }), at_schema("")),
        (json!({ "oneOf": [{ "title": "a" }, { "type": "null" }], "title": "b" }), at_schema("")),
    ] {
        let refused = version_3_0(&document(&schema)).expect_err("refused");
        assert_eq!(refused.pointer, pointer, "{schema}");
    }
    let with = |name: &str, value: Value| json!({ "openapi": "3.1.0", name: value });
    let roles = json!({ "/a": { "get": { "security": [{ "key": ["read"] }] } } });
    let beside = json!({ "/a": { "get": { "parameters": [{ "$ref": "#/p", "description": "It." }] } } });
    for (document, pointer) in [
        (with("webhooks", json!({})), ""),
        (with("components", json!({ "pathItems": {} })), "/components"),
        (with("paths", roles), "/paths/~1a/get/security/0"),
        (with("paths", beside), "/paths/~1a/get/parameters/0"),
    ] {
        assert_eq!(version_3_0(&document).expect_err("refused").pointer, pointer, "{document}");
    }
}
