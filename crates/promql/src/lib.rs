#![doc = include_str!("../README.md")]

mod aggregate;
mod binary;
mod compile;
mod evaluate;
mod expression;
mod labels;
mod scan;
mod selection;
mod series;
mod simple_functions;
mod steps;
#[cfg(test)]
mod tests;
mod windows;

use std::cell::Cell;

pub use expression::SeriesFilter;
pub use labels::{Labels, METRIC_NAME};
pub use selection::Selection;
pub use series::{Row, Series};
pub use steps::Steps;

use compile::{Compiler, Root};
use evaluate::{Evaluator, Value};
use series::refuse_duplicates;

/// Why a text is no query that can be answered; one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ParseError(String);

/// Why a query has no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EvaluationError {
    /// Two series would have the same labels.
    #[error("vector cannot contain metrics with the same labelset")]
    DuplicateLabels,
    /// An operator's sides do not belong together.
    #[error("{0}")]
    Matching(String),
    /// An argument is of the wrong kind.
    #[error("{0}")]
    Argument(&'static str),
    /// A label would have more than 4 KiB.
    #[error("a label's value would be longer than 4096 bytes")]
    LabelTooLong,
    /// More values than [`Limits::points`].
    #[error("the query makes too many values: take a longer step, a shorter range or fewer series")]
    TooManyPoints,
    /// [`Limits::expired`].
    #[error("the query takes too long: take a longer step, a shorter range or fewer series")]
    Expired,
}

/// What an evaluation may cost.
#[derive(Clone, Copy)]
pub struct Limits<'a> {
    /// Values that it may make, those on the way included.
    pub points: usize,
    /// Asked now and then whether to give up.
    pub expired: &'a dyn Fn() -> bool,
}

/// What a query is worth.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// A number a step.
    Scalar(Vec<f64>),
    /// A text.
    Text(String),
    /// Series with at most one value a step; ordered by their labels unless the query orders them.
    Vector(Vec<Row>),
    /// Samples in a window before the last step, ordered by their labels.
    Matrix(Vec<Series>),
}

/// A query that can be answered.
#[derive(Debug)]
pub struct Query {
    root: Root,
}

impl Query {
    /// Longest text of a query, in bytes.
    pub const MAX_BYTES: usize = 16 * 1_024;

    /// Reads a query.
    ///
    /// # Errors
    /// [`ParseError`] if it is longer than [`Query::MAX_BYTES`], too deeply nested, not PromQL, or needs something that
    /// is not known here.
    pub fn parse(text: &str) -> Result<Self, ParseError> {
        if text.len() > Self::MAX_BYTES {
            return Err(ParseError(format!("the query is longer than {} bytes", Self::MAX_BYTES)));
        }
        let expr = promql_parser::parser::parse(&scan::checked(text)?).map_err(ParseError)?;
        let root = Compiler::default().root(expr).map_err(ParseError)?;
        Ok(Self { root })
    }

    /// Reads a selector alone, as `match[]` has it.
    ///
    /// # Errors
    /// [`ParseError`] as of [`Query::parse`], and for any other expression.
    pub fn parse_selector(text: &str) -> Result<SeriesFilter, ParseError> {
        match Self::parse(text)?.root {
            Root::Expression(expression::Expression::Selector(selector)) => Ok(selector.filter),
            _ => Err(ParseError("a selector is needed, such as cpu_percent{site=\"ber\"}".to_owned())),
        }
    }

    /// Whether the query has a number, or some, at each of many steps; a range vector and a text have not.
    #[must_use]
    pub const fn is_steppable(&self) -> bool {
        !matches!(self.root, Root::Range(_) | Root::Expression(expression::Expression::Text(_)))
    }

    /// The series that are needed to evaluate the query at those steps if a sample is believed for `lookback`
    /// milliseconds or longer: one selection for each list of series that [`Query::evaluate`] takes.
    #[must_use]
    pub fn selections(&self, steps: &Steps, lookback: i64) -> Vec<Selection> {
        selection::selections(&self.root, steps, lookback)
    }

    /// The query's value at each of the steps.
    ///
    /// # Errors
    /// See [`EvaluationError`].
    ///
    /// # Panics
    /// If there are fewer lists of series than selections.
    pub fn evaluate(
        &self,
        steps: &Steps,
        data: &[Vec<Series>],
        limits: &Limits<'_>,
    ) -> Result<Answer, EvaluationError> {
        let evaluator = Evaluator { root: *steps, data, limits, points: Cell::new(0) };
        Ok(match &self.root {
            Root::Expression(expression) => match evaluator.value(expression, steps)? {
                Value::Scalar(values) => Answer::Scalar(values),
                Value::Text(text) => Answer::Text(text),
                Value::Vector(rows) => {
                    let mut rows = refuse_duplicates(rows)?;
                    rows.retain(|row| !row.is_empty());
                    if steps.count() > 1 || !expression.is_ordered() {
                        rows.sort_by(|row, other| row.labels.cmp(&other.labels));
                    }
                    Answer::Vector(rows)
                }
            },
            Root::Range(range) => {
                let (all, moments) = evaluator.ranged(range, steps)?;
                let (start, end) = (moments.last() - range.length, moments.last());
                let mut within: Vec<Series> = all.iter().map(|series| series.within(start, end)).collect();
                within.retain(|series| !series.times().is_empty());
                within.sort_by(|series, other| series.labels().cmp(other.labels()));
                Answer::Matrix(within)
            }
        })
    }
}

/// A length of time as Prometheus writes it, such as `1m30s`, in milliseconds.
#[must_use]
pub fn parse_duration(text: &str) -> Option<i64> {
    // Of a mere number it would make seconds, and panic on some.
    if text.parse::<f64>().is_ok() {
        return None;
    }
    let duration = promql_parser::util::parse_duration(text).ok()?;
    i64::try_from(duration.as_millis()).ok()
}

/// A value as Prometheus answers it: the shortest decimals that are read as the same number, with an exponent below a
/// millionth and from 10²¹ on.
#[must_use]
pub fn format_value(value: f64) -> String {
    let size = value.abs();
    if !size.is_finite() || size == 0.0 || (1e-6..1e21).contains(&size) {
        return plain_value(value);
    }
    let text = format!("{value:e}");
    let (digits, exponent) = text.split_once('e').unwrap_or((&text, "0"));
    let (sign, exponent) = exponent.strip_prefix('-').map_or(('+', exponent), |exponent| ('-', exponent));
    format!("{digits}e{sign}{exponent:0>2}")
}

/// A value without an exponent, as it stands in a label.
pub(crate) fn plain_value(value: f64) -> String {
    if value.is_nan() {
        "NaN".to_owned()
    } else if value.is_infinite() {
        if value > 0.0 { "+Inf".to_owned() } else { "-Inf".to_owned() }
    } else {
        value.to_string()
    }
}
