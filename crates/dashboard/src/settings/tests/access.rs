use actix_web::http::{Method, StatusCode, header};
use actix_web::test::TestRequest;
use astranetmon_storage::AuditEntry;
use serde_json::{Value, json};

use super::{Answer, Desk, OPERATOR, START};

const PAGES: [&str; 6] = [
    "/dashboard/settings",
    "/dashboard/settings/agents",
    "/dashboard/settings/alerts",
    "/dashboard/settings/people",
    "/dashboard/settings/sessions",
    "/dashboard/settings/audit",
];

/// Every action, with a body that is in order; whether viewers may do it too. Ids are of nobody.
fn actions() -> Vec<(Method, &'static str, Option<Value>, bool)> {
    let key = json!({ "name": "x", "permissions": ["read:agents"] });
    let rule = json!({ "name": "x", "severity": "info", "kind": "route_changed" });
    let days = json!({ "raw_days": 1, "hourly_days": 2, "daily_days": 3 });
    let channel = json!({ "name": "x", "kind": "email", "to": "x@example.com" });
    vec![
        (Method::POST, "/dashboard/settings/password", Some(json!({ "current": "x", "password": "y" })), true),
        (Method::DELETE, "/dashboard/settings/sessions/4711", None, true),
        (Method::DELETE, "/dashboard/settings/sessions", None, true),
        (Method::POST, "/dashboard/settings/retention", Some(days), false),
        (Method::DELETE, "/dashboard/settings/retention", None, false),
        (Method::PUT, "/dashboard/settings/agents/4711", Some(json!({ "name": "x" })), false),
        (Method::POST, "/dashboard/settings/agents/4711/disable", None, false),
        (Method::POST, "/dashboard/settings/agents/4711/enable", None, false),
        (Method::POST, "/dashboard/settings/agents/4711/delete", Some(json!({ "confirmation": "4711" })), false),
        (Method::POST, "/dashboard/settings/enrolments", Some(json!({ "name": "x" })), false),
        (Method::DELETE, "/dashboard/settings/enrolments/4711", None, false),
        (Method::POST, "/dashboard/settings/alerts/keys", Some(key), false),
        (Method::POST, "/dashboard/settings/alerts/keys/4711/roll", Some(json!({ "overlap_hours": 1 })), false),
        (Method::DELETE, "/dashboard/settings/alerts/keys/4711", None, false),
        (Method::POST, "/dashboard/settings/alerts/rules", Some(rule.clone()), false),
        (Method::PUT, "/dashboard/settings/alerts/rules/4711", Some(rule), false),
        (Method::POST, "/dashboard/settings/alerts/rules/4711/off", None, false),
        (Method::DELETE, "/dashboard/settings/alerts/rules/4711", None, false),
        (Method::POST, "/dashboard/settings/alerts/channels", Some(channel), false),
        (Method::POST, "/dashboard/settings/alerts/channels/4711/test", None, false),
        (Method::DELETE, "/dashboard/settings/alerts/channels/4711", None, false),
        (
            Method::POST,
            "/dashboard/settings/people",
            Some(json!({ "email": "x@example.com", "role": "viewer" })),
            false,
        ),
        (Method::POST, "/dashboard/settings/people/4711/role", Some(json!({ "role": "viewer" })), false),
        (Method::POST, "/dashboard/settings/people/4711/password", Some(json!({ "password": null })), false),
        (Method::POST, "/dashboard/settings/people/4711/disable", Some(json!({})), false),
        (Method::POST, "/dashboard/settings/people/4711/enable", Some(json!({})), false),
    ]
}

#[actix_web::test]
async fn everybody_sees_the_pages_and_viewers_without_what_changes_the_account() {
    let desk = Desk::new().await;
    let (_, browsers) = desk.staff("acme").await;
    for (browser, manages) in browsers.iter().zip([true, true, false]) {
        for path in PAGES {
            let page = desk.open(browser, path).await;
            assert_eq!(page.status, StatusCode::OK, "{path}: {}", page.body);
            assert_eq!(page.header(header::CACHE_CONTROL), "no-store", "{path}");
            let changes = [
                "settings/alerts/keys",
                "settings/people/",
                "settings/people\"",
                "settings/agents",
                "settings/enrol",
                "settings/ret",
            ];
            let buttons = changes.iter().any(|path| page.body.contains(&format!("data-send=\"POST /dashboard/{path}")));
            assert!(manages || !buttons, "{path} for a viewer");
            assert!(!page.body.contains(" style=") && !page.body.contains("<style"), "{path}: the policy forbids it");
        }
        let keys = desk.open(browser, "/dashboard/settings/alerts").await;
        assert_eq!(keys.body.contains("New key"), manages);
        let people = desk.open(browser, "/dashboard/settings/people").await;
        assert_eq!(people.body.contains("Add person"), manages);
    }
    for path in PAGES {
        let request = TestRequest::get().uri(path).insert_header((header::ACCEPT, "text/html"));
        let sent_away = desk.send(request).await;
        assert_eq!(sent_away.status, StatusCode::SEE_OTHER, "{path}");
        assert_eq!(sent_away.header(header::LOCATION), format!("/dashboard/sign-in?next={path}"));
    }
}

