use astranetmon_domain::{AgentId, MetricSample, Timestamp, TracerouteStatus};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::*;
use crate::TimeBounds;
use crate::line_protocol::{Points, Precision};
use crate::testing::case_count;

/// 2026-11-23T11:26:50Z
const NOW: Timestamp = Timestamp::from_seconds(1_795_433_210);

fn agent() -> AgentId {
    AgentId::parse("web-1").expect("valid")
}

fn try_convert(body: &str, memory: &AgentMemory) -> Result<Conversion, RefusedBody> {
    let (metrics, results) = (TimeBounds::keeping_days(NOW, 31), TimeBounds::keeping_days(NOW, 400));
    convert(Points::new(body.as_bytes(), Precision::Seconds), &agent(), &metrics, &results, memory, NOW)
}

/// Converts lines whose timestamps count seconds before and after [`NOW`] where they are written as `{+10}`.
fn convert_after(body: &str, memory: &AgentMemory) -> Conversion {
    let mut text = String::new();
    for (index, part) in body.split('{').enumerate() {
        match part.split_once('}').filter(|_| index > 0) {
            Some((offset, rest)) => {
                let offset: i64 = offset.parse().expect("a number");
                text += &format!("{}{rest}", NOW.as_seconds() + offset);
            }
            None => text += part,
        }
    }
    try_convert(&text, memory).expect("one machine")
}

fn converted(body: &str) -> Conversion {
    convert_after(body, &AgentMemory::default())
}

fn only_metric(conversion: &Conversion) -> &MetricSample {
    assert_eq!(conversion.metrics.len(), 1, "{conversion:?}");
    &conversion.metrics[0]
}

/// The names of the fields of a metric that are known.
fn known_fields(sample: &MetricSample) -> Vec<&'static str> {
    let values = sample.fixed_values();
    let known = |field: &&astranetmon_domain::MetricField| values[field.index()] != astranetmon_domain::NULL;
    astranetmon_domain::METRIC_FIELDS.iter().filter(known).map(|field| field.name).collect()
}

#[test]
fn the_lines_of_one_collection_become_one_metric() {
    let conversion = converted(
        r#"cpu,cpu=cpu0,host=web-1 usage_idle=1,usage_iowait=0 {0}
cpu,cpu=cpu-total,host=web-1 usage_user=20.5,usage_idle=70.25,usage_iowait=4.5,usage_guest=0 {0}
system,host=web-1 load1=3.72,load5=2.4,load15=2.1,n_users=3i,n_cpus=4i {0}
system,host=web-1 uptime=1249632i {0}
system,host=web-1 uptime_format="14 days, 11:07" {0}
processes,host=web-1 blocked=0i,running=2i,sleeping=231i,total=240i {0}
mem,host=web-1 available=6000000000i,total=8000000000i,used=1500000000i,used_percent=18.75 {0}
swap,host=web-1 free=900i,total=1000i,used=100i,used_percent=10 {0}
disk,device=sda1,fstype=ext4,host=web-1,mode=rw,path=/ free=60i,total=200i,used=140i,used_percent=70 {0}
disk,device=sdb1,fstype=ext4,host=web-1,mode=rw,path=/srv free=1i,total=2i,used=1i,used_percent=50 {0}
temp,host=web-1,sensor=coretemp_physicalid0_input temp=51.5 {0}
temp,host=web-1,sensor=coretemp_core0_input temp=49 {0}
temp,host=web-1,sensor=coretemp_physicalid0_crit temp=100 {0}
net,host=web-1,interface=eth0 bytes_recv=1000i,bytes_sent=2000i,err_in=1i,err_out=0i {0}
net,host=web-1,interface=eth1 bytes_recv=10i,bytes_sent=20i,err_in=0i,err_out=0i {0}
net,host=web-1,interface=docker0 bytes_recv=999i,bytes_sent=999i,err_in=0i,err_out=0i {0}
net,host=web-1,interface=all tcp_currestab=59i {0}
ping,host=web-1,url=192.0.2.1 average_response_ms=23.066,packets_transmitted=5i,percent_packet_loss=20,result_code=0i,standard_deviation_ms=0.809 {0}
docker,host=web-1 n_containers=3i {0}
"#,
    );
    let sample = only_metric(&conversion);
    let expected = MetricSample {
        cpu_percent: Some(25.25),
        load_1: Some(3.72),
        load_5: Some(2.4),
        load_15: Some(2.1),
        uptime_seconds: Some(1_249_632),
        process_count: Some(240),
        memory_total_bytes: Some(8_000_000_000),
        memory_used_bytes: Some(2_000_000_000),
        memory_percent: Some(25.0),
        swap_total_bytes: Some(1_000),
        swap_used_bytes: Some(100),
        disk_total_bytes: Some(200),
        disk_used_bytes: Some(140),
        disk_percent: Some(70.0),
        temperature_celsius: Some(51.5),
        network_receive_bytes_total: Some(1_010),
        network_transmit_bytes_total: Some(2_020),
        latency_ms: Some(23.066),
        jitter_ms: Some(0.809),
        packet_loss_percent: Some(20.0),
        ..MetricSample::new(agent(), NOW)
    };
    assert_eq!(sample, &expected);
    assert!(conversion.speedtests.is_empty() && conversion.traceroutes.is_empty());
    let answer = conversion.pending.answer(0);
    // cpu0, uptime_format, /srv, the limit of the sensor, docker0, all, docker
    assert_eq!((answer.lines, answer.unused_lines, answer.taken, answer.refused), (19, 7, 1, 0));
    for name in ["cpu.usage_user", "system.n_users", "processes.running", "mem.used_percent", "docker"] {
        assert!(answer.ignored_fields.iter().any(|ignored| ignored == name), "{name}: {:?}", answer.ignored_fields);
    }
    assert!(!answer.ignored_fields.iter().any(|name| name == "mem.used"), "{:?}", answer.ignored_fields);
    assert_eq!(answer.partial_write(), None);
}

