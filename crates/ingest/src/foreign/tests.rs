use astranetmon_domain::{AgentId, Speedtest, SpeedtestStatus, Timestamp, Traceroute, TracerouteStatus};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::testing::case_count;
use crate::{RowContext, TimeBounds, WireRow};

const OOKLA: &str = r#"{"type":"result","timestamp":"2026-11-23T11:26:58Z",
 "ping":{"jitter":0.361,"latency":11.217,"low":10.5,"high":12.5},
 "download":{"bandwidth":79853157,"bytes":763092400,"elapsed":9711,"latency":{"iqm":42.5,"low":11.0,"high":90.1,"jitter":3.2}},
 "upload":{"bandwidth":96484915,"bytes":1400822239,"elapsed":15003,"latency":{"iqm":61.25,"low":11.0,"high":90.1,"jitter":3.2}},
 "packetLoss":0.5,"isp":"Example Broadband",
 "interface":{"internalIp":"192.168.1.2","name":"eth0","macAddr":"00:00:5E:00:53:01","isVpn":false,"externalIp":"203.0.113.7"},
 "server":{"id":50179,"host":"speed.example","port":8080,"name":"Example","location":"London","country":"United Kingdom","ip":"203.0.113.9"},
 "result":{"id":"e1e635dd-57bc-4078-801a-8b3da04b3f34","url":"https://www.speedtest.example/result/c/e1e635dd","persisted":true}}"#;

const LIBRESPEED: &str = r#"{"timestamp":"2026-11-23T12:26:58.123456789+01:00",
 "server":{"name":"Amsterdam, Netherlands","url":"https://speed.example:8443/backend/"},
 "client":{"ip":"2001:DB8::7","hostname":"h.example","city":"Berlin","region":"Berlin","country":"DE","loc":"52.5,13.4","org":"AS64500 Example","postal":"10115","timezone":"Europe/Berlin"},
 "bytes_sent":41943040,"bytes_received":83886080,"ping":9.5,"jitter":0.75,"upload":22.37,"download":44.739,"share":""}"#;

const MTR: &str = r#"{"report":{"mtr":{"src":"host","dst":"example.com","tos":0,"tests":10,"psize":"64","bitpattern":"0x00"},
 "hubs":[
 {"count":1,"host":"_gateway (192.168.1.1)","ASN":"AS???","Loss%":0.0,"Snt":10,"Last":0.4,"Avg":0.5,"Best":0.3,"Wrst":0.9,"StDev":0.1},
 {"count":2,"host":"???","ASN":"AS???","Loss%":100.0,"Snt":10,"Last":0.0,"Avg":0.0,"Best":0.0,"Wrst":0.0,"StDev":0.0},
 {"count":"4","host":"203.0.113.80","ASN":"AS64500","Loss%":20.0,"Snt":10,"Last":12.4,"Avg":12.5,"Best":12.3,"Wrst":12.9,"StDev":0.1}]}}"#;

const ATLAS: &str = r#"{"fw":5080,"mver":"2.6.2","lts":28,"endtime":1795433221,"dst_name":"example.com","dst_addr":"2001:DB8:1::80",
 "src_addr":"2001:db8::2","proto":"UDP","af":6,"size":40,"paris_id":9,"msm_id":5006,"prb_id":1000318,"timestamp":1795433218,
 "msm_name":"Traceroute","from":"2001:db8::2","type":"traceroute","group_id":5006,
 "result":[
 {"hop":1,"result":[{"from":"2001:db8::1","ttl":64,"size":96,"rtt":1.5},{"from":"2001:db8::1","ttl":64,"size":96,"rtt":0.5},{"x":"*"}]},
 {"hop":2,"result":[{"x":"*"},{"x":"*"},{"x":"*"}]},
 {"hop":3,"result":[{"late":2},{"from":"2001:db8:0:b::1","ttl":62,"rtt":4,"size":96},{"from":"2001:db8:0:a::1","ttl":62,"rtt":3.0,"size":96,"icmpext":{"version":2,"rfc4884":1,"obj":[{"class":1,"type":1,"mpls":[{"exp":0,"label":5,"s":1,"ttl":1}]}]}},{"from":"2001:db8:0:a::1","rtt":5.0},{"from":"2001:db8:0:a::1","rtt":5.0,"dup":true}]},
 {"hop":4,"result":[{"from":"2001:db8:1::80","rtt":8.0},{"from":"2001:db8:1::80","rtt":9.0},{"x":"*"}]}]}"#;

