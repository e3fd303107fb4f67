use std::io::Read;
use std::path::{Path, PathBuf};

use astranetmon_auth::{ManageAccount, Password, PasswordHash, Scope};
use astranetmon_domain::{AccountName, User, UserEmail, UserRole};
use astranetmon_storage::NewUser;
use clap::{Args, Subcommand};
use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::{DatabaseArguments, Office, REASON};
use crate::configuration::Environment;
use crate::output::table;
use crate::randomness::seeded_by_system;
use crate::{Failure, OutputFormat};

/// Longest file in which a password is looked for, in bytes.
const LONGEST_FILE: u64 = 4_096;

#[derive(Debug, Subcommand)]
pub(super) enum UserCommand {
    /// Add a person to an account; without a password, who cannot sign in yet
    Create {
        /// The address that the person signs in with
        email: UserEmail,
        /// Name of the person's account
        #[arg(long, value_name = "NAME")]
        account: AccountName,
        /// owner, admin or viewer
        #[arg(long, value_parser = role)]
        role: UserRole,
        /// File with the password on its first line, - for standard input
        #[arg(long, value_name = "FILE")]
        password_file: Option<PathBuf>,
        #[command(flatten)]
        common: UserArguments,
    },
    /// List an account's people
    List {
        /// Name of the account
        #[arg(long, value_name = "NAME")]
        account: AccountName,
        #[command(flatten)]
        common: UserArguments,
    },
    /// Give a person a password; ends all of their sessions
    SetPassword {
        /// The person's address
        email: UserEmail,
        /// File with the password on its first line, - for standard input
        #[arg(long, value_name = "FILE")]
        password_file: PathBuf,
        #[command(flatten)]
        common: UserArguments,
    },
    /// Keep a person from signing in; ends all of their sessions
    Disable {
        /// The person's address
        email: UserEmail,
        #[command(flatten)]
        common: UserArguments,
    },
    /// Let a disabled person sign in again
    Enable {
        /// The person's address
        email: UserEmail,
        #[command(flatten)]
        common: UserArguments,
    },
}

#[derive(Debug, Args)]
pub(super) struct UserArguments {
    #[command(flatten)]
    database: DatabaseArguments,
    /// How to print the result
    #[arg(long, value_enum, default_value = "text")]
    format: OutputFormat,
}

fn role(text: &str) -> Result<UserRole, &'static str> {
    text.parse().map_err(|()| "a role is owner, admin or viewer")
}

impl UserCommand {
    pub(super) async fn execute(self, environment: Environment) -> Result<(), Failure> {
        let (Self::Create { common, .. }
        | Self::List { common, .. }
        | Self::SetPassword { common, .. }
        | Self::Disable { common, .. }
        | Self::Enable { common, .. }) = &self;
        let office = Office::open(&common.database, environment).await?;
        let result = self.act(&office).await;
        office.finish(result).await
    }

    async fn act(self, office: &Office) -> Result<String, Failure> {
        let now = office.now();
        match self {
            Self::Create { email, account, role, password_file, common } => {
                // What is wrong with the password is told before anything is stored.
                let hash = password_file.map(|file| chosen(&file, &email)).transpose()?;
                let scope: Scope<ManageAccount> = Scope::system(office.account(&account).await?.id, REASON);
                let user = office.storage.user_create(&scope, &NewUser { email, role }, now).await?;
                if let Some(hash) = hash {
                    office.storage.user_set_password(&scope, user.id, &hash, now).await?;
                }
                Ok(one(&user, common.format))
            }
            Self::List { account, common } => {
                let scope = Scope::system(office.account(&account).await?.id, REASON);
                let users = office.storage.user_list(&scope.read_account()).await?;
                Ok(match common.format {
                    OutputFormat::Text => lines(&users),
                    OutputFormat::Json => {
                        format!("{}\n", json!({ "users": users.iter().map(in_json).collect::<Vec<_>>() }))
                    }
                })
            }
            Self::SetPassword { email, password_file, common } => {
                let hash = chosen(&password_file, &email)?;
                let (user, scope) = person(office, &email).await?;
                let user = office.storage.user_set_password(&scope, user.id, &hash, now).await?;
                Ok(one(&user.ok_or_else(|| missing(&email))?, common.format))
            }
            Self::Disable { email, common } => set_disabled(office, &email, true, common.format).await,
            Self::Enable { email, common } => set_disabled(office, &email, false, common.format).await,
        }
    }
}

async fn set_disabled(
    office: &Office,
    email: &UserEmail,
    disabled: bool,
    format: OutputFormat,
) -> Result<String, Failure> {
    let (user, scope) = person(office, email).await?;
    let user = office.storage.user_set_disabled(&scope, user.id, disabled, office.now()).await?;
    Ok(one(&user.ok_or_else(|| missing(email))?, format))
}

async fn person(office: &Office, email: &UserEmail) -> Result<(User, Scope<ManageAccount>), Failure> {
    let found = office.storage.user_find_by_email(&office.operator, email).await?;
    let user = found.ok_or_else(|| missing(email))?;
    let scope = Scope::system(user.account_id, REASON);
    Ok((user, scope))
}

fn missing(email: &UserEmail) -> Failure {
    Failure::failed(format!("nobody has the address {email}"))
}

/// The hash of the password in the first line of a file. A command line or a variable would show it to others.
fn chosen(file: &Path, email: &UserEmail) -> Result<PasswordHash, Failure> {
    let mut text = Zeroizing::new(String::new());
    let read = if file == Path::new("-") {
        std::io::stdin().take(LONGEST_FILE).read_to_string(&mut text)
    } else {
        std::fs::File::open(file).and_then(|file| file.take(LONGEST_FILE).read_to_string(&mut text))
    };
    read.map_err(|error| Failure::failed(format!("cannot read a password from {}: {error}", file.display())))?;
    let first = text.lines().next().unwrap_or_default().to_owned();
    let password = Password::chosen(first, email).map_err(|unfit| Failure::failed(unfit.to_string()))?;
    let mut rng = seeded_by_system()?;
    password.hash(&mut rng).map_err(|error| Failure::failed(error.to_string()))
}

fn one(user: &User, format: OutputFormat) -> String {
    match format {
        OutputFormat::Text => lines(std::slice::from_ref(user)),
        OutputFormat::Json => format!("{}\n", in_json(user)),
    }
}

fn lines(users: &[User]) -> String {
    let row = |user: &User| {
        let disabled = user.disabled_at.map_or_else(|| "-".to_owned(), |at| at.to_string());
        [
            user.id.to_string(),
            user.email.to_string(),
            user.role.as_str().to_owned(),
            user.created_at.to_string(),
            disabled,
        ]
    };
    table(["ID", "EMAIL", "ROLE", "CREATED", "DISABLED"], &users.iter().map(row).collect::<Vec<_>>())
}

fn in_json(user: &User) -> Value {
    json!({
        "id": user.id.0,
        "email": user.email.as_str(),
        "role": user.role.as_str(),
        "created_at": user.created_at.to_string(),
        "disabled_at": user.disabled_at.map(|at| at.to_string()),
    })
}
