use actix_web::http::StatusCode;
use serde_json::json;

use super::{Browser, Desk, PASSWORD};

const SESSIONS: &str = "/dashboard/settings/sessions";
const SETTINGS: &str = "/dashboard/settings";
const EMAIL: &str = "viewer@acme.example.com";

#[actix_web::test]
async fn people_end_sessions_of_their_own() {
    let desk = Desk::new().await;
    let (_, [owner, _, here]) = desk.staff("acme").await;
    let (there, elsewhere) = (desk.browser(EMAIL).await, desk.browser(EMAIL).await);
    let page = desk.open(&here, SESSIONS).await.body;
    let ids: Vec<_> = page.split("data-send=\"DELETE /dashboard/settings/sessions/").skip(1).collect();
    let ids: Vec<_> = ids.into_iter().map(|rest| rest.split('"').next().expect("an id")).collect();
    assert_eq!((ids.len(), page.matches("this one").count()), (2, 1), "{page}");

    let newest = format!("{SESSIONS}/{}", ids[0]);
    assert_eq!(desk.delete(&owner, &newest).await.status, StatusCode::NOT_FOUND, "it is not theirs");
    assert_eq!(desk.delete(&here, &newest).await.status, StatusCode::OK);
    assert_eq!(desk.open(&elsewhere, SETTINGS).await.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.open(&there, SETTINGS).await.status, StatusCode::OK);
    let ended = desk.delete(&here, SESSIONS).await;
    assert_eq!((ended.status, ended.json()), (StatusCode::OK, json!({ "ended": 1 })));
    assert_eq!(desk.open(&there, SETTINGS).await.status, StatusCode::SEE_OTHER);
    for browser in [&here, &owner] {
        assert_eq!(desk.open(browser, SETTINGS).await.status, StatusCode::OK);
    }
}

#[actix_web::test]
async fn an_own_password_is_changed_with_the_current_one_and_signs_the_others_out() {
    const NEW: &str = "seven purple lanterns drift";
    let desk = Desk::new().await;
    let (_, [_, _, here]) = desk.staff("acme").await;
    let there = desk.browser(EMAIL).await;
    let path = "/dashboard/settings/password";
    for (body, told) in [
        (json!({ "current": "wrong", "password": NEW }), "That is not your current password"),
        (json!({ "current": null, "password": NEW }), "Type your current password"),
        (json!({ "current": PASSWORD, "password": null }), "Type the new password"),
        (json!({ "current": PASSWORD, "password": "short" }), "a password has at least 12 characters"),
    ] {
        let refused = desk.post(&here, path, body).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{}", refused.body);
        assert!(refused.error().starts_with(told), "{}", refused.body);
    }
    let changed = desk.post(&here, path, json!({ "current": PASSWORD, "password": NEW })).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let here_now = Browser::of(&changed);
    assert_eq!(desk.open(&here_now, SETTINGS).await.status, StatusCode::OK);
    for old in [&here, &there] {
        assert_eq!(desk.open(old, SETTINGS).await.status, StatusCode::SEE_OTHER);
    }
    assert_eq!(desk.sign_in(EMAIL, PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(desk.sign_in(EMAIL, NEW).await.status, StatusCode::CREATED);
    assert!(!desk.open(&here_now, "/dashboard/settings/audit").await.body.contains(NEW));
}
