//! The value of an expression at all steps at once.

use std::cell::Cell;

use crate::aggregate::{aggregate, count_values, sorted_by_last_value};
use crate::binary;
use crate::expression::{AggregateOperator, At, BinaryOperator, Expression, Range, RangeSource, Selector, When};
use crate::labels::Labels;
use crate::series::{Row, Series, merged, refuse_duplicates};
use crate::simple_functions::SimpleFunction;
use crate::windows::{Window, WindowFunction};
use crate::{EvaluationError, Limits, Steps};

/// How far a subquery's moments are apart unless it says so.
const SUBQUERY_STEP: i64 = 60_000;
/// Bytes of a label that an expression makes.
const LONGEST_LABEL: usize = 4_096;
/// Bytes that a replacement may have before it is measured.
const LONGEST_EXPANSION: usize = 1 << 20;
/// Samples in windows between two looks at the clock.
const SAMPLES_BETWEEN_LOOKS: usize = 100_000;

pub(crate) enum Value {
    Scalar(Vec<f64>),
    Vector(Vec<Row>),
    Text(String),
}

type Evaluated<T> = Result<T, EvaluationError>;

pub(crate) struct Evaluator<'a> {
    /// The steps of the whole query.
    pub(crate) root: Steps,
    /// The series of each selector.
    pub(crate) data: &'a [Vec<Series>],
    pub(crate) limits: &'a Limits<'a>,
    /// Values made so far.
    pub(crate) points: Cell<usize>,
}

/// The moments that something with such a modifier looks at, one for all steps if it is fixed.
pub(crate) fn looked_at(when: When, steps: &Steps, root: &Steps) -> Steps {
    let moments = match when.at {
        None => *steps,
        Some(At::Start) => Steps::once(root.first()),
        Some(At::End) => Steps::once(root.end()),
        Some(At::Time(time)) => Steps::once(time),
    };
    moments.earlier(when.offset)
}

/// The moments of a subquery that lie in any of the windows before `moments`.
pub(crate) fn subquery_steps(step: Option<i64>, length: i64, moments: &Steps) -> Steps {
    Steps::aligned(step.unwrap_or(SUBQUERY_STEP), moments.first() - length, moments.last())
}