#[test]
fn every_row_of_the_table_is_what_the_code_does() {
    let others = |url: &str| format!("ping,url=a average_response_ms=1 {{0}}\nping,url={url} ");
    for mapping in MAPPINGS {
        // One line with just the fields of the row, of a device that counts, ten seconds apart for what grows.
        let line = |numbers: &[i64]| {
            let fields = mapping.fields.iter().zip(numbers).map(|(field, number)| match *field {
                "location" => format!("{field}=\"{number}\""),
                field => format!("{field}={number}i"),
            });
            fields.collect::<Vec<_>>().join(",")
        };
        let tags = match mapping.measurement {
            "cpu" => "cpu,cpu=cpu-total",
            "disk" => "disk,path=/",
            "diskio" => "diskio,name=sda",
            "net" => "net,interface=eth0",
            "temp" => "temp,sensor=acpitz",
            "sensors" => "sensors,chip=c,feature=temp1",
            "ping" if mapping.target.starts_with("metrics") => "ping,url=a",
            other => other,
        };
        let body = if tags == "ping" {
            others("b") + &line(&[1, 1, 1]) + " {0}"
        } else {
            format!("{tags} {} {{0}}\n{tags} {} {{10}}", line(&[50, 20, 20]), line(&[60, 20, 20]))
        };
        let conversion = converted(&body);
        let (record, field) = mapping.target.split_once('.').expect("record.field");
        let what = format!("{mapping:?}");
        match record {
            "metrics" => {
                let known = conversion.metrics.iter().flat_map(known_fields).collect::<Vec<_>>();
                assert!(known.contains(&field), "{what}: {known:?}");
            }
            "traceroutes" => assert_eq!(conversion.traceroutes.len(), 1, "{what}"),
            "speedtests" => {
                let test = serde_json::to_value(crate::SpeedtestRow::from(&conversion.speedtests[0])).expect("JSON");
                assert!(!test[field].is_null(), "{what}: {test}");
            }
            other => panic!("{other}"),
        }
        let answer = conversion.pending.answer(0);
        assert_eq!((answer.refused, answer.ignored_fields), (0, Vec::new()), "{what}");
    }
}

#[test]
fn the_documentation_shows_the_table() {
    let page = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ingest/telegraf.md"));
    let mut table = String::from("| Input | Lines | Fields | Becomes | How |\n| --- | --- | --- | --- | --- |\n");
    for Mapping { measurement, lines, fields, target, rule } in MAPPINGS {
        let fields = fields.iter().map(|field| format!("`{field}`")).collect::<Vec<_>>().join(", ");
        let lines = if lines.is_empty() { "all" } else { lines };
        let rule = if rule.is_empty() { "as it is" } else { rule };
        table += &format!("| `{measurement}` | {lines} | {fields} | `{target}` | {rule} |\n");
    }
    assert!(page.contains(&table), "docs/ingest/telegraf.md has another table; this is the code's:\n{table}");
}

