//! A list as an Apache Parquet file of one row group.

use std::sync::Arc;

use parquet::basic::{Compression, LogicalType, Repetition, TimeUnit, Type as PhysicalType, ZstdLevel};
use parquet::data_type::{BoolType, ByteArray, ByteArrayType, DataType, DoubleType, Int64Type};
use parquet::errors::Result;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use parquet::schema::types::{ColumnPath, Type, TypePtr};

use super::column::{Column, Values};

/// Every column may have unknown values: a reader need not care which of them has some in this page.
const KNOWN: i16 = 1;

/// The bytes of a file with those columns, all of one length. `notes` are its key-value metadata.
pub(super) fn write(columns: &[Column], notes: Vec<(&'static str, String)>) -> Result<Vec<u8>> {
    let fields = columns.iter().map(field).collect::<Result<_>>()?;
    let schema = Type::group_type_builder("record").with_fields(fields).build()?;
    let notes = notes.into_iter().map(|(key, value)| KeyValue::new(key.to_owned(), value)).collect();
    let mut properties = WriterProperties::builder()
        .set_compression(Compression::ZSTD(ZstdLevel::try_new(1)?))
        .set_created_by(concat!("astranetmon ", env!("CARGO_PKG_VERSION")).to_owned())
        .set_key_value_metadata(Some(notes));
    // Numbers seldom repeat: looking each up in a dictionary costs more than all the rest.
    for column in columns.iter().filter(|column| !matches!(column.values, Values::Text(_))) {
        properties = properties.set_column_dictionary_enabled(ColumnPath::from(column.name.as_str()), false);
    }
    let properties = Arc::new(properties.build());
    let mut file = SerializedFileWriter::new(Vec::new(), Arc::new(schema), properties)?;
    let mut rows = file.next_row_group()?;
    for column in columns {
        match &column.values {
            Values::Text(values) => {
                write_column::<ByteArrayType, _>(&mut rows, values, |text| ByteArray::from(text.as_str()))?;
            }
            Values::Integer(values) | Values::Time(values) => {
                write_column::<Int64Type, _>(&mut rows, values, |number| *number)?;
            }
            Values::Float(values) => write_column::<DoubleType, _>(&mut rows, values, |number| *number)?,
            Values::Boolean(values) => write_column::<BoolType, _>(&mut rows, values, |truth| *truth)?,
        }
    }
    rows.close()?;
    file.into_inner()
}

fn field(column: &Column) -> Result<TypePtr> {
    let (physical, logical) = match column.values {
        Values::Text(_) => (PhysicalType::BYTE_ARRAY, Some(LogicalType::String)),
        Values::Integer(_) => (PhysicalType::INT64, None),
        Values::Float(_) => (PhysicalType::DOUBLE, None),
        Values::Boolean(_) => (PhysicalType::BOOLEAN, None),
        Values::Time(_) => (PhysicalType::INT64, Some(LogicalType::timestamp(true, TimeUnit::MILLIS))),
    };
    let field = Type::primitive_type_builder(&column.name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical);
    field.build().map(Arc::new)
}

fn write_column<T: DataType, V>(
    rows: &mut SerializedRowGroupWriter<'_, Vec<u8>>,
    values: &[Option<V>],
    stored: impl Fn(&V) -> T::T,
) -> Result<()> {
    let levels: Vec<i16> = values.iter().map(|value| if value.is_some() { KNOWN } else { 0 }).collect();
    let known: Vec<T::T> = values.iter().flatten().map(stored).collect();
    if let Some(mut column) = rows.next_column()? {
        column.typed::<T>().write_batch(&known, Some(&levels), None)?;
        column.close()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use parquet::file::reader::{FileReader, SerializedFileReader};

    use super::*;

    #[test]
    fn a_file_has_the_types_the_values_and_the_notes() {
        let column = |name: &str, values| Column { name: name.to_owned(), values };
        let columns = [
            column("text", Values::Text(vec![Some("ä".to_owned()), None, Some(String::new())])),
            column("integer", Values::Integer(vec![None, Some(i64::MAX), Some(-1)])),
            column("float", Values::Float(vec![Some(0.1), None, None])),
            column("boolean", Values::Boolean(vec![Some(true), Some(false), None])),
            column("time", Values::Time(vec![Some(1_795_433_218_123), None, Some(0)])),
            column("unknown", Values::Float(vec![None, None, None])),
        ];
        let file = write(&columns, vec![("total", "7".to_owned())]).expect("a file");
        let reader = SerializedFileReader::new(Bytes::from(file)).expect("a file");
        let metadata = reader.metadata().file_metadata();
        let total = metadata.key_value_metadata().expect("notes").iter().find(|note| note.key == "total");
        assert_eq!(total.and_then(|note| note.value.as_deref()), Some("7"));
        let rows = reader.get_row_iter(None).expect("rows").map(|row| row.expect("a row").to_string());
        assert_eq!(
            rows.collect::<Vec<_>>(),
            [
                "{text: \"ä\", integer: null, float: 0.1, boolean: true, time: 2026-11-23 11:26:58.123 +00:00, unknown: null}",
                "{text: null, integer: 9223372036854775807, float: null, boolean: false, time: null, unknown: null}",
                "{text: \"\", integer: -1, float: null, boolean: null, time: 1970-01-01 00:00:00.000 +00:00, unknown: null}",
            ]
        );
    }

    #[test]
    fn a_list_of_nothing_is_a_file_with_its_columns() {
        let columns = [Column { name: "agent_id".to_owned(), values: Values::Text(Vec::new()) }];
        let reader = SerializedFileReader::new(Bytes::from(write(&columns, Vec::new()).expect("a file")));
        let metadata = reader.expect("a file").metadata().file_metadata().clone();
        assert_eq!((metadata.num_rows(), metadata.schema().get_fields().len()), (0, 1));
    }
}
