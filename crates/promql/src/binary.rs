//! Operators between two operands.

use std::collections::HashMap;

use crate::EvaluationError;
use crate::expression::{Arithmetic, BinaryOperator, Comparison, LabelChoice, SetOperator, Side};
use crate::labels::Labels;
use crate::series::{Row, merged};

impl Arithmetic {
    fn of(self, left: f64, right: f64) -> f64 {
        match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Modulo => left % right,
            Self::Power => left.powf(right),
            Self::Atan2 => left.atan2(right),
        }
    }
}

impl Comparison {
    fn holds(self, left: f64, right: f64) -> bool {
        match self {
            Self::Equal => left == right,
            Self::NotEqual => left != right,
            Self::Less => left < right,
            Self::LessOrEqual => left <= right,
            Self::Greater => left > right,
            Self::GreaterOrEqual => left >= right,
        }
    }
}

/// What an operator makes of two numbers; a comparison that does not hold takes them away, and one that holds leaves
/// `kept`.
fn of_numbers(operator: BinaryOperator, left: f64, right: f64, kept: f64) -> Option<f64> {
    match operator {
        BinaryOperator::Arithmetic(arithmetic) => Some(arithmetic.of(left, right)),
        BinaryOperator::Comparison { comparison, as_bool: true } => {
            Some(if comparison.holds(left, right) { 1.0 } else { 0.0 })
        }
        BinaryOperator::Comparison { comparison, as_bool: false } => comparison.holds(left, right).then_some(kept),
        BinaryOperator::Set(_) => None,
    }
}

/// Between two scalars a comparison says 1 and 0.
pub(crate) fn scalars(operator: BinaryOperator, left: &[f64], right: &[f64]) -> Vec<f64> {
    let operator = match operator {
        BinaryOperator::Comparison { comparison, .. } => BinaryOperator::Comparison { comparison, as_bool: true },
        operator => operator,
    };
    left.iter().zip(right).map(|(left, right)| of_numbers(operator, *left, *right, *left).unwrap_or(f64::NAN)).collect()
}

/// Whether what comes out is of another metric than what went in.
const fn loses_name(operator: BinaryOperator) -> bool {
    !matches!(operator, BinaryOperator::Comparison { as_bool: false, .. } | BinaryOperator::Set(_))
}

pub(crate) fn vector_and_scalar(
    operator: BinaryOperator,
    rows: Vec<Row>,
    scalar: &[f64],
    scalar_is_left: bool,
) -> Result<Vec<Row>, EvaluationError> {
    let rows = rows.into_iter().map(|Row { labels, mut values }| {
        for (value, scalar) in values.iter_mut().zip(scalar) {
            *value = value.and_then(|value| {
                let (left, right) = if scalar_is_left { (*scalar, value) } else { (value, *scalar) };
                of_numbers(operator, left, right, value)
            });
        }
        Row { labels: if loses_name(operator) { labels.without_name() } else { labels }, values }
    });
    merged(rows.filter(|row| !row.is_empty()))
}

pub(crate) fn sets(
    operator: SetOperator,
    left: Vec<Row>,
    right: Vec<Row>,
    matching: &LabelChoice,
) -> Result<Vec<Row>, EvaluationError> {
    let presence = |rows: &[Row]| {
        let mut present: HashMap<Labels, Vec<bool>> = HashMap::new();
        for row in rows {
            let steps = present.entry(matching.of(&row.labels)).or_insert_with(|| vec![false; row.values.len()]);
            for (step, value) in steps.iter_mut().zip(&row.values) {
                *step |= value.is_some();
            }
        }
        present
    };
    // The values at steps where the other side has one of the same signature, or where it has none.
    let kept = |rows: Vec<Row>, other: HashMap<Labels, Vec<bool>>, where_present: bool| {
        let rows = rows.into_iter().map(move |Row { labels, mut values }| {
            let present = other.get(&matching.of(&labels));
            for (step, value) in values.iter_mut().enumerate() {
                if present.is_some_and(|present| present[step]) != where_present {
                    *value = None;
                }
            }
            Row { labels, values }
        });
        rows.filter(|row| !row.is_empty()).collect::<Vec<_>>()
    };
    Ok(match operator {
        SetOperator::And => kept(left, presence(&right), true),
        SetOperator::Unless => kept(left, presence(&right), false),
        SetOperator::Or => {
            let added = kept(right, presence(&left), false);
            // A series may come from the left at some steps and from the right at others, and never from both.
            merged(left.into_iter().chain(added))?
        }
    })
}

