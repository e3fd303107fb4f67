//! What becomes of bodies as agents send them.

use astranetmon_domain::{AgentId, MetricSample, Timestamp};
use astranetmon_ingest::{
    Batch, MAX_ROWS, MetricBatch, MetricRow, RefusedRow, TimeBounds, TracerouteBatch, TracerouteRow, UnreadableBody,
    read_enroll, read_heartbeat, read_metrics, read_speedtests, read_traceroutes,
};
use serde_json::json;

/// 2026-11-23T11:26:58Z.
const NOW: Timestamp = Timestamp::from_seconds(1_795_433_218);

fn agent() -> AgentId {
    AgentId::parse("web-1").expect("well-formed")
}

fn bounds() -> TimeBounds {
    TimeBounds::keeping_days(NOW, 31)
}

fn metrics(body: &str) -> Result<Batch<MetricSample>, UnreadableBody> {
    read_metrics(body.as_bytes(), &agent(), &bounds())
}

/// What is answered to one metric row, given without its braces beside a good row.
fn refusal(row: &str) -> Option<(Option<String>, String)> {
    let body = format!(r#"{{"metrics": [{{"timestamp": "2026-11-23T11:26:48Z"}}, {row}]}}"#);
    let (records, pending) = metrics(&body).unwrap_or_else(|error| panic!("{row}: {error}")).into_records();
    let answer = pending.answer(&[]);
    assert_eq!(answer.taken as usize, records.len());
    let refused = answer.refused_rows.into_iter().next();
    assert_eq!(answer.taken, if refused.is_some() { 1 } else { 2 }, "{row}");
    refused.map(|RefusedRow { row, field, reason }| {
        assert_eq!(row, 1);
        (field, reason)
    })
}

#[test]
fn a_bad_value_refuses_its_row_alone_and_names_field_and_reason() {
    for (members, field, reason) in [
        (r#""cpu_percent": "12""#, "cpu_percent", "must be a number such as 12.5, or null"),
        (r#""cpu_percent": [1, {"a": 2}]"#, "cpu_percent", "must be a number such as 12.5, or null"),
        (r#""cpu_percent": 100.006"#, "cpu_percent", "must be from 0 to 100"),
        (r#""cpu_percent": -0.1"#, "cpu_percent", "must be from 0 to 100"),
        (r#""cpu_percent": 1e999"#, "cpu_percent", "cannot be read: number out of range"),
        (r#""latency_ms": 3600000.001"#, "latency_ms", "must be from 0 to 3600000"),
        (r#""temperature_celsius": 65261"#, "temperature_celsius", "must be from -273.2 to 1000"),
        (r#""process_count": 1.5"#, "process_count", "must be a whole number such as 60, or null"),
        (r#""uptime_seconds": 9007199254740992"#, "uptime_seconds", "must be from 0 to 9007199254740991"),
        (
            r#""uptime_seconds": 18446744073709551615"#,
            "uptime_seconds",
            "is too large: the largest number is 9007199254740991",
        ),
        (r#""interval_seconds": 0"#, "interval_seconds", "must be from 1 to 86400"),
        (
            r#""timestamp": 1795433218"#,
            "timestamp",
            "must be a date and time of RFC 3339, such as \"2026-11-23T11:26:58.123Z\" or \"2026-11-23T12:26:58+01:00\"",
        ),
        (
            r#""timestamp": null"#,
            "timestamp",
            "is missing: send when it was measured, such as \"2026-11-23T11:26:58Z\"",
        ),
        (
            r#""timestamp": "2026-10-23T11:26:57Z""#,
            "timestamp",
            "is older than this account keeps (31 days): the oldest that is taken now is 2026-10-23T11:26:58.000Z",
        ),
        (
            r#""timestamp": "2026-11-23T11:36:58.001Z""#,
            "timestamp",
            "is more than 10 minutes ahead of the server's clock, which shows 2026-11-23T11:26:58.000Z: set the sender's clock",
        ),
    ] {
        let row = format!(r#"{{"timestamp": "2026-11-23T11:26:58Z", {members}}}"#);
        assert_eq!(refusal(&row), Some((Some(field.to_owned()), reason.to_owned())), "{members}");
    }
}

#[test]
fn what_is_no_object_refuses_its_row_alone() {
    for row in ["null", "[]", "7", "\"text\"", "[[[[]]]]"] {
        assert_eq!(refusal(row), Some((None, "must be an object, in braces".to_owned())), "{row}");
    }
    let deep = format!(r#"{{"cpu_percent": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let (_, reason) = refusal(&deep).expect("refused");
    assert_eq!(reason, "must be a number such as 12.5, or null");
    let (_, reason) = refusal(r#"{"timestamp": "\ud800"}"#).expect("refused");
    assert!(reason.starts_with("cannot be read: "), "{reason}");
}

#[test]
fn rows_in_range_are_taken_at_the_scale_of_storage() {
    for row in [
        r#"{"timestamp": "2026-10-23T11:26:58Z"}"#,
        r#"{"timestamp": "2026-11-23T11:36:58Z"}"#,
        r#"{"timestamp": "2026-11-23T12:26:58+01:00", "cpu_percent": 100.0049, "load_1": null}"#,
        r#"{"timestamp": "2026-11-23T11:26:58Z", "process_count": 12.0, "uptime_seconds": 9007199254740991}"#,
        r#"{"timestamp": "2026-11-23T11:26:58Z", "timestamp": "2026-11-23T11:26:57Z"}"#,
    ] {
        assert_eq!(refusal(row), None, "{row}");
    }
    let body = r#"{"metrics": [{"timestamp": "2026-11-23T11:26:58.1239Z", "cpu_percent": 12.345, "jitter_ms": 7}]}"#;
    let batch = metrics(body).expect("readable");
    let sample = &batch.records()[0];
    assert_eq!(sample, &sample.clone().normalized());
    assert_eq!((sample.cpu_percent, sample.jitter_ms), (Some(12.35), Some(7.0)));
    assert_eq!(sample.timestamp.to_string(), "2026-11-23T11:26:58.123Z");
}

#[test]
fn fields_that_nobody_knows_are_ignored_and_named_once() {
    let body = r#"{"sender": "x", "metrics": [
        {"timestamp": "2026-11-23T11:26:58Z", "agent_id": "other", "fan": {"rpm": [1]}, "cpu_percent": 1},
        {"timestamp": "2026-11-23T11:26:48Z", "fan": 2, "\u0000\nbell": 1}
    ]}"#;
    let (records, pending) = metrics(body).expect("readable").into_records();
    assert!(records.iter().all(|record| record.agent_id == agent()));
    assert_eq!(pending.answer(&[]).ignored_fields, ["sender", "agent_id", "fan", "bell"]);

    let many: Vec<String> = (0..100).map(|index| format!(r#""made_up_{index}": 0"#)).collect();
    let body = format!(r#"{{"metrics": [{{"timestamp": "2026-11-23T11:26:58Z", {}}}]}}"#, many.join(","));
    let (records, pending) = metrics(&body).expect("readable").into_records();
    assert_eq!((records.len(), pending.answer(&[]).ignored_fields.len()), (1, 32));
}

#[test]
fn known_records_are_named_by_their_rows() {
    let row = |second: u32| format!(r#"{{"timestamp": "2026-11-23T11:26:{second:02}Z"}}"#);
    let body = format!(r#"{{"metrics": [{}, 0, {}, 0, {}]}}"#, row(1), row(2), row(3));
    let (records, pending) = metrics(&body).expect("readable").into_records();
    assert_eq!(records.len(), 3);
    let late = pending.clone().too_old(&[1]).answer(&[2]);
    assert_eq!((late.taken, late.known, late.refused), (1, 1, 3));
    assert_eq!(late.refused_rows.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 2, 3]);
    let reason = "is of a time that this account has put into summaries: nothing can be added to it";
    assert_eq!((late.refused_rows[1].field.as_deref(), &*late.refused_rows[1].reason), (Some("timestamp"), reason));
    let answer = pending.answer(&[1, 2]);
    assert_eq!((answer.taken, answer.known, answer.refused), (1, 2, 2));
    assert_eq!(answer.known_rows, [2, 4]);
    assert_eq!(answer.refused_rows.iter().map(|row| row.row).collect::<Vec<_>>(), [1, 3]);
}

#[test]
fn a_body_of_another_form_is_refused_as_a_whole() {
    const FORM: &str =
        r#"; send JSON such as {"metrics": [{"timestamp": "2026-11-23T11:26:58Z", "cpu_percent": 12.5}]}"#;
    for (body, what) in [
        ("", "Invalid body: EOF while parsing a value at line 1 column 0"),
        ("[]", "Invalid body: invalid type: sequence, expected an object with the list \"metrics\" at line 1 column 0"),
        ("{}", "Invalid body: missing field `metrics` at line 1 column 2"),
        (
            r#"{"metrics": null}"#,
            "Invalid body: invalid type: null, expected a list of rows under \"metrics\" at line 1 column 16",
        ),
        (r#"{"metrics": [], "metrics": []}"#, "Invalid body: duplicate field `metrics` at line 1 column 25"),
        (r#"{"metrics": [{"timestamp"}]}"#, "Invalid body: expected `:` at line 1 column 26"),
        (r#"{"metrics": [NaN]}"#, "Invalid body: expected value at line 1 column 14"),
        (r#"{"metrics": []} {}"#, "Invalid body: trailing characters at line 1 column 17"),
    ] {
        let error = metrics(body).expect_err(body);
        assert_eq!(error.to_string(), format!("{what}{FORM}"), "{body}");
    }
    assert!(read_metrics(b"{\"metrics\": [{\"a\": \"\xff\"}]}", &agent(), &bounds()).is_err());
}

#[test]
fn a_body_has_at_most_ten_thousand_rows() {
    let body = |rows: usize| format!(r#"{{"metrics": [{}]}}"#, vec!["{}"; rows].join(","));
    assert_eq!(metrics(&body(MAX_ROWS)).expect("readable").into_records().1.answer(&[]).refused, 10_000);
    let error = metrics(&body(MAX_ROWS + 1)).expect_err("too many");
    assert_eq!(error, UnreadableBody::TooManyRows);
    assert_eq!(error.to_string(), "Too many rows: a body has at most 10000 rows, send more in another one");
}

#[test]
fn speed_tests_are_checked_field_by_field() {
    let good = json!({
        "id": "019ab123-4567-7abc-8def-0123456789ab", "timestamp": "2026-11-23T11:26:58Z", "status": "completed",
        "download_mbps": 93.12345, "isp": "Pro\u{202e}vider\u{0}", "external_ip": "2001:DB8:0::1",
        "result_url": "https://example.com/r/1", "duration_ms": 12_000, "server_name": "",
    });
    let read = |row: &serde_json::Value| {
        let body = json!({ "speedtests": [row] }).to_string();
        read_speedtests(body.as_bytes(), &agent(), &bounds()).expect("readable")
    };
    let batch = read(&good);
    let record = batch.records().first().expect("taken");
    assert_eq!(record, &record.clone().normalized());
    assert_eq!(record.download_mbps, Some(93.123));
    assert_eq!((record.isp.as_deref(), record.external_ip.as_deref()), (Some("Provider"), Some("2001:db8::1")));
    assert_eq!(record.server_name, None);

    for (field, value, reason) in [
        ("id", json!(null), "is missing: send a UUID of version 7, such as \"019ab123-4567-7abc-8def-0123456789ab\""),
        ("id", json!("x"), "must be a UUID of version 7, such as \"019ab123-4567-7abc-8def-0123456789ab\""),
        ("status", json!(null), "is missing: send \"completed\" or \"failed\""),
        ("status", json!("done"), "must be \"completed\" or \"failed\""),
        ("download_mbps", json!(-1), "must be from 0 to 10000000"),
        ("external_ip", json!("192.0.2"), "must be an IP address, such as \"192.0.2.1\" or \"2001:db8::1\", or null"),
        ("result_url", json!("javascript:alert(1)"), "must begin with https:// or http://"),
        ("isp", json!(7), "must be a text in quotation marks, or null"),
    ] {
        let mut row = good.clone();
        row[field] = value;
        let answer = read(&row).into_records().1.answer(&[]);
        assert_eq!(answer.refused_rows[0].field.as_deref(), Some(field));
        assert_eq!(answer.refused_rows[0].reason, reason);
    }
}

#[test]
fn traceroutes_are_checked_hop_by_hop() {
    let hop = |ttl: u8, ip: Option<&str>| json!({"ttl": ttl, "ip": ip, "sent_count": 3, "received_count": 3});
    let good = json!({
        "id": "019ab123-4567-7abc-8def-0123456789ab", "timestamp": "2026-11-23T11:26:58Z", "status": "completed",
        "target": "example.com", "protocol": "icmp", "path_hash": "0",
        "hops": [hop(1, Some("fe80::1%eth0")), hop(2, None), hop(3, Some("2001:DB8::1"))],
    });
    let read = |row: &serde_json::Value| {
        let body = json!({ "traceroutes": [row] }).to_string();
        read_traceroutes(body.as_bytes(), &agent(), &bounds()).expect("readable")
    };
    let (records, pending) = read(&good).into_records();
    assert_eq!(
        records[0].hops.iter().map(|hop| hop.ip.as_deref()).collect::<Vec<_>>(),
        [Some("fe80::1"), None, Some("2001:db8::1")]
    );
    assert!(records[0].reached);
    assert_eq!(pending.answer(&[]).ignored_fields, ["path_hash"]);

    let with_hops = |hops: serde_json::Value| {
        let mut row = good.clone();
        row["hops"] = hops;
        row
    };
    let must_follow = "must be one above that of the hop before: a silent hop keeps its row";
    for (hops, field, reason) in [
        (json!({}), "hops", "must be a list of at most 255 hops"),
        (json!(vec![hop(1, None); 256]), "hops", "must be a list of at most 255 hops"),
        (json!([hop(1, None), 7]), "hops[1]", "must be an object, in braces"),
        (json!([hop(0, None)]), "hops[0].ttl", "must be from 1 to 255"),
        (json!([hop(1, None), hop(3, None)]), "hops[1].ttl", must_follow),
        (json!([hop(255, None), hop(0, None)]), "hops[1].ttl", "must be from 1 to 255"),
        (json!([{"ttl": 256}]), "hops[0].ttl", "must be a whole number from 0 to 255"),
        (json!([{"ttl": 1, "sent_count": 2_147_483_648_u32}]), "hops[0].sent_count", "must be from 0 to 2147483647"),
        (json!([{"ttl": 1}]), "hops[0].sent_count", "is missing: send how many probes it was sent, such as 3"),
    ] {
        let answer = read(&with_hops(hops)).into_records().1.answer(&[]);
        assert_eq!(answer.refused_rows[0].field.as_deref(), Some(field));
        assert_eq!(answer.refused_rows[0].reason, reason);
    }
    let answer = read(&with_hops(json!([{"ttl": 1, "sent_count": 1, "received_count": 0, "mpls": []}])));
    assert_eq!(answer.into_records().1.answer(&[]).ignored_fields, ["hops.mpls", "path_hash"]);
}

#[test]
fn what_an_agent_writes_is_read_as_it_was() {
    let mut sample = MetricSample::new(agent(), NOW);
    sample.cpu_percent = Some(12.5);
    sample.uptime_seconds = Some(9_007_199_254_740_991);
    let batch = MetricBatch { metrics: vec![MetricRow::from(&sample)] };
    let text = serde_json::to_string(&batch).expect("written");
    assert_eq!(
        text,
        r#"{"metrics":[{"timestamp":"2026-11-23T11:26:58.000Z","cpu_percent":12.5,"uptime_seconds":9007199254740991}]}"#
    );
    assert_eq!(serde_json::from_str::<MetricBatch>(&text).expect("read"), batch);
    assert_eq!(metrics(&text).expect("readable").records(), [sample]);
    assert!(serde_json::from_str::<MetricRow>(r#"{"cpu_percent": "x"}"#).is_err());

    let text = r#"{"traceroutes":[{"id":"019ab123-4567-7abc-8def-0123456789ab","timestamp":"2026-11-23T11:26:58.000Z","target":"a","protocol":"udp","status":"failed","reached":false,"hops":[{"ttl":1,"sent_count":1,"received_count":0}]}]}"#;
    let read = read_traceroutes(text.as_bytes(), &agent(), &bounds()).expect("readable");
    let rows = read.records().iter().map(TracerouteRow::from).collect();
    assert_eq!(serde_json::to_string(&TracerouteBatch { traceroutes: rows }).expect("written"), text);
}

#[test]
fn a_heartbeat_or_an_enrolment_with_a_wrong_value_is_refused_as_a_whole() {
    let body = r#"{"facts": {"hostname": "web-1", "ip_addresses": ["192.0.2.1"]}, "interval_seconds": 10,
        "spool": {"row_count": 5, "oldest_timestamp": null, "dropped_row_count": 0}, "cost": {"cpu_percent": 0.2}}"#;
    let heartbeat = read_heartbeat(body.as_bytes()).expect("readable");
    heartbeat.check_numbers().expect("in range");
    let facts = heartbeat.facts.expect("there").check(heartbeat.interval_seconds).expect("good");
    assert_eq!((facts.hostname.as_str(), facts.interval_seconds), ("web-1", Some(10)));
    assert_eq!(facts.ip_addresses, ["192.0.2.1"]);

    const FORM: &str = r#"; for example {"facts": {"hostname": "web-1"}, "interval_seconds": 10}"#;
    for (body, what) in [
        ("[]", "it must be an object, in braces"),
        (r#"{"facts": 7}"#, "facts must be an object, in braces"),
        (r#"{"facts": {"hostname": 7}}"#, "facts.hostname must be a text in quotation marks, or null"),
        (r#"{"facts": {"ip_addresses": [7]}}"#, "facts.ip_addresses[0] must be a text in quotation marks"),
        (r#"{"spool": {"row_count": -1}}"#, "spool.row_count must be a whole number from 0 to 18446744073709551615"),
    ] {
        let error = read_heartbeat(body.as_bytes()).expect_err(body);
        assert_eq!(error.to_string(), format!("Invalid body: {what}{FORM}"), "{body}");
    }
    for (body, what) in [
        (r#"{"hostname": "\n\u200e"}"#, "facts.hostname is missing: send the host's name, such as \"web-1\""),
        (r#"{"hostname": "a", "cpu_core_count": 2147483648}"#, "facts.cpu_core_count must be from 0 to 2147483647"),
        (
            r#"{"hostname": "a", "memory_total_bytes": -1}"#,
            "facts.memory_total_bytes must be from 0 to 9007199254740991",
        ),
    ] {
        let heartbeat = read_heartbeat(format!(r#"{{"facts": {body}}}"#).as_bytes()).expect(body);
        let refusal = heartbeat.facts.expect("there").check(None).expect_err(body);
        assert_eq!(refusal.to_string(), what, "{body}");
    }
    let enroll = read_enroll(br#"{"token": "astra_enroll_x", "facts": {"hostname": "a"}}"#).expect("readable");
    assert!(!format!("{enroll:?}").contains("astra_enroll_x"));
    assert_eq!(enroll.token.expect("there").reveal(), "astra_enroll_x");
}
