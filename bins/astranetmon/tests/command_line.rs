//! The binary as an operator meets it.

use std::process::{Command, Output};

fn astranetmon(arguments: &[&str], variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astranetmon"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.output().expect("the binary runs")
}

fn told(output: &Output) -> (Option<i32>, String) {
    (output.status.code(), String::from_utf8(output.stderr.clone()).expect("UTF-8"))
}

#[test]
fn check_prints_the_configuration_without_secrets_and_serves_nothing() {
    let output = astranetmon(
        &["serve", "--check", "--listen", "127.0.0.1:1"],
        &[("ASTRANETMON_DATABASE_URL", "postgres://u:s3cret@db.example/d")],
    );
    assert_eq!(told(&output), (Some(0), String::new()));
    let shown = String::from_utf8(output.stdout).expect("UTF-8");
    assert!(shown.contains("listen = \"127.0.0.1:1\" # --listen\n"), "{shown}");
    assert!(shown.contains("database_url = \"postgres://u:***@db.example/d\" # ASTRANETMON_DATABASE_URL\n"), "{shown}");
    assert!(!shown.contains("s3cret"), "{shown}");
}

#[test]
fn wrong_usage_ends_with_2_and_one_sentence() {
    for (arguments, variables, sentence) in [
        (&["serve", "--listen", "0.0.0.0:1"][..], &[][..], "0.0.0.0:1 can be reached from other machines"),
        (&["demo", "--listen", "0.0.0.0:1"], &[], "0.0.0.0:1 can be reached from other machines"),
        (&["serve"], &[("ASTRANETMON_LISEN", "x")], "did you mean ASTRANETMON_LISTEN?"),
        (&["migrate", "--config", "/nowhere.toml"], &[], "the configuration file /nowhere.toml cannot be read"),
        (&["serve", "--check", "--tls-cert", "/no.crt", "--tls-key", "/no.key"], &[], "/no.crt cannot be used for TLS"),
    ] {
        let (code, error) = told(&astranetmon(arguments, variables));
        assert_eq!(code, Some(2), "{error}");
        assert!(error.starts_with("astranetmon: ") && error.contains(sentence), "{error}");
        assert_eq!(error.lines().count(), 1, "{error}");
    }
}

#[test]
fn failed_work_ends_with_1_and_one_sentence() {
    let (code, error) = told(&astranetmon(&["account", "list", "--database-url", "sqlite:///nowhere/x.sqlite3"], &[]));
    assert_eq!(code, Some(1), "{error}");
    assert!(
        error.starts_with("astranetmon: the database cannot be used: /nowhere/x.sqlite3 does not exist"),
        "{error}"
    );
    assert_eq!(error.lines().count(), 1, "{error}");
}

#[test]
fn help_and_version_end_with_0() {
    for argument in ["--help", "--version"] {
        let output = astranetmon(&[argument], &[]);
        assert_eq!(told(&output), (Some(0), String::new()));
        assert!(!output.stdout.is_empty());
    }
}

/// What a successful command printed.
fn printed(arguments: &[&str], database: &str) -> String {
    let output = astranetmon(arguments, &[("ASTRANETMON_DATABASE_URL", database)]);
    assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", told(&output).1);
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn printed_json(arguments: &[&str], database: &str) -> serde_json::Value {
    serde_json::from_str(&printed(&[arguments, &["--format", "json"]].concat(), database)).expect("JSON")
}

#[test]
fn an_operator_manages_accounts_and_keys() {
    let folder = tempfile::tempdir().expect("a folder");
    let database = format!("sqlite://{}/d.sqlite3", folder.path().display());
    assert!(printed(&["migrate"], &database).starts_with("applied "));
    assert_eq!(printed(&["migrate"], &database), "up to date\n");

    let account = printed_json(&["account", "create", "acme", "--plan", "starter"], &database);
    assert_eq!((&account["name"], &account["plan"]), (&"acme".into(), &"starter".into()));
    printed(&["account", "set-plan", "acme", "professional"], &database);
    assert_eq!(printed_json(&["account", "list"], &database)["accounts"][0]["plan"], "professional");

    let key = printed(&["key", "create", "--account", "acme", "--name", "script"], &database);
    assert!(astranetmon_auth::ApiKey::parse(key.trim_end()).is_ok(), "{key}");
    let narrow = ["key", "create", "--account", "acme", "--name", "n", "--permission", "read:metrics"];
    let narrow = printed_json(&[&narrow[..], &["--expires-in", "90d"]].concat(), &database);
    assert_eq!(narrow["permissions"], serde_json::json!(["read:metrics"]));
    assert!(narrow["expires_at"].is_string() && narrow["key"].is_string());

    let id = narrow["id"].to_string();
    let rolled = printed_json(&["key", "roll", "--account", "acme", &id, "--overlap", "24"], &database);
    assert_eq!((&rolled["permissions"], &rolled["name"]), (&narrow["permissions"], &narrow["name"]));
    printed(&["key", "revoke", "--account", "acme", &id], &database);
    let listed = printed(&["key", "list", "--account", "acme"], &database);
    assert!(!listed.contains(key.trim_end()) && listed.contains("revoked") && listed.contains("live"), "{listed}");

    let twice =
        astranetmon(&["account", "create", "acme", "--plan", "starter"], &[("ASTRANETMON_DATABASE_URL", &database)]);
    assert_eq!(told(&twice), (Some(1), "astranetmon: an account of that name exists already\n".to_owned()));
}
