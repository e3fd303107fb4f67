//! What functions of range vectors make of the samples in a window.

/// The samples of one series in the window (`start`, `end`] of time, in milliseconds; at least one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Window<'a> {
    pub(crate) start: i64,
    pub(crate) end: i64,
    pub(crate) times: &'a [i64],
    pub(crate) values: &'a [f64],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WindowFunction {
    Avg,
    Min,
    Max,
    Sum,
    Count,
    First,
    Last,
    Present,
    Stddev,
    Stdvar,
    Quantile,
    Changes,
    Resets,
    Rate,
    Increase,
    Delta,
    Irate,
    Idelta,
    Deriv,
    PredictLinear,
}

impl WindowFunction {
    const ALL: [(&'static str, Self); 20] = [
        ("avg_over_time", Self::Avg),
        ("min_over_time", Self::Min),
        ("max_over_time", Self::Max),
        ("sum_over_time", Self::Sum),
        ("count_over_time", Self::Count),
        ("first_over_time", Self::First),
        ("last_over_time", Self::Last),
        ("present_over_time", Self::Present),
        ("stddev_over_time", Self::Stddev),
        ("stdvar_over_time", Self::Stdvar),
        ("quantile_over_time", Self::Quantile),
        ("changes", Self::Changes),
        ("resets", Self::Resets),
        ("rate", Self::Rate),
        ("increase", Self::Increase),
        ("delta", Self::Delta),
        ("irate", Self::Irate),
        ("idelta", Self::Idelta),
        ("deriv", Self::Deriv),
        ("predict_linear", Self::PredictLinear),
    ];

    pub(crate) fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find_map(|(known, function)| (known == name).then_some(function))
    }

    /// Whether the values are still of the metric that was selected.
    pub(crate) const fn keeps_name(self) -> bool {
        matches!(self, Self::First | Self::Last)
    }

    /// The value of a window. `parameter` is the quantile of [`WindowFunction::Quantile`] and the seconds of
    /// [`WindowFunction::PredictLinear`]; others have none. `moment` is the time of evaluation, which lies behind the
    /// window if there is an offset.
    pub(crate) fn of(self, window: Window<'_>, parameter: f64, moment: i64) -> Option<f64> {
        let Window { times, values, .. } = window;
        let (first, last) = (values.first()?, values.last()?);
        let count = values.len() as f64;
        Some(match self {
            Self::Avg => mean(values),
            Self::Min => least(values.iter().copied()),
            Self::Max => greatest(values.iter().copied()),
            Self::Sum => sum(values.iter().copied()),
            Self::Count => count,
            Self::First => *first,
            Self::Last => *last,
            Self::Present => 1.0,
            Self::Stddev => variance(values).sqrt(),
            Self::Stdvar => variance(values),
            Self::Quantile => quantile(parameter, &mut values.to_vec()),
            Self::Changes => {
                let differs = |pair: &[f64]| pair[0] != pair[1] && !(pair[0].is_nan() && pair[1].is_nan());
                values.windows(2).filter(|pair| differs(pair)).count() as f64
            }
            Self::Resets => values.windows(2).filter(|pair| pair[1] < pair[0]).count() as f64,
            Self::Rate => extrapolated(window, true)? / seconds(window.end - window.start),
            Self::Increase => extrapolated(window, true)?,
            Self::Delta => extrapolated(window, false)?,
            Self::Irate | Self::Idelta => {
                let [.., before, last] = values else { return None };
                let [.., then, now] = times else { return None };
                if self == Self::Idelta {
                    last - before
                } else {
                    // A counter that fell began anew.
                    let rise = if last < before { *last } else { last - before };
                    rise / seconds(now - then)
                }
            }
            Self::Deriv => line_through(times, values, times.first().copied()?)?.0,
            Self::PredictLinear => {
                let (slope, intercept) = line_through(times, values, moment)?;
                slope * parameter + intercept
            }
        })
    }
}

fn seconds(millis: i64) -> f64 {
    millis as f64 / 1_000.0
}