pub(crate) fn vectors(
    operator: BinaryOperator,
    left: Vec<Row>,
    right: Vec<Row>,
    matching: &LabelChoice,
    side: &Side,
) -> Result<Vec<Row>, EvaluationError> {
    let many_right = matches!(side, Side::ManyRight(_));
    let (many, one) = if many_right { (right, left) } else { (left, right) };
    let mut ones: HashMap<Labels, Vec<Row>> = HashMap::new();
    for row in one {
        ones.entry(matching.of(&row.labels)).or_default().push(row);
    }
    let steps = many.first().map_or(0, |row| row.values.len());
    // Where nothing stands on the other side, nothing is wrong.
    let asked: Vec<bool> = (0..steps).map(|step| many.iter().any(|row| row.values[step].is_some())).collect();
    for rows in ones.values() {
        refuse_many_at_once(rows, &asked, if many_right { "left" } else { "right" })?;
    }
    let mut matched: HashMap<Labels, Vec<bool>> = HashMap::new();
    let mut results: HashMap<Labels, Vec<Option<f64>>> = HashMap::new();
    for row in &many {
        let signature = matching.of(&row.labels);
        for other in ones.get(&signature).into_iter().flatten() {
            let values = row.values.iter().zip(&other.values).map(|(value, other)| {
                let (left, right) = if many_right { ((*other)?, (*value)?) } else { ((*value)?, (*other)?) };
                of_numbers(operator, left, right, left)
            });
            let values: Vec<Option<f64>> = values.collect();
            if values.iter().all(Option::is_none) {
                continue;
            }
            if *side == Side::One {
                let matched = matched.entry(signature.clone()).or_insert_with(|| vec![false; steps]);
                for (matched, value) in matched.iter_mut().zip(&values) {
                    if *matched && value.is_some() {
                        return Err(EvaluationError::Matching(
                            "multiple matches for labels: many-to-one matching must be explicit (group_left/group_right)"
                                .to_owned(),
                        ));
                    }
                    *matched |= value.is_some();
                }
            }
            let labels = result_labels(operator, &row.labels, &other.labels, matching, side);
            match results.get_mut(&labels) {
                None => _ = results.insert(labels, values),
                Some(known) => {
                    for (known, value) in known.iter_mut().zip(values) {
                        if known.is_some() && value.is_some() {
                            return Err(EvaluationError::Matching(
                                "multiple matches for labels: grouping labels must ensure unique matches".to_owned(),
                            ));
                        }
                        *known = known.or(value);
                    }
                }
            }
        }
    }
    Ok(results.into_iter().map(|(labels, values)| Row { labels, values }).collect())
}

/// At no step that is asked for may two series of one signature have values on a side that must have one.
fn refuse_many_at_once(rows: &[Row], asked: &[bool], side: &str) -> Result<(), EvaluationError> {
    for (step, _) in asked.iter().enumerate().filter(|(_, asked)| **asked && rows.len() > 1) {
        let mut present = rows.iter().filter(|row| row.values[step].is_some());
        if let (Some(one), Some(other)) = (present.next(), present.next()) {
            return Err(EvaluationError::Matching(format!(
                "found duplicate series for the match group on the {side} hand-side of the operation: {:?} and {:?}; \
                 many-to-many matching not allowed: matching labels must be unique on one side",
                one.labels, other.labels,
            )));
        }
    }
    Ok(())
}

fn result_labels(operator: BinaryOperator, many: &Labels, one: &Labels, matching: &LabelChoice, side: &Side) -> Labels {
    let mut labels = many.clone();
    if loses_name(operator) {
        labels = labels.without_name();
    }
    match side {
        Side::One => match matching {
            LabelChoice::Only(names) => labels.only(names),
            LabelChoice::Without(names) => labels.without(names),
        },
        Side::ManyLeft(taken) | Side::ManyRight(taken) => {
            for name in taken {
                labels.set(name, one.get(name));
            }
            // What says 1 or 0 is of no metric.
            if matches!(operator, BinaryOperator::Comparison { as_bool: true, .. }) {
                labels.without_name()
            } else {
                labels
            }
        }
    }
}
