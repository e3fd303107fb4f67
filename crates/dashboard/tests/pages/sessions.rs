//! Who sees what.

use actix_web::http::StatusCode;
use astranetmon_domain::MetricSample;

use crate::site::{DATA, NOW, PAGE, Site, speedtest, traceroute};

const TRACE: u128 = 7;

/// A site whose first account has an agent `a` with a record of each kind.
async fn filled() -> Site {
    let site = Site::new().await;
    let agent = site.own.add_agent(&site.storage, "a").await;
    let before = NOW.plus_seconds(-60);
    site.own.append_metrics(&site.storage, vec![MetricSample::new(agent.clone(), before)]).await;
    site.own.append_speedtests(&site.storage, vec![speedtest(&agent, 1, before)]).await;
    site.own.append_traceroutes(&site.storage, vec![traceroute(&agent, TRACE, before, &[1, 0, 9])]).await;
    site
}

fn trace_path() -> String {
    format!("/dashboard/traceroutes/{}", uuid::Uuid::from_u128(TRACE))
}

#[actix_web::test]
async fn every_page_is_there_for_who_has_signed_in_and_leads_others_to_sign_in() {
    let site = filled().await;
    for (path, title) in [
        ("/dashboard", "Overview"),
        ("/dashboard?sort=-cpu&q=x", "Overview"),
        ("/dashboard/agents/a", "host-a"),
        ("/dashboard/agents/a?range=30d", "host-a"),
        ("/dashboard/agents/a?from=2026-11-22T00:00:00Z&to=2026-11-23T00:00:00Z", "host-a"),
        ("/dashboard/speedtests", "Speed tests"),
        ("/dashboard/speedtests?agent=a&range=24h", "Speed tests"),
        ("/dashboard/traceroutes", "Traceroutes"),
        ("/dashboard/traceroutes?agent=a&range=1h", "Traceroutes"),
        (&trace_path(), "Trace to example.com"),
    ] {
        let page = site.page(path).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(page.text().contains(&format!("<title>{title} · AstraNetmon</title>")), "{path}");
        assert!(page.text().contains("own@example.com"), "{path}");
        assert!(page.text().contains("<meta name=\"csrf-token\" content=\""), "{path}");
        assert!(page.header("content-security-policy").contains("script-src 'self'; style-src 'self'"), "{path}");
        assert_eq!(page.header("cache-control"), "no-store", "{path}");

        let stranger = site.get(path, PAGE, None).await;
        assert_eq!(stranger.status, StatusCode::SEE_OTHER, "{path}");
        assert!(stranger.header("location").starts_with("/dashboard/sign-in?next=/dashboard"), "{path}");
    }
}

#[actix_web::test]
async fn other_ways_to_the_overview_lead_there() {
    let site = Site::new().await;
    for (path, cookie) in [("/", None), ("/?x=1", None), ("/dashboard/", Some(site.own.cookie.as_str()))] {
        let answer = site.get(path, PAGE, cookie).await;
        assert_eq!((answer.status, answer.header("location")), (StatusCode::SEE_OTHER, "/dashboard"), "{path}");
        assert_eq!(answer.header("x-content-type-options"), "nosniff", "{path}");
    }
    assert_eq!(site.get("/other", PAGE, None).await.status, StatusCode::NOT_FOUND);
}

#[actix_web::test]
async fn data_is_for_who_has_signed_in() {
    let site = filled().await;
    for path in ["/dashboard/data/fleet", "/dashboard/data/agents/a/metrics", "/dashboard/data/agents/a/speedtests"] {
        assert_eq!(site.data(path).await.status, StatusCode::OK, "{path}");
        let stranger = site.get(path, DATA, None).await;
        assert_eq!(stranger.status, StatusCode::UNAUTHORIZED, "{path}");
        assert!(stranger.json()["error"].is_string(), "{path}");
    }
}

#[actix_web::test]
async fn what_another_account_has_is_not_there() {
    let site = filled().await;
    let trace = trace_path();
    for (path, accept) in [
        ("/dashboard/agents/a", PAGE),
        ("/dashboard/agents/unknown", PAGE),
        ("/dashboard/agents/no%20id", PAGE),
        ("/dashboard/data/agents/a/metrics", DATA),
        ("/dashboard/data/agents/a/speedtests", DATA),
        (&trace, PAGE),
        ("/dashboard/traceroutes/7", PAGE),
    ] {
        let foreign = site.get(path, accept, Some(&site.other.cookie)).await;
        assert_eq!(foreign.status, StatusCode::NOT_FOUND, "{path}");
        assert_eq!(foreign.header("content-type").starts_with("text/html"), accept == PAGE, "{path}");
    }
    for path in ["/dashboard", "/dashboard/speedtests", "/dashboard/traceroutes", "/dashboard/speedtests?agent=a"] {
        let page = site.get(path, PAGE, Some(&site.other.cookie)).await;
        assert_eq!(page.status, StatusCode::OK, "{path}");
        assert!(!page.text().contains("host-a") && !page.text().contains("192.0.2."), "{path}");
    }
    let fleet = site.get("/dashboard/data/fleet", DATA, Some(&site.other.cookie)).await.json();
    assert_eq!(fleet["rows"], serde_json::json!([]));
}

#[actix_web::test]
async fn failures_are_pages_for_people_and_json_for_scripts() {
    let site = filled().await;
    for (path, status) in [
        ("/dashboard/nothing", StatusCode::NOT_FOUND),
        ("/dashboard/agents/a?range=2h", StatusCode::BAD_REQUEST),
        ("/dashboard/speedtests?from=x&to=y", StatusCode::BAD_REQUEST),
        ("/dashboard/traceroutes?after=x", StatusCode::BAD_REQUEST),
    ] {
        let page = site.page(path).await;
        assert_eq!(page.status, status, "{path}");
        assert!(page.text().contains("<h1>"), "{path}");
        assert!(page.header("content-security-policy").contains("script-src 'self'"), "{path}");
        let data = site.data(path).await;
        assert_eq!(data.status, status, "{path}");
        assert!(data.json()["error"].is_string(), "{path}");
    }
}

#[actix_web::test]
async fn an_account_without_agents_is_told_how_to_begin() {
    let site = Site::new().await;
    assert!(site.page("/dashboard").await.text().contains("No agents yet"));
    assert!(site.page("/dashboard/speedtests").await.text().contains("No speed tests in this range"));
    assert!(site.page("/dashboard/traceroutes").await.text().contains("No traceroutes in this range"));
}
