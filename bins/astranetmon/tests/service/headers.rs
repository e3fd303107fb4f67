//! What stands on every answer, and which methods a path takes.

use astranetmon_domain::{Plan, UserRole};
use reqwest::Method;
use tokio_postgres::NoTls;

use crate::support::{Answer, Caller, Cluster, Database, Server, alone, fleet, now, record_id};

/// The API list of `X-…` and policies; pages of the documentation have a policy of their own.
fn check_safety(what: &str, answer: &Answer, is_page: bool) {
    let expected = |name: &str, value: &str| assert_eq!(answer.header(name), Some(value), "{what}: {answer:?}");
    expected("x-content-type-options", "nosniff");
    expected("referrer-policy", "no-referrer");
    expected("cross-origin-resource-policy", "same-origin");
    let policy = answer.header("content-security-policy").unwrap_or_else(|| panic!("{what}: no policy"));
    if is_page {
        assert!(policy.starts_with("default-src 'none'") && !policy.contains("unsafe-eval"), "{what}: {policy}");
    } else {
        assert_eq!(policy, "default-src 'none'; frame-ancestors 'none'; sandbox", "{what}");
        // What has a tag is asked for again; nothing else is kept.
        let kept = if answer.headers.contains_key("etag") { "private, no-cache" } else { "no-store" };
        expected("cache-control", kept);
        if !answer.body.is_empty() {
            let kind = answer.header("content-type").unwrap_or_default();
            assert!(
                kind.starts_with("application/json") || kind.starts_with("application/problem+json"),
                "{what}: {kind}"
            );
        }
    }
    let vary: String = answer.headers.get_all("vary").iter().map(|value| value.to_str().expect("ASCII")).collect();
    for name in ["authorization", "cookie"] {
        assert!(vary.to_ascii_lowercase().contains(name), "{what}: Vary: {vary}");
    }
    let id = answer.header("x-request-id").unwrap_or_default();
    assert!((1..=128).contains(&id.len()), "{what}: {id}");
    for name in ["server", "strict-transport-security", "x-powered-by", "access-control-allow-origin"] {
        assert_eq!(answer.header(name), None, "{what}: {name}");
    }
}

