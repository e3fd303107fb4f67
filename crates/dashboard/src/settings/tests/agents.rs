use std::collections::BTreeMap;

use actix_web::http::{Method, StatusCode, header};
use astranetmon_auth::{AgentToken, EnrolmentToken, Ingest, Scope};
use astranetmon_domain::{Account, AgentFacts, AgentId, Heartbeat};
use astranetmon_storage::{EnrolRequest, Enrolled};
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::{Value, json};

use super::Desk;
use super::desk::START;

const AGENTS: &str = "/dashboard/settings/agents";
const ENROLMENTS: &str = "/dashboard/settings/enrolments";

/// Enrols an agent of that hostname by a token, as the server does it.
async fn enroll(desk: &Desk, token: &str, hostname: &str) -> (Enrolled, AgentToken) {
    let agent_token = AgentToken::generate(&mut StdRng::seed_from_u64(token.len() as u64 + hostname.len() as u64));
    let request = EnrolRequest {
        asked_id: None,
        facts: AgentFacts {
            hostname: hostname.to_owned(),
            agent_version: Some("0.1.0".to_owned()),
            ..AgentFacts::default()
        },
        public_ip: None,
        token_hash: agent_token.hash(),
        token_hint: agent_token.hint(),
    };
    let hash = EnrolmentToken::parse(token).expect("a token").hash();
    (desk.storage.agent_enroll(&hash, &request, START).await.expect("answered"), agent_token)
}

/// An account's agent, enrolled by a token that its owner made on the page.
async fn enrolled(desk: &Desk, owner: &super::desk::Browser, hostname: &str) -> AgentToken {
    let made = desk.post(owner, ENROLMENTS, json!({ "name": format!("for {hostname}"), "labels": ["site=ber"] })).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let (enrolled, token) = enroll(desk, made.json()["token"].as_str().expect("a token"), hostname).await;
    assert!(matches!(enrolled, Enrolled::Agent { .. }), "{enrolled:?}");
    token
}

async fn heartbeat(desk: &Desk, account: &Account, id: &str, rows: u64) {
    let heartbeat = Heartbeat {
        agent_id: AgentId::parse(id).expect("an id"),
        facts: AgentFacts { hostname: id.to_owned(), agent_version: Some("0.1.0".to_owned()), ..AgentFacts::default() },
        public_ip: None,
        spool_row_count: Some(rows),
        spool_oldest_at: Some(START.plus_seconds(-600)),
        dropped_row_count: Some(12),
        cost_cpu_percent: Some(0.31),
        cost_memory_bytes: Some(13 << 20),
        sent_at: Some(START.plus_seconds(40)),
    };
    let scope: Scope<Ingest> = Scope::system(account.id, "test");
    desk.storage.agent_heartbeat(&scope, &heartbeat, START).await.expect("taken");
}

