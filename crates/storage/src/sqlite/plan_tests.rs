//! Every list query uses an index, on a million rows.

use astranetmon_domain::{
    AccountId, AgentId, Limit, MetricPosition, Order, PageRequest, RecordFilter, RecordPosition, SpeedtestFilter,
    SpeedtestStatus, TimeRange, Timestamp, TracerouteFilter,
};
use diesel::connection::SimpleConnection;
use diesel::debug_query;
use diesel::prelude::*;
use diesel::sql_types::Text;
use diesel::sqlite::{Sqlite, SqliteConnection};
use uuid::Uuid;

use super::alerts::queries as alert_queries;
use super::connection::{self, Access};
use super::metrics::OfAgent;
use super::queries;
use crate::AuditPosition;
use crate::bound_sql::{Placeholder, bound_sql};
use crate::counts::{CountedSpan, RecordKind};
use crate::matching::{Agents, Matching};
use crate::newest::{newest_metrics, newest_route_changes, newest_speedtests, newest_traceroutes};
use crate::queries::agent_health_query;
use crate::repository::TimeAxis;
use crate::span_rows::SpanRows;

#[derive(QueryableByName)]
struct Step {
    #[diesel(sql_type = Text)]
    detail: String,
}

/// The plan of a query as text.
fn plan(connection: &mut SqliteConnection, debug: &str) -> String {
    let sql = bound_sql(debug, Placeholder::Question);
    let steps: Vec<Step> = diesel::sql_query(format!("EXPLAIN QUERY PLAN {sql}")).load(connection).expect(&sql);
    steps.into_iter().map(|step| step.detail).collect::<Vec<_>>().join("; ")
}

/// A page of ten.
fn ten<Position, const MAX: u32>(after: Option<Position>) -> PageRequest<Position, MAX> {
    PageRequest::new(Limit::new(10).expect("not zero"), after)
}

fn million_rows() -> (tempfile::TempDir, SqliteConnection) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("plans.sqlite3");
    connection::create_file(&path).expect("a file");
    let mut connection = connection::open(&path, Access::Write).expect("a database");
    connection::migrate(&mut connection, &path).expect("a schema");
    connection
        .batch_execute(
            "PRAGMA synchronous = OFF;
             BEGIN;
             CREATE TEMP TABLE n (value INTEGER PRIMARY KEY);
             WITH RECURSIVE count (value) AS (SELECT 1 UNION ALL SELECT value + 1 FROM count WHERE value < 1000000)
                 INSERT INTO n SELECT value FROM count;
             INSERT INTO account (id, name, plan, created_at)
                 SELECT value, 'account ' || value, 'enterprise', 0 FROM n WHERE value <= 10;
             INSERT INTO agent (account_id, id, hostname, created_at, ip_addresses, labels)
                 SELECT 1 + value % 10, 'agent-' || value, 'host-' || value, 0, '[]', '{}' FROM n WHERE value <= 1000;
             INSERT INTO metric_sample (account_id, agent_id, timestamp, received_at, sequence, measured)
                 SELECT 1 + value % 10, 'agent-' || (value % 200), value * 60000000, 0, value, zeroblob(208)
                 FROM n WHERE value <= 1000000;
             INSERT INTO metric_chunk (account_id, agent_id, starts_at, ends_at, sample_count, first_at, last_at,
                                       lowest_sequence, highest_sequence, times, summary, packed)
                 SELECT 1 + value % 10, 'agent-' || (value % 200), value * 3600000000, (value + 1) * 3600000000, 60,
                        value * 3600000000, (value + 1) * 3600000000 - 1, value, value, '', '', ''
                 FROM n WHERE value <= 100000;
             INSERT INTO speedtest (account_id, id, agent_id, timestamp, received_at, sequence, status)
                 SELECT 1 + value % 10, CAST(printf('%016d', value) AS BLOB), 'agent-' || (value % 200),
                        value * 60000000, 0, value, 'completed'
                 FROM n WHERE value <= 100000;
             INSERT INTO traceroute (account_id, id, agent_id, timestamp, received_at, sequence, target, protocol,
                                     status, reached, path_hash, hops)
                 SELECT 1 + value % 10, CAST(printf('%016d', value) AS BLOB), 'agent-' || (value % 200),
                        value * 60000000, 0, value, 'example.com', 'icmp', 'completed', 1, '', '[]'
                 FROM n WHERE value <= 100000;
             COMMIT;",
        )
        .expect("rows");
    (folder, connection)
}

