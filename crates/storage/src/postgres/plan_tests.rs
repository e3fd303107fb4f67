//! Every list query uses an index, on a million rows.

use astranetmon_domain::{
    AccountId, AgentId, Limit, MetricPosition, Order, PageRequest, RecordFilter, RecordPosition, SpeedtestFilter,
    SpeedtestStatus, TimeRange, Timestamp, TracerouteFilter,
};
use diesel::debug_query;
use diesel::pg::Pg;
use tokio_postgres::{Client, NoTls};
use uuid::Uuid;

use super::alerts::queries as alert_queries;
use super::alerts::samples::SAMPLES_AFTER;
use super::metrics::AnyOf;
use super::totals::total_sql;
use super::{PostgresSettings, PostgresStorage, queries};
use crate::AuditPosition;
use crate::bound_sql::{Placeholder, bound_sql};
use crate::counts::RecordKind;
use crate::matching::{Agents, Matching};
use crate::newest::{newest_metrics, newest_route_changes, newest_speedtests, newest_traceroutes};
use crate::queries::agent_health_query;
use crate::repository::TimeAxis;
use crate::span_rows::SpanRows;
use crate::testing::{FreshDatabase, TestPostgres};

async fn million_rows() -> (FreshDatabase, Client) {
    let database = TestPostgres::fresh_database().await;
    PostgresStorage::migrate(&PostgresSettings::new(database.url())).await.expect("a schema");
    let (client, connection) = tokio_postgres::connect(database.url(), NoTls).await.expect("connected");
    tokio::spawn(connection);
    client
        .batch_execute(
            "INSERT INTO account (id, name, plan, created_at)
                 SELECT n, 'account ' || n, 'enterprise', 0 FROM generate_series(1, 10) n;
             INSERT INTO agent (account_id, id, hostname, created_at, ip_addresses, labels)
                 SELECT 1 + n % 10, 'agent-' || n, 'host-' || n, 0, '[]', '{}' FROM generate_series(1, 10000) n;
             INSERT INTO metric_sample (account_id, agent_id, timestamp, received_at, sequence, measured)
                 SELECT 1 + n % 10, 'agent-' || (n / 10 % 20), n * 60000000::bigint, 0, n, decode(repeat('00', 208), 'hex')
                 FROM generate_series(1, 1000000) n;
             INSERT INTO metric_chunk (account_id, agent_id, starts_at, ends_at, sample_count, first_at, last_at,
                                       lowest_sequence, highest_sequence, times, summary, packed)
                 SELECT 1 + n % 10, 'agent-' || (n / 10 % 20), n * 3600000000::bigint, (n + 1) * 3600000000::bigint, 60,
                        n * 3600000000::bigint, (n + 1) * 3600000000::bigint - 1, n, n, '', '', ''
                 FROM generate_series(1, 100000) n;
             INSERT INTO speedtest (account_id, id, agent_id, timestamp, received_at, sequence, status)
                 SELECT 1 + n % 10, decode(lpad(to_hex(n), 32, '0'), 'hex'), 'agent-' || (n / 10 % 20),
                        n * 60000000::bigint, 0, n, 'completed'
                 FROM generate_series(1, 100000) n;
             INSERT INTO traceroute (account_id, id, agent_id, timestamp, received_at, sequence, target, protocol,
                                     status, reached, path_hash, hops)
                 SELECT 1 + n % 10, decode(lpad(to_hex(n), 32, '0'), 'hex'), 'agent-' || (n / 10 % 20),
                        n * 60000000::bigint, 0, n, 'example.com', 'icmp', 'completed', true, '', '[]'
                 FROM generate_series(1, 100000) n;
             INSERT INTO api_key (id, account_id, window_id, hash, hint, name, permissions, created_at)
                 SELECT n, CASE WHEN n <= 20 THEN 1 ELSE 2 + n % 9 END, n, decode(lpad(to_hex(n), 64, '0'), 'hex'),
                        '', '', '', 0
                 FROM generate_series(1, 20000) n;
             INSERT INTO enrolment_token (id, account_id, hash, hint, name, labels, max_uses, use_count, created_at,
                                          expires_at)
                 SELECT n, 1 + n % 10, decode(lpad(to_hex(n), 64, '0'), 'hex'), '', '', '{}', 1, 0, n, n
                 FROM generate_series(1, 100000) n;
             INSERT INTO agent_token (id, account_id, agent_id, hash, hint, created_at)
                 SELECT n, CASE WHEN n <= 20 THEN 1 ELSE 2 + n % 9 END, 'agent-' || n,
                        decode(lpad(to_hex(n), 64, '0'), 'hex'), '', 0
                 FROM generate_series(1, 20000) n;
             INSERT INTO key_usage (account_id, key_id, hour, served, refused)
                 SELECT CASE WHEN key <= 20 THEN 1 ELSE 2 + key % 9 END, key, hour * 3600000000::bigint, 1, 1
                 FROM generate_series(1, 200) key, generate_series(1, 1000) hour;
             INSERT INTO audit (account_id, at, id, actor, action, object)
                 SELECT 1 + n % 10, n * 60000000::bigint, n, '', '', '' FROM generate_series(1, 100000) n;
             INSERT INTO record_count (account_id, kind, agent_id, period, bucket, count)
                 SELECT 1 + n % 10, 1, 'agent-' || (n / 10 % 20), 3600, n * 3600000000::bigint, 60
                 FROM generate_series(1, 100000) n;
             ANALYZE;",
        )
        .await
        .expect("rows");
    (database, client)
}

