use actix_web::http::{StatusCode, header};
use serde_json::{Value, json};

use super::Desk;

const PAGE: &str = "/dashboard/settings/alerts";
const RULES: &str = "/dashboard/settings/alerts/rules";
const CHANNELS: &str = "/dashboard/settings/alerts/channels";

#[actix_web::test]
async fn a_webhooks_secret_is_shown_in_one_answer_and_its_path_never() {
    let desk = Desk::new().await;
    let (_, [owner, ..]) = desk.staff("acme").await;
    let url = "https://hooks.example.com/services/s3cret-path";
    let made = desk.post(&owner, CHANNELS, json!({ "name": "On <call>", "kind": "webhook", "url": url })).await;
    assert_eq!((made.status, made.header(header::CACHE_CONTROL)), (StatusCode::CREATED, "no-store"), "{}", made.body);
    let answer = made.json();
    let secret = answer["secret"].as_str().expect("a secret");
    for path in [PAGE, "/dashboard/settings/audit"] {
        let page = desk.open(&owner, path).await.body;
        assert!(!page.contains(secret) && !page.contains("s3cret-path") && !page.contains("On <call>"), "{path}");
    }
    assert!(desk.open(&owner, PAGE).await.body.contains("https://hooks.example.com/…"));
    let mailbox = desk.post(&owner, CHANNELS, json!({ "name": "Post", "kind": "email", "to": "a@example.com" })).await;
    assert_eq!((mailbox.status, &mailbox.json()["secret"]), (StatusCode::CREATED, &Value::Null));
    for (body, told) in [
        (json!({ "kind": "email", "to": "a@example.com" }), "A name has 1 to 100 characters"),
        (json!({ "name": "x", "kind": "pigeon" }), "A channel is a webhook or an e-mail address"),
        (json!({ "name": "x", "kind": "webhook", "url": "ftp://x" }), "A webhook's URL has the form"),
        (json!({ "name": "x", "kind": "webhook" }), "A webhook's URL has the form"),
        (json!({ "name": "x", "kind": "email", "to": "x" }), "An e-mail address has the form"),
    ] {
        let refused = desk.post(&owner, CHANNELS, body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}");
        assert!(refused.error().starts_with(told), "{body}: {}", refused.body);
    }
    let path = format!("{CHANNELS}/{}", answer["id"].as_str().expect("an id"));
    let tested = desk.post(&owner, &format!("{path}/test"), json!({})).await;
    assert_eq!((tested.status, &tested.json()["delivered"]), (StatusCode::OK, &json!(false)), "{}", tested.body);
    let again = desk.post(&owner, &format!("{path}/test"), json!({})).await;
    assert_eq!(again.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(desk.delete(&owner, &path).await.status, StatusCode::OK);
    assert_eq!(desk.delete(&owner, &path).await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn a_rule_is_made_changed_switched_and_deleted() {
    let desk = Desk::new().await;
    let (_, [owner, _, viewer]) = desk.staff("acme").await;
    let (_, [stranger, ..]) = desk.staff("other").await;
    let channel = desk.post(&owner, CHANNELS, json!({ "name": "Post", "kind": "email", "to": "a@example.com" })).await;
    let channel = channel.json()["id"].clone();
    let rule = json!({
        "name": "CPU <b>busy</b>", "severity": "critical", "enabled": true, "agent_id": null, "channels": [channel],
        "kind": "metric_threshold", "field": "cpu_percent", "side": "above", "value": 90, "for_minutes": 5,
        "offline_minutes": null, "download_mbps": null, "upload_mbps": null, "target": null,
    });
    let made = desk.post(&owner, RULES, rule.clone()).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    let path = format!("{RULES}/{}", made.json()["rule"]["id"].as_str().expect("an id"));
    let page = desk.open(&viewer, PAGE).await.body;
    assert!(page.contains("CPU &#60;b&#62;busy") && page.contains("CPU above 90 % for 5 min"), "{page}");
    assert!(!page.contains("<b>busy") && !page.contains(&path), "viewers see no buttons");

    let mut changed = rule.clone();
    changed["value"] = json!(95.5);
    let method = actix_web::http::Method::PUT;
    let update = desk.act(&owner, method.clone(), &path, Some(changed.clone())).await;
    assert_eq!(update.status, StatusCode::OK, "{}", update.body);
    assert!(desk.open(&owner, PAGE).await.body.contains("CPU above 95.5 % for 5 min"));
    for (switch, enabled) in [("off", false), ("on", true)] {
        let switched = desk.post(&owner, &format!("{path}/{switch}"), json!({})).await;
        assert_eq!((switched.status, &switched.json()["rule"]["enabled"]), (StatusCode::OK, &json!(enabled)));
    }
    assert_eq!(desk.act(&stranger, method, &path, Some(changed.clone())).await.status, StatusCode::NOT_FOUND);
    let foreign = desk.post(&stranger, RULES, changed).await;
    assert_eq!((foreign.status, foreign.error().contains("no such alert channel")), (StatusCode::BAD_REQUEST, true));
    assert_eq!(desk.post(&stranger, &format!("{path}/off"), json!({})).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.delete(&stranger, &path).await.status, StatusCode::NOT_FOUND);
    assert_eq!(desk.delete(&owner, &path).await.status, StatusCode::OK);
    assert_eq!(desk.delete(&owner, &path).await.status, StatusCode::NOT_FOUND);
    let audit = desk.open(&owner, "/dashboard/settings/audit").await.body;
    assert!(audit.contains("deleted the alert rule") && audit.contains("made the alert channel"), "{audit}");
}