#[test]
fn every_list_query_about_alerts_uses_an_index() {
    let (_folder, mut connection) = million_rows();
    let queries = alert_queries::shown_list_queries();
    assert_eq!(queries.len(), 14);
    for (name, debug) in queries {
        let plan = plan(&mut connection, &debug);
        // Due deliveries are those of all accounts.
        let first = if name == "deliveries due" { "(state=? AND next_attempt_at<?)" } else { "(account_id=?" };
        assert!(plan.starts_with("SEARCH ") && plan.contains(first), "{name}: {plan}");
        assert!(!plan.contains("SCAN ") && !plan.contains("TEMP B-TREE"), "{name}: {plan}");
    }
}

#[test]
fn every_list_query_uses_an_index_with_a_million_rows() {
    let (_folder, mut connection) = million_rows();
    let account = AccountId(1);
    let agent = AgentId::parse("agent-10").expect("an id");
    let at = Timestamp::from_seconds(30_000_000);
    let ranges = [
        TimeRange::ALL,
        TimeRange { start: Some(at), end: None },
        TimeRange { start: None, end: Some(at) },
        TimeRange { start: Some(at), end: Some(at.plus_seconds(86_400)) },
    ];
    let metric_position = MetricPosition { timestamp: at, agent_id: agent.clone() };
    let record_position = RecordPosition { timestamp: at, agent_id: agent.clone(), id: Uuid::nil() };
    let mut plans = Vec::new();
    let mut explain = |name: String, debug: String| plans.push((name, plan(&mut connection, &debug)));
    let hostname = ("host-10", &agent);
    explain("agents".into(), debug_query::<Sqlite, _>(&queries::agent_page(account, None, None)).to_string());
    explain(
        "agents behind".into(),
        debug_query::<Sqlite, _>(&queries::agent_page(account, Some(hostname), Some(9))).to_string(),
    );
    let span = (at.as_micros(), at.plus_seconds(86_400).as_micros());
    let axis = TimeAxis::new(span, 3_600_000_000);
    let parts = SpanRows::new(account, OfAgent(agent.as_str()), &axis, false);
    explain("parts of intervals".into(), debug_query::<Sqlite, _>(&parts).to_string());
    let of_agent = queries::chunks_of_agent(account, agent.as_str(), span);
    explain("chunks of an agent".into(), debug_query::<Sqlite, _>(&of_agent).to_string());
    explain("audit".into(), debug_query::<Sqlite, _>(&queries::audit_page(account, None, 51)).to_string());
    explain("enrolment tokens".into(), debug_query::<Sqlite, _>(&queries::enrolments(account, 200)).to_string());
    explain("how agents are".into(), debug_query::<Sqlite, _>(&agent_health_query!(account)).to_string());
    let position = AuditPosition { at, id: -1 };
    explain(
        "audit behind".into(),
        debug_query::<Sqlite, _>(&queries::audit_page(account, Some(position), 51)).to_string(),
    );
    let newest = [
        debug_query::<Sqlite, _>(&newest_metrics::<Sqlite>(account)).to_string(),
        debug_query::<Sqlite, _>(&newest_speedtests::<Sqlite>(account)).to_string(),
        debug_query::<Sqlite, _>(&newest_route_changes::<Sqlite>(account)).to_string(),
        debug_query::<Sqlite, _>(&newest_traceroutes::<Sqlite>(account)).to_string(),
    ];
    for newest in newest {
        explain("newest of each agent".into(), newest);
    }
    let speedtests = SpeedtestFilter::from(RecordFilter::ALL);
    let failed = SpeedtestFilter { status: Some(SpeedtestStatus::Failed), ..speedtests.clone() };
    let traceroutes = TracerouteFilter::from(RecordFilter::ALL);
    let to_one = TracerouteFilter { target: Some("example.com".to_owned()), ..traceroutes.clone() };
    let some = Agents::AnyOf(["agent-10", "agent-20"].map(|id| AgentId::parse(id).expect("an id")).into());
    for agents in [Agents::All, Agents::One(agent.clone()), some] {
        for range in ranges {
            let matching = Matching { agents: agents.clone(), range };
            for behind in [false, true] {
                for order in [Order::NewestFirst, Order::OldestFirst] {
                    let name = |list: &str| format!("{list} {matching:?} behind {behind} {order:?}");
                    let page = ten(behind.then_some(metric_position.clone())).in_order(order);
                    let query = queries::metric_page(account, &matching, &page);
                    explain(name("metrics"), debug_query::<Sqlite, _>(&query).to_string());
                    let page = ten(behind.then_some(record_position.clone())).in_order(order);
                    let query = queries::speedtest_page(account, &matching, &speedtests, &page);
                    explain(name("speedtests"), debug_query::<Sqlite, _>(&query).to_string());
                    let query = queries::traceroute_page(account, &matching, &traceroutes, &page);
                    explain(name("traceroutes"), debug_query::<Sqlite, _>(&query).to_string());
                }
            }
            let arrivals = [
                debug_query::<Sqlite, _>(&queries::metric_arrivals(account, &matching, 1_000, 101)).to_string(),
                debug_query::<Sqlite, _>(&queries::chunk_arrivals(account, &matching, 1_000, 101)).to_string(),
                debug_query::<Sqlite, _>(&queries::speedtest_arrivals(account, &matching, &speedtests, 1_000, 101))
                    .to_string(),
                debug_query::<Sqlite, _>(&queries::traceroute_arrivals(account, &matching, &traceroutes, 1_000, 101))
                    .to_string(),
            ];
            for arrivals in arrivals {
                explain(format!("arrivals {matching:?}"), arrivals);
            }
            let first = ten(None);
            let query = queries::speedtest_page(account, &matching, &failed, &first);
            explain(format!("failed {matching:?}"), debug_query::<Sqlite, _>(&query).to_string());
            let query = queries::speedtest_count_matching(account, &matching, &failed);
            explain(format!("count of failed {matching:?}"), debug_query::<Sqlite, _>(&query).to_string());
            let query = queries::traceroute_page(account, &matching, &to_one, &first);
            explain(format!("to one {matching:?}"), debug_query::<Sqlite, _>(&query).to_string());
            let query = queries::traceroute_count_matching(account, &matching, &to_one);
            explain(format!("count of those to one {matching:?}"), debug_query::<Sqlite, _>(&query).to_string());
        }
        let hour = (at.as_micros(), at.as_micros() + 3_600_000_000);
        let labels = queries::agent_labels(account, &agents);
        explain("labels of agents".into(), debug_query::<Sqlite, _>(&labels).to_string());
        let heads = queries::chunk_heads(account, &agents, hour);
        explain("heads of chunks".into(), debug_query::<Sqlite, _>(&heads).to_string());
        for order in [Order::NewestFirst, Order::OldestFirst] {
            let hours = queries::metric_hours(account, &agents, span, order, 100);
            explain("hours".into(), debug_query::<Sqlite, _>(&hours).to_string());
        }
        explain(
            "count of metrics".into(),
            debug_query::<Sqlite, _>(&queries::metric_count(account, &agents, hour)).to_string(),
        );
        explain(
            "count of speed tests".into(),
            debug_query::<Sqlite, _>(&queries::speedtest_count(account, &agents, hour)).to_string(),
        );
        explain(
            "count of traceroutes".into(),
            debug_query::<Sqlite, _>(&queries::traceroute_count(account, &agents, hour)).to_string(),
        );
        let span = CountedSpan { period: 3_600, start: hour.0, end: hour.1 };
        explain(
            "kept counts".into(),
            debug_query::<Sqlite, _>(&queries::counted(account, RecordKind::Metric, &agents, span)).to_string(),
        );
    }
    let usage = debug_query::<Sqlite, _>(&queries::usage_of_account(account, at)).to_string();
    let usage = plan(&mut connection, &usage);
    let by_key = "SEARCH key_usage USING PRIMARY KEY (account_id=? AND key_id=? AND hour>?)";
    assert!(usage.contains(by_key) && usage.contains("api_key_by_account (account_id=?)"), "{usage}");
    for (name, plan) in &plans {
        if name == "parts of intervals" {
            let searches: Vec<&str> = plan.split("; ").filter(|step| step.starts_with("SEARCH ")).collect();
            let by_agent = |step: &&str| step.contains("(account_id=? AND agent_id=? AND ");
            assert!(searches.len() == 3 && searches.iter().all(by_agent), "{name}: {plan}");
        } else {
            assert!(plan.starts_with("SEARCH ") && plan.contains("account_id=?"), "{name}: {plan}");
        }
        // What several agents have is put in order, and so are chunks by what came into them first.
        let sorted =
            plan.contains("TEMP B-TREE") && !name.contains("AnyOf") && !name.starts_with("arrivals") && name != "hours";
        assert!(!plan.contains("SCAN ") && !sorted, "{name}: {plan}");
    }
    assert_eq!(plans.len(), 12 + 3 * (4 * (2 * 2 * 3 + 4 + 4) + 8));
    let newest: Vec<_> = plans.iter().filter(|(name, _)| name == "newest of each agent").collect();
    for ((_, plan), index) in newest.into_iter().zip([
        "PRIMARY KEY",
        "INDEX speedtest_by_agent",
        "INDEX traceroute_by_route_change",
        "INDEX traceroute_by_agent",
    ]) {
        let look_up = format!("SEARCH nearest USING {index} (account_id=? AND agent_id=?)");
        assert!(plan.replace("COVERING ", "").ends_with(&look_up), "{plan}");
    }
}
