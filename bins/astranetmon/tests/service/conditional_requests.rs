//! Polling for what has not changed.

use astranetmon_auth::{Ingest, Scope};
use astranetmon_domain::{AgentId, MetricSample, Plan};
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Caller, Database, Kind, Server, fleet, now};

const PATH: &str = "/api/v1/metrics?start_date=-1h&agent_id=agent-1";
const WHOLE: &str = "/api/v1/metrics";

async fn again(caller: &Caller, server: &Server, path: &str, key: &str, tag: &str) -> Answer {
    let bearer = format!("Bearer {key}");
    caller.ask(server, Method::GET, path, Some(&bearer), &[("if-none-match", tag)]).await
}

fn tag(answer: &Answer) -> String {
    answer.header("etag").unwrap_or_else(|| panic!("no tag: {answer:?}")).to_owned()
}

#[tokio::test]
async fn a_starter_key_polls_500_times_unchanged_data_and_has_99_left() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("polling", Plan::Starter).await;
        fleet(&office, &account, &["agent-1", "agent-2"], 10, now(), "polling", 0).await;
        let key = office.key(&account).await.secret;
        office.close().await;
        let (server, caller) = (Server::start(&database), Caller::new());
        let first = caller.get(&server, WHOLE, &key).await;
        assert_eq!((first.status, first.header("x-ratelimit-remaining")), (200, Some("99")), "{kind:?}");
        for _ in 0..500 {
            let answer = again(&caller, &server, WHOLE, &key, &tag(&first)).await;
            assert_eq!((answer.status, answer.header("x-ratelimit-remaining")), (304, Some("99")), "{kind:?}");
            assert_eq!((answer.body.as_str(), tag(&answer)), ("", tag(&first)));
        }
        let usage = caller.get(&server, "/api/v1/usage", &key).await.json();
        assert_eq!((&usage["used"], &usage["remaining"]), (&1.into(), &99.into()), "{kind:?}");
    }
}

#[tokio::test]
async fn what_this_instance_acknowledged_is_never_hidden_by_a_304() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("writing", Plan::Enterprise).await;
        let token = office.agent_token(&account, "agent-1").await;
        let key = office.key(&account).await.secret;
        office.close().await;
        let (server, caller) = (Server::start(&database), Caller::new());
        let start = now().as_seconds();
        for number in 0..20 {
            let before = caller.get(&server, PATH, &key).await;
            let agents = caller.get(&server, "/api/v1/agents", &key).await;
            let at = astranetmon_domain::Timestamp::from_seconds(start - 60 + number).to_string();
            let row = json!({ "metrics": [{ "agent_id": "agent-1", "timestamp": at, "cpu_percent": 1.5 }] });
            // The second time nothing is new but the agent's report.
            for repeated in [false, true] {
                let taken = caller.try_post(server.url(), "/ingest/v1/metrics", &token, &row).await.expect("an answer");
                assert_eq!(taken.status, 200, "{kind:?} {taken:?}");
                let after = again(&caller, &server, "/api/v1/agents", &key, &tag(&agents)).await;
                assert_eq!(after.status, 200, "{kind:?} {number} {repeated}");
            }
            let after = again(&caller, &server, PATH, &key, &tag(&before)).await;
            assert_eq!(after.status, 200, "{kind:?} {number}");
            assert!(after.body.contains(&at), "{kind:?} {number}: {}", after.body);
        }
    }
}

#[tokio::test]
async fn what_another_instance_took_is_seen_within_a_second() {
    let database = Database::postgres().await;
    let office = database.office().await;
    let account = office.account("two", Plan::Enterprise).await;
    fleet(&office, &account, &["agent-1"], 10, now(), "two", 0).await;
    let key = office.key(&account).await.secret;
    let (server, caller) = (Server::start(&database), Caller::new());
    for second in 1..=5 {
        let first = caller.get(&server, WHOLE, &key).await;
        assert_eq!(again(&caller, &server, WHOLE, &key, &tag(&first)).await.status, 304);
        // The office is another process to the server, and writes behind its back.
        let sample = MetricSample::new(AgentId::parse("agent-1").expect("an id"), now().plus_seconds(second));
        let scope = Scope::<Ingest>::system(account.id, "test");
        office.storage.metric_append(&scope, vec![sample], now()).await.expect("appended");
        let written = std::time::Instant::now();
        while again(&caller, &server, WHOLE, &key, &tag(&first)).await.status == 304 {
            assert!(written.elapsed().as_millis() < 1_000, "not seen after a second");
        }
    }
}

#[tokio::test]
async fn a_compressed_answer_is_shorter_and_has_a_tag_of_its_own() {
    let database = Database::sqlite();
    let office = database.office().await;
    let account = office.account("compressed", Plan::Enterprise).await;
    fleet(&office, &account, &["agent-1", "agent-2"], 10, now(), "compressed", 0).await;
    let bearer = format!("Bearer {}", office.key(&account).await.secret);
    office.close().await;
    let (server, caller) = (Server::start(&database), Caller::new());
    let ask = async |method: Method, headers: &[(&str, &str)]| {
        caller.ask(&server, method, WHOLE, Some(&bearer), headers).await
    };
    let length = |answer: &Answer| answer.header("content-length").expect("a length").parse::<usize>().expect("one");
    let plain = ask(Method::GET, &[]).await;
    assert_eq!(plain.header("content-encoding"), None);
    for coding in ["gzip", "br", "zstd"] {
        let answer = ask(Method::GET, &[("accept-encoding", coding)]).await;
        assert_eq!(answer.header("content-encoding"), Some(coding));
        assert!(length(&answer) * 2 < length(&plain), "{coding}: {} of {}", length(&answer), length(&plain));
        let marked = format!("{}-{coding}\"", tag(&plain).trim_end_matches('"'));
        assert_eq!(tag(&answer), marked);
        let head = ask(Method::HEAD, &[("accept-encoding", coding)]).await;
        assert_eq!((length(&head), tag(&head), head.body.as_str()), (length(&answer), marked.clone(), ""));
        let unchanged = ask(Method::GET, &[("accept-encoding", coding), ("if-none-match", &marked)]).await;
        assert_eq!((unchanged.status, tag(&unchanged)), (304, marked), "{coding}");
    }
}
