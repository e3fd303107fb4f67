use astranetmon_domain::{MetricSample, Timestamp, with_metric_fields};
use serde::{Deserialize, Serialize};

use super::moment;
use crate::row::row;

/// What one agent measured of its host, one row a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct MetricBatch {
    /// At most 10,000 rows, in any order; the oldest first is best.
    pub metrics: Vec<MetricRow>,
}

macro_rules! metric_row {
    ($($(#[$doc:meta])* $name:ident: $type:ident $(/ $decimals:literal)?,)*) => {
        row! {
            /// One metric. A field that is absent or `null` is unknown; a row that was there keeps what it has and
            /// gains what it lacked.
            MetricRow {
                /// When it was measured; unique for its agent, in whole milliseconds.
                #[serde(serialize_with = "moment")]
                #[cfg_attr(feature = "openapi", schema(value_type = String, required = true, format = DateTime, example = "2026-11-23T11:26:58.123Z"))]
                timestamp: Timestamp,
                $($(#[$doc])* $name: $type,)*
            }
        }

        impl From<&MetricSample> for MetricRow {
            fn from(sample: &MetricSample) -> Self {
                Self { timestamp: Some(sample.timestamp), $($name: sample.$name,)* }
            }
        }
    };
}

with_metric_fields!(metric_row);
