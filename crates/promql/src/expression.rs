use promql_parser::label::{Matcher, Matchers};
use regex::Regex;

use crate::Labels;
use crate::labels::METRIC_NAME;
use crate::simple_functions::SimpleFunction;
use crate::windows::WindowFunction;

/// Which series a selector takes.
#[derive(Clone, Debug)]
pub struct SeriesFilter(Vec<Matcher>);

impl SeriesFilter {
    pub(crate) fn new(name: Option<String>, matchers: Matchers) -> Result<Self, String> {
        if !matchers.or_matchers.is_empty() {
            return Err("unsupported: `or` between the matchers of a selector".to_owned());
        }
        let mut all = matchers.matchers;
        if let Some(name) = name {
            all.push(Matcher::new_metric_name_matcher(name)?);
        }
        Ok(Self(all))
    }

    /// Whether it takes a series of those labels.
    #[must_use]
    pub fn takes(&self, labels: &Labels) -> bool {
        self.0.iter().all(|matcher| matcher.is_match(labels.get(&matcher.name)))
    }

    /// Whether it takes series with that value of a label, whatever their other labels are.
    #[must_use]
    pub fn may_take(&self, label: &str, value: &str) -> bool {
        self.0.iter().filter(|matcher| matcher.name == label).all(|matcher| matcher.is_match(value))
    }

    /// The labels that must have one certain value, but for the metric's name.
    pub(crate) fn certain_labels(&self) -> Labels {
        let mut labels = Labels::default();
        for matcher in &self.0 {
            let given_once = self.0.iter().filter(|other| other.name == matcher.name).count() == 1;
            let certain = matches!(matcher.op, promql_parser::label::MatchOp::Equal);
            if certain && given_once && matcher.name != METRIC_NAME {
                labels.set(&matcher.name, &matcher.value);
            }
        }
        labels
    }
}

/// Which moment a selector looks at instead of the one of evaluation, in milliseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct When {
    pub(crate) at: Option<At>,
    /// Earlier by so much.
    pub(crate) offset: i64,
}

/// A moment of the whole query.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum At {
    Start,
    End,
    Time(i64),
}

#[derive(Clone, Debug)]
pub(crate) struct Selector {
    /// Its place among the selectors of the query.
    pub(crate) index: usize,
    pub(crate) filter: SeriesFilter,
    pub(crate) when: When,
}

/// What a range vector is made of.
#[derive(Debug)]
pub(crate) enum RangeSource {
    Samples(Selector),
    /// Values of an expression every `step` milliseconds.
    Subquery {
        expression: Box<Expression>,
        when: When,
        step: Option<i64>,
    },
}

/// What lies in so many milliseconds before each moment.
#[derive(Debug)]
pub(crate) struct Range {
    pub(crate) source: RangeSource,
    pub(crate) length: i64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Arithmetic {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulo,
    Power,
    Atan2,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equal,
    NotEqual,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SetOperator {
    And,
    Or,
    Unless,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum BinaryOperator {
    Arithmetic(Arithmetic),
    /// Keeps what is true, or says 1 and 0 with `as_bool`.
    Comparison {
        comparison: Comparison,
        as_bool: bool,
    },
    Set(SetOperator),
}

/// Which of several series with equal signatures may stand on a side.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    One,
    /// Many on the left, which take these labels from the right.
    ManyLeft(Vec<String>),
    /// Many on the right, which take these labels from the left.
    ManyRight(Vec<String>),
}

/// Which labels belong together: of two operands, or of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LabelChoice {
    Only(Vec<String>),
    Without(Vec<String>),
}

impl LabelChoice {
    /// Those of the labels that were chosen; the metric's name only if it was chosen by name.
    pub(crate) fn of(&self, labels: &Labels) -> Labels {
        match self {
            Self::Only(names) => labels.only(names),
            Self::Without(names) => labels.without(names).without_name(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AggregateOperator {
    Sum,
    Avg,
    Min,
    Max,
    Count,
    Group,
    Stddev,
    Stdvar,
    Quantile,
    Topk,
    Bottomk,
    CountValues,
}

/// What a query asks for, with its functions known and its arguments counted.
#[derive(Debug)]
pub(crate) enum Expression {
    Number(f64),
    Text(String),
    Selector(Selector),
    /// The time of each moment, in seconds.
    Time,
    /// When the newest sample of each series was taken, in seconds.
    TimestampOf(Selector),
    Window {
        function: WindowFunction,
        parameters: Vec<Expression>,
        range: Range,
    },
    Simple {
        function: SimpleFunction,
        arguments: Vec<Expression>,
    },
    /// 1 where nothing is, with those labels.
    Absent {
        of: Box<Expression>,
        labels: Labels,
    },
    AbsentOverTime {
        range: Range,
        labels: Labels,
    },
    Scalar(Box<Expression>),
    Vector(Box<Expression>),
    LabelReplace {
        of: Box<Expression>,
        target: String,
        replacement: String,
        source: String,
        pattern: Regex,
    },
    LabelJoin {
        of: Box<Expression>,
        target: String,
        separator: String,
        sources: Vec<String>,
    },
    Sort {
        of: Box<Expression>,
        descending: bool,
    },
    Aggregate {
        operator: AggregateOperator,
        by: LabelChoice,
        parameter: Option<Box<Expression>>,
        of: Box<Expression>,
    },
    Binary {
        operator: BinaryOperator,
        left: Box<Expression>,
        right: Box<Expression>,
        matching: LabelChoice,
        side: Side,
    },
    Negate(Box<Expression>),
}

impl Expression {
    /// Whether the order of its series says something.
    pub(crate) const fn is_ordered(&self) -> bool {
        matches!(
            self,
            Self::Sort { .. } | Self::Aggregate { operator: AggregateOperator::Topk | AggregateOperator::Bottomk, .. }
        )
    }
}