impl Evaluator<'_> {
    pub(crate) fn value(&self, expression: &Expression, steps: &Steps) -> Evaluated<Value> {
        if (self.limits.expired)() {
            return Err(EvaluationError::Expired);
        }
        Ok(match expression {
            Expression::Number(number) => {
                self.count_points(steps.count())?;
                Value::Scalar(vec![*number; steps.count()])
            }
            Expression::Text(text) => Value::Text(text.clone()),
            Expression::Time => {
                self.count_points(steps.count())?;
                Value::Scalar(steps.times().map(|time| time as f64 / 1_000.0).collect())
            }
            Expression::Selector(selector) => {
                Value::Vector(self.believed(selector, steps, |series, place| series.values()[place])?)
            }
            Expression::TimestampOf(selector) => {
                let of_sample = |series: &Series, place: usize| series.times()[place] as f64 / 1_000.0;
                let rows = self.believed(selector, steps, of_sample)?;
                Value::Vector(merged(rows.into_iter().map(without_name))?)
            }
            Expression::Window { function, parameters, range } => {
                let parameter = match parameters.first() {
                    Some(parameter) => self.scalar(parameter, steps)?,
                    None => vec![0.0; steps.count()],
                };
                let rows = self.windows(range, steps, *function, &parameter)?;
                let rows = if function.keeps_name() { rows } else { rows.into_iter().map(without_name).collect() };
                Value::Vector(refuse_duplicates(rows)?)
            }
            Expression::Simple { function, arguments } => self.simple(*function, arguments, steps)?,
            Expression::Absent { of, labels } => Value::Vector(absent(&self.vector(of, steps)?, labels, steps)),
            Expression::AbsentOverTime { range, labels } => {
                let present = self.windows(range, steps, WindowFunction::Present, &vec![0.0; steps.count()])?;
                Value::Vector(absent(&present, labels, steps))
            }
            Expression::Scalar(of) => {
                let rows = self.vector(of, steps)?;
                let only = |step: usize| {
                    let mut present = rows.iter().filter_map(|row| row.values[step]);
                    match (present.next(), present.next()) {
                        (Some(value), None) => value,
                        _ => f64::NAN,
                    }
                };
                Value::Scalar((0..steps.count()).map(only).collect())
            }
            Expression::Vector(of) => {
                self.count_points(steps.count())?;
                Value::Vector(vec![Row::without_labels(self.scalar(of, steps)?)])
            }
            Expression::LabelReplace { of, target, replacement, source, pattern } => {
                let mut rows = self.vector(of, steps)?;
                for row in &mut rows {
                    if let Some(found) = pattern.captures(row.labels.get(source)) {
                        // Each group that is named may stand for the whole value.
                        let most = replacement.len().saturating_mul(row.labels.get(source).len() + 1);
                        if most > LONGEST_EXPANSION {
                            return Err(EvaluationError::LabelTooLong);
                        }
                        let mut value = String::new();
                        found.expand(replacement, &mut value);
                        set_label(&mut row.labels, target, &value)?;
                    }
                }
                Value::Vector(refuse_duplicates(rows)?)
            }
            Expression::LabelJoin { of, target, separator, sources } => {
                let mut rows = self.vector(of, steps)?;
                for row in &mut rows {
                    let parts: Vec<&str> = sources.iter().map(|source| row.labels.get(source)).collect();
                    let length = parts.iter().map(|part| part.len() + separator.len()).sum::<usize>();
                    if length > LONGEST_LABEL + separator.len() {
                        return Err(EvaluationError::LabelTooLong);
                    }
                    let joined = parts.join(separator);
                    set_label(&mut row.labels, target, &joined)?;
                }
                Value::Vector(refuse_duplicates(rows)?)
            }
            Expression::Sort { of, descending } => {
                Value::Vector(sorted_by_last_value(self.vector(of, steps)?, *descending))
            }
            Expression::Aggregate { operator: AggregateOperator::CountValues, by, parameter, of } => {
                let name = match parameter.as_deref() {
                    Some(Expression::Text(name)) if !name.is_empty() => name,
                    _ => return Err(EvaluationError::Argument("count_values needs the name of a label")),
                };
                let rows = self.vector(of, steps)?;
                Value::Vector(count_values(name, by, &rows, steps.count(), &|| self.count_points(steps.count()))?)
            }
            Expression::Aggregate { operator, by, parameter, of } => {
                let parameter = parameter.as_ref().map(|parameter| self.scalar(parameter, steps)).transpose()?;
                let parameter = parameter.unwrap_or_default();
                Value::Vector(aggregate(*operator, by, &parameter, self.vector(of, steps)?))
            }
            Expression::Binary { operator, left, right, matching, side } => {
                match (self.value(left, steps)?, self.value(right, steps)?, *operator) {
                    (Value::Vector(left), Value::Vector(right), BinaryOperator::Set(operator)) => {
                        Value::Vector(binary::sets(operator, left, right, matching)?)
                    }
                    (Value::Vector(left), Value::Vector(right), operator) => {
                        Value::Vector(binary::vectors(operator, left, right, matching, side)?)
                    }
                    (Value::Scalar(left), Value::Scalar(right), operator) => {
                        Value::Scalar(binary::scalars(operator, &left, &right))
                    }
                    (Value::Vector(rows), Value::Scalar(scalar), operator) => {
                        Value::Vector(binary::vector_and_scalar(operator, rows, &scalar, false)?)
                    }
                    (Value::Scalar(scalar), Value::Vector(rows), operator) => {
                        Value::Vector(binary::vector_and_scalar(operator, rows, &scalar, true)?)
                    }
                    _ => return Err(EvaluationError::Argument("operators are between numbers")),
                }
            }
            Expression::Negate(of) => match self.value(of, steps)? {
                Value::Scalar(values) => Value::Scalar(values.into_iter().map(|value| -value).collect()),
                Value::Vector(mut rows) => {
                    rows.iter_mut().flat_map(|row| &mut row.values).flatten().for_each(|value| *value = -*value);
                    Value::Vector(refuse_duplicates(rows.into_iter().map(without_name).collect())?)
                }
                Value::Text(_) => return Err(EvaluationError::Argument("a string has no sign")),
            },
        })
    }

    fn vector(&self, expression: &Expression, steps: &Steps) -> Evaluated<Vec<Row>> {
        match self.value(expression, steps)? {
            Value::Vector(rows) => Ok(rows),
            _ => Err(EvaluationError::Argument("an instant vector is needed")),
        }
    }

    fn scalar(&self, expression: &Expression, steps: &Steps) -> Evaluated<Vec<f64>> {
        match self.value(expression, steps)? {
            Value::Scalar(values) => Ok(values),
            _ => Err(EvaluationError::Argument("a scalar is needed")),
        }
    }

    fn count_points(&self, points: usize) -> Evaluated<()> {
        let points = self.points.get().saturating_add(points);
        self.points.set(points);
        if points > self.limits.points { Err(EvaluationError::TooManyPoints) } else { Ok(()) }
    }

    /// What each series of a selector is believed to be at each step, as `of` the believed sample.
    fn believed(&self, selector: &Selector, steps: &Steps, of: impl Fn(&Series, usize) -> f64) -> Evaluated<Vec<Row>> {
        let moments = looked_at(selector.when, steps, &self.root);
        let mut rows = Vec::new();
        for series in &self.data[selector.index] {
            self.count_points(steps.count())?;
            let mut values: Vec<Option<f64>> =
                series.believed_at(moments.times()).map(|place| place.map(|place| of(series, place))).collect();
            if selector.when.at.is_some() {
                values = vec![values.first().copied().flatten(); steps.count()];
            }
            let row = Row { labels: series.labels().clone(), values };
            if !row.is_empty() {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    /// The series of a range vector, and the moments before which its windows lie.
    pub(crate) fn ranged(&self, range: &Range, steps: &Steps) -> Evaluated<(std::borrow::Cow<'_, [Series]>, Steps)> {
        match &range.source {
            RangeSource::Samples(selector) => {
                let moments = looked_at(selector.when, steps, &self.root);
                Ok((self.data[selector.index].as_slice().into(), moments))
            }
            RangeSource::Subquery { expression, when, step } => {
                let moments = looked_at(*when, steps, &self.root);
                let inner = subquery_steps(*step, range.length, &moments);
                if inner.count() > self.limits.points {
                    return Err(EvaluationError::TooManyPoints);
                }
                let rows = match self.value(expression, &inner)? {
                    Value::Vector(rows) => rows,
                    Value::Scalar(values) => vec![Row::without_labels(values)],
                    Value::Text(_) => return Err(EvaluationError::Argument("a string has no range")),
                };
                let series = rows.into_iter().map(|row| {
                    let mut series = Series::new(row.labels);
                    for (time, value) in inner.times().zip(row.values) {
                        if let Some(value) = value {
                            series.push(time, value, 0);
                        }
                    }
                    series
                });
                Ok((series.collect::<Vec<_>>().into(), moments))
            }
        }
    }

    fn windows(
        &self,
        range: &Range,
        steps: &Steps,
        function: WindowFunction,
        parameter: &[f64],
    ) -> Evaluated<Vec<Row>> {
        let (all, moments) = self.ranged(range, steps)?;
        let mut rows = Vec::new();
        for series in all.iter() {
            if (self.limits.expired)() {
                return Err(EvaluationError::Expired);
            }
            self.count_points(steps.count())?;
            let (times, values) = (series.times(), series.values());
            let (mut first, mut behind, mut looked_at) = (0, 0, 0);
            let mut row = Vec::with_capacity(steps.count());
            let mut asked = steps.times().zip(parameter);
            for end in moments.times() {
                let start = end - range.length;
                while times.get(behind).is_some_and(|time| *time <= end) {
                    behind += 1;
                }
                while first < behind && times[first] <= start {
                    first += 1;
                }
                looked_at += behind - first;
                if looked_at > SAMPLES_BETWEEN_LOOKS {
                    looked_at = 0;
                    if (self.limits.expired)() {
                        return Err(EvaluationError::Expired);
                    }
                }
                let window = Window { start, end, times: &times[first..behind], values: &values[first..behind] };
                if moments.count() == steps.count() {
                    row.extend(asked.next().map(|(moment, parameter)| function.of(window, *parameter, moment)));
                } else {
                    // One window for all steps.
                    row.extend(asked.by_ref().map(|(moment, parameter)| function.of(window, *parameter, moment)));
                }
            }
            let row = Row { labels: series.labels().clone(), values: row };
            if !row.is_empty() {
                rows.push(row);
            }
        }
        Ok(rows)
    }

    fn simple(&self, function: SimpleFunction, arguments: &[Expression], steps: &Steps) -> Evaluated<Value> {
        let rows = match arguments.first() {
            Some(of) => self.vector(of, steps)?,
            None if function.defaults_to_time() => {
                self.count_points(steps.count())?;
                let values = steps.times().map(|time| Some(time as f64 / 1_000.0)).collect();
                vec![Row { labels: Labels::default(), values }]
            }
            None => return Err(EvaluationError::Argument("a function needs an instant vector")),
        };
        let parameters = arguments.iter().skip(1).map(|one| self.scalar(one, steps)).collect::<Evaluated<Vec<_>>>()?;
        let parameter = |place: usize, step: usize| parameters.get(place).map(|values| values[step]);
        let rows = rows.into_iter().map(|Row { labels, mut values }| {
            for (step, (value, moment)) in values.iter_mut().zip(steps.times()).enumerate() {
                *value = value.and_then(|value| function.of(value, [parameter(0, step), parameter(1, step)], moment));
            }
            Row { labels, values }
        });
        Ok(Value::Vector(merged(rows.filter(|row| !row.is_empty()).map(without_name))?))
    }
}

fn without_name(row: Row) -> Row {
    Row { labels: row.labels.without_name(), ..row }
}

/// Sets a label to what an expression made, which could grow without end.
fn set_label(labels: &mut Labels, name: &str, value: &str) -> Evaluated<()> {
    if value.len() > LONGEST_LABEL {
        return Err(EvaluationError::LabelTooLong);
    }
    labels.set(name, value);
    Ok(())
}

fn absent(rows: &[Row], labels: &Labels, steps: &Steps) -> Vec<Row> {
    let nothing = |step: usize| rows.iter().all(|row| row.values[step].is_none());
    let values = (0..steps.count()).map(|step| nothing(step).then_some(1.0)).collect();
    let row = Row { labels: labels.clone(), values };
    if row.is_empty() { Vec::new() } else { vec![row] }
}
