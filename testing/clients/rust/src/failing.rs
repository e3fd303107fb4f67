//! Every failure of the document that a service can be brought to: its status, its sentence and its type.

use std::num::NonZeroU64;

use chrono::Utc;
use progenitor_client::{Error, ResponseValue};
use reqwest::Method;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};

use crate::client::{Client, types};
use crate::observed::{spoil, with_key};
use crate::sending::Agents;
use crate::{Checked, Services, ok};

/// The answer's headers, if it fails as it should.
pub fn refused<T>(status: u16, sentence: &str, answer: Result<ResponseValue<T>, Error<types::Error>>) -> HeaderMap {
    match answer {
        Err(Error::ErrorResponse(refused)) => {
            assert_eq!(refused.status().as_u16(), status, "{}", refused.error);
            assert!(refused.error.starts_with(sentence), "{}", refused.error);
            refused.headers().clone()
        }
        other => panic!("not refused with {status}: {:?}", other.err()),
    }
}

pub fn retry_after(headers: &HeaderMap) -> u32 {
    headers["retry-after"].to_str().expect("plain text").parse().expect("seconds")
}

pub async fn check(services: &Services, agents: &Agents) -> Checked {
    reading(services).await;
    sending(services, agents).await?;
    too_many(services).await;
    Ok(())
}

async fn reading(services: &Services) {
    let client = with_key(&services.service, &services.service_key);
    refused(400, "Invalid cursor", client.list_metrics().cursor("nonsense").send().await);
    refused(404, "Not found", client.get_agent().id("nobody").send().await);
    refused(414, "Request target too long", client.list_metrics().cursor("x".repeat(9_000)).send().await);
    let limited = with_key(&services.service, &services.agents_key);
    refused(403, "Insufficient permissions: requires read:metrics", limited.list_metrics().send().await);
    let stranger = with_key(&services.service, "astra_wrong");
    let headers = refused(401, "Invalid or missing API key", stranger.list_agents().send().await);
    assert!(headers.contains_key("www-authenticate"));

    spoil(|request| *request.method_mut() = Method::DELETE);
    let headers = refused(405, "Method not allowed", client.list_agents().send().await);
    assert_eq!(headers["allow"], "GET, HEAD");
    spoil(|request| {
        request.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from_static("100000"));
        *request.body_mut() = Some(vec![b' '; 100_000].into());
    });
    refused(413, "Request body too large", client.list_agents().send().await);
    spoil(|request| {
        request.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    });
    refused(415, "Unsupported media type", client.list_agents().send().await);
    ok("failures of reading are typed");
}

async fn sending(services: &Services, agents: &Agents) -> Checked {
    let enrol = |url: &str, token: &str, id: Option<&str>| {
        let mut body = types::EnrollBody::builder().token(token).facts(types::AgentFacts::builder().hostname("web-3"));
        if let Some(id) = id {
            body = body.agent_id(Some(id.parse().expect("an id")));
        }
        let request = Client::new(url);
        async move { request.enroll_agent().body(body).send().await }
    };
    let row = types::MetricRow::try_from(types::MetricRow::builder().timestamp(Utc::now()).load_1(0.5))?;
    let metrics =
        |rows: usize| agents.one.ingest_metrics().body(types::MetricBatch { metrics: vec![row.clone(); rows] });
    refused(409, "This agent exists already", enrol(&services.service, &services.enrolment, Some("web-1")).await);
    refused(413, "Request body too large", metrics(10_001).send().await);
    spoil(|request| *request.body_mut() = Some("{".into()));
    refused(400, "Invalid body", metrics(1).send().await);
    spoil(|request| {
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/csv"));
    });
    refused(415, "Unsupported media type", metrics(1).send().await);
    spoil(|request| *request.method_mut() = Method::PUT);
    let headers = refused(405, "Method not allowed", metrics(1).send().await);
    assert_eq!(headers["allow"], "POST");
    // The demonstration offers no speed tests.
    let agent = enrol(&services.demo, &services.demo_enrolment, None).await?;
    let agent = with_key(&services.demo, &agent.agent_token);
    refused(404, "Not found", agent.speedtest_download().ck_size(NonZeroU64::MIN).send().await);
    ok("failures of sending are typed");
    Ok(())
}

/// Until nothing is left of a plan, and until an address has failed too often.
async fn too_many(services: &Services) {
    let client = with_key(&services.demo, &services.starter_key);
    let mut answer = client.list_speedtests().send().await;
    for _ in 0..100 {
        if answer.is_err() {
            break;
        }
        answer = client.list_speedtests().limit(NonZeroU64::MIN).send().await;
    }
    assert!(retry_after(&refused(429, "Rate limit exceeded", answer)) > 0);

    let stranger = with_key(&services.service, "astra_agent_wrong");
    let beat = || {
        let facts = types::AgentFacts::builder().hostname("web-4");
        stranger.heartbeat().body(types::Heartbeat::builder().facts(facts)).send()
    };
    refused(401, "Invalid or missing agent token", beat().await);
    let mut answer = beat().await;
    for _ in 0..100 {
        if !matches!(&answer, Err(Error::ErrorResponse(refused)) if refused.status().as_u16() == 401) {
            break;
        }
        answer = beat().await;
    }
    assert!(retry_after(&refused(429, "Too many", answer)) > 0);
    ok("who asks too often reads when to ask again");
}