#[actix_web::test]
async fn actions_need_the_role_the_session_and_its_token() {
    let desk = Desk::new().await;
    let (_, browsers) = desk.staff("acme").await;
    for (method, path, body, for_viewers) in actions() {
        for (browser, manages) in browsers.iter().zip([true, true, false]) {
            let without = desk.act(&browser.without_csrf_token(), method.clone(), path, body.clone()).await;
            assert_eq!(without.status, StatusCode::FORBIDDEN, "{method} {path} without the token");
            assert!(without.error().contains("X-Astra-CSRF"), "{}", without.body);
            let done = desk.act(browser, method.clone(), path, body.clone()).await;
            let forbidden = done.status == StatusCode::FORBIDDEN;
            assert_eq!(forbidden, !manages && !for_viewers, "{method} {path}: {} {}", done.status, done.body);
            if forbidden {
                assert_eq!(done.error(), "Refused: an owner or an admin of the account may do this");
            }
        }
        let request = TestRequest::default().method(method.clone()).uri(path);
        let nobody = match body {
            Some(body) => desk.send(request.set_json(body)).await,
            None => desk.send(request).await,
        };
        assert_eq!(nobody.status, StatusCode::UNAUTHORIZED, "{method} {path} without a session");
    }
}

#[actix_web::test]
async fn what_belongs_to_others_and_what_is_nobodys_is_equally_absent() {
    let desk = Desk::new().await;
    let (_, [owner, ..]) = desk.staff("acme").await;
    let (_, [stranger, ..]) = desk.staff("other").await;
    let made = desk.post(
        &stranger,
        "/dashboard/settings/alerts/keys",
        json!({ "name": "theirs", "permissions": ["read:agents"] }),
    );
    let key = made.await.json();
    let user = desk.id_of("viewer@other.example.com").await;
    let told = |answer: &Answer| (answer.status, answer.body.clone());
    let absent = (StatusCode::NOT_FOUND, "{\"error\":\"Not found\"}".to_owned());
    for id in [key["id"].to_string(), "4711".to_owned(), "-1".to_owned(), "x".to_owned()] {
        let path = format!("/dashboard/settings/alerts/keys/{id}");
        assert_eq!(told(&desk.delete(&owner, &path).await), absent, "{path}");
        let rolled = desk.post(&owner, &format!("{path}/roll"), json!({ "overlap_hours": 24 })).await;
        assert_eq!(told(&rolled), absent, "{path}/roll");
    }
    assert_eq!(desk.with_key(key["key"].as_str().expect("a key")).await, StatusCode::OK, "it lives on");
    for id in [user.to_string(), "4711".to_owned(), "x".to_owned()] {
        for (what, body) in [
            ("role", json!({ "role": "admin" })),
            ("password", json!({ "password": null })),
            ("disable", json!({})),
            ("enable", json!({})),
        ] {
            let path = format!("/dashboard/settings/people/{id}/{what}");
            assert_eq!(told(&desk.post(&owner, &path, body).await), absent, "{path}");
        }
    }
    for id in 1..=6 {
        let answer = desk.delete(&owner, &format!("/dashboard/settings/sessions/{id}")).await;
        assert!([StatusCode::NOT_FOUND, StatusCode::OK, StatusCode::UNAUTHORIZED].contains(&answer.status));
    }
    assert_eq!(desk.open(&stranger, "/dashboard/settings").await.status, StatusCode::OK, "their session lives on");
}

#[actix_web::test]
async fn the_audit_log_pages_from_the_newest_to_the_oldest() {
    let desk = Desk::new().await;
    let (account, [owner, ..]) = desk.staff("acme").await;
    for n in 0..150 {
        let (actor, object) = ("user:1".to_owned(), format!("thing:{n}"));
        let entry = AuditEntry { at: START.plus_seconds(n), actor, action: "thing.tried".to_owned(), object };
        desk.storage.audit_append(&OPERATOR, account.id, &entry).await.expect("written");
    }
    let rows = |page: &str| page.matches("<tr><td").count();
    let first = desk.open(&owner, "/dashboard/settings/audit").await.body;
    assert!(rows(&first) == 100 && first.contains("thing tried thing:149"), "{first}");
    let older = first.split("href=\"/dashboard/settings/audit?after=").nth(1).expect("a link to what is older");
    let older = older.split('"').next().expect("an address");
    let second = desk.open(&owner, &format!("/dashboard/settings/audit?after={older}")).await.body;
    assert!(second.contains("thing tried thing:49") && !second.contains("thing:50"), "{second}");
    assert!(second.contains("made the account") && !second.contains("rel=\"next\""), "{second}");
    let nonsense = desk.open(&owner, "/dashboard/settings/audit?after=x").await.body;
    assert_eq!(rows(&nonsense), 100);
}
