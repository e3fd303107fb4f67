use actix_web::http::StatusCode;
use bytes::Bytes;
use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::record::Field;
use serde_json::{Value, json};

use super::{everything, rows};
use crate::testing::TestApi;

/// A cell as JSON has it.
fn as_json(field: &Field) -> Value {
    match field {
        Field::Null => Value::Null,
        Field::Bool(truth) => json!(truth),
        Field::Long(number) => json!(number),
        Field::Double(number) => json!(number),
        Field::Str(text) => json!(text),
        Field::TimestampMillis(millis) => {
            json!(astranetmon_domain::Timestamp::from_micros(millis * 1_000).to_string())
        }
        other => panic!("{other:?}"),
    }
}

/// The same, of a column that holds lists and objects as their JSON.
fn is_same(cell: &Value, expected: &Value) -> bool {
    match (cell, expected) {
        (Value::Number(cell), Value::Number(expected)) => cell.as_f64() == expected.as_f64(),
        (Value::String(json), Value::Array(_) | Value::Object(_)) => {
            serde_json::from_str::<Value>(json).is_ok_and(|cell| cell == *expected)
        }
        _ => cell == expected,
    }
}

#[actix_web::test]
async fn a_file_holds_what_json_does() {
    let api = TestApi::new().await;
    api.fill(1, 10).await;
    for path in [
        "/api/v1/agents?include=latest",
        "/api/v1/overview",
        "/api/v1/metrics?limit=3",
        "/api/v1/metrics?fields=timestamp,cpu_percent,process_count&agent_id=b",
        "/api/v1/metrics?interval=2m&agg=avg,sum,count&fields=cpu_percent,memory_used_bytes&limit=4",
        "/api/v1/metrics?interval=2m&group_by=label:none&fill=null&start_date=-1h",
        "/api/v1/metrics?agent_id=nobody",
        "/api/v1/metrics?after=&limit=2",
        "/api/v1/speedtests?limit=2&fields=id,status,download_mbps,timestamp",
        "/api/v1/traceroutes?limit=2&sort=oldest_first",
    ] {
        let expected = api.get(path, Some(&everything())).await;
        let separator = if path.contains('?') { '&' } else { '?' };
        let file = api.get(&format!("{path}{separator}format=parquet"), Some(&everything())).await;
        assert_eq!(file.status, StatusCode::OK, "{path}");
        let header = |name: &str| file.headers.get(name).and_then(|value| value.to_str().ok());
        assert_eq!(header("content-type"), Some("application/vnd.apache.parquet"), "{path}");
        assert!(header("content-disposition").is_some_and(|text| text.ends_with(".parquet\"")), "{path}");
        assert_eq!(file.next().is_some(), expected.next().is_some(), "{path}");
        let reader = SerializedFileReader::new(Bytes::from(file.body)).expect(path);
        let notes = reader.metadata().file_metadata().key_value_metadata().expect("notes");
        let note = |key: &str| notes.iter().find(|note| note.key == key).and_then(|note| note.value.clone());
        assert_eq!(note("next_cursor").is_some(), expected.next().is_some() && !path.contains("after="), "{path}");
        assert_eq!(note("sync_cursor").is_some(), path.contains("after="), "{path}");
        let expected = expected.json();
        assert_eq!(note("total"), Some(expected["total"].to_string()), "{path}");
        let expected = rows(path, &expected);
        let mut count = 0;
        for (row, expected) in reader.get_row_iter(None).expect("rows").zip(expected) {
            let row = row.expect("a row");
            let columns: Vec<(&String, &Field)> = row.get_column_iter().collect();
            let expected = expected.as_object().expect("an object");
            assert_eq!(columns.len(), expected.len(), "{path}");
            for (name, field) in columns {
                let cell = as_json(field);
                assert!(is_same(&cell, &expected[name]), "{path} {name}: {cell} is not {}", expected[name]);
            }
            count += 1;
        }
        assert_eq!(count, expected.len(), "{path}");
    }
}
