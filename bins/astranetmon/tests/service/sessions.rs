//! Sessions over several instances of the service.

use std::time::Duration;

use astranetmon_domain::{Plan, UserRole};
use reqwest::Method;
use serde_json::json;

use crate::support::{Answer, Caller, Database, Kind, Office, PASSWORD, Server, succeeds};

const ADA: &str = "ada@example.com";

async fn with_ada(database: &Database) {
    let office: Office = database.office().await;
    let account = office.account("home", Plan::Starter).await;
    office.person(&account, ADA, UserRole::Owner).await;
    office.close().await;
}

async fn sign_in(caller: &Caller, server: &Server, password: &str) -> Answer {
    let body = json!({ "email": ADA, "password": password });
    caller.send_json(server, Method::POST, "/auth/v1/session", &[], &body).await
}

async fn status(caller: &Caller, server: &Server, path: &str, cookies: &str) -> u16 {
    caller.ask(server, Method::GET, path, None, &[("cookie", cookies)]).await.status
}

#[tokio::test]
async fn a_session_counts_on_every_instance_and_ends_on_all_of_them() {
    let database = Database::postgres().await;
    with_ada(&database).await;
    let (one, other, caller) = (Server::start(&database), Server::start(&database), Caller::new());
    let signed_in = sign_in(&caller, &one, PASSWORD).await;
    assert_eq!(signed_in.status, 201, "{signed_in:?}");
    let (cookies, csrf) = (signed_in.cookies(), signed_in.json()["csrf_token"].clone());
    for server in [&one, &other] {
        assert_eq!(status(&caller, server, "/api/v1/agents", &cookies).await, 200);
    }
    let headers = [("cookie", cookies.as_str()), ("x-astra-csrf", csrf.as_str().expect("text"))];
    let signed_out = caller.ask(&other, Method::DELETE, "/auth/v1/session", None, &headers).await;
    assert_eq!(signed_out.status, 204, "the token of one instance is good at another: {signed_out:?}");
    for server in [&one, &other] {
        assert_eq!(status(&caller, server, "/api/v1/agents", &cookies).await, 401);
        assert_eq!(status(&caller, server, "/auth/v1/session", &cookies).await, 401);
    }
}

#[tokio::test]
async fn who_is_disabled_or_given_a_password_at_the_command_line_is_signed_out_of_a_running_server() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        with_ada(&database).await;
        let (server, caller) = (Server::start(&database), Caller::new());
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("password");
        std::fs::write(&file, "eleven purple lamps sing").expect("written");
        let file = file.to_str().expect("UTF-8");
        let mut password = PASSWORD;
        for (arguments, next) in [
            (&["user", "set-password", ADA, "--password-file", file][..], "eleven purple lamps sing"),
            (&["user", "disable", ADA], ""),
        ] {
            let signed_in = sign_in(&caller, &server, password).await;
            assert_eq!(signed_in.status, 201, "{kind:?}: {signed_in:?}");
            assert_eq!(status(&caller, &server, "/api/v1/agents", &signed_in.cookies()).await, 200);
            succeeds(&database, arguments).await;
            assert_eq!(status(&caller, &server, "/api/v1/agents", &signed_in.cookies()).await, 401, "{kind:?}");
            assert_eq!(sign_in(&caller, &server, password).await.status, 401, "{kind:?}");
            password = next;
        }
        server.stop().await;
    }
}

#[tokio::test]
async fn sessions_outlive_the_server_that_began_them() {
    let database = Database::sqlite();
    with_ada(&database).await;
    let (server, caller) = (Server::start(&database), Caller::new());
    let signed_in = sign_in(&caller, &server, PASSWORD).await;
    server.stop().await;
    let server = Server::start(&database);
    tokio::time::timeout(Duration::from_secs(5), async {
        assert_eq!(status(&caller, &server, "/api/v1/agents", &signed_in.cookies()).await, 200);
    })
    .await
    .expect("at once");
}