#[test]
fn rates_go_on_over_bodies_and_are_unknown_at_first() {
    let body = |seconds: i64, received: i64, written: i64| {
        format!(
            "net,interface=eth0 bytes_recv={received}i,bytes_sent=7i,err_in=0i,err_out={seconds}i {{{seconds}}}\n\
             diskio,name=nvme0n1 read_bytes=0i,write_bytes={written}i {{{seconds}}}\n\
             diskio,name=nvme0n1p1 read_bytes=0i,write_bytes={written}i {{{seconds}}}\n"
        )
    };
    let first = converted(&body(0, 1_000, 0));
    let sample = only_metric(&first);
    assert_eq!(known_fields(sample), ["network_receive_bytes_total", "network_transmit_bytes_total"]);
    let second = convert_after(&body(10, 6_000, 1_005), &first.memory);
    let sample = only_metric(&second);
    assert_eq!(
        (sample.network_receive_bytes_per_second, sample.network_transmit_bytes_per_second),
        (Some(500), Some(0))
    );
    assert_eq!((sample.network_errors_count, sample.network_receive_bytes_total), (Some(10), Some(6_000)));
    assert_eq!((sample.disk_read_bytes_per_second, sample.disk_write_bytes_per_second), (Some(0), Some(101)));
    // A body that is sent again with the memory as it was gives the same.
    assert_eq!(convert_after(&body(10, 6_000, 1_005), &first.memory).metrics, second.metrics);
    assert!(second.memory.byte_count() < 2_000, "{}", second.memory.byte_count());
}

#[test]
fn one_ping_target_is_the_latency_and_the_others_are_traceroutes() {
    let conversion = converted(
        "ping,url=b.example average_response_ms=5,minimum_response_ms=4,maximum_response_ms=6,packets_transmitted=3i,\
         packets_received=2i,percent_packet_loss=33.3333,result_code=0i,ttl=63i {0}\n\
         ping,url=a.example average_response_ms=1.5,result_code=0i {0}\n\
         ping,url=fd00::DB8 packets_transmitted=3i,packets_received=0i,percent_packet_loss=100,result_code=0i {0}\n\
         ping,url=nowhere.example result_code=1i {0}\n",
    );
    assert_eq!(only_metric(&conversion).latency_ms, Some(1.5));
    let [b, v6, nowhere] = &conversion.traceroutes[..] else { panic!("{conversion:?}") };
    assert_eq!(
        (b.status, b.reached, b.rtt_ms, b.packet_loss_percent),
        (TracerouteStatus::Completed, true, Some(5.0), Some(33.33))
    );
    assert_eq!((b.hops.len(), b.hops[0].hostname.as_deref(), b.hops[0].rtt_min_ms), (1, Some("b.example"), Some(4.0)));
    assert_eq!(
        (v6.status, v6.target_ip.as_deref(), v6.ip_version),
        (TracerouteStatus::Incomplete, Some("fd00::db8"), Some(6))
    );
    assert_eq!((v6.hops[0].ip.as_deref(), v6.hops[0].sent_count, v6.hops[0].received_count), (None, 3, 0));
    assert_eq!(
        (nowhere.status, nowhere.error.as_deref(), nowhere.hops.len()),
        (TracerouteStatus::Failed, Some("no such host"), 0)
    );

    // A body without the first target makes no other the first.
    let next = convert_after("ping,url=b.example average_response_ms=5 {10}", &conversion.memory);
    assert!(next.metrics.is_empty() && next.traceroutes.len() == 1);
    // The same line has the same id, whoever converts it.
    let again = convert_after("ping,url=b.example average_response_ms=5 {10}", &conversion.memory);
    assert_eq!(next.traceroutes, again.traceroutes);
    // A target that is away for long makes place.
    let first = converted("ping,url=a.example average_response_ms=1 {-1000}");
    let late = convert_after("ping,url=c.example average_response_ms=9 {0}", &first.memory);
    assert_eq!(only_metric(&late).latency_ms, Some(9.0));
}

#[test]
fn a_speed_test_of_telegraf_is_one_of_ours() {
    let line = "internet_speed,host=web-1,server_id=54619,source=speed.example:8080,test_mode=single \
                download=318.3758,upload=30.4444,latency=37.73174,jitter=1.9981,packet_loss=-1,location=\"Somewhere, TX\" {0}";
    let conversion = converted(line);
    let test = &conversion.speedtests[0];
    assert_eq!((test.download_mbps, test.upload_mbps), (Some(318.376), Some(30.444)));
    assert_eq!((test.ping_ms, test.jitter_ms, test.packet_loss_percent), (Some(37.732), Some(1.998), None));
    assert_eq!(test.provider.as_deref(), Some("ookla"));
    assert_eq!(
        (test.server_host.as_deref(), test.server_location.as_deref()),
        (Some("speed.example:8080"), Some("Somewhere, TX"))
    );
    assert_eq!(test.timestamp, NOW);
    assert_eq!(converted(line).speedtests, conversion.speedtests);
}

