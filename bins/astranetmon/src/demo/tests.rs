//! The synthetic fleets, looked at as their readers do.

use std::collections::HashSet;

use astranetmon_domain::{MetricSample, Plan, SpeedtestStatus, Timestamp, Traceroute};

use super::fleet::{METRIC_SECONDS, SyntheticAgent, WeeklyEvent, fleet};
use super::schedule::WEEK_SECONDS;

/// 2026-11-23T11:00:00Z, a Monday.
const END: i64 = 1_795_431_600;

fn week() -> (Timestamp, Timestamp) {
    (Timestamp::from_seconds(END - WEEK_SECONDS), Timestamp::from_seconds(END))
}

fn agents() -> Vec<SyntheticAgent> {
    Plan::ALL.into_iter().flat_map(|plan| fleet(1, plan).expect("valid ids")).collect()
}

fn with_event(event: WeeklyEvent) -> Vec<SyntheticAgent> {
    agents().into_iter().filter(|agent| agent.event == event).collect()
}

fn metrics(agent: &SyntheticAgent) -> Vec<MetricSample> {
    let (start, end) = week();
    agent.metric_cadence().between(start, end).filter_map(|at| agent.metric_at(at)).collect()
}

fn traceroutes(agent: &SyntheticAgent) -> Vec<Traceroute> {
    let (start, end) = week();
    agent.traceroute_cadence().between(start, end).flat_map(|at| agent.traceroutes_at(at)).collect()
}

#[test]
fn each_account_has_five_agents_and_enterprise_has_agent_123() {
    for plan in Plan::ALL {
        let ids: HashSet<_> = fleet(1, plan).expect("valid ids").into_iter().map(|agent| agent.id).collect();
        assert_eq!(ids.len(), 5, "{plan}");
    }
    let enterprise = fleet(1, Plan::Enterprise).expect("valid ids");
    assert!(enterprise.iter().any(|agent| agent.id.as_str() == "agent-123"));
}

#[test]
fn accounts_share_ids_and_hostnames_but_no_numbers() {
    let starter = fleet(1, Plan::Starter).expect("valid ids");
    let professional = fleet(1, Plan::Professional).expect("valid ids");
    let (ours, theirs) = (&starter[0], &professional[0]);
    assert_eq!(ours.id, theirs.id);
    let at = week().1;
    assert_ne!(ours.new_agent(at).facts.hostname, theirs.new_agent(at).facts.hostname);
    let enterprise = fleet(1, Plan::Enterprise).expect("valid ids");
    assert_eq!(ours.new_agent(at).facts.hostname, enterprise[0].new_agent(at).facts.hostname);
    assert_ne!(ours.metric_at(at).expect("reports").cpu_percent, theirs.metric_at(at).expect("reports").cpu_percent);
}

#[test]
fn one_seed_gives_one_history_and_another_gives_another() {
    let at = week().0.plus_seconds(86_400);
    let of = |seed| {
        let fleet = fleet(seed, Plan::Starter).expect("valid ids");
        (fleet[0].metric_at(at), fleet[0].speedtest_at(at), fleet[0].traceroutes_at(at))
    };
    assert_eq!(of(1), of(1));
    let ((metric, speedtest, traceroutes), other) = (of(1), of(2));
    assert_ne!(metric, other.0);
    assert_ne!(speedtest, other.1);
    assert_ne!(traceroutes, other.2);
}

