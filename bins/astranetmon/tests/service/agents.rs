//! Agents, their enrolment and how long their data is kept, as an operator manages them at the command line.

use astranetmon_auth::{AgentToken, EnrolmentToken, Ingest, ReadAgents, Scope};
use astranetmon_domain::{AgentFacts, AgentId, MetricSample, Plan};
use astranetmon_storage::{EnrolRequest, Enrolled};
use serde_json::{Value, json};

use crate::support::{Caller, Database, Kind, Server, astranetmon, fleet, now, succeeds, unforeseen};

async fn printed(database: &Database, arguments: &[&str]) -> Value {
    let text = succeeds(database, &[arguments, &["--account", "acme", "--format", "json"]].concat()).await;
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The exit code and the sentence of a command that does not succeed.
async fn refused(database: &Database, arguments: &[&str]) -> (Option<i32>, String) {
    let output = astranetmon(database, &[arguments, &["--account", "acme"]].concat()).await;
    (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
}

#[tokio::test]
async fn an_operator_enrols_names_labels_disables_and_deletes_agents() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        succeeds(&database, &["migrate"]).await;
        succeeds(&database, &["account", "create", "acme", "--plan", "starter"]).await;

        let create = ["enrolment", "create", "--name", "rack 7", "--uses", "2", "--label", "site=ber"];
        let made = printed(&database, &create).await;
        let token = made["token"].as_str().expect("a token");
        assert_eq!(
            (&made["state"], &made["max_uses"], &made["labels"]),
            (&json!("live"), &json!(2), &json!({ "site": "ber" }))
        );
        let command = format!("astranetmon-agent enroll --server https://YOUR-SERVER --token {token}");
        assert_eq!(made["command"], Value::from(command));
        let alone = succeeds(&database, &["enrolment", "create", "--account", "acme", "--name", "one"]).await;
        EnrolmentToken::parse(alone.trim_end()).expect("the token alone on standard output");
        for (arguments, told) in [
            (&["enrolment", "create", "--name", "x", "--uses", "0"][..], "a token can be used 1 to 1000 times"),
            (&["enrolment", "create", "--name", "x", "--expires-in", "31d"], "a token ends within 30 days"),
            (&["enrolment", "create", "--name", " x"], "a name is 1 to 100 characters"),
        ] {
            let (code, error) = refused(&database, arguments).await;
            assert_eq!((code, error.starts_with(&format!("astranetmon: {told}"))), (Some(2), true), "{error}");
        }

        let office = database.office().await;
        let agent_token = AgentToken::generate(&mut unforeseen());
        let request = EnrolRequest {
            asked_id: None,
            facts: AgentFacts { hostname: "web-1".to_owned(), ..AgentFacts::default() },
            public_ip: None,
            token_hash: agent_token.hash(),
            token_hint: agent_token.hint(),
        };
        let hash = EnrolmentToken::parse(token).expect("well-formed").hash();
        let enrolled = office.storage.agent_enroll(&hash, &request, now()).await.expect("answered");
        let Enrolled::Agent { account_id, .. } = enrolled else { panic!("{enrolled:?}") };

        let listed = printed(&database, &["enrolment", "list"]).await;
        assert_eq!((&listed["enrolments"][1]["use_count"], listed["enrolments"][1].get("token")), (&json!(1), None));
        let id = made["id"].to_string();
        assert_eq!(printed(&database, &["enrolment", "revoke", &id]).await["state"], "revoked");
        let (code, error) = refused(&database, &["enrolment", "revoke", &id]).await;
        assert_eq!(
            (code, error),
            (Some(1), format!("astranetmon: the account acme has no enrolment token {id} to revoke\n"))
        );

        let renamed = printed(&database, &["agent", "rename", "web-1", "front door"]).await;
        assert_eq!((&renamed["name"], &renamed["status"]), (&json!("front door"), &json!("pending")));
        let labelled = printed(&database, &["agent", "label", "web-1", "site-", "rack=7"]).await;
        assert_eq!((&labelled["labels"], &labelled["name"]), (&json!({ "rack": "7" }), &json!("front door")));
        assert_eq!(printed(&database, &["agent", "rename", "web-1"]).await["name"], Value::Null);
        let known = async || office.storage.agent_token_find(&agent_token.hash()).await.expect("looked up").is_some();
        assert!(printed(&database, &["agent", "disable", "web-1"]).await["disabled_at"].is_string());
        assert!(!known().await, "{kind:?}");
        assert_eq!(printed(&database, &["agent", "enable", "web-1"]).await["status"], "pending");
        assert!(known().await);
        let listed = printed(&database, &["agent", "list"]).await;
        assert_eq!(listed["agents"][0]["token_hint"], Value::from(agent_token.hint().as_str()));
        let text = succeeds(&database, &["agent", "list", "--account", "acme"]).await;
        assert!(text.contains("web-1") && text.contains("rack=7"), "{text}");

        assert_eq!(printed(&database, &["agent", "delete", "web-1"]).await["id"], "web-1");
        assert!(!known().await);
        let agents: Scope<ReadAgents> = Scope::system(account_id, "test");
        let id = AgentId::parse("web-1").expect("an id");
        assert_eq!(office.storage.agent_find(&agents, &id).await.expect("looked up"), None);
        for command in
            [&["agent", "delete", "web-1"][..], &["agent", "disable", "web-1"], &["agent", "rename", "web-1"]]
        {
            let (code, error) = refused(&database, command).await;
            assert_eq!((code, error.as_str()), (Some(1), "astranetmon: the account acme has no agent web-1\n"));
        }
        office.close().await;
    }
}

