//! People, as an operator manages them at the command line.

use astranetmon_domain::UserEmail;
use serde_json::Value;

use crate::support::{Database, Kind, PASSWORD, astranetmon, succeeds};

#[tokio::test]
async fn an_operator_adds_people_gives_them_passwords_and_disables_them() {
    for kind in Kind::BOTH {
        let database = Database::new(kind).await;
        succeeds(&database, &["migrate"]).await;
        succeeds(&database, &["account", "create", "acme", "--plan", "starter"]).await;
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, text: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, text).expect("written");
            path.to_str().expect("UTF-8").to_owned()
        };
        let (good, short) = (file("good", &format!("{PASSWORD}\nnot this\n")), file("short", "short\n"));
        let guessable = file("guessable", "adalovelace1");
        let json = |text: String| serde_json::from_str::<Value>(&text).expect("JSON");

        let create = ["user", "create", "Ada.Lovelace@example.com", "--account", "acme", "--role", "owner"];
        let with = |more: &[&'static str], file: &str| -> Vec<String> {
            create.iter().chain(more).map(ToString::to_string).chain([file.to_owned()]).collect()
        };
        for (file, sentence) in [
            (short.as_str(), "astranetmon: a password has at least 12 characters, better 15\n"),
            (guessable.as_str(), "astranetmon: that password is easy to guess: take several words"),
            ("/nowhere/password", "astranetmon: cannot read a password from /nowhere/password: "),
        ] {
            let arguments = with(&["--password-file"], file);
            let refused = astranetmon(&database, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await;
            let told = String::from_utf8(refused.stderr).expect("UTF-8");
            assert_eq!(refused.status.code(), Some(1), "{told}");
            assert!(told.starts_with(sentence), "{told}");
        }
        let arguments = with(&["--format", "json", "--password-file"], &good);
        let made = json(succeeds(&database, &arguments.iter().map(String::as_str).collect::<Vec<_>>()).await);
        assert_eq!((made["email"].as_str(), made["role"].as_str()), (Some("ada.lovelace@example.com"), Some("owner")));
        let again = astranetmon(&database, &create).await;
        assert_eq!(again.status.code(), Some(1), "{again:?}");

        let ada = "ada.lovelace@example.com";
        succeeds(&database, &["user", "set-password", ada, "--password-file", &good]).await;
        let disabled = json(succeeds(&database, &["user", "disable", ada, "--format", "json"]).await);
        assert!(disabled["disabled_at"].is_string(), "{disabled}");
        let listed = json(succeeds(&database, &["user", "list", "--account", "acme", "--format", "json"]).await);
        assert_eq!(listed["users"], Value::from(vec![disabled]));
        let enabled = succeeds(&database, &["user", "enable", ada]).await;
        assert!(enabled.ends_with("  -\n") && !enabled.contains("argon2"), "{enabled}");
        let nobody = astranetmon(&database, &["user", "disable", "bob@example.com"]).await;
        let told = String::from_utf8(nobody.stderr).expect("UTF-8");
        assert_eq!(
            (nobody.status.code(), told.as_str()),
            (Some(1), "astranetmon: nobody has the address bob@example.com\n")
        );

        let office = database.office().await;
        let email: UserEmail = ada.parse().expect("an address");
        let hash = office.password_hash(&email).await.expect("a password");
        assert!(hash.verify(&astranetmon_auth::Password::presented(PASSWORD.to_owned())));
        office.close().await;
    }
}
