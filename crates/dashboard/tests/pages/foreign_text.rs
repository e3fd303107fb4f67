//! Text that came from agents is only ever text.

use std::collections::BTreeMap;

use astranetmon_domain::{AgentFacts, SpeedtestStatus, TracerouteStatus};
use astranetmon_storage::NewAgent;

use crate::site::{NOW, Site, new_agent, speedtest, traceroute};

/// What agents might send to leave an element or an attribute, or to mislead a reader.
const HOSTILE: [&str; 5] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title></td></table><h1>owned",
    "אבג \u{202e}txt.exe مرحبا & &lt;b&gt; {{ 7*7 }}",
];

fn long(text: &str) -> String {
    format!("{text}{}", "x".repeat(150))
}

#[actix_web::test]
async fn hostile_text_stays_text_on_every_page() {
    let site = Site::new().await;
    for (number, text) in (0_u128..).zip(HOSTILE) {
        let text = long(text);
        let agent = NewAgent {
            facts: AgentFacts {
                hostname: text.clone(),
                os: Some(text.clone()),
                cpu_model: Some(text.clone()),
                ip_addresses: vec![text.chars().take(64).collect()],
                ..AgentFacts::default()
            },
            name: Some(format!("name {text}")),
            public_ip: Some("<b>".to_owned()),
            labels: BTreeMap::from([(text.clone(), text.clone())]),
            ..new_agent(&format!("a{number}"))
        };
        let id = site.own.add(&site.storage, agent).await;
        let mut test = speedtest(&id, number, NOW);
        (test.server_name, test.provider, test.server_location) = (Some(text.clone()), Some(text.clone()), None);
        let mut failed = speedtest(&id, number + 100, NOW);
        (failed.status, failed.error) = (SpeedtestStatus::Failed, Some(text.clone()));
        site.own.append_speedtests(&site.storage, vec![test, failed]).await;
        let mut before = traceroute(&id, number, NOW.plus_seconds(-60), &[1, 2, 9]);
        before.target.clone_from(&text);
        let mut trace = traceroute(&id, number + 100, NOW, &[1, 3, 9]);
        trace.target.clone_from(&text);
        (trace.status, trace.error) = (TracerouteStatus::Failed, Some(text.clone()));
        for hop in before.hops.iter_mut().chain(&mut trace.hops) {
            (hop.hostname, hop.as_name) = (Some(text.clone()), Some(text.clone()));
        }
        site.own.append_traceroutes(&site.storage, vec![before, trace]).await;
    }
    let mut paths =
        vec!["/dashboard".to_owned(), "/dashboard/speedtests".to_owned(), "/dashboard/traceroutes".to_owned()];
    for number in 0..HOSTILE.len() as u128 {
        paths.push(format!("/dashboard/agents/a{number}"));
        paths.push(format!("/dashboard/speedtests?agent=a{number}"));
        paths.push(format!("/dashboard/traceroutes/{}", uuid::Uuid::from_u128(number + 100)));
    }
    for path in paths {
        let page = site.page(&path).await;
        let html = page.text();
        for forbidden in ["<script>", "<img src=x", "<svg/onload", "<h1>owned", "\u{202e}", "&lt;b&gt;"] {
            assert!(!html.contains(forbidden), "{path} has {forbidden:?}");
        }
        for (name, value) in attributes(html) {
            assert!(!name.starts_with("on") && name != "style", "{path} has the attribute {name}=\"{value}\"");
        }
    }
    assert!(site.page("/dashboard").await.text().contains("{{ 7*7 }}"), "shown as it is");
    let fleet = site.data("/dashboard/data/fleet").await;
    let names: Vec<_> = fleet.json()["rows"].as_array().expect("rows").iter().map(|row| row["name"].clone()).collect();
    assert!(names.contains(&format!("name {}", long(HOSTILE[0])).into()), "{names:?}");
    assert_eq!(fleet.header("content-type"), "application/json");
}

/// Every attribute of every tag, read as a browser reads them.
fn attributes(html: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for tag in html.split('<').skip(1) {
        let mut rest = tag;
        while let Some((name, after)) = rest.split_once("=\"") {
            // What lies behind the end of the tag is text.
            if name.contains('>') {
                break;
            }
            let (value, after) = after.split_once('"').expect("a closed value");
            found.push((name.trim().rsplit(' ').next().unwrap_or_default().to_owned(), value.to_owned()));
            rest = after;
        }
    }
    found
}
