use std::borrow::Cow;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::testing::case_count;

fn read(body: &str) -> Vec<Result<Point<'_>, LineError>> {
    Points::new(body.as_bytes(), Precision::Nanoseconds).collect()
}

fn only(body: &str) -> Point<'_> {
    let mut points = read(body);
    assert_eq!(points.len(), 1, "{body:?}");
    points.remove(0).unwrap_or_else(|error| panic!("{body:?}: {error}"))
}

fn text(value: &str) -> FieldValue<'_> {
    FieldValue::Text(value.into())
}

#[test]
fn a_line_has_a_measurement_tags_fields_and_a_time() {
    let point = only("net,host=web-1,interface=eth0 bytes_recv=3284081640i,bytes_sent=451838509i 1492834180000000000");
    assert_eq!(point.measurement, "net");
    assert_eq!((point.tag("host"), point.tag("interface"), point.tag("x")), (Some("web-1"), Some("eth0"), None));
    assert_eq!(point.fields[1], ("bytes_sent".into(), FieldValue::Integer(451_838_509)));
    assert_eq!(point.timestamp.expect("a time").to_string(), "2017-04-22T04:09:40.000Z");
    let point = only("m f=1");
    assert_eq!((point.tags.len(), point.timestamp), (0, None));
}

#[test]
fn every_kind_of_value_is_read() {
    for (written, value) in [
        ("1", FieldValue::Float(1.0)),
        ("1.0", FieldValue::Float(1.0)),
        ("-1.25", FieldValue::Float(-1.25)),
        (".5", FieldValue::Float(0.5)),
        ("1.", FieldValue::Float(1.0)),
        ("1e10", FieldValue::Float(1e10)),
        ("-1.234456E+78", FieldValue::Float(-1.234_456e78)),
        ("0i", FieldValue::Integer(0)),
        ("-9223372036854775808i", FieldValue::Integer(i64::MIN)),
        ("9223372036854775807i", FieldValue::Integer(i64::MAX)),
        ("18446744073709551615u", FieldValue::Unsigned(u64::MAX)),
        ("t", FieldValue::Boolean(true)),
        ("T", FieldValue::Boolean(true)),
        ("true", FieldValue::Boolean(true)),
        ("True", FieldValue::Boolean(true)),
        ("TRUE", FieldValue::Boolean(true)),
        ("f", FieldValue::Boolean(false)),
        ("F", FieldValue::Boolean(false)),
        ("false", FieldValue::Boolean(false)),
        ("False", FieldValue::Boolean(false)),
        ("FALSE", FieldValue::Boolean(false)),
        (r#""""#, text("")),
        (r#""a b, c=d""#, text("a b, c=d")),
        (r#""say \"hi\"""#, text(r#"say "hi""#)),
        (r#""C:\\dir\\""#, text(r"C:\dir\")),
        (r#""C:\dir""#, text(r"C:\dir")),
        (r#""a\nb""#, text(r"a\nb")),
        ("\"two\nlines\"", text("two\nlines")),
        ("\"Größe 大\"", text("Größe 大")),
    ] {
        let body = format!("m f={written} 1");
        assert_eq!(only(&body).fields, [("f".into(), value)], "{written}");
    }
}

#[test]
fn escapes_are_undone_and_other_backslashes_stay() {
    // (body, measurement, tag name, tag value, field name)
    for (body, measurement, tag, value, field) in [
        (r"my\ m\,x,t\ a\,g\=x=v\ a\,l\=x f\ i\,e\=ld=1", "my m,x", "t a,g=x", "v a,l=x", "f i,e=ld"),
        (r"m=x,tag=C:\temp f=1", "m=x", "tag", r"C:\temp", "f"),
        (r"m\=x,t=a\\b f=1", r"m\=x", "t", r"a\\b", "f"),
        (r"m,t=a\\\ b f=1", "m", "t", r"a\\ b", "f"),
        (r#"m"q",t"q="v" f"q"=1"#, r#"m"q""#, r#"t"q"#, r#""v""#, r#"f"q""#),
        (r"m\n,t\t=v\r f\f=1", r"m\n", r"t\t", r"v\r", r"f\f"),
        ("größe,ort=Zürich höhe=1", "größe", "ort", "Zürich", "höhe"),
    ] {
        let point = only(body);
        let (tag_name, tag_value) = &point.tags[0];
        let seen = (point.measurement.as_ref(), tag_name.as_ref(), tag_value.as_ref(), point.fields[0].0.as_ref());
        assert_eq!(seen, (measurement, tag, value, field), "{body}");
    }
}

#[test]
fn only_what_holds_an_escape_is_copied() {
    let point = only(r#"m,plain=a,esc\ aped=b text="plain",other="esc\"aped" 1"#);
    let borrowed = |text: &Cow<'_, str>| matches!(text, Cow::Borrowed(_));
    assert!(borrowed(&point.measurement) && borrowed(&point.tags[0].0) && borrowed(&point.tags[0].1));
    assert!(!borrowed(&point.tags[1].0));
    let [(_, FieldValue::Text(plain)), (_, FieldValue::Text(escaped))] = &point.fields[..] else { panic!("two texts") };
    assert!(borrowed(plain) && !borrowed(escaped));
}

#[test]
fn empty_lines_comments_and_line_ends_of_every_kind_are_passed_over() {
    let body = "\n# a comment, with=all signs \"\r\n  \r\nm f=1 1\r\n\t\n  m f=\"a\r\nb\" 2  \n#end\nm f=3 3";
    let lines: Vec<_> = read(body).into_iter().map(|point| point.map(|point| (point.line, point.fields))).collect();
    assert_eq!(
        lines,
        [
            Ok((4, vec![("f".into(), FieldValue::Float(1.0))])),
            Ok((6, vec![("f".into(), text("a\r\nb"))])),
            Ok((9, vec![("f".into(), FieldValue::Float(3.0))])),
        ]
    );
    assert_eq!(read(""), []);
    assert_eq!(read("\r\n\n # x"), []);
}

#[test]
fn a_field_given_twice_is_handed_over_twice() {
    let point = only("m f=1,f=2i 1");
    assert_eq!(point.fields, [("f".into(), FieldValue::Float(1.0)), ("f".into(), FieldValue::Integer(2))]);
}

#[test]
fn timestamps_are_read_in_every_precision() {
    for (precision, count, expected) in [
        ("ns", "1556813561098000999", "2019-05-02T16:12:41.098Z"),
        ("n", "-1", "1969-12-31T23:59:59.999Z"),
        ("us", "1556813561098000", "2019-05-02T16:12:41.098Z"),
        ("u", "1556813561098000", "2019-05-02T16:12:41.098Z"),
        ("µ", "1556813561098000", "2019-05-02T16:12:41.098Z"),
        ("ms", "1556813561098", "2019-05-02T16:12:41.098Z"),
        ("s", "1556813561", "2019-05-02T16:12:41.000Z"),
        ("m", "25946892", "2019-05-02T16:12:00.000Z"),
        ("h", "432448", "2019-05-02T16:00:00.000Z"),
    ] {
        let body = format!("m f=1 {count}");
        let precision: Precision = precision.parse().expect("a precision");
        let point = Points::new(body.as_bytes(), precision).next().expect("a line").expect("well-formed");
        assert_eq!(point.timestamp.expect("a time").to_string(), expected, "{precision} {count}");
        assert_eq!(precision.to_string().parse(), Ok(precision));
    }
    for text in ["", "S", "sec", "d", "ns "] {
        assert_eq!(text.parse::<Precision>(), Err(UnknownPrecision), "{text:?}");
    }
}

#[test]
fn a_malformed_line_is_refused_by_itself_with_its_number_and_the_reason() {
    use LineErrorKind as Kind;
    for (line, kind) in [
        (",t=v f=1", Kind::NoMeasurement),
        ("m,t f=1", Kind::IncompleteTag),
        ("m,=v f=1", Kind::IncompleteTag),
        ("m,t= f=1", Kind::IncompleteTag),
        ("m, f=1", Kind::IncompleteTag),
        ("m,t=a=b f=1", Kind::IncompleteTag),
        ("m,t=v,,u=w f=1", Kind::IncompleteTag),
        ("m,t=a,t=b f=1", Kind::RepeatedTag),
        ("m", Kind::NoField),
        ("m,t=v", Kind::NoField),
        ("m ", Kind::NoField),
        (r"m\ f=1", Kind::NoField),
        ("m f", Kind::IncompleteField),
        ("m f=", Kind::IncompleteField),
        ("m =1", Kind::IncompleteField),
        ("m f=1,", Kind::IncompleteField),
        ("m f=1,,g=2", Kind::IncompleteField),
        ("m 1465839830", Kind::IncompleteField),
        ("m f=yes", Kind::UnknownValue),
        ("m f=+1", Kind::UnknownValue),
        ("m f=NaN", Kind::UnknownValue),
        ("m f=inf", Kind::UnknownValue),
        ("m f=-", Kind::UnknownValue),
        ("m f=1.5i", Kind::UnknownValue),
        ("m f=-1u", Kind::UnknownValue),
        ("m f=i", Kind::UnknownValue),
        ("m f=0x10", Kind::UnknownValue),
        ("m f='a'", Kind::UnknownValue),
        ("m f=a=\"b\"", Kind::UnknownValue),
        ("m f=1e999", Kind::NumberTooLarge),
        ("m f=9223372036854775808i", Kind::NumberTooLarge),
        ("m f=18446744073709551616u", Kind::NumberTooLarge),
        ("m f=\"a\"b", Kind::TextBehindString),
        ("m f=\"a\"\"b\"", Kind::TextBehindString),
        ("m f=1 now", Kind::UnknownTimestamp),
        ("m f=1 1.5", Kind::UnknownTimestamp),
        ("m f=1 1 2", Kind::UnknownTimestamp),
        ("m f=1 99999999999999999999", Kind::TimestampOutOfRange),
    ] {
        let body = format!("first f=1\n{line}\nlast f=1\n");
        let points = read(&body);
        assert_eq!(points.len(), 3, "{line}");
        assert_eq!(points[1], Err(LineError { line: 2, kind }), "{line}");
        assert!(points[0].is_ok() && points[2].as_ref().is_ok_and(|point| point.line == 3), "{line}");
    }
    let seconds = Points::new(b"m f=1 1556813561098000999", Precision::Seconds).next().expect("a line");
    assert_eq!(seconds.expect_err("too far").kind, Kind::TimestampOutOfRange);
    for bytes in [&b"m\xff f=1"[..], b"m,t=\xc3 f=1", b"m f=\"\x80\"", b"m f=\xff"] {
        let point = Points::new(bytes, Precision::Seconds).next().expect("a line");
        assert_eq!(point.expect_err("no text").kind, Kind::NotUtf8, "{bytes:?}");
    }
}

#[test]
fn behind_a_string_that_is_not_closed_nothing_is_read() {
    let points = read("m f=1\nm f=\"open\nevil f=1\nm g=2\n");
    assert_eq!(points[1], Err(LineError { line: 2, kind: LineErrorKind::StringNotClosed }));
    assert_eq!(points.len(), 2);
    // What stands inside a string is no line, however wrong the line is otherwise.
    let points = read("m f=nonsense,g=\"a\nevil f=1\n\" 1\nm g=2\n");
    assert_eq!(points.len(), 2);
    assert_eq!(points[1].as_ref().map(|point| point.line), Ok(4));
}

/// Writes a point as Telegraf does.
fn write(point: &Point<'_>) -> String {
    let name = |text: &str| text.replace(',', r"\,").replace(' ', r"\ ").replace('=', r"\=");
    let mut line = point.measurement.replace(',', r"\,").replace(' ', r"\ ");
    for (key, value) in &point.tags {
        line += &format!(",{}={}", name(key), name(value));
    }
    for (index, (key, value)) in point.fields.iter().enumerate() {
        line += if index == 0 { " " } else { "," };
        line += &format!("{}=", name(key));
        line += &match value {
            FieldValue::Float(value) => value.to_string(),
            FieldValue::Integer(value) => format!("{value}i"),
            FieldValue::Unsigned(value) => format!("{value}u"),
            FieldValue::Text(text) => format!("\"{}\"", text.replace('\\', r"\\").replace('"', r#"\""#)),
            FieldValue::Boolean(value) => value.to_string(),
        };
    }
    if let Some(at) = point.timestamp {
        line += &format!(" {}", i128::from(at.as_micros()) * 1_000);
    }
    line
}

/// Names without a backslash at their end, which the grammar cannot write, and without line feeds.
fn names() -> impl Strategy<Value = Cow<'static, str>> {
    r#"[a-zA-Z0-9,= "\\.:/_äß大#-]{0,12}[a-z0-9,= "]"#.prop_map(Cow::Owned)
}

fn values() -> impl Strategy<Value = FieldValue<'static>> {
    prop_oneof![
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(FieldValue::Float),
        any::<i64>().prop_map(FieldValue::Integer),
        any::<u64>().prop_map(FieldValue::Unsigned),
        any::<bool>().prop_map(FieldValue::Boolean),
        "[ -~\n\r\täß大]{0,20}".prop_map(|text| FieldValue::Text(text.into())),
    ]
}

fn points() -> impl Strategy<Value = Point<'static>> {
    let measurement = names().prop_filter("begins a line", |name| !name.starts_with(['#', ' ']));
    let tags = proptest::collection::btree_map(names(), names(), 0..5).prop_map(|tags| tags.into_iter().collect());
    let fields = proptest::collection::vec((names(), values()), 1..5);
    // Nanoseconds reach from 1677 to 2262.
    let at = proptest::option::of(-9_000_000_000_000_000_i64..9_000_000_000_000_000);
    (measurement, tags, fields, at).prop_map(|(measurement, tags, fields, at)| Point {
        line: 1,
        measurement,
        tags,
        fields,
        timestamp: at.map(astranetmon_domain::Timestamp::from_micros),
    })
}

#[test]
fn what_is_written_is_read_back() {
    let config = Config { cases: case_count(1_000, 10_000), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    let round_trip = |written: Vec<Point<'static>>| {
        let lines: Vec<String> = written.iter().map(write).collect();
        let body = lines.join("\r\n") + "\n";
        let read: Result<Vec<_>, _> = Points::new(body.as_bytes(), Precision::Nanoseconds).collect();
        let mut read = read.map_err(|error| TestCaseError::fail(format!("{error}: {body:?}")))?;
        read.iter_mut().for_each(|point| point.line = 1);
        prop_assert_eq!(read, written);
        Ok(())
    };
    runner.run(&proptest::collection::vec(points(), 1..4), round_trip).expect("read back");
}

#[test]
fn ten_thousand_broken_lines_are_refused_or_read_but_never_panic() {
    let config = Config { cases: case_count(1_000, 10_000), failure_persistence: None, ..Config::default() };
    let mut runner = TestRunner::new(config);
    // A well-formed line in which some bytes were replaced, taken out or put in, or bytes of the grammar at random.
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>(), 0..3_u8), 0..8);
    let edited = (points(), edits).prop_map(|(point, edits)| {
        let mut bytes = write(&point).into_bytes();
        for (place, byte, kind) in edits {
            let at = place.index(bytes.len().max(1)).min(bytes.len().saturating_sub(1));
            match kind {
                0 if !bytes.is_empty() => bytes[at] = byte,
                1 if !bytes.is_empty() => drop(bytes.remove(at)),
                _ => bytes.insert(at, b" ,=\"\\\n\r#i1-.\xff"[usize::from(byte) % 13]),
            }
        }
        bytes
    });
    let grammar = proptest::collection::vec(prop::sample::select(b"m ,=\"\\\n\r#ui1-.et\xff\0".to_vec()), 0..60);
    let bodies = prop_oneof![edited, grammar, proptest::collection::vec(any::<u8>(), 0..60)];
    let mut seen = (0_u32, 0_u32);
    let outcomes = std::cell::RefCell::new(&mut seen);
    let check = |body: Vec<u8>| {
        let lines = body.iter().filter(|&&byte| byte == b'\n').count() + 1;
        let mut last = 0;
        for point in Points::new(&body, Precision::Nanoseconds) {
            let line = match &point {
                Ok(point) => {
                    prop_assert!(!point.measurement.is_empty() && !point.fields.is_empty());
                    outcomes.borrow_mut().0 += 1;
                    point.line
                }
                Err(error) => {
                    prop_assert!(error.to_string().len() > 20);
                    outcomes.borrow_mut().1 += 1;
                    error.line
                }
            };
            prop_assert!(line > last && usize::try_from(line).is_ok_and(|line| line <= lines), "line {line}");
            last = line;
        }
        Ok(())
    };
    runner.run(&bodies, check).expect("no panic");
    assert!(seen.0 > 20 && seen.1 > 200, "{seen:?}");
}
