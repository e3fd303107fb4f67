//! From the parser's tree to expressions whose functions are known and whose arguments fit.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::expression::{
    AggregateOperator, Arithmetic, At, BinaryOperator, Comparison, Expression, LabelChoice, Range, RangeSource,
    Selector, SeriesFilter, SetOperator, Side, When,
};
use crate::labels::Labels;
use crate::scan::anchored;
use crate::simple_functions::SimpleFunction;
use crate::windows::WindowFunction;
use promql_parser::parser::token::{self, TokenType};
use promql_parser::parser::value::ValueType;
use promql_parser::parser::{
    AggregateExpr, AtModifier, BinaryExpr, Call, Expr, LabelModifier, Offset, VectorMatchCardinality, VectorSelector,
};

/// What the root of a query is.
#[derive(Debug)]
pub(crate) enum Root {
    Expression(Expression),
    Range(Range),
}

#[derive(Default)]
pub(crate) struct Compiler {
    selectors: usize,
}

type Compiled<T> = Result<T, String>;

impl Compiler {
    pub(crate) fn root(&mut self, expr: Expr) -> Compiled<Root> {
        match expr {
            Expr::Paren(paren) => self.root(*paren.expr),
            expr if expr.value_type() == ValueType::Matrix => self.range(expr).map(Root::Range),
            expr => self.expression(expr).map(Root::Expression),
        }
    }

    fn expression(&mut self, expr: Expr) -> Compiled<Expression> {
        Ok(match expr {
            Expr::Paren(paren) => self.expression(*paren.expr)?,
            Expr::NumberLiteral(number) => Expression::Number(number.val),
            Expr::StringLiteral(text) => Expression::Text(text.val),
            Expr::VectorSelector(selector) => Expression::Selector(self.selector(selector)?),
            Expr::Unary(unary) => Expression::Negate(self.boxed(*unary.expr)?),
            Expr::Binary(binary) => self.binary(binary)?,
            Expr::Aggregate(aggregate) => self.aggregate(aggregate)?,
            Expr::Call(call) => self.call(call)?,
            Expr::MatrixSelector(_) | Expr::Subquery(_) => {
                return Err("a range vector stands where values are needed".to_owned());
            }
            Expr::Extension(_) => return Err("unsupported: extensions".to_owned()),
        })
    }

    fn boxed(&mut self, expr: Expr) -> Compiled<Box<Expression>> {
        self.expression(expr).map(Box::new)
    }

    fn selector(&mut self, selector: VectorSelector) -> Compiled<Selector> {
        let VectorSelector { name, matchers, offset, at, .. } = selector;
        let index = self.selectors;
        self.selectors += 1;
        Ok(Selector { index, filter: SeriesFilter::new(name, matchers)?, when: when(offset, at)? })
    }

    fn range(&mut self, expr: Expr) -> Compiled<Range> {
        match expr {
            Expr::Paren(paren) => self.range(*paren.expr),
            Expr::MatrixSelector(matrix) => {
                let length = positive(matrix.range)?;
                Ok(Range { source: RangeSource::Samples(self.selector(matrix.vs)?), length })
            }
            Expr::Subquery(subquery) => {
                let (length, step) = (positive(subquery.range)?, subquery.step.map(positive).transpose()?);
                let when = when(subquery.offset, subquery.at)?;
                let expression = self.boxed(*subquery.expr)?;
                Ok(Range { source: RangeSource::Subquery { expression, when, step }, length })
            }
            _ => Err("a range vector is needed, such as cpu[5m]".to_owned()),
        }
    }

    fn binary(&mut self, binary: BinaryExpr) -> Compiled<Expression> {
        let modifier = binary.modifier;
        let as_bool = modifier.as_ref().is_some_and(|modifier| modifier.return_bool);
        let filled =
            modifier.as_ref().is_some_and(|one| one.fill_values.lhs.is_some() || one.fill_values.rhs.is_some());
        if filled {
            return Err("unsupported: fill values of a binary operator".to_owned());
        }
        let operator = binary_operator(binary.op, as_bool)?;
        let (card, matching) =
            modifier.map_or((VectorMatchCardinality::OneToOne, None), |one| (one.card, one.matching));
        let side = match card {
            VectorMatchCardinality::ManyToOne(labels) => Side::ManyLeft(labels.labels),
            VectorMatchCardinality::OneToMany(labels) => Side::ManyRight(labels.labels),
            VectorMatchCardinality::OneToOne | VectorMatchCardinality::ManyToMany => Side::One,
        };
        let (left, right) = (self.boxed(*binary.lhs)?, self.boxed(*binary.rhs)?);
        Ok(Expression::Binary { operator, left, right, matching: label_choice(matching), side })
    }

