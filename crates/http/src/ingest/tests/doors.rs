use std::num::{NonZeroU32, NonZeroUsize};

use actix_web::http::StatusCode;
use astranetmon_auth::AgentToken;
use astranetmon_domain::AgentId;
use rand::SeedableRng;
use rand::rngs::StdRng;
use serde_json::json;

use super::service::{START, Service, manage, metrics};

const METRICS: &str = "/ingest/v1/metrics";
const INVALID: &str = "Bearer realm=\"astranetmon\", error=\"invalid_token\"";

#[actix_web::test]
async fn only_an_agent_token_opens_ingestion_and_it_opens_nothing_else() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let (agent, key) = (service.agent(account, "web-1").await, service.key(account).await);
    let unused = service.enrolment(account, 99, None).await;
    let unknown = AgentToken::generate(&mut StdRng::seed_from_u64(1));
    for (token, challenge) in [
        ("", "Bearer realm=\"astranetmon\""),
        ("Basic YWdlbnQ6eA==", "Bearer realm=\"astranetmon\""),
        (&format!("Token {agent}"), "Bearer realm=\"astranetmon\""),
        (&key, INVALID),
        (&unused, INVALID),
        (unknown.reveal(), INVALID),
        (&format!("{agent}x"), INVALID),
    ] {
        let answer = service.post(METRICS, token, &[], metrics(&[1], 1.0)).await;
        assert_eq!((answer.status.as_u16(), answer.header("www-authenticate")), (401, Some(challenge)), "{token}");
    }
    let session = ("cookie", "__Host-astra_session=0123456789012345678901234567890123456789012");
    assert_eq!(service.post(METRICS, "", &[session], metrics(&[1], 1.0)).await.status, StatusCode::UNAUTHORIZED);
    assert!(service.stored(account).await.is_empty());
    assert_eq!(service.post(METRICS, &agent, &[session], metrics(&[1], 1.0)).await.status, StatusCode::OK);
    for path in ["/api/v1/agents", "/api/v1/metrics", "/api/v1/usage", "/api/v1/nowhere"] {
        assert_eq!(service.get(path, &agent).await.status, StatusCode::UNAUTHORIZED, "{path}");
    }
    assert_eq!(service.get("/ingest/v1/nowhere", &agent).await.status, StatusCode::NOT_FOUND);
    assert_eq!(service.get("/ingest/v1/nowhere", "").await.status, StatusCode::UNAUTHORIZED);
    let wrong_method = service.get(METRICS, &agent).await;
    assert_eq!((wrong_method.status.as_u16(), wrong_method.header("allow")), (405, Some("POST")));
}

#[actix_web::test]
async fn an_agent_that_is_disabled_replaced_or_deleted_is_refused_at_once() {
    let service = Service::new().await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let id = AgentId::parse("web-1").expect("an id");
    let status = async |token: &str| service.post(METRICS, token, &[], metrics(&[1], 1.0)).await.status.as_u16();
    assert_eq!(status(&token).await, 200);
    service.storage.agent_set_disabled(&manage(account), &id, true, START).await.expect("disabled");
    assert_eq!(status(&token).await, 401);
    service.storage.agent_set_disabled(&manage(account), &id, false, START).await.expect("enabled");
    assert_eq!(status(&token).await, 200);

    let again = service.enrolment(account, 7, Some("web-1")).await;
    let body = json!({ "token": again, "facts": { "hostname": "other" } }).to_string();
    let answer = service.post("/ingest/v1/enroll", "", &[], body).await.json();
    assert_eq!((&answer["agent_id"], &answer["account"]), (&"web-1".into(), &"one".into()));
    let renewed = answer["agent_token"].as_str().expect("a token");
    assert_eq!((status(&token).await, status(renewed).await), (401, 200));
    service.storage.agent_delete(&manage(account), &id, START).await.expect("deleted");
    assert_eq!(status(renewed).await, 401);
}

#[actix_web::test]
async fn failures_of_an_address_are_counted_and_a_good_token_is_never_refused_for_its_address() {
    let service = Service::with(|settings| settings.address_failures_per_minute = NonZeroU32::MIN).await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    assert_eq!(service.post(METRICS, "x", &[], metrics(&[1], 1.0)).await.status.as_u16(), 401);
    let refused = service.post(METRICS, "x", &[], metrics(&[1], 1.0)).await;
    assert_eq!(refused.status.as_u16(), 429);
    assert!(refused.header("retry-after").is_some());
    let body = json!({ "token": "astra_enroll_x", "facts": { "hostname": "a" } }).to_string();
    assert_eq!(service.post("/ingest/v1/enroll", "", &[], body).await.status.as_u16(), 429);
    assert_eq!(service.post(METRICS, &token, &[], metrics(&[1], 1.0)).await.status.as_u16(), 200);
    service.agent(account, "web-2").await;
}

#[actix_web::test]
async fn an_agent_has_its_places_in_flight_and_waits_for_one() {
    let service = Service::with(|settings| {
        settings.agent_concurrency = NonZeroUsize::MIN;
        settings.key_concurrency_wait = std::time::Duration::from_millis(10);
    })
    .await;
    let account = service.account("one").await;
    let token = service.agent(account, "web-1").await;
    let caller = (account, AgentId::parse("web-1").expect("an id"));
    let held = service.state.agent_concurrency.enter(caller).await.expect("free");
    let refused = service.post(METRICS, &token, &[], metrics(&[1], 1.0)).await;
    assert_eq!((refused.status.as_u16(), refused.header("retry-after")), (429, Some("1")));
    drop(held);
    assert_eq!(service.post(METRICS, &token, &[], metrics(&[1], 1.0)).await.status.as_u16(), 200);
}

#[actix_web::test]
async fn an_enrolment_token_is_exchanged_once_and_refused_in_one_sentence() {
    let service = Service::new().await;
    let account = service.account("one").await;
    service.agent(account, "web-1").await;
    let enroll = async |token: &str, id: Option<&str>| {
        let body = json!({ "token": token, "agent_id": id, "facts": { "hostname": "Web 1" } }).to_string();
        service.post("/ingest/v1/enroll", "", &[], body).await
    };
    let token = service.enrolment(account, 1, None).await;
    assert_eq!(enroll(&token, Some("web-1")).await.status.as_u16(), 409);
    let made = enroll(&token, None).await;
    assert_eq!(made.status.as_u16(), 201, "{made:?}");
    let expired = service.enrolment(account, 2, None).await;
    service.clock.advance_seconds(3_601);
    for refused in [&token, &expired, "astra_enroll_x", "x"] {
        let answer = enroll(refused, None).await;
        assert_eq!(
            (answer.status.as_u16(), answer.error().as_str()),
            (401, "Invalid enrolment token: it is unknown, used up, expired or revoked; ask an admin for a new one"),
            "{refused}"
        );
    }
}
