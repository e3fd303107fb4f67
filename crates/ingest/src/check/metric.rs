use std::ops::RangeInclusive;
use std::sync::LazyLock;

use astranetmon_domain::{METRIC_FIELDS, MetricSample, with_metric_fields};

use super::{LARGEST, LONGEST_ROUND_TRIP, RowContext, WireRow, float, timestamp, whole};
use crate::batch::Refusal;
use crate::wire::MetricRow;

/// The longest interval of samples, one day, in seconds.
const LONGEST_INTERVAL: i64 = 86_400;

/// The ranges of the whole numbers and of the floats, in the order of [`METRIC_FIELDS`].
struct Ranges {
    whole: [RangeInclusive<i64>; METRIC_FIELDS.len()],
    float: [RangeInclusive<f64>; METRIC_FIELDS.len()],
}

static RANGES: LazyLock<Ranges> = LazyLock::new(|| Ranges {
    whole: METRIC_FIELDS.map(|field| if field.name == "interval_seconds" { 1..=LONGEST_INTERVAL } else { 0..=LARGEST }),
    float: METRIC_FIELDS.map(|field| match field.name {
        name if name.ends_with("_percent") => 0.0..=100.0,
        name if name.ends_with("_ms") => 0.0..=LONGEST_ROUND_TRIP,
        name if name.ends_with("_celsius") => -273.2..=1_000.0,
        _ => 0.0..=1_000_000.0,
    }),
});

macro_rules! checked {
    ($value:expr, $name:ident, $index:expr, i64) => {
        whole($value, stringify!($name), &RANGES.whole[$index])?
    };
    ($value:expr, $name:ident, $index:expr, f64 / $decimals:literal) => {
        float($value, $decimals, stringify!($name), &RANGES.float[$index])?
    };
}

macro_rules! check_metric {
    ($($(#[$doc:meta])* $name:ident: $type:ident $(/ $decimals:literal)?,)*) => {
        impl WireRow for MetricRow {
            type Record = MetricSample;

            fn check(self, context: &RowContext<'_>) -> Result<MetricSample, Refusal> {
                let mut indexes = 0..;
                let mut next = || indexes.next().unwrap_or_default();
                Ok(MetricSample {
                    agent_id: context.agent.clone(),
                    timestamp: timestamp(self.timestamp, context.bounds)?,
                    $($name: checked!(self.$name, $name, next(), $type $(/ $decimals)?),)*
                })
            }
        }
    };
}

with_metric_fields!(check_metric);