#[test]
fn lines_with_bad_values_are_refused_by_themselves_and_named() {
    let body = "system load1=\"high\" {0}\n\
                system load5=1 {0}\n\
                broken\n\
                mem total=-1i {0}\n\
                mem total=5i {-10000000}\n\
                ping average_response_ms=1 {0}\n\
                system load1=2 {601}\n\
                internet_speed download=-5 {0}\n";
    let conversion = converted(body);
    assert_eq!(only_metric(&conversion).load_5, Some(1.0));
    let answer = conversion.pending.answer(0);
    let refused: Vec<_> =
        answer.refused_lines.iter().map(|one| (one.line, one.field.as_deref().unwrap_or(""))).collect();
    let expected =
        [(1, "load1"), (3, ""), (4, "total"), (5, "timestamp"), (6, "url"), (7, "timestamp"), (8, "download_mbps")];
    assert_eq!(refused, expected);
    assert_eq!((answer.lines, answer.taken, answer.refused), (8, 1, 7));
    assert_eq!(
        answer.partial_write().as_deref(),
        Some("partial write: 7 lines were refused, the first is line 1: load1 must be a number, such as 97.5 or 42i")
    );
}

#[test]
fn lines_of_one_time_fill_each_other_and_overwrite_nothing() {
    let conversion = converted("system load1=1,load1=3 {0}\nsystem load1=2,load5=5 {0}\nsystem load1=7");
    let sample = only_metric(&conversion);
    assert_eq!((sample.load_1, sample.load_5, sample.timestamp), (Some(1.0), Some(5.0), NOW));
    assert_eq!(conversion.pending.clone().answer(1).known, 1);
    let answer = conversion.pending.too_old(&[0]).answer(0);
    assert_eq!((answer.taken, answer.known, answer.refused, answer.refused_lines[0].line), (0, 0, 1, 1));
}

#[test]
fn a_body_of_two_machines_or_of_too_many_times_is_refused_as_a_whole() {
    let body = "docker,host=c n=1\nsystem,host=a load1=1\nsystem,host=b load1=1";
    let refused = try_convert(body, &AgentMemory::default()).expect_err("two machines");
    assert_eq!(refused, RefusedBody::SeveralHosts { first: "a".to_owned(), other: "b".to_owned() });
    let many: String = (0..10_001).map(|n| format!("system load1=1 {}\n", NOW.as_seconds() - n)).collect();
    assert_eq!(try_convert(&many, &AgentMemory::default()).expect_err("too many"), RefusedBody::TooManyRows);
}

#[test]
fn whatever_telegraf_measures_nothing_panics_and_no_value_is_out_of_range() {
    let names: Vec<&str> = MAPPINGS.iter().map(|mapping| mapping.measurement).collect();
    let fields: Vec<&str> = MAPPINGS.iter().flat_map(|mapping| mapping.fields).copied().collect();
    let values =
        ["0", "-1", "1e300", "-1e300", "9223372036854775807i", "18446744073709551615u", "\"x\"", "true", "3i", "50"];
    let tags =
        ["", ",cpu=cpu-total", ",path=/", ",name=sda", ",interface=eth0", ",url=a", ",url=b", ",sensor=s", ",source=s"];
    let field = (prop::sample::select(fields), prop::sample::select(values.to_vec()));
    let line = (
        prop::sample::select(names),
        prop::sample::select(tags.to_vec()),
        proptest::collection::vec(field, 1..4),
        -30_i64..30,
    );
    let text = line.prop_map(|(name, tag, fields, at)| {
        let fields = fields.iter().map(|(field, value)| format!("{field}={value}")).collect::<Vec<_>>();
        format!("{name}{tag} {} {}\n", fields.join(","), NOW.as_seconds() + at)
    });
    let bodies = proptest::collection::vec(proptest::collection::vec(text, 1..20), 1..4);
    let config = Config { cases: case_count(500, 5_000), failure_persistence: None, ..Config::default() };
    let check = |bodies: Vec<Vec<String>>| {
        let mut memory = AgentMemory::default();
        for body in bodies {
            let conversion = try_convert(&body.concat(), &memory).expect("one machine");
            for sample in &conversion.metrics {
                prop_assert_eq!(sample, &sample.clone().normalized());
                prop_assert!(sample.cpu_percent.is_none_or(|percent| (0.0..=100.0).contains(&percent)));
                prop_assert!(sample.network_receive_bytes_per_second.is_none_or(|rate| rate >= 0));
            }
            memory = conversion.memory;
        }
        Ok(())
    };
    TestRunner::new(config).run(&bodies, check).expect("no panic");
}
