//! Real deliveries to receivers on loopback.

use std::sync::Arc;

use astranetmon_alerts::{
    AlertMessage, Deliverer, Post, PostSettings, SmtpPassword, SmtpSettings, SmtpTls, verify_signature,
};
use astranetmon_domain::{
    AgentId, AlertChannel, AlertChannelId, AlertEvent, AlertEventId, AlertPhase, AlertRuleId, AlertSeverity,
    ManualClock, Timestamp,
};
use astranetmon_storage::AlertDestination;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::receivers::{MailSink, Receiver, post, secret, webhook};

const NOW: Timestamp = Timestamp::from_seconds(1_793_491_200);

fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::new(NOW))
}

fn message(phase: AlertPhase) -> AlertMessage {
    AlertMessage {
        event: AlertEvent {
            id: AlertEventId(Uuid::from_u128(1)),
            rule_id: AlertRuleId(Uuid::from_u128(2)),
            rule_name: "hot".parse().expect("a name"),
            severity: AlertSeverity::Critical,
            kind: "metric_threshold".to_owned(),
            agent_id: AgentId::parse("agent-1").expect("an id"),
            agent_name: "Ä web-1\r\nBcc: x@example.com".replace(['\r', '\n'], " "),
            fired_at: NOW,
            resolved_at: (phase == AlertPhase::Resolved).then(|| NOW.plus_seconds(60)),
            value: Some(97.25),
            threshold: Some(90.0),
            sentence: "It is hot.".to_owned(),
            resolution: (phase == AlertPhase::Resolved).then(|| "It is cool.".to_owned()),
        },
        phase,
    }
}

fn channel(destination: &AlertDestination) -> AlertChannel {
    AlertChannel {
        id: AlertChannelId(Uuid::from_u128(3)),
        name: "hook".parse().expect("a name"),
        target: destination.target(),
        created_at: NOW,
    }
}

fn smtp(sink: &MailSink) -> SmtpSettings {
    SmtpSettings {
        host: sink.addr.ip().to_string(),
        port: Some(sink.addr.port()),
        tls: SmtpTls::None,
        user: None,
        password: None,
        from: "AstraNetmon <alerts@example.com>".to_owned(),
    }
}

fn email() -> AlertDestination {
    AlertDestination::Email { to: "person@example.com".parse().expect("an address") }
}

#[tokio::test]
async fn a_webhook_receives_signed_json() {
    let mut receiver = Receiver::start(vec![]).await;
    let public_url = Some("https://monitoring.example.com".to_owned());
    let post = post(PostSettings { public_url, ..PostSettings::default() }, clock());
    for (phase, state, at, sentence) in [
        (AlertPhase::Fired, "fired", NOW, "It is hot."),
        (AlertPhase::Resolved, "resolved", NOW.plus_seconds(60), "It is cool."),
    ] {
        post.deliver(&receiver.destination(), &message(phase)).await.expect("delivered");
        let call = receiver.call().await;
        assert_eq!(call.request_line, "POST /hook?token=s3cret HTTP/1.1");
        assert_eq!(call.headers["content-type"], "application/json");
        let event_id = Uuid::from_u128(1).to_string();
        assert_eq!(call.headers["x-astra-event-id"], event_id);
        let signature = &call.headers["x-astra-signature"];
        assert_eq!(verify_signature(&secret(), signature, &call.body), Some(NOW), "{signature}");
        let body: Value = serde_json::from_slice(&call.body).expect("JSON");
        let resolved_at = (state == "resolved").then(|| at.to_string());
        assert_eq!(
            body,
            json!({
                "event_id": event_id, "state": state, "at": at.to_string(), "sentence": sentence,
                "severity": "critical", "kind": "metric_threshold",
                "rule": { "id": Uuid::from_u128(2).to_string(), "name": "hot" },
                "agent": { "id": "agent-1", "name": "Ä web-1  Bcc: x@example.com" },
                "value": 97.25, "threshold": 90.0, "fired_at": NOW.to_string(), "resolved_at": resolved_at,
                "link": "https://monitoring.example.com/dashboard/agents/agent-1",
            })
        );
    }
}