    fn aggregate(&mut self, aggregate: AggregateExpr) -> Compiled<Expression> {
        let operator = match aggregate.op.id() {
            token::T_SUM => AggregateOperator::Sum,
            token::T_AVG => AggregateOperator::Avg,
            token::T_MIN => AggregateOperator::Min,
            token::T_MAX => AggregateOperator::Max,
            token::T_COUNT => AggregateOperator::Count,
            token::T_GROUP => AggregateOperator::Group,
            token::T_STDDEV => AggregateOperator::Stddev,
            token::T_STDVAR => AggregateOperator::Stdvar,
            token::T_QUANTILE => AggregateOperator::Quantile,
            token::T_TOPK => AggregateOperator::Topk,
            token::T_BOTTOMK => AggregateOperator::Bottomk,
            token::T_COUNT_VALUES => AggregateOperator::CountValues,
            _ => return Err(format!("unsupported aggregation: {}", aggregate.op)),
        };
        // Without `by` and `without`, everything is one group.
        let by = aggregate.modifier.map_or(LabelChoice::Only(Vec::new()), |modifier| label_choice(Some(modifier)));
        let parameter = aggregate.param.map(|parameter| self.boxed(*parameter)).transpose()?;
        Ok(Expression::Aggregate { operator, by, parameter, of: self.boxed(*aggregate.expr)? })
    }

    fn call(&mut self, call: Call) -> Compiled<Expression> {
        let name = call.func.name;
        let mut arguments = call.args.args.into_iter().map(|argument| *argument);
        let mut next = || arguments.next().ok_or_else(|| format!("{name} needs more arguments"));
        Ok(match name {
            "time" => Expression::Time,
            "pi" => Expression::Number(std::f64::consts::PI),
            "scalar" => Expression::Scalar(self.boxed(next()?)?),
            "vector" => Expression::Vector(self.boxed(next()?)?),
            "sort" | "sort_desc" => Expression::Sort { of: self.boxed(next()?)?, descending: name == "sort_desc" },
            "timestamp" => match unwrapped(next()?) {
                Expr::VectorSelector(selector) => Expression::TimestampOf(self.selector(selector)?),
                expr => {
                    Expression::Simple { function: SimpleFunction::Timestamp, arguments: vec![self.expression(expr)?] }
                }
            },
            "absent" => {
                let of = self.expression(next()?)?;
                let labels = if let Expression::Selector(selector) = &of {
                    selector.filter.certain_labels()
                } else {
                    Labels::default()
                };
                Expression::Absent { of: Box::new(of), labels }
            }
            "absent_over_time" => {
                let range = self.range(next()?)?;
                let labels = match &range.source {
                    RangeSource::Samples(selector) => selector.filter.certain_labels(),
                    RangeSource::Subquery { .. } => Labels::default(),
                };
                Expression::AbsentOverTime { range, labels }
            }
            "label_replace" => {
                let of = self.boxed(next()?)?;
                let (target, replacement, source) = (text(next()?)?, text(next()?)?, text(next()?)?);
                let given = text(next()?)?;
                let pattern = anchored(&given).map_err(|error| error.to_string())?;
                Expression::LabelReplace { of, target: label_name(target)?, replacement, source, pattern }
            }
            "label_join" => {
                let of = self.boxed(next()?)?;
                let (target, separator) = (label_name(text(next()?)?)?, text(next()?)?);
                let sources = arguments.map(text).collect::<Compiled<_>>()?;
                Expression::LabelJoin { of, target, separator, sources }
            }
            _ => {
                if let Some(function) = WindowFunction::from_name(name) {
                    let of_range = |argument: &Expr| argument.value_type() == ValueType::Matrix;
                    let (ranges, others): (Vec<Expr>, Vec<Expr>) = arguments.partition(of_range);
                    let range = ranges.into_iter().next().ok_or_else(|| format!("{name} needs a range vector"))?;
                    // In this order, whatever it is in the text: so they are met again.
                    let range = self.range(range)?;
                    let parameters = others.into_iter().map(|other| self.expression(other)).collect::<Compiled<_>>()?;
                    Expression::Window { function, parameters, range }
                } else if let Some(function) = SimpleFunction::from_name(name) {
                    let arguments = arguments.map(|argument| self.expression(argument)).collect::<Compiled<_>>()?;
                    Expression::Simple { function, arguments }
                } else {
                    return Err(format!("unsupported function: {name}"));
                }
            }
        })
    }
}