/// A page of ten.
fn ten<Position, const MAX: u32>(after: Option<Position>) -> PageRequest<Position, MAX> {
    PageRequest::new(Limit::new(10).expect("not zero"), after)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_query_uses_an_index_with_a_million_rows() {
    let (_database, client) = million_rows().await;
    let account = AccountId(1);
    let agent = AgentId::parse("agent-10").expect("an id");
    let at = Timestamp::from_seconds(3_000_000);
    let ranges = [
        TimeRange::ALL,
        TimeRange { start: Some(at), end: None },
        TimeRange { start: None, end: Some(at) },
        TimeRange { start: Some(at.plus_seconds(1)), end: Some(at.plus_seconds(200_000)) },
    ];
    let inside = at.plus_seconds(100_000);
    let metric_position = MetricPosition { timestamp: inside, agent_id: agent.clone() };
    let record_position = RecordPosition { timestamp: inside, agent_id: agent.clone(), id: Uuid::nil() };
    let span = (at.as_micros(), inside.as_micros());
    let axis = TimeAxis::new(span, 3_600_000_000);
    let several = || vec!["agent-10", "agent-11"];
    let usage_since = Timestamp::from_seconds(3_600 * 976);
    let mut queries_by_name = vec![
        ("agents".to_owned(), debug_query::<Pg, _>(&queries::agent_page(account, None, Some(101))).to_string()),
        (
            "agents behind".to_owned(),
            debug_query::<Pg, _>(&queries::agent_page(account, Some(("host-10", &agent)), Some(101))).to_string(),
        ),
        ("audit".to_owned(), debug_query::<Pg, _>(&queries::audit_page(account, None, 51)).to_string()),
        (
            "audit behind".to_owned(),
            debug_query::<Pg, _>(&queries::audit_page(account, Some(AuditPosition { at, id: -1 }), 51)).to_string(),
        ),
        ("enrolment tokens".to_owned(), debug_query::<Pg, _>(&queries::enrolments(account, 200)).to_string()),
        ("how agents are".to_owned(), debug_query::<Pg, _>(&agent_health_query!(account)).to_string()),
        ("usage".to_owned(), debug_query::<Pg, _>(&queries::usage_of_account(account, usage_since)).to_string()),
        (
            "chunks of an agent".to_owned(),
            debug_query::<Pg, _>(&queries::chunks_of_agent(account, agent.as_str(), span)).to_string(),
        ),
        ("newest metrics".to_owned(), debug_query::<Pg, _>(&newest_metrics::<Pg>(account)).to_string()),
        ("newest speed tests".to_owned(), debug_query::<Pg, _>(&newest_speedtests::<Pg>(account)).to_string()),
        ("newest traceroutes".to_owned(), debug_query::<Pg, _>(&newest_traceroutes::<Pg>(account)).to_string()),
        ("newest route changes".to_owned(), debug_query::<Pg, _>(&newest_route_changes::<Pg>(account)).to_string()),
        (
            "buckets".to_owned(),
            debug_query::<Pg, _>(&SpanRows::new(account, AnyOf(vec!["agent-10"]), &axis, false)).to_string(),
        ),
        (
            "aggregates".to_owned(),
            debug_query::<Pg, _>(&SpanRows::new(account, AnyOf(several()), &axis, true)).to_string(),
        ),
    ];
    let speedtests = SpeedtestFilter::from(RecordFilter::ALL);
    let failed = SpeedtestFilter { status: Some(SpeedtestStatus::Failed), ..speedtests.clone() };
    let traceroutes = TracerouteFilter::from(RecordFilter::ALL);
    let to_one = TracerouteFilter { target: Some("example.com".to_owned()), ..traceroutes.clone() };
    let some = Agents::AnyOf(several().into_iter().map(|id| AgentId::parse(id).expect("an id")).collect());
    for agents in [Agents::All, Agents::One(agent.clone()), some] {
        queries_by_name.push((
            format!("labels of {agents:?}"),
            debug_query::<Pg, _>(&queries::agent_labels(account, &agents)).to_string(),
        ));
        for range in ranges {
            let matching = Matching { agents: agents.clone(), range };
            for behind in [false, true] {
                let mut add = |list: &str, debug: String| {
                    queries_by_name.push((format!("{list} {matching:?} behind {behind}"), debug));
                };
                add("heads of chunks", debug_query::<Pg, _>(&queries::chunk_heads(account, &agents, span)).to_string());
                for order in [Order::NewestFirst, Order::OldestFirst] {
                    let query = queries::metric_hours(account, &agents, span, order, 100);
                    add("hours", debug_query::<Pg, _>(&query).to_string());
                    let page = ten(behind.then_some(metric_position.clone())).in_order(order);
                    let query = queries::metric_page(account, &matching, &page);
                    add("metrics", debug_query::<Pg, _>(&query).to_string());
                    let page = ten(behind.then_some(record_position.clone())).in_order(order);
                    let query = queries::speedtest_page(account, &matching, &speedtests, &page);
                    add("speed tests", debug_query::<Pg, _>(&query).to_string());
                    let query = queries::traceroute_page(account, &matching, &traceroutes, &page);
                    add("traceroutes", debug_query::<Pg, _>(&query).to_string());
                }
            }
            for kind in [RecordKind::Metric, RecordKind::Speedtest, RecordKind::Traceroute] {
                queries_by_name.push((format!("total {kind:?} {matching:?}"), total_sql(account, kind, &matching)));
            }
            let arrivals = [
                debug_query::<Pg, _>(&queries::metric_arrivals(account, &matching, 999_000, 11)).to_string(),
                debug_query::<Pg, _>(&queries::chunk_arrivals(account, &matching, 99_900, 11)).to_string(),
                debug_query::<Pg, _>(&queries::speedtest_arrivals(account, &matching, &speedtests, 99_900, 11))
                    .to_string(),
                debug_query::<Pg, _>(&queries::traceroute_arrivals(account, &matching, &traceroutes, 99_900, 11))
                    .to_string(),
            ];
            queries_by_name.extend(arrivals.map(|debug| (format!("arrivals {matching:?}"), debug)));
            let failed = [
                debug_query::<Pg, _>(&queries::speedtest_page(account, &matching, &failed, &ten(None))).to_string(),
                debug_query::<Pg, _>(&queries::speedtest_count_matching(account, &matching, &failed)).to_string(),
            ];
            queries_by_name.extend(failed.map(|debug| (format!("failed {matching:?}"), debug)));
            let to_one = [
                debug_query::<Pg, _>(&queries::traceroute_page(account, &matching, &to_one, &ten(None))).to_string(),
                debug_query::<Pg, _>(&queries::traceroute_count_matching(account, &matching, &to_one)).to_string(),
            ];
            queries_by_name.extend(to_one.map(|debug| (format!("to one {matching:?}"), debug)));
        }
    }
    assert_eq!(queries_by_name.len(), 14 + 3 + 3 * 4 * (2 * (1 + 2 * 4) + 3 + 4 + 4));
    for (name, debug) in queries_by_name {
        let sql = bound_sql(&debug, Placeholder::Dollar);
        let rows = client.query(&format!("EXPLAIN {sql}"), &[]).await.expect(&sql);
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        // A page that begins behind the end of its range reads nothing.
        let reads_nothing = plan.contains("One-Time Filter: false");
        assert!(plan.contains("Index") || reads_nothing, "{name}\n{sql}\n{plan}");
        // The index holds changed routes only: no trace is looked at that is not one.
        assert!(!plan.contains("Filter: path_changed"), "{name}\n{sql}\n{plan}");
        for line in plan.lines() {
            // A partition without rows is read whole, and a handful is sorted; nothing that grows is.
            let rows = estimated_rows(line).unwrap_or(0);
            let whole = line.contains("Seq Scan") && rows > 1;
            // All agents of the account are read, with what is known of each; what several agents have is put in order, and
            // so are chunks by what came into them first.
            let may_sort = name == "how agents are" || name.contains("AnyOf") || name.starts_with("arrivals");
            let sorted = line.contains("Sort  (") && rows > 100 && !may_sort;
            assert!(!whole && !sorted, "{name}\n{sql}\n{plan}");
        }
    }
}

/// Events, messages about them, and how rules stand, on top of the million rows.
const ALERTS: &str = "
    INSERT INTO alert_rule (account_id, id, name, enabled, severity, condition, created_at, revision, start_sequence)
        SELECT 1 + n % 10, decode(lpad(to_hex(n), 32, '0'), 'hex'), 'rule', true, 'info', '{}', 0, 1, 0
        FROM generate_series(1, 1000) n;
    INSERT INTO alert_channel (account_id, id, name, kind, target, created_at)
        SELECT 1 + n % 10, decode(lpad(to_hex(n), 32, '0'), 'hex'), 'channel', 'email', 'a@example.com', 0
        FROM generate_series(1, 1000) n;
    INSERT INTO alert_rule_channel (account_id, rule_id, channel_id)
        SELECT account_id, id, id FROM alert_rule;
    INSERT INTO alert_state (account_id, rule_id, agent_id, state)
        SELECT account_id, id, 'agent-' || n, 'ok' FROM alert_rule, generate_series(1, 100) n;
    INSERT INTO alert_event (account_id, id, rule_id, rule_name, severity, kind, agent_id, agent_name, fired_at, sentence)
        SELECT 1 + n % 10, decode(lpad(to_hex(n), 32, '0'), 'hex'), decode(lpad(to_hex(n % 1000), 32, '0'), 'hex'),
               'rule', 'info', 'agent_offline', 'agent-1', 'a', n * 1000000::bigint, 'x'
        FROM generate_series(1, 100000) n;
    INSERT INTO alert_delivery (account_id, id, event_id, channel_id, phase, state, attempts, next_attempt_at)
        SELECT account_id, id, id, id, 'fired', CASE WHEN fired_at % 100000000 = 0 THEN 'queued' ELSE 'delivered' END,
               1, fired_at
        FROM alert_event;
    ANALYZE;";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_list_query_about_alerts_uses_an_index() {
    let (_database, client) = million_rows().await;
    client.batch_execute(ALERTS).await.expect("rows");
    for (name, debug) in alert_queries::shown_list_queries() {
        let sql = bound_sql(&debug, Placeholder::Dollar);
        let rows = client.query(&format!("EXPLAIN {sql}"), &[]).await.expect(&sql);
        let plan: Vec<String> = rows.iter().map(|row| row.get(0)).collect();
        let plan = plan.join("\n");
        assert!(plan.contains("Index"), "{name}\n{sql}\n{plan}");
        for line in plan.lines() {
            let rows = estimated_rows(line).unwrap_or(0);
            // An account's rules, channels and states are read whole, and may be sorted rather than walked by index.
            let whole = line.contains("Seq Scan") && rows > 1;
            let sorted = line.contains("Sort  (") && rows > 100 && name != "states";
            assert!(!whole && !sorted, "{name}\n{sql}\n{plan}");
        }
    }
    let samples = SAMPLES_AFTER
        .replace("$2", "ARRAY['agent-1', 'agent-2']")
        .replace("$3", "ARRAY[3000000000000, 3000000000000]::bigint[]")
        .replace("$1", "1")
        .replace("$4", "3000000000000")
        .replace("$5", "20001")
        .replace("$6", "9000000000000");
    let rows = client.query(&format!("EXPLAIN {samples}"), &[]).await.expect("explained");
    let plan = rows.iter().map(|row| row.get::<_, String>(0)).collect::<Vec<_>>().join("\n");
    assert!(plan.contains("Index Cond: ((account_id = 1) AND (agent_id = asked.agent_id)"), "{plan}");
}

/// From a node's line, `… (cost=… rows=60 width=…)`.
fn estimated_rows(line: &str) -> Option<u64> {
    line.split_once(" rows=")?.1.split(' ').next()?.parse().ok()
}