#[test]
fn a_signature_fits_one_body_one_time_and_one_secret() {
    // Computed with: printf '1793491200.{}' | openssl dgst -sha256 -hmac whsec_AAA…
    let secret = astranetmon_auth::WebhookSecret::parse(&format!("whsec_{}", "A".repeat(43))).expect("a secret");
    let header = include_str!("signature.txt").trim_end();
    assert_eq!(verify_signature(&secret, header, b"{}"), Some(NOW));
    assert_eq!(verify_signature(&secret, header, b"{} "), None);
    assert_eq!(verify_signature(&crate::receivers::secret(), header, b"{}"), None);
    assert_eq!(verify_signature(&secret, &header.replace("t=1", "t=2"), b"{}"), None);
    for malformed in ["", "t=1", "t=1,v1=", "t=x,v1=00", &format!("t=1,v1={}", "ä".repeat(32))] {
        assert_eq!(verify_signature(&secret, malformed, b"{}"), None, "{malformed}");
    }
}

#[tokio::test]
async fn closed_networks_are_refused_in_whatever_notation() {
    let mut receiver = Receiver::start(vec![]).await;
    let post = Post::new(PostSettings::default(), clock()).expect("usable");
    let port = receiver.addr.port();
    for host in [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "017700000001",
        "0",
        "localhost",
        "LOCALHOST",
        "localhost.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "10.0.0.1",
        "[fd00::1]",
    ] {
        let destination = webhook(&format!("http://{host}:{port}/hook?token=s3cret"));
        let refused = post.deliver_test(&channel(&destination), &destination).await.expect_err(host);
        assert!(refused.sentence.ends_with("has no address that webhooks may reach."), "{host}: {refused}");
        assert!(!refused.sentence.contains("s3cret"), "{host}: {refused:?}");
    }
    assert!(!receiver.was_called());
}

#[tokio::test]
async fn a_name_is_resolved_to_allowed_addresses_only() {
    let mut receiver = Receiver::start(vec![]).await;
    let destination = webhook(&format!("http://localhost:{}/", receiver.addr.port()));
    post(PostSettings::default(), clock()).deliver(&destination, &message(AlertPhase::Fired)).await.expect("delivered");
    assert!(receiver.call().await.headers["host"].starts_with("localhost:"));
}

#[tokio::test]
async fn failures_are_told_without_what_was_answered() {
    let mut elsewhere = Receiver::start(vec![]).await;
    let to_elsewhere: &'static str = Box::leak(
        format!("HTTP/1.1 302 Found\r\nlocation: http://{}/\r\ncontent-length: 0\r\n\r\n", elsewhere.addr)
            .into_boxed_str(),
    );
    let post = post(PostSettings::default(), clock());
    for (answer, told) in [
        ("HTTP/1.1 500 s3cret\r\ncontent-length: 6\r\n\r\ns3cret", "answered with status 500."),
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", "answered with status 404."),
        (to_elsewhere, "answered with a redirect (302), which is not followed."),
        ("s3cret\r\n\r\n", "broke the connection off."),
    ] {
        let receiver = Receiver::start(vec![answer]).await;
        let failed = post.deliver(&receiver.destination(), &message(AlertPhase::Fired)).await.expect_err(told);
        assert_eq!(failed.sentence, format!("http://{} {told}", receiver.addr));
        assert!(failed.retryable);
    }
    assert!(!elsewhere.was_called(), "a redirect was followed");
    // A success whose body never ends is a success: it is not read.
    let receiver = Receiver::start(vec!["HTTP/1.1 204 No Content\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\nabc"]).await;
    for _ in 0..2 {
        post.deliver(&receiver.destination(), &message(AlertPhase::Fired)).await.expect("delivered");
    }
    let gone = Receiver::start(vec![]).await.addr;
    let closed = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("an address");
    assert_ne!(gone, closed);
    let failed = post.deliver(&webhook(&format!("http://{closed}/")), &message(AlertPhase::Fired)).await;
    assert!(failed.expect_err("nobody listens").sentence.ends_with("accepts no connection."));
    let unknown = webhook("https://unknown.invalid/?token=s3cret");
    let failed = post.deliver(&unknown, &message(AlertPhase::Fired)).await.expect_err("no such name");
    assert_eq!(failed.sentence, "https://unknown.invalid has no address that webhooks may reach.");
}