/// The sum, with what each addition loses added again (Neumaier).
pub(crate) fn sum(values: impl Iterator<Item = f64>) -> f64 {
    let mut sum = Sum::default();
    values.for_each(|value| sum.add(value));
    sum.total()
}

#[derive(Clone, Copy, Debug, Default)]
struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    fn add(&mut self, value: f64) {
        let sum = self.sum + value;
        if sum.is_finite() {
            self.lost +=
                if self.sum.abs() >= value.abs() { (self.sum - sum) + value } else { (value - sum) + self.sum };
        } else {
            self.lost = 0.0;
        }
        self.sum = sum;
    }

    fn total(self) -> f64 {
        self.sum + self.lost
    }
}

pub(crate) fn mean(values: &[f64]) -> f64 {
    sum(values.iter().copied()) / values.len() as f64
}

/// The least of the values; numbers are less than none.
pub(crate) fn least(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NAN, |least, value| if value < least || least.is_nan() { value } else { least })
}

/// The greatest of the values; numbers are greater than none.
pub(crate) fn greatest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(f64::NAN, |greatest, value| if value > greatest || greatest.is_nan() { value } else { greatest })
}

/// The variance of the whole population.
pub(crate) fn variance(values: &[f64]) -> f64 {
    let mean = mean(values);
    sum(values.iter().map(|value| (value - mean) * (value - mean))) / values.len() as f64
}

/// The value below which `share` of the values lie, between the two nearest ones; sorts them.
pub(crate) fn quantile(share: f64, values: &mut [f64]) -> f64 {
    if values.is_empty() || share.is_nan() {
        return f64::NAN;
    }
    if share < 0.0 {
        return f64::NEG_INFINITY;
    }
    if share > 1.0 {
        return f64::INFINITY;
    }
    // What is no number comes first, as in Prometheus.
    values.sort_unstable_by(|a, b| b.is_nan().cmp(&a.is_nan()).then(a.total_cmp(b)));
    let rank = share * (values.len() - 1) as f64;
    let (below, weight) = (rank.floor(), rank - rank.floor());
    let below = below as usize;
    let above = (below + 1).min(values.len() - 1);
    values[below] * (1.0 - weight) + values[above] * weight
}

/// By how much the series rises over the whole window, whose ends lie beyond the first and the last sample: Prometheus
/// goes on at the slope between these, but not far beyond the usual distance of two samples, and never below zero for a
/// counter.
fn extrapolated(window: Window<'_>, is_counter: bool) -> Option<f64> {
    let Window { start, end, times, values } = window;
    let ([first_time, .., last_time], [first, .., last]) = (times, values) else { return None };
    let mut rise = last - first;
    if is_counter {
        rise += values.windows(2).filter(|pair| pair[1] < pair[0]).map(|pair| pair[0]).sum::<f64>();
    }
    let sampled = seconds(last_time - first_time);
    let usual = sampled / (values.len() - 1) as f64;
    let bounded = |gap: f64| if gap >= usual * 1.1 { usual / 2.0 } else { gap };
    let mut before = bounded(seconds(first_time - start));
    if is_counter && rise > 0.0 && *first >= 0.0 {
        before = before.min(sampled * (first / rise));
    }
    let behind = bounded(seconds(end - last_time));
    Some(rise * ((sampled + before + behind) / sampled))
}

