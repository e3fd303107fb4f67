use std::process::{Command, Output};

use super::Database;

/// Runs the binary to its end with an environment of nothing but the database.
pub(crate) async fn astranetmon(database: &Database, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_astranetmon"));
    command.args(arguments).env_clear().env("ASTRANETMON_DATABASE_URL", database.url());
    // In a thread of its own, so that callers in this task's runtime go on.
    tokio::task::spawn_blocking(move || command.output()).await.expect("not cancelled").expect("the binary runs")
}

/// The standard output of a command that must succeed.
pub(crate) async fn succeeds(database: &Database, arguments: &[&str]) -> String {
    let output = astranetmon(database, arguments).await;
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {told}");
    String::from_utf8(output.stdout).expect("UTF-8")
}
