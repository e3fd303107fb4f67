//! Answers in the form of Prometheus.

use actix_web::HttpResponse;
use astranetmon_promql::{Answer, Labels, Row, Steps, format_value};
use serde::Serialize;

use crate::encode::json_response;

/// An answer in the form of Prometheus's HTTP API.
#[derive(Serialize)]
struct PrometheusAnswer<T> {
    status: &'static str,
    data: T,
    /// What the caller is to know of it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    warnings: Vec<&'static str>,
}

pub(super) fn success<T: Serialize>(data: T) -> HttpResponse {
    json_response(&PrometheusAnswer { status: "success", data, warnings: Vec::new() })
}

/// At most so many of a list.
pub(super) fn limited<T: Serialize>(mut all: Vec<T>, limit: usize) -> HttpResponse {
    let warnings = if all.len() > limit { vec!["results truncated due to limit"] } else { Vec::new() };
    all.truncate(limit);
    json_response(&PrometheusAnswer { status: "success", data: all, warnings })
}

/// What a query is worth at one moment.
pub(super) fn instant(answer: &Answer, at: i64, limit: usize) -> HttpResponse {
    let mut text = Text::begin(match answer {
        Answer::Scalar(_) => "scalar",
        Answer::Text(_) => "string",
        Answer::Vector(_) => "vector",
        Answer::Matrix(_) => "matrix",
    });
    match answer {
        Answer::Scalar(values) => text.sample(at, values.first().copied().unwrap_or(f64::NAN)),
        Answer::Text(value) => text.pair(at, value),
        Answer::Vector(rows) => text.list(rows.iter().take(limit), |text, row| {
            text.metric(&row.labels, "value");
            text.sample(at, row.values.first().copied().flatten().unwrap_or(f64::NAN));
        }),
        Answer::Matrix(all) => text.list(all.iter().take(limit), |text, series| {
            text.metric(series.labels(), "values");
            text.samples(series.times().iter().copied().zip(series.values().iter().copied()));
        }),
    }
    text.end()
}

/// What a query is worth at each step.
pub(super) fn range(answer: Answer, steps: &Steps, limit: usize) -> HttpResponse {
    let mut text = Text::begin("matrix");
    let rows = match answer {
        Answer::Scalar(values) => vec![Row::without_labels(values)],
        Answer::Vector(rows) => rows,
        Answer::Text(_) | Answer::Matrix(_) => Vec::new(),
    };
    text.list(rows.iter().take(limit), |text, row| {
        text.metric(&row.labels, "values");
        text.samples(steps.times().zip(&row.values).filter_map(|(time, value)| Some((time, (*value)?))));
    });
    text.end()
}

/// Labels as an object.
pub(super) struct Metric<'a>(pub(super) &'a Labels);

impl Serialize for Metric<'_> {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter())
    }
}

/// The text of an answer, written in one pass.
struct Text(Vec<u8>);

impl Text {
    fn begin(result_type: &str) -> Self {
        let head = format!(r#"{{"status":"success","data":{{"resultType":"{result_type}","result":"#);
        Self(head.into_bytes())
    }

    fn end(mut self) -> HttpResponse {
        self.0.extend(b"}}");
        HttpResponse::Ok().content_type("application/json; charset=utf-8").body(self.0)
    }

    fn list<T>(&mut self, items: impl Iterator<Item = T>, write: impl Fn(&mut Self, T)) {
        self.0.push(b'[');
        for (place, item) in items.enumerate() {
            if place > 0 {
                self.0.push(b',');
            }
            self.0.push(b'{');
            write(self, item);
            self.0.push(b'}');
        }
        self.0.push(b']');
    }

    /// The labels, and the key of what comes behind.
    fn metric(&mut self, labels: &Labels, behind: &str) {
        self.0.extend(b"\"metric\":");
        self.json(&Metric(labels));
        self.0.extend(format!(",\"{behind}\":").into_bytes());
    }

    fn samples(&mut self, samples: impl Iterator<Item = (i64, f64)>) {
        self.0.push(b'[');
        for (place, (time, value)) in samples.enumerate() {
            if place > 0 {
                self.0.push(b',');
            }
            self.sample(time, value);
        }
        self.0.push(b']');
    }

    fn sample(&mut self, time: i64, value: f64) {
        self.pair(time, &format_value(value));
    }

    /// A time in seconds and a text.
    fn pair(&mut self, time: i64, text: &str) {
        self.0.push(b'[');
        self.json(&(time as f64 / 1_000.0));
        // Whole seconds are written without decimals, as Prometheus does.
        if self.0.ends_with(b".0") {
            self.0.truncate(self.0.len() - 2);
        }
        self.0.push(b',');
        self.json(text);
        self.0.push(b']');
    }

    fn json<T: Serialize + ?Sized>(&mut self, value: &T) {
        // Texts and numbers always have a form, and a vector takes everything.
        let _ = serde_json::to_writer(&mut self.0, value);
    }
}