/// Slope by second, and value at `origin`, of the line nearest to the samples; two are needed.
fn line_through(times: &[i64], values: &[f64], origin: i64) -> Option<(f64, f64)> {
    if values.len() < 2 {
        return None;
    }
    if values.iter().all(|value| *value == values[0]) {
        return Some(if values[0].is_finite() { (0.0, values[0]) } else { (f64::NAN, f64::NAN) });
    }
    let count = values.len() as f64;
    let points = || times.iter().map(|time| seconds(time - origin)).zip(values.iter().copied());
    let (x_sum, y_sum) = (sum(points().map(|(x, _)| x)), sum(points().map(|(_, y)| y)));
    let (xy_sum, xx_sum) = (sum(points().map(|(x, y)| x * y)), sum(points().map(|(x, _)| x * x)));
    let slope = (xy_sum - x_sum * y_sum / count) / (xx_sum - x_sum * x_sum / count);
    Some((slope, y_sum / count - slope * x_sum / count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_function_of_a_window_gives_what_prometheus_gives() {
        // Expected by hand from the documented rules; `testing/steps/prometheus` compares with the program itself.
        let times = [10_000, 70_000, 130_000, 190_000];
        let values = [5.0, 8.0, 2.0, 6.0];
        let window = Window { start: 0, end: 240_000, times: &times, values: &values };
        // Rises by 3, then begins anew and rises by 2 and 4; 10 s before, 30 s (half of 60) behind, as 50 s is no more
        // than 1.1 times 60 s: 50 s.
        let rise = (6.0 - 5.0 + 8.0) * (180.0 + 10.0 + 50.0) / 180.0;
        for (function, parameter, expected) in [
            (WindowFunction::Avg, 0.0, 5.25),
            (WindowFunction::Min, 0.0, 2.0),
            (WindowFunction::Max, 0.0, 8.0),
            (WindowFunction::Sum, 0.0, 21.0),
            (WindowFunction::Count, 0.0, 4.0),
            (WindowFunction::First, 0.0, 5.0),
            (WindowFunction::Last, 0.0, 6.0),
            (WindowFunction::Present, 0.0, 1.0),
            (WindowFunction::Stdvar, 0.0, 4.6875),
            (WindowFunction::Stddev, 0.0, 4.6875_f64.sqrt()),
            (WindowFunction::Quantile, 0.5, 5.5),
            (WindowFunction::Quantile, 2.0, f64::INFINITY),
            (WindowFunction::Quantile, -1.0, f64::NEG_INFINITY),
            (WindowFunction::Changes, 0.0, 3.0),
            (WindowFunction::Resets, 0.0, 1.0),
            (WindowFunction::Increase, 0.0, rise),
            (WindowFunction::Rate, 0.0, rise / 240.0),
            (WindowFunction::Delta, 0.0, 240.0 / 180.0),
            (WindowFunction::Irate, 0.0, 4.0 / 60.0),
            (WindowFunction::Idelta, 0.0, 4.0),
            (WindowFunction::Deriv, 0.0, -0.005),
            (WindowFunction::PredictLinear, 60.0, 5.25 - 0.005 * (240.0 - 100.0 + 60.0)),
        ] {
            let value = function.of(window, parameter, 240_000).expect("a value");
            assert!(value == expected || (value - expected).abs() < 1e-12, "{function:?}: {value}, not {expected}");
        }
    }

    #[test]
    fn what_needs_two_samples_has_no_value_for_one() {
        let window = Window { start: 0, end: 60_000, times: &[30_000], values: &[1.0] };
        for (name, function) in WindowFunction::ALL {
            let needs_two = matches!(
                function,
                WindowFunction::Rate
                    | WindowFunction::Increase
                    | WindowFunction::Delta
                    | WindowFunction::Irate
                    | WindowFunction::Idelta
                    | WindowFunction::Deriv
                    | WindowFunction::PredictLinear
            );
            assert_eq!(function.of(window, 0.5, 60_000).is_none(), needs_two, "{name}");
        }
    }

    #[test]
    fn a_counter_is_never_thought_to_have_been_below_zero() {
        let window = Window { start: 0, end: 60_000, times: &[30_000, 60_000], values: &[1.0, 31.0] };
        let rise = WindowFunction::Increase.of(window, 0.0, 60_000).expect("a value");
        assert!((rise - 31.0).abs() < 1e-12, "{rise}");
    }

    #[test]
    fn sums_keep_what_small_numbers_add_to_large_ones() {
        assert_eq!(sum([1e100, 1.0, -1e100, 1.0].into_iter()), 2.0);
        assert_eq!(sum([f64::MAX, f64::MAX].into_iter()), f64::INFINITY);
        assert!(sum([f64::INFINITY, f64::NEG_INFINITY].into_iter()).is_nan());
        assert!(least([f64::NAN, f64::NAN].into_iter()).is_nan());
        assert_eq!(greatest([f64::NAN, 1.0, f64::NAN].into_iter()), 1.0);
    }
}