fn at() -> Timestamp {
    Timestamp::from_seconds(1_795_433_218)
}

/// The rows, once checked like those that agents send.
fn speedtest(file: &ForeignFile, index: usize) -> Speedtest {
    let Ok(ForeignRow::Speedtest(row)) = file.entries[index].row.clone() else { panic!("{:?}", file.entries[index]) };
    let bounds = TimeBounds::keeping_days(at(), 400);
    row.check(&RowContext { agent: &AgentId::parse("a").expect("valid"), bounds: &bounds }).expect("passes the checks")
}

fn traceroute(file: &ForeignFile, index: usize) -> Traceroute {
    let Ok(ForeignRow::Traceroute(row)) = file.entries[index].row.clone() else { panic!("{:?}", file.entries[index]) };
    let bounds = TimeBounds::keeping_days(at(), 400);
    row.check(&RowContext { agent: &AgentId::parse("a").expect("valid"), bounds: &bounds }).expect("passes the checks")
}

fn file(text: &str) -> ForeignFile {
    convert(text.as_bytes(), None, Some(at())).expect("JSON")
}

fn refusal(text: &str) -> String {
    match file(text).entries.remove(0).row {
        Err(reason) => reason,
        Ok(row) => panic!("{row:?}"),
    }
}

#[test]
fn a_result_of_ookla_is_kept_converted_and_dropped_field_by_field() {
    let file = file(OOKLA);
    let test = speedtest(&file, 0);
    assert_eq!((test.download_mbps, test.upload_mbps), (Some(638.825), Some(771.879)));
    assert_eq!((test.download_bytes, test.upload_bytes), (Some(763_092_400), Some(1_400_822_239)));
    assert_eq!((test.ping_ms, test.jitter_ms, test.packet_loss_percent), (Some(11.217), Some(0.361), Some(0.5)));
    assert_eq!((test.loaded_latency_ms, test.duration_ms), (Some(61.25), Some(24_714)));
    assert_eq!(
        (test.status, test.provider.as_deref(), test.timestamp),
        (SpeedtestStatus::Completed, Some("ookla"), at())
    );
    assert_eq!((test.server_name.as_deref(), test.server_host.as_deref()), (Some("Example"), Some("speed.example")));
    assert_eq!(test.server_location.as_deref(), Some("London, United Kingdom"));
    assert_eq!((test.isp.as_deref(), test.external_ip.as_deref()), (Some("Example Broadband"), Some("203.0.113.7")));
    assert_eq!(test.interface_name.as_deref(), Some("eth0"));
    assert_eq!(test.result_url.as_deref(), Some("https://www.speedtest.example/result/c/e1e635dd"));

    let fields = &file.fields;
    assert_eq!(fields.kept["ping.latency"].target, "ping_ms");
    assert_eq!(fields.converted["upload.bandwidth"].rule, "bytes/s × 8 / 10^6");
    let dropped: Vec<&str> = fields.dropped.iter().map(String::as_str).collect();
    assert_eq!(
        dropped,
        [
            "download.latency.high",
            "download.latency.jitter",
            "download.latency.low",
            "interface.internalIp",
            "interface.isVpn",
            "interface.macAddr",
            "ping.high",
            "ping.low",
            "result.persisted",
            "server.id",
            "server.ip",
            "server.port",
            "type",
            "upload.latency.high",
            "upload.latency.jitter",
            "upload.latency.low",
        ]
    );
}

