//! Queries over a small fleet, answered as Prometheus answers them.

use crate::{Answer, EvaluationError, Labels, Limits, METRIC_NAME, Query, Series, Steps, format_value};

const MINUTE: i64 = 60_000;
const LOOKBACK: i64 = 5 * MINUTE;
const FREE: Limits<'_> = Limits { points: 1_000_000, expired: &|| false };

fn series(name: &str, labels: &[(&str, &str)], samples: impl IntoIterator<Item = (i64, f64)>) -> Series {
    let mut series = Series::new(labels.iter().copied().chain([(METRIC_NAME, name)]).collect());
    for (time, value) in samples {
        series.push(time, value, LOOKBACK);
    }
    series
}

/// Samples every minute, 7 s behind the whole minute, for an hour; `c` was silent from minute 20 to 39.
fn fleet() -> Vec<Series> {
    let time = |minute: i64| minute * MINUTE + 7_000;
    let at = |minutes: std::ops::Range<i64>, value: fn(i64) -> f64| minutes.map(move |one| (time(one), value(one)));
    vec![
        series("cpu", &[("agent", "a"), ("site", "ber")], at(0..60, |minute| (minute % 10) as f64)),
        series("cpu", &[("agent", "b"), ("site", "ber")], at(0..60, |minute| 100.0 - minute as f64)),
        series("cpu", &[("agent", "c"), ("site", "par")], at(0..20, |_| 5.0).chain(at(40..60, |_| 7.0))),
        series("memory", &[("agent", "a"), ("site", "ber")], at(0..60, |_| 50.0)),
        series("memory", &[("agent", "b"), ("site", "ber")], at(0..60, |_| 200.0)),
        series("sent", &[("agent", "a"), ("site", "ber")], at(0..60, |minute| (minute % 30) as f64 * 600.0)),
        series("info", &[("agent", "a"), ("os", "debian")], at(0..60, |_| 1.0)),
        series("info", &[("agent", "b"), ("os", "alpine")], at(0..60, |_| 1.0)),
    ]
}

fn evaluated(text: &str, steps: &Steps) -> Result<Answer, String> {
    let query = Query::parse(text).map_err(|error| error.to_string())?;
    let fleet = fleet();
    // Only what the query says that it needs is there.
    let data: Vec<Vec<Series>> = query
        .selections(steps, LOOKBACK)
        .iter()
        .map(|selection| {
            let taken = fleet.iter().filter(|series| selection.filter.takes(series.labels()));
            let thinned = taken.map(|series| {
                let mut thinned = Series::new(series.labels().clone());
                for (place, (time, value)) in series.times().iter().zip(series.values()).enumerate() {
                    let within = selection.after < *time && *time <= selection.until;
                    if within && selection.looks_at(*time, series.times().get(place + 1).copied()) {
                        thinned.push(*time, *value, LOOKBACK);
                    }
                }
                thinned
            });
            thinned.collect()
        })
        .collect();
    query.evaluate(steps, &data, &FREE).map_err(|error| error.to_string())
}

