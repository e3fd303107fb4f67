//! The first owner of a service without people.

use std::path::Path;

use futures_util::future::join_all;
use reqwest::Method;
use serde_json::json;

use crate::support::{Caller, Database, PASSWORD, Server};

/// The link's token, from a file that nobody else can read.
fn token(file: &Path) -> String {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(file).expect("a file").permissions().mode() & 0o777, 0o600);
    }
    let link = std::fs::read_to_string(file).expect("readable");
    let (page, token) = link.trim_end().split_once('#').expect("a link with a fragment");
    assert!(page.starts_with("http://localhost:") && page.ends_with("/dashboard/set-up"), "{page}");
    token.to_owned()
}

#[tokio::test]
async fn of_twenty_who_come_with_the_link_at_once_one_becomes_the_owner() {
    for database in [Database::sqlite(), Database::postgres().await] {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("link");
        let variables = [("ASTRANETMON_SETUP_LINK_FILE", file.to_str().expect("UTF-8"))];
        let (server, caller) = (Server::start_with(&database, &variables), Caller::new());
        // The line that says so follows the one that says that it serves.
        while !server.log().iter().any(|line| line.contains("open the link in the file")) {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        let token = token(&file);
        assert!(!server.log().join("").contains(&token), "the log holds the token");
        let comers = (0..20).map(|number| {
            let (caller, server, token) = (&caller, &server, &token);
            async move {
                let email = format!("owner-{number}@example.com");
                let body = json!({ "token": token, "account": "home", "email": email, "password": PASSWORD });
                (caller.send_json(server, Method::POST, "/auth/v1/setup", &[], &body).await, email)
            }
        });
        let answers = join_all(comers).await;
        let done: Vec<_> = answers.iter().filter(|(answer, _)| answer.status == 201).collect();
        assert_eq!(done.len(), 1, "{answers:?}");
        assert!(answers.iter().all(|(answer, _)| matches!(answer.status, 201 | 410)), "{answers:?}");
        let (answer, email) = done[0];
        assert_eq!(answer.json()["user"]["email"], email.as_str());
        let agents = caller.ask(&server, Method::GET, "/api/v1/agents", None, &[("cookie", &answer.cookies())]).await;
        assert_eq!(agents.status, 200);
        server.stop().await;
        assert!(!file.exists(), "the link goes with the server");

        let server = Server::start_with(&database, &variables);
        let body = json!({ "token": token, "account": "home", "email": "late@example.com", "password": PASSWORD });
        let late = caller.send_json(&server, Method::POST, "/auth/v1/setup", &[], &body).await;
        assert_eq!(late.status, 410, "{late:?}");
        server.stop().await;
        assert!(!file.exists(), "there is no second link");
    }
}

#[tokio::test]
async fn the_link_stands_beside_an_embedded_database_and_a_restart_writes_another() {
    let database = Database::sqlite();
    let file = Path::new(database.url().strip_prefix("sqlite://").expect("a file")).with_file_name("setup-link");
    let mut tokens = Vec::new();
    for _ in 0..2 {
        let server = Server::start(&database);
        while !file.exists() {
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        tokens.push(token(&file));
        server.stop().await;
    }
    assert_ne!(tokens[0], tokens[1]);
    let (server, caller) = (Server::start(&database), Caller::new());
    let body = json!({ "token": tokens[0], "account": "home", "email": "a@example.com", "password": PASSWORD });
    let old = caller.send_json(&server, Method::POST, "/auth/v1/setup", &[], &body).await;
    assert_eq!(old.status, 403, "{old:?}");
}
