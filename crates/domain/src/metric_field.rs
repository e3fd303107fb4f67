use std::fmt;
use std::str::FromStr;

use crate::metric::{METRIC_FIELDS, NULL};

/// What a metric field's number is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricFieldKind {
    /// A whole number.
    Integer,
    /// A number kept with this many decimals.
    Float {
        /// Decimals that are kept.
        decimals: u8,
    },
}

/// One measured field of a metric: always one of [`METRIC_FIELDS`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricField {
    /// Its name in answers, with the unit.
    pub name: &'static str,
    /// Its kind.
    pub kind: MetricFieldKind,
    index: usize,
}

/// The text names no measured field.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no measured field of a metric has that name")]
pub struct UnknownMetricField;

impl MetricField {
    pub(crate) const fn new(index: usize, name: &'static str, kind: MetricFieldKind) -> Self {
        Self { name, kind, index }
    }

    /// Its place in [`METRIC_FIELDS`].
    #[must_use]
    pub const fn index(self) -> usize {
        self.index
    }

    /// Decimals that are kept; 0 for whole numbers.
    #[must_use]
    pub const fn decimals(self) -> u8 {
        match self.kind {
            MetricFieldKind::Integer => 0,
            MetricFieldKind::Float { decimals } => decimals,
        }
    }

    /// A stored whole number of the last decimal as a value in the field's unit; `None` for [`NULL`].
    ///
    /// ```
    /// use astranetmon_domain::{MetricField, NULL};
    ///
    /// let latency: MetricField = "latency_ms".parse().expect("a field");
    /// assert_eq!(latency.in_unit(1_234), Some(1.234));
    /// assert_eq!(latency.in_unit(NULL), None);
    /// ```
    #[must_use]
    #[expect(clippy::cast_precision_loss, reason = "a number for people and charts")]
    pub fn in_unit(self, fixed: i64) -> Option<f64> {
        (fixed != NULL).then(|| fixed as f64 / self.scale())
    }

    /// How many of the last decimal make one of the unit.
    #[must_use]
    pub fn scale(self) -> f64 {
        10f64.powi(i32::from(self.decimals()))
    }

    /// What the number counts, as people write it: `%`, `B/s`; empty for a mere number.
    #[must_use]
    pub fn unit(self) -> &'static str {
        self.stem_and_unit().1
    }

    /// What people call it: `CPU`, `Disk read`.
    #[must_use]
    pub fn label(self) -> String {
        match self.stem_and_unit().0 {
            "cpu" => "CPU".to_owned(),
            stem @ ("memory" | "disk") => format!("{} used", capitalised(stem)),
            "load_1" => "Load, 1 min".to_owned(),
            "load_5" => "Load, 5 min".to_owned(),
            "load_15" => "Load, 15 min".to_owned(),
            stem @ ("network_receive" | "network_transmit") if self.name.ends_with("_total") => {
                format!("{}, since the start", capitalised(&stem.replace('_', " ")))
            }
            stem => capitalised(&stem.trim_end_matches("_count").replace('_', " ")),
        }
    }

    /// A value in the unit of the field, for people: `97.25 %`.
    #[must_use]
    pub fn with_unit(self, value: f64) -> String {
        match self.unit() {
            "" => value.to_string(),
            unit => format!("{value} {unit}"),
        }
    }

    fn stem_and_unit(self) -> (&'static str, &'static str) {
        const UNITS: [(&str, &str); 7] = [
            ("_percent", "%"),
            ("_bytes_per_second", "B/s"),
            ("_bytes_total", "B"),
            ("_bytes", "B"),
            ("_ms", "ms"),
            ("_celsius", "°C"),
            ("_seconds", "s"),
        ];
        let parted = UNITS.into_iter().find_map(|(suffix, unit)| Some((self.name.strip_suffix(suffix)?, unit)));
        parted.unwrap_or((self.name, ""))
    }
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

impl fmt::Display for MetricField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for MetricField {
    type Err = UnknownMetricField;
    fn from_str(text: &str) -> Result<Self, UnknownMetricField> {
        METRIC_FIELDS.into_iter().find(|field| field.name == text).ok_or(UnknownMetricField)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_found_by_its_name_and_knows_its_place_and_its_scale() {
        for (index, field) in METRIC_FIELDS.into_iter().enumerate() {
            assert_eq!(field.name.parse(), Ok(field));
            assert_eq!((field.index(), field.to_string().as_str()), (index, field.name));
        }
        for (name, fixed, value) in [
            ("cpu_percent", 1_234, 12.34),
            ("latency_ms", 1, 0.001),
            ("temperature_celsius", -32, -3.2),
            ("network_receive_bytes_total", 1 << 52, (1_u64 << 52) as f64),
        ] {
            assert_eq!(name.parse::<MetricField>().expect(name).in_unit(fixed), Some(value), "{name}");
        }
        for name in ["", "cpu", "CPU_PERCENT", "cpu_percent ", "timestamp"] {
            assert_eq!(name.parse::<MetricField>(), Err(UnknownMetricField), "{name:?}");
        }
    }

    #[test]
    fn a_field_is_written_as_people_call_it_with_its_unit() {
        for (name, label, value) in [
            ("cpu_percent", "CPU", "97.25 %"),
            ("load_15", "Load, 15 min", "97.25"),
            ("memory_used_bytes", "Memory used", "97.25 B"),
            ("memory_percent", "Memory used", "97.25 %"),
            ("disk_read_bytes_per_second", "Disk read", "97.25 B/s"),
            ("network_receive_bytes_total", "Network receive, since the start", "97.25 B"),
            ("network_errors_count", "Network errors", "97.25"),
            ("packet_loss_percent", "Packet loss", "97.25 %"),
            ("temperature_celsius", "Temperature", "97.25 °C"),
            ("uptime_seconds", "Uptime", "97.25 s"),
        ] {
            let field: MetricField = name.parse().expect(name);
            assert_eq!((field.label().as_str(), field.with_unit(97.25).as_str()), (label, value), "{name}");
        }
    }
}
