//! The measured fields of a metric row as one value.
//!
//! 8 bytes a field, in the order of [`METRIC_FIELDS`]: a signed integer at the field's fixed scale, most significant
//! byte first, [`NULL`] where unknown. Fields that were added to the list after a row was written are missing at its
//! end and unknown. One value instead of a column a field is what makes thousands of rows fast to read: see
//! `docs/adr/0006-packed-metric-rows.md`.

use astranetmon_domain::{METRIC_FIELDS, MetricSample, NULL};
use diesel::backend::Backend;
use diesel::deserialize::{self, FromSql, FromSqlRow};
use diesel::pg::{Pg, PgValue};
use diesel::sql_types::Binary;
use diesel::sqlite::Sqlite;

const FIELD_BYTES: usize = size_of::<i64>();

/// The measured values of one sample, in whatever form.
pub(crate) trait FieldValues {
    /// The value of the field of that place in [`METRIC_FIELDS`], at its fixed scale.
    fn value(&self, field: usize) -> i64;
}

/// The values of one sample, at the scale of [`METRIC_FIELDS`].
#[derive(Clone, Debug, PartialEq, Eq, FromSqlRow)]
pub(crate) struct Measured(pub(crate) [i64; METRIC_FIELDS.len()]);

impl Measured {
    /// `sample` must be normalized.
    pub(crate) fn of(sample: &MetricSample) -> Self {
        Self(sample.fixed_values())
    }

    /// As it is stored.
    pub(crate) fn pack(&self) -> Vec<u8> {
        self.0.iter().flat_map(|value| value.to_be_bytes()).collect()
    }

    fn unpack(bytes: &[u8]) -> Self {
        let mut values = [NULL; METRIC_FIELDS.len()];
        for (value, packed) in values.iter_mut().zip(bytes.as_chunks::<FIELD_BYTES>().0) {
            *value = i64::from_be_bytes(*packed);
        }
        Self(values)
    }

    /// Takes what is unknown here from a later sample of the same key; whether anything was.
    pub(crate) fn fill_from(&mut self, later: &Self) -> bool {
        let mut filled = false;
        for (value, &later) in self.0.iter_mut().zip(&later.0) {
            if *value == NULL && later != NULL {
                *value = later;
                filled = true;
            }
        }
        filled
    }
}

impl FieldValues for Measured {
    #[inline]
    fn value(&self, field: usize) -> i64 {
        self.0[field]
    }
}

impl FromSql<Binary, Sqlite> for Measured {
    fn from_sql(mut value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::unpack(value.read_blob()))
    }
}

impl FromSql<Binary, Pg> for Measured {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::unpack(value.as_bytes()))
    }
}

/// The stored bytes of one sample, of which only the fields that are asked for are decoded.
#[derive(Clone, Copy, Debug, FromSqlRow)]
pub(crate) struct Packed {
    bytes: [[u8; FIELD_BYTES]; METRIC_FIELDS.len()],
    fields: usize,
}

impl Packed {
    pub(crate) fn of(stored: &[u8]) -> Self {
        let mut bytes = [[0; FIELD_BYTES]; METRIC_FIELDS.len()];
        let stored = stored.as_chunks().0;
        let fields = stored.len().min(bytes.len());
        bytes[..fields].copy_from_slice(&stored[..fields]);
        Self { bytes, fields }
    }
}

impl FieldValues for Packed {
    #[inline]
    fn value(&self, field: usize) -> i64 {
        if field < self.fields { i64::from_be_bytes(self.bytes[field]) } else { NULL }
    }
}

impl FromSql<Binary, Sqlite> for Packed {
    fn from_sql(mut value: <Sqlite as Backend>::RawValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::of(value.read_blob()))
    }
}

impl FromSql<Binary, Pg> for Packed {
    fn from_sql(value: PgValue<'_>) -> deserialize::Result<Self> {
        Ok(Self::of(value.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_come_back_and_fields_that_a_row_lacks_are_unknown() {
        let mut values = [NULL; METRIC_FIELDS.len()];
        values[..4].copy_from_slice(&[0, -1, i64::MAX, 1_234]);
        let measured = Measured(values);
        let packed = measured.pack();
        assert_eq!(packed[..16], [0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255]);
        assert_eq!(Measured::unpack(&packed), measured);
        assert_eq!(Measured::unpack(&packed[..4 * FIELD_BYTES]), measured);
        let longer = [packed.as_slice(), &[7; FIELD_BYTES]].concat();
        assert_eq!(Measured::unpack(&longer), measured, "of a newer program");
        for stored in [&packed[..], &packed[..4 * FIELD_BYTES], &longer] {
            let stored = Packed::of(stored);
            assert_eq!(std::array::from_fn(|field| stored.value(field)), values);
        }
    }
}
