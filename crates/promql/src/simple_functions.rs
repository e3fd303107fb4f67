//! Functions of single values.

use time::{OffsetDateTime, util::days_in_month};

/// A function of each value of a vector, perhaps with scalar parameters, or of scalars alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum SimpleFunction {
    Abs,
    Ceil,
    Floor,
    Round,
    Sqrt,
    Exp,
    Ln,
    Log2,
    Log10,
    Sgn,
    Deg,
    Rad,
    Acos,
    Acosh,
    Asin,
    Asinh,
    Atan,
    Atanh,
    Cos,
    Cosh,
    Sin,
    Sinh,
    Tan,
    Tanh,
    Clamp,
    ClampMin,
    ClampMax,
    Timestamp,
    Minute,
    Hour,
    DayOfWeek,
    DayOfMonth,
    DayOfYear,
    DaysInMonth,
    Month,
    Year,
}

impl SimpleFunction {
    const ALL: [(&'static str, Self); 35] = [
        ("abs", Self::Abs),
        ("ceil", Self::Ceil),
        ("floor", Self::Floor),
        ("round", Self::Round),
        ("sqrt", Self::Sqrt),
        ("exp", Self::Exp),
        ("ln", Self::Ln),
        ("log2", Self::Log2),
        ("log10", Self::Log10),
        ("sgn", Self::Sgn),
        ("deg", Self::Deg),
        ("rad", Self::Rad),
        ("acos", Self::Acos),
        ("acosh", Self::Acosh),
        ("asin", Self::Asin),
        ("asinh", Self::Asinh),
        ("atan", Self::Atan),
        ("atanh", Self::Atanh),
        ("cos", Self::Cos),
        ("cosh", Self::Cosh),
        ("sin", Self::Sin),
        ("sinh", Self::Sinh),
        ("tan", Self::Tan),
        ("tanh", Self::Tanh),
        ("clamp", Self::Clamp),
        ("clamp_min", Self::ClampMin),
        ("clamp_max", Self::ClampMax),
        ("minute", Self::Minute),
        ("hour", Self::Hour),
        ("day_of_week", Self::DayOfWeek),
        ("day_of_month", Self::DayOfMonth),
        ("day_of_year", Self::DayOfYear),
        ("days_in_month", Self::DaysInMonth),
        ("month", Self::Month),
        ("year", Self::Year),
    ];

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, function)| (known == name).then_some(function))
    }

    /// Whether it is of the time of evaluation when it is given nothing.
    pub(crate) const fn defaults_to_time(self) -> bool {
        matches!(
            self,
            Self::Minute
                | Self::Hour
                | Self::DayOfWeek
                | Self::DayOfMonth
                | Self::DayOfYear
                | Self::DaysInMonth
                | Self::Month
                | Self::Year
        )
    }

    /// The value for `value` at a moment in milliseconds; `None` takes the series away.
    pub(crate) fn of(self, value: f64, parameters: [Option<f64>; 2], moment: i64) -> Option<f64> {
        let [first, second] = parameters;
        Some(match self {
            Self::Abs => value.abs(),
            Self::Ceil => value.ceil(),
            Self::Floor => value.floor(),
            Self::Round => {
                // By the inverse, so that tenths stay tenths.
                let inverse = 1.0 / first.unwrap_or(1.0);
                (value * inverse + 0.5).floor() / inverse
            }
            Self::Sqrt => value.sqrt(),
            Self::Exp => value.exp(),
            Self::Ln => value.ln(),
            Self::Log2 => value.log2(),
            Self::Log10 => value.log10(),
            Self::Sgn => {
                if value > 0.0 {
                    1.0
                } else if value < 0.0 {
                    -1.0
                } else {
                    value
                }
            }
            Self::Deg => value.to_degrees(),
            Self::Rad => value.to_radians(),
            Self::Acos => value.acos(),
            Self::Acosh => value.acosh(),
            Self::Asin => value.asin(),
            Self::Asinh => value.asinh(),
            Self::Atan => value.atan(),
            Self::Atanh => value.atanh(),
            Self::Cos => value.cos(),
            Self::Cosh => value.cosh(),
            Self::Sin => value.sin(),
            Self::Sinh => value.sinh(),
            Self::Tan => value.tan(),
            Self::Tanh => value.tanh(),
            Self::Clamp => {
                let (least, greatest) = (first?, second?);
                if greatest < least {
                    return None;
                }
                no_less(no_more(value, greatest), least)
            }
            Self::ClampMin => no_less(value, first?),
            Self::ClampMax => no_more(value, first?),
            Self::Timestamp => moment as f64 / 1_000.0,
            _ => return Some(self.of_date(value)),
        })
    }

    fn of_date(self, seconds: f64) -> f64 {
        let date = OffsetDateTime::from_unix_timestamp(seconds as i64).ok().filter(|_| seconds.is_finite());
        let Some(date) = date else { return f64::NAN };
        match self {
            Self::Minute => f64::from(date.minute()),
            Self::Hour => f64::from(date.hour()),
            Self::DayOfWeek => f64::from(date.weekday().number_days_from_sunday()),
            Self::DayOfMonth => f64::from(date.day()),
            Self::DayOfYear => f64::from(date.ordinal()),
            Self::DaysInMonth => f64::from(days_in_month(date.month(), date.year())),
            Self::Month => f64::from(u8::from(date.month())),
            _ => f64::from(date.year()),
        }
    }
}

