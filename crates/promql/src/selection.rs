use crate::compile::Root;
use crate::evaluate::{looked_at, subquery_steps};
use crate::expression::{Expression, Range, RangeSource, Selector, SeriesFilter};
use crate::steps::Steps;

/// The samples that a selector of a query needs.
#[derive(Clone, Debug)]
pub struct Selection {
    /// Which series.
    pub filter: SeriesFilter,
    /// Samples newer than this, in milliseconds since 1970.
    pub after: i64,
    /// Samples no newer than this.
    pub until: i64,
    moments: Steps,
    /// The length of its windows; `None` if it needs what is believed at each moment.
    range: Option<i64>,
}

impl Selection {
    /// Whether the query looks at a sample of that time if the next one that is newer has the time `next`.
    #[must_use]
    pub fn looks_at(&self, time: i64, next: Option<i64>) -> bool {
        match self.range {
            Some(range) => self.moments.touch(time, time.saturating_add(range)),
            None => self.moments.touch(time, next.unwrap_or(i64::MAX)),
        }
    }
}

struct Walk {
    root: Steps,
    lookback: i64,
    found: Vec<Selection>,
}

pub(crate) fn selections(query: &Root, steps: &Steps, lookback: i64) -> Vec<Selection> {
    let mut walk = Walk { root: *steps, lookback, found: Vec::new() };
    match query {
        Root::Expression(expression) => walk.expression(expression, steps),
        Root::Range(range) => walk.range(range, steps),
    }
    walk.found
}

impl Walk {
    fn selector(&mut self, selector: &Selector, steps: &Steps, range: Option<i64>) {
        debug_assert_eq!(selector.index, self.found.len(), "selectors are met in the order of their numbers");
        let moments = looked_at(selector.when, steps, &self.root);
        let back = range.unwrap_or(self.lookback);
        let (after, until) = (moments.first().saturating_sub(back), moments.last());
        self.found.push(Selection { filter: selector.filter.clone(), after, until, moments, range });
    }

    fn range(&mut self, range: &Range, steps: &Steps) {
        match &range.source {
            RangeSource::Samples(selector) => self.selector(selector, steps, Some(range.length)),
            RangeSource::Subquery { expression, when, step } => {
                let moments = looked_at(*when, steps, &self.root);
                self.expression(expression, &subquery_steps(*step, range.length, &moments));
            }
        }
    }

    /// Meets the selectors in the order in which they were numbered.
    fn expression(&mut self, expression: &Expression, steps: &Steps) {
        match expression {
            Expression::Number(_) | Expression::Text(_) | Expression::Time => {}
            Expression::Selector(selector) | Expression::TimestampOf(selector) => self.selector(selector, steps, None),
            Expression::Window { parameters, range, .. } => {
                self.range(range, steps);
                parameters.iter().for_each(|parameter| self.expression(parameter, steps));
            }
            Expression::Simple { arguments, .. } => {
                arguments.iter().for_each(|argument| self.expression(argument, steps));
            }
            Expression::AbsentOverTime { range, .. } => self.range(range, steps),
            Expression::Absent { of, .. }
            | Expression::Scalar(of)
            | Expression::Vector(of)
            | Expression::LabelReplace { of, .. }
            | Expression::LabelJoin { of, .. }
            | Expression::Sort { of, .. }
            | Expression::Negate(of) => self.expression(of, steps),
            Expression::Aggregate { parameter, of, .. } => {
                parameter.iter().for_each(|parameter| self.expression(parameter, steps));
                self.expression(of, steps);
            }
            Expression::Binary { left, right, .. } => {
                self.expression(left, steps);
                self.expression(right, steps);
            }
        }
    }
}
