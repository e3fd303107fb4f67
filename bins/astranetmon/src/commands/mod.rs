//! The command line.

mod account;
mod agent;
mod backup;
mod copy;
mod enrolment;
mod get;
mod import;
mod key;
mod openapi;
mod removal;
mod serve;
mod shell_pages;
mod user;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use astranetmon_auth::Operator;
use astranetmon_domain::{Account, AccountName, Clock, SystemClock};
use astranetmon_storage::Storage;
use clap::{Args, Parser, Subcommand};

use crate::configuration::{Environment, Flag, Layers, Settings};
use crate::demo::DemoOptions;
use crate::storage_choice::Purpose;
use crate::{Failure, OutputFormat, demo, storage_choice};

/// What the audit log says of this module's work.
const REASON: &str = "command line";

/// Monitoring data over a REST API: one binary, SQLite inside, PostgreSQL when it grows.
#[derive(Debug, Parser)]
#[command(name = "astranetmon", version, max_term_width = 100)]
pub struct CommandLine {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve the API
    Serve(Box<serve::ServeArguments>),
    /// Serve a demonstration with synthetic fleets and this machine
    Demo(DemoArguments),
    /// Bring the database schema up to date
    Migrate(DatabaseArguments),
    /// Copy all data into another, empty database, of whatever kind; goes on where it was stopped
    Copy(copy::CopyArguments),
    /// Write all data into a new file, while the database may be served
    Backup(backup::BackupArguments),
    /// Put a backup into an empty database
    Restore(backup::BackupArguments),
    /// Print the OpenAPI document
    Openapi(openapi::OpenapiArguments),
    /// Manage accounts
    #[command(subcommand)]
    Account(account::AccountCommand),
    /// Manage agents
    #[command(subcommand)]
    Agent(agent::AgentCommand),
    /// Manage the tokens that enrol agents
    #[command(subcommand)]
    Enrolment(enrolment::EnrolmentCommand),
    /// Read what a server has, with an API key
    Get(Box<get::GetArguments>),
    /// Take in what other tools measured: Ookla, LibreSpeed, mtr, RIPE Atlas
    Import(Box<import::ImportArguments>),
    /// Manage API keys
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// Manage people and their passwords
    #[command(subcommand)]
    User(user::UserCommand),
    /// Print completions for a shell
    Completions(shell_pages::CompletionsArguments),
    /// Write man pages
    Man(shell_pages::ManArguments),
}

#[derive(Debug, Args)]
struct DemoArguments {
    /// Where to serve
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Allow plain HTTP on an address that other machines can reach
    #[arg(long)]
    insecure_http: bool,
    /// Folder of the demonstration's database and keys
    #[arg(long, value_name = "FOLDER", default_value = "astranetmon-demo")]
    data: PathBuf,
    /// How to print the address and the keys
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
    /// Decides the synthetic history
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    seed: u64,
}

/// Where the database is.
#[derive(Debug, Default, Args)]
struct DatabaseArguments {
    /// Configuration file (TOML); also `ASTRANETMON_CONFIG`
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Database: `sqlite://PATH` or `postgres://…`; also `ASTRANETMON_DATABASE_URL`, which hides a password better
    #[arg(long, value_name = "URL")]
    database_url: Option<String>,
}

impl DatabaseArguments {
    fn layers(&self, environment: Environment) -> Layers {
        let flags = self
            .database_url
            .iter()
            .map(|text| Flag { flag: "--database-url", name: "database_url", text: text.clone() })
            .collect();
        Layers { flags, environment, file: self.config.clone() }
    }

    fn settings(&self, environment: Environment) -> Result<Settings, Failure> {
        Ok(self.layers(environment).read()?.settings)
    }
}

impl CommandLine {
    /// Runs the command in an environment.
    ///
    /// # Errors
    /// One sentence for the operator.
    pub async fn execute(self, environment: Environment) -> Result<(), Failure> {
        match self.command {
            Command::Serve(arguments) => serve::execute(*arguments, environment).await,
            Command::Demo(DemoArguments { listen, insecure_http, data, format, seed }) => {
                // The demonstration has no certificate and no proxy in front of it.
                Settings { listen, insecure_http, ..Settings::default() }.validate()?;
                demo::run(DemoOptions { listen, data, format, seed }).await
            }
            Command::Migrate(database) => migrate(&database.settings(environment)?).await,
            Command::Copy(arguments) => copy::execute(arguments, environment).await,
            Command::Backup(arguments) => backup::backup(arguments, environment).await,
            Command::Restore(arguments) => backup::restore(arguments, environment).await,
            Command::Openapi(arguments) => openapi::execute(&arguments),
            Command::Completions(arguments) => {
                shell_pages::print_completions(&arguments);
                Ok(())
            }
            Command::Man(arguments) => shell_pages::write_man_pages(&arguments),
            Command::Account(command) => command.execute(environment).await,
            Command::Agent(command) => command.execute(environment).await,
            Command::Enrolment(command) => command.execute(environment).await,
            Command::Get(arguments) => arguments.execute(environment).await,
            Command::Import(arguments) => arguments.execute(environment).await,
            Command::Key(command) => command.execute(environment).await,
            Command::User(command) => command.execute(environment).await,
        }
    }
}

async fn migrate(settings: &Settings) -> Result<(), Failure> {
    let applied = storage_choice::migrate(settings).await?;
    for name in &applied {
        println!("applied {name}");
    }
    if applied.is_empty() {
        println!("up to date");
    }
    Ok(())
}

/// An open database and what the commands do with it need.
struct Office {
    storage: Arc<dyn Storage>,
    operator: Operator,
    clock: SystemClock,
}

impl Office {
    async fn open(database: &DatabaseArguments, environment: Environment) -> Result<Self, Failure> {
        let storage = storage_choice::open(&database.settings(environment)?, Purpose::Manage).await?;
        Ok(Self { storage, operator: Operator::new(REASON), clock: SystemClock })
    }

    /// Closes the database, then prints what a command came to.
    async fn finish(self, result: Result<String, Failure>) -> Result<(), Failure> {
        self.storage.close().await;
        print!("{}", result?);
        Ok(())
    }

    fn now(&self) -> astranetmon_domain::Timestamp {
        self.clock.now()
    }

    async fn account(&self, name: &AccountName) -> Result<Account, Failure> {
        let found = self.storage.account_find_by_name(&self.operator, name).await?;
        found.ok_or_else(|| Failure::failed(format!("there is no account named {name}")))
    }
}

#[cfg(test)]
mod tests;
