use actix_web::http::{StatusCode, header};
use actix_web::test::TestRequest;
use astranetmon_domain::UserRole;

use super::{Answer, Desk};

async fn page(desk: &Desk, path: &str) -> Answer {
    desk.send(TestRequest::get().uri(path).insert_header((header::ACCEPT, "text/html"))).await
}

#[actix_web::test]
async fn the_sign_in_page_is_open_and_leads_to_own_pages_only() {
    let desk = Desk::new().await;
    for (query, next) in [
        ("", "/dashboard"),
        ("?next=/dashboard/settings/alerts", "/dashboard/settings/alerts"),
        ("?next=/dashboard%3Fsort%3Dcpu", "/dashboard?sort=cpu"),
        ("?next=https://evil.example.com", "/dashboard"),
        ("?next=//evil.example.com", "/dashboard"),
        ("?next=%22%3E%3Cscript%3E", "/dashboard"),
    ] {
        let page = page(&desk, &format!("/dashboard/sign-in{query}")).await;
        assert_eq!(page.status, StatusCode::OK, "{query}");
        assert!(page.body.contains(&format!("data-location=\"{next}\"")), "{query}: {}", page.body);
        for attribute in ["autocomplete=\"username\"", "autocomplete=\"current-password\"", "method=\"post\""] {
            assert!(page.body.contains(attribute), "{attribute}");
        }
        assert!(!page.body.contains("does not work here") && !page.body.contains("csrf-token"));
    }
}

#[actix_web::test]
async fn over_plain_http_from_elsewhere_the_entrances_say_why_they_do_not_work() {
    let desk = Desk::new().await;
    for path in ["/dashboard/sign-in", "/dashboard/set-up"] {
        // A proxy that nobody vouched for.
        let request = TestRequest::get().uri(path).insert_header(("X-Forwarded-For", "198.51.100.7"));
        let page = desk.send(request.insert_header((header::ACCEPT, "text/html"))).await;
        assert!(page.body.contains("does not work here") && page.body.contains("trusted_proxies"), "{path}");
    }
}

#[actix_web::test]
async fn the_set_up_page_is_gone_once_there_is_somebody() {
    let desk = Desk::new().await;
    let open = page(&desk, "/dashboard/set-up").await;
    assert_eq!(open.status, StatusCode::OK);
    assert!(open.body.contains("data-send=\"POST /auth/v1/setup\"") && open.body.contains("minlength=\"12\""));
    let account = desk.account("acme").await;
    desk.person(&account, "ada@example.com", UserRole::Owner).await;
    let gone = page(&desk, "/dashboard/set-up").await;
    assert_eq!(gone.status, StatusCode::GONE);
    assert!(gone.body.contains("Set up already") && !gone.body.contains("<form"), "{}", gone.body);
}
