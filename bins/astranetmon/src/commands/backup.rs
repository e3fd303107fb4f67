//! `astranetmon backup` and `astranetmon restore`.

use std::path::PathBuf;

use astranetmon_storage::copy;
use clap::Args;
use serde_json::json;

use super::DatabaseArguments;
use super::copy::{Bar, all_equal, in_json, lines};
use crate::configuration::Environment;
use crate::{Failure, OutputFormat, storage_choice};

#[derive(Debug, Args)]
pub(super) struct BackupArguments {
    /// The backup: a SQLite file, whatever kind the database is
    #[arg(value_name = "FILE")]
    file: PathBuf,
    #[command(flatten)]
    database: DatabaseArguments,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

pub(super) async fn backup(arguments: BackupArguments, environment: Environment) -> Result<(), Failure> {
    let BackupArguments { file, database, format } = arguments;
    let settings = database.settings(environment)?;
    let from = storage_choice::copy_endpoint(&settings, &settings.database_url);
    let bar = Bar::new("Backing up");
    let written = copy::backup(&from, &file, &|progress| bar.show(progress)).await;
    bar.clear();
    let tables = written?;
    let size = std::fs::metadata(&file).map(|file| file.len());
    let size = size.map_err(|error| Failure::failed(format!("{} cannot be read: {error}", file.display())))?;
    match format {
        OutputFormat::Text => println!("{}: {size} bytes, checked", file.display()),
        OutputFormat::Json => {
            println!("{}", json!({ "file": file.display().to_string(), "bytes": size, "tables": in_json(&tables) }));
        }
    }
    Ok(())
}

pub(super) async fn restore(arguments: BackupArguments, environment: Environment) -> Result<(), Failure> {
    let BackupArguments { file, database, format } = arguments;
    let settings = database.settings(environment)?;
    let to = storage_choice::copy_endpoint(&settings, &settings.database_url);
    let bar = Bar::new("Restoring");
    let restored = copy::restore(&file, &to, &|progress| bar.show(progress)).await;
    bar.clear();
    let tables = restored?;
    let database = &settings.database_url;
    match format {
        OutputFormat::Text => println!("{}restored into {database}", lines_if_any(&tables)),
        OutputFormat::Json => println!("{}", json!({ "database_url": database, "tables": in_json(&tables) })),
    }
    all_equal(&tables)
}

fn lines_if_any(tables: &[copy::CopiedTable]) -> String {
    if tables.is_empty() { String::new() } else { lines(tables) }
}