#[test]
fn samples_are_as_storage_keeps_them_and_within_their_ranges() {
    for agent in agents() {
        let samples = metrics(&agent);
        assert!(samples.len() > 10_000, "{}", agent.id);
        for sample in samples {
            assert_eq!(sample, sample.clone().normalized());
            let percents = [sample.memory_percent, sample.disk_percent, sample.packet_loss_percent];
            for percent in percents.into_iter().chain([sample.cpu_percent]).flatten() {
                assert!((0.0..=100.0).contains(&percent), "{sample:?}");
            }
            assert!(sample.memory_used_bytes < sample.memory_total_bytes);
            assert!(sample.swap_used_bytes <= sample.swap_total_bytes);
            assert!(sample.disk_used_bytes < sample.disk_total_bytes);
            for whole in [
                sample.disk_read_bytes_per_second,
                sample.network_receive_bytes_per_second,
                sample.network_receive_bytes_total,
                sample.network_errors_count,
                sample.uptime_seconds,
                sample.process_count,
            ] {
                assert!(whole.is_none_or(|whole| whole >= 0), "{sample:?}");
            }
            let floats = [sample.load_1, sample.load_15, sample.latency_ms, sample.jitter_ms];
            assert!(floats.into_iter().all(|float| float.is_some_and(|float| float >= 0.0)), "{sample:?}");
        }
    }
}

#[test]
fn days_are_busier_than_nights() {
    for agent in agents() {
        let mean_at = |hour: i64| {
            let local = hour - agent.site.hours_from_utc;
            let of_hour = metrics(&agent).into_iter().filter(|sample| {
                let hour = sample.timestamp.as_seconds().div_euclid(3_600).rem_euclid(24);
                hour == local.rem_euclid(24)
            });
            let (mut cpu, mut bytes, mut count) = (0.0, 0, 0);
            for sample in of_hour {
                cpu += sample.cpu_percent.unwrap_or_default();
                bytes += sample.network_receive_bytes_per_second.unwrap_or_default();
                count += 1;
            }
            (cpu / f64::from(count), bytes / i64::from(count))
        };
        let (day, night) = (mean_at(15), mean_at(3));
        assert!(day.0 > 1.4 * night.0, "{}: {day:?} {night:?}", agent.id);
        assert!(day.1 > 2 * night.1, "{}: {day:?} {night:?}", agent.id);
    }
}

#[test]
fn totals_grow_and_agree_with_rates_but_for_a_reboot() {
    for agent in agents() {
        let (samples, mut falls) = (metrics(&agent), 0);
        for pair in samples.windows(2) {
            let (before, after) = (&pair[0], &pair[1]);
            let total = |sample: &MetricSample| {
                (
                    sample.network_receive_bytes_total.expect("known"),
                    sample.network_transmit_bytes_total.expect("known"),
                )
            };
            if total(after).0 < total(before).0 {
                falls += 1;
                assert_eq!(after.network_receive_bytes_per_second, None);
                assert_eq!(after.network_errors_count, None);
                assert_eq!(after.disk_write_bytes_per_second, None);
                assert!(after.uptime_seconds.expect("known") < 120, "{after:?}");
            } else if let Some(rate) = after.network_receive_bytes_per_second {
                let gained = total(after).0 - total(before).0;
                assert!((gained - rate * METRIC_SECONDS).abs() <= METRIC_SECONDS, "{}: {after:?}", agent.id);
                assert!(total(after).1 > total(before).1);
            }
        }
        assert_eq!(falls, i32::from(agent.event == WeeklyEvent::Reboot), "{}", agent.id);
    }
}

#[test]
fn one_agent_of_each_account_is_away_for_forty_minutes() {
    let agents = with_event(WeeklyEvent::Outage);
    assert_eq!(agents.len(), 3);
    for agent in agents {
        let samples = metrics(&agent);
        let gaps: Vec<_> = samples
            .windows(2)
            .filter(|pair| pair[1].timestamp.as_seconds() - pair[0].timestamp.as_seconds() > METRIC_SECONDS)
            .collect();
        assert_eq!(gaps.len(), 1, "{}", agent.id);
        let (before, after) = (&gaps[0][0], &gaps[0][1]);
        let minutes = (after.timestamp.as_seconds() - before.timestamp.as_seconds()) / 60;
        assert!((40..=42).contains(&minutes), "{minutes}");
        assert_eq!(after.network_receive_bytes_per_second, None);
        assert!(after.network_receive_bytes_total > before.network_receive_bytes_total);
        assert!(agent.traceroutes_at(before.timestamp.plus_seconds(600)).is_empty());
        assert_eq!(agent.speedtest_at(before.timestamp.plus_seconds(600)), None);
    }
}

