//! What pages load.

use std::collections::BTreeSet;

use actix_web::http::StatusCode;

use crate::site::{NOW, PAGE, Site, speedtest, traceroute};

/// Everything in quotes behind ` name="`.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let pattern = format!(" {name}=\"");
    html.split(&pattern).skip(1).map(|rest| rest.split('"').next().expect("a value")).collect()
}

#[actix_web::test]
async fn pages_load_assets_of_their_own_that_may_be_kept_for_good() {
    let site = Site::new().await;
    let agent = site.own.add_agent(&site.storage, "a").await;
    site.own.append_speedtests(&site.storage, vec![speedtest(&agent, 1, NOW)]).await;
    site.own.append_traceroutes(&site.storage, vec![traceroute(&agent, 1, NOW, &[1])]).await;
    let mut loaded = BTreeSet::new();
    for path in
        ["/dashboard", "/dashboard/agents/a", "/dashboard/speedtests?agent=a", "/dashboard/traceroutes", "/dashboard/x"]
    {
        let page = site.page(path).await;
        let html = page.text();
        for address in attributes(html, "src").into_iter().chain(attributes(html, "href")) {
            assert!(address.starts_with(['/', '?', '#']) && !address.starts_with("//"), "{path} names {address}");
            if address.starts_with("/dashboard/assets/") {
                loaded.insert(address.split('#').next().expect("an address").to_owned());
            }
        }
        assert!(!html.contains(" style=") && !html.contains("<style"), "{path}");
        let scripts = html.matches("<script").count();
        assert_eq!(html.matches("<script src=\"/dashboard/assets/").count(), scripts, "{path} has inline script");
    }
    assert!(loaded.len() >= 9, "{loaded:?}");
    for address in loaded {
        let asset = site.get(&address, "*/*", None).await;
        assert_eq!(asset.status, StatusCode::OK, "{address}");
        assert_eq!(asset.header("cache-control"), "public, max-age=31536000, immutable", "{address}");
        assert_eq!(asset.header("x-content-type-options"), "nosniff", "{address}");
        let kind = match address.split(['.', '?']).nth(1).expect("an ending") {
            "js" => "text/javascript; charset=utf-8",
            "css" => "text/css; charset=utf-8",
            _ => "image/svg+xml",
        };
        assert_eq!(asset.header("content-type"), kind, "{address}");
        assert!(!asset.text().contains("innerHTML") && !asset.text().contains("eval("), "{address}");

        let other_version = address.split("?v=").next().expect("a name").to_owned();
        for asked in [other_version.clone(), format!("{other_version}?v=0")] {
            assert_eq!(site.get(&asked, "*/*", None).await.header("cache-control"), "no-cache", "{asked}");
        }
    }
    for path in ["/dashboard/assets/nothing.js", "/dashboard/assets/..%2fCargo.toml", "/dashboard/assets/"] {
        assert_eq!(site.get(path, PAGE, None).await.status, StatusCode::NOT_FOUND, "{path}");
    }
}
