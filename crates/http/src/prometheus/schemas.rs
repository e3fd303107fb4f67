//! For the document: the parameters of each operation as a form, and its answers.
#![expect(dead_code, reason = "forms are read by `Parameters`, answers written by `answer`")]

use std::collections::BTreeMap;

use serde_json::Value;
use utoipa::ToSchema;

use super::build_info::BuildInfo;
use super::metadata::MetricMetadata;

/// A query at one moment.
#[derive(ToSchema)]
pub(crate) struct PrometheusQueryForm {
    /// PromQL.
    #[schema(example = "avg by (site) (astranetmon_cpu_percent)")]
    query: String,
    /// Seconds since 1970, or RFC 3339; now, unless given.
    #[schema(example = "1795433218", nullable = false)]
    time: Option<String>,
    /// For how long a sample is believed at least.
    #[schema(example = "5m", nullable = false)]
    lookback_delta: Option<String>,
    /// Series at most.
    #[schema(example = "1000", nullable = false)]
    limit: Option<String>,
}

/// A query over a range of time.
#[derive(ToSchema)]
pub(crate) struct PrometheusQueryRangeForm {
    /// PromQL.
    #[schema(example = "rate(astranetmon_network_receive_bytes_total[5m])")]
    query: String,
    /// Seconds since 1970, or RFC 3339.
    #[schema(example = "1795429618")]
    start: String,
    /// Seconds since 1970, or RFC 3339.
    #[schema(example = "1795433218")]
    end: String,
    /// Seconds, or a length of time; at most 11,000 of them.
    #[schema(example = "1m")]
    step: String,
    /// For how long a sample is believed at least.
    #[schema(example = "5m", nullable = false)]
    lookback_delta: Option<String>,
    /// Series at most.
    #[schema(example = "1000", nullable = false)]
    limit: Option<String>,
}

/// Which series, of which time.
#[derive(ToSchema)]
pub(crate) struct PrometheusSeriesForm {
    /// Selectors.
    #[schema(rename = "match[]", example = json!(["astranetmon_cpu_percent"]))]
    selectors: Vec<String>,
    /// Seconds since 1970, or RFC 3339.
    #[schema(example = "1795429618", nullable = false)]
    start: Option<String>,
    /// Seconds since 1970, or RFC 3339.
    #[schema(example = "1795433218", nullable = false)]
    end: Option<String>,
    /// Entries at most.
    #[schema(example = "1000", nullable = false)]
    limit: Option<String>,
}

/// Labels of which series, of which time.
#[derive(ToSchema)]
pub(crate) struct PrometheusLabelsForm {
    /// Selectors; every series without one.
    #[schema(rename = "match[]", example = json!(["astranetmon_cpu_percent"]), nullable = false)]
    selectors: Option<Vec<String>>,
    /// Seconds since 1970, or RFC 3339.
    #[schema(example = "1795429618", nullable = false)]
    start: Option<String>,
    /// Seconds since 1970, or RFC 3339.
    #[schema(example = "1795433218", nullable = false)]
    end: Option<String>,
    /// Names at most.
    #[schema(example = "1000", nullable = false)]
    limit: Option<String>,
}

macro_rules! answers {
    ($($(#[$doc:meta])* $name:ident: $data:ty,)*) => {
        $(
            $(#[$doc])*
            #[derive(ToSchema)]
            pub(crate) struct $name {
                /// `success`.
                #[schema(example = "success")]
                status: String,
                /// What was asked for.
                data: $data,
                /// What the caller is to know of it; there only if there is something.
                #[schema(nullable = false)]
                warnings: Option<Vec<String>>,
            }
        )*
    };
}

answers! {
    /// The value of a query.
    PrometheusResultAnswer: PrometheusResult,
    /// Labels of series.
    PrometheusSeriesAnswer: Vec<BTreeMap<String, String>>,
    /// Names or values of labels.
    PrometheusLabelsAnswer: Vec<String>,
    /// What metrics are, by their names.
    PrometheusMetadataAnswer: BTreeMap<String, Vec<MetricMetadata>>,
    /// Versions.
    PrometheusBuildInfoAnswer: BuildInfo,
}

/// The value of a query.
#[derive(ToSchema)]
pub(crate) struct PrometheusResult {
    /// `scalar`, `string`, `vector` or `matrix`: the form of `result`.
    #[schema(rename = "resultType", example = "vector")]
    result_type: String,
    /// A pair of a time in seconds and a value as text; or, of a vector and a matrix, a list of series, each with its
    /// labels in `metric` and one such pair in `value` or several in `values`.
    result: Vec<Value>,
}