#[tokio::test]
async fn a_test_says_that_it_is_one() {
    let mut receiver = Receiver::start(vec![]).await;
    let destination = receiver.destination();
    let post = post(PostSettings::default(), clock());
    post.deliver_test(&channel(&destination), &destination).await.expect("delivered");
    let call = receiver.call().await;
    assert!(verify_signature(&secret(), &call.headers["x-astra-signature"], &call.body).is_some());
    let body: Value = serde_json::from_slice(&call.body).expect("JSON");
    assert_eq!((&body["state"], &body["rule"]), (&json!("test"), &Value::Null));
    assert_eq!(body["sentence"], "This is a test of the channel hook: nothing has happened.");
}

#[tokio::test]
async fn a_mail_server_takes_messages() {
    let mut sink = MailSink::start(None).await;
    let post = post(PostSettings { smtp: Some(smtp(&sink)), ..PostSettings::default() }, clock());
    post.deliver(&email(), &message(AlertPhase::Fired)).await.expect("delivered");
    let taken = sink.message().await;
    for part in [
        "MAIL FROM:<alerts@example.com>",
        "RCPT TO:<person@example.com>",
        "From: AstraNetmon <alerts@example.com>",
        "To: person@example.com",
        "Message-ID: <00000000-0000-0000-0000-000000000001.fired@example.com>",
        "It is hot.",
        "Agent: ",
    ] {
        assert!(taken.contains(part), "{part} in {taken}");
    }
    assert!(!taken.lines().any(|line| line.starts_with("Bcc")), "{taken}");
    post.deliver_test(&channel(&email()), &email()).await.expect("delivered");
    assert!(sink.message().await.contains("This is a test of the channel hook"));
}

#[tokio::test]
async fn a_mail_servers_refusal_is_told_by_its_code() {
    for (answer, told, retryable) in [
        ("550 s3cret\r\n", "The mail server refused the message with code 550.", false),
        ("451 s3cret\r\n", "The mail server put the message off with code 451.", true),
    ] {
        let sink = MailSink::start(Some(answer)).await;
        let post = post(PostSettings { smtp: Some(smtp(&sink)), ..PostSettings::default() }, clock());
        let failed = post.deliver(&email(), &message(AlertPhase::Fired)).await.expect_err(told);
        assert_eq!((failed.sentence.as_str(), failed.retryable), (told, retryable));
    }
    let nobody = post(PostSettings::default(), clock()).deliver(&email(), &message(AlertPhase::Fired)).await;
    assert!(!nobody.expect_err("no mail server").retryable);
}

#[tokio::test]
async fn settings_of_a_mail_server_that_would_expose_something_are_refused() {
    let sink = MailSink::start(None).await;
    let password = Some(SmtpPassword::new("s3cret".to_owned()));
    let elsewhere = SmtpSettings { host: "mail.example.com".to_owned(), ..smtp(&sink) };
    for (settings, told) in [
        (elsewhere, "on this host only"),
        (SmtpSettings { from: "nobody".to_owned(), ..smtp(&sink) }, "smtp.from"),
        (SmtpSettings { password, ..smtp(&sink) }, "set together"),
    ] {
        assert!(!format!("{settings:?}").contains("s3cret"));
        let refused = Post::new(PostSettings { smtp: Some(settings), ..PostSettings::default() }, clock());
        let refused = refused.err().expect(told).to_string();
        assert!(refused.contains(told) && !refused.contains("s3cret"), "{refused}");
    }
}