#[test]
fn what_ookla_leaves_out_is_unknown_and_progress_is_passed_over() {
    let lines = r#"{"type":"testStart","timestamp":"2026-11-23T11:26:58Z","isp":"x"}
{"type":"ping","timestamp":"2026-11-23T11:26:58Z","ping":{"jitter":1,"latency":2,"progress":0.2}}
{"type":"log","timestamp":"2026-11-23T11:26:58Z","message":"slow","level":"warning"}
{"type":"result","timestamp":"2026-11-23T11:26:58Z","ping":{"jitter":0.3,"latency":11},"download":{"bandwidth":1250000},"packetLoss":-1,"packetloss":3}
{"type":"log","timestamp":"2026-11-23T11:27:58Z","message":"Cannot open socket","level":"error"}
{"error":"Configuration - Couldn't resolve host name"}
"#;
    let file = file(lines);
    assert_eq!((file.skipped, file.entries.len()), (3, 3));
    let test = speedtest(&file, 0);
    assert_eq!((test.download_mbps, test.upload_mbps, test.packet_loss_percent), (Some(10.0), None, None));
    assert_eq!((test.loaded_latency_ms, test.duration_ms, test.server_location), (None, None, None));
    let failed = speedtest(&file, 1);
    assert_eq!((failed.status, failed.error.as_deref()), (SpeedtestStatus::Failed, Some("Cannot open socket")));
    assert_eq!(speedtest(&file, 2).error.as_deref(), Some("Configuration - Couldn't resolve host name"));
    let without_time = convert(br#"{"error":"x"}"#, None, None).expect("JSON");
    assert!(without_time.entries[0].row.as_ref().is_err_and(|reason| reason.starts_with("no timestamp")));

    let tracker = format!(r#"[{{"id":7,"service":"ookla","created_at":"2026-11-23 11:27:00","data":{OOKLA}}}]"#);
    let inside = self::file(&tracker);
    let (one, other) = (speedtest(&inside, 0), speedtest(&self::file(OOKLA), 0));
    assert_eq!(one, other, "the id follows from the result's own");
    assert_eq!(inside.fields.converted["data.download.bandwidth"].target, "download_mbps");
    assert!(inside.fields.dropped.contains("created_at"));
}

#[test]
fn a_result_of_librespeed_is_read_alone_and_in_a_list() {
    for text in [LIBRESPEED.to_owned(), format!("[{LIBRESPEED}]"), format!("{LIBRESPEED}\n{OOKLA}")] {
        let file = file(&text);
        let test = speedtest(&file, 0);
        assert_eq!((test.download_mbps, test.upload_mbps), (Some(44.739), Some(22.37)));
        assert_eq!((test.download_bytes, test.upload_bytes), (Some(83_886_080), Some(41_943_040)));
        assert_eq!((test.ping_ms, test.jitter_ms, test.packet_loss_percent), (Some(9.5), Some(0.75), None));
        assert_eq!(test.timestamp.to_string(), "2026-11-23T11:26:58.123Z");
        assert_eq!(
            (test.server_host.as_deref(), test.external_ip.as_deref()),
            (Some("speed.example:8443"), Some("2001:db8::7"))
        );
        assert_eq!((test.isp.as_deref(), test.result_url), (Some("AS64500 Example"), None));
        let fields = &file.entries[0].fields;
        assert_eq!(fields.converted["server.url"].rule, "the host of the URL");
        assert!(fields.dropped.contains("client.postal") && !fields.dropped.contains("share"));
    }
    let upload_only = LIBRESPEED.replace("83886080", "0").replace("44.739", "0");
    let test = speedtest(&file(&upload_only), 0);
    assert_eq!((test.download_mbps, test.download_bytes, test.upload_mbps), (None, None, Some(22.37)));
}

#[test]
fn a_report_of_mtr_is_a_traceroute_at_the_given_time() {
    let file = file(MTR);
    let trace = traceroute(&file, 0);
    assert_eq!((trace.target.as_str(), trace.target_ip.as_deref()), ("example.com", Some("203.0.113.80")));
    assert_eq!((trace.status, trace.reached, trace.ip_version), (TracerouteStatus::Completed, true, Some(4)));
    assert_eq!((trace.rtt_ms, trace.packet_loss_percent, trace.timestamp), (Some(12.5), Some(20.0), at()));
    let hops: Vec<_> =
        trace.hops.iter().map(|hop| (hop.ttl, hop.ip.as_deref(), hop.sent_count, hop.received_count)).collect();
    assert_eq!(
        hops,
        [(1, Some("192.168.1.1"), 10, 10), (2, None, 10, 0), (3, None, 0, 0), (4, Some("203.0.113.80"), 10, 8)]
    );
    assert_eq!((trace.hops[0].hostname.as_deref(), trace.hops[0].asn), (Some("_gateway"), None));
    assert_eq!((trace.hops[3].asn, trace.hops[3].rtt_max_ms), (Some(64_500), Some(12.9)));
    assert_eq!((trace.hops[1].rtt_avg_ms, trace.hops[1].packet_loss_percent), (None, Some(100.0)));
    assert!(file.fields.dropped.contains("report.hubs[].StDev") && file.fields.dropped.contains("report.mtr.src"));

    let cut = MTR.replace("203.0.113.80", "???").replace("20.0", "100.0");
    let trace = traceroute(&self::file(&cut), 0);
    assert_eq!(
        (trace.status, trace.reached, trace.rtt_ms, trace.target_ip),
        (TracerouteStatus::Incomplete, false, None, None)
    );
    let without_time = convert(MTR.as_bytes(), None, None).expect("JSON");
    assert!(without_time.entries[0].row.as_ref().is_err_and(|reason| reason.contains("give the time")));
}

#[test]
fn a_traceroute_of_atlas_keeps_every_hop() {
    for text in [ATLAS.to_owned(), format!("[{ATLAS}]"), ATLAS.replace('\n', "") + "\n" + &ATLAS.replace('\n', "")] {
        let file = file(&text);
        let trace = traceroute(&file, 0);
        assert_eq!((trace.target.as_str(), trace.target_ip.as_deref()), ("example.com", Some("2001:db8:1::80")));
        assert_eq!((trace.status, trace.reached, trace.ip_version), (TracerouteStatus::Completed, true, Some(6)));
        assert_eq!((trace.protocol.as_str(), trace.duration_ms, trace.rtt_ms), ("udp", Some(3_000), Some(8.5)));
        assert_eq!((trace.timestamp, trace.packet_loss_percent), (at(), Some(33.33)));
        let hops: Vec<_> = trace
            .hops
            .iter()
            .map(|hop| (hop.ip.as_deref(), hop.sent_count, hop.received_count, hop.rtt_avg_ms))
            .collect();
        assert_eq!(
            hops,
            [
                (Some("2001:db8::1"), 3, 2, Some(1.0)),
                (None, 3, 0, None),
                // A late answer and a second one are no packets of their own; most answers decide.
                (Some("2001:db8:0:a::1"), 3, 3, Some(4.0)),
                (Some("2001:db8:1::80"), 3, 2, Some(8.5)),
            ]
        );
        assert_eq!((trace.hops[0].rtt_min_ms, trace.hops[0].rtt_max_ms), (Some(0.5), Some(1.5)));
        assert!(file.fields.converted.contains_key("result[].result[].rtt"));
        for dropped in
            ["paris_id", "src_addr", "result[].result[].late", "result[].result[].icmpext.obj[].mpls[].label"]
        {
            assert!(file.fields.dropped.contains(dropped), "{dropped}: {:?}", file.fields.dropped);
        }
    }
}

#[test]
fn a_traceroute_of_atlas_that_failed_says_why() {
    let with_result = |result: &str| {
        let head = &ATLAS[..ATLAS.find("\"result\"").expect("there")];
        format!("{head}\"result\":{result}}}")
    };
    // (result, status, error, hops)
    for (result, status, error, hops) in [
        (
            r#"[{"hop":1,"result":[{"error":"bind failed: Invalid argument"}]}]"#,
            "failed",
            Some("bind failed: Invalid argument"),
            0,
        ),
        (
            r#"[{"hop":1,"error":"connect: Network is unreachable"}]"#,
            "failed",
            Some("connect: Network is unreachable"),
            0,
        ),
        (r#"[{"error":"dns resolution failed"}]"#, "failed", Some("dns resolution failed"), 0),
        (
            r#"[{"hop":1,"result":[{"x":"*"}]},{"hop":2,"result":[{"x":"*"}]},{"hop":255,"result":[{"x":"*"}]}]"#,
            "incomplete",
            None,
            2,
        ),
        (
            r#"[{"hop":1,"result":[{"x":"*"}]},{"hop":255,"result":[{"from":"2001:db8:1::80","rtt":3}]}]"#,
            "completed",
            None,
            1,
        ),
        (r#"[{"hop":1,"result":[{"from":"2001:db8:1::80","rtt":3,"err":"A"}]}]"#, "incomplete", None, 1),
        (r#"[{"hop":1,"result":[{"from":"2001:db8:1::80","rtt":3,"err":"p"}]}]"#, "completed", None, 1),
        (r#"[{"hop":2,"result":[{"x":"*"}]},{"hop":4,"result":[{"x":"*"}]}]"#, "incomplete", None, 3),
        ("[]", "incomplete", None, 0),
    ] {
        let trace = traceroute(&file(&with_result(result)), 0);
        assert_eq!(
            (trace.status.as_str(), trace.error.as_deref(), trace.hops.len()),
            (status, error, hops),
            "{result}"
        );
    }
    let unresolved = ATLAS.replace(r#""dst_addr":"2001:DB8:1::80","#, "");
    assert_eq!(traceroute(&file(&unresolved), 0).target_ip, None);
    assert!(refusal(&with_result("\"traceroute to example.com\"")).contains("older than 4400"));
}

#[test]
fn importing_twice_gives_the_same_ids_and_other_content_others() {
    let ids = |text: &str| {
        let file = file(text);
        let rows = file.entries.into_iter().map(|entry| match entry.row.expect("a row") {
            ForeignRow::Speedtest(row) => row.id.expect("an id").0,
            ForeignRow::Traceroute(row) => row.id.expect("an id").0,
        });
        rows.collect::<Vec<_>>()
    };
    let all = [OOKLA, LIBRESPEED, MTR, ATLAS].join("\n");
    let first = ids(&all);
    assert_eq!(first, ids(&all));
    assert!(first.iter().all(|id| id.get_version_num() == 7));
    for (text, changed) in [
        (OOKLA, OOKLA.replace("e1e635dd-", "e1e635de-")),
        (LIBRESPEED, LIBRESPEED.replace("9.5", "9.6")),
        (MTR, MTR.replace("12.5", "12.6")),
        (ATLAS, ATLAS.replace("1000318", "1000319")),
    ] {
        assert_ne!(ids(text), ids(&changed));
    }
}

#[test]
fn what_cannot_be_read_is_refused_with_the_reason() {
    for text in ["", "   ", "{", "nonsense", "\u{feff}", "[1,"] {
        let outcome = convert(text.as_bytes(), None, None);
        assert!(
            outcome.is_err()
                || outcome.is_ok_and(|file| file.entries.is_empty() && text.trim_matches(['\u{feff}', ' ']).is_empty()),
            "{text:?}"
        );
    }
    for (text, reason) in [
        ("{}", "of no known format"),
        ("[7]", "of no known format"),
        (r#"{"type":"result","timestamp":"2026-11-23T11:26:58Z"}"#, "neither download.bandwidth nor"),
        (r#"{"report":{"mtr":{},"hubs":[]}}"#, "no report.mtr.dst"),
        (r#"{"report":{"mtr":{"dst":"x"},"hubs":[{"count":0}]}}"#, "a hub without its count"),
        (r#"{"type":"traceroute","timestamp":1,"dst_name":"x"}"#, "no proto"),
        (r#"{"type":"traceroute","proto":"ICMP","dst_name":"x"}"#, "no timestamp"),
        (
            r#"{"bytes_received":0,"bytes_sent":0,"download":0,"upload":0,"timestamp":"2026-11-23T11:26:58Z"}"#,
            "neither download nor upload",
        ),
    ] {
        assert!(refusal(text).starts_with(reason), "{text}: {}", refusal(text));
    }
    // A broken line costs itself alone.
    let file = file(&format!("{}\n{{broken\n{}\n", OOKLA.replace('\n', ""), LIBRESPEED.replace('\n', "")));
    assert_eq!(file.entries.len(), 3);
    assert!(file.entries[1].row.as_ref().is_err_and(|reason| reason.starts_with("line 2 is not JSON")), "{file:?}");
}

#[test]
fn the_documentation_shows_the_field_maps() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ingest/import.md"));
    for format in Format::ALL {
        let mut table = String::from("| Field | Becomes | How |\n| --- | --- | --- |\n");
        for FieldRule { path, target, rule } in format.fields() {
            let rule = if rule.is_empty() { "kept" } else { rule };
            let targets = target.split(", ").map(|target| format!("`{target}`")).collect::<Vec<_>>().join(", ");
            table += &format!("| `{path}` | {targets} | {rule} |\n");
        }
        assert!(
            page.contains(&table),
            "docs/ingest/import.md has another table; this is the code's for {format}:\n{table}"
        );
    }
}

#[test]
fn whatever_a_file_holds_nothing_panics() {
    let all = [OOKLA, LIBRESPEED, MTR, ATLAS];
    // Values inside well-formed documents are replaced, or bytes of them.
    let values = prop::sample::select(vec![
        "null",
        "-1",
        "1e308",
        "\"x\"",
        "[]",
        "{}",
        "true",
        "99999999999999999999",
        "255",
        "[[]]",
    ]);
    let edits = proptest::collection::vec((any::<prop::sample::Index>(), values), 1..6);
    let strategy = (0..all.len(), edits, any::<bool>(), any::<prop::sample::Index>(), any::<u8>());
    let config = Config { cases: case_count(500, 10_000), failure_persistence: None, ..Config::default() };
    let check = |(which, edits, broken, place, byte): (
        usize,
        Vec<(prop::sample::Index, &str)>,
        bool,
        prop::sample::Index,
        u8,
    )| {
        let mut text = all[which].to_owned();
        for (place, value) in edits {
            let colons: Vec<usize> = text.match_indices("\":").map(|(at, _)| at + 2).collect();
            let Some(&at) = colons.get(place.index(colons.len().max(1))) else { continue };
            let end = text[at..].find([',', '}', ']']).map_or(text.len(), |length| at + length);
            text.replace_range(at..end, value);
        }
        let mut bytes = text.into_bytes();
        if broken {
            let at = place.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(file) = convert(&bytes, None, Some(at())) {
            let bounds = TimeBounds::keeping_days(at(), 400);
            let agent = AgentId::parse("a").expect("valid");
            let context = RowContext { agent: &agent, bounds: &bounds };
            for entry in file.entries {
                match entry.row {
                    Ok(ForeignRow::Speedtest(row)) => drop(row.check(&context)),
                    Ok(ForeignRow::Traceroute(row)) => drop(row.check(&context)),
                    Err(reason) => prop_assert!(reason.len() > 10),
                }
            }
        }
        Ok(())
    };
    TestRunner::new(config).run(&strategy, check).expect("no panic");
}
