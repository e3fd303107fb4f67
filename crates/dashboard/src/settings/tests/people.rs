use actix_web::http::StatusCode;
use astranetmon_domain::UserRole;
use serde_json::{Value, json};

use super::{Desk, PASSWORD};

const PEOPLE: &str = "/dashboard/settings/people";

#[actix_web::test]
async fn a_person_is_added_with_a_password_that_is_shown_once_and_signs_in_with_it() {
    let desk = Desk::new().await;
    let (_, [owner, admin, _]) = desk.staff("acme").await;
    let new = json!({ "email": " Ada@Example.com ", "role": "viewer", "password": null });
    let added = desk.post(&admin, PEOPLE, new).await;
    assert_eq!(added.status, StatusCode::CREATED, "{}", added.body);
    let answer = added.json();
    let password = answer["password"].as_str().expect("a password");
    assert_eq!(answer["user"]["email"], "ada@example.com");
    assert_eq!(desk.sign_in("ada@example.com", password).await.status, StatusCode::CREATED);
    for path in [PEOPLE, "/dashboard/settings/audit"] {
        let page = desk.open(&owner, path).await.body;
        assert!(page.contains("ada@example.com") && !page.contains(password), "{path}");
    }

    let typed = json!({ "email": "bob@example.com", "role": "admin", "password": PASSWORD });
    let added = desk.post(&owner, PEOPLE, typed).await;
    assert_eq!((added.status, &added.json()["password"]), (StatusCode::CREATED, &Value::Null));
    assert_eq!(desk.sign_in("bob@example.com", PASSWORD).await.status, StatusCode::CREATED);
    for (body, told) in [
        (json!({ "email": "ada@example.com", "role": "viewer" }), "There is a user with that e-mail address already"),
        (json!({ "email": "ada", "role": "viewer" }), "An e-mail address has the form"),
        (json!({ "role": "viewer" }), "An e-mail address has the form"),
        (json!({ "email": "c@example.com", "role": "king" }), "A role is viewer, admin or owner"),
        (json!({ "email": "c@example.com" }), "A role is viewer, admin or owner"),
        (json!({ "email": "c@example.com", "role": "viewer", "password": "short" }), "The password is too short"),
        (
            json!({ "email": "c@example.com", "role": "viewer", "password": "passwordpassword" }),
            "That password is easy",
        ),
    ] {
        let refused = desk.post(&owner, PEOPLE, body.clone()).await;
        assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{body}: {}", refused.body);
        assert!(refused.error().starts_with(told), "{body}: {}", refused.body);
    }
}

#[actix_web::test]
async fn owners_are_the_business_of_owners_and_one_stays() {
    let desk = Desk::new().await;
    let (_, [owner, admin, _]) = desk.staff("acme").await;
    let (owner_id, admin_id) = (desk.id_of("owner@acme.example.com").await, desk.id_of("admin@acme.example.com").await);
    let new = json!({ "email": "x@example.com", "role": "owner" });
    for (path, body) in [
        (PEOPLE.to_owned(), new),
        (format!("{PEOPLE}/{owner_id}/role"), json!({ "role": "viewer" })),
        (format!("{PEOPLE}/{owner_id}/password"), json!({ "password": null })),
        (format!("{PEOPLE}/{owner_id}/disable"), json!({})),
    ] {
        let refused = desk.post(&admin, &path, body).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{path}: {}", refused.body);
        assert_eq!(refused.error(), "Only an owner of the account adds or changes owners");
    }
    for (browser, id) in [(&owner, owner_id), (&admin, admin_id)] {
        for (what, body) in [("role", json!({ "role": "viewer" })), ("disable", json!({})), ("password", json!({}))] {
            let refused = desk.post(browser, &format!("{PEOPLE}/{id}/{what}"), body).await;
            assert_eq!(refused.status, StatusCode::BAD_REQUEST, "oneself: {what}: {}", refused.body);
        }
    }
    let page = desk.open(&admin, PEOPLE).await.body;
    assert!(!page.contains(&format!("people/{owner_id}/")) && !page.contains("value=\"owner\""), "{page}");

    let promoted = desk.post(&owner, &format!("{PEOPLE}/{admin_id}/role"), json!({ "role": "owner" })).await;
    assert_eq!((promoted.status, &promoted.json()["user"]["role"]), (StatusCode::OK, &json!("owner")));
    let disabled = desk.post(&admin, &format!("{PEOPLE}/{owner_id}/disable"), json!({})).await;
    assert_eq!(disabled.status, StatusCode::OK, "{}", disabled.body);
    assert_eq!(desk.open(&owner, "/dashboard/settings").await.status, StatusCode::SEE_OTHER, "their sessions ended");
    assert_eq!(desk.sign_in("owner@acme.example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    let enabled = desk.post(&admin, &format!("{PEOPLE}/{owner_id}/enable"), json!({})).await;
    assert_eq!((enabled.status, &enabled.json()["user"]["disabled_at"]), (StatusCode::OK, &Value::Null));
}

#[actix_web::test]
async fn a_reset_password_ends_the_persons_sessions() {
    let desk = Desk::new().await;
    let (account, [_, admin, viewer]) = desk.staff("acme").await;
    let id = desk.id_of("viewer@acme.example.com").await;
    let reset = desk.post(&admin, &format!("{PEOPLE}/{id}/password"), json!({ "password": null })).await;
    assert_eq!(reset.status, StatusCode::OK, "{}", reset.body);
    let password = reset.json()["password"].as_str().expect("a password").to_owned();
    assert_eq!(desk.open(&viewer, "/dashboard/settings").await.status, StatusCode::SEE_OTHER);
    assert_eq!(desk.sign_in("viewer@acme.example.com", PASSWORD).await.status, StatusCode::UNAUTHORIZED);
    assert_eq!(desk.sign_in("viewer@acme.example.com", &password).await.status, StatusCode::CREATED);
    desk.person(&account, "<i>x</i>@example.com", UserRole::Viewer).await;
    let page = desk.open(&admin, PEOPLE).await.body;
    assert!(page.contains("&#60;i&#62;x&#60;/i&#62;@example.com") && !page.contains("<i>x"), "{page}");
}
