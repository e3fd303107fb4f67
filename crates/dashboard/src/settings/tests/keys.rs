use actix_web::http::{StatusCode, header};
use serde_json::json;

use super::Desk;

const KEYS: &str = "/dashboard/settings/alerts/keys";
const PAGE: &str = "/dashboard/settings/alerts";

#[actix_web::test]
async fn a_key_is_shown_in_one_answer_works_and_is_refused_once_revoked() {
    let desk = Desk::new().await;
    let (_, [owner, admin, viewer]) = desk.staff("acme").await;
    let new = json!({ "name": "grafana", "permissions": ["read:agents"], "expires_in_days": 90, "expires_at": null });
    let made = desk.post(&admin, KEYS, new).await;
    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.header(header::CACHE_CONTROL), "no-store");
    let answer = made.json();
    let key = answer["key"].as_str().expect("the key");
    assert_eq!((&answer["name"], &answer["try"]), (&json!("grafana"), &json!("/api/v1/agents")));
    assert_eq!(answer["expires_at"], json!("2027-02-21T11:26:40.000Z"));
    assert_eq!(desk.with_key(key).await, StatusCode::OK);

    for browser in [&owner, &admin, &viewer] {
        for path in [PAGE, "/dashboard/settings/audit", "/dashboard/settings"] {
            let page = desk.open(browser, path).await;
            assert!(!page.body.contains(&key[11..]), "{path} shows the key");
        }
        let page = desk.open(browser, PAGE).await;
        assert!(page.body.contains(&format!("astra_{}…", &key[6..10])), "{}", page.body);
        assert!(page.body.contains("grafana") && page.body.contains("1 of 20"));
    }

    // A key that was used just now may be believed for a second more.
    let unused = desk.post(&owner, KEYS, json!({ "name": "unused", "permissions": ["read:agents"] })).await.json();
    for id in [&answer["id"], &unused["id"]] {
        let revoked = desk.delete(&owner, &format!("{KEYS}/{id}")).await;
        assert_eq!((revoked.status, &revoked.json()["id"]), (StatusCode::OK, id));
    }
    assert_eq!(desk.with_key(unused["key"].as_str().expect("a key")).await, StatusCode::UNAUTHORIZED);
    let page = desk.open(&owner, PAGE).await;
    assert!(page.body.contains("2 ended keys") && page.body.contains("No live API keys"), "{}", page.body);
}

#[actix_web::test]
async fn a_rolled_key_lives_on_for_the_overlap_and_its_successor_reads_the_same() {
    let desk = Desk::new().await;
    let (_, [owner, ..]) = desk.staff("acme").await;
    let new = json!({ "name": "probe", "permissions": ["read:agents", "read:metrics"] });
    let old = desk.post(&owner, KEYS, new).await.json();
    let rolled = desk.post(&owner, &format!("{KEYS}/{}/roll", old["id"]), json!({ "overlap_hours": 24 })).await;
    assert_eq!(rolled.status, StatusCode::CREATED, "{}", rolled.body);
    let new = rolled.json();
    assert_ne!(new["key"], old["key"]);
    assert_eq!((&new["name"], &new["permissions"]), (&old["name"], &old["permissions"]));
    let works = async |key: &serde_json::Value| desk.with_key(key["key"].as_str().expect("a key")).await;
    assert_eq!((works(&old).await, works(&new).await), (StatusCode::OK, StatusCode::OK));
    desk.clock.advance_seconds(24 * 3_600 + 1);
    assert_eq!((works(&old).await, works(&new).await), (StatusCode::UNAUTHORIZED, StatusCode::OK));
}

#[actix_web::test]
async fn what_is_wrong_with_a_key_is_told_in_a_sentence() {
    let desk = Desk::new().await;
    let (_, [owner, ..]) = desk.staff("acme").await;
    let all = ["read:agents"];
    for (body, told) in [
        (json!({ "permissions": all }), "A name has 1 to 100 characters"),
        (json!({ "name": null, "permissions": all }), "A name has 1 to 100 characters"),
        (json!({ "name": "x".repeat(101), "permissions": all }), "A name has 1 to 100 characters"),
        (json!({ "name": "x", "permissions": [] }), "Choose at least one thing"),
        (json!({ "name": "x" }), "Choose at least one thing"),
        (json!({ "name": "x", "permissions": ["write:agents"] }), "Unknown permission: a permission is one of"),
        (json!({ "name": "x", "permissions": all, "expires_in_days": 0 }), "A key ends after 1 to 3650 days"),
        (json!({ "name": "x", "permissions": all, "expires_at": "tomorrow" }), "A key ends at a time such as"),
        (json!({ "name": "x", "permissions": all, "expires_at": "2001-01-01" }), "A key's end lies in the future"),
        (json!({ "name": 7, "permissions": all }), "Malformed body"),
        (json!({ "name": "x", "permissions": all, "extra": 1 }), "Malformed body"),
        (json!("x"), "Malformed body"),
    ] {
        let refused = desk.post(&owner, KEYS, body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {}", refused.body);
        assert!(refused.error().starts_with(told), "{body}: {}", refused.body);
    }
    let key = desk.post(&owner, KEYS, json!({ "name": "x", "permissions": all })).await.json();
    for hours in [json!(-1), json!(169), json!(null)] {
        let refused = desk.post(&owner, &format!("{KEYS}/{}/roll", key["id"]), json!({ "overlap_hours": hours })).await;
        assert_eq!((refused.status, refused.error().contains("0 to 168 hours")), (StatusCode::BAD_REQUEST, true));
    }
    for n in 1..20 {
        let made = desk.post(&owner, KEYS, json!({ "name": format!("key {n}"), "permissions": all })).await;
        assert_eq!(made.status, StatusCode::CREATED, "{n}");
    }
    let refused = desk.post(&owner, KEYS, json!({ "name": "one too many", "permissions": all })).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST);
    assert!(refused.error().starts_with("The account has 20 live API keys"), "{}", refused.body);
}

#[actix_web::test]
async fn names_are_only_ever_text() {
    let desk = Desk::new().await;
    let (_, [owner, ..]) = desk.staff("acme").await;
    let name = "<script>alert(1)</script>\" onmouseover='x'";
    let made = desk.post(&owner, KEYS, json!({ "name": name, "permissions": ["read:agents"] })).await;
    assert_eq!((made.status, &made.json()["name"]), (StatusCode::CREATED, &json!(name)));
    for path in [PAGE, "/dashboard/settings/audit"] {
        let page = desk.open(&owner, path).await.body;
        assert!(!page.contains("<script>alert") && !page.contains("\" onmouseover"), "{path}");
        assert!(page.contains("&#60;script&#62;alert(1)"), "{path}");
    }
    assert!(desk.open(&owner, PAGE).await.body.contains("Requests of the last 24 hours: 0 served, 0 refused"));
}
