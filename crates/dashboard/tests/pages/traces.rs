//! Traces and what changed.

use astranetmon_domain::Timestamp;

use crate::site::{NOW, Site, squeezed, traceroute};

fn at(minute: i64) -> Timestamp {
    NOW.plus_seconds(60 * minute)
}

#[actix_web::test]
async fn a_trace_is_shown_with_what_changed_since_the_one_before() {
    let site = Site::new().await;
    let agent = site.own.add_agent(&site.storage, "a").await;
    let traces = vec![
        traceroute(&agent, 1, at(-30), &[1, 2, 3, 0, 9]),
        traceroute(&agent, 2, at(-20), &[1, 2, 3, 0, 9]),
        traceroute(&agent, 3, at(-10), &[1, 4, 3, 0, 5, 9]),
    ];
    site.own.append_traceroutes(&site.storage, traces).await;
    let page_of = |number: u128| format!("/dashboard/traceroutes/{}", uuid::Uuid::from_u128(number));

    let newest = site.page(&page_of(3)).await;
    let html = squeezed(newest.text());
    assert!(html.contains("Hops: 1 changed, 1 added"), "{html}");
    assert!(html.contains("was <span class=\"external-text\">192.0.2.2</span>"), "{html}");
    assert_eq!(html.matches(">changed</span>").count(), 1);
    assert_eq!(html.matches(">added</span>").count(), 1);
    assert!(html.contains(&page_of(2)), "leads to the trace before");

    let same = squeezed(site.page(&page_of(2)).await.text());
    assert!(same.contains("The same path as before"), "{same}");
    let first = squeezed(site.page(&page_of(1)).await.text());
    assert!(first.contains("The first trace to this target"), "{first}");

    // The agent's page shows the newest, or the one that was chosen.
    let agent_page = squeezed(site.page("/dashboard/agents/a").await.text());
    assert!(agent_page.contains("path changed") && agent_page.contains("Hops: 1 changed, 1 added"));
    let chosen = format!("/dashboard/agents/a?trace={}", uuid::Uuid::from_u128(2));
    assert!(squeezed(site.page(&chosen).await.text()).contains("The same path as before"));

    let list = squeezed(site.page("/dashboard/traceroutes").await.text());
    assert_eq!(list.matches(">changed</span>").count(), 1);
}

#[actix_web::test]
async fn lists_are_walked_page_by_page_without_loss() {
    let site = Site::new().await;
    let agents = [site.own.add_agent(&site.storage, "a").await, site.own.add_agent(&site.storage, "b.c").await];
    let traces: Vec<_> = (0..120_u8)
        .map(|n| traceroute(&agents[usize::from(n % 2)], u128::from(n), at(-i64::from(n / 4)), &[1]))
        .collect();
    site.own.append_traceroutes(&site.storage, traces).await;
    for (query, expected) in [("range=24h", 120), ("agent=b.c&range=24h", 60)] {
        let mut next = Some(query.to_owned());
        let mut seen = Vec::new();
        while let Some(parameters) = next {
            let page = site.page(&format!("/dashboard/traceroutes?{parameters}")).await;
            let html = page.text();
            let rows = html.split("<a href=\"/dashboard/traceroutes/").skip(1);
            seen.extend(rows.map(|rest| rest.split('"').next().expect("an id").to_owned()));
            let link = html.split("rel=\"next\"").next().filter(|before| before.len() < html.len());
            next = link
                .and_then(|before| before.rsplit("href=\"?").next())
                .map(|rest| rest.split('"').next().expect("parameters").replace("&#38;", "&").replace("&amp;", "&"));
        }
        assert_eq!(seen.len(), expected, "{query}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), expected, "{query}");
    }
}
