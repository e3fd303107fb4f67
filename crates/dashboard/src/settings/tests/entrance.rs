use actix_web::http::{StatusCode, header};
use actix_web::test::TestRequest;
use astranetmon_domain::UserRole;

use super::{Answer, Desk};

async fn page(desk: &Desk, path: &str) -> Answer {
    desk.send(TestRequest::get().uri(path).insert_header((header::ACCEPT, "text/html"))).await
}

impl Desk {
    /// From here on there is somebody.
    async fn account_with_owner(&self) {
        let account = self.account("acme").await;
        self.person(&account, "ada@example.com", UserRole::Owner).await;
    }
}

#[actix_web::test]
async fn the_sign_in_page_is_open_and_leads_to_own_pages_only() {
    let desk = Desk::new().await;
    desk.account_with_owner().await;
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
    for (path, somebody_is_there) in [("/dashboard/set-up", false), ("/dashboard/sign-in", true)] {
        if somebody_is_there {
            desk.account_with_owner().await;
        }
        // A proxy that nobody vouched for.
        let request = TestRequest::get().uri(path).insert_header(("X-Forwarded-For", "198.51.100.7"));
        let page = desk.send(request.insert_header((header::ACCEPT, "text/html"))).await;
        assert!(page.body.contains("does not work here") && page.body.contains("trusted_proxies"), "{path}");
    }
}

#[actix_web::test]
async fn the_sign_in_page_leads_to_the_set_up_which_is_gone_once_there_is_somebody() {
    let desk = Desk::new().await;
    let sign_in = page(&desk, "/dashboard/sign-in?next=/dashboard/speedtests").await;
    assert_eq!((sign_in.status, sign_in.header(header::LOCATION)), (StatusCode::SEE_OTHER, "/dashboard/set-up"));
    let open = page(&desk, "/dashboard/set-up").await;
    assert_eq!(open.status, StatusCode::OK);
    assert!(open.body.contains("data-send=\"POST /auth/v1/setup\"") && open.body.contains("minlength=\"12\""));
    desk.account_with_owner().await;
    let gone = page(&desk, "/dashboard/set-up").await;
    assert_eq!(gone.status, StatusCode::GONE);
    assert!(gone.body.contains("Set up already") && !gone.body.contains("<form"), "{}", gone.body);
}