fn unwrapped(expr: Expr) -> Expr {
    match expr {
        Expr::Paren(paren) => unwrapped(*paren.expr),
        expr => expr,
    }
}

fn text(expr: Expr) -> Compiled<String> {
    match unwrapped(expr) {
        Expr::StringLiteral(text) => Ok(text.val),
        other => Err(format!("a string is needed instead of {other}")),
    }
}

fn label_name(name: String) -> Compiled<String> {
    if name.is_empty() { Err("a label's name is empty".to_owned()) } else { Ok(name) }
}

fn millis(duration: Duration) -> Compiled<i64> {
    i64::try_from(duration.as_millis()).map_err(|_| "a duration is too long".to_owned())
}

fn positive(duration: Duration) -> Compiled<i64> {
    let length = millis(duration)?;
    if length > 0 && length <= LONGEST { Ok(length) } else { Err("a duration must be from 1ms to 100y".to_owned()) }
}

/// Ten thousand years from 1970, in milliseconds.
const FARTHEST: i64 = 100 * LONGEST;
/// A hundred years.
const LONGEST: i64 = 100 * 366 * 86_400_000;

fn when(offset: Option<Offset>, at: Option<AtModifier>) -> Compiled<When> {
    let offset = match offset {
        None => 0,
        Some(Offset::Pos(duration)) => millis(duration)?,
        Some(Offset::Neg(duration)) => -millis(duration)?,
    };
    if offset.abs() > LONGEST {
        return Err("an offset must be of at most 100y".to_owned());
    }
    let at = match at {
        None => None,
        Some(AtModifier::Start) => Some(At::Start),
        Some(AtModifier::End) => Some(At::End),
        Some(AtModifier::At(time)) => Some(At::Time(since_1970(time)?)),
    };
    Ok(When { at, offset })
}

fn since_1970(time: SystemTime) -> Compiled<i64> {
    let since = match time.duration_since(UNIX_EPOCH) {
        Ok(since) => millis(since)?,
        Err(before) => -millis(before.duration())?,
    };
    if since.abs() <= FARTHEST { Ok(since) } else { Err("a time must be of this age".to_owned()) }
}

fn label_choice(modifier: Option<LabelModifier>) -> LabelChoice {
    match modifier {
        None => LabelChoice::Without(Vec::new()),
        Some(LabelModifier::Include(labels)) => LabelChoice::Only(labels.labels),
        Some(LabelModifier::Exclude(labels)) => LabelChoice::Without(labels.labels),
    }
}

fn binary_operator(operator: TokenType, as_bool: bool) -> Compiled<BinaryOperator> {
    let comparison = |comparison| BinaryOperator::Comparison { comparison, as_bool };
    Ok(match operator.id() {
        token::T_ADD => BinaryOperator::Arithmetic(Arithmetic::Add),
        token::T_SUB => BinaryOperator::Arithmetic(Arithmetic::Subtract),
        token::T_MUL => BinaryOperator::Arithmetic(Arithmetic::Multiply),
        token::T_DIV => BinaryOperator::Arithmetic(Arithmetic::Divide),
        token::T_MOD => BinaryOperator::Arithmetic(Arithmetic::Modulo),
        token::T_POW => BinaryOperator::Arithmetic(Arithmetic::Power),
        token::T_ATAN2 => BinaryOperator::Arithmetic(Arithmetic::Atan2),
        token::T_EQLC => comparison(Comparison::Equal),
        token::T_NEQ => comparison(Comparison::NotEqual),
        token::T_LSS => comparison(Comparison::Less),
        token::T_LTE => comparison(Comparison::LessOrEqual),
        token::T_GTR => comparison(Comparison::Greater),
        token::T_GTE => comparison(Comparison::GreaterOrEqual),
        token::T_LAND => BinaryOperator::Set(SetOperator::And),
        token::T_LOR => BinaryOperator::Set(SetOperator::Or),
        token::T_LUNLESS => BinaryOperator::Set(SetOperator::Unless),
        _ => return Err(format!("unsupported operator: {operator}")),
    })
}
