//! Many series become one for each group.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap};

use crate::expression::{AggregateOperator, LabelChoice};
use crate::labels::Labels;
use crate::series::Row;
use crate::windows::{greatest, least, mean, quantile, sum, variance};
use crate::{EvaluationError, plain_value};

/// What `operator` makes of the rows; `parameter` has one value a step for the operators that take one.
pub(crate) fn aggregate(operator: AggregateOperator, by: &LabelChoice, parameter: &[f64], rows: Vec<Row>) -> Vec<Row> {
    let mut groups: BTreeMap<Labels, Vec<Row>> = BTreeMap::new();
    for row in rows {
        groups.entry(by.of(&row.labels)).or_default().push(row);
    }
    let fold = |groups: BTreeMap<Labels, Vec<Row>>, of: &dyn Fn(usize, &mut Vec<f64>) -> f64| {
        groups.into_iter().map(|(labels, rows)| Row { values: at_each_step(&rows, of), labels }).collect()
    };
    match operator {
        AggregateOperator::Sum => fold(groups, &|_, values| sum(values.iter().copied())),
        AggregateOperator::Avg => fold(groups, &|_, values| mean(values)),
        AggregateOperator::Min => fold(groups, &|_, values| least(values.iter().copied())),
        AggregateOperator::Max => fold(groups, &|_, values| greatest(values.iter().copied())),
        AggregateOperator::Count => fold(groups, &|_, values| values.len() as f64),
        AggregateOperator::Group => fold(groups, &|_, _| 1.0),
        AggregateOperator::Stddev => fold(groups, &|_, values| variance(values).sqrt()),
        AggregateOperator::Stdvar => fold(groups, &|_, values| variance(values)),
        AggregateOperator::Quantile => fold(groups, &|step, values| quantile(parameter[step], values)),
        AggregateOperator::Topk => groups.into_values().flat_map(|rows| extremes(rows, parameter, true)).collect(),
        AggregateOperator::Bottomk => groups.into_values().flat_map(|rows| extremes(rows, parameter, false)).collect(),
        // Its parameter is a text.
        AggregateOperator::CountValues => Vec::new(),
    }
}

fn at_each_step(rows: &[Row], of: &dyn Fn(usize, &mut Vec<f64>) -> f64) -> Vec<Option<f64>> {
    let steps = rows.first().map_or(0, |row| row.values.len());
    let mut present = Vec::with_capacity(rows.len());
    (0..steps)
        .map(|step| {
            present.clear();
            present.extend(rows.iter().filter_map(|row| row.values[step]));
            (!present.is_empty()).then(|| of(step, &mut present))
        })
        .collect()
}

/// At each step the series with the greatest or the least values, under their own labels. At the last step they stand in
/// the order of their values.
fn extremes(mut rows: Vec<Row>, wanted: &[f64], greatest: bool) -> Vec<Row> {
    for (step, wanted) in wanted.iter().enumerate() {
        let mut order: Vec<(usize, f64)> =
            rows.iter().enumerate().filter_map(|(place, row)| Some((place, row.values[step]?))).collect();
        sort_by_value(&mut order, greatest);
        // What is no number, or less than one, chooses nothing.
        let most = if *wanted >= 1.0 { *wanted as usize } else { 0 };
        for (place, _) in order.into_iter().skip(most) {
            rows[place].values[step] = None;
        }
    }
    rows.retain(|row| !row.is_empty());
    sorted_by_last_value(rows, greatest)
}

/// The rows in the order of their values at the last step.
pub(crate) fn sorted_by_last_value(rows: Vec<Row>, descending: bool) -> Vec<Row> {
    let with_last = |row: Row| {
        let last = row.values.last().copied().flatten().unwrap_or(f64::NAN);
        (row, last)
    };
    let mut ordered: Vec<(Row, f64)> = rows.into_iter().map(with_last).collect();
    sort_by_value(&mut ordered, descending);
    ordered.into_iter().map(|(row, _)| row).collect()
}

/// What is no number comes last.
fn sort_by_value<T>(pairs: &mut [(T, f64)], descending: bool) {
    pairs.sort_by(|(_, a), (_, b)| {
        let by_value = if descending { b.total_cmp(a) } else { a.total_cmp(b) };
        a.is_nan().cmp(&b.is_nan()).then(by_value)
    });
}

/// How many series of each group have each value, which stands in the label `name`.
/// `made` is asked before each series that is made.
pub(crate) fn count_values(
    name: &str,
    by: &LabelChoice,
    rows: &[Row],
    steps: usize,
    made: &dyn Fn() -> Result<(), EvaluationError>,
) -> Result<Vec<Row>, EvaluationError> {
    let mut counts: HashMap<Labels, Vec<Option<f64>>> = HashMap::new();
    for row in rows {
        let group = by.of(&row.labels);
        for (step, value) in row.values.iter().enumerate() {
            let Some(value) = value else { continue };
            let mut labels = group.clone();
            labels.set(name, &plain_value(*value));
            let counted = match counts.entry(labels) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(new) => {
                    made()?;
                    new.insert(vec![None; steps])
                }
            };
            counted[step] = Some(counted[step].unwrap_or(0.0) + 1.0);
        }
    }
    Ok(counts.into_iter().map(|(labels, values)| Row { labels, values }).collect())
}