#[actix_web::test]
async fn a_token_is_shown_in_one_answer_enrols_once_and_is_listed_by_its_hint() {
    let desk = Desk::new().await;
    let (_, [owner, admin, viewer]) = desk.staff("acme").await;
    let new = json!({ "name": "rack 7", "max_uses": 1, "expires_in_hours": 24, "labels": ["site=ber", "rack=7"] });
    let made = desk.post(&admin, ENROLMENTS, new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.header(header::CACHE_CONTROL), "no-store");
    let answer = made.json();
    let token = answer["token"].as_str().expect("a token");
    assert_eq!((&answer["max_uses"], &answer["agent_id"]), (&json!(1), &Value::Null));
    assert_eq!(answer["expires_at"], json!("2026-11-24T11:26:40.000Z"));
    for browser in [&owner, &viewer] {
        for path in [AGENTS, "/dashboard/settings/audit"] {
            let page = desk.open(browser, path).await.body;
            assert!(!page.contains(&token[17..]), "{path} shows the token");
            assert!(page.contains(&format!("astra_enroll_{}…", &token[13..17])) && page.contains("rack 7"), "{page}");
        }
    }
    assert!(desk.open(&owner, AGENTS).await.body.contains("0 of 1</td>"));
    assert!(matches!(enroll(&desk, token, "web-1").await.0, Enrolled::Agent { .. }));
    assert_eq!(enroll(&desk, token, "web-2").await.0, Enrolled::Refused);
    let page = desk.open(&owner, AGENTS).await.body;
    for part in ["1 ended token", "used up", "web-1", "site: ber", "rack: 7", "1 of 1</td>"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    let audit = desk.open(&owner, "/dashboard/settings/audit").await.body;
    assert!(audit.contains("enrolled the agent web-1"), "{audit}");
}

#[actix_web::test]
async fn a_revoked_token_enrols_nobody() {
    let desk = Desk::new().await;
    let (_, [owner, ..]) = desk.staff("acme").await;
    let (_, [stranger, ..]) = desk.staff("other").await;
    let made = desk.post(&owner, ENROLMENTS, json!({ "name": "x", "max_uses": 5 })).await.json();
    let path = format!("{ENROLMENTS}/{}", made["id"]);
    assert_eq!(desk.delete(&stranger, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.delete(&owner, &path).await.status, StatusCode::OK);
    assert_eq!(desk.delete(&owner, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(enroll(&desk, made["token"].as_str().expect("a token"), "a").await.0, Enrolled::Refused);
}

#[actix_web::test]
async fn what_is_wrong_with_a_token_is_told_in_a_sentence() {
    let desk = Desk::new().await;
    let (_, [owner, ..]) = desk.staff("acme").await;
    for (body, told) in [
        (json!({}), "A name has 1 to 100 characters"),
        (json!({ "name": "x", "max_uses": 0 }), "A token can be used 1 to 1000 times"),
        (json!({ "name": "x", "max_uses": 1001 }), "A token can be used 1 to 1000 times"),
        (json!({ "name": "x", "agent_id": "a", "max_uses": 2 }), "A token for one agent can be used once"),
        (json!({ "name": "x", "agent_id": "a b" }), "There is no such agent"),
        (json!({ "name": "x", "expires_in_hours": 0 }), "A token ends within 30 days"),
        (json!({ "name": "x", "expires_in_hours": 721 }), "A token ends within 30 days"),
        (json!({ "name": "x", "expires_in_hours": i64::MAX }), "A token ends within 30 days"),
        (json!({ "name": "x", "expires_in_hours": i64::MIN }), "A token ends within 30 days"),
        (json!({ "name": "x", "labels": ["ber"] }), "A label has the form name=value"),
        (json!({ "name": "x", "max_uses": "1" }), "Malformed body"),
        (json!({ "name": "x", "extra": 1 }), "Malformed body"),
    ] {
        let refused = desk.post(&owner, ENROLMENTS, body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {}", refused.body);
        assert!(refused.error().starts_with(told), "{body}: {}", refused.body);
    }
}

#[actix_web::test]
async fn an_agents_row_says_how_it_is_and_its_page_too() {
    let desk = Desk::new().await;
    let (account, [owner, _, viewer]) = desk.staff("acme").await;
    enrolled(&desk, &owner, "web-1").await;
    heartbeat(&desk, &account, "web-1", 1_204).await;
    for browser in [&owner, &viewer] {
        let page = desk.open(browser, AGENTS).await.body.replace('\u{a0}', " ");
        for part in ["1,204", "oldest 10 min ago", "12 given up", "0.31 %", "13 MiB", "40 s ahead", "0.1.0", "online"] {
            assert!(page.contains(part), "{part}: {page}");
        }
        let page = desk.open(browser, "/dashboard/agents/web-1").await.body.replace('\u{a0}', " ");
        for part in [
            "1,204 rows wait on the agent’s disk, the oldest 10 min ago",
            "gave up 12 rows",
            "clock is 40 s ahead",
            "0.31 % of a core",
            "astra_agent_",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
    let link = "/dashboard/settings/agents#edit-web-1";
    assert!(desk.open(&owner, "/dashboard/agents/web-1").await.body.contains(link));
    assert!(!desk.open(&viewer, "/dashboard/agents/web-1").await.body.contains(link));
}

#[actix_web::test]
async fn an_agent_is_named_labelled_disabled_and_deleted_by_its_typed_id() {
    let desk = Desk::new().await;
    let (_, [owner, ..]) = desk.staff("acme").await;
    let (_, [stranger, ..]) = desk.staff("other").await;
    let token = enrolled(&desk, &owner, "web-1").await;
    let path = format!("{AGENTS}/web-1");
    let edit = |name: Value, labels: Value| Some(json!({ "name": name, "labels": labels }));

    let edited = desk.act(&owner, Method::PUT, &path, edit(json!(" front <door> "), json!(["rack=7"]))).await;
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.body);
    let page = desk.open(&owner, AGENTS).await.body;
    assert!(page.contains("front &#60;door&#62;") && page.contains("rack: 7") && !page.contains("<door>"), "{page}");
    for (body, told) in [
        (edit(json!("x".repeat(101)), json!([])), "A name has 1 to 100 characters"),
        (edit(json!("x"), json!(["a b=1"])), "A label's name is"),
        (edit(json!("x"), json!(["a=1", "a=2"])), "The label a is there twice"),
    ] {
        let refused = desk.act(&owner, Method::PUT, &path, body).await;
        assert_eq!((refused.status, refused.error().starts_with(told)), (StatusCode::BAD_REQUEST, true), "{told}");
    }
    for (method, path, body) in [
        (Method::PUT, path.clone(), edit(json!("theirs"), json!([]))),
        (Method::POST, format!("{path}/disable"), None),
        (Method::POST, format!("{path}/delete"), Some(json!({ "confirmation": "web-1" }))),
    ] {
        let absent = desk.act(&stranger, method, &path, body).await;
        assert_eq!(absent.status, StatusCode::NOT_FOUND, "{path}: {}", absent.body);
    }
    desk.act(&owner, Method::PUT, &path, edit(Value::Null, json!([]))).await;
    assert!(!desk.open(&owner, AGENTS).await.body.contains("front &#60;door&#62;"), "called as its host is");

    let is_known = async || desk.storage.agent_token_find(&token.hash()).await.expect("looked up").is_some();
    assert!(is_known().await);
    assert_eq!(desk.act(&owner, Method::POST, &format!("{path}/disable"), None).await.status, StatusCode::OK);
    assert!(!is_known().await, "at once");
    assert!(desk.open(&owner, "/dashboard/agents/web-1").await.body.contains("This agent is disabled"));
    assert_eq!(desk.act(&owner, Method::POST, &format!("{path}/enable"), None).await.status, StatusCode::OK);
    assert!(is_known().await);

    for typed in [json!({}), json!({ "confirmation": "web" }), json!({ "confirmation": "WEB-1" })] {
        let refused = desk.post(&owner, &format!("{path}/delete"), typed).await;
        assert_eq!(
            (refused.status, refused.error().as_str()),
            (StatusCode::BAD_REQUEST, "Type the agent's id to delete it: web-1")
        );
    }
    let deleted = desk.post(&owner, &format!("{path}/delete"), json!({ "confirmation": "web-1" })).await;
    assert_eq!(deleted.status, StatusCode::OK, "{}", deleted.body);
    assert!(!is_known().await);
    assert_eq!(desk.open(&owner, "/dashboard/agents/web-1").await.status, StatusCode::NOT_FOUND);
    let audit = desk.open(&owner, "/dashboard/settings/audit").await.body;
    for deed in [
        "changed the name or labels of the agent web-1",
        "disabled the agent web-1",
        "deleted the agent web-1 with its data",
    ] {
        assert!(audit.contains(deed), "{deed}: {audit}");
    }
}

#[actix_web::test]
async fn an_agent_that_is_enrolled_again_keeps_its_id_and_loses_its_former_token() {
    let desk = Desk::new().await;
    let (_, [owner, ..]) = desk.staff("acme").await;
    let former = enrolled(&desk, &owner, "web-1").await;
    let made = desk.post(&owner, ENROLMENTS, json!({ "name": "again", "agent_id": "web-1" })).await.json();
    assert_eq!(made["agent_id"], "web-1");
    assert!(desk.open(&owner, AGENTS).await.body.contains("web-1 alone"));
    let (enrolled, _) = enroll(&desk, made["token"].as_str().expect("a token"), "another-host").await;
    assert!(matches!(enrolled, Enrolled::Agent { agent_id, .. } if agent_id.as_str() == "web-1"));
    assert!(desk.storage.agent_token_find(&former.hash()).await.expect("looked up").is_none());
    let labels = desk.storage.agent_page(&Scope::system(desk.account_id("acme").await, "test"), None, None).await;
    assert_eq!(labels.expect("agents").agents[0].labels, BTreeMap::from([("site".to_owned(), "ber".to_owned())]));
}

#[actix_web::test]
async fn an_account_keeps_data_as_long_as_it_chooses_within_its_plan() {
    let desk = Desk::new().await;
    let (_, [owner, _, viewer]) = desk.staff("acme").await;
    let path = "/dashboard/settings/retention";
    assert!(desk.open(&owner, "/dashboard/settings").await.body.contains("as the plan"));
    let days = |raw: Value, hourly: Value, daily: Value| json!({ "raw_days": raw, "hourly_days": hourly, "daily_days": daily });
    let chosen = desk.post(&owner, path, days(json!(7), json!(30), json!(365))).await;
    assert_eq!((chosen.status, chosen.json()), (StatusCode::OK, json!({ "days": [7, 30, 365] })));
    let page = desk.open(&owner, "/dashboard/settings").await.body;
    assert!(page.contains("your own choice") && page.contains("max=\"31\" step=\"1\" value=\"7\""), "{page}");
    let page = desk.open(&viewer, "/dashboard/settings").await.body;
    assert!(page.contains("<dd>365 days") && !page.contains("data-retention"), "{page}");
    for (body, told) in [
        (days(json!(32), json!(400), json!(1100)), "The plan keeps samples for 31 days"),
        (days(json!(31), json!(30), json!(1100)), "Samples are kept for at least 1 day"),
        (days(json!(0), json!(30), json!(1100)), "Samples are kept for at least 1 day"),
        (days(json!(null), json!(30), json!(1100)), "A number of days"),
        (days(json!(-1), json!(30), json!(1100)), "Malformed body"),
        (days(json!(1.5), json!(30), json!(1100)), "Malformed body"),
    ] {
        let refused = desk.post(&owner, path, body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(refused.error().starts_with(told), "{body}: {}", refused.body);
    }
    assert_eq!(desk.delete(&owner, path).await.json(), json!({ "days": null }));
    let audit = desk.open(&owner, "/dashboard/settings/audit").await.body;
    assert!(audit.contains("changed how long data is kept to 7 days of samples"), "{audit}");
    assert!(audit.contains("keeps data as long as the plan does"), "{audit}");
}
