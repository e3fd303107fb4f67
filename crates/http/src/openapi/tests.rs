use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use super::*;

/// Compares with a stored file; with `UPDATE_GOLDEN=1` writes it.
#[expect(clippy::disallowed_methods, reason = "the switch of golden tests is an environment variable")]
fn compare(name: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../openapi").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::create_dir_all(path.parent().expect("a folder")).expect("folder");
        fs::write(&path, text).expect("written");
    }
    let stored = fs::read_to_string(&path).unwrap_or_default();
    assert!(stored == text, "openapi/{name} is not what the code says: run the tests with UPDATE_GOLDEN=1 and review");
}

/// Operation id, method and path of every operation.
fn operations() -> Vec<(String, String, String)> {
    let document = serde_json::to_value(openapi()).expect("JSON");
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let id = operation["operationId"].as_str().expect("an id");
            all.push((id.to_owned(), method.to_uppercase(), path.clone()));
        }
    }
    all
}

#[test]
fn the_document_is_the_stored_one() {
    compare("openapi.json", &pretty_document());
}

#[test]
fn the_document_of_3_0_is_the_stored_one() {
    let document = openapi_3_0().expect("3.0 has words for all of it");
    compare("openapi-3.0.json", &format!("{document:#}\n"));
}

#[test]
fn the_operations_are_the_stored_ones() {
    let lines: String = operations().iter().map(|(id, method, path)| format!("{id} {method} {path}\n")).collect();
    compare("operations.txt", &lines);
}

#[test]
fn every_operation_is_a_read_of_a_full_path_a_query_in_a_form_or_of_ingestion() {
    for (id, method, path) in operations() {
        let is_query = path.starts_with("/prometheus/api/v1/") && (method == "GET" || id.ends_with("_by_form"));
        let is_read = method == "GET" && path.starts_with("/api/v1/");
        assert!(is_read || is_query || path.starts_with("/ingest/v1/"), "{id}");
        assert!(!path.contains(':'), "{id}: no routing pattern in {path}");
    }
}

#[test]
fn every_reference_leads_somewhere() {
    fn walk(value: &Value, document: &Value) {
        match value {
            Value::Object(object) => {
                if let Some(Value::String(reference)) = object.get("$ref") {
                    let pointer = reference.trim_start_matches('#');
                    assert!(document.pointer(pointer).is_some(), "{reference}");
                }
                object.values().for_each(|value| walk(value, document));
            }
            Value::Array(values) => values.iter().for_each(|value| walk(value, document)),
            _ => {}
        }
    }
    let document = serde_json::to_value(openapi()).expect("JSON");
    assert_eq!(document["openapi"], "3.1.0");
    walk(&document, &document);
}