#[tokio::test]
async fn a_deleted_agents_data_is_gone_when_the_command_ends_also_beside_a_service() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        let office = database.office().await;
        let account = office.account("acme", Plan::Enterprise).await;
        let key = office.key(&account).await.secret;
        fleet(&office, &account, &["stays", "goes"], 2_500, now(), "canary", 1).await;
        office.close().await;
        let (server, caller) = (Server::start(&database), Caller::new());
        let totals = async || {
            let mut totals = Vec::new();
            for kind in ["metrics", "speedtests", "traceroutes"] {
                let answer = caller.get(&server, &format!("/api/v1/{kind}?limit=1"), &key).await;
                totals.push(answer.json()["total"].as_u64().expect("a number"));
            }
            totals
        };
        assert_eq!(totals().await, [5_000, 500, 500], "{kind:?}");
        let told = succeeds(&database, &["agent", "delete", "goes", "--account", "acme"]).await;
        assert_eq!(told, "deleted goes and everything that it measured\n");
        let office = database.office().await;
        let id = AgentId::parse("goes").expect("an id");
        let agents: Scope<Ingest> = Scope::system(account.id, "test");
        let new = vec![MetricSample::new(id, now())];
        office.storage.metric_append(&agents, new, now()).await.expect("nothing is left, so the id is free");
        office.close().await;
        assert_eq!(totals().await, [2_501, 250, 250], "{kind:?}");
        server.stop().await;
    }
}

#[tokio::test]
async fn an_operator_chooses_how_long_an_accounts_data_is_kept() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        succeeds(&database, &["migrate"]).await;
        succeeds(&database, &["account", "create", "acme", "--plan", "starter"]).await;
        let plan = json!({ "raw_days": 31, "hourly_days": 400, "daily_days": 1_100 });
        let shown = printed(&database, &["account", "retention"]).await;
        assert_eq!(shown, json!({ "kept": plan, "chosen": null, "plan": plan }));
        let chosen = json!({ "raw_days": 7, "hourly_days": 400, "daily_days": 1_100 });
        let shown = printed(&database, &["account", "retention", "--raw-days", "7"]).await;
        assert_eq!(shown, json!({ "kept": chosen, "chosen": chosen, "plan": plan }));
        for (days, code, told) in [
            ("32", 1, "the plan keeps samples, hourly and daily summaries for 31/400/1100 days"),
            ("0", 2, "samples are kept for at least 1 day"),
            ("401", 2, "samples are kept for at least 1 day"),
        ] {
            let (found, error) = refused(&database, &["account", "retention", "--raw-days", days]).await;
            assert_eq!((found, error.contains(told)), (Some(code), true), "{days}: {error}");
        }
        let shown = printed(&database, &["account", "retention", "--plan-default"]).await;
        assert_eq!((&shown["chosen"], &shown["kept"]), (&Value::Null, &plan));
    }
}