#[tokio::test]
async fn every_answer_carries_the_safety_headers_and_a_request_id() {
    let _alone = alone().await;
    let cluster = tokio::task::spawn_blocking(Cluster::start).await.expect("not cancelled");
    let database = Database::within(&cluster).await;
    let office = database.office().await;
    let account = office.account("headers", Plan::Enterprise).await;
    fleet(&office, &account, &["agent-1"], 10, now(), "headers", 0).await;
    let good = format!("Bearer {}", office.key(&account).await.secret);
    let starter = office.account("spent", Plan::Starter).await;
    let spent = format!("Bearer {}", office.key(&starter).await.secret);
    let nothing = office.key_with(&account, astranetmon_auth::PermissionSet::NONE, None).await;
    let nothing = format!("Bearer {}", nothing.secret);
    let person = office.person(&account, "ada@example.com", UserRole::Viewer).await;
    let session = office.session_since(&person, now()).await;
    let (server, caller) = (Server::start(&database), Caller::new());
    for _ in 0..100 {
        caller.ask(&server, Method::GET, "/api/v1/agents", Some(&spent), &[]).await;
    }
    let long = format!("/api/v1/agents?x={}", "a".repeat(9_000));
    let (get, post) = (Method::GET, Method::POST);
    let cases = [
        (200, &get, "/api/v1/agents", Some(&good), &[][..]),
        (200, &get, "/api/v1/metrics", Some(&good), &[]),
        (200, &get, "/api/v1/usage", Some(&good), &[]),
        (200, &get, "/api/v1/openapi.json", None, &[]),
        (200, &get, "/healthz", None, &[]),
        (200, &get, "/readyz", None, &[]),
        (400, &get, "/api/v1/metrics?limit=0", Some(&good), &[]),
        (400, &get, "/api/v1/metrics?limit=0", Some(&good), &[("accept", "application/problem+json")]),
        (401, &get, "/api/v1/agents", None, &[]),
        (403, &get, "/api/v1/agents", Some(&nothing), &[]),
        (404, &get, "/api/v1/agents/nobody", Some(&good), &[]),
        (404, &get, "/api/v1/nowhere", Some(&good), &[]),
        (404, &get, "/nowhere", None, &[]),
        (405, &post, "/api/v1/agents", Some(&good), &[]),
        (405, &post, "/healthz", None, &[]),
        (413, &post, "/api/v1/agents", Some(&good), &[("content-length", "99999999")]),
        (414, &get, &long, Some(&good), &[]),
        (415, &post, "/api/v1/agents", Some(&good), &[("content-encoding", "gzip")]),
        (429, &get, "/api/v1/agents", Some(&spent), &[]),
    ];
    for (status, method, path, authorization, headers) in cases {
        let what = format!("{method} {} {headers:?}", &path[..path.len().min(60)]);
        let answer = caller.ask(&server, method.clone(), path, authorization.map(String::as_str), headers).await;
        assert_eq!(answer.status, status, "{what}: {answer:?}");
        check_safety(&what, &answer, false);
    }
    let docs = caller.get_open(&server, "/api/v1/docs").await;
    assert_eq!(docs.status, 200);
    check_safety("the documentation", &docs, true);

    let (cookie, html) = (("cookie", session.as_str()), ("accept", "text/html"));
    let pages = [
        (303, "/", &[html][..]),
        (303, "/dashboard", &[html]),
        (401, "/dashboard", &[]),
        (200, "/dashboard", &[cookie, html]),
        (200, "/dashboard/agents/agent-1", &[cookie]),
        (200, "/dashboard/data/fleet", &[cookie]),
        (200, "/dashboard/settings/alerts", &[cookie]),
        (404, "/dashboard/agents/nobody", &[cookie, html]),
        (404, "/dashboard/nowhere", &[cookie]),
        (403, "/dashboard", &[cookie, ("sec-fetch-site", "cross-site")]),
        (200, "/dashboard/sign-in", &[html]),
        (200, "/dashboard/assets/app.css", &[]),
        (404, "/dashboard/assets/nothing", &[]),
    ];
    for (status, path, headers) in pages {
        let answer = caller.ask(&server, Method::GET, path, None, headers).await;
        assert_eq!(answer.status, status, "{path}: {answer:?}");
        check_safety(path, &answer, true);
        let policy = answer.header("content-security-policy").expect("a policy");
        assert!(policy.contains("script-src 'self';") && policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert_eq!(answer.header("cross-origin-opener-policy"), Some("same-origin"), "{path}");
        assert!(answer.header("permissions-policy").is_some(), "{path}");
        let kept = answer.header("cache-control");
        assert!(kept == Some("no-store") || path.starts_with("/dashboard/assets/"), "{path}: {kept:?}");
    }
    for (status, headers) in [(200, &[cookie][..]), (401, &[])] {
        let answer = caller.ask(&server, Method::GET, "/auth/v1/session", None, headers).await;
        assert_eq!(answer.status, status, "{answer:?}");
        check_safety("the session", &answer, false);
    }

    // Locked out, the database refuses; the server answers all the same.
    let (holder, connection) = tokio_postgres::connect(database.url(), NoTls).await.expect("a connection");
    let connection = tokio::spawn(connection);
    holder.batch_execute("BEGIN; LOCK TABLE agent IN ACCESS EXCLUSIVE MODE").await.expect("locked");
    let answer = caller.ask(&server, Method::GET, "/api/v1/agents?limit=1", Some(&good), &[]).await;
    assert_eq!(answer.status, 503, "{answer:?}");
    check_safety("a locked table", &answer, false);
    assert!(answer.header("retry-after").is_some());
    drop(holder);
    connection.abort();
}

#[tokio::test]
async fn a_request_id_of_the_caller_is_given_back() {
    let database = Database::sqlite();
    let (server, caller) = (Server::start(&database), Caller::new());
    for (sent, taken) in [("abc-123._X", true), ("has space", false), ("<script>", false), (&"x".repeat(200), false)] {
        let answer = caller.ask(&server, Method::GET, "/api/v1/agents", None, &[("x-request-id", sent)]).await;
        assert_eq!(answer.header("x-request-id") == Some(sent), taken, "{sent}");
    }
}

#[tokio::test]
async fn other_methods_are_told_which_ones_a_path_takes_once_the_caller_is_known() {
    let database = Database::sqlite();
    let office = database.office().await;
    let account = office.account("methods", Plan::Enterprise).await;
    fleet(&office, &account, &["agent-1"], 10, now(), "methods", 0).await;
    let good = format!("Bearer {}", office.key(&account).await.secret);
    office.close().await;
    let (server, caller) = (Server::start(&database), Caller::new());
    let document = caller.get_open(&server, "/api/v1/openapi.json").await.json();
    let paths = document["paths"].as_object().expect("paths").iter();
    let paths = paths.map(|(path, item)| (path.clone(), item.get("post").is_some()));
    // Agents send; what their paths take is tested where they are.
    let read = paths.filter(|(path, _)| !path.starts_with("/ingest/"));
    for (path, takes_forms) in read.chain([("/healthz".to_owned(), false), ("/readyz".to_owned(), false)]) {
        let open = path.starts_with("/healthz")
            || path.starts_with("/readyz")
            || path.starts_with("/api/v1/docs")
            || path.ends_with("openapi.json");
        let id = if path.contains("agents") { "agent-1".to_owned() } else { record_id(0).to_string() };
        let query = if path.ends_with("/stream") { "?seconds=0" } else { "" };
        let target = path.replace("{id}", &id).replace("{asset}", "explorer.js").replace("{name}", "agent_id") + query;
        let allowed = if takes_forms { "GET, HEAD, POST" } else { "GET, HEAD" };
        for method in ["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"] {
            let method: Method = method.parse().expect("a method");
            let what = format!("{method} {target}");
            let answer = caller.ask(&server, method.clone(), &target, Some(&good), &[]).await;
            if method == Method::HEAD {
                let got = caller.ask(&server, Method::GET, &target, Some(&good), &[]).await;
                assert_eq!((answer.status, answer.body.as_str()), (got.status, ""), "{what}");
                assert_eq!(answer.header("content-length"), got.header("content-length"), "{what}");
                assert_eq!(answer.header("etag"), got.header("etag"), "{what}");
                continue;
            }
            if takes_forms && method == Method::POST {
                continue;
            }
            assert_eq!(answer.status, 405, "{what}: {answer:?}");
            assert_eq!(answer.header("allow"), Some(allowed), "{what}");
            check_safety(&what, &answer, false);
            if !open {
                let answer = caller.ask(&server, method, &target, None, &[]).await;
                assert_eq!(answer.status, 401, "{what} without a credential");
                assert_eq!(answer.header("allow"), None, "{what} without a credential");
            }
        }
    }
}