/// The answer at minute 50 as one line: labels and values, in their order.
fn at_minute_50(text: &str) -> String {
    match evaluated(text, &Steps::once(50 * MINUTE)) {
        Ok(Answer::Vector(rows)) => {
            let row = |row: &crate::Row| format!("{:?} {}", row.labels, format_value(row.values[0].expect("a value")));
            rows.iter().map(row).collect::<Vec<_>>().join("; ").replace('"', "")
        }
        Ok(Answer::Scalar(values)) => format_value(values[0]),
        Ok(Answer::Text(text)) => text,
        Ok(Answer::Matrix(all)) => {
            let samples = |series: &Series| format!("{:?} {:?}", series.labels(), series.values());
            all.iter().map(samples).collect::<Vec<_>>().join("; ").replace('"', "")
        }
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn queries_are_answered_as_prometheus_answers_them() {
    // At minute 50 the newest samples are of minute 49: a is 9, b is 51, c is 7.
    for (query, expected) in [
        ("1 + 2 * 3", "7"),
        ("\"text\"", "text"),
        ("time()", "3000"),
        ("3 > bool 2", "1"),
        ("cpu{agent=\"b\"}", "{__name__: cpu, agent: b, site: ber} 51"),
        ("cpu{site!=\"ber\"}", "{__name__: cpu, agent: c, site: par} 7"),
        (
            "cpu{agent=~\"a|b\", site=~\".+\"}",
            "{__name__: cpu, agent: a, site: ber} 9; {__name__: cpu, agent: b, site: ber} 51",
        ),
        ("cpu{agent!~\"a|b\"}", "{__name__: cpu, agent: c, site: par} 7"),
        ("{__name__=\"sent\"}", "{__name__: sent, agent: a, site: ber} 11400"),
        ("cpu{agent=\"c\"} offset 20m", ""),
        ("cpu{agent=\"c\"} offset 28m", "{__name__: cpu, agent: c, site: par} 5"),
        ("cpu{agent=\"b\"} @ 600", "{__name__: cpu, agent: b, site: ber} 91"),
        ("cpu{agent=\"b\"} @ start() offset -1m", "{__name__: cpu, agent: b, site: ber} 50"),
        ("nothing", ""),
        ("sum(cpu)", "{} 67"),
        ("sum by (site) (cpu)", "{site: ber} 60; {site: par} 7"),
        ("sum without (agent) (cpu)", "{site: ber} 60; {site: par} 7"),
        ("avg(cpu)", "{} 22.333333333333332"),
        ("min by (site) (cpu)", "{site: ber} 9; {site: par} 7"),
        ("max(cpu)", "{} 51"),
        ("count(cpu)", "{} 3"),
        ("group by (site) (cpu)", "{site: ber} 1; {site: par} 1"),
        ("stdvar by (site) (cpu)", "{site: ber} 441; {site: par} 0"),
        ("quantile(0.5, cpu)", "{} 9"),
        ("topk(2, cpu)", "{__name__: cpu, agent: b, site: ber} 51; {__name__: cpu, agent: a, site: ber} 9"),
        (
            "bottomk by (site) (1, cpu)",
            "{__name__: cpu, agent: a, site: ber} 9; {__name__: cpu, agent: c, site: par} 7",
        ),
        ("topk(0, cpu)", ""),
        ("count_values(\"value\", round(cpu, 10))", "{value: 10} 2; {value: 50} 1"),
        (
            "sort_desc(cpu)",
            "{__name__: cpu, agent: b, site: ber} 51; {__name__: cpu, agent: a, site: ber} 9; {__name__: cpu, agent: c, site: par} 7",
        ),
        ("-cpu{agent=\"a\"}", "{agent: a, site: ber} -9"),
        ("cpu * 2", "{agent: a, site: ber} 18; {agent: b, site: ber} 102; {agent: c, site: par} 14"),
        ("100 - cpu{agent=\"b\"}", "{agent: b, site: ber} 49"),
        ("cpu > 8", "{__name__: cpu, agent: a, site: ber} 9; {__name__: cpu, agent: b, site: ber} 51"),
        ("cpu > bool 50", "{agent: a, site: ber} 0; {agent: b, site: ber} 1; {agent: c, site: par} 0"),
        ("cpu / memory", "{agent: a, site: ber} 0.18; {agent: b, site: ber} 0.255"),
        ("cpu / on (agent) memory", "{agent: a} 0.18; {agent: b} 0.255"),
        ("cpu / ignoring (site) memory", "{agent: a} 0.18; {agent: b} 0.255"),
        ("cpu > on (agent) group_left memory", ""),
        (
            "cpu * on (agent) group_left (os) info",
            "{agent: a, os: debian, site: ber} 9; {agent: b, os: alpine, site: ber} 51",
        ),
        (
            "info * on (agent) group_right (os) cpu",
            "{agent: a, os: debian, site: ber} 9; {agent: b, os: alpine, site: ber} 51",
        ),
        ("cpu and on (agent) memory > 100", "{__name__: cpu, agent: b, site: ber} 51"),
        ("cpu unless on (agent) memory", "{__name__: cpu, agent: c, site: par} 7"),
        (
            "cpu{agent=\"c\"} or memory{agent=\"a\"}",
            "{__name__: cpu, agent: c, site: par} 7; {__name__: memory, agent: a, site: ber} 50",
        ),
        ("rate(sent[5m])", "{agent: a, site: ber} 10"),
        ("increase(sent[5m]) / 5", "{agent: a, site: ber} 600"),
        ("irate(sent[5m])", "{agent: a, site: ber} 10"),
        ("avg_over_time(cpu{agent=\"b\"}[3m])", "{agent: b, site: ber} 52"),
        ("max_over_time(cpu[10m])", "{agent: a, site: ber} 9; {agent: b, site: ber} 60; {agent: c, site: par} 7"),
        ("quantile_over_time(0.5, cpu{agent=\"a\"}[10m])", "{agent: a, site: ber} 4.5"),
        ("last_over_time(cpu{agent=\"a\"}[10m])", "{__name__: cpu, agent: a, site: ber} 9"),
        ("count_over_time(cpu{agent=\"c\"}[1h])", "{agent: c, site: par} 30"),
        ("max_over_time(sum(cpu)[10m:1m])", "{} 67"),
        ("min_over_time((cpu{agent=\"b\"} + 0)[5m:])", "{agent: b, site: ber} 51"),
        ("predict_linear(cpu{agent=\"b\"}[10m], 3600)", "{agent: b, site: ber} -9.883333333333333"),
        ("absent(cpu)", ""),
        ("absent(cpu{agent=\"d\", site=~\"x\"})", "{agent: d} 1"),
        ("absent_over_time(cpu{agent=\"c\"}[10m] offset 25m)", ""),
        ("absent_over_time(cpu{agent=\"c\"}[5m] offset 20m)", "{agent: c} 1"),
        ("scalar(cpu{agent=\"a\"}) + 1", "10"),
        ("scalar(cpu)", "NaN"),
        ("vector(3)", "{} 3"),
        ("timestamp(cpu{agent=\"a\"})", "{agent: a, site: ber} 2947"),
        ("timestamp(cpu{agent=\"a\"} + 0)", "{agent: a, site: ber} 3000"),
        ("minute()", "{} 50"),
        ("clamp_max(cpu{site=\"ber\"}, 10)", "{agent: a, site: ber} 9; {agent: b, site: ber} 10"),
        (
            "label_replace(cpu{agent=\"a\"}, \"host\", \"$1-x\", \"agent\", \"(.*)\")",
            "{__name__: cpu, agent: a, host: a-x, site: ber} 9",
        ),
        (
            "label_join(cpu{agent=\"a\"}, \"both\", \"/\", \"site\", \"agent\")",
            "{__name__: cpu, agent: a, both: ber/a, site: ber} 9",
        ),
        ("cpu{agent=\"b\"}[3m]", "{__name__: cpu, agent: b, site: ber} [53.0, 52.0, 51.0]"),
        ("{__name__=~\"cpu|memory\", agent=\"a\"} * 1", "error: vector cannot contain metrics with the same labelset"),
        ("histogram_quantile(0.9, cpu)", "error: unsupported function: histogram_quantile"),
        ("cpu{agent=\"nobody\"} + on (site) cpu", ""),
        ("cpu == on (site) max by (site) (cpu)", "{site: ber} 51; {site: par} 7"),
        ("cpu{agent=\"a\"} * on (agent) group_left (__name__) memory", "{__name__: memory, agent: a, site: ber} 450"),
        ("vector(1) / 3e7", "{} 3.3333333333333334e-08"),
        ("vector(1e21)", "{} 1e+21"),
        ("vector(123456789012345678900)", "{} 123456789012345680000"),
        ("label_join(vector(1), \"a\", \"x\", \"b\", \"b\")", "{a: x} 1"),
        ("limitk(1, cpu)", "error: unsupported aggregation: limitk"),
    ] {
        assert_eq!(at_minute_50(query), expected, "{query}");
    }
}

#[test]
fn operands_that_do_not_belong_together_are_refused() {
    for query in [
        "cpu + on (site) memory",
        "cpu + on (site) group_left memory",
        "info / on () info",
        "cpu{site=\"ber\"} > on (site) memory",
    ] {
        let answer = at_minute_50(query);
        let reasons = ["many-to-many matching not allowed", "many-to-one matching must be explicit"];
        assert!(reasons.iter().any(|reason| answer.contains(reason)), "{query}: {answer}");
    }
}

#[test]
fn every_step_has_the_value_that_a_query_of_this_moment_alone_has() {
    let steps = Steps::every(150_000, 0, 65 * MINUTE).expect("steps");
    for query in [
        "cpu",
        "sum by (site) (cpu)",
        "topk(1, cpu)",
        "rate(sent[5m])",
        "avg_over_time(cpu[3m] offset 1m)",
        "max_over_time(sum(cpu)[10m:1m])",
        "cpu / on (agent) memory",
        "cpu unless on (agent) memory",
        "memory or cpu",
        "absent(cpu{agent=\"c\"})",
        "timestamp(cpu)",
        "hour() + minute()",
        "scalar(cpu{agent=\"c\"}) * time()",
        "quantile_over_time(scalar(cpu{agent=\"a\"}) / 10, cpu{agent=\"b\"}[10m])",
        "count_values(\"v\", cpu)",
    ] {
        let at = |answer: Answer, step: usize| -> Vec<(Labels, String)> {
            let mut values: Vec<_> = match answer {
                Answer::Scalar(values) => vec![(Labels::default(), format_value(values[step]))],
                Answer::Vector(rows) => {
                    let value = |row: crate::Row| Some((row.labels, format_value(row.values[step]?)));
                    rows.into_iter().filter_map(value).collect()
                }
                other => panic!("{query}: {other:?}"),
            };
            values.sort();
            values
        };
        let whole = evaluated(query, &steps).expect(query);
        for (step, time) in steps.times().enumerate() {
            let alone = evaluated(query, &Steps::once(time)).expect(query);
            assert_eq!(at(whole.clone(), step), at(alone, 0), "{query} at {time}");
        }
    }
}

#[test]
fn what_is_fixed_to_a_moment_is_the_same_at_every_step() {
    // The range ends behind the last step.
    let steps = Steps::every(10 * MINUTE, 10 * MINUTE, 53 * MINUTE).expect("steps");
    for (query, expected) in [
        ("cpu{agent=\"b\"} @ end()", 48.0),
        ("avg_over_time(cpu{agent=\"b\"}[3m] @ start())", 92.0),
        ("max_over_time(cpu{agent=\"b\"}[5m:1m] @ 1200)", 85.0),
    ] {
        let Answer::Vector(rows) = evaluated(query, &steps).expect(query) else { panic!("{query}") };
        assert_eq!(rows[0].values, vec![Some(expected); 5], "{query}");
    }
}

#[test]
fn a_sample_is_believed_for_its_time_and_no_longer() {
    let mut one = series("cpu", &[], []);
    one.push(0, 1.0, 2 * MINUTE);
    one.push(10 * MINUTE, 2.0, 60 * MINUTE);
    one.push(10 * MINUTE, 3.0, 60 * MINUTE);
    let query = Query::parse("cpu").expect("a query");
    for (moment, expected) in [
        (-1, None),
        (0, Some(1.0)),
        (119_999, Some(1.0)),
        (120_000, None),
        (70 * MINUTE - 1, Some(2.0)),
        (70 * MINUTE, None),
    ] {
        let answer = query.evaluate(&Steps::once(moment), &[vec![one.clone()]], &FREE).expect("an answer");
        let Answer::Vector(rows) = answer else { panic!("a vector") };
        assert_eq!(rows.first().and_then(|row| row.values[0]), expected, "{moment}");
    }
}

#[test]
fn series_that_share_labels_are_one_if_they_never_have_values_at_once() {
    let steps = Steps::every(MINUTE, 10 * MINUTE, 50 * MINUTE).expect("steps");
    for query in
        ["(cpu{agent=\"a\"} > 4 or memory{agent=\"a\"}) * 2", "abs(cpu{agent=\"a\"} > 4 or memory{agent=\"a\"})"]
    {
        let Ok(Answer::Vector(rows)) = evaluated(query, &steps) else { panic!("{query}") };
        assert_eq!(rows.len(), 1, "{query}");
        assert!(rows[0].values.iter().all(Option::is_some), "{query}");
    }
    assert!(evaluated("{agent=\"a\", __name__=~\"cpu|memory\"} * 2", &steps).is_err());
}

#[test]
fn no_query_makes_more_than_its_limits() {
    let steps = Steps::every(1_000, 0, 999_000).expect("steps");
    let spent = |text: &str| {
        let query = Query::parse(text).expect(text);
        query.evaluate(&steps, &[], &Limits { points: 100_000, expired: &|| false })
    };
    for text in [
        "count_values(\"v\", vector(time()))",
        "max_over_time(count(count_values(\"v\", vector(time())))[30s:1ms])",
        "sum_over_time(vector(1)[1000s:1ms])",
    ] {
        assert_eq!(spent(text), Err(EvaluationError::TooManyPoints), "{text}");
    }
    let grown = |inner: &str| {
        let many = vec!["\"a\""; 100].join(", ");
        format!("label_join({inner}, \"a\", \"{}\", {many})", "x".repeat(30))
    };
    assert!(spent(&grown("vector(1)")).is_ok());
    assert_eq!(spent(&grown(&grown("vector(1)"))), Err(EvaluationError::LabelTooLong));
    let replaced = format!("label_replace(vector(1), \"a\", \"{}\", \"b\", \"(.*)\")", "y".repeat(5_000));
    assert_eq!(spent(&replaced), Err(EvaluationError::LabelTooLong));
    // A window that is long is given up too.
    let looks = std::cell::Cell::new(0);
    let query = Query::parse("sum_over_time(vector(1)[60s:1ms])").expect("a query");
    let tired = || looks.replace(looks.get() + 1) > 5;
    let answer = query.evaluate(&steps, &[], &Limits { points: 10_000_000, expired: &tired });
    assert_eq!(answer, Err(EvaluationError::Expired));
}

#[test]
fn an_evaluation_keeps_to_its_limits() {
    let steps = Steps::every(1, 0, 9_999).expect("steps");
    let (query, series) = (Query::parse("a + a").expect("a query"), vec![vec![Series::new(Labels::default())]; 2]);
    let limited = |points, expired: &dyn Fn() -> bool| query.evaluate(&steps, &series, &Limits { points, expired });
    assert!(limited(20_000, &|| false).is_ok());
    assert_eq!(limited(19_999, &|| false), Err(EvaluationError::TooManyPoints));
    assert_eq!(limited(20_000, &|| true), Err(EvaluationError::Expired));
}

#[test]
fn texts_that_are_no_query_are_refused_with_a_reason() {
    for text in [
        "cpu @ -9.2233720368e15 offset 100y",
        "",
        "cpu{",
        "sum(",
        "cpu[5m",
        "rate(cpu)",
        "cpu{a=~\"(\"}",
        "1 and 2",
        "cpu[0s]",
        "abs(1)",
        "unknown(cpu)",
        "cpu offset",
    ] {
        let error = Query::parse(text).expect_err(text).to_string();
        assert!(!error.is_empty(), "{text}");
    }
    assert!(Query::parse(&format!("cpu{{a=\"{}\"}}", "x".repeat(Query::MAX_BYTES))).is_err());
    assert!(Query::parse_selector("cpu{a=\"b\"}").is_ok());
    assert!(Query::parse_selector("rate(cpu[5m])").is_err());
}