#[test]
fn the_way_to_a_target_changes_once_a_week_for_one_agent_of_each_account() {
    assert_eq!(with_event(WeeklyEvent::RouteChange).len(), 3);
    for agent in agents() {
        let traces = traceroutes(&agent);
        assert!(traces.len() > 600, "{}", agent.id);
        for target in traces.iter().map(|trace| &trace.target).collect::<HashSet<_>>() {
            let hashes: Vec<_> =
                traces.iter().filter(|trace| &trace.target == target).map(Traceroute::path_hash).collect();
            let changes = hashes.windows(2).filter(|pair| pair[0] != pair[1]).count();
            let expected = agent.event == WeeklyEvent::RouteChange && target == "one.one.one.one";
            assert_eq!(changes, usize::from(expected), "{} {target}", agent.id);
        }
    }
}

#[test]
fn traces_are_dense_with_silent_hops_and_as_storage_keeps_them() {
    for trace in agents().iter().flat_map(traceroutes) {
        assert_eq!(trace, trace.clone().normalized());
        assert!(trace.hops.iter().zip(1..).all(|(hop, ttl)| hop.ttl == ttl));
        assert!(trace.hops.iter().any(|hop| hop.ip.is_none() && hop.received_count == 0));
        assert!(trace.hops.iter().any(|hop| hop.as_name.is_some()));
        assert_eq!(trace.reached, trace.rtt_ms.is_some());
    }
}

#[test]
fn four_speed_tests_a_day_of_which_some_fail() {
    let (start, end) = week();
    let mut failed = 0;
    for agent in agents() {
        let tests: Vec<_> =
            agent.speedtest_cadence().between(start, end).filter_map(|at| agent.speedtest_at(at)).collect();
        assert!((27..=28).contains(&tests.len()), "{}", agent.id);
        for test in tests {
            assert_eq!(test, test.clone().normalized());
            let completed = test.status == SpeedtestStatus::Completed;
            assert_eq!(completed, test.error.is_none());
            assert_eq!(completed, test.download_mbps.is_some_and(|mbps| mbps > 1.0));
            failed += usize::from(!completed);
        }
    }
    assert!((1..100).contains(&failed), "{failed}");
}

#[test]
fn backups_write_on_sunday_nights() {
    for agent in agents() {
        let (mut backup, mut usual) = (0, 0);
        for sample in metrics(&agent) {
            let local = sample.timestamp.plus_seconds(agent.site.hours_from_utc * 3_600).as_seconds();
            let (day, hour) = (local.div_euclid(86_400).rem_euclid(7), local.div_euclid(3_600).rem_euclid(24));
            let most = if (day, hour) == (3, 2) { &mut backup } else { &mut usual };
            if hour == 2 {
                *most = sample.disk_write_bytes_per_second.unwrap_or_default().max(*most);
            }
        }
        assert!(backup > 2 * usual, "{}: {backup} {usual}", agent.id);
    }
}

#[test]
fn record_ids_are_version_7_in_time_order_and_unique() {
    let mut seen = HashSet::new();
    for agent in agents() {
        let ids: Vec<_> = traceroutes(&agent).into_iter().map(|trace| trace.id.0).collect();
        assert!(ids.windows(2).all(|pair| pair[0].as_bytes()[..6] <= pair[1].as_bytes()[..6]));
        assert!(ids.iter().all(|id| id.get_version_num() == 7));
        let count = ids.len();
        assert_eq!(ids.into_iter().filter(|id| seen.insert(*id)).count(), count);
    }
}
