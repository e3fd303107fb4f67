//! `astranetmon copy`, and what it shares with backups and restores: a bar while it works, a table when it is done.

use std::io::IsTerminal;

use astranetmon_storage::copy::{CopiedTable, Progress, copy};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};

use super::DatabaseArguments;
use crate::configuration::{DatabaseUrl, Environment};
use crate::output::table;
use crate::{Failure, OutputFormat, storage_choice};

#[derive(Debug, Args)]
pub(super) struct CopyArguments {
    /// Source: `sqlite://PATH` or `postgres://…`; left out: the configured database
    #[arg(long, value_name = "URL")]
    from: Option<DatabaseUrl>,
    /// Target, which is empty or holds the beginning of this copy; left out: the configured database
    #[arg(long, value_name = "URL")]
    to: Option<DatabaseUrl>,
    #[command(flatten)]
    database: DatabaseArguments,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

pub(super) async fn execute(arguments: CopyArguments, environment: Environment) -> Result<(), Failure> {
    let CopyArguments { from, to, database, format } = arguments;
    if from.is_none() && to.is_none() {
        return Err(Failure::usage(
            "a copy needs --from or --to beside the configured database, for example \
             --from sqlite://astranetmon-data/astranetmon.sqlite3",
        ));
    }
    let settings = database.settings(environment)?;
    let endpoint = |url: &Option<DatabaseUrl>| {
        storage_choice::copy_endpoint(&settings, url.as_ref().unwrap_or(&settings.database_url))
    };
    let bar = Bar::new("Copying");
    let copied = copy(&endpoint(&from), &endpoint(&to), &|progress| bar.show(progress)).await;
    bar.clear();
    let tables = copied?;
    match format {
        OutputFormat::Text => print!("{}", lines(&tables)),
        OutputFormat::Json => println!("{}", json!({ "tables": in_json(&tables) })),
    }
    all_equal(&tables)
}

/// Fails if a table is not on both sides what it should be.
pub(super) fn all_equal(tables: &[CopiedTable]) -> Result<(), Failure> {
    let differ: Vec<&str> = tables.iter().filter(|table| !table.is_equal()).map(|table| table.name.as_str()).collect();
    if differ.is_empty() {
        return Ok(());
    }
    Err(Failure::failed(format!(
        "source and target differ in {}: was the source written to meanwhile? Begin anew with an empty target while \
         nothing writes to the source",
        differ.join(", ")
    )))
}

pub(super) fn lines(tables: &[CopiedTable]) -> String {
    let rows: Vec<_> = tables
        .iter()
        .map(|copied| {
            let rows = if copied.source.rows == copied.target.rows {
                copied.target.rows.to_string()
            } else {
                format!("{} of {}", copied.target.rows, copied.source.rows)
            };
            let result = if copied.is_equal() { "equal" } else { "DIFFERENT" };
            [copied.name.clone(), rows, copied.sha256(), result.to_owned()]
        })
        .collect();
    table(["TABLE", "ROWS", "SHA-256", "RESULT"], &rows)
}

pub(super) fn in_json(tables: &[CopiedTable]) -> Vec<Value> {
    let table = |copied: &CopiedTable| {
        json!({
            "name": copied.name,
            "source_row_count": copied.source.rows,
            "target_row_count": copied.target.rows,
            "sha256": copied.sha256(),
            "equal": copied.is_equal(),
        })
    };
    tables.iter().map(table).collect()
}

/// A bar where somebody watches; elsewhere nothing.
pub(super) struct Bar {
    bar: ProgressBar,
}

impl Bar {
    pub(super) fn new(what: &'static str) -> Self {
        if !std::io::stderr().is_terminal() {
            return Self { bar: ProgressBar::hidden() };
        }
        let style = ProgressStyle::with_template("{prefix} {msg:<24} {wide_bar} {human_pos}/{human_len} {eta}");
        let style = style.unwrap_or_else(|_| ProgressStyle::default_bar());
        Self { bar: ProgressBar::new(0).with_style(style).with_prefix(what) }
    }

    pub(super) fn show(&self, progress: Progress<'_>) {
        match progress {
            Progress::Begun { rows } => self.bar.set_length(rows),
            Progress::Written { table, rows } => {
                self.bar.set_message(table.to_owned());
                self.bar.inc(rows);
            }
            Progress::Comparing { table } => {
                self.bar.set_prefix("Comparing");
                self.bar.set_message(table.to_owned());
            }
        }
    }

    pub(super) fn clear(&self) {
        self.bar.finish_and_clear();
    }
}

#[cfg(test)]
mod tests {
    use astranetmon_storage::copy::TableDigest;

    use super::*;

    fn copied(name: &str, here: u64, there: u64) -> CopiedTable {
        let digest = |rows| TableDigest { rows, sha256: [0xAB; 32] };
        CopiedTable { name: name.to_owned(), source: digest(here), target: digest(there) }
    }

    #[test]
    fn a_difference_is_a_failure_that_names_the_tables() {
        let tables = [copied("account", 3, 3), copied("audit", 5, 4)];
        assert_eq!(all_equal(&tables[..1]), Ok(()));
        let failure = all_equal(&tables).expect_err("differs").to_string();
        assert!(failure.starts_with("source and target differ in audit: "), "{failure}");
        let hash = "ab".repeat(32);
        let expected = format!(
            "TABLE    ROWS    {:64}  RESULT\naccount  3       {hash}  equal\naudit    4 of 5  {hash}  DIFFERENT\n",
            "SHA-256"
        );
        assert_eq!(lines(&tables), expected);
        assert_eq!(in_json(&tables)[1]["equal"], false);
    }
}