/// What is no number stays none.
fn no_less(value: f64, least: f64) -> f64 {
    if value.is_nan() || least.is_nan() { f64::NAN } else { value.max(least) }
}

fn no_more(value: f64, greatest: f64) -> f64 {
    if value.is_nan() || greatest.is_nan() { f64::NAN } else { value.min(greatest) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn functions_of_one_value_give_what_their_names_say() {
        // 2024-02-29T13:37:00Z, a Thursday.
        const LEAP_DAY: f64 = 1_709_213_820.0;
        for (name, value, parameters, expected) in [
            ("abs", -1.5, [None, None], Some(1.5)),
            ("ceil", 1.2, [None, None], Some(2.0)),
            ("floor", -1.2, [None, None], Some(-2.0)),
            ("round", 2.5, [None, None], Some(3.0)),
            ("round", -2.5, [None, None], Some(-2.0)),
            ("round", 13.37, [Some(0.1), None], Some(13.4)),
            ("sgn", -7.0, [None, None], Some(-1.0)),
            ("sgn", 0.0, [None, None], Some(0.0)),
            ("clamp", 5.0, [Some(1.0), Some(3.0)], Some(3.0)),
            ("clamp", 5.0, [Some(3.0), Some(1.0)], None),
            ("clamp_min", 5.0, [Some(7.0), None], Some(7.0)),
            ("clamp_max", 5.0, [Some(7.0), None], Some(5.0)),
            ("deg", std::f64::consts::PI, [None, None], Some(180.0)),
            ("minute", LEAP_DAY, [None, None], Some(37.0)),
            ("hour", LEAP_DAY, [None, None], Some(13.0)),
            ("day_of_week", LEAP_DAY, [None, None], Some(4.0)),
            ("day_of_month", LEAP_DAY, [None, None], Some(29.0)),
            ("day_of_year", LEAP_DAY, [None, None], Some(60.0)),
            ("days_in_month", LEAP_DAY, [None, None], Some(29.0)),
            ("month", LEAP_DAY, [None, None], Some(2.0)),
            ("year", LEAP_DAY, [None, None], Some(2024.0)),
        ] {
            let function = SimpleFunction::from_name(name).expect("a function");
            assert_eq!(function.of(value, parameters, 0), expected, "{name}({value})");
        }
        assert!(SimpleFunction::Hour.of(f64::NAN, [None, None], 0).is_some_and(f64::is_nan));
        assert!(SimpleFunction::Year.of(1e300, [None, None], 0).is_some_and(f64::is_nan));
    }
}
